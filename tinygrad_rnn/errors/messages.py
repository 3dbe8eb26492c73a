"""How messages put values into words."""

import os
from collections.abc import Iterable
from typing import Any


def described(value: Any, kind: str | None = None) -> str:
    """What came, for a message: ``float32 of shape (2, 3)`` of a Tensor, else with its
    type's name.
    """
    if (
        hasattr(value, "dtype")
        and hasattr(value, "shape")
        and not isinstance(value, type)
    ):
        if kind is None:
            kind = "" if hasattr(value, "requires_grad") else f" {type(value).__name__}"
        return f"{value.dtype}{kind} of shape {tuple(value.shape)}"
    return type(value).__name__


def few(items: Iterable[Any], between: str = ", ", most: int = 10) -> str:
    """The first items of a list that may be long, for a message, and how many more
    there are.
    """
    listed = [str(item) for item in items]
    shown = [item if len(item) <= 300 else f"{item[:300]}..." for item in listed[:most]]
    if len(listed) > most:
        shown.append(f"and {len(listed) - most:,} more")
    return between.join(shown)


def file_name(path: Any) -> str:
    """How a message names a path, or a file that is open."""
    if isinstance(path, str | bytes | os.PathLike):
        return os.fsdecode(path)
    return str(getattr(path, "name", type(path).__name__))
