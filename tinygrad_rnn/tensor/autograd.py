"""A tensor's place in the graph: its gradient, its history, the walk back."""

import weakref
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from ..backend import backend_of
from ..engine import seam
from ..engine.arguments import one_device
from ..engine.node import (
    RETAIN,
    Node,
    Value,
    check_view,
    next_number,
    replace_array,
    wrap,
)
from ..engine.walk import backward
from ..engine.warned import warn_user
from ..errors import DTypeError, GraphError, ShapeError, check_type, describe
from ..types import Operand
from .base import is_tensor
from .elementwise import Elementwise

if TYPE_CHECKING:
    from . import Tensor

    Hook = Callable[["Tensor"], object]


class Autograd(Elementwise):
    """A tensor's place in the graph: its gradient, its history, the walk back."""

    __slots__ = ()

    # ------------------------------------------------------------ leaves and nodes

    @property
    def requires_grad(self) -> bool:
        """Whether backward() gives it a gradient; it can be assigned for leaves.

        Example:
            >>> import tinygrad_rnn as tg
            >>> weight = tg.ones(2, requires_grad=True)
            >>> (weight * 3).requires_grad, weight.detach().requires_grad
            (True, False)
        """
        return self.needs_grad

    @requires_grad.setter
    def requires_grad(self, value: bool) -> None:
        self.requires_grad_(value)

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Set whether it requires grad, and return it; for leaves, of floats.

        Raises:
            DTypeError: it is no tensor of floats.
            GraphError: a recorded operation made it; use :meth:`detach`.

        Example:
            >>> import tinygrad_rnn as tg
            >>> tg.ones(2).requires_grad_()
            tensor([1., 1.], dtype=float32, requires_grad=True)
        """
        check_type("requires_grad_", bool, "True or False", requires_grad=requires_grad)
        if requires_grad and self.dtype.kind != "f":
            got = f"got a tensor of {self.dtype}"
            raise DTypeError(f"requires_grad: {got}, expected floats: .float()")
        if not requires_grad and self.node is not None:
            raise GraphError(
                "requires_grad_: only for leaves; use detach() to leave the graph"
            )
        if self.needs_grad is not requires_grad:
            seam.count_change()
            seam.leaf_made(self)
            self.needs_grad = requires_grad
        return self

    @property
    def is_leaf(self) -> bool:
        """Whether no recorded operation made it.

        Example:
            >>> import tinygrad_rnn as tg
            >>> x = tg.ones(2, requires_grad=True)
            >>> x.is_leaf, (x * 3).is_leaf
            (True, False)
        """
        return self.node is None

    @property
    def grad_fn(self) -> Node | None:
        """The recorded operation that made it.

        Example:
            >>> import tinygrad_rnn as tg
            >>> x = tg.ones(2, requires_grad=True)
            >>> x.grad_fn is None, (x * 3).grad_fn is None
            (True, False)
        """
        return self.node

    def detach(self) -> Self:
        """Return the same memory, outside of the graph.

        Example:
            >>> import tinygrad_rnn as tg
            >>> x = tg.ones(2, requires_grad=True)
            >>> (x * 3).detach()
            tensor([3., 3.], dtype=float32)
        """
        if seam.recorder is not None:
            seam.use("detach", self)
        return wrap(self.array, None, self.version)

    def detach_(self) -> Self:
        """Leave the graph: a leaf that does not require grad, with the same memory.

        Not for views, which are parts of another tensor's memory: use :meth:`detach`.

        Example:
            >>> import tinygrad_rnn as tg
            >>> x = tg.ones(2, requires_grad=True) * 3
            >>> x.detach_()
            tensor([3., 3.], dtype=float32)
        """
        if self.view_version is not None:
            raise GraphError("detach_: this is a view; use x = x.detach()")
        seam.use("detach_", self)
        self.node = self.hooks = None
        self.needs_grad = False
        return self

    # ------------------------------------------------------------ data

    @property
    def data(self) -> Self:
        """The same memory outside of the graph, like :meth:`detach`; can be assigned.

        A change that is made through it is not recorded, but counted, as is an
        assignment: a later backward that needs the old values raises GraphError. A
        Tensor that is assigned shares its memory from then on; shape, dtype and device
        may be others if this one is a leaf. An array must have this tensor's dtype.

        Example:
            >>> import tinygrad_rnn as tg
            >>> w = tg.tensor([1.0, 2.0], requires_grad=True)
            >>> (w * 3.0).sum().backward()
            >>> w.data -= 0.5 * w.grad
            >>> w
            tensor([-0.5,  0.5], dtype=float32, requires_grad=True)
        """
        return self.detach()

    @data.setter
    def data(self, value: Operand) -> None:
        if (
            is_tensor(value)
            and value.array is self.array
            and value.version is self.version
        ):
            return  # by an operator, as in x.data -= y: changed already, and counted
        check_view(self, "data")
        if not is_tensor(value):
            value = self._wrap_own_kind(value)
        self._check_data(value)
        replace_array(self, value.array, value.version)

    def _wrap_own_kind(self, value: Operand) -> Operand:
        """Return an array of this tensor's library and dtype as a tensor."""
        array = np.asarray(value) if isinstance(value, np.generic) else value
        if type(array) is not type(self.array) or array.dtype != self.dtype:
            raise DTypeError(
                f"data: got {describe(array)}, expected a Tensor or an array of "
                f"{self.dtype}; use .to(), .float(), or .data.fill_() of a number"
            )
        return wrap(array)

    def _check_data(self, value: "Tensor") -> None:
        """Raise if a tensor cannot take the place of this one's memory."""
        if self.needs_grad and value.dtype.kind != "f":
            raise DTypeError(
                f"data: got {describe(value)}, expected floats, as it requires grad"
            )
        if self.node is None:
            return
        old, new = backend_of(self.array).name, backend_of(value.array).name
        if (value.dtype, new) != (self.dtype, old):
            raise DTypeError(
                f"data: got {value.dtype} on {new}, expected {self.dtype} on {old}: "
                "only a leaf can change them; use .to()"
            )
        if value.shape != self.shape:
            raise ShapeError(
                f"data: got shape {value.shape}, expected {self.shape}: only a leaf "
                "can change it; use .detach() first"
            )

    # ------------------------------------------------------------ gradients

    @property
    def grad(self) -> Any:
        """The gradient that backward() left here; None before.

        Only leaves get one, and tensors of which :meth:`retain_grad` or ``inputs=``
        asks for it; reading that of another tensor warns.

        Example:
            >>> import tinygrad_rnn as tg
            >>> x = tg.tensor(3.0, requires_grad=True)
            >>> (x * x).backward()
            >>> x.grad.item()
            6.0
        """
        if seam.recorder is not None:
            seam.gradient_read(self)
        if self._grad is None and self.node is not None:
            _warn_without_grad(self.node)
        return self._grad

    @grad.setter
    def grad(self, value: "Tensor | None") -> None:
        if value is not None:
            check_type("grad", Value, "a Tensor or None", value=value)
            one_device("grad", (self.array, value.array))
            if (value.shape, value.dtype) != (self.shape, self.dtype):
                kind = DTypeError if value.shape == self.shape else ShapeError
                raise kind(f"grad: got {describe(value)}, expected {describe(self)}")
            seam.use("grad", value)
        seam.gradient_set(self)
        self._grad = value

    @grad.deleter
    def grad(self) -> None:
        seam.gradient_set(self)
        self._grad = None

    def backward(
        self,
        gradient: "Tensor | None" = None,
        retain_graph: bool | None = None,
        create_graph: bool = False,
        inputs: Operand = None,
    ) -> None:
        """Add the gradient of this tensor to ``grad`` of every leaf it was made from.

        Args:
            gradient: the gradient of this tensor, of its shape, with which the walk
                begins; it may be left out for a tensor of one element.
            retain_graph: keep the graph for another walk; by default as create_graph.
            create_graph: record this walk, for a further derivative.
            inputs: a tensor or several, leaves or not: only their ``grad`` is added to.

        Raises:
            GraphError: the graph was walked before or not recorded, or a value that it
                needs was changed in place.

        Example:
            >>> import tinygrad_rnn as tg
            >>> x = tg.tensor(3.0, requires_grad=True)
            >>> (x**2).backward()
            >>> x.grad.item()
            6.0
        """
        keep = create_graph if retain_graph is None else retain_graph
        g = cotangent("backward", self, gradient)
        targets = None if inputs is None else targets_of("backward", inputs)
        backward([self], [g if create_graph else g.array], keep, create_graph, targets)

    # ------------------------------------------------------------ hooks

    def retain_grad(self) -> None:
        """Keep ``grad`` of this tensor too, though it is no leaf.

        Example:
            >>> import tinygrad_rnn as tg
            >>> x = tg.tensor(3.0, requires_grad=True)
            >>> y = x * 2
            >>> y.retain_grad()
            >>> (y * y).backward()
            >>> y.grad.item()  # 2 y
            12.0
        """
        reference = weakref.ref(self)

        def keep(g: "Tensor") -> None:
            tensor = reference()
            if tensor is not None:
                old = tensor._grad
                tensor.grad = g.clone() if old is None else old + g

        if self.node is not None or not self.requires_grad:
            self._add_hook("retain_grad", keep, RETAIN)

    def register_hook(self, hook: "Hook") -> "Handle":
        """Call a function with the gradient of this tensor as soon as it is known.

        Args:
            hook: takes the gradient; what it returns, if anything, replaces it.

        Returns:
            A handle; a call of it, or of its ``remove()``, takes the hook away.

        Raises:
            GraphError: this tensor does not require grad.

        Example:
            >>> import tinygrad_rnn as tg
            >>> x = tg.tensor(3.0, requires_grad=True)
            >>> handle = x.register_hook(lambda grad: 10 * grad)
            >>> (2 * x).backward()
            >>> x.grad.item()
            20.0
        """
        check_type("register_hook", Callable, "a function of the gradient", hook=hook)
        return self._add_hook("register_hook", hook, next_number())

    def _add_hook(self, name: str, hook: "Hook", key: float) -> "Handle":
        """Add a hook to the node, or to the leaf; they run in the order of the keys."""
        seam.refuse(f"{name}()", "add hooks outside, to functions that run plainly")
        if not self.requires_grad:
            raise GraphError(f"{name}: this tensor does not require grad")
        seam.count_change()
        holder = self.node or self
        hooks = holder.hooks = holder.hooks or {}
        hooks[key] = hook
        return Handle(hooks.pop, key, None)


