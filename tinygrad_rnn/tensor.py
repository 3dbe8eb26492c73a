"""Tensor: an array, its gradient and its place in the graph; what it can do is in
`methods`.
"""

import weakref
from collections.abc import Callable, Iterator
from functools import partial
from numbers import Real
from types import NoneType
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from . import ops
from .backend import backend_of, find, libraries
from .backend.device import device
from .backend.standard import numpy_dtype
from .convert import (
    array_of,
    as_dtype,
    check_export,
    constructed,
    copied,
    dtype_of_type,
    get_default_dtype,
    index_of,
    on_host,
    type_name,
)
from .engine.arguments import enter, one_device, raise_translated
from .engine.mode import is_grad_enabled
from .engine.node import (
    RETAIN,
    Node,
    Value,
    assign,
    births,
    check_fits,
    check_no_leaf,
    check_view,
    check_writable,
    count_change,
    replace_array,
    take_over,
    wrap,
)
from .engine.walk import backward
from .engine.warned import watched
from .errors import DTypeError, GraphError, OptionError, ShapeError

# isort: split
from .errors import check_numbers, check_type, described, left_out
from .errors.boundary import named
from .methods import Bool, Float, Int, sizes_of
from .random import Generator, host
from .selection import Selection

float32, float64, int32, int64, bool_ = map(np.dtype, ("f4", "f8", "i4", "i8", "?"))
int8, int16, uint8, uint16, uint32, uint64 = map(
    np.dtype, ("i1", "i2", "u1", "u2", "u4", "u8")
)


