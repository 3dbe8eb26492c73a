"""The stand-in for CuPy as the device "cuda", with kernels in CUDA or without."""

import sys
from contextlib import contextmanager

import pytest
from backend import fake_cupy

from tinygrad_rnn import backend
from tinygrad_rnn.backend import pending
from tinygrad_rnn.kernels import modules
from tinygrad_rnn.kernels.choice import VARIABLE
from tinygrad_rnn.ops import loss, recurrent

FUSED = (
    recurrent.rnn,
    recurrent.lstm,
    recurrent.gru,
    recurrent.lstm_cell,
    recurrent.gru_cell,
    loss.cross_entropy,
    loss.layer_norm,
)


@contextmanager
def fake_gpus(twins=None):
    """Pretend that CuPy is installed, with two devices, while the context is open.

    ``twins`` is the module of their kernels; without it, ops run their composites.
    """
    held = [backend.libraries, backend.backends, backend._by_name, modules]
    held.append(pending.records)
    before = [dict(table) for table in held]
    name = "tinygrad_rnn.backend.cupy"
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "cupy", fake_cupy)
        patch.setattr(fake_cupy, "_allocate", fake_cupy.pool.malloc)
        patch.delitem(sys.modules, name, raising=False)
        patch.delattr(backend, "cupy", raising=False)
        backend.libraries["cuda"] = None
        pending.records.clear()
        if twins is None:
            patch.setenv(VARIABLE, "numpy")
            modules.pop("cuda", None)
        else:
            modules["cuda"] = twins
        _forget_kernels()
        records = ("freed", "synchronized", "launched", "waited")
        for record in records:
            getattr(fake_cupy, record).clear()
        yield fake_cupy
    current = fake_cupy._current()
    assert current == 0, "the caller's device is no longer the current one"
    for table, content in zip(held, before, strict=True):
        table.clear()
        table.update(content)
    _forget_kernels()
    sys.modules.pop(name, None)
    vars(backend).pop("cupy", None)


def _forget_kernels():
    for op in FUSED:
        op.kernels.pop("cuda", None)
