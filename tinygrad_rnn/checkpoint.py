"""Checkpoints: all that a run needs to go on, in one safetensors file; see `serialization` for it.

The tree in the file: ``model`` (arrays by parameter name), ``optimizer`` and ``scheduler`` (their
``state_dict``), ``step``, ``random`` (the default generator's state) and ``extra``.
"""

from typing import Any, NamedTuple

import numpy as np

from .errors import CheckpointError, DTypeError
from .nn.module import Module
from .optim.optimizer import Optimizer
from .random import Generator, default_generator
from .tensor import Tensor


class Checkpoint(NamedTuple):
    """What :func:`load_checkpoint` read beside the states that it put back."""

    step: int
    extra: Any


def save_checkpoint(
    path: Any,
    model: Module,
    optimizer: Optimizer | None = None,
    scheduler: Any = None,
    step: int = 0,
    extra: Any = None,
) -> None:
    """Write weights, optimizer, schedule, random state, step and ``extra`` to one file.

    ``extra`` is what else the run needs: the position in the data, a hidden state that is carried
    over, settings: dicts, lists, tuples, numbers, strings, None, Tensors and arrays. The new file is
    complete before it takes the old one's place. Raises CheckpointError if it cannot be written,
    DTypeError for something in ``extra`` that no file can hold.
    """
    from .serialization import flatten, save_file  # here, so that the package imports fast

    if not isinstance(model, Module) or not isinstance(optimizer, Optimizer | None):
        raise DTypeError(
            f"save_checkpoint: got the model {type(model).__name__} and the optimizer "
            f"{type(optimizer).__name__}, expected a Module, and an Optimizer or None"
        )
    if not hasattr(step, "__index__") or step < 0:
        raise DTypeError(f"save_checkpoint: step is {step!r}, expected an integer of at least 0")
    tree = {
        "model": model.state_dict(),
        "optimizer": None if optimizer is None else _by_text(optimizer.state_dict()),
        "scheduler": None if scheduler is None else scheduler.state_dict(),
        "step": int(step),
        "random": default_generator.get_state(),
        "extra": extra,
    }
    header, arrays = flatten(_to_arrays(tree))
    save_file(path, arrays, {"checkpoint": header})


def load_checkpoint(
    path: Any,
    model: Module | None = None,
    optimizer: Optimizer | None = None,
    scheduler: Any = None,
) -> Checkpoint:
    """Put back what :func:`save_checkpoint` wrote; returns ``(step, extra)``, arrays as Tensors.

    Training then goes on bit for bit as if it had not stopped. Without a model nothing is put back:
    ``load_checkpoint(path).extra`` shows what is needed to build one. Raises CheckpointError, and
    changes nothing, for a file that is damaged or does not fit.
    """
    from .serialization import load_file, unflatten

    arrays, header = load_file(path)
    if "checkpoint" not in header:
        raise CheckpointError(
            f"cannot load {str(path)!r}: it holds weights but no checkpoint; use model.load_weights()"
        )
    tree = unflatten(header["checkpoint"], arrays)
    wanted = {"model", "optimizer", "scheduler", "step", "random", "extra"}
    if not isinstance(tree, dict) or tree.keys() != wanted or not isinstance(tree["step"], int):
        raise CheckpointError(f"cannot load {str(path)!r}: it is no checkpoint of this package")
    found = Checkpoint(tree["step"], _to_tensors(tree["extra"]))
    if model is None and optimizer is None and scheduler is None:
        return found
    parts = (("model", model), ("optimizer", optimizer), ("scheduler", scheduler))
    wrong = []
    for name, part in parts:
        if part is not None and not isinstance(tree[name], dict):
            wrong.append(f"it has no {name}")
        elif part is not None and hasattr(part, "misfits"):
            wrong += [f"{name}: {misfit}" for misfit in part.misfits(tree[name])]
    try:
        Generator().set_state(_to_tensors(tree["random"]))
    except (TypeError, ValueError) as error:
        wrong.append(f"random: {error}")
    if wrong:
        raise CheckpointError(
            f"cannot load {str(path)!r}, nothing was changed: " + "; ".join(wrong)
        )
    for name, part in reversed(parts):  # those that need memory first, then what cannot fail
        if part is not None:
            part.load_state_dict(tree[name])
    default_generator.set_state(_to_tensors(tree["random"]))
    return found


def _by_text(state_dict: dict[str, Any]) -> dict[str, Any]:
    """An optimizer's state with text for the numbers of the parameters: JSON has no other keys."""
    return {**state_dict, "state": {str(k): v for k, v in state_dict["state"].items()}}


def _to_arrays(tree: Any) -> Any:
    """A tree with arrays for its Tensors, and Python's numbers for NumPy's."""
    if isinstance(tree, Tensor):
        return tree.numpy()
    if isinstance(tree, np.generic):
        return tree.item()
    if isinstance(tree, dict):
        return {key: _to_arrays(value) for key, value in tree.items()}
    if type(tree) in (list, tuple):
        return type(tree)(_to_arrays(item) for item in tree)
    return tree


def _to_tensors(tree: Any) -> Any:
    if isinstance(tree, np.ndarray):
        return Tensor(tree)
    if isinstance(tree, dict):
        return {key: _to_tensors(value) for key, value in tree.items()}
    if isinstance(tree, list | tuple):
        return type(tree)(_to_tensors(item) for item in tree)
    return tree
