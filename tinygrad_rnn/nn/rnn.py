"""Recurrent layers: RNN, LSTM and GRU over a sequence.

Legend: T time, B batch, I input, H hidden, L layers, D directions, R projected.
"""

from collections.abc import Sequence
from numbers import Integral
from typing import Any

from ..engine.warned import warn_user
from ..errors import DTypeError, OptionError, ShapeError, check_integers, describe
from ..errors.tensor_checks import check_lengths
from ..functions import cat
from ..tensor import Tensor
from ..types import DeviceLike, DType, Operand, Settings
from . import functional as F
from .recurrent import GRU_KIND, LSTM_KIND, RNN_KIND, Recurrent, State
from .utils.rnn import PackedSequence, pad_packed_sequence, repack

Parts = Sequence[Tensor | None]  # of a state; None stands for zeros
Lengths = Sequence[int] | Tensor | None


class RNNBase(Recurrent):
    """What the layers share, like torch.nn.RNNBase."""

    _rank, _state_shape = 3, "(num_layers * D, B, H), also with batch_first"

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
        device: DeviceLike = None,
        dtype: DType = None,
    ) -> None:
        super().__init__(
            input_size=input_size,
            hidden_size=hidden_size,
            num_layers=num_layers,
            bias=bias,
            batch_first=batch_first,
            dropout=dropout,
            bidirectional=bidirectional,
        )
        if dropout and num_layers == 1:
            text = "has no effect with num_layers=1; dropout applies between layers"
            warn_user(f"{self._name}: dropout={dropout} {text}")
        self._set_proj_size(proj_size)
        self._directions = ("", "_reverse") if bidirectional else ("",)
        output_size = (proj_size or hidden_size) * len(self._directions)
        for layer in range(num_layers):
            size = output_size if layer else input_size
            for direction in self._directions:
                self._add_weights(f"_l{layer}{direction}", size, device, dtype)
        self.reset_parameters()

    def _set_proj_size(self, proj_size: int) -> None:
        check_integers(self._name, 0, proj_size=proj_size)
        has_projection = self._cell_kind.has_projection
        if proj_size and (proj_size >= self.hidden_size or not has_projection):
            most = f"less than hidden_size={self.hidden_size} in an LSTM"
            raise OptionError(
                f"{self._name}: proj_size is {proj_size}, expected {most}, or 0 for "
                "none"
            )
        self.proj_size = proj_size

    def flatten_parameters(self) -> None:
        """Do nothing; in PyTorch it rearranges the weights on a GPU.

        Example:
            >>> import tinygrad_rnn as tg
            >>> tg.nn.LSTM(3, 4).flatten_parameters()
        """

    # ------------------------------------------------------------ forward

    def forward(
        self,
        input: Tensor | PackedSequence,
        hx: State = None,
        lengths: Lengths = None,
        *,
        h_0: Tensor | None = None,
    ) -> tuple[Any, Any]:
        """Run the layer over sequences; its class says what it takes and returns."""
        if h_0 is not None:
            hx = self._state_of_old_name(hx, h_0)
        if isinstance(input, PackedSequence):
            output, *state = self._run_packed(input, hx, lengths)
        else:
            output, *state = self._run(input, hx, lengths)
        return output, state[0] if len(state) == 1 else tuple(state)

    def _state_of_old_name(self, hx: State, h_0: Tensor) -> Tensor:
        if hx is not None:
            raise OptionError(f"{self._name}: got h_0 beside hx, which is its new name")
        text = "h_0 is called hx now, as in PyTorch; the old name will go"
        warn_user(f"{self._name}: {text}", DeprecationWarning)
        return h_0

    def _run(self, input: Tensor, state: State, lengths: Lengths) -> list[Operand]:
        """Return the output, and the parts of the last state."""
        weights = self._list_weights()
        weight = weights[0][0]
        is_batch = self._check_input(self._name, input, weight, self._rank)
        if lengths is None:
            self._check_not_features(input, state, weight)
            self._check_not_lengths(state)
        x = input if is_batch else input.unsqueeze(1)
        if is_batch and self.batch_first:
            x = x.transpose(0, 1)
        steps, batch = x.shape[:2]
        if not steps:
            raise ShapeError(
                f"{self._name}: input has no steps ({x.shape}), expected T >= 1"
            )
        count = len(self._weight_names)
        lead = (count, batch) if is_batch else (count,)
        parts = self._check_state(self._name, state, lead, weight)
        if not is_batch:
            parts = [None if part is None else part.unsqueeze(1) for part in parts]
        settings = self._list_options()
        if lengths is not None:
            settings["lengths"] = check_lengths(self._name, lengths, steps, batch)
        found = self._run_layers(x, weights, parts, settings)
        if not is_batch:
            found = [part.squeeze(1) for part in found]
        elif self.batch_first:
            found[0] = found[0].transpose(0, 1)
        # Nobody else holds what these may be views of, so they may change in place.
        for tensor in found:
            tensor.view_version = tensor.source = None
        return found

    def _check_not_lengths(self, state: Operand) -> None:
        """Raise if lengths stand in the place of the state, the second argument."""
        if isinstance(state, tuple | list):
            are_integers = [isinstance(part, Integral) for part in state]
            are_lengths = bool(are_integers) and all(are_integers)
        else:  # a Tensor or an array, if it has dims
            are_lengths = getattr(state, "ndim", 3) < 2 and state.dtype.kind in "iu"
        if are_lengths:
            got = f"hx is {describe(state)}, expected the state"
            way = "pass lengths by name: lengths="
            raise DTypeError(f"{self._name}: {got}, the second argument; {way}")

    def _run_layers(
        self, x: Tensor, weights: list[list[Operand]], state: Parts, settings: Settings
    ) -> list[Tensor]:
        """Return the last layer's output (T, B, D * H), and all last states by part."""
        directions = len(self._directions)
        last = []
        for first in range(0, len(weights), directions):
            if first and self.dropout:
                x = F.dropout(x, self.dropout, self.training)
            outputs = []
            for i in range(first, first + directions):
                own = state
                if len(weights) > 1:
                    own = [None if part is None else part[i : i + 1] for part in state]
                output, *new = self._cell_kind.scan(
                    x, *own, *weights[i], reverse=i > first, **settings
                )
                outputs.append(output)
                last.append(new)
            x = outputs[0] if directions == 1 else cat(outputs, -1)
        if len(last) == 1:
            return [x, *last[0]]
        return [x, *map(cat, zip(*last, strict=True))]

    def _run_packed(
        self, packed: PackedSequence, state: State, lengths: Lengths
    ) -> list[Operand]:
        """Do as ``_run``, by way of padded sequences with their lengths."""
        if lengths is not None:
            got = "lengths beside a PackedSequence, which has its own"
            raise OptionError(f"{self._name}: got {got}; leave lengths out")
        steps = max(1, len(packed.batch_sizes))
        padded, ends = pad_packed_sequence(packed, self.batch_first, total_length=steps)
        output, *last = self._run(padded, state, ends)
        return [repack(packed, output, self.batch_first), *last]


