"""Reading a ``state_dict`` of this package or of PyTorch, also one that went through a
file.
"""

from collections.abc import Mapping

import numpy as np

from ..errors import CheckpointError, abbreviate, check_integers, describe
from ..tensor import Tensor
from ..types import Setting, Settings
from .options import faults

# What a group of PyTorch's holds beside the options that exist here: how a step is
# computed, the names of its parameters, and what a schedule has noted.
_NOT_OPTIONS = {
    "foreach",
    "fused",
    "capturable",
    "differentiable",
    "decoupled_weight_decay",
    "param_names",
    "max_lr",
    "min_lr",
    "max_momentum",
    "base_momentum",
}


def read_options(saved: Mapping[str, Setting], group: Settings) -> Settings:
    """Return a saved group's options as ``group`` has them; old files lack maximize."""
    options = {"maximize": False} if "maximize" in group else {}
    for key, value in saved.items():
        if key not in _NOT_OPTIONS:
            options[key] = _as_plain(value)
    return options


def _as_plain(value: Setting) -> Setting:
    """Return a number for a 0-d tensor, and a tuple for a list: JSON has no tuples."""
    if isinstance(value, list | tuple):
        return tuple([_as_plain(item) for item in value])
    return value.item() if getattr(value, "shape", None) == () else value


def read_entry(entry: Mapping[str, Setting]) -> Settings:
    """Return a parameter's saved state, with arrays and an integer for the step."""
    own = {key: _as_array(value) for key, value in entry.items() if value is not None}
    if "step" in own:
        step = _as_plain(own["step"])
        is_whole = isinstance(step, float) and step.is_integer()
        own["step"] = int(step) if is_whole else step
    return own


def _as_array(value: Setting) -> Setting:
    """Return an array for another library's tensor, if it can be converted."""
    if not hasattr(value, "__array__") or isinstance(value, Tensor):
        return value
    try:
        return np.asarray(value)
    except Exception:  # it is on a device, say: the misfit is described as it is
        return value


def entry_misfits(
    what: str, entry: object, names: list[str], param: Tensor
) -> list[str]:
    """Say what in a parameter's state does not fit; ``names`` begin with "step"."""
    if not isinstance(entry, Mapping):
        return [f"{what} has {describe(entry)}, expected {names}"]
    if entry.keys() != set(names):
        return [f"{what} has [{abbreviate(map(repr, entry))}], expected {names}"]
    expected = describe(param)
    wrong = []
    for name in names[1:]:
        found = describe(entry[name], "")
        if found != expected:
            wrong.append(f"{name} of {what} is {found}, expected {expected}")
    return wrong + faults(check_integers, "state", **{f"step of {what}": entry["step"]})


def raise_misfits(name: str, misfits: list[str]) -> None:
    """Raise if anything of a ``state_dict`` does not fit."""
    if misfits:
        wrong = abbreviate(misfits, "; ")
        raise CheckpointError(f"{name}.load_state_dict: nothing was loaded, as {wrong}")
