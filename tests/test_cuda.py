"""tg.cuda where there is no GPU; backend/test_cupy.py pretends to have two."""

import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import cuda


def test_without_a_gpu_none_is_counted(monkeypatch):
    def find(name):
        raise tg.errors.OptionError(f"device: got {name!r}")

    monkeypatch.setattr(cuda, "find", find)
    assert cuda.device_count() == 0
    assert not cuda.is_available()


@pytest.mark.parametrize("name", ["cpu", "cpu:0", "gpu"])
def test_only_gpus_are_waited_for(name):
    with pytest.raises(tg.errors.OptionError, match="cuda.synchronize: device is"):
        cuda.synchronize(name)
