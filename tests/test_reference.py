"""The reference has one entry for each public name, which explains it and shows it.

The public names are the table of `surface`. What the pages have is read from their
text, as `docs/entries.py` does; the site itself is built in `test_site.py`.
"""

import ast
import doctest
import inspect
import re

import pytest
from surface import found, names

import tinygrad_rnn as tg
from docs import entries

PUBLIC = {f"{owner}.{name}": (owner, name) for owner, name in names()}
ENTRIES = {}  # public name -> the texts of its entries on the pages
for _entry in entries.entries():
    _name = _entry.name.replace(entries.PACKAGE, "tg", 1)
    ENTRIES.setdefault(_name, []).append(_entry.text)
REFERENCE = re.compile(r":(?:py:)?\w+:`~?\.?([\w.]+)`")
SECTION = re.compile(r"^Args:\n((?: {4}.*\n|\n)+)", re.M)
ARGUMENT = re.compile(r"^ {4}([\w*][\w*, ]*):", re.M)


def thing_of(name):
    owner, last = PUBLIC[name]
    return getattr(found(owner), last)


def docstring(name):
    """Return what the entry of a name shows: its docstring, or the page's own text.

    The docstrings of NumPy's dtypes, of Python's fields and constants, are not ours.
    """
    text = ENTRIES[name][0]
    if text.strip():
        return text
    return inspect.getdoc(thing_of(name)) or ""


def referred(name):
    """Return the public names that a docstring refers to."""
    owner, _ = PUBLIC[name]
    scopes = [owner, owner.rpartition(".")[0], "tg"]
    for target in REFERENCE.findall(docstring(name)):
        candidates = [f"{scope}.{target}" for scope in scopes]
        candidates.append(target.replace(entries.PACKAGE, "tg", 1))
        both = PUBLIC.keys() & ENTRIES.keys()
        yield from (other for other in candidates if other in both)


def has_example(name):
    """Return whether a docstring has an example, or that of a name it refers to."""
    own = ">>> " in docstring(name)
    return own or any(">>> " in docstring(other) for other in referred(name))


def test_every_public_name_has_one_entry():
    missing = [name for name in PUBLIC if name not in ENTRIES]
    assert not missing, f"no entry in docs/reference: {' '.join(missing)}"
    several = [name for name, texts in ENTRIES.items() if len(texts) > 1]
    assert not several, f"more than one entry: {' '.join(several)}"


def test_every_entry_is_of_a_public_name():
    others = [name for name in ENTRIES if name not in PUBLIC]
    assert not others, f"not in tests/surface.py: {' '.join(others)}"


def test_every_entry_explains():
    bare = [name for name in PUBLIC if name in ENTRIES and not docstring(name)]
    assert not bare, f"no docstring: {' '.join(bare)}"


def test_every_entry_shows():
    bare = [name for name in PUBLIC if name in ENTRIES and not has_example(name)]
    assert not bare, (
        f"no example, and no reference to an entry that has one: {' '.join(bare)}"
    )


def test_examples_stand_under_their_title():
    bare = [name for name in PUBLIC if name in ENTRIES and not ENTRIES[name][0]]
    bare = [name for name in bare if ">>> " in docstring(name)]
    bare = [name for name in bare if "\nExample:\n" not in docstring(name)]
    assert not bare, f"without `Example:`: {' '.join(bare)}"


def listed_arguments(text):
    """Return the names in the Args section of a docstring, in order; None without."""
    section = SECTION.search(text + "\n")
    if section is None:
        return None
    listed = ", ".join(ARGUMENT.findall(section[1]))
    return [argument.strip(" *") for argument in listed.split(",")]


def shown_arguments(name):
    """Return the names in the signature that an entry shows."""
    shown, _ = entries.signature_of(name.replace("tg", entries.PACKAGE, 1))
    taken = ast.parse(f"def f{shown or '()'}: ...").body[0].args
    every = [*taken.posonlyargs, *taken.args, *taken.kwonlyargs]
    every += [argument for argument in (taken.vararg, taken.kwarg) if argument]
    return [argument.arg for argument in every]


