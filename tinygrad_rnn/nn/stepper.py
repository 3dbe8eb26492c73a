"""Stepper: a recurrent layer and a head, one step at a time; tg.compile replaces it."""

from ..engine.capture import Compiled
from ..engine.mode import no_grad
from ..engine.warned import warn_user
from ..errors import GraphError, OptionError, ShapeError, check_type
from ..tensor import Tensor
from ..types import Function, Operand
from .layers.linear import Linear
from .module import Module
from .recurrent import State
from .rnn import GRU, LSTM, RNN, RNNBase


class Stepper:
    """Deprecated: one step of a recurrent layer and a head, for sampling.

    It computes what ``head(rnn(input, state))`` does for one step, and records nothing.
    :func:`~tinygrad_rnn.compile` of one step of the model does the same without it, and
    the Stepper is now a call of that. If a step cannot be captured, as with hooks, the
    Stepper runs plainly from then on.

    Args:
        rnn: A layer of one direction. Its dropout has to be off, by ``eval()``.
        head: A Linear that is applied to the output, if any.

    Shape:
        ``output, state = step(input, state=None)``, with

        * input: features (B, I), or ids (B,), of one step; B may be left out.
        * state: the layer's, (L, B, H), and of an LSTM a pair; zeros if left out.
        * output: (B, H), or the scores (B, V) of the head.

    Raises:
        OptionError: The layer is bidirectional, or drops out.
        ShapeError: The head does not fit the layer.

    Example:
        >>> import tinygrad_rnn as tg
        >>> from tinygrad_rnn import nn
        >>> rnn, head = nn.GRU(10, 20), nn.Linear(20, 10)
        >>> @tg.compile
        ... def step(ids, state):  # in place of step = nn.Stepper(rnn, head)
        ...     with tg.no_grad():
        ...         output, state = rnn(ids.unsqueeze(0), state)
        ...         return head(output)[0], state
        >>> ids, state, written = tg.tensor([7]), None, []
        >>> for _ in range(5):
        ...     scores, state = step(ids, state)
        ...     ids = tg.categorical(scores)
        ...     written.append(ids.item())
        >>> scores.shape, len(written)
        ((1, 10), 5)
    """

    def __init__(self, rnn: RNN | LSTM | GRU, head: Linear | None = None) -> None:
        name = "nn.Stepper"
        check_type(name, RNNBase, "an nn.RNN, nn.LSTM or nn.GRU", rnn=rnn)
        check_type(name, Linear | None, "an nn.Linear or None", head=head)
        if rnn.bidirectional:
            raise OptionError(f"{name}: rnn is bidirectional, but steps go one way")
        if head is not None and _runs_our_forward(rnn) and _runs_our_forward(head):
            size = rnn.proj_size or rnn.hidden_size
            if head.in_features != size:
                got = f"head has in_features={head.in_features}"
                raise ShapeError(
                    f"{name}: {got}, expected {size}, the features rnn gives"
                )
        warn_user(
            "nn.Stepper will go; compile one step of the model instead, which is what "
            "it does itself now: step = tg.compile(model), called under tg.no_grad()",
            DeprecationWarning,
        )
        self.rnn, self.head = rnn, head
        self._step: Function = Compiled(_step)

    def __repr__(self) -> str:
        return f"Stepper({self.rnn!r}, {self.head!r})"

    def __reduce__(self) -> tuple[type, tuple[Module | None, ...]]:
        return type(self), (self.rnn, self.head)  # a copy compiles its own step

    def __call__(self, input: Tensor, state: State = None) -> tuple[Tensor, Operand]:
        with no_grad():
            given = self.rnn, self.head, _without_graph(input), _without_graph(state)
            try:
                return self._step(*given)
            except GraphError:  # it cannot be captured
                self._step = _step
            return _step(*given)


def _step(
    rnn: RNNBase, head: Linear | None, input: Tensor, state: State
) -> tuple[Tensor, Operand]:
    """Return the output of one step, and the new state."""
    weight = rnn.weight_ih_l0
    is_batch = rnn._check_input("nn.Stepper", input, weight, 2)
    batch = input.shape[:1] if is_batch else ()
    rnn._check_state("nn.Stepper", state, (rnn.num_layers, *batch), weight)
    if rnn.dropout and rnn.training and rnn.num_layers > 1:
        raise OptionError(
            "nn.Stepper: rnn drops out while training; call its .eval() first"
        )
    dim = int(rnn.batch_first and is_batch)
    output, last = rnn(input.unsqueeze(dim), state)
    # Nobody else holds its memory, so it may be changed in place.
    output = output.squeeze(dim).detach()
    return (output if head is None else head(output)), last


def _without_graph(value: Operand) -> Operand:
    """Return a Tensor, or each Tensor of a state, detached; anything else as it is."""
    if isinstance(value, tuple | list):
        return tuple(map(_without_graph, value))
    return value.detach() if isinstance(value, Tensor) else value


def _runs_our_forward(layer: Module) -> bool:
    """Return whether calling a layer runs our forward, and no hooks."""
    kind, own = type(layer), vars(layer)
    is_ours = kind.forward in (RNNBase.forward, Linear.forward)
    is_called = is_ours and kind.__call__ is Module.__call__
    return is_called and not own.get("_hooks") and not own.get("forward")
