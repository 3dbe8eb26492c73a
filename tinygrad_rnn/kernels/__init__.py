"""Hot inner loops, as twins with the same names and signatures for each array library.

A kind of device has a module of kernels. Where that lacks one, an op runs its
composite. docs/adding-a-kernel.md lists all kernels with their contracts.

On a CPU they are those in C or on NumPy, as ``choice.py`` says. On ``cuda`` they are
those in CUDA, but with ``TINYGRAD_RNN_KERNELS=numpy`` ops run their composites.
"""

import os
from importlib import import_module
from types import ModuleType

from ..types import Function
from . import choice

modules: dict[str, ModuleType] = {"cpu": choice.module}  # by the kind of device
# Modules that are imported when a kernel is asked for, as they need a library.
_on_demand = {"cuda": "cupy"}


def find(kind: str, name: str) -> Function | None:
    """Return the kernel of this name for a kind of device; None if there is none."""
    if kind in _on_demand and kind not in modules:
        if os.environ.get(choice.VARIABLE) == "numpy":
            return None
        modules[kind] = import_module(f"{__name__}.{_on_demand[kind]}")
    return getattr(modules.get(kind), name, None)
