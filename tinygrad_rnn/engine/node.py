"""What the engine keeps: values that the user holds, and nodes that remember how they
were made.
"""

import itertools
import weakref
from collections.abc import Callable
from math import inf
from typing import Any, ClassVar

from ..backend import backend_of
from ..backend.standard import numpy_dtype
from ..errors import DTypeError, GraphError, ShapeError
from ..types import Array
from .warned import run_reporting_warnings

births = itertools.count().__next__  # the number of the next node


VersionSeen = tuple[list[Any], int]  # a counter of changes, and what it showed


class Node:
    """One recorded operation. It points to its parents, never to its output: no cycles.

    Nodes are numbered as they are born, so newest first is an order in which every user
    of a value comes before the value's own node.
    """

    __slots__ = (
        "__weakref__",
        "birth",
        "dtype",
        "hooks",
        "parents",
        "plan",
        "saved",
        "shape",
        "versions",
    )

    plan: Any  # how to go back through this node: see op.py
    parents: list[Any]  # for each argument that needs a gradient: a Node, or a leaf
    saved: Any  # what the pullbacks asked for; None once a walk has freed it
    versions: list[VersionSeen]  # of what is saved
    birth: int
    shape: Any
    dtype: Any
    hooks: dict[float, Callable[[Any], Any]] | None  # by number: they run in that order

    def __repr__(self) -> str:
        return f"<{self.plan.name}>"


class Value:
    """An array with its place in the graph; Tensor gives it its methods.

    ``version`` is a cell that all aliases of one memory share: how often it was changed
    in place, and how often while recording; then what :func:`count_change` remembers. A
    view remembers the second count: after such a change its node no longer tells how
    its elements came to be. ``source`` of a view is what it was taken from (weakly), by
    which index if by one, and the array that this had: a change of the view that is
    recorded is one of that.
    """

    __slots__ = (
        "__weakref__",
        "_grad",
        "array",
        "epoch",
        "hooks",
        "needs_grad",
        "node",
        "source",
        "version",
    )
    kind: ClassVar[type["Value"]]

    array: Any
    _grad: Any  # behind Tensor's `grad`, which refuses what does not fit
    hooks: dict[float, Callable[[Any], Any]] | None  # by number: they run in that order
    node: Node | None
    needs_grad: bool  # behind Tensor's `requires_grad`, likewise
    version: list[Any]
    epoch: int | None
    source: tuple[Any, Any, Any] | None


_new = object.__new__


def record(
    plan: Any,
    parents: list[Any],
    saved: Any,
    versions: list[VersionSeen],
    shape: Any = None,
    dtype: Any = None,
) -> Node:
    """A new node; ``shape`` and ``dtype`` are those of its output, if it has one."""
    node = _new(Node)
    node.plan = plan
    node.parents = parents
    node.saved = saved
    node.versions = versions
    node.birth = births()
    node.hooks = None
    node.shape = shape
    node.dtype = dtype
    return node


def wrap(
    data: Any,
    node: Node | None = None,
    version: list[Any] | None = None,
    epoch: int | None = None,
) -> Any:
    """A Tensor around an array, without a copy and without a question."""
    value = _new(Value.kind)
    value.array = data
    value._grad = None
    value.hooks = None
    value.node = node
    value.needs_grad = node is not None
    value.version = [0, 0] if version is None else version
    value.epoch = epoch
    value.source = None
    return value


def wrap_view(data: Array, base: Value) -> Value:
    """A Tensor around an array that shows the memory of another Tensor."""
    view = wrap(data, None, base.version, base.version[1])
    view.source = (weakref.ref(base), None, base.array)
    return view


_KINDS = {"b": 0, "u": 1, "i": 1, "f": 2}


def _fits(source: Any, target: Any) -> bool:
    """Whether a result may be written into a tensor: floats not into integers, these
    not into bool.
    """
    return _KINDS[numpy_dtype(source).kind] <= _KINDS[numpy_dtype(target).kind]


