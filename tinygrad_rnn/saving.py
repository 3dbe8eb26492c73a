"""Files of values and of training runs: safetensors, by :mod:`serialization`.

The tree in a checkpoint has ``model`` (arrays by parameter name), ``optimizer`` and
``scheduler`` (each one's ``state_dict``), ``step``, ``random`` (the state of the
default generator) and ``extra``.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple, TypeAlias

from .backend import find
from .engine.commit import Changes, commit
from .engine.node import wrap
from .errors import CheckpointError, abbreviate, check_integers, check_type, file_name
from .nn.module import Module
from .optim.lr_scheduler import LRScheduler
from .optim.optimizer import Optimizer
from .optim.options import faults
from .random import Generator, default_generator
from .serialization import FileLike, load_file, save_file
from .tree import flatten, unflatten

Part: TypeAlias = Module | Optimizer | LRScheduler


def save(obj: object, path: FileLike) -> None:
    """Write values to a safetensors file, as torch.save does, but without pickle.

    Everything comes back from :func:`load` equal in type and in every bit. Tensors that
    share their memory, as tied weights do, share it again; any other view comes back as
    a copy. A Parameter comes back as a Tensor that requires grad, and a recorded
    tensor, which is not a leaf, without its history.

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
    header, arrays = flatten(obj, "save", "obj")
    save_file(path, arrays, {"saved": header})


def load(
    path: FileLike, map_location: str | None = None, weights_only: bool | None = None
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
        MissingFile: The file does not exist; this is also a FileNotFoundError.

    Example:
        >>> import io, tinygrad_rnn as tg
        >>> model, file = tg.nn.Linear(3, 2), io.BytesIO()
        >>> tg.save(model.state_dict(), file)
        >>> file = io.BytesIO(file.getvalue())
        >>> model.load_state_dict(tg.load(file))
        IncompatibleKeys(missing_keys=[], unexpected_keys=[])
    """
    check_type("load", bool | None, "True, False or None", weights_only=weights_only)
    expected = "a device such as 'cuda', or None for the CPU, for all tensors"
    check_type("load", str | None, expected, map_location=map_location)
    backend = find(map_location or "cpu")
    arrays, header = load_file(path)
    cannot = f"cannot load {file_name(path)!r}"
    if "checkpoint" in header:
        raise CheckpointError(
            f"{cannot}: it is a checkpoint; tg.load_checkpoint(path, model) reads it"
        )
    if "encoded" in header:
        raise CheckpointError(
            f"{cannot}: it holds the ids of a text; tg.data.TextStreams(pathlib.Path("
            "path), None, batch_size, seq_len) reads it"
        )
    if "saved" in header:
        return unflatten(header["saved"], arrays, backend, f"{cannot}: unflatten")
    return {name: wrap(backend.from_host(array)) for name, array in arrays.items()}


# ---------------------------------------------------------------- a training run


class Checkpoint(NamedTuple):
    """What :func:`load_checkpoint` returns: the step, and what else the run saved."""

    step: int
    extra: Any


def save_checkpoint(
    path: FileLike,
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
    expected = "a Module: save_checkpoint(path, model)"
    check_type("save_checkpoint", Module, expected, model=model)
    parts = _check_parts("save_checkpoint", model, optimizer, scheduler)
    check_integers("save_checkpoint", 0, step=step)
    tree: dict[str, object] = {
        name: None if part is None else part.state_dict()
        for name, part in parts.items()
    }
    tree.update(step=int(step), random=default_generator.get_state(), extra=extra)
    header, arrays = flatten(tree, "save_checkpoint")
    save_file(path, arrays, {"checkpoint": header})


def load_checkpoint(
    path: FileLike,
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
        CheckpointError: The file is damaged, is not a checkpoint, or does not fit.
        MissingFile: The file does not exist; this is also a FileNotFoundError.
    """
    parts = _check_parts("load_checkpoint", model, optimizer, scheduler)
    tree = _read_checkpoint(path, {*parts, "step", "random", "extra"})
    given = {name: part for name, part in parts.items() if part is not None}
    changes: Changes = []
    if given:
        if wrong := _misfits(given, tree):
            cannot = f"cannot load {file_name(path)!r}, nothing was changed"
            raise CheckpointError(f"{cannot}: {'; '.join(wrong)}")
        for name, part in given.items():
            changes += part._loading(tree[name])
        changes += default_generator._loading(tree["random"])
    found = Checkpoint(tree["step"], tree["extra"])
    commit(changes)
    return found


def _read_checkpoint(path: FileLike, names: set[str]) -> dict[str, Any]:
    """Return the tree in a checkpoint; raise if the file is none."""
    arrays, header = load_file(path)
    cannot = f"cannot load {file_name(path)!r}"
    if "saved" in header:
        raise CheckpointError(
            f"{cannot}: it holds what tg.save wrote; tg.load(path) reads it"
        )
    if "checkpoint" not in header:
        raise CheckpointError(
            f"{cannot}: it holds weights but no checkpoint; model.load_weights(path) "
            "reads it"
        )
    cpu = find("cpu")
    tree = unflatten(header["checkpoint"], arrays, cpu, f"{cannot}: unflatten")
    is_tree = isinstance(tree, dict) and tree.keys() == names
    if not is_tree or not isinstance(tree["step"], int):
        raise CheckpointError(f"{cannot}: it is not a checkpoint of this package")
    return tree


def _misfits(parts: Mapping[str, Part], tree: Mapping[str, Any]) -> list[str]:
    """Return what does not fit the parts, or cannot be restored, in a checkpoint."""
    wrong = [
        f"random: {fault}" for fault in faults(Generator().set_state, tree["random"])
    ]
    for name, part in parts.items():
        if not isinstance(tree[name], dict):
            wrong.append(f"it has no {name}")
        elif found := part.misfits(tree[name]):
            wrong.append(abbreviate([f"{name}: {fault}" for fault in found], "; "))
    return wrong


def _check_parts(
    function: str,
    model: Module | None,
    optimizer: Optimizer | None,
    scheduler: LRScheduler | None,
) -> dict[str, Part | None]:
    """Return the parts of a run by name; raise if they do not belong together."""
    check = partial(check_type, function)
    check(Module | None, f"a Module: {function}(path, model)", model=model)
    check(Optimizer | None, "an Optimizer or None", optimizer=optimizer)
    check(LRScheduler | None, "an LRScheduler or None", scheduler=scheduler)
    if model is not None and optimizer is not None:
        _check_trained(function, model, optimizer)
    scheduled = optimizer if scheduler is None else scheduler.optimizer
    if optimizer is not None and scheduled is not optimizer:
        raise CheckpointError(
            f"{function}: scheduler sets the rates of another optimizer than the given "
            "one; make it of that one"
        )
    return {"optimizer": optimizer, "model": model, "scheduler": scheduler}


def _check_trained(function: str, model: Module, optimizer: Optimizer) -> None:
    """Raise if the optimizer trains a tensor that is not in the model's state."""
    held = {id(tensor) for _, tensor in model._saved_tensors()}
    trained = [param for group in optimizer.param_groups for param in group["params"]]
    strange = [i for i, param in enumerate(trained) if id(param) not in held]
    if strange:
        first = f"number {strange[0]}, of shape {trained[strange[0]].shape}"
        raise CheckpointError(
            f"{function}: {len(strange)} of the {len(trained)} tensors that optimizer "
            f"trains are not in model (the first is {first}); pass the model that it "
            "trains; of several, nn.ModuleList(models)"
        )
