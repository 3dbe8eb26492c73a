"""Models on the device "cuda" with the kernels in CUDA, on the emulator."""

import sys

import numpy as np
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


class Characters(nn.Module):
    """The model of examples/char_lm.py, on ids or on an embedding of them."""

    def __init__(self, cell, embedded):
        super().__init__()
        self.embedding = nn.Embedding(7, 3) if embedded else None
        self.rnn = cell(3 if embedded else 7, 6)
        self.head = nn.Linear(6, 7)

    def forward(self, ids, state=None):
        x = ids if self.embedding is None else self.embedding(ids)
        output, state = self.rnn(x, state)
        return self.head(output), state


def training_step(model):
    optimizer = optim.Adam(model.parameters(), lr=1e-2)

    def step(ids, targets, state=None):
        logits, state = model(ids, state)
        loss = F.cross_entropy(logits.flatten(0, 1), targets.flatten())
        optimizer.zero_grad()
        loss.backward()
        norm = nn.utils.clip_grad_norm_(model.parameters(), 0.1)
        optimizer.step()
        return loss.detach(), norm, tg.utils.detach(state)

    return step


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("cell", [nn.RNN, nn.LSTM, nn.GRU])
def test_a_step_waits_for_nothing(gpus, cell, compiled):
    """Ids and targets are from the host at first, and made on the device at last."""
    tg.manual_seed(3)
    model = Characters(cell, embedded=cell is nn.LSTM).cuda()
    step = training_step(model)
    step = tg.compile(step) if compiled else step
    state, numbers, launches = None, [], []
    with planned(BLOCK, tile=4):
        for i in range(6):
            ids, targets = tg.randint(7, (5, 2)).cuda(), tg.randint(7, (5, 2)).cuda()
            if i == 5:
                ids, targets = ids + 0, targets + 0
            gpus.waited.clear()
            gpus.launched.clear()
            loss, norm, state = step(ids, targets, state)
            if not compiled or i > 2:  # the captures, with a state, are compared
                assert gpus.waited == []
            launches.append(gpus.launched.count("check_ids"))
            numbers += [loss, norm]
    assert launches == [0, 0, 0, 0, 0, 2]
    assert loss.device == norm.device == "cuda:0"
    assert all(0 < number.item() < 9 for number in numbers)
    if compiled:
        assert step.cache_info().hits == 3


LATE = "^found by the GPU after the call: "


@pytest.fixture(params=[nn.RNN, nn.GRU])
def trained(request, gpus):
    """A model on ids, its step, and a batch that is right."""
    tg.manual_seed(3)
    model = Characters(request.param, embedded=False).cuda()
    batch = tg.randint(7, (5, 2)).cuda(), tg.randint(7, (5, 2)).cuda()
    with planned(BLOCK, tile=4):
        yield model, training_step(model), batch


def with_wrong(tensor, value, on_device=True):
    """Put a value at (3, 1) of a copy, made on the device or on the host."""
    made = tensor.clone() if on_device else tensor.cpu()
    made[3, 1] = value
    return made.cuda()


@pytest.mark.parametrize("value", [7, -1, 2**32])
@pytest.mark.parametrize("place", [0, 1])
def test_a_wrong_id_from_the_host_raises_at_once(trained, gpus, place, value):
    model, step, batch = trained
    inputs = list(batch)
    inputs[place] = with_wrong(batch[place], value, on_device=False)
    gpus.launched.clear()
    words = rf"input has {value} at \(3, 1\)|target has {value} at \(7,\)"
    with pytest.raises(IndexError, match=words) as caught:
        step(*inputs)
    assert "found by the GPU" not in str(caught.value)
    assert place or not gpus.launched
    assert 0 < step(*batch)[0].item() < 9


WAITS = {
    "item": lambda loss: loss.item(),
    "cpu": lambda loss: loss.cpu(),
    "repr": repr,
    "synchronize": lambda loss: tg.cuda.synchronize(),
}


@pytest.mark.parametrize("wait", WAITS)
@pytest.mark.parametrize("value", [7, -1, 2**32])
def test_a_wrong_id_made_on_the_device_raises_at_the_next_wait(trained, value, wait):
    model, step, (ids, targets) = trained
    name = type(model.rnn).__name__
    loss, *_ = step(with_wrong(ids, value), targets)
    step(ids, targets)
    words = rf"{LATE}nn.{name}: input has {value} at \(3, 1\), expected ids in \[0, 7\)"
    with pytest.raises(IndexError, match=words):
        WAITS[wait](loss)
    assert 0 < loss.item() < 9  # the error is gone
    assert 0 < step(ids, targets)[0].item() < 9


@pytest.mark.parametrize("compiled", [False, True])
def test_a_wrong_target_made_on_the_device_is_named_too(trained, compiled):
    _, step, (ids, targets) = trained
    if compiled:
        step = tg.compile(step)
        step(ids, targets), step(ids, targets)
    step(ids, with_wrong(targets, 9))
    words = r"cross_entropy: target has 9 at \(7,\), expected ids in \[0, 7\)"
    with pytest.raises(IndexError, match=LATE + words):
        tg.cuda.synchronize()
    assert 0 < step(ids, targets)[0].item() < 9


