"""The walk back through the graph: one loop over nodes, newest first.

A node's birth number is larger than those of its parents, so a heap of birth numbers
yields every node after all of its users: no recursion, no sorting beforehand, linear
time on a chain.
"""

from collections.abc import Iterable, Sequence
from heapq import heappop, heappush
from typing import Any, NamedTuple, Self

import numpy as np

from ..backend import backend_of, follow_devices
from ..backend.part import Part
from ..errors import GraphError, ShapeError, described
from ..types import Array, Gradient, Namespace, Operand, Shape
from .mode import recording, switch
from .node import (
    RETAIN,
    Hooks,
    Node,
    Value,
    Version,
    check_fits,
    last_change,
    reshaped,
    wrap,
)
from .observers import observers, report_gradient
from .table import table
from .warned import rerun_with_warnings, run_reporting_warnings, was_warning

DeviceFollower = Any  # what makes an array's device the current one, or None


class _FreedParents(list[Any]):
    """The parents of the nodes that one walk has freed: none."""

    failure = ""  # the error that ended that walk early


class LeafGradient(NamedTuple):
    """A gradient, whose it is, and whether no one else holds it."""

    leaf: Value
    g: Gradient
    owned: bool


class Gradients:
    """The gradients on their way in one walk, and the nodes that are still to come.

    The first gradient to arrive at a node or leaf is borrowed: others may hold it. The
    sum with a second one is owned, and later ones are added to it in place; but not
    while recording, where sums are part of the new graph. As a context it notes, with
    the nodes that are freed in it, what error ended it.
    """

    def __init__(self, create: bool, devices: DeviceFollower) -> None:
        self.create = create
        self.devices = devices
        self.nodes: list[tuple[int, Node]] = []  # a heap, by birth number, negated
        self.leaves: dict[int, Value] = {}
        self.totals: dict[int, Gradient] = {}  # by the id of the node or leaf
        self.owned: set[int] = set()  # the ids of those whose total is owned
        self.source: Node | None = None  # whose gradients are being added
        self.freed = _FreedParents()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: object, error: BaseException | None, traceback: object
    ) -> None:
        if error is not None:  # as text: the error itself holds what its frames do
            self.freed.failure = f"{type(error).__name__}: {error}"

    def add(self, target: Operand, g: Gradient, fresh: bool) -> None:
        """Add a gradient of a node or leaf; ``fresh`` if nobody else holds it."""
        if observers:
            report_gradient(self.source, g)
        if self.devices is not None:
            self.devices.enter_device_of(g)
        key = id(target)
        total = self.totals.get(key)
        like = target
        if type(target) is not Node:
            like = target.array
            self._check_not_reshaped(key)
        if type(g) is Part:
            if key in self.owned and g.values.dtype == like.dtype:
                return g.add_to(total)
            g, fresh = g.whole(), True
        g = _array(g)
        array = g.array if self.create else g
        if array.shape != like.shape or array.dtype != like.dtype:
            g, fresh = self._fit(g, like), False
        if total is None:
            self._start(target, g, fresh)
        elif key in self.owned and g.ndim:
            total += g
        else:
            self.totals[key] = _array(total + g)
            if not self.create:
                self.owned.add(key)

    def _start(self, target: Operand, g: Gradient, fresh: bool) -> None:
        """Keep the first gradient of a node or leaf."""
        key = id(target)
        if type(target) is Node:
            heappush(self.nodes, (-target.birth, target))
        else:
            self.leaves[key] = target
        self.totals[key] = g
        if fresh and not self.create:
            self.owned.add(key)

    def _check_not_reshaped(self, key: int) -> None:
        """Raise if a leaf got another shape or device after the source was made."""
        if not reshaped or self.source is None:
            return
        if reshaped.get(key, 0) > self.source.birth:
            raise GraphError(_RESHAPED)

    def add_to_output(self, node: Node, g: Gradient) -> None:
        """Hand the gradient of one of several outputs to the node that has them all."""
        (parent,) = node.parents
        if id(parent) not in self.totals:
            self._start(parent, [None] * node.plan.count, False)
        self.totals[id(parent)][node.plan.index] = g

    def pop(self) -> tuple[Node, Gradient, bool]:
        """The newest node, its gradient, and whether that is owned."""
        _, node = heappop(self.nodes)
        key = id(node)
        g, owned = self.totals.pop(key), key in self.owned
        self.owned.discard(key)
        self.source = node
        if self.devices is not None:
            self.devices.enter_device_of(g)
        return node, g, owned

    def of_leaves(self) -> list["LeafGradient"]:
        """What has arrived at the leaves."""
        return [
            LeafGradient(leaf, self.totals[key], key in self.owned)
            for key, leaf in self.leaves.items()
        ]

    def _fit(self, g: Gradient, like: Operand) -> Gradient:
        """A gradient in the shape and dtype of its node or leaf."""
        what = "the gradient"
        if self.source is not None:
            what = f"the gradient of {self.source.plan.name}"
        xp = table if self.create else backend_of(g)
        return run_reporting_warnings(what, _fitted, g, like, xp)


