"""Less memory for more time: what backward needs is computed again when it runs.

Example:
    >>> import tinygrad_rnn as tg
    >>> x = tg.tensor(3.0, requires_grad=True)
    >>> tg.utils.checkpoint.checkpoint(lambda x: x * x, x).backward()
    >>> x.grad.item()
    6.0
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias

from ..backend import backend_of, backends
from ..engine import seam
from ..engine.custom import equal_with_nan
from ..engine.fused import pull_through, record_outputs
from ..engine.mode import enable_grad
from ..engine.node import Node, VersionSeen, next_number, wrap
from ..engine.plan import version_of
from ..errors import (
    DTypeError,
    GraphError,
    ShapeError,
    check_dim,
    check_integers,
    check_type,
    describe,
)
from ..random import default_generator
from ..tensor import Tensor
from ..types import Array, Function
from .structure import tensors_in

Result: TypeAlias = tuple[Array, VersionSeen]  # a result, and its version


class Recording(NamedTuple):
    """What a call of a function recorded."""

    result: Any
    outputs: list[Tensor]  # those Tensors in the result that were recorded
    ends: list[Node | Tensor]  # the older nodes, and the leaves, that they came from
    trace: tuple[object, ...]  # differs if another call did something else


class Call(NamedTuple):
    """What the node of a checkpointed call saves, to repeat it."""

    function: Callable[[], object]
    random_state: Tensor | None  # of the default generator, before the call
    trace: tuple[object, ...]
    results: list[Result]


def _record(function: Callable[[], object], since: int) -> Recording:
    """Call a function, and walk through what was recorded since a node number."""
    result = function()
    tensors = {id(x): x for x in tensors_in(result)}
    outputs = [x for x in tensors.values() if x.node and x.node.number >= since]
    ends: list[Node | Tensor] = []
    changes = 0  # in place, of what the nodes saved
    queue: list[Any] = [x.node for x in outputs]
    found = {id(None), *map(id, queue)}
    for item in queue:  # the queue grows
        if type(item) is not Node or item.number < since:
            ends.append(item)
            continue
        changes += sum(count for _, count in item.versions)
        new = {id(parent): parent for parent in item.parents if id(parent) not in found}
        found.update(new)
        queue += new.values()
    shapes = [x.shape for x in outputs]
    trace = [id(end) for end in ends], len(queue), changes, shapes
    return Recording(result, outputs, ends, trace)


def _equals(output: Tensor, first: Result) -> bool:
    """Return whether an output equals the one of the first call, NaNs included.

    An output that was changed in place since then is not compared.
    """
    new, (old, (version, count)) = output.array, first
    if version.count != count:
        return True
    return equal_with_nan(backend_of(new), new, old)


class _Recomputation:
    """The plan of a checkpointed call: repeat it, and go back through that."""

    name, arguments = "checkpoint", ("tensors",)
    gives_owned = allows_none = True
    count = 0

    def pull(
        self, node: Node, g: Array, wanted: Sequence[bool] | None, create: bool
    ) -> list[Any]:
        call: Call = node.saved
        now, since = default_generator.get_state(), next_number()
        state = now if call.random_state is None else call.random_state
        try:
            default_generator.set_state(state)
            with enable_grad():
                again = _record(call.function, since)
        finally:
            default_generator.set_state(now)
        is_same = again.trace == call.trace
        if not is_same or not all(map(_equals, again.outputs, call.results)):
            raise GraphError(
                "checkpoint: the function did something else when it was run again for "
                "its gradient: it may use the default generator, but nothing that "
                "changes in between"
            )
        wanted = wanted or [True] * len(node.parents)
        ends = [end for end, want in zip(node.parents, wanted, strict=True) if want]
        inputs = [wrap(None, end) if type(end) is Node else end for end in ends]
        grads = iter(pull_through(again.outputs, g, inputs, create, since))
        return [next(grads) if want else None for want in wanted]


def checkpoint(
    function: Function,
    *args: Any,
    preserve_rng_state: bool = True,
    use_reentrant: bool = False,
    **kwargs: Any,
) -> Any:
    """Call a function, and call it again in backward to save memory.

    Only the results are kept, as by torch.utils.checkpoint.checkpoint; the price is a
    second forward pass. Derivatives of any order, and calls inside calls, work.

    Args:
        function: It may use any tensors: its arguments, parameters of modules and what
            was recorded before.
        args: Its arguments.
        preserve_rng_state: Let the default generator draw the same numbers again, as
            for dropout.
        use_reentrant: Without effect; PyTorch has two implementations.
        kwargs: Its keyword arguments.

    Returns:
        What the function returned, Tensors or a nested structure of them and of other
        values.

    Raises:
        GraphError: In backward, if the function did something else the second time.
        DTypeError: It is not a function.

    Example:
        >>> import tinygrad_rnn as tg
        >>> from tinygrad_rnn.utils.checkpoint import checkpoint
        >>> layer, x = tg.nn.Linear(3, 1), tg.randn(5, 3)
        >>> checkpoint(lambda x: layer(x).tanh(), x).sum().backward()
        >>> layer.weight.grad.shape
        (1, 3)
    """
    expected = "a function, then its arguments"
    check_type("checkpoint", Callable, expected, function=function)
    seam.refuse("utils.checkpoint()", "call the function itself")

    def run() -> object:
        return function(*args, **kwargs)

    random_state = default_generator.get_state() if preserve_rng_state else None
    result, outputs, ends, trace = _record(run, next_number())
    if outputs:
        leaves = [end for end in ends if type(end) is not Node]
        versions = [version_of(x) for x in (*tensors_in((args, kwargs)), *leaves)]
        results = [(x.array, version_of(x)) for x in outputs]
        call = Call(run, random_state, trace, results)
        record_outputs(_Recomputation(), ends, call, versions, outputs)
    return result


def checkpoint_sequence(
    step: Callable[..., tuple[Any, Any]],
    *sequences: Array,
    state: Any = None,
    chunk: int | None = None,
    dim: int = 0,
) -> tuple[list[Any], Any]:
    """Run ``output, state = step(*chunks, state)`` over long sequences, chunk by chunk.

    Only the states between chunks are kept; each chunk is computed again for its
    gradient. With chunks of sqrt(T) steps, memory grows as sqrt(T). The gradients are
    those of the whole sequence.

    Args:
        step: Called like a recurrent layer, and may be one. It should end in a loss,
            since outputs for all steps are as long as the sequence.
        sequences: Tensors or arrays with T steps along ``dim``, from which the chunks
            are cut.
        state: The first state.
        chunk: The number of steps in a chunk; sqrt(T) if None.
        dim: The dim of time.

    Returns:
        The list of the chunks' outputs, and the last state.

    Raises:
        ShapeError: The sequences differ in length, or are empty.
        DTypeError: A sequence is not an array, or the step does not return a pair.

    Example:
        >>> import tinygrad_rnn as tg
        >>> from tinygrad_rnn.utils.checkpoint import checkpoint_sequence
        >>> rnn, head = tg.nn.GRU(5, 8), tg.nn.Linear(8, 5)
        >>> cross_entropy = tg.nn.functional.cross_entropy
        >>> def loss(x, y, state):
        ...     output, state = rnn(x, state)
        ...     logits = head(output).flatten(0, 1)
        ...     return cross_entropy(logits, y.flatten(), reduction="sum"), state
        >>> text = tg.randint(5, (101, 2))  # (T + 1, B)
        >>> losses, state = checkpoint_sequence(loss, text[:-1], text[1:])
        >>> sum(losses).backward()
        >>> len(losses), rnn.weight_hh_l0.grad.shape
        (10, (24, 8))
    """
    name = "checkpoint_sequence"
    steps, dims = _length(sequences, dim)
    if chunk is None:
        chunk = int((steps - 1) ** 0.5) + 1
    check_integers(name, chunk=chunk)
    outputs = []
    for start in range(0, steps, chunk):
        part = slice(start, start + chunk)
        chunks = [
            sequence[(slice(None),) * dim + (part,)]
            for sequence, dim in zip(sequences, dims, strict=True)
        ]
        found = checkpoint(step, *chunks, state)
        if not isinstance(found, tuple | list) or len(found) != 2:
            raise DTypeError(
                f"{name}: step gave {describe(found)}, expected (output, state)"
            )
        output, state = found
        outputs.append(output)
    return outputs, state


def _length(sequences: Sequence[Array], dim: int) -> tuple[int, list[int]]:
    """Return the number of steps, and for each sequence which of its dims is time."""
    name = "checkpoint_sequence"
    numbered = {f"sequence {i}": x for i, x in enumerate(sequences)}
    check_type(name, (Tensor, *backends), "a Tensor or an array", **numbered)
    dims = [check_dim(name, dim, x.shape) for x in sequences]
    pairs = zip(sequences, dims, strict=True)
    lengths = {x.shape[dim] if x.ndim else 0 for x, dim in pairs}
    if len(lengths) != 1 or 0 in lengths:
        shapes = ", ".join(str(tuple(x.shape)) for x in sequences) or "nothing"
        raise ShapeError(
            f"{name}: got sequences of {shapes}, expected the same number of steps in "
            f"all of them along dim {dim}, and at least one"
        )
    return lengths.pop(), dims
