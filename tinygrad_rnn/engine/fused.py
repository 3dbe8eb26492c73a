"""The second form of an op: its forward and its backward by hand, beside its composite.

The composite is the same function made of the table's ops. It says what the op means,
runs where a backend has no kernel, and is what is differentiated under
``create_graph``: nobody writes a second derivative by hand.
"""

from collections.abc import Callable, Sequence
from functools import cache
from types import NoneType
from typing import Any

from .. import kernels
from ..backend import Backend
from ..backend.threads import one_thread
from ..errors import DTypeError, described
from .arguments import enter, raise_translated
from .mode import recording
from .node import Node, Value, record, wrap
from .op import NEVER, Declared, identity, lift
from .own import guard_outputs, keeps
from .walk import gradients
from .warned import telling, was_warning


@cache
class _Output:
    """The plan of one of several outputs: it hands its cotangent on as one of several."""

    def __init__(self, name: str, index: int, count: int) -> None:
        self.name, self.index, self.count = name, index, count


def record_outputs(
    plan: Any,
    parents: list[Any],
    saved: Any,
    versions: list[Any],
    outputs: Sequence[Any],
) -> None:
    """Record Tensors as the outputs of one new node: one has it as its own, several
    have theirs.
    """
    node = record(plan, parents, saved, versions, None, None)
    for i, out in enumerate(outputs):
        out.node, out.needs_grad = node, True
        if len(outputs) > 1:
            out.node = record(
                _Output(plan.name, i, len(outputs)), [node], (), [], None, None
            )
        out.node.shape, out.node.dtype = out.array.shape, out.array.dtype


def through(
    outputs: Sequence[Any], g: Any, inputs: Sequence[Any], create: bool, since: int = 0
) -> list[Any]:
    """The gradients of inputs, given the gradients of outputs, of which some may have
    none.
    """
    g = g if type(g) is list else [g]  # of one output
    pairs = [(out, go) for out, go in zip(outputs, g, strict=True) if go is not None]
    outs, cotangents = zip(*pairs, strict=True)
    return gradients(outs, cotangents, inputs, create, create, since)


class _FusedPlan:
    """How to go back through a fused op: its backward, or its composite under
    create_graph.
    """

    blanks = True
    count = 0

    def __init__(self, op: "FusedOp", needs: int) -> None:
        self.op = op
        self.name = op.name
        self.owned = op.fresh
        self.needs = tuple(
            [bool(needs >> i & 1) for i in range(len(op.signature.arrays))]
        )
        self.chosen = [i for i, needed in enumerate(self.needs) if needed]
        self.arguments = [op.signature.arrays[i] for i in self.chosen]

    def pull(
        self, node: Node, g: Any, wanted: Sequence[bool] | None, create: bool
    ) -> list[Any]:
        xp, inputs, outputs, workspace, settings = node.saved
        chosen, needs = self.chosen, self.needs
        if wanted and not all(wanted):
            chosen = [i for i, want in zip(self.chosen, wanted, strict=True) if want]
            needs = tuple([i in chosen for i in range(len(inputs))])
        if create:
            return self.pull_recorded(node, g, chosen)
        backward = self.op.twins(xp)[1]
        g = tuple(g) if type(g) is list else (g,)
        grads = backward(xp, g, needs, inputs, outputs, workspace, **settings)
        if len(grads) != len(needs):
            expected = ", ".join(self.op.signature.arrays)
            raise DTypeError(
                f"{self.name}: {len(grads)} gradients, expected those of {expected}"
            )
        return [grads[i] if needs[i] else None for i in self.chosen]

    def pull_recorded(self, node: Node, g: Any, chosen: list[int]) -> list[Any]:
        _, inputs, _, _, settings = node.saved
        parents = dict(zip(self.chosen, node.parents, strict=True))
        heads = [
            lift(array, parents.get(i), node.versions[i])
            for i, array in enumerate(inputs)
        ]
        for i in self.chosen:
            # A fresh node, so that the walk through the composite ends at the op's own
            # arguments.
            heads[i] = identity(heads[i])
        outputs = self.op.composite(*heads, **settings)
        outputs = outputs if isinstance(outputs, tuple) else (outputs,)
        found = dict(
            zip(
                chosen,
                through(outputs, g, [heads[i] for i in chosen], True),
                strict=True,
            )
        )
        return [found.get(i) for i in self.chosen]


