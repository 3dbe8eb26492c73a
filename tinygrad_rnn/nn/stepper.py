"""Stepper: a recurrent layer and a head, one step at a time, for sampling."""

from collections.abc import Sequence
from typing import NamedTuple

from .. import kernels
from ..backend import backend_of
from ..engine.mode import no_grad
from ..engine.node import wrap
from ..engine.warned import watched
from ..errors import OptionError, ShapeError, check_type
from ..tensor import Tensor
from ..types import Array, Function, Operand
from .cells import State
from .layers.linear import Linear
from .module import Module
from .rnn import GRU, LSTM, RNN, RNNBase


class _Prepared(NamedTuple):
    """A kernel's step with its own copy of the weights."""

    stamp: list[object] | None  # of the layers when it was made
    step: Function | None  # None if no kernel does what the layers do
    sources: list[Array]  # the arrays of the weights, held so that their ids stay taken


class Stepper:
    """One step of a recurrent layer and a head, for sampling.

    It computes what ``head(rnn(input, state))`` does for one step, much faster, and
    records nothing. The weights are copied in the order that suits a step, and copied
    again when they have changed, be it by an optimizer, by loading, in place or by
    ``.data``. What is written into the array of ``weight.numpy()``, or into one that
    ``tg.from_numpy`` shares, is not seen: write
    ``weight.copy_(tg.from_numpy(array))`` under ``no_grad()``.

    A subclass's own ``forward``, and hooks, are called as usual.

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
        >>> step = nn.Stepper(nn.GRU(10, 20), nn.Linear(20, 10))
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
        if head is not None and _is_unchanged(rnn) and _is_unchanged(head):
            size = rnn.proj_size or rnn.hidden_size
            if head.in_features != size:
                got = f"head has in_features={head.in_features}"
                raise ShapeError(
                    f"{name}: {got}, expected {size}, the features rnn gives"
                )
        self.rnn, self.head = rnn, head
        self._prepared = _Prepared(None, None, [])

    def __repr__(self) -> str:
        return f"Stepper({self.rnn!r}, {self.head!r})"

    def __reduce__(self) -> tuple[type, tuple[Module | None, ...]]:
        return type(self), (self.rnn, self.head)  # a copy prepares its own weights

    def __call__(self, input: Tensor, state: State = None) -> tuple[Tensor, Operand]:
        rnn, weight = self.rnn, self.rnn.weight_ih_l0
        lead = input.shape[:1] if rnn._check_input(input, weight, 2) else ()
        parts = rnn._check_state(state, (rnn.num_layers, *lead), weight)
        if rnn.dropout and rnn.training and rnn.num_layers > 1:
            raise OptionError(
                "nn.Stepper: rnn drops out while training; call its .eval() first"
            )
        used = self._values_in_use()
        stamp = self._stamp(used)
        is_current = stamp == self._prepared.stamp
        step = self._prepared.step
        if step is not None and state is not None and is_current:
            arrays = [part.array for part in parts if part is not None]
            output, new = watched("nn.Stepper", step, input.array, arrays)
            new_state = tuple(map(wrap, new))
            return wrap(output), new_state if len(new_state) > 1 else new_state[0]
        output, last = self._call_layers(input, state, bool(lead))
        if not is_current:  # prepared after the layers have found that the weights fit
            self._prepared = self._prepare(stamp, used)
        return output, last

    def _layers(self) -> list[Module]:
        return [self.rnn] if self.head is None else [self.rnn, self.head]

    def _call_layers(
        self, input: Tensor, state: State, batched: bool
    ) -> tuple[Tensor, Operand]:
        """One step by the layers themselves."""
        dim = int(self.rnn.batch_first and batched)
        with no_grad():
            output, last = self.rnn(input.unsqueeze(dim), state)
            # A view of what nobody else holds: it may be changed in place.
            output = output.squeeze(dim).detach()
            return output if self.head is None else self.head(output), last

    def _values_in_use(self) -> list[Operand]:
        """The op's settings, then the weights of each layer and of the head."""
        rnn, head = self.rnn, self.head
        names = [*rnn.op_settings]
        for weight_names in rnn._weight_names:
            names += weight_names
        values: list[Operand] = [getattr(rnn, name) for name in names]
        return values if head is None else [*values, head.weight, head.bias]

    def _stamp(self, used: list[Operand]) -> list[object]:
        """What changes whenever the prepared step no longer does what the layers do."""
        stamp: list[object] = [
            (id(value.array), value.version[0]) if isinstance(value, Tensor) else value
            for value in used
        ]
        for layer in self._layers():
            stamp += [layer, *_set_by_hand(layer)]
        return stamp

    def _prepare(self, stamp: list[object], used: list[Operand]) -> _Prepared:
        rnn = self.rnn
        values = [v.array if isinstance(v, Tensor) else v for v in used]
        kind = backend_of(rnn.weight_ih_l0.array).kind
        make = kernels.find(kind, "stepper")
        if make is None or not all(map(_is_unchanged, self._layers())):
            return _Prepared(stamp, None, values)
        rest = iter(values)
        settings = {name: next(rest) for name in rnn.op_settings}
        weights = [[next(rest) for _ in names] for names in rnn._weight_names]
        step = make(rnn.op.name, weights, list(rest), **settings)
        return _Prepared(stamp, step, values)


def _is_unchanged(layer: Module) -> bool:
    """Whether a call of a layer runs the forward of this package, and no hooks."""
    forwards = (RNNBase.forward, LSTM.forward, Linear.forward)
    is_ours = type(layer).forward in forwards
    is_called_plainly = type(layer).__call__ is Module.__call__
    return is_ours and is_called_plainly and not _set_by_hand(layer)


def _set_by_hand(layer: Module) -> Sequence[str]:
    """Which of hooks and a ``forward`` an instance has beside its class."""
    return [name for name in ("_hooks", "forward") if layer.__dict__.get(name)]
