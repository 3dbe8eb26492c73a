"""NCCL through a fake CuPy: vectors on the rank's GPU go there, others through MPI."""

import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from backend import fake_cupy
from backend.test_cupy import gpus  # noqa: F401 (a fixture)
from distributed import fake_mpi

import tinygrad_rnn as tg
from tinygrad_rnn.distributed import group as group_module
from tinygrad_rnn.distributed.nccl import NCCL, has_nccl
from tinygrad_rnn.nn.parallel import DistributedDataParallel


class NCCLBackend:
    """cupyx.distributed's, among ranks that all have the same values."""

    def __init__(self, n_devices, rank, host="", port=0, use_mpi=False):
        assert (rank, use_mpi) == (0, True)
        self.n_devices, self.calls = n_devices, []
        self.device = fake_cupy.cuda.Device().id

    def _check(self, array):
        assert fake_cupy.cuda.Device().id == array.device.id == self.device
        assert array.flags.c_contiguous

    def all_reduce(self, in_array, out_array, op="sum", stream=None):
        self._check(in_array)
        assert in_array is out_array
        self.calls.append(("all_reduce", op))
        out_array *= self.n_devices

    def broadcast(self, in_out_array, root=0, stream=None):
        self._check(in_out_array)
        self.calls.append(("broadcast", root))


@pytest.fixture()
def installed(gpus, monkeypatch):  # noqa: F811
    """CuPy with NCCL and two GPUs, and mpi4py; one rank."""
    fake_mpi.install(monkeypatch)
    nccl = SimpleNamespace(available=True)
    monkeypatch.setattr(fake_cupy.cuda, "nccl", nccl, raising=False)
    monkeypatch.setitem(sys.modules, "cupy.cuda", fake_cupy.cuda)
    distributed = ModuleType("cupyx.distributed")
    distributed.NCCLBackend = NCCLBackend
    monkeypatch.setitem(sys.modules, "cupyx", ModuleType("cupyx"))
    monkeypatch.setitem(sys.modules, "cupyx.distributed", distributed)
    return nccl


def test_it_says_whether_it_is_there(installed):
    assert has_nccl()
    assert tg.distributed.is_nccl_available()
    installed.available = False
    assert not has_nccl()
    with pytest.raises(tg.errors.OptionError, match="'nccl' needs a CuPy with NCCL"):
        NCCL()


def test_without_cupy_there_is_none(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)
    assert not has_nccl()


def test_vectors_go_where_they_are(installed):
    nccl, cupy = NCCL(), sys.modules["cupy"]
    on_gpu, on_host = cupy.asarray(np.ones(3)), np.ones(3)
    assert nccl.takes(on_gpu)
    assert nccl.takes(on_host)
    with cupy.cuda.Device(1):
        assert not nccl.takes(cupy.asarray(np.ones(3)))  # not this rank's GPU
    nccl.all_reduce(on_gpu, "max")
    nccl.broadcast(on_gpu, 0)
    assert nccl.nccl.calls == [("all_reduce", "max"), ("broadcast", 0)]
    assert nccl.comm.calls == []
    nccl.all_reduce(on_host, "max")
    nccl.broadcast(on_host, 0)
    assert nccl.comm.calls == [("Allreduce", "MAX"), ("Bcast", 0)]


def test_the_gpu_of_a_rank_is_its_current_one(installed, monkeypatch):
    second = SimpleNamespace(Get_rank=lambda: 1)  # of its host
    monkeypatch.setattr(fake_mpi.Comm, "Split_type", lambda self, kind: second)
    before = tg.cuda.current_device()
    try:
        nccl = NCCL()
        assert nccl.device.name == tg.zeros(2, device="cuda").device == "cuda:1"
        assert nccl.takes(tg.zeros(2).cuda().array)
    finally:
        tg.cuda.set_device(before)


def test_a_model_on_a_gpu_is_averaged_there(installed, monkeypatch):
    monkeypatch.setattr(group_module, "state", SimpleNamespace(group=None))
    tg.distributed.init_process_group("nccl")
    assert tg.distributed.get_backend() == "nccl"
    model = tg.nn.Linear(3, 2).to("cuda:0")
    ranks = DistributedDataParallel(model)
    ranks(tg.ones(2, 3, device="cuda:0")).sum().backward()
    assert model.weight.grad.device == "cuda:0"
    assert model.weight.grad.tolist() == [[2.0] * 3] * 2
    calls = group_module.state.group.communicator.nccl.calls
    assert calls == [("broadcast", 0), ("all_reduce", "sum")]
    tg.distributed.destroy_process_group()
