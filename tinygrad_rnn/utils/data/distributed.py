"""The sampler that shares a data set out among processes."""

import math
from collections.abc import Iterator, Sized

import numpy as np

from ...errors import OptionError, check_integers, check_type
from ...errors.construction import NamedConstruction
from .datasets import check_dataset


class DistributedSampler(metaclass=NamedConstruction):
    """The indices of one process's samples, as torch.utils.data's.

    All ranks draw the same order, and each takes every ``num_replicas``-th index of it.
    Pass it as ``sampler=`` to a DataLoader, and call :meth:`set_epoch` before each
    pass: otherwise every pass has the same order.

    Args:
        dataset: The data set.
        num_replicas: How many processes there are; by default, those of the group.
        rank: The number of this process; by default, that in the group.
        shuffle: Draw an order for each pass.
        seed: The seed of the order, the same on every rank.
        drop_last: If the samples cannot be shared out equally, leave some out; by
            default the first ones come twice.

    Raises:
        OptionError: There is no such rank, or no group to ask.

    Example:
        >>> from tinygrad_rnn.utils.data import DataLoader, DistributedSampler
        >>> for rank in range(2):
        ...     sampler = DistributedSampler(range(5), 2, rank, shuffle=False)
        ...     print([x.tolist() for x in DataLoader(range(5), 2, sampler=sampler)])
        [[0, 2], [4]]
        [[1, 3], [0]]
    """

    _name = "DistributedSampler"

    def __init__(
        self,
        dataset: Sized,
        num_replicas: int | None = None,
        rank: int | None = None,
        shuffle: bool = True,
        seed: int = 0,
        drop_last: bool = False,
    ) -> None:
        name = self._name
        check_dataset(name, dataset, "__len__")
        if num_replicas is None or rank is None:
            from ...distributed.group import current_group  # not needed otherwise

            group = current_group(f"{name}, without num_replicas and rank")
            num_replicas = group.size if num_replicas is None else num_replicas
            rank = group.rank if rank is None else rank
        check_integers(name, num_replicas=num_replicas)
        check_integers(name, 0, rank=rank, seed=seed)
        check_type(name, bool, "True or False", shuffle=shuffle, drop_last=drop_last)
        if rank >= num_replicas:
            expected = f"a number below num_replicas={num_replicas}"
            raise OptionError(f"{name}: rank is {rank}, expected {expected}")
        self.dataset, self.num_replicas, self.rank = dataset, num_replicas, rank
        self.shuffle, self.seed, self.drop_last = shuffle, seed, drop_last
        self.epoch = 0

    def __len__(self) -> int:
        """The number of samples of this rank."""
        share = len(self.dataset) / self.num_replicas
        return math.floor(share) if self.drop_last else math.ceil(share)

    def __iter__(self) -> Iterator[int]:
        count, total = len(self.dataset), len(self) * self.num_replicas
        order = np.arange(count)
        if self.shuffle:
            order = np.random.default_rng((self.seed, self.epoch)).permutation(count)
        # Where samples are missing, the order starts again.
        mine = np.arange(self.rank, total, self.num_replicas)
        return iter(order[mine % max(count, 1)].tolist())

    def set_epoch(self, epoch: int) -> None:
        """Choose the order of the next pass, the same on every rank.

        Args:
            epoch: The number of the pass.

        Example:
            >>> from tinygrad_rnn.utils.data import DistributedSampler
            >>> sampler = DistributedSampler(range(100), num_replicas=2, rank=0)
            >>> first = list(sampler)
            >>> sampler.set_epoch(1)
            >>> list(sampler) == first
            False
        """
        check_integers("set_epoch", 0, epoch=epoch)
        self.epoch = epoch
