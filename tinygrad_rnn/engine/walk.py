"""The walk back through the graph: one loop over nodes, newest first.

A node's birth number is larger than those of its parents, so a heap of birth numbers
yields every node after all of its users: no recursion, no sorting beforehand, linear
time on a chain.
"""

from collections.abc import Iterable, Sequence
from heapq import heappop, heappush
from math import inf
from typing import Any, Self

import numpy as np

from ..backend import backend_of, follow_devices
from ..backend.part import Part
from ..errors import GraphError, ShapeError, described
from .mode import recording, switch
from .node import RETAIN, Node, Value, check_fits, last_change, reshaped, wrap
from .table import table
from .warned import telling, was_warning

_Scalar = np.generic


class _Freed(list[Any]):
    """The parents of the nodes that one walk has freed: none."""

    failure = ""  # what ended that walk before its time


class Gradients:
    """Gradients on their way: summed for each node or leaf that they arrive at.

    The first to arrive is borrowed, the sum with a second one is owned, later ones are
    added to that sum in place (not so while recording: those sums are part of the new
    graph). As a context it notes with the nodes that are freed in it what error ended
    it.
    """

    def __init__(self, create: bool, devices: Any) -> None:
        self.create = create
        self.devices = devices  # None, or what makes an array's device the current one
        self.heap: list[int] = []
        self.birth: Any = inf  # of the node whose gradients are being added
        self.nodes: dict[int, list[Any]] = {}  # birth -> [node, gradient, owned]
        self.leaves: dict[int, list[Any]] = {}  # id -> [leaf, gradient, owned]
        self.freed = _Freed()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: Any, error: BaseException | None, traceback: Any) -> None:
        if error is not None:  # as text: it holds what its frames do
            self.freed.failure = f"{type(error).__name__}: {error}"

    def add(self, target: Any, g: Any, owned: bool) -> None:
        """Add a gradient of ``target``, made to have its shape and dtype."""
        if self.devices is not None:
            self.devices.enter_device_of(g)
        if type(target) is Node:
            store, key, like = self.nodes, target.birth, target
        else:
            store, key, like = self.leaves, id(target), target.array
            if reshaped and reshaped.get(key, 0) > self.birth:
                raise GraphError(_RESHAPED)
        entry = store.get(key)
        if type(g) is Part:
            if entry is not None and entry[2] and g.values.dtype == like.dtype:
                return g.add_to(entry[1])
            g, owned = g.whole(), True
        if isinstance(g, _Scalar):
            g = np.asarray(g)
        if g.shape != like.shape:
            g = _unbroadcast(g, like.shape, table if self.create else backend_of(g))
            owned = False
        if (g.array if self.create else g).dtype != like.dtype:
            g = (table if self.create else backend_of(g)).astype(g, like.dtype)
        if entry is None:
            store[key] = [target, g, owned and not self.create]
            if store is self.nodes:
                heappush(self.heap, -key)
        elif entry[2] and g.ndim:
            entry[1] += g
        else:
            entry[1] = _array(entry[1] + g)
            entry[2] = not self.create

    def select(self, node: Node, g: Any) -> None:
        """Hand the cotangent of one output to the fused node that has several."""
        (parent,) = node.parents
        if parent.birth not in self.nodes:
            self.nodes[parent.birth] = [parent, [None] * node.plan.count, False]
            heappush(self.heap, -parent.birth)
        self.nodes[parent.birth][1][node.plan.index] = g

    def pop(self) -> list[Any]:
        self.birth = -heappop(self.heap)
        entry = self.nodes.pop(self.birth)
        if self.devices is not None:
            self.devices.enter_device_of(entry[1])
        return entry


gathering: type[Gradients] = Gradients  # anomaly.py puts one that checks in its place


def _array(g: Any) -> Any:
    """A gradient as an array: NumPy makes scalars of 0-d results."""
    return np.asarray(g) if isinstance(g, _Scalar) else g


def _unbroadcast(g: Any, shape: tuple[int, ...], xp: Any) -> Any:
    """Sum a cotangent over the dims along which its argument was broadcast.

    A shape that does not fit is an error of `reshape`, also where it has as many
    elements.
    """
    lead = g.ndim - len(shape)
    if lead < 0:  # what is assigned to x[i] may have more dims than x[i], of size 1
        g, lead = xp.reshape(g, (1,) * -lead + g.shape), 0
    sizes = zip((1,) * lead + shape, g.shape, strict=True)
    axes = tuple([i for i, (size, had) in enumerate(sizes) if i < lead or size != had])
    return _array(xp.reshape(xp.sum(g, axis=axes) if axes else g, shape))


