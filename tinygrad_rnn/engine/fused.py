"""The second form of an op: its forward and its backward by hand, beside its composite.

The composite is the same function made of the table's ops. It says what the op means,
runs where a backend has no kernel, and is what is differentiated under
``create_graph``: nobody writes a second derivative by hand.
"""

from collections.abc import Sequence
from functools import cache
from types import NoneType
from typing import Any, NamedTuple

from ..backend import Backend
from ..backend.threads import one_thread
from ..errors import DTypeError
from ..kernels import find as find_kernel
from ..types import Array, Function, Operand, Settings
from . import seam
from .arguments import unwrap_arguments
from .custom import OutputsGuard, keeps
from .forward import run_forward
from .mode import recording
from .node import Node, Value, VersionSeen, wrap
from .op import Declared, identity
from .plan import as_tensor, version_of
from .seam import observers, report_call
from .walk import gradients

Pair = tuple[Any, Any]  # a forward and a backward, or None


@cache
class OutputPlan:
    """The plan of one of several outputs: it hands its cotangent on."""

    def __init__(self, name: str, index: int, count: int) -> None:
        self.name, self.index, self.count = name, index, count


def record_outputs(
    plan: Any,
    parents: list[Operand],
    saved: object,
    versions: list[VersionSeen],
    outputs: Sequence[Value],
) -> None:
    """Record Tensors as the outputs of one new node.

    A single output has it as its own; several have a node each, whose parent it is.
    """
    made = Node(plan, parents, saved, versions)
    for i, out in enumerate(outputs):
        node = made
        if len(outputs) > 1:
            own_plan = OutputPlan(plan.name, i, len(outputs))
            node = Node(own_plan, [made], (), [])
        node.shape, node.dtype = out.array.shape, out.array.dtype
        out.node, out.needs_grad = node, True


def pull_through(
    outputs: Sequence[Value],
    g: Operand,
    inputs: Sequence[Value],
    create: bool,
    since: int = 0,
) -> list[Operand]:
    """Return the gradients of inputs, given ``g`` of the outputs: a list if several.

    Some of several outputs may have none.
    """
    pairs = zip(outputs, g if type(g) is list else [g], strict=True)
    used = [(out, cotangent) for out, cotangent in pairs if cotangent is not None]
    outs, cotangents = zip(*used, strict=True)
    return gradients(outs, cotangents, inputs, create, create, since)


class SavedCall(NamedTuple):
    """What the node of a fused op keeps of the call."""

    xp: Backend
    inputs: Sequence[Array]
    outputs: Sequence[Array] | None  # if the backward reads them
    workspace: object
    settings: Settings


class FusedPlan:
    """How to go back through a fused op: by its backward, or its composite.

    ``indices`` are those of the arguments that need a gradient; a node has a parent for
    each.
    """

    allows_none = True
    count = 0

    def __init__(self, op: "FusedOp", indices: tuple[int, ...]) -> None:
        self.op = op
        self.name = op.name
        self.gives_owned = op.gives_owned
        self.indices = indices
        names = op.signature.arrays
        self.arguments = [names[i] for i in indices]
        self.needs = tuple([i in indices for i in range(len(names))])

    def pull(
        self, node: Node, g: Operand, wanted: Sequence[bool] | None, create: bool
    ) -> list[Operand]:
        """Return the gradients of the node's parents; None where not wanted."""
        call: SavedCall = node.saved
        indices, needs = self.indices, self.needs
        if wanted and not all(wanted):
            indices = tuple(
                [i for i, want in zip(indices, wanted, strict=True) if want]
            )
            needs = tuple([i in indices for i in range(len(call.inputs))])
        if create:
            return self.pull_recorded(node, g, indices)
        _, backward = self.op.kernels_for(call.xp)
        cotangents = tuple(g) if type(g) is list else (g,)
        given = (call.xp, cotangents, needs, call.inputs, call.outputs, call.workspace)
        recorder = None if seam.recorder is None else seam.current()
        if recorder is None:
            grads = backward(*given, **call.settings)
        else:
            label = f"{self.name}_gradient"
            grads = recorder.run(backward, given, call.settings, name=label)
        if len(grads) != len(needs):
            expected = ", ".join(self.op.signature.arrays)
            raise DTypeError(
                f"{self.name}: {len(grads)} gradients, expected those of {expected}"
            )
        return [grads[i] if needs[i] else None for i in self.indices]

    def pull_recorded(
        self, node: Node, g: Operand, wanted: Sequence[int]
    ) -> list[Operand]:
        """Return the gradients as Tensors in the graph: those of the composite."""
        call: SavedCall = node.saved
        parents = dict(zip(self.indices, node.parents, strict=True))
        heads = [
            as_tensor(array, parents.get(i), node.versions[i])
            for i, array in enumerate(call.inputs)
        ]
        # With fresh nodes, so that the walk through the composite ends here.
        for i in self.indices:
            heads[i] = identity(heads[i])
        outputs = self.op.composite(*heads, **call.settings)
        outputs = outputs if isinstance(outputs, tuple) else (outputs,)
        found = pull_through(outputs, g, [heads[i] for i in wanted], create=True)
        grads = dict(zip(wanted, found, strict=True))
        return [grads.get(i) for i in self.indices]