class Tensor(Selection):
    """An array with a gradient. Made by :func:`tinygrad_rnn.tensor` and its kin.

    >>> import tinygrad_rnn as tg
    >>> x = tg.tensor([1.0, 2.0], requires_grad=True)
    >>> (x * x).sum().backward()
    >>> x.grad
    tensor([2., 4.], dtype=float32)
    """

    __slots__ = ()
    namespace: ClassVar[Any]  # set by `array_api`

    def __init__(self, *data: Any) -> None:
        """A copy of numbers in a list, an array or a Tensor, in the default dtype."""
        self._hold(constructed("Tensor", data, get_default_dtype()))

    def _hold(self, array: Any, version: list[Int] | None = None) -> None:
        """Begin as a leaf with this array, without a copy."""
        self.array = array
        self.version = [0, 0] if version is None else version
        self._grad = self.hooks = self.node = self.epoch = self.source = None
        self.needs_grad = False

    # ------------------------------------------------------------ what it is

    @property
    def data(self) -> "Tensor":
        """The same memory outside of the graph, as :meth:`detach`; also to be assigned.

        A change that is made through it is not recorded, but counted, as is an
        assignment: a later backward that needs the old values raises GraphError. A
        Tensor that is assigned shares its memory from then on; shape, dtype and device
        may be others if this one is a leaf. An array must have this tensor's dtype.

        >>> import tinygrad_rnn as tg
        >>> w = tg.tensor([1.0, 2.0], requires_grad=True)
        >>> (w * 3.0).sum().backward()
        >>> w.data -= 0.5 * w.grad
        >>> w
        tensor([-0.5,  0.5], dtype=float32, requires_grad=True)
        """
        return self.detach()

    @data.setter
    def data(self, value: Any) -> None:
        is_tensor = isinstance(value, Value)
        if is_tensor and value.array is self.array and value.version is self.version:
            return  # by an operator, as in x.data -= y: changed already, and counted
        check_view(self, "data")
        if not is_tensor:
            array = np.asarray(value) if isinstance(value, np.generic) else value
            if type(array) is not type(self.array) or array.dtype != self.dtype:
                got = f"got {described(array)}, expected a Tensor or an array of {self.dtype}"
                raise DTypeError(
                    f"data: {got}; use .to(), .float(), or .data.fill_() of a number"
                )
            value = wrap(array)
        self._check_data(value)
        replace_array(self, value.array, value.version)

    def _check_data(self, value: Any) -> None:
        """Raise if a Tensor cannot take the place of this one's memory."""
        old, new = (backend_of(x.array).name for x in (self, value))
        if self.needs_grad and value.dtype.kind != "f":
            raise DTypeError(
                f"data: got {described(value)}, expected floats, as it requires grad"
            )
        if self.node is not None and (value.dtype, new) != (self.dtype, old):
            got = f"got {value.dtype} on {new}, expected {self.dtype} on {old}"
            raise DTypeError(f"data: {got}: only a leaf can change them; use .to()")
        if self.node is not None and value.shape != self.shape:
            got = f"got shape {value.shape}, expected {self.shape}"
            raise ShapeError(
                f"data: {got}: only a leaf can change it; use .detach() first"
            )

    @property
    def requires_grad(self) -> Bool:
        "Whether backward() gives it a gradient."
        return self.needs_grad

    @requires_grad.setter
    def requires_grad(self, value: Bool) -> None:
        self.requires_grad_(value)

    @property
    def grad(self) -> Any:
        "What backward() has left here, None before."
        return self._grad

    @grad.setter
    def grad(self, value: Any) -> None:
        if value is not None:  # as it is most of the time: zero_grad()
            check_type("grad", Tensor, "a Tensor or None", value=value)
            one_device("grad", (self.array, value.array))
            if (value.shape, value.dtype) != (self.shape, self.dtype):
                kind = DTypeError if value.shape == self.shape else ShapeError
                raise kind(f"grad: got {described(value)}, expected {described(self)}")
        self._grad = value

    @grad.deleter
    def grad(self) -> None:
        self._grad = None

    @property
    def device(self) -> device:
        "Where it lives."
        return device(backend_of(self.array).name)

    @property
    def is_cuda(self) -> Bool:
        "Whether it lives on a GPU."
        return self.device.type == "cuda"

    @property
    def is_leaf(self) -> Bool:
        "Whether no recorded operation made it."
        return self.node is None

    @property
    def grad_fn(self) -> Node | None:
        "The recorded operation that made it."
        return self.node

    def __repr__(self) -> str:
        values = np.array2string(on_host(self), separator=", ", prefix="tensor(")
        place = "" if self.device == "cpu" else f", device={str(self.device)!r}"
        leaf = ", requires_grad=True" if self.requires_grad else ""
        made = leaf if self.node is None else f", grad_fn={self.node!r}"
        return f"tensor({values}, dtype={self.dtype}{place}{made})"

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            raise left_out.error("tg.Tensor", name, lambda: dir(type(self)))

    # ------------------------------------------------------------ out of the graph

    def numpy(self) -> np.ndarray:
        """The array itself, memory shared; of a tensor on the CPU."""
        if self.device != "cpu":
            raise DTypeError(
                f"numpy: this tensor is on {self.device}; copy it by .cpu() first"
            )
        return self.array

    def __array__(self, dtype: Any = None, copy: Bool | None = None) -> np.ndarray:
        check_export("conversion to a NumPy array", self)
        return np.array(self.numpy(), dtype=dtype, copy=copy)

    def tolist(self) -> Any:
        "Nested lists of Python numbers."
        return on_host(self).tolist()

    def __dlpack_device__(self) -> Any:
        return self.array.__dlpack_device__()

    def __array_namespace__(self, *, api_version: Any = None) -> Any:
        return self.namespace

    def __dlpack__(
        self,
        *,
        stream: Any = None,
        max_version: Any = None,
        dl_device: Any = None,
        copy: Bool | None = None,
    ) -> Any:
        check_export("conversion by DLPack", self)
        how = {"max_version": max_version, "dl_device": dl_device, "copy": copy}
        how = {name: value for name, value in how.items() if value is not None}
        try:
            return self.array.__dlpack__(stream=stream, **how)
        except (
            TypeError
        ):  # NumPy 2.0 knows none of these: the first version has no more to say
            if copy or dl_device not in (None, self.__dlpack_device__()):
                raise
            return self.array.__dlpack__(stream=stream)

    def item(self) -> Any:
        """The value of a tensor of one element, as a Python number."""
        if self.array.size != 1:
            raise ShapeError(
                f"item: got shape {self.shape}, expected one element; use tolist()"
            )
        return on_host(self).item()

    def detach(self) -> Self:
        """The same memory, outside of the graph."""
        return wrap(self.array, None, self.version)

    def detach_(self) -> Self:
        """Leave the graph: a leaf that does not require grad, with the same memory.

        Not for views, which are parts of another tensor's memory: use :meth:`detach`.
        """
        if self.epoch is not None:
            raise GraphError("detach_: this is a view; use x = x.detach()")
        self.node = self.hooks = None
        self.needs_grad = False
        return self

    def __len__(self) -> Int:
        if not self.ndim:
            raise DTypeError(
                "len: a 0-d tensor has no length, and nothing to iterate over"
            )
        return self.shape[0]

    def __iter__(self) -> Iterator[Self]:
        return (
            self[i] for i in range(len(self))
        )  # lazily: a change makes later views anew

    def __bool__(self) -> Bool:
        if self.numel() != 1:
            unclear = f"a tensor of shape {self.shape} is neither true nor false"
            raise ShapeError(f"bool: {unclear}; use .any() or .all()")
        return Bool(self.item())

    def __index__(self) -> Int:
        if self.dtype.kind not in "iu" or self.ndim:
            raise DTypeError(f"index: got a {described(self)}, expected a 0-d integer")
        return Int(self)

    def __contains__(self, item: Any) -> Bool:
        return Bool(self.eq(item).any())

    def __float__(self) -> Float:
        return Float(self.item())

    def __int__(self) -> Int:
        return Int(self.item())

    def __copy__(self) -> Self:
        return self.__deepcopy__({})

    def __format__(self, spec: str) -> str:
        if not spec:
            return repr(self)
        if self.ndim:
            way = "use .item() for one element, .tolist() for several"
            raise DTypeError(
                f"format: {spec!r} of a tensor of shape {self.shape}: {way}"
            )
        return format(self.item(), spec)

    def __getstate__(self) -> Any:
        if self.node is not None:
            raise GraphError("pickle: only leaves can be pickled; use x.detach()")
        state: Any = object.__getstate__(self)  # attributes, slots
        return state[0], state[1] | {
            "source": None,
            "epoch": None,
        }  # a view, on its own

    def __deepcopy__(self, memo: dict[Int, Any]) -> Self:
        if self.node is not None:
            way = "use x.detach().clone(), or x.detach().numpy() for what draws it"
            raise GraphError(f"copy, deepcopy: only leaves can be copied; {way}")
        out: Self = type(self).__new__(type(self))
        out._hold(backend_of(self.array).array(self.array))
        out.needs_grad = self.needs_grad
        memo[id(self)] = out
        out._grad = (
            None if self._grad is None else self._grad.detach().clone()
        )  # fit or not
        return out

    # ------------------------------------------------------------ gradients

    def requires_grad_(self, requires_grad: Bool = True) -> Self:
        """Ask for its gradient, or no longer; floats only."""
        check_type("requires_grad_", Bool, "True or False", requires_grad=requires_grad)
        if requires_grad and self.dtype.kind != "f":
            raise DTypeError(
                f"requires_grad: got a {self.dtype} tensor, expected floats: .float()"
            )
        if not requires_grad and self.node is not None:
            raise GraphError(
                "requires_grad_: only for leaves; use detach() to leave the graph"
            )
        self.needs_grad = requires_grad
        return self

    def backward(
        self,
        gradient: "Tensor | None" = None,
        retain_graph: Bool | None = None,
        create_graph: Bool = False,
        inputs: Any = None,
    ) -> None:
        """Add the gradient of this tensor to ``grad`` of every leaf it was made from.

        ``gradient`` is its own cotangent, needed unless it has one element.
        ``retain_graph`` keeps the graph for another walk, as ``create_graph`` does,
        which records this one for a further derivative. With ``inputs``, a Tensor or
        several, only their ``grad`` is added to, be they leaves or not.

        Raises GraphError for a graph that was walked before, or was not recorded.
        """
        keep = create_graph if retain_graph is None else retain_graph
        g = cotangent("backward", self, gradient)
        targets = None if inputs is None else targets_of("backward", inputs)
        backward([self], [g if create_graph else g.array], keep, create_graph, targets)

    def retain_grad(self) -> None:
        """Keep ``grad`` of this tensor too, though it is no leaf."""
        kept = weakref.ref(self)

        def keep(g: Tensor) -> None:
            if (tensor := kept()) is not None:
                tensor.grad = g.clone() if tensor.grad is None else tensor.grad + g

        if self.node is not None or not self.requires_grad:
            self._hook("retain_grad", keep, RETAIN)

    def register_hook(self, hook: Callable[["Tensor"], Any]) -> Callable[[], None]:
        """Call ``hook(grad)`` when the gradient is known; what it returns replaces it.

        Returns a handle: call it, or its ``remove()``, to take the hook away.
        """
        check_type("register_hook", Callable, "a function of the gradient", hook=hook)
        return self._hook("register_hook", hook, births())

    def _hook(self, name: str, hook: Callable[["Tensor"], Any], key: Float) -> "Handle":
        if not self.requires_grad:
            raise GraphError(f"{name}: this tensor does not require grad")
        holder = self.node or self
        hooks = holder.hooks = holder.hooks or {}
        hooks[key] = hook
        return Handle(hooks.pop, key, None)

    # ------------------------------------------------------------ conversions

    def contiguous(self) -> Self:
        """Itself if its elements lie in order, else a copy."""
        flags = getattr(self.array, "flags", None)
        return self if flags is None or flags.c_contiguous else self.clone()

    def to(
        self, *args: Any, dtype: Any = None, device: Any = None, **others: Any
    ) -> Self:
        """Another dtype, another device, or those of another tensor; itself if nothing
        changes.
        """
        if others:
            raise DTypeError(f"to: got {', '.join(others)}, expected dtype or device")
        for arg in args:
            if isinstance(arg, Tensor):
                dtype, device = arg.dtype, arg.device
            elif isinstance(arg, str) and arg.partition(":")[0] in libraries:
                device = arg
            elif arg is not None:
                dtype = arg
        here, moved = backend_of(self.array).name, self
        there = here if device is None else find(device).name
        if dtype is not None and (dtype := as_dtype(dtype, "to")) != self.dtype:
            moved = ops.astype(self if dtype.kind == "f" else self.detach(), dtype)
        return moved if there == here else ops.to_device(moved, there, here)

    def type_as(self, other: "Tensor") -> Self:
        """In the dtype, and on the device, of another tensor."""
        check_type("type_as", Tensor, "a Tensor", other=other)
        return self.to(other)

    def type(self, dtype: Any = None) -> Any:
        """In another dtype; without one, PyTorch's name of its own, such as
        ``torch.FloatTensor``.

        ``dtype`` may also be such a name, or a constructor such as ``tg.LongTensor``.
        """
        if dtype is None:
            place = "" if self.device == "cpu" else f"{self.device.type}."
            return f"torch.{place}{type_name(self.dtype)}"
        return self.to(dtype=as_dtype(dtype_of_type(dtype), "type"))

    def to_device(self, device: Any, /, *, stream: Any = None) -> Self:
        """On another device, as the array API names it; ``stream`` has to be None."""
        check_type("to_device", NoneType, "None", stream=stream)
        check_type(
            "to_device", str, "the name of a device, such as 'cpu'", device=device
        )
        return self.to(device=device)

    def cuda(self, device: Any = None) -> Self:
        """On a GPU: the first one, or that of a number or a name."""
        return self.to(device if isinstance(device, str) else f"cuda:{device or 0}")

    def cpu(self) -> Self:
        "On the CPU."
        return self.to("cpu")

    def float(self) -> Self:
        "As float32."
        return self.to(float32)

    def double(self) -> Self:
        "As float64."
        return self.to(float64)

    def long(self) -> Self:
        "As int64."
        return self.to(int64)

    def int(self) -> Self:
        "As int32."
        return self.to(int32)

    def bool(self) -> Self:
        "As bool: true where not 0."
        return self.to(bool_)

    def new_tensor(
        self,
        data: Any,
        dtype: Any = None,
        device: Any = None,
        requires_grad: Bool = False,
    ) -> Self:
        """A copy of data, in this tensor's dtype and place."""
        kind = self.dtype if dtype is None else dtype
        made = self._from_host(copied("new_tensor", data, kind)).to(device=device)
        return made.requires_grad_() if requires_grad else made

    def new_full(
        self, size: Any, fill_value: Any, dtype: Any = None, device: Any = None
    ) -> Self:
        """One value in a shape, in this tensor's dtype and place."""
        kind = as_dtype(dtype or self.dtype, "new_full")
        check_export("new_full", fill_value)
        value = fill_value.item() if isinstance(fill_value, Tensor) else fill_value
        check_type("new_full", Real, "a number", fill_value=value)
        made = self._from_host(np.full(sizes_of("new_full", (size,)), value, kind))
        return made.to(device=device)

    def new(self, *data: Any) -> Self:
        """A tensor of this dtype and place: of a list or an array, or zeros in a shape."""
        if not data:
            return self.new_zeros(0)
        if len(data) > 1 or isinstance(data[0], Int | tuple):
            return self.new_zeros(*data)
        return self._from_host(np.array(on_host(data[0], "new"), self.dtype))

    def new_empty(self, *size: Any, **how: Any) -> Self:
        """As :meth:`new_zeros`; PyTorch does not define what is in it."""
        return self.new_zeros(*size, **how)

    def new_zeros(self, *size: Any, **how: Any) -> Self:
        """Zeros in a shape, in this tensor's dtype and place."""
        return self.new_full(sizes_of("new_zeros", size), 0, **how)

    def new_ones(self, *size: Any, **how: Any) -> Self:
        """Ones in a shape, in this tensor's dtype and place."""
        return self.new_full(sizes_of("new_ones", size), 1, **how)

    # ------------------------------------------------------------ in place

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
        owner: Tensor | None = self
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
        if self.epoch is None or result.node is None:
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
        self.epoch = fresh.epoch
        return self

    def add_(self, other: Any) -> Self:
        "x + other."
        return self._into("add_", ops.add, other)

    def sub_(self, other: Any) -> Self:
        "x - other."
        return self._into("sub_", ops.subtract, other)

    def mul_(self, other: Any) -> Self:
        "x * other."
        return self._into("mul_", ops.multiply, other)

    def div_(self, other: Any) -> Self:
        "x / other."
        return self._into("div_", ops.divide, other)

    def fill_(self, value: Float) -> Self:
        "One value."
        return self._write("fill_", ..., value)

    def zero_(self) -> Self:
        "0 everywhere."
        return self.fill_(0)

    def __setitem__(self, index: Any, value: Any) -> None:
        self._write("assignment", index, value)

    __iadd__, __isub__, __imul__, __itruediv__ = add_, sub_, mul_, div_

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

    def clamp_(self, min: Any = None, max: Any = None) -> Self:
        """In place, no smaller than ``min``, no larger than ``max``."""
        return self._into("clamp_", type(self).clamp, min, max)

    def copy_(self, other: "Tensor") -> Self:
        """In place, the values of ``other``, broadcast and converted."""
        given = other.to(self.device) if isinstance(other, Tensor) else other
        return self._write("copy_", ..., given)

    def masked_fill_(self, mask: Any, value: Any) -> Self:
        """In place, ``value`` where ``mask``."""
        return self._into("masked_fill_", type(self).masked_fill, mask, value)

    def uniform_(
        self, from_: Float = 0.0, to: Float = 1.0, generator: Generator | None = None
    ) -> Self:
        """In place, drawn from the uniform distribution over [from_, to)."""
        self._check_fill("uniform_", "f")
        check_numbers("uniform_", from_=from_, to=to)
        if not from_ <= to:
            raise OptionError(f"uniform_: from {from_} to {to}, expected from <= to")
        return self._fill_with(
            "uniform_", host("uniform_", generator).uniform(from_, to, self.shape)
        )

    def normal_(
        self, mean: Float = 0.0, std: Float = 1.0, generator: Generator | None = None
    ) -> Self:
        """In place, drawn from the normal distribution."""
        self._check_fill("normal_", "f")
        check_numbers("normal_", mean=mean)
        check_numbers("normal_", 0.0, std=std)
        return self._fill_with(
            "normal_", host("normal_", generator).normal(mean, std, self.shape)
        )

    def bernoulli_(self, p: Any = 0.5, generator: Generator | None = None) -> Self:
        """In place, 1 with probability ``p``, a number or a tensor that broadcasts,
        else 0.
        """
        self._check_fill("bernoulli_", "biuf")
        odds = p if isinstance(p, Tensor) else wrap(np.asarray(p))
        if odds.dtype.kind not in "biuf" or not ((odds >= 0) & (odds <= 1)).all():
            raise OptionError(f"bernoulli_: p is {p!r}, expected numbers from 0 to 1")
        each = on_host(odds.expand(self.shape))
        return self._fill_with(
            "bernoulli_", host("bernoulli_", generator).random(self.shape) < each
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

    def __getitem__(self, index: Any) -> Self:
        place = index_of("getitem", index, self.requires_grad)
        out: Self = ops.getitem(self, place)
        if out.source is not None:
            out.source = (out.source[0], place, out.source[2])
        return out

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
        recorded = self.needs_grad or (isinstance(value, Value) and value.needs_grad)
        if recorded and is_grad_enabled() and self.dtype.kind == "f":
            return self._become(name, ops.put(self, value, index_of(name, index, True)))
        self._check_owner(name)
        check_writable(self.array, name)
        arrays, _, xp = enter(name, (self, value))  # refuses a view that is out of date
        place = index_of(name, index)
        try:
            watched(name, xp.assign, self.array, place, arrays[1])
        except Exception as error:
            raise_translated(name, arrays, error, (place,))
            raise
        count_change(self.version, name)
        return self


def tensors_of(name: str, what: str, given: Any) -> tuple[Tensor, ...]:
    """A Tensor, or those of a sequence, as a tuple."""
    one = hasattr(given, "dtype") or not hasattr(given, "__iter__")
    tensors = (given,) if one else tuple(given)
    if not tensors:
        raise GraphError(f"{name}: got no {what}, expected at least one Tensor")
    for i, x in enumerate(tensors):
        check_type(name, Tensor, "a Tensor", **{what if one else f"{what}[{i}]": x})
    return tensors


def targets_of(name: str, inputs: Any) -> list[Tensor]:
    """The tensors whose ``grad`` a walk adds to, each once."""
    given = tensors_of(name, "inputs", inputs)
    for i, x in enumerate(given):
        if not x.requires_grad:
            raise GraphError(f"{name}: input {i} does not require grad")
    return list({id(x): x for x in given}.values())


def cotangent(name: str, output: Tensor, gradient: Tensor | None) -> Tensor:
    """The gradient with which a walk back from ``output`` begins."""
    check_view(output, name)
    if not output.requires_grad:
        unmade = (
            "nothing that it came from does, or it was made under no_grad(); a gradient has a "
            "graph of its own only if create_graph=True was given where it was computed"
        )
        why = unmade if output.dtype.kind == "f" else "it is of integers"
        raise GraphError(f"{name}: this tensor does not require grad: {why}")
    if gradient is None:
        if output.numel() != 1:
            way = "pass a gradient of its shape, or reduce it with .sum() or .mean()"
            got = f"an output of shape {output.shape}"
            raise GraphError(f"{name}: got {got}, expected one element; {way}")
        return wrap(backend_of(output.array).ones_like(output.array))
    if not isinstance(gradient, Tensor):
        raise DTypeError(
            f"{name}: gradient is a {type(gradient).__name__}, expected a Tensor"
        )
    one_device(name, (output.array, gradient.array))
    if gradient.shape != output.shape:
        raise ShapeError(
            f"{name}: gradient has shape {gradient.shape}, expected {output.shape}"
        )
    return gradient


class Handle(partial[Any]):
    """Takes a hook away again: by ``remove()``, by a call, or at the end of a ``with``."""

    def remove(self) -> None:
        self()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self()


# As in `methods`.
for name in [
    "add_",
    "sub_",
    "mul_",
    "div_",
    "clamp_",
    "fill_",
    "copy_",
    "masked_fill_",
]:
    setattr(Tensor, name, named(vars(Tensor)[name]))
for name in ["bernoulli_", "new", "new_empty", "new_full"]:
    setattr(Tensor, name, named(vars(Tensor)[name]))

Value.kind = Tensor
