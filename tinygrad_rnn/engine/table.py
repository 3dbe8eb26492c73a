"""The package's ops by name: ``table.tanh`` is the op that ``ops.tanh`` is."""

from types import SimpleNamespace

table = SimpleNamespace()
"""The namespace of a pullback that is being recorded; ``@op`` adds the package's ops."""
