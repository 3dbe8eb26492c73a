"""Layers, activations and losses: a file for each family."""

from .activations import *
from .dropout import *
from .embedding import *
from .linear import *
from .losses import *
from .normalization import *
from .shapes import *
