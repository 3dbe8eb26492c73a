"""How scans are laid out: every plan covers the work, and fits."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kernels.cupy.twins import import_twins

plan = import_twins().plan
H200 = plan.Card(132, 227 << 10, has_clusters=True)
A100 = plan.Card(108, 163 << 10, has_clusters=False)

layers = st.builds(
    plan.Layer,
    gates=st.sampled_from([1, 3, 4]),
    steps=st.integers(1, 200),
    batch=st.integers(1, 300),
    hidden=st.integers(1, 1100),
    itemsize=st.sampled_from([4, 8]),
    backward=st.booleans(),
)
cards = st.sampled_from([H200, A100, plan.Card(6, 227 << 10, True, 160)])


@given(layers, cards)
def test_every_plan_covers_all_and_fits(layer, card):
    for p in plan.plans(layer, card):
        assert p.units * p.ranks >= layer.hidden > p.units * (p.ranks - 1)
        groups = p.grid // p.ranks
        assert p.grid == groups * p.ranks <= card.multiprocessors
        assert p.slice * groups >= layer.batch > p.slice * (groups - 1)
        assert p.shared_bytes <= card.shared_bytes
        # Each thread has ITEMS elements of a tile, and 8 lanes each of the parts
        assert p.tile * p.units <= plan.ITEMS * p.threads
        assert p.threads % 32 == 0
        assert p.threads <= min(card.threads, plan.THREADS[layer.itemsize])
        assert p.parts * plan.LANES <= p.threads
        assert (p.mode == plan.BLOCK) == (p.ranks == 1)
        if p.mode == plan.CLUSTER:
            assert card.has_clusters
            assert p.ranks in (2, 4, 8)


@given(layers, cards)
def test_the_best_plan_has_the_lowest_estimate(layer, card):
    best = plan.find_plan(layer, card)
    loop = plan.estimate_loop(layer, card)
    estimates = [plan.estimate(layer, p) for p in plan.plans(layer, card)]
    if best is None:
        assert all(estimate > loop for estimate in estimates)
    else:
        assert plan.estimate(layer, best) == min(estimates) <= loop


def mode_of(gates, hidden, batch, steps=64, card=H200, itemsize=4, backward=False):
    layer = plan.Layer(gates, steps, batch, hidden, itemsize, backward)
    found = plan.find_plan(layer, card)
    return None if found is None else found.mode


@pytest.mark.parametrize(
    ("gates", "hidden", "batch", "mode"),
    [
        (1, 32, 32, plan.BLOCK),
        (1, 128, 32, plan.BLOCK),
        (1, 512, 64, plan.CLUSTER),
        (4, 64, 32, plan.BLOCK),
        (4, 256, 32, plan.CLUSTER),
        (1, 8192, 64, None),
        (4, 2048, 64, None),
    ],
)
def test_what_an_h200_runs(gates, hidden, batch, mode):
    assert mode_of(gates, hidden, batch) == mode


def test_without_clusters_large_layers_use_the_grid():
    assert mode_of(1, 512, 8, card=A100) == plan.GRID
    assert mode_of(4, 256, 8, card=A100) == plan.GRID


def test_a_single_step_is_a_product_and_a_launch():
    assert (
        mode_of(4, 512, 1, steps=1) is None or mode_of(4, 512, 1, steps=50) is not None
    )
