"""What mpi4py is asked to do; with MPI itself test_ranks.py tests it."""

import numpy as np
import pytest
from distributed import fake_mpi

from tinygrad_rnn.distributed import ReduceOp
from tinygrad_rnn.distributed.mpi import MPI


@pytest.fixture()
def mpi(monkeypatch):
    fake_mpi.install(monkeypatch)
    return MPI()


def test_it_has_a_communicator_of_its_own(mpi):
    assert (mpi.backend, mpi.rank, mpi.size) == ("mpi", 0, 1)
    assert mpi.comm is not mpi.library.COMM_WORLD


@pytest.mark.parametrize(
    ("op", "theirs"),
    [
        (ReduceOp.SUM, "SUM"),
        (ReduceOp.PRODUCT, "PROD"),
        (ReduceOp.MIN, "MIN"),
        (ReduceOp.MAX, "MAX"),
    ],
)
def test_vectors_are_reduced_in_place(mpi, op, theirs):
    mpi.all_reduce(np.ones(3), op)
    assert mpi.comm.calls == [("Allreduce", theirs)]


@pytest.mark.parametrize("dtype", ["bool", "uint16", "int64", "float32"])
def test_vectors_are_broadcast_as_bytes(mpi, dtype):
    mpi.broadcast(np.ones(3, dtype), 2)
    assert mpi.comm.calls == [("Bcast", 2)]


def test_the_rest_is_passed_on(mpi):
    mpi.barrier()
    mpi.abort()
    assert mpi.all_gather_object("x") == ["x"]
    assert mpi.comm.calls == [("Barrier",)]
    assert mpi.library.COMM_WORLD.calls == [("Abort", 1)]