class FusedOp(Declared):
    """An op with a hand-written forward and backward beside its composite.

    ``composite(*tensors, **settings)`` is a function of Tensors, its arrays
    positional-only; an array argument may be None. ``forward(xp, *arrays, **settings)``
    returns ``(outputs, workspace)`` with a tuple of arrays; ``backward(xp, grads,
    needs, inputs, outputs, workspace, **settings)`` returns one array, or None, for
    each input. Either pair is given here, for every backend, or each backend's kernels
    have it as ``NAME_forward`` and ``NAME_backward`` (without ``xp``).
    ``reads_outputs`` says that the backward reads the outputs, which it then gets;
    ``fresh``, that the gradients are new arrays, no two of them the same memory: then
    they need not be copied.
    """

    def __init__(
        self,
        composite: Callable[..., Any],
        forward: Callable[..., Any] | None = None,
        backward: Callable[..., Any] | None = None,
        reads_outputs: bool = False,
        fresh: bool = False,
    ) -> None:
        super().__init__(composite, skip=0)
        self.composite = composite
        if forward is not None and self.own:
            forward = guard_outputs(self.name, self.signature.arrays, forward)
        self.pair = (forward, backward)
        self.reads_outputs = reads_outputs
        self.fresh = fresh or forward is None  # of kernels all are
        self.found: dict[str, Any] = {}

    def twins(self, xp: Backend) -> Sequence[Any]:
        """The forward and the backward for a backend; a pair of None where it has no
        kernel.
        """
        if xp.kind not in self.found:
            ways = () if self.pair[0] else ("forward", "backward")
            self.found[xp.kind] = [
                _kernel(xp, f"{self.name}_{way}") for way in ways
            ] or self.pair
        return self.found[xp.kind]

    def __call__(self, *args: Any, **settings: Any) -> Any:
        args, settings = self.signature.bind(self.name, args, settings)
        arrays, needs, xp = enter(self.name, args, (int, float, NoneType))
        forward, _ = self.found.get(xp.kind) or self.twins(xp)
        if forward is None:
            tensors = [wrap(a) if type(a) is xp.Array else a for a in args]
            return self.composite(*tensors, **settings)
        forward = xp.on_device(forward) if xp.multi_device else forward
        try:
            found = forward(xp, *arrays, **settings)
        except Exception as error:
            if was_warning(error):
                forward, found = telling(self.name, forward), None
            else:
                raise_translated(self.name, arrays, error, own=self.own)
                found = None
        found = forward(xp, *arrays, **settings) if found is None else found
        outputs, workspace = (
            found if type(found) is tuple and len(found) == 2 else (found, None)
        )
        if (
            type(outputs) is not tuple or outputs is found
        ):  # an array would be taken apart by rows
            got = f"outputs as {described(outputs)}, expected (outputs, workspace) with a tuple"
            raise DTypeError(f"{self.name}: the forward gave {got} of arrays")
        tensors = [wrap(out) for out in outputs]
        if needs and recording():
            plan = self.plans.get(needs) or self.plans.setdefault(
                needs, _FusedPlan(self, needs)
            )
            parents = [args[i].node or args[i] for i in plan.chosen]
            reads = self.reads_outputs or (self.own and keeps(workspace, outputs))
            read = [*args, *tensors] if reads else args
            versions = [
                (x.version, x.version[0]) if isinstance(x, Value) else NEVER
                for x in read
            ]
            saved = (
                xp,
                arrays,
                outputs if self.reads_outputs else None,
                workspace,
                settings,
            )
            record_outputs(plan, parents, saved, versions, tensors)
        return tensors[0] if len(tensors) == 1 else tuple(tensors)


def _kernel(xp: Backend, name: str) -> Callable[..., Any] | None:
    """A kernel as the pair of a fused op is called: with ``xp``, which it knows anyway."""
    if (kernel := kernels.find(xp.kind, name)) is None:
        return None

    def run(xp: Backend, *args: Any, **settings: Any) -> Any:
        with one_thread():
            return kernel(*args, **settings)

    return run
