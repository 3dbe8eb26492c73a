"""The gradient of each state of a recurrent layer, for plots of how it vanishes."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import copy
from dataclasses import replace
from itertools import product
from typing import NamedTuple

from ..autograd import grad
from ..engine.mode import enable_grad
from ..errors import GraphError, OptionError, ShapeError, check_type
from ..functions import stack
from ..nn.recurrent import CellKind, State
from ..nn.rnn import GRU, LSTM, RNN, Lengths, RNNBase
from ..nn.utils.rnn import PackedSequence
from ..ops.recurrent import project_and_scan
from ..random import default_generator
from ..tensor import Tensor
from ..types import Operand, Setting

Loss = Callable[[Operand, Operand], Tensor]
States = list[tuple[Tensor, ...]]  # the parts of the state after each step
_INDEPENDENT = (
    "gradient_flow: the loss does not depend on what the layer returns, or not by "
    "recorded operations: compute it from the arguments of loss(output, state)"
)
_EXPECTED_LOSS = "a function of the output and the state, or None"


class GradientFlow(NamedTuple):
    """The norms that :func:`gradient_flow` returns.

    Attributes:
        h: Those of dL/dh_t, (T, L * D).
        c: Those of dL/dc_t, (T, L * D), of an LSTM; None of other layers.
    """

    h: Tensor
    c: Tensor | None = None


class _Recorder:
    """A layer's scan by its equations, which keeps every state on the way.

    Attributes:
        columns: The states of each layer and direction, in the order of time.
    """

    def __init__(self, kind: CellKind) -> None:
        if kind.equations is None:
            raise OptionError(
                "gradient_flow: the layer's kind of cell has no equations; pass those "
                "of one step as CellKind(equations=...)"
            )
        self.kind, self.equations = kind, kind.equations
        self.columns: list[States] = []

    def scan(
        self, x: Tensor, *arguments: Operand, reverse: bool, **settings: Setting
    ) -> tuple[Operand, ...]:
        """Do what the op ``kind.scan`` does."""
        states: States = []

        def step(*args: Operand, **options: Setting) -> tuple[Tensor, ...]:
            found = self.equations(*args, **options)
            states.append(found if isinstance(found, tuple) else (found,))
            return states[-1]

        count = len(self.kind.state_names)
        first, (w_ih, w_hh, *others) = arguments[:count], arguments[count:]
        # So that all steps are recorded, also those of a frozen layer.
        weights = (w_ih, w_hh.detach().requires_grad_(), *others)
        results = project_and_scan(step, x, first, weights, reverse, **settings)
        self.columns.append(states[::-1] if reverse else states)
        return results


def gradient_flow(
    layer: RNN | LSTM | GRU,
    input: Tensor | PackedSequence,
    hx: State = None,
    lengths: Lengths = None,
    loss: Loss | None = None,
) -> GradientFlow:
    """Measure how much of the gradient of a loss L arrives at each state of a layer.

    It returns the norms of dL/dh_t, the derivative by the state at step t through all
    that is computed from it: the output of this step, all later steps, and the layers
    above. In a plain RNN, without layers above, ::

        dL/dh_t = g_t + W_hh^T ((1 - h_{t+1}^2) dL/dh_{t+1})

    with g_t the derivative by the output at t. Why this product vanishes or explodes:
    Bengio, Simard and Frasconi 1994; Pascanu, Mikolov and Bengio, arXiv:1211.5063.

    The layer runs step by step, by the equations of its cell, and the derivatives come
    from the states and gates that these save. A call changes nothing: neither the
    gradients of parameters nor the state of the default generator. Its dropout
    therefore draws the same masks as the next call of the layer.

    Args:
        layer: The layer.
        input: What the layer takes as input.
        hx: What it takes as the first state.
        lengths: What it takes as lengths.
        loss: ``loss(output, state)`` takes what the layer returns, and returns a Tensor
            of one element. By default, L is the sum of the last state, h_n, of the top
            layer.

    Shape:
        The norms are (T, L * D), for T steps, L layers and D directions, in the order
        of h_n. Each is taken over batch and features; padding adds nothing. Row t is
        that of the state after reading input t, in both directions.

    Returns:
        A named tuple of two Tensors: ``h``, the norms of dL/dh_t, and ``c``, those of
        dL/dc_t of an LSTM, which is None for other layers.

    Raises:
        DTypeError: The layer is not recurrent, or the loss is not a function.
        ShapeError: The loss has more than one element.
        GraphError: The loss does not depend on what the layer returns.

    Example:
        >>> import tinygrad_rnn as tg
        >>> from tinygrad_rnn import nn
        >>> rnn = nn.RNN(3, 8)
        >>> flow = tg.utils.gradient_flow(rnn, tg.randn(20, 4, 3))
        >>> flow.h.shape
        (20, 1)
        >>> bool(flow.h[0] < flow.h[-1])  # the gradient vanishes on its way back
        True
    """
    name = "gradient_flow"
    check_type(name, RNNBase, "an nn.RNN, nn.LSTM or nn.GRU", layer=layer)
    check_type(name, Callable | None, _EXPECTED_LOSS, loss=loss)
    recorder, recorded = _Recorder(layer._cell_kind), copy(layer)
    vars(recorded)["_cell_kind"] = replace(recorder.kind, scan=recorder.scan)
    with enable_grad(), _same_random_numbers():
        output, state = recorded(input, hx, lengths)
        if loss is None:
            h_n = state[0] if isinstance(state, tuple) else state
            total = h_n[-len(layer._directions) :].sum()
        else:
            total = loss(output, state)
    return GradientFlow(*_norms(_check_loss(total), recorder.columns))


@contextmanager
def _same_random_numbers() -> Iterator[None]:
    """Set the default generator back, at the end, to the state that it has now."""
    state = default_generator.get_state()
    try:
        yield
    finally:
        default_generator.set_state(state)


def _check_loss(total: Operand) -> Tensor:
    """Return a recorded Tensor of one element; raise for anything else."""
    name = "gradient_flow"
    check_type(name, Tensor, "a Tensor of one element", **{"the loss": total})
    if total.numel() != 1:
        got = f"the loss has shape {total.shape}, expected one element"
        raise ShapeError(f"{name}: {got}; reduce it with .sum() or .mean()")
    if not total.requires_grad:
        raise GraphError(_INDEPENDENT)
    return total


def _norms(total: Tensor, columns: list[States]) -> list[Tensor]:
    """Return the norms of the gradients of states, (T, L * D) for each of their parts.

    ``columns`` holds those of each layer and direction.
    """
    shape = len(columns[0][0]), len(columns[0]), len(columns)
    places = product(*map(range, shape))
    states = [columns[column][t][part] for part, t, column in places]
    found = grad(total, states, allow_unused=True)
    if all(g is None for g in found):
        raise GraphError(_INDEPENDENT)
    zero = states[0].new_zeros(())
    norms = [zero if g is None else g.norm() for g in found]
    return list(stack(norms).reshape(shape))
