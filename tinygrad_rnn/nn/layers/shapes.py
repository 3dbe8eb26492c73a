"""Layers that compute nothing: Identity and Flatten."""

from typing import Any

from ...tensor import Tensor
from ..module import Module
from .base import Functional

__all__ = ["Flatten", "Identity"]


class Identity(Module):
    """Its input; what it is made with does not matter, so that it can stand in for any
    layer.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()

    def forward(self, input: Any) -> Any:
        return input


class Flatten(Functional, of=Tensor.flatten):
    """The dims from ``start_dim`` to ``end_dim`` as one."""

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        super().__init__(start_dim=start_dim, end_dim=end_dim)
