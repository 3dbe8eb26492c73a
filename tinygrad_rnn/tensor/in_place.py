"""Changes of a tensor's own memory, recorded where a gradient flows.

Every method goes through one of two: ``_apply_in_place`` computes a result from this
tensor and writes it back, ``_assign`` writes a value at an index. What happens to a
tensor t, a view v = t[i] of it, and what the graph saved of their memory:

====================================  ==========================  =====================
change                                views of the memory         what the graph saved
====================================  ==========================  =====================
unrecorded (no gradient, no_grad)     stay valid                  is out of date
recorded, of t                        are out of date             is out of date
recorded, of v: one of t, by i        are out of date but v,      is out of date
                                      which is taken anew
t.data = other                        keep the old memory         is out of date
====================================  ==========================  =====================

Using what is out of date raises GraphError. The memory's Version counts all changes,
for what is saved, and the recorded ones, for views; docs/design.md says more.
"""

from collections.abc import Callable
from typing import Self, TypeVar

import numpy as np

from .. import ops
from ..backend import backend_of
from ..backend.standard import numpy_dtype
from ..convert import array_of, index_of
from ..engine import seam
from ..engine.arguments import unwrap_arguments
from ..engine.forward import raise_translated
from ..engine.mode import is_grad_enabled
from ..engine.node import (
    assign,
    check_fits,
    check_no_leaf,
    check_view,
    check_writable,
    count_change,
    set_node,
    wrap,
)
from ..engine.warned import run_reporting_warnings
from ..errors import (
    DTypeError,
    GraphError,
    OptionError,
    check_numbers,
    check_type,
    describe,
)
from ..errors.boundary import name_errors
from ..random import Generator, default_generator, draw
from ..types import Array, DType, Function, Index, Operand, Shape
from .base import is_tensor
from .dtypes import float32
from .reductions import Reductions

T = TypeVar("T", bound="InPlace")


def _augmented(name: str, op: Function, doc: str) -> Callable[[T, Operand], T]:
    """Return the method of an augmented assignment, such as ``x += other``."""

    def method(self: T, other: Operand) -> T:
        return self._apply_in_place(name, op, other)

    method.__doc__ = doc
    return method


