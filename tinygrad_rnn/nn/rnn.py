"""Recurrent layers and their cells. Legend: T time, B batch, I input, H hidden, D directions."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import ops
from ..engine.node import wrap
from ..errors import DTypeError, OptionError, ShapeError
from ..functions import cat, stack
from ..tensor import Tensor
from . import functional as F
from . import init
from .layers import empty_parameter, positive
from .module import Module, Parameter

# fmt: off
USUAL = {  # what repr does not mention
    "num_layers": 1, "nonlinearity": "tanh", "bias": True, "batch_first": False, "dropout": 0.0,
    "bidirectional": False, "proj_size": 0,
}
# fmt: on


def _check_input(name: str, input: Any, weight: Tensor, size: int, batched: int) -> bool:
    """Refuse what is neither features nor ids; ``batched`` is the rank of batched features.

    Returns whether the input has a batch dim.
    """
    if isinstance(input, Tensor) and input.dtype.kind in "iu":
        if input.ndim not in (batched - 1, batched - 2):
            raise DTypeError(
                f"{name}: input is {input.dtype} of shape {input.shape}; features are floats, "
                f"use .float(), and ids have {batched - 1} dims, or {batched - 2} without a batch"
            )
        F.check_ids(name, "input", input, size)
        return input.ndim == batched - 1
    F.check_float(name, input, weight)
    if input.ndim not in (batched, batched - 1):
        raise ShapeError(
            f"{name}: input has shape {input.shape}, expected {batched} dims, or {batched - 1} "
            "without a batch"
        )
    if input.shape[-1] != size:
        raise ShapeError(
            f"{name}: input has {input.shape[-1]} features in its last dimension, "
            f"expected input_size={size} (input shape {input.shape})"
        )
    return input.ndim == batched


def _check_state(name: str, what: str, state: Any, shape: tuple[int, ...], weight: Tensor) -> None:
    if not isinstance(state, Tensor) or state.dtype != weight.dtype:
        got = state.dtype if isinstance(state, Tensor) else type(state).__name__
        raise DTypeError(f"{name}: {what} is {got}, expected a {weight.dtype} Tensor")
    if state.shape != shape:
        note = "" if len(shape) < 3 else "; the state does not follow batch_first, as in PyTorch"
        raise ShapeError(f"{name}: {what} has shape {state.shape}, expected {shape}{note}")


def _check_nonlinearity(name: str, nonlinearity: Any) -> None:
    if nonlinearity not in tuple(ops.recurrent.ACTIVATIONS):
        raise OptionError(f"{name}: nonlinearity is {nonlinearity!r}, expected 'tanh' or 'relu'")


class _Recurrent(Module):
    """What cells and layers share: their parameters, named and ordered as PyTorch's, and states."""

    gates = 1  # how many blocks of H rows the weights have
    parts: tuple[str, ...] = ("h_0",)  # of the state
    input_size: int
    hidden_size: int
    proj_size = 0  # of h, where it is projected

    @property
    def _name(self) -> str:
        return f"nn.{type(self).__name__}"

    def _add_weights(self, suffix: str, input_size: int, bias: bool) -> None:
        rows, size = self.gates * self.hidden_size, self.proj_size or self.hidden_size
        setattr(self, f"weight_ih{suffix}", empty_parameter(rows, input_size))
        setattr(self, f"weight_hh{suffix}", empty_parameter(rows, size))
        for name in (f"bias_ih{suffix}", f"bias_hh{suffix}"):
            setattr(self, name, empty_parameter(rows) if bias else None)
        if self.proj_size:
            setattr(self, f"weight_hr{suffix}", empty_parameter(size, self.hidden_size))

    def _weights(self, suffix: str) -> list[Any]:
        names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr")
        return [getattr(self, name + suffix) for name in names[: 5 if self.proj_size else 4]]

    def _check_states(self, state: Any, lead: tuple[int, ...], weight: Tensor) -> list[Any]:
        """The parts of the state; ``lead`` is their shape without the last dim."""
        if state is None:
            return [None] * len(self.parts)
        if len(self.parts) == 1:
            state = (state,)
        elif not isinstance(state, tuple | list) or len(state) != len(self.parts):
            got = type(state).__name__
            got += f" of {len(state)}" if isinstance(state, tuple | list) else ""
            expected = ", ".join(self.parts)
            raise DTypeError(f"{self._name}: the state is a {got}, expected a tuple ({expected})")
        sizes = (self.proj_size or self.hidden_size, self.hidden_size)
        for what, part, size in zip(self.parts, state, sizes, strict=False):
            _check_state(self._name, what, part, (*lead, size), weight)
        return list(state)

    def reset_parameters(self) -> None:
        """Draw the initial values anew: uniform within 1 / sqrt(hidden_size)."""
        bound = self.hidden_size**-0.5
        for parameter in self.parameters():
            init.uniform_(parameter, -bound, bound)

    def extra_repr(self) -> str:
        given = [
            f", {name}={getattr(self, name)!r}"
            for name, usual in USUAL.items()
            if getattr(self, name, usual) != usual
        ]
        return f"{self.input_size}, {self.hidden_size}{''.join(given)}"


