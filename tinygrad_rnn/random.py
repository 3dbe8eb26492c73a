"""Random numbers: generators with a state that can be saved, drawn on the host on every
device.
"""

import os
import sys
from functools import partial
from typing import Any, Self
from weakref import WeakValueDictionary

import numpy as np

from .backend.device import device as make_device
from .engine.commit import Changes
from .engine.node import Value, wrap
from .errors import DTypeError, check_integers, check_type

_generators: WeakValueDictionary[int, "Generator"] = (
    WeakValueDictionary()
)  # all that there are


class Generator:
    """A source of random numbers, PCG64, as torch.Generator: the same seed gives the
    same numbers.

    >>> g = Generator().manual_seed(0)
    >>> state = g.get_state()
    """

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        made = super().__new__(cls)  # of copies too, which skip __init__
        _generators[id(made)] = made
        return made

    def __init__(self, device: Any = "cpu") -> None:
        self.device = make_device(device)

    @property
    def numpy(self) -> "np.random.Generator":
        """NumPy's generator; made when first used, as numpy.random is slow to import."""
        made = vars(self).get("_numpy")
        if (
            made is None
        ):  # of two threads that come here at once, both get the first one's
            new = np.random.Generator(np.random.PCG64(0))
            made = vars(self).setdefault("_numpy", new)
        return made

    def manual_seed(self, seed: int) -> "Generator":
        """Start again from a seed, an integer of at least 0."""
        check_integers("manual_seed", 0, seed=seed)
        self._numpy = np.random.Generator(np.random.PCG64(int(seed)))
        return self

    def get_state(self) -> Any:
        """The state, as six 64-bit integers."""
        state: Any = self.numpy.bit_generator.state
        words = [word for n in state["state"].values() for word in divmod(n, 1 << 64)]
        words += [state["has_uint32"], state["uinteger"]]
        return wrap(np.array(words, np.uint64).view(np.int64))

    def set_state(self, state: Any) -> "Generator":
        """Go on from a state that :meth:`get_state` gave."""
        array = state.array if isinstance(state, Value) else None
        if not isinstance(array, np.ndarray) or (array.shape, array.dtype) != (
            (6,),
            np.int64,
        ):
            raise DTypeError(
                "set_state: expected the int64 tensor of 6 that get_state() gives"
            )
        a, b, c, d, has, half = map(int, array.view(np.uint64))
        words = {"state": a << 64 | b, "inc": c << 64 | d}
        source: Any = self.numpy.bit_generator
        source.state |= {"state": words, "has_uint32": has, "uinteger": half}
        return self

    def _loading(self, state: Any) -> Changes:
        """The changes that make it go on from a state, for ``commit``."""
        return [partial(vars(self).update, _numpy=Generator().set_state(state).numpy)]

    def _renew(self) -> None:
        """Go on from the same state in a generator whose lock is free."""
        if (held := vars(self).get("_numpy")) is not None:
            source = np.random.PCG64(0)
            source.state = held.bit_generator.state
            self._numpy = np.random.Generator(source)


def _renew_all() -> None:
    """In a forked child: a thread that it does not have may hold the lock of a
    generator.
    """
    for generator in list(_generators.values()):
        generator._renew()


def _finish_import() -> None:
    """Before a fork: wait for a thread that imports numpy.random, or its child would
    for ever.
    """
    if "numpy.random" in sys.modules:
        import numpy.random  # noqa: F401


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_finish_import, after_in_child=_renew_all)

default_generator = Generator()
manual_seed = default_generator.manual_seed


def numpy_generator(name: str, generator: Generator | None) -> "np.random.Generator":
    """NumPy's generator behind ours, or behind the default one; ``name`` is who asks
    for it.
    """
    if generator is None:
        return default_generator.numpy
    check_type(name, Generator, "a tg.Generator", generator=generator)
    return generator.numpy
