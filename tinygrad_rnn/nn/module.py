"""Module, the base of all layers and models, which finds its parts by dotted names."""

from collections.abc import Callable, Iterator, Mapping
from inspect import isdatadescriptor, ismemberdescriptor
from reprlib import recursive_repr
from typing import Any, ClassVar, Self, TypeVar

from ..creation import empty, zeros_like
from ..engine import seam
from ..engine.commit import Changes, commit
from ..engine.node import Version, replace_array
from ..engine.warned import warn_user
from ..errors import (
    AttributeMissing,
    CheckpointError,
    DTypeError,
    GraphError,
    NoAttribute,
    OptionError,
    abbreviate,
    check_type,
    describe,
    file_name,
    left_out,
)
from ..errors.tensor_checks import check_options
from ..serialization import load_file, save_file
from ..tensor import Handle, Tensor
from ..tensor.moving import Movable
from ..types import Array, Function, Operand, Setting, Settings
from .construction import explain_forward
from .hooks import ForwardHook, add_hook, call_with_hooks
from .parameter import UNNAMED, Parameter
from .state_dict import (
    IncompatibleKeys,
    find_misfits,
    incompatible_keys,
    loading_changes,
    way_to_fit,
)

Kind = TypeVar("Kind")
PLAIN_CONTAINERS = (list, tuple, dict)  # what is in them is not registered


