"""Module: what holds parameters, buffers and other modules, and finds them again by name."""

import warnings
from collections import namedtuple
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from ..creation import as_tensor, empty
from ..engine.node import check_writable, replace_array
from ..errors import CheckpointError, DTypeError, GraphError, OptionError, check_type, described
from ..tensor import Tensor, on_host

Keys = namedtuple("Keys", "missing_keys unexpected_keys")


class Parameter(Tensor):
    """A tensor that a module trains: registered when it is assigned to a module's attribute."""

    __slots__ = ("name",)
    name: str  # the attribute under which it was registered first: messages name it

    def __init__(self, data: Any, requires_grad: bool = True) -> None:
        super().__init__(data.array if isinstance(data, Tensor) else data, requires_grad)
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

    Write ``__init__``, which begins with ``super().__init__()``, and ``forward``. ``training`` is
    what ``train()`` and ``eval()`` set.

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

    if TYPE_CHECKING:  # attributes come and go

        def __getattr__(self, name: str) -> Any: ...

    _name: ClassVar[str] = "nn.Module"  # for messages

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls._name = f"nn.{cls.__name__}"

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the module computes; a subclass says."""
        raise GraphError(f"{type(self).__name__}: forward is not defined; write it in the class")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.forward(*args, **kwargs)

    # ------------------------------------------------------------ attributes

    def __setattr__(self, name: str, value: Any) -> None:
        held = self.__dict__.get(name)
        kind: Any = next((kind for kind in (Parameter, Module) if isinstance(held, kind)), object)
        if name in self.__dict__ and name in self.__dict__.get("_buffers", ()):
            kind = Tensor
        if not isinstance(value, kind | None):
            what = "buffer" if kind is Tensor else type(held).__name__
            got = f"{type(self).__name__}: {name} is a {what}, so it can become another one or None"
            raise DTypeError(f"{got}, not {described(value)}; `del` it first")
        if isinstance(value, Parameter) and value.name == "parameter":
            value.name = name
        self._warn_of_hidden(name, value)
        self.__dict__[name] = value

    def _warn_of_hidden(self, name: str, value: Any) -> None:
        warned = self.__dict__.get("_warned", ())
        items = value.values() if isinstance(value, dict) else value
        if not isinstance(value, list | tuple | dict) or name in warned:
            return
        if any(isinstance(item, Module | Parameter) for item in items):
            self.__dict__["_warned"] = (*warned, name)  # once, when filled or when looked through
            what = f"{type(self).__name__}.{name} is a plain {type(value).__name__} that holds"
            why = "modules or parameters: they are not registered and will not be trained or saved;"
            way = "use nn.ModuleList or nn.ModuleDict, and attributes of their own for parameters"
            warnings.warn(f"{what} {why} {way}", stacklevel=3)

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Hold a tensor that is moved with the module, and saved if persistent, but not trained."""
        held = self.__dict__.get("_buffers", {})
        if not isinstance(name, str) or name not in held:
            self._check_name("register_buffer", name)
        check_type(self._name, Tensor | None, "a Tensor or None", **{name: tensor})
        self._buffers = held | {name: persistent}
        self.__dict__[name] = tensor

    def _check_name(self, who: str, name: Any) -> None:
        """Refuse a name under which something could not be found again."""
        if not isinstance(name, str) or "." in name or not name or hasattr(self, name):
            raise OptionError(f"{who}: the name {name!r:.80} is no text, empty, dotted or taken")

    # ------------------------------------------------------------ what is inside

    def named_children(self) -> Iterator[tuple[str, "Module"]]:
        """The modules directly inside, with their names."""
        return iter([(k, v) for k, v in self.__dict__.items() if isinstance(v, Module)])

    def children(self) -> Iterator["Module"]:
        """The modules directly inside."""
        return iter([module for _, module in self.named_children()])

    def _paths(self, prefix: str = "", above: tuple[int, ...] = ()) -> Iterator[Any]:
        """This module and all inside it, with what goes before the names in each of them.

        A shared module comes under each of its names.
        """
        yield prefix, self
        above = (*above, id(self))
        for key, child in self.named_children():
            if id(child) not in above:  # a module that knows the one that holds it
                yield from child._paths(f"{prefix}{key}.", above)

    def _tensors(self, saved: bool = False) -> Iterator[tuple[str, Tensor]]:
        """Parameters and buffers with their dotted names; a tied one under each of its names."""
        for prefix, module in list(self._paths()):
            buffers = module.__dict__.get("_buffers", {})
            for key, value in list(module.__dict__.items()):
                module._warn_of_hidden(key, value)
                held = key in buffers and isinstance(value, Tensor) and (buffers[key] or not saved)
                if held or isinstance(value, Parameter):
                    yield prefix + key, value

    def named_modules(self) -> Iterator[tuple[str, "Module"]]:
        """This module and all inside it, each once, with its dotted name."""
        return iter([(prefix[:-1], module) for prefix, module in _once(self._paths())])

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
        check_type("apply", Callable, "a function of a module", fn=fn)
        for module in self.children():
            module.apply(fn)
        fn(self)
        return self

    def train(self, mode: bool = True) -> Self:
        """Training mode: dropout drops."""
        check_type("train", bool, "True or False", mode=mode)
        for module in self.modules():
            module.training = mode
        return self

    def eval(self) -> Self: "Evaluation mode: dropout does nothing."; return self.train(False)  # fmt: skip

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
        """Move all to a device, convert floats to a dtype, or as another tensor; in this module."""
        parts = [p for _, t in _once(self._tensors()) for p in (t, t.grad) if p is not None]
        fresh = []
        for part in parts:
            is_float, own = part.dtype.kind == "f", part.detach()
            moved = (own if is_float else empty(0, device=part.device)).to(*args, **kwargs)
            if moved.dtype.kind != "f":
                raise DTypeError(f"{type(self).__name__}.to: got {moved.dtype}, expected floats")
            fresh.append((moved if is_float else own.to(moved.device)).array)
        for part, array in zip(parts, fresh, strict=True):
            if part.array is not array:
                replace_array(part, array, [0, 0])
        return self

    # fmt: off
    def float(self) -> Self: "All as float32."; return self.to(np.float32)
    def double(self) -> Self: "All as float64."; return self.to(np.float64)
    def cpu(self) -> Self: "All on the CPU."; return self.to("cpu")
    # fmt: on
    def cuda(self, device: Any = None) -> Self:
        """All on a GPU: the first one, or that of a number or a name."""
        return self.to(device if isinstance(device, str) else f"cuda:{device or 0}")

    # ------------------------------------------------------------ saving and loading

    def state_dict(self) -> dict[str, Tensor]:
        """Parameters and buffers under their dotted names, memory shared."""
        return {name: tensor.detach() for name, tensor in self._tensors(saved=True)}

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True) -> Keys:
        """Take over values by name: tensors or arrays of the same shapes and dtypes.

        Returns the names that are missing and those that are unexpected, as PyTorch does.

        Raises CheckpointError, with all that does not fit, before anything is changed; ``strict``
        says that missing and unexpected names do not fit either.
        """
        name = f"{type(self).__name__}.load_state_dict"
        wrong, values = self._compared(name, state_dict, strict)
        if wrong:
            raise CheckpointError(f"{name}: nothing was loaded, as " + "; ".join(wrong))
        held, pairs = self.state_dict(), []
        arrays = [own.array for own in held.values() if type(own.array) is np.ndarray]
        for key in [key for key in held if key in values]:
            check_writable(held[key].array, name)
            value = values[key]
            if any(np.may_share_memory(value, array) for array in arrays):
                value = value.copy()  # else it would change on the way
            pairs.append((held[key], as_tensor(value, device=held[key].device)))
        for own, given in pairs:  # needs no memory: nothing can go wrong halfway
            own.copy_(given)
        return Keys(_missing(held, values), [key for key in values if key not in held])

    def misfits(self, state_dict: Mapping[str, Any], strict: bool = True) -> list[str]:
        """What in a ``state_dict`` does not fit this module, a line each."""
        return self._compared(f"{type(self).__name__}.misfits", state_dict, strict)[0]

    def _compared(self, name: str, state_dict: Any, strict: bool) -> tuple[list[str], Any]:
        """What does not fit, and the values as arrays."""
        check_type(name, Mapping, "a dict, as state_dict() gives", state_dict=state_dict)
        values, wrong = {}, []
        first: dict[int, str] = {}  # the first name of each array
        for key, value in state_dict.items():
            try:
                values[key] = np.asarray(on_host(value))
            except Exception as error:
                wrong.append(f"{key} is {type(value).__name__}, which is no array: {error}")
        held = self.state_dict()
        for key in [key for key in held if key in values]:
            value, own, tie = values[key], held[key], first.setdefault(id(held[key].array), key)
            if (value.shape, value.dtype) != (own.shape, own.dtype):
                expected = f"expected {own.shape} and {own.dtype}"
                wrong.append(f"{key} has shape {value.shape} and {value.dtype}, {expected}")
            elif not np.array_equal(value, values[tie], equal_nan=True):
                wrong.append(f"{key} differs from {tie}, to which it is tied")
        if strict:
            wrong += [f"{key} is missing" for key in _missing(held, state_dict)]
            wrong += [f"{key} is unexpected" for key in state_dict if key not in held]
        return wrong, values

    def save_weights(self, path: Any) -> None:
        """Write the ``state_dict`` to a safetensors file; the old file stays if it fails."""
        from ..serialization import save_file

        save_file(path, {name: t.cpu().numpy() for name, t in self.state_dict().items()}, {})

    def load_weights(self, path: Any, strict: bool = True) -> Keys:
        """Read a file of :meth:`save_weights`, or any safetensors file of fitting names.

        Of tied parameters one name is enough, as safetensors.torch.save_model writes them; float16
        and bfloat16 are read as float32.
        """
        from ..serialization import load_file

        arrays, header = load_file(path)
        if "checkpoint" in header:
            raise CheckpointError(f"load_weights: {path} is for tg.load_checkpoint(path, model)")
        if "saved" in header:
            way = "model.load_state_dict(tg.load(path))"
            raise CheckpointError(f"load_weights: {path} is of tg.save; use {way}")
        return self.load_state_dict(arrays, strict)

    # ------------------------------------------------------------ how it prints

    def extra_repr(self) -> str:
        """The settings that ``repr`` shows."""
        return ""

    def __repr__(self) -> str:
        lines = [f"({key}): {module!r}" for key, module in self.named_children()]
        if not lines:
            return f"{type(self).__name__}({self.extra_repr()})"
        inner = "\n".join(filter(None, [self.extra_repr(), *lines])).replace("\n", "\n  ")
        return f"{type(self).__name__}(\n  {inner}\n)"


def _missing(held: Mapping[str, Tensor], given: Mapping[str, Any]) -> list[str]:
    """The names that get no value, neither their own nor that of one to which they are tied."""
    filled = {id(tensor.array) for name, tensor in held.items() if name in given}
    return [k for k, tensor in held.items() if k not in given and id(tensor.array) not in filled]


def _once(named: Iterable[tuple[str, Any]]) -> list[tuple[str, Any]]:
    """Each thing under the first of its names only."""
    seen: dict[int, tuple[str, Any]] = {}
    for name, thing in named:
        seen.setdefault(id(thing), (name, thing))
    return list(seen.values())
