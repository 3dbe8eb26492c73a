"""The reference: which names its pages have an entry of, and what Sphinx shows of them.

The text of an entry is the docstring. Signatures are taken from the source, so a type
reads as it is written there: ``dim: Dims = None``. A name that is another one's object,
as the method ``Tensor.exp`` is the function ``tg.exp``, refers to that entry.
"""

import ast
import builtins
import functools
import inspect
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import tinygrad_rnn

FOLDER = Path(__file__).parent / "reference"
PACKAGE = tinygrad_rnn.__name__
# A directive, the further names it has on lines of their own, and what it holds.
DIRECTIVE = re.compile(
    r"^\.\. (?:py:|auto)\w+:: (\S+).*\n((?: {10,}\S+\n)*)((?: {3}.*\n|\n)*)", re.M
)


class Entry(NamedTuple):
    """An entry of a page: a dotted name, and text in place of a docstring."""

    name: str
    page: str
    text: str


def pages() -> list[Path]:
    """Return the pages of the reference in the order of its index."""
    index = (FOLDER / "index.md").read_text(encoding="utf-8")
    return [
        FOLDER / name for name in re.findall(r"^\* .*?\]\(([\w-]+\.md)\)", index, re.M)
    ]


def entries() -> Iterator[Entry]:
    """Yield all entries, in the order of reading."""
    for page in pages():
        for found in DIRECTIVE.finditer(page.read_text(encoding="utf-8")):
            first, others, body = found.groups()
            options = re.compile(r"^:[\w-]+:.*\n", re.M)
            text = options.sub("", textwrap.dedent(body)).strip()
            for name in [first, *others.split()]:
                yield Entry(name.partition("(")[0], page.name, text)


def resolve(name: str) -> Any:
    """Return what a dotted name stands for."""
    return functools.reduce(getattr, name.split(".")[1:], tinygrad_rnn)


def owner_of(name: str) -> Any:
    """Return the class or module that has the name."""
    return resolve(name.rpartition(".")[0])


@functools.cache
def originals() -> dict[int, str]:
    """Return, by the id of each function, the first entry that documents it."""
    found: dict[int, str] = {}
    for entry in entries():
        thing = resolve(entry.name)
        if inspect.isfunction(thing):
            found.setdefault(id(inspect.unwrap(thing)), entry.name)
    return found


def original_of(name: str) -> str:
    """Return the first entry of the same function; the name itself of anything else."""
    thing = resolve(name)
    if not inspect.isfunction(thing):
        return name
    return originals().get(id(inspect.unwrap(thing)), name)


# ---------------------------------------------------------------- signatures


def _parameters_and_result(thing: Any) -> ast.FunctionDef | None:
    """Return the definition whose parameters a call of an object takes."""
    if inspect.isclass(thing):
        if "__dataclass_fields__" in vars(thing):
            return _dataclass_init(thing)
        for base in thing.__mro__:
            for name in ("__init__", "__new__"):
                if name in vars(base) and base.__module__.startswith(PACKAGE):
                    return _parameters_and_result(vars(base)[name])
        return None
    function = inspect.unwrap(getattr(thing, "__func__", thing))
    try:
        source = textwrap.dedent(inspect.getsource(function))
    except (OSError, TypeError):
        return None
    node = ast.parse(source).body[0]
    return node if isinstance(node, ast.FunctionDef) else None


def _dataclass_init(kind: type) -> ast.FunctionDef:
    """Return the ``__init__`` that a dataclass is given, as if it had been written."""
    source = ast.parse(textwrap.dedent(inspect.getsource(kind))).body[0]
    assert isinstance(source, ast.ClassDef)
    fields = []
    for node in source.body:
        if isinstance(node, ast.AnnAssign) and "ClassVar" not in ast.unparse(node):
            default = f" = {ast.unparse(node.value)}" if node.value else ""
            hint = re.sub(r"^InitVar\[(.*)\]$", r"\1", ast.unparse(node.annotation))
            fields.append(f"{ast.unparse(node.target)}: {hint}{default}")
    made = ast.parse(f"def __init__(self, {', '.join(fields)}) -> None: ...").body[0]
    assert isinstance(made, ast.FunctionDef)
    return made


