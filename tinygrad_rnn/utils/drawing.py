"""Drawings of recorded graphs, as pictures and in graphviz's language DOT."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Self

from ..engine.node import Node
from ..errors import GraphError, check_type
from ..tensor import Tensor
from .svg import Box, picture

if TYPE_CHECKING:
    from ..nn.module import Module

MOST_BOXES = 1000  # that a picture can have
UNNAMED = "leaf"


class Drawing(str):
    """A graph in DOT, which notebooks show as a picture."""

    _boxes: Sequence[Box]

    def __new__(cls, boxes: Sequence[Box]) -> Self:
        drawing = super().__new__(cls, _dot(boxes))
        drawing._boxes = boxes
        return drawing

    def __reduce__(self) -> tuple[object, ...]:  # for copies
        return type(self), (self._boxes,)

    def svg(self) -> str:
        """Return the picture as SVG.

        Operations are rounded boxes, dashed if a backward pass has freed them. Leaves
        are plain boxes. One that several operations use stands beside each of them,
        always in the same colour.

        Raises:
            GraphError: The graph is too large for a picture.
        """
        boxes = _with_copies_of_leaves(self._boxes)
        if len(boxes) > MOST_BOXES:
            raise GraphError(
                f"draw: svg() of {len(boxes)} boxes, expected at most {MOST_BOXES}; "
                "draw fewer steps, or give the text to graphviz"
            )
        return picture(boxes)

    def _repr_svg_(self) -> str | None:
        is_small = len(_with_copies_of_leaves(self._boxes)) <= MOST_BOXES
        return self.svg() if is_small else None


def draw(
    tensor: Tensor, names: "Module | Mapping[str, Tensor] | None" = None
) -> Drawing:
    """Draw how a tensor was made: its operations and leaves, with their shapes.

    In a notebook, the result is shown as a picture, for which nothing else has to be
    installed. Operations that a backward pass has freed are dashed, and what is behind
    them is gone: draw before ``backward()``, or keep the graph with ``retain_graph=``.
    A leaf that several operations use, such as a weight that each step of a network
    shares, stands beside each of them in the same colour.

    Args:
        tensor: A Tensor.
        names: The names of leaves: a module, or a dict from names to Tensors.

    Returns:
        A str in graphviz's language DOT, in which each leaf stands once; its ``svg()``
        is the picture.

    Raises:
        DTypeError: An argument is of the wrong type.

    Example:
        >>> import tinygrad_rnn as tg
        >>> from tinygrad_rnn.utils import draw
        >>> w = tg.ones(3, requires_grad=True)
        >>> drawing = tg.utils.draw((w * 2.0).sum(), {"w": w})
        >>> print(drawing)
        digraph {
          0 [label="sum\\n()"]
          1 -> 0
          1 [label="multiply\\n(3,)"]
          2 -> 1
          2 [label="w\\n(3,)", shape=box]
        }
        >>> drawing.svg().startswith("<svg")  # for a file
        True
    """
    check_type("draw", Tensor, "a Tensor", tensor=tensor)
    labels = _labels({} if names is None else names)
    queue: list[Node | Tensor] = [tensor.node or tensor]
    numbers = {id(queue[0]): 0}
    boxes = []
    for item in queue:  # the queue grows
        parents = []
        for parent in _parents(item):
            if id(parent) not in numbers:
                numbers[id(parent)] = len(queue)
                queue.append(parent)
            parents.append(numbers[id(parent)])
        boxes.append(_box(item, parents, labels))
    return Drawing(boxes)


def _labels(names: "Module | Mapping[str, Tensor]") -> dict[int, str]:
    """Return the names of leaves by identity."""
    if not isinstance(names, type) and hasattr(names, "named_parameters"):
        names = dict(names.named_parameters())
    expected = "a module, or a dict from names to Tensors"
    check_type("draw", Mapping, expected, names=names)
    for name, leaf in names.items():
        check_type("draw", Tensor, "a Tensor", **{f"names[{name!r}]": leaf})
    return {id(leaf): str(name) for name, leaf in names.items()}


def _box(item: Node | Tensor, parents: list[int], labels: Mapping[int, str]) -> Box:
    """Return the box of an operation or a leaf."""
    if isinstance(item, Node):
        is_freed = _source(item).saved is None
        return Box(item.plan.name, item.shape, False, parents, is_freed)
    return Box(labels.get(id(item), UNNAMED), item.shape, True, parents)


def _parents(item: Node | Tensor) -> list[Node | Tensor]:
    """Return the nodes and leaves that a node was made of."""
    if not isinstance(item, Node):
        return []
    return [parent for parent in _source(item).parents if parent is not None]


def _source(node: Node) -> Node:
    """Return the node of the op that made a node, if that is one of its outputs.

    A fused op with a single output that is used is drawn as one box.
    """
    is_only_output = node.plan.count == 1 and node.parents
    return node.parents[0] if is_only_output else node


def _dot(boxes: Sequence[Box]) -> str:
    """Return a graph in DOT."""
    lines = ["digraph {"]
    for number, box in enumerate(boxes):
        shape = "" if box.shape is None else f"\\n{box.shape}"
        label = box.name.replace("\\", r"\\").replace('"', "'") + shape
        style = ", shape=box" * box.is_leaf + ", style=dashed" * box.is_freed
        lines.append(f'  {number} [label="{label}"{style}]')
        lines += [f"  {parent} -> {number}" for parent in box.parents]
    return "\n".join([*lines, "}"])


def _with_copies_of_leaves(boxes: Sequence[Box]) -> list[Box]:
    """Return boxes in which each use of a leaf has a copy of it, in its colour.

    Leaves that are used once have no colour.
    """
    operations = [i for i, box in enumerate(boxes) if not box.is_leaf or i == 0]
    numbers = {old: new for new, old in enumerate(operations)}
    used = Counter([parent for box in boxes for parent in box.parents])
    shared = [i for i, count in used.items() if boxes[i].is_leaf and count > 1]
    colors = {leaf: color for color, leaf in enumerate(shared)}
    copies: list[Box] = []
    drawn = []
    for i in operations:
        parents = []
        for parent in boxes[i].parents:
            if parent in numbers:
                parents.append(numbers[parent])
                continue
            parents.append(len(operations) + len(copies))
            leaf = boxes[parent]._replace(color=colors.get(parent))
            if leaf.name == UNNAMED and parent in colors:
                leaf = leaf._replace(name=f"{UNNAMED} {parent}")
            copies.append(leaf)
        drawn.append(boxes[i]._replace(parents=parents))
    return drawn + copies
