"""Names of devices: strings, with the attributes of torch.device."""

import copy
import pickle

import pytest

import tinygrad_rnn as tg


@pytest.mark.parametrize(
    ("given", "name", "kind", "index"),
    [
        (("cpu",), "cpu", "cpu", None),
        (("cuda",), "cuda:0", "cuda", 0),
        (("cuda:1",), "cuda:1", "cuda", 1),
        (("cuda", 2), "cuda:2", "cuda", 2),
    ],
)
def test_a_device_is_its_name(given, name, kind, index):
    device = tg.device(*given)
    assert device == name
    assert (device.type, device.index) == (kind, index)
    assert repr(device) == f"device({name!r})"
    assert tg.device(device) == device
    for twin in (copy.deepcopy(device), pickle.loads(pickle.dumps(device))):
        assert (twin, type(twin)) == (device, tg.device)


@pytest.mark.parametrize(
    "given", [("gpu",), ("cpu:0",), ("cuda:x",), ("cpu", 1), ("",)]
)
def test_other_names_raise(given):
    with pytest.raises(tg.Error, match=r"tg\.device: got .*, expected 'cpu', 'cuda'"):
        tg.device(*given)
