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

MAX_PROGRAMS = 8  # of one function
# A program makes room if this many calls have not used it. With fewer, kinds of calls
# that take turns would drive each other out, and a capture costs several plain calls.
UNUSED_CALLS = 100

_lock = RLock()  # one function is captured at a time


class CacheInfo(NamedTuple):
    """What ``cache_info()`` returns, as that of functools.lru_cache.

    Attributes:
        hits: How many calls were replayed.
        misses: How many ran the function, and were captured if there was room for
            another program.
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
        self._ready: list[Program] = []  # the one used last comes first
        self._pending: list[Program] = []  # captured once
        self._hits = self._misses = 0
        self._has_warned = False

    def __call__(self, *args: Operand, **kwargs: Operand) -> Operand:
        if seam.observers:  # a part of what is captured, or looked at, already
            self._misses += 1
            return self._function(*args, **kwargs)
        is_checked = self._check and (self._hits + 1) % self._check == 0
        ready = self._ready  # another thread may clear it
        for program in ready:
            if is_checked:
                found = replay_and_compare(program, self._function, args, kwargs)
            else:
                found = program.replay(args, kwargs)
            if found is not MISS:
                self._hits += 1
                if program is not ready[0]:
                    self._put_first(program)
                return found
        with _lock:
            first = next((p for p in self._pending if p.fits(args, kwargs)), None)
            if first is not None or self._make_room():
                return self._capture(args, kwargs, first)
        self._misses += 1
        return self._function(*args, **kwargs)

    def _put_first(self, program: Program) -> None:
        """Put a program first, as the one used last."""
        if self._ready:  # its last call was the one before, or about that
            self._ready[0].last_call = self._hits + self._misses
        others = [p for p in self._ready if p is not program]
        self._ready = [program, *others]

    def _make_room(self) -> bool:
        """Return whether there is room for a program; drop one that has lain idle."""
        if len(self._ready) + len(self._pending) < MAX_PROGRAMS:
            return True
        others = [*self._ready[1:], *self._pending]
        oldest = min(others, key=lambda program: program.last_call)
        if self._hits + self._misses - oldest.last_call < UNUSED_CALLS:
            self._warn()
            return False
        self._ready = [p for p in self._ready if p is not oldest]
        self._pending = [p for p in self._pending if p is not oldest]
        return True

    def _capture(
        self, args: Operand, kwargs: Operand, first: Program | None
    ) -> Operand:
        """Run the function, and record it; ``first`` is what was recorded before."""
        tape = Tape(self._name, Reads(self._function), args, kwargs)
        seam.observers.append(tape)
        seam.recorder = tape
        try:
            result = self._function(*args, **kwargs)
            program = tape.finish(result)
        finally:
            seam.recorder = None
            seam.observers.remove(tape)
            tape.forget()
        self._misses += 1
        self._add(program, first)
        return result

    def _add(self, program: Program, first: Program | None) -> None:
        """Keep a program that was captured; ``first`` is that of the first time."""
        program.last_call = self._hits + self._misses
        if first is None:
            self._pending.append(program)
            return
        # The function may have cleared the cache.
        self._pending = [p for p in self._pending if p is not first]
        if difference := first.difference(program):
            raise GraphError(
                f"compile: {self._name} did not do the same in two calls that look the "
                f"same: {difference}; pass what changes as an argument"
            )
        self._put_first(program)

    def _warn(self) -> None:
        """Warn, once, that there is no room, and name what keeps changing."""
        if self._has_warned:
            return
        self._has_warned = True
        programs = sorted(
            [*self._ready, *self._pending], key=lambda program: program.last_call
        )
        before, program = programs[-2:]
        pairs = zip(before.guards, program.guards, strict=False)
        changed = next((pair for pair in pairs if before.differs(program, *pair)), None)
        what = "what it depends on"
        if changed is not None:
            about, old = before.words.get(changed[0], ("", changed[0]))
            also, new = program.words.get(changed[1], ("", changed[1]))
            if (about, old) == (also, new):
                new = "another one"
            new = new if also == about else f"{also} {new}".strip()
            what = f"{about} {old}, and then {new}".strip()
        warn_user(
            f"compile: {self._name} is called in more than {MAX_PROGRAMS} different "
            f"ways, and keeps a program for {MAX_PROGRAMS} of them; other calls run "
            f"plainly until one of these has not been used for {UNUSED_CALLS} calls; "
            "pad batches to a few shapes, and pass numbers that change as tensors; "
            f"what keeps changing: {what}"
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
        name: str = getattr(self._function, "__qualname__", "")  # a module has none
        for part in name.split("."):
            found = getattr(found, part, None)
        if found is self:
            return name
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
        self._has_warned = False


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
