"""Sequences of different length, in one tensor. torch.nn.utils.rnn's names."""

from collections.abc import Iterable

from ...creation import full
from ...errors import ShapeError
from ...functions import cat, stack
from ...tensor import Tensor
from .. import check
from ..clip import listed


def pad_sequence(sequences: Iterable[Tensor], batch_first: bool = False,
                 padding_value: float = 0.0, padding_side: str = "right") -> Tensor:  # fmt: skip
    """Sequences (T_i, ...) filled up to the longest: (T, B, ...), or (B, T, ...) if batch_first."""
    check.choice("pad_sequence", ("right", "left"), padding_side=padding_side)
    given = listed("pad_sequence", sequences)
    shapes = [x.shape for x in given]
    if () in shapes or len({shape[1:] for shape in shapes}) > 1:
        raise ShapeError(f"pad_sequence: got the shapes {shapes}, expected the same but for T")
    steps = max([shape[0] for shape in shapes], default=0)
    padded = []
    for x in given:
        rest = full((steps - len(x), *x.shape[1:]), padding_value, x.dtype, x.device)
        padded.append(cat([x, rest] if padding_side == "right" else [rest, x]))
    return stack(padded, 0 if batch_first else 1)
