"""Do the tests bite? Bugs of the kind that happen, planted one by one.

    python tests/planted.py [--only TEXT] [--jobs N]

For each row of `bugs.py` and `bugs_in_c.py`, the package and its tests are copied to a
temporary folder, the bug is planted there, and the tests named, those of the default
run, have to fail: not at import, and not without the bug. Kernels in C are compiled
there; `--only kernels/c/source` plants those bugs alone. Exit status 1 if a bug
survives, or a row is not what it says.

A bug goes where the piece of code in its row stands in the function that the row names.
Layout and comments do not count, variables may have other names, and the function may
be in any file: only a change of what the code calls and computes makes a row stale. Of
kernels that are twins, the bug goes into those whose tests the row names.
"""

import argparse
import ast
import builtins
import keyword
import os
import re
import shlex
import shutil
import subprocess
import symtable
import sys
import sysconfig
import tempfile
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple

import bugs_in_c
import numpy as np
from bugs import TABLE

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = "tinygrad_rnn"
LIMIT = 180.0  # seconds for the tests of a row

# A string, a name or a number, an operator; blanks and comments stand between them.
TOKEN = re.compile(
    r"(?P<comment>#[^\n]*)"
    r'|""".*?"""|"(?:\\.|[^"\\\n])*"'
    r"|'(?:\\.|[^'\\\n])*'"
    r"|\w+|->|[-+*/%@&|^<>=!:]=|\*\*|//|<<|>>|[^\s\w]",
    re.DOTALL,
)


class Token(NamedTuple):
    """A token of Python, and where it starts and stops in the source."""

    text: str
    start: int
    stop: int


@cache
def tokens(source):
    """Return the tokens of Python: no layout, no comments, no trailing commas."""
    matches = [match for match in TOKEN.finditer(source) if not match["comment"]]
    found = [Token(match[0], match.start(), match.end()) for match in matches]
    following = [*(token.text for token in found[1:]), ""]
    # A comma before a closing bracket comes and goes with the line that it ends.
    return [
        token
        for token, after in zip(found, following[: len(found)], strict=True)
        if token.text != "," or after not in (")", "]", "}")
    ]


def _is_name(text):
    return text.isidentifier() and not keyword.iskeyword(text)


@cache
def variables(piece):
    """Return the names in a piece of code that its author was free to choose."""
    texts = ["", *(token.text for token in tokens(piece)), ""]
    return {
        text
        for before, text, after in zip(texts, texts[1:], texts[2:], strict=False)
        if _is_name(text)
        and before != "."  # an attribute
        and after != "("  # a function
        and not (after == "=" and before in ("(", ","))  # an argument
    }


def match(piece, given):
    """Return what the variables of a piece are called in tokens that it fits."""
    names = {}
    for ours, theirs in zip(tokens(piece), given, strict=True):
        if ours.text in variables(piece) and _is_name(theirs.text):
            names.setdefault(ours.text, theirs.text)
        if names.get(ours.text, ours.text) != theirs.text:
            return None
    return names if len(set(names.values())) == len(names) else None


@cache
def functions():
    """Return the functions and methods of the package by name: (file, start, stop).

    The name of a statement outside of functions is empty.
    """
    found = defaultdict(list)
    for file, source in sources().items():
        lines = [0, *accumulate(map(len, source.splitlines(keepends=True)))]
        for node in ast.parse(source).body:
            is_class = isinstance(node, ast.ClassDef)
            prefix = f"{node.name}." if is_class else ""
            for part in node.body if is_class else [node]:
                is_function = isinstance(part, ast.FunctionDef)
                name = prefix + part.name if is_function else ""
                span = lines[part.lineno - 1], lines[part.end_lineno]
                found[name].append((file, *span))
    return found


@cache
def sources():
    """Return the sources of the package by their paths in it."""
    folder = ROOT / PACKAGE
    return {
        path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8")
        for path in sorted(folder.rglob("*.py"))
    }


@cache
def find_undefined(source):
    """Return the names that functions of a module use and nobody defines."""
    module = symtable.symtable(source, "", "exec")
    tables, found = list(module.get_children()), set()
    for table in tables:
        tables += table.get_children()
        found |= {
            symbol.get_name() for symbol in table.get_symbols() if symbol.is_global()
        }
    return found - {*module.get_identifiers()} - {*dir(builtins)}


class Place(NamedTuple):
    """Where a piece of code stands, and what its variables are called there."""

    file: str
    start: int
    stop: int
    names: dict[str, str]


