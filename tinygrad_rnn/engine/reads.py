"""What a function reads beside its arguments: globals, closures, attributes.

A replay does not run the function's Python, so what that would read has to be what it
was. This is found without running it, from the code of the function and of the user's
functions that it names: each global and free variable, default arguments, elements of
containers, and each attribute of an object among them whose name the code reads.
Numbers count by value, the rest by identity.
"""

import copy
import dis
import re
from collections import deque
from collections.abc import Callable, Iterator
from functools import cache, partial
from types import (
    CellType,
    CodeType,
    FunctionType,
    MemberDescriptorType,
    MethodType,
    ModuleType,
)

import numpy as np

from ..types import Operand
from .node import Value
from .places import definition, is_users_name, line_that_changes

_NUMBERS = (bool, int, float, complex, str, bytes, type(None), np.generic)
_CONTAINERS = (list, tuple, dict)
_SETS = (set, frozenset)
_MUTABLE = (*_CONTAINERS, set, deque, np.ndarray)
_GETTERS = {"getattr", "hasattr", "attrgetter", "vars", "__dict__"}
_MOST_COMPARED = 100  # elements of a container
_MISSING = object()
_GLOBALS = "the globals"


def is_number(value: object) -> bool:
    """Return whether a value counts by what it is: a number, a text, a bool, None."""
    return isinstance(value, _NUMBERS)


def is_plain(value: object) -> bool:
    """Return whether a value is a number, or a small container of such values."""
    if isinstance(value, np.ndarray):
        return value.size <= _MOST_COMPARED and not value.dtype.hasobject
    if not isinstance(value, (*_CONTAINERS, *_SETS, deque)):
        return is_number(value)
    if len(value) > _MOST_COMPARED:
        return False
    if isinstance(value, dict):
        return all(is_plain(k) and is_plain(v) for k, v in value.items())
    return all(map(is_plain, value))


def is_same(one: Operand, two: Operand) -> bool:
    """Return whether two plain values are the same: 1, 1.0, True and -0.0 differ."""
    if type(one) is not type(two):
        return False
    if isinstance(one, dict):
        one, two = [*one.items()], [*two.items()]
    if isinstance(one, _SETS):
        return bool(one == two)
    if isinstance(one, np.ndarray):
        is_alike = (one.shape, one.dtype) == (two.shape, two.dtype)
        return is_alike and one.tobytes() == two.tobytes()
    if isinstance(one, list | tuple | deque):
        pairs = zip(one, two, strict=False)
        return len(one) == len(two) and all(is_same(*pair) for pair in pairs)
    return repr(one) == repr(two)


def _is_of_users(value: object) -> bool:
    """Return whether a function, class or module is the user's, not a library's."""
    is_module = isinstance(value, ModuleType)
    return is_users_name(
        str(getattr(value, "__name__" if is_module else "__module__", ""))
    )


