"""Losses as modules: their repr, and weights that are buffers."""

import math

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn


@pytest.mark.parametrize(
    ("loss", "shown"),
    [
        (nn.MSELoss(), "MSELoss(reduction='mean')"),
        (nn.L1Loss("sum"), "L1Loss(reduction='sum')"),
        (nn.SmoothL1Loss(beta=2.0), "SmoothL1Loss(reduction='mean', beta=2.0)"),
        (nn.HuberLoss(delta=2.0), "HuberLoss(reduction='mean', delta=2.0)"),
        (nn.NLLLoss(tg.ones(2), 3), "NLLLoss(ignore_index=3, reduction='mean')"),
        (nn.BCEWithLogitsLoss(), "BCEWithLogitsLoss(reduction='mean')"),
        (
            nn.CrossEntropyLoss(label_smoothing=0.1),
            "CrossEntropyLoss(ignore_index=-100, reduction='mean', "
            "label_smoothing=0.1)",
        ),
    ],
)
def test_the_repr_of_a_loss_shows_its_options(loss, shown):
    assert repr(loss) == shown
    assert list(loss.parameters()) == []


def test_weights_of_losses_are_buffers_that_may_be_replaced():
    loss = nn.CrossEntropyLoss(tg.tensor([1.0, 2.0]))
    assert loss.double().weight.dtype == np.float64
    loss.weight = None
    assert loss(tg.zeros(1, 2), tg.tensor([0])).item() == pytest.approx(math.log(2))
    loss.reduction = "sum"
    assert loss(tg.zeros(2, 2), tg.tensor([0, 1])).item() == pytest.approx(
        2 * math.log(2)
    )
