"""Optimizers and schedules of their rates: torch.optim's names, arguments and
arithmetic.

Example:
    >>> import tinygrad_rnn as tg
    >>> w = tg.tensor([4.0], requires_grad=True)
    >>> optimizer = tg.optim.SGD([w], lr=0.1)
    >>> for _ in range(50):
    ...     optimizer.zero_grad()
    ...     ((w - 3) ** 2).sum().backward()
    ...     optimizer.step()
    >>> round(w.item(), 2)
    3.0
"""

from typing import TYPE_CHECKING

from ..errors import left_out
from . import lr_scheduler
from .algorithms import SGD, Adagrad, Adam, AdamW, RMSprop
from .optimizer import Optimizer

__all__ = ["SGD", "Adagrad", "Adam", "AdamW", "Optimizer", "RMSprop", "lr_scheduler"]

if not TYPE_CHECKING:
    __getattr__ = left_out.getter("tg.optim", globals())
