"""Batches of samples under the names of torch.utils.data, made in this process.

A data set is any object with ``__len__`` and ``__getitem__``. For one long text there
is :class:`tinygrad_rnn.data.TextStreams`, whose windows carry the hidden state over.

Example:
    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn.utils.data import DataLoader, TensorDataset
    >>> pairs = TensorDataset(tg.arange(4), tg.arange(4) ** 2)
    >>> for x, y in DataLoader(pairs, batch_size=2):
    ...     print(x.tolist(), y.tolist())
    [0, 1] [0, 1]
    [2, 3] [4, 9]
"""

from typing import TYPE_CHECKING

from ...errors import left_out
from .collate import default_collate
from .datasets import Dataset, Subset, TensorDataset, random_split
from .distributed import DistributedSampler
from .loader import DataLoader

__all__ = [
    "DataLoader",
    "Dataset",
    "DistributedSampler",
    "Subset",
    "TensorDataset",
    "default_collate",
    "random_split",
]

if not TYPE_CHECKING:
    __getattr__ = left_out.getter("tg.utils.data", globals())
