"""What an op saves for its gradients, and how its pullbacks run."""

from collections.abc import Sequence
from typing import Any

from ..errors import DTypeError
from ..types import Array, Function, Gradient, Namespace, Operand, Settings
from . import seam
from .arguments import Signature
from .node import Node, Value, Version, VersionSeen, table, wrap

UNCHANGING: VersionSeen = (Version(), 0)  # of what cannot change: a Python number


def version_of(arg: Operand) -> VersionSeen:
    """Return the counter of an argument's changes in place, and its count now."""
    if isinstance(arg, Value):
        return arg.version, arg.version.count
    return UNCHANGING


def as_tensor(array: Array, parent: Operand, version: VersionSeen) -> Operand:
    """Return a saved argument as it was in the call: with its place in the graph."""
    if not hasattr(array, "shape"):
        return array  # a Python number, or None
    if parent is None or type(parent) is Node:
        return wrap(array, parent, version[0])
    return parent  # a leaf


def _call(pullback: Function, *args: object) -> Any:
    return pullback(*args)


def requests_of(pullback: Function) -> tuple[str, ...]:
    """Return the names of what a pullback asks for beside the cotangent."""
    code = pullback.__code__
    return code.co_varnames[1 : code.co_argcount]


# What is asked for: an argument, a shape, all arguments or shapes (of a variadic op), a
# setting, out or xp; with the index of the argument, or the name of the setting.
Source = tuple[str, Any]


def sources_of(signature: Signature) -> dict[str, Source]:
    """Return what a pullback may ask for, by name."""
    argument, shape = "argument", "shape"
    if signature.variadic:
        argument, shape = "arguments", "shapes"
    numbered = [*enumerate(signature.arrays)]
    sources: dict[str, Source] = {name: (argument, i) for i, name in numbered}
    sources |= {f"{name}_{shape}": (shape, i) for i, name in numbered}
    sources |= {name: ("setting", name) for name in signature.settings}
    return sources | {"out": ("out", None), "xp": ("xp", None)}


class Plan:
    """How an op is recorded, and walked back, for one choice of arguments.

    ``indices`` are those of the arguments that need a gradient, ``pullbacks`` their
    pullbacks; a variadic op has one, which gives the gradients of all arguments. A node
    has a parent for each index, and saves what the pullbacks ask for, one after the
    other.
    """

    can_warn = True  # whether NumPy may, of what the pullbacks compute
    gives_owned = False  # whether nobody else holds the gradients
    allows_none = False  # whether a gradient may be left out
    count = 0  # not one of several outputs: see OutputPlan in fused.py

    def __init__(
        self,
        name: str,
        signature: Signature,
        sources: dict[str, Source],
        arity: int,
        pullbacks: Sequence[Function],
        indices: Sequence[int],
    ) -> None:
        self.name = name
        self.indices = indices
        self.arity = arity  # how many arguments the call has
        self.variadic = signature.variadic
        self.arguments = signature.arrays * len(indices)
        if not self.variadic:
            self.arguments = tuple([signature.arrays[i] for i in indices])
        self.sources: list[Source] = []
        self.pullbacks: list[tuple[Function, slice]] = []  # with their part of `saved`
        for pullback in pullbacks:
            start = len(self.sources)
            self.sources += [sources[request] for request in requests_of(pullback)]
            self.pullbacks.append((pullback, slice(start, len(self.sources))))

    def record(
        self,
        args: Sequence[Operand],
        arrays: Sequence[Array],
        settings: Settings,
        xp: Namespace,
        result: Value,
    ) -> Node:
        """Make the node of a call; ``arrays`` are its ``args`` without Tensors."""
        saved: list[Any] = []
        versions: list[VersionSeen] = []
        for kind, key in self.sources:
            if kind == "argument":
                saved.append(arrays[key])
                versions.append(version_of(args[key]))
            elif kind == "shape":
                saved.append(arrays[key].shape)
            elif kind == "setting":
                saved.append(settings[key])
            elif kind == "out":
                saved.append(result.array)
                versions.append(version_of(result))
            elif kind == "xp":
                saved.append(xp)
            elif kind == "arguments":
                saved.append(tuple(arrays))
                versions += [version_of(arg) for arg in args]
            else:
                saved.append(tuple([array.shape for array in arrays]))
        out = result.array
        parents = [args[i].node or args[i] for i in self.indices]
        return Node(self, parents, saved, versions, out.shape, out.dtype)

    def pull(
        self, node: Node, g: Gradient, wanted: Sequence[bool] | None, create: bool
    ) -> list[Gradient]:
        """Return the gradients of the node's parents; None where not wanted."""
        saved = self.saved_as_tensors(node) if create else node.saved
        run = _call if create or seam.recorder is None else self._run_recorded
        grads = []
        if self.variadic:
            pullback, _ = self.pullbacks[0]
            found = list(run(pullback, g, *saved))
            if len(found) != self.arity:
                expected = f"expected one for each of {self.arity} arguments"
                raise DTypeError(f"{self.name}: {len(found)} gradients, {expected}")
            for i, index in enumerate(self.indices):
                grads.append(found[index] if wanted is None or wanted[i] else None)
            return grads
        for i, (pullback, part) in enumerate(self.pullbacks):
            if wanted is None or wanted[i]:
                grads.append(run(pullback, g, *saved[part]))
            else:
                grads.append(None)
        return grads

    def _run_recorded(self, pullback: Function, *args: object) -> Any:
        recorder = seam.current()
        if recorder is None:  # it is of another thread
            return pullback(*args)
        label = f"{self.name}_gradient"
        return recorder.run(pullback, args, {}, can_warn=self.can_warn, name=label)

    def saved_as_tensors(self, node: Node) -> list[Operand]:
        """Return what was saved as Tensors in the graph, for recorded pullbacks."""
        saved = list(node.saved)
        versions = iter(node.versions)
        parents = dict(zip(self.indices, node.parents, strict=False))
        for i, (kind, key) in enumerate(self.sources):
            if kind == "argument":
                saved[i] = as_tensor(saved[i], parents.get(key), next(versions))
            elif kind == "arguments":
                array_parents = map(parents.get, range(len(saved[i])))
                arguments = zip(saved[i], array_parents, versions, strict=False)
                saved[i] = tuple([as_tensor(*argument) for argument in arguments])
            elif kind == "out":
                version, _ = next(versions)
                saved[i] = wrap(saved[i], node, version)
            elif kind == "xp":
                saved[i] = table
        return saved
