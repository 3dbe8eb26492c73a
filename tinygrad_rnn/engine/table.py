"""The package's ops by name: ``table.tanh`` is the op that ``ops.tanh`` is."""

from types import SimpleNamespace

table = SimpleNamespace()
"""The namespace of a recorded pullback; ``@op`` adds the package's ops."""