def _fitted(g: Gradient, like: Operand, xp: Namespace) -> Gradient:
    if g.shape != like.shape:
        g = _unbroadcast(g, like.shape, xp)
    array = g.array if isinstance(g, Value) else g
    return g if array.dtype == like.dtype else xp.astype(g, like.dtype)


def _unbroadcast(g: Gradient, shape: Shape, xp: Namespace) -> Gradient:
    """Sum a gradient over the dims along which its argument was broadcast.

    A shape that does not fit is an error of `reshape`, also where it has as many
    elements.
    """
    lead = g.ndim - len(shape)
    if lead < 0:  # what is assigned to x[i] may have more dims than x[i], of size 1
        g, lead = xp.reshape(g, (1,) * -lead + g.shape), 0
    sizes = zip((1,) * lead + shape, g.shape, strict=True)
    axes = [i for i, (size, had) in enumerate(sizes) if i < lead or size != had]
    if axes:
        g = xp.sum(g, axis=tuple(axes))
    return _array(xp.reshape(g, shape))


def _array(g: Gradient) -> Gradient:
    """A gradient as an array: NumPy makes scalars of 0-d results."""
    return np.asarray(g) if isinstance(g, np.generic) else g


def walk_back(
    pending: Gradients,
    outputs: Sequence[Value],
    cotangents: Sequence[Gradient],
    keep: bool,
    useful: set[int] | None = None,
    captured: dict[int, Gradient] | None = None,
    since: int = 0,
) -> None:
    """Go back from the outputs, until all gradients have arrived at the leaves.

    With ``useful`` only the parents in it are followed, and ``(gradient, owned)`` of
    the nodes that are keys of ``captured`` are kept there; nodes born before ``since``
    are where it ends.
    """
    for output, g in zip(outputs, cotangents, strict=True):
        pending.add(output.node or output, g, False)
    wanted = None
    while pending.nodes:
        node, g, owned = pending.pop()
        if node.hooks and node.birth >= since:
            g, owned = _run_hooks(node.hooks, g, pending.create), False
        if captured is not None and id(node) in captured:
            captured[id(node)] = g, owned
        if useful is not None:
            wanted = [id(parent) in useful for parent in node.parents]
            if node.birth < since or not any(wanted):
                continue
        _check_intact(node)
        if node.plan.count:
            pending.add_to_output(node, g)
        else:
            grads = _gradients_of(node, g, wanted, pending.create)
            _add_all(pending, node, grads, wanted)
        if not keep:
            node.saved, node.parents = None, pending.freed


def _check_intact(node: Node) -> None:
    """Raise if what a node saved was freed, or changed in place."""
    if node.saved is None:
        raise _freed_graph_error(node)
    for version, count in node.versions:
        if version.count != count:
            raise _changed_in_place_error(node.plan.name, version)


