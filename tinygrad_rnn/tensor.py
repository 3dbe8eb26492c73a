"""Tensor: PyTorch's names, each a line over the table of ops."""

import itertools
import math
import weakref
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, Self, TypeAlias

import numpy as np

from . import ops
from .backend import backend_of, backends, find
from .engine.mode import is_grad_enabled
from .engine.node import Node, Value, assign, check_fits, check_view, check_writable, wrap
from .engine.walk import backward
from .errors import DimError, DTypeError, GraphError, IdError, OptionError, ShapeError
from .ops.index import complete

Dim = int | tuple[int, ...] | list[int] | None
Operand = Any  # a Tensor, an array or a scalar

Int: TypeAlias = int  # Tensor's methods take these names
Float: TypeAlias = float
Bool: TypeAlias = bool

float32, float64 = np.dtype("float32"), np.dtype("float64")
int32, int64, bool_ = np.dtype("int32"), np.dtype("int64"), np.dtype("bool")


class device:
    """Where a tensor lives, equal to its string: ``"cpu"``, ``"cuda:0"``; as torch.device."""

    __slots__ = ("index", "type")
    type: str
    index: int | None  # the number of the GPU, None for the CPU

    def __init__(self, name: Any) -> None:
        kind, _, number = str(name).partition(":")
        if kind not in ("cpu", "cuda") or (number and not number.isdecimal()):
            raise OptionError(f"device: got {name!r}, expected 'cpu', 'cuda' or 'cuda:N'")
        self.type = kind
        self.index = int(number) if number else (0 if kind == "cuda" else None)

    def __str__(self) -> str:
        return self.type if self.index is None else f"{self.type}:{self.index}"

    def __repr__(self) -> str:
        return f"device({str(self)!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, str | device) and str(self) == str(other)

    def __hash__(self) -> int:
        return hash(str(self))


class Extremum(NamedTuple):
    """What ``max`` and ``min`` along a dim give."""

    values: "Tensor"
    indices: "Tensor"


def plain(value: Any) -> Any:
    """A Tensor's array; an index or anything else with its Tensors replaced by arrays."""
    if isinstance(value, Value):
        return value.array
    if isinstance(value, tuple):
        return tuple(plain(part) for part in value)
    if isinstance(value, list):
        return np.asarray([plain(part) for part in value]) if value else np.asarray([], int64)
    return value


def _without_tensors(name: str, values: Any) -> Any:
    """A nested list, but not one of Tensors that record: their gradients would be lost."""
    for value in values if isinstance(values, list | tuple) else (values,):
        if isinstance(value, list | tuple):
            _without_tensors(name, value)
        elif isinstance(value, Value) and value.requires_grad:
            raise DTypeError(f"{name}: got a list of Tensors that require grad; use stack()")
    return values


def plain_index(index: Any) -> Any:
    """What stands between brackets, with arrays for Tensors and for sequences among its parts."""
    if isinstance(index, tuple):
        return tuple([plain(list(p)) if isinstance(p, tuple | range) else plain(p) for p in index])
    return plain(list(index) if isinstance(index, range) else index)


def _kept(index: Any) -> Any:
    """An index that will be needed again: its arrays are copied, as the user may change his own."""
    if isinstance(index, tuple):
        return tuple([_kept(list(p) if isinstance(p, tuple) else p) for p in index])
    array = plain_index(index)
    return backend_of(array).array(array) if type(array) in backends else array


def _sizes(name: str, sizes: tuple[Any, ...]) -> tuple[int, ...]:
    """Sizes given one by one, or as one sequence."""
    if len(sizes) == 1 and isinstance(sizes[0], tuple | list):
        sizes = tuple(sizes[0])
    try:
        return tuple(size.__index__() for size in sizes)
    except AttributeError:
        raise DTypeError(f"{name}: got {sizes!r}, expected integers") from None


