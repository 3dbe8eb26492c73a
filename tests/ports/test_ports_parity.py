"""Programs written for PyTorch give the same here and there."""

import json

import numpy as np
import pytest
from ports.ported import FEW, PROGRAMS, RECORDED, run

pytestmark = pytest.mark.parity


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_gives_the_same_losses_and_weights(name, tmp_path):
    theirs, their_weights = run(name, "torch", 50, tmp_path)
    ours, our_weights = run(name, "tinygrad_rnn", 50, tmp_path)
    assert len(theirs) >= 50
    np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-10)
    assert [*our_weights] == [*their_weights]
    for key, weights in their_weights.items():
        np.testing.assert_allclose(
            our_weights[key], weights, rtol=1e-10, atol=1e-10, err_msg=key
        )


@pytest.mark.parametrize("name", PROGRAMS)
def test_what_is_recorded_is_what_pytorch_gives(name, tmp_path):
    recorded = json.loads(RECORDED.read_text(encoding="utf-8"))[name]
    losses, _ = run(name, "torch", FEW, tmp_path)
    np.testing.assert_allclose(losses, recorded, rtol=1e-10, atol=1e-10)
