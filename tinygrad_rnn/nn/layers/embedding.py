"""Embedding: a row of a table for each id."""

from typing import Self

from ...errors import ShapeError, describe
from ...errors.tensor_checks import check_options, check_padding_idx, check_tensors
from ...tensor import Tensor
from ...types import DeviceLike, DType
from .. import functional as F
from .. import init
from ..parameter import Parameter
from .base import Layer

__all__ = ["Embedding"]


class Embedding(Layer):
    """A row of a table for each id, like torch.nn.Embedding.

    The table ``weight`` (num_embeddings, embedding_dim) is drawn from the standard
    normal distribution.

    Args:
        num_embeddings: How many ids there are, V.
        embedding_dim: The size I of a row.
        padding_idx: An id whose row starts as zeros and gets no gradient.
        device: Where the table is; the CPU if left out.
        dtype: float32 or float64; the default dtype if left out.

    Shape:
        Integer ids (...) in [0, V) to (..., I).

    Raises:
        IdError: When it is called with an id that is not in [0, V).

    Example:
        >>> import tinygrad_rnn as tg
        >>> tg.nn.Embedding(10, 3)(tg.tensor([[1, 2], [9, 0]])).shape
        (2, 2, 3)
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None = None,
        *,
        _weight: Parameter | None = None,
        device: DeviceLike = None,
        dtype: DType = None,
    ) -> None:
        super().__init__(num_embeddings=num_embeddings, embedding_dim=embedding_dim)
        self.padding_idx = check_padding_idx(self._name, padding_idx, num_embeddings)
        if _weight is not None:
            self.weight = _weight
            return
        shape = (num_embeddings, embedding_dim)
        self.weight = self._new_parameter(shape, device, dtype)
        self.reset_parameters()

    @classmethod
    def from_pretrained(
        cls, embeddings: Tensor, freeze: bool = True, padding_idx: int | None = None
    ) -> Self:
        """Return an embedding with your own table, whose memory it shares.

        Args:
            embeddings: The table, floats (V, I).
            freeze: Whether training leaves the table as it is.
            padding_idx: An id whose row gets no gradient. The row keeps its values.

        Example:
            >>> import tinygrad_rnn as tg
            >>> table = tg.tensor([[1.0, 2.0], [3.0, 4.0]])
            >>> tg.nn.Embedding.from_pretrained(table)(tg.tensor([1, 0])).tolist()
            [[3.0, 4.0], [1.0, 2.0]]
        """
        name = "nn.Embedding.from_pretrained"
        check_tensors(name, embeddings=embeddings)
        check_options(name, freeze=freeze)
        if embeddings.ndim != 2 or embeddings.dtype.kind != "f":
            got = f"embeddings is {describe(embeddings)}"
            raise ShapeError(f"{name}: {got}, expected a table (V, I) of floats")
        weight = Parameter(embeddings.detach(), requires_grad=not freeze)
        count, size = embeddings.shape
        return cls(count, size, padding_idx, _weight=weight)

    def reset_parameters(self) -> None:
        """Draw the initial values again."""
        init.normal_(self.weight)
        if self.padding_idx is not None:
            self.weight.detach()[self.padding_idx] = 0.0

    def forward(self, input: Tensor) -> Tensor:
        return F.embedding(input, self.weight, self.padding_idx)

    def extra_repr(self) -> str:
        sizes = f"{self.num_embeddings}, {self.embedding_dim}"
        if self.padding_idx is None:
            return sizes
        return f"{sizes}, padding_idx={self.padding_idx}"
