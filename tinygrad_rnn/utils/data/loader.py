"""The DataLoader: which samples make up a batch, and in which order they come."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import islice
from typing import Any, Generic

import numpy as np

from ...creation import as_tensor
from ...errors import DTypeError, OptionError, check_integers, check_type, describe
from ...errors.construction import NamedConstruction
from ...random import Generator, numpy_generator
from ...tensor import Tensor
from ..structure import map_values
from .collate import default_collate
from .datasets import (
    Indexed,
    Sample,
    Subset,
    TensorDataset,
    as_index,
    check_dataset,
    check_index,
    check_methods,
)


class DataLoader(Generic[Sample], metaclass=NamedConstruction):
    """Batches of a data set, as torch.utils.data.DataLoader; each ``for`` is one pass.

    Args:
        dataset: Any object with ``__getitem__`` and, without a sampler, ``__len__``.
        batch_size: B, the number of samples in a batch. None gives the samples one by
            one, not collated.
        shuffle: Draw a new order at the start of each pass.
        sampler: Gives the order instead: an iterable of indices, read in every pass.
        batch_sampler: An iterable of lists of indices, one for each batch.
        num_workers: 0, as batches are made in this process.
        collate_fn: Makes a batch of a list of samples; :func:`default_collate` if None.
        pin_memory: False.
        drop_last: Leave out the last batch if it is smaller than the others.
        timeout, worker_init_fn, multiprocessing_context, prefetch_factor, \
