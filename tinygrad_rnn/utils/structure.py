"""Nested dicts, lists and tuples, such as the state of an LSTM."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from ..errors import check_type
from ..tensor import Tensor


def tensors_in(value: object) -> Iterator[Tensor]:
    """Yield the Tensors in a nested structure, in order."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, tuple | list | dict):
        for part in value.values() if isinstance(value, dict) else value:
            yield from tensors_in(part)


def map_values(function: Callable[[Any], object], value: object) -> Any:
    """Return the same structure with the function's results as its values."""
    if isinstance(value, dict):
        return {key: map_values(function, part) for key, part in value.items()}
    if isinstance(value, tuple | list):
        return rebuild(value, [map_values(function, part) for part in value])
    return function(value)


def rebuild(sequence: Sequence[object], parts: list[Any]) -> Any:
    """Return a tuple, named tuple or list of the same type, with other parts."""
    kind: Callable[..., object] = type(sequence)
    return kind(*parts) if hasattr(sequence, "_fields") else kind(parts)


def detach(state: Any) -> Any:
    """Detach every Tensor of a hidden state, for truncated backpropagation.

    Args:
        state: A Tensor, None, or a tuple, list or dict of them, such as the ``(h, c)``
            of an LSTM.

    Returns:
        The same structure without a history; its Tensors share their memory with those
        of the argument.

    Raises:
        DTypeError: The state holds something else.

    Example:
        >>> import tinygrad_rnn as tg
        >>> lstm, state = tg.nn.LSTM(3, 4), None
        >>> for window in tg.randn(6, 2, 3).split(2):  # a sequence, two steps at a time
        ...     output, state = lstm(window, state)
        ...     output.sum().backward()  # goes back through this window alone
        ...     state = tg.utils.detach(state)
    """

    def detach_value(value: Tensor | None) -> Tensor | None:
        expected = "a Tensor, None, or a tuple, list or dict of them"
        check_type("detach", Tensor | None, expected, state=value)
        return None if value is None else value.detach()

    return map_values(detach_value, state)
