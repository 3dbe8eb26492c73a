"""Drawings of recorded graphs, in graphviz's language DOT."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ..engine.node import Node
from ..errors import GraphError, check_type
from ..tensor import Tensor

if TYPE_CHECKING:
    from ..nn.module import Module


class Drawing(str):
    """A graph in DOT; notebooks show its picture if ``dot`` is installed."""

    __slots__ = ()

    def svg(self) -> str:
        """Return the picture that graphviz's ``dot`` draws, as SVG.

        Raises:
            GraphError: The program is not installed.
        """
        from subprocess import check_output

        if not _has_dot():
            raise GraphError(
                "draw: svg() needs the program 'dot' of graphviz; the text is DOT"
            )
        return check_output(["dot", "-Tsvg"], input=self, encoding="utf-8")

    def _repr_svg_(self) -> str | None:
        return self.svg() if _has_dot() else None


def _has_dot() -> bool:
    from shutil import which  # here, so that the package imports fast

    return which("dot") is not None


def draw(
    tensor: Tensor, names: "Module | Mapping[str, Tensor] | None" = None
) -> Drawing:
    """Draw how a tensor was made: its operations and leaves, with their shapes.

    Operations that a backward pass has freed are dashed.

    Args:
        tensor: A Tensor.
        names: The names of leaves: a module, or a dict from names to Tensors.

    Returns:
        A str in DOT; its ``svg()`` is the picture.

    Raises:
        DTypeError: An argument is of the wrong type.

    Example:
        >>> import tinygrad_rnn as tg
        >>> from tinygrad_rnn.utils import draw
        >>> w = tg.ones(3, requires_grad=True)
        >>> print(draw((w * 2.0).sum(), {"w": w}))
        digraph {
          0 [label="sum\\n()"]
          1 -> 0
          1 [label="multiply\\n(3,)"]
          2 -> 1
          2 [label="w\\n(3,)", shape=box]
        }
    """
    check_type("draw", Tensor, "a Tensor", tensor=tensor)
    if names is not None and hasattr(names, "named_parameters"):
        names = dict(names.named_parameters())
    names = names or {}
    expected = "a module, or a dict from names to Tensors"
    check_type("draw", Mapping, expected, names=names)
    labels = {id(leaf): name.replace('"', "'") for name, leaf in names.items()}
    queue: list[Node | Tensor] = [tensor.node or tensor]
    numbers = {id(queue[0]): 0}
    lines = ["digraph {"]
    for number, item in enumerate(queue):  # the queue grows
        lines.append(f"  {number} [{_attributes(item, labels)}]")
        for parent in _parents(item):
            if id(parent) not in numbers:
                numbers[id(parent)] = len(queue)
                queue.append(parent)
            lines.append(f"  {numbers[id(parent)]} -> {number}")
    return Drawing("\n".join([*lines, "}"]))


def _attributes(item: Node | Tensor, labels: Mapping[int, str]) -> str:
    """Return the label and the style of a box."""
    if not isinstance(item, Node):
        return f'label="{labels.get(id(item), "leaf")}\\n{item.shape}", shape=box'
    shape = "" if item.shape is None else f"\\n{item.shape}"
    style = ", style=dashed" if _source(item).saved is None else ""
    return f'label="{item.plan.name}{shape}"{style}'


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
