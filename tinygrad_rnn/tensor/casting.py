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
        """Return a copy of a list, an array or a tensor, in this dtype by default.

        Args:
            data: Numbers, nested lists of them, an array or a Tensor.
            dtype: Another dtype, if not None.
            device: Where the copy is; by default the CPU.
            requires_grad: Whether operations on it are recorded.

        Example:
            >>> import tinygrad_rnn as tg
            >>> tg.zeros(1, dtype=tg.float64).new_tensor([1, 2])
            tensor([1., 2.], dtype=float64)
        """
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
        """Return one value in a shape; ``dtype`` and ``device`` may differ.

        Example:
            >>> import tinygrad_rnn as tg
            >>> tg.zeros(1, dtype=tg.int64).new_full((2,), 7)
            tensor([7, 7], dtype=int64)
        """
        kind = as_dtype(dtype or self.dtype, "new_full")
        check_export("new_full", fill_value)
        value = fill_value.item() if is_tensor(fill_value) else fill_value
        check_type("new_full", Real, "a number", fill_value=value)
        made = self._from_host(np.full(sizes_of((size,)), value, kind))
        return made.to(device=device)

    @name_errors
    def new_zeros(self, *size: object, **options: object) -> Self:
        """Return zeros in a shape, with the options of :meth:`new_full`.

        Example:
            >>> import tinygrad_rnn as tg
            >>> tg.ones(1).new_zeros(2, dtype=tg.int64)
            tensor([0, 0], dtype=int64)
        """
        return self.new_full(sizes_of(size), 0, **options)

    @name_errors
    def new_ones(self, *size: object, **options: object) -> Self:
        """Return ones in a shape, with the options of :meth:`new_full`.

        Example:
            >>> import tinygrad_rnn as tg
            >>> tg.zeros(1).new_ones(2, dtype=tg.int64)
            tensor([1, 1], dtype=int64)
        """
        return self.new_full(sizes_of(size), 1, **options)

    @name_errors
    def new_empty(self, *size: object, **options: object) -> Self:
        """Return what :meth:`new_zeros` does; in PyTorch the values are not defined."""
        return self.new_zeros(*size, **options)

    @name_errors
    def new(self, *data: Data) -> Self:
        """Return a copy of a list or an array, or zeros in a shape.

        Example:
            >>> import tinygrad_rnn as tg
            >>> tg.zeros(1).new([1, 2])
            tensor([1., 2.], dtype=float32)
        """
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
            **others: no other keyword is taken.

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
        """Convert to the dtype and the device of another tensor.

        Example:
            >>> import tinygrad_rnn as tg
            >>> tg.tensor([1, 2]).type_as(tg.zeros(1))
            tensor([1., 2.], dtype=float32)
        """
        check_type("type_as", Value, "a Tensor", other=other)
        return self.to(other)

    def type(self, dtype: DType = None) -> Operand:
        """Convert to another dtype; without one, return PyTorch's name of this one.

        ``dtype`` may also be such a name, or a constructor such as ``tg.LongTensor``.

        Example:
            >>> import tinygrad_rnn as tg
            >>> tg.zeros(1).type(), tg.zeros(1).type(tg.float64).dtype == tg.float64
            ('torch.FloatTensor', True)
        """
        if dtype is None:
            device = "cuda." if self.is_cuda else ""
            return f"torch.{device}{type_name(self.dtype)}"
        return self.to(dtype=as_dtype(dtype_of_type(dtype), "type"))

    def to_device(self, device: str, /, *, stream: None = None) -> Self:
        """Copy to another device, in the array API's form; ``stream`` must be None.

        Example:
            >>> import tinygrad_rnn as tg
            >>> tg.ones(2).to_device("cpu").tolist()
            [1.0, 1.0]
        """
        check_type("to_device", NoneType, "None", stream=stream)
        expected = "the name of a device, such as 'cpu'"
        check_type("to_device", str, expected, device=device)
        return self.to(device=device)

    def long(self) -> Self:
        """Convert to int64.

        Example:
            >>> import tinygrad_rnn as tg
            >>> tg.tensor([1.9, -1.9]).long()
            tensor([ 1, -1], dtype=int64)
        """
        return self.to(dtypes.int64)

    def int(self) -> Self:
        """Convert to int32.

        Example:
            >>> import tinygrad_rnn as tg
            >>> tg.tensor([1.9, -1.9]).int()
            tensor([ 1, -1], dtype=int32)
        """
        return self.to(dtypes.int32)

    def bool(self) -> Self:
        """Convert to bool: true where not 0.

        Example:
            >>> import tinygrad_rnn as tg
            >>> tg.tensor([0.0, 2.0]).bool()
            tensor([False,  True], dtype=bool)
        """
        return self.to(dtypes.bool)

    def contiguous(self) -> Self:
        """Return itself if its elements lie in order, else a copy.

        Example:
            >>> import tinygrad_rnn as tg
            >>> tg.zeros(2, 3).T.contiguous().numpy().flags.c_contiguous
            True
        """
        flags = getattr(self.array, "flags", None)
        return self if flags is None or flags.c_contiguous else self.clone()
