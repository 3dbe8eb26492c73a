"""The shape of the house: what may import what, and what an import brings along."""

import ast
import importlib.util
import io
import os
import subprocess
import sys
import tokenize
from graphlib import TopologicalSorter
from pathlib import Path
from typing import NamedTuple

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
    ("autograd", "array_api", "distributed"),
    ("nn",),
    ("optim", "data", "tree", "saving", "utils", "cuda"),
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
    if not name.startswith(("tinygrad_rnn.backend.cupy", "tinygrad_rnn.kernels.cupy")):
        assert not outside & {"cupy", "cupyx"}
    assert not outside & {"torch", "safetensors", "tqdm", "matplotlib"}


@pytest.mark.parametrize("name", sorted(FILES))
def test_nothing_pickles(name):
    outside = {target.split(".")[0] for target in imports(name, TREES[name])}
    assert not outside & {"pickle", "copyreg", "shelve", "marshal", "dill", "joblib"}


WITHOUT_TESTS_OF_THEIR_OWN = {"types"}  # nothing but names of types


def test_tests_mirror_the_package():
    """What is in ``nn/rnn.py`` is tested first in ``tests/nn/test_rnn.py``."""
    tests, missing = Path(__file__).parent, []
    for path in FILES.values():
        inside = path.relative_to(ROOT)
        mirror = tests / inside.with_name(f"test_{inside.name}")
        is_package = path.name == "__init__.py"
        if not is_package and path.stem not in WITHOUT_TESTS_OF_THEIR_OWN:
            missing += [] if mirror.exists() else [str(inside)]
    assert missing == []


# ---------------------------------------------------------------- how dense the code is

LAYOUT = {
    tokenize.COMMENT,
    tokenize.DEDENT,
    tokenize.ENDMARKER,
    tokenize.INDENT,
    tokenize.NEWLINE,
    tokenize.NL,
}


class Density(NamedTuple):
    """How much code there is, without docstrings, comments and blank lines."""

    tokens: int
    lines: int
    anys: int  # how often an annotation says Any, which says nothing


def docstring_lines(tree):
    """The numbers of the lines on which docstrings stand, those of attributes too."""
    texts = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    ]
    return {line for text in texts for line in range(text.lineno, text.end_lineno + 1)}


def table_lines(tree):
    """The numbers of the lines on which rows of the table of ops stand.

    A row is a function that ``@op`` declares, and the call of its ``vjp``.
    """
    found = set()
    for node in tree.body:
        decorators = getattr(node, "decorator_list", [])
        is_row = any(ast.unparse(d).startswith("op") for d in decorators)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            is_row = ast.unparse(node.value.func).endswith(".vjp")
        if is_row:
            first = min([node.lineno, *(d.lineno for d in decorators)])
            found.update(range(first, node.end_lineno + 1))
    return found


def density(name):
    """The density of a module, the rows of the table of ops aside."""
    source = FILES[name].read_text(encoding="utf-8")
    left_out = docstring_lines(TREES[name]) | table_lines(TREES[name])
    tokens = [
        token
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type not in LAYOUT and token.start[0] not in left_out
    ]
    lines = {
        line for token in tokens for line in range(token.start[0], token.end[0] + 1)
    }
    anys = sum(token.string == "Any" for token in tokens)
    return Density(len(tokens), len(lines), anys)


def room(name):
    """The folder of a module; those beside it at the top level make one room."""
    path = FILES[name].relative_to(ROOT)
    return path.parts[0] if len(path.parts) > 1 else "the top level"


def test_the_code_is_airy():
    """Tokens a line as in code that others hold up as a model: minitorch, mlx.nn."""
    rooms = {}
    for name in FILES:
        rooms.setdefault(room(name), []).append(density(name))
    sums = {
        name: Density(*map(sum, zip(*some, strict=True)))
        for name, some in rooms.items()
    }
    for name, (tokens, lines, anys) in sums.items():
        print(f"{name:15} {tokens:7} tokens {tokens / lines:6.2f} a line {anys:4} Any")
    tokens, lines, anys = map(sum, zip(*sums.values(), strict=True))
    shown = f"{tokens:7} tokens {tokens / lines:6.2f} a line {anys:4} Any"
    print(f"{'the package':15} {shown}")
    assert tokens / lines <= 8.5
    assert not {name for name, it in sums.items() if it.tokens / it.lines > 9.5}
    assert not {name for name, it in sums.items() if it.anys > 40}


KERNELS = ("tinygrad_rnn.kernels",)


def lines_of_code(function, source_lines):
    """How many lines of a function are code: no docstring, comment or blank line."""
    skipped = docstring_lines(function)
    numbers = range(function.lineno, function.end_lineno + 1)
    texts = [source_lines[n - 1].strip() for n in numbers if n not in skipped]
    return sum(bool(text) and not text.startswith("#") for text in texts)


def test_functions_are_short():
    """Outside of kernels; ruff looks at their complexity."""
    long = {}
    for name, tree in TREES.items():
        source_lines = FILES[name].read_text(encoding="utf-8").splitlines()
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef) and not name.startswith(KERNELS):
                count = lines_of_code(node, source_lines)
                if count > 40:
                    long[f"{name}.{node.name}"] = count
    assert not long


def test_the_formatter_lays_out_all_but_the_rows_of_ops():
    marked = [
        name for name in FILES if "fmt: " in FILES[name].read_text(encoding="utf-8")
    ]
    assert all(name.startswith("tinygrad_rnn.ops.") for name in marked)


def test_no_source_is_made_and_run():
    """But for a captured program, which its user can read."""
    called = {
        f"{name}: {node.func.id}"
        for name, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    found = [
        call for call in called if call.endswith((": eval", ": exec", ": compile"))
    ]
    own = "tinygrad_rnn.engine.program"
    assert sorted(found) == [f"{own}: compile", f"{own}: exec"]


# ---------------------------------------------------------------- what an import costs

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


def test_what_few_programs_need_is_imported_at_its_first_use():
    code = (
        "import sys, tinygrad_rnn as tg\n"
        "lazy = {'tinygrad_rnn.distributed', 'tinygrad_rnn.nn.parallel'}\n"
        "assert not lazy & {*sys.modules}\n"
        "assert tg.nn.parallel.DistributedDataParallel\n"
        "assert tg.distributed is sys.modules['tinygrad_rnn.distributed']\n"
        "assert lazy < {*sys.modules}\n"
        "assert 'mpi4py' not in sys.modules\n"
        "from tinygrad_rnn.nn.parallel import DistributedDataParallel\n"
    )
    python(code)


def test_import_is_little_work(tmp_path):
    """Counted in calls beyond NumPy's, from compiled files, not in seconds."""
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
    assert (
        int(python(code, **compiled)) < 60_000
    )  # 39,000 with NumPy 2.4, 51,000 with 2.0
