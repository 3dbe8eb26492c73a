"""Parameters that step together, and what an optimizer remembers of them."""

from dataclasses import dataclass
from functools import cache
from itertools import accumulate
from typing import NamedTuple

from ..backend import backend_of
from ..engine.node import check_writable
from ..errors import OptionError
from ..tensor import Tensor
from ..types import Array, DeviceLike, DType, Function, Settings, Shape

Slots = dict[str, Array]

# What a parameter, its gradient and its state have to agree on.
Kind = tuple[DeviceLike, DType, Shape]
Key = tuple[int, str, DType]


@dataclass(slots=True, eq=False)
class Memory:
    """What is remembered of parameters that step together."""

    step: int  # how many they have made
    vectors: Slots
    parts: dict[Tensor, slice]  # where each one's values are in the vectors
    kinds: dict[Tensor, Kind]


NOTHING = Memory(0, {}, {}, {})
Memories = dict[Tensor, Memory]


class Plan(NamedTuple):
    """What a step needs to know of a group's options."""

    options: Settings  # as ``update`` takes them
    slot_names: list[str]
    maximize: bool


class Batch(NamedTuple):
    """Parameters that step together."""

    params: list[Tensor]
    places: list[int]  # of their gradients among those of the step
    arrays: list[Array]
    parts: list[slice]  # where each one's is in the memory's vectors
    group: int  # whose options they have
    memory: Memory  # of its own: no other batch has it
    kernel: Function | None  # that steps them in place
    slots: dict[str, list[Array]]  # for the kernel: the parts of the vectors, shaped


class Route(NamedTuple):
    """How the last step was made: to be repeated while nothing else changes."""

    param_ids: list[int]
    members: list[list[int]]  # the ids of each group's parameters
    changes: int  # of the memory of all tensors
    plans: list[Plan]
    batches: list[Batch]


def key_of(
    name: str, memory: Memory, param: Tensor, grad: Array, slot_names: list[str]
) -> Key:
    """Return the number of a parameter's step, from 1, its device and dtype.

    Raises if it cannot step; ``name`` is the optimizer's.
    """
    array = param.array
    check_writable(array, name)
    kind, grad_kind = kind_of(array), kind_of(grad)
    held_kind = memory.kinds.get(param, kind)
    if not grad_kind == kind == held_kind:
        raise OptionError(
            f"{name}.step: a gradient is {kind_in_words(grad_kind)}, its "
            f"parameter {kind_in_words(kind)}, its state {kind_in_words(held_kind)}; "
            "convert before the first step"
        )
    step = 1 if starts_again(memory, slot_names) else memory.step + 1
    return step, str(kind[0]), kind[1]


def starts_again(memory: Memory, slot_names: list[str]) -> bool:
    """Return whether steps are counted from 1, as momentum, say, was switched on."""
    return bool(slot_names) and slot_names[0] not in memory.vectors


def last_memory(memories: Memories, params: list[Tensor]) -> Memory:
    """Return the memory of parameters that stepped together the last time, too.

    In this order: their vectors can be copied whole. Of others, return NOTHING.
    """
    last = memories.get(params[0], NOTHING)
    is_same = [*map(id, last.parts)] == [*map(id, params)]
    for param in params if is_same else ():
        is_same = is_same and memories[param] is last
    return last if is_same else NOTHING


def slot_of(memories: Memories, name: str, param: Tensor) -> Array:
    """Return what is remembered of a parameter, flat, or zeros if nothing is."""
    memory = memories.get(param, NOTHING)
    if name in memory.vectors:
        return memory.vectors[name][memory.parts[param]]
    return backend_of(param.array).zeros_like(param.array)


def layouts(plans: list[Plan]) -> list[tuple[list[str], bool]]:
    """Return what of plans says how parameters step together."""
    return [(plan.slot_names, plan.maximize) for plan in plans]


def kind_of(array: Array) -> Kind:
    """Return the device, the dtype and the shape of an array."""
    return array.device, array.dtype, array.shape


def kind_in_words(kind: Kind) -> str:
    """Return a kind as messages say it."""
    device, dtype, shape = kind
    return f"{dtype} of shape {shape} on {device}"


@cache
def parts_of(sizes: tuple[int, ...]) -> list[slice]:
    """Return where arrays of these sizes lie in one vector, end to end."""
    stops = [*accumulate(sizes)]
    return [*map(slice, [0, *stops], stops)]
