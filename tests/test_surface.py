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


MODULES = {owner for owner, _ in names() if inspect.ismodule(found(owner))}
# Names without an underscore that are not for users, or have another name for them.
INTERNAL = {
    "tg.errors": {
        *("Error", "CheckpointError"),  # tg.Error, tg.CheckpointError
        *("abbreviate", "describe", "file_name", "check_axis", "check_choice"),
        *("check_dim", "check_fits", "check_integers", "check_numbers", "check_type"),
    },
    "tg.Tensor": {
        *("array", "hooks", "kind", "needs_grad", "node", "source", "version"),
        "view_version",
    },
}


def public_names(owner):
    """Return the names that a module exports, or that a class has for its users."""
    holder = found(owner)
    if inspect.isclass(holder):
        return {name for name in dir(holder) if name[0] != "_"}
    exported = getattr(holder, "__all__", None)
    if exported is not None:
        return {*exported}
    own = {
        name: thing
        for name, thing in vars(holder).items()
        if getattr(thing, "__module__", "") == holder.__name__ and name[0] != "_"
    }
    return {name for name, thing in own.items() if inspect.isroutine(thing)}


def test_every_exported_name_is_in_the_table():
    owners = {*MODULES, "tg.Tensor", "tg.nn.Module"} - {"tg.backend"}
    listed, missing = {*names()}, []
    for owner in sorted(owners):
        for name in sorted(public_names(owner) - INTERNAL.get(owner, set())):
            missing += [f"{owner}.{name}"] * ((owner, name) not in listed)
    assert not missing, f"not in tests/surface.py: {' '.join(missing)}"
