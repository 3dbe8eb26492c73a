"""Pictures of graphs in SVG, which need no other program."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ..tensor.html import escape
from ..types import Shape
from .layout import Edge, Layout, arrange

# Okabe and Ito's colours, which all kinds of colour vision tell apart.
COLORS = "#56b4e9", "#e69f00", "#009e73", "#f0e442", "#cc79a7", "#d55e00", "#0072b2"
LETTER, MARGIN = 7.9, 12.0
HEIGHT, STEP = 40.0, 74.0  # of a box, and from row to row


class Box(NamedTuple):
    """An operation or a leaf.

    Attributes:
        name: What it is called.
        shape: That of its result; None if it has several.
        is_leaf: Whether it is a leaf.
        parents: The numbers of the boxes from which edges lead to it.
        is_freed: Whether a backward pass has freed it.
        color: The number of its colour; None for white.
    """

    name: str
    shape: Shape | None
    is_leaf: bool
    parents: list[int]
    is_freed: bool = False
    color: int | None = None


def picture(boxes: Sequence[Box]) -> str:
    """Return a picture of a graph whose boxes all lead to the first one."""
    texts = [_texts(box) for box in boxes]
    widths = [LETTER * max(4, *map(len, text)) + 2 * MARGIN for text in texts]
    layout = arrange([box.parents for box in boxes], widths)
    tops = [MARGIN + STEP * row for row in reversed(range(max(layout.rows) + 1))]
    lines = [_edge(edge, layout, tops) for edge in layout.edges]
    for i, box in enumerate(boxes):
        lines += _box(box, layout.x[i], tops[layout.rows[i]], widths[i])
    spans = [
        (x - width / 2, x + width / 2)
        for x, width in zip(layout.x, widths, strict=True)
    ]
    spans += [(x, x) for edge in layout.edges for x in edge.places]
    left, right = min(spans)[0], max(end for _, end in spans)
    return "\n".join(
        [_head(left - MARGIN, right + MARGIN, tops[0]), *lines, "</svg>\n"]
    )


def _texts(box: Box) -> list[str]:
    """Return the lines in a box."""
    shape = [] if box.shape is None else [str(box.shape)]
    return ["".join([c if c.isprintable() else "?" for c in box.name]), *shape]


def _head(left: float, right: float, last_top: float) -> str:
    """Return the first lines of a picture, with its white ground."""
    width, height = right - left, last_top + HEIGHT + MARGIN
    size = f'width="{width:.0f}" height="{height:.0f}"'
    view = f'viewBox="{left:.1f} 0 {width:.1f} {height:.1f}"'
    style = 'style="max-width:100%;height:auto"'
    font = 'font-family="monospace" font-size="13" text-anchor="middle"'
    space = 'xmlns="http://www.w3.org/2000/svg"'
    ground = f'<rect x="{left:.1f}" width="100%" height="100%" fill="white"/>'
    return f'<svg {space} {size} {view} {style} {font} role="img">\n{ground}'


def _box(box: Box, x: float, top: float, width: float) -> Iterator[str]:
    """Yield the elements of a box."""
    place = f'x="{x - width / 2:.1f}" y="{top:.1f}" width="{width:.1f}"'
    fill = 'fill="white"'
    if box.color is not None:
        fill = f'fill="{COLORS[box.color % len(COLORS)]}" fill-opacity="0.5"'
    line = 'stroke="black"' + ' stroke-dasharray="5 4"' * box.is_freed
    corners = f'rx="{0 if box.is_leaf else 14}"'
    yield f'<rect {place} height="{HEIGHT:.0f}" {corners} {fill} {line}/>'
    texts = _texts(box)
    for i, text in enumerate(texts):
        y = top + HEIGHT / 2 + 4.5 + 17 * (i - (len(texts) - 1) / 2)
        yield f'<text x="{x:.1f}" y="{y:.1f}">{escape(text)}</text>'


def _edge(edge: Edge, layout: Layout, tops: Sequence[float]) -> str:
    """Return an edge with its arrowhead, through its places in the rows it skips."""
    x, row = layout.x[edge.start], layout.rows[edge.start]
    y = tops[row] + HEIGHT
    path = f"M{x:.1f} {y:.1f}"
    for place in [*reversed(edge.places), layout.x[edge.end]]:
        row -= 1
        middle = (y + tops[row]) / 2
        curve = f"C{x:.1f} {middle:.1f} {place:.1f} {middle:.1f} {place:.1f}"
        x, y = place, tops[row] + HEIGHT
        path += f"{curve} {tops[row]:.1f}V{y:.1f}"
    path = path.removesuffix(f"V{y:.1f}")
    head = f"M{x:.1f} {tops[row]:.1f}l-4 -8h8z"
    return f'<path d="{path}" fill="none" stroke="#555"/><path d="{head}" fill="#555"/>'
