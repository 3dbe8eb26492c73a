"""Tensors as Python's numbers and lists, as arrays, as text, and copies of leaves."""

from importlib import import_module
from types import ModuleType
from typing import Any, Self

import numpy as np

from ..backend import backend_of, ranges
from ..convert import check_export, on_host
from ..engine import seam
from ..errors import AttributeMissing, DTypeError, GraphError, ShapeError, describe
from ..types import Array, DType
from .autograd import Autograd
from .html import tensor_html

_WAY = (
    "use functions of tensors, such as tg.exp for np.exp, or return the tensor and "
    "read it outside"
)


class Conversion(Autograd):
    """Tensors as Python's numbers, as arrays, as text, and copies of leaves."""

    __slots__ = ()

    # ------------------------------------------------------------ Python's numbers

    def item(self) -> Any:
        """Return the value of a tensor of one element, as a Python number.

        Example:
            >>> import tinygrad_rnn as tg
            >>> tg.tensor([[2.5]]).item()
            2.5
        """
        if self.array.size != 1:
            raise ShapeError(
                f"item: got shape {self.shape}, expected one element; use tolist()"
            )
        return on_host(self, "item").item()

    def tolist(self) -> Any:
        """Return nested lists of Python numbers, or one number of a 0-d tensor.

        Example:
            >>> import tinygrad_rnn as tg
            >>> tg.tensor([[1, 2], [3, 4]]).tolist()
            [[1, 2], [3, 4]]
        """
        return on_host(self, "tolist").tolist()

    def __bool__(self) -> bool:
        """Return whether the only element is true, or not 0.

        Example:
            >>> import tinygrad_rnn as tg
            >>> bool(tg.tensor([2.0]))
            True
        """
        if self.numel() != 1:
            raise ShapeError(
                f"bool: a tensor of shape {self.shape} is neither true nor false; use "
                ".any() or .all()"
            )
        if seam.recorder is not None:
            what = "if, while, and, or, not or bool() of a tensor"
            way = "choose by tg.where, or return the tensor and decide outside"
            seam.read_values(what, way)
        return bool(self.item())

    def __index__(self) -> int:
        """Return a 0-d integer as a Python int, which can index a list.

        Example:
            >>> import tinygrad_rnn as tg
            >>> ["a", "b"][tg.tensor(1)]
            'b'
        """
        if self.dtype.kind not in "iu" or self.ndim:
            raise DTypeError(f"index: got a {describe(self)}, expected a 0-d integer")
        return int(self.item())

    def __float__(self) -> float:
        """Return the only element as a Python float.

        Example:
            >>> import tinygrad_rnn as tg
            >>> float(tg.tensor([2]))
            2.0
        """
        return float(self.item())

    def __int__(self) -> int:
        """Return the only element as a Python int.

        Example:
            >>> import tinygrad_rnn as tg
            >>> int(tg.tensor([2.7]))
            2
        """
        return int(self.item())

    # ------------------------------------------------------------ arrays

    def numpy(self) -> np.ndarray:
        """Return the array itself, memory shared; of a tensor on the CPU.

        Example:
            >>> import tinygrad_rnn as tg
            >>> x = tg.zeros(2)
            >>> x.numpy()[0] = 5.0
            >>> x.tolist()
            [5.0, 0.0]
        """
        if self.device != "cpu":
            raise DTypeError(
                f"numpy: this tensor is on {self.device}; copy it by .cpu() first"
            )
        if seam.recorder is not None:
            seam.read_values("numpy() or np.asarray() of a tensor", _WAY)
        return self.array

    def __array__(self, dtype: DType = None, copy: bool | None = None) -> np.ndarray:
        """Return a NumPy array, for ``np.asarray``; raise if a gradient would be lost.

        Example:
            >>> import numpy as np
            >>> import tinygrad_rnn as tg
            >>> np.asarray(tg.tensor([1, 2]))
            array([1, 2])
        """
        check_export("conversion to a NumPy array", self)
        return np.array(self.numpy(), dtype=dtype, copy=copy)

    def __array_namespace__(self, *, api_version: str | None = None) -> ModuleType:
        """Return the array API's functions, for code that serves any library.

        Example:
            >>> import tinygrad_rnn as tg
            >>> xp = tg.ones(2).__array_namespace__()
            >>> xp.concat([tg.ones(1), tg.zeros(1)]).tolist()
            [1.0, 0.0]
        """
        return import_module("..array_api", __package__)  # it stands on Tensor

    def __dlpack_device__(self) -> tuple[int, int]:
        """Return the device as the DLPack protocol numbers it: (1, 0) is the CPU.

        Example:
            >>> import tinygrad_rnn as tg
            >>> [int(number) for number in tg.ones(2).__dlpack_device__()]
            [1, 0]
        """
        return self.array.__dlpack_device__()

    def __dlpack__(
        self,
        *,
        stream: object = None,
        max_version: tuple[int, int] | None = None,
        dl_device: tuple[int, int] | None = None,
        copy: bool | None = None,
    ) -> Array:
        """Share the memory with another library; raise if a gradient would be lost.

        Example:
            >>> import numpy as np
            >>> import tinygrad_rnn as tg
            >>> np.from_dlpack(tg.tensor([1, 2])).tolist()
            [1, 2]
        """
        self._export("conversion by DLPack")
        # CuPy hands on the stream of the current device.
        give = backend_of(self.array).on_device(self.array.__dlpack__)
        options = {"max_version": max_version, "dl_device": dl_device, "copy": copy}
        given = {name: value for name, value in options.items() if value is not None}
        try:
            return give(stream=stream, **given)
        except TypeError:  # NumPy 2.0 takes a stream alone
            if copy or dl_device not in (None, self.__dlpack_device__()):
                raise
            return give(stream=stream)

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        """Share the memory of a tensor on a GPU; a tensor on the CPU does not have it.

        CuPy, Numba and PyTorch read it. It raises if a gradient would be lost.

        Example:
            >>> import tinygrad_rnn as tg
            >>> hasattr(tg.ones(2), "__cuda_array_interface__")
            False
        """
        name = "__cuda_array_interface__"
        xp = backend_of(self.array)
        if not hasattr(xp.Array, name):
            raise AttributeMissing(f"{name}: this tensor is on {self.device}")
        self._export(name)
        interface: dict[str, Any] = xp.on_device(getattr)(self.array, name)
        return interface

    def _export(self, name: str) -> None:
        """Raise if another library must not have the memory; it may write there."""
        check_export(name, self)
        seam.read_values(name, _WAY)
        ranges.forget_range(self.array)

    # ------------------------------------------------------------ text

    def __repr__(self) -> str:
        """Return the values, the dtype, and what else there is to know.

        Example:
            >>> import tinygrad_rnn as tg
            >>> tg.tensor([1.0, 2.0], requires_grad=True)
            tensor([1., 2.], dtype=float32, requires_grad=True)
        """
        values = np.array2string(
            on_host(self, "repr"), separator=", ", prefix="tensor("
        )
        parts = [values, f"dtype={self.dtype}"]
        if self.numel() == 0 and self.ndim != 1:
            parts.insert(1, f"size={self.shape}")
        if self.device != "cpu":
            parts.append(f"device={str(self.device)!r}")
        if self.node is not None:
            parts.append(f"grad_fn={self.node!r}")
        elif self.requires_grad:
            parts.append("requires_grad=True")
        return f"tensor({', '.join(parts)})"

    def _repr_html_(self) -> str:
        return tensor_html(self)

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
        """Copy a leaf, with its gradient, for ``copy.deepcopy``.

        Example:
            >>> import copy
            >>> import tinygrad_rnn as tg
            >>> x = tg.tensor([1.0], requires_grad=True)
            >>> copy.deepcopy(x)
            tensor([1.], dtype=float32, requires_grad=True)
        """
        if self.node is not None:
            raise GraphError(
                "copy, deepcopy: only leaves can be copied; use x.detach().clone(), or "
                "x.detach().numpy() for what draws it"
            )
        seam.use("copy", self)
        out: Self = type(self).__new__(type(self))
        out._init_leaf(seam.run(backend_of(self.array).array, self.array))
        out.requires_grad_(self.needs_grad)
        memo[id(self)] = out
        if self._grad is not None:  # not by `grad`, which raises if it does not fit
            out._grad = self._grad.detach().clone()
        return out

    def __getstate__(self) -> object:
        if self.node is not None:
            raise GraphError("pickle: only leaves can be pickled; use x.detach()")
        seam.read_values("pickle")
        state: Any = object.__getstate__(self)
        attributes, slots = state
        # A view is pickled as a tensor of its own.
        return attributes, slots | {"source": None, "view_version": None}
