"""Array libraries: a :class:`Backend` for each device, found by name or by an array.

A library is registered as a module; docs/adding-a-backend.md lists what it must and may
have. A backend looks up a name in three places, in this order: the library's module,
`standard.py`, which works with every library, and the library's array API namespace.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from functools import partial
from typing import Any

from ..errors import DTypeError, OptionError
from ..types import Array, DeviceLike, Function
from . import numpy, standard

# A library is a module, or any object with the functions of one.
libraries: dict[str, Any] = {"cuda": None}  # by the kind of their devices
backends: dict[type, "Backend"] = {}  # of a first device, by the type of its arrays
_by_name: dict[str, "Backend"] = {}  # of every device


class Backend:
    """An array library on one device: the array API's names, and a few more.

    In a library with several devices, each array belongs to a device, but functions run
    on the current one. So the functions of such a backend make its device the current
    one while they run.
    """

    def __init__(
        self, kind: str, module: Any, index: int | None, multi_device: bool
    ) -> None:
        self.kind = kind
        self.module = module
        self.index = index
        self.name = kind if index is None else f"{kind}:{index}"
        self.multi_device = multi_device

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # copy and pickle probe for these
            raise AttributeError(name)
        found = getattr(self.module, name, None)
        if found is None and name in standard.__all__:
            found = partial(getattr(standard, name), self)
        elif found is None:
            found = getattr(self.module.namespace, name)
        if callable(found) and not isinstance(found, type):
            found = self.on_device(found)
        setattr(self, name, found)  # the next look-up is an instance attribute
        return found

    def on_device(self, function: Function) -> Function:
        """Return the function, run with this backend's device as the current one."""

        def run(*args: object, **settings: object) -> object:
            with self.module.context(self.index):
                return function(*args, **settings)

        return run if self.multi_device else function

    def to_device(
        self, x: Array, device: DeviceLike, source: DeviceLike = None
    ) -> Array:
        """Return a copy of an array on a device; ``source`` is for the op alone."""
        return find(device).from_host(backend_of(x).to_host(x).copy())


def register(name: str, module: Any) -> Backend:
    """Register an array library as the device ``name``, or ``name:0`` and so on.

    Where the library numbers its devices, ``name`` alone stands for the current one.

    Args:
        name: The kind of the devices, such as ``"cuda"``. A library that has this name
            already is replaced.
        module: The library, as a module or an object with the functions of one.

    Returns:
        The backend of the library's first device.

    Raises:
        DTypeError: A required part is missing, or another library has the same arrays.

    Example:
        >>> from types import SimpleNamespace
        >>> import numpy as np
        >>> import tinygrad_rnn as tg
        >>> try:
        ...     tg.backend.register("mine", SimpleNamespace(namespace=np))
        ... except TypeError as error:
        ...     print(error)
        register: 'mine' lacks Array, from_host, to_host; every backend has them
    """
    required = ("namespace", "Array", "from_host", "to_host")
    if missing := [part for part in required if not hasattr(module, part)]:
        raise DTypeError(
            f"register: {name!r} lacks {', '.join(missing)}; every backend has them"
        )
    owner = backends.get(module.Array)
    if owner is not None and owner.kind != name:
        raise DTypeError(
            f"register: {module.Array} are the arrays of {owner.kind!r} already"
        )
    indices: Sequence[int | None] = [None]
    if hasattr(module, "device_of"):
        indices = range(module.device_count())
    made = [Backend(name, module, index, len(indices) > 1) for index in indices]
    _by_name.update({backend.name: backend for backend in made})
    first = made[0]
    libraries[name] = module
    _by_name[name] = first
    backends[module.Array] = first
    return first


def current_index(kind: str) -> int:
    """Return the number of the device that ``kind`` alone stands for: the current one.

    The library knows it, for each thread. It is 0 for one that is not in use yet.
    """
    library = libraries[kind]
    if hasattr(library, "current_device"):
        return int(library.current_device())
    return 0


def is_current(kind: str, index: int) -> bool:
    """Return whether the current device of this thread has this number."""
    return current_index(kind) == index


def find(device: DeviceLike) -> Backend:
    """Return the backend of a device, such as ``"cpu"``.

    The name of several devices without a number, ``"cuda"``, is that of the current
    one.

    Raises:
        OptionError: There is no such device.
    """
    name = str(device)
    reason = ""
    if name.partition(":")[0] == "cuda" and libraries["cuda"] is None:
        try:
            from . import cupy

            register("cuda", cupy)
        except ImportError as error:
            reason = f"; {error}"
    if name not in _by_name:
        known = ", ".join(map(repr, _by_name))
        if libraries["cuda"] is None and not reason:
            known += ", or 'cuda' where CuPy is installed"
        raise OptionError(f"tg.device: got {name!r}, expected one of {known}{reason}")
    found = _by_name[name]
    if found.multi_device and name == found.kind:
        return _by_name[f"{name}:{current_index(name)}"]
    return found


def backend_of(array: Array) -> Backend:
    """Return the backend that an array belongs to."""
    found = backends.get(type(array))
    if found is None:
        raise DTypeError(f"expected an array of a known library, got {type(array)}")
    if found.multi_device:
        return _by_name[f"{found.kind}:{found.module.device_of(array)}"]
    return found


class _DeviceFollower(ExitStack):
    """A context in which the device of the latest array is the current one."""

    current: Backend | None = None

    def enter_device_of(self, arrays: Array | list[Array | None]) -> None:
        """Make the device of an array, or of the last of a list, the current one."""
        for array in arrays if isinstance(arrays, list) else [arrays]:
            if type(array) not in backends:
                continue
            backend = backend_of(array)
            if backend.multi_device and backend is not self.current:
                self.close()
                self.enter_context(backend.module.context(backend.index))
                self.current = backend


_no_follower = nullcontext()


def follow_devices() -> AbstractContextManager[_DeviceFollower | None]:
    """Return a context for work on several devices; None if no library has several."""
    several = any(backend.multi_device for backend in backends.values())
    return _DeviceFollower() if several else _no_follower


def free_memory() -> None:
    """Release all memory that is kept for reuse."""
    for library in libraries.values():
        if hasattr(library, "free"):
            library.free()


register("cpu", numpy)
