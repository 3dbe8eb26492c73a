"""PyTorch, for the tests that compare with it."""

import pytest


@pytest.fixture(scope="session")
def torch():
    import torch

    torch.set_num_threads(1)
    return torch
