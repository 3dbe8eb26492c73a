"""Checkpoints: all that a run needs to go on, in one safetensors file; see `serialization` for it.

The tree in the file: ``model`` (arrays by parameter name), ``optimizer`` and ``scheduler`` (their
``state_dict``), ``step``, ``random`` (the default generator's state) and ``extra``.
"""

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


def save_checkpoint(path: Any, model: Module, optimizer: Optimizer | None = None,
                    scheduler: LRScheduler | None = None, step: int = 0,
                    extra: Any = None) -> None:  # fmt: skip
    """Write weights, optimizer, schedule, random state, step and ``extra`` to one file.

    ``extra`` is what else the run needs: the position in the data, a hidden state that is carried
    over, settings: dicts, lists, tuples, numbers, strings, None, Tensors and arrays. The new file is
    complete before it takes the old one's place. Raises CheckpointError if it cannot be written,
    DTypeError for something in ``extra`` that no file can hold.
    """
    from .serialization import flatten, save_file  # here, so that the package imports fast

    check_type("save_checkpoint", Module, "a Module: save_checkpoint(path, model)", model=model)
    parts = _parts("save_checkpoint", model, optimizer, scheduler)
    check_integers("save_checkpoint", 0, step=step)
    tree: dict[str, Any] = {k: x if x is None else x.state_dict() for k, x in parts.items()}
    if optimizer is not None:  # its parameters are numbers, for which JSON has no keys but text
        tree["optimizer"]["state"] = {str(k): v for k, v in tree["optimizer"]["state"].items()}
    tree.update(step=int(step), random=default_generator.get_state(), extra=extra)
    header, arrays = flatten(tree, _to_host, "save_checkpoint")
    save_file(path, arrays, {"checkpoint": header})


def load_checkpoint(path: Any, model: Module | None = None, optimizer: Optimizer | None = None,
                    scheduler: LRScheduler | None = None) -> Checkpoint:  # fmt: skip
    """Put back what :func:`save_checkpoint` wrote; returns ``(step, extra)``, arrays as Tensors.

    Training then goes on bit for bit as if it had not stopped. What is not passed is not put back:
    ``load_checkpoint(path).extra`` alone shows what is needed to build a model. Raises CheckpointError, and
    changes nothing, for a file that is damaged or does not fit.
    """
    from .serialization import load_file, unflatten

    parts = _parts("load_checkpoint", model, optimizer, scheduler)
    arrays, header = load_file(path)
    cannot = f"cannot load {str(path)!r}"
    if "checkpoint" not in header:
        held = "it holds weights but no checkpoint; model.load_weights(path)"
        raise CheckpointError(f"{cannot}: {held}")
    tree = unflatten(header["checkpoint"], {name: Tensor(array) for name, array in arrays.items()})
    wanted = {*parts, "step", "random", "extra"}
    if not isinstance(tree, dict) or tree.keys() != wanted or not isinstance(tree["step"], int):
        raise CheckpointError(f"{cannot}: it is no checkpoint of this package")
    given = [(name, part, tree[name]) for name, part in parts.items() if part is not None]
    wrong = [f"random: {fault}" for fault in faults(Generator().set_state, tree["random"])]
    for name, part, state in given:
        has = isinstance(state, dict)
        wrong += [f"{name}: {x}" for x in part.misfits(state)] if has else [f"it has no {name}"]
    if wrong and given:
        raise CheckpointError(f"{cannot}, nothing was changed: {'; '.join(wrong)}")
    for _, part, state in given:  # what needs memory first, then what cannot fail
        part.load_state_dict(state)
    if given:
        default_generator.set_state(tree["random"])
    return Checkpoint(tree["step"], tree["extra"])


def _parts(name: str, model: Any, optimizer: Any, scheduler: Any) -> dict[str, Any]:
    """What a checkpoint is made of, in the order to put it back: the optimizer needs memory."""
    check_type(name, Module | None, f"a Module: {name}(path, model)", model=model)
    check_type(name, Optimizer | None, "an Optimizer or None", optimizer=optimizer)
    check_type(name, LRScheduler | None, "an LRScheduler or None", scheduler=scheduler)
    return {"optimizer": optimizer, "model": model, "scheduler": scheduler}


def _to_host(part: Any) -> Any:
    """An array for a Tensor, Python's number for NumPy's, a plain dict for one of another kind."""
    if isinstance(part, Tensor):
        return part.cpu().numpy()
    if isinstance(part, np.generic):
        return part.item()
    return dict(part) if isinstance(part, dict) else part
