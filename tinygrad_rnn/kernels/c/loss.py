"""Softmax cross entropy in C; kernels/numpy/loss.py has the equations."""

from ..numpy.scan import Array, Arrays, Inputs, MaybeArray, Needs
from . import _c

# exp(x - max(x)), (N, V); their sums, (N,); the target; what a mean divides by.
Workspace = tuple[Array, Array, Array, float]


def cross_entropy_forward(
    logits: Array,
    target: Array,
    weight: MaybeArray = None,
    *,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> tuple[tuple[Array], Workspace]:
    """Return the loss of logits (N, V) for classes (N,), 0-d, or (N,) for "none"."""
    reduces, divides = reduction != "none", reduction == "mean"
    options = ignore_index, label_smoothing, reduces, divides
    return _c.cross_entropy_forward(logits, target, weight, *options)


def cross_entropy_backward(
    grads: Arrays,
    needs: Needs,
    inputs: Inputs,
    outputs: object,
    workspace: Workspace,
    *,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Arrays:
    """Return the gradient of the logits; target and weight have none."""
    if not needs[0]:
        return None, None, None
    exps, sums, target, total = workspace
    reduces, divides = reduction != "none", reduction == "mean"
    options = ignore_index, label_smoothing, reduces, divides
    g = _c.cross_entropy_backward(
        grads[0], target, inputs[2], *options, exps, sums, total
    )
    return g, None, None
