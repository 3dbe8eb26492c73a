"""Recurrent cells, and what they share with the layers of nn/rnn.py.

Legend: T time, B batch, I input, H hidden, V ids.
"""

from collections.abc import Sequence

from .. import ops
from ..errors import DTypeError, ShapeError, check_type, described
from ..errors.tensor_checks import (
    check_features,
    check_float_input,
    check_ids_in_range,
    check_not_one_hot,
    check_options,
    check_shape_and_dtype,
)
from ..tensor import Tensor
from ..types import DeviceLike, DType, Operand, Setting, Shape
from .layers.base import Layer

__all__ = ["GRUCell", "LSTMCell", "RNNCell"]

State = Tensor | Sequence[Tensor] | None  # an LSTM's is a pair

_DEFAULTS: dict[str, Setting] = {  # settings that repr leaves out
    "num_layers": 1,
    "nonlinearity": "tanh",
    "bias": True,
    "batch_first": False,
    "dropout": 0.0,
    "bidirectional": False,
    "proj_size": 0,
}


class Recurrent(Layer):
    """Parameters and checks of cells and layers; names and order are PyTorch's."""

    gates = 1  # how many blocks of H rows the weights have
    state_names: tuple[str, ...] = ("hx",)
    state_shape: str  # of a batch, for messages
    rank: int  # of a batch of features, and of a batch of states
    proj_size = 0  # of h, if it is projected

    def __init__(self) -> None:
        super().__init__()
        # The weights of each layer and direction, in the order of the op's arguments.
        self._weight_names: list[list[str]] = []

    def _add_weights(
        self, suffix: str, input_size: int, device: DeviceLike, dtype: DType
    ) -> None:
        """Add the weights of one layer in one direction."""
        rows = self.gates * self.hidden_size
        h_size = self.proj_size or self.hidden_size
        shapes: dict[str, Shape] = {
            "weight_ih": (rows, input_size),
            "weight_hh": (rows, h_size),
            "bias_ih": (rows,),
            "bias_hh": (rows,),
        }
        if self.proj_size:
            shapes["weight_hr"] = (h_size, self.hidden_size)
        for name, shape in shapes.items():
            wanted = self.bias or name.startswith("weight")
            weight = self._new_parameter(shape, device, dtype, wanted)
            setattr(self, name + suffix, weight)
        self._weight_names.append([name + suffix for name in shapes])

    def _weights(self, names: list[str]) -> list[Operand]:
        return [getattr(self, name) for name in names]

    def reset_parameters(self) -> None:
        """Draw the initial values anew: uniform within 1 / sqrt(hidden_size)."""
        for names in self._weight_names:
            self._draw_uniform(self._weights(names), self.hidden_size)

    # ------------------------------------------------------------ checks

    def _check_input(self, input: Operand, weight: Tensor, rank: int) -> bool:
        """Require features with ``rank`` dims, or ids with one dim less.

        Returns:
            Whether there is a batch; its dim may be left out.
        """
        is_ids = isinstance(input, Tensor) and input.dtype.kind in "iu"
        if is_ids:
            rank -= 1
        elif not isinstance(input, Tensor) or input.dtype != weight.dtype:
            check_float_input(self._name, input, weight)
        if not rank - 1 <= input.ndim <= rank:
            got = f"{self._name}: input is {described(input)}"
            expected = f"expected {rank} dims, or {rank - 1} without a batch"
            if is_ids:
                way = "of ids; features are .float()"
                raise DTypeError(f"{got}, {expected}, {way}")
            raise ShapeError(f"{got}, {expected}")
        if is_ids:
            check_ids_in_range(self._name, "input", input, self.input_size)
        else:
            check_features(self._name, input, "input_size", self.input_size)
        return input.ndim == rank

    def _check_not_features(self, input: Tensor, state: State, weight: Tensor) -> None:
        """Raise if integers may be meant as one-hot features without a batch.

        A state with a batch says that they are ids.
        """
        is_ids = input.dtype.kind in "iu" and input.ndim == self.rank - 1
        if not is_ids or input.shape[-1] != self.input_size:
            return
        h = state[0] if isinstance(state, tuple | list) and state else state
        if getattr(h, "ndim", 0) != self.rank:
            check_not_one_hot(self._name, input, weight.dtype)

    def _check_state(
        self, state: State, lead: Shape, weight: Tensor
    ) -> Sequence[Operand]:
        """The parts of the state, of shape (*lead, H); None for each if left out."""
        count = len(self.state_names)
        if state is None:
            return (None,) * count
        parts: Sequence[Operand] = (state,)
        if count > 1 and isinstance(state, tuple | list):
            parts = state
        if len(parts) != count:
            size = f" of {len(parts)}" if parts is state else ""
            got = f"the state is a {type(state).__name__}{size}"
            expected = f"expected a tuple ({', '.join(self.state_names)})"
            raise DTypeError(f"{self._name}: {got}, {expected}")
        sizes = (self.proj_size or self.hidden_size, self.hidden_size)  # of h and c
        for name, part, size in zip(self.state_names, parts, sizes, strict=False):
            shape = (*lead, size)
            is_right = isinstance(part, Tensor) and part.shape == shape
            if is_right and part.dtype == weight.dtype:
                continue  # the test spares two calls at every time step
            legend, given = self.state_shape, {name: part}
            if len(shape) < self.rank:
                legend = legend.replace("B, ", "")
            check_type(self._name, Tensor, f"a Tensor {legend}", **given)
            why = f": {legend}"
            check_shape_and_dtype(self._name, why, shape, weight.dtype, **given)
        return parts

    def extra_repr(self) -> str:
        given = ""
        for name, default in _DEFAULTS.items():
            if (value := getattr(self, name, default)) != default:
                given += f", {name}={value!r}"
        return f"{self.input_size}, {self.hidden_size}{given}"


class _Cell(Recurrent):
    rank, state_shape = 2, "(B, H)"

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        device: DeviceLike = None,
        dtype: DType = None,
    ) -> None:
        super().__init__()
        self._add_settings(input_size=input_size, hidden_size=hidden_size, bias=bias)
        self._add_weights("", input_size, device, dtype)
        self.reset_parameters()

    def _op_arguments(self, input: Tensor, state: State) -> list[Operand]:
        """The input, the parts of the state and the weights, all checked."""
        weights = self._weights(self._weight_names[0])
        batched = self._check_input(input, weights[0], self.rank)
        self._check_not_features(input, state, weights[0])
        lead = input.shape[:1] if batched else ()
        return [input, *self._check_state(state, lead, weights[0]), *weights]


class RNNCell(_Cell):
    """One step of an RNN, as torch.nn.RNNCell: Elman 1990.

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

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        options = {"nonlinearity": self.nonlinearity}
        check_options(self._name, **options)  # it may have been changed
        h: Tensor = ops.rnn_cell(*self._op_arguments(input, hx), **options)
        return h


class LSTMCell(_Cell):
    """One step of an LSTM, as torch.nn.LSTMCell.

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

    gates = 4
    state_names = ("h_0", "c_0")

    def forward(
        self, input: Tensor, hx: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Tensor, Tensor]:
        h, c = ops.lstm_cell(*self._op_arguments(input, hx))
        return h, c


class GRUCell(_Cell):
    """One step of a GRU, as torch.nn.GRUCell.

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

    gates = 3

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        h: Tensor = ops.gru_cell(*self._op_arguments(input, hx))
        return h
