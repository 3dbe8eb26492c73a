"""Layers and cells on the emulator of CUDA, as the engine calls them."""

import inspect

import numpy as np
import pytest
from kernels.cases import close
from kernels.cupy.emulator import needs_compiler
from kernels.cupy.twins import import_twins, on_device, on_host, planned

from tinygrad_rnn.kernels import numpy as reference

twins = import_twins().package


def test_twins_have_the_signatures_of_numpys():
    names = {n for n, value in vars(twins).items() if inspect.isfunction(value)}
    others = {"all_below", "check_ids", "clip_to_norm", "total_norm"}
    assert len(names) >= 14 + len(others) and others < names
    for name in names - others:
        wanted = inspect.signature(getattr(reference, name)).parameters
        assert [*inspect.signature(getattr(twins, name)).parameters] == [*wanted]


def test_a_projection_is_left_to_the_composite():
    arrays = (None,) * 7
    assert twins.lstm_forward(*arrays, w_hr=1) is NotImplemented


@needs_compiler
@pytest.mark.parametrize("batch", [(), (3,), (0,)])
def test_cells(batch):
    rng = np.random.default_rng(3)
    f = rng.standard_normal
    x, h = f((*batch, 2)), f((*batch, 4))
    weights = f((12, 2)), f((12, 4)), f(12), f(12)
    inputs, needs = (x, h, *weights), (True,) * 6
    (want,), kept = reference.gru_cell_forward(*inputs)
    wanted = reference.gru_cell_backward((h,), needs, inputs, None, kept)
    ours = [on_device(a) for a in inputs]
    with planned("loop"):
        (found,), kept = twins.gru_cell_forward(*ours)
        grads = twins.gru_cell_backward((ours[1],), needs, ours, None, kept)
    close(on_host(found), want, 1e-13)
    for a, b in zip(grads, wanted, strict=True):
        close(on_host(a), b, 1e-13)
