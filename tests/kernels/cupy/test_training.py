"""Models on the device "cuda" with the kernels in CUDA, on the emulator."""

import sys

import pytest
from backend.gpus import fake_gpus
from kernels.cupy.emulator import needs_compiler
from kernels.cupy.twins import BLOCK, CLUSTER, GRID, LOOP, import_twins, planned
from oracle import assert_close

import tinygrad_rnn as tg
import tinygrad_rnn.nn.functional as F
from tinygrad_rnn import nn, optim
from tinygrad_rnn.kernels import find, modules
from tinygrad_rnn.kernels.choice import VARIABLE

pytestmark = needs_compiler


@pytest.fixture
def gpus():
    with fake_gpus(import_twins().package) as cupy:
        yield cupy


class Model(nn.Module):
    def __init__(self, cell, embedded):
        super().__init__()
        self.embedding = nn.Embedding(7, 3, padding_idx=0) if embedded else None
        self.rnn = cell(3 if embedded else 7, 6, bidirectional=True)
        self.linear = nn.Linear(12, 7)

    def forward(self, ids, lengths):
        x = ids if self.embedding is None else self.embedding(ids)
        out, _ = self.rnn(x, lengths=lengths)
        return self.linear(out).flatten(0, 1)


@pytest.mark.parametrize(
    ("cell", "mode"), [(nn.RNN, BLOCK), (nn.LSTM, CLUSTER), (nn.GRU, GRID)]
)
def test_training_is_that_of_the_cpu(gpus, cell, mode):
    with planned(mode, tile=4):
        check_training(gpus, cell)


def check_training(gpus, cell):
    embedded, losses = cell is nn.LSTM, {}
    for device in ("cpu", "cuda:1"):
        tg.manual_seed(3)
        model = Model(cell, embedded).to(device)
        optimizer = optim.Adam(model.parameters(), lr=1e-2, amsgrad=True)
        ids, targets = tg.randint(7, (5, 2)).to(device), tg.randint(7, (10,)).to(device)
        losses[device] = []
        for _ in range(3):
            optimizer.zero_grad()
            loss = F.cross_entropy(
                model(ids, [5, 3]), targets, ignore_index=2, label_smoothing=0.1
            )
            loss.backward()
            norm = nn.utils.clip_grad_norm_(model.parameters(), 0.5)
            optimizer.step()
            losses[device] += [loss.item(), norm.item()]
        assert all(p.device == p.grad.device == device for p in model.parameters())
    assert_close(losses["cuda:1"], losses["cpu"], 1e-5)
    used = {"scan_forward", "scan_backward", "add_rows", "adam", "add_squares"}
    assert used | {"cross_entropy_rows", "cross_entropy_gradient"} <= {*gpus.launched}


def test_a_step_waits_for_ids_targets_and_the_norm_alone(gpus):
    tg.manual_seed(3)
    rnn, head = nn.RNN(7, 6).to("cuda"), nn.Linear(6, 7).to("cuda")
    params = [*rnn.parameters(), *head.parameters()]
    optimizer = optim.Adam(params, lr=1e-2)
    ids, targets = tg.randint(7, (5, 2)).cuda(), tg.randint(7, (10,)).cuda()
    for _ in range(2):
        gpus.waited.clear()
        with planned(BLOCK, tile=4):
            loss = F.cross_entropy(head(rnn(ids)[0]).flatten(0, 1), targets)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(params, 5.0)
            optimizer.step()
        assert len(gpus.waited) <= 3, gpus.waited


def test_a_projection_runs_the_composite(gpus):
    layer = nn.LSTM(3, 5, proj_size=2).to("cuda")
    x = tg.randn(4, 2, 3)
    on_gpu = x.cuda().requires_grad_()
    output, (h, c) = layer(on_gpu)
    output.sum().backward()
    found = output.detach().cpu().numpy(), on_gpu.grad.cpu().numpy()
    assert not gpus.launched
    on_cpu = x.requires_grad_()
    output, _ = layer.to("cpu")(on_cpu)
    output.sum().backward()
    assert_close(found[0], output.detach().numpy(), 1e-6)
    assert_close(found[1], on_cpu.grad.numpy(), 1e-6)


def test_second_derivatives_and_cells(gpus):
    grads = []
    for device in ("cpu", "cuda"):
        tg.manual_seed(1)
        cell = nn.GRUCell(3, 4, dtype=tg.float64).to(device)
        x = tg.randn(2, 3, dtype=tg.float64).to(device).requires_grad_()
        with planned(LOOP):
            y = cell(x)
        (g,) = tg.autograd.grad(y.square().sum(), x, create_graph=True)
        (gg,) = tg.autograd.grad(g.square().sum(), x)
        grads.append(gg.detach().cpu().numpy())
    assert_close(grads[1], grads[0], 1e-12)


def test_kernels_are_found_when_asked_for(gpus, monkeypatch):
    twins = modules.pop("cuda")
    package = sys.modules["tinygrad_rnn.kernels"]
    found = {f"{package.__name__}.cupy": twins}
    monkeypatch.setattr(package, "import_module", found.get)
    monkeypatch.delenv(VARIABLE, raising=False)
    assert find("cuda", "rnn_forward") is twins.rnn_forward
    assert find("cuda", "layer_norm_forward") is None
    del modules["cuda"]
    monkeypatch.setenv(VARIABLE, "numpy")
    assert find("cuda", "rnn_forward") is None