def _gradients_of(
    node: Node, g: Gradient, wanted: Sequence[bool] | None, create: bool
) -> Sequence[Gradient]:
    """What a node's pullbacks give; errors and warnings name the op."""
    plan = node.plan
    try:
        return plan.pull(node, g, wanted, create)
    except Exception as error:
        if not was_warning(error):
            error.add_note(f"It was raised for the gradient of {plan.name}.")
            raise
    pull = rerun_with_warnings(f"the gradient of {plan.name}", plan.pull)
    return pull(node, g, wanted, create)


def _add_all(
    pending: Gradients,
    node: Node,
    grads: Sequence[Gradient],
    wanted: Sequence[bool] | None,
) -> None:
    """Add what a node's pullbacks gave to the gradients of its parents."""
    plan, parents = node.plan, node.parents
    try:
        for i, g in enumerate(grads):
            if g is not None:
                pending.add(parents[i], g, plan.fresh)
            elif not plan.allows_none and _is_wanted(i, parents, wanted):
                raise ValueError  # a pullback without a return
    except (AttributeError, ValueError):  # a pullback of a custom op gave it
        argument = plan.arguments[i % len(plan.arguments)]
        kind = "a Tensor" if pending.create else "an array"
        raise ShapeError(
            f"{plan.name}: the gradient of argument {argument} is {described(g)}, "
            f"expected {kind} of shape {parents[i].shape}"
        ) from None


def _is_wanted(
    i: int, parents: Sequence[Operand], wanted: Sequence[bool] | None
) -> bool:
    return parents[i] is not None and (wanted is None or wanted[i])


def _changed_in_place_error(name: str, version: Version) -> GraphError:
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
    "Was it a parameter, by an optimizer's step()? Then call backward() before that, "
    "and detach a state that is carried over: tg.utils.detach(state). Else clone() it "
    "before changing it, or use the operation that makes a new tensor"
)
_BY_AN_INDEX = (
    "To fill a tensor step by step, as in h[t + 1] = cell(x[t], h[t]), append each "
    "step to a list and join them: tg.stack(steps). Else clone() it before changing it"
)
_BY_AN_OP = (
    "clone() it before changing it, or use the operation that makes a new tensor"
)
_RESHAPED = (
    "backward: a leaf was given another shape or device, by assigning its .data or by "
    ".to(), after the forward pass; run the forward pass again"
)
_FREED = (
    "backward: this graph was already walked and its saved values are freed. If a "
    "hidden state was carried over from an earlier step, detach it first: "
    "h = h.detach(), or tg.utils.detach(state) for an LSTM's pair. To walk the same "
    "graph again, call backward(retain_graph=True) the first time"
)


def _freed_graph_error(node: Node) -> GraphError:
    """The error of a graph that an earlier walk has freed."""
    failure = getattr(node.parents, "failure", "")
    if not failure:
        return GraphError(_FREED)
    return GraphError(
        f"backward: an earlier walk through this graph failed ({failure}), and what it "
        "had walked by then is freed. Run the forward pass again; to be able to repeat "
        "a backward(), call backward(retain_graph=True)"
    )


def _run_hooks(hooks: Hooks, g: Gradient, create: bool) -> Gradient:
    """Let hooks see, and replace, a gradient: they take and return Tensors.

    What they see is a copy, which they may change: others may hold the gradient.
    """
    tensor = _copy(g, create) if create else wrap(_copy(g, create))
    for _, hook in sorted(hooks.items()):
        replaced = hook(tensor)
        if replaced is None:
            continue
        if not isinstance(replaced, Value) or replaced.array.shape != g.shape:
            got = getattr(replaced, "shape", type(replaced).__name__)
            expected = f"None or a Tensor of shape {g.shape}"
            raise GraphError(f"backward: a hook returned {got}, expected {expected}")
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
            raise _freed_graph_error(node)
        seen[node.birth] = node
        stack.extend([parent for parent in node.parents if isinstance(parent, Node)])
    for _, node in sorted(seen.items()):
        if any(id(parent) in useful for parent in node.parents):
            useful.add(id(node))
    return useful


