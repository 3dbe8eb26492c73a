"""The second form of an op: its forward and its backward by hand, beside its composite.

The composite is the same function made of the table's ops. It says what the op means, runs where a
backend has no kernel, and is what is differentiated under ``create_graph``: nobody writes a second
derivative by hand.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import kernels
from ..backend import Backend
from ..backend.threads import threads_for
from ..errors import Error
from .mode import enable_grad, is_grad_enabled
from .node import Node, Value, record, wrap
from .op import NEVER, Signature, enter, explain, identity, lift
from .walk import gradients


class _Select:
    """The plan of an output of a fused op: it hands its cotangent on as one of several."""

    owned = False

    def __init__(self, name: str, index: int, count: int) -> None:
        self.name = name
        self.index = index
        self.count = count


class _FusedPlan:
    """How to go back through a fused op: its backward, or its composite under create_graph."""

    owned = True
    count = 0

    def __init__(self, op: "FusedOp", chosen: tuple[int, ...]) -> None:
        self.op = op
        self.name = op.name
        self.chosen = chosen

    def pull(
        self, node: Node, g: list[Any], wanted: Sequence[bool] | None, create: bool
    ) -> list[Any]:
        chosen = self.chosen
        if wanted is not None:
            chosen = tuple(i for i, want in zip(chosen, wanted, strict=True) if want)
        pull = self.pull_recorded if create else self.pull_arrays
        found = pull(node, g, chosen)
        return [found.get(i) for i in self.chosen]

    def pull_arrays(self, node: Node, g: list[Any], chosen: tuple[int, ...]) -> dict[int, Any]:
        xp, inputs, outputs, workspace, settings = node.saved
        needs = tuple(i in chosen for i in range(len(inputs)))
        backward = self.op.twins(xp)[1]
        grads = backward(xp, tuple(g), needs, inputs, outputs, workspace, **settings)
        return {i: grads[i] for i in chosen}

    def pull_recorded(self, node: Node, g: list[Any], chosen: tuple[int, ...]) -> dict[int, Any]:
        _, inputs, _, _, settings = node.saved
        parents = dict(zip(self.chosen, node.parents, strict=True))
        heads = [
            lift(array, parents.get(i), cell)
            for i, (array, (cell, _)) in enumerate(zip(inputs, node.versions, strict=False))
        ]
        for i in self.chosen:
            # A fresh node, so that the walk through the composite ends at the op's own arguments.
            heads[i] = identity(heads[i])
        with enable_grad():
            outputs = self.op.composite(*heads, **settings)
        outputs = outputs if isinstance(outputs, tuple) else (outputs,)
        pairs = [(out, go) for out, go in zip(outputs, g, strict=True) if go is not None]
        grads = gradients(
            [out for out, _ in pairs],
            [go for _, go in pairs],
            [heads[i] for i in chosen],
            keep=True,
            create=True,
        )
        return dict(zip(chosen, grads, strict=True))


class FusedOp:
    """An op with a hand-written forward and backward beside its composite.

    ``composite(*tensors, **settings)`` is a function of Tensors, its arrays positional-only; an
    array argument may be None. ``forward(xp, *arrays, **settings)`` returns ``(outputs, workspace)``
    with a tuple of arrays; ``backward(xp, grads, needs, inputs, outputs, workspace, **settings)``
    returns one fresh array, or None, for each input. Either pair is given here, for every backend,
    or each backend's kernels have it as ``NAME_forward`` and ``NAME_backward`` (without ``xp``).
    ``reads_outputs`` says that the backward (or the workspace) reads the outputs.
    """

    def __init__(
        self,
        composite: Callable[..., Any],
        forward: Callable[..., Any] | None = None,
        backward: Callable[..., Any] | None = None,
        reads_outputs: bool = False,
    ) -> None:
        self.name = composite.__name__.lstrip("_")
        self.__name__ = self.name
        self.__doc__ = composite.__doc__
        self.composite = composite
        self.signature = Signature(composite, skip=0)
        self.pair = (forward, backward)
        self.reads_outputs = reads_outputs
        self.plans: dict[int, _FusedPlan] = {}
        self.selects: list[_Select] = []
        self.found: dict[str, tuple[Any, Any]] = {}

    def __repr__(self) -> str:
        return f"<fused op {self.name}>"

    def twins(self, xp: Backend) -> tuple[Any, Any]:
        """The forward and the backward for a backend; a pair of None where it has no kernel."""
        try:
            return self.found[xp.name]
        except KeyError:
            pass
        forward, backward = self.pair
        if forward is None:
            forward, backward = (
                _kernel(kernels.find(xp.name, f"{self.name}_{way}"))
                for way in ("forward", "backward")
            )
        self.found[xp.name] = forward, backward
        return forward, backward

    def __call__(self, *args: Any, **settings: Any) -> Any:
        args, settings = self.signature.bind(self.name, args, settings)
        arrays, needs, xp = enter(self.name, args)
        forward, _ = self.twins(xp)
        if forward is None:
            tensors = [wrap(a) if isinstance(a, np.ndarray) else a for a in args]
            return self.composite(*tensors, **settings)
        try:
            outputs, workspace = forward(xp, *arrays, **settings)
        except Error:
            raise
        except Exception as error:
            if (explained := explain(self.name, arrays, error)) is None:
                raise
            raise explained from error
        if not needs or not is_grad_enabled():
            tensors = [wrap(out) for out in outputs]
            return tensors[0] if len(tensors) == 1 else tuple(tensors)
        plan = self.plans.get(needs)
        if plan is None:
            chosen = tuple(i for i in range(len(args)) if needs >> i & 1)
            plan = self.plans[needs] = _FusedPlan(self, chosen)
        parents = [a if (a := args[i]).node is None else a.node for i in plan.chosen]
        versions = [(a.version, a.version[0]) if isinstance(a, Value) else NEVER for a in args]
        kept = outputs if self.reads_outputs else None
        saved = (xp, arrays, kept, workspace, settings)
        node = record(plan, parents, saved, versions, None, None)
        tensors = []
        for i, out in enumerate(outputs):
            if len(self.selects) == i:
                self.selects.append(_Select(self.name, i, len(outputs)))
            tensor = wrap(out, record(self.selects[i], [node], (), [], out.shape, out.dtype))
            if self.reads_outputs:
                versions.append((tensor.version, 0))
            tensors.append(tensor)
        return tensors[0] if len(tensors) == 1 else tuple(tensors)


def _kernel(kernel: Callable[..., Any] | None) -> Callable[..., Any] | None:
    """A kernel as the pair of a fused op is called: with ``xp``, which it knows anyway."""
    if kernel is None:
        return None

    def run(xp: Backend, *args: Any, **settings: Any) -> Any:
        with threads_for(0):
            return kernel(*args, **settings)

    return run
