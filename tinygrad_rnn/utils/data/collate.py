"""From a list of samples to one batch."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from ...creation import as_tensor, tensor
from ...errors import DTypeError, OptionError, ShapeError, describe
from ...functions import stack
from ...tensor import Tensor
from ..structure import rebuild
from .datasets import check_methods

Samples: TypeAlias = Sequence[Any]

_WAY_OUT = "pass a custom collate_fn="


def default_collate(batch: Samples) -> Any:
    """Make one batch of a list of samples, as torch.utils.data.default_collate does.

    Tensors and arrays are stacked along a new first dim B. Numbers become a tensor
    (B,), of int64 for ints and float64 for floats. The parts of dicts, tuples and lists
    are collated one by one; a batch of tuples is a list. Strings stay as they are.

    Args:
        batch: Samples of one kind, with the same shapes.

    Returns:
        The batch.

    Raises:
        ShapeError: The samples differ in shape or length.
        DTypeError: The samples are of several types, or of one that has no batches.
        OptionError: The list is empty.

    Example:
        >>> from tinygrad_rnn.utils.data import default_collate
        >>> default_collate([(1, "a"), (2, "b")])
        [tensor([1, 2], dtype=int64), ('a', 'b')]
    """
    expected = "a list of samples"
    check_methods("default_collate", "batch", batch, expected, "__iter__", "__len__")
    samples = list(batch)
    if not samples:
        raise OptionError(
            "default_collate: the batch is empty, expected at least one sample"
        )
    return _collate(samples, "")


def _collate(samples: Samples, part: str) -> Any:
    """Return the batch; messages name a sample by ``part``, as in "part 0 of "."""
    first = samples[0]
    if isinstance(first, Tensor | np.ndarray | np.generic):
        return _stack(samples, part)
    if isinstance(first, int | float):
        _check_kind(samples, int | float | np.generic, part)
        return tensor(samples, dtype=np.float64 if isinstance(first, float) else None)
    if isinstance(first, str | bytes):
        return samples
    if isinstance(first, Mapping):
        return _collate_dicts(samples, part)
    if isinstance(first, Sequence):
        return _collate_sequences(samples, part)
    raise DTypeError(
        f"default_collate: {part}sample 0 is {describe(first)}, expected Tensors, "
        f"arrays, numbers, strings, or dicts, tuples and lists of them; {_WAY_OUT}"
    )


def _check_kind(samples: Samples, kinds: Any, part: str) -> None:
    """Raise if a sample is not of one of the kinds, as the first one is."""
    for i, sample in enumerate(samples):
        if not isinstance(sample, kinds):
            raise DTypeError(
                f"default_collate: {part}sample {i} is {describe(sample)}, the first "
                f"{describe(samples[0])}; {_WAY_OUT}"
            )


def _stack(samples: Samples, part: str) -> Tensor:
    _check_kind(samples, Tensor | np.ndarray | np.generic, part)
    shape = samples[0].shape
    for i, sample in enumerate(samples):
        if sample.shape != shape:
            raise ShapeError(
                f"default_collate: {part}sample {i} has shape {sample.shape}, the "
                f"first {shape}; to pad sequences, pass a collate_fn= that calls "
                "nn.utils.rnn.pad_sequence"
            )
    return stack([as_tensor(sample) for sample in samples])


def _collate_dicts(samples: Samples, part: str) -> Any:
    first = samples[0]
    for i, sample in enumerate(samples):
        is_dict = isinstance(sample, Mapping)
        if not is_dict or sample.keys() != first.keys():
            got = list(sample) if is_dict else describe(sample)
            raise DTypeError(
                f"default_collate: {part}sample {i} is {got}, expected a dict with the "
                f"keys of the first, {list(first)}"
            )
    parts = {
        key: _collate([sample[key] for sample in samples], f"{key!r} of {part}")
        for key in first
    }
    return type(first)(parts) if isinstance(first, dict) else parts


def _collate_sequences(samples: Samples, part: str) -> Any:
    first = samples[0]
    for i, sample in enumerate(samples):
        is_sequence = isinstance(sample, Sequence)
        if not is_sequence or len(sample) != len(first):
            got = f"{len(sample)} parts" if is_sequence else describe(sample)
            raise ShapeError(
                f"default_collate: {part}sample {i} has {got}, expected {len(first)} "
                "parts as the first"
            )
    columns = enumerate(zip(*samples, strict=True))
    parts = [_collate(column, f"part {i} of {part}") for i, column in columns]
    return rebuild(first, parts) if hasattr(first, "_fields") else parts
