"""The classes of errors: each is also the built-in error that a caller expects."""

from collections.abc import Callable

__name__ = __package__  # what tracebacks show before the name of a class


class Error(Exception):
    """Base of all errors that tinygrad_rnn raises on purpose: catch ``tg.Error``.

    Example:
        >>> import tinygrad_rnn as tg
        >>> try:
        ...     tg.zeros(2).add(tg.zeros(3))
        ... except tg.Error as error:
        ...     print(type(error).__name__, "-", error)
        ShapeError - add: the shapes (2,) and (3,) cannot be broadcast together
    """


class ShapeError(Error, ValueError):
    """A shape, a rank or a size that cannot be right.

    Example:
        >>> import tinygrad_rnn as tg
        >>> try:
        ...     tg.zeros(2).add(tg.zeros(3))
        ... except ValueError as error:
        ...     print(error)
        add: the shapes (2,) and (3,) cannot be broadcast together
    """


class OptionError(Error, ValueError):
    """A setting or a value outside of what a function accepts.

    Example:
        >>> import tinygrad_rnn as tg
        >>> try:
        ...     tg.nn.Dropout(2.0)
        ... except ValueError as error:
        ...     print(error)
        nn.Dropout: p is 2.0, expected a number from 0 to 1
    """


class DTypeError(Error, TypeError):
    """A type or a dtype that a function does not accept.

    Example:
        >>> import tinygrad_rnn as tg
        >>> try:
        ...     tg.tensor([1, 2]).mean()
        ... except TypeError as error:
        ...     print(error)
        mean: got a tensor of int64, expected floats; use .float()
    """


class IdError(Error, IndexError):
    """An index, an id or a class that is out of range.

    Example:
        >>> import tinygrad_rnn as tg
        >>> try:
        ...     tg.nn.Embedding(10, 3)(tg.tensor([10]))
        ... except IndexError as error:
        ...     print(error)
        embedding: input has 10 at (0,), expected ids in [0, 10)
    """


class GraphError(Error, RuntimeError):
    """A backward pass that the recorded graph cannot give.

    Example:
        >>> import tinygrad_rnn as tg
        >>> x = tg.tensor(3.0, requires_grad=True)
        >>> y = x * x
        >>> y.backward()
        >>> try:
        ...     y.backward()
        ... except RuntimeError as error:
        ...     print(str(error)[:60])
        backward: this graph was already walked and its saved values
    """


class ExportError(GraphError, BufferError):
    """A tensor that requires grad, where another library would lose its gradient.

    Example:
        >>> import numpy as np
        >>> import tinygrad_rnn as tg
        >>> weight = tg.ones(2, requires_grad=True)
        >>> try:
        ...     np.asarray(weight)
        ... except tg.Error:
        ...     array = np.asarray(weight.detach())
        >>> array.tolist()
        [1.0, 1.0]
    """


class OutOfMemoryError(Error, RuntimeError, MemoryError):
    """The memory of a GPU ran out; ``tg.cuda.OutOfMemoryError`` is the same class.

    What the failed call had made is freed as soon as the error is handled, so a smaller
    batch can be tried next. Do that after the ``except`` block, in which the error
    still holds the arrays of the functions that it went through.

    Example:
        >>> import tinygrad_rnn as tg
        >>> def train(batch_size):
        ...     if batch_size > 16:
        ...         raise tg.cuda.OutOfMemoryError("out of memory on cuda:0")
        >>> batch_size = 64
        >>> while batch_size:
        ...     try:
        ...         train(batch_size)
        ...         break
        ...     except tg.cuda.OutOfMemoryError:
        ...         batch_size //= 2
        >>> batch_size
        16
    """


class CheckpointError(Error, ValueError):
    """A file of weights or a checkpoint that cannot be read, written or applied.

    Example:
        >>> import io
        >>> import tinygrad_rnn as tg
        >>> try:
        ...     tg.load(io.BytesIO(b"damaged"))
        ... except tg.CheckpointError as error:
        ...     print(error)
        cannot load 'BytesIO': it looks like text, not like a safetensors file
    """


class MissingFile(CheckpointError, OptionError, FileNotFoundError):
    """A file of weights or of text that does not exist.

    Example:
        >>> import tinygrad_rnn as tg
        >>> try:
        ...     tg.load("missing.safetensors")
        ... except FileNotFoundError as error:
        ...     print(str(error)[:34])
        cannot load 'missing.safetensors':
    """


class DimError(Error, IndexError, ValueError):
    """A dim that the tensor does not have; both built-in errors, as in NumPy.

    Example:
        >>> import tinygrad_rnn as tg
        >>> try:
        ...     tg.ones(2).sum(dim=1)
        ... except IndexError as error:
        ...     print(error)
        sum: dim 1 of a tensor of shape (2,), expected one from -1 to 0
    """


class NameMissing(IdError, KeyError):
    """A key that a container does not have.

    Example:
        >>> import tinygrad_rnn as tg
        >>> try:
        ...     tg.nn.ModuleDict()["head"]
        ... except KeyError as error:
        ...     print(error)
        nn.ModuleDict: no module 'head', expected one of []
    """

    __str__ = Exception.__str__  # KeyError shows the message as a literal


class AttributeMissing(Error, AttributeError):
    """A module, a parameter or a buffer that does not exist.

    Example:
        >>> import tinygrad_rnn as tg
        >>> try:
        ...     tg.nn.Linear(3, 2).get_submodule("head")
        ... except AttributeError as error:
        ...     print(str(error)[:51])
        get_submodule: 'head': Linear has no module 'head',
    """


class NoAttribute(AttributeMissing):
    """A name that an object or a module lacks.

    The message is made when it is read, as hasattr() drops most of these errors.

    Example:
        >>> import tinygrad_rnn as tg
        >>> try:
        ...     tg.nn.Linear(3, 2).wieght
        ... except AttributeError as error:
        ...     print(error)
        'Linear' object has no attribute 'wieght'; names like it: weight
    """

    def __init__(self, name: str, make_message: Callable[[], str]) -> None:
        super().__init__(f"no attribute {name!r}", name=name)
        self.make_message = make_message

    def __str__(self) -> str:
        return self.make_message()

    def __reduce__(self) -> tuple[type[AttributeError], tuple[str]]:
        return AttributeError, (str(self),)


class LeftOut(NoAttribute):
    """A name of PyTorch's, or one misspelt, that is not here.

    Example:
        >>> import tinygrad_rnn as tg
        >>> try:
        ...     tg.einsumm
        ... except AttributeError as error:
        ...     print(error)
        tg.einsumm is not here; names like it: einsum, sum; see docs/differences.md
    """
