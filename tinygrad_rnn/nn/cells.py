"""Recurrent cells: one step of an RNN, an LSTM or a GRU.

Legend: T time, B batch, I input, H hidden, V ids.
"""

from typing import Any

from ..tensor import Tensor
from ..types import DeviceLike, DType
from .recurrent import GRU_KIND, LSTM_KIND, RNN_KIND, Recurrent, State


class RNNCellBase(Recurrent):
    """What the cells share, like torch.nn.RNNCellBase."""

    _rank, _state_shape = 2, "(B, H)"

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        device: DeviceLike = None,
        dtype: DType = None,
    ) -> None:
        super().__init__(input_size=input_size, hidden_size=hidden_size, bias=bias)
        self._add_weights("", input_size, device, dtype)
        self.reset_parameters()

    def forward(self, input: Tensor, hx: State = None) -> Any:
        """Take one step; the class says what it takes and returns."""
        (weights,) = self._list_weights()
        is_batch = self._check_input(self._name, input, weights[0], self._rank)
        self._check_not_features(input, hx, weights[0])
        lead = input.shape[:1] if is_batch else ()
        state = self._check_state(self._name, hx, lead, weights[0])
        step = self._cell_kind.step
        return step(input, *state, *weights, **self._list_options())


class RNNCell(RNNCellBase):
    """One step of an RNN, like torch.nn.RNNCell: Elman 1990.

    ::

        h' = tanh(W_ih x + b_ih + W_hh h + b_hh)

    Args:
        input_size: The size I of x, or the number of ids.
        hidden_size: The size H of h.
        bias: Whether there are b_ih and b_hh.
        nonlinearity: ``"tanh"``, or ``"relu"`` in its place.
        device: Where the parameters are; the CPU if left out.
        dtype: float32 or float64; the default dtype if left out.

    Shape:
        ``h = cell(input, hx=None)``, with input (B, I), or integer ids (B,) in
        [0, I), which stand for one-hot rows; hx and h are (B, H), and hx is zeros if
        left out. B may be left out of all.

        ``weight_ih`` is (H, I), ``weight_hh`` (H, H), ``bias_ih`` and ``bias_hh``
        (H,), all drawn uniformly within 1 / sqrt(H).

    Raises:
        ShapeError: A size does not fit.
        IdError: An id is not in [0, I).

    Example:
        >>> import tinygrad_rnn as tg
        >>> cell, h = tg.nn.RNNCell(3, 5), None
        >>> for x in tg.randn(7, 2, 3):  # (T, B, I)
        ...     h = cell(x, h)
        >>> h.shape
        (2, 5)
    """

    _cell_kind = RNN_KIND

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        device: DeviceLike = None,
        dtype: DType = None,
    ) -> None:
        self._add_settings(nonlinearity=nonlinearity)
        super().__init__(input_size, hidden_size, bias, device, dtype)


class LSTMCell(RNNCellBase):
    """One step of an LSTM, like torch.nn.LSTMCell.

    ::

        i = sigmoid(W_ii x + b_ii + W_hi h + b_hi)
        f = sigmoid(W_if x + b_if + W_hf h + b_hf)
        g = tanh(W_ig x + b_ig + W_hg h + b_hg)
        o = sigmoid(W_io x + b_io + W_ho h + b_ho)
        c' = f c + i g
        h' = o tanh(c')

    Hochreiter and Schmidhuber 1997, with the forget gate f of Gers et al. 2000.

    Args:
        input_size: The size I of x, or the number of ids.
        hidden_size: The size H of h and c.
        bias: Whether there are b_i. and b_h. terms.
        device: Where the parameters are; the CPU if left out.
        dtype: float32 or float64; the default dtype if left out.

    Shape:
        ``h, c = cell(input, hx=None)``, with hx a pair (h_0, c_0), zeros if left out.
        Input and each part of the state are as in :class:`RNNCell`.

        ``weight_ih`` (4H, I) stacks W_ii, W_if, W_ig, W_io, and so do ``weight_hh``
        (4H, H), ``bias_ih`` and ``bias_hh`` (4H,).

    Raises:
        DTypeError: The state is not a pair.
        ShapeError: A size does not fit.

    Example:
        >>> import tinygrad_rnn as tg
        >>> h, c = tg.nn.LSTMCell(3, 5)(tg.randn(2, 3))
        >>> h.shape, c.shape
        ((2, 5), (2, 5))
    """

    _cell_kind = LSTM_KIND


class GRUCell(RNNCellBase):
    """One step of a GRU, like torch.nn.GRUCell.

    ::

        r = sigmoid(W_ir x + b_ir + W_hr h + b_hr)
        z = sigmoid(W_iz x + b_iz + W_hz h + b_hz)
        n = tanh(W_in x + b_in + r (W_hn h + b_hn))
        h' = (1 - z) n + z h

    Cho et al., arXiv:1406.1078; r acts on the product with h, as in PyTorch and cuDNN,
    and not on h itself.

    Args:
        input_size: The size I of x, or the number of ids.
        hidden_size: The size H of h.
        bias: Whether there are b_i. and b_h. terms.
        device: Where the parameters are; the CPU if left out.
        dtype: float32 or float64; the default dtype if left out.

    Shape:
        ``h = cell(input, hx=None)``, as in :class:`RNNCell`.

        ``weight_ih`` (3H, I) stacks W_ir, W_iz, W_in, and so do ``weight_hh`` (3H, H),
        ``bias_ih`` and ``bias_hh`` (3H,).

    Raises:
        ShapeError: A size does not fit.

    Example:
        >>> import tinygrad_rnn as tg
        >>> tg.nn.GRUCell(10, 5)(tg.tensor([7, 0])).shape  # two ids
        (2, 5)
    """

    _cell_kind = GRU_KIND
