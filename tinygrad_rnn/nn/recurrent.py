"""What cells and recurrent layers share: kinds of cells, weights and checks.

Legend: B batch, I input, H hidden, V ids.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from .. import ops
from ..errors import DTypeError, ShapeError, check_type, describe
from ..errors.tensor_checks import (
    check_features,
    check_float_input,
    check_ids_in_range,
    check_not_one_hot,
    check_options,
    check_shape_and_dtype,
)
from ..tensor import Tensor
from ..types import DeviceLike, DType, Function, Operand, Setting, Settings, Shape
from .layers.base import Layer

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


@dataclass(frozen=True)
class CellKind:
    """What tells one kind of cell from another; the cell and its layer share one.

    Args:
        step: The op for one step. It is called with the input, the parts of the state
            and the weights; it returns the parts of the next state.
        scan: The fused op for a sequence in one direction, with the same arguments, and
            ``reverse`` and ``lengths`` by name. It returns the output, and the parts of
            the last state. None if there is only a cell.
        gates: How many blocks of H rows the weights have.
        state_names: The parts of the state, for messages.
        options: The attributes of cell and layer that both ops take by name.
        has_projection: Whether the layer takes a ``proj_size``, and ``scan`` a W_hr.
        equations: Those of one step, from the input's part of the gates, the parts of
            the state, W_hh, b_hh and W_hr; gradient_flow records their results.
    """

    step: Function
    scan: Operand = None
    gates: int = 1
    state_names: tuple[str, ...] = ("hx",)
    options: tuple[str, ...] = ()
    has_projection: bool = False
    equations: Function | None = None


RNN_KIND = CellKind(
    ops.rnn_cell, ops.rnn, options=("nonlinearity",), equations=ops.rnn_step
)
LSTM_KIND = CellKind(
    ops.lstm_cell,
    ops.lstm,
    gates=4,
    state_names=("h_0", "c_0"),
    has_projection=True,
    equations=ops.lstm_step,
)
GRU_KIND = CellKind(ops.gru_cell, ops.gru, 3, equations=ops.gru_step)


class Recurrent(Layer):
    """Parameters and checks of cells and layers; names and order are PyTorch's."""

    _cell_kind: ClassVar[CellKind]
    _rank: ClassVar[int]  # of a batch of features, and of a batch of states
    _state_shape: ClassVar[str]  # of a batch, for messages
    proj_size = 0  # of h, if it is projected
    # Of each layer and direction, in the order of the op's arguments.
    _weight_names: tuple[list[str], ...] = ()
    _weight_shapes: tuple[list[Shape], ...] = ()

    def _add_weights(
        self, suffix: str, input_size: int, device: DeviceLike, dtype: DType
    ) -> None:
        """Add the weights of one layer in one direction."""
        rows = self._cell_kind.gates * self.hidden_size
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
        self._weight_names += ([name + suffix for name in shapes],)
        self._weight_shapes += (list(shapes.values()),)

    def _list_weights(self) -> list[list[Operand]]:
        """Return the weights of each layer and direction.

        Raises:
            ShapeError: One has another shape than at first: ``data`` can be anything.
        """
        rows = [[getattr(self, name) for name in row] for row in self._weight_names]
        for row, names, shapes in zip(
            rows, self._weight_names, self._weight_shapes, strict=True
        ):
            for weight, name, shape in zip(row, names, shapes, strict=True):
                if weight is None:
                    if name.startswith(("weight_ih", "weight_hh")):
                        got = f"{self._name}: {name} is None"
                        raise ShapeError(f"{got}, expected a Parameter of {shape}")
                elif weight.shape != shape:
                    raise ShapeError(
                        f"{self._name}: {name} has shape {weight.shape}, expected "
                        f"{shape}; assign a tensor of that shape to {name}.data, "
                        "or make a layer of other sizes"
                    )
        return rows

    def _list_options(self) -> Settings:
        """Return the options of the ops, checked again since they may have changed."""
        options = {name: getattr(self, name) for name in self._cell_kind.options}
        check_options(self._name, **options)
        return options

    def reset_parameters(self) -> None:
        """Draw the initial values again: uniform within 1 / sqrt(hidden_size)."""
        for weights in self._list_weights():
            self._draw_uniform(weights, self.hidden_size)

    # ------------------------------------------------------------ checks

    def _check_input(
        self, name: str, input: Operand, weight: Tensor, rank: int
    ) -> bool:
        """Require features with ``rank`` dims, or ids with one dim less.

        ``name`` is that of the layer, or of the Stepper that calls it.

        Returns:
            Whether there is a batch; its dim may be left out.
        """
        is_ids = isinstance(input, Tensor) and input.dtype.kind in "iu"
        if is_ids:
            rank -= 1
        elif not isinstance(input, Tensor) or input.dtype != weight.dtype:
            check_float_input(name, input, weight)
        if not rank - 1 <= input.ndim <= rank:
            got = f"{name}: input is {describe(input)}"
            expected = f"expected {rank} dims, or {rank - 1} without a batch"
            if is_ids:
                way = "of ids; features are .float()"
                raise DTypeError(f"{got}, {expected}, {way}")
            raise ShapeError(f"{got}, {expected}{_way_of_float_ids(input, rank)}")
        if is_ids:
            check_ids_in_range(name, "input", input, self.input_size)
        elif input.shape[-1] != self.input_size:
            way = _way_of_float_ids(input, rank)
            check_features(name, input, "input_size", self.input_size, way)
        return input.ndim == rank

    def _check_not_features(self, input: Tensor, state: State, weight: Tensor) -> None:
        """Raise if integers may be meant as one-hot features without a batch.

        A state with a batch says that they are ids.
        """
        is_ids = input.dtype.kind in "iu" and input.ndim == self._rank - 1
        if not is_ids or input.shape[-1] != self.input_size:
            return
        h = state[0] if isinstance(state, tuple | list) and state else state
        if getattr(h, "ndim", 0) != self._rank:
            check_not_one_hot(self._name, input, weight.dtype)

    def _check_state(
        self, name: str, state: State, lead: Shape, weight: Tensor
    ) -> Sequence[Operand]:
        """Return the parts of the state, (*lead, H) each; None for each if left out.

        ``name`` is that of the layer, or of the Stepper that calls it.
        """
        names = self._cell_kind.state_names
        if state is None:
            return (None,) * len(names)
        parts: Sequence[Operand] = (state,)
        if len(names) > 1 and isinstance(state, tuple | list):
            parts = state
        if len(parts) != len(names):
            size = f" of {len(parts)}" if parts is state else ""
            got = f"the state is a {type(state).__name__}{size}"
            expected = f"expected a tuple ({', '.join(names)})"
            raise DTypeError(f"{name}: {got}, {expected}")
        h_size = self.proj_size or self.hidden_size
        for i, (part_name, part) in enumerate(zip(names, parts, strict=True)):
            shape = (*lead, self.hidden_size if i else h_size)
            is_right = isinstance(part, Tensor) and part.shape == shape
            if is_right and part.dtype == weight.dtype:
                continue  # the test spares two calls at every time step
            legend, given = self._state_shape, {part_name: part}
            if len(shape) < self._rank:
                legend = legend.replace("B, ", "")
            check_type(name, Tensor, f"a Tensor {legend}", **given)
            why = f": {legend}"
            check_shape_and_dtype(name, why, shape, weight.dtype, **given)
        return parts

    def extra_repr(self) -> str:
        given = ""
        for name, default in _DEFAULTS.items():
            if (value := getattr(self, name, default)) != default:
                given += f", {name}={value!r}"
        return f"{self.input_size}, {self.hidden_size}{given}"


def _way_of_float_ids(input: Tensor, rank: int) -> str:
    """Return the way out if floats without a dim of features may be meant as ids."""
    is_whole = input.ndim < rank and (input == input.floor()).all()
    return "; if these are ids, use input.long()" if is_whole else ""
