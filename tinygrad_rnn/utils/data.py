"""Batches of a data set: torch.utils.data's names, read in the process that trains.

A data set is anything with ``__len__`` and ``__getitem__``. For one long text there is
`tinygrad_rnn.data.TextStreams`, whose windows carry the hidden state over.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

import numpy as np

from ..creation import as_tensor, tensor
from ..errors import (
    DTypeError,
    IdError,
    OptionError,
    ShapeError,
    check_integers,
    check_numbers,
    check_type,
    described,
    left_out,
)
from ..functions import stack
from ..random import Generator, numpy_generator
from ..tensor import Tensor

__all__ = [
    "DataLoader",
    "Dataset",
    "Subset",
    "TensorDataset",
    "default_collate",
    "random_split",
]

T = TypeVar("T")
Sample = TypeVar("Sample", covariant=True)


class Indexed(Protocol[Sample]):
    """What gives a sample for an index: a Dataset, a list, a Tensor."""

    def __getitem__(self, index: int, /) -> Sample: ...


class Dataset(Generic[Sample]):
    """A base for data sets: write ``__getitem__`` and ``__len__``.

    Nothing needs it: any object that has these two methods is a data set, a list too.

    >>> class Squares(Dataset[int]):
    ...     def __len__(self):
    ...         return 5
    ...     def __getitem__(self, index):
    ...         return index, index**2
    >>> list(DataLoader(Squares(), batch_size=3))[1]
    [tensor([3, 4], dtype=int64), tensor([ 9, 16], dtype=int64)]
    """

    def __getitem__(self, index: Any) -> Sample:
        """The sample of an index; a subclass says."""
        raise NotImplementedError(
            f"{type(self).__name__}: write __getitem__(self, index)"
        )


class TensorDataset(Dataset[tuple[Tensor, ...]]):
    """Tensors of one length: a sample is a tuple with a row of each.

    Args:
        tensors: Tensors whose first dims have the same size.

    Raises:
        ShapeError: The first dims differ, or a tensor has none.

    >>> import tinygrad_rnn as tg
    >>> dataset = TensorDataset(tg.arange(4), tg.zeros(4, 2))
    >>> len(dataset), dataset[-1]
    (4, (tensor(3, dtype=int64), tensor([0., 0.], dtype=float32)))
    """

    def __init__(self, *tensors: Tensor) -> None:
        expected = "a Tensor; tg.as_tensor(array) makes one"
        named = {f"tensor {place}": given for place, given in enumerate(tensors)}
        check_type("TensorDataset", Tensor, expected, **named)
        lengths = {given.shape[:1] for given in tensors}
        if len(lengths) != 1 or () in lengths:
            shapes = [given.shape for given in tensors]
            wanted = "at least one tensor, and the same size of the first dim of each"
            raise ShapeError(
                f"TensorDataset: got the shapes {shapes}, expected {wanted}"
            )
        self.tensors = tensors

    def __len__(self) -> int:
        return len(self.tensors[0])

    def __getitem__(self, index: Any) -> tuple[Tensor, ...]:
        _check_range("TensorDataset", index, len(self))
        return tuple([given[index] for given in self.tensors])

    def __iter__(self) -> Iterator[tuple[Tensor, ...]]:
        return map(self.__getitem__, range(len(self)))


class Subset(Dataset[Sample]):
    """The samples of a data set that a sequence of indices names, in its order.

    >>> list(Subset(["a", "b", "c", "d"], [3, 1]))
    ['d', 'b']
    """

    def __init__(self, dataset: Indexed[Sample], indices: Sequence[int]) -> None:
        _check_dataset("Subset", dataset, "__getitem__")
        _check_has(
            "Subset",
            "a sequence of integers",
            indices,
            "indices",
            "__getitem__",
            "__len__",
        )
        self.dataset, self.indices = dataset, indices

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: Any) -> Sample:
        _check_range("Subset", index, len(self))
        return self.dataset[_as_index(self.indices[index])]

    def __iter__(self) -> Iterator[Sample]:
        return map(self.__getitem__, range(len(self)))


def random_split(
    dataset: Indexed[T], lengths: Sequence[float], generator: Generator | None = None
) -> list[Subset[T]]:
    """Cut a data set into parts at random, each a :class:`Subset`.

    Args:
        dataset: Anything with ``__len__`` and ``__getitem__``.
        lengths: How many samples each part has, which add up to all; or fractions that
            add up to 1, rounded down, where what is left over goes to the first parts,
            one each.
        generator: Where the order comes from; by default the package's default
            generator.

    Raises:
        OptionError: The lengths do not add up.

    >>> train, val = random_split(range(10), [0.8, 0.2])
    >>> len(train), len(val), sorted([*train, *val]) == list(range(10))
    (8, 2, True)
    """
    _check_dataset("random_split", dataset, "__getitem__", "__len__")
    _check_has("random_split", "a list of numbers", lengths, "lengths", "__iter__")
    total = len(dataset)  # type: ignore[arg-type]
    sizes = _sizes_of(list(lengths), total)
    order = numpy_generator("random_split", generator).permutation(total).tolist()
    parts: list[Subset[T]] = []
    for size in sizes:
        parts.append(Subset(dataset, order[:size]))
        order = order[size:]
    return parts


def _sizes_of(lengths: list[float], total: int) -> list[int]:
    """Lengths that add up to the total, of such lengths or of fractions."""
    named = {f"lengths[{place}]": length for place, length in enumerate(lengths)}
    check_numbers("random_split", 0.0, **named)
    if math.isclose(sum(lengths), 1.0):
        sizes = [math.floor(total * fraction) for fraction in lengths]
        for place in range(total - sum(sizes)):
            sizes[place % len(sizes)] += 1
        return sizes
    if sum(lengths) != total:
        expected = f"lengths that add up to {total}, or fractions that add up to 1"
        raise OptionError(f"random_split: lengths are {lengths}, expected {expected}")
    check_integers("random_split", 0, **named)
    return [int(length) for length in lengths]


# ---------------------------------------------------------------- samples to a batch

_WAY_OUT = "pass a custom collate_fn="


def default_collate(batch: Sequence[Any]) -> Any:
    """One batch of a list of samples, as torch.utils.data.default_collate makes it.

    Tensors and arrays are stacked along a new first dim B; numbers become a tensor
    (B,), ints of int64, floats of float64; of dicts, tuples and lists each part is
    collated by itself (a tuple gives a list), and strings stay as they are.

    Args:
        batch: Samples of one kind, of the same shapes.

    Raises:
        ShapeError: The samples have different shapes or lengths.
        DTypeError: They are of a type that has no batches, or of several types.

    >>> default_collate([(1, "a"), (2, "b")])
    [tensor([1, 2], dtype=int64), ('a', 'b')]
    """
    _check_has(
        "default_collate", "a list of samples", batch, "batch", "__iter__", "__len__"
    )
    samples = list(batch)
    if not samples:
        raise OptionError(
            "default_collate: the batch is empty, expected at least one sample"
        )
    return _collated(samples)


def _collated(samples: Sequence[Any], part: str = "") -> Any:
    """The batch; ``part`` begins the name of a sample in messages, as in "part 0 of
    sample 1".
    """
    first = samples[0]
    if isinstance(first, Tensor | np.ndarray | np.generic):
        return _stacked(samples, part)
    if isinstance(first, int | float):
        _check_numbers(samples, part)
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


def _check_numbers(samples: Sequence[Any], part: str) -> None:
    for place, sample in enumerate(samples):
        if not isinstance(sample, int | float | np.generic):
            raise _other_kind(samples, place, part)


def _other_kind(samples: Sequence[Any], place: int, part: str) -> DTypeError:
    got = f"{part}sample {place} is {described(samples[place])}, the first {described(samples[0])}"
    return DTypeError(f"default_collate: {got}; {_WAY_OUT}")


def _stacked(samples: Sequence[Any], part: str) -> Tensor:
    for place, sample in enumerate(samples):
        if not isinstance(sample, Tensor | np.ndarray | np.generic):
            raise _other_kind(samples, place, part)
        if sample.shape != samples[0].shape:
            got = f"{part}sample {place} has shape {sample.shape}, the first {samples[0].shape}"
            way = "to pad sequences, pass a collate_fn= that calls nn.utils.rnn.pad_sequence"
            raise ShapeError(f"default_collate: {got}; {way}")
    return stack([as_tensor(sample) for sample in samples])


def _collated_dicts(samples: Sequence[Any], part: str) -> Any:
    first = samples[0]
    for place, sample in enumerate(samples):
        if not isinstance(sample, Mapping) or sample.keys() != first.keys():
            got = list(sample) if isinstance(sample, Mapping) else described(sample)
            expected = f"a dict with the keys of the first, {list(first)}"
            raise DTypeError(
                f"default_collate: {part}sample {place} is {got}, expected {expected}"
            )
    parts = {
        key: _collated([sample[key] for sample in samples], f"{key!r} of {part}")
        for key in first
    }
    return type(first)(parts) if isinstance(first, dict) else parts


def _collated_sequences(samples: Sequence[Any], part: str) -> Any:
    first = samples[0]
    for place, sample in enumerate(samples):
        if not isinstance(sample, Sequence) or len(sample) != len(first):
            got = (
                f"{len(sample)} parts"
                if isinstance(sample, Sequence)
                else described(sample)
            )
            expected = f"{len(first)} parts as the first"
            raise ShapeError(
                f"default_collate: {part}sample {place} has {got}, expected {expected}"
            )
    parts = [
        _collated(column, f"part {place} of {part}")
        for place, column in enumerate(zip(*samples, strict=True))
    ]
    return type(first)(*parts) if hasattr(first, "_fields") else parts


# ---------------------------------------------------------------- the loader


class DataLoader(Generic[Sample]):
    """Batches of a data set, one pass for each ``for`` loop, as
    torch.utils.data.DataLoader.

    Args:
        dataset: Anything with ``__getitem__`` and, unless a sampler is given,
            ``__len__``.
        batch_size: How many samples a batch has; None gives them one by one, not
            collated.
        shuffle: Draw a new order at the start of each pass.
        sampler: The order instead: anything to iterate over that gives indices, anew in
            each pass.
        batch_sampler: Likewise, of lists of indices, a batch each.
        num_workers: 0. Batches are made in this process.
        collate_fn: Makes a batch of a list of samples; :func:`default_collate` by
            default.
        pin_memory: False.
        drop_last: Leave out a last batch that is smaller. timeout, worker_init_fn,
            multiprocessing_context, prefetch_factor, persistent_workers: For the
            workers that there are none of.
        generator: Where shuffled orders come from; by default the package's default
            generator, so ``tg.manual_seed(0)`` makes them reproducible.

    Raises:
        DTypeError: The data set or an option is not of a type that serves.
        OptionError: Options exclude each other.

    >>> import tinygrad_rnn as tg
    >>> dataset = TensorDataset(tg.arange(5), tg.arange(5) ** 2)
    >>> for x, y in DataLoader(dataset, batch_size=2):
    ...     print(x.tolist(), y.tolist())
    [0, 1] [0, 1]
    [2, 3] [4, 9]
    [4] [16]
    """

    def __init__(
        self,
        dataset: Indexed[Sample],
        batch_size: int | None = 1,
        shuffle: bool | None = None,
        sampler: Iterable[int] | None = None,
        batch_sampler: Iterable[Sequence[int]] | None = None,
        num_workers: int = 0,
        collate_fn: Callable[[list[Any]], Any] | None = None,
        pin_memory: bool = False,
        drop_last: bool = False,
        timeout: float = 0,
        worker_init_fn: Callable[[int], None] | None = None,
        multiprocessing_context: None = None,
        generator: Generator | None = None,
        *,
        prefetch_factor: None = None,
        persistent_workers: bool = False,
    ) -> None:
        _check_in_process(
            num_workers=(num_workers, 0),
            pin_memory=(pin_memory, False),
            timeout=(timeout, 0),
            multiprocessing_context=(multiprocessing_context, None),
            prefetch_factor=(prefetch_factor, None),
            persistent_workers=(persistent_workers, False),
        )
        check_type("DataLoader", bool | None, "True or False", shuffle=shuffle)
        check_type("DataLoader", bool, "True or False", drop_last=drop_last)
        functions = {"collate_fn": collate_fn, "worker_init_fn": worker_init_fn}
        check_type("DataLoader", Callable | None, "a function, or None", **functions)
        check_type(
            "DataLoader",
            Generator | None,
            "a tg.Generator, or None",
            generator=generator,
        )
        if batch_size is not None:
            check_integers("DataLoader", batch_size=batch_size)
        ordered = sampler is not None or batch_sampler is not None
        methods = ("__getitem__",) if ordered else ("__getitem__", "__len__")
        _check_dataset("DataLoader", dataset, *methods)
        _check_sampler("sampler", sampler)
        _check_sampler("batch_sampler", batch_sampler)
        self.dataset: Any = dataset
        self.sampler, self.batch_sampler = sampler, batch_sampler
        self.batch_size, self.shuffle, self.drop_last = (
            batch_size,
            bool(shuffle),
            drop_last,
        )
        self.num_workers, self.pin_memory, self.generator = 0, False, generator
        self._check_order()
        self.collate_fn = default_collate if collate_fn is None else collate_fn
        if batch_size is None and collate_fn is None:
            self.collate_fn = _converted

    def _check_order(self) -> None:
        """Raise if the options say more than once in which order the samples come."""
        chosen = {
            "shuffle": self.shuffle,
            "sampler": self.sampler is not None,
            "batch_sampler": self.batch_sampler is not None,
        }
        given = [name for name, is_given in chosen.items() if is_given]
        cut = [f"batch_size={self.batch_size}"] if self.batch_size != 1 else []
        cut += ["drop_last"] if self.drop_last else []
        if self.batch_sampler is not None or (
            self.batch_size is None and self.drop_last
        ):
            given += cut
        if len(given) > 1:
            both = " and ".join(given)
            raise OptionError(
                f"DataLoader: {both} exclude each other; give one of them"
            )
        if self.shuffle and not len(self.dataset):
            raise OptionError(
                "DataLoader: the data set has no samples, nothing to shuffle"
            )

    def __len__(self) -> int:
        """How many batches a pass has."""
        if self.batch_sampler is not None:
            return _length("batch_sampler", self.batch_sampler)
        count = (
            len(self.dataset)
            if self.sampler is None
            else _length("sampler", self.sampler)
        )
        if self.batch_size is None:
            return count
        return (
            count // self.batch_size if self.drop_last else -(-count // self.batch_size)
        )

    def __iter__(self) -> Iterator[Any]:
        if self.batch_sampler is not None:
            return map(self._batch, self.batch_sampler)
        order = self._order()
        if self.batch_size is None:
            return (self.collate_fn(self.dataset[_as_index(index)]) for index in order)
        return map(self._batch, _chunks(order, self.batch_size, self.drop_last))

    def _order(self) -> Iterable[int]:
        """The indices of a pass; a shuffled order is drawn here, when the pass begins."""
        if self.sampler is not None:
            return self.sampler
        count = len(self.dataset)
        if not self.shuffle:
            return range(count)
        order: list[int] = (
            numpy_generator("DataLoader", self.generator).permutation(count).tolist()
        )
        return order

    def _batch(self, indices: Iterable[int]) -> Any:
        chosen = [_as_index(index) for index in indices]
        if self.collate_fn is default_collate:
            rows = _rows_at_once(self.dataset, np.asarray(chosen))
            if rows is not None:
                return rows
        return self.collate_fn([self.dataset[index] for index in chosen])


def _rows_at_once(dataset: Any, ids: np.ndarray) -> list[Tensor] | None:
    """The batch of a TensorDataset by one look-up a tensor: what collating its rows
    would give.

    None of another data set, also where a subclass says itself what a sample is.
    """
    get = type(dataset).__getitem__
    if not ids.size or ids.dtype.kind not in "iu":
        return None
    if get is TensorDataset.__getitem__:
        _check_range("TensorDataset", ids, len(dataset))
        return [given[ids] for given in dataset.tensors]
    if get is Subset.__getitem__:
        _check_range("Subset", ids, len(dataset))
        inner = [_as_index(dataset.indices[index]) for index in ids.tolist()]
        return _rows_at_once(dataset.dataset, np.asarray(inner))
    return None


def _chunks(order: Iterable[int], size: int, drop_last: bool) -> Iterator[list[int]]:
    chunk: list[int] = []
    for index in order:
        chunk.append(index)
        if len(chunk) == size:
            yield chunk
            chunk = []
    if chunk and not drop_last:
        yield chunk


def _converted(sample: Any) -> Any:
    """A sample that no batch is made of: with Tensors for its arrays."""
    if isinstance(sample, np.ndarray | np.generic):
        return as_tensor(sample)
    if isinstance(sample, dict):
        return {key: _converted(part) for key, part in sample.items()}
    if isinstance(sample, tuple | list):
        parts = [_converted(part) for part in sample]
        return (
            type(sample)(*parts) if hasattr(sample, "_fields") else type(sample)(parts)
        )
    return sample


# ---------------------------------------------------------------- checks


def _as_index(index: Any) -> Any:
    """Python's int for an integer of any kind, as a sampler may give Tensors; else as
    it is.
    """
    return index.__index__() if hasattr(index, "__index__") else index


def _check_range(name: str, index: Any, count: int) -> None:
    """Raise IdError for integers, one or an array of them, that are out of range."""
    if isinstance(index, int | np.integer):
        wrong = [] if -count <= index < count else [index]
    elif isinstance(index, np.ndarray):
        wrong = index[(index < -count) | (index >= count)].tolist()
    else:
        return
    if wrong:
        raise IdError(f"{name}: index {wrong[0]} of {count} samples")


def _check_has(name: str, expected: str, value: Any, what: str, *methods: str) -> None:
    """Raise DTypeError for a value that lacks one of the methods."""
    lacking = [method for method in methods if not hasattr(type(value), method)]
    if lacking or isinstance(value, str):
        raise DTypeError(f"{name}: {what} is {described(value)}, expected {expected}")


def _check_dataset(name: str, dataset: Any, *methods: str) -> None:
    """Raise DTypeError for a data set that lacks one of the methods."""
    way = "of an iterator, list(...) is a data set"
    expected = f"an object with {' and '.join(methods)}; {way}"
    _check_has(name, expected, dataset, "dataset", *methods)


def _check_sampler(what: str, sampler: Any) -> None:
    """Raise DTypeError for what gives no indices, or gives them in the first pass
    alone.
    """
    if sampler is None:
        return
    _check_has("DataLoader", "something to iterate over", sampler, what, "__iter__")
    if isinstance(sampler, Iterator):
        got = f"{what} is {described(sampler)}, an iterator, whose indices serve one pass only"
        way = "pass list(...), or an object whose __iter__ begins anew"
        raise DTypeError(f"DataLoader: {got}; {way}")


def _length(what: str, sampler: Any) -> int:
    if not hasattr(type(sampler), "__len__"):
        got = f"{what} is {described(sampler)}, which has no __len__"
        raise DTypeError(f"len(DataLoader): {got}; the number of batches is unknown")
    return len(sampler)


def _check_in_process(**options: tuple[Any, Any]) -> None:
    """Raise OptionError for options of worker processes and page-locked memory."""
    for what, (value, only) in options.items():
        if type(value) is not type(only) or value != only:
            way = "batches are made in this process, in ordinary memory; leave it out"
            raise OptionError(
                f"DataLoader: {what} is {value!r}, expected {only}: {way}"
            )


if not TYPE_CHECKING:
    __getattr__ = left_out.getter("tg.utils.data", globals())
