"""mpi4py for one process: the names of its that `distributed.mpi` uses."""

import sys
from types import ModuleType

import numpy as np


class Comm:
    """One rank that is alone."""

    def __init__(self, size=1):
        self.size, self.calls = size, []

    def Dup(self):
        return Comm(self.size)

    def Get_rank(self):
        return 0

    def Get_size(self):
        return self.size

    def Split_type(self, kind):
        assert kind == "shared"
        return self

    def Allreduce(self, sendbuf, recvbuf, op):
        assert sendbuf == "in place"
        assert recvbuf.flags.c_contiguous
        self.calls.append(("Allreduce", op))

    def Bcast(self, buf, root):
        assert buf.dtype == np.uint8
        assert buf.flags.c_contiguous
        self.calls.append(("Bcast", root))

    def allgather(self, obj):
        return [obj] * self.size

    def Barrier(self):
        self.calls.append(("Barrier",))

    def Abort(self, code):
        self.calls.append(("Abort", code))


def install(monkeypatch, size=1):
    """Put it in the place of mpi4py; return its module MPI."""
    package, module = ModuleType("mpi4py"), ModuleType("mpi4py.MPI")
    package.__spec__ = package.__path__ = ()
    module.IN_PLACE, module.COMM_TYPE_SHARED = "in place", "shared"
    module.SUM, module.PROD, module.MIN, module.MAX = "SUM", "PROD", "MIN", "MAX"
    module.COMM_WORLD = Comm(size)
    package.MPI = module
    monkeypatch.setitem(sys.modules, "mpi4py", package)
    monkeypatch.setitem(sys.modules, "mpi4py.MPI", module)
    return module
