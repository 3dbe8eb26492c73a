"""What every family of Tensor's methods builds on: its shape, dtype and place."""

import math
from typing import TYPE_CHECKING, Any, Self, TypeGuard

import numpy as np

from ..backend import backend_of
from ..backend.device import device
from ..backend.standard import numpy_dtype
from ..engine.node import Value, Version, wrap
from ..errors import check_dim
from ..errors.boundary import named

if TYPE_CHECKING:
    from . import Tensor


def is_tensor(obj: object) -> "TypeGuard[Tensor]":
    """Whether it is a Tensor."""
    return isinstance(obj, Value)


class TensorBase(Value):
    """Shape, dtype and device of a tensor."""

    __slots__ = ()

    def _hold(self, array: Any, version: Version | None = None) -> None:
        """Begin as a leaf with this array, without a copy."""
        self.array = array
        self.version = Version() if version is None else version
        self._grad = self.hooks = self.node = self.view_version = self.source = None
        self.needs_grad = False

    @property
    def shape(self) -> tuple[int, ...]:
        "The sizes of its dims."
        return self.array.shape

    @property
    def ndim(self) -> int:
        "The number of its dims."
        return len(self.array.shape)

    @property
    def dtype(self) -> Any:
        """The type of its elements, a NumPy dtype on every device."""
        found = self.array.dtype
        return found if isinstance(found, np.dtype) else numpy_dtype(found)

    @named
    def dim(self) -> int:
        "The number of dims."
        return self.ndim

    @named
    def numel(self) -> int:
        "The number of elements."
        return math.prod(self.shape)

    @named
    def size(self, dim: int | None = None) -> Any:
        """The shape, or the size of one dim."""
        return (
            self.shape
            if dim is None
            else (self.shape or (1,))[check_dim("size", dim, self.shape)]
        )

    def _from_host(self, array: np.ndarray) -> Any:
        """A NumPy array as a tensor on this one's device."""
        return wrap(backend_of(self.array).from_host(array))

    @property
    def device(self) -> device:
        "Where it lives."
        return device(backend_of(self.array).name)

    @property
    def is_cuda(self) -> bool:
        "Whether it lives on a GPU."
        return self.device.type == "cuda"

    def to(self, *args: Any, **kwargs: Any) -> Self:
        raise NotImplementedError  # `conversion` says how