# ---------------------------------------------------------------- cells


class _Cell(_Recurrent):
    parts: tuple[str, ...] = ("hx",)

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True) -> None:
        super().__init__()
        positive(self._name, input_size=input_size, hidden_size=hidden_size)
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.bias = bias
        self._add_weights("", input_size, bias)
        self.reset_parameters()

    def _enter(self, input: Tensor, state: Any) -> Any:
        """W_ih x + b_ih, the parts of the state, W_hh and b_hh: what a step takes."""
        w_ih, w_hh, b_ih, b_hh = self._weights("")
        lead = input.shape[:1] if _check_input(self._name, input, w_ih, self.input_size, 2) else ()
        parts = self._check_states(state, lead, w_ih)
        if state is None:
            parts = [wrap(np.zeros((*lead, self.hidden_size), w_ih.dtype)) for _ in parts]
        return [ops.project(input, w_ih, b_ih), *parts, w_hh, b_hh]


class RNNCell(_Cell):
    """One step: h' = tanh(W_ih x + b_ih + W_hh h + b_hh), as torch.nn.RNNCell.

    ``cell(input, hx)``: input (B, I) or (I,), or ids (B,), which stand for one-hot rows; hx (B, H)
    or (H,), zeros if left out. Returns the next state, of the shape of hx.
    """

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, nonlinearity: str = "tanh"
    ) -> None:
        _check_nonlinearity(self._name, nonlinearity)
        super().__init__(input_size, hidden_size, bias)
        self.nonlinearity = nonlinearity

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        z, h, w_hh, b_hh = self._enter(input, hx)
        return ops.rnn_step(z, h, w_hh, b_hh, self.nonlinearity)


class LSTMCell(_Cell):
    """One step of an LSTM, as torch.nn.LSTMCell; its weights are stacked as i, f, g, o.

    ``h, c = cell(input, (h, c))``: as RNNCell, with a state of two parts, each (B, H) or (H,).

        i, f, o = sigmoid(W_i x + b_i + U_i h + d_i), ...   g = tanh(W_g x + b_g + U_g h + d_g)
        c' = f c + i g                                      h' = o tanh(c')
    """

    gates = 4
    parts = ("h_0", "c_0")

    def forward(
        self, input: Tensor, hx: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Tensor, Tensor]:
        return ops.lstm_step(*self._enter(input, hx))


class GRUCell(_Cell):
    """One step of a GRU, as torch.nn.GRUCell; its weights are stacked as r, z, n.

    ``cell(input, hx)``: as RNNCell.

        r, z = sigmoid(W_r x + b_r + U_r h + d_r), ...      n = tanh(W_n x + b_n + r (U_n h + d_n))
        h' = (1 - z) n + z h
    """

    gates = 3

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        return ops.gru_step(*self._enter(input, hx))


# ---------------------------------------------------------------- layers


