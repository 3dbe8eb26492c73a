"""Graphs that tests of pictures draw."""

from hypothesis import strategies as st


@st.composite
def _graphs(draw):
    """The parents of each box of a graph, all of which lead to the first one."""
    count = draw(st.integers(1, 12))
    parents = [[] for _ in range(count)]
    for box in range(1, count):
        users = st.lists(st.integers(0, box - 1), min_size=1, max_size=3)
        for user in draw(users):  # the same one twice, too
            parents[user].append(box)
    # Any numbers but that of the first
    names = [0, *draw(st.permutations(range(1, count)))]
    renamed = [[] for _ in range(count)]
    for old, own in enumerate(parents):
        renamed[names[old]] = [names[parent] for parent in own]
    return renamed


graphs = _graphs()
