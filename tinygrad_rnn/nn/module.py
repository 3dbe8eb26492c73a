"""Module: what holds parameters, buffers and other modules, and finds them again by
name.
"""

import warnings
from collections import namedtuple
from collections.abc import Callable, Iterator, Mapping
from inspect import ismemberdescriptor
from reprlib import recursive_repr
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Self

import numpy as np

from ..backend import backends
from ..convert import on_host
from ..creation import as_tensor, empty, zeros_like
from ..engine.commit import Changes, commit, rewriting
from ..engine.node import check_writable, replace_array
from ..errors import (
    AttributeMissing,
    CheckpointError,
    DTypeError,
    GraphError,
    NoAttribute,
    OptionError,
    check_type,
    described,
    few,
    file_name,
    left_out,
)
from ..errors.tensor_checks import check_options
from ..tensor import Handle, Tensor

Keys = namedtuple("Keys", "missing_keys unexpected_keys")
_PLAIN = (list, tuple, dict)  # containers that register nothing


class Parameter(Tensor):
    """A tensor that a module trains: registered when it is assigned to a module's
    attribute.
    """

    __slots__ = ("name",)
    name: str  # the attribute under which it was registered first: messages name it

    def __init__(self, data: Any, requires_grad: bool = True) -> None:
        array, version = (
            (data.array, data.version) if isinstance(data, Tensor) else (data, None)
        )
        if type(array) not in backends:
            raise DTypeError(
                f"Parameter: got {described(data)}, expected a Tensor: tg.tensor()"
            )
        self._hold(array, version)  # the same memory
        if requires_grad:
            self.requires_grad_()
        self.name = "parameter"

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        out = super().__deepcopy__(memo)
        out.name = self.name
        return out

    def __repr__(self) -> str:
        return f"Parameter containing:\n{super().__repr__()}"


class _Hook(NamedTuple):
    """A function that is called before or after the forward of a module."""

    function: Callable[..., Any]
    is_before: bool
    with_kwargs: bool


