"""Recurrent layers one step at a time, for text that is written character by character."""

from typing import Any

from .. import kernels
from ..backend import backend_of
from ..engine.mode import no_grad
from ..engine.node import wrap
from ..engine.warned import watched
from ..errors import OptionError, ShapeError, check_type
from ..tensor import Tensor
from .layers.linear import Linear
from .module import Module
from .rnn import GRU, LSTM, RNN, RNNBase


class Stepper:
    """One step of a recurrent layer and a head, for sampling: much faster than to call
    the two.

    ``output, state = step(input, state=None)``: input is that of one step, ids (B,) or
    features (B, I), or of a single sequence without B; state is the layer's,
    (num_layers, B, H), of an LSTM a pair. The output is (B, H), or the scores (B, V) of
    ``head``, a Linear. It computes what ``head(rnn(input, state))`` does and records
    nothing; dropout has to be off, by ``eval()``. A ``forward`` of a subclass is called
    as it is. The weights are prepared once, and again when they have changed, be it by
    an optimizer, by loading, in place or by ``.data``. What is written into the array
    of ``weight.numpy()``, or into one that ``tg.from_numpy`` shares, is not seen: write
    ``weight.copy_(tg.from_numpy(array))`` under ``no_grad()``.

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
        check_type("nn.Stepper", RNNBase, "an nn.RNN, nn.LSTM or nn.GRU", rnn=rnn)
        check_type("nn.Stepper", Linear | None, "an nn.Linear or None", head=head)
        if rnn.bidirectional:
            raise OptionError("nn.Stepper: rnn is bidirectional, but steps go one way")
        if head is not None and _is_usual(rnn) and _is_usual(head):
            size = rnn.proj_size or rnn.hidden_size
            if head.in_features != size:
                got = f"head has in_features={head.in_features}"
                raise ShapeError(
                    f"nn.Stepper: {got}, expected {size}, the features rnn gives"
                )
        self.rnn, self.head = rnn, head
        self._ready: Any = (
            None,
            None,
        )  # what the kernel's step was made of, and that step

    def __repr__(self) -> str:
        return f"Stepper({self.rnn!r}, {self.head!r})"

    def __reduce__(self) -> Any:  # a copy prepares weights of its own
        return type(self), (self.rnn, self.head)

    def __call__(self, input: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        rnn, head, weight = self.rnn, self.head, self.rnn.weight_ih_l0
        lead = input.shape[:1] if rnn._check_input(input, weight, 2) else ()
        parts = rnn._check_state(state, (rnn.num_layers, *lead), weight)
        if rnn.dropout and rnn.training and rnn.num_layers > 1:
            raise OptionError(
                "nn.Stepper: rnn drops out while training; call its .eval() first"
            )
        used = [
            getattr(rnn, name)
            for names in (rnn.settings, *rnn._names)
            for name in names
        ]
        used += [] if head is None else [head.weight, head.bias]
        seen = [
            (id(v.array), v.version[0]) if isinstance(v, Tensor) else v for v in used
        ]
        seen += [
            rnn,
            head,
            *[name for part in self._parts() for name in _seen_by_hand(part)],
        ]
        known, run, *_ = self._ready
        if run is not None and state is not None and seen == known:
            arrays = [part.array for part in parts]
            output, new = watched("nn.Stepper", run, input.array, arrays)
            state = tuple(map(wrap, new))
            return wrap(output), state if len(state) > 1 else state[0]
        dim = int(rnn.batch_first and bool(lead))
        with no_grad():
            output, state = rnn(input.unsqueeze(dim), state)
            output = output.squeeze(dim).detach()  # a view of what nobody else holds
            output = output if head is None else head(output)
        if seen != known:  # now that the layers took the weights, they fit
            values = [v.array if isinstance(v, Tensor) else v for v in used]
            self._ready = (
                seen,
                self._prepared(values),
                values,
            )  # held, so that ids stay theirs
        return output, state

    def _parts(self) -> list[Any]:
        return [self.rnn] if self.head is None else [self.rnn, self.head]

    def _prepared(self, values: list[Any]) -> Any:
        """A step of the kernel with these settings and weights; None where none does as
        the layers.
        """
        make = kernels.find(backend_of(self.rnn.weight_ih_l0.array).kind, "stepper")
        if make is None or not all(map(_is_usual, self._parts())):
            return None
        rest = iter(values)
        settings = {name: next(rest) for name in self.rnn.settings}
        layers = [[next(rest) for _ in names] for names in self.rnn._names]
        return make(self.rnn.op.name, layers, list(rest), **settings)


def _is_usual(part: Any) -> bool:
    """Whether a call of a layer is its class's forward, and that is the package's own."""
    usual = (RNNBase.forward, LSTM.forward, Linear.forward)
    own = type(part).forward in usual and type(part).__call__ is Module.__call__
    return own and not _seen_by_hand(part)


def _seen_by_hand(part: Any) -> list[str]:
    """What an instance has beside its class: hooks, or a forward that was put in its
    place.
    """
    return [name for name in ("_hooks", "forward") if part.__dict__.get(name)]
