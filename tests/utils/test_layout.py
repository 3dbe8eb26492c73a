"""Layouts: users below, no overlaps, and as little movement as possible."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from utils.graphs import graphs

from tinygrad_rnn.utils.layout import GAP, PLACE, _Item, _move_apart, arrange


@given(parents=graphs, seed=st.integers(0, 2**32))
def test_rows_and_gaps(parents, seed):
    widths = np.random.default_rng(seed).uniform(10, 90, len(parents)).tolist()
    x, rows, edges = arrange(parents, widths)
    assert rows[0] == 0
    assert [(edge.start, edge.end) for edge in edges] == [
        (parent, child)
        for child, own in enumerate(parents)
        for parent in dict.fromkeys(own)
    ]
    # A box is one row above the highest of those that it leads to.
    for box in range(1, len(parents)):
        assert rows[box] == 1 + max(
            rows[child] for child, own in enumerate(parents) if box in own
        )
    by_row = {}
    for centre, row, width in zip(x, rows, widths, strict=True):
        by_row.setdefault(row, []).append((centre, width))
    for start, end, places in edges:
        assert len(places) == rows[start] - rows[end] - 1
        for row, place in enumerate(places, rows[end] + 1):
            by_row[row].append((place, PLACE))
    for row in by_row.values():
        row.sort()
        for (one, width), (two, other) in zip(row, row[1:], strict=False):
            assert two - one >= (width + other) / 2 + GAP - 1e-6


def test_a_chain_is_straight_and_a_tree_is_even():
    assert arrange([[1], [2], [3], []], [10.0] * 4).x == [0.0] * 4
    x = arrange([[1, 2], [], []], [10.0, 20.0, 30.0]).x
    assert x == [0.0, -(25 + GAP) / 2, (25 + GAP) / 2]
    # The box with a history stays near its user; the two leaves make way.
    x = arrange([[1, 2, 3], [], [4], [], [5], []], [10.0] * 6).x
    assert x[1] < x[2] < x[3]
    assert abs(x[2]) < 1e-9
    x = arrange([[1, 2, 3], [], [], [4], [5], []], [10.0] * 6).x
    assert x[1] < x[2] < x[3] < 5


def test_an_edge_that_skips_rows_passes_beside_the_boxes():
    layout = arrange([[1, 2], [2], []], [40.0] * 3)
    assert layout.rows == [0, 1, 2]
    (place,) = layout.edges[1].places
    assert abs(place - layout.x[1]) >= (40 + PLACE) / 2
    # The box at its start stands above its other user, which weighs more.
    assert abs(layout.x[2] - layout.x[1]) < abs(layout.x[2] - place) / 4


positions = st.lists(st.integers(-50, 50), min_size=1, max_size=6)


@given(positions=positions, seed=st.integers(0, 2**32))
def test_items_move_as_little_as_possible(positions, seed):
    """No small change of the positions that keeps the gaps is better."""
    rng = np.random.default_rng(seed)
    row = [_Item(rng.uniform(5, 30), rng.uniform(0.5, 9)) for _ in positions]
    wanted = sorted(map(float, positions))
    for item, x in zip(row, wanted, strict=True):
        item.x = x
    _move_apart(row)
    x = np.array([item.x for item in row])
    weights, widths = np.array([(item.weight, item.width) for item in row]).T
    gaps = (widths[:-1] + widths[1:]) / 2 + GAP
    assert (np.diff(x) >= gaps - 1e-9).all()
    best = (weights * (x - wanted) ** 2).sum()
    for _ in range(50):
        other = x + rng.normal(0, rng.choice([1e-2, 1.0, 10.0]), len(x))
        for i, gap in enumerate(gaps):
            other[i + 1] = max(other[i + 1], other[i] + gap)
        assert (weights * (other - wanted) ** 2).sum() >= best - 1e-9


def test_deep_and_wide():
    count = 3000
    layout = arrange([[i + 1] for i in range(count - 1)] + [[]], [10.0] * count)
    assert layout.rows == list(range(count))
    layout = arrange([[*range(1, count)]] + [[]] * (count - 1), [10.0] * count)
    assert sorted(layout.x[1:]) == layout.x[1:]  # in the order of the arguments