class RNN(RNNBase):
    """An RNN over a sequence, like torch.nn.RNN: Elman 1990.

    At every step, in every layer and direction, as in :class:`~tinygrad_rnn.nn.RNNCell`
    ::

        h_t = tanh(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh)

    where x_t is the input, and in further layers the h_t of the layer below.

    Args:
        input_size: The size I of x, or the number of ids.
        hidden_size: The size H of h.
        num_layers: L, how many layers there are, one above the other.
        nonlinearity: ``"tanh"``, or ``"relu"`` in its place.
        bias: Whether there are b_ih and b_hh.
        batch_first: Whether input and output are (B, T, ...) instead of (T, B, ...).
            States are not affected.
        dropout: The probability of a zero between layers, while training.
        bidirectional: Whether a second direction runs from the end to the start; D is
            then 2, else 1.
        device: Where the parameters are; the CPU if left out.
        dtype: float32 or float64; the default dtype if left out.

    Shape:
        ``output, h_n = rnn(input, hx=None, lengths=None)``, with

        * input: (T, B, I), or (B, T, I) with ``batch_first``, or (T, I) without a
          batch. Integer ids in [0, I) of shape (T, B), (B, T) or (T,) stand for
          one-hot rows. A :class:`~tinygrad_rnn.nn.utils.rnn.PackedSequence` of either
          gives one as the output.
        * hx: (L * D, B, H), or (L * D, H) without a batch; zeros if left out.
        * lengths: B integers from 0 to T, in any order. Past the end of a sequence the
          output is 0, h_n is the state at its own last step (its part of hx if the
          length is 0), and nothing flows through the padding.
        * output: (T, B, D * H), or in the layout of the input.
        * h_n: the last state, of the shape of hx.

        ``weight_ih_l0`` is (H, I), ``weight_ih_l1`` (H, D * H), ``weight_hh_l0``
        (H, H), ``bias_ih_l0`` and ``bias_hh_l0`` (H,), with ``_reverse`` for the
        second direction; all are drawn uniformly within 1 / sqrt(H).

    Raises:
        ShapeError: A size does not fit, or T is 0.
        DTypeError: The input is not of the weights' dtype, or looks like ids but may be
            features.
        IdError: An id is not in [0, I).

    Truncated backpropagation is ``h = h.detach()`` between windows.

    Example:
        >>> import tinygrad_rnn as tg
        >>> from tinygrad_rnn import nn
        >>> rnn = nn.RNN(10, 20, num_layers=2)
        >>> output, h_n = rnn(tg.randn(5, 3, 10))
        >>> output.shape, h_n.shape
        ((5, 3, 20), (2, 3, 20))
    """

    _cell_kind = RNN_KIND

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
        device: DeviceLike = None,
        dtype: DType = None,
    ) -> None:
        self._add_settings(nonlinearity=nonlinearity)
        options = (num_layers, bias, batch_first, dropout, bidirectional)
        super().__init__(input_size, hidden_size, *options, device=device, dtype=dtype)