class _Layer(_Recurrent):
    op: Any  # one layer in one direction
    weight_ih_l0: Parameter

    def __init__(
        self, input_size: int, hidden_size: int, num_layers: int = 1, bias: bool = True,
        batch_first: bool = False, dropout: float = 0.0, bidirectional: bool = False,
    ) -> None:  # fmt: skip
        super().__init__()
        positive(self._name, input_size=input_size, hidden_size=hidden_size, num_layers=num_layers)
        F.check_probability(self._name, "dropout", dropout)
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.bias = bias
        self.batch_first = batch_first
        self.dropout = dropout
        self.bidirectional = bidirectional
        self._suffixes = ("", "_reverse") if bidirectional else ("",)
        for layer in range(num_layers):
            size = (self.proj_size or hidden_size) * len(self._suffixes) if layer else input_size
            for suffix in self._suffixes:
                self._add_weights(f"_l{layer}{suffix}", size, bias)
        self.reset_parameters()

    def _run(self, input: Tensor, state: Any, lengths: Any, **settings: Any) -> list[Tensor]:
        """The output, and the parts of the last state."""
        name, weight = self._name, self.weight_ih_l0
        batched = _check_input(name, input, weight, self.input_size, 3)
        if not batched:
            input = input.unsqueeze(1)
        elif self.batch_first:
            input = ops.permute_dims(input, (1, 0, 2)[: input.ndim])
        steps, batch = input.shape[:2]
        if not steps:
            raise ShapeError(f"{name}: input has no steps (shape {input.shape}), expected T >= 1")
        count = self.num_layers * len(self._suffixes)
        parts = self._check_states(state, (count, batch) if batched else (count,), weight)
        if not batched:
            parts = [None if part is None else part.unsqueeze(1) for part in parts]
        ends = None if lengths is None else _check_lengths(name, lengths, steps, batch)
        output = input
        last: list[list[Tensor]] = []
        for layer in range(self.num_layers):
            if layer and self.dropout:
                output = F.dropout(output, self.dropout, self.training)
            outputs = []
            for reverse, suffix in enumerate(self._suffixes):
                out, *end = self.op(
                    output,
                    *[None if part is None else part[len(last)] for part in parts],
                    *self._weights(f"_l{layer}{suffix}"),
                    **settings,
                    reverse=bool(reverse),
                    lengths=ends,
                )
                outputs.append(out)
                last.append(end)
            output = outputs[0] if len(outputs) == 1 else cat(outputs, -1)
        found = [
            ops.reshape(end[0], (1, *end[0].shape)) if count == 1 else stack(end)
            for end in zip(*last, strict=True)
        ]
        if not batched:
            found = [out.squeeze(1) for out in (output, *found)]
        else:
            found.insert(0, ops.permute_dims(output, (1, 0, 2)) if self.batch_first else output)
        for out in found:  # what they are views of nobody else holds: they may change in place
            out.epoch = out.source = None
        return found


class RNN(_Layer):
    """h_t = tanh(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh) over a sequence, as torch.nn.RNN.

    ``output, h_n = rnn(input, h_0=None, lengths=None)``:

    * input (T, B, I), with ``batch_first`` (B, T, I), unbatched (T, I); or integer ids in
      [0, input_size), (T, B), (B, T) or (T,), which stand for one-hot rows.
    * h_0 (num_layers * D, B, H), whatever ``batch_first``; unbatched (num_layers * D, H). Zeros if
      left out. D is 2 if ``bidirectional``, else 1.
    * lengths: B integers from 1 to T, in any order. Past the end of a sequence the output is 0,
      h_n is the state at its own last step, and nothing flows through the padding.
    * output (T, B, D * H), or as batch_first says; h_n of the shape of h_0.

    ``dropout`` is the probability of a zero between layers, while training. Truncated
    backpropagation is ``h = h.detach()`` between windows.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import nn
    >>> rnn = nn.RNN(10, 20, num_layers=2)
    >>> output, h_n = rnn(tg.randn(5, 3, 10))
    >>> output.shape, h_n.shape
    ((5, 3, 20), (2, 3, 20))
    """

    op = ops.rnn

    def __init__(
        self, input_size: int, hidden_size: int, num_layers: int = 1, nonlinearity: str = "tanh",
        bias: bool = True, batch_first: bool = False, dropout: float = 0.0,
        bidirectional: bool = False,
    ) -> None:  # fmt: skip
        _check_nonlinearity(self._name, nonlinearity)
        rest = (num_layers, bias, batch_first, dropout, bidirectional)
        super().__init__(input_size, hidden_size, *rest)
        self.nonlinearity = nonlinearity

    def forward(
        self, input: Tensor, h_0: Tensor | None = None, lengths: Sequence[int] | None = None
    ) -> tuple[Tensor, Tensor]:
        output, h_n = self._run(input, h_0, lengths, nonlinearity=self.nonlinearity)
        return output, h_n


