"""Optimizers: torch.optim's names, arguments and arithmetic."""

from .adam import Adam
from .optimizer import Optimizer
from .sgd import SGD

__all__ = ["SGD", "Adam", "Optimizer"]
