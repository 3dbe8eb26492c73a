"""Memory for time: what a function keeps for its backward is dropped, and made again
for it.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from ..backend import backend_of, backends
from ..engine.fused import record_outputs, through
from ..engine.mode import enable_grad
from ..engine.node import Node, births, wrap
from ..engine.op import version_of
from ..errors import (
    DTypeError,
    GraphError,
    ShapeError,
    check_dim,
    check_integers,
    check_type,
    described,
)
from ..random import default_generator
from ..tensor import Tensor


def _tensors(value: Any) -> Iterator[Tensor]:
    """The Tensors in a nested structure, in order."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, tuple | list | dict):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _tensors(part)


def _run(
    function: Callable[[], Any], since: int
) -> tuple[Any, list[Any], list[Any], Any]:
    """What a function returns, the Tensors in it that were recorded since, and what
    these came from.

    That is leaves, and nodes from before. The last value differs if the function does
    otherwise.
    """
    result = function()
    recorded = {id(x): x for x in _tensors(result) if x.node and x.node.birth >= since}
    outputs, ends, changes = list(recorded.values()), [], 0
    queue: list[Any] = [x.node for x in outputs]
    found = {id(None), *map(id, queue)}
    for item in queue:  # which grows
        if type(item) is not Node or item.birth < since:
            ends.append(item)
            continue
        changes += sum(
            count for _, count in item.versions
        )  # in place, of what it saved
        new = {id(parent): parent for parent in item.parents if id(parent) not in found}
        found.update(new)
        queue += new.values()
    done = [*map(id, ends)], len(queue), changes, [x.shape for x in outputs]
    return result, outputs, ends, done


def _same(output: Tensor, kept: Any) -> bool:
    """Whether its numbers are those that were kept, if nobody has changed these in
    place since.
    """
    one, (two, (cell, count)) = output.array, kept
    xp, alike = backend_of(one), one == two
    return cell[0] != count or bool(
        xp.all(alike) or xp.all(alike | ((one != one) & (two != two)))
    )


class _Again:
    """The plan of a checkpointed call: to run it again, and to go back through that."""

    name, arguments, owned, blanks, count = "checkpoint", ("tensors",), True, True, 0

    def pull(
        self, node: Node, g: Any, wanted: Sequence[bool] | None, create: bool
    ) -> list[Any]:
        function, state, before, kept = node.saved
        now, since = default_generator.get_state(), births()
        try:
            default_generator.set_state(now if state is None else state)
            with enable_grad():
                _, outputs, _, done = _run(function, since)
        finally:
            default_generator.set_state(now)
        if done != before or not all(map(_same, outputs, kept)):
            wrong = (
                "the function did something else when it was run again for its gradient"
            )
            way_out = (
                "it may use the default generator, but nothing that changes in between"
            )
            raise GraphError(f"checkpoint: {wrong}: {way_out}")
        wanted = wanted or [True] * len(node.parents)
        ends = [x for x, want in zip(node.parents, wanted, strict=True) if want]
        inputs = [wrap(None, x) if type(x) is Node else x for x in ends]
        grads = iter(through(outputs, g, inputs, create, since))
        return [next(grads) if want else None for want in wanted]


def checkpoint(
    function: Callable[..., Any],
    *args: Any,
    preserve_rng_state: bool = True,
    use_reentrant: bool = False,
    **kwargs: Any,
) -> Any:
    """``function(*args, **kwargs)``, as torch.utils.checkpoint.checkpoint: kept are its
    results alone.

    What it needs for its backward is dropped and computed again on the way back, at the
    cost of another forward pass. The function may use any tensors, parameters of
    modules and what was recorded before; it returns Tensors, or a nested structure of
    them and of other things. Random numbers of the default generator are drawn the same
    again, as in dropout, unless ``preserve_rng_state`` is False. ``use_reentrant`` is
    PyTorch's: here there is one way. Works for derivatives of any order, and inside
    itself.

    Raises GraphError, in backward, if it did something else when it was run again.

    >>> import tinygrad_rnn as tg
    >>> layer, x = tg.nn.Linear(3, 1), tg.randn(5, 3)
    >>> checkpoint(lambda x: layer(x).tanh(), x).sum().backward()
    >>> layer.weight.grad.shape
    (1, 3)
    """
    check_type(
        "checkpoint", Callable, "a function, then its arguments", function=function
    )
    run: Callable[[], Any] = lambda: function(*args, **kwargs)
    state = default_generator.get_state() if preserve_rng_state else None
    result, outputs, ends, done = _run(run, births())
    if outputs:
        held = [*_tensors((args, kwargs)), *(x for x in ends if type(x) is not Node)]
        versions = [version_of(x) for x in held]
        kept = [(x.array, version_of(x)) for x in outputs]
        record_outputs(_Again(), ends, (run, state, done, kept), versions, outputs)
    return result


def checkpoint_sequence(
    step: Callable[..., tuple[Any, Any]],
    *sequences: Any,
    state: Any = None,
    chunk: int | None = None,
    dim: int = 0,
) -> tuple[list[Any], Any]:
    """Run ``output, state = step(*chunks, state)`` over long sequences, chunk by chunk.

    Only the states between chunks are kept, and each chunk is run again for its
    gradient: with chunks of sqrt(T) steps, as they are if ``chunk`` is None, memory
    grows as sqrt(T). A step is called as a recurrent layer is, so a layer may be one;
    the sequences, Tensors or arrays, are sliced along ``dim``, T long in all of them.
    The gradients are those of the whole sequence.

    Returns the outputs of the chunks in a list, and the last state. Let the step end in
    a loss: outputs for all steps are as long as the sequence.

    >>> import tinygrad_rnn as tg
    >>> rnn, head = tg.nn.GRU(5, 8), tg.nn.Linear(8, 5)
    >>> def loss(x, y, state):
    ...     output, state = rnn(x, state)
    ...     logits = head(output).flatten(0, 1)
    ...     return tg.nn.functional.cross_entropy(logits, y.flatten(), reduction="sum"), state
    >>> text = tg.randint(5, (101, 2))  # (T + 1, B)
    >>> losses, state = checkpoint_sequence(loss, text[:-1], text[1:])
    >>> sum(losses).backward()
    >>> len(losses), rnn.weight_hh_l0.grad.shape
    (10, (24, 8))
    """
    name = "checkpoint_sequence"
    numbered = {f"sequence {i}": x for i, x in enumerate(sequences)}
    check_type(name, (Tensor, *backends), "a Tensor or an array", **numbered)
    places = [check_dim(name, dim, x.shape) for x in sequences]
    lengths = {
        x.shape[i] if x.ndim else 0 for x, i in zip(sequences, places, strict=True)
    }
    if len(lengths) != 1 or 0 in lengths:
        shapes = ", ".join(str(tuple(x.shape)) for x in sequences) or "nothing"
        wanted = (
            f"the same number of steps in all of them along dim {dim}, and at least one"
        )
        raise ShapeError(f"{name}: got sequences of {shapes}, expected {wanted}")
    (steps,) = lengths
    chunk = int((steps - 1) ** 0.5) + 1 if chunk is None else chunk
    check_integers(name, chunk=chunk)
    outputs = []
    for start in range(0, steps, chunk):
        parts = [(slice(None),) * i + (slice(start, start + chunk),) for i in places]
        given = [x[part] for x, part in zip(sequences, parts, strict=True)]
        found = checkpoint(step, *given, state)
        if not isinstance(found, tuple | list) or len(found) != 2:
            raise DTypeError(
                f"{name}: step gave {described(found)}, expected (output, state)"
            )
        output, state = found
        outputs.append(output)
    return outputs, state
