"""What notebooks show of a tensor: its kind in a line, and its values in a table."""

from typing import TYPE_CHECKING

import numpy as np

from ..convert import on_host

if TYPE_CHECKING:
    from .autograd import Autograd

EDGE = 5  # how many rows and columns of a large table are shown at either end
_CELL = '<td style="text-align:right">'


def escape(text: object) -> str:
    """Return text with entities for the characters that HTML and XML reserve."""
    from html import escape  # here, so that the package imports fast

    return escape(str(text))


def tensor_html(tensor: "Autograd") -> str:
    """Return a tensor as HTML.

    Numbers, vectors and matrices are a table; a large one shows only its ends. Tensors
    with more dims show their extremes and their mean.
    """
    parts = [
        type(tensor).__name__,
        f"shape {tensor.shape}",
        str(tensor.dtype),
        str(tensor.device),
    ]
    if tensor.node is not None:
        parts.append(f"grad_fn={tensor.node!r}")
    elif tensor.requires_grad:
        parts.append("requires_grad")
    line = f"<code>{escape(', '.join(parts))}</code>"
    array = on_host(tensor)
    if not array.size:
        return f"<div>{line}</div>"
    if array.ndim > 2:
        return f"<div>{line}<br><code>{escape(_summary(array))}</code></div>"
    rows = [_row(row) for row in _ends(np.atleast_2d(array))]
    return f"<div>{line}<table>{''.join(rows)}</table></div>"


def _ends(items: np.ndarray) -> list[np.ndarray | None]:
    """Return rows, or the elements of one; None stands for those in the middle."""
    if len(items) <= 2 * EDGE + 1:
        return list(items)
    return [*items[:EDGE], None, *items[-EDGE:]]


def _row(row: np.ndarray | None) -> str:
    """Return a row of a table."""
    values = [None] if row is None else _ends(row)
    texts = ["…" if value is None else _number(value) for value in values]
    return f"<tr>{''.join([f'{_CELL}{text}</td>' for text in texts])}</tr>"


def _number(value: np.ndarray) -> str:
    return f"{value:.4g}" if value.dtype.kind == "f" else str(value)


def _summary(array: np.ndarray) -> str:
    """Return the extremes and the mean of an array, and how much is NaN or infinite."""
    finite = array[np.isfinite(array)].astype(np.float64)
    parts = []
    if finite.size:
        low, high = finite.min(), finite.max()
        mean = (finite / finite.size).sum()  # large values do not overflow
        parts.append(f"{low:.4g} to {high:.4g}, mean {mean:.4g}")
    if finite.size < array.size:
        parts.append(f"{array.size - finite.size} NaN or infinite")
    return ", ".join(parts)
