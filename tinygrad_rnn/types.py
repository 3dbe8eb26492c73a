"""Names for the types that annotations use, where Python's typing cannot say more.

``Any`` says nothing. These say what is meant, and type checkers treat them alike.
"""

from collections.abc import Callable
from typing import Any, TypeAlias

# An array of NumPy, or of another library that a backend covers.
Array: TypeAlias = Any
# ``xp``: a Backend, or the table of ops while a pullback is recorded.
Namespace: TypeAlias = Any
# An array; a Tensor while recorded; a Part; a list, of a node with several outputs.
Gradient: TypeAlias = Any
# A Tensor, an array or a number.
Operand: TypeAlias = Any
# What ``tensor()`` takes: numbers, nested lists of them, an array or a Tensor.
Data: TypeAlias = Any
# NumPy's dtype, or what it makes one of.
DType: TypeAlias = Any
# A tg.device, its name, or None for the CPU.
DeviceLike: TypeAlias = Any
# What stands between brackets, with arrays in place of Tensors.
Index: TypeAlias = Any
# What isinstance takes: a class, a union of classes or a tuple of them.
Kinds: TypeAlias = Any
Function: TypeAlias = Callable[..., Any]
# Of an op, a layer or an optimizer: a number, a string, a flag.
Setting: TypeAlias = Any
Settings: TypeAlias = dict[str, Any]
Shape: TypeAlias = tuple[int, ...]
# A shape as users give it, or one size.
Sizes: TypeAlias = int | tuple[int, ...] | list[int]
Dims: TypeAlias = int | tuple[int, ...] | list[int] | None
