"""Files that cross over to PyTorch and back, and where torch.save keeps what is the
same.
"""

import io

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn

torch = pytest.importorskip("torch")
safetensors_torch = pytest.importorskip("safetensors.torch")

pytestmark = pytest.mark.parity


def tied(lib):
    """A model whose output layer has the weight of its embedding."""
    model = lib.Module()
    model.e, model.d = lib.Embedding(5, 3), lib.Linear(3, 5, bias=False)
    model.d.weight = model.e.weight
    return model


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_save_model_drops_a_tied_weight_and_it_loads(tmp_path, dtype):
    theirs, ours = tied(torch.nn).to(getattr(torch, dtype)), tied(nn)
    path = str(tmp_path / "model.safetensors")
    safetensors_torch.save_model(theirs, path)
    assert len(safetensors_torch.load_file(path)) == 1
    keys = ours.load_weights(path)
    assert keys == ([], [])
    assert ours.d.weight is ours.e.weight
    assert ours.e.weight.tolist() == theirs.e.weight.float().tolist()
    assert {name: t.tolist() for name, t in tg.load(path).items()} == {
        name: t.float().tolist()
        for name, t in safetensors_torch.load_file(path).items()
    }


def test_a_weight_that_is_missing_with_its_tie_is_said(tmp_path):
    with pytest.raises(
        tg.CheckpointError, match=r"e.weight is missing; d.weight is missing"
    ):
        tied(nn).load_state_dict({})


def test_what_torch_save_wrote_is_named(tmp_path):
    state = torch.nn.Linear(2, 3).state_dict()
    for how, words in (
        ({}, "as torch.save writes"),
        ({"_use_new_zipfile_serialization": False}, ""),
    ):
        path = tmp_path / "model.pt"
        torch.save(state, path, **how)
        with pytest.raises(
            tg.CheckpointError, match=words or "a pickle, as torch.save once wrote"
        ):
            nn.Linear(2, 3).load_weights(path)


def test_ours_opens_there(tmp_path):
    model = nn.LSTM(3, 4)
    tg.save(model.state_dict(), tmp_path / "ours")
    theirs = torch.nn.LSTM(3, 4)
    theirs.load_state_dict(safetensors_torch.load_file(tmp_path / "ours"))
    assert theirs.weight_hh_l0.tolist() == model.weight_hh_l0.tolist()


@pytest.mark.parametrize("lib", [torch, tg], ids=["torch", "ours"])
def test_what_is_the_same_before_is_the_same_after(lib):
    """One program, both libraries: what is kept of keys, kinds, aliases and memory."""
    x = lib.ones(2)
    value = {1: x, 2.5: [x], None: (x.detach(),), "n": {True: 3}}
    file = io.BytesIO()
    lib.save(value, file)
    file.seek(0)
    found = lib.load(file, map_location="cpu", weights_only=True)
    assert list(found) == [1, 2.5, None, "n"]
    assert found[1] is found[2.5][0]
    assert found[1] is not found[None][0]
    assert found["n"] == {True: 3}
    found[1].fill_(4.0)
    assert found[None][0].tolist() == [4.0, 4.0]
    file = io.BytesIO()
    lib.save({"grad": lib.ones(2).requires_grad_(), "plain": x}, file)
    file.seek(0)
    found = lib.load(file)
    assert found["grad"].requires_grad
    assert not found["plain"].requires_grad


def test_every_half_is_widened_as_theirs(tmp_path):
    bits = torch.arange(-(2**15), 2**15, dtype=torch.int16)
    for dtype in (torch.float16, torch.bfloat16):
        path = str(tmp_path / "halves")
        safetensors_torch.save_file({"w": bits.view(dtype)}, path)
        theirs = bits.view(dtype).float().numpy()
        assert np.array_equal(tg.load(path)["w"].numpy(), theirs, equal_nan=True)
