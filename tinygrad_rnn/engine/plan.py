"""What an op saves for its gradients, and how its pullbacks run."""

from collections.abc import Sequence
from typing import Any

from ..types import Array, Function, Namespace, Operand, Settings
from .arguments import Signature
from .node import Node, Value, VersionSeen, record, wrap
from .table import table

UNCHANGING: VersionSeen = ([0, 0], 0)  # of what cannot change: a Python number


def parent_of(arg: Operand) -> Operand:
    """The node that made an argument, or the leaf that it is; None without gradient."""
    if isinstance(arg, Value) and arg.needs_grad:
        return arg.node or arg
    return None


def version_of(arg: Operand) -> VersionSeen:
    """The counter of an argument's changes in place, and what it shows now."""
    if isinstance(arg, Value):
        return arg.version, arg.version[0]
    return UNCHANGING


def as_tensor(array: Array, parent: Operand, version: VersionSeen) -> Operand:
    """A saved argument as it was in the call: a Tensor with its place in the graph."""
    if not hasattr(array, "shape"):
        return array  # a Python number, or None
    if parent is None or type(parent) is Node:
        return wrap(array, parent, version[0])
    return parent  # a leaf


def asked_by(pullback: Function) -> tuple[str, ...]:
    """The names of what a pullback asks for beside the cotangent."""
    code = pullback.__code__
    return code.co_varnames[1 : code.co_argcount]


def known_names(signature: Signature) -> list[str]:
    """What a pullback may ask for."""
    suffix = "_shapes" if signature.variadic else "_shape"
    shapes = [f"{name}{suffix}" for name in signature.arrays]
    return [*signature.arrays, *shapes, *signature.settings, "out", "xp"]


class Plan:
    """How an op is recorded, and walked back, for one choice of arguments.

    ``places`` are the places of the arguments that need a gradient, ``pullbacks`` their
    pullbacks. A node has a parent for each of them. It saves exactly what these
    pullbacks ask for: ``saved_names`` says what stands where.
    """

    fresh = False  # whether the gradients are new arrays that nobody else holds
    allows_none = False  # whether a gradient may be left out
    count = 0  # not one of several outputs: see OutputPlan in fused.py

    def __init__(
        self,
        name: str,
        signature: Signature,
        pullbacks: Sequence[Function],
        places: Sequence[int],
    ) -> None:
        self.name = name
        self.places = places
        names = signature.arrays
        self.arguments = [names[i] for i in places]
        asked = {name for pullback in pullbacks for name in asked_by(pullback)}
        self.saved_names = [n for n in known_names(signature) if n in asked]
        self.saved_arguments = [i for i, name in enumerate(names) if name in asked]
        self.saved_shapes = [i for i, n in enumerate(names) if f"{n}_shape" in asked]
        self.saved_settings = [name for name in signature.settings if name in asked]
        self.saves_output = "out" in asked
        self.saves_namespace = "xp" in asked
        # Each pullback, and where what it asks for stands among what is saved.
        self.pullbacks = [
            (pullback, [self.saved_names.index(name) for name in asked_by(pullback)])
            for pullback in pullbacks
        ]

    def record(
        self,
        args: Sequence[Operand],
        arrays: Sequence[Array],
        settings: Settings,
        xp: Namespace,
        result: Value,
    ) -> Node:
        """The node of a call; ``arrays`` are its ``args`` without their Tensors."""
        saved: list[Any] = []
        versions = []
        for i in self.saved_arguments:
            saved.append(arrays[i])
            versions.append(version_of(args[i]))
        for i in self.saved_shapes:
            saved.append(arrays[i].shape)
        parents = [args[i].node or args[i] for i in self.places]
        return self._finish(parents, saved, versions, settings, xp, result)

    def _finish(
        self,
        parents: list[Operand],
        saved: list[Any],
        versions: list[VersionSeen],
        settings: Settings,
        xp: Namespace,
        result: Value,
    ) -> Node:
        """The node, with what does not depend on the number of arguments saved too."""
        for name in self.saved_settings:
            saved.append(settings[name])
        out = result.array
        if self.saves_output:
            saved.append(out)
            versions.append(version_of(result))
        if self.saves_namespace:
            saved.append(xp)
        return record(self, parents, saved, versions, out.shape, out.dtype)

    def pull(
        self, node: Node, g: Operand, wanted: Sequence[bool] | None, create: bool
    ) -> list[Operand]:
        """The gradients of the node's parents; None for those that are not wanted."""
        saved = self.saved_as_tensors(node) if create else node.saved
        grads = []
        for i, (pullback, asked) in enumerate(self.pullbacks):
            if wanted is None or wanted[i]:
                grads.append(pullback(g, *[saved[place] for place in asked]))
            else:
                grads.append(None)
        return grads

    def saved_as_tensors(self, node: Node) -> list[Any]:
        """What was saved, as Tensors in the graph: for pullbacks that are recorded."""
        saved = self._with_output_and_table(node)
        parents = dict(zip(self.places, node.parents, strict=True))
        for i, place in enumerate(self.saved_arguments):
            saved[i] = as_tensor(saved[i], parents.get(place), node.versions[i])
        return saved

    def _with_output_and_table(self, node: Node) -> list[Any]:
        saved = list(node.saved)
        if self.saves_output:
            version, _ = node.versions[-1]
            i = self.saved_names.index("out")
            saved[i] = wrap(saved[i], node, version)
        if self.saves_namespace:
            saved[-1] = table
        return saved


class VariadicPlan(Plan):
    """The plan of an op of any number of arguments: one pullback gives all gradients.

    A node has a parent for each argument, None for one that needs no gradient.
    """

    def record(
        self,
        args: Sequence[Operand],
        arrays: Sequence[Array],
        settings: Settings,
        xp: Namespace,
        result: Value,
    ) -> Node:
        """The node of a call; ``arrays`` are its ``args`` without their Tensors."""
        saved: list[Any] = []
        versions = []
        if self.saved_arguments:
            saved.append(tuple(arrays))
            versions = [version_of(arg) for arg in args]
        if f"{self.arguments[0]}_shapes" in self.saved_names:
            saved.append(tuple([array.shape for array in arrays]))
        parents = [parent_of(arg) for arg in args]
        return self._finish(parents, saved, versions, settings, xp, result)

    def pull(
        self, node: Node, g: Operand, wanted: Sequence[bool] | None, create: bool
    ) -> list[Operand]:
        """The gradients of the node's parents; None for those that are not wanted."""
        if wanted is None:
            wanted = [parent is not None for parent in node.parents]
        (grads,) = super().pull(node, g, None, create)
        pairs = zip(grads, wanted, strict=True)
        return [grad if want else None for grad, want in pairs]

    def saved_as_tensors(self, node: Node) -> list[Any]:
        """What was saved, as Tensors in the graph: for pullbacks that are recorded."""
        saved = self._with_output_and_table(node)
        if self.saved_arguments:
            arguments = zip(saved[0], node.parents, node.versions, strict=False)
            saved[0] = tuple([as_tensor(*argument) for argument in arguments])
        return saved