class Bug(NamedTuple):
    """A row of the table."""

    function: str
    piece: str
    planted: str
    why: str
    tests: str

    def __str__(self):
        return f"{self.function or self.tests}: {self.why}"

    def is_tested_twin(self, file):
        """Return whether a file is not a twin of kernels whose tests the row names."""
        twins = [Path(path).parent.as_posix() for path in (file, self.tests.split()[0])]
        are_kernels = all(folder.startswith("kernels/") for folder in twins)
        return not are_kernels or twins[0] == twins[1]

    def places(self):
        """Return the places in the function that the piece fits."""
        found, size = [], len(tokens(self.piece))
        for file, start, stop in functions()[self.function]:
            if not self.is_tested_twin(file):
                continue
            given = tokens(sources()[file][start:stop])
            for i in range(len(given) - size + 1):
                there = given[i : i + size]
                names = match(self.piece, there)
                if names is not None:
                    span = start + there[0].start, start + there[-1].stop
                    found.append(Place(file, *span, names))
        return found

    def plant(self):
        """Return the file where the bug goes, and its source with the bug in it."""
        (place,) = self.places()
        source, end, planted = sources()[place.file], 0, ""
        free = variables(self.planted)
        for text, start, stop in tokens(self.planted):
            name = place.names.get(text, text) if text in free else text
            planted += self.planted[end:start] + name
            end = stop
        return place.file, source[: place.start] + planted + source[place.stop :]

    def flaw(self):
        """Return what is wrong with the row itself, "" if nothing is."""
        if not functions()[self.function]:
            return f"STALE: no function {self.function}"
        if (count := len(self.places())) != 1:
            return f"STALE: {self.piece!r} fits {count} places, expected one"
        file, planted = self.plant()
        try:
            undefined = find_undefined(planted) - find_undefined(sources()[file])
        except SyntaxError as error:
            return f"STALE: what is planted in {file} does not compile: {error}"
        return f"STALE: {sorted(undefined)} is not defined" if undefined else ""


class BugInC(NamedTuple):
    """A row of the table of bugs in C; layout does not count."""

    source: str
    piece: str
    planted: str
    why: str
    tests: str

    def __str__(self):
        return f"{self.source}: {self.why}"

    @property
    def file(self):
        return f"kernels/c/source/{self.source}"

    def places(self):
        """Return where the piece stands in its file."""
        words = re.findall(r"\w+|[^\s\w]", self.piece)
        source = (ROOT / PACKAGE / self.file).read_text(encoding="utf-8")
        found = re.finditer(r"\s*".join(map(re.escape, words)), source)
        return [Place(self.file, *match.span(), {}) for match in found]

    def plant(self):
        """Return the file where the bug goes, and its source with the bug in it."""
        (place,) = self.places()
        source = (ROOT / PACKAGE / self.file).read_text(encoding="utf-8")
        return self.file, source[: place.start] + self.planted + source[place.stop :]

    def flaw(self):
        """Return what is wrong with the row itself, "" if nothing is."""
        if (count := len(self.places())) != 1:
            return f"STALE: {self.piece!r} fits {count} places, expected one"
        return ""


def rows_of(table, kind):
    """Return the bugs of a table."""
    return [
        kind(*row[:4], row[4] if len(row) > 4 else tests)
        for tests, rows in table.items()
        for row in rows
    ]


BUGS = rows_of(TABLE, Bug)
BUGS_IN_C = rows_of(bugs_in_c.TABLE, BugInC)


def copy_package(folder):
    """Copy what the tests need into an empty folder, and return it."""
    leave = shutil.ignore_patterns("__pycache__", ".*")
    for name in (PACKAGE, "tests"):
        shutil.copytree(ROOT / name, folder / name, ignore=leave)
    shutil.copy(ROOT / "setup.cfg", folder)
    return folder


def compiler():
    """Return the command of the C compiler, that of CC or GCC."""
    return shlex.split(os.environ.get("CC", "gcc"))


def build_extension(folder, *flags):
    """Compile the kernels in C of a copy of the package; more flags than setup.py's."""
    place = folder / PACKAGE / "kernels/c"
    for old in place.glob("_c.*.so"):
        old.unlink()
    usual = "-shared -fPIC -std=gnu11 -fno-math-errno -ffp-contract=fast"
    options = [*usual.split(), "-DPy_LIMITED_API=0x030B0000", *flags]
    headers = sysconfig.get_paths()["include"], np.get_include()
    include = [f"-I{path}" for path in headers]
    sources = map(str, sorted((place / "source").glob("*.c")))
    output = ["-o", str(place / "_c.abi3.so"), "-lm"]
    subprocess.run([*compiler(), *options, *include, *sources, *output], check=True)


