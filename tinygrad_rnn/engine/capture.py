"""``tg.compile``: capture what a function computes, and replay it.

A function is captured twice before it is replayed, and has to do the same both times:
a number that changes from call to call, such as a weight that is annealed, is found in
this way. `tape.py` records a call, `program.py` is what is replayed, `reads.py` finds
what else the function depends on. docs/compile.md explains it all.
"""

import sys
from collections.abc import Callable
from functools import partial, update_wrapper
from threading import RLock
from types import MethodType
from typing import NamedTuple

from ..errors import GraphError, check_integers, check_type
from ..types import Operand
from . import seam
from .program import MISS, Program
from .reads import Reads
from .recheck import replay_and_compare
from .tape import Tape
from .warned import warn_user

MAX_PROGRAMS = 8  # of one function; further calls run plainly

_lock = RLock()  # one function is captured at a time


class CacheInfo(NamedTuple):
    """What ``cache_info()`` returns, as that of functools.lru_cache.

    Attributes:
        hits: How many calls were replayed.
        misses: How many ran the function, and were captured if there was room.
        maxsize: How many programs are kept.
        currsize: How many there are.
    """

    hits: int
    misses: int
    maxsize: int
    currsize: int


class Compiled:
    """A function that is captured, and then replayed; made by :func:`compile`."""

    def __init__(self, function: Callable[..., Operand], check: int = 0) -> None:
        update_wrapper(self, function, updated=())
        self._function = function
        self._name = getattr(function, "__name__", type(function).__name__)
        self._check = check
        self._ready: list[Program] = []
        self._pending: list[Program] = []  # captured once
        self._hits = self._misses = 0

    def __call__(self, *args: Operand, **kwargs: Operand) -> Operand:
        if seam.observers:  # a part of what is captured, or looked at, already
            self._misses += 1
            return self._function(*args, **kwargs)
        is_checked = self._check and (self._hits + 1) % self._check == 0
        for program in self._ready:
            if is_checked:
                found = replay_and_compare(program, self._function, args, kwargs)
            else:
                found = program.replay(args, kwargs)
            if found is not MISS:
                self._hits += 1
                if program is not self._ready[0]:
                    others = [p for p in self._ready if p is not program]
                    self._ready = [program, *others]
                return found
        return self._capture(args, kwargs)

    def _capture(self, args: Operand, kwargs: Operand) -> Operand:
        """Run the function, and record it."""
        if len(self._ready) + len(self._pending) >= MAX_PROGRAMS:
            self._misses += 1
            return self._function(*args, **kwargs)
        with _lock:
            first = next((p for p in self._pending if p.fits(args, kwargs)), None)
            tape = Tape(self._name, Reads(self._function), args, kwargs)
            seam.observers.append(tape)
            seam.recorder = tape
            try:
                result = self._function(*args, **kwargs)
                program = tape.finish(result)
            finally:
                seam.recorder = None
                seam.observers.remove(tape)
            self._misses += 1
            self._add(program, first)
        return result

    def _add(self, program: Program, first: Program | None) -> None:
        """Keep a program that was captured; ``first`` is that of the first time."""
        if first is None:
            self._pending.append(program)
            if len(self._ready) + len(self._pending) == MAX_PROGRAMS:
                self._warn(program)
            return
        self._pending.remove(first)
        if difference := first.difference(program):
            raise GraphError(
                f"compile: {self._name} did not do the same in two calls that look the "
                f"same: {difference}; pass what changes as an argument"
            )
        self._ready = [program, *self._ready]

    def _warn(self, program: Program) -> None:
        """Warn that no further programs are kept, and name what keeps changing."""
        others = [*self._ready, *self._pending]
        before = others[-2] if len(others) > 1 else program
        pairs = zip(before.guards, program.guards, strict=False)
        changed = next(((a, b) for a, b in pairs if a != b), None)
        what = "what it depends on"
        if changed is not None:
            about, old = before.words.get(changed[0], ("", changed[0]))
            also, new = program.words.get(changed[1], ("", changed[1]))
            new = new if also == about else f"{also} {new}".strip()
            what = f"{about} {old}, and then {new}".strip()
        warn_user(
            f"compile: {self._name} was captured for {MAX_PROGRAMS} different kinds of "
            f"calls, and runs plainly for others from now on; what keeps changing: "
            f"{what}"
        )

    def __get__(self, instance: object, owner: type | None = None) -> Operand:
        """Bind the function to an object, as a method."""
        if instance is None:
            return self
        name = f"_compiled_{self._name}"
        if isinstance(instance, type) or not hasattr(instance, "__dict__"):
            return MethodType(self, instance)
        held = instance.__dict__.get(name)
        if held is None:
            held = Compiled(self._function.__get__(instance, owner), self._check)
            instance.__dict__[name] = held
        return held

    def __setattr__(self, name: str, value: object) -> None:
        if name.startswith("_"):
            object.__setattr__(self, name, value)
        else:  # as in `compiled.training = False`
            setattr(self._function, name, value)

    def __getattr__(self, name: str) -> Operand:
        if "_function" not in self.__dict__:  # it is being copied
            raise AttributeError(name)
        return getattr(self._function, name)

    def __reduce__(self) -> Operand:
        """Copy and pickle it as a function: by its name if it is found there."""
        found: Operand = sys.modules.get(self.__module__)
        for name in self.__qualname__.split("."):
            found = getattr(found, name, None)
        if found is self:
            return self.__qualname__
        return Compiled, (self._function, self._check)

    def __repr__(self) -> str:
        return f"<compiled {self._name}: {self.cache_info()}>"

    def program(self) -> str:
        """Return the source of the program that was replayed last; "" if none was.

        Example:
            >>> import tinygrad_rnn as tg
            >>> double = tg.compile(lambda x: 2 * x)
            >>> for _ in range(2):
            ...     y = double(tg.ones(3))
            >>> "multiply" in double.program()
            True
        """
        return self._ready[0].source if self._ready else ""

    def cache_info(self) -> CacheInfo:
        """Return how often it was replayed, and how often the function ran.

        Example:
            >>> import tinygrad_rnn as tg
            >>> double = tg.compile(lambda x: 2 * x)
            >>> for _ in range(5):
            ...     y = double(tg.ones(3))
            >>> double.cache_info().hits, double.cache_info().misses
            (3, 2)
        """
        programs = len(self._ready) + len(self._pending)
        return CacheInfo(self._hits, self._misses, MAX_PROGRAMS, programs)

    def cache_clear(self) -> None:
        """Forget all programs: the next calls capture anew.

        Example:
            >>> import tinygrad_rnn as tg
            >>> double = tg.compile(lambda x: 2 * x)
            >>> double.cache_clear()
            >>> double.cache_info().currsize
            0
        """
        self._ready, self._pending = [], []


