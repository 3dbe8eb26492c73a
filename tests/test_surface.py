"""Every public name of the table in `surface` exists, is documented and typed."""

import inspect
import re

import numpy as np
from surface import exists, found, names, parameters

HERE = [(owner, name) for owner, name in names() if exists(owner, name)]


def listed(wrong):
    return f"{len(wrong)} of {len(names())}: {' '.join(wrong)}"


def test_every_name_exists():
    missing = [
        f"{owner}.{name}" for owner, name in names() if (owner, name) not in HERE
    ]
    assert not missing, listed(missing)


def test_every_name_is_documented():
    """By its own docstring, or in that of the class whose attribute it is."""
    bare = []
    for owner, name in HERE:
        holder = found(owner)
        thing = getattr(holder, name)
        if isinstance(thing, np.dtype) or name.startswith("__"):
            continue  # dtypes are NumPy's; operators are Python's
        doc = (
            vars(thing).get("__doc__")
            if inspect.isclass(thing)
            else inspect.getdoc(thing)
        )
        if callable(thing) or inspect.ismodule(thing) or isinstance(thing, property):
            # Python's words, not ours
            documented = bool(doc) and not inspect.isbuiltin(thing)
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
