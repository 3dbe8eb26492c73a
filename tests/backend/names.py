"""What the package asks of a backend."""

import ast
from pathlib import Path

import tinygrad_rnn


def asked_of_backends():
    """The names behind ``xp.`` in the package's code, but those of Backend itself."""
    found = set()
    for path in Path(tinygrad_rnn.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.Attribute)
                and getattr(node.value, "id", "") == "xp"
            ):
                found.add(node.attr)
    return found - {
        "Array",
        "kind",
        "multi_device",
        "name",
        "on_device",
        "to_device",
        "vjp",
    }
