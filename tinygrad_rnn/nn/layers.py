"""Layers without a state: Linear, Embedding, Dropout, LayerNorm, activations, losses."""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Self

from ..convert import as_dtype
from ..creation import empty, get_default_dtype
from ..errors import DTypeError, ShapeError, check_choice, described
from ..errors.tensor_checks import (
    KL_REDUCTIONS,
    check_normalized_shape,
    check_options,
    check_padding_idx,
    check_tensors,
)
from ..tensor import Tensor
from . import functional as F
from . import init
from .construction import LayerType
from .module import Module, Parameter

__all__ = [
    "BCELoss",
    "BCEWithLogitsLoss",
    "CrossEntropyLoss",
    "Dropout",
    "ELU",
    "Embedding",
    "Flatten",
    "GELU",
    "HuberLoss",
    "Identity",
    "KLDivLoss",
    "L1Loss",
    "LayerNorm",
    "LeakyReLU",
    "Linear",
    "LogSigmoid",
    "LogSoftmax",
    "MSELoss",
    "NLLLoss",
    "ReLU",
    "SiLU",
    "Sigmoid",
    "SmoothL1Loss",
    "Softmax",
    "Softplus",
    "Tanh",
]


class Layer(Module, metaclass=LayerType):
    """What layers share: settings, which are checked and then attributes."""

    def __init__(self, **settings: Any) -> None:
        super().__init__()
        self._keep(**settings)

    def _keep(self, **settings: Any) -> None:
        check_options(self._name, **settings)
        self._kept = (*self.__dict__.get("_kept", ()), *settings)
        for name, value in settings.items():
            keep = self.register_buffer if name.endswith("weight") else self.__setattr__
            keep(name, value)

    def _parameter(
        self, shape: Sequence[int], device: Any, dtype: Any, is_wanted: bool = True
    ) -> Any:
        """A parameter whose values are still to be drawn; None where it is not wanted."""
        found = get_default_dtype() if dtype is None else as_dtype(dtype, self._name)
        if found.kind != "f":
            raise DTypeError(
                f"{self._name}: dtype is {found}, expected float32 or float64"
            )
        return (
            Parameter(empty(*shape, dtype=found, device=device)) if is_wanted else None
        )

    def _draw_uniform(self, names: Sequence[str], fan: int) -> None:
        for name in names:
            if (parameter := getattr(self, name)) is not None:
                init.uniform_(parameter, -(fan**-0.5), fan**-0.5)

    def extra_repr(self) -> str:
        shown = [name for name in self._kept if not name.endswith("weight")]
        return ", ".join(f"{name}={getattr(self, name)!r}" for name in shown)


class Linear(Layer):
    """y = x W^T + b, as torch.nn.Linear: (..., in_features) to (..., out_features).

    Weight and bias start uniform within 1 / sqrt(in_features), the same on every
    device.
    """

    weight: Parameter
    bias: Parameter  # or None, which few programs ask for: typed as in PyTorch

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(in_features=in_features, out_features=out_features)
        check_options(self._name, bias=bias)
        self.weight = self._parameter((out_features, in_features), device, dtype)
        self.bias = self._parameter((out_features,), device, dtype, bias)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the initial values anew."""
        self._draw_uniform(("weight", "bias"), self.in_features)

    def forward(self, input: Tensor) -> Tensor:
        return F.linear(input, self.weight, self.bias)

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, bias={self.bias is not None}"


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


class LayerNorm(Layer):
    """(x - mean) / sqrt(var + eps) * weight + bias, as torch.nn.LayerNorm: (..., *S) to
    the same.

    Mean and variance are over the last dims, S = ``normalized_shape``; weight and bias
    of that shape start as ones and zeros.
    """

    weight: Parameter  # or None, typed as in PyTorch
    bias: Parameter  # likewise

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        shape = check_normalized_shape(self._name, normalized_shape)
        super().__init__(
            normalized_shape=shape, eps=eps, elementwise_affine=elementwise_affine
        )
        check_options(self._name, bias=bias)
        has_bias = elementwise_affine and bias
        self.weight = self._parameter(shape, device, dtype, elementwise_affine)
        self.bias = self._parameter(shape, device, dtype, has_bias)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Ones and zeros."""
        if self.weight is not None:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)

    def forward(self, input: Tensor) -> Tensor:
        return F.layer_norm(
            input, self.normalized_shape, self.weight, self.bias, self.eps
        )


# ---------------------------------------------------------------- functions as modules


class Functional(Layer):
    """A function as a module: ``class M(Functional, of=f)``; its settings are what f is
    called with.

    The tensors come first: the input, and the target of a loss.
    """

    function: ClassVar[Callable[..., Any]]

    def __init_subclass__(
        cls, of: Callable[..., Any] | None = None, **kwargs: Any
    ) -> None:
        super().__init_subclass__(**kwargs)
        if of is not None:  # else it is that of the class above
            cls.function = of

    def forward(self, *inputs: Any) -> Any:
        check_tensors(
            self._name, **dict(zip(("input", "target"), inputs, strict=False))
        )
        return type(self).function(
            *inputs, **{name: getattr(self, name) for name in self._kept}
        )


