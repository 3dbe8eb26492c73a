"""Files of values and of whole runs: safetensors, written and read by `serialization`.

The tree in a checkpoint: ``model`` (arrays by parameter name), ``optimizer`` and
``scheduler`` (their ``state_dict``), ``step``, ``random`` (the default generator's
state) and ``extra``.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from .backend import Backend, backend_of, find
from .engine.commit import Changes, commit
from .engine.node import wrap
from .errors import CheckpointError, check_integers, check_type, few, file_name
from .nn.module import Module
from .optim.lr_scheduler import LRScheduler
from .optim.optimizer import Optimizer
from .optim.options import faults
from .random import Generator, default_generator
from .tensor import Tensor
from .tree import Held, flatten, unflatten

# `serialization` is imported where it is needed, so that the package imports fast.


def save(obj: Any, path: Any) -> None:
    """Write values to one safetensors file, as torch.save does, without pickle.

    What comes back from :func:`load` is equal in type and in every bit. Tensors that
    share their memory, as tied weights do, come back sharing it; other views come back
    as copies. A recorded tensor, which has no gradient of its own, comes back without
    its history, a Parameter as a Tensor that requires grad.

    Args:
        obj: Dicts (of str, int, float, bool and None keys), OrderedDicts, lists,
            tuples, numbers, NumPy scalars and arrays, strings, bytes, None and Tensors,
            in each other. Of a module or an optimizer, its ``state_dict()``.
        path: A path, or a file that is open for writing bytes. At a path the new file
            is complete before it takes the old one's place.

    Raises:
        DTypeError: Something that no file can hold, with the path to it; nothing is
            written.
        CheckpointError: The file cannot be written.

    >>> import io, tinygrad_rnn as tg
    >>> file = io.BytesIO()
    >>> tg.save({"step": 3, "w": tg.ones(2), 0: (None, 0.5)}, file)
    >>> file.seek(0)
    0
    >>> tg.load(file)
    {'step': 3, 'w': tensor([1., 1.], dtype=float32), 0: (None, 0.5)}
    """
    from .serialization import save_file

    header, arrays = flatten(obj, _held_by, "save", "obj")
    save_file(path, arrays, {"saved": header})


def load(path: Any, map_location: Any = None, weights_only: bool | None = None) -> Any:
    """Read what :func:`save` wrote; of another safetensors file, a dict of its tensors
    by name.

    Args:
        path: A path, or a file that is open for reading bytes, which is read to its
            end.
        map_location: The device for the Tensors; by default the CPU, wherever they
            were.
        weights_only: Of no effect: loading never runs code.

    Raises:
        CheckpointError: The file is damaged, or of another kind.

    >>> import io, tinygrad_rnn as tg
    >>> model, file = tg.nn.Linear(3, 2), io.BytesIO()
    >>> tg.save(model.state_dict(), file)
    >>> file = io.BytesIO(file.getvalue())
    >>> model.load_state_dict(tg.load(file))
    IncompatibleKeys(missing_keys=[], unexpected_keys=[])
    """
    from .serialization import load_file

    check_type("load", bool | None, "True, False or None", weights_only=weights_only)
    backend = _backend_at(map_location)
    arrays, header = load_file(path)
    if "checkpoint" in header:
        way = "tg.load_checkpoint(path, model) reads it"
        raise CheckpointError(
            f"cannot load {file_name(path)!r}: it is a checkpoint; {way}"
        )
    if "saved" not in header:
        tensor_of = _maker(arrays, backend)
        return {name: tensor_of(name, False) for name in arrays}
    return _tree_of(path, header["saved"], arrays, backend)


def _backend_at(map_location: Any) -> Backend:
    if map_location is None:
        return find("cpu")
    way = (
        "a device such as 'cuda', or None for the CPU, where all tensors are loaded to"
    )
    if not isinstance(map_location, str):
        check_type("load", str, way, map_location=map_location)
    return find(map_location)


# ---------------------------------------------------------------- a whole run


class Checkpoint(NamedTuple):
    """What :func:`load_checkpoint` read beside the states that it put back."""

    step: int
    extra: Any


def save_checkpoint(
    path: Any,
    model: Module,
    optimizer: Optimizer | None = None,
    scheduler: LRScheduler | None = None,
    step: int = 0,
    extra: Any = None,
) -> None:
    """Write weights, optimizer, schedule, random state, step and ``extra`` to one file.

    ``extra`` is what else the run needs: the position in the data, a hidden state that
    is carried over, settings; all that :func:`save` takes. The new file is complete
    before it takes the old one's place. An optimizer may train a part of the model, but
    nothing else: its values would not be in the file.

    Raises CheckpointError if it cannot be written, or if optimizer or scheduler belong
    to something else; DTypeError for something in ``extra`` that no file can hold.
    """
    from .serialization import save_file

    check_type(
        "save_checkpoint", Module, "a Module: save_checkpoint(path, model)", model=model
    )
    parts = _parts("save_checkpoint", model, optimizer, scheduler)
    check_integers("save_checkpoint", 0, step=step)
    tree: dict[str, Any] = {
        k: x if x is None else x.state_dict() for k, x in parts.items()
    }
    tree.update(step=int(step), random=default_generator.get_state(), extra=extra)
    header, arrays = flatten(tree, _held_by, "save_checkpoint")
    save_file(path, arrays, {"checkpoint": header})


def load_checkpoint(
    path: Any,
    model: Module | None = None,
    optimizer: Optimizer | None = None,
    scheduler: LRScheduler | None = None,
) -> Checkpoint:
    """Put back what :func:`save_checkpoint` wrote; returns ``(step, extra)``.

    Training then goes on bit for bit as if it had not stopped. What is not passed is
    not put back: ``load_checkpoint(path).extra`` alone shows what is needed to build a
    model.

    Raises CheckpointError, and changes nothing, for a file that is damaged or does not
    fit. Also where memory runs out, or Ctrl-C comes in, everything is put back or
    nothing.
    """
    from .serialization import load_file

    parts = _parts("load_checkpoint", model, optimizer, scheduler)
    arrays, header = load_file(path)
    cannot = f"cannot load {file_name(path)!r}"
    if "checkpoint" not in header:
        saved = "what tg.save wrote; tg.load(path) reads it"
        weights = "weights but no checkpoint; model.load_weights(path)"
        raise CheckpointError(
            f"{cannot}: it holds {saved if 'saved' in header else weights}"
        )
    tree = _tree_of(path, header["checkpoint"], arrays, find("cpu"))
    wanted = {*parts, "step", "random", "extra"}
    if (
        not isinstance(tree, dict)
        or tree.keys() != wanted
        or not isinstance(tree["step"], int)
    ):
        raise CheckpointError(f"{cannot}: it is no checkpoint of this package")
    given = [
        (name, part, tree[name]) for name, part in parts.items() if part is not None
    ]
    wrong = [
        f"random: {fault}" for fault in faults(Generator().set_state, tree["random"])
    ]
    for name, part, state in given:
        found = part.misfits(state) if isinstance(state, dict) else []
        if found:
            wrong.append(few([f"{name}: {fault}" for fault in found], "; "))
        elif not isinstance(state, dict):
            wrong.append(f"it has no {name}")
    if wrong and given:
        raise CheckpointError(f"{cannot}, nothing was changed: {'; '.join(wrong)}")
    changes: Changes = []
    for _, part, state in given:
        changes += part._loading(state)
    if given:
        changes += default_generator._loading(tree["random"])
    found = Checkpoint(tree["step"], tree["extra"])
    commit(changes)
    return found


def _parts(name: str, model: Any, optimizer: Any, scheduler: Any) -> dict[str, Any]:
    """What a checkpoint is made of, by the names in its tree; raises if it does not
    belong together.
    """
    check_type(name, Module | None, f"a Module: {name}(path, model)", model=model)
    check_type(name, Optimizer | None, "an Optimizer or None", optimizer=optimizer)
    check_type(name, LRScheduler | None, "an LRScheduler or None", scheduler=scheduler)
    if model is not None and optimizer is not None:
        _check_trained(name, model, optimizer)
    if None not in (optimizer, scheduler) and scheduler.optimizer is not optimizer:
        wrong = (
            "scheduler sets the rates of another optimizer than the one that is given"
        )
        raise CheckpointError(f"{name}: {wrong}; make it of that one")
    return {"optimizer": optimizer, "model": model, "scheduler": scheduler}


def _check_trained(name: str, model: Module, optimizer: Optimizer) -> None:
    """Raise if the optimizer trains a tensor whose values are not in the model's state."""
    held = {id(tensor) for _, tensor in model._named_tensors(persistent=True)}
    trained = [param for group in optimizer.param_groups for param in group["params"]]
    strange = [place for place, param in enumerate(trained) if id(param) not in held]
    if strange:
        shape = trained[strange[0]].shape
        wrong = f"{len(strange)} of the {len(trained)} tensors that optimizer trains are not in model"
        first = f"the first is number {strange[0]}, of shape {shape}"
        way_out = (
            "pass the model that it trains; of several models, nn.ModuleList(models)"
        )
        raise CheckpointError(f"{name}: {wrong} ({first}); {way_out}")


# ---------------------------------------------------------------- Tensors in trees


def _held_by(value: Any) -> Held | None:
    """What a file holds of a Tensor."""
    if not isinstance(value, Tensor):
        return None
    host = backend_of(value.array).to_host(value.array)
    return Held(value.array, host, value.requires_grad and value.is_leaf)


def _tree_of(
    path: Any, header: Any, arrays: dict[str, np.ndarray], backend: Backend
) -> Any:
    """The values of a file; CheckpointError names it."""
    try:
        return unflatten(header, arrays, _maker(arrays, backend))
    except CheckpointError as error:
        raise CheckpointError(f"cannot load {file_name(path)!r}: {error}") from None


def _maker(
    arrays: dict[str, np.ndarray], backend: Backend
) -> Callable[[str, bool], Tensor]:
    """What makes Tensors of a file's arrays, on a device; those of one array share its
    memory.
    """
    first: dict[str, Tensor] = {}

    def tensor_of(name: str, needs_grad: bool) -> Tensor:
        if name in first:
            made = first[name].detach()
        else:
            made = first[name] = wrap(backend.from_host(arrays[name]))
        return made.requires_grad_() if needs_grad else made

    return tensor_of