class InPlace(Reductions):
    """Changes of a tensor's own memory, recorded where a gradient flows."""

    __slots__ = ()

    # ------------------------------------------------------------ arithmetic

    @name_errors
    def add_(self, other: Operand) -> Self:
        """Add other in place.

        Example:
            >>> import tinygrad_rnn as tg
            >>> x = tg.tensor([1.0, 2.0])
            >>> x.add_(10).tolist(), x.tolist()
            ([11.0, 12.0], [11.0, 12.0])
        """
        return self._apply_in_place("add_", ops.add, other)

    @name_errors
    def sub_(self, other: Operand) -> Self:
        """Subtract other in place.

        Example:
            >>> import tinygrad_rnn as tg
            >>> x = tg.tensor([1.0, 2.0])
            >>> x.sub_(1).tolist()
            [0.0, 1.0]
        """
        return self._apply_in_place("sub_", ops.subtract, other)

    @name_errors
    def mul_(self, other: Operand) -> Self:
        """Multiply by other in place.

        Example:
            >>> import tinygrad_rnn as tg
            >>> x = tg.tensor([1.0, 2.0])
            >>> x.mul_(10).tolist()
            [10.0, 20.0]
        """
        return self._apply_in_place("mul_", ops.multiply, other)

    @name_errors
    def div_(self, other: Operand) -> Self:
        """Divide by other in place.

        Example:
            >>> import tinygrad_rnn as tg
            >>> x = tg.tensor([1.0, 2.0])
            >>> x.div_(2).tolist()
            [0.5, 1.0]
        """
        return self._apply_in_place("div_", ops.divide, other)

    @name_errors
    def clamp_(self, min: float | None = None, max: float | None = None) -> Self:
        """Limit the elements to at least ``min`` and at most ``max`` in place.

        Example:
            >>> import tinygrad_rnn as tg
            >>> x = tg.tensor([-5.0, 0.5])
            >>> x.clamp_(min=0.0).tolist()
            [0.0, 0.5]
        """
        return self._apply_in_place("clamp_", type(self).clamp, min, max)

    @name_errors
    def masked_fill_(self, mask: Operand, value: Operand) -> Self:
        """Write ``value`` where ``mask`` is true, in place.

        Example:
            >>> import tinygrad_rnn as tg
            >>> x = tg.tensor([1.0, 2.0])
            >>> x.masked_fill_(x > 1.5, 0.0).tolist()
            [1.0, 0.0]
        """
        return self._apply_in_place("masked_fill_", type(self).masked_fill, mask, value)

    __iadd__ = _augmented("add_", ops.add, "Change x in place: see :meth:`add_`.")
    __isub__ = _augmented("sub_", ops.subtract, "Change x in place: see :meth:`sub_`.")
    __imul__ = _augmented("mul_", ops.multiply, "Change x in place: see :meth:`mul_`.")
    __itruediv__ = _augmented(
        "div_", ops.divide, "Change x in place: see :meth:`div_`."
    )
    __ifloordiv__ = _augmented(
        "//=", ops.floor_divide, "Change x in place: see :meth:`floor_divide`."
    )
    __imod__ = _augmented(
        "%=", ops.remainder, "Change x in place: see :meth:`remainder`."
    )
    __ipow__ = _augmented("**=", Reductions.pow, "Change x in place: see :meth:`pow`.")
    __iand__ = _augmented(
        "&=", ops.bitwise_and, "Change x in place: see :meth:`logical_and`."
    )
    __ior__ = _augmented(
        "|=", ops.bitwise_or, "Change x in place: see :meth:`logical_or`."
    )

    # ------------------------------------------------------------ assignment

    def __setitem__(self, index: Index, value: Operand) -> None:
        """Write ``value``, broadcast, where brackets read; a gradient flows through it.

        Example:
            >>> import tinygrad_rnn as tg
            >>> x = tg.zeros(2, 3)
            >>> x[0, 1:] = tg.tensor([5.0, 6.0])
            >>> x.tolist()
            [[0.0, 5.0, 6.0], [0.0, 0.0, 0.0]]
        """
        self._assign("assignment", index, value)

    @name_errors
    def fill_(self, value: Operand) -> Self:
        """Write one value everywhere, in place.

        Example:
            >>> import tinygrad_rnn as tg
            >>> tg.zeros(2).fill_(7).tolist()
            [7.0, 7.0]
        """
        return self._assign("fill_", ..., value)

    def zero_(self) -> Self:
        """Write 0 everywhere, in place.

        Example:
            >>> import tinygrad_rnn as tg
            >>> tg.ones(2).zero_().tolist()
            [0.0, 0.0]
        """
        return self.fill_(0)

    @name_errors
    def copy_(self, other: Operand) -> Self:
        """Write the values of another tensor in place, broadcast and converted.

        Example:
            >>> import tinygrad_rnn as tg
            >>> tg.zeros(2).copy_(tg.tensor([1, 2])).tolist()
            [1.0, 2.0]
        """
        given = other.to(self.device) if is_tensor(other) else other
        return self._assign("copy_", ..., given)

    # ------------------------------------------------------------ random numbers

    def uniform_(
        self, from_: float = 0.0, to: float = 1.0, generator: Generator | None = None
    ) -> Self:
        """Fill from the uniform distribution over ``[from_, to)``, in place.

        Args:
            from_: The lower bound.
            to: The upper bound.
            generator: Where the numbers come from; None is the default generator.

        Example:
            >>> import tinygrad_rnn as tg
            >>> x = tg.empty(100).uniform_(-1.0, 1.0)
            >>> bool((x >= -1.0).all()), bool((x < 1.0).all())
            (True, True)
        """
        self._check_can_fill("uniform_", "f")
        check_numbers("uniform_", from_=from_, to=to)
        if not from_ <= to:
            raise OptionError(f"uniform_: from {from_} to {to}, expected from <= to")
        return self._assign_drawn("uniform_", "uniform", generator, from_, to)

    def normal_(
        self, mean: float = 0.0, std: float = 1.0, generator: Generator | None = None
    ) -> Self:
        """Fill from the normal distribution, in place.

        Args:
            mean: The mean.
            std: The standard deviation.
            generator: Where the numbers come from; None is the default generator.

        Example:
            >>> import tinygrad_rnn as tg
            >>> tg.empty(3).normal_(mean=5.0, std=0.0).tolist()
            [5.0, 5.0, 5.0]
        """
        self._check_can_fill("normal_", "f")
        check_numbers("normal_", mean=mean)
        check_numbers("normal_", 0.0, std=std)
        return self._assign_drawn("normal_", "normal", generator, mean, std)

    @name_errors
    def bernoulli_(self, p: Operand = 0.5, generator: Generator | None = None) -> Self:
        """Fill with 1 with probability ``p``, else 0, in place.

        Args:
            p: a number from 0 to 1, or a tensor of such numbers that broadcasts.
            generator: where the random numbers come from; None is the default one.

        Example:
            >>> import tinygrad_rnn as tg
            >>> tg.empty(2).bernoulli_(tg.tensor([0.0, 1.0])).tolist()
            [0.0, 1.0]
        """
        self._check_can_fill("bernoulli_", "biuf")
        if generator is not None:
            check_type("bernoulli_", Generator, "a tg.Generator", generator=generator)
        if is_tensor(p):
            seam.use("bernoulli_", p)
        odds = p.array if is_tensor(p) else seam.constant(np.asarray(p))
        given = odds, self.shape, self.dtype, generator or default_generator
        drawn = seam.act(_draw_flags, *given)
        return self._assign("bernoulli_", ..., self._from_host(drawn))

    def _check_can_fill(self, name: str, kinds: str) -> None:
        """Raise if random numbers cannot be written here."""
        if self.dtype.kind not in kinds:
            raise DTypeError(f"{name}: got {describe(self)}, expected floats")
        check_writable(self.array, name)
        if is_grad_enabled():
            check_no_leaf(self, name)

    def _assign_drawn(
        self, name: str, method: str, generator: Generator | None, *bounds: float
    ) -> Self:
        """Write what a method of NumPy's generator draws."""
        drawn = draw(name, generator, method, *bounds, self.shape, dtype=self.dtype)
        return self._assign(name, ..., self._from_host(drawn))

    # ------------------------------------------------------------ how it is done

    def _apply_in_place(self, name: str, op: Function, *args: Operand) -> Self:
        """Compute ``op(self, *args)`` and write it into this tensor's memory.

        If the op saved this memory for its gradient, which the write destroys, it is
        computed once more, from a copy.
        """
        result = op(self, *args)
        is_leaf = self.node is None and self.requires_grad  # then the write raises
        saved = [] if result.node is None or is_leaf else result.node.versions
        if any(cell is self.version for cell, _ in saved):
            array = seam.run(backend_of(self.array).array, self.array)
            copy = wrap(array, self.node)
            result = op(copy, *[copy if arg is self else arg for arg in args])
        return self._write_result(name, result)

    def _write_result(self, name: str, result: Operand) -> Self:
        """Write a result into this tensor's memory; recorded if the result is.

        A recorded change of a view is a change of the tensor that it was taken from;
        then the view is taken anew.
        """
        self._check_owner(name)
        if self.view_version is None or result.node is None:
            assign(self, result, name)
            return self
        check_fits(self, result, name)
        base = self._viewed_tensor()
        index = self.source and self.source[1]
        if base is None or index is None:
            raise GraphError(
                f"{name}: this view cannot be changed in place while recording; assign "
                "to the tensor it was taken from, as in x[0, 1] = value, or use a "
                "clone()"
            )
        base._write_result(name, ops.put(base, result, index))
        view = ops.getitem(base, index)
        set_node(self, view.node)
        self.view_version = view.view_version
        return self

    def _assign(self, name: str, index: Index, value: Operand) -> Self:
        """Write a value at an index; recorded if a gradient flows from either."""
        value = self._as_numbers(name, value)
        flows = self.needs_grad or (is_tensor(value) and value.needs_grad)
        if flows and is_grad_enabled() and self.dtype.kind == "f":
            # In the graph, the tensor gets a new value as a whole.
            copied_index = index_of(name, index, copy=True)
            return self._write_result(name, ops.put(self, value, copied_index))
        # Otherwise its memory is written.
        self._check_owner(name)
        check_writable(self.array, name)
        arrays, _, xp = unwrap_arguments(name, (self, value))
        index = index_of(name, index)
        try:
            write = name, xp.assign, self.array, index, arrays[1]
            seam.act(run_reporting_warnings, *write)
        except Exception as error:
            raise_translated(name, arrays, {"index": index}, error)
            raise
        count_change(self.version, name)
        return self

    def _as_numbers(self, name: str, value: Operand) -> Operand:
        """Return what is assigned, a list as a tensor; raise if it has no numbers."""
        is_list = isinstance(value, list | tuple)
        if is_list:
            value = array_of(value, name)
        kind = numpy_dtype(getattr(value, "dtype", float32)).kind
        # NumPy would make numbers of text and of None.
        if kind not in "biuf" or isinstance(value, str | bytes | None):
            raise DTypeError(f"{name}: got {describe(value)}, expected numbers")
        return self._from_host(value) if is_list else value

    def _viewed_tensor(self) -> Operand:
        """Return what this view was taken from, if it still has that memory."""
        if self.source is None:
            return None
        reference, _, array = self.source
        base = reference()
        return base if base is not None and base.array is array else None

    def _check_owner(self, name: str) -> None:
        """Raise if this view is out of date, or an unrecorded view of what records."""
        check_view(self, name)
        owner: InPlace | None = self
        while owner is not None and not owner.requires_grad:
            owner = owner._viewed_tensor()
        if owner is not None and owner is not self and is_grad_enabled():
            raise GraphError(
                f"{name}: this view was taken under no_grad() of what records; take it "
                "again while recording, or change it under no_grad()"
            )


def _draw_flags(
    odds: Array, shape: Shape, dtype: DType, generator: Generator
) -> np.ndarray:
    """Return 1 with these odds, else 0."""
    odds = backend_of(odds).to_host(odds)
    if odds.dtype.kind not in "biuf" or not ((odds >= 0) & (odds <= 1)).all():
        got = wrap(odds) if odds.ndim else repr(odds.item())
        raise OptionError(f"bernoulli_: p is {got}, expected numbers from 0 to 1")
    threshold = wrap(odds).expand(shape).array
    return (generator.numpy.random(shape) < threshold).astype(dtype)