def gradients(
    outputs: Sequence[Value],
    cotangents: Sequence[Gradient],
    inputs: Sequence[Value],
    keep: bool,
    create: bool,
    since: int = 0,
) -> list[Gradient | None]:
    """The gradients of the inputs: arrays, or Tensors with ``create``.

    None stands for an input that the outputs do not depend on. With ``since``, nodes
    that were born before and leaves are ends, whose hooks do not run: the walk is part
    of another one.
    """
    useful = _useful(outputs, inputs, since)
    found: dict[int, Gradient] = {id(x.node): None for x in inputs if x.node}
    before = recording()
    try:  # no_grad() is Python: Ctrl-C in its __exit__ would leave the mode switched
        switch(bool(create))
        with follow_devices() as devices, Gradients(create, devices) as pending:
            walk_back(pending, outputs, cotangents, keep, useful, found, since)
            for leaf in pending.of_leaves():
                if id(leaf.leaf) in useful:
                    final = leaf if since else _after_hooks(leaf, create)
                    found[id(leaf.leaf)] = final.g, final.owned
            grads = []
            for key in [id(x.node or x) for x in inputs]:
                g, owned = found.get(key) or (None, True)
                grads.append(g if owned else _copy(g, create))
                found[key] = g, g is None  # the next one gets a copy
        return grads
    finally:
        switch(before)


def _after_hooks(leaf: LeafGradient, create: bool) -> LeafGradient:
    hooks = leaf.leaf.hooks
    if not hooks:
        return leaf
    return LeafGradient(leaf.leaf, _run_hooks(hooks, leaf.g, create), False)


def _copy(g: Gradient, create: bool) -> Gradient:
    """A gradient that shares its memory with no other: it may be changed in place."""
    return table.clone(g) if create else backend_of(g).array(g)


def backward(
    outputs: Sequence[Value],
    cotangents: Sequence[Gradient],
    keep: bool,
    create: bool,
    inputs: Sequence[Value] | None = None,
) -> None:
    """Add the gradients of the outputs to ``grad`` of every leaf, or of the inputs.

    Nothing is added if it fails.
    """
    before = recording()
    try:  # as in `gradients`
        switch(bool(create))
        with follow_devices() as devices:
            if inputs is None:
                finished = _gradients_of_leaves(
                    outputs, cotangents, keep, create, devices
                )
            else:
                _check_fit_grad([(x, x.array) for x in inputs], create)
                found = gradients(outputs, cotangents, inputs, keep, create)
                pairs = zip(inputs, found, strict=True)
                finished = [
                    LeafGradient(x, g, True)
                    for x, g in pairs
                    if g is not None and not _retains_grad(x)
                ]
            for leaf in finished:
                _store(leaf, create, devices)
    finally:
        switch(before)


def _gradients_of_leaves(
    outputs: Sequence[Value],
    cotangents: Sequence[Gradient],
    keep: bool,
    create: bool,
    devices: DeviceFollower,
) -> list[LeafGradient]:
    """The gradients of all leaves; all hooks, which may raise, have run."""
    with Gradients(create, devices) as pending:
        walk_back(pending, outputs, cotangents, keep)
        finished = [_after_hooks(leaf, create) for leaf in pending.of_leaves()]
        _check_fit_grad([(leaf.leaf, leaf.g) for leaf in finished], create)
    return finished


def _store(gradient: LeafGradient, create: bool, devices: DeviceFollower) -> None:
    """Add a gradient to ``grad`` of its tensor."""
    leaf, g, owned = gradient
    if leaf._grad is None:
        g = g if owned else _copy(g, create)
        leaf._grad = g if create else wrap(g)
    elif create:
        leaf._grad = leaf._grad + g
    else:
        if devices is not None:
            devices.enter_device_of(g)
        leaf._grad.array += g
        leaf._grad.version.count += 1


def _check_fit_grad(pairs: Iterable[tuple[Value, Array]], create: bool) -> None:
    """Raise if an array does not fit the ``grad`` that is there."""
    for leaf, array in pairs:
        if leaf._grad is not None and not create:
            check_fits(leaf._grad, wrap(array), "backward: grad")


def _retains_grad(x: Value) -> bool:
    """Whether a hook has kept the gradient of a tensor that is no leaf already."""
    return x.node is not None and RETAIN in (x.node.hooks or ())
