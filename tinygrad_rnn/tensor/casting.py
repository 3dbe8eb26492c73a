"""The same values in another dtype or on another device, and new tensors."""

from numbers import Real
from types import NoneType
from typing import Self

import numpy as np

from .. import ops
from ..backend import backend_of, find, libraries
from ..convert import (
    as_dtype,
    check_export,
    dtype_of_type,
    host_copy,
    on_host,
    type_name,
)
from ..engine.node import Value
from ..errors import DTypeError, check_type
from ..errors.boundary import name_errors
from ..types import Data, DeviceLike, DType, Operand, Setting
from . import dtypes
from .arguments import sizes_of
from .autograd import Autograd
from .base import is_tensor
from .moving import Movable


class Casting(Movable, Autograd):
    """The same values in another dtype or on another device, and new tensors."""

    __slots__ = ()

    # ------------------------------------------------------------ new tensors

    def new_tensor(
        self,
        data: Data,
        dtype: DType = None,
        device: DeviceLike = None,
        requires_grad: bool = False,
    ) -> Self:
        """Return a copy of a list, an array or a tensor, in this dtype by default."""
        kind = self.dtype if dtype is None else dtype
        made = self._from_host(host_copy("new_tensor", data, kind)).to(device=device)
        return made.requires_grad_() if requires_grad else made

    @name_errors
    def new_full(
        self,
        size: object,
        fill_value: Setting,
        dtype: DType = None,
        device: DeviceLike = None,
    ) -> Self:
        """Return one value in a shape; ``dtype`` and ``device`` may differ."""
        kind = as_dtype(dtype or self.dtype, "new_full")
        check_export("new_full", fill_value)
        value = fill_value.item() if is_tensor(fill_value) else fill_value
        check_type("new_full", Real, "a number", fill_value=value)
        made = self._from_host(np.full(sizes_of((size,)), value, kind))
        return made.to(device=device)

    @name_errors
    def new_zeros(self, *size: object, **options: object) -> Self:
        """Return zeros in a shape, with the options of :meth:`new_full`."""
        return self.new_full(sizes_of(size), 0, **options)

    @name_errors
    def new_ones(self, *size: object, **options: object) -> Self:
        """Return ones in a shape, with the options of :meth:`new_full`."""
        return self.new_full(sizes_of(size), 1, **options)

    @name_errors
    def new_empty(self, *size: object, **options: object) -> Self:
        """Return what :meth:`new_zeros` does; in PyTorch the values are not defined."""
        return self.new_zeros(*size, **options)

    @name_errors
    def new(self, *data: Data) -> Self:
        """Return a copy of a list or an array, or zeros in a shape."""
        if not data:
            return self.new_zeros(0)
        if len(data) > 1 or isinstance(data[0], int | tuple):
            return self.new_zeros(*data)
        return self._from_host(np.array(on_host(data[0], "new"), self.dtype))

    # ---------------------------------------------- another dtype or device

    def to(
        self,
        *args: object,
        dtype: DType = None,
        device: DeviceLike = None,
        **others: object,
    ) -> Self:
        """Convert to another dtype or device; return itself if nothing changes.

        Gradients flow through it, back into the old dtype and device.

        Args:
            *args: a dtype, a device, both, or a tensor that has them.
            dtype: such as ``tg.float64``, or its name.
            device: such as ``"cpu"`` or ``"cuda:0"``.

        Raises:
            DTypeError: neither a dtype that tensors can have nor a device, or another
                keyword.

        Example:
            >>> import tinygrad_rnn as tg
            >>> tg.tensor([1, 2]).to(tg.float32)
            tensor([1., 2.], dtype=float32)
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
        source = backend_of(self.array).name
        target = source if device is None else find(device).name
        result = self
        if dtype is not None:
            dtype = as_dtype(dtype, "to")
            if dtype != self.dtype:  # only floats have gradients
                result = ops.astype(self if dtype.kind == "f" else self.detach(), dtype)
        if target != source:
            result = ops.to_device(result, target, source)
        return result

    def type_as(self, other: Operand) -> Self:
        """Convert to the dtype and the device of another tensor."""
        check_type("type_as", Value, "a Tensor", other=other)
        return self.to(other)

    def type(self, dtype: DType = None) -> Operand:
        """Convert to another dtype; without one, return PyTorch's name of this one.

        ``dtype`` may also be such a name, or a constructor such as ``tg.LongTensor``.
        """
        if dtype is None:
            device = "cuda." if self.is_cuda else ""
            return f"torch.{device}{type_name(self.dtype)}"
        return self.to(dtype=as_dtype(dtype_of_type(dtype), "type"))

    def to_device(self, device: str, /, *, stream: None = None) -> Self:
        """Copy to another device, in the array API's form; ``stream`` must be None."""
        check_type("to_device", NoneType, "None", stream=stream)
        expected = "the name of a device, such as 'cpu'"
        check_type("to_device", str, expected, device=device)
        return self.to(device=device)

    def long(self) -> Self:
        """Convert to int64."""
        return self.to(dtypes.int64)

    def int(self) -> Self:
        """Convert to int32."""
        return self.to(dtypes.int32)

    def bool(self) -> Self:
        """Convert to bool: true where not 0."""
        return self.to(dtypes.bool)

    def contiguous(self) -> Self:
        """Return itself if its elements lie in order, else a copy."""
        flags = getattr(self.array, "flags", None)
        return self if flags is None or flags.c_contiguous else self.clone()