def compile(
    model: Operand = None,
    *,
    check: int = 0,
    fullgraph: bool = False,
    dynamic: bool | None = None,
    backend: object = None,
    mode: str | None = None,
    options: object = None,
    disable: bool = False,
) -> Operand:
    """Return a function that computes the same without the Python in between.

    Its first two calls run the function, and record what it computes on arrays: in the
    forward pass, in ``backward()``, in clipping and in ``optimizer.step()``. Further
    calls with tensors of the same shapes replay the recorded list of array functions.
    Another shape, another number, ``eval()`` in place of ``train()`` and the like are
    captured anew. It is also a decorator. docs/compile.md tells the whole.

    Args:
        model: A function of tensors, such as a whole training step, or a module.
        check: Replay every so-many-th call, run it plainly as well, and raise if a bit
            of results, parameters or gradients differs; 0 for never.
        fullgraph, dynamic, backend, mode, options: Without effect; torch.compile has
            several ways to compile.
        disable: Return the function as it is.

    Returns:
        A function with the same arguments and results. ``program()`` shows what it
        replays, ``cache_info()`` how often, and ``cache_clear()`` forgets it.

    Raises:
        GraphError: In the first two calls, if the function does what a replay could not
            repeat, such as reading a number from a tensor; the message names the line
            and a way out.

    Example:
        >>> import tinygrad_rnn as tg
        >>> from tinygrad_rnn import nn, optim
        >>> rnn, head = nn.RNN(3, 8), nn.Linear(8, 1)
        >>> optimizer = optim.Adam([*rnn.parameters(), *head.parameters()])
        >>> @tg.compile
        ... def train(x, y):
        ...     optimizer.zero_grad()
        ...     output, _ = rnn(x)
        ...     loss = nn.functional.mse_loss(head(output[-1]), y)
        ...     loss.backward()
        ...     optimizer.step()
        ...     return loss
        >>> losses = [train(tg.randn(5, 4, 3), tg.zeros(4, 1)) for _ in range(5)]
        >>> train.cache_info().hits
        3
    """
    if model is None:
        return partial(compile, check=check, disable=disable)
    check_type("compile", Callable, "a function of tensors", model=model)
    check_integers("compile", 0, check=check)
    return model if disable else Compiled(model, check)
