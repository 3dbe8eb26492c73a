"""Recurrent layers and their cells. Legend: T time, B batch, I input, H hidden, D
directions.
"""

import warnings
from collections.abc import Sequence
from typing import Any

from .. import ops
from ..errors import (
    DTypeError,
    OptionError,
    ShapeError,
    check_integers,
    check_type,
    described,
)
from ..errors.tensor_checks import (
    check_features,
    check_float_input,
    check_ids_in_range,
    check_lengths,
    check_not_one_hot,
    check_options,
    check_shape_and_dtype,
)
from ..functions import cat
from ..tensor import Tensor
from . import functional as F
from .layers.base import Layer
from .utils.rnn import PackedSequence, pad_packed_sequence, repacked

USUAL = {  # what repr does not mention
    "num_layers": 1,
    "nonlinearity": "tanh",
    "bias": True,
    "batch_first": False,
    "dropout": 0.0,
    "bidirectional": False,
    "proj_size": 0,
}


class _Recurrent(Layer):
    """What cells and layers share: their parameters, named and ordered as PyTorch's,
    and checks.
    """

    gates = 1  # how many blocks of H rows the weights have
    parts: tuple[str, ...] = ("hx",)  # of the state
    rank: int  # of a batch of features
    legend: str  # of the dims of a batch of states
    proj_size = 0  # of h, where it is projected

    def _add_weights(
        self, suffix: str, input_size: int, bias: bool, device: Any, dtype: Any
    ) -> None:
        rows, size = self.gates * self.hidden_size, self.proj_size or self.hidden_size
        shapes: dict[str, Any] = {
            "weight_ih": (rows, input_size),
            "weight_hh": (rows, size),
        }
        shapes |= dict.fromkeys(("bias_ih", "bias_hh"), (rows,) if bias else None)
        if self.proj_size:
            shapes["weight_hr"] = (size, self.hidden_size)
        for name, shape in shapes.items():
            made = None if shape is None else self._parameter(shape, device, dtype)
            setattr(self, name + suffix, made)
        self._names = (
            *self.__dict__.get("_names", ()),
            [name + suffix for name in shapes],
        )

    def _check_input(
        self,
        input: Any,
        weight: Tensor,
        rank: int,
        state: Any = None,
        lengths: Any = (),
    ) -> bool:
        """Require features of this rank, or ids; returns whether there is a batch dim.

        Where neither a state nor ``lengths`` say that there is a batch, one-hot
        integers raise.
        """
        ids = isinstance(input, Tensor) and input.dtype.kind in "iu"
        rank -= ids
        if not ids and (not isinstance(input, Tensor) or input.dtype != weight.dtype):
            check_float_input(self._name, input, weight)
        shape = input.shape
        ndim = len(shape)
        if not rank - 1 <= ndim <= rank:
            kind, way = (
                (DTypeError, ", of ids; features are .float()")
                if ids
                else (ShapeError, "")
            )
            expected = f"{rank} dims, or {rank - 1} without a batch{way}"
            raise kind(
                f"{self._name}: input is {described(input)}, expected {expected}"
            )
        if ids:
            check_ids_in_range(self._name, "input", input, self.input_size)
            if ndim == rank and lengths is None and shape[-1] == self.input_size:
                self._check_not_one_hot(input, state, weight)
        elif shape[-1] != self.input_size:
            check_features(self._name, input, "input_size", self.input_size)
        return ndim == rank

    def _check_not_one_hot(self, input: Tensor, state: Any, weight: Tensor) -> None:
        """Raise if integers may be features without a batch, unless the state has a
        batch.
        """
        first = state[0] if isinstance(state, tuple | list) and state else state
        if getattr(first, "ndim", 0) != self.rank:
            check_not_one_hot(self._name, input, weight.dtype)

    def _check_state(
        self, state: Any, lead: tuple[int, ...], weight: Tensor
    ) -> Sequence[Any]:
        """The parts of the state; ``lead`` is their shape without the last dim."""
        count = len(self.parts)
        if state is None:
            return (None,) * count
        given = state if count > 1 and isinstance(state, tuple | list) else (state,)
        if len(given) != count:
            got = type(state).__name__ + (f" of {len(state)}" if given is state else "")
            expected = ", ".join(self.parts)
            raise DTypeError(
                f"{self._name}: the state is a {got}, expected a tuple ({expected})"
            )
        shape = (*lead, self.proj_size or self.hidden_size)
        for what, part in zip(self.parts, given, strict=True):
            if (
                not isinstance(part, Tensor)
                or part.shape != shape
                or part.dtype != weight.dtype
            ):
                batched = len(lead) == self.rank - 1
                legend = self.legend if batched else self.legend.replace("B, ", "")
                check_type(self._name, Tensor, f"a Tensor {legend}", **{what: part})
                check_shape_and_dtype(
                    self._name, f": {legend}", shape, weight.dtype, **{what: part}
                )
            shape = (*lead, self.hidden_size)  # of c, whatever that of h is
        return given

    def reset_parameters(self) -> None:
        """Draw the initial values anew: uniform within 1 / sqrt(hidden_size)."""
        for names in self._names:
            self._draw_uniform(names, self.hidden_size)

    def extra_repr(self) -> str:
        given = [
            f", {k}={v!r}" for k, u in USUAL.items() if (v := getattr(self, k, u)) != u
        ]
        return f"{self.input_size}, {self.hidden_size}{''.join(given)}"


