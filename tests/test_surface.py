"""Every public name exists, is documented and typed; the list of them agrees with the page."""

import ast
import inspect
import re
from pathlib import Path

import numpy as np
import pytest
from surface import IN_WORDS, SURFACE, exists, found, names, parameters

PAGE = Path(__file__).parents[2] / "shared" / "api.md"
HERE = [(owner, name) for owner, name in names() if exists(owner, name)]

beside_the_page = pytest.mark.skipif(
    not PAGE.exists(),
    reason="needs shared/api.md, the page that pins the surface, which this repository does not have:"
    " who has it puts it there; tests/surface.py holds the same names, and is tested without it",
)


def listed(wrong):
    return f"{len(wrong)} of {len(names())}: {' '.join(wrong)}"


def test_every_name_exists():
    missing = [f"{owner}.{name}" for owner, name in names() if (owner, name) not in HERE]
    assert not missing, listed(missing)


def test_every_name_is_documented():
    """By a docstring of its own, or in that of the class whose attribute it is."""
    bare = []
    for owner, name in HERE:
        holder = found(owner)
        thing = getattr(holder, name)
        if isinstance(thing, np.dtype) or name.startswith("__"):
            continue  # dtypes are NumPy's; operators are Python's
        doc = vars(thing).get("__doc__") if inspect.isclass(thing) else inspect.getdoc(thing)
        if callable(thing) or inspect.ismodule(thing) or isinstance(thing, property):
            documented = bool(doc) and not inspect.isbuiltin(thing)  # Python's words, not ours
        else:
            documented = re.search(rf"\b{name}\b", inspect.getdoc(holder) or "")
        if not documented:
            bare.append(f"{owner}.{name}")
    assert not bare, listed(bare)


def test_every_parameter_is_annotated():
    bare = []
    for owner, name in HERE:
        call = parameters(getattr(found(owner), name))
        empty = [key for key, p in call.items() if p.annotation is p.empty]
        bare += [f"{owner}.{name}({', '.join(empty)})"] * bool(empty)
    assert not bare, listed(bare)


# ---------------------------------------------------------------- the list and the page


# What stands in code on the page and is no name of the surface: arguments, values, what the
# reader's code calls its things, what other libraries call theirs.
# fmt: off
OTHER_WORDS = {
    "tg: tensors": "float64 len bool float int copy deepcopy repr np asarray t ndarray None",
    "tg: functions": "",
    "tg: recording and gradients": "",
    "nn": """
        weight_ih_l0 weight_hh_l0 bias_ih_l0 bias_hh_l0 _reverse output h_n c_n rnn lengths dtype I T B
        gain generator torch last_norm input_size float repr
    """,
    "optim": "param_groups",
    "data and checkpoints": "len x y train val safetensors model batch_size",
}
# fmt: on
PLACEHOLDERS = {
    "fn",
    "inputs",
    "list_of_arrays",
}  # the page's words for arguments that PyTorch calls else


def code_of(title):
    """What stands in code in a section of the page, blocks left out."""
    page = re.sub(r"^```.*?^```$", "", PAGE.read_text(encoding="utf-8"), flags=re.M | re.S)
    text = re.search(rf"^## {title}.*?\n(.*?)(?=^## |\Z)", page, re.M | re.S)[1]
    if title == "tg: functions":  # one list of names, stars at those without a gradient
        return re.sub(r"[*·]", " ", text.split("(* not")[0])
    return " ".join(re.findall(r"`([^`]*)`", text))


def without_arguments(code):
    before = None
    while code != before:
        before, code = (
            code,
            re.sub(r"\([^()]*\)|\[[^\[\]]*\]|'[^']*'|\"[^\"]*\"|\w+=\S*", " ", code),
        )
    return code


@beside_the_page
@pytest.mark.parametrize("title", SURFACE)
def test_the_list_is_the_page(title):
    """Every name in code on the page is in the list, and every name in the list on the page."""
    there = set(re.findall(r"[A-Za-z_]\w*", without_arguments(code_of(title))))
    ours = {name for text in SURFACE[title].values() for name in text.split()}
    owners = {part for owner in SURFACE[title] for part in owner.split(".")}
    words = set(" ".join(IN_WORDS.values()).split()) | set(OTHER_WORDS[title].split())
    assert there - ours - owners - words == set()
    assert ours - there == set()


@beside_the_page
def test_the_pages_sections_are_all_there():
    titles = re.findall(r"^## (.*)", PAGE.read_text(encoding="utf-8"), re.M)
    rest = ("the examples' command lines", "Errors", "Where we depart from PyTorch, on purpose")
    assert all(title.startswith((*SURFACE, *rest)) for title in titles)


@beside_the_page
def test_calls_are_as_the_page_writes_them():
    """The arguments that it names are there, in its order, with the defaults that it gives."""
    wrong, compared = [], 0
    for title, owners in SURFACE.items():
        for path, text in re.findall(r"([\w.]+)\(([^()]*)\)", code_of(title)):
            name = path.split(".")[-1]
            homes = [o for o, text_ in owners.items() if name in text_.split()]
            owner = max(homes, key=lambda o: path == f"{o}.{name}", default="")
            if not exists(owner, name) or inspect.ismodule(getattr(found(owner), name)):
                continue
            ours = parameters(getattr(found(owner), name))
            wanted = ast.parse(f"f({re.sub(r'[.]{3},?', '', text)})", mode="eval").body
            plain = [ast.unparse(arg).lstrip("*") for arg in wanted.args]
            wanted = dict.fromkeys(plain) | {
                k.arg: ast.literal_eval(k.value) for k in wanted.keywords
            }
            wanted = {key: value for key, value in wanted.items() if key not in PLACEHOLDERS}
            places = [list(ours).index(key) if key in ours else -1 for key in wanted]
            same = all(k in plain or ours[k].default == v for k, v in wanted.items() if k in ours)
            if -1 in places or places != sorted(places) or not same:
                wrong.append(f"{owner}.{name}({', '.join(map(str, ours.values()))}): {text}")
            compared += len(wanted)
    assert not wrong, "\n".join(wrong)
    assert compared > 60