class Reads:
    """What a function, and the functions that it calls, read from outside.

    Args:
        function: A function, a method, or an object that can be called.
    """

    def __init__(self, function: Operand) -> None:
        self.tensors: set[int] = set()  # ids of Tensors and arrays with a name
        self.modules: dict[int, Operand] = {}  # whose attributes may be read
        # Who has it, how it is read, and its name; each once, in order.
        self._owners: dict[tuple[int, str, object], tuple[Operand, str, object]] = {}
        self._values: dict[tuple[int, str, object], Operand] = {}  # as they were
        self._objects: dict[int, Operand] = {}  # whose attributes may be read
        self._attributes: set[str] = set()  # names that the code reads of any object
        self._looked_up: set[tuple[int, str]] = set()
        self._seen: dict[int, Operand] = {}  # what was visited or followed
        self._words: dict[int, str] = {}  # how the code names objects, by their ids
        self.place = definition(function)
        self.visit(function)

    def visit(self, value: Operand, words: str = "") -> None:
        """Note what a function, or an object whose attributes are read, depends on."""
        if not is_number(value):
            self._words.setdefault(id(value), words)
            self._visit(value)
            self._visit_attributes()

    def visit_module(self, module: Operand) -> None:
        """Note what the forward of a user's module reads from outside."""
        if _is_of_users(type(module)):
            self._follow(module)
            for kind in type(module).__mro__:
                self._visit(vars(kind).get("forward"))
            self._visit_attributes()

    def new_items(
        self, name_of: Callable[[Operand], str]
    ) -> Iterator[tuple[str, Operand, str]]:
        """Yield each thing that is read, once: an expression, its value now, and words.

        ``name_of`` names an owner: a dict of globals, a cell, an object.
        """
        for key in [key for key in self._owners if key not in self._values]:
            owner, pattern, name = self._owners[key]
            value = _read(owner, pattern, name)
            if is_plain(value):
                value = copy.deepcopy(value)
            self._values[key] = value
            if value is not _MISSING:
                expression = _expression(owner, pattern, name, name_of)
                yield expression, value, self._in_words(owner, pattern, name)

    def changed(self) -> tuple[str, str] | None:
        """Return what is not what it was, in words, and the line that may do it."""
        for key, value in self._values.items():
            owner, pattern, name = self._owners[key]
            now = _read(owner, pattern, name)
            if now is not value and not (is_plain(value) and is_same(now, value)):
                words = self._in_words(owner, pattern, name)
                functions = [f for f in self._seen.values() if type(f) is FunctionType]
                names = {name, words, *re.findall(r"\w+", words)[-2:]} - {"self"}
                return words, line_that_changes(functions, names) or self.place
        return None

    def _in_words(self, owner: Operand, pattern: str, name: object) -> str:
        """Return how the code of the user may name what is read."""
        words = self._words.get(id(owner), "")
        if isinstance(owner, CellType) or words == _GLOBALS:
            return words if isinstance(owner, CellType) else str(name)
        words = words or type(owner).__name__
        return f"{words}[{name!r}]" if pattern.endswith("]") else f"{words}.{name}"

    def _visit(self, function: Operand) -> None:
        """Note what a function of the user's reads."""
        if isinstance(function, staticmethod | classmethod | MethodType):
            owner = getattr(function, "__self__", None)
            self._words.setdefault(id(owner), "self")
            self._follow(owner)
            function = function.__func__
        if isinstance(function, property):
            function = function.fget
        if isinstance(function, partial):
            self._add(function, "{owner}.{name}", "keywords")
            self._add(function, "{owner}.{name}", "args")
            self._visit(function.func)
        elif not isinstance(function, FunctionType):
            self._follow(function)
        elif id(function) not in self._seen:
            self._seen[id(function)] = function
            self._visit(getattr(function, "__wrapped__", None))
            if _is_of_users(function):
                self._visit_code(function)

    def _visit_code(self, function: FunctionType) -> None:
        self._words.setdefault(id(function), function.__name__)
        self._words.setdefault(id(function.__globals__), _GLOBALS)
        names = function.__code__.co_freevars
        for name, cell in zip(names, function.__closure__ or (), strict=True):
            self._words.setdefault(id(cell), name)
        for name in ("__defaults__", "__kwdefaults__"):
            if getattr(function, name):
                self._add(function, "{owner}.{name}", name)
        for cell in function.__closure__ or ():
            self._add(cell, "{owner}.{name}", "cell_contents")
        globals_read, attributes = _read_code(function.__code__)
        self._attributes |= attributes
        for name in sorted(globals_read & function.__globals__.keys()):
            self._add(function.__globals__, "{owner}[{name}]", name)

    def _add(self, owner: Operand, pattern: str, name: object) -> None:
        """Note that a name of an owner is read, and follow what it stands for."""
        value = _read(owner, pattern, name)
        if value is _MISSING:
            return
        if not isinstance(value, ModuleType):
            self._owners.setdefault((id(owner), pattern, name), (owner, pattern, name))
            self._words.setdefault(id(value), self._in_words(owner, pattern, name))
        if isinstance(value, FunctionType | MethodType | partial):
            self._visit(value)
        else:
            self._follow(value)

    def _follow(self, value: Operand) -> None:
        """Note an object whose attributes, or a container whose elements, are read."""
        if isinstance(value, Value | np.ndarray):
            self.tensors.add(id(value))
            return
        if id(value) in self._seen or is_number(value):
            return
        self._seen[id(value)] = value
        if isinstance(value, _CONTAINERS):
            self._follow_container(value)
        if type(value) in _CONTAINERS:
            return
        if not isinstance(value, type | ModuleType):
            self._follow_object(value)
        elif _is_of_users(value):
            self._objects[id(value)] = value
            if isinstance(value, type):
                self._visit_special_methods(value)

    def _follow_container(self, value: Operand) -> None:
        if len(value) > _MOST_COMPARED or is_plain(value):
            return
        places = value if isinstance(value, dict) else range(len(value))
        for place in [p for p in places if is_plain(p)]:
            self._add(value, "{owner}[{name}]", place)

    def _follow_object(self, value: Operand) -> None:
        if _is_registered(value):
            self.modules[id(value)] = value
        self._objects[id(value)] = value
        self._visit(getattr(value, "__dict__", {}).get("__wrapped__"))
        if _is_of_users(type(value)):
            self._visit_special_methods(type(value))

    def _visit_special_methods(self, kind: type) -> None:
        """Visit the methods that Python calls without their name in the code."""
        for parent in kind.__mro__:
            if _is_of_users(parent):
                for name, method in vars(parent).items():
                    if name.endswith("__") and isinstance(method, FunctionType):
                        self._visit(method)

    def _visit_attributes(self) -> None:
        """Note what is read of objects, until nothing new is found."""
        while True:
            pairs = [
                (value, name)
                for value in self._objects.values()
                for name in sorted(self._attributes)
                if (id(value), name) not in self._looked_up
            ]
            if not pairs:
                return
            for value, name in pairs:
                self._looked_up.add((id(value), name))
                self._visit_attribute(value, name)

    def _visit_attribute(self, value: Operand, name: str) -> None:
        held = getattr(value, "__dict__", {})
        if name in held and not isinstance(value, type):
            if _is_registered(value) and not isinstance(held[name], _MUTABLE):
                self._visit(held[name])
            else:
                self._add(value, "{owner}.{name}", name)
            return
        kind = value if isinstance(value, type) else type(value)
        if isinstance(value, ModuleType) or not _is_of_users(kind):
            return
        holders = [vars(parent) for parent in kind.__mro__]
        every = [held[name] for held in holders if name in held]
        found = every[0] if every else _MISSING
        if isinstance(found, FunctionType | staticmethod | classmethod | property):
            for method in every:  # super() calls the others
                self._visit(method)
        elif isinstance(found, MemberDescriptorType) or not _is_descriptor(found):
            self._add(value, "{owner}.{name}", name)


