"""Recurrent layers one step at a time, for text that is written character by character."""

from contextlib import suppress
from typing import Any

from .. import kernels
from ..backend import backend_of
from ..engine.mode import no_grad
from ..engine.node import wrap
from ..errors import OptionError, check_type
from ..tensor import Tensor
from . import check
from .layers import Linear
from .rnn import GRU, LSTM, RNN


class Stepper:
    """One step of a recurrent layer and a head, for sampling: much faster than to call the two.

    ``output, state = step(input, state=None)``: input is that of one step, ids (B,) or features
    (B, I), or of a single sequence without B; state is the layer's, (num_layers, B, H), of an LSTM a
    pair. The output is (B, H), or the scores (B, V) of ``head``, a Linear. It computes what
    ``head(rnn(input, state))`` does in eval mode, and records nothing. The weights are prepared once,
    and again when they have changed; but what is written into the arrays behind ``.data`` and
    ``.numpy()`` is not seen.

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
        check_type("nn.Stepper", RNN | LSTM | GRU, "an nn.RNN, nn.LSTM or nn.GRU", rnn=rnn)
        check_type("nn.Stepper", Linear | None, "an nn.Linear or None", head=head)
        if rnn.bidirectional:
            raise OptionError("nn.Stepper: rnn is bidirectional, but steps go one way")
        self.rnn, self.head = rnn, head
        self._prepare()

    def __repr__(self) -> str:
        return f"Stepper({self.rnn!r}, {self.head!r})"

    def __call__(self, input: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        rnn = self.rnn
        weight, count = rnn.weight_ih_l0, len(rnn._names)
        lead = input.shape[:1] if rnn._check_input(input, weight, 2) else ()
        parts = rnn._check_state(state, (count, *lead), weight)
        if count > 1 and rnn.dropout and rnn.training:
            raise OptionError("nn.Stepper: rnn drops out while training; call its .eval() first")
        if self._changed():
            self._prepare()
        if self._run is not None and state is not None:
            with suppress(Exception):  # the layers will say what is wrong
                output, new = self._run(input.array, [part.array for part in parts])
                parts = tuple(map(wrap, new))
                return wrap(output), parts if len(parts) > 1 else parts[0]
        return self._called(input, state, int(rnn.batch_first and bool(lead)))

    def _changed(self) -> bool:
        """Whether a setting or a weight is another one than when they were prepared."""
        for owner, name, value, array, version in self._seen:
            now = getattr(owner, name)
            if now is not value:
                return True
            if array is not None and (now.array is not array or now.version[0] != version):
                return True
        return False

    def _prepare(self) -> None:
        """Bring the weights into the order that the kernel likes, and keep what they were."""
        rnn, head = self.rnn, self.head
        settings = {name: getattr(rnn, name) for name in rnn.settings}
        check.options("nn.Stepper", **settings)
        named: list[Any] = [(rnn, names) for names in rnn._names]
        named += [] if head is None else [(head, ["weight", "bias"])]
        self._seen: list[Any] = [(rnn, name, value, None, None) for name, value in settings.items()]
        layers = []
        for owner, names in named:
            weights = [getattr(owner, name) for name in names]
            layers.append([None if w is None else w.array for w in weights])
            for name, w, array in zip(names, weights, layers[-1], strict=True):
                self._seen.append((owner, name, w, array, None if w is None else w.version[0]))
        make = kernels.find(backend_of(layers[0][0]).kind, "stepper")
        alike = len({a.dtype for layer in layers for a in layer if a is not None}) == 1
        count, self._run = len(rnn._names), None
        if make and alike:
            self._run = make(rnn.op.name, layers[:count], layers[count:], **settings)

    def _called(self, input: Tensor, state: Any, dim: int) -> tuple[Tensor, Any]:
        with no_grad():
            output, state = self.rnn(input.unsqueeze(dim), state)
            output = output.squeeze(dim)
            return (output if self.head is None else self.head(output)), state
