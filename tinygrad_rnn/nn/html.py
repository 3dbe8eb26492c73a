"""What notebooks show of a module: the modules inside it, and their parameters."""

from ..tensor.html import escape
from .module import Module


def module_html(module: Module, name: str = "", above: tuple[int, ...] = ()) -> str:
    """Return a module as HTML, with a part for each module inside that folds.

    Args:
        module: A module.
        name: The attribute that holds it, if another module does.
        above: The ids of the modules around it, which may be inside it again.
    """
    count = sum(parameter.numel() for parameter in module.parameters())
    title = f"{name}: " if name else ""
    title += f"{type(module).__name__}({module.extra_repr()})"
    lines = [
        f"<li><code>{escape(f'{own}: {parameter.shape}')}</code></li>"
        for own, parameter in module.named_parameters(recurse=False)
    ]
    above = (*above, id(module))
    for own, child in module.named_children():
        if id(child) not in above:
            lines.append(f"<li>{module_html(child, own, above)}</li>")
    head = f"<code>{escape(title)}</code>, {count:,} parameters"
    if not lines:
        return f"<div>{head}</div>"
    state = "" if name else " open"
    inside = f"<summary>{head}</summary><ul>{''.join(lines)}</ul>"
    return f"<details{state}>{inside}</details>"
