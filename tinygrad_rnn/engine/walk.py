"""The walk back through the graph: one loop over nodes, newest first.

A node's number is larger than those of its parents, so a heap of numbers yields every
node after all of its users: no recursion, no sorting beforehand, linear time on a
chain.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from heapq import heappop, heappush
from operator import add, call, iadd
from typing import Any, Self

import numpy as np

from ..backend import backend_of, follow_devices
from ..backend.standard import Part
from ..errors import GraphError, ShapeError, describe
from ..types import Array, DType, Gradient, Namespace, Operand, Shape
from . import seam
from .mode import recording, set_recording
from .node import (
    RETAIN,
    Hooks,
    Node,
    Value,
    Version,
    check_fits,
    last_change,
    reshaped,
    table,
    wrap,
)
from .seam import observers, report_gradient
from .warned import rerun_with_warnings, run_reporting_warnings, was_warning

# Called with the leaves whose ``grad`` was added to, at the end of each backward();
# what is computed there has to pass the seam.
after_backward: list[Callable[[Collection[Value]], object]] = []
DeviceFollower = Any  # what makes an array's device the current one, or None


class _FreedParents(list[Any]):
    """The parents of the nodes that one walk has freed: none."""

    failure = ""  # the error that ended that walk early


# For each leaf its gradient, and whether no one else holds that.
LeafGradients = dict[Value, tuple[Gradient, bool]]


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
        self.nodes: list[tuple[int, Node]] = []  # a heap, by number, negated
        # The total of each node or leaf, and whether it is owned.
        self.totals: dict[Operand, tuple[Gradient, bool]] = {}
        self.source: Node | None = None  # whose gradients are being added
        self.freed = _FreedParents()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: object, error: BaseException | None, traceback: object
    ) -> None:
        if error is not None:  # as text: the error itself holds what its frames do
            self.freed.failure = f"{type(error).__name__}: {error}"

    def add(self, target: Operand, g: Gradient, owned: bool) -> None:
        """Add a gradient of a node or leaf; ``owned`` if nobody else holds it."""
        if observers:
            report_gradient(self.source, g)
        if self.devices is not None:
            self.devices.enter_device_of(g)
        like = target if type(target) is Node else self._array_of_leaf(target)
        total, can_add = self.totals.get(target, (None, False))
        if type(g) is Part:
            if can_add and g.values.dtype == like.dtype:
                return seam.act(Part.add_to, g, total)
            g, owned = seam.run(Part.whole, g), True
        array = g.array if self.create else g
        if array.shape != like.shape or array.dtype != like.dtype:
            g, owned = self._fit(_as_array(g), like), False
        elif not array.shape:
            g = _as_array(g)
        if total is None:
            self.totals[target] = g, owned and not self.create
            if like is target:
                heappush(self.nodes, (-target.number, target))
        elif can_add:
            seam.add_into(total, g)
        else:
            run = call if self.create else seam.run
            self.totals[target] = _as_array(run(add, total, g)), not self.create

    def _array_of_leaf(self, leaf: Value) -> Array:
        """Return its array; raise if its shape or device changed after the source."""
        changed = reshaped.get(id(leaf), 0) if reshaped else 0
        if changed and self.source is not None and changed > self.source.number:
            raise GraphError(_RESHAPED)
        return leaf.array

    def add_to_output(self, node: Node, g: Gradient) -> None:
        """Hand the gradient of one of several outputs to the node that has them all."""
        (parent,) = node.parents
        if parent not in self.totals:
            self.totals[parent] = [None] * node.plan.count, False
            heappush(self.nodes, (-parent.number, parent))
        grads, _ = self.totals[parent]
        grads[node.plan.index] = g

    def pop(self) -> tuple[Node, Gradient, bool]:
        """Return the newest node, its gradient, and whether that is owned."""
        _, node = heappop(self.nodes)
        g, owned = self.totals.pop(node)
        self.source = node
        if self.devices is not None:
            self.devices.enter_device_of(g)
        return node, g, owned

    def of_leaves(self) -> LeafGradients:
        """Run the leaves' hooks, once no node is left; return what has arrived."""
        found = {}
        for leaf, (g, owned) in self.totals.items():
            if leaf.hooks:
                g, owned = _run_hooks(leaf.hooks, g, self.create), False
            found[leaf] = g, owned
        return found

    def _fit(self, g: Gradient, like: Operand) -> Gradient:
        """Return a gradient in the shape and dtype of its node or leaf."""
        what = "the gradient"
        if self.source is not None:
            what = f"the gradient of {self.source.plan.name}"
        if self.create:
            return run_reporting_warnings(
                what, _fit_array, g, like.shape, like.dtype, table
            )
        given = (what, _fit_array, g, like.shape, like.dtype, backend_of(g))
        return seam.run(run_reporting_warnings, *given)