class LSTM(_Layer):
    """An LSTM over a sequence, as torch.nn.LSTM: each step as in LSTMCell.

    ``output, (h_n, c_n) = lstm(input, hx=None, lengths=None)``: as RNN, with a state ``hx`` of two
    parts (h_0, c_0). With ``proj_size`` R, h is W_hr (o tanh(c)) and of size R instead of H, and so
    are output and h_n.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import nn
    >>> lstm = nn.LSTM(10, 20, bidirectional=True)
    >>> output, (h_n, c_n) = lstm(tg.randn(5, 3, 10), lengths=[5, 2, 4])
    >>> output.shape, c_n.shape
    ((5, 3, 40), (2, 3, 20))
    """

    gates = 4
    parts = ("h_0", "c_0")
    op = ops.lstm

    def __init__(
        self, input_size: int, hidden_size: int, num_layers: int = 1, bias: bool = True,
        batch_first: bool = False, dropout: float = 0.0, bidirectional: bool = False,
        proj_size: int = 0,
    ) -> None:  # fmt: skip
        positive(self._name, hidden_size=hidden_size, proj_size=1 if proj_size == 0 else proj_size)
        if proj_size >= hidden_size:
            raise OptionError(
                f"{self._name}: proj_size is {proj_size}, expected less than "
                f"hidden_size={hidden_size}, or 0 for none"
            )
        self.proj_size = proj_size
        rest = (num_layers, bias, batch_first, dropout, bidirectional)
        super().__init__(input_size, hidden_size, *rest)

    def forward(
        self,
        input: Tensor,
        hx: tuple[Tensor, Tensor] | None = None,
        lengths: Sequence[int] | None = None,
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        output, h_n, c_n = self._run(input, hx, lengths)
        return output, (h_n, c_n)


class GRU(_Layer):
    """A GRU over a sequence, as torch.nn.GRU: each step as in GRUCell.

    ``output, h_n = gru(input, h_0=None, lengths=None)``: as RNN.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import nn
    >>> gru = nn.GRU(10, 20, batch_first=True)
    >>> output, h_n = gru(tg.tensor([[1, 2, 3], [7, 0, 9]]))  # two words of three letters
    >>> output.shape, h_n.shape
    ((2, 3, 20), (1, 2, 20))
    """

    gates = 3
    op = ops.gru

    def forward(
        self, input: Tensor, h_0: Tensor | None = None, lengths: Sequence[int] | None = None
    ) -> tuple[Tensor, Tensor]:
        output, h_n = self._run(input, h_0, lengths)
        return output, h_n


def _check_lengths(name: str, lengths: Any, steps: int, batch: int) -> np.ndarray:
    try:
        given = np.asarray(lengths.numpy() if isinstance(lengths, Tensor) else lengths)
    except ValueError as error:
        raise ShapeError(f"{name}: lengths is ragged: {error}") from None
    if given.shape != (batch,) or (given.dtype.kind not in "iu" and batch):
        raise ShapeError(
            f"{name}: lengths has shape {given.shape} and {given.dtype}, expected {batch} integers, "
            "one for each sequence of the batch"
        )
    if batch and not (given.min() >= 1 and given.max() <= steps):
        raise OptionError(
            f"{name}: lengths go from {given.min()} to {given.max()}, expected 1 to T={steps}"
        )
    return given.astype(np.int64)
