"""Array libraries: one :class:`Backend` for each, found by the type of an array or by a device.

A backend is a module with ``namespace`` (an array API namespace), ``Array`` (the type of its arrays)
and the few functions that the standard lacks; `numpy.py` in this folder is the model. Everything
above asks a backend for a name and gets the module's own function, or else the namespace's.
"""

from types import ModuleType
from typing import Any

from ..errors import DTypeError, OptionError
from . import numpy

__all__ = ["Backend", "backend_of", "backends", "find", "register"]


class Backend:
    """An array library: the array API's names, and what a training step needs beyond them."""

    def __init__(self, name: str, module: ModuleType) -> None:
        self.name = name
        self.module = module
        self.Array: type = module.Array

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # copy and pickle probe for these
            raise AttributeError(name)
        found = getattr(self.module, name, None)
        if found is None:
            found = getattr(self.module.namespace, name)
        setattr(self, name, found)  # the next look-up is an instance attribute
        return found

    def __repr__(self) -> str:
        return f"<backend {self.name}>"


class Part:
    """A gradient that is 0 but in one part of an array, not yet written out.

    The slices of a sequence, taken one by one, each have one as large as the sequence: written out
    and added up they would cost time that grows with the square of its length.
    """

    __slots__ = ("index", "shape", "values")

    def __init__(self, values: Any, shape: tuple[int, ...], index: Any) -> None:
        self.values = values
        self.shape = shape
        self.index = index

    def whole(self) -> Any:
        """The array, a new one."""
        return backend_of(self.values).scatter(self.values, self.shape, self.index)

    def add_to(self, total: Any) -> None:
        """Add it to an array, in place."""
        total[self.index] += self.values


_by_name: dict[str, Backend] = {}
backends: dict[type, Backend] = {}  # by the type of their arrays


def register(name: str, module: ModuleType) -> Backend:
    """Make an array library known under a device name; see this module's docstring."""
    backend = Backend(name, module)
    _by_name[name] = backend
    backends[module.Array] = backend
    return backend


def find(device: str) -> Backend:
    """The backend of a device, such as ``"cpu"``; OptionError for a device that is not there."""
    try:
        return _by_name[str(device)]
    except KeyError:
        have = ", ".join(repr(name) for name in _by_name)
        raise OptionError(f"device: got {device!r}, expected one of {have}") from None


def backend_of(array: Any) -> Backend:
    """The backend whose arrays are of this array's type."""
    try:
        return backends[type(array)]
    except KeyError:
        raise DTypeError(f"expected an array of a known library, got {type(array)}") from None


register("cpu", numpy)
