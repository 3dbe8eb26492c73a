"""Products of matrices and vectors."""

from typing import Any, Self

from .. import errors, ops
from ..backend import backends
from ..engine.node import Value, wrap
from ..errors import ShapeError
from ..errors.boundary import named
from .arguments import Operand
from .shapes import Shapes


def _operand(value: Any) -> Any:
    """A factor of a matrix product that is no Tensor, as one."""
    if type(value) not in backends:
        errors.check_type("matmul", Value, "a Tensor or an array", other=value)
    return wrap(value)


class Products(Shapes):
    """Products of matrices and vectors."""

    __slots__ = ()

    def __matmul__(self, other: Operand) -> Self:
        y: Any = other if isinstance(other, Value) else _operand(other)
        if (
            not self.ndim
            or not y.ndim
            or self.shape[-1] != y.shape[-2 if y.ndim > 1 else 0]
        ):
            rule = "the last dim of the first is summed with the last but one of the second"
            raise ShapeError(
                f"matmul: the shapes {self.shape} and {y.shape} do not fit: {rule}"
            )
        left = self if self.ndim > 1 else self.unsqueeze(0)
        out = ops.matmul(left, y if y.ndim > 1 else y.unsqueeze(1))
        out = out.squeeze(-2) if self.ndim == 1 else out
        return out.squeeze(-1) if y.ndim == 1 else out

    def _fit(self, name: str, other: Any, one: int, two: int) -> Any:
        """The other one, if both have the dims that the product of that name takes."""
        errors.check_type(name, Value, "a Tensor", other=other)
        if (self.ndim, other.ndim) != (one, two) or self.shape[:-2] != other.shape[:-2]:
            got = f"{self.shape} and {other.shape}, expected {one} and {two} dims that fit"
            raise ShapeError(f"{name}: got the shapes {got}; matmul() takes others")
        return other

    @named
    def mm(self, mat2: Any) -> Self:
        "(M, K) @ (K, N)."
        return self @ self._fit("mm", mat2, 2, 2)

    @named
    def bmm(self, mat2: Any) -> Self:
        "B times mm."
        return self @ self._fit("bmm", mat2, 3, 3)

    @named
    def mv(self, vec: Any) -> Self:
        "(M, K) @ (K,)."
        return self @ self._fit("mv", vec, 2, 1)

    @named
    def dot(self, tensor: Any) -> Self:
        "(K,) @ (K,)."
        return self @ self._fit("dot", tensor, 1, 1)

    @named
    def outer(self, vec2: Any) -> Self:
        """(M,), (N,) to the products of all pairs, (M, N)."""
        return self._fit("outer", vec2, 1, 1) * self.unsqueeze(-1)

    @named
    def matmul(self, other: Operand) -> Self:
        """The matrix product, with NumPy's rules for vectors and for stacks of
        matrices.
        """
        return self @ other

    def __rmatmul__(self, other: Operand) -> Any:
        return _operand(other).matmul(self)