def _warn_without_grad(node: Node) -> None:
    """Warn of reading ``grad`` of what ``node`` made, unless retain_grad() was called.

    As in PyTorch, with or without a backward() before.
    """
    if RETAIN not in (node.hooks or ()):
        warn_user(
            "grad: this tensor is not a leaf, so backward() leaves no gradient in it; "
            "call its retain_grad() before backward(), or read the gradient of the "
            "leaf that it was made from",
            UserWarning,
        )


class Handle(partial[object]):
    """Takes a hook away: by ``remove()``, by a call, or at the end of a ``with``."""

    def remove(self) -> None:
        self()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self()


def tensors_of(name: str, what: str, given: Operand) -> "tuple[Tensor, ...]":
    """Return a Tensor, or those of a sequence, as a tuple."""
    is_one = hasattr(given, "dtype") or not hasattr(given, "__iter__")
    tensors = (given,) if is_one else tuple(given)
    if not tensors:
        raise GraphError(f"{name}: got no {what}, expected at least one Tensor")
    for i, x in enumerate(tensors):
        label = what if is_one else f"{what}[{i}]"
        check_type(name, Value, "a Tensor", **{label: x})
    return tensors


def targets_of(name: str, inputs: Operand) -> "list[Tensor]":
    """Return the tensors whose ``grad`` a walk adds to, each once."""
    given = tensors_of(name, "inputs", inputs)
    for i, x in enumerate(given):
        if not x.requires_grad:
            raise GraphError(f"{name}: input {i} does not require grad")
    return list({id(x): x for x in given}.values())


def cotangent(name: str, output: Autograd, gradient: Operand) -> "Tensor":
    """Return the gradient with which a walk back from ``output`` begins."""
    check_view(output, name)
    if not output.requires_grad:
        why = "it is of integers"
        if output.dtype.kind == "f":
            why = (
                "nothing that it came from does, or it was made under no_grad(), or an "
                "op on the way has no gradient, such as a comparison, round, or an op "
                "of your own without .vjp(...); a gradient has a graph of its own only "
                "if create_graph=True was given where it was computed"
            )
        raise GraphError(f"{name}: this tensor does not require grad: {why}")
    if gradient is None:
        if output.numel() != 1:
            raise GraphError(
                f"{name}: got an output of shape {output.shape}, expected one element; "
                "pass a gradient of its shape, or reduce it with .sum() or .mean()"
            )
        seam.use(name, output)
        ones = backend_of(output.array).ones_like(output.array)
        return wrap(seam.constant(ones))
    check_type(name, Value, "a Tensor", gradient=gradient)
    seam.use(name, output, gradient)
    one_device(name, (output.array, gradient.array))
    if gradient.shape != output.shape:
        raise ShapeError(
            f"{name}: gradient has shape {gradient.shape}, expected {output.shape}"
        )
    return gradient
