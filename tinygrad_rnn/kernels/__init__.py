"""Hot inner loops, as twins with the same names and signatures for each array library.

A kind of device has a module of kernels. Where that lacks one, an op runs its
composite. docs/adding-a-kernel.md lists all kernels with their contracts.

On a CPU they are those in C if they have been built, else NumPy's. The environment
variable ``TINYGRAD_RNN_KERNELS`` chooses: ``numpy``, or ``c`` with the best instruction
set that the processor has, or an instruction set: ``base``, ``avx2``, ``avx512``.
On ``cuda`` they are those in CUDA, but with ``numpy`` ops run their composites.
"""

import os
from importlib import import_module
from types import ModuleType

from ..errors import OptionError
from ..types import Function
from . import numpy

VARIABLE = "TINYGRAD_RNN_KERNELS"
INSTRUCTION_SETS = ("base", "avx2", "avx512")


def _choose(wanted: str) -> tuple[ModuleType, str]:
    """Return the module of kernels for a CPU, and which they are, in words."""
    if wanted not in ("", "numpy", "c", *INSTRUCTION_SETS):
        sets = ", ".join(INSTRUCTION_SETS)
        raise OptionError(
            f"{VARIABLE} is {wanted!r}, expected numpy, c, or one of {sets}"
        )
    if wanted == "numpy":
        return numpy, f"NumPy ({VARIABLE}=numpy)"
    try:
        from . import c
        from .c import _c
    except ImportError as error:
        if wanted:
            raise OptionError(f"{VARIABLE} is {wanted!r}, but {error}") from error
        return numpy, "NumPy (those in C have not been built: see docs/install.md)"
    chosen = _c.use(wanted if wanted in INSTRUCTION_SETS else "")
    return c, f"C ({chosen})"


_cpu, description = _choose(os.environ.get(VARIABLE, ""))
modules: dict[str, ModuleType] = {"cpu": _cpu}  # by the kind of device


# Modules that are imported when a kernel is asked for, as they need a library.
_on_demand = {"cuda": "cupy"}


def find(kind: str, name: str) -> Function | None:
    """Return the kernel of this name for a kind of device; None if there is none."""
    if kind in _on_demand and kind not in modules:
        if os.environ.get(VARIABLE) == "numpy":
            return None
        modules[kind] = import_module(f"{__name__}.{_on_demand[kind]}")
    return getattr(modules.get(kind), name, None)