class Identity(Module):
    """Its input; what it is made with does not matter, so that it can stand in for any
    layer.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()

    def forward(self, input: Any) -> Any:
        return input


class Dropout(Layer):
    """Zeros with probability p while training, the rest scaled by 1 / (1 - p)."""

    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        super().__init__(p=p)
        check_options(self._name, inplace=inplace)

    def forward(self, input: Tensor) -> Tensor:
        return F.dropout(input, self.p, self.training)


class _Plain(Functional):
    def __init__(self) -> None:
        super().__init__()


class _InPlace(Functional):
    """An activation that PyTorch can compute in place."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        check_options(self._name, inplace=inplace)


class Tanh(_Plain, of=F.tanh):
    """tanh(x)."""


class ReLU(_InPlace, of=F.relu):
    """max(x, 0)."""


class Sigmoid(_Plain, of=F.sigmoid):
    """1 / (1 + e^-x)."""


class SiLU(_InPlace, of=F.silu):
    """x * sigmoid(x)."""


class LogSigmoid(_Plain, of=F.logsigmoid):
    """log(sigmoid(x)), without overflow."""


class GELU(Functional, of=F.gelu):
    """x * Phi(x), with Phi the normal distribution's; or by tanh, if
    ``approximate="tanh"``.
    """

    def __init__(self, approximate: str = "none") -> None:
        super().__init__(approximate=approximate)


class LeakyReLU(Functional, of=F.leaky_relu):
    """x, or negative_slope * x where it is not above 0."""

    def __init__(self, negative_slope: float = 0.01, inplace: bool = False) -> None:
        super().__init__(negative_slope=negative_slope)
        check_options(self._name, inplace=inplace)


class ELU(Functional, of=F.elu):
    """x, or alpha * (e^x - 1) where it is not above 0."""

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        super().__init__(alpha=alpha)
        check_options(self._name, inplace=inplace)


class Softplus(Functional, of=F.softplus):
    """log(1 + e^(beta x)) / beta."""

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        super().__init__(beta=beta, threshold=threshold)


class _AlongDim(Functional):
    def __init__(self, dim: int) -> None:
        super().__init__(dim=dim)


class Softmax(_AlongDim, of=F.softmax):
    """e^x / sum(e^x) along a dim."""


class LogSoftmax(_AlongDim, of=F.log_softmax):
    """log(softmax(x)) along a dim."""


class Flatten(Functional, of=Tensor.flatten):
    """The dims from ``start_dim`` to ``end_dim`` as one."""

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        super().__init__(start_dim=start_dim, end_dim=end_dim)


# ---------------------------------------------------------------- losses


class _Reduced(Functional):
    def __init__(self, reduction: str = "mean") -> None:
        super().__init__(reduction=reduction)


class MSELoss(_Reduced, of=F.mse_loss):
    """(input - target)^2: its mean, its sum, or as it is."""


class L1Loss(_Reduced, of=F.l1_loss):
    """|input - target|: its mean, its sum, or as it is."""


class SmoothL1Loss(Functional, of=F.smooth_l1_loss):
    """d^2 / (2 beta) for |d| < beta, else |d| - beta / 2, of d = input - target."""

    def __init__(self, reduction: str = "mean", beta: float = 1.0) -> None:
        super().__init__(reduction=reduction, beta=beta)


class HuberLoss(Functional, of=F.huber_loss):
    """d^2 / 2 for |d| < delta, else delta * (|d| - delta / 2), of d = input - target."""

    def __init__(self, reduction: str = "mean", delta: float = 1.0) -> None:
        super().__init__(reduction=reduction, delta=delta)


class CrossEntropyLoss(Functional, of=F.cross_entropy):
    """Cross entropy in nats of logits (N, V, ...) and classes (N, ...) or
    probabilities.
    """

    def __init__(
        self,
        weight: Tensor | None = None,
        ignore_index: int = -100,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__(
            weight=weight,
            ignore_index=ignore_index,
            reduction=reduction,
            label_smoothing=label_smoothing,
        )


class NLLLoss(Functional, of=F.nll_loss):
    """-input at the class: of log-probabilities (N, V, ...) and classes (N, ...)."""

    def __init__(
        self,
        weight: Tensor | None = None,
        ignore_index: int = -100,
        reduction: str = "mean",
    ) -> None:
        super().__init__(weight=weight, ignore_index=ignore_index, reduction=reduction)


class BCEWithLogitsLoss(Functional, of=F.binary_cross_entropy_with_logits):
    """Cross entropy in nats of logits and of probabilities that something is true, of
    one shape.
    """

    def __init__(
        self,
        weight: Tensor | None = None,
        reduction: str = "mean",
        pos_weight: Tensor | None = None,
    ) -> None:
        super().__init__(weight=weight, reduction=reduction, pos_weight=pos_weight)


class BCELoss(Functional, of=F.binary_cross_entropy):
    """Cross entropy in nats of probabilities and of those that something is true, of
    one shape.
    """

    def __init__(self, weight: Tensor | None = None, reduction: str = "mean") -> None:
        super().__init__(weight=weight, reduction=reduction)


class KLDivLoss(Functional, of=F.kl_div):
    """target * (log(target) - input), of log-probabilities ``input`` and probabilities
    ``target``.

    ``reduction="batchmean"`` divides the sum by the first dim, as the divergence is
    defined; "mean" divides it by the number of elements.
    """

    def __init__(self, reduction: str = "mean", log_target: bool = False) -> None:
        super().__init__(log_target=log_target)
        check_choice(self._name, KL_REDUCTIONS, reduction=reduction)
        self.reduction, self._kept = reduction, ("reduction", *self._kept)
