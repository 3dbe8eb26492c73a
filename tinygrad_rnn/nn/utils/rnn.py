"""Sequences of different length, in one tensor. torch.nn.utils.rnn's names."""

from collections.abc import Iterable

from ...errors import ShapeError
from ...functions import stack
from ...tensor import Tensor
from .. import check
from ..clip import listed
from ..functional import pad


def pad_sequence(
    sequences: Iterable[Tensor], batch_first: bool = False, padding_value: float = 0.0,
    padding_side: str = "right",
) -> Tensor:  # fmt: skip
    """Sequences (T_i, ...) filled up to the longest: (T, B, ...), or (B, T, ...) if batch_first."""
    check.choice("pad_sequence", ("right", "left"), padding_side=padding_side)
    given = listed("pad_sequence", sequences)
    shapes = [x.shape for x in given]
    if () in shapes or len({shape[1:] for shape in shapes}) > 1:
        raise ShapeError(f"pad_sequence: got the shapes {shapes}, expected the same but for T")
    steps = max((len(x) for x in given), default=0)
    padded = []
    for x in given:
        ends = (steps - len(x), 0) if padding_side == "left" else (0, steps - len(x))
        padded.append(pad(x, (*(0, 0) * (x.ndim - 1), *ends), value=padding_value))
    return stack(padded, 0 if batch_first else 1)
