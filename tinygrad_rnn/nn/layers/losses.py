"""Losses as modules: the options of nn.functional's losses as settings.

A loss is called with an input and a target. ``reduction`` is ``"mean"``, ``"sum"``, or
``"none"`` for the losses one by one.
"""

from ...errors import check_choice
from ...errors.tensor_checks import KL_REDUCTIONS
from ...tensor import Tensor
from .. import functional as F
from .base import Functional

__all__ = [
    "BCELoss",
    "BCEWithLogitsLoss",
    "CrossEntropyLoss",
    "HuberLoss",
    "KLDivLoss",
    "L1Loss",
    "MSELoss",
    "NLLLoss",
    "SmoothL1Loss",
]


class _WithReduction(Functional):
    """A loss whose only option is the reduction."""

    def __init__(self, reduction: str = "mean") -> None:
        super().__init__(reduction=reduction)


class MSELoss(_WithReduction, of=F.mse_loss):
    """Squared error: (input - target)^2.

    Args:
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.

    Shape:
        Input and target (...); the loss is 0-d, or (...) with ``"none"``.

    Example:
        >>> import tinygrad_rnn as tg
        >>> tg.nn.MSELoss()(tg.tensor([1.0, 4.0]), tg.tensor([1.0, 2.0])).item()
        2.0
    """


class L1Loss(_WithReduction, of=F.l1_loss):
    """Absolute error: abs(input - target).

    Args:
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.

    Shape:
        Input and target (...); the loss is 0-d, or (...) with ``"none"``.

    Example:
        >>> from tinygrad_rnn import nn, tensor
        >>> nn.L1Loss()(tensor([1.0, 4.0]), tensor([1.0, 2.0])).item()
        1.0
    """


class SmoothL1Loss(Functional, of=F.smooth_l1_loss):
    """Absolute error with a parabola around 0: Girshick, arXiv:1504.08083.

    With d = input - target: d^2 / (2 beta) where abs(d) < beta, else
    abs(d) - beta / 2.

    Args:
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.
        beta: Where the parabola ends; 0 gives L1Loss.

    Shape:
        Input and target (...); the loss is 0-d, or (...) with ``"none"``.

    Example:
        >>> from tinygrad_rnn import nn, tensor
        >>> loss = nn.SmoothL1Loss(reduction="none")
        >>> loss(tensor([0.5, 4.0]), tensor([0.0, 0.0])).tolist()
        [0.125, 3.5]
    """

    def __init__(self, reduction: str = "mean", beta: float = 1.0) -> None:
        super().__init__(reduction=reduction, beta=beta)


class HuberLoss(Functional, of=F.huber_loss):
    """Squared error that grows only linearly beyond delta: Huber 1964.

    With d = input - target: d^2 / 2 where abs(d) < delta, else
    delta * (abs(d) - delta / 2).

    Args:
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.
        delta: Where the parabola ends, above 0.

    Shape:
        Input and target (...); the loss is 0-d, or (...) with ``"none"``.

    Example:
        >>> from tinygrad_rnn import nn, tensor
        >>> loss = nn.HuberLoss(reduction="none", delta=2.0)
        >>> loss(tensor([1.0, 4.0]), tensor([0.0, 0.0])).tolist()
        [0.5, 6.0]
    """

    def __init__(self, reduction: str = "mean", delta: float = 1.0) -> None:
        super().__init__(reduction=reduction, delta=delta)


