"""What carries bytes between ranks: the base class of MPI's, NCCL's, and the tests'."""

import numpy as np

from ..types import Array


class ReduceOp:
    """Names of how the values of all ranks become one, as torch.distributed.ReduceOp.

    Attributes:
        SUM: Their sum.
        AVG: Their mean, of floats.
        PRODUCT: Their product.
        MIN: The least.
        MAX: The largest.

    Example:
        >>> import tinygrad_rnn as tg
        >>> tg.distributed.ReduceOp.SUM
        'sum'
    """

    SUM = "sum"
    AVG = "avg"
    PRODUCT = "prod"
    MIN = "min"
    MAX = "max"


class Communicator:
    """Base class: one process's access to all the others.

    Every rank has to make the same calls in the same order, with arrays of the same
    size and dtype. Arrays are contiguous vectors, which the calls change in place.

    Attributes:
        backend: Its name, as :func:`init_process_group` takes it.
        rank: The number of this process, from 0.
        size: How many processes there are.
    """

    backend: str
    rank: int
    size: int

    def takes(self, array: Array) -> bool:
        """Return whether it reads and writes an array where it is; else by a copy."""
        return type(array) is np.ndarray

    def all_reduce(self, vector: Array, op: str) -> None:
        """Replace a vector by the reduction of those of all ranks, not by AVG."""
        raise NotImplementedError

    def broadcast(self, vector: Array, src: int) -> None:
        """Replace a vector by that of rank ``src``."""
        raise NotImplementedError

    def all_gather_object(self, obj: object) -> list[object]:
        """Return the objects of all ranks, in their order."""
        raise NotImplementedError

    def barrier(self) -> None:
        """Wait until all ranks are here."""
        raise NotImplementedError

    def abort(self) -> None:
        """End all ranks at once, with an exit status that is not 0."""
        raise NotImplementedError
