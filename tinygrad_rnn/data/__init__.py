"""Data for the examples and for a first model of your own: text as ids, and sine waves.

Legend of shapes: T time (tokens: characters, bytes or words), B batch (streams).

Example:
    >>> import tinygrad_rnn as tg
    >>> vocabulary = tg.data.Vocabulary("hello world")
    >>> vocabulary.decode(vocabulary.encode("hello"))
    'hello'
"""

from .encoded import encode_file
from .streams import TextStreams
from .text import read_text
from .vocabulary import Vocabulary
from .waves import sine_waves

__all__ = ["TextStreams", "Vocabulary", "encode_file", "read_text", "sine_waves"]
