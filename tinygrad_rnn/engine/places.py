"""Where in the user's code something happens, for messages: ``file:line``."""

import dis
import sys
from collections.abc import Iterable, Iterator
from functools import cache, partial
from types import CodeType, FrameType, FunctionType

from ..types import Operand
from .warned import is_in_package

_PACKAGE = __name__.partition(".")[0]
_OF_LIBRARIES = {*sys.stdlib_module_names, _PACKAGE, "numpy", "cupy"} - {"__main__"}
_CHANGING = {  # methods that change what they are called on
    "add",
    "append",
    "appendleft",
    "clear",
    "discard",
    "extend",
    "insert",
    "pop",
    "popleft",
    "remove",
    "reverse",
    "setdefault",
    "sort",
    "update",
    "__setitem__",
    "fill",
}
_STORES = {"STORE_NAME", "STORE_GLOBAL", "STORE_DEREF", "STORE_ATTR", "DELETE_ATTR"}
_ITEM_STORES = {"STORE_SUBSCR", "DELETE_SUBSCR", "STORE_SLICE"}


@cache
def is_users_name(module: str) -> bool:
    """Return whether a module of this name is the user's, not a library's."""
    if module.partition(".")[0] in _OF_LIBRARIES:
        return False
    file = str(getattr(sys.modules.get(module), "__file__", ""))
    return "site-packages" not in file and "dist-packages" not in file


def user_line() -> str:
    """Return the innermost line of the user, or else of another library."""
    frame: FrameType | None = sys._getframe(1)
    outside = None
    while frame is not None:
        if not is_in_package(frame):
            outside = outside or frame
            if is_users_name(str(frame.f_globals.get("__name__"))):
                outside = frame
                break
        frame = frame.f_back
    if outside is None:
        return "an unknown line"
    return f"{outside.f_code.co_filename}:{outside.f_lineno}"


def definition(function: Operand) -> str:
    """Return where a function, method or module is defined; "" if that is unknown."""
    while isinstance(function, partial):
        function = function.func
    function = getattr(function, "__wrapped__", function)
    if not hasattr(function, "__code__"):
        methods = [getattr(type(function), n, None) for n in ("forward", "__call__")]
        function = methods[0] or methods[1]
    code = getattr(getattr(function, "__func__", function), "__code__", None)
    return "" if code is None else f"{code.co_filename}:{code.co_firstlineno}"


def line_that_changes(functions: Iterable[FunctionType], names: set[object]) -> str:
    """Return the line at which one of some functions changes what has these names.

    It is found from their code: the line that assigns the name, or else the one that
    has the name, and sets an item or calls a method such as append; "" if none does.
    """
    best, found = 0, ""
    for function in functions:
        if function.__name__ == "__init__":  # which has run before
            continue
        for code in _codes(function.__code__):
            for line, instructions in _lines(code).items():
                points = _points(instructions, names)
                if points > best:
                    best, found = points, f"{code.co_filename}:{line}"
    return found


def _points(instructions: list[tuple[str, object]], names: set[object]) -> int:
    """Return how sure it is that a line changes what has one of these names."""
    stores = {arg for name, arg in instructions if name in _STORES}
    if stores & names:
        return 2
    changes = any(
        name in _ITEM_STORES
        or (isinstance(arg, str) and arg in _CHANGING and name.startswith("LOAD"))
        for name, arg in instructions
    )
    mentions = any(type(arg) in (str, int) and arg in names for _, arg in instructions)
    return int(changes and mentions)


def _codes(code: CodeType) -> Iterator[CodeType]:
    """Yield a function's code, and that of the functions inside of it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)


def _lines(code: CodeType) -> dict[int, list[tuple[str, object]]]:
    """Return the instructions of each line, in order, with their arguments."""
    found: dict[int, list[tuple[str, object]]] = {}
    for instruction in dis.get_instructions(code):
        positions = instruction.positions
        if positions is not None and positions.lineno is not None:
            arg = instruction.argval
            found.setdefault(positions.lineno, []).append((instruction.opname, arg))
    return found
