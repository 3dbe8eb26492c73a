"""The shape of the house: what may import what, and what an import brings along."""

import ast
import importlib.util
import os
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import tinygrad_rnn

ROOT = Path(tinygrad_rnn.__file__).parent
FILES = {
    ".".join(
        ("tinygrad_rnn", *path.relative_to(ROOT).with_suffix("").parts)
    ).removesuffix(".__init__"): path
    for path in sorted(ROOT.rglob("*.py"))
}
TREES = {
    name: ast.parse(path.read_text(encoding="utf-8")) for name, path in FILES.items()
}

# Lowest first; what stands together may import each other, as long as no circle comes
# of it.
LAYERS = (
    ("types",),
    ("errors",),
    ("tree",),
    ("serialization",),
    ("backend",),
    ("kernels",),
    ("engine",),
    ("random",),
    ("ops",),
    ("convert",),
    ("tensor",),
    ("errors.tensor_checks",),
    ("creation", "functions", "combining", "einsum", "sampling"),
    ("autograd", "array_api"),
    ("nn",),
    ("optim", "data", "checkpoint", "utils", "cuda"),
)
LEVEL = {part: level for level, parts in enumerate(LAYERS) for part in parts}


def imports(name, tree, nested=True):
    """The modules that a module imports, by full name; with ``nested`` inside functions
    too.
    """
    package = name if FILES[name].name == "__init__.py" else name.rpartition(".")[0]
    stack, found = [tree], set()
    while stack:
        node = stack.pop()
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = importlib.util.resolve_name(
                "." * node.level + (node.module or ""), package
            )
            # `from . import x` names a module, `from .x import y` none
            for alias in node.names:
                inner = f"{base}.{alias.name}"
                found.add(inner if inner in FILES else base)
        if nested or not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            stack.extend(ast.iter_child_nodes(node))
    return found


def part(name):
    """The part of the house that a module belongs to; None for the front door."""
    inside = name.partition(".")[2]
    return inside if inside in LEVEL else inside.partition(".")[0] or None


INNER = [
    (name, target)
    for name, tree in TREES.items()
    for target in imports(name, tree)
    if target.split(".")[0] == "tinygrad_rnn"
]


def test_every_module_has_its_place():
    assert {part(name) for name in FILES} - {None} <= set(LEVEL)


def test_imports_are_found():
    """The reader of imports sees the forms that are in use: a blind one would pass
    everything.
    """
    assert ("tinygrad_rnn.nn.rnn", "tinygrad_rnn.nn.functional") in INNER
    assert ("tinygrad_rnn.nn.rnn", "tinygrad_rnn.nn.utils.rnn") in INNER
    assert ("tinygrad_rnn.nn.layers.base", "tinygrad_rnn.creation") in INNER
    assert ("tinygrad_rnn", "tinygrad_rnn.tensor") in INNER


def test_imports_point_one_way():
    wrong = [
        f"{name} imports {target}"
        for name, target in INNER
        if part(name) is not None
        and (part(target) is None or LEVEL[part(target)] > LEVEL[part(name)])
    ]
    assert wrong == []


def test_imports_run_in_no_circle():
    """Among what runs when a module is imported; raises CycleError, which names the
    circle.
    """
    graph = {
        name: {
            target
            for target in imports(name, tree, nested=False)
            if target in FILES and not name.startswith(f"{target}.")
        }
        for name, tree in TREES.items()
    }
    assert list(TopologicalSorter(graph).static_order())


@pytest.mark.parametrize("name", sorted(FILES))
def test_only_the_gpus_files_import_cupy(name):
    outside = {
        target.split(".")[0] for target in imports(name, TREES[name], nested=False)
    }
    if not name.startswith(("tinygrad_rnn.backend.cupy", "tinygrad_rnn.kernels.cuda")):
        assert not outside & {"cupy", "cupyx"}
    assert not outside & {"torch", "safetensors", "tqdm", "matplotlib"}


@pytest.mark.parametrize("name", sorted(FILES))
def test_nothing_pickles(name):
    outside = {target.split(".")[0] for target in imports(name, TREES[name])}
    assert not outside & {"pickle", "copyreg", "shelve", "marshal", "dill", "joblib"}


# ---------------------------------------------------------------- what an import brings along

HEAVY = (
    "safetensors",
    "tqdm",
    "matplotlib",
    "cupy",
    "torch",
    "scipy",
    "json",
    "asyncio",
    "ast",
)


def python(code, **environment):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_import_brings_nothing_heavy():
    code = (
        "import sys, numpy\n"
        "before = set(sys.modules)\n"
        "import tinygrad_rnn\n"
        "print(*sorted({name.partition('.')[0] for name in sys.modules} -"
        " {name.partition('.')[0] for name in before}))"
    )
    assert not set(python(code).split()) & set(HEAVY)


def test_import_is_little_work(tmp_path):
    """Counted in calls beyond NumPy's, from compiled files: the same on a busy machine."""
    compiled = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(tmp_path)}
    code = (
        "import sys, numpy\n"
        "calls = 0\n"
        "def count(frame, event, arg):\n"
        "    global calls\n"
        "    calls += event in ('call', 'c_call')\n"
        "sys.setprofile(count)\n"
        "import tinygrad_rnn\n"
        "sys.setprofile(None)\n"
        "print(calls)"
    )
    python(code, **compiled)  # the first import compiles
    assert int(python(code, **compiled)) < 50_000  # 39,000 on Python 3.11, 200 a file
