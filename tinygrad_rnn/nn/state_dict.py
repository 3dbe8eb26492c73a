"""A state_dict: held against what a module holds, loaded as a whole, in a file."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from ..convert import on_host
from ..creation import as_tensor
from ..engine.commit import Changes, rewriting
from ..engine.node import check_writable
from ..errors import CheckpointError, check_type, file_name
from ..tensor import Tensor
from ..types import Operand

Held = Mapping[str, Tensor]  # what a module holds: its own state_dict
Given = Mapping[str, Operand]  # what is to be loaded: Tensors or arrays


class IncompatibleKeys(NamedTuple):
    """The names that ``load_state_dict`` did not find, and those it did not know."""

    missing_keys: list[str]
    unexpected_keys: list[str]


def incompatible_keys(held: Held, given: Given) -> IncompatibleKeys:
    """The names that differ; a tensor needs a value under one of its names alone."""
    filled = {id(tensor.array) for key, tensor in held.items() if key in given}
    missing = [
        key
        for key, tensor in held.items()
        if key not in given and id(tensor.array) not in filled
    ]
    return IncompatibleKeys(missing, [key for key in given if key not in held])


def compare(
    name: str, held: Held, given: Given, strict: bool
) -> tuple[dict[str, np.ndarray], list[str]]:
    """Return the given values as arrays, and what does not fit, a line each."""
    check_type(name, Mapping, "a dict, as state_dict() gives", state_dict=given)
    values, wrong = {}, []
    for key, value in given.items():
        try:
            values[key] = np.asarray(on_host(value))
        except MemoryError:
            raise
        except Exception as error:
            wrong.append(f"{key} is {type(value).__name__}, not an array: {error}")
    wrong += _unfit_values(held, values)
    if strict:
        keys = incompatible_keys(held, given)
        wrong += [f"{key} is missing" for key in keys.missing_keys]
        wrong += [f"{key} is unexpected" for key in keys.unexpected_keys]
    return values, wrong


def _unfit_values(held: Held, values: dict[str, np.ndarray]) -> list[str]:
    """Values of another shape or dtype, and those that differ though they are tied."""
    wrong: list[str] = []
    first_names: dict[int, str] = {}  # of each array that has a value
    for key, own in held.items():
        if key not in values:
            continue
        value, first = values[key], first_names.setdefault(id(own.array), key)
        if (value.shape, value.dtype) != (own.shape, own.dtype):
            got = f"{key} has shape {value.shape} and {value.dtype}"
            wrong.append(f"{got}, expected {own.shape} and {own.dtype}")
        elif not np.array_equal(value, values[first], equal_nan=True):
            wrong.append(f"{key} differs from {first}, to which it is tied")
    return wrong


def loading_changes(name: str, held: Held, given: Given) -> Changes:
    """The changes that write fitting values into what a module holds."""
    arrays = [own.array for own in held.values() if type(own.array) is np.ndarray]
    pairs = []
    for key, own in held.items():
        if key not in given:
            continue
        check_writable(own.array, name)
        value = np.asarray(on_host(given[key]))
        if any(np.may_share_memory(value, array) for array in arrays):
            value = value.copy()  # or writing another value would change this one
        pairs.append((own, as_tensor(value, device=own.device).array))
    return rewriting(pairs)


# The package imports without the library that reads and writes files.


def write_weights(path: Operand, held: Held) -> None:
    """Write a state_dict to a safetensors file."""
    from ..serialization import save_file

    save_file(path, {key: t.cpu().numpy() for key, t in held.items()}, {})


def read_weights(path: Operand) -> dict[str, np.ndarray]:
    """Read the arrays of a file of weights; raise for a file of another kind."""
    from ..serialization import load_file

    arrays, header = load_file(path)
    way = None
    if "checkpoint" in header:
        way = "is a checkpoint; tg.load_checkpoint(path, model) reads it"
    elif "saved" in header:
        way = "was written by tg.save; use model.load_state_dict(tg.load(path))"
    if way is not None:
        raise CheckpointError(f"load_weights: {file_name(path)!r} {way}")
    return arrays