def _is_descriptor(value: Operand) -> bool:
    return value is _MISSING or hasattr(type(value), "__get__")


@cache
def _read_code(code: CodeType) -> tuple[frozenset[str], frozenset[str]]:
    """Return the globals, and the attributes of any object, that code reads."""
    names: set[str] = set()
    attributes: set[str] = set()
    for instruction in dis.get_instructions(code):
        if instruction.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
            names.add(str(instruction.argval))
        elif instruction.opname in ("LOAD_ATTR", "LOAD_METHOD", "LOAD_SUPER_ATTR"):
            attributes.add(str(instruction.argval))
    by_name = not _GETTERS.isdisjoint(names | attributes)
    for constant in code.co_consts:
        if by_name and isinstance(constant, str):
            attributes.add(constant)
        if isinstance(constant, CodeType):
            inner = _read_code(constant)
            names |= inner[0]
            attributes |= inner[1]
    return frozenset(names), frozenset(attributes)


def _is_registered(value: Operand) -> bool:
    """Return whether changes of an object's attributes are counted: a Module's are."""
    return not isinstance(value, type) and hasattr(type(value), "register_buffer")


def _expression(
    owner: Operand, pattern: str, name: Operand, name_of: Callable[[Operand], str]
) -> str:
    """Return how a name of an owner is read, as Python."""
    shown = name
    if pattern.endswith("]"):
        shown = repr(name) if isinstance(name, str) else name_of(name)
    return pattern.format(owner=name_of(owner), name=shown)


def _read(owner: Operand, pattern: str, name: Operand) -> Operand:
    """Return what a name of an owner stands for."""
    try:
        return owner[name] if pattern.startswith("{owner}[") else getattr(owner, name)
    except (AttributeError, ValueError, LookupError):  # a cell may be empty
        return _MISSING
