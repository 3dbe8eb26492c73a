"""Optimizers and schedules of their rates: torch.optim's names, arguments and
arithmetic.
"""

from typing import TYPE_CHECKING

from ..errors import left_out
from . import lr_scheduler
from .algorithms import SGD, Adagrad, Adam, AdamW, RMSprop
from .optimizer import Optimizer

__all__ = ["SGD", "Adagrad", "Adam", "AdamW", "Optimizer", "RMSprop", "lr_scheduler"]

if not TYPE_CHECKING:
    __getattr__ = left_out.getter("tg.optim", globals())
