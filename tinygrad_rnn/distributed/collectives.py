"""Calls that all ranks make together, on tensors and on objects."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..backend import backend_of
from ..engine import seam
from ..engine.node import Value, check_view, check_writable, count_change
from ..errors import (
    DTypeError,
    GraphError,
    OptionError,
    ShapeError,
    check_choice,
    check_integers,
    check_type,
    describe,
)
from ..tensor import Tensor
from ..types import Array
from .communicator import Communicator, ReduceOp
from .group import ProcessGroup, current_group

OPS = (ReduceOp.SUM, ReduceOp.AVG, ReduceOp.PRODUCT, ReduceOp.MIN, ReduceOp.MAX)


def all_reduce(tensor: Tensor, op: str = ReduceOp.SUM) -> None:
    """Replace a tensor, on every rank, by the sum of those of all ranks, in place.

    Args:
        tensor: Numbers, of the same shape and dtype on every rank. It must not have
            been made by a recorded operation, as this is not recorded.
        op: What to compute instead of the sum.

    Raises:
        OptionError: There is no group.
        DTypeError: It holds bools, or integers for ``ReduceOp.AVG``.
        GraphError: A recorded operation made it, or its memory is read-only.

    Example:
        >>> import tinygrad_rnn as tg
        >>> count = tg.tensor([3])
        >>> if tg.distributed.is_initialized():
        ...     tg.distributed.all_reduce(count)
    """
    name = "all_reduce"
    check_choice(name, OPS, op=op)
    group = current_group(name)
    array = _array_to_change(name, tensor)
    kind = tensor.dtype.kind
    if kind == "b" or (op == ReduceOp.AVG and kind != "f"):
        way = ".float()" if op == ReduceOp.AVG else ".int()"
        got = f"tensor is {describe(tensor)}"
        raise DTypeError(f"{name}: {got}, expected numbers for op={op!r}; use {way}")
    seam.act(reduce_in_place, group, name, [array], op)
    count_change(tensor.version, name)


def broadcast(tensor: Tensor, src: int) -> None:
    """Replace a tensor, on every rank, by that of rank ``src``, in place.

    Args:
        tensor: Of the same shape and dtype on every rank.
        src: The rank whose values all ranks get.

    Raises:
        OptionError: There is no group, or no such rank.
        GraphError: A recorded operation made the tensor, or its memory is read-only.

    Example:
        >>> import tinygrad_rnn as tg
        >>> start = tg.rand(3)
        >>> if tg.distributed.is_initialized():
        ...     tg.distributed.broadcast(start, src=0)
    """
    group = current_group("broadcast")
    check_rank(group, "broadcast", src)
    array = _array_to_change("broadcast", tensor)
    seam.act(broadcast_in_place, group, "broadcast", [array], src)
    count_change(tensor.version, "broadcast")


def all_gather(tensor_list: list[Tensor], tensor: Tensor) -> None:
    """Copy the tensors of all ranks into those of a list, in the order of the ranks.

    Args:
        tensor_list: A tensor for each rank, of the shape and dtype of ``tensor``.
        tensor: What this rank contributes.

    Raises:
        OptionError: There is no group, or the list is not as long as the group.
        ShapeError: A tensor of the list has another shape or dtype.

    Example:
        >>> import tinygrad_rnn as tg
        >>> loss = tg.tensor([1.5])
        >>> if tg.distributed.is_initialized():
        ...     ranks = tg.distributed.get_world_size()
        ...     losses = [tg.zeros(1) for _ in range(ranks)]
        ...     tg.distributed.all_gather(losses, loss)
    """
    name = "all_gather"
    group = current_group(name)
    check_type(name, Value, "a Tensor", tensor=tensor)
    _check_list(group, name, tensor_list=tensor_list)
    for i, target in enumerate(tensor_list):
        array = _array_to_change(name, target)
        if (array.shape, array.dtype) != (tensor.array.shape, tensor.array.dtype):
            got = f"tensor_list[{i}] is {describe(target)}"
            raise ShapeError(f"{name}: {got}, expected {describe(tensor)}")
    seam.refuse(name, "call it outside")
    for src, target in enumerate(tensor_list):
        (received,) = broadcast_arrays(group, name, [tensor.array], src)
        backend_of(received).assign(target.array, ..., received)
        count_change(target.version, name)


def all_gather_object(object_list: list[Any], obj: object) -> None:
    """Put the objects of all ranks into a list, in the order of the ranks.

    Args:
        object_list: A list with a place for each rank.
        obj: What this rank contributes. MPI pickles it; only ranks of this job see it.

    Raises:
        OptionError: There is no group, or the list is not as long as the group.

    Example:
        >>> import tinygrad_rnn as tg
        >>> if tg.distributed.is_initialized():
        ...     names = [None] * tg.distributed.get_world_size()
        ...     tg.distributed.all_gather_object(names, "this rank's name")
    """
    group = current_group("all_gather_object")
    _check_list(group, "all_gather_object", object_list=object_list)
    object_list[:] = gather_objects(group, "all_gather_object", obj)


def broadcast_object_list(object_list: list[Any], src: int) -> None:
    """Replace the objects in a list, on every rank, by those of rank ``src``.

    Args:
        object_list: A list of the same length on every rank. MPI pickles its objects;
            only ranks of this job see them.
        src: The rank whose objects all ranks get.

    Raises:
        OptionError: There is no group, or no such rank.

    Example:
        >>> import tinygrad_rnn as tg
        >>> settings = [{"lr": 0.1}]
        >>> if tg.distributed.is_initialized():
        ...     tg.distributed.broadcast_object_list(settings, src=0)
    """
    name = "broadcast_object_list"
    group = current_group(name)
    check_rank(group, name, src)
    check_type(name, list, "a list", object_list=object_list)
    given = object_list if group.rank == src else None
    object_list[:] = gather_objects(group, name, given)[src]


def barrier() -> None:
    """Wait until every rank has called it.

    Raises:
        OptionError: There is no group.

    Example:
        >>> import tinygrad_rnn as tg
        >>> if tg.distributed.is_initialized():
        ...     tg.distributed.barrier()  # rank 0 has written the file that all read
    """
    group = current_group("barrier")
    seam.refuse("barrier", "call it outside")
    with group.waiting("barrier") as communicator:
        communicator.barrier()


# ---------------------------------------------------------------- arrays


def reduce_arrays(
    group: ProcessGroup, name: str, arrays: Sequence[Array], op: str
) -> list[Array]:
    """Return the reductions of arrays of one dtype and device over all ranks.

    They go as one vector, of which the results are parts.
    """

    def exchange(communicator: Communicator, vector: Array) -> None:
        communicator.all_reduce(vector, ReduceOp.SUM if op == ReduceOp.AVG else op)
        if op == ReduceOp.AVG:
            vector /= communicator.size

    return _exchange(group, name, arrays, exchange)


def broadcast_arrays(
    group: ProcessGroup, name: str, arrays: Sequence[Array], src: int
) -> list[Array]:
    """Return what rank ``src`` has of arrays of one dtype and device."""

    def exchange(communicator: Communicator, vector: Array) -> None:
        communicator.broadcast(vector, src)

    return _exchange(group, name, arrays, exchange)


def reduce_in_place(
    group: ProcessGroup, name: str, arrays: Sequence[Array], op: str
) -> None:
    """Replace arrays by what :func:`reduce_arrays` gives."""
    _write(arrays, reduce_arrays(group, name, arrays, op))


def broadcast_in_place(
    group: ProcessGroup, name: str, arrays: Sequence[Array], src: int
) -> None:
    """Replace arrays, of any dtypes and devices, by those of rank ``src``."""
    for places in group_by_kind(arrays):
        own = [arrays[i] for i in places]
        _write(own, broadcast_arrays(group, name, own, src))


def _exchange(
    group: ProcessGroup,
    name: str,
    arrays: Sequence[Array],
    exchange: Callable[[Communicator, Array], None],
) -> list[Array]:
    """Join arrays in a vector, let it be changed in place, and return its parts."""
    xp = backend_of(arrays[0])
    vector = xp.concat([xp.reshape(x, (-1,)) for x in arrays])
    with group.waiting(name) as communicator:
        if communicator.takes(vector):
            xp.on_device(exchange)(communicator, vector)
        else:  # through the host
            on_host = np.array(xp.to_host(vector))
            exchange(communicator, on_host)
            vector = xp.from_host(on_host)
    parts, start = [], 0
    for x in arrays:
        parts.append(xp.reshape(vector[start : start + x.size], x.shape))
        start += x.size
    return parts


def gather_objects(group: ProcessGroup, name: str, obj: object) -> list[Any]:
    """Return the objects of all ranks, for the function ``name``."""
    seam.refuse(name, "call it outside")
    with group.waiting(name) as communicator:
        return communicator.all_gather_object(obj)


def group_by_kind(arrays: Sequence[Array]) -> list[list[int]]:
    """Return the places of arrays of the same dtype and device, in order."""
    places: dict[tuple[str, str], list[int]] = {}
    for i, x in enumerate(arrays):
        places.setdefault((backend_of(x).name, str(x.dtype)), []).append(i)
    return list(places.values())


# ---------------------------------------------------------------- checks


def check_rank(group: ProcessGroup, name: str, src: int) -> None:
    """Raise if there is no such rank."""
    check_integers(name, 0, src=src)
    if src >= group.size:
        expected = f"a rank from 0 to {group.size - 1}"
        raise OptionError(f"{name}: src is {src}, expected {expected}")


def _check_list(group: ProcessGroup, name: str, **given: object) -> None:
    """Raise if an argument is not a list with a place for each rank."""
    check_type(name, list, "a list with a place for each rank", **given)
    for what, value in given.items():
        assert isinstance(value, list)  # checked above
        if len(value) != group.size:
            expected = f"one place for each rank: {group.size}"
            raise OptionError(f"{name}: {what} has {len(value)}, expected {expected}")


def _array_to_change(name: str, tensor: Tensor) -> Array:
    """Return the array of a tensor that may be changed in place."""
    check_type(name, Value, "a Tensor", tensor=tensor)
    check_view(tensor, name)
    seam.use(name, tensor)
    if tensor.node is not None:
        raise GraphError(
            f"{name}: a recorded operation made this tensor, and this call is not "
            "recorded; pass tensor.detach()"
        )
    check_writable(tensor.array, name)
    return tensor.array


def _write(arrays: Sequence[Array], values: Sequence[Array]) -> None:
    """Copy values into arrays."""
    for array, value in zip(arrays, values, strict=True):
        backend_of(value).assign(array, ..., value)
