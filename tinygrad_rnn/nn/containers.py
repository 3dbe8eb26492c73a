"""Modules that hold modules or parameters under names of their own, as lists and dicts
do.
"""

from collections import OrderedDict
from collections.abc import Iterable, Iterator, MutableMapping, MutableSequence
from itertools import count
from math import inf
from typing import Any, ClassVar, Generic, Self, TypeVar

from ..errors import (
    DTypeError,
    GraphError,
    IdError,
    NameMissing,
    check_integers,
    check_type,
    described,
)
from ..tensor import Tensor
from .module import Module
from .parameter import Parameter

__all__ = ["ModuleDict", "ModuleList", "ParameterDict", "ParameterList", "Sequential"]

Item = TypeVar("Item", Module, Parameter)


class _Container(Module, Generic[Item]):
    """Items by name, in order: they are its attributes, as those of every module."""

    kind: ClassVar[Any] = Module  # of the items
    word = "module"  # for one of them, in messages

    def _items(self) -> list[Item]:
        return [item for _, item in self._attributes_of(self.kind)]

    def _made(self, item: Any) -> Any:
        """What is held in place of an item that is given."""
        return item

    def _hold(self, named: Any, instead: bool = False) -> None:
        """Take in items under these names, all or none; ``instead`` of those that it
        has.
        """
        try:
            given, held = dict(named), dict(self._attributes_of(self.kind))
        except (TypeError, ValueError):
            expected = f"a dict of {self.word}s, or pairs of a name and a {self.word}"
            raise DTypeError(
                f"{self._name}: got {described(named)}, expected {expected}"
            ) from None
        for name in [name for name in given if name not in held]:
            self._check_name(self._name, name)
        fresh = {name: self._made(item) for name, item in given.items()}
        for name, item in fresh.items():
            if isinstance(item, type) and issubclass(item, Module):
                got = f"{name} is the class {item._name}"
                raise DTypeError(f"{self._name}: {got}; write {item._name}()")
        check_type(self._name, self.kind, f"a {self.kind.__name__}", **fresh)
        for name in held if instead else ():
            del self.__dict__[name]
        self.__dict__.update(fresh)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        way = "loop over it, or use nn.Sequential"
        raise GraphError(f"{self._name} is not called: {way}")

    def __len__(self) -> int:
        return len(self._items())


class _List(_Container[Item], MutableSequence[Item]):
    """Items one after the other; a change before the end numbers them anew, as in
    PyTorch.
    """

    def _place(self, index: Any) -> int:
        if not hasattr(index, "__index__"):
            raise DTypeError(
                f"{self._name}: index {index!r}, expected an integer or a slice"
            )
        if not -len(self) <= index < len(self):
            raise IdError(f"{self._name}: index {index} of {len(self)} {self.word}s")
        return int(index) % len(self)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return self._part(self._attributes_of(self.kind)[index])
        return self._items()[self._place(index)]

    def _part(self, named: list[tuple[str, Any]]) -> Any:
        """Some of the items in a list of their own."""
        raise NotImplementedError

    def __setitem__(self, index: Any, item: Any) -> None:
        self._hold([(self._attributes_of(self.kind)[self._place(index)][0], item)])

    def __delitem__(self, index: Any) -> None:
        kept = self._items()
        del kept[index if isinstance(index, slice) else self._place(index)]
        self._hold(_numbered(kept), instead=True)

    def insert(self, index: int, module: Any) -> None:
        """Put an item before the one at ``index``."""
        check_integers(self._name, -inf, index=index)
        kept = self._items()
        kept.insert(index, module)
        self._hold(_numbered(kept), instead=True)

    def append(self, module: Any) -> Self:  # type: ignore[override]
        """Put an item at the end."""
        return self.extend([module])

    def extend(self, modules: Iterable[Any]) -> Self:  # type: ignore[override]
        """Put items at the end."""
        self._check_listed(**{f"{self.word}s": modules})
        names = (
            name for i in count(len(self)) if (name := str(i)) not in self.__dict__
        )
        self._hold(zip(names, modules, strict=False))
        return self

    def _check_listed(self, **given: Any) -> None:
        check_type(self._name, Iterable, f"{self.word}s in a list", **given)


