"""Files of values and of training runs: safetensors, by :mod:`serialization`.

The tree in a checkpoint has ``model`` (arrays by parameter name), ``optimizer`` and
``scheduler`` (each one's ``state_dict``), ``step``, ``random`` (the state of the
default generator) and ``extra``.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

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
from .tree import JSON, Held, flatten, unflatten

if TYPE_CHECKING:  # imported where it is needed, so that the package imports fast
    from .serialization import FileLike

Part: TypeAlias = Module | Optimizer | LRScheduler


def save(obj: object, path: "FileLike") -> None:
    """Write values to a safetensors file, as torch.save does, but without pickle.

    Everything comes back from :func:`load` equal in type and in every bit. Tensors that
    share their memory, as tied weights do, share it again; any other view comes back as
    a copy. A Parameter comes back as a Tensor that requires grad, and a recorded
    tensor, which is no leaf, without its history.

    Args:
        obj: Dicts (whose keys are str, int, float, bool or None), OrderedDicts, lists,
            tuples, numbers, NumPy scalars and arrays, str, bytes, None and Tensors, one
            in another. Of a module or an optimizer, save its ``state_dict()``.
        path: A path, where the new file takes the old one's place once it is complete;
            or a file that is open for writing bytes.

    Raises:
        DTypeError: No file can hold one of the values; the message has the path to it.
        CheckpointError: The file cannot be written; the old one at this path stays.

    Example:
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


def load(
    path: "FileLike", map_location: str | None = None, weights_only: bool | None = None
) -> Any:
    """Read the values of a file that :func:`save` wrote.

    Args:
        path: A path, or a file that is open for reading bytes, which is read to its
            end.
        map_location: The device of the Tensors; the CPU if None, wherever they were.
        weights_only: Without effect, as loading never runs code.

    Returns:
        The values; for a safetensors file of another tool, or of ``save_weights``, a
        dict of its Tensors by name.

    Raises:
        CheckpointError: The file is damaged or of another kind.
        MissingFile: The file does not exist; this is a FileNotFoundError, too.

    Example:
        >>> import io, tinygrad_rnn as tg
        >>> model, file = tg.nn.Linear(3, 2), io.BytesIO()
        >>> tg.save(model.state_dict(), file)
        >>> file = io.BytesIO(file.getvalue())
        >>> model.load_state_dict(tg.load(file))
        IncompatibleKeys(missing_keys=[], unexpected_keys=[])
    """
    from .serialization import load_file

    check_type("load", bool | None, "True, False or None", weights_only=weights_only)
    if map_location is not None and not isinstance(map_location, str):
        expected = "a device such as 'cuda', or None for the CPU"
        why = "where all tensors are loaded to"
        check_type("load", str, f"{expected}, {why}", map_location=map_location)
    backend = find(map_location or "cpu")
    arrays, header = load_file(path)
    if "checkpoint" in header:
        found = "it is a checkpoint; tg.load_checkpoint(path, model) reads it"
        raise CheckpointError(f"cannot load {file_name(path)!r}: {found}")
    if "saved" in header:
        return _tree_of(path, header["saved"], arrays, backend)
    tensor_of = _tensor_maker(arrays, backend)
    return {name: tensor_of(name, False) for name in arrays}


# ---------------------------------------------------------------- a training run


class Checkpoint(NamedTuple):
    """What :func:`load_checkpoint` returns: the step, and what the run saved beside."""

    step: int
    extra: Any


def save_checkpoint(
    path: "FileLike",
    model: Module,
    optimizer: Optimizer | None = None,
    scheduler: LRScheduler | None = None,
    step: int = 0,
    extra: object = None,
) -> None:
    """Write all that a training run needs in order to go on to one safetensors file.

    That includes the state of the default generator.

    Args:
        path: A path, where the new file takes the old one's place once it is complete;
            or a file that is open for writing bytes.
        model: The model.
        optimizer: Its optimizer, which may train a part of the model, but nothing else.
        scheduler: The schedule of that optimizer.
        step: The number of steps so far.
        extra: Whatever else the run needs, of what :func:`save` takes: the position in
            the data, a hidden state, settings.

    Raises:
        CheckpointError: The file cannot be written, or the optimizer or scheduler
            belongs to something else.
        DTypeError: No file can hold something in ``extra``.

    Example:
        >>> import io, tinygrad_rnn as tg
        >>> model, file = tg.nn.Linear(3, 2), io.BytesIO()
        >>> optimizer = tg.optim.Adam(model.parameters())
        >>> tg.save_checkpoint(file, model, optimizer, step=7, extra={"seed": 0})
        >>> file.seek(0)
        0
        >>> tg.load_checkpoint(file, model, optimizer)
        Checkpoint(step=7, extra={'seed': 0})
    """
    from .serialization import save_file

    expected = "a Module: save_checkpoint(path, model)"
    check_type("save_checkpoint", Module, expected, model=model)
    parts = _checked_parts("save_checkpoint", model, optimizer, scheduler)
    check_integers("save_checkpoint", 0, step=step)
    tree: dict[str, object] = {
        name: None if part is None else part.state_dict()
        for name, part in parts.items()
    }
    tree.update(step=int(step), random=default_generator.get_state(), extra=extra)
    header, arrays = flatten(tree, _held_by, "save_checkpoint")
    save_file(path, arrays, {"checkpoint": header})


