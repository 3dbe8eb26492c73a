"""A tensor's place in the graph: its gradient, its history, the walk back."""

import weakref
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from ..backend import backend_of
from ..engine.arguments import one_device
from ..engine.node import RETAIN, Node, Value, births, check_view, replace_array, wrap
from ..engine.walk import backward
from ..errors import DTypeError, GraphError, ShapeError, check_type, described
from .base import is_tensor
from .elementwise import Elementwise

if TYPE_CHECKING:
    from . import Tensor


class Autograd(Elementwise):
    """A tensor's place in the graph: its gradient, its history, the walk back."""

    __slots__ = ()

    @property
    def data(self) -> Self:
        """The same memory outside of the graph, as :meth:`detach`; also to be assigned.

        A change that is made through it is not recorded, but counted, as is an
        assignment: a later backward that needs the old values raises GraphError. A
        Tensor that is assigned shares its memory from then on; shape, dtype and device
        may be others if this one is a leaf. An array must have this tensor's dtype.

        >>> import tinygrad_rnn as tg
        >>> w = tg.tensor([1.0, 2.0], requires_grad=True)
        >>> (w * 3.0).sum().backward()
        >>> w.data -= 0.5 * w.grad
        >>> w
        tensor([-0.5,  0.5], dtype=float32, requires_grad=True)
        """
        return self.detach()

    @data.setter
    def data(self, value: Any) -> None:
        given = is_tensor(value)
        if given and value.array is self.array and value.version is self.version:
            return  # by an operator, as in x.data -= y: changed already, and counted
        check_view(self, "data")
        if not given:
            array = np.asarray(value) if isinstance(value, np.generic) else value
            if type(array) is not type(self.array) or array.dtype != self.dtype:
                got = f"got {described(array)}, expected a Tensor or an array of {self.dtype}"
                raise DTypeError(
                    f"data: {got}; use .to(), .float(), or .data.fill_() of a number"
                )
            value = wrap(array)
        self._check_data(value)
        replace_array(self, value.array, value.version)

    def _check_data(self, value: Any) -> None:
        """Raise if a Tensor cannot take the place of this one's memory."""
        old, new = (backend_of(x.array).name for x in (self, value))
        if self.needs_grad and value.dtype.kind != "f":
            raise DTypeError(
                f"data: got {described(value)}, expected floats, as it requires grad"
            )
        if self.node is not None and (value.dtype, new) != (self.dtype, old):
            got = f"got {value.dtype} on {new}, expected {self.dtype} on {old}"
            raise DTypeError(f"data: {got}: only a leaf can change them; use .to()")
        if self.node is not None and value.shape != self.shape:
            got = f"got shape {value.shape}, expected {self.shape}"
            raise ShapeError(
                f"data: {got}: only a leaf can change it; use .detach() first"
            )

    @property
    def requires_grad(self) -> bool:
        "Whether backward() gives it a gradient."
        return self.needs_grad

    @requires_grad.setter
    def requires_grad(self, value: bool) -> None:
        self.requires_grad_(value)

    @property
    def grad(self) -> Any:
        "What backward() has left here, None before."
        return self._grad

    @grad.setter
    def grad(self, value: Any) -> None:
        if value is not None:  # as it is most of the time: zero_grad()
            check_type("grad", Value, "a Tensor or None", value=value)
            one_device("grad", (self.array, value.array))
            if (value.shape, value.dtype) != (self.shape, self.dtype):
                kind = DTypeError if value.shape == self.shape else ShapeError
                raise kind(f"grad: got {described(value)}, expected {described(self)}")
        self._grad = value

    @grad.deleter
    def grad(self) -> None:
        self._grad = None

    @property
    def is_leaf(self) -> bool:
        "Whether no recorded operation made it."
        return self.node is None

    @property
    def grad_fn(self) -> Node | None:
        "The recorded operation that made it."
        return self.node

    def detach(self) -> Self:
        """The same memory, outside of the graph."""
        return wrap(self.array, None, self.version)

    def detach_(self) -> Self:
        """Leave the graph: a leaf that does not require grad, with the same memory.

        Not for views, which are parts of another tensor's memory: use :meth:`detach`.
        """
        if self.view_version is not None:
            raise GraphError("detach_: this is a view; use x = x.detach()")
        self.node = self.hooks = None
        self.needs_grad = False
        return self

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Ask for its gradient, or no longer; floats only."""
        check_type("requires_grad_", bool, "True or False", requires_grad=requires_grad)
        if requires_grad and self.dtype.kind != "f":
            raise DTypeError(
                f"requires_grad: got a {self.dtype} tensor, expected floats: .float()"
            )
        if not requires_grad and self.node is not None:
            raise GraphError(
                "requires_grad_: only for leaves; use detach() to leave the graph"
            )
        self.needs_grad = requires_grad
        return self

    def backward(
        self,
        gradient: "Tensor | None" = None,
        retain_graph: bool | None = None,
        create_graph: bool = False,
        inputs: Any = None,
    ) -> None:
        """Add the gradient of this tensor to ``grad`` of every leaf it was made from.

        ``gradient`` is its own cotangent, needed unless it has one element.
        ``retain_graph`` keeps the graph for another walk, as ``create_graph`` does,
        which records this one for a further derivative. With ``inputs``, a Tensor or
        several, only their ``grad`` is added to, be they leaves or not.

        Raises GraphError for a graph that was walked before, or was not recorded.
        """
        keep = create_graph if retain_graph is None else retain_graph
        g = cotangent("backward", self, gradient)
        targets = None if inputs is None else targets_of("backward", inputs)
        backward([self], [g if create_graph else g.array], keep, create_graph, targets)

    def retain_grad(self) -> None:
        """Keep ``grad`` of this tensor too, though it is no leaf."""
        kept = weakref.ref(self)

        def keep(g: "Tensor") -> None:
            if (tensor := kept()) is not None:
                tensor.grad = g.clone() if tensor.grad is None else tensor.grad + g

        if self.node is not None or not self.requires_grad:
            self._hook("retain_grad", keep, RETAIN)

    def register_hook(self, hook: Callable[["Tensor"], Any]) -> Callable[[], None]:
        """Call ``hook(grad)`` when the gradient is known; what it returns replaces it.

        Returns a handle: call it, or its ``remove()``, to take the hook away.
        """
        check_type("register_hook", Callable, "a function of the gradient", hook=hook)
        return self._hook("register_hook", hook, births())

    def _hook(self, name: str, hook: Callable[["Tensor"], Any], key: float) -> "Handle":
        if not self.requires_grad:
            raise GraphError(f"{name}: this tensor does not require grad")
        holder = self.node or self
        hooks = holder.hooks = holder.hooks or {}
        hooks[key] = hook
        return Handle(hooks.pop, key, None)


def tensors_of(name: str, what: str, given: Any) -> "tuple[Tensor, ...]":
    """A Tensor, or those of a sequence, as a tuple."""
    one = hasattr(given, "dtype") or not hasattr(given, "__iter__")
    tensors = (given,) if one else tuple(given)
    if not tensors:
        raise GraphError(f"{name}: got no {what}, expected at least one Tensor")
    for i, x in enumerate(tensors):
        check_type(name, Value, "a Tensor", **{what if one else f"{what}[{i}]": x})
    return tensors


def targets_of(name: str, inputs: Any) -> "list[Tensor]":
    """The tensors whose ``grad`` a walk adds to, each once."""
    given = tensors_of(name, "inputs", inputs)
    for i, x in enumerate(given):
        if not x.requires_grad:
            raise GraphError(f"{name}: input {i} does not require grad")
    return list({id(x): x for x in given}.values())


def cotangent(name: str, output: Autograd, gradient: Any) -> "Tensor":
    """The gradient with which a walk back from ``output`` begins."""
    check_view(output, name)
    if not output.requires_grad:
        unmade = (
            "nothing that it came from does, or it was made under no_grad(); a gradient has a "
            "graph of its own only if create_graph=True was given where it was computed"
        )
        why = unmade if output.dtype.kind == "f" else "it is of integers"
        raise GraphError(f"{name}: this tensor does not require grad: {why}")
    if gradient is None:
        if output.numel() != 1:
            way = "pass a gradient of its shape, or reduce it with .sum() or .mean()"
            got = f"an output of shape {output.shape}"
            raise GraphError(f"{name}: got {got}, expected one element; {way}")
        return wrap(backend_of(output.array).ones_like(output.array))
    if not is_tensor(gradient):
        raise DTypeError(
            f"{name}: gradient is a {type(gradient).__name__}, expected a Tensor"
        )
    one_device(name, (output.array, gradient.array))
    if gradient.shape != output.shape:
        raise ShapeError(
            f"{name}: gradient has shape {gradient.shape}, expected {output.shape}"
        )
    return gradient


class Handle(partial[Any]):
    """Takes a hook away again: by ``remove()``, by a call, or at the end of a ``with``."""

    def remove(self) -> None:
        self()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self()
