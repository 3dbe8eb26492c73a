"""Checkpoints: all that a run needs to go on, in one safetensors file; see `serialization` for it.

The tree in the file: ``model`` (arrays by parameter name), ``optimizer`` and ``scheduler`` (their
``state_dict``), ``step``, ``random`` (the default generator's state) and ``extra``.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from .errors import CheckpointError, check_integers, check_type
from .nn.module import Module
from .optim.lr_scheduler import LRScheduler
from .optim.optimizer import Optimizer, faults
from .random import Generator, default_generator
from .tensor import Tensor


class Checkpoint(NamedTuple):
    """What :func:`load_checkpoint` read beside the states that it put back."""

    step: int
    extra: Any


def save_checkpoint(
    path: Any, model: Module, optimizer: Optimizer | None = None,
    scheduler: LRScheduler | None = None, step: int = 0, extra: Any = None,
) -> None:  # fmt: skip
    """Write weights, optimizer, schedule, random state, step and ``extra`` to one file.

    ``extra`` is what else the run needs: the position in the data, a hidden state that is carried
    over, settings: dicts, lists, tuples, numbers, strings, None, Tensors and arrays. The new file is
    complete before it takes the old one's place. Raises CheckpointError if it cannot be written,
    DTypeError for something in ``extra`` that no file can hold.
    """
    from .serialization import flatten, save_file  # here, so that the package imports fast

    check_type("save_checkpoint", Module, "a Module", model=model)
    _check("save_checkpoint", model, optimizer, scheduler)
    check_integers("save_checkpoint", 0, step=step)
    tree = {
        "model": model.state_dict(),
        "optimizer": None if optimizer is None else _by_text(optimizer.state_dict()),
        "scheduler": None if scheduler is None else scheduler.state_dict(),
        "step": int(step),
        "random": default_generator.get_state(),
        "extra": extra,
    }
    header, arrays = flatten(_mapped(_to_host, tree))
    save_file(path, arrays, {"checkpoint": header})


def load_checkpoint(
    path: Any, model: Module | None = None, optimizer: Optimizer | None = None,
    scheduler: LRScheduler | None = None,
) -> Checkpoint:  # fmt: skip
    """Put back what :func:`save_checkpoint` wrote; returns ``(step, extra)``, arrays as Tensors.

    Training then goes on bit for bit as if it had not stopped. Without a model nothing is put back:
    ``load_checkpoint(path).extra`` shows what is needed to build one. Raises CheckpointError, and
    changes nothing, for a file that is damaged or does not fit.
    """
    from .serialization import load_file, unflatten

    _check("load_checkpoint", model, optimizer, scheduler)
    arrays, header = load_file(path)
    if "checkpoint" not in header:
        raise CheckpointError(
            f"cannot load {str(path)!r}: it holds weights but no checkpoint; use model.load_weights()"
        )
    tree = unflatten(header["checkpoint"], arrays)
    wanted = {"model", "optimizer", "scheduler", "step", "random", "extra"}
    if not isinstance(tree, dict) or tree.keys() != wanted or not isinstance(tree["step"], int):
        raise CheckpointError(f"cannot load {str(path)!r}: it is no checkpoint of this package")
    found = Checkpoint(tree["step"], _mapped(_to_tensor, tree["extra"]))
    parts = {"optimizer": optimizer, "model": model, "scheduler": scheduler}
    given = {name: part for name, part in parts.items() if part is not None}
    if not given:
        return found
    wrong, state = [], _mapped(_to_tensor, tree["random"])
    for name, part in given.items():
        fits = isinstance(tree[name], dict)
        wrong += (
            [f"{name}: {misfit}" for misfit in part.misfits(tree[name])]
            if fits
            else [f"it has no {name}"]
        )
    wrong += [f"random: {fault}" for fault in faults(Generator().set_state, state)]
    if wrong:
        raise CheckpointError(f"cannot load {str(path)!r}, nothing was changed: {'; '.join(wrong)}")
    for name, part in given.items():  # what needs memory first, then what cannot fail
        part.load_state_dict(tree[name])
    default_generator.set_state(state)
    return found


def _check(name: str, model: Any, optimizer: Any, scheduler: Any) -> None:
    check_type(name, Module | None, "a Module", model=model)
    check_type(name, Optimizer | None, "an Optimizer or None", optimizer=optimizer)
    check_type(name, LRScheduler | None, "an LRScheduler or None", scheduler=scheduler)


def _by_text(state_dict: dict[str, Any]) -> dict[str, Any]:
    """An optimizer's state with text for the numbers of the parameters: JSON has no other keys."""
    return {**state_dict, "state": {str(k): v for k, v in state_dict["state"].items()}}


def _mapped(leaf: Callable[[Any], Any], tree: Any) -> Any:
    """The tree with a function of each of its leaves."""
    if isinstance(tree, dict):
        return {key: _mapped(leaf, value) for key, value in tree.items()}
    if type(tree) in (list, tuple):
        return type(tree)(_mapped(leaf, item) for item in tree)
    return leaf(tree)


def _to_host(leaf: Any) -> Any:
    """An array for a Tensor, and Python's number for NumPy's."""
    if isinstance(leaf, Tensor):
        return leaf.cpu().numpy()
    return leaf.item() if isinstance(leaf, np.generic) else leaf


def _to_tensor(leaf: Any) -> Any:
    return Tensor(leaf) if isinstance(leaf, np.ndarray) else leaf