def test_arguments_are_those_of_the_signature():
    """A function that is a method has an ``input``, which needs no explanation."""
    wrong = []
    for name in set(ENTRIES) & set(PUBLIC):
        listed = listed_arguments(docstring(name))
        free = {"input"} if hasattr(tg.Tensor, PUBLIC[name][1]) else set()
        if listed is not None and (
            {*listed} | free != {*shown_arguments(name)} | free
            or len({*listed}) < len(listed)
        ):
            wrong.append(f"{name}: Args has {listed}, expected {shown_arguments(name)}")
    assert not wrong, "\n".join(wrong)


EXAMPLES = {}  # docstring with an example -> the first name that has it
for _name in ENTRIES:
    if _name in PUBLIC and ">>> " in docstring(_name):
        EXAMPLES.setdefault(docstring(_name), _name)


@pytest.mark.parametrize("text", EXAMPLES, ids=EXAMPLES.values())
def test_example_runs_as_a_user_types_it(text, tmp_path, monkeypatch):
    """In an empty namespace, where only what it imports is there."""
    monkeypatch.chdir(tmp_path)
    test = doctest.DocTestParser().get_doctest(text, {}, EXAMPLES[text], None, None)
    out = []
    result = doctest.DocTestRunner().run(test, out=out.append)
    assert not result.failed, "".join(out)


# Types in signatures that are neither public nor in the table of the index: Python's,
# and what some functions return, which their docstrings explain.
OTHER_TYPES = {
    *(
        "Any",
        "Callable",
        "Iterable",
        "Iterator",
        "Mapping",
        "None",
        "Sequence",
        "Sized",
    ),
    *("IO", "ModuleType", "OrderedDict", "Path", "TypeGuard", "False", "True"),
    *("Backend", "Batch", "Checkpoint", "Drawing", "GradientFlow", "Handle"),
    *("IncompatibleKeys", "Op", "Window"),
}


def test_types_in_signatures_are_known_to_readers():
    index = (entries.FOLDER / "index.md").read_text(encoding="utf-8")
    known = {*re.findall(r"`(\w+)`(?=.*\|)", index), *OTHER_TYPES}
    known |= {name for _, name in PUBLIC.values()}
    for entry in entries.entries():
        parameters, result = entries.signature_of(entry.name)
        source = f"def f{parameters or '()'} -> {result}: ..."
        assert "'" not in re.sub(r"= ?'[^']*'", "", source), source
        names = {
            node.id for node in ast.walk(ast.parse(source)) if type(node) is ast.Name
        }
        unknown = {name for name in names if name[0].isupper()} - known
        assert not unknown, f"{entry.name}: {source}"


def test_same_functions_refer_to_one_entry():
    for name, original in {
        "tinygrad_rnn.exp": "tinygrad_rnn.exp",
        "tinygrad_rnn.Tensor.exp": "tinygrad_rnn.exp",
        "tinygrad_rnn.nn.functional.relu": "tinygrad_rnn.relu",
        "tinygrad_rnn.concat": "tinygrad_rnn.cat",
        "tinygrad_rnn.Tensor.where": "tinygrad_rnn.Tensor.where",
    }.items():
        assert entries.original_of(name) == original


def test_signatures_are_those_of_a_call():
    for name, expected in {
        "tinygrad_rnn.exp": ("(input: Tensor)", "Tensor"),
        "tinygrad_rnn.Tensor.exp": ("()", "Tensor"),
        "tinygrad_rnn.argmax": (
            "(input: Tensor, dim: int | None=None, keepdim: bool=False)",
            "Tensor",
        ),
        "tinygrad_rnn.Tensor.add_": ("(other: Operand)", "Tensor"),
        "tinygrad_rnn.nn.Module.eval": ("()", "Module"),
        "tinygrad_rnn.device": ("(type: DeviceLike, index: int | None=None)", None),
        "tinygrad_rnn.FloatTensor": ("(*data: Data)", "Tensor"),
        "tinygrad_rnn.nn.utils.rnn.PackedSequence.to": (
            "(*args: Setting, **kwargs: Setting)",
            "PackedSequence",
        ),
        "tinygrad_rnn.data.TextStreams": (
            "(text_or_file: str | Path | (bytes | list[str]) | Array, "
            "vocabulary: Vocabulary | Sized | None, batch_size: int, seq_len: int)",
            None,
        ),
    }.items():
        assert entries.signature_of(name) == expected
