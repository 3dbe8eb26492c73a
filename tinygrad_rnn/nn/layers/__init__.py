"""Layers without a state, a file for each family."""

from . import activations, dropout, embedding, linear, losses, normalization, shapes
from .activations import *
from .base import Functional, Layer
from .dropout import *
from .embedding import *
from .linear import *
from .losses import *
from .normalization import *
from .shapes import *

__all__: list[str] = []
__all__ += linear.__all__
__all__ += embedding.__all__
__all__ += normalization.__all__
__all__ += dropout.__all__
__all__ += activations.__all__
__all__ += losses.__all__
__all__ += shapes.__all__
