"""Comparing a state_dict with what a module holds, and loading it as a whole."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from ..convert import on_host
from ..creation import as_tensor
from ..engine.commit import Changes, prepare_writes
from ..engine.node import check_writable
from ..errors import check_type
from ..tensor import Tensor
from ..types import Operand

Held = Mapping[str, Tensor]  # what a module holds: its own state_dict
Given = Mapping[str, Operand]  # what is to be loaded: Tensors or arrays


class IncompatibleKeys(NamedTuple):
    """The names that ``load_state_dict`` did not find, and those it did not know."""

    missing_keys: list[str]
    unexpected_keys: list[str]


def incompatible_keys(held: Held, given: Given) -> IncompatibleKeys:
    """Return the names that differ; a tied tensor needs only one of its names."""
    filled = {id(tensor.array) for key, tensor in held.items() if key in given}
    missing = [
        key
        for key, tensor in held.items()
        if key not in given and id(tensor.array) not in filled
    ]
    return IncompatibleKeys(missing, [key for key in given if key not in held])


def find_misfits(name: str, held: Held, given: Given, strict: bool) -> list[str]:
    """Say what in the given values does not fit, a line each."""
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
        missing, unexpected = incompatible_keys(held, given)
        wrong += [f"{key} is missing" for key in missing]
        wrong += [f"{key} is unexpected" for key in unexpected]
    return wrong


def _unfit_values(held: Held, values: dict[str, np.ndarray]) -> list[str]:
    """List values of another shape or dtype, and tied ones that differ."""
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


def way_to_fit(held: Held, given: Given) -> str:
    """Return the way out of two common mistakes, to end a message; else nothing."""
    wrapped = "module."  # PyTorch's DataParallel adds it
    is_wrapped = given and all(str(key).startswith(wrapped) for key in given)
    if is_wrapped and not any(key.startswith(wrapped) for key in held):
        return f"; all keys begin with {wrapped!r}: remove it"
    casts = {"float32": ".float()", "float64": ".double()"}
    for key, own in held.items():
        dtype = str(getattr(given.get(key), "dtype", None))
        if dtype in casts and own.dtype.kind == "f" and dtype != str(own.dtype):
            return f"; convert it to {own.dtype}, or the module with {casts[dtype]}"
    return ""


def loading_changes(name: str, held: Held, given: Given) -> Changes:
    """Return the changes that write fitting values into what a module holds."""
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
    return prepare_writes(pairs)
