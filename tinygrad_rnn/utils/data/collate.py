"""From a list of samples to one batch."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from ...creation import as_tensor, tensor
from ...errors import DTypeError, OptionError, ShapeError, described
from ...functions import stack
from ...tensor import Tensor
from ..structure import rebuilt
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
        >>> default_collate([(1, "a"), (2, "b")])
        [tensor([1, 2], dtype=int64), ('a', 'b')]
    """
    methods = "__iter__", "__len__"
    check_methods("default_collate", methods, "a list of samples", batch=batch)
    samples = list(batch)
    if not samples:
        expected = "expected at least one sample"
        raise OptionError(f"default_collate: the batch is empty, {expected}")
    return _collated(samples, "")


def _collated(samples: Samples, part: str) -> Any:
    """Return the batch; messages name a sample by ``part``, as in "part 0 of "."""
    first = samples[0]
    if isinstance(first, Tensor | np.ndarray | np.generic):
        return _stacked(samples, part)
    if isinstance(first, int | float):
        _check_kind(samples, int | float | np.generic, part)
        return tensor(samples, dtype=np.float64 if isinstance(first, float) else None)
    if isinstance(first, str | bytes):
        return samples
    if isinstance(first, Mapping):
        return _collated_dicts(samples, part)
    if isinstance(first, Sequence):
        return _collated_sequences(samples, part)
    got = f"{part}sample 0 is {described(first)}"
    known = "Tensors, arrays, numbers, strings, or dicts, tuples and lists of them"
    raise DTypeError(f"default_collate: {got}, expected {known}; {_WAY_OUT}")


def _check_kind(samples: Samples, kinds: Any, part: str) -> None:
    """Raise if a sample is not of one of the kinds, as the first one is."""
    for place, sample in enumerate(samples):
        if not isinstance(sample, kinds):
            got = f"{part}sample {place} is {described(sample)}"
            first = f"the first {described(samples[0])}"
            raise DTypeError(f"default_collate: {got}, {first}; {_WAY_OUT}")


def _stacked(samples: Samples, part: str) -> Tensor:
    _check_kind(samples, Tensor | np.ndarray | np.generic, part)
    shape = samples[0].shape
    for place, sample in enumerate(samples):
        if sample.shape != shape:
            got = f"{part}sample {place} has shape {sample.shape}, the first {shape}"
            padding = "pass a collate_fn= that calls nn.utils.rnn.pad_sequence"
            raise ShapeError(f"default_collate: {got}; to pad sequences, {padding}")
    return stack([as_tensor(sample) for sample in samples])


def _collated_dicts(samples: Samples, part: str) -> Any:
    first = samples[0]
    for place, sample in enumerate(samples):
        is_dict = isinstance(sample, Mapping)
        if not is_dict or sample.keys() != first.keys():
            got = list(sample) if is_dict else described(sample)
            expected = f"expected a dict with the keys of the first, {list(first)}"
            message = f"{part}sample {place} is {got}, {expected}"
            raise DTypeError(f"default_collate: {message}")
    parts = {
        key: _collated([sample[key] for sample in samples], f"{key!r} of {part}")
        for key in first
    }
    return type(first)(parts) if isinstance(first, dict) else parts


def _collated_sequences(samples: Samples, part: str) -> Any:
    first = samples[0]
    for place, sample in enumerate(samples):
        is_sequence = isinstance(sample, Sequence)
        if not is_sequence or len(sample) != len(first):
            got = f"{len(sample)} parts" if is_sequence else described(sample)
            expected = f"expected {len(first)} parts as the first"
            message = f"{part}sample {place} has {got}, {expected}"
            raise ShapeError(f"default_collate: {message}")
    columns = zip(*samples, strict=True)
    parts = [
        _collated(column, f"part {number} of {part}")
        for number, column in enumerate(columns)
    ]
    return rebuilt(first, parts) if hasattr(first, "_fields") else parts
