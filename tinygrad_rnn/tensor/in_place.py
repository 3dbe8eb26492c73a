"""Changes of a tensor's own memory, recorded where a gradient flows."""

from typing import TYPE_CHECKING, Any, Self

import numpy as np

from .. import ops
from ..backend import backend_of
from ..backend.standard import numpy_dtype
from ..convert import array_of, index_of, on_host
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
    take_over,
    wrap,
)
from ..engine.warned import run_reporting_warnings
from ..errors import DTypeError, GraphError, OptionError, check_numbers, described
from ..errors.boundary import named
from ..random import Generator, numpy_generator
from .base import is_tensor
from .conversion import Conversion
from .dtypes import float32

if TYPE_CHECKING:
    from . import Tensor


class InPlace(Conversion):
    """Changes of a tensor's own memory, recorded where a gradient flows."""

    __slots__ = ()

    def _into(self, name: str, op: Any, *args: Any) -> Self:
        """Write what an op makes of this tensor into its memory; of a copy, if the op
        saves it.
        """
        result = op(self, *args)
        refused = self.node is None and self.requires_grad  # by `assign`: a leaf
        saved = result.node.versions if result.node is not None and not refused else ()
        if any(cell is self.version for cell, _ in saved):
            before = wrap(backend_of(self.array).array(self.array), self.node)
            result = op(before, *[before if arg is self else arg for arg in args])
        return self._become(name, result)

    def _base(self) -> "Tensor | None":
        """What this view was taken from, if that is still held, with the memory that it
        had.
        """
        if self.source is None:
            return None
        reference, _, array = self.source
        base = reference()
        return base if base is not None and base.array is array else None

    def _check_owner(self, name: str) -> None:
        """Refuse a view that is out of date, or was taken under no_grad of what
        records.
        """
        check_view(self, name)
        owner: Any = self
        while owner is not None and not owner.requires_grad:
            owner = owner._base()
        if owner is not None and owner is not self and is_grad_enabled():
            way = "take it again while recording, or change it under no_grad()"
            raise GraphError(
                f"{name}: this view was taken under no_grad() of what records; {way}"
            )

    def _become(self, name: str, result: Any) -> Self:
        """Write a result into this tensor's memory; recorded if it is.

        Of a view, a recorded change is one of what it was taken from; then the view is
        taken anew.
        """
        self._check_owner(name)
        if self.view_version is None or result.node is None:
            assign(self, result, name)
            return self
        check_fits(self, result, name)
        base, index = self._base(), self.source and self.source[1]
        if base is None or index is None:
            way = "assign to the tensor it was taken from, as in x[0, 1] = value, or use a clone()"
            raise GraphError(
                f"{name}: this view cannot be changed in place while recording; {way}"
            )
        base._become(name, ops.put(base, result, index))
        fresh = ops.getitem(base, index)
        take_over(self, fresh.node)
        self.view_version = fresh.view_version
        return self

    @named
    def add_(self, other: Any) -> Self:
        "x + other."
        return self._into("add_", ops.add, other)

    @named
    def sub_(self, other: Any) -> Self:
        "x - other."
        return self._into("sub_", ops.subtract, other)

    @named
    def mul_(self, other: Any) -> Self:
        "x * other."
        return self._into("mul_", ops.multiply, other)

    @named
    def div_(self, other: Any) -> Self:
        "x / other."
        return self._into("div_", ops.divide, other)

    @named
    def fill_(self, value: float) -> Self:
        "One value."
        return self._write("fill_", ..., value)

    def zero_(self) -> Self:
        "0 everywhere."
        return self.fill_(0)

    def __setitem__(self, index: Any, value: Any) -> None:
        self._write("assignment", index, value)

    def __iadd__(self, other: Any) -> Self:
        return self._into("add_", ops.add, other)

    def __isub__(self, other: Any) -> Self:
        return self._into("sub_", ops.subtract, other)

    def __imul__(self, other: Any) -> Self:
        return self._into("mul_", ops.multiply, other)

    def __itruediv__(self, other: Any) -> Self:
        return self._into("div_", ops.divide, other)

    def __ifloordiv__(self, other: Any) -> Self:
        return self._into("//=", ops.floor_divide, other)

    def __imod__(self, other: Any) -> Self:
        return self._into("%=", ops.remainder, other)

    def __ipow__(self, other: Any) -> Self:
        return self._into("**=", type(self).pow, other)

    def __iand__(self, other: Any) -> Self:
        return self._into("&=", ops.bitwise_and, other)

    def __ior__(self, other: Any) -> Self:
        return self._into("|=", ops.bitwise_or, other)

    @named
    def clamp_(self, min: Any = None, max: Any = None) -> Self:
        """In place, no smaller than ``min``, no larger than ``max``."""
        return self._into("clamp_", type(self).clamp, min, max)

    @named
    def copy_(self, other: "Tensor") -> Self:
        """In place, the values of ``other``, broadcast and converted."""
        given = other.to(self.device) if is_tensor(other) else other
        return self._write("copy_", ..., given)

    @named
    def masked_fill_(self, mask: Any, value: Any) -> Self:
        """In place, ``value`` where ``mask``."""
        return self._into("masked_fill_", type(self).masked_fill, mask, value)

    def uniform_(
        self, from_: float = 0.0, to: float = 1.0, generator: Generator | None = None
    ) -> Self:
        """In place, drawn from the uniform distribution over [from_, to)."""
        self._check_fill("uniform_", "f")
        check_numbers("uniform_", from_=from_, to=to)
        if not from_ <= to:
            raise OptionError(f"uniform_: from {from_} to {to}, expected from <= to")
        return self._fill_with(
            "uniform_",
            numpy_generator("uniform_", generator).uniform(from_, to, self.shape),
        )

    def normal_(
        self, mean: float = 0.0, std: float = 1.0, generator: Generator | None = None
    ) -> Self:
        """In place, drawn from the normal distribution."""
        self._check_fill("normal_", "f")
        check_numbers("normal_", mean=mean)
        check_numbers("normal_", 0.0, std=std)
        return self._fill_with(
            "normal_",
            numpy_generator("normal_", generator).normal(mean, std, self.shape),
        )

    @named
    def bernoulli_(self, p: Any = 0.5, generator: Generator | None = None) -> Self:
        """In place, 1 with probability ``p``, a number or a tensor that broadcasts,
        else 0.
        """
        self._check_fill("bernoulli_", "biuf")
        odds = p if is_tensor(p) else wrap(np.asarray(p))
        if odds.dtype.kind not in "biuf" or not ((odds >= 0) & (odds <= 1)).all():
            raise OptionError(f"bernoulli_: p is {p!r}, expected numbers from 0 to 1")
        each = on_host(odds.expand(self.shape))
        return self._fill_with(
            "bernoulli_",
            numpy_generator("bernoulli_", generator).random(self.shape) < each,
        )

    def _check_fill(self, name: str, kinds: str) -> None:
        """Raise if random numbers cannot be written here, before they are drawn."""
        if self.dtype.kind not in kinds:
            raise DTypeError(f"{name}: got {described(self)}, expected floats")
        check_writable(self.array, name)
        if is_grad_enabled():
            check_no_leaf(self, name)

    def _fill_with(self, name: str, drawn: np.ndarray) -> Self:
        return self._write(name, ..., self._from_host(drawn.astype(self.dtype)))

    def _write(self, name: str, index: Any, value: Any) -> Self:
        """Assign: recorded if a gradient flows from here or from the value."""
        listed = isinstance(value, (list, tuple))
        value = array_of(value, name) if listed else value
        kind = numpy_dtype(getattr(value, "dtype", float32)).kind
        if kind not in "biuf" or isinstance(
            value, str | bytes | None
        ):  # NumPy makes numbers of it
            raise DTypeError(f"{name}: got {described(value)}, expected numbers")
        value = self._from_host(value) if listed else value
        recorded = self.needs_grad or (is_tensor(value) and value.needs_grad)
        if recorded and is_grad_enabled() and self.dtype.kind == "f":
            return self._become(name, ops.put(self, value, index_of(name, index, True)))
        self._check_owner(name)
        check_writable(self.array, name)
        arrays, _, xp = unwrap_arguments(name, (self, value))
        place = index_of(name, index)
        try:
            run_reporting_warnings(name, xp.assign, self.array, place, arrays[1])
        except Exception as error:
            raise_translated(name, arrays, {"index": place}, error)
            raise
        count_change(self.version, name)
        return self
