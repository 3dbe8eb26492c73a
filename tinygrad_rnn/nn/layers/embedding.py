"""Embedding: a row of a table for each id."""

from typing import Any, Self

from ...errors import ShapeError, described
from ...errors.tensor_checks import check_options, check_padding_idx, check_tensors
from ...tensor import Tensor
from .. import functional as F
from .. import init
from ..parameter import Parameter
from .base import Layer

__all__ = ["Embedding"]


class Embedding(Layer):
    """A row of a table for each id, as torch.nn.Embedding: ids (...) to (...,
    embedding_dim).

    The row of ``padding_idx`` starts at 0 and gets no gradient. Raises IdError for an
    id that is not in [0, num_embeddings).
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None = None,
        *,
        _weight: Parameter | None = None,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(num_embeddings=num_embeddings, embedding_dim=embedding_dim)
        self.padding_idx = check_padding_idx(self._name, padding_idx, num_embeddings)
        if _weight is not None:
            self.weight = _weight
            return
        self.weight = self._parameter((num_embeddings, embedding_dim), device, dtype)
        self.reset_parameters()

    @classmethod
    def from_pretrained(
        cls, embeddings: Tensor, freeze: bool = True, padding_idx: int | None = None
    ) -> Self:
        """An embedding with a table (V, I) of your own, whose memory it shares.

        Args:
            embeddings: the table, a float Tensor; its rows are not changed.
            freeze: whether it is left as it is by training.
            padding_idx: the row that gets no gradient.
        """
        name = "nn.Embedding.from_pretrained"
        check_tensors(name, embeddings=embeddings)
        check_options(name, freeze=freeze)
        if embeddings.ndim != 2 or embeddings.dtype.kind != "f":
            got = f"embeddings is {described(embeddings)}"
            raise ShapeError(f"{name}: {got}, expected a table (V, I) of floats")
        weight = Parameter(embeddings.detach(), requires_grad=not freeze)
        count, size = embeddings.shape
        return cls(count, size, padding_idx, _weight=weight)

    def reset_parameters(self) -> None:
        """Draw the initial values anew."""
        init.normal_(self.weight)
        if self.padding_idx is not None:
            self.weight.detach()[self.padding_idx] = 0.0

    def forward(self, input: Tensor) -> Tensor:
        return F.embedding(input, self.weight, self.padding_idx)

    def extra_repr(self) -> str:
        padding = (
            "" if self.padding_idx is None else f", padding_idx={self.padding_idx}"
        )
        return f"{self.num_embeddings}, {self.embedding_dim}{padding}"