class CrossEntropyLoss(Functional, of=F.cross_entropy):
    """Cross entropy, in nats, of logits and the right classes or their probabilities.

    For the class t of logits x the loss is -w[t] log_softmax(x)[t], and the mean is
    divided by the sum of the weights w[t]. For probabilities p of the classes it is
    -sum(w p log_softmax(x)), and the mean is divided by the number of targets.

    Args:
        weight: A weight (V,) for each class; 1 if left out.
        ignore_index: Class indices of this value count for nothing.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.
        label_smoothing: s, from 0 to 1: the target is taken as (1 - s) times itself
            plus s / V for every class: Szegedy et al., arXiv:1512.00567.

    Shape:
        Logits (N, V, ...) and class indices (N, ...), or probabilities (N, V, ...); the
        loss is 0-d, or (N, ...) with ``"none"``. For a sequence (T, B, V) use
        ``logits.flatten(0, 1)`` and ``target.flatten()``.

    Raises:
        ShapeError: The shapes do not fit, or no target counts for the mean.
        IdError: A class is not in [0, V).

    Example:
        >>> import tinygrad_rnn as tg
        >>> tg.nn.CrossEntropyLoss()(tg.zeros(2, 4), tg.tensor([0, 3])).item()  # log(4)
        1.3862943649291992
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
    """Negative log-likelihood: minus the log-probability of the right class.

    The loss of a target is -w[target] input[target], and the mean is divided by the
    sum of these weights.

    Args:
        weight: A weight (V,) for each class; 1 if left out.
        ignore_index: Targets of this value count for nothing.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.

    Shape:
        Log-probabilities (N, V, ...) and class indices (N, ...); the loss is 0-d, or
        (N, ...) with ``"none"``.

    Example:
        >>> from tinygrad_rnn import nn, tensor
        >>> log_p = tensor([[-0.5, -1.0], [-2.0, -0.25]])
        >>> nn.NLLLoss(reduction="none")(log_p, tensor([0, 1])).tolist()
        [0.5, 0.25]
    """

    def __init__(
        self,
        weight: Tensor | None = None,
        ignore_index: int = -100,
        reduction: str = "mean",
    ) -> None:
        super().__init__(weight=weight, ignore_index=ignore_index, reduction=reduction)


class BCEWithLogitsLoss(Functional, of=F.binary_cross_entropy_with_logits):
    """Binary cross entropy, in nats, from logits.

    With logits x and targets t: -t log(sigmoid(x)) - (1 - t) log(1 - sigmoid(x)).

    Args:
        weight: A factor for each loss, which broadcasts to the input's shape.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.
        pos_weight: A factor for the first part alone, that of yes.

    Shape:
        Logits and targets (...); the loss is 0-d, or (...) with ``"none"``.

    Example:
        >>> from tinygrad_rnn import nn, tensor
        >>> loss = nn.BCEWithLogitsLoss()(tensor([0.0]), tensor([1.0]))
        >>> round(loss.item(), 4)  # -log(sigmoid(0)) = log(2)
        0.6931
    """

    def __init__(
        self,
        weight: Tensor | None = None,
        reduction: str = "mean",
        pos_weight: Tensor | None = None,
    ) -> None:
        super().__init__(weight=weight, reduction=reduction, pos_weight=pos_weight)


class BCELoss(Functional, of=F.binary_cross_entropy):
    """Binary cross entropy, in nats, from probabilities.

    With probabilities x and targets t: -t log(x) - (1 - t) log(1 - x), a logarithm
    being at least -100.

    Args:
        weight: A factor for each loss, which broadcasts to the input's shape.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.

    Shape:
        Probabilities and targets (...); the loss is 0-d, or (...) with ``"none"``.

    Example:
        >>> from tinygrad_rnn import nn, tensor
        >>> nn.BCELoss()(tensor([1.0, 0.0]), tensor([1.0, 0.0])).item()
        0.0
    """

    def __init__(self, weight: Tensor | None = None, reduction: str = "mean") -> None:
        super().__init__(weight=weight, reduction=reduction)


class KLDivLoss(Functional, of=F.kl_div):
    """Kullback-Leibler divergence of log-probabilities x from probabilities t.

    Each element's part is t (log(t) - x), and 0 where t is 0.

    Args:
        reduction: ``"batchmean"`` divides the sum by B, which is the divergence as it
            is defined; ``"mean"`` divides it by the number of elements; ``"sum"`` or
            ``"none"``.
        log_target: Whether targets are logarithms too.

    Shape:
        Input and target (B, ...); the loss is 0-d, or (B, ...) with ``"none"``.

    Example:
        >>> from tinygrad_rnn import nn, tensor
        >>> p = tensor([[0.5, 0.5], [0.25, 0.75]])
        >>> nn.KLDivLoss("batchmean")(p.log(), p).item()
        0.0
    """

    def __init__(self, reduction: str = "mean", log_target: bool = False) -> None:
        check_choice(self._name, KL_REDUCTIONS, reduction=reduction)
        # The rule of other losses' reductions knows no "batchmean".
        super().__init__(reduction="mean", log_target=log_target)
        self.reduction = reduction