class FusedOp(Declared):
    """An op with a hand-written forward and backward beside its composite.

    Args:
        composite: ``composite(*tensors, **settings)``, a function of Tensors. Its array
            arguments are positional-only; one of them may be None.
        forward: ``forward(xp, *arrays, **settings)``, which returns ``(outputs,
            workspace)`` with a tuple of arrays; or the name of a kernel, which is
            called without ``xp``. A backend without that kernel runs the composite, as
            does a call for which the kernel returns ``NotImplemented``.
        backward: ``backward(xp, grads, needs, inputs, outputs, workspace,
            **settings)``, which returns one array, or None, for each input; or the name
            of a kernel.
        reads_outputs: whether the backward reads the outputs; without it, it gets None.
        fresh: whether the gradients are new arrays, no two of them in the same memory:
            then they are not copied. Those of kernels are.

    Example:
        >>> import tinygrad_rnn as tg
        >>> def double(x, /):
        ...     return x + x
        >>> def forward(xp, x):
        ...     return (2 * x,), None
        >>> def backward(xp, grads, needs, inputs, outputs, workspace):
        ...     return (2 * grads[0],)
        >>> fused = tg.autograd.FusedOp(double, forward, backward)
        >>> x = tg.tensor([1.0, 2.0], dtype=tg.float64, requires_grad=True)
        >>> tg.autograd.gradcheck(fused, [x])  # compares with the composite, too
        True
    """

    def __init__(
        self,
        composite: Function,
        forward: Function | str | None = None,
        backward: Function | str | None = None,
        reads_outputs: bool = False,
        fresh: bool = False,
    ) -> None:
        super().__init__(composite, skip=0)
        self.composite = composite
        if self.custom and callable(forward):
            forward = OutputsGuard(self.name, self.signature.arrays, forward)
        self.forward, self.backward = forward, backward
        self.reads_outputs = reads_outputs
        self.gives_owned = fresh or isinstance(forward, str)
        self.kernels: dict[str, Pair] = {}  # by the kind of device

    def kernels_for(self, xp: Backend) -> Pair:
        """Return the forward and the backward on a backend; None without a kernel."""
        if xp.kind not in self.kernels:
            forward = _kernel(xp, self.forward)
            self.kernels[xp.kind] = forward, _kernel(xp, self.backward)
        return self.kernels[xp.kind]

    def __call__(self, *args: Any, **settings: Any) -> Any:
        args, settings = self.signature.bind(self.name, args, settings)
        number_types = (int, float, NoneType)
        arrays, needs, xp = unwrap_arguments(self.name, args, number_types)
        forward, _ = self.kernels_for(xp)
        result = NotImplemented
        if forward is not None:
            result = run_forward(self.name, forward, xp, arrays, settings, self.custom)
        if result is NotImplemented:  # no kernel at all, or none for such arrays
            tensors = [wrap(a) if type(a) is xp.Array else a for a in args]
            return self.composite(*tensors, **settings)
        outputs, workspace = result
        tensors = [wrap(out) for out in outputs]
        if needs and recording():
            read = outputs if self.reads_outputs else None
            saved = SavedCall(xp, arrays, read, workspace, settings)
            self._record(args, needs, tensors, saved)
        result = tensors[0] if len(tensors) == 1 else tuple(tensors)
        if observers:
            report_call(self.name, args, result)
        return result

    def _record(
        self,
        args: Sequence[Operand],
        needs: tuple[int, ...],
        outputs: Sequence[Value],
        saved: SavedCall,
    ) -> None:
        """Record a call."""
        if needs not in self.plans:
            self.plans[needs] = FusedPlan(self, needs)
        parents = [args[i].node or args[i] for i in needs]
        versions = [version_of(arg) for arg in args]
        arrays = [out.array for out in outputs]
        if self.reads_outputs or (self.custom and keeps(saved.workspace, arrays)):
            versions += [version_of(out) for out in outputs]
        record_outputs(self.plans[needs], parents, saved, versions, outputs)


def _kernel(xp: Backend, kernel: Function | str | None) -> Function | None:
    """Return a function as it is; a kernel, given by name, as one that takes ``xp``."""
    if not isinstance(kernel, str):
        return kernel
    found = find_kernel(xp.kind, kernel)
    if found is None:
        return None

    def run(xp: Backend, *args: object, **settings: object) -> object:
        with one_thread():
            return found(*args, **settings)

    run.kernel = found  # type: ignore[attr-defined]  # for what is one thread already
    return run
