"""Hot inner loops, as twins with the same names and signatures for each array library.

A kind of device has a module of kernels. Where that lacks one, an op runs its
composite. docs/adding-a-kernel.md lists all kernels with their contracts.
"""

from types import ModuleType

from ..types import Function
from . import numpy

modules: dict[str, ModuleType] = {"cpu": numpy}  # by the kind of device


def find(kind: str, name: str) -> Function | None:
    """Return the kernel of this name for a kind of device; None if there is none."""
    return getattr(modules.get(kind), name, None)
