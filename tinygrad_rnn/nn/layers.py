"""Layers without a state: Linear, Embedding, Dropout, activations, and Sequential."""

from collections import OrderedDict
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..errors import DTypeError, IdError, OptionError
from ..tensor import Tensor
from . import functional as F
from . import init
from .module import Module, Parameter


def empty_parameter(*shape: int) -> Parameter:
    """A parameter of the default dtype, to be filled by ``nn.init``."""
    from ..creation import get_default_dtype

    return Parameter(np.empty(shape, get_default_dtype()))


def positive(layer: str, **sizes: Any) -> None:
    """Refuse sizes that are not integers of at least 1."""
    for name, size in sizes.items():
        if not hasattr(size, "__index__") or isinstance(size, bool):
            raise DTypeError(f"{layer}: {name} is {size!r}, expected an integer")
        if size < 1:
            raise OptionError(f"{layer}: {name} is {size}, expected at least 1")


class Sequential(Module):
    """Modules one after the other: each takes what the one before it gives.

    Takes modules, or an OrderedDict of named ones, as torch.nn.Sequential.
    """

    def __init__(self, *modules: Any) -> None:
        super().__init__()
        if len(modules) == 1 and isinstance(modules[0], OrderedDict):
            named = list(modules[0].items())
        else:
            named = [(str(i), module) for i, module in enumerate(modules)]
        for name, module in named:
            self._check_name("nn.Sequential", name)
            if not isinstance(module, Module):
                raise DTypeError(
                    f"nn.Sequential: {name} is {type(module).__name__}, expected a Module"
                )
            setattr(self, name, module)

    def __len__(self) -> int:
        return len(list(self.children()))

    def __iter__(self) -> Iterator[Module]:
        return self.children()

    def __getitem__(self, index: Any) -> Module:
        items = list(self.named_children())
        if isinstance(index, slice):
            return Sequential(OrderedDict(items[index]))
        if not hasattr(index, "__index__"):
            raise DTypeError(f"nn.Sequential: index {index!r}, expected an integer or a slice")
        if not -len(items) <= index < len(items):
            raise IdError(f"nn.Sequential: index {index} of {len(items)} modules")
        return items[index][1]

    def forward(self, input: Any) -> Any:
        for module in self.children():
            input = module(input)
        return input


class Linear(Module):
    """y = x W^T + b, as torch.nn.Linear: (..., in_features) to (..., out_features).

    Weight and bias start uniform within 1 / sqrt(in_features).
    """

    def __init__(self, in_features: int, out_features: int, bias: bool = True) -> None:
        super().__init__()
        positive("nn.Linear", in_features=in_features, out_features=out_features)
        self.in_features = in_features
        self.out_features = out_features
        self.weight = empty_parameter(out_features, in_features)
        self.bias = empty_parameter(out_features) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the initial values anew."""
        bound = self.in_features**-0.5
        for parameter in self.parameters():
            init.uniform_(parameter, -bound, bound)

    def forward(self, input: Tensor) -> Tensor:
        return F.linear(input, self.weight, self.bias, "nn.Linear")

    def extra_repr(self) -> str:
        return (
            f"in_features={self.in_features}, out_features={self.out_features}, "
            f"bias={self.bias is not None}"
        )


class Embedding(Module):
    """A row of a table for each id, as torch.nn.Embedding: ids (...) to (..., embedding_dim).

    The row of ``padding_idx`` starts at 0 and gets no gradient. Raises IdError for an id that is
    not in [0, num_embeddings).
    """

    def __init__(
        self, num_embeddings: int, embedding_dim: int, padding_idx: int | None = None
    ) -> None:
        super().__init__()
        positive("nn.Embedding", num_embeddings=num_embeddings, embedding_dim=embedding_dim)
        self.num_embeddings = num_embeddings
        self.embedding_dim = embedding_dim
        self.padding_idx = F.padding_row("nn.Embedding", padding_idx, num_embeddings)
        self.weight = empty_parameter(num_embeddings, embedding_dim)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the initial values anew."""
        init.normal_(self.weight)
        if self.padding_idx is not None:
            self.weight.array[self.padding_idx] = 0

    def forward(self, input: Tensor) -> Tensor:
        return F.embedding(input, self.weight, self.padding_idx, "nn.Embedding")

    def extra_repr(self) -> str:
        padding = "" if self.padding_idx is None else f", padding_idx={self.padding_idx}"
        return f"{self.num_embeddings}, {self.embedding_dim}{padding}"


class Dropout(Module):
    """Zeros with probability p while training, the rest scaled by 1 / (1 - p)."""

    def __init__(self, p: float = 0.5) -> None:
        super().__init__()
        F.check_probability("nn.Dropout", "p", p)
        self.p = p

    def forward(self, input: Tensor) -> Tensor:
        return F.dropout(input, self.p, self.training)

    def extra_repr(self) -> str:
        return f"p={self.p}"


class Identity(Module):
    """Its input."""

    def forward(self, input: Any) -> Any:
        return input


class Tanh(Module):
    """tanh(x)."""

    def forward(self, input: Tensor) -> Tensor:
        return input.tanh()


class ReLU(Module):
    """max(x, 0)."""

    def forward(self, input: Tensor) -> Tensor:
        return input.relu()


class Sigmoid(Module):
    """1 / (1 + e^-x)."""

    def forward(self, input: Tensor) -> Tensor:
        return input.sigmoid()
