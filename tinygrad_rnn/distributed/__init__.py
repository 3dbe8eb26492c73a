"""Training by several processes at once: the names of torch.distributed, over MPI.

Each process is a rank. All ranks run the same program, which ``mpiexec -n 4 python
train.py`` starts, and take part in the same calls in the same order. The extra ``mpi``
installs what this needs. :class:`tinygrad_rnn.nn.parallel.DistributedDataParallel`
trains a model with it.

Example:
    >>> import tinygrad_rnn as tg
    >>> tg.distributed.is_initialized()
    False
"""

from typing import TYPE_CHECKING

from ..errors import left_out
from .averaging import mean_loss
from .collectives import (
    all_gather,
    all_gather_object,
    all_reduce,
    barrier,
    broadcast,
    broadcast_object_list,
)
from .communicator import ReduceOp
from .group import (
    destroy_process_group,
    get_backend,
    get_rank,
    get_world_size,
    init_process_group,
    is_available,
    is_initialized,
    is_mpi_available,
    is_nccl_available,
)

__all__ = [
    "ReduceOp",
    "all_gather",
    "all_gather_object",
    "all_reduce",
    "barrier",
    "broadcast",
    "broadcast_object_list",
    "destroy_process_group",
    "get_backend",
    "get_rank",
    "get_world_size",
    "init_process_group",
    "is_available",
    "is_initialized",
    "is_mpi_available",
    "is_nccl_available",
    "mean_loss",
]

if not TYPE_CHECKING:
    __getattr__ = left_out.getter("tg.distributed", globals())
