"""What the engine keeps: Values, which users hold, and Nodes, which made them."""

import itertools
import weakref
from collections.abc import Callable
from math import inf
from types import SimpleNamespace
from typing import Any, ClassVar

from ..backend import backend_of
from ..backend.standard import numpy_dtype
from ..errors import DTypeError, GraphError, NoAttribute, ShapeError
from ..types import Array, DType, Shape
from . import seam
from .warned import run_reporting_warnings


class _Table(SimpleNamespace):
    """The package's ops by name, which ``@op`` adds: ``table.tanh`` is ``ops.tanh``.

    It is the namespace of pullbacks that are recorded.
    """

    def __getattr__(self, name: str) -> Any:
        raise NoAttribute(
            name,
            lambda: (
                f"xp.{name}: got a name that is no op, in a pullback that is recorded "
                "under create_graph=True; expected one of tinygrad_rnn.ops"
            ),
        )


table = _Table()

next_number = itertools.count().__next__  # the number of the next node

# By number: they run in that order. A hook takes a Tensor, and may return another.
Hooks = dict[float, Callable[[Any], Any]]


class Version:
    """The counter of a memory's changes in place; all its aliases share one.

    ``count`` counts all changes, ``recorded_count`` those that were recorded, and
    ``latest`` is the count at the latest change by name, and that name.

    ================  ==============  ======================  ==========================
    change            ``count``       views of the memory     graphs that saved it
    ================  ==============  ======================  ==========================
    not recorded      grows           show it                 raise in backward
    recorded          both grow       raise when used         raise in backward
    ``.data = x``     grows           keep the old memory     raise in backward
    ================  ==============  ======================  ==========================
    """

    count = 0
    recorded_count = 0
    latest: tuple[int, str] | None = None


VersionSeen = tuple[Version, int]  # a version, and its count when it was seen


class Node:
    """One recorded operation. It points to its parents, never to its output: no cycles.

    Nodes are numbered as they are made, so newest first is an order in which every user
    of a value comes before the value's own node.
    """

    __slots__ = (
        "__weakref__",
        "dtype",
        "hooks",
        "number",
        "parents",
        "plan",
        "saved",
        "shape",
        "versions",
    )

    def __init__(
        self,
        plan: Any,
        parents: list[Any],
        saved: Any,
        versions: list[VersionSeen],
        shape: Shape | None = None,
        dtype: DType = None,
    ) -> None:
        self.plan = plan  # how to go back through this node: see plan.py and fused.py
        self.parents = parents  # a node or leaf for each argument that needs a gradient
        self.saved = saved  # what the pullbacks ask for; None once a walk has freed it
        self.versions = versions  # of what is saved
        self.shape, self.dtype = shape, dtype  # of the output, if there is one
        self.number = next_number()
        self.hooks: Hooks | None = None

    def __repr__(self) -> str:
        return f"<{self.plan.name}>"


class Value:
    """An array with its place in the graph; Tensor gives it its methods.

    A view remembers ``view_version``, the count of recorded changes when it was taken:
    after one more its node no longer tells how its elements came to be. Its ``source``
    is what it was taken from (weakly), by which index if by one, and the array that
    this had: a recorded change of the view is one of that.
    """

    __slots__ = (
        "__weakref__",
        "_grad",
        "array",
        "hooks",
        "needs_grad",
        "node",
        "source",
        "version",
        "view_version",
    )
    kind: ClassVar[type["Value"]]  # of the results of ops: Tensor

    array: Array
    _grad: Any  # behind Tensor's `grad`, which raises for what does not fit
    hooks: Hooks | None
    node: Node | None
    needs_grad: bool  # behind Tensor's `requires_grad`, likewise
    version: Version
    view_version: int | None
    source: tuple[Any, Any, Array] | None

    def __init_subclass__(cls, wraps_results: bool = False) -> None:
        # Walks and optimizers find a Value by its identity, whatever == means for it.
        cls.__hash__ = object.__hash__  # type: ignore[method-assign]
        if wraps_results:
            Value.kind = cls


_new = object.__new__


def wrap(
    data: Array,
    node: Node | None = None,
    version: Version | None = None,
    view_version: int | None = None,
) -> Any:
    """Make a Tensor around an array, without a copy and without a check."""
    value = _new(Value.kind)
    value.array = data
    value._grad = None
    value.hooks = None
    value.node = node
    value.needs_grad = node is not None
    value.version = Version() if version is None else version
    value.view_version = view_version
    value.source = None
    return value


