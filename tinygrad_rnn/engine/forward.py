"""How the forward of an op runs: the one place where array libraries raise and warn."""

from collections.abc import Iterable, Sequence

import numpy as np

from ..backend import Backend, backends, free_memory
from ..errors.boundary import translate
from ..types import Array, Function, Settings
from . import seam
from .arguments import one_device
from .warned import rerun_with_warnings, was_warning


def run_forward(
    name: str,
    forward: Function,
    xp: Backend,
    arrays: Sequence[Array],
    settings: Settings,
    custom: bool = False,
    can_warn: bool = True,
) -> Array:
    """Return ``forward(xp, *arrays, **settings)``, run on the device of ``xp``.

    Errors of the array library become ours. NumPy's warnings name the op and point to
    the user's line. Where memory runs out, what is kept for reuse is freed, and the
    forward runs once more. ``custom`` says that a user declared the op: what its
    forward raises on purpose stays as it is. ``can_warn`` says whether its numbers may
    be worth a warning.
    """
    forward = xp.on_device(forward) if xp.multi_device else forward
    try:
        if seam.recorder is None:
            return forward(xp, *arrays, **settings)
        return _record(name, forward, (xp, *arrays), settings, can_warn)
    except Exception as error:
        if was_warning(error):
            forward = rerun_with_warnings(name, forward)
        elif isinstance(error, MemoryError):
            free_memory()
        else:
            raise_translated(name, arrays, settings, error, custom)
    # Not above: there the error would still hold what the failed run has made.
    return _record(name, forward, (xp, *arrays), settings, can_warn)


def _record(
    name: str,
    forward: Function,
    args: Sequence[Array],
    settings: Settings,
    can_warn: bool,
) -> Array:
    """Call a forward, by way of the recorder if there is one."""
    recorder = seam.current()
    if recorder is None:
        return forward(*args, **settings)
    return recorder.run(forward, args, settings, can_warn=can_warn, name=name)


def raise_translated(
    name: str,
    arrays: Sequence[Array],
    settings: Settings,
    error: Exception,
    custom: bool = False,
) -> None:
    """Raise an error of the array library in terms of the op and its arguments."""
    if not custom:
        _check_devices(name, arrays, settings.values())
    ours = translate(name, arrays, error, custom)
    if ours is error:
        raise error
    raise ours from error


def _check_devices(
    name: str, arrays: Sequence[Array], settings: Iterable[object]
) -> None:
    """Raise if an array among the settings, an index, is on another device.

    NumPy's arrays serve everywhere.
    """
    parts: list[object] = []
    for setting in settings:
        parts += setting if isinstance(setting, tuple) else (setting,)
    foreign = [p for p in parts if type(p) in backends and type(p) is not np.ndarray]
    if foreign:
        one_device(name, [*arrays, *foreign])
