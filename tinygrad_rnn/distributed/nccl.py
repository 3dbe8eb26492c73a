"""NCCL, through cupyx.distributed, for arrays on GPUs; MPI carries everything else.

It follows the documentation of CuPy 14 and has been tested on a stand-in only.
"""

from typing import Any

from ..backend import backend_of, find
from ..errors import OptionError
from ..types import Array
from .mpi import MPI


def has_nccl() -> bool:
    """Return whether CuPy is here and was built with NCCL."""
    try:
        from cupy.cuda import nccl
    except Exception:  # CuPy is missing, or its driver is
        return False
    return bool(nccl.available)


class NCCL(MPI):
    """All ranks that ``mpiexec`` started, each with a GPU of its own.

    The GPU of a rank is the one whose number is its rank on its host, modulo the number
    of GPUs there. It becomes the current one: make tensors there by ``device="cuda"``.
    """

    backend = "nccl"

    def __init__(self) -> None:
        if not has_nccl():
            raise OptionError(
                "init_process_group: backend 'nccl' needs a CuPy with NCCL, and a GPU; "
                "install the extra tinygrad_rnn[cuda12x] or [cuda13x], or take 'mpi'"
            )
        super().__init__()
        from cupyx.distributed import NCCLBackend

        on_host = self.comm.Split_type(self.library.COMM_TYPE_SHARED)
        count = find("cuda").device_count()
        self.device = find(f"cuda:{on_host.Get_rank() % count}")
        self.device.module.set_device(self.device.index)
        connect = self.device.on_device(NCCLBackend)
        self.nccl: Any = connect(self.size, self.rank, use_mpi=True)

    def takes(self, array: Array) -> bool:
        return super().takes(array) or backend_of(array) is self.device

    def all_reduce(self, vector: Array, op: str) -> None:
        if super().takes(vector):
            super().all_reduce(vector, op)
        else:
            self.nccl.all_reduce(vector, vector, op)

    def broadcast(self, vector: Array, src: int) -> None:
        if super().takes(vector):
            super().broadcast(vector, src)
        else:
            self.nccl.broadcast(vector, src)
