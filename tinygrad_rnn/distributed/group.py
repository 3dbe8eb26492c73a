"""The process group: who takes part, and how its ranks end together."""

import atexit
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from types import SimpleNamespace, TracebackType
from typing import TYPE_CHECKING

from ..errors import OptionError, check_choice, check_type
from .communicator import Communicator
from .watch import Watch, say, start_watch

if TYPE_CHECKING:
    from datetime import timedelta

Excepthook = Callable[
    [type[BaseException], BaseException, TracebackType | None], object
]
TIMEOUT = 1800.0  # seconds in one call, as PyTorch's
FORWARDING = 0.5  # seconds in which the launcher takes up what was printed
# It has the group of this process; the tests give each of their threads its own.
state = SimpleNamespace(group=None)


class ProcessGroup:
    """The ranks, what carries their bytes, and what ends them together.

    Args:
        communicator: This process's access to the other ranks.
        watch: What notices that a rank ended; None if there is one rank only.
    """

    def __init__(self, communicator: Communicator, watch: Watch | None = None) -> None:
        self.communicator, self.watch = communicator, watch
        self.backend = communicator.backend
        self.rank, self.size = communicator.rank, communicator.size

    @contextmanager
    def waiting(self, name: str) -> Iterator[Communicator]:
        """Give the communicator; the watch knows meanwhile what this rank waits in."""
        if self.watch is None:
            yield self.communicator
            return
        self.watch.enter(name)
        try:
            yield self.communicator
        finally:
            self.watch.leave()


def current_group(name: str) -> ProcessGroup:
    """Return the group; raise if there is none. ``name`` is the function that asks."""
    group: ProcessGroup | None = getattr(state, "group", None)
    if group is None:
        raise OptionError(
            f"{name}: there is no process group; call "
            "tg.distributed.init_process_group() first, on every rank"
        )
    return group


def is_mpi_available() -> bool:
    """Return whether mpi4py is installed.

    Example:
        >>> import tinygrad_rnn as tg
        >>> tg.distributed.is_mpi_available() in (True, False)
        True
    """
    return find_spec("mpi4py") is not None


def is_nccl_available() -> bool:
    """Return whether CuPy and its NCCL are installed, and mpi4py, which starts it.

    Example:
        >>> import tinygrad_rnn as tg
        >>> tg.distributed.is_nccl_available() in (True, False)
        True
    """
    from .nccl import has_nccl

    return is_mpi_available() and has_nccl()


def is_available() -> bool:
    """Return whether :func:`init_process_group` can work: whether mpi4py is installed.

    Example:
        >>> import tinygrad_rnn as tg
        >>> backend = "mpi" if tg.distributed.is_available() else None
    """
    return is_mpi_available()


def is_initialized() -> bool:
    """Return whether this process belongs to a group.

    Example:
        >>> import tinygrad_rnn as tg
        >>> tg.distributed.is_initialized()
        False
    """
    return getattr(state, "group", None) is not None


def init_process_group(
    backend: str | None = None, *, timeout: "timedelta | None" = None
) -> None:
    """Join the ranks that ``mpiexec`` started; every rank calls it.

    From then on all ranks end together: if one raises an exception that nobody
    catches, is killed, or ends while the others wait for it, all of them end within
    seconds, and a message on the standard error says which rank was the first. If one
    hangs, they end after the timeout, and the message names the call and who waited.

    Args:
        backend: ``"mpi"``, also if None, for every device; arrays of a GPU go through
            the host. ``"nccl"`` for GPUs, one for each rank, by cupyx.distributed. It
            has been tested on a stand-in for NCCL only.
        timeout: For how long a rank waits for the others in one call, as a
            ``datetime.timedelta``; 30 minutes if None. Rank 0 may validate, or write
            a file, for as long while the others wait.

    Raises:
        OptionError: mpi4py or CuPy is missing, there is a group already, or the
            timeout is not positive.

    Example:
        >>> import tinygrad_rnn as tg
        >>> if tg.distributed.is_available():
        ...     tg.distributed.init_process_group("mpi")
        ...     print(tg.distributed.get_rank())
        ...     tg.distributed.destroy_process_group()
        ... else:
        ...     print(0)
        0
    """
    name = "init_process_group"
    check_choice(name, ("mpi", "nccl"), backend=backend or "mpi")
    if is_initialized():
        raise OptionError(
            f"{name}: this process belongs to a group already; call "
            "destroy_process_group() before another"
        )
    seconds = _check_timeout(name, timeout)
    communicator = _connect(backend or "mpi")
    group = ProcessGroup(communicator, start_watch(communicator, seconds))
    state.group = group
    if group.size > 1:
        _end_together(group)