def check_view(value: Value, name: str) -> None:
    """Refuse a view whose memory was changed in place since, while recording."""
    if value.epoch is not None and value.epoch != value.version[1]:
        raise GraphError(
            f"{name}: this view's memory was changed in place while recording, so its graph "
            "no longer holds; take the view again from the changed tensor"
        )


def check_writable(data: Any, name: str) -> None:
    """Refuse memory that cannot be written to."""
    writeable = getattr(getattr(data, "flags", None), "writeable", None)
    if writeable is None:  # CuPy does not say, but what is repeated has a stride of 0
        strides = zip(data.shape, getattr(data, "strides", ()), strict=False)
        writeable = all(stride or size < 2 for size, stride in strides)
    if not writeable:
        raise GraphError(
            f"{name}: this tensor's memory is read-only (an expanded tensor, or a read-only array); "
            "clone() it first"
        )


def check_fits(target: Value, result: Value, name: str) -> None:
    """Refuse to write ``result`` where it does not fit, or where nothing can be
    written.
    """
    out, data = result.array, target.array
    check_writable(data, name)
    if out.shape != data.shape:
        raise ShapeError(
            f"{name}: the result has shape {out.shape}, expected {data.shape}, the shape of the "
            "tensor that is changed in place"
        )
    if not _fits(out.dtype, data.dtype):
        raise DTypeError(
            f"{name}: a {out.dtype} result does not fit a {data.dtype} tensor in place; "
            "use the operation that makes a new tensor, or convert with .to()"
        )


RETAIN = inf  # the number of the hook that keeps a gradient: after all others, and once


def take_over(target: Value, node: Any) -> None:
    """Let a value that was changed in place have a node, and what keeps its gradient
    move there.
    """
    hooks = target.node.hooks if target.node is not None else None
    if hooks and RETAIN in hooks:
        node.hooks = (node.hooks or {}) | {RETAIN: hooks.pop(RETAIN)}
    target.node, target.needs_grad = node, True


reshaped: dict[int, int] = {}
"""Leaves that were given another shape or device, by id: the number of the first node
after that.
"""


def replace_array(target: Value, array: Any, version: list[Any]) -> None:
    """Give a value other memory: what was saved of the old one counts as changed.

    It is no view any more. Older nodes have gradients of the old shape and on the old
    device: the walk raises for those.
    """
    old = target.array
    if old.shape != array.shape or backend_of(old) is not backend_of(array):
        if id(target) not in reshaped:
            weakref.finalize(target, reshaped.pop, id(target)).atexit = False
        reshaped[id(target)] = births()
    target.version[0] += 1
    target.array, target.version = array, version
    target.epoch = target.source = None


def count_change(version: list[Any], name: str) -> None:
    """Count a change in place, and remember what made it, for messages."""
    version[0] += 1
    version[2:] = [(version[0], name)]


def last_change(version: list[Any]) -> str | None:
    """What made the latest change in place, where that is known."""
    if len(version) < 3:
        return None
    count, name = version[2]
    return name if count == version[0] else None


def check_no_leaf(target: Value, name: str) -> None:
    """Raise if a value that is to be changed while recording is a leaf that requires
    grad.
    """
    if target.node is None and target.needs_grad:
        raise GraphError(
            f"{name}: a leaf that requires grad cannot be changed in place while recording; "
            "do it inside `with no_grad():`"
        )


def assign(target: Value, result: Value, name: str) -> None:
    """Write ``result`` into ``target``'s memory and let ``target`` take over its node."""
    recorded = result.node is not None
    if recorded:
        check_no_leaf(target, name)
    check_fits(target, result, name)
    run_reporting_warnings(
        name, backend_of(target.array).assign, target.array, ..., result.array
    )
    count_change(target.version, name)
    if recorded:
        target.version[1] += 1
        take_over(target, result.node)
