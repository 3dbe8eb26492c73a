"""Do the tests bite where nobody thought of a bug? Random changes, one at a time.

    python tests/mutants.py [--count 200] [--seed 0] [--jobs 1] [--neighbours]

Each mutant swaps an operator, changes a constant or drops a statement. They are spread
evenly over the package; annotations, aliases of types, messages and the ``strict=`` of
zip are left alone. The tests beside the changed file run first. A mutant that they do
not notice goes through the whole default run, unless ``--neighbours`` says to stop
there. The survivors are listed: write a test for each, or see that it changes nothing.
"""

import argparse
import ast
import random
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from planted import PACKAGE, ROOT, copy_package, run

LIMIT = 1800.0  # seconds; the whole run takes some minutes

SWAPS = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.Pow: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.And: ast.Or,
    ast.Or: ast.And,
}


class Mutant(NamedTuple):
    """A change of a file of the package: a span of characters, and its new text."""

    file: str
    line: int
    start: int
    stop: int
    old: str
    new: str

    def __str__(self):
        return f"{self.file}:{self.line}: {self.old!r} -> {self.new!r}"

    def apply(self, source):
        """Return the source with the change in it."""
        return source[: self.start] + self.new + source[self.stop :]


class Finder(ast.NodeVisitor):
    """Collect the mutants of a file, except where a change would say nothing."""

    def __init__(self, file, source):
        self.file, self.source, self.found = file, source, []
        lines = source.splitlines(keepends=True)
        self.starts = [0]
        for line in lines:
            self.starts.append(self.starts[-1] + len(line))

    def add(self, node, new):
        """Note a change of a node. Columns count bytes; the sources are ASCII there."""
        start = self.starts[node.lineno - 1] + node.col_offset
        stop = self.starts[node.end_lineno - 1] + node.end_col_offset
        old = self.source[start:stop]
        if old.isascii() and old != new:
            self.found.append(Mutant(self.file, node.lineno, start, stop, old, new))

    def swapped(self, node, field, swap):
        """The source of a node with another operator."""
        before = getattr(node, field)
        setattr(node, field, swap)
        new = f"({ast.unparse(node)})"
        setattr(node, field, before)
        return new

    def visit_BinOp(self, node):
        if isinstance(node.op, ast.BitOr) and _is_type(node):
            return
        is_text = isinstance(node.left, ast.Constant | ast.JoinedStr)
        if type(node.op) in SWAPS and not is_text:
            self.add(node, self.swapped(node, "op", SWAPS[type(node.op)]()))
        self.generic_visit(node)

    def visit_BoolOp(self, node):
        self.add(node, self.swapped(node, "op", SWAPS[type(node.op)]()))
        self.generic_visit(node)

    def visit_Compare(self, node):
        if len(node.ops) == 1:
            swap = [SWAPS[type(node.ops[0])]()]
            self.add(node, self.swapped(node, "ops", swap))
        self.generic_visit(node)

    def visit_UnaryOp(self, node):
        if isinstance(node.op, ast.Not | ast.USub):
            self.add(node, f"({ast.unparse(node.operand)})")
        self.generic_visit(node)

    def visit_Constant(self, node):
        if isinstance(node.value, bool):
            self.add(node, str(not node.value))
        elif isinstance(node.value, int | float):
            self.add(node, repr(node.value + 1))

    def visit_Expr(self, node):
        if isinstance(node.value, ast.Call):
            self.add(node, "pass")
            self.generic_visit(node)

    def visit_AugAssign(self, node):
        self.add(node, "pass")
        self.generic_visit(node)

    def visit_Continue(self, node):
        self.add(node, "pass")

    def visit_Break(self, node):
        self.add(node, "pass")

    def visit_Assign(self, node):
        if isinstance(node.targets[0], ast.Attribute | ast.Subscript):
            self.add(node, "pass")
        if ast.unparse(node.targets[0]) != "__all__":
            self.visit(node.value)

    def visit_Call(self, node):
        name = ast.unparse(node.func)
        if name in ("isinstance", "issubclass"):
            self.visit(node.args[0])
        elif name == "cast":
            self.visit(node.args[1])
        elif name == "zip":
            for argument in node.args:
                self.visit(argument)
        else:
            self.generic_visit(node)

    def visit_AnnAssign(self, node):
        if node.value is not None and ast.unparse(node.annotation) != "TypeAlias":
            self.visit(node.value)

    def visit_arguments(self, node):
        for default in (*node.defaults, *filter(None, node.kw_defaults)):
            self.visit(default)

    def visit_FunctionDef(self, node):
        self.visit(node.args)
        for statement in node.body:
            self.visit(statement)

    def visit_Raise(self, node):
        self.add(node, "pass")

    def visit_JoinedStr(self, node):
        """Messages are words: test_errors.py holds those that count."""

    def visit_If(self, node):
        if ast.unparse(node.test) not in ("TYPE_CHECKING", "not TYPE_CHECKING"):
            self.generic_visit(node)