class Tensor(Value):
    """An array with a gradient. Made by :func:`tinygrad_rnn.tensor` and its kin.

    >>> import tinygrad_rnn as tg
    >>> x = tg.tensor([1.0, 2.0], requires_grad=True)
    >>> (x * x).sum().backward()
    >>> x.grad
    tensor([2., 4.], dtype=float32)
    """

    __slots__ = ()
    __array_ufunc__ = None  # ndarray + Tensor is Tensor.__radd__, not NumPy's loop over elements

    def __init__(self, data: Any, requires_grad: Bool = False) -> None:
        if not isinstance(data, np.ndarray):
            raise DTypeError(
                f"Tensor: got {type(data).__name__}, expected an array; use tg.tensor(data)"
            )
        self.array = data
        self.grad = None
        self.hooks = None
        self.node = None
        self.version = [0, 0]
        self.epoch = None
        self.source = None
        self.requires_grad = False
        if requires_grad:
            self.requires_grad_()

    # ------------------------------------------------------------ what it is

    @property
    def shape(self) -> tuple[Int, ...]:
        """The sizes of its dims."""
        shape: tuple[Int, ...] = self.array.shape
        return shape

    @property
    def ndim(self) -> Int:
        """The number of its dims."""
        return len(self.array.shape)

    @property
    def dtype(self) -> Any:
        """The type of its elements: a NumPy dtype."""
        return self.array.dtype

    @property
    def device(self) -> device:
        """Where it lives."""
        return device("cpu")

    @property
    def data(self) -> Any:
        """The array itself; what is written through it the engine does not see."""
        return self.array

    @data.setter
    def data(self, value: Any) -> None:
        array = value.array if isinstance(value, Value) else value
        array = np.asarray(array) if isinstance(array, np.generic) else array
        if type(array) is not type(self.array) or array.dtype != self.array.dtype:
            got = getattr(array, "dtype", type(array).__name__)
            raise DTypeError(f"data: got {got}, expected a {self.dtype} array; use .to(), .float()")
        self.array = array

    @property
    def is_leaf(self) -> Bool:
        """Whether no recorded operation made it."""
        return self.node is None

    @property
    def grad_fn(self) -> Node | None:
        """The recorded operation that made it."""
        return self.node

    @property
    def T(self) -> Self:
        """The dims in reverse order."""
        return self.permute(tuple(reversed(range(self.ndim))))

    @property
    def mT(self) -> Self:
        """The last two dims exchanged."""
        return self.transpose(-1, -2)

    def size(self, dim: Int | None = None) -> Any:
        """The shape, or the size of one dim."""
        return self.shape if dim is None else self.shape[self._dim("size", dim)]

    # fmt: off
    def dim(self) -> Int: "The number of dims."; return self.ndim
    def numel(self) -> Int: "The number of elements."; return math.prod(self.shape)

    # fmt: on

    def __repr__(self) -> str:
        values = np.array2string(self.numpy(), separator=", ", prefix="tensor(")
        parts = [values, f"dtype={self.dtype}"]
        if self.device != "cpu":
            parts.append(f"device={str(self.device)!r}")
        if self.node is not None:
            parts.append(f"grad_fn={self.node!r}")
        elif self.requires_grad:
            parts.append("requires_grad=True")
        return f"tensor({', '.join(parts)})"

    # ------------------------------------------------------------ out of the graph

    def numpy(self) -> np.ndarray:
        """The array itself, memory shared."""
        return self.array

    def __array__(self, dtype: Any = None, copy: Bool | None = None) -> np.ndarray:
        return np.array(self.numpy(), dtype=dtype, copy=copy)

    def item(self) -> Any:
        """The value of a tensor of one element, as a Python number."""
        if self.numel() != 1:
            raise ShapeError(f"item: got shape {self.shape}, expected one element; use tolist()")
        return self.array.item()

    def tolist(self) -> Any:
        """The values as nested lists of Python numbers."""
        return self.numpy().tolist()

    def detach(self) -> Self:
        """The same memory, outside of the graph."""
        out: Self = wrap(self.array, None, self.version)
        return out

    def __len__(self) -> Int:
        if not self.ndim:
            raise DTypeError("len: a 0-d tensor has no length")
        return self.shape[0]

    def __iter__(self) -> Iterator[Self]:
        return (self[i] for i in range(len(self)))  # lazily: a change makes later views anew

    def __contains__(self, item: Any) -> Bool:
        return Bool(self.eq(item).any())

    def __bool__(self) -> Bool:
        if self.numel() != 1:
            raise ShapeError(
                f"bool: a tensor of shape {self.shape} is neither true nor false; "
                "use .any() or .all()"
            )
        return Bool(self.item())

    def __float__(self) -> Float:
        return Float(self.item())

    def __int__(self) -> Int:
        return Int(self.item())

    def __index__(self) -> Int:
        if self.dtype.kind not in "iu" or self.ndim:
            raise DTypeError(
                f"index: got a {self.dtype} tensor of shape {self.shape}, expected a 0-d integer"
            )
        return Int(self.item())

    def __format__(self, spec: str) -> str:
        return format(self.item(), spec) if spec and not self.ndim else format(repr(self), spec)

    __hash__ = object.__hash__

    def __copy__(self) -> Self:
        return self.__deepcopy__({})

    def __deepcopy__(self, memo: dict[Int, Any]) -> Self:
        if self.node is not None:
            raise GraphError("deepcopy: only leaves can be copied; use x.detach().clone()")
        out: Self = type(self).__new__(type(self))
        Tensor.__init__(out, self.array.copy(), self.requires_grad)
        memo[id(self)] = out
        if self.grad is not None:
            out.grad = self.grad.detach().clone()
        return out

    # ------------------------------------------------------------ gradients

    def requires_grad_(self, requires_grad: Bool = True) -> Self:
        """Ask for its gradient, or no longer; floats only."""
        if requires_grad and self.dtype.kind != "f":
            raise DTypeError(
                f"requires_grad: got a {self.dtype} tensor, only floats have gradients; use .float()"
            )
        if not requires_grad and self.node is not None:
            raise GraphError("requires_grad_: only for leaves; use detach() to leave the graph")
        self.requires_grad = Bool(requires_grad)
        return self

    def backward(
        self,
        gradient: "Tensor | None" = None,
        retain_graph: Bool | None = None,
        create_graph: Bool = False,
    ) -> None:
        """Add the gradient of this tensor to ``grad`` of every leaf it was made from.

        ``gradient`` is its own cotangent, needed unless it has one element. ``create_graph``
        records the walk, for a further derivative.

        Raises GraphError for a graph that was walked before, or was not recorded.
        """
        keep = create_graph if retain_graph is None else retain_graph
        g = cotangent("backward", self, gradient)
        backward([self], [g if create_graph else g.array], keep, create_graph)

    def retain_grad(self) -> None:
        """Keep ``grad`` of this tensor too, though it is no leaf."""
        if not self.requires_grad:
            raise GraphError("retain_grad: this tensor does not require grad")
        if self.node is None:
            return
        kept = weakref.ref(self)

        def keep(g: Tensor) -> None:
            tensor = kept()
            if tensor is not None:
                mine = g.clone()
                tensor.grad = mine if tensor.grad is None else tensor.grad + mine

        self._hook(keep, math.inf)  # after all others, and once

    def register_hook(self, hook: Callable[["Tensor"], Any]) -> Callable[[], None]:
        """Call ``hook(grad)`` when the gradient is known; what it returns replaces it.

        Returns a handle: call it, or its ``remove()``, to take the hook away.
        """
        if not self.requires_grad:
            raise GraphError("register_hook: this tensor does not require grad")
        return self._hook(hook)

    def _hook(self, hook: Callable[["Tensor"], Any], key: Float | None = None) -> "_Handle":
        holder = self if self.node is None else self.node
        if holder.hooks is None:
            holder.hooks = {}
        key = next(_hook_numbers) if key is None else key
        holder.hooks[key] = hook
        return _Handle(holder.hooks, key)

    # ------------------------------------------------------------ conversions

    def clone(self) -> Self:
        """A copy, in the graph."""
        return ops.clone(self)

    def contiguous(self) -> Self:
        """Itself if its elements lie in order, else a copy."""
        flags = getattr(self.array, "flags", None)
        return self if flags is None or flags.c_contiguous else self.clone()

    def to(self, *args: Any, **kwargs: Any) -> Self:
        """Another dtype, another device, or those of another tensor; itself if nothing changes."""
        dtype, place = kwargs.pop("dtype", None), kwargs.pop("device", None)
        if kwargs:
            raise DTypeError(f"to: got {', '.join(kwargs)}, expected dtype or device")
        for arg in args:
            if isinstance(arg, Tensor):
                dtype, place = arg.dtype, arg.device
            elif isinstance(arg, device) or (
                isinstance(arg, str) and arg.partition(":")[0] in ("cpu", "cuda")
            ):
                place = arg
            elif arg is not None:
                dtype = arg
        if place is not None:
            find(place)
        if dtype is None:
            return self
        dtype = as_dtype(dtype, "to")
        if dtype == self.dtype:
            return self
        return ops.astype(self if dtype.kind == "f" else self.detach(), dtype)

    # fmt: off
    def cpu(self) -> Self: "On the CPU."; return self.to("cpu")
    def cuda(self, index: Int = 0) -> Self: "On a GPU."; return self.to(f"cuda:{index}")
    def float(self) -> Self: "As float32."; return self.to(float32)
    def double(self) -> Self: "As float64."; return self.to(float64)
    def long(self) -> Self: "As int64."; return self.to(int64)
    def int(self) -> Self: "As int32."; return self.to(int32)
    def bool(self) -> Self: "As bool: true where not 0."; return self.to(bool_)

    # fmt: on
    # fmt: off

    # ------------------------------------------------------------ elementwise: a line each

    def add(self, other: Operand) -> Self: "x + other."; return ops.add(self, other)
    def sub(self, other: Operand) -> Self: "x - other."; return ops.subtract(self, other)
    def mul(self, other: Operand) -> Self: "x * other."; return ops.multiply(self, other)
    def div(self, other: Operand) -> Self: "x / other."; return ops.divide(self, other)
    def maximum(self, other: Operand) -> Self:
        """The larger of each two."""
        return ops.maximum(self, other)

    def minimum(self, other: Operand) -> Self:
        """The smaller of each two."""
        return ops.minimum(self, other)

    def eq(self, other: Operand) -> Self: "x == other."; return ops.equal(self, other)
    def ne(self, other: Operand) -> Self: "x != other."; return ops.not_equal(self, other)
    def lt(self, other: Operand) -> Self: "x < other."; return ops.less(self, other)
    def le(self, other: Operand) -> Self: "x <= other."; return ops.less_equal(self, other)
    def gt(self, other: Operand) -> Self: "x > other."; return ops.greater(self, other)
    def ge(self, other: Operand) -> Self: "x >= other."; return ops.greater_equal(self, other)
    def logical_and(self, other: Operand) -> Self:
        """Where both are true."""
        return ops.logical_and(self, other)

    def logical_or(self, other: Operand) -> Self:
        """Where one is true."""
        return ops.logical_or(self, other)

    def remainder(self, other: Operand) -> Self:
        """x % other, with the sign of other."""
        return ops.remainder(self, other)

    def floor_divide(self, other: Operand) -> Self:
        """x // other."""
        return ops.floor_divide(self, other)

    def abs(self) -> Self: "|x|."; return ops.abs(self)
    def neg(self) -> Self: "-x."; return ops.negative(self)
    def sign(self) -> Self: "-1, 0 or 1."; return ops.sign(self)
    def square(self) -> Self: "x * x."; return ops.square(self)
    def sqrt(self) -> Self: "The square root."; return ops.sqrt(self)
    def reciprocal(self) -> Self: "1 / x."; return ops.reciprocal(self)
    def exp(self) -> Self: "e^x."; return ops.exp(self)
    def expm1(self) -> Self: "e^x - 1, exact near 0."; return ops.expm1(self)
    def log(self) -> Self: "The natural logarithm."; return ops.log(self)
    def log1p(self) -> Self: "log(1 + x), exact near 0."; return ops.log1p(self)
    def sin(self) -> Self: "The sine, of radians."; return ops.sin(self)
    def cos(self) -> Self: "The cosine, of radians."; return ops.cos(self)
    def tanh(self) -> Self: "The hyperbolic tangent."; return ops.tanh(self)
    def sigmoid(self) -> Self: "1 / (1 + e^-x)."; return ops.sigmoid(self)
    def relu(self) -> Self: "max(x, 0)."; return ops.relu(self)
    def floor(self) -> Self: "Rounded down."; return ops.floor(self)
    def ceil(self) -> Self: "Rounded up."; return ops.ceil(self)
    def round(self) -> Self: "Rounded to even at a half."; return ops.round(self)
    def isnan(self) -> Self: "Where NaN."; return ops.isnan(self)
    def isinf(self) -> Self: "Where infinite."; return ops.isinf(self)
    def isfinite(self) -> Self: "Where neither NaN nor infinite."; return ops.isfinite(self)
    def logical_not(self) -> Self: "Where 0 or false."; return ops.logical_not(self)

    # fmt: on

    def pow(self, exponent: Operand) -> Self:
        """x ** exponent."""
        if isinstance(exponent, Int | Float | np.generic):
            return ops.power(
                self, exponent.item() if isinstance(exponent, np.generic) else exponent
            )
        return ops.pow(self, exponent)

    def clamp(self, min: Any = None, max: Any = None) -> Self:
        """No smaller than ``min``, no larger than ``max``: numbers, or None."""
        if min is None and max is None:
            raise OptionError("clamp: min and max are both None, expected at least one")
        return ops.clip(self, min, max)

    def where(self, condition: "Tensor", other: Operand) -> Self:
        """Itself where ``condition``, else ``other``."""
        return ops.where(condition, self, other)

    def masked_fill(self, mask: "Tensor", value: Operand) -> Self:
        """``value`` where ``mask``, else itself."""
        return ops.where(mask, value, self)

    # ------------------------------------------------------------ operators: a line each
    # fmt: off

    def __add__(self, other: Operand) -> Self: return ops.add(self, other)
    def __radd__(self, other: Operand) -> Self: return ops.add(other, self)
    def __sub__(self, other: Operand) -> Self: return ops.subtract(self, other)
    def __rsub__(self, other: Operand) -> Self: return ops.subtract(other, self)
    def __mul__(self, other: Operand) -> Self: return ops.multiply(self, other)
    def __rmul__(self, other: Operand) -> Self: return ops.multiply(other, self)
    def __truediv__(self, other: Operand) -> Self: return ops.divide(self, other)
    def __rtruediv__(self, other: Operand) -> Self: return ops.divide(other, self)
    def __floordiv__(self, other: Operand) -> Self: return ops.floor_divide(self, other)
    def __rfloordiv__(self, other: Operand) -> Self: return ops.floor_divide(other, self)
    def __mod__(self, other: Operand) -> Self: return ops.remainder(self, other)
    def __rmod__(self, other: Operand) -> Self: return ops.remainder(other, self)
    def __and__(self, other: Operand) -> Self: return ops.bitwise_and(self, other)
    def __rand__(self, other: Operand) -> Self: return ops.bitwise_and(other, self)
    def __or__(self, other: Operand) -> Self: return ops.bitwise_or(self, other)
    def __ror__(self, other: Operand) -> Self: return ops.bitwise_or(other, self)
    def __eq__(self, other: Operand) -> Self:  # type: ignore[override]
        return ops.equal(self, other)

    def __ne__(self, other: Operand) -> Self:  # type: ignore[override]
        return ops.not_equal(self, other)

    def __lt__(self, other: Operand) -> Self: return ops.less(self, other)
    def __le__(self, other: Operand) -> Self: return ops.less_equal(self, other)
    def __gt__(self, other: Operand) -> Self: return ops.greater(self, other)
    def __ge__(self, other: Operand) -> Self: return ops.greater_equal(self, other)
    def __neg__(self) -> Self: return ops.negative(self)
    def __abs__(self) -> Self: return ops.abs(self)
    def __invert__(self) -> Self: return ops.bitwise_invert(self)
    def __pos__(self) -> Self: return self
    def __pow__(self, exponent: Operand) -> Self: return self.pow(exponent)
    def __rpow__(self, base: Operand) -> Self:
        if isinstance(base, Bool | Int | Float | np.generic):  # weak, as everywhere
            number = base.item() if isinstance(base, np.generic) else base
            try:
                base = np.asarray(number, np.result_type(self.dtype, number))
            except OverflowError as error:
                raise OptionError(f"pow: {error}") from None
        return ops.pow(np.asarray(base), self)

    def __matmul__(self, other: Operand) -> Self: return self.matmul(other)
    def __rmatmul__(self, other: Operand) -> Self: return wrap(np.asarray(other)).matmul(self)

    # fmt: on
    # ------------------------------------------------------------ in place

    def _applied(self, op: Any, *args: Any) -> Any:
        """An op on this tensor, which is about to be overwritten: on a copy, if the op saves it."""
        result = op(self, *args)
        is_leaf = self.node is None and self.requires_grad  # this will be refused
        if result.node is None or is_leaf:
            return result
        if all(cell is not self.version for cell, _ in result.node.versions):
            return result
        before = wrap(backend_of(self.array).array(self.array), self.node)
        return op(before, *[before if arg is self else arg for arg in args])

    def _in_place(self, name: str, op: Any, *args: Any) -> Self:
        return self._become(name, self._applied(op, *args))

    def _base(self) -> "Tensor | None":
        """What this view was taken from, if that is still held by somebody."""
        found: Tensor | None = None if self.source is None else self.source[0]()
        return found

    def _records(self) -> Bool:
        """Whether it, or what it is a view of, has a place in the graph."""
        base = self._base()
        return self.requires_grad or (base is not None and base._records())

    def _check_owner(self, name: str) -> None:
        """Refuse a view that is out of date, or was taken under no_grad of what records."""
        check_view(self, name)
        base = self._base()
        if base is not None and base._records() and not self.requires_grad and is_grad_enabled():
            raise GraphError(
                f"{name}: this view was taken under no_grad() of a tensor that records; take it "
                "again while recording, or change it under no_grad()"
            )

    def _become(self, name: str, result: Any) -> Self:
        """Write a result into this tensor's memory; recorded if it is.

        Of a view, a recorded change is one of what it was taken from; then the view is taken anew.
        """
        self._check_owner(name)
        if self.epoch is None or result.node is None:
            assign(self, result, name)
            return self
        check_fits(self, result, name)
        base = self._base()
        if base is None or self.source is None or self.source[1] is None:
            raise GraphError(
                f"{name}: this view cannot be changed in place while recording; assign to the "
                "tensor it was taken from, as in x[0, 1] = value, or work on a clone()"
            )
        index = self.source[1]
        base._become(name, ops.put(base, result, index))
        fresh = ops.getitem(base, index)
        self.node, self.epoch, self.requires_grad = fresh.node, fresh.epoch, fresh.requires_grad
        return self

    def add_(self, other: Operand) -> Self:
        """In place, x + other."""
        return self._in_place("add_", ops.add, other)

    def sub_(self, other: Operand) -> Self:
        """In place, x - other."""
        return self._in_place("sub_", ops.subtract, other)

    def mul_(self, other: Operand) -> Self:
        """In place, x * other."""
        return self._in_place("mul_", ops.multiply, other)

    def div_(self, other: Operand) -> Self:
        """In place, x / other."""
        return self._in_place("div_", ops.divide, other)

    def __iadd__(self, other: Operand) -> Self:
        return self._in_place("iadd", ops.add, other)

    def __isub__(self, other: Operand) -> Self:
        return self._in_place("isub", ops.subtract, other)

    def __imul__(self, other: Operand) -> Self:
        return self._in_place("imul", ops.multiply, other)

    def __itruediv__(self, other: Operand) -> Self:
        return self._in_place("itruediv", ops.divide, other)

    def clamp_(self, min: Any = None, max: Any = None) -> Self:
        """In place, no smaller than ``min``, no larger than ``max``."""
        return self._in_place("clamp_", type(self).clamp, min, max)

    def copy_(self, source: "Tensor") -> Self:
        """In place, the values of ``source``, broadcast and converted."""
        return self._write("copy_", ..., source)

    def fill_(self, value: Float) -> Self:
        """In place, one value everywhere."""
        return self._write("fill_", ..., value)

    def zero_(self) -> Self:
        "In place, 0 everywhere."
        return self.fill_(0)

    def __getitem__(self, index: Any) -> Self:
        place = _kept(index) if self.requires_grad else plain_index(index)
        out: Self = ops.getitem(self, place)
        if out.source is not None:
            out.source = (out.source[0], place)
        return out

    def __setitem__(self, index: Any, value: Any) -> None:
        self._write("assignment", index, value)

    def _write(self, name: str, index: Any, value: Any) -> Self:
        """Assign: recorded if a gradient flows from here or from the value."""
        if isinstance(value, list | tuple):
            value = np.asarray(plain(_without_tensors(name, value)))
        recording = is_grad_enabled() and (
            self.requires_grad or (isinstance(value, Value) and value.requires_grad)
        )
        if recording and self.dtype.kind == "f":
            return self._become(name, ops.put(self, value, _kept(index)))
        self._check_owner(name)
        check_writable(self.array, name)
        if isinstance(value, Value):
            check_view(value, name)
        try:
            self.array[complete(plain_index(index))] = plain(value)
        except (ValueError, IndexError) as error:
            kind = IdError if isinstance(error, IndexError) else ShapeError
            raise kind(f"{name}: {error} (to a tensor of shape {self.shape})") from error
        self.version[0] += 1
        return self

    # ------------------------------------------------------------ reductions

    def _dim(self, name: str, dim: Any, count: Int | None = None) -> Int:
        """A dim counted from the front, checked."""
        count = self.ndim if count is None else count
        if not hasattr(dim, "__index__"):
            raise DTypeError(f"{name}: dim is {dim!r}, expected an integer")
        if not -max(count, 1) <= dim < max(count, 1):
            raise DimError(
                f"{name}: dim {dim} of a tensor of shape {self.shape}, "
                f"expected one from {-max(count, 1)} to {max(count, 1) - 1}"
            )
        return dim % count if count else 0

    def _dims(self, name: str, dim: Dim) -> Any:
        """Dims counted from the front, checked; None for all."""
        if dim is None or (not self.ndim and dim in (0, -1, (0,), (-1,))):
            return None
        if isinstance(dim, tuple | list):
            dims = tuple(self._dim(name, d) for d in dim)
            if len(set(dims)) < len(dims):
                raise DimError(f"{name}: dim {dim!r} names a dim twice")
            return dims or None
        return self._dim(name, dim)

    def sum(self, dim: Dim = None, keepdim: Bool = False, dtype: Any = None) -> Self:
        """The sum, of all or along dims."""
        x = self if dtype is None else self.to(dtype)
        return ops.sum(x, self._dims("sum", dim), keepdim)

    def mean(self, dim: Dim = None, keepdim: Bool = False, dtype: Any = None) -> Self:
        """The mean, of all or along dims; floats only."""
        x = self if dtype is None else self.to(dtype)
        if x.dtype.kind != "f":
            raise DTypeError(f"mean: got a {x.dtype} tensor, expected floats; use .float()")
        dims = self._dims("mean", dim)
        if not self.numel() and not ops.sum(x, dims).numel() == 0:
            raise ShapeError(f"mean: nothing to average in a tensor of shape {self.shape}")
        return ops.mean(x, dims, keepdim)

    def var(self, dim: Dim = None, correction: Float = 1, keepdim: Bool = False) -> Self:
        """The variance, divided by the count less ``correction``."""
        dims = self._dims("var", dim)
        deviation = self - self.mean(dim, keepdim=True)
        total = ops.sum(ops.square(deviation), dims, keepdim)
        count = self.numel() / max(total.numel(), 1)
        return total / max(count - correction, 0.0)

    def std(self, dim: Dim = None, correction: Float = 1, keepdim: Bool = False) -> Self:
        """The standard deviation: the root of ``var``; its gradient is 0 where nothing varies."""
        var = self.var(dim, correction, keepdim)
        flat = ops.equal(var, 0)
        return ops.where(flat, 0.0, ops.where(flat, 1.0, var).sqrt())

    def _extremum(self, name: str, dim: Int | None, keepdim: Bool) -> Any:
        if not self.numel() and (dim is None or not self.size(dim)):
            raise ShapeError(f"{name}: nothing to choose from in a tensor of shape {self.shape}")
        reduce, arg = (ops.max, ops.argmax) if name == "max" else (ops.min, ops.argmin)
        if dim is None:
            return reduce(self)
        dim = self._dim(name, dim)
        if not self.ndim:
            return Extremum(self.clone(), wrap(np.zeros((), int64)))
        indices = arg(self, dim, True)
        values = self.take_along_dim(indices, dim)
        if not keepdim:
            values, indices = values.squeeze(dim), indices.squeeze(dim)
        return Extremum(values, indices)

    def max(self, dim: Int | None = None, keepdim: Bool = False) -> Any:
        """The largest element, or along a dim ``(values, indices)``."""
        return self._extremum("max", dim, keepdim)

    def min(self, dim: Int | None = None, keepdim: Bool = False) -> Any:
        """The smallest element, or along a dim ``(values, indices)``."""
        return self._extremum("min", dim, keepdim)

    def amax(self, dim: Dim = None, keepdim: Bool = False) -> Self:
        """The largest along dims; ties share the gradient."""
        return ops.max(self, self._dims("amax", dim), keepdim)

    def amin(self, dim: Dim = None, keepdim: Bool = False) -> Self:
        """The smallest along dims; ties share the gradient."""
        return ops.min(self, self._dims("amin", dim), keepdim)

    def argmax(self, dim: Int | None = None, keepdim: Bool = False) -> Self:
        """Where the largest is, first of equals."""
        return ops.argmax(self, self._dims("argmax", dim), keepdim)

    def argmin(self, dim: Int | None = None, keepdim: Bool = False) -> Self:
        """Where the smallest is, first of equals."""
        return ops.argmin(self, self._dims("argmin", dim), keepdim)

    def logsumexp(self, dim: Dim, keepdim: Bool = False) -> Self:
        """log(sum(e^x)), without overflow."""
        return ops.logsumexp(self, self._dims("logsumexp", dim), keepdim)

    def softmax(self, dim: Int) -> Self:
        """e^x / sum(e^x) along a dim."""
        return ops.softmax(self, self._dim("softmax", dim))

    def log_softmax(self, dim: Int) -> Self:
        """log(softmax(x)) along a dim."""
        return ops.log_softmax(self, self._dim("log_softmax", dim))

    def all(self, dim: Dim = None, keepdim: Bool = False) -> Self:
        """Whether all are true."""
        return ops.all(self, self._dims("all", dim), keepdim)

    def any(self, dim: Dim = None, keepdim: Bool = False) -> Self:
        """Whether one is true."""
        return ops.any(self, self._dims("any", dim), keepdim)

    # ------------------------------------------------------------ matrix products

    def matmul(self, other: Operand) -> Self:
        """The matrix product, with NumPy's rules for vectors and for stacks of matrices."""
        y: Tensor = other if isinstance(other, Tensor) else wrap(np.asarray(other))
        if not self.ndim or not y.ndim or self.shape[-1] != y.shape[-2 if y.ndim > 1 else 0]:
            raise ShapeError(
                f"matmul: the shapes {self.shape} and {y.shape} do not fit: the last dim of the "
                "first is summed with the last but one of the second"
            )
        left = self if self.ndim > 1 else self.reshape(1, -1)
        right = y if y.ndim > 1 else y.reshape(-1, 1)
        out = ops.matmul(left, right)
        if self.ndim == 1:
            out = out.squeeze(-2)
        return out.squeeze(-1) if y.ndim == 1 else out

    # ------------------------------------------------------------ shape

    def reshape(self, *shape: Any) -> Self:
        """The same elements in another shape; one size may be -1."""
        sizes = _sizes("reshape", shape)
        known = math.prod(n for n in sizes if n >= 0)
        unknown = sum(n < 0 for n in sizes)
        total = self.numel()
        if (
            unknown > 1
            or min(sizes, default=0) < -1
            or ((known == 0 or total % known) if unknown else known != total)
        ):
            raise ShapeError(
                f"reshape: a tensor of shape {self.shape} has {total} elements, "
                f"which do not fit {sizes}"
            )
        return ops.reshape(self, tuple(total // known if n < 0 else n for n in sizes))

    def view(self, *shape: Any) -> Self:
        """As :meth:`reshape`."""
        return self.reshape(*shape)

    def flatten(self, start_dim: Int = 0, end_dim: Int = -1) -> Self:
        """The dims from ``start_dim`` to ``end_dim`` as one."""
        first, last = self._dim("flatten", start_dim), self._dim("flatten", end_dim)
        if first > last:
            raise DimError(f"flatten: start_dim {start_dim} comes after end_dim {end_dim}")
        joined = math.prod(self.shape[first : last + 1])
        return self.reshape(*self.shape[:first], joined, *self.shape[last + 1 :])

    def squeeze(self, dim: Dim = None) -> Self:
        """Without its dims of size 1, or without those named, if they are of size 1."""
        dims = range(self.ndim) if dim is None else self._dims("squeeze", dim)
        chosen = (dims,) if isinstance(dims, Int) else tuple(dims or ())
        kept = [n for i, n in enumerate(self.shape) if n != 1 or i not in chosen]
        return self.reshape(kept)

    def unsqueeze(self, dim: Int) -> Self:
        """With a new dim of size 1 at ``dim``."""
        dim = self._dim("unsqueeze", dim, self.ndim + 1)
        return self.reshape(*self.shape[:dim], 1, *self.shape[dim:])

    def permute(self, *dims: Any) -> Self:
        """The dims in another order."""
        given = _sizes("permute", dims)
        axes = tuple(self._dim("permute", d) for d in given)
        if sorted(axes) != list(range(self.ndim)):
            raise DimError(
                f"permute: got the dims {given} for a tensor of shape {self.shape}, "
                "expected each of its dims once"
            )
        return ops.permute_dims(self, axes)

    def transpose(self, dim0: Int, dim1: Int) -> Self:
        """Two dims exchanged."""
        one, two = self._dim("transpose", dim0), self._dim("transpose", dim1)
        axes = list(range(self.ndim))
        if axes:
            axes[one], axes[two] = axes[two], axes[one]
        return ops.permute_dims(self, tuple(axes))

    def movedim(self, source: Any, destination: Any) -> Self:
        """Dims moved to other places, the rest in order."""
        sources = source if isinstance(source, tuple | list) else (source,)
        targets = destination if isinstance(destination, tuple | list) else (destination,)
        taken = [self._dim("movedim", d) for d in sources]
        placed = [self._dim("movedim", d) for d in targets]
        if (
            len(taken) != len(placed)
            or len(set(taken)) < len(taken)
            or len(set(placed)) < len(placed)
        ):
            raise DimError(f"movedim: {source!r} cannot be moved to {destination!r}")
        order = [i for i in range(self.ndim) if i not in taken]
        for place, axis in sorted(zip(placed, taken, strict=True)):
            order.insert(place, axis)
        return self.permute(order)

    def broadcast_to(self, *shape: Any) -> Self:
        """Repeated, without a copy, to a larger shape."""
        return ops.broadcast_to(self, _sizes("broadcast_to", shape))

    def expand(self, *sizes: Any) -> Self:
        """As :meth:`broadcast_to`; -1 keeps a size."""
        wanted = _sizes("expand", sizes)
        lead = len(wanted) - self.ndim
        if lead < 0 or -1 in wanted[:lead]:
            raise ShapeError(f"expand: a tensor of shape {self.shape} does not expand to {wanted}")
        kept = wanted[:lead] + tuple(
            old if new == -1 else new for old, new in zip(self.shape, wanted[lead:], strict=True)
        )
        return ops.broadcast_to(self, kept)

    def flip(self, *dims: Any) -> Self:
        """In reverse order along dims."""
        return ops.flip(self, tuple(self._dim("flip", d) for d in _sizes("flip", dims)))

    def split(self, split_size: Int | Sequence[Int], dim: Int = 0) -> tuple[Self, ...]:
        """Pieces of a size, the last one perhaps smaller, or of the sizes given."""
        dim = self._dim("split", dim)
        total = self.shape[dim]
        if isinstance(split_size, Int):
            if split_size < 1:
                raise OptionError(f"split: split_size is {split_size}, expected at least 1")
            sizes = [min(split_size, total - i) for i in range(0, max(total, 1), split_size)]
        else:
            sizes = list(split_size)
            if sum(sizes) != total or min(sizes, default=0) < 0:
                raise ShapeError(f"split: the sizes {sizes} do not add up to {total}")
        pieces, start = [], 0
        for size in sizes:
            pieces.append(self.narrow(dim, start, size))
            start += size
        return tuple(pieces)

    def chunk(self, chunks: Int, dim: Int = 0) -> tuple[Self, ...]:
        """At most ``chunks`` pieces of equal size, the last one perhaps smaller."""
        if chunks < 1:
            raise OptionError(f"chunk: chunks is {chunks}, expected at least 1")
        return self.split(max(-(-self.shape[self._dim("chunk", dim)] // chunks), 1), dim)

    def unbind(self, dim: Int = 0) -> tuple[Self, ...]:
        """The slices along a dim, without that dim."""
        dim = self._dim("unbind", dim)
        return tuple(self.select(dim, i) for i in range(self.shape[dim]))

    def narrow(self, dim: Int, start: Int, length: Int) -> Self:
        """``length`` slices of a dim, from ``start`` on."""
        dim = self._dim("narrow", dim)
        if not 0 <= start <= start + length <= self.shape[dim]:
            raise IdError(f"narrow: {start} to {start + length} of a dim of size {self.shape[dim]}")
        return self[(slice(None),) * dim + (slice(start, start + length),)]

    def select(self, dim: Int, index: Int) -> Self:
        """One slice of a dim, without that dim."""
        return self[(slice(None),) * self._dim("select", dim) + (index,)]

    def index_select(self, dim: Int, index: "Tensor") -> Self:
        """The slices of a dim that a 1-d integer tensor names."""
        return self[(slice(None),) * self._dim("index_select", dim) + (index,)]

    def take_along_dim(self, indices: "Tensor", dim: Int) -> Self:
        """Elements named by their place along one dim; the other dims as in ``indices``."""
        dim = self._dim("take_along_dim", dim)
        if indices.ndim != self.ndim:
            raise ShapeError(
                f"take_along_dim: indices has shape {indices.shape}, expected {self.ndim} dims, as "
                f"the tensor of shape {self.shape}"
            )
        others = [1 if i == dim else n for i, n in enumerate(self.shape)]
        indices = indices.broadcast_to(np.broadcast_shapes(indices.shape, tuple(others)))
        grid: list[Any] = [
            np.arange(n).reshape((1,) * i + (n,) + (1,) * (self.ndim - i - 1))
            for i, n in enumerate(indices.shape)
        ]
        grid[dim] = indices
        return self[tuple(grid)]


def cotangent(name: str, output: Tensor, gradient: Tensor | None) -> Tensor:
    """The gradient with which a walk back from ``output`` begins."""
    check_view(output, name)
    if not output.requires_grad:
        why = (
            "it is of integers"
            if output.dtype.kind != "f"
            else "nothing that it was made from does"
        )
        raise GraphError(
            f"{name}: this tensor does not require grad ({why}, or it was made under no_grad())"
        )
    if gradient is None:
        if output.numel() != 1:
            raise GraphError(
                f"{name}: got an output of shape {output.shape}, expected one element; "
                "pass a gradient of its shape, or reduce it with .sum() or .mean()"
            )
        return wrap(backend_of(output.array).ones_like(output.array))
    if not isinstance(gradient, Tensor):
        raise DTypeError(f"{name}: gradient is a {type(gradient).__name__}, expected a Tensor")
    if gradient.shape != output.shape:
        raise ShapeError(
            f"{name}: gradient has shape {gradient.shape}, expected {output.shape}, the output's"
        )
    return gradient


_hook_numbers = itertools.count()


class _Handle:
    """Takes a hook away again."""

    def __init__(self, hooks: dict[Float, Any], key: Float) -> None:
        self._hooks, self._key = hooks, key

    def remove(self) -> None:
        self._hooks.pop(self._key, None)

    __call__ = remove


def as_dtype(dtype: Any, name: str) -> Any:
    """A NumPy dtype that tensors can have."""
    try:
        found = np.dtype(dtype)
    except TypeError:
        found = None
    if found is None or found.kind not in "biuf" or found == np.float16 or found.itemsize > 8:
        raise DTypeError(
            f"{name}: got the dtype {dtype!r}, expected float32, float64, an integer type or bool"
        )
    return found.newbyteorder("=")


Value.kind = Tensor
