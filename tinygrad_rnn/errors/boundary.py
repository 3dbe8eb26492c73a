"""The boundary between the errors of array libraries and ours.

An op calls :func:`translate` when an array library raises. :func:`name_errors` makes
the errors of a public function name it, and not the functions that it is made of.
"""

from collections.abc import Sequence
from functools import wraps
from typing import TypeVar, cast

from numpy.exceptions import AxisError

from ..types import Function, Operand, Settings
from .checks import describe
from .kinds import DimError, DTypeError, Error, IdError, OptionError, ShapeError
from .left_out import instead_of_argument

F = TypeVar("F", bound=Function)

# The error of ours that stands for one of an array library; the first that fits.
_KINDS: dict[type[Exception], type[Error]] = {
    AxisError: DimError,
    IndexError: IdError,
    ValueError: OptionError,
    TypeError: DTypeError,
    OverflowError: OptionError,
}
# Of these words one is in each of its errors about shapes.
_ABOUT_SHAPES = (
    "broadcast",
    "shape",
    "dimension",
    "axes",
    "aligned",
    "subscript",
    "concatenat",
    "empty sequence",
    "zero-size",
)
_ABOUT_INDICES = (
    "an index is an integer, a slice, `...`, None, or a list, array or Tensor of "
    "integers or bools"
)
# A part of what NumPy says, and what our message says instead.
_OUR_WORDS = {
    "only integers, slices": _ABOUT_INDICES,
    "arrays used as indices must be of integer": _ABOUT_INDICES,
    "boolean subtract": "bools have no difference; use a != b for where they differ",
    "boolean negative": "bools have no negative; use ~a for the opposite",
    "ufunc 'bitwise_": "expected bool or integers",
    "ufunc 'invert'": "expected bool or integers",
}


def translate(
    name: str, arrays: Sequence[Operand], error: Exception, custom: bool = False
) -> Exception:
    """Return an array library's error as ours, which names the op and its arguments.

    Our own errors, and kinds that array libraries do not raise, are returned as they
    are. So is what the forward of a ``custom`` op, which a user declared, may raise on
    purpose, with a note that names the op.
    """
    if isinstance(error, Error):
        return error
    got = ", ".join(describe(array, "") for array in arrays)
    theirs = str(error)
    is_about_shapes = type(error) is ValueError and any(
        word in theirs.lower() for word in _ABOUT_SHAPES
    )
    if custom and not is_about_shapes and not isinstance(error, AxisError):
        error.add_note(f"It was raised by the forward of {name} (got {got}).")
        return error
    kinds = [ours for kind, ours in _KINDS.items() if isinstance(error, kind)]
    if not kinds:
        return error
    kind = ShapeError if is_about_shapes else kinds[0]
    if "operands could not be broadcast" in theirs and len(arrays) > 1:
        shapes = [str(tuple(a.shape)) for a in arrays if hasattr(a, "shape")]
        both = " and ".join(shapes)
        return kind(f"{name}: the shapes {both} cannot be broadcast together")
    if "remapped shapes" in theirs and len(arrays) == 1:
        wanted = theirs.partition("requested shape ")[2]
        wanted = wanted.replace(",", ", ").replace(", )", ",)")
        return kind(f"{name}: {arrays[0].shape} cannot be expanded to {wanted}")
    message = theirs
    if is_about_shapes:
        message = theirs.replace("newaxis", "-1")  # NumPy's word for a -1 in a shape
    for words, our_words in _OUR_WORDS.items():
        if words in theirs:
            message = our_words
    way = "; use .float()" if "negative integer power" in theirs else ""
    return kind(f"{name}: {message} (got {got}){way}")


def check_call(function: Function, settings: Settings, error: Exception) -> None:
    """Raise if the error is Python's for arguments that a function does not take.

    ``settings`` are the arguments that were given by name.
    """
    if error.__traceback__ is None or error.__traceback__.tb_next is not None:
        return  # raised inside of the function
    name, code = function.__name__, function.__code__
    known = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    known = tuple(argument for argument in known if argument != "self")
    wrong = next((key for key in settings if key not in known), None)
    if wrong is None:
        raise DTypeError(str(error)) from None
    # np.mean(t) calls t.mean(axis=None, out=None).
    if settings.get("out", error) is None:
        got = f"np.{name} does not take a Tensor"
        raise DTypeError(f"{name}: {got}; use t.{name}()")
    way = instead_of_argument(wrong)
    message = f"{name}: got {wrong}=" + (f", use {way}" if way else "")
    expected = "expected no other argument"
    if known:
        expected = f"the arguments are {', '.join(known)}"
    raise DTypeError(f"{message}; {expected}") from None


def name_errors(function: F) -> F:
    """Decorate a public function: errors from inside it start with its name.

    Nothing is done before the call. An error of ours gets the function's name for the
    one that it begins with; what Python or the array library raises becomes ours.
    """
    name = function.__name__
    function.__qualname__ = name  # for Python's own messages about arguments

    @wraps(function)
    def call(*args: object, **settings: object) -> object:
        try:
            return function(*args, **settings)
        except Error as error:
            first, colon, rest = str(error).partition(":")
            if first.isidentifier() and first != "detect_anomaly":
                error.args = (f"{name}{colon}{rest}",)
            raise
        except Exception as error:
            check_call(function, settings, error)
            is_method = function.__code__.co_varnames[0] == "self"
            if is_method and args and not hasattr(args[0], "needs_grad"):
                got = f"input is {describe(args[0])}"
                raise DTypeError(f"{name}: {got}, expected a Tensor") from None
            ours = translate(name, args, error)
            if ours is error:
                raise
            raise ours from error

    return cast("F", call)