def walk_back(
    pending: Gradients,
    outputs: Sequence[Any],
    cotangents: Sequence[Any],
    useful: set[int] | None,
    captured: dict[int, Any],
    keep: bool,
    since: int = 0,
) -> dict[int, list[Any]]:
    """Go back from the outputs; return ``id -> [leaf, gradient, owned]`` for the
    leaves.

    With ``useful`` only the parents in it are followed, and the gradients of the nodes
    that are keys of ``captured`` are kept there; nodes born before ``since`` are where
    it ends.
    """
    create, freed = pending.create, pending.freed
    for output, g in zip(outputs, cotangents, strict=True):
        pending.add(output.node or output, g, False)
    wanted = None
    while pending.heap:
        node, g, owned = pending.pop()
        if node.hooks and node.birth >= since:
            g, owned = _run_hooks(node.hooks, g, create), False
        if useful is not None:
            if id(node) in captured:
                captured[id(node)] = (g, owned)
            wanted = [id(parent) in useful for parent in node.parents]
            if node.birth < since or not any(wanted):
                continue
        if node.saved is None:
            raise _walked_before(node)
        plan, parents = node.plan, node.parents
        for cell, count in node.versions:
            if cell[0] != count:
                raise _changed(plan.name, cell)
        if plan.count:
            pending.select(node, g)
        else:
            try:
                grads = plan.pull(node, g, wanted, create)
            except Exception as error:
                grads = None
                if not was_warning(error):
                    error.add_note(f"It was raised for the gradient of {plan.name}.")
                    raise
            if grads is None:
                pull = telling(f"the gradient of {plan.name}", plan.pull)
                grads = pull(node, g, wanted, create)
            try:
                for i, grad in enumerate(grads):
                    if grad is not None:
                        try:
                            pending.add(parents[i], grad, plan.fresh)
                        except TypeError as error:  # before it has added anything
                            if not was_warning(error):
                                raise
                            add = telling(f"the gradient of {plan.name}", pending.add)
                            add(parents[i], grad, plan.fresh)
                    elif (
                        not plan.allows_none
                        and parents[i] is not None
                        and (not wanted or wanted[i])
                    ):
                        raise ValueError  # a pullback without a return
            except (AttributeError, ValueError):  # from a pullback of a user's own
                what = f"the gradient of argument {plan.arguments[i % len(plan.arguments)]}"
                kind = "a Tensor" if create else "an array"
                wrong = f"{what} is {described(grad)}, expected {kind} of shape {parents[i].shape}"
                raise ShapeError(f"{plan.name}: {wrong}") from None
        if not keep:
            node.saved = None
            node.parents = freed
    return pending.leaves


def _changed(name: str, version: list[Any]) -> GraphError:
    """The error of an op that needs a value which was changed in place."""
    what = f"backward: a tensor that {name} needs for its gradient was changed in place"
    change = last_change(version)
    if change is None:
        return GraphError(
            f"{what}, or its .data assigned, after the forward pass. {_BY_A_STEP}"
        )
    if change == "assignment":
        return GraphError(
            f"{what} after the forward pass, by x[...] = value. {_BY_AN_INDEX}"
        )
    return GraphError(f"{what} after the forward pass, by {change}. {_BY_AN_OP}")


_BY_A_STEP = (
    "Was it a parameter, by an optimizer's step()? Then call backward() before that, and detach a "
    "state that is carried over: tg.utils.detach(state). Else clone() it before changing it, or use "
    "the operation that makes a new tensor"
)
_BY_AN_INDEX = (
    "To fill a tensor step by step, as in h[t + 1] = cell(x[t], h[t]), append each step to a list "
    "and join them: tg.stack(steps). Else clone() it before changing it"
)
_BY_AN_OP = (
    "clone() it before changing it, or use the operation that makes a new tensor"
)
_RESHAPED = (
    "backward: a leaf was given another shape or device, by assigning its .data or by .to(), after "
    "the forward pass; run the forward pass again"
)
_FREED = (
    "backward: this graph was already walked and its saved values are freed. If a hidden state was "
    "carried over from an earlier step, detach it first: h = h.detach(), or tg.utils.detach(state) "
    "for an LSTM's pair. To walk the same graph again, call backward(retain_graph=True) the first "
    "time"
)


def _walked_before(node: Node) -> GraphError:
    """The error of a graph that was freed, be it by a walk that ended well or by one
    that failed.
    """
    failure = getattr(node.parents, "failure", "")
    if not failure:
        return GraphError(_FREED)
    return GraphError(
        f"backward: an earlier walk through this graph failed ({failure}), and what it had walked "
        "by then is freed. Run the forward pass again; to be able to repeat a backward(), call "
        "backward(retain_graph=True)"
    )


def _run_hooks(hooks: Any, g: Any, create: bool) -> Any:
    """Let hooks see, and replace, a gradient: they take and return Tensors.

    What they see is a copy, as the gradient may also be on its way to others: they may
    change it.
    """
    tensor = _copy(g, create) if create else wrap(_copy(g, create))
    for _, hook in sorted(hooks.items()):
        replaced = hook(tensor)
        if replaced is not None:
            if not isinstance(replaced, Value) or replaced.array.shape != g.shape:
                got = getattr(replaced, "shape", type(replaced).__name__)
                raise GraphError(
                    f"backward: a hook returned {got}, expected None or a Tensor of shape {g.shape}"
                )
            same = replaced.array.dtype == tensor.array.dtype
            tensor = replaced if same else table.astype(replaced, g.dtype)
    return tensor if create else tensor.array