def _fit_array(g: Gradient, shape: Shape, dtype: DType, xp: Namespace) -> Gradient:
    if g.shape != shape:
        g = _unbroadcast(g, shape, xp)
    array = g.array if isinstance(g, Value) else g
    return g if array.dtype == dtype else xp.astype(g, dtype)


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
    return _as_array(xp.reshape(g, shape))


def _as_array(g: Gradient) -> Gradient:
    """Return a gradient as an array: NumPy makes scalars of 0-d results."""
    return seam.run(np.asarray, g) if isinstance(g, np.generic) else g


def walk_back(
    pending: Gradients,
    outputs: Sequence[Value],
    cotangents: Sequence[Gradient],
    keep: bool,
    useful: set[Operand] | None = None,
    captured: dict[Operand, Gradient] | None = None,
    since: int = 0,
) -> None:
    """Go back from the outputs, until all gradients have arrived at the leaves.

    With ``useful`` only the parents in it are followed, and ``(gradient, owned)`` of
    the nodes that are keys of ``captured`` are kept there. It ends at nodes with
    numbers below ``since``.
    """
    for output, g in zip(outputs, cotangents, strict=True):
        target = output.node or output
        if useful is None or target in useful:
            pending.add(target, g, False)
    wanted = None
    while pending.nodes:
        node, g, owned = pending.pop()
        if node.hooks and node.number >= since:
            g, owned = _run_hooks(node.hooks, g, pending.create), False
        if captured is not None and node in captured:
            captured[node] = g, owned
        if useful is not None:
            wanted = [parent in useful for parent in node.parents]
            if node.number < since or not any(wanted):
                continue
        _pass_on(pending, node, g, wanted)
        if not keep:
            node.saved, node.parents = None, pending.freed


def _pass_on(
    pending: Gradients, node: Node, g: Gradient, wanted: Sequence[bool] | None
) -> None:
    """Run a node's pullbacks, and add their gradients to those of its parents."""
    _check_intact(node)
    plan, parents = node.plan, node.parents
    if plan.count:
        return pending.add_to_output(node, g)
    try:
        grads = plan.pull(node, g, wanted, pending.create)
    except Exception as error:
        if not was_warning(error):
            error.add_note(f"It was raised for the gradient of {plan.name}.")
            raise
        pull = rerun_with_warnings(f"the gradient of {plan.name}", plan.pull)
        grads = pull(node, g, wanted, pending.create)
    for i, grad in enumerate(grads):
        if grad is not None:
            try:
                pending.add(parents[i], grad, plan.gives_owned)
            except (AttributeError, ValueError):
                raise _wrong_gradient_error(pending, node, i, grad) from None
        elif not plan.allows_none and (wanted is None or wanted[i]):
            raise _wrong_gradient_error(pending, node, i, grad)


def _check_intact(node: Node) -> None:
    """Raise if what a node saved was freed, or changed in place."""
    if node.saved is None:
        raise _freed_graph_error(node)
    for version, count in node.versions:
        if version.count != count:
            raise _changed_in_place_error(node.plan.name, version)


def _wrong_gradient_error(
    pending: Gradients, node: Node, i: int, g: object
) -> ShapeError:
    """Return the error of a custom op's pullback whose gradient does not fit."""
    plan = node.plan
    kind = "a Tensor" if pending.create else "an array"
    return ShapeError(
        f"{plan.name}: the gradient of argument {plan.arguments[i]} is {describe(g)}, "
        f"expected {kind} of shape {node.parents[i].shape}"
    )


