"""Slices of the batch: when a layer runs in several."""

from kernels.cases import KINDS, every_kind, kernels, make

from tinygrad_rnn.kernels.numpy import slices


@every_kind
def test_slices_are_asked_for_by_the_work_of_a_step(kind, monkeypatch):
    """Its product with W_hh, as that with W_ih is done for all steps at once."""
    names = ("ids", "bias", "initial", "ends", "reverse", "projected", "relu")
    on, asked = dict.fromkeys(names, False), []
    monkeypatch.setattr(
        slices, "split_rows", lambda *args: asked.append(args) or [slice(None)]
    )
    for features, hidden in ((1, 130), (500, 7)):
        case = make(kind, (2, 64, features, hidden), 0, cotangents="all", **on)
        getattr(kernels, f"{kind}_forward")(*case.inputs, **case.settings)
    assert asked == [(64, 64 * KINDS[kind][0] * 130 * 130)]
