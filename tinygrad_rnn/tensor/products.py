"""Products of matrices and vectors."""

from typing import Self

from .. import ops
from ..backend import backends
from ..engine.node import Value, wrap
from ..errors import ShapeError, check_type
from ..errors.boundary import name_errors
from ..types import Operand
from .shapes import Shapes


def _as_factor(value: Operand) -> Operand:
    """Return a factor of a matrix product as a tensor, made around an array."""
    if isinstance(value, Value):
        return value
    if type(value) not in backends:
        check_type("matmul", Value, "a Tensor or an array", other=value)
    return wrap(value)


class Products(Shapes):
    """Products of matrices and vectors."""

    __slots__ = ()

    @name_errors
    def matmul(self, other: Operand) -> Self:
        """Return the matrix product ``x @ other``.

        Shape:
            ``(..., M, K) @ (..., K, N)`` gives ``(..., M, N)``; the leading dims
            broadcast. A vector on the left is one row, on the right one column, and
            that dim is absent from the result.

        Example:
            >>> import tinygrad_rnn as tg
            >>> tg.tensor([[1, 2], [3, 4]]).matmul(tg.tensor([1, 0])).tolist()
            [1, 3]
        """
        return self @ other

    def __matmul__(self, other: Operand) -> Self:
        """Return x @ other: see :meth:`matmul`."""
        right = _as_factor(other)
        summed = right.shape[-2:-1] if right.ndim > 1 else right.shape
        if not self.ndim or self.shape[-1:] != summed:
            raise ShapeError(
                f"matmul: the shapes {self.shape} and {right.shape} do not fit: the "
                "last dim of the first is summed with the last but one of the second"
            )
        left = self if self.ndim > 1 else self.unsqueeze(0)
        out = ops.matmul(left, right if right.ndim > 1 else right.unsqueeze(1))
        if self.ndim == 1:
            out = out.squeeze(-2)
        return out.squeeze(-1) if right.ndim == 1 else out

    def __rmatmul__(self, other: Operand) -> Self:
        """Return other @ x: see :meth:`matmul`."""
        return _as_factor(other).matmul(self)

    def _check_factor(self, other: Operand, one: int, two: int) -> None:
        """Require a tensor that fits, and of both the dims that this product takes."""
        check_type("product", Value, "a Tensor", other=other)
        if (self.ndim, other.ndim) != (one, two) or self.shape[:-2] != other.shape[:-2]:
            raise ShapeError(
                f"product: got the shapes {self.shape} and {other.shape}, expected "
                f"{one} and {two} dims that fit; matmul() takes others"
            )

    @name_errors
    def mm(self, mat2: Operand) -> Self:
        """Return the product of two matrices: (M, K) @ (K, N).

        Example:
            >>> import tinygrad_rnn as tg
            >>> tg.ones(2, 3).mm(tg.ones(3, 4)).shape
            (2, 4)
        """
        self._check_factor(mat2, 2, 2)
        return self @ mat2

    @name_errors
    def bmm(self, mat2: Operand) -> Self:
        """Return the products of two batches of matrices: (B, M, K) @ (B, K, N).

        Example:
            >>> import tinygrad_rnn as tg
            >>> tg.ones(5, 2, 3).bmm(tg.ones(5, 3, 4)).shape
            (5, 2, 4)
        """
        self._check_factor(mat2, 3, 3)
        return self @ mat2

    @name_errors
    def mv(self, vec: Operand) -> Self:
        """Return the product of a matrix and a vector: (M, K) @ (K,).

        Example:
            >>> import tinygrad_rnn as tg
            >>> tg.tensor([[1.0, 2.0], [3.0, 4.0]]).mv(tg.tensor([0.0, 1.0])).tolist()
            [2.0, 4.0]
        """
        self._check_factor(vec, 2, 1)
        return self @ vec

    @name_errors
    def dot(self, tensor: Operand) -> Self:
        """Return the product of two vectors: (K,) @ (K,).

        Example:
            >>> import tinygrad_rnn as tg
            >>> tg.tensor([1.0, 2.0]).dot(tg.tensor([3.0, 4.0])).item()
            11.0
        """
        self._check_factor(tensor, 1, 1)
        return self @ tensor

    @name_errors
    def outer(self, vec2: Operand) -> Self:
        """Return the products of all pairs of elements: (M,), (N,) give (M, N).

        Example:
            >>> import tinygrad_rnn as tg
            >>> tg.tensor([1.0, 2.0]).outer(tg.tensor([3.0, 4.0])).tolist()
            [[3.0, 4.0], [6.0, 8.0]]
        """
        self._check_factor(vec2, 1, 1)
        return vec2 * self.unsqueeze(-1)
