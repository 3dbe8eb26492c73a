"""Modules that hold modules under names of their own: Sequential, ModuleList, ModuleDict."""

from collections import OrderedDict
from collections.abc import Iterable, Iterator, MutableMapping, MutableSequence
from itertools import count
from math import inf
from typing import Any, Self

from ..errors import DTypeError, IdError, NameMissing, check_integers, check_type, described
from .module import Module


class _Container(Module):
    """Modules by name, in order: they are its attributes, as those of every module."""

    def _hold(self, named: Any, instead: bool = False) -> None:
        """Take in modules under these names, all or none; ``instead`` of those that it has."""
        try:
            fresh, held = dict(named), dict(self.named_children())
        except (TypeError, ValueError):
            expected = "a dict of modules, or pairs of a name and a module"
            raise DTypeError(f"{self._name}: got {described(named)}, expected {expected}") from None
        for name in [name for name in fresh if name not in held]:
            self._check_name(self._name, name)
        check_type(self._name, Module, "a Module", **fresh)
        for name in held if instead else ():
            del self.__dict__[name]
        self.__dict__.update(fresh)

    def __len__(self) -> int:
        return len(dict(self.named_children()))


class _Listed(_Container, MutableSequence[Module]):
    """Modules one after the other; a change before the end numbers them anew, as in PyTorch."""

    def _place(self, index: Any) -> int:
        if not hasattr(index, "__index__"):
            raise DTypeError(f"{self._name}: index {index!r}, expected an integer or a slice")
        if not -len(self) <= index < len(self):
            raise IdError(f"{self._name}: index {index} of {len(self)} modules")
        return int(index) % len(self)

    def __getitem__(self, index: Any) -> Any:
        if not isinstance(index, slice):
            return list(self.children())[self._place(index)]
        items = list(self.named_children())[index]
        if isinstance(self, Sequential):
            return Sequential(OrderedDict(items))
        return ModuleList([module for _, module in items])

    def __setitem__(self, index: Any, module: Any) -> None:
        self._hold([(list(self.named_children())[self._place(index)][0], module)])

    def __delitem__(self, index: Any) -> None:
        kept = list(self.children())
        del kept[index if isinstance(index, slice) else self._place(index)]
        self._hold(zip(map(str, count()), kept, strict=False), instead=True)

    def insert(self, index: int, module: Module) -> None:
        """Put a module before the one at ``index``."""
        check_integers(self._name, -inf, index=index)
        kept = list(self.children())
        kept.insert(index, module)
        self._hold(zip(map(str, count()), kept, strict=False), instead=True)

    def append(self, module: Module) -> Self:  # type: ignore[override]
        """Put a module at the end."""
        return self.extend([module])

    def extend(self, modules: Iterable[Module]) -> Self:  # type: ignore[override]
        """Put modules at the end."""
        check_type(self._name, Iterable, "modules in a list", modules=modules)
        names = (name for i in count(len(self)) if (name := str(i)) not in self.__dict__)
        self._hold(zip(names, modules, strict=False))
        return self


class Sequential(_Listed):
    """Modules one after the other: each takes what the one before it gives.

    Takes modules, or an OrderedDict of named ones, as torch.nn.Sequential.
    """

    def __init__(self, *modules: Any) -> None:
        super().__init__()
        named = len(modules) == 1 and isinstance(modules[0], OrderedDict)
        self._hold(modules[0] if named else zip(map(str, count()), modules, strict=False))

    def forward(self, input: Any) -> Any:
        for module in self.children():
            input = module(input)
        return input


class ModuleList(_Listed):
    """Modules in a list, as torch.nn.ModuleList: registered, where a plain list's are not."""

    def __init__(self, modules: Iterable[Module] | None = None) -> None:
        super().__init__()
        self.extend(() if modules is None else modules)


class ModuleDict(_Container, MutableMapping[str, Module]):
    """Modules in a dict, as torch.nn.ModuleDict: registered, where a plain dict's are not."""

    __eq__, __hash__ = object.__eq__, object.__hash__  # a module is itself, not what is in it

    def __init__(self, modules: Any = None) -> None:
        super().__init__()
        self.update(() if modules is None else modules)

    def __getitem__(self, key: str) -> Module:
        if key not in (held := dict(self.named_children())):
            raise NameMissing(f"{self._name}: no module {key!r}, expected one of {[*held]}")
        return held[key]

    def __setitem__(self, key: str, module: Module) -> None:
        self._hold([(key, module)])

    def __delitem__(self, key: str) -> None:
        self[key]
        del self.__dict__[key]

    def __iter__(self) -> Iterator[str]:
        return iter(dict(self.named_children()))

    def update(self, modules: Any) -> None:  # type: ignore[override]
        """Take in the modules of a dict, or of pairs of a name and a module; all or none."""
        check_type(self._name, Iterable, "a dict of modules", modules=modules)
        self._hold(modules)
