"""Data for the examples and for a first model of one's own: text as ids, and sine waves."""

from .sine import sine_waves
from .streams import TextStreams
from .vocabulary import Vocabulary, read_text

__all__ = ["TextStreams", "Vocabulary", "read_text", "sine_waves"]
