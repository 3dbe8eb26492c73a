"""The same values in another dtype, or on another device."""

from types import NoneType
from typing import TYPE_CHECKING, Self

from .. import ops
from ..backend import backend_of, find, libraries
from ..convert import as_dtype, dtype_of_type, type_name
from ..engine.node import Value
from ..errors import DTypeError, check_type
from ..types import DeviceLike, DType, Operand
from . import dtypes
from .autograd import Autograd
from .base import is_tensor

if TYPE_CHECKING:
    from . import Tensor


class Casting(Autograd):
    """The same values in another dtype, or on another device."""

    __slots__ = ()

    def to(
        self,
        *args: object,
        dtype: DType = None,
        device: DeviceLike = None,
        **others: object,
    ) -> Self:
        """In another dtype or on another device; itself if nothing changes.

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

    def type_as(self, other: "Tensor") -> Self:
        """In the dtype, and on the device, of another tensor."""
        check_type("type_as", Value, "a Tensor", other=other)
        return self.to(other)

    def type(self, dtype: DType = None) -> Operand:
        """In another dtype; without one, PyTorch's name, such as ``torch.FloatTensor``.

        ``dtype`` may also be such a name, or a constructor such as ``tg.LongTensor``.
        """
        if dtype is None:
            place = "" if self.device == "cpu" else f"{self.device.type}."
            return f"torch.{place}{type_name(self.dtype)}"
        return self.to(dtype=as_dtype(dtype_of_type(dtype), "type"))

    def to_device(self, device: str, /, *, stream: None = None) -> Self:
        """On another device, as the array API names it; ``stream`` has to be None."""
        check_type("to_device", NoneType, "None", stream=stream)
        expected = "the name of a device, such as 'cpu'"
        check_type("to_device", str, expected, device=device)
        return self.to(device=device)

    def cuda(self, device: DeviceLike = None) -> Self:
        """On a GPU: the first one, or that of a number or a name."""
        return self.to(device if isinstance(device, str) else f"cuda:{device or 0}")

    def cpu(self) -> Self:
        """On the CPU."""
        return self.to("cpu")

    def float(self) -> Self:
        """As float32."""
        return self.to(dtypes.float32)

    def double(self) -> Self:
        """As float64."""
        return self.to(dtypes.float64)

    def long(self) -> Self:
        """As int64."""
        return self.to(dtypes.int64)

    def int(self) -> Self:
        """As int32."""
        return self.to(dtypes.int32)

    def bool(self) -> Self:
        """As bool: true where not 0."""
        return self.to(dtypes.bool)

    def contiguous(self) -> Self:
        """Itself if its elements lie in order, else a copy."""
        flags = getattr(self.array, "flags", None)
        return self if flags is None or flags.c_contiguous else self.clone()
