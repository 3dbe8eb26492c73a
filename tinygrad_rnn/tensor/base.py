"""What every family of methods builds on: shape, dtype and device of a tensor."""

import math
from typing import TYPE_CHECKING, TypeGuard

import numpy as np

from ..backend import backend_of
from ..backend.device import device
from ..backend.standard import numpy_dtype
from ..engine import seam
from ..engine.node import Value, Version, wrap
from ..errors import DimError, check_dim
from ..errors.boundary import name_errors
from ..types import Array, DType, Operand, Shape

if TYPE_CHECKING:
    from . import Tensor


def is_tensor(obj: object) -> "TypeGuard[Tensor]":
    """Return whether an object is a Tensor.

    Example:
        >>> import tinygrad_rnn as tg
        >>> tg.is_tensor(tg.ones(1)), tg.is_tensor([1.0])
        (True, False)
    """
    return isinstance(obj, Value)


class TensorBase(Value):
    """Shape, dtype and device of a tensor."""

    __slots__ = ()

    def _init_leaf(self, array: Array, version: Version | None = None) -> None:
        """Make this a leaf around an array, which is not copied."""
        self.array = array
        self.version = Version() if version is None else version
        self._grad = self.hooks = self.node = self.view_version = self.source = None
        self.needs_grad = False

    def _from_host(self, array: np.ndarray) -> Operand:
        """Return a NumPy array as a tensor on this one's device."""
        return wrap(seam.run(backend_of(self.array).from_host, array))

    @property
    def shape(self) -> Shape:
        """The sizes of its dims.

        Example:
            >>> import tinygrad_rnn as tg
            >>> tg.zeros(2, 3).shape
            (2, 3)
        """
        return self.array.shape

    @property
    def ndim(self) -> int:
        """The number of its dims.

        Example:
            >>> import tinygrad_rnn as tg
            >>> tg.zeros(2, 3).ndim
            2
        """
        return len(self.array.shape)

    @property
    def dtype(self) -> DType:
        """The type of its elements, a NumPy dtype on every device.

        Example:
            >>> import tinygrad_rnn as tg
            >>> tg.tensor([1.0, 2.0]).dtype == tg.float32
            True
        """
        found = self.array.dtype
        return found if isinstance(found, np.dtype) else numpy_dtype(found)

    @property
    def device(self) -> device:
        """The device that it lives on.

        Example:
            >>> import tinygrad_rnn as tg
            >>> tg.tensor([1.0]).device == "cpu"
            True
        """
        return device(backend_of(self.array).name)

    @property
    def is_cuda(self) -> bool:
        """Whether it lives on a GPU.

        Example:
            >>> import tinygrad_rnn as tg
            >>> tg.tensor([1.0]).is_cuda
            False
        """
        return self.device.type == "cuda"

    @name_errors
    def dim(self) -> int:
        """Return the number of dims.

        Example:
            >>> import tinygrad_rnn as tg
            >>> tg.zeros(2, 3).dim()
            2
        """
        return self.ndim

    @name_errors
    def numel(self) -> int:
        """Return the number of elements.

        Example:
            >>> import tinygrad_rnn as tg
            >>> tg.zeros(2, 3).numel()
            6
        """
        return math.prod(self.shape)

    @name_errors
    def size(self, dim: int | None = None) -> Operand:
        """Return the shape, or the size of one dim.

        Example:
            >>> import tinygrad_rnn as tg
            >>> tg.zeros(2, 3).size(), tg.zeros(2, 3).size(-1)
            ((2, 3), 3)
        """
        if dim is None:
            return self.shape
        place = check_dim("size", dim, self.shape)
        if not self.shape:
            raise DimError(f"size: dim {dim} of a tensor of shape (), which has no dim")
        return self.shape[place]
