"""Whether a replay does what the function does: both run, from the same state."""

from collections.abc import Callable, Iterator

import numpy as np

from ..backend import backend_of
from ..errors import GraphError
from ..types import Array, Operand
from .node import Value
from .program import MISS, Program

Copies = list[tuple[str, Array]]  # what an array is, and its bytes on the host


def replay_and_compare(
    program: Program, function: Callable[..., Operand], args: Operand, kwargs: Operand
) -> Operand:
    """Replay a call, run it plainly from the same state, and compare all bits.

    Returns:
        What the function returned plainly; MISS if the program's guards do not hold.

    Raises:
        GraphError: The results, the parameters or the gradients differ.
    """
    if not program.fits(args, kwargs):
        return MISS
    tensors = {id(x): x for x in _tensors_of(program, args, kwargs)}
    state = _State(program, list(tensors.values()))
    replayed = _copy_all(program.replay(args, kwargs), state)
    state.restore()
    result = function(*args, **kwargs)
    for (what, one), (_, two) in zip(replayed, _copy_all(result, state), strict=True):
        if one.dtype != two.dtype or one.tobytes() != two.tobytes():
            raise GraphError(
                f"compile: {program.name} computed {what} otherwise when it was "
                "replayed: it depends on something that is not an argument; pass it "
                "as one, or do not compile it"
            )
    return result


class _State:
    """What a program may change, as it was."""

    def __init__(self, program: Program, tensors: list[Value]) -> None:
        self.tensors = tensors
        self.arrays = [_copy(x.array) for x in tensors]
        grads = [x._grad for x in tensors]
        self.grads = [(g, None if g is None else _copy(g.array)) for g in grads]
        self.others = [(x, x._copy_state()) for x in _stateful(program)]

    def restore(self) -> None:
        for tensor, array in zip(self.tensors, self.arrays, strict=True):
            _write(tensor.array, array)
        for tensor, (grad, array) in zip(self.tensors, self.grads, strict=True):
            tensor._grad = grad
            if grad is not None:
                _write(grad.array, array)
        for value, state in self.others:
            value._restore_state(state)


def _tensors_of(program: Program, args: Operand, kwargs: Operand) -> Iterator[Value]:
    """Yield the Tensors that a program may read or change."""
    for leaf, *_ in program.conditions.leaves:
        yield leaf
    for value in program.constants.values():
        if isinstance(value, Value):
            yield value
    yield from _tensors_in((args, kwargs))


def _tensors_in(value: Operand) -> Iterator[Value]:
    if isinstance(value, Value):
        yield value
    elif isinstance(value, tuple | list | dict):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _tensors_in(part)


def _stateful(program: Program) -> list[Operand]:
    """Return the optimizers and generators among what a program calls and reads."""
    found: dict[int, Operand] = {}
    for value in program.constants.values():
        for candidate in (value, getattr(value, "__self__", None)):
            if hasattr(type(candidate), "_copy_state"):
                found[id(candidate)] = candidate
    return list(found.values())


def _copy(array: Array) -> Array:
    return backend_of(array).array(array)


def _write(array: Array, values: Array) -> None:
    backend_of(array).assign(array, ..., values)


def _copy_all(result: Operand, state: _State) -> Copies:
    """Return copies of all results, parameters and gradients."""
    copies: Copies = []
    for i, tensor in enumerate(_tensors_in(result)):
        copies.append((f"result {i}", _to_host(tensor.array)))
    for tensor in state.tensors:
        name = getattr(tensor, "name", "a tensor")
        copies.append((name, _to_host(tensor.array)))
        if tensor._grad is not None:
            copies.append((f"the gradient of {name}", _to_host(tensor._grad.array)))
    return copies


def _to_host(array: Array) -> Array:
    return np.array(backend_of(array).to_host(array))