def test_ids_that_are_no_rows_of_zeros_and_ones_do_not_wait(gpus):
    """Their shape is that of features, but their range says that they are ids."""
    layer = nn.RNN(2, 3).cuda()
    ids = tg.tensor([[0, 1], [1, 1], [1, 0]])
    one_hot, others = tg.eye(2, dtype=tg.int64).cuda(), ids.cuda()
    with planned(BLOCK, tile=4):
        layer(others)
        with pytest.raises(TypeError, match="one-hot"):
            layer(one_hot)
        wide = nn.RNN(3, 3).cuda()
        gpus.waited.clear()
        wide(tg.tensor([[0, 1, 2]]).cuda())
    assert gpus.waited == []


def test_a_mean_over_no_targets_is_found_later(gpus):
    scores, ignored = tg.zeros(2, 7).cuda(), tg.full((2,), -100).cuda()
    gpus.waited.clear()
    F.cross_entropy(scores, ignored, reduction="sum")
    assert gpus.waited == []
    tg.cuda.synchronize()
    for options in (
        {"target": ignored},
        {"target": ignored * 0 + 2, "ignore_index": 2},
        {"target": tg.tensor([2, 2]).cuda(), "ignore_index": 2},
        {"target": ignored * 0, "weight": tg.zeros(7).cuda()},
    ):
        gpus.waited.clear()
        F.cross_entropy(scores, **options)
        assert gpus.waited == []
        with pytest.raises(tg.errors.ShapeError, match=rf"{LATE}.*no targets.*\(2,\)"):
            tg.cuda.synchronize()
    partly = tg.tensor([-100, 3]).cuda()
    assert F.cross_entropy(scores, partly).item() > 0


def test_other_ids_are_checked_later_too(gpus):
    ids, wrong = tg.tensor([0, 2]).cuda(), tg.tensor([0, 9]).cuda() + 0
    table = tg.randn(3, 2).cuda()
    for name, call in {
        "embedding: input": lambda: F.embedding(wrong, table),
        "one_hot: tensor": lambda: F.one_hot(wrong, 3),
        "nn.GRUCell: input": lambda: nn.GRUCell(3, 2).cuda()(wrong),
    }.items():
        gpus.waited.clear()
        call()
        assert gpus.waited == []
        with pytest.raises(IndexError, match=rf"{LATE}{name} has 9 at \(1,\)"):
            wrong.bincount()  # which names its own errors
    table.requires_grad_()
    for own in (ids, ids.cpu()):
        table.grad = None
        rows = F.embedding(own, table)
        assert rows[1].tolist() == table[2].tolist()
        rows.sum().backward()
        assert table.grad.tolist() == [[1, 1], [0, 0], [1, 1]]


def test_the_gpu_that_has_found_an_error_raises_it(gpus):
    wrong, table = tg.tensor([0, 9]).cuda(1) + 0, tg.randn(3, 2).cuda(1)
    F.embedding(wrong, table)
    assert tg.ones(2).cuda(0).tolist() == [1, 1]
    tg.cuda.synchronize(0)
    with pytest.raises(IndexError, match=rf"{LATE}embedding: input has 9"):
        table.tolist()
    assert wrong.tolist() == [0, 9]


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize(
    ("value", "words"), [(np.nan, "a NaN"), (np.inf, "an infinity")]
)
def test_a_gradient_that_is_not_finite_is_named_later(gpus, compiled, value, words):
    tg.manual_seed(3)
    layer = nn.Linear(3, 2).cuda()
    optimizer = optim.SGD(layer.parameters(), lr=0.1)

    def step(x, factor):
        optimizer.zero_grad()
        (layer(x).sum() + (layer.bias * factor).sum()).backward()
        norm = nn.utils.clip_grad_norm_(layer.parameters(), 1.0)
        optimizer.step()
        return norm

    step = tg.compile(step) if compiled else step
    x, factor = tg.randn(4, 3).cuda(), tg.ones(2).cuda()
    for _ in range(3):
        norm = step(x, factor)
    assert 0 < norm.item() < 99
    before = layer.weight.tolist(), layer.bias.tolist()
    gpus.waited.clear()
    step(x, factor * value)
    assert gpus.waited == []
    message = (
        rf"clip_grad_norm_: the gradient of bias \(number 1, shape \(2,\)\) has {words}"
    )
    with pytest.raises(tg.errors.GraphError, match=f"{LATE}{message}.*became zeros"):
        layer.bias.tolist()
    assert (layer.weight.tolist(), layer.bias.tolist()) == before
    assert step(x, factor).item() == norm.item()
    assert layer.bias.tolist() != before[1]


def test_clipping_changes_what_a_graph_has_saved(gpus):
    layer, factor = nn.Linear(3, 2).cuda(), tg.ones(2).cuda().requires_grad_()
    layer(tg.ones(1, 3).cuda()).sum().backward()
    product = (factor * layer.bias.grad).sum()
    nn.utils.clip_grad_norm_(layer.parameters(), 0.1)
    with pytest.raises(tg.errors.GraphError, match="in place|changed"):
        product.backward()


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
