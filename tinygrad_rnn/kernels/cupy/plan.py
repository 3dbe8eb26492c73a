"""How a scan is laid out on a GPU: plain arithmetic, which needs no GPU.

A plan says how many blocks share the units of a layer and the sequences of a batch; how
they work together stands in scan.cu. Of the plans that fit, the one with the lowest
estimate is taken. The estimates come from a GPU's data sheet: none was measured.
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

# Constants of scan.cu
ROWS, ITEMS, LANES = 4, 2, 8
THREADS = {4: 512, 8: 384}  # by the size of a number
TILES = (4, 2)
LARGEST_CLUSTER = 8
BLOCK, CLUSTER, GRID = 0, 1, 2  # the modes

# Cycles, all of them guesses
TILE_LATENCY = 250  # barriers, dependent loads and tanh of a tile
CLUSTER_BARRIER, GRID_BARRIER = 700, 2400
STEP_OF_LOOP = 20_000  # two launches by Python, at about 2 GHz


class Card(NamedTuple):
    """What a plan has to know of a GPU."""

    multiprocessors: int
    shared_bytes: int  # of a block at most
    has_clusters: bool
    threads: int = 512  # of a block at most


class Layer(NamedTuple):
    """What a plan has to know of a layer and its input."""

    gates: int  # 1 of an RNN, 4 of an LSTM, 3 of a GRU
    steps: int
    batch: int
    hidden: int
    itemsize: int
    backward: bool

    @property
    def columns(self) -> int:
        """How long the rows are that the weights are multiplied with in a step."""
        return self.hidden * (self.gates if self.backward else 1)

    def rows(self, units: int) -> int:
        """Return how many rows of weights a block of so many units holds."""
        return round_up(units if self.backward else self.gates * units, ROWS)


class Plan(NamedTuple):
    """A layout; the names are those of scan.cu."""

    mode: int
    ranks: int
    units: int
    slice: int
    parts: int
    tile: int
    threads: int
    grid: int
    shared_bytes: int


def round_up(n: int, step: int) -> int:
    """Return the smallest multiple of ``step`` that is at least n."""
    return -(-n // step) * step


def _mode(ranks: int, card: Card) -> int:
    if ranks == 1:
        return BLOCK
    is_power_of_2 = ranks & (ranks - 1) == 0
    if card.has_clusters and is_power_of_2 and ranks <= LARGEST_CLUSTER:
        return CLUSTER
    return GRID


def _line(layer: Layer) -> int:
    """Return how many numbers 8 lanes read at once."""
    return LANES * (16 // layer.itemsize)


def _shared_bytes(layer: Layer, plan: Plan) -> int:
    """Return how much shared memory a block needs; scan.cu lays it out."""
    rows = layer.rows(plan.units)
    pitch = round_up(layer.columns, _line(layer) * plan.parts)
    sequences = round_up(plan.slice, plan.tile)
    held = {BLOCK: sequences, CLUSTER: 2 * sequences, GRID: plan.tile}[plan.mode]
    per_unit = int(layer.gates == 4) + int(layer.backward)  # of what a step hands on
    numbers = rows * pitch + held * pitch + plan.parts * plan.tile * rows
    return layer.itemsize * (numbers + per_unit * sequences * plan.units)


def _complete(layer: Layer, card: Card, ranks: int, tile: int) -> Plan | None:
    """Return the plan with so many ranks; None if it does not fit the card."""
    units = -(-layer.hidden // ranks)
    groups = min(card.multiprocessors // ranks, layer.batch)
    if groups == 0 or -(-layer.hidden // units) != ranks:
        return None
    slice_ = -(-layer.batch // groups)
    threads = min(card.threads, THREADS[layer.itemsize])
    lanes = layer.rows(units) // ROWS * LANES
    parts = 1
    while lanes * parts * 2 <= threads and parts * 2 * _line(layer) <= round_up(
        layer.columns, _line(layer)
    ):
        parts *= 2
    wanted = max(lanes * parts, -(-tile * units // ITEMS), 64)
    used = min(threads, round_up(wanted, 32))
    if tile * units > ITEMS * used:
        return None
    grid = -(-layer.batch // slice_) * ranks
    mode = _mode(ranks, card)
    plan = Plan(mode, ranks, units, slice_, parts, tile, used, grid, 0)
    plan = plan._replace(shared_bytes=_shared_bytes(layer, plan))
    return plan if plan.shared_bytes <= card.shared_bytes else None


def plans(layer: Layer, card: Card) -> Iterator[Plan]:
    """Yield all plans that fit."""
    for ranks in range(1, min(card.multiprocessors, layer.hidden) + 1):
        for tile in TILES:
            plan = _complete(layer, card, ranks, tile)
            if plan is not None:
                yield plan


def estimate(layer: Layer, plan: Plan) -> float:
    """Return how many cycles a scan takes, as a rough guess."""
    words = layer.itemsize // 4
    rows = layer.rows(plan.units)
    pitch = round_up(layer.columns, _line(layer) * plan.parts)
    from_shared = rows * pitch * words / 32 * (1 + plan.tile / ROWS)
    multiplications = rows * pitch * plan.tile * words / 128
    tiles = -(-plan.slice // plan.tile)
    step = tiles * (max(from_shared, multiplications) + TILE_LATENCY)
    sent = plan.slice * plan.units * (layer.gates if layer.backward else 1)
    if plan.mode == CLUSTER:
        step += CLUSTER_BARRIER + sent * plan.ranks / 16
    elif plan.mode == GRID:
        fetched = plan.tile * layer.columns * layer.itemsize * plan.grid / 2500
        step += GRID_BARRIER + tiles * (300 + fetched)
    weights = rows * pitch * layer.itemsize / 32  # are loaded once
    return weights + layer.steps * step


def estimate_loop(layer: Layer, card: Card) -> float:
    """Return how many cycles a loop of products and small launches takes."""
    size = layer.batch * layer.gates * layer.hidden * layer.hidden
    per_cycle = card.multiprocessors * 64 / (layer.itemsize // 4)
    return layer.steps * (STEP_OF_LOOP + size / per_cycle)


@lru_cache(256)
def find_plan(layer: Layer, card: Card) -> Plan | None:
    """Return the best plan, or None if a loop over the steps is better or the only way.

    The loop is a product by cuBLAS and a launch for each step: any layer fits it.
    """
    best = min(plans(layer, card), key=lambda p: estimate(layer, p), default=None)
    if best is None or estimate(layer, best) > estimate_loop(layer, card):
        return None
    return best