class LSTM(RNNBase):
    """An LSTM over a sequence, like torch.nn.LSTM.

    At every step, in every layer and direction, as in
    :class:`~tinygrad_rnn.nn.LSTMCell` ::

        i, f, o = sigmoid(W_i. x_t + b_i. + W_h. h_{t-1} + b_h.), . for i, f, o
        g = tanh(W_ig x_t + b_ig + W_hg h_{t-1} + b_hg)
        c_t = f c_{t-1} + i g
        h_t = o tanh(c_t)            or W_hr (o tanh(c_t)), of size R, with proj_size

    Hochreiter and Schmidhuber 1997, with the forget gate of Gers et al. 2000; the
    projection: Sak et al., arXiv:1402.1128.

    Args:
        input_size: The size I of x, or the number of ids.
        hidden_size: The size H of c, and of h unless it is projected.
        num_layers: L, how many layers there are, one above the other.
        bias: Whether there are b_i. and b_h. terms.
        batch_first: Whether input and output are (B, T, ...) instead of (T, B, ...).
        dropout: The probability of a zero between layers, while training.
        bidirectional: Whether a second direction runs from the end to the start.
        proj_size: R, the size of h if it is projected, less than H; 0 for none.
        device: Where the parameters are; the CPU if left out.
        dtype: float32 or float64; the default dtype if left out.

    Shape:
        ``output, (h_n, c_n) = lstm(input, hx=None, lengths=None)``, as in
        :class:`RNN`; hx is a pair (h_0, c_0). With ``proj_size`` output, h_0 and h_n
        have R in the place of H.

        Weights are as in :class:`RNN`, with 4H rows that stack i, f, g, o, and
        ``weight_hr_l0`` (R, H) with ``proj_size``.

    Raises:
        DTypeError: The state is not a pair; and as in :class:`RNN`.
        OptionError: ``proj_size`` is not below ``hidden_size``.

    Example:
        >>> import tinygrad_rnn as tg
        >>> from tinygrad_rnn import nn
        >>> lstm = nn.LSTM(10, 20, bidirectional=True)
        >>> output, (h_n, c_n) = lstm(tg.randn(5, 3, 10), lengths=[5, 2, 4])
        >>> output.shape, c_n.shape
        ((5, 3, 40), (2, 3, 20))
    """

    _cell_kind = LSTM_KIND


class GRU(RNNBase):
    """A GRU over a sequence, like torch.nn.GRU.

    At every step, in every layer and direction, as in :class:`~tinygrad_rnn.nn.GRUCell`
    ::

        r, z = sigmoid(W_i. x_t + b_i. + W_h. h_{t-1} + b_h.), . for r, z
        n = tanh(W_in x_t + b_in + r (W_hn h_{t-1} + b_hn))
        h_t = (1 - z) n + z h_{t-1}

    Cho et al., arXiv:1406.1078.

    Args:
        input_size: The size I of x, or the number of ids.
        hidden_size: The size H of h.
        num_layers: L, how many layers there are, one above the other.
        bias: Whether there are b_i. and b_h. terms.
        batch_first: Whether input and output are (B, T, ...) instead of (T, B, ...).
        dropout: The probability of a zero between layers, while training.
        bidirectional: Whether a second direction runs from the end to the start.
        proj_size: Has to be 0; only an LSTM projects its state.
        device: Where the parameters are; the CPU if left out.
        dtype: float32 or float64; the default dtype if left out.

    Shape:
        ``output, h_n = gru(input, hx=None, lengths=None)``, as in :class:`RNN`.

        Weights are as in :class:`RNN`, with 3H rows that stack r, z, n.

    Raises:
        ShapeError: A size does not fit; and as in :class:`RNN`.

    Example:
        >>> import tinygrad_rnn as tg
        >>> from tinygrad_rnn import nn
        >>> gru = nn.GRU(10, 20, batch_first=True)
        >>> words = tg.tensor([[1, 2, 3], [7, 0, 9]])  # two words of three letters
        >>> output, h_n = gru(words)
        >>> output.shape, h_n.shape
        ((2, 3, 20), (1, 2, 20))
    """

    _cell_kind = GRU_KIND