class Module:
    """Base of all layers and models: parameters, submodules and buffers are its
    attributes.

    Write ``__init__``, which begins with ``super().__init__()``, and ``forward``.
    ``training`` is what ``train()`` and ``eval()`` set.

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
    _hooks: Mapping[int, _Hook] = {}  # the first hook of a module brings its own

    if TYPE_CHECKING:  # attributes come and go

        def __getattr__(self, name: str) -> Any: ...

    else:

        def __getattr__(self, name: str) -> Any:
            if name in left_out.LEFT_OUT["tg.nn.Module"]:
                raise left_out.error("tg.nn.Module", name, lambda: dir(type(self)))
            try:
                return object.__getattribute__(
                    self, name
                )  # raises what a property raised
            except AttributeError as error:
                if error.obj is not self or error.name != name or name.startswith("__"):
                    raise
                kind = type(self).__name__
                raise NoAttribute(kind, name, lambda: dir(self)) from None

    _name: ClassVar[str] = "nn.Module"  # for messages

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls._name = f"nn.{cls.__name__}"

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the module computes; a subclass says."""
        raise GraphError(
            f"{type(self).__name__}: forward is not defined; write it in the class"
        )

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self._hooks:
            return self._call_with_hooks(args, kwargs)
        return self.forward(*args, **kwargs)

    # ------------------------------------------------------------ hooks

    def register_forward_pre_hook(
        self,
        hook: Callable[..., Any],
        *,
        prepend: bool = False,
        with_kwargs: bool = False,
    ) -> Handle:
        """Call ``hook(module, args)`` before each ``forward``.

        Args:
            hook: a function; what it returns, unless None, replaces ``args``, a single
                value too.
            prepend: whether it is called before the hooks that are there.
            with_kwargs: call ``hook(module, args, kwargs)``, which returns None or both
                anew.

        Returns:
            A handle; its ``remove()`` takes the hook away.
        """
        return self._register(
            "register_forward_pre_hook", hook, True, prepend, with_kwargs
        )

    def register_forward_hook(
        self,
        hook: Callable[..., Any],
        *,
        prepend: bool = False,
        with_kwargs: bool = False,
    ) -> Handle:
        """Call ``hook(module, args, output)`` after each ``forward``.

        Args:
            hook: a function; what it returns, unless None, replaces the output.
            prepend: whether it is called before the hooks that are there.
            with_kwargs: call ``hook(module, args, kwargs, output)``.

        Returns:
            A handle; its ``remove()`` takes the hook away.

        >>> import tinygrad_rnn as tg
        >>> layer, shapes = tg.nn.Linear(4, 2), []
        >>> handle = layer.register_forward_hook(lambda module, args, out: shapes.append(out.shape))
        >>> out = layer(tg.ones(1, 4))
        >>> handle.remove()
        >>> shapes
        [(1, 2)]
        """
        return self._register(
            "register_forward_hook", hook, False, prepend, with_kwargs
        )

    def _register(
        self,
        name: str,
        function: Any,
        is_before: bool,
        prepend: bool,
        with_kwargs: bool,
    ) -> Handle:
        check_type(
            name, Callable, "a function of the module and what it takes", hook=function
        )
        check_options(name, prepend=prepend, with_kwargs=with_kwargs)
        hooks: dict[int, _Hook] = self.__dict__.setdefault("_hooks", {})
        step = -1 if prepend else 1
        key = (min(hooks, default=0) if prepend else max(hooks, default=0)) + step
        hooks[key] = _Hook(function, is_before, with_kwargs)
        return Handle(hooks.pop, key, None)

    def _call_with_hooks(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        hooks = [
            hook for _, hook in sorted(self._hooks.items(), key=lambda item: item[0])
        ]
        for hook in hooks:
            if hook.is_before:
                args, kwargs = self._call_before(hook, args, kwargs)
        output = self.forward(*args, **kwargs)
        for hook in hooks:
            if not hook.is_before:
                given = (args, kwargs, output) if hook.with_kwargs else (args, output)
                new = self._call_hook(hook, *given)
                output = output if new is None else new
        return output

    def _call_hook(self, hook: _Hook, *given: Any) -> Any:
        """What a hook returns; an error is told whose hook it came from."""
        try:
            return hook.function(self, *given)
        except Exception as error:
            kind = "forward pre-hook" if hook.is_before else "forward hook"
            layer = f"{type(self).__name__}({self.extra_repr()})"
            error.add_note(f"It was raised by a {kind} of {layer}.")
            raise

    def _call_before(
        self, hook: _Hook, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        """The arguments as a hook leaves them."""
        if not hook.with_kwargs:
            new = self._call_hook(hook, args)
            new = args if new is None else new
            return (new if isinstance(new, tuple) else (new,)), kwargs
        new = self._call_hook(hook, args, kwargs)
        if new is None:
            return args, kwargs
        if not isinstance(new, tuple) or len(new) != 2:
            expected = "expected None or a tuple (args, kwargs)"
            raise DTypeError(
                f"{self._name}: a forward pre-hook gave {described(new)}, {expected}"
            )
        return new

    # ------------------------------------------------------------ attributes

    def __setattr__(self, name: str, value: Any) -> None:
        if _is_data_descriptor(
            type(self), name
        ):  # a property, an entry of __slots__: Python's
            self._warn_of_unseen(name, value)
            object.__setattr__(self, name, value)
            return
        held = self.__dict__.get(name)
        kind: Any = next(
            (kind for kind in (Parameter, Module) if isinstance(held, kind)), object
        )
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
        if not isinstance(value, _PLAIN) or name in warned:
            return
        if any(isinstance(item, Module | Parameter) for item in items):
            self.__dict__["_warned"] = (
                *warned,
                name,
            )  # once, when filled or when looked through
            what = f"{type(self).__name__}.{name} is a plain {type(value).__name__} that holds"
            why = "modules or parameters: they are not registered and will not be trained or saved;"
            way = "use nn.ModuleList or nn.ModuleDict, nn.ParameterList or nn.ParameterDict"
            warnings.warn(f"{what} {why} {way}", stacklevel=3)

    def _warn_of_unseen(self, name: str, value: Any) -> None:
        is_slot = ismemberdescriptor(getattr(type(self), name, None))
        if is_slot and isinstance(value, Module | Parameter):
            what = f"{type(self).__name__}.{name} is in __slots__, so the {type(value).__name__}"
            way = "is not registered and will not be trained or saved; take the name out of __slots__"
            warnings.warn(f"{what} {way}", stacklevel=3)

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Hold a parameter under a name, as assignment to the attribute does."""
        self._check_registered("register_parameter", name, Parameter)
        check_type(
            "register_parameter",
            Parameter | None,
            "an nn.Parameter or None",
            param=param,
        )
        setattr(self, name, param)

    def add_module(self, name: str, module: "Module | None") -> None:
        """Hold a module under a name, as assignment to the attribute does."""
        self._check_registered("add_module", name, Module)
        check_type("add_module", Module | None, "an nn.Module or None", module=module)
        setattr(self, name, module)

    def register_module(self, name: str, module: "Module | None") -> None:
        """Another name of :meth:`add_module`."""
        self.add_module(name, module)

    def _check_registered(self, who: str, name: Any, kind: type) -> None:
        """Raise if the name is taken by something of another kind."""
        if not isinstance(name, str) or not isinstance(self.__dict__.get(name), kind):
            self._check_name(who, name)

    def register_buffer(
        self, name: str, tensor: Tensor | None, persistent: bool = True
    ) -> None:
        """Hold a tensor that is moved with the module, and saved if persistent, but not
        trained.
        """
        held = self.__dict__.get("_buffers", {})
        if not isinstance(name, str) or name not in held:
            self._check_name("register_buffer", name)
        check_type(self._name, Tensor | None, "a Tensor or None", **{name: tensor})
        self._buffers = held | {name: persistent}
        self.__dict__[name] = tensor

    def _check_name(self, who: str, name: Any) -> None:
        """Require a name under which something can be found again."""
        if not isinstance(name, str) or "." in name or not name or hasattr(self, name):
            expected = "a str that is not empty, without dots, and not in use"
            raise OptionError(f"{who}: the name is {name!r:.80}, expected {expected}")

    # ------------------------------------------------------------ what is inside

    def named_children(self) -> Iterator[tuple[str, "Module"]]:
        """The modules directly inside, each once, with their names."""
        found: dict[int, tuple[str, Module]] = {}
        for name, module in self._held(Module):
            found.setdefault(id(module), (name, module))
        return iter(list(found.values()))

    def children(self) -> Iterator["Module"]:
        """The modules directly inside, each once."""
        return iter([module for _, module in self.named_children()])

    def _held(self, kind: Any) -> list[tuple[str, Any]]:
        """The attributes of a kind, under each of their names."""
        return [
            (name, value)
            for name, value in self.__dict__.items()
            if isinstance(value, kind)
        ]

    def _paths(
        self,
        prefix: str = "",
        seen: set[int] | None = None,
        above: tuple[int, ...] = (),
    ) -> Iterator[tuple[str, "Module"]]:
        """This module and all inside it, with what goes before the names in each of
        them.

        A shared module comes under each of its names, or once, if there is a set for
        what was seen.
        """
        if seen is not None:
            if id(self) in seen:
                return
            seen.add(id(self))
        yield prefix, self
        above = (*above, id(self))
        for name, child in self._held(Module):
            if id(child) not in above:  # a module that knows the one that holds it
                yield from child._paths(f"{prefix}{name}.", seen, above)

    def _tensors(
        self,
        prefix: str = "",
        recurse: bool = True,
        once: bool = True,
        saved: bool = False,
    ) -> Iterator[tuple[str, Tensor]]:
        """Parameters and buffers with their dotted names; a tied one under the first of
        them.

        Unless ``once``: then it comes under each of its names. ``saved``: those that
        files hold.
        """
        prefix = f"{prefix}." if prefix else ""
        paths = (
            self._paths(prefix, set() if once else None)
            if recurse
            else [(prefix, self)]
        )
        seen: set[int] = set()
        for path, module in list(paths):
            buffers = module.__dict__.get("_buffers", {})
            for name, value in list(module.__dict__.items()):
                if isinstance(value, _PLAIN):  # before the call: there are many others
                    module._warn_of_hidden(name, value)
                is_buffer = name in buffers and isinstance(value, Tensor)
                kept = isinstance(value, Parameter) or (
                    is_buffer and (buffers[name] or not saved)
                )
                if kept and not (once and id(value) in seen):
                    seen.add(id(value))
                    yield path + name, value

    @staticmethod
    def _check_search(name: str, prefix: Any, **flags: Any) -> None:
        check_type(name, str, "a str", prefix=prefix)
        if not all(type(value) is bool for value in flags.values()):
            check_options(name, **flags)

    def named_modules(
        self,
        memo: set["Module"] | None = None,
        prefix: str = "",
        remove_duplicate: bool = True,
    ) -> Iterator[tuple[str, "Module"]]:
        """This module and all inside it, each once, with its dotted name.

        Args:
            memo: modules to leave out; those that are found are added.
            prefix: what goes before each name, and is this module's own.
            remove_duplicate: False gives a shared module under each of its names.
        """
        self._check_search("named_modules", prefix, remove_duplicate=remove_duplicate)
        seen = {id(module) for module in memo or ()}
        start = f"{prefix}." if prefix else ""
        found = list(self._paths(start, seen if remove_duplicate else None))
        if memo is not None:
            memo.update(module for _, module in found)
        return iter([(path[:-1], module) for path, module in found])

    def modules(self) -> Iterator["Module"]:
        """This module and all inside it, each once."""
        return iter([module for _, module in self._paths("", set())])

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Parameter]]:
        """All parameters, each once, with its dotted name.

        Args:
            prefix: what goes before each name.
            recurse: False gives the parameters of this module alone.
            remove_duplicate: False gives a tied parameter under each of its names.
        """
        how = {"recurse": recurse, "remove_duplicate": remove_duplicate}
        self._check_search("named_parameters", prefix, **how)
        found = self._tensors(prefix, recurse, remove_duplicate)
        return iter(
            [(name, value) for name, value in found if isinstance(value, Parameter)]
        )

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """All parameters, each once: what an optimizer takes; of this module alone, if
        asked.
        """
        return iter([value for _, value in self.named_parameters("", recurse)])

    def named_buffers(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Tensor]]:
        """All buffers, each once, with its dotted name: as :meth:`named_parameters`."""
        how = {"recurse": recurse, "remove_duplicate": remove_duplicate}
        self._check_search("named_buffers", prefix, **how)
        found = self._tensors(prefix, recurse, remove_duplicate)
        return iter(
            [(name, value) for name, value in found if not isinstance(value, Parameter)]
        )

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """All buffers, each once."""
        return iter([value for _, value in self.named_buffers("", recurse)])

    def get_submodule(self, target: str) -> "Module":
        """The module of a dotted name; this one of an empty name."""
        return self._get("get_submodule", target, Module) if target else self

    def get_parameter(self, target: str) -> Parameter:
        """The parameter of a dotted name."""
        return self._get("get_parameter", target, Parameter)

    def get_buffer(self, target: str) -> Tensor:
        """The buffer of a dotted name."""
        return self._get("get_buffer", target, Tensor)

    def _get(self, who: str, target: Any, kind: type) -> Any:
        check_type(who, str, "a dotted name", target=target)
        path, _, last = target.rpartition(".")
        holder = self
        for name in path.split(".") if path else ():
            holder = holder._get_own(who, target, name, Module)
        return holder._get_own(who, target, last, kind)

    def _get_own(self, who: str, target: str, name: str, kind: type) -> Any:
        value = self.__dict__.get(name)
        is_buffer = kind is Tensor and name not in self.__dict__.get("_buffers", ())
        if not isinstance(value, kind) or is_buffer:
            what = {Module: "module", Parameter: "parameter"}.get(kind, "buffer")
            names = [key for key, _ in self._held(kind)]
            got = f"{target!r}: {type(self).__name__} has no {what} {name!r}"
            raise AttributeMissing(f"{who}: {got}, expected one of {names}")
        return value

    def num_parameters(self) -> int:
        """How many numbers are trained."""
        return sum(p.numel() for p in self.parameters() if p.requires_grad)

    # ------------------------------------------------------------ what is done to all

    def apply(self, fn: Callable[["Module"], Any]) -> Self:
        """Call a function on every module inside, then on this one."""
        check_type("apply", Callable, "a function of a module", fn=fn)
        self._apply_inside(fn, ())
        return self

    def _apply_inside(
        self, fn: Callable[["Module"], Any], above: tuple[int, ...]
    ) -> None:
        above = (*above, id(self))
        for module in self.children():
            if id(module) not in above:
                module._apply_inside(fn, above)
        fn(self)

    def train(self, mode: bool = True) -> Self:
        """Training mode: dropout drops."""
        check_type("train", bool, "True or False", mode=mode)
        for module in self.modules():
            module.training = mode
        return self

    def eval(self) -> Self:
        "Evaluation mode: dropout does nothing."
        return self.train(False)

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget all gradients, or set those that are there to zeros."""
        if type(set_to_none) is not bool:  # before the call: this is done in every step
            check_options("zero_grad", set_to_none=set_to_none)
        for parameter in self.parameters():
            keep = parameter.grad is not None and not set_to_none
            parameter.grad = zeros_like(parameter) if keep else None

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Train all parameters, or freeze them."""
        for parameter in self.parameters():
            parameter.requires_grad_(requires_grad)
        return self

    def to(self, *args: Any, **kwargs: Any) -> Self:
        """Move all to a device, convert floats to a dtype, or as another tensor; in
        this module.
        """
        parts = [p for _, t in self._tensors() for p in (t, t.grad) if p is not None]
        fresh = []
        for part in parts:
            is_float, own = part.dtype.kind == "f", part.detach()
            moved = (own if is_float else empty(0, device=part.device)).to(
                *args, **kwargs
            )
            if moved.dtype.kind != "f":
                raise DTypeError(
                    f"{type(self).__name__}.to: got {moved.dtype}, expected floats"
                )
            fresh.append((moved if is_float else own.to(moved.device)).array)
        for part, array in zip(parts, fresh, strict=True):
            if part.array is not array:
                replace_array(part, array, [0, 0])
        return self

    def float(self) -> Self:
        "All as float32."
        return self.to(np.float32)

    def double(self) -> Self:
        "All as float64."
        return self.to(np.float64)

    def cpu(self) -> Self:
        "All on the CPU."
        return self.to("cpu")

    def cuda(self, device: Any = None) -> Self:
        """All on a GPU: the first one, or that of a number or a name."""
        return self.to(device if isinstance(device, str) else f"cuda:{device or 0}")

    # ------------------------------------------------------------ saving and loading

    def state_dict(self) -> dict[str, Tensor]:
        """Parameters and buffers under their dotted names, memory shared: no copy.

        They go on changing with the training. What is to be put back later, such as the
        best weights so far, has to be copied; a file of :func:`tinygrad_rnn.save` is a
        copy, too.

        >>> import copy
        >>> from tinygrad_rnn import nn
        >>> model = nn.Linear(2, 1)
        >>> best = copy.deepcopy(model.state_dict())
        >>> _ = nn.init.zeros_(model.weight)
        >>> model.load_state_dict(best)
        Keys(missing_keys=[], unexpected_keys=[])
        >>> bool(model.weight.any())
        True
        """
        return {
            name: tensor.detach()
            for name, tensor in self._tensors(once=False, saved=True)
        }

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True
    ) -> Keys:
        """Take over values by name: tensors or arrays of the same shapes and dtypes.

        Returns the names that are missing and those that are unexpected, as PyTorch
        does.

        Raises CheckpointError, with all that does not fit, before anything is changed;
        ``strict`` says that missing and unexpected names do not fit either.
        """
        name = f"{type(self).__name__}.load_state_dict"
        wrong, values = self._compared(name, state_dict, strict)
        if wrong:
            raise CheckpointError(f"{name}: nothing was loaded, as " + few(wrong, "; "))
        commit(self._loading(values))
        held = self.state_dict()
        return Keys(_missing(held, values), [key for key in values if key not in held])

    def _loading(self, state_dict: Mapping[str, Any]) -> Changes:
        """The changes that put a ``state_dict`` back that fits, for ``commit``."""
        held, pairs = self.state_dict(), []
        arrays = [own.array for own in held.values() if type(own.array) is np.ndarray]
        for key in [key for key in held if key in state_dict]:
            check_writable(held[key].array, f"{type(self).__name__}.load_state_dict")
            value = np.asarray(on_host(state_dict[key]))
            if any(np.may_share_memory(value, array) for array in arrays):
                value = value.copy()  # else it would change on the way
            pairs.append((held[key], as_tensor(value, device=held[key].device).array))
        return rewriting(pairs)

    def misfits(self, state_dict: Mapping[str, Any], strict: bool = True) -> list[str]:
        """What in a ``state_dict`` does not fit this module, a line each."""
        return self._compared(f"{type(self).__name__}.misfits", state_dict, strict)[0]

    def _compared(
        self, name: str, state_dict: Any, strict: bool
    ) -> tuple[list[str], Any]:
        """What does not fit, and the values as arrays."""
        check_type(
            name, Mapping, "a dict, as state_dict() gives", state_dict=state_dict
        )
        values, wrong = {}, []
        first: dict[int, str] = {}  # the first name of each array
        for key, value in state_dict.items():
            try:
                values[key] = np.asarray(on_host(value))
            except MemoryError:
                raise
            except Exception as error:
                wrong.append(
                    f"{key} is {type(value).__name__}, which is no array: {error}"
                )
        held = self.state_dict()
        for key in [key for key in held if key in values]:
            value, own, tie = (
                values[key],
                held[key],
                first.setdefault(id(held[key].array), key),
            )
            if (value.shape, value.dtype) != (own.shape, own.dtype):
                expected = f"expected {own.shape} and {own.dtype}"
                wrong.append(
                    f"{key} has shape {value.shape} and {value.dtype}, {expected}"
                )
            elif not np.array_equal(value, values[tie], equal_nan=True):
                wrong.append(f"{key} differs from {tie}, to which it is tied")
        if strict:
            wrong += [f"{key} is missing" for key in _missing(held, state_dict)]
            wrong += [f"{key} is unexpected" for key in state_dict if key not in held]
        return wrong, values

    def save_weights(self, path: Any) -> None:
        """Write the ``state_dict`` to a safetensors file; the old file stays if it
        fails.
        """
        from ..serialization import save_file

        save_file(
            path, {name: t.cpu().numpy() for name, t in self.state_dict().items()}, {}
        )

    def load_weights(self, path: Any, strict: bool = True) -> Keys:
        """Read a file of :meth:`save_weights`, or any safetensors file of fitting
        names.

        Of tied parameters one name is enough, as safetensors.torch.save_model writes
        them; float16 and bfloat16 are read as float32.
        """
        from ..serialization import load_file

        arrays, header = load_file(path)
        if "checkpoint" in header:
            way = "a checkpoint; tg.load_checkpoint(path, model) reads it"
            raise CheckpointError(f"load_weights: {file_name(path)!r} is {way}")
        if "saved" in header:
            way = "what tg.save wrote; use model.load_state_dict(tg.load(path))"
            raise CheckpointError(f"load_weights: {file_name(path)!r} is {way}")
        return self.load_state_dict(arrays, strict)

    # ------------------------------------------------------------ how it prints

    def extra_repr(self) -> str:
        """The settings that ``repr`` shows."""
        return ""

    @recursive_repr()
    def __repr__(self) -> str:
        lines = [f"({key}): {module!r}" for key, module in self._held(Module)]
        extra = self.extra_repr()
        if not lines and "\n" not in extra and not extra.startswith("("):
            return f"{type(self).__name__}({extra})"
        inner = "\n".join(filter(None, [extra, *lines])).replace("\n", "\n  ")
        return f"{type(self).__name__}(\n  {inner}\n)"


def _missing(held: Mapping[str, Tensor], given: Mapping[str, Any]) -> list[str]:
    """The names that get no value, neither their own nor that of one to which they are
    tied.
    """
    filled = {id(tensor.array) for name, tensor in held.items() if name in given}
    return [
        k
        for k, tensor in held.items()
        if k not in given and id(tensor.array) not in filled
    ]


def _is_data_descriptor(kind: type, name: str) -> bool:
    """Whether the class has a data descriptor of this name, which then handles
    assignment.
    """
    for base in kind.__mro__:
        if name in base.__dict__:
            held = type(base.__dict__[name])
            return hasattr(held, "__set__") or hasattr(held, "__delete__")
    return False
