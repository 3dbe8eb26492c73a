"""Modules that hold modules or parameters in order, as lists and dicts do."""

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, MutableMapping, MutableSequence
from itertools import count
from math import inf
from typing import Any, ClassVar, Generic, Self, TypeAlias, TypeVar

from ..errors import (
    DTypeError,
    GraphError,
    IdError,
    NameMissing,
    check_integers,
    check_type,
    describe,
)
from ..tensor import Tensor
from .module import Module
from .parameter import Parameter

__all__ = ["ModuleDict", "ModuleList", "ParameterDict", "ParameterList", "Sequential"]

Item = TypeVar("Item", Module, Parameter)
# Items and their names.
Named: TypeAlias = Mapping[str, object] | Iterable[tuple[str, object]]


class _Container(Module, Generic[Item]):
    """Items in order. Their names are the attributes that hold them."""

    # Underscored: any other name can be that of an item.
    _item_type: ClassVar[Any] = Module
    _item_word = "module"

    def _named_items(self) -> list[tuple[str, Item]]:
        return self._attributes_of(self._item_type)

    def _items(self) -> list[Item]:
        return [item for _, item in self._named_items()]

    def _convert_item(self, item: object) -> object:
        """Return what is held for an item that is given."""
        return item

    def _hold(self, named: Named, replace_all: bool = False) -> None:
        """Hold items by name, all or none; ``replace_all`` drops the others."""
        word, kind = self._item_word, self._item_type
        try:
            given = dict(named)
        except (TypeError, ValueError):
            expected = f"a dict of {word}s, or pairs of a name and a {word}"
            got = f"got {describe(named)}, expected {expected}"
            raise DTypeError(f"{self._name}: {got}") from None
        held = dict(self._named_items())
        for name in given:
            if name not in held:
                self._check_name(self._name, name)
        items = {name: self._convert_item(item) for name, item in given.items()}
        for name, item in items.items():
            if isinstance(item, type) and issubclass(item, Module):
                got = f"{name} is the class {item._name}"
                raise DTypeError(f"{self._name}: {got}; write {item._name}()")
            if callable(item) and kind is Module:
                expected = "a Module; write the module, such as nn.ReLU()"
                check_type(self._name, kind, expected, **{name: item})
        check_type(self._name, kind, f"a {kind.__name__}", **items)
        if replace_all:
            for name in held:
                del self.__dict__[name]
        self.__dict__.update(items)

    def _number(self, items: Iterable[object]) -> None:
        """Hold these items, and no others, under the names "0", "1" and so on."""
        self._hold(zip(map(str, count()), items, strict=False), replace_all=True)

    def _check_iterable(self, expected: str, items: object) -> None:
        check_type(self._name, Iterable, expected, **{f"{self._item_word}s": items})

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        way = "loop over it, or use nn.Sequential"
        raise GraphError(f"{self._name} is not called: {way}")

    def __len__(self) -> int:
        return len(self._items())


class _List(_Container[Item], MutableSequence[Item]):
    """Items as in a list. Inserting and deleting number them anew, as in PyTorch."""

    def _position(self, index: int) -> int:
        """Return an index counted from the front."""
        if not hasattr(index, "__index__"):
            expected = "expected an integer or a slice"
            raise DTypeError(f"{self._name}: index {index!r}, {expected}")
        if not -len(self) <= index < len(self):
            raise IdError(
                f"{self._name}: index {index} of {len(self)} {self._item_word}s"
            )
        return int(index) % len(self)

    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return self._part(self._named_items()[index])
        return self._items()[self._position(index)]

    def _part(self, named: list[tuple[str, Item]]) -> Self:
        """Return some of the items in a list of their own."""
        raise NotImplementedError

    def __setitem__(self, index: int, item: Item) -> None:  # type: ignore[override]
        self._hold([(self._named_items()[self._position(index)][0], item)])

    def __delitem__(self, index: int | slice) -> None:
        items = self._items()
        del items[index if isinstance(index, slice) else self._position(index)]
        self._number(items)

    def insert(self, index: int, module: Item) -> None:
        """Insert an item before the one at ``index``."""
        check_integers(self._name, -inf, index=index)
        items = self._items()
        items.insert(index, module)
        self._number(items)

    def append(self, module: Item) -> Self:  # type: ignore[override]
        """Add an item at the end; return the list."""
        return self.extend([module])

    def extend(self, modules: Iterable[object]) -> Self:  # type: ignore[override]
        """Add items at the end; return the list."""
        self._check_iterable(f"{self._item_word}s in a list", modules)
        numbers = map(str, count(len(self)))
        free = (name for name in numbers if name not in self.__dict__)
        self._hold(zip(free, modules, strict=False))
        return self