def _numbered(items: Iterable[Any]) -> Iterator[tuple[str, Any]]:
    return zip(map(str, count()), items, strict=False)


class Sequential(_List[Module]):
    """Modules one after the other: each takes what the one before it gives.

    Takes modules, or an OrderedDict of named ones, as torch.nn.Sequential.
    """

    def __init__(self, *modules: Any) -> None:
        super().__init__()
        if len(modules) == 1 and isinstance(modules[0], list | tuple):
            expected = "a Module; write nn.Sequential(*layers)"
            check_type(self._name, Module, expected, **{"0": modules[0]})
        named = len(modules) == 1 and isinstance(modules[0], OrderedDict)
        self._hold(modules[0] if named else _numbered(modules))

    def _part(self, named: list[tuple[str, Module]]) -> Any:
        return Sequential(OrderedDict(named))

    def forward(self, input: Any) -> Any:
        for module in self._items():
            input = module(input)
        return input


class ModuleList(_List[Module]):
    """Modules in a list, as torch.nn.ModuleList: registered, where a plain list's are
    not.
    """

    def __init__(self, modules: Iterable[Module] | None = None) -> None:
        super().__init__()
        self.extend(() if modules is None else modules)

    def _part(self, named: list[tuple[str, Module]]) -> Any:
        return ModuleList([module for _, module in named])


class _Dict(_Container[Item], MutableMapping[str, Item]):
    """Items by name, as in a dict."""

    __eq__, __hash__ = (
        object.__eq__,
        object.__hash__,
    )  # a module is itself, not what is in it

    def __getitem__(self, key: str) -> Item:
        held: dict[str, Item] = dict(self._attributes_of(self.kind))
        if key not in held:
            raise NameMissing(
                f"{self._name}: no {self.word} {key!r}, expected one of {[*held]}"
            )
        return held[key]

    def __setitem__(self, key: str, item: Any) -> None:
        self._hold([(key, item)])

    def __delitem__(self, key: str) -> None:
        self[key]
        del self.__dict__[key]

    def __iter__(self) -> Iterator[str]:
        return iter(dict(self._attributes_of(self.kind)))

    def update(self, modules: Any) -> None:  # type: ignore[override]
        """Take in the items of a dict, or of pairs of a name and an item; all or none."""
        given = {f"{self.word}s": modules}
        check_type(self._name, Iterable, f"a dict of {self.word}s", **given)
        self._hold(modules)


class ModuleDict(_Dict[Module]):
    """Modules in a dict, as torch.nn.ModuleDict: registered, where a plain dict's are
    not.
    """

    def __init__(self, modules: Any = None) -> None:
        super().__init__()
        self.update(() if modules is None else modules)


class _Parameters(_Container[Parameter]):
    """Parameters in a container; what is a Tensor becomes one."""

    kind, word = Parameter, "parameter"

    def _made(self, item: Any) -> Any:
        is_plain = isinstance(item, Tensor) and not isinstance(item, Parameter)
        return Parameter(item.detach()) if is_plain else item

    def extra_repr(self) -> str:
        shown = [
            f"({name}): Parameter, {described(p)}"
            for name, p in self._attributes_of(Parameter)
        ]
        return "\n".join(shown)


class ParameterList(_Parameters, _List[Parameter]):
    """Parameters in a list, as torch.nn.ParameterList; a Tensor becomes one that shares
    its memory.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import nn
    >>> scales = nn.ParameterList([nn.Parameter(tg.ones(2)), tg.zeros(1)])
    >>> [name for name, _ in scales.named_parameters()], scales[1].shape
    (['0', '1'], (1,))
    """

    def __init__(self, values: Iterable[Tensor] | None = None) -> None:
        super().__init__()
        self.extend(() if values is None else values)

    def _part(self, named: list[tuple[str, Parameter]]) -> Any:
        return ParameterList([parameter for _, parameter in named])


class ParameterDict(_Parameters, _Dict[Parameter]):
    """Parameters in a dict, as torch.nn.ParameterDict; a Tensor becomes one that shares
    its memory.
    """

    def __init__(self, parameters: Any = None) -> None:
        super().__init__()
        self.update(() if parameters is None else parameters)