persistent_workers: Options of worker processes, which must keep their defaults.
        generator: Draws shuffled orders; the default generator if None, so that
            ``tg.manual_seed(0)`` makes them reproducible.

    Raises:
        DTypeError: The data set or an option is of the wrong type.
        OptionError: Two options exclude each other, or one asks for worker processes.

    Example:
        >>> import tinygrad_rnn as tg
        >>> from tinygrad_rnn.utils.data import DataLoader
        >>> dataset = tg.utils.data.TensorDataset(tg.arange(5), tg.arange(5) ** 2)
        >>> for x, y in DataLoader(dataset, batch_size=2):
        ...     print(x.tolist(), y.tolist())
        [0, 1] [0, 1]
        [2, 3] [4, 9]
        [4] [16]
    """

    _name = "DataLoader"
    num_workers = 0
    pin_memory = False

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
        _check_defaults(0, num_workers=num_workers, timeout=timeout)
        _check_defaults(False, pin_memory=pin_memory)
        _check_defaults(False, persistent_workers=persistent_workers)
        _check_defaults(None, multiprocessing_context=multiprocessing_context)
        _check_defaults(None, prefetch_factor=prefetch_factor)
        check = partial(check_type, "DataLoader")
        check(bool | None, "True or False", shuffle=shuffle)
        check(bool, "True or False", drop_last=drop_last)
        functions = {"collate_fn": collate_fn, "worker_init_fn": worker_init_fn}
        check(Callable | None, "a function, or None", **functions)
        check(Generator | None, "a tg.Generator, or None", generator=generator)
        if batch_size is not None:
            check_integers("DataLoader", batch_size=batch_size)
        _check_sources(dataset, sampler=sampler, batch_sampler=batch_sampler)
        self.dataset: Any = dataset
        self.batch_size, self.drop_last = batch_size, drop_last
        self.shuffle, self.generator = bool(shuffle), generator
        self.sampler, self.batch_sampler = sampler, batch_sampler
        self._check_order()
        usual = _with_tensors if batch_size is None else default_collate
        self.collate_fn = usual if collate_fn is None else collate_fn

    def _check_order(self) -> None:
        """Raise if two options decide which samples make up a batch."""
        options = {
            "shuffle": self.shuffle,
            "sampler": self.sampler is not None,
            "batch_sampler": self.batch_sampler is not None,
        }
        has_no_chunks = self.batch_size is None and self.drop_last
        if self.batch_sampler is not None or has_no_chunks:
            options[f"batch_size={self.batch_size}"] = self.batch_size != 1
            options["drop_last"] = self.drop_last
        given = [name for name, is_given in options.items() if is_given]
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
        """The number of batches in a pass."""
        if self.batch_sampler is not None:
            return _length("batch_sampler", self.batch_sampler)
        if self.sampler is None:
            count = len(self.dataset)
        else:
            count = _length("sampler", self.sampler)
        size = self.batch_size or 1
        return count // size if self.drop_last else -(-count // size)

    def __iter__(self) -> Iterator[Any]:
        if self.batch_sampler is not None:
            return map(self._batch, self.batch_sampler)
        order = self._order()
        if self.batch_size is None:
            return (self.collate_fn(self.dataset[as_index(index)]) for index in order)
        return map(self._batch, _chunks(order, self.batch_size, self.drop_last))

    def _order(self) -> Iterable[int]:
        """Return the indices of a pass; this call draws a shuffled order."""
        if self.sampler is not None:
            return self.sampler
        count = len(self.dataset)
        if not self.shuffle:
            return range(count)
        return numpy_generator("DataLoader", self.generator).permutation(count).tolist()

    def _batch(self, indices: Iterable[int]) -> Any:
        chosen = [as_index(index) for index in indices]
        if self.collate_fn is default_collate:
            rows = _rows_at_once(self.dataset, np.asarray(chosen))
            if rows is not None:
                return rows
        return self.collate_fn([self.dataset[index] for index in chosen])


def _rows_at_once(dataset: object, ids: np.ndarray) -> list[Tensor] | None:
    """Return a batch of a TensorDataset by one look-up in each of its tensors.

    The batch equals the collated samples. None for any other data set, and for a
    subclass that defines its samples itself.
    """
    if not ids.size or ids.dtype.kind not in "iu":
        return None
    getitem = getattr(type(dataset), "__getitem__", None)
    if isinstance(dataset, TensorDataset) and getitem is TensorDataset.__getitem__:
        check_index("TensorDataset", ids, len(dataset))
        return [tensor[ids] for tensor in dataset.tensors]
    if isinstance(dataset, Subset) and getitem is Subset.__getitem__:
        check_index("Subset", ids, len(dataset))
        inner = [as_index(dataset.indices[index]) for index in ids.tolist()]
        return _rows_at_once(dataset.dataset, np.asarray(inner))
    return None


def _chunks(order: Iterable[int], size: int, drop_last: bool) -> Iterator[list[int]]:
    """Yield lists of ``size`` indices; the last one may be shorter."""
    indices = iter(order)
    while chunk := list(islice(indices, size)):
        if len(chunk) == size or not drop_last:
            yield chunk


def _with_tensors(sample: Any) -> Any:
    """Return a sample with Tensors in the places of its arrays."""
    is_array = (np.ndarray, np.generic)
    return map_values(lambda x: as_tensor(x) if isinstance(x, is_array) else x, sample)


# ---------------------------------------------------------------- checks


def _check_sources(dataset: object, **samplers: object) -> None:
    """Raise if the data set, or what gives its order, cannot be read in every pass."""
    given = {name: value for name, value in samplers.items() if value is not None}
    methods = ("__getitem__",) if given else ("__getitem__", "__len__")
    check_dataset("DataLoader", dataset, *methods)
    for name, sampler in given.items():
        expected = "something to iterate over"
        check_methods("DataLoader", name, sampler, expected, "__iter__")
        if isinstance(sampler, Iterator):
            raise DTypeError(
                f"DataLoader: {name} is {describe(sampler)}, an iterator, whose "
                "indices serve one pass only; pass list(...), or an object whose "
                "__iter__ starts again"
            )


def _length(name: str, sampler: Any) -> int:
    """Return the length of a sampler; raise if it has none."""
    if not hasattr(type(sampler), "__len__"):
        raise DTypeError(
            f"len(DataLoader): {name} is {describe(sampler)}, which has no __len__; "
            "the number of batches is unknown"
        )
    return len(sampler)


def _check_defaults(default: object, **options: object) -> None:
    """Raise if an option of worker processes or pinned memory is not its default."""
    for option, value in options.items():
        if type(value) is not type(default) or value != default:
            raise OptionError(
                f"DataLoader: {option} is {value!r}, expected {default}: batches are "
                "made in this process, in ordinary memory; leave it out"
            )
