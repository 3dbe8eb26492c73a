"""Programs for PyTorch give PyTorch's losses when only their imports change."""

import json

import numpy as np
import pytest
from ports.ported import FEW, PROGRAMS, RECORDED, run, with_our_imports


def test_only_imports_are_changed():
    code = """
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import nn, optim
from torch.utils.data import DataLoader
import torchtext  # another package
    import torch
x = torch.zeros(3)
"""
    assert (
        with_our_imports(code)
        == """
import tinygrad_rnn as torch
import tinygrad_rnn.nn as nn
import tinygrad_rnn.nn.functional as F
from tinygrad_rnn import nn, optim
from tinygrad_rnn.utils.data import DataLoader
import torchtext  # another package
    import tinygrad_rnn as torch
x = torch.zeros(3)
"""
    )


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_loses_what_was_recorded_from_pytorch(name, tmp_path):
    recorded = json.loads(RECORDED.read_text(encoding="utf-8"))[name]
    losses, _ = run(name, "tinygrad_rnn", FEW, tmp_path)
    np.testing.assert_allclose(losses, recorded, rtol=1e-9, atol=1e-9)
