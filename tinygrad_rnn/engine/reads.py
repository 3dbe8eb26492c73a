"""What a function reads beside its arguments: globals, closures, attributes.

A replay does not run the function's Python, so what that would read has to be what it
was. This is found without running it, from the code of the function and of the user's
functions that it names: each global and free variable, and each attribute of an object
among them whose name the code reads. Numbers count by value, the rest by identity.
"""

import copy
import dis
import sys
from collections.abc import Callable, Iterator
from types import CodeType, FunctionType, MethodType, ModuleType

import numpy as np

from ..types import Operand
from .node import Value

_PACKAGE = __name__.partition(".")[0]
_NUMBERS = (bool, int, float, complex, str, bytes, type(None), np.generic)
_CONTAINERS = (list, tuple, dict)
_OF_LIBRARIES = {*sys.stdlib_module_names, _PACKAGE, "numpy", "cupy"} - {"__main__"}
_MOST_COMPARED = 100  # elements of a container
_MISSING = object()


def is_number(value: object) -> bool:
    """Return whether a value counts by what it is: a number, a text, a bool, None."""
    return isinstance(value, _NUMBERS)


def is_plain(value: object) -> bool:
    """Return whether a value is a number, or a small container of such values."""
    if isinstance(value, _CONTAINERS) and len(value) > _MOST_COMPARED:
        return False
    if isinstance(value, dict):
        return all(is_number(k) and is_plain(v) for k, v in value.items())
    if type(value) in _CONTAINERS:
        return all(map(is_plain, value))  # type: ignore[call-overload]
    return is_number(value)


def _is_of_users(value: object) -> bool:
    """Return whether a function, class or module is the user's, not a library's."""
    own = getattr(
        value, "__name__" if isinstance(value, ModuleType) else "__module__", ""
    )
    if str(own).partition(".")[0] in _OF_LIBRARIES:
        return False
    file = str(getattr(sys.modules.get(str(own)), "__file__", ""))
    return "site-packages" not in file and "dist-packages" not in file


class Reads:
    """What a function, and the functions that it calls, read from outside.

    Args:
        function: A function, a method, or an object that can be called.
    """

    def __init__(self, function: Operand) -> None:
        self.tensors: set[int] = set()  # the ids of Tensors found under a name
        self._owners: list[tuple[Operand, str, str]] = []  # owner, how it is read, name
        self._objects: dict[int, Operand] = {}  # whose attributes may be read
        self._attributes: set[str] = set()  # names that the code reads of any object
        self._seen: set[int] = set()
        self._visit(function)
        self._visit_attributes()

    def visit_module(self, module: Operand) -> None:
        """Note what the forward of a user's module reads from outside."""
        if _is_of_users(type(module)):
            self._visit(type(module).forward)
            self._visit_attributes()

    def items(self, name_of: Callable[[Operand], str]) -> Iterator[tuple[str, Operand]]:
        """Yield an expression for each thing that is read, and its value now.

        ``name_of`` names an owner: a dict of globals, a cell, an object.
        """
        for owner, pattern, name in self._owners:
            value = _read(owner, pattern, name)
            if value is _MISSING:
                continue
            if is_plain(value):
                value = copy.deepcopy(value)
            yield pattern.format(owner=name_of(owner), name=name), value

    def _visit(self, function: Operand) -> None:
        """Note what a function of the user's reads."""
        if isinstance(function, MethodType):
            self._note(function.__self__)
            function = function.__func__
        if hasattr(function, "__wrapped__"):
            self._visit(function.__wrapped__)
        if not isinstance(function, FunctionType):
            self._note(function)
            return
        if id(function) in self._seen or not _is_of_users(function):
            return
        self._seen.add(id(function))
        for cell in function.__closure__ or ():
            self._add(cell, "{owner}.cell_contents", "cell_contents")
        globals_read = self._read_code(function.__code__)
        for name in sorted(globals_read & function.__globals__.keys()):
            self._add(function.__globals__, "{owner}[{name!r}]", name)

    def _read_code(self, code: CodeType) -> set[str]:
        """Return the globals that code reads; note the attributes."""
        found: set[str] = set()
        for instruction in dis.get_instructions(code):
            if instruction.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
                found.add(str(instruction.argval))
            elif instruction.opname in ("LOAD_ATTR", "LOAD_METHOD"):
                self._attributes.add(str(instruction.argval))
        for constant in code.co_consts:
            if isinstance(constant, CodeType):
                found |= self._read_code(constant)
        return found

    def _add(self, owner: Operand, pattern: str, name: str) -> None:
        """Note that a name of an owner is read, and follow what it stands for."""
        value = _read(owner, pattern, name)
        if value is _MISSING or isinstance(value, ModuleType):
            self._note(value)
            return
        is_function = isinstance(value, FunctionType | MethodType | type)
        if is_function and not _is_of_users(value):
            return
        self._owners.append((owner, pattern, name))
        if isinstance(value, Value):
            self.tensors.add(id(value))
        elif is_function:
            self._visit(value)
        else:
            self._note(value)

    def _note(self, value: Operand) -> None:
        """Note an object whose attributes may be read."""
        kind = value if isinstance(value, ModuleType) else type(value)
        if _is_of_users(kind) and hasattr(value, "__dict__"):
            self._objects.setdefault(id(value), value)

    def _visit_attributes(self) -> None:
        """Note what is read of objects, until nothing new is found."""
        done: set[tuple[int, str]] = set()
        while True:
            pairs = [
                (value, name)
                for value in self._objects.values()
                for name in sorted(self._attributes)
                if (id(value), name) not in done
            ]
            if not pairs:
                return
            for value, name in pairs:
                done.add((id(value), name))
                if name in vars(value):
                    if not _is_registered(value):
                        self._add(value, "{owner}.{name}", name)
                    else:
                        self._note(vars(value)[name])
                elif isinstance(
                    method := getattr(type(value), name, None), FunctionType
                ):
                    self._visit(method)


def _is_registered(value: Operand) -> bool:
    """Return whether changes of an object's attributes are counted: a Module's are."""
    return hasattr(value, "register_buffer")


def _read(owner: Operand, pattern: str, name: str) -> Operand:
    """Return what a name of an owner stands for."""
    if pattern.startswith("{owner}["):
        return owner.get(name, _MISSING)
    try:
        return getattr(owner, name)
    except (AttributeError, ValueError):  # a cell may be empty
        return _MISSING