# ---------------------------------------------------------------- cells


class _Cell(_Recurrent):
    rank, legend = 2, "(B, H)"

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self._keep(input_size=input_size, hidden_size=hidden_size, bias=bias)
        self._add_weights("", input_size, bias, device, dtype)
        self.reset_parameters()

    def _enter(self, input: Tensor, state: Any) -> Any:
        """What a step takes: the input, the parts of the state, the weights."""
        weights = [getattr(self, name) for name in self._names[0]]
        lead = (
            input.shape[:1]
            if self._check_input(input, weights[0], 2, state, None)
            else ()
        )
        return [input, *self._check_state(state, lead, weights[0]), *weights]


class RNNCell(_Cell):
    """One step: h' = tanh(W_ih x + b_ih + W_hh h + b_hh), as torch.nn.RNNCell.

    ``cell(input, hx)``: input (B, I) or (I,), or ids (B,), which stand for one-hot
    rows; hx (B, H) or (H,), zeros if left out. Returns the next state, of the shape of
    hx.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        self._keep(nonlinearity=nonlinearity)
        super().__init__(input_size, hidden_size, bias, device, dtype)

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        check_options(
            self._name, nonlinearity=self.nonlinearity
        )  # it may have been changed
        return ops.rnn_cell(*self._enter(input, hx), nonlinearity=self.nonlinearity)


class LSTMCell(_Cell):
    """One step of an LSTM, as torch.nn.LSTMCell; its weights are stacked as i, f, g, o.

    ``h, c = cell(input, (h, c))``: as RNNCell, with a state of two parts, each (B, H)
    or (H,).

        i, f, o = sigmoid(W_i x + b_i + U_i h + d_i), ...   g = tanh(W_g x + b_g + U_g h + d_g)
        c' = f c + i g                                      h' = o tanh(c')
    """

    gates = 4
    parts = ("h_0", "c_0")

    def forward(
        self, input: Tensor, hx: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Tensor, Tensor]:
        h, c = ops.lstm_cell(*self._enter(input, hx))
        return h, c


class GRUCell(_Cell):
    """One step of a GRU, as torch.nn.GRUCell; its weights are stacked as r, z, n.

    ``cell(input, hx)``: as RNNCell.

        r, z = sigmoid(W_r x + b_r + U_r h + d_r), ...      n = tanh(W_n x + b_n + r (U_n h + d_n))
        h' = (1 - z) n + z h
    """

    gates = 3

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        out: Tensor = ops.gru_cell(*self._enter(input, hx))
        return out


# ---------------------------------------------------------------- layers


class RNNBase(_Recurrent):
    """What the layers share, as torch.nn.RNNBase: one direction of one layer is a call
    of ``op``.
    """

    op: Any  # one layer in one direction
    settings: tuple[str, ...] = ()  # of the op, beside direction and lengths
    rank, legend = 3, "(num_layers * D, B, H), also with batch_first"

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self._keep(
            input_size=input_size,
            hidden_size=hidden_size,
            num_layers=num_layers,
            bias=bias,
        )
        self._keep(
            batch_first=batch_first, dropout=dropout, bidirectional=bidirectional
        )
        if dropout and num_layers == 1:
            why = "it stands between layers, and there is one"
            level = 3 + len(
                self.settings
            )  # the user's line: RNN has an __init__ of its own
            warnings.warn(
                f"{self._name}: dropout={dropout} does nothing: {why}", stacklevel=level
            )
        check_integers(self._name, 0, proj_size=proj_size)
        if proj_size and (proj_size >= hidden_size or len(self.parts) == 1):
            expected = f"less than hidden_size={hidden_size} in an LSTM, or 0 for none"
            raise OptionError(
                f"{self._name}: proj_size is {proj_size}, expected {expected}"
            )
        self.proj_size = proj_size
        self._directions = ("", "_reverse") if bidirectional else ("",)
        for layer in range(num_layers):
            size = (
                (proj_size or hidden_size) * len(self._directions)
                if layer
                else input_size
            )
            for direction in self._directions:
                self._add_weights(f"_l{layer}{direction}", size, bias, device, dtype)
        self.reset_parameters()

    def flatten_parameters(self) -> None:
        "Nothing: of use on PyTorch's GPUs alone."

    def _run(self, input: Any, state: Any, lengths: Any) -> Sequence[Any]:
        """The output, and the parts of the last state."""
        if isinstance(input, PackedSequence):
            return self._run_packed(input, state, lengths)
        weight = self.weight_ih_l0
        batched = self._check_input(input, weight, self.rank, state, lengths)
        if not batched:
            input = input.unsqueeze(1)
        elif self.batch_first:
            input = ops.permute_dims(input, (1, 0, 2)[: input.ndim])
        steps, batch = input.shape[:2]
        if not steps:
            raise ShapeError(
                f"{self._name}: input has no steps ({input.shape}), expected T >= 1"
            )
        count = len(self._names)
        parts = self._check_state(
            state, (count, batch) if batched else (count,), weight
        )
        if not batched:
            parts = [None if part is None else part.unsqueeze(1) for part in parts]
        settings = {name: getattr(self, name) for name in self.settings}
        check_options(self._name, **settings)  # they may have been changed
        if lengths is not None:
            settings["lengths"] = check_lengths(self._name, lengths, steps, batch)
        output, outputs, last = input, [], []
        for i, names in enumerate(self._names):
            starts = parts
            if count > 1:
                starts = [None if part is None else part[i : i + 1] for part in parts]
            reverse = i % len(self._directions) > 0
            weights = [getattr(self, name) for name in names]
            out, *end = self.op(output, *starts, *weights, reverse=reverse, **settings)
            outputs.append(out)
            last.append(end)
            if len(outputs) == len(self._directions):  # a layer is done
                output = out if len(outputs) == 1 else cat(outputs, -1)
                outputs = []
                if self.dropout and i + 1 < count:
                    output = F.dropout(output, self.dropout, self.training)
        found = [output, *(end if count == 1 else map(cat, zip(*last, strict=True)))]
        if not batched:
            found = [out.squeeze(1) for out in found]
        elif self.batch_first:
            found[0] = ops.permute_dims(output, (1, 0, 2))
        for out in (
            found
        ):  # what they are views of nobody else holds: they may change in place
            out.epoch = out.source = None
        return found

    def _run_packed(
        self, packed: PackedSequence, state: Any, lengths: Any
    ) -> Sequence[Any]:
        """As _run, which takes padded sequences with their lengths."""
        if lengths is not None:
            got = "lengths beside a PackedSequence, which has its own"
            raise OptionError(f"{self._name}: got {got}; leave lengths out")
        steps = max(1, len(packed.batch_sizes))
        padded, ends = pad_packed_sequence(packed, self.batch_first, total_length=steps)
        output, *last = self._run(padded, state, ends)
        return [repacked(packed, output, self.batch_first), *last]

    def forward(
        self,
        input: Tensor | PackedSequence,
        hx: Tensor | None = None,
        lengths: Sequence[int] | Tensor | None = None,
        *,
        h_0: Tensor | None = None,
    ) -> tuple[Any, Tensor]:
        if h_0 is not None:
            hx = self._renamed(hx, h_0)
        output, h_n = self._run(input, hx, lengths)
        return output, h_n

    def _renamed(self, hx: Any, h_0: Any) -> Any:
        """The state that was given under its old name."""
        if hx is not None:
            raise OptionError(f"{self._name}: got h_0 beside hx, which is its new name")
        text = (
            f"{self._name}: h_0 is called hx now, as in PyTorch; the old name will go"
        )
        warnings.warn(text, DeprecationWarning, stacklevel=4)
        return h_0


class RNN(RNNBase):
    """h_t = tanh(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh) over a sequence, as
    torch.nn.RNN.

    ``output, h_n = rnn(input, hx=None, lengths=None)``:

    * input (T, B, I), with ``batch_first`` (B, T, I), unbatched (T, I); or integer ids
    in
      [0, input_size), (T, B), (B, T) or (T,), which stand for one-hot rows; or a
      :class:`~tinygrad_rnn.nn.utils.rnn.PackedSequence` of either, and then so is the
      output.
    * hx (num_layers * D, B, H), whatever ``batch_first``; unbatched (num_layers * D,
    H). Zeros if
      left out. D is 2 if ``bidirectional``, else 1.
    * lengths: B integers from 0 to T, in any order. Past the end of a sequence the
    output is 0,
      h_n is the state at its own last step, and nothing flows through the padding. A
      sequence of length 0 has its part of hx as h_n.
    * output (T, B, D * H), or as batch_first says; h_n of the shape of hx.

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
    settings = ("nonlinearity",)

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
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        self._keep(nonlinearity=nonlinearity)
        options = (num_layers, bias, batch_first, dropout, bidirectional)
        super().__init__(input_size, hidden_size, *options, device=device, dtype=dtype)


class LSTM(RNNBase):
    """An LSTM over a sequence, as torch.nn.LSTM: each step as in LSTMCell.

    ``output, (h_n, c_n) = lstm(input, hx=None, lengths=None)``: as RNN, with a state
    ``hx`` of two parts (h_0, c_0). With ``proj_size`` R, h is W_hr (o tanh(c)) and of
    size R instead of H, and so are output and h_n.

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

    def forward(  # type: ignore[override]
        self,
        input: Tensor | PackedSequence,
        hx: tuple[Tensor, Tensor] | None = None,
        lengths: Sequence[int] | Tensor | None = None,
    ) -> tuple[Any, tuple[Tensor, Tensor]]:
        output, h_n, c_n = self._run(input, hx, lengths)
        return output, (h_n, c_n)


class GRU(RNNBase):
    """A GRU over a sequence, as torch.nn.GRU: each step as in GRUCell.

    ``output, h_n = gru(input, hx=None, lengths=None)``: as RNN.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import nn
    >>> gru = nn.GRU(10, 20, batch_first=True)
    >>> output, h_n = gru(tg.tensor([[1, 2, 3], [7, 0, 9]]))  # two words of three letters
    >>> output.shape, h_n.shape
    ((2, 3, 20), (1, 2, 20))
    """

    gates = 3
    op = ops.gru
