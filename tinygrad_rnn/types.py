"""Names for the types that annotations use, where Python's typing cannot say more.

``Any`` says nothing. These say what is meant, and type checkers treat them alike.
"""

from collections.abc import Callable
from typing import Any, TypeAlias

Array: TypeAlias = Any  # of NumPy, or of another library that a backend covers
Namespace: TypeAlias = (
    Any  # xp: a Backend, or the table of ops while a pullback is recorded
)
Operand: TypeAlias = Any  # a Tensor, an array or a number
DType: TypeAlias = Any  # NumPy's dtype, or what it makes one of
DeviceLike: TypeAlias = Any  # a tg.device, its name, or None for the CPU
Index: TypeAlias = Any  # what stands between brackets, arrays in place of Tensors
Function: TypeAlias = Callable[..., Any]
Setting: TypeAlias = (
    Any  # of an op, a layer or an optimizer: a number, a string, a flag
)
Settings: TypeAlias = dict[str, Any]
Shape: TypeAlias = tuple[int, ...]
Dims: TypeAlias = int | tuple[int, ...] | list[int] | None