class Module(Movable):
    """Base of all layers and models, like torch.nn.Module.

    A subclass writes ``__init__``, which begins with ``super().__init__()``, and
    ``forward``. Parameters, buffers and modules are found among the attributes: there
    is no other registry, so assignment and ``del`` are all there is to it.

    Attributes:
        training: What ``train()`` and ``eval()`` set.

    Example:
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
    # An instance that has any of these gets a dict or tuple of its own.
    _hooks: Mapping[int, ForwardHook] = {}
    _buffers: Mapping[str, bool] = {}  # whether they are persistent
    _warned: tuple[str, ...] = ()  # the names of plain containers
    _name: ClassVar[str] = "nn.Module"  # for messages

    def __init_subclass__(cls, **kwargs: Setting) -> None:
        super().__init_subclass__(**kwargs)
        cls._name = f"nn.{cls.__name__}"

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Compute the output; a subclass defines it.

        Example:
            >>> from tinygrad_rnn import nn, ones
            >>> class Double(nn.Module):
            ...     def forward(self, x):
            ...         return 2 * x
            >>> Double()(ones(2)).tolist()  # a call runs forward, and hooks
            [2.0, 2.0]
        """
        raise GraphError(
            f"{type(self).__name__}: forward is not defined; write it in the class"
        )

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if seam.recorder is not None:
            seam.module_called(self)
        if self._hooks:
            seam.refuse(f"a hook of {type(self).__name__}", "remove it")
            return call_with_hooks(self, self._hooks, args, kwargs)
        try:
            return self.forward(*args, **kwargs)
        except TypeError:
            explain_forward(self, args, kwargs)
            raise

    # ------------------------------------------------------------ hooks

    def register_forward_pre_hook(
        self, hook: Function, *, prepend: bool = False, with_kwargs: bool = False
    ) -> Handle:
        """Call ``hook(module, args)`` before each ``forward``.

        Args:
            hook: A function. What it returns, unless None, replaces ``args``; a single
                value may stand for a tuple of one.
            prepend: Call it before the hooks registered so far, not after them.
            with_kwargs: Call ``hook(module, args, kwargs)``, which returns None or the
                pair ``(args, kwargs)``.

        Returns:
            A handle; its ``remove()`` removes the hook.

        Example:
            >>> import tinygrad_rnn as tg
            >>> layer, shapes = tg.nn.Linear(4, 2), []
            >>> def record(module, args):
            ...     shapes.append(args[0].shape)
            >>> handle = layer.register_forward_pre_hook(record)
            >>> out = layer(tg.ones(1, 4))
            >>> shapes
            [(1, 4)]
        """
        name = "register_forward_pre_hook"
        return self._register_hook(name, ForwardHook(hook, True, with_kwargs), prepend)

    def register_forward_hook(
        self, hook: Function, *, prepend: bool = False, with_kwargs: bool = False
    ) -> Handle:
        """Call ``hook(module, args, output)`` after each ``forward``.

        Args:
            hook: A function. What it returns, unless None, replaces the output.
            prepend: Call it before the hooks registered so far, not after them.
            with_kwargs: Call ``hook(module, args, kwargs, output)``.

        Returns:
            A handle; its ``remove()`` removes the hook.

        Example:
            >>> import tinygrad_rnn as tg
            >>> layer, shapes = tg.nn.Linear(4, 2), []
            >>> def record(module, args, output):
            ...     shapes.append(output.shape)
            >>> handle = layer.register_forward_hook(record)
            >>> out = layer(tg.ones(1, 4))
            >>> handle.remove()
            >>> shapes
            [(1, 2)]
        """
        name = "register_forward_hook"
        return self._register_hook(name, ForwardHook(hook, False, with_kwargs), prepend)

    def _register_hook(self, name: str, hook: ForwardHook, prepend: bool) -> Handle:
        expected = "a function of the module and its arguments"
        check_type(name, Callable, expected, hook=hook.function)
        check_options(name, prepend=prepend, with_kwargs=hook.with_kwargs)
        seam.count_change(f"{name}()")
        return add_hook(self.__dict__.setdefault("_hooks", {}), hook, prepend)

    # ------------------------------------------------------------ attributes

    def __getattr__(self, name: str) -> Any:
        if name in left_out.table()["tg.nn.Module"]:
            raise left_out.error("tg.nn.Module", name, lambda: dir(type(self)))
        # Python comes here after any AttributeError, also one inside a property: asking
        # again raises that one, and tells by its obj and name whose it is.
        try:
            return object.__getattribute__(self, name)
        except AttributeError as error:
            is_own = error.obj is self and error.name == name
            if not is_own or name.startswith("__"):
                raise
            lacking = f"{type(self).__name__!r} object has no attribute {name!r}"
            raise NoAttribute(
                name, lambda: lacking + left_out.names_like(name, dir(self))
            ) from None

    def __setattr__(self, name: str, value: object) -> None:
        descriptor = _find_descriptor(type(self), name)
        if descriptor is not None and isdatadescriptor(descriptor):
            # A property or a slot: as in Python.
            if ismemberdescriptor(descriptor):
                self._warn_of_slot(name, value)
            object.__setattr__(self, name, value)
            return
        self._check_replacement(name, value)
        _check_not_compiled(name, value)
        if isinstance(value, Parameter) and value.name == UNNAMED:
            value.name = name
        self._warn_of_plain_container(name, value)
        if self.__dict__.get(name, self) is not value:
            way = "set attributes and make modules outside, or return the new value"
            seam.count_change(f"setting {type(self).__name__}.{name}", way)
        self.__dict__[name] = value

    def __delattr__(self, name: str) -> None:
        seam.count_change(f"deleting {type(self).__name__}.{name}")
        object.__delattr__(self, name)

    def _check_replacement(self, name: str, value: object) -> None:
        """Raise if a parameter, module or buffer would become something else."""
        held = self.__dict__.get(name)
        what, kind = type(held).__name__, type(held)
        if name in self.__dict__ and name in self._buffers:
            what, kind = "buffer", Tensor
        elif isinstance(held, Parameter | Module):
            kind = Parameter if isinstance(held, Parameter) else Module
        else:
            return
        if value is not None and not isinstance(value, kind):
            rule = f"{name} is a {what}, so it can become another one or None"
            way = "`del` it first"
            if kind is Parameter and isinstance(value, Tensor):
                copy = f"copy the values: {name}.copy_(value) under no_grad()"
                way = f"write nn.Parameter(value), or {copy}"
            got = f"not {describe(value)}; {way}"
            raise DTypeError(f"{type(self).__name__}: {rule}, {got}")

    def _warn_of_plain_container(self, name: str, value: object) -> None:
        """Warn, once, of a list, tuple or dict whose modules are not registered."""
        if not isinstance(value, PLAIN_CONTAINERS) or name in self._warned:
            return
        items = value.values() if isinstance(value, dict) else value
        if any(isinstance(item, Module | Parameter) for item in items):
            self.__dict__["_warned"] = (*self._warned, name)
            kind = type(value).__name__
            warn_user(
                f"{type(self).__name__}.{name} is a plain {kind} that holds modules or "
                "parameters: they are not registered and will not be trained or saved; "
                "use nn.ModuleList or nn.ModuleDict, nn.ParameterList or "
                "nn.ParameterDict"
            )

    def _warn_of_slot(self, name: str, value: object) -> None:
        """Warn of a module or parameter in a slot, where it is not registered."""
        if isinstance(value, Module | Parameter):
            kind = type(value).__name__
            warn_user(
                f"{type(self).__name__}.{name} is in __slots__, so the {kind} is not "
                "registered and will not be trained or saved; take the name out of "
                "__slots__"
            )

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Set an attribute to a parameter: the same as assigning it.

        Example:
            >>> import tinygrad_rnn as tg
            >>> module = tg.nn.Module()
            >>> module.register_parameter("scale", tg.nn.Parameter(tg.ones(2)))
            >>> module.scale.shape
            (2,)
        """
        self._register("register_parameter", name, Parameter, param=param)

    def add_module(self, name: str, module: "Module | None") -> None:
        """Set an attribute to a module: the same as assigning it.

        Example:
            >>> from tinygrad_rnn import nn
            >>> module = nn.Module()
            >>> module.add_module("head", nn.Linear(3, 2))
            >>> module.head
            Linear(in_features=3, out_features=2, bias=True)
        """
        self._register("add_module", name, Module, module=module)

    register_module = add_module

    def register_buffer(
        self, name: str, tensor: Tensor | None, persistent: bool = True
    ) -> None:
        """Hold a tensor that moves with the module and is saved, but is not trained.

        Args:
            name: The attribute that holds it.
            tensor: Its value; None for no value yet.
            persistent: False leaves it out of ``state_dict()``.

        Raises:
            OptionError: The name is empty, dotted or in use.

        Example:
            >>> import tinygrad_rnn as tg
            >>> module = tg.nn.Module()
            >>> module.register_buffer("mean", tg.zeros(2))
            >>> list(module.state_dict()), list(module.parameters())
            (['mean'], [])
        """
        if not isinstance(name, str) or name not in self._buffers:
            self._check_name("register_buffer", name)
        check_type(self._name, Tensor | None, "a Tensor or None", **{name: tensor})
        self._buffers = {**self._buffers, name: persistent}
        seam.count_change(f"register_buffer() of {name!r}")
        self.__dict__[name] = tensor

    def _register(self, who: str, name: str, kind: type, **given: object) -> None:
        """Set an attribute that is free, or of this kind already.

        ``given`` is exactly one value, under the name of the argument that it came by.
        """
        if not isinstance(name, str) or not isinstance(self.__dict__.get(name), kind):
            self._check_name(who, name)
        check_type(who, kind | None, f"an nn.{kind.__name__} or None", **given)
        (value,) = given.values()
        setattr(self, name, value)

    def _check_name(self, who: str, name: object) -> None:
        """Require a name that is not in use and can be part of a dotted name."""
        if not isinstance(name, str) or "." in name or not name or hasattr(self, name):
            expected = "a non-empty str without dots that is not in use"
            raise OptionError(f"{who}: invalid name {name!r:.80}, expected {expected}")

    # ------------------------------------------------------------ traversal

    def _attributes_of(self, kind: type[Kind]) -> list[tuple[str, Kind]]:
        """Return the attributes of a kind, under each of their names."""
        attributes = self.__dict__.items()
        return [(name, value) for name, value in attributes if isinstance(value, kind)]

    def named_children(self) -> Iterator[tuple[str, "Module"]]:
        """Return the modules directly inside, each once, with their names.

        Example:
            >>> from tinygrad_rnn import nn
            >>> model = nn.Sequential(nn.Linear(3, 2), nn.Tanh())
            >>> [name for name, _ in model.named_children()]
            ['0', '1']
        """
        found: dict[int, tuple[str, Module]] = {}
        for name, module in self._attributes_of(Module):
            found.setdefault(id(module), (name, module))
        return iter(found.values())

    def children(self) -> Iterator["Module"]:
        """Return the modules directly inside, each once.

        Example:
            >>> from tinygrad_rnn import nn
            >>> list(nn.Sequential(nn.Linear(3, 2), nn.Tanh()).children())
            [Linear(in_features=3, out_features=2, bias=True), Tanh()]
        """
        return iter([module for _, module in self.named_children()])

    def _walk_modules(
        self,
        prefix: str = "",
        seen: set[int] | None = None,
        above: tuple[int, ...] = (),
    ) -> Iterator[tuple[str, "Module"]]:
        """Yield this module and all inside it, with their dotted names.

        Args:
            prefix: The name of this module.
            seen: Ids of modules to leave out, to which those that come are added; None
                gives a shared module under each of its names.
            above: Ids of the modules around this one: modules may refer to each other.
        """
        if seen is not None:
            if id(self) in seen:
                return
            seen.add(id(self))
        yield prefix, self
        above = (*above, id(self))
        for name, child in self._attributes_of(Module):
            if id(child) not in above:
                yield from child._walk_modules(_join_names(prefix, name), seen, above)

    def _named_tensors(
        self,
        who: str,
        prefix: str = "",
        recurse: bool = True,
        remove_duplicate: bool = True,
    ) -> list[tuple[str, Tensor]]:
        """Return parameters and buffers by dotted names, for the function ``who``.

        The other arguments are those of :meth:`named_parameters`.
        """
        check_type(who, str, "a str", prefix=prefix)
        check_options(who, recurse=recurse, remove_duplicate=remove_duplicate)
        once: set[int] | None = set() if remove_duplicate else None
        modules = self._walk_modules(prefix, once) if recurse else [(prefix, self)]
        seen: set[int] = set()
        found = []
        for path, module in modules:
            for name, tensor in module._own_tensors():
                if not (remove_duplicate and id(tensor) in seen):
                    seen.add(id(tensor))
                    found.append((_join_names(path, name), tensor))
        return found

    def _own_tensors(self) -> list[tuple[str, Tensor]]:
        """Return this module's parameters and buffers; warn of plain containers."""
        found: list[tuple[str, Tensor]] = []
        for name, value in list(self.__dict__.items()):
            if isinstance(value, Tensor):
                if isinstance(value, Parameter) or name in self._buffers:
                    found.append((name, value))
            elif isinstance(value, PLAIN_CONTAINERS):  # filled since it was assigned?
                self._warn_of_plain_container(name, value)
        return found

    def named_modules(
        self,
        memo: set["Module"] | None = None,
        prefix: str = "",
        remove_duplicate: bool = True,
    ) -> Iterator[tuple[str, "Module"]]:
        """Return this module and all inside it, each once, with its dotted name.

        Args:
            memo: Modules to leave out; those that are found are added.
            prefix: This module's own name, with which all names begin.
            remove_duplicate: False gives a shared module under each of its names.

        Example:
            >>> from tinygrad_rnn import nn
            >>> model = nn.Sequential(nn.Linear(3, 2), nn.Sequential(nn.Tanh()))
            >>> [name for name, _ in model.named_modules()]
            ['', '0', '1', '1.0']
        """
        check_type("named_modules", str, "a str", prefix=prefix)
        check_options("named_modules", remove_duplicate=remove_duplicate)
        seen = {id(module) for module in memo or ()}
        found = list(self._walk_modules(prefix, seen if remove_duplicate else None))
        if memo is not None:
            memo.update(module for _, module in found)
        return iter(found)

    def modules(self) -> Iterator["Module"]:
        """Return this module and all inside it, each once.

        Example:
            >>> from tinygrad_rnn import nn
            >>> model = nn.Sequential(nn.Linear(3, 2), nn.Sequential(nn.Tanh()))
            >>> [type(module).__name__ for module in model.modules()]
            ['Sequential', 'Linear', 'Sequential', 'Tanh']
        """
        return iter([module for _, module in self._walk_modules("", set())])

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Parameter]]:
        """Return all parameters, each once, with its dotted name.

        Args:
            prefix: The name of this module, with which all names begin.
            recurse: False gives the parameters of this module alone.
            remove_duplicate: False gives a tied parameter under each of its names.

        Example:
            >>> from tinygrad_rnn import nn
            >>> model = nn.Sequential(nn.Linear(3, 2), nn.Tanh())
            >>> [(name, p.shape) for name, p in model.named_parameters("net")]
            [('net.0.weight', (2, 3)), ('net.0.bias', (2,))]
        """
        who = "named_parameters"
        found = self._named_tensors(who, prefix, recurse, remove_duplicate)
        return iter([(name, x) for name, x in found if isinstance(x, Parameter)])

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """Return all parameters, each once, for an optimizer.

        Args:
            recurse: False gives the parameters of this module alone.

        Example:
            >>> import tinygrad_rnn as tg
            >>> sum(p.numel() for p in tg.nn.Linear(3, 2).parameters())
            8
        """
        return iter([value for _, value in self.named_parameters("", recurse)])

    def named_buffers(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Tensor]]:
        """Return all buffers, each once: see :meth:`named_parameters`.

        Example:
            >>> import tinygrad_rnn as tg
            >>> module = tg.nn.Module()
            >>> module.register_buffer("mean", tg.zeros(2))
            >>> [name for name, _ in module.named_buffers()]
            ['mean']
        """
        who = "named_buffers"
        found = self._named_tensors(who, prefix, recurse, remove_duplicate)
        return iter([(name, x) for name, x in found if not isinstance(x, Parameter)])

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """Return all buffers, each once; of this module alone unless ``recurse``.

        Example:
            >>> import tinygrad_rnn as tg
            >>> module = tg.nn.Module()
            >>> module.register_buffer("mean", tg.zeros(2))
            >>> [buffer.shape for buffer in module.buffers()]
            [(2,)]
        """
        return iter([value for _, value in self.named_buffers("", recurse)])

    def get_submodule(self, target: str) -> "Module":
        """Return the module of a dotted name; this one for an empty name.

        Example:
            >>> from tinygrad_rnn import nn
            >>> nn.Sequential(nn.Linear(3, 2), nn.Tanh()).get_submodule("1")
            Tanh()
        """
        return self._find("get_submodule", target, Module) if target else self

    def get_parameter(self, target: str) -> Parameter:
        """Return the parameter of a dotted name.

        Example:
            >>> from tinygrad_rnn import nn
            >>> nn.Sequential(nn.Linear(3, 2)).get_parameter("0.weight").shape
            (2, 3)
        """
        return self._find("get_parameter", target, Parameter)

    def get_buffer(self, target: str) -> Tensor:
        """Return the buffer of a dotted name.

        Example:
            >>> import tinygrad_rnn as tg
            >>> module = tg.nn.Module()
            >>> module.register_buffer("mean", tg.zeros(2))
            >>> module.get_buffer("mean").tolist()
            [0.0, 0.0]
        """
        return self._find("get_buffer", target, Tensor)

    def _find(self, who: str, target: str, kind: type[Kind]) -> Kind:
        """Return what a dotted name names; raise AttributeMissing if nothing fits."""
        check_type(who, str, "a dotted name", target=target)
        asked, holder = f"{who}: {target!r}", self
        *path, last = target.split(".")
        for name in path:
            holder = holder._find_own(asked, name, Module)
        return holder._find_own(asked, last, kind)

    def _find_own(self, asked: str, name: str, kind: type[Kind]) -> Kind:
        """Return an attribute: a module, a parameter, or a buffer if kind is Tensor."""
        found = dict(self._attributes_of(kind))
        if kind is Tensor:
            found = {key: found[key] for key in self._buffers if key in found}
        if name not in found:
            what = "buffer" if kind is Tensor else kind.__name__.lower()
            got = f"{type(self).__name__} has no {what} {name!r}"
            raise AttributeMissing(f"{asked}: {got}, expected one of {[*found]}")
        return found[name]

    def num_parameters(self) -> int:
        """Return how many numbers are trained.

        Example:
            >>> import tinygrad_rnn as tg
            >>> tg.nn.Linear(3, 2).num_parameters()  # 2 x 3 weights, 2 biases
            8
        """
        return sum(p.numel() for p in self.parameters() if p.requires_grad)

    # ------------------------------------------------------------ changes of all inside

    def apply(self, fn: Callable[["Module"], object]) -> Self:
        """Call a function on every module inside, then on this one.

        Args:
            fn: A function of a module, such as one that draws initial values.

        Returns:
            This module.

        Example:
            >>> from tinygrad_rnn import nn
            >>> def clear_biases(module):
            ...     if isinstance(module, nn.Linear):
            ...         nn.init.zeros_(module.bias)
            >>> model = nn.Sequential(nn.Linear(3, 2), nn.Tanh()).apply(clear_biases)
            >>> model[0].bias.tolist()
            [0.0, 0.0]
        """
        check_type("apply", Callable, "a function of a module", fn=fn)
        self._apply_inside(fn, ())
        return self

    def _apply_inside(
        self, fn: Callable[["Module"], object], above: tuple[int, ...]
    ) -> None:
        above = (*above, id(self))
        for module in self.children():
            if id(module) not in above:
                module._apply_inside(fn, above)
        fn(self)

    def train(self, mode: bool = True) -> Self:
        """Set training mode, in which dropout is active; False sets evaluation mode.

        Example:
            >>> from tinygrad_rnn import nn
            >>> model = nn.Sequential(nn.Dropout(0.5)).train()
            >>> model[0].training
            True
        """
        check_type("train", bool, "True or False", mode=mode)
        for module in self.modules():
            module.training = mode
        return self

    def eval(self) -> Self:
        """Set evaluation mode, in which dropout has no effect.

        Example:
            >>> import tinygrad_rnn as tg
            >>> dropout = tg.nn.Dropout(0.5).eval()
            >>> dropout(tg.ones(3)).tolist()
            [1.0, 1.0, 1.0]
        """
        return self.train(False)

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Set all gradients to None; with ``set_to_none=False`` to zeros.

        Example:
            >>> import tinygrad_rnn as tg
            >>> layer = tg.nn.Linear(2, 1)
            >>> layer(tg.ones(2)).backward()
            >>> layer.zero_grad()
            >>> layer.weight.grad is None
            True
        """
        check_options("zero_grad", set_to_none=set_to_none)
        for parameter in self.parameters():
            keep = not set_to_none and parameter.grad is not None
            parameter.grad = zeros_like(parameter) if keep else None

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Train all parameters; False freezes them.

        Example:
            >>> import tinygrad_rnn as tg
            >>> layer = tg.nn.Linear(3, 2).requires_grad_(False)
            >>> layer.num_parameters()
            0
        """
        for parameter in self.parameters():
            parameter.requires_grad_(requires_grad)
        return self

    def to(self, *args: Setting, **kwargs: Setting) -> Self:
        """Move to a device, or convert the floats to another float dtype, in place.

        Args:
            args: A device, a dtype, both, or a Tensor that has them, as of
                :meth:`tinygrad_rnn.Tensor.to`; integer buffers keep their dtype.
            kwargs: ``device=`` and ``dtype=``.

        Returns:
            This module, whose parameters are the same objects.

        Raises:
            DTypeError: The dtype is not a float dtype. Nothing has changed then.

        Example:
            >>> import tinygrad_rnn as tg
            >>> tg.nn.Linear(3, 2).to(tg.float64).weight.dtype
            dtype('float64')
        """
        named = self._named_tensors("to")
        tensors = [x for _, t in named for x in (t, t._grad) if x is not None]
        arrays = [self._convert(x, args, kwargs) for x in tensors]
        for tensor, array in zip(tensors, arrays, strict=True):
            if tensor.array is not array:
                replace_array(tensor, array, Version())
        return self

    def _convert(
        self, tensor: Tensor, args: tuple[Setting, ...], kwargs: Settings
    ) -> Array:
        """Return a tensor's array on the device, in the dtype if it holds floats."""
        is_float, own = tensor.dtype.kind == "f", tensor.detach()
        source = own if is_float else empty(0, device=tensor.device)
        target = source.to(*args, **kwargs)
        if target.dtype.kind != "f":
            name = f"{type(self).__name__}.to"
            raise DTypeError(f"{name}: got {target.dtype}, expected a float dtype")
        return target.array if is_float else own.to(target.device).array

    # ------------------------------------------------------------ saving and loading

    def state_dict(self) -> dict[str, Tensor]:
        """Return parameters and persistent buffers by dotted names, without a copy.

        The tensors share memory with the module, so they change as training goes on.
        Copy what is to be restored later, such as the best weights so far; a file of
        :func:`tinygrad_rnn.save` is a copy, too.

        Example:
            >>> import copy
            >>> from tinygrad_rnn import nn
            >>> model = nn.Linear(2, 1)
            >>> best = copy.deepcopy(model.state_dict())
            >>> _ = nn.init.zeros_(model.weight)
            >>> model.load_state_dict(best)
            IncompatibleKeys(missing_keys=[], unexpected_keys=[])
            >>> bool(model.weight.any())
            True
        """
        return {name: tensor.detach() for name, tensor in self._saved_tensors()}

    def _saved_tensors(self) -> list[tuple[str, Tensor]]:
        """Return parameters and persistent buffers, under each of their names."""
        return [
            (_join_names(path, name), tensor)
            for path, module in self._walk_modules()
            for name, tensor in module._own_tensors()
            if isinstance(tensor, Parameter) or module._buffers[name]
        ]

    def load_state_dict(
        self, state_dict: Mapping[str, Operand], strict: bool = True
    ) -> IncompatibleKeys:
        """Copy values into the parameters and buffers of the same names, all or none.

        Args:
            state_dict: Tensors or arrays of the same shapes and dtypes, by name.
            strict: Raise, too, if names are missing or unexpected.

        Returns:
            The missing and the unexpected names, as PyTorch does.

        Raises:
            CheckpointError: A value does not fit; the message lists all that do not,
                and nothing has changed.

        Example:
            >>> from tinygrad_rnn import nn
            >>> trained, fresh = nn.Linear(3, 2), nn.Linear(3, 2)
            >>> fresh.load_state_dict(trained.state_dict())
            IncompatibleKeys(missing_keys=[], unexpected_keys=[])
            >>> fresh.weight.equal(trained.weight)
            True
        """
        name = f"{type(self).__name__}.load_state_dict"
        seam.refuse(f"{name}()", "call it outside")
        if wrong := find_misfits(name, self.state_dict(), state_dict, strict):
            listed = abbreviate(wrong, "; ")
            way = way_to_fit(self.state_dict(), state_dict)
            raise CheckpointError(f"{name}: nothing was loaded, as {listed}{way}")
        commit(self._loading(state_dict))
        return incompatible_keys(self.state_dict(), state_dict)

    def _loading(self, state_dict: Mapping[str, Operand]) -> Changes:
        """Return the changes that load a ``state_dict`` that fits, for ``commit``."""
        name = f"{type(self).__name__}.load_state_dict"
        return loading_changes(name, self.state_dict(), state_dict)

    def misfits(
        self, state_dict: Mapping[str, Operand], strict: bool = True
    ) -> list[str]:
        """Say what in a ``state_dict`` does not fit this module, a line each.

        Args:
            state_dict: Tensors or arrays by name.
            strict: Whether missing and unexpected names count.

        Example:
            >>> from tinygrad_rnn import nn
            >>> nn.Linear(3, 2).misfits({"weight": nn.Linear(3, 2).weight})
            ['bias is missing']
        """
        name = f"{type(self).__name__}.misfits"
        return find_misfits(name, self.state_dict(), state_dict, strict)

    def save_weights(self, path: Operand) -> None:
        """Write the ``state_dict`` to a safetensors file.

        Args:
            path: A name, a path or an open file. If writing fails, a file that was
                there before stays as it was.

        Example:
            >>> import io
            >>> from tinygrad_rnn import nn
            >>> file, trained, fresh = io.BytesIO(), nn.Linear(3, 2), nn.Linear(3, 2)
            >>> trained.save_weights(file)  # or a path, such as "model.safetensors"
            >>> _ = file.seek(0)
            >>> fresh.load_weights(file)
            IncompatibleKeys(missing_keys=[], unexpected_keys=[])
            >>> fresh.weight.equal(trained.weight)
            True
        """
        held = self.state_dict()
        save_file(path, {name: t.cpu().numpy() for name, t in held.items()}, {})

    def load_weights(self, path: Operand, strict: bool = True) -> IncompatibleKeys:
        """Load a file of :meth:`save_weights`, or any safetensors file that fits.

        Of tied parameters one name is enough, as safetensors.torch.save_model writes
        them; float16 and bfloat16 are read as float32.

        Args:
            path: A name, a path or an open file.
            strict: As of :meth:`load_state_dict`, whose result it returns.

        Raises:
            CheckpointError: The file is damaged, of another kind or does not fit.
        """
        arrays, header = load_file(path)
        ways = {
            "checkpoint": "is a checkpoint; tg.load_checkpoint(path, model) reads it",
            "saved": "was written by tg.save; use model.load_state_dict(tg.load(path))",
        }
        for kind, way in ways.items():
            if kind in header:
                raise CheckpointError(f"load_weights: {file_name(path)!r} {way}")
        return self.load_state_dict(arrays, strict)

    # ------------------------------------------------------------ repr

    def extra_repr(self) -> str:
        """Return the settings that ``repr`` shows.

        Example:
            >>> import tinygrad_rnn as tg
            >>> tg.nn.Linear(3, 2).extra_repr()
            'in_features=3, out_features=2, bias=True'
        """
        return ""

    @recursive_repr()
    def __repr__(self) -> str:
        modules = self._attributes_of(Module)
        lines = [f"({name}): {module!r}" for name, module in modules]
        extra = self.extra_repr()
        if not lines and "\n" not in extra and not extra.startswith("("):
            return f"{type(self).__name__}({extra})"
        inner = "\n".join(filter(None, [extra, *lines])).replace("\n", "\n  ")
        return f"{type(self).__name__}(\n  {inner}\n)"

    def _repr_html_(self) -> str:
        from .html import module_html  # here, as it stands on Module

        return module_html(self)


def _check_not_compiled(name: str, value: object) -> None:
    """Raise for a compiled module, whose parameters would not be found."""
    inner = getattr(value, "__dict__", {}).get("__wrapped__")
    if isinstance(inner, Module) and not isinstance(value, Module):
        raise DTypeError(
            f"{name}: got a compiled {type(inner).__name__}, which is no module, so it "
            "would not be trained or saved; assign the module itself, and compile the "
            "whole model or the training step"
        )


def _join_names(prefix: str, name: str) -> str:
    return f"{prefix}.{name}" if prefix else name


def _find_descriptor(kind: type, name: str) -> object:
    """Return what a class defines under a name: inspect.getattr_static, but quick."""
    for base in kind.__mro__:
        if name in base.__dict__:
            return base.__dict__[name]
    return None
