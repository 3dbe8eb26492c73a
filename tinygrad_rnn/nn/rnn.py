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

__all__ = ["RNN", "RNNCell"]


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


class _Recurrent(Module):
    """What cells and layers share: their parameters, named and ordered as PyTorch's."""

    weight_ih_l0: Parameter
    gates = 1  # how many blocks of H rows the weights have
    hidden_size: int

    def _add_weights(self, suffix: str, input_size: int, bias: bool) -> None:
        rows = self.gates * self.hidden_size
        setattr(self, f"weight_ih{suffix}", empty_parameter(rows, input_size))
        setattr(self, f"weight_hh{suffix}", empty_parameter(rows, self.hidden_size))
        for name in (f"bias_ih{suffix}", f"bias_hh{suffix}"):
            setattr(self, name, empty_parameter(rows) if bias else None)

    def _weights(self, suffix: str) -> tuple[Any, ...]:
        names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        return tuple([getattr(self, name + suffix) for name in names])

    def reset_parameters(self) -> None:
        """Draw the initial values anew: uniform within 1 / sqrt(hidden_size)."""
        bound = self.hidden_size**-0.5
        for parameter in self.parameters():
            init.uniform_(parameter, -bound, bound)


def _check_nonlinearity(name: str, nonlinearity: Any) -> None:
    if nonlinearity not in tuple(ops.recurrent.ACTIVATIONS):
        raise OptionError(f"{name}: nonlinearity is {nonlinearity!r}, expected 'tanh' or 'relu'")


class RNNCell(_Recurrent):
    """One step: h' = tanh(W_ih x + b_ih + W_hh h + b_hh), as torch.nn.RNNCell.

    ``cell(input, hx)``: input (B, I) or (I,), or ids (B,), which stand for one-hot rows; hx (B, H)
    or (H,), zeros if left out. Returns the next state, of the shape of hx.
    """

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, nonlinearity: str = "tanh"
    ) -> None:
        super().__init__()
        positive("nn.RNNCell", input_size=input_size, hidden_size=hidden_size)
        _check_nonlinearity("nn.RNNCell", nonlinearity)
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.bias = bias
        self.nonlinearity = nonlinearity
        self._add_weights("", input_size, bias)
        self.reset_parameters()

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        w_ih, w_hh, b_ih, b_hh = self._weights("")
        batched = _check_input("nn.RNNCell", input, w_ih, self.input_size, 2)
        shape = (input.shape[0], self.hidden_size) if batched else (self.hidden_size,)
        if hx is None:
            hx = wrap(np.zeros(shape, w_ih.dtype))
        else:
            _check_state("nn.RNNCell", "hx", hx, shape, w_ih)
        z = ops.project(input, w_ih, b_ih)
        out: Tensor = ops.rnn_step(z, hx, w_hh, b_hh, self.nonlinearity)
        return out

    def extra_repr(self) -> str:
        return f"{self.input_size}, {self.hidden_size}, nonlinearity={self.nonlinearity!r}"


class RNN(_Recurrent):
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

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
    ) -> None:
        super().__init__()
        positive(
            "nn.RNN", input_size=input_size, hidden_size=hidden_size, num_layers=num_layers
        )
        _check_nonlinearity("nn.RNN", nonlinearity)
        F.check_probability("nn.RNN", "dropout", dropout)
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.nonlinearity = nonlinearity
        self.bias = bias
        self.batch_first = batch_first
        self.dropout = dropout
        self.bidirectional = bidirectional
        self._suffixes = ("", "_reverse") if bidirectional else ("",)
        for layer in range(num_layers):
            size = hidden_size * len(self._suffixes) if layer else input_size
            for suffix in self._suffixes:
                self._add_weights(f"_l{layer}{suffix}", size, bias)
        self.reset_parameters()

    def forward(
        self, input: Tensor, h_0: Tensor | None = None, lengths: Sequence[int] | None = None
    ) -> tuple[Tensor, Tensor]:
        name = "nn.RNN"
        batched = _check_input(name, input, self.weight_ih_l0, self.input_size, 3)
        if not batched:
            input = input.unsqueeze(1)
        elif self.batch_first:
            input = ops.permute_dims(input, (1, 0, 2)[: input.ndim])
        steps, batch = input.shape[:2]
        if not steps:
            raise ShapeError(f"{name}: input has no steps (shape {input.shape}), expected T >= 1")
        count = self.num_layers * len(self._suffixes)
        if h_0 is not None:
            shape = (count, batch, self.hidden_size)
            _check_state(name, "h_0", h_0, shape if batched else (count, self.hidden_size), self.weight_ih_l0)
            if not batched:
                h_0 = h_0.unsqueeze(1)
        ends = None if lengths is None else _check_lengths(name, lengths, steps, batch)
        output = input
        last: list[Tensor] = []
        for layer in range(self.num_layers):
            if layer and self.dropout:
                output = F.dropout(output, self.dropout, self.training)
            outputs = []
            for reverse, suffix in enumerate(self._suffixes):
                out, h = ops.rnn(
                    output,
                    None if h_0 is None else h_0[len(last)],
                    *self._weights(f"_l{layer}{suffix}"),
                    nonlinearity=self.nonlinearity,
                    reverse=bool(reverse),
                    lengths=ends,
                )
                outputs.append(out)
                last.append(h)
            output = outputs[0] if len(outputs) == 1 else cat(outputs, -1)
        h_n = ops.reshape(last[0], (1, *last[0].shape)) if count == 1 else stack(last)
        if not batched:
            return output.squeeze(1), h_n.squeeze(1)
        return (ops.permute_dims(output, (1, 0, 2)) if self.batch_first else output), h_n

    def extra_repr(self) -> str:
        parts = [f"{self.input_size}, {self.hidden_size}"]
        for key, default in (
            ("num_layers", 1),
            ("nonlinearity", "tanh"),
            ("bias", True),
            ("batch_first", False),
            ("dropout", 0.0),
            ("bidirectional", False),
        ):
            if getattr(self, key) != default:
                parts.append(f"{key}={getattr(self, key)!r}")
        return ", ".join(parts)


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