def _is_type(node):
    """Return whether it looks like a type: None, a name, ``A[B]`` or ``A | B``."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return _is_type(node.left) and _is_type(node.right)
    if isinstance(node, ast.Subscript):
        return _is_type(node.value)
    return ast.unparse(node) == "None" or isinstance(node, ast.Name | ast.Attribute)


def find_mutants(file):
    """Return all mutants of a file, from its first line to its last."""
    source = (ROOT / PACKAGE / file).read_text(encoding="utf-8")
    finder = Finder(file, source)
    finder.visit(ast.parse(source))
    return sorted(finder.found, key=lambda mutant: (mutant.start, mutant.stop))


def choose(found, count, seed):
    """Draw one mutant from each of ``count`` equal parts of the list."""
    draw = random.Random(seed).uniform
    edges = [len(found) * i / count for i in range(count + 1)]
    return [found[int(draw(*part))] for part in pairwise(edges)]


def neighbouring_tests(file):
    """The tests near a file: its own, then those of the nearest folder with some."""
    path, tests = Path(file), ROOT / "tests"
    found = [tests / path.parent / f"test_{path.stem}.py"]
    folder = path.parent
    while folder.parts and not (tests / folder).is_dir():
        folder = folder.parent
    if folder.parts:
        found += sorted((tests / folder).rglob("test_*.py"))
    found += sorted(tests.glob(f"test_{path.parts[0].removesuffix('.py')}*.py"))
    found.append(tests / "test_errors.py")
    there = [t for t in dict.fromkeys(found) if t.exists() and "parity" not in t.name]
    return [str(test.relative_to(ROOT)) for test in there]


def try_mutant(mutant, whole):
    """Return what became of it: "killed", "killed by others" or "SURVIVED"."""
    with tempfile.TemporaryDirectory() as name:
        folder = copy_package(Path(name).resolve())
        path = folder / PACKAGE / mutant.file
        path.write_text(
            mutant.apply(path.read_text(encoding="utf-8")), encoding="utf-8"
        )
        stages = [
            ("killed", neighbouring_tests(mutant.file)),
            ("killed by others", ["tests"]),
        ]
        for verdict, tests in stages if whole else stages[:1]:
            try:
                command = ["-m", "pytest", "-x", "-q", *tests]
                status, _ = run(folder, *command, limit=LIMIT)
            except subprocess.TimeoutExpired:
                return verdict
            if status:
                return verdict
    return "SURVIVED"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--only", default="", help="files in whose path this stands")
    parser.add_argument("--neighbours", action="store_true")
    args = parser.parse_args()
    files = sorted((ROOT / PACKAGE).rglob("*.py"))
    names = [path.relative_to(ROOT / PACKAGE).as_posix() for path in files]
    found = [m for name in names if args.only in name for m in find_mutants(name)]
    chosen = choose(found, min(args.count, len(found)), args.seed)

    def one(mutant):
        verdict = try_mutant(mutant, not args.neighbours)
        print(f"{verdict:17} {mutant}", flush=True)
        return verdict

    with ThreadPoolExecutor(args.jobs) as pool:
        verdicts = list(pool.map(one, chosen))
    killed = len(verdicts) - verdicts.count("SURVIVED")
    print(f"{killed} of {len(verdicts)} killed, {killed / len(verdicts):.1%}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
