"""Hot inner loops as twins: the same names and signatures for NumPy and for CUDA.

What is worth a kernel stands here, one module for each array library; where there is
none, an op runs its composite.
"""

from collections.abc import Callable
from types import ModuleType
from typing import Any

from . import numpy

__all__ = ["find", "modules"]

modules: dict[str, ModuleType] = {"cpu": numpy}  # by the kind of device


def find(kind: str, name: str) -> Callable[..., Any] | None:
    """The kernel of this name for a kind of device, None where it has none."""
    return getattr(modules.get(kind), name, None)
