"""Module: what holds parameters, buffers and other modules, and finds them again by name."""

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Self, TypeVar

import numpy as np

from ..backend import backend_of
from ..engine.node import check_writable
from ..errors import CheckpointError, DTypeError, GraphError, OptionError
from ..tensor import Tensor

T = TypeVar("T")


class Parameter(Tensor):
    """A tensor that a module trains: registered when it is assigned to a module's attribute."""

    __slots__ = ("name",)
    name: str  # the attribute under which it was registered first: messages name it

    def __init__(self, data: Any, requires_grad: bool = True) -> None:
        array = data.detach().array if isinstance(data, Tensor) else data
        super().__init__(array, requires_grad)
        if isinstance(data, Tensor):
            self.version = data.version  # the same memory
        self.name = "parameter"

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        out = super().__deepcopy__(memo)
        out.name = self.name
        return out

    def __repr__(self) -> str:
        return f"Parameter containing:\n{super().__repr__()}"


class Module:
    """Base of all layers and models: parameters, submodules and buffers are its attributes.

    Write ``__init__``, which begins with ``super().__init__()``, and ``forward``.

    >>> from tinygrad_rnn import nn
    >>> class Head(nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.linear = nn.Linear(4, 2)
    ...     def forward(self, x):
    ...         return self.linear(x).tanh()
    >>> [name for name, _ in Head().named_parameters()]
    ['linear.weight', 'linear.bias']
    """

    training = True

    def __init__(self) -> None:
        pass

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the module computes; a subclass says."""
        raise GraphError(f"{type(self).__name__}: forward is not defined; write it in the class")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.forward(*args, **kwargs)

    # ------------------------------------------------------------ attributes

    def __setattr__(self, name: str, value: Any) -> None:
        held = self.__dict__.get(name)
        for kind in (Parameter, Module):
            if isinstance(held, kind) and not (value is None or isinstance(value, kind)):
                raise DTypeError(
                    f"{type(self).__name__}: {name} is a {type(held).__name__}, so it can become "
                    f"another one or None, not {type(value).__name__}; `del` it first"
                )
        if name in self.__dict__.get("_buffer_names", ()) and not isinstance(value, Tensor | None):
            raise DTypeError(
                f"{type(self).__name__}: {name} is a buffer, so it can become another Tensor or "
                f"None, not {type(value).__name__}; `del` it first"
            )
        if isinstance(value, Parameter) and value.name == "parameter":
            value.name = name
        self._warn_of_hidden(name, value)
        self.__dict__[name] = value

    def _warn_of_hidden(self, name: str, value: Any) -> None:
        warned = self.__dict__.get("_warned", ())
        if not isinstance(value, list | tuple | dict) or name in warned:
            return
        items = value.values() if isinstance(value, dict) else value
        if any(isinstance(item, Module | Parameter) for item in items):
            self.__dict__["_warned"] = (*warned, name)  # once, when filled or when looked through
            warnings.warn(
                f"{type(self).__name__}.{name} is a plain {type(value).__name__} that holds modules "
                "or parameters: they are not registered and will not be trained or saved; "
                "use nn.Sequential, or attributes of their own",
                stacklevel=3,
            )

    def register_buffer(self, name: str, tensor: Tensor | None) -> None:
        """Hold a tensor that is saved and moved with the module, but not trained."""
        if not isinstance(tensor, Tensor | None):
            raise DTypeError(
                f"register_buffer: {name!r} is {type(tensor).__name__}, expected a Tensor or None"
            )
        names = self.__dict__.get("_buffer_names", ())
        if name not in names:
            self._check_name("register_buffer", name)
        self._buffer_names = (*(n for n in names if n != name), name)
        self.__dict__[name] = tensor

    def _check_name(self, function: str, name: Any) -> None:
        """Refuse a name under which something could not be found again."""
        if not isinstance(name, str) or "." in name or not name or hasattr(self, name):
            raise OptionError(
                f"{function}: the name {name!r} is no text, empty, has a dot or is taken"
            )

    # ------------------------------------------------------------ what is inside

    def named_children(self) -> Iterator[tuple[str, "Module"]]:
        """The modules directly inside, with their names."""
        return iter([(k, v) for k, v in self.__dict__.items() if isinstance(v, Module)])

    def children(self) -> Iterator["Module"]:
        """The modules directly inside."""
        return iter([module for _, module in self.named_children()])

    def _paths(self, prefix: str = "", above: tuple[int, ...] = ()) -> Iterator[Any]:
        """This module and all inside it; a shared one under each of its names."""
        yield prefix, self
        above = (*above, id(self))
        for key, child in self.named_children():
            if id(child) not in above:  # a module that knows the one that holds it
                yield from child._paths(f"{prefix}.{key}" if prefix else key, above)

    def _tensors(self) -> Iterator[tuple[str, Tensor]]:
        """Parameters, then buffers, with their dotted names; a tied one under each of its names."""
        paths = list(self._paths())
        for _, module in paths:
            for name, value in list(module.__dict__.items()):
                module._warn_of_hidden(name, value)
        for of_parameters in (True, False):
            for prefix, module in paths:
                for key, value in module.__dict__.items():
                    if of_parameters:
                        fits = isinstance(value, Parameter)
                    else:
                        buffers = module.__dict__.get("_buffer_names", ())
                        fits = key in buffers and isinstance(value, Tensor)
                    if fits:
                        yield (f"{prefix}.{key}" if prefix else key), value

    def named_modules(self) -> Iterator[tuple[str, "Module"]]:
        """This module and all inside it, each once, with its dotted name."""
        return iter(_once(self._paths()))

    def modules(self) -> Iterator["Module"]:
        """This module and all inside it, each once."""
        return iter([module for _, module in self.named_modules()])

    def named_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """All parameters, each once, with its dotted name."""
        return iter([(k, v) for k, v in _once(self._tensors()) if isinstance(v, Parameter)])

    def parameters(self) -> Iterator[Parameter]:
        """All parameters, each once: what an optimizer takes."""
        return iter([parameter for _, parameter in self.named_parameters()])

    def named_buffers(self) -> Iterator[tuple[str, Tensor]]:
        """All buffers, each once, with its dotted name."""
        return iter([(k, v) for k, v in _once(self._tensors()) if not isinstance(v, Parameter)])

    def buffers(self) -> Iterator[Tensor]:
        """All buffers, each once."""
        return iter([buffer for _, buffer in self.named_buffers()])

    def num_parameters(self) -> int:
        """How many numbers are trained."""
        return sum(p.numel() for p in self.parameters() if p.requires_grad)

    # ------------------------------------------------------------ what is done to all

    def apply(self, fn: Callable[["Module"], Any]) -> Self:
        """Call a function on every module inside, then on this one."""
        for module in self.children():
            module.apply(fn)
        fn(self)
        return self

    def train(self, mode: bool = True) -> Self:
        """Training mode: dropout drops."""
        if not isinstance(mode, bool):
            raise DTypeError(f"train: mode is {type(mode).__name__}, expected True or False")
        for module in self.modules():
            module.training = mode
        return self

    def eval(self) -> Self:
        """Evaluation mode: dropout does nothing."""
        return self.train(False)

    def zero_grad(self) -> None:
        """Forget all gradients."""
        for parameter in self.parameters():
            parameter.grad = None

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Train all parameters, or freeze them."""
        for parameter in self.parameters():
            parameter.requires_grad_(requires_grad)
        return self

    def to(self, *args: Any, **kwargs: Any) -> Self:
        """Convert the float parameters and buffers, in this very module: a dtype, a device."""
        wanted = Tensor(np.zeros(0, np.float32)).to(*args, **kwargs).dtype
        if wanted.kind != "f":
            raise DTypeError(
                f"{type(self).__name__}.to: got the dtype {wanted}, expected a float one"
            )
        for _, tensor in _once(self._tensors()):
            if tensor.dtype.kind == "f":
                for part in (tensor, tensor.grad):
                    if part is not None:
                        part.array = part.detach().to(*args, **kwargs).array
                        part.version[0] += 1
        return self

    def float(self) -> Self:
        """All as float32."""
        return self.to(np.float32)

    def double(self) -> Self:
        """All as float64."""
        return self.to(np.float64)

    def cpu(self) -> Self:
        """All on the CPU."""
        return self.to("cpu")

    def cuda(self, index: int = 0) -> Self:
        """All on a GPU."""
        return self.to(f"cuda:{index}")

    # ------------------------------------------------------------ saving and loading

    def state_dict(self) -> dict[str, Tensor]:
        """Parameters and buffers under their dotted names, memory shared."""
        return {name: tensor.detach() for name, tensor in self._tensors()}

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True) -> None:
        """Take over values by name: tensors or arrays of the same shapes and dtypes.

        Raises CheckpointError, with all that does not fit, before anything is changed; ``strict``
        says that missing and unexpected names do not fit either.
        """
        wrong = self.misfits(state_dict, strict)
        if wrong:
            raise CheckpointError(
                f"{type(self).__name__}.load_state_dict: nothing was loaded, as " + "; ".join(wrong)
            )
        fresh = [
            (tensor, backend_of(tensor.array).from_host(np.asarray(state_dict[name])))
            for name, tensor in self.state_dict().items()
            if name in state_dict
        ]
        for tensor, _ in fresh:
            check_writable(tensor.array, f"{type(self).__name__}.load_state_dict")
        for tensor, array in fresh:  # needs no memory: nothing can go wrong halfway
            tensor.array[...] = array
            tensor.version[0] += 1

    def misfits(self, state_dict: Mapping[str, Any], strict: bool = True) -> list[str]:
        """What in a ``state_dict`` does not fit this module, a line each."""
        if not isinstance(state_dict, Mapping):
            raise DTypeError(
                f"{type(self).__name__}.load_state_dict: got {type(state_dict).__name__}, expected "
                "a dict, as state_dict() gives"
            )
        own = self.state_dict()
        values = {name: _host_array(name, value) for name, value in state_dict.items()}
        wrong = [
            f"{name} has shape {values[name].shape} and {values[name].dtype}, "
            f"expected {tensor.shape} and {tensor.dtype}"
            for name, tensor in own.items()
            if name in values
            and (values[name].shape, values[name].dtype) != (tensor.shape, tensor.dtype)
        ]
        if strict:
            wrong += [f"{name} is missing" for name in own if name not in values]
            wrong += [f"{name} is unexpected" for name in values if name not in own]
        held: dict[int, str] = {}
        for name, tensor in own.items():
            first = held.setdefault(id(tensor.array), name)
            tied = first != name and name in values and first in values
            if tied and not np.array_equal(values[name], values[first], equal_nan=True):
                wrong.append(f"{name} differs from {first}, to which it is tied")
        return wrong

    def save_weights(self, path: Any) -> None:
        """Write the ``state_dict`` to a safetensors file; the old file stays if it fails."""
        from ..serialization import save_file

        save_file(path, {name: t.numpy() for name, t in self.state_dict().items()}, {})

    def load_weights(self, path: Any, strict: bool = True) -> None:
        """Read a file of :meth:`save_weights`, or any safetensors file of fitting names."""
        from ..serialization import load_file

        self.load_state_dict(load_file(path)[0], strict)

    # ------------------------------------------------------------ how it prints

    def extra_repr(self) -> str:
        """The settings that ``repr`` shows."""
        return ""

    def __repr__(self) -> str:
        lines = [f"({key}): {module!r}" for key, module in self.named_children()]
        extra = self.extra_repr()
        if not lines:
            return f"{type(self).__name__}({extra})"
        inner = "\n".join([extra] * bool(extra) + lines).replace("\n", "\n  ")
        return f"{type(self).__name__}(\n  {inner}\n)"


def _once(named: Iterable[tuple[str, T]]) -> list[tuple[str, T]]:
    """Each thing under the first of its names only."""
    seen: dict[int, tuple[str, T]] = {}
    for name, thing in named:
        seen.setdefault(id(thing), (name, thing))
    return list(seen.values())


def _host_array(name: str, value: Any) -> np.ndarray:
    try:
        return np.asarray(value)
    except Exception as error:
        raise CheckpointError(
            f"load_state_dict: {name} is {type(value).__name__}, which is no array: {error}"
        ) from error
