"""Stepper: a recurrent layer and a head, one step at a time, for sampling."""

from itertools import chain
from typing import NamedTuple

from ..backend import backend_of
from ..engine.mode import no_grad
from ..engine.node import wrap
from ..engine.warned import run_reporting_warnings
from ..errors import OptionError, ShapeError, check_type
from ..kernels import find as find_kernel
from ..tensor import Tensor
from ..types import Array, Function, Operand
from .layers.linear import Linear
from .module import Module
from .recurrent import State
from .rnn import GRU, LSTM, RNN, RNNBase


class _Prepared(NamedTuple):
    """A kernel's step with its own copy of the weights."""

    stamp: list[object]  # of the layers that it was made of
    step: Function | None  # None if no kernel does what the layers do
    arrays: list[list[Array]]  # the weights', held so that their ids stay taken


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
        if head is not None and _runs_our_forward(rnn) and _runs_our_forward(head):
            size = rnn.proj_size or rnn.hidden_size
            if head.in_features != size:
                got = f"head has in_features={head.in_features}"
                raise ShapeError(
                    f"{name}: {got}, expected {size}, the features rnn gives"
                )
        self.rnn, self.head = rnn, head
        self._prepared = _Prepared([], None, [])

    def __repr__(self) -> str:
        return f"Stepper({self.rnn!r}, {self.head!r})"

    def __reduce__(self) -> tuple[type, tuple[Module | None, ...]]:
        return type(self), (self.rnn, self.head)  # a copy prepares its own weights

    def __call__(self, input: Tensor, state: State = None) -> tuple[Tensor, Operand]:
        rnn, weight = self.rnn, self.rnn.weight_ih_l0
        is_batch = rnn._check_input("nn.Stepper", input, weight, 2)
        batch = input.shape[:1] if is_batch else ()
        lead = (rnn.num_layers, *batch)
        parts = rnn._check_state("nn.Stepper", state, lead, weight)
        if rnn.dropout and rnn.training and rnn.num_layers > 1:
            raise OptionError(
                "nn.Stepper: rnn drops out while training; call its .eval() first"
            )
        weights = self._list_weights()
        stamp = self._stamp(weights)
        is_current = stamp == self._prepared.stamp
        step = self._prepared.step
        if step is not None and state is not None and is_current:
            arrays = [part.array for part in parts]
            output, new = run_reporting_warnings(
                "nn.Stepper", step, input.array, arrays
            )
            h, *c = map(wrap, new)
            return wrap(output), (h, *c) if c else h
        dim = int(rnn.batch_first and is_batch)
        with no_grad():
            output, last = rnn(input.unsqueeze(dim), state)
            # Nobody else holds its memory, so it may be changed in place.
            output = output.squeeze(dim).detach()
            output = output if self.head is None else self.head(output)
        if not is_current:  # prepared now that the layers found that the weights fit
            self._prepare(stamp, weights)
        return output, last

    def _list_weights(self) -> list[list[Operand]]:
        """Return the weights of each layer, and at the end those of the head."""
        head = [] if self.head is None else [self.head.weight, self.head.bias]
        return [*self.rnn._list_weights(), head]

    def _stamp(self, weights: list[list[Operand]]) -> list[object]:
        """Return what a step is made from; empty if the layers have to be called."""
        rnn, head = self.rnn, self.head
        if not _runs_our_forward(rnn) or not (head is None or _runs_our_forward(head)):
            return []
        stamp: list[object] = [rnn, head, rnn._list_options()]
        for w in chain.from_iterable(weights):
            stamp.append(w if w is None else (id(w.array), w.version.count))
        return stamp

    def _prepare(self, stamp: list[object], weights: list[list[Operand]]) -> None:
        rnn, step = self.rnn, None
        arrays = [[w if w is None else w.array for w in group] for group in weights]
        make = find_kernel(backend_of(rnn.weight_ih_l0.array).kind, "stepper")
        if make is not None and stamp:
            *layers, head = arrays
            step = make(rnn._cell_kind.scan.name, layers, head, **rnn._list_options())
        self._prepared = _Prepared(stamp, step, arrays)


def _runs_our_forward(layer: Module) -> bool:
    """Return whether calling a layer runs our forward, and no hooks."""
    kind, own = type(layer), vars(layer)
    is_ours = kind.forward in (RNNBase.forward, Linear.forward)
    is_called = is_ours and kind.__call__ is Module.__call__
    return is_called and not own.get("_hooks") and not own.get("forward")
