"""MPI, through mpi4py, which is imported when a group begins."""

from typing import Any

from ..types import Array
from .communicator import Communicator, ReduceOp


class MPI(Communicator):
    """All ranks that ``mpiexec`` started; arrays are NumPy's."""

    backend = "mpi"

    def __init__(self) -> None:
        import mpi4py.MPI  # which starts MPI

        library: Any = mpi4py.MPI
        self.library = library
        # A communicator of its own, so that a program may use mpi4py beside it.
        self.comm: Any = library.COMM_WORLD.Dup()
        self.rank, self.size = self.comm.Get_rank(), self.comm.Get_size()
        self.ops = {
            ReduceOp.SUM: library.SUM,
            ReduceOp.PRODUCT: library.PROD,
            ReduceOp.MIN: library.MIN,
            ReduceOp.MAX: library.MAX,
        }

    def all_reduce(self, vector: Array, op: str) -> None:
        self.comm.Allreduce(self.library.IN_PLACE, vector, self.ops[op])

    def broadcast(self, vector: Array, src: int) -> None:
        # As bytes: MPI has no type for every dtype of NumPy's.
        self.comm.Bcast(vector.view("u1"), src)

    def all_gather_object(self, obj: object) -> list[object]:
        gathered: list[object] = self.comm.allgather(obj)
        return gathered

    def barrier(self) -> None:
        self.comm.Barrier()

    def abort(self) -> None:
        self.library.COMM_WORLD.Abort(1)
