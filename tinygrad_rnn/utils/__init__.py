"""Around training: memory for time, batches of data, states without a history, graphs
drawn.
"""

from collections.abc import Mapping
from shutil import which
from typing import TYPE_CHECKING, Any

from ..engine.node import Node
from ..errors import GraphError, check_type, left_out
from ..tensor import Tensor
from . import checkpoint, data

__all__ = ["checkpoint", "data", "detach", "draw"]


def detach(state: Any) -> Any:
    """A state without its history, for truncated backpropagation in one line.

    Of a Tensor, or of the Tensors in a tuple, list or dict, such as an LSTM's ``(h,
    c)``; None stays None. The memory is shared.

    >>> import tinygrad_rnn as tg
    >>> lstm, state = tg.nn.LSTM(3, 4), None
    >>> for window in tg.randn(6, 2, 3).split(2):  # a sequence, two steps at a time
    ...     output, state = lstm(window, state)
    ...     output.sum().backward()  # goes back through this window alone
    ...     state = tg.utils.detach(state)
    """
    if isinstance(state, dict):
        return {key: detach(part) for key, part in state.items()}
    if isinstance(state, tuple | list):
        parts = map(detach, state)
        return type(state)(*parts) if hasattr(state, "_fields") else type(state)(parts)
    expected = "a Tensor, None, or a tuple, list or dict of them"
    check_type("detach", Tensor | None, expected, state=state)
    return None if state is None else state.detach()


class Drawing(str):
    """A graph in DOT; a notebook shows the picture where the program ``dot`` is
    installed.
    """

    __slots__ = ()

    def svg(self) -> str:
        """The picture, drawn by graphviz's ``dot``; GraphError where that is not
        installed.
        """
        from subprocess import check_output

        if not which("dot"):
            raise GraphError(
                "draw: svg() needs the program 'dot' of graphviz; the text is DOT"
            )
        return check_output(["dot", "-Tsvg"], input=self, encoding="utf-8")

    def _repr_svg_(self) -> str | None:
        return self.svg() if which("dot") else None


def draw(tensor: Tensor, names: Any = None) -> Drawing:
    """How a tensor was made, as DOT text: its operations and leaves with their shapes.

    ``names`` says what leaves are called: a module, or a dict from names to Tensors.
    ``print`` the drawing for the text; ``.svg()`` is the picture. What a walk back has
    freed is dashed.

    >>> import tinygrad_rnn as tg
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
    names = (
        dict(names.named_parameters())
        if hasattr(names, "named_parameters")
        else names or {}
    )
    check_type(
        "draw", Mapping, "a module, or a dict from names to Tensors", names=names
    )
    called = {id(leaf): name.replace('"', "'") for name, leaf in names.items()}
    queue: list[Any] = [tensor.node or tensor]
    numbers, lines = {id(queue[0]): 0}, ["digraph {"]
    for i, item in enumerate(queue):  # which grows
        name, parents, style = called.get(id(item), "leaf"), [], ", shape=box"
        if isinstance(item, Node):
            # The only output of a fused op stands for the op.
            source = item.parents[0] if item.plan.count == 1 and item.parents else item
            name, parents = item.plan.name, [x for x in source.parents if x is not None]
            style = ", style=dashed" if source.saved is None else ""
        shape = "" if item.shape is None else f"\\n{item.shape}"
        lines.append(f'  {i} [label="{name}{shape}"{style}]')
        for parent in parents:
            if numbers.setdefault(id(parent), len(queue)) == len(queue):  # it is new
                queue.append(parent)
            lines.append(f"  {numbers[id(parent)]} -> {i}")
    return Drawing("\n".join([*lines, "}"]))


if not TYPE_CHECKING:
    __getattr__ = left_out.getter("tg.utils", globals())