def _changed_in_place_error(name: str, version: Version) -> GraphError:
    """Return the error of an op that needs a value which was changed in place."""
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
_PLAINLY = "call the function plainly"
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
    """Return the error of a graph that an earlier walk has freed."""
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
    seam.refuse("a hook of a gradient", f"remove it, or {_PLAINLY}")
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


def _find_useful(
    outputs: Sequence[Value], inputs: Sequence[Value], since: int
) -> set[Operand]:
    """Return the nodes and leaves on a way from the outputs back to the inputs."""
    useful: set[Operand] = {x.node or x for x in inputs}
    oldest = max(since, min(x.node.number if x.node else -1 for x in inputs))
    stack = [x.node for x in outputs if x.node is not None]
    seen: dict[int, Node] = {}
    while stack:
        node = stack.pop()
        if node.number in seen or node.number < oldest:
            continue
        if node.saved is None and node not in useful:
            raise _freed_graph_error(node)
        seen[node.number] = node
        stack += [parent for parent in node.parents if type(parent) is Node]
    for number in sorted(seen):
        node = seen[number]
        if not useful.isdisjoint(node.parents):
            useful.add(node)
    return useful


def gradients(
    outputs: Sequence[Value],
    cotangents: Sequence[Gradient],
    inputs: Sequence[Value],
    keep: bool,
    create: bool,
    since: int = 0,
) -> list[Gradient | None]:
    """Return the gradients of the inputs: arrays, or Tensors with ``create``.

    None stands for an input that the outputs do not depend on. With ``since``, nodes
    with lower numbers and leaves are ends, whose hooks do not run: the walk is part of
    another one.
    """
    useful = _find_useful(outputs, inputs, since)
    found: dict[Operand, Gradient] = {x.node: None for x in inputs if x.node}
    before = recording()
    try:  # no_grad() is Python: Ctrl-C in its __exit__ would leave the mode switched
        set_recording(bool(create))
        with follow_devices() as devices, Gradients(create, devices) as pending:
            walk_back(pending, outputs, cotangents, keep, useful, found, since)
            found |= pending.totals if since else pending.of_leaves()
            grads = []
            for target in [x.node or x for x in inputs]:
                g, owned = found.get(target) or (None, True)
                grads.append(g if owned else _copy(g, create))
                found[target] = g, g is None  # the next one gets a copy
        return grads
    finally:
        set_recording(before)


def _copy(g: Gradient, create: bool) -> Gradient:
    """Copy a gradient, so that it may be changed in place."""
    return table.clone(g) if create else seam.run(backend_of(g).array, g)


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
        set_recording(bool(create))
        if inputs is None:
            with follow_devices() as devices, Gradients(create, devices) as pending:
                walk_back(pending, outputs, cotangents, keep)
                found = pending.of_leaves()
                _check_fit_grad([(leaf, g) for leaf, (g, _) in found.items()], create)
        else:
            _check_fit_grad([(x, x.array) for x in inputs], create)
            grads = gradients(outputs, cotangents, inputs, keep, create)
            pairs = zip(inputs, grads, strict=True)
            arrived = [(x, g) for x, g in pairs if g is not None]
            found = {x: (g, True) for x, g in arrived if not _retains_grad(x)}
        for leaf, (g, owned) in found.items():
            _store(leaf, g, owned, create)
    finally:
        set_recording(before)
    for function in tuple(after_backward):
        function(found)


def _store(leaf: Value, g: Gradient, owned: bool, create: bool) -> None:
    """Add a gradient to ``grad`` of its tensor."""
    if seam.recorder is not None:
        seam.gradient_read(leaf)
    if leaf._grad is None:
        g = g if owned else _copy(g, create)
        leaf._grad = g if create else wrap(g)
    elif create:
        leaf._grad = leaf._grad + g
    else:
        seam.add_into(leaf._grad.array, g, backend_of(g).on_device(iadd))
        leaf._grad.version.count += 1


def _check_fit_grad(pairs: Iterable[tuple[Value, Array]], create: bool) -> None:
    """Raise if an array does not fit the ``grad`` that is there."""
    for leaf, array in pairs:
        if leaf._grad is not None and not create:
            check_fits(leaf._grad, wrap(array), "backward: grad")


def _retains_grad(x: Value) -> bool:
    """Return whether a hook has kept the gradient of a non-leaf already."""
    return x.node is not None and RETAIN in (x.node.hooks or ())
