"""Helpers for training, under torch.nn.utils's names.

Example:
    >>> from tinygrad_rnn import nn, ones
    >>> layer = nn.Linear(3, 1)
    >>> layer(100 * ones(3)).backward()
    >>> norm = nn.utils.clip_grad_norm_(layer.parameters(), max_norm=1.0)
    >>> round(nn.utils.clip_grad_norm_(layer.parameters(), max_norm=1.0).item(), 3)
    1.0
"""

from typing import TYPE_CHECKING

from ...errors import left_out
from . import rnn
from .clip_grad import clip_grad_norm_, clip_grad_value_, get_total_norm
from .convert_parameters import parameters_to_vector, vector_to_parameters

__all__ = [
    "clip_grad_norm_",
    "clip_grad_value_",
    "get_total_norm",
    "parameters_to_vector",
    "rnn",
    "vector_to_parameters",
]

if not TYPE_CHECKING:
    __getattr__ = left_out.getter("tg.nn.utils", globals())
