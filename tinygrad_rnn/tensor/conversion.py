"""Tensors as Python's numbers and lists, as arrays, as text, and copies of leaves."""

from importlib import import_module
from types import ModuleType
from typing import Any, Self

import numpy as np

from ..backend import backend_of
from ..convert import check_export, on_host
from ..errors import DTypeError, GraphError, ShapeError, describe
from ..types import Array, DType
from .autograd import Autograd


class Conversion(Autograd):
    """Tensors as Python's numbers, as arrays, as text, and copies of leaves."""

    __slots__ = ()

    # ------------------------------------------------------------ Python's numbers

    def item(self) -> Any:
        """Return the value of a tensor of one element, as a Python number."""
        if self.array.size != 1:
            raise ShapeError(
                f"item: got shape {self.shape}, expected one element; use tolist()"
            )
        return on_host(self).item()

    def tolist(self) -> Any:
        """Return nested lists of Python numbers, or one number of a 0-d tensor."""
        return on_host(self).tolist()

    def __bool__(self) -> bool:
        if self.numel() != 1:
            raise ShapeError(
                f"bool: a tensor of shape {self.shape} is neither true nor false; use "
                ".any() or .all()"
            )
        return bool(self.item())

    def __index__(self) -> int:
        if self.dtype.kind not in "iu" or self.ndim:
            raise DTypeError(f"index: got a {describe(self)}, expected a 0-d integer")
        return int(self.item())

    def __float__(self) -> float:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    # ------------------------------------------------------------ arrays

    def numpy(self) -> np.ndarray:
        """Return the array itself, memory shared; of a tensor on the CPU."""
        if self.device != "cpu":
            raise DTypeError(
                f"numpy: this tensor is on {self.device}; copy it by .cpu() first"
            )
        return self.array

    def __array__(self, dtype: DType = None, copy: bool | None = None) -> np.ndarray:
        check_export("conversion to a NumPy array", self)
        return np.array(self.numpy(), dtype=dtype, copy=copy)

    def __array_namespace__(self, *, api_version: str | None = None) -> ModuleType:
        return import_module("..array_api", __package__)  # it stands on Tensor

    def __dlpack_device__(self) -> tuple[int, int]:
        return self.array.__dlpack_device__()

    def __dlpack__(
        self,
        *,
        stream: object = None,
        max_version: tuple[int, int] | None = None,
        dl_device: tuple[int, int] | None = None,
        copy: bool | None = None,
    ) -> Array:
        check_export("conversion by DLPack", self)
        options = {"max_version": max_version, "dl_device": dl_device, "copy": copy}
        given = {name: value for name, value in options.items() if value is not None}
        try:
            return self.array.__dlpack__(stream=stream, **given)
        except TypeError:  # NumPy 2.0 takes a stream alone
            if copy or dl_device not in (None, self.__dlpack_device__()):
                raise
            return self.array.__dlpack__(stream=stream)

    # ------------------------------------------------------------ text

    def __repr__(self) -> str:
        values = np.array2string(on_host(self), separator=", ", prefix="tensor(")
        parts = [values, f"dtype={self.dtype}"]
        if self.device != "cpu":
            parts.append(f"device={str(self.device)!r}")
        if self.node is not None:
            parts.append(f"grad_fn={self.node!r}")
        elif self.requires_grad:
            parts.append("requires_grad=True")
        return f"tensor({', '.join(parts)})"

    def __format__(self, spec: str) -> str:
        if not spec:
            return repr(self)
        if self.ndim:
            raise DTypeError(
                f"format: {spec!r} of a tensor of shape {self.shape}: use .item() for "
                "one element, .tolist() for several"
            )
        return format(self.item(), spec)

    # ------------------------------------------------------------ copies of leaves

    def __copy__(self) -> Self:
        return self.__deepcopy__({})

    def __deepcopy__(self, memo: dict[int, object]) -> Self:
        if self.node is not None:
            raise GraphError(
                "copy, deepcopy: only leaves can be copied; use x.detach().clone(), or "
                "x.detach().numpy() for what draws it"
            )
        out: Self = type(self).__new__(type(self))
        out._init_leaf(backend_of(self.array).array(self.array))
        out.needs_grad = self.needs_grad
        memo[id(self)] = out
        if self._grad is not None:  # not by `grad`, which raises if it does not fit
            out._grad = self._grad.detach().clone()
        return out

    def __getstate__(self) -> object:
        if self.node is not None:
            raise GraphError("pickle: only leaves can be pickled; use x.detach()")
        state: Any = object.__getstate__(self)
        attributes, slots = state
        # A view is pickled as a tensor of its own.
        return attributes, slots | {"source": None, "view_version": None}
