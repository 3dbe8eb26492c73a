"""Array libraries: one :class:`Backend` for each device, found by its name or by an
array.

A library comes in as a module; docs/adding-a-backend.md names what it must and may
have. Everything above asks a backend for a name and gets, of the first that has it: the
module's own function, the one in `standard.py`, which every library can run, or the one
of the module's array API namespace.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, nullcontext
from functools import partial
from typing import Any

from ..errors import DTypeError, OptionError
from . import numpy, standard

libraries: dict[str, Any] = {
    "cuda": None
}  # their modules, by the kind of their devices
backends: dict[
    type, "Backend"
] = {}  # by the type of their arrays; of several devices the first
several: dict[
    type, list["Backend"]
] = {}  # of libraries with several devices, by number
_by_name: dict[str, "Backend"] = {}


class Backend:
    """An array library on one device: the array API's names, and what a step needs
    beyond them.

    Where there are several devices, each array knows its own, and the library works on
    whichever is the current one: a function that is called from here runs with this
    backend's device as that.
    """

    def __init__(self, kind: str, module: Any, index: int | None = None) -> None:
        self.kind, self.module, self.index = kind, module, index
        self.name = kind if index is None else f"{kind}:{index}"

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # copy and pickle probe for these
            raise AttributeError(name)
        found = getattr(self.module, name, None)
        if found is None and name in standard.__all__:
            found = partial(getattr(standard, name), self)
        elif found is None:
            found = getattr(self.module.namespace, name)
        if callable(found) and not isinstance(found, type):
            found = self.here(found)
        setattr(self, name, found)  # the next look-up is an instance attribute
        return found

    def here(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, run with this backend's device as the current one."""

        def run(*args: Any, **settings: Any) -> Any:
            with self.module.context(self.index):
                return function(*args, **settings)

        return run if self.Array in several else function

    def to_device(self, x: Any, device: Any, source: Any = None) -> Any:
        """A copy of an array on a device."""
        return find(device).from_host(backend_of(x).to_host(x).copy())


def register(name: str, module: Any) -> Backend:
    """Make an array library known as a device, or as the devices ``name:0``, ``name:1``
    and so on.

    Raises DTypeError for a module that lacks what it must have, or shares its type of
    arrays.
    """
    needed = ("namespace", "Array", "from_host", "to_host")
    if missing := [part for part in needed if not hasattr(module, part)]:
        raise DTypeError(
            f"register: {name!r} lacks {', '.join(missing)}; every backend has them"
        )
    if (held := backends.get(module.Array)) is not None and held.kind != name:
        raise DTypeError(
            f"register: {module.Array} are the arrays of {held.kind!r} already"
        )
    indices = range(module.device_count()) if hasattr(module, "device_of") else [None]
    made = [Backend(name, module, index) for index in indices]
    if len(made) > 1:
        several[module.Array] = made
    _by_name.update({backend.name: backend for backend in made})
    libraries[name], _by_name[name], backends[module.Array] = module, made[0], made[0]
    return made[0]


def find(device: Any) -> Backend:
    """The backend of a device, such as ``"cpu"``; OptionError for a device that is not
    there.
    """
    name, why = str(device), ""
    if name.partition(":")[0] == "cuda" and libraries["cuda"] is None:
        try:
            from . import cupy

            register("cuda", cupy)
        except ImportError as error:
            why = f"; {error}"
    if name not in _by_name:
        have = ", ".join(map(repr, _by_name))
        raise OptionError(f"device: got {name!r}, expected one of {have}{why}")
    return _by_name[name]


def backend_of(array: Any) -> Backend:
    """The backend that an array belongs to."""
    try:
        found = backends[type(array)]
    except KeyError:
        raise DTypeError(
            f"expected an array of a known library, got {type(array)}"
        ) from None
    if several and found.Array in several:
        return several[found.Array][found.module.device_of(array)]
    return found


class _Following(ExitStack):
    """Makes the device of the array visited last the current one."""

    here: Backend | None = None

    def visit(self, arrays: Any) -> None:
        for array in arrays if isinstance(arrays, list) else (arrays,):
            if type(array) in several and (found := backend_of(array)) is not self.here:
                self.close()
                self.enter_context(found.module.context(found.index))
                self.here = found


_nowhere = nullcontext()


def following() -> AbstractContextManager[_Following | None]:
    """A context for work that goes from device to device; None where no library has
    several.
    """
    return _Following() if several else _nowhere


def free() -> None:
    """Give all memory that is kept for reuse back to where it came from."""
    for library in libraries.values():
        getattr(library, "free", int)()


register("cpu", numpy)