def _useful(outputs: Sequence[Any], inputs: Sequence[Any], since: int) -> set[int]:
    """The ids of the nodes and leaves on a way from the outputs back to the inputs."""
    useful = {id(x.node or x) for x in inputs}
    oldest = max(since, min(x.node.birth if x.node else -1 for x in inputs))
    stack = [x.node for x in outputs if x.node is not None]
    seen: dict[int, Node] = {}
    while stack:
        node = stack.pop()
        if node.birth in seen or node.birth < oldest:
            continue
        if node.saved is None and id(node) not in useful:
            raise _walked_before(node)
        seen[node.birth] = node
        stack.extend([parent for parent in node.parents if isinstance(parent, Node)])
    for _, node in sorted(seen.items()):
        if any(id(parent) in useful for parent in node.parents):
            useful.add(id(node))
    return useful


def gradients(
    outputs: Sequence[Any],
    cotangents: Sequence[Any],
    inputs: Sequence[Any],
    keep: bool,
    create: bool,
    since: int = 0,
) -> list[Any]:
    """The gradients of the inputs, arrays or (with ``create``) Tensors; None where
    there is no way.

    With ``since``, nodes that were born before and leaves are ends, whose hooks do not
    run: the walk is part of another one.
    """
    useful = _useful(outputs, inputs, since)
    found: dict[int, Any] = {id(x.node): None for x in inputs if x.node is not None}
    before = recording()
    try:  # no_grad() is Python: Ctrl-C in its __exit__ would leave the mode switched
        switch(bool(create))
        with follow_devices() as devices, gathering(create, devices) as pending:
            leaves = walk_back(pending, outputs, cotangents, useful, found, keep, since)
            for key, entry in leaves.items():
                if key in useful:
                    found[key] = entry[1:] if since else _finish_leaf(entry, create)
            grads = []
            for key in [id(x.node or x) for x in inputs]:
                g, owned = found.get(key) or (None, True)
                grads.append(g if owned else _copy(g, create))
                found[key] = (g, g is None)  # the next one gets a copy
        return grads
    finally:
        switch(before)


def _finish_leaf(entry: list[Any], create: bool) -> tuple[Any, bool]:
    leaf, g, owned = entry
    return (_run_hooks(leaf.hooks, g, create), False) if leaf.hooks else (g, owned)


def _copy(g: Any, create: bool) -> Any:
    """A gradient that shares its memory with no other: it may be clipped or scaled in
    place.
    """
    return table.clone(g) if create else backend_of(g).array(g)


def backward(
    outputs: Sequence[Any],
    cotangents: Sequence[Any],
    keep: bool,
    create: bool,
    inputs: Sequence[Any] | None = None,
) -> None:
    """Add the gradients of the outputs to ``grad`` of every leaf; nothing is added if
    it fails.

    With ``inputs`` to theirs alone, be they leaves or not.
    """
    before = recording()
    try:  # as in `gradients`
        switch(bool(create))
        with follow_devices() as devices:
            if inputs is None:
                with gathering(create, devices) as pending:
                    leaves = walk_back(pending, outputs, cotangents, None, {}, keep)
                    # All hooks run before the first gradient is stored: they may raise.
                    finished = [
                        (entry[0], *_finish_leaf(entry, create))
                        for entry in leaves.values()
                    ]
                    _check_held([(leaf, g) for leaf, g, _ in finished], create)
            else:
                _check_held([(x, x.array) for x in inputs], create)
                found = gradients(outputs, cotangents, inputs, keep, create)
                pairs = zip(inputs, found, strict=True)
                finished = [
                    (x, g, True) for x, g in pairs if g is not None and not _retains(x)
                ]
            _store(finished, create, devices)
    finally:
        switch(before)


def _store(
    finished: Iterable[tuple[Any, Any, bool]], create: bool, devices: Any
) -> None:
    """Add gradients, of which each is owned or not, to ``grad`` of their tensors."""
    for leaf, g, owned in finished:
        if leaf._grad is None:
            g = g if owned else _copy(g, create)
            leaf._grad = g if create else wrap(g)
        elif create:
            leaf._grad = leaf._grad + g
        else:
            if devices is not None:
                devices.enter_device_of(g)
            leaf._grad.array += g
            leaf._grad.version[0] += 1


def _check_held(pairs: Iterable[tuple[Any, Any]], create: bool) -> None:
    """Raise if an array does not fit the gradient that is there, which the user may
    have changed.
    """
    for leaf, array in pairs:
        if leaf._grad is not None and not create:
            check_fits(leaf._grad, wrap(array), "backward: grad")


def _retains(x: Value) -> bool:
    """Whether a hook has kept the gradient of a tensor that is no leaf already."""
    return x.node is not None and RETAIN in (x.node.hooks or ())
