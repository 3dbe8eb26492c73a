"""Schedules of learning rates, with torch.optim.lr_scheduler's names and arithmetic.

A schedule sets the rates of all groups of an optimizer when it is made, and again at
each ``step()``, which as a rule ends an epoch. The formulas hold for a schedule on its
own. Most schedules compute the next rate from the current one, so several may work on
one optimizer, and they continue from a rate that was changed by hand.

Example:
    >>> from tinygrad_rnn import nn, optim
    >>> optimizer = optim.SGD(nn.Linear(2, 1).parameters(), lr=1.0)
    >>> schedule = optim.lr_scheduler.StepLR(optimizer, step_size=1, gamma=0.5)
    >>> for epoch in range(3):
    ...     print(schedule.get_last_lr())
    ...     optimizer.step()  # for each batch of the epoch
    ...     schedule.step()
    [1.0]
    [0.5]
    [0.25]
"""

from typing import TYPE_CHECKING

from ...errors import left_out
from .base import LRScheduler
from .cyclic import CosineAnnealingLR, OneCycleLR
from .decay import ExponentialLR, LambdaLR, LinearLR, MultiStepLR, StepLR
from .plateau import ReduceLROnPlateau
from .sequential import SequentialLR

__all__ = [
    "CosineAnnealingLR",
    "ExponentialLR",
    "LRScheduler",
    "LambdaLR",
    "LinearLR",
    "MultiStepLR",
    "OneCycleLR",
    "ReduceLROnPlateau",
    "SequentialLR",
    "StepLR",
]

if not TYPE_CHECKING:
    __getattr__ = left_out.getter("tg.optim.lr_scheduler", globals())
