"""Tensors as other things, and in other dtypes and places."""

from importlib import import_module
from numbers import Real
from types import ModuleType, NoneType
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from .. import ops
from ..backend import backend_of, find, libraries
from ..convert import as_dtype, check_export, copied, dtype_of_type, on_host, type_name
from ..engine.node import Value
from ..errors import DTypeError, GraphError, ShapeError, check_type, described
from ..errors.boundary import named
from . import dtypes
from .arguments import Bool, Float, Int, sizes_of
from .autograd import Autograd
from .base import is_tensor
from .reductions import Reductions

if TYPE_CHECKING:
    from . import Tensor


class Conversion(Reductions, Autograd):
    """Tensors as other things, and in other dtypes and places."""

    __slots__ = ()

    def __repr__(self) -> str:
        values = np.array2string(on_host(self), separator=", ", prefix="tensor(")
        place = "" if self.device == "cpu" else f", device={str(self.device)!r}"
        leaf = ", requires_grad=True" if self.requires_grad else ""
        made = leaf if self.node is None else f", grad_fn={self.node!r}"
        return f"tensor({values}, dtype={self.dtype}{place}{made})"

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

    def __array_namespace__(self, *, api_version: str | None = None) -> ModuleType:
        return import_module("..array_api", __package__)  # it stands on Tensor

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

    def __bool__(self) -> Bool:
        if self.numel() != 1:
            unclear = f"a tensor of shape {self.shape} is neither true nor false"
            raise ShapeError(f"bool: {unclear}; use .any() or .all()")
        return Bool(self.item())

    def __index__(self) -> Int:
        if self.dtype.kind not in "iu" or self.ndim:
            raise DTypeError(f"index: got a {described(self)}, expected a 0-d integer")
        return Int(self)

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
        state: Any = object.__getstate__(self)
        attributes, slots = state
        no_view = {"source": None, "view_version": None}
        return attributes, slots | no_view

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
            if is_tensor(arg):
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
        check_type("type_as", Value, "a Tensor", other=other)
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
        return self.to(dtypes.float32)

    def double(self) -> Self:
        "As float64."
        return self.to(dtypes.float64)

    def long(self) -> Self:
        "As int64."
        return self.to(dtypes.int64)

    def int(self) -> Self:
        "As int32."
        return self.to(dtypes.int32)

    def bool(self) -> Self:
        "As bool: true where not 0."
        return self.to(dtypes.bool)

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

    @named
    def new_full(
        self, size: Any, fill_value: Any, dtype: Any = None, device: Any = None
    ) -> Self:
        """One value in a shape, in this tensor's dtype and place."""
        kind = as_dtype(dtype or self.dtype, "new_full")
        check_export("new_full", fill_value)
        value = fill_value.item() if is_tensor(fill_value) else fill_value
        check_type("new_full", Real, "a number", fill_value=value)
        made = self._from_host(np.full(sizes_of("new_full", (size,)), value, kind))
        return made.to(device=device)

    @named
    def new(self, *data: Any) -> Self:
        """A tensor of this dtype and place: of a list or an array, or zeros in a shape."""
        if not data:
            return self.new_zeros(0)
        if len(data) > 1 or isinstance(data[0], Int | tuple):
            return self.new_zeros(*data)
        return self._from_host(np.array(on_host(data[0], "new"), self.dtype))

    @named
    def new_empty(self, *size: Any, **how: Any) -> Self:
        """As :meth:`new_zeros`; PyTorch does not define what is in it."""
        return self.new_zeros(*size, **how)

    def new_zeros(self, *size: Any, **how: Any) -> Self:
        """Zeros in a shape, in this tensor's dtype and place."""
        return self.new_full(sizes_of("new_zeros", size), 0, **how)

    def new_ones(self, *size: Any, **how: Any) -> Self:
        """Ones in a shape, in this tensor's dtype and place."""
        return self.new_full(sizes_of("new_ones", size), 1, **how)