def wrap_view(data: Array, base: Value) -> Any:
    """Make a Tensor around an array that shows the memory of another Tensor."""
    view = wrap(data, None, base.version, base.version.recorded_count)
    view.source = (weakref.ref(base), None, base.array)
    return view


_KINDS = {"b": 0, "u": 1, "i": 1, "f": 2}


def _fits(source: DType, target: DType) -> bool:
    """Return whether a result fits: floats do not fit integers, nor these bools."""
    return _KINDS[numpy_dtype(source).kind] <= _KINDS[numpy_dtype(target).kind]


def check_view(value: Value, name: str) -> None:
    """Raise for a view whose memory was changed in place since, while recording."""
    if (
        value.view_version is not None
        and value.view_version != value.version.recorded_count
    ):
        raise GraphError(
            f"{name}: this view's memory was changed in place while recording, so its "
            "graph no longer holds; take the view again from the changed tensor"
        )


def check_writable(data: Array, name: str) -> None:
    """Raise for memory that cannot be written to."""
    writeable = getattr(getattr(data, "flags", None), "writeable", None)
    if writeable is None:  # CuPy does not say, but what is repeated has a stride of 0
        strides = zip(data.shape, getattr(data, "strides", ()), strict=False)
        writeable = all(stride or size < 2 for size, stride in strides)
    if not writeable:
        raise GraphError(
            f"{name}: this tensor's memory is read-only (an expanded tensor, or a "
            "read-only array); clone() it first"
        )


def check_fits(target: Value, result: Value, name: str) -> None:
    """Raise if ``result`` cannot be written into ``target``."""
    out, data = result.array, target.array
    check_writable(data, name)
    if out.shape != data.shape:
        raise ShapeError(
            f"{name}: the result has shape {out.shape}, expected {data.shape}, the "
            "shape of the tensor that is changed in place"
        )
    if not _fits(out.dtype, data.dtype):
        raise DTypeError(
            f"{name}: a result of {out.dtype} does not fit a tensor of {data.dtype} in "
            "place; use the operation that makes a new tensor, or convert with .to()"
        )


RETAIN = inf  # the number of the hook that keeps a gradient: after all others, and once


def set_node(target: Value, node: Any) -> None:
    """Record ``node`` as the maker of a changed value; its RETAIN hook moves along."""
    hooks = target.node.hooks if target.node is not None else None
    if hooks and RETAIN in hooks:
        node.hooks = (node.hooks or {}) | {RETAIN: hooks.pop(RETAIN)}
    target.node, target.needs_grad = node, True


# Leaves that were given another shape or device, by id: the first birth after that.
reshaped: dict[int, int] = {}


def replace_array(target: Value, array: Array, version: Version) -> None:
    """Give a value other memory: what was saved of the old one counts as changed.

    It is no view any more. Older nodes have gradients of the old shape and on the old
    device: the walk raises for those.
    """
    seam.count_change("new memory for a tensor (by .data or .to())")
    old = target.array
    if old.shape != array.shape or backend_of(old) is not backend_of(array):
        if id(target) not in reshaped:
            # The entry goes with the value, before another one may get its id.
            weakref.finalize(target, reshaped.pop, id(target)).atexit = False
        reshaped[id(target)] = next_number()
    target.version.count += 1
    target.array, target.version = array, version
    target.view_version = target.source = None


def count_change(version: Version, name: str) -> None:
    """Count a change in place, and remember what made it, for messages."""
    version.count += 1
    version.latest = version.count, name
    if seam.recorder is not None:
        seam.changed(version, name)


def last_change(version: Version) -> str | None:
    """Return what made the latest change in place, where that is known."""
    if version.latest is None:
        return None
    count, name = version.latest
    return name if count == version.count else None


def check_no_leaf(target: Value, name: str) -> None:
    """Raise if a change in place would be recorded for a leaf that requires grad."""
    if target.node is None and target.needs_grad:
        raise GraphError(
            f"{name}: a leaf that requires grad cannot be changed in place while "
            "recording; do it inside `with no_grad():`"
        )


def assign(target: Value, result: Value, name: str) -> None:
    """Write ``result`` into ``target``'s memory, and make its node ``target``'s."""
    recorded = result.node is not None
    if recorded:
        check_no_leaf(target, name)
    check_fits(target, result, name)
    write = backend_of(target.array).assign
    seam.use(name, target, result)
    seam.act(run_reporting_warnings, name, write, target.array, ..., result.array)
    count_change(target.version, name)
    if recorded:
        target.version.recorded_count += 1
        set_node(target, result.node)
