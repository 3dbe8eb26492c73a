"""Where the boxes of a drawing go: in rows, so that no two overlap.

A small form of the layered drawings of Sugiyama, Tagawa and Toda 1981. The row of a
box is the length of its longest path to the first box, which stands alone at the
bottom. From there up, each row is ordered by the barycentre, the mean position of what
its boxes lead to, and moved apart as little as needed. An edge that skips rows has a
place of its own in each of them.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

GAP = 18.0  # between two boxes of a row
PLACE = 6.0  # the width of the place of an edge


class Edge(NamedTuple):
    """An edge between two boxes.

    Attributes:
        start: The number of the box where it begins.
        end: That of the box where it ends, in a row below.
        places: Its positions in the rows between, from ``end`` up.
    """

    start: int
    end: int
    places: list[float]


class Layout(NamedTuple):
    """Where everything is.

    Attributes:
        x: The centre of each box.
        rows: The row of each box, 0 at the bottom.
        edges: All edges.
    """

    x: list[float]
    rows: list[int]
    edges: list[Edge]


class _Item:
    """What has a place in a row: a box, or an edge that skips the row.

    Attributes:
        width: How much space it takes.
        weight: How much it resists being moved.
        x: The position of its centre.
        above: What leads to it from the row above.
    """

    def __init__(self, width: float, weight: float) -> None:
        self.width, self.weight, self.x = width, weight, 0.0
        self.above: list[_Item] = []


def arrange(parents: Sequence[Sequence[int]], widths: Sequence[float]) -> Layout:
    """Return a layout of boxes, all of which lead to the first one.

    Args:
        parents: For each box, the numbers of those from which edges lead to it.
        widths: The widths of the boxes.
    """
    order = list(_users_first(parents))
    rows, heights = [0] * len(order), [0] * len(order)
    for child in order:
        for parent in parents[child]:
            rows[parent] = max(rows[parent], rows[child] + 1)
    for child in reversed(order):
        heights[child] = max([heights[p] + 1 for p in parents[child]], default=0)
    # What has a long history stays straight above what it leads to.
    items = [
        _Item(width, (height + 1) ** 3)
        for width, height in zip(widths, heights, strict=True)
    ]
    chains = []
    for child, item in enumerate(items):
        for parent in dict.fromkeys(parents[child]):
            skipped = rows[parent] - rows[child] - 1
            places = [_Item(PLACE, 1) for _ in range(skipped)]
            chain = [item, *places, items[parent]]
            for lower, upper in pairwise(chain):
                lower.above.append(upper)
            chains.append((parent, child, places))
    _place(items[0])
    edges = [Edge(a, b, [item.x for item in places]) for a, b, places in chains]
    return Layout([item.x for item in items], rows, edges)


def _users_first(parents: Sequence[Sequence[int]]) -> Iterator[int]:
    """Yield the numbers of boxes, each after all boxes that it leads to."""
    users = [0] * len(parents)
    for own in parents:
        for parent in own:
            users[parent] += 1
    ready = [0]
    while ready:
        child = ready.pop()
        yield child
        for parent in parents[child]:
            users[parent] -= 1
            if not users[parent]:
                ready.append(parent)


def _place(bottom: _Item) -> None:
    """Set the position of all items above one, row by row."""
    row = [bottom]
    while row:
        users: dict[_Item, list[_Item]] = {}
        for item in row:
            for upper in item.above:
                users.setdefault(upper, []).append(item)
        for upper, own in users.items():
            upper.x = sum(item.weight * item.x for item in own)
            upper.x /= sum(item.weight for item in own)
        row = sorted(users, key=lambda item: item.x)
        _move_apart(row)


def _move_apart(row: list[_Item]) -> None:
    """Move the items of a row, which keep their order, until none overlap.

    The weighted sum of the squares of the moves is the least possible: positions less
    the widths to their left must not fall, and pooling those that do gives the best
    ones (the pool-adjacent-violators algorithm; Ayer et al. 1955).
    """
    offsets = [0.0]
    for left, right in pairwise(row):
        offsets.append(offsets[-1] + (left.width + right.width) / 2 + GAP)
    pools: list[tuple[float, float, int]] = []  # weight, mean and size
    for item, offset in zip(row, offsets, strict=False):
        weight, mean, size = item.weight, item.x - offset, 1
        while pools and pools[-1][1] > mean:
            other_weight, other_mean, other_size = pools.pop()
            total = weight + other_weight
            mean = (weight * mean + other_weight * other_mean) / total
            weight, size = total, size + other_size
        pools.append((weight, mean, size))
    means = [mean for _, mean, size in pools for _ in range(size)]
    for item, offset, mean in zip(row, offsets, means, strict=False):
        item.x = mean + offset