def run(folder, *command, limit=LIMIT):
    """Run Python with that copy of the package; return its status and its output."""
    environment = os.environ | {
        "PYTHONPATH": str(folder),
        "PYTHONDONTWRITEBYTECODE": "1",
        "HYPOTHESIS_PROFILE": "planted",  # the default one, without shrinking
    }
    done = subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        env=environment,
        timeout=limit,
        text=True,
        encoding="utf-8",
        errors="replace",
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    return done.returncode, done.stdout


def find_failures(output):
    """Return the tests that failed according to pytest's output."""
    return re.findall(r"^(?:FAILED|ERROR) (.+?)(?: - .*)?$", output, re.MULTILINE)


def try_bug(bug):
    """Return "killed" or what else became of a bug, and the first test that failed."""
    if flaw := bug.flaw():
        return flaw, ""
    file, planted = bug.plant()
    with tempfile.TemporaryDirectory() as name:
        folder = copy_package(Path(name).resolve())
        path = folder / PACKAGE / file
        path.write_text(planted, encoding="utf-8")
        if path.suffix == ".h":
            build_extension(folder, "-O0", "-DBASE_ALONE")
            path = folder / PACKAGE / "kernels/c/__init__.py"
            file = path.relative_to(folder / PACKAGE).as_posix()
        parts = Path(PACKAGE, file).with_suffix("").parts
        module = ".".join(parts).removesuffix(".__init__")
        command = f"import sys, {module}; print(sys.modules[{module!r}].__file__)"
        status, output = run(folder, "-c", command)
        if status or output.strip() != str(path):
            return f"NOT IMPORTED: {output.strip()[-200:]}", ""
        tests, *options = shlex.split(bug.tests)
        command = ["-m", "pytest", "-x", "-q", f"tests/{tests}", *options]
        try:
            status, output = run(folder, *command)
        except subprocess.TimeoutExpired:
            return "killed", f"no end after {LIMIT:.0f} s"
        if status == 1 and (found := find_failures(output)):
            return "killed", found[0]
        if status < 0:
            return "killed", f"by signal {-status}"
        return ("SURVIVED" if status == 0 else f"NO RUN: {output[-200:]}"), ""


def find_idle(killers):
    """Return the tests that fail without any bug: their failing says nothing."""
    if not killers:
        return set()
    with tempfile.TemporaryDirectory() as name:
        folder = copy_package(Path(name).resolve())
        if any(killer.startswith("tests/kernels/c/") for killer in killers):
            build_extension(folder, "-O0", "-DBASE_ALONE")
        status, output = run(
            folder, "-m", "pytest", "-q", *sorted(killers), limit=10 * LIMIT
        )
    return set(find_failures(output)) if status in (0, 1) else killers


def main():
    parser = argparse.ArgumentParser(
        description="Plant bugs, and see that the tests notice."
    )
    parser.add_argument("--only", default="", help="rows in which this text stands")
    parser.add_argument("--jobs", type=int, default=1, help="how many rows at a time")
    args = parser.parse_args()
    bugs = [*BUGS, *BUGS_IN_C]
    files = {bug: " ".join({place.file for place in bug.places()}) for bug in bugs}
    chosen = [bug for bug in bugs if args.only in " ".join((*bug, files[bug]))]
    begin, found = time.perf_counter(), {}

    def one(bug):
        start = time.perf_counter()
        what, by = found[bug] = try_bug(bug)
        spent = time.perf_counter() - start
        print(f"{what} in {spent:.1f} s  {files[bug]}: {bug}  {by}", flush=True)

    with ThreadPoolExecutor(args.jobs) as pool:
        list(pool.map(one, chosen))
    idle = find_idle({by for _, by in found.values() if by.startswith("tests/")})
    killed = [
        bug for bug, (what, by) in found.items() if what == "killed" and by not in idle
    ]
    for bug, (what, by) in found.items():
        if bug not in killed:
            print(f"NOT KILLED: {bug} ({f'{by} fails without it too' if by else what})")
    minutes = (time.perf_counter() - begin) / 60
    print(f"{len(chosen)} planted, {len(killed)} killed, in {minutes:.1f} minutes")
    return int(len(killed) < len(chosen))


if __name__ == "__main__":
    sys.exit(main())