def _check_timeout(name: str, timeout: object) -> float:
    """Return the seconds of a timeout; raise if it is not a positive timedelta."""
    from datetime import timedelta  # here, so that the package imports fast

    if timeout is None:
        return TIMEOUT
    expected = "a datetime.timedelta, such as timedelta(minutes=5), or None"
    check_type(name, timedelta, expected, timeout=timeout)
    assert isinstance(timeout, timedelta)
    if timeout <= timedelta(0):
        raise OptionError(f"{name}: timeout is {timeout}, expected a positive one")
    return timeout.total_seconds()


def _connect(backend: str) -> Communicator:
    """Return the communicator of a backend; raise if what it needs is missing."""
    if not is_mpi_available():
        raise OptionError(
            "init_process_group: mpi4py is not installed; pip install "
            "'tinygrad_rnn[mpi]', and an MPI if there is none: pip install mpich"
        )
    if backend == "nccl":
        from .nccl import NCCL

        return NCCL()
    from .mpi import MPI

    return MPI()


def _end_together(group: ProcessGroup) -> None:
    """End all ranks if this one raises, and report if it leaves too early."""
    previous = sys.excepthook

    def end_all(
        kind: type[BaseException], error: BaseException, traceback: TracebackType | None
    ) -> None:
        previous(kind, error, traceback)
        if state.group is group:
            text = f"{kind.__name__}: {error}".splitlines()[0]
            label = group.watch.label if group.watch else f"rank {group.rank}"
            say(f"{label} failed ({text}); all ranks end")
            sys.stdout.flush()
            # Launchers drop what they have not read when a rank aborts.
            time.sleep(FORWARDING)
            if group.watch is not None:
                group.watch.send("failed")
            group.communicator.abort()

    sys.excepthook = end_all
    atexit.register(_leave)


def _leave() -> None:
    """At the end of the process: leave the group, if the program has not."""
    group: ProcessGroup | None = getattr(state, "group", None)
    if group is not None and group.watch is not None:
        group.watch.say_goodbye()


def destroy_process_group() -> None:
    """Leave the group, after the last call that other ranks take part in.

    Example:
        >>> import tinygrad_rnn as tg
        >>> if tg.distributed.is_initialized():
        ...     tg.distributed.destroy_process_group()
    """
    group = current_group("destroy_process_group")
    if group.watch is not None:
        group.watch.say_goodbye()
        group.watch.close()
    state.group = None


def get_rank() -> int:
    """Return the number of this process in the group, from 0.

    Raises:
        OptionError: There is no group.

    Example:
        >>> import tinygrad_rnn as tg
        >>> if tg.distributed.is_initialized() and tg.distributed.get_rank() == 0:
        ...     print("rank 0 speaks for all")
    """
    return current_group("get_rank").rank


def get_world_size() -> int:
    """Return the number of processes in the group.

    Raises:
        OptionError: There is no group.

    Example:
        >>> import tinygrad_rnn as tg
        >>> ranks = 1
        >>> if tg.distributed.is_initialized():
        ...     ranks = tg.distributed.get_world_size()
        >>> batch_size = 64 // ranks  # of each rank
    """
    return current_group("get_world_size").size


def get_backend() -> str:
    """Return what carries the bytes of the group: ``"mpi"`` or ``"nccl"``.

    Raises:
        OptionError: There is no group.

    Example:
        >>> import tinygrad_rnn as tg
        >>> if tg.distributed.is_initialized():
        ...     print(tg.distributed.get_backend())
    """
    return current_group("get_backend").backend