# Names of types in the source, and what is shown; the index explains those that stay.
READABLE = {
    "Factor": "Callable",
    "FileLike": "str | Path | IO[bytes]",
    "FilePath": "str | Path",
    "Function": "Callable",
    "Gen": "Generator | None",
    "Hook": "Callable",
    "Indexed": "Dataset",
    "Lengths": "Sequence[int] | Tensor | None",
    "Loss": "Callable",
    "Named": "Mapping | Iterable",
    "Params": "Iterable",
    "Rates": "float | Sequence[float]",
    "Result": "Any",
    "Sample": "Any",
    "Samples": "Sequence",
    "Sorted": "tuple[Tensor, Tensor]",
    "State": "Tensor | Sequence[Tensor] | None",
    "Text": "bytes | list[str]",
    "Value": "Tensor",
}


class _Readable(ast.NodeTransformer):
    """Writes types without quotes, by their readable names; Self is the class."""

    def __init__(self, owner: str) -> None:
        self.names = {**READABLE, "Self": owner, "T": owner}

    def visit_Constant(self, node: ast.Constant) -> ast.expr:
        if not isinstance(node.value, str):
            return node
        unquoted = ast.parse(node.value, mode="eval").body
        return self.visit(unquoted)

    def visit_Name(self, node: ast.Name) -> ast.expr:
        written = self.names.get(node.id)
        return ast.parse(written, mode="eval").body if written else node


def signature_of(name: str) -> tuple[str, str | None]:
    """Return the parameters and the result of a public name, as they are written."""
    thing, owner = resolve(name), owner_of(name)
    node = _parameters_and_result(thing)
    if node is None or (inspect.isclass(thing) and issubclass(thing, Exception)):
        return "", None
    is_method = inspect.isclass(owner)
    kind = (
        owner if is_method else type(getattr(thing, "__self__", tinygrad_rnn.ones(1)))
    )
    readable = _Readable(kind.__name__)
    arguments = node.args.posonlyargs or node.args.args
    if arguments and arguments[0].arg in ("self", "cls"):
        if inspect.isfunction(thing) and not is_method:  # tg.exp is Tensor.exp
            arguments[0].arg, arguments[0].annotation = "input", ast.Name("Tensor")
        else:
            del arguments[0]
    every = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
    for argument in (*every, node.args.vararg, node.args.kwarg):
        if argument is not None and argument.annotation is not None:
            argument.annotation = readable.visit(argument.annotation)
    public = [
        i for i, argument in enumerate(node.args.kwonlyargs) if argument.arg[0] != "_"
    ]
    node.args.kw_defaults = [node.args.kw_defaults[i] for i in public]
    node.args.kwonlyargs = [node.args.kwonlyargs[i] for i in public]
    result = None
    if node.returns is not None and not inspect.isclass(thing):
        result = ast.unparse(readable.visit(node.returns))
    return f"({ast.unparse(node.args)})", result


# ---------------------------------------------------------------- for Sphinx


def process_signature(app: Any, what: str, name: str, *others: Any) -> Any:
    """Show the signature that the source has."""
    return signature_of(name) if what in ("function", "method", "class") else None


def process_docstring(
    app: Any, what: str, name: str, thing: Any, options: Any, lines: list[str]
) -> None:
    """Refer to the entry of the same object, if there is one before."""
    original = original_of(name)
    if original != name:
        short = original.replace(PACKAGE, "tg", 1)
        lines[:] = [f"Same as :py:obj:`{short} <{original}>`.", ""]


def unlink_builtins(app: Any, doctree: Any) -> None:
    """Leave ``float`` in a signature alone: it is Python's, not the dtype tg.float."""
    from sphinx import addnodes  # what the tests use of this module needs no Sphinx

    for node in list(doctree.findall(addnodes.pending_xref)):
        if node["reftype"] == "class" and hasattr(builtins, node["reftarget"]):
            node.replace_self(node.children)


def setup(app: Any) -> None:
    """Tell Sphinx of what is defined here; before Napoleon reads the docstrings."""
    originals.cache_clear()
    app.connect("doctree-read", unlink_builtins)
    app.connect("autodoc-process-signature", process_signature)
    app.connect("autodoc-process-docstring", process_docstring, priority=400)
