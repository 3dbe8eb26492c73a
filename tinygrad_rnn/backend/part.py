"""A gradient of one part of an array, which is written out or added when its time
comes.
"""

from typing import Any

Array = Any
Shape = tuple[int, ...]


class Part:
    """A gradient that is 0 but in one part of an array, not yet written out.

    The slices of a sequence, taken one by one, each have one as large as the sequence:
    written out and added up they would cost time that grows with the square of its
    length.
    """

    __slots__ = ("index", "shape", "values", "xp")

    def __init__(self, xp: Any, values: Array, shape: Shape, index: Any) -> None:
        self.xp, self.values, self.shape, self.index = xp, values, shape, index

    def whole(self) -> Array:
        """The array, a new one."""
        return self.xp.scatter(self.values, self.shape, self.index)

    def add_to(self, total: Array) -> None:
        """Add it to an array, in place."""
        part = self.xp.getitem(total, self.index)  # a view
        part += self.values
