"""How messages put values into words."""

import os
from collections.abc import Iterable


def describe(value: object, kind: str | None = None) -> str:
    """A value in words: ``float32 of shape (2, 3)`` for a Tensor, else its type."""
    is_class = isinstance(value, type)
    if is_class or not (hasattr(value, "dtype") and hasattr(value, "shape")):
        return type(value).__name__
    if kind is None:
        kind = "" if hasattr(value, "requires_grad") else f" {type(value).__name__}"
    return f"{value.dtype}{kind} of shape {tuple(value.shape)}"


def abbreviate(items: Iterable[object], between: str = ", ", most: int = 10) -> str:
    """The first items of a list that may be long, and how many more there are."""
    listed = [str(item) for item in items]
    shown = [item if len(item) <= 300 else f"{item[:300]}..." for item in listed[:most]]
    if len(listed) > most:
        shown.append(f"and {len(listed) - most:,} more")
    return between.join(shown)


def file_name(path: object) -> str:
    """The name of a path, or of a file that is open."""
    if isinstance(path, str | bytes | os.PathLike):
        return os.fsdecode(path)
    return str(getattr(path, "name", type(path).__name__))


# Their former names, while some modules still use them.
described, few = describe, abbreviate