def load_checkpoint(
    path: "FileLike",
    model: Module | None = None,
    optimizer: Optimizer | None = None,
    scheduler: LRScheduler | None = None,
) -> Checkpoint:
    """Restore what :func:`save_checkpoint` wrote.

    Training then goes on bit for bit as if it had not stopped. Parts that are not
    passed are not restored: ``load_checkpoint(path).extra`` alone shows the settings
    from which to build a model. Everything is restored or nothing, even if memory runs
    out or Ctrl-C comes in.

    Args:
        path: A path, or a file that is open for reading bytes.
        model: The model to restore.
        optimizer: Its optimizer.
        scheduler: The schedule of that optimizer.

    Returns:
        ``(step, extra)``.

    Raises:
        CheckpointError: The file is damaged, is no checkpoint, or does not fit.
        MissingFile: The file does not exist; this is a FileNotFoundError, too.
    """
    parts = _checked_parts("load_checkpoint", model, optimizer, scheduler)
    tree = _read_checkpoint(path, {*parts, "step", "random", "extra"})
    given = {name: part for name, part in parts.items() if part is not None}
    changes: Changes = []
    if given:
        wrong = _misfits(given, tree)
        if wrong:
            cannot = f"cannot load {file_name(path)!r}, nothing was changed"
            raise CheckpointError(f"{cannot}: {'; '.join(wrong)}")
        for name, part in given.items():
            changes += part._loading(tree[name])
        changes += default_generator._loading(tree["random"])
    found = Checkpoint(tree["step"], tree["extra"])
    commit(changes)
    return found


def _read_checkpoint(path: "FileLike", names: set[str]) -> dict[str, Any]:
    """Return the tree in a checkpoint; raise if the file is none."""
    from .serialization import load_file

    cannot = f"cannot load {file_name(path)!r}"
    arrays, header = load_file(path)
    if "saved" in header:
        found = "what tg.save wrote; tg.load(path) reads it"
        raise CheckpointError(f"{cannot}: it holds {found}")
    if "checkpoint" not in header:
        found = "weights but no checkpoint; model.load_weights(path) reads it"
        raise CheckpointError(f"{cannot}: it holds {found}")
    tree = _tree_of(path, header["checkpoint"], arrays, find("cpu"))
    is_tree = isinstance(tree, dict) and tree.keys() == names
    if not is_tree or not isinstance(tree["step"], int):
        raise CheckpointError(f"{cannot}: it is no checkpoint of this package")
    return tree


def _misfits(parts: Mapping[str, Part], tree: Mapping[str, Any]) -> list[str]:
    """Return what does not fit the parts, or cannot be restored, in a checkpoint."""
    random = faults(Generator().set_state, tree["random"])
    wrong = [f"random: {fault}" for fault in random]
    for name, part in parts.items():
        if not isinstance(tree[name], dict):
            wrong.append(f"it has no {name}")
        elif found := part.misfits(tree[name]):
            wrong.append(few([f"{name}: {fault}" for fault in found], "; "))
    return wrong


def _checked_parts(
    function: str,
    model: Module | None,
    optimizer: Optimizer | None,
    scheduler: LRScheduler | None,
) -> dict[str, Part | None]:
    """Return the parts of a run by name; raise if they do not belong together."""
    expected = f"a Module: {function}(path, model)"
    check_type(function, Module | None, expected, model=model)
    expected = "an Optimizer or None"
    check_type(function, Optimizer | None, expected, optimizer=optimizer)
    expected = "an LRScheduler or None"
    check_type(function, LRScheduler | None, expected, scheduler=scheduler)
    if model is not None and optimizer is not None:
        _check_trained(function, model, optimizer)
    scheduled = optimizer if scheduler is None else scheduler.optimizer
    if optimizer is not None and scheduled is not optimizer:
        wrong = "scheduler sets the rates of another optimizer than the given one"
        raise CheckpointError(f"{function}: {wrong}; make it of that one")
    return {"optimizer": optimizer, "model": model, "scheduler": scheduler}


def _check_trained(function: str, model: Module, optimizer: Optimizer) -> None:
    """Raise if the optimizer trains a tensor that is not in the model's state."""
    held = {id(tensor) for _, tensor in model._named_tensors(persistent_only=True)}
    trained = [param for group in optimizer.param_groups for param in group["params"]]
    strange = [place for place, param in enumerate(trained) if id(param) not in held]
    if strange:
        count = f"{len(strange)} of the {len(trained)} tensors"
        shape = trained[strange[0]].shape
        first = f"the first is number {strange[0]}, of shape {shape}"
        wrong = f"{count} that optimizer trains are not in model ({first})"
        way_out = "pass the model that it trains; of several, nn.ModuleList(models)"
        raise CheckpointError(f"{function}: {wrong}; {way_out}")


# ---------------------------------------------------------------- Tensors in trees


def _held_by(value: object) -> Held | None:
    """Return what a file holds of a Tensor; None if the value is none."""
    if not isinstance(value, Tensor):
        return None
    host = backend_of(value.array).to_host(value.array)
    return Held(value.array, host, value.requires_grad and value.is_leaf)


def _tree_of(
    path: "FileLike", header: JSON, arrays: dict[str, np.ndarray], backend: Backend
) -> Any:
    """Return the values of a file; an error names the file."""
    try:
        return unflatten(header, arrays, _tensor_maker(arrays, backend))
    except CheckpointError as error:
        raise CheckpointError(f"cannot load {file_name(path)!r}: {error}") from None


def _tensor_maker(
    arrays: dict[str, np.ndarray], backend: Backend
) -> Callable[[str, bool], Tensor]:
    """Return what makes Tensors of a file's arrays; those of one array share memory."""
    first: dict[str, Tensor] = {}

    def tensor_of(name: str, needs_grad: bool) -> Tensor:
        if name in first:
            made = first[name].detach()
        else:
            made = first[name] = wrap(backend.from_host(arrays[name]))
        return made.requires_grad_() if needs_grad else made

    return tensor_of
