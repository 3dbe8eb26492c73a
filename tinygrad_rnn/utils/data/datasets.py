"""Data sets: anything that gives a sample for an index."""

import math
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Any, Generic, Protocol, TypeVar

import numpy as np

from ...errors import (
    DTypeError,
    IdError,
    OptionError,
    ShapeError,
    check_integers,
    check_numbers,
    check_type,
    describe,
)
from ...random import Generator, numpy_generator
from ...tensor import Tensor
from ...types import Index

T = TypeVar("T")
Sample = TypeVar("Sample", covariant=True)


class Indexed(Protocol[Sample]):
    """An object that gives a sample for an index: a Dataset, a list, a Tensor."""

    def __getitem__(self, index: int, /) -> Sample: ...


class Dataset(Generic[Sample]):
    """A base class for data sets: write ``__getitem__`` and ``__len__``.

    Inheriting from it is optional: any object with these two methods is a data set,
    such as a list.

    Example:
        >>> import tinygrad_rnn as tg
        >>> from tinygrad_rnn.utils.data import Dataset
        >>> class Squares(Dataset[int]):
        ...     def __len__(self):
        ...         return 5
        ...     def __getitem__(self, index):
        ...         return index, index**2
        >>> list(tg.utils.data.DataLoader(Squares(), batch_size=3))[1]
        [tensor([3, 4], dtype=int64), tensor([ 9, 16], dtype=int64)]
    """

    def __getitem__(self, index: Index) -> Sample:
        """Return the sample of an index; a subclass defines this."""
        raise NotImplementedError(
            f"{type(self).__name__}: write __getitem__(self, index)"
        )


class TensorDataset(Dataset[tuple[Tensor, ...]]):
    """Tensors of the same length; a sample is a tuple with a row of each.

    Args:
        tensors: Tensors whose first dims have the same size.

    Raises:
        ShapeError: The first dims differ, or a tensor has none.
        DTypeError: A value is not a Tensor.

    Example:
        >>> import tinygrad_rnn as tg
        >>> from tinygrad_rnn.utils.data import TensorDataset
        >>> dataset = TensorDataset(tg.arange(4), tg.zeros(4, 2))
        >>> len(dataset), dataset[-1]
        (4, (tensor(3, dtype=int64), tensor([0., 0.], dtype=float32)))
    """

    def __init__(self, *tensors: Tensor) -> None:
        expected = "a Tensor; tg.as_tensor(array) makes one"
        named = {f"tensor {i}": tensor for i, tensor in enumerate(tensors)}
        check_type("TensorDataset", Tensor, expected, **named)
        lengths = {tensor.shape[:1] for tensor in tensors}
        if len(lengths) != 1 or () in lengths:
            shapes = [tensor.shape for tensor in tensors]
            raise ShapeError(
                f"TensorDataset: got the shapes {shapes}, expected at least one "
                "tensor, and the same size of the first dim of each"
            )
        self.tensors = tensors

    def __len__(self) -> int:
        return len(self.tensors[0])

    def __getitem__(self, index: Index) -> tuple[Tensor, ...]:
        check_index("TensorDataset", index, len(self))
        return tuple([tensor[index] for tensor in self.tensors])

    def __iter__(self) -> Iterator[tuple[Tensor, ...]]:
        return map(self.__getitem__, range(len(self)))


class Subset(Dataset[Sample]):
    """Some samples of a data set, in the order of their indices.

    Args:
        dataset: The data set.
        indices: A sequence of indices into it.

    Raises:
        DTypeError: An argument is of the wrong type.

    Example:
        >>> from tinygrad_rnn.utils.data import Subset
        >>> list(Subset(["a", "b", "c", "d"], [3, 1]))
        ['d', 'b']
    """

    def __init__(self, dataset: Indexed[Sample], indices: Sequence[int]) -> None:
        check_dataset("Subset", dataset, "__getitem__")
        expected = "a sequence of integers"
        check_methods("Subset", "indices", indices, expected, "__getitem__", "__len__")
        self.dataset, self.indices = dataset, indices

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: Index) -> Sample:
        check_index("Subset", index, len(self))
        return self.dataset[as_index(self.indices[index])]

    def __iter__(self) -> Iterator[Sample]:
        return map(self.__getitem__, range(len(self)))


def random_split(
    dataset: Indexed[T], lengths: Sequence[float], generator: Generator | None = None
) -> list[Subset[T]]:
    """Cut a data set into parts at random.

    Args:
        dataset: Any object with ``__len__`` and ``__getitem__``.
        lengths: The number of samples of each part; or fractions that add up to 1.
            Fractions are rounded down, and the samples that are left over go to the
            first parts, one each.
        generator: Draws the order; the default generator if None.

    Returns:
        A :class:`Subset` for each length.

    Raises:
        OptionError: The lengths add up neither to the number of samples nor to 1.
        DTypeError: An argument is of the wrong type.

    Example:
        >>> from tinygrad_rnn.utils.data import random_split
        >>> train, val = random_split(range(10), [0.8, 0.2])
        >>> len(train), len(val), sorted([*train, *val]) == list(range(10))
        (8, 2, True)
    """
    check_dataset("random_split", dataset, "__getitem__", "__len__")
    check_methods("random_split", "lengths", lengths, "a list of numbers", "__iter__")
    total = len(dataset)  # type: ignore[arg-type]
    sizes = _sizes_of(list(lengths), total)
    order = numpy_generator("random_split", generator).permutation(total).tolist()
    return [
        Subset(dataset, order[end - size : end])
        for size, end in zip(sizes, accumulate(sizes), strict=True)
    ]


def _sizes_of(lengths: list[float], total: int) -> list[int]:
    """Return sizes that add up to the total, from such sizes or from fractions."""
    named = {f"lengths[{i}]": length for i, length in enumerate(lengths)}
    check_numbers("random_split", 0.0, **named)
    if math.isclose(sum(lengths), 1.0):
        sizes = [math.floor(total * fraction) for fraction in lengths]
        for i in range(total - sum(sizes)):
            sizes[i % len(sizes)] += 1
        return sizes
    if sum(lengths) != total:
        raise OptionError(
            f"random_split: lengths are {lengths}, expected lengths that add up to "
            f"{total}, or fractions that add up to 1"
        )
    check_integers("random_split", 0, **named)
    return [int(length) for length in lengths]


# ---------------------------------------------------------------- checks


def as_index(index: Index) -> Index:
    """Return an int for an integer of any kind, such as a Tensor; else the index."""
    return index.__index__() if hasattr(index, "__index__") else index


def check_index(function: str, index: Index, count: int) -> None:
    """Raise if an integer, or one in an array of integers, is out of range."""
    if isinstance(index, int | np.integer):
        wrong = [] if -count <= index < count else [index]
    elif isinstance(index, np.ndarray):
        wrong = index[(index < -count) | (index >= count)].tolist()
    else:
        return
    if wrong:
        raise IdError(f"{function}: index {wrong[0]} of {count} samples")


def check_methods(
    function: str, name: str, value: object, expected: str, *methods: str
) -> None:
    """Raise if a value is a str, or lacks one of the methods."""
    has_all = all(hasattr(type(value), method) for method in methods)
    if isinstance(value, str) or not has_all:
        raise DTypeError(
            f"{function}: {name} is {describe(value)}, expected {expected}"
        )


def check_dataset(function: str, dataset: Any, *methods: str) -> None:
    """Raise if a data set lacks one of the methods."""
    needed = " and ".join(methods)
    expected = f"an object with {needed}; of an iterator, list(...) is a data set"
    check_methods(function, "dataset", dataset, expected, *methods)
