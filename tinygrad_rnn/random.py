"""Random numbers: generators with a state that can be saved, drawn on the host."""

import os
import sys
from functools import partial
from typing import Self
from weakref import WeakValueDictionary

import numpy as np

from .backend.device import device as make_device
from .engine import seam
from .engine.commit import Changes
from .engine.node import Value, wrap
from .errors import DTypeError, check_integers, check_type
from .types import DeviceLike, DType, Operand, Settings

# All generators that exist, for a forked child to renew.
_generators: WeakValueDictionary[int, "Generator"] = WeakValueDictionary()


class Generator:
    """A source of random numbers (PCG64), as torch.Generator.

    The same seed gives the same numbers, on every device. Without a seed it is 0.

    Args:
        device: kept for PyTorch's sake; the numbers are always drawn on the host.

    Example:
        >>> import tinygrad_rnn as tg
        >>> g = tg.Generator().manual_seed(0)
        >>> state = g.get_state()
        >>> first = tg.randint(10, (3,), generator=g)
        >>> tg.randint(10, (3,), generator=g.set_state(state)).equal(first)
        True
    """

    def __new__(cls, *args: object, **kwargs: object) -> Self:
        made = super().__new__(cls)  # also of copies, which skip __init__
        _generators[id(made)] = made
        return made

    def __init__(self, device: DeviceLike = "cpu") -> None:
        self.device = make_device(device)

    @property
    def numpy(self) -> "np.random.Generator":
        """NumPy's generator, made at first use: numpy.random is slow to import."""
        made = vars(self).get("_numpy")
        if made is None:
            # Of two threads that come here at once, both get the first one's.
            new = np.random.Generator(np.random.PCG64(0))
            made = vars(self).setdefault("_numpy", new)
        return made

    def manual_seed(self, seed: int) -> Self:
        """Start again from a seed, an integer of at least 0, and return itself.

        Example:
            >>> import tinygrad_rnn as tg
            >>> first = tg.rand(2, generator=tg.manual_seed(0))
            >>> tg.rand(2, generator=tg.manual_seed(0)).equal(first)
            True
        """
        check_integers("manual_seed", 0, seed=seed)
        seam.refuse("manual_seed()", "seed outside")
        self._numpy = np.random.Generator(np.random.PCG64(int(seed)))
        return self

    def get_state(self) -> Operand:
        """Return the state, an int64 tensor of 6.

        Example:
            >>> import tinygrad_rnn as tg
            >>> tg.Generator().manual_seed(0).get_state().shape
            (6,)
        """
        seam.read_values("get_state() of a generator", "call it outside")
        state: Settings = self.numpy.bit_generator.state  # type: ignore[assignment]
        words = [word for n in state["state"].values() for word in divmod(n, 1 << 64)]
        words += [state["has_uint32"], state["uinteger"]]
        return wrap(np.array(words, np.uint64).view(np.int64))

    def set_state(self, state: Value) -> Self:
        """Go on from a state that :meth:`get_state` gave, and return itself.

        Raises:
            DTypeError: for anything but an int64 tensor of 6 on the CPU.

        Example:
            >>> import tinygrad_rnn as tg
            >>> g = tg.Generator().manual_seed(0)
            >>> state = g.get_state()
            >>> first = tg.rand(1, generator=g)
            >>> tg.rand(1, generator=g.set_state(state)).equal(first)
            True
        """
        seam.refuse("set_state() of a generator", "do it outside")
        array = state.array if isinstance(state, Value) else None
        is_array = isinstance(array, np.ndarray)
        if not is_array or array.shape != (6,) or array.dtype != np.int64:
            raise DTypeError(
                "set_state: expected the int64 tensor of 6 that get_state() gives"
            )
        a, b, c, d, has, half = map(int, array.view(np.uint64))
        words = {"state": a << 64 | b, "inc": c << 64 | d}
        changed = {"state": words, "has_uint32": has, "uinteger": half}
        source = self.numpy.bit_generator
        source.state = {**source.state, **changed}
        return self

    def _loading(self, state: Value) -> Changes:
        """Return the changes that make it go on from a state, for ``commit``."""
        return [partial(vars(self).update, _numpy=Generator().set_state(state).numpy)]

    def _copy_state(self) -> object:
        """Return the state, for ``tg.compile(check=...)``."""
        return self.numpy.bit_generator.state

    def _restore_state(self, state: Settings) -> None:
        self.numpy.bit_generator.state = state

    def _renew(self) -> None:
        """Go on from the same state in a generator whose lock is free."""
        if (held := vars(self).get("_numpy")) is not None:
            source = np.random.PCG64(0)
            source.state = held.bit_generator.state
            self._numpy = np.random.Generator(source)


def _renew_all() -> None:
    """Renew all generators in a forked child.

    A thread of the parent, which the child does not have, may hold a generator's lock.
    """
    for generator in list(_generators.values()):
        generator._renew()


def _finish_import() -> None:
    """Wait before a fork for a thread that imports numpy.random.

    The child does not have that thread, and would wait for it for ever.
    """
    if "numpy.random" in sys.modules:
        import numpy.random  # noqa: F401


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_finish_import, after_in_child=_renew_all)

default_generator = Generator()
manual_seed = default_generator.manual_seed


def numpy_generator(name: str, generator: Generator | None) -> "np.random.Generator":
    """Return NumPy's generator behind ours; ``name`` is the function that draws."""
    seam.refuse(f"{name}() draws numbers that are not recorded", "call it outside")
    if generator is None:
        return default_generator.numpy
    check_type(name, Generator, "a tg.Generator", generator=generator)
    return generator.numpy


def draw(
    name: str,
    generator: Generator | None,
    method: str,
    *args: object,
    dtype: DType = None,
) -> np.ndarray:
    """Return what a method of NumPy's generator draws, in a dtype if one is given.

    ``name`` is the function that draws, and ``generator`` None the default one.
    """
    if generator is not None:
        check_type(name, Generator, "a tg.Generator", generator=generator)
    return seam.act(_draw, generator or default_generator, method, args, dtype)


def _draw(
    generator: Generator, method: str, args: tuple[object, ...], dtype: DType
) -> np.ndarray:
    drawn = getattr(generator.numpy, method)(*args)
    return drawn if dtype is None else drawn.astype(dtype)
