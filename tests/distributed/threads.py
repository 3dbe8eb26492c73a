"""Ranks as threads of one process: a communicator that needs no MPI.

Every call meets at a barrier, so a rank that calls something else, or too few times,
is found: the call fails on all ranks instead of waiting for ever.
"""

import functools
import threading

import numpy as np

from tinygrad_rnn.distributed import group as group_module
from tinygrad_rnn.distributed.communicator import Communicator, ReduceOp
from tinygrad_rnn.distributed.group import ProcessGroup

REDUCE = {
    ReduceOp.SUM: np.add,
    ReduceOp.PRODUCT: np.multiply,
    ReduceOp.MIN: np.minimum,
    ReduceOp.MAX: np.maximum,
}


class Meeting:
    """What the ranks share: a place for what each of them brings."""

    def __init__(self, size):
        self.barrier = threading.Barrier(size, timeout=10)
        self.places = [None] * size
        self.calls = []  # of rank 0: names and sizes

    def exchange(self, rank, brought):
        """Return what all ranks brought."""
        self.places[rank] = brought
        self.barrier.wait()
        found = list(self.places)
        self.barrier.wait()  # nobody brings the next thing before all have read
        return found


class Threads(Communicator):
    """One rank among threads."""

    backend = "threads"

    def __init__(self, meeting, rank, size):
        self.meeting, self.rank, self.size = meeting, rank, size
        self.is_aborted = False

    def _meet(self, call, brought):
        if self.rank == 0:
            self.meeting.calls.append(call)
        found = self.meeting.exchange(self.rank, (call, brought))
        calls = [other for other, _ in found]
        assert calls == [call] * self.size, f"the ranks call {calls}"
        return [value for _, value in found]

    def all_reduce(self, vector, op):
        assert vector.ndim == 1 and vector.flags.c_contiguous
        call = ("all_reduce", vector.size, str(vector.dtype), op)
        found = self._meet(call, vector.copy())
        vector[...] = functools.reduce(REDUCE[op], found)

    def broadcast(self, vector, src):
        assert vector.ndim == 1 and vector.flags.c_contiguous
        call = ("broadcast", vector.size, str(vector.dtype), src)
        vector[...] = self._meet(call, vector.copy())[src]

    def all_gather_object(self, obj):
        return self._meet(("all_gather_object",), obj)

    def barrier(self):
        self._meet(("barrier",), None)

    def abort(self):
        self.is_aborted = True


class _PerThread(threading.local):
    group = None


def run_ranks(size, function, *args):
    """Call ``function(rank, *args)`` on ``size`` ranks; return what they return.

    If some raise, the error of the first rank that raised on its own is raised.
    """
    meeting, results, errors = Meeting(size), [None] * size, {}
    before = group_module.state
    group_module.state = _PerThread()

    def run(rank):
        group_module.state.group = ProcessGroup(Threads(meeting, rank, size))
        try:
            results[rank] = function(rank, *args)
        except BaseException as error:
            errors[rank] = error
            meeting.barrier.abort()

    threads = [threading.Thread(target=run, args=(rank,)) for rank in range(size)]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        group_module.state = before
    broken = threading.BrokenBarrierError
    own = [error for error in errors.values() if not isinstance(error, broken)]
    if errors:
        raise (own or list(errors.values()))[0]
    run_ranks.calls = meeting.calls
    return results