class Sequential(_List[Module]):
    """Call modules one after the other, each with the output of the one before it.

    Like torch.nn.Sequential.

    Args:
        modules: The modules, or one OrderedDict of named modules.

    Raises:
        DTypeError: An argument is not a module, such as a list of modules.

    Example:
        >>> import tinygrad_rnn as tg
        >>> from tinygrad_rnn import nn
        >>> model = nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 2))
        >>> model(tg.ones(5, 4)).shape
        (5, 2)
        >>> [name for name, _ in model[2].named_parameters()]
        ['weight', 'bias']
    """

    def __init__(self, *modules: "Module | OrderedDict[str, Module]") -> None:
        super().__init__()
        if len(modules) == 1 and isinstance(modules[0], list | tuple):
            expected = "a Module; write nn.Sequential(*layers)"
            check_type(self._name, Module, expected, **{"0": modules[0]})
        if len(modules) == 1 and isinstance(modules[0], OrderedDict):
            self._hold(modules[0])
        else:
            self._number(modules)

    def _part(self, named: list[tuple[str, Module]]) -> "Sequential":
        return Sequential(OrderedDict(named))

    def forward(self, input: Any) -> Any:
        for module in self._items():
            input = module(input)
        return input


class ModuleList(_List[Module]):
    """Modules in a list that registers them, like torch.nn.ModuleList.

    The modules in a plain list are not registered: they are neither trained nor saved.

    Args:
        modules: The modules, in any iterable.

    Example:
        >>> from tinygrad_rnn import nn
        >>> layers = nn.ModuleList([nn.Linear(2, 2, bias=False) for _ in range(2)])
        >>> [name for name, _ in layers.append(nn.LSTMCell(2, 3)).named_children()]
        ['0', '1', '2']
    """

    def __init__(self, modules: Iterable[Module] | None = None) -> None:
        super().__init__()
        self.extend(() if modules is None else modules)

    def _part(self, named: list[tuple[str, Module]]) -> "ModuleList":
        return ModuleList(dict(named).values())


class _Dict(_Container[Item], MutableMapping[str, Item]):
    """Items by name, as in a dict."""

    # A module is equal to itself alone, as all modules are.
    __eq__ = object.__eq__
    __hash__ = object.__hash__

    def __getitem__(self, key: str) -> Item:
        held: dict[str, Item] = dict(self._named_items())
        if key not in held:
            expected = f"expected one of {[*held]}"
            raise NameMissing(f"{self._name}: no {self._item_word} {key!r}, {expected}")
        return held[key]

    def __setitem__(self, key: str, item: Item) -> None:
        self._hold([(key, item)])

    def __delitem__(self, key: str) -> None:
        self[key]  # raises if there is none
        del self.__dict__[key]

    def __iter__(self) -> Iterator[str]:
        return iter(dict(self._named_items()))

    def update(self, modules: Named) -> None:  # type: ignore[override]
        """Hold the items of a dict, or of pairs of a name and an item; all or none."""
        self._check_iterable(f"a dict of {self._item_word}s", modules)
        self._hold(modules)


class ModuleDict(_Dict[Module]):
    """Modules in a dict that registers them, like torch.nn.ModuleDict.

    Args:
        modules: A dict of modules, or pairs of a name and a module.

    Example:
        >>> from tinygrad_rnn import nn
        >>> heads = nn.ModuleDict({"char": nn.Linear(4, 9)})
        >>> heads["word"] = nn.Linear(4, 99)
        >>> [name for name, _ in heads.named_parameters()][::2]
        ['char.weight', 'word.weight']
    """

    def __init__(self, modules: Named | None = None) -> None:
        super().__init__()
        self.update(() if modules is None else modules)


class _ParameterContainer(_Container[Parameter]):
    """Parameters in a container; a Tensor becomes one."""

    _item_type, _item_word = Parameter, "parameter"

    def _convert_item(self, item: object) -> object:
        if isinstance(item, Tensor) and not isinstance(item, Parameter):
            return Parameter(item.detach())
        return item

    def extra_repr(self) -> str:
        named = self._named_items()
        return "\n".join([f"({name}): Parameter, {describe(p)}" for name, p in named])


class ParameterList(_ParameterContainer, _List[Parameter]):
    """Parameters in a list that registers them, like torch.nn.ParameterList.

    Args:
        values: The parameters, in any iterable. A Tensor becomes a parameter that
            shares its memory.

    Example:
        >>> import tinygrad_rnn as tg
        >>> from tinygrad_rnn import nn
        >>> scales = nn.ParameterList([nn.Parameter(tg.ones(2)), tg.zeros(1)])
        >>> [name for name, _ in scales.named_parameters()], scales[1].shape
        (['0', '1'], (1,))
    """

    def __init__(self, values: Iterable[Tensor] | None = None) -> None:
        super().__init__()
        self.extend(() if values is None else values)

    def _part(self, named: list[tuple[str, Parameter]]) -> "ParameterList":
        return ParameterList(dict(named).values())


class ParameterDict(_ParameterContainer, _Dict[Parameter]):
    """Parameters in a dict that registers them, like torch.nn.ParameterDict.

    Args:
        parameters: A dict of parameters, or pairs of a name and a parameter. A Tensor
            becomes a parameter that shares its memory.

    Example:
        >>> import tinygrad_rnn as tg
        >>> scales = tg.nn.ParameterDict({"left": tg.ones(2), "right": tg.zeros(1)})
        >>> [name for name, _ in scales.named_parameters()]
        ['left', 'right']
    """

    def __init__(self, parameters: Named | None = None) -> None:
        super().__init__()
        self.update(() if parameters is None else parameters)
