"""A gradient of one part of an array, not yet written out."""

from ..types import Array, Index, Namespace, Shape


class Part:
    """A gradient that is 0 outside of one part of an array.

    The steps of a sequence, taken one by one, have one each. If each were written out
    in the sequence's shape, the time would grow with the square of its length.
    """

    __slots__ = ("index", "shape", "values", "xp")

    def __init__(
        self, xp: Namespace, values: Array, shape: Shape, index: Index
    ) -> None:
        self.xp, self.values, self.shape, self.index = xp, values, shape, index

    def whole(self) -> Array:
        """The gradient of the whole array, a new one."""
        return self.xp.scatter(self.values, self.shape, self.index)

    def add_to(self, total: Array) -> None:
        """Add it to a gradient of the whole array, in place."""
        view = self.xp.getitem(total, self.index)
        view += self.values
