"""Layers, activations and losses as functions, by torch.nn.functional's names."""

from typing import TYPE_CHECKING

from ...errors import left_out
from . import activations, classification, layers, losses, padding
from .activations import *
from .classification import *
from .layers import *
from .losses import *
from .padding import *

__all__: list[str] = []
__all__ += layers.__all__
__all__ += activations.__all__
__all__ += padding.__all__
__all__ += losses.__all__
__all__ += classification.__all__

if not TYPE_CHECKING:
    __getattr__ = left_out.getter("tg.nn.functional", globals())
