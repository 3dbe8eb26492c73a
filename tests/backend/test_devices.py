"""Layers, losses, optimizers and training on every device give what they give on the
CPU.
"""

import copy
import math

import numpy as np
import pytest
from oracle import assert_close

import tinygrad_rnn as tg
import tinygrad_rnn.nn.functional as F
from tinygrad_rnn import nn, optim
from tinygrad_rnn.backend import find

F8 = {"dtype": "float64"}


def host(x):
    """NumPy's array of a Tensor, wherever it is."""
    return x.detach().cpu().numpy()


def flat(out):
    """The tensors in what a layer returns."""
    return (
        [out] if isinstance(out, tg.Tensor) else [x for part in out for x in flat(part)]
    )


def assert_same(module, inputs, device, tolerance=1e-12, **settings):
    """Compare outputs and all gradients, for cotangents that are not ones."""
    twin = copy.deepcopy(module).to(device)
    results = []
    for layer, place in ((module, "cpu"), (twin, device)):
        given = [
            x.detach().to(place) if isinstance(x, tg.Tensor) else x for x in inputs
        ]
        floats = [x for x in given if isinstance(x, tg.Tensor) and x.dtype.kind == "f"]
        for x in floats:
            x.requires_grad_()
        tg.manual_seed(5)
        outputs = flat(layer(*given, **settings))
        assert {x.device for x in outputs} == {find(place).name}
        loss = sum((x * tg.randn(*x.shape, **F8).to(place)).sum() for x in outputs)
        loss.backward()
        parameters = list(layer.parameters())
        assert {p.device for p in parameters} <= {find(place).name}
        grads = [x.grad for x in (*floats, *parameters)]
        results.append([host(x) for x in (*outputs, *grads) if x is not None])
    assert len(results[0]) == len(results[1])
    for one, two in zip(*results, strict=True):
        assert_close(two, one, tolerance)


def features(*shape):
    return tg.randn(*shape, **F8)


LAYERS = {
    "Linear": lambda: (nn.Linear(3, 2), [features(4, 3)]),
    "Embedding": lambda: (
        nn.Embedding(5, 3, padding_idx=1),
        [tg.tensor([[1, 4, 4], [0, 1, 4]])],
    ),
    "LayerNorm": lambda: (nn.LayerNorm((2, 3)), [features(4, 2, 3)]),
    "Dropout": lambda: (nn.Dropout(0.5), [features(4, 3)]),
    "Sequential": lambda: (
        nn.Sequential(nn.Linear(3, 3), nn.Tanh(), nn.ReLU()),
        [features(2, 3)],
    ),
    "Softmax": lambda: (nn.Softmax(-1), [features(4, 3)]),
    "LogSoftmax": lambda: (nn.LogSoftmax(0), [features(4, 3)]),
    "Sigmoid": lambda: (nn.Sigmoid(), [features(4, 3)]),
    "Flatten": lambda: (nn.Flatten(), [features(2, 2, 3)]),
    "Identity": lambda: (nn.Identity(), [features(2)]),
    "RNNCell": lambda: (
        nn.RNNCell(3, 2, nonlinearity="relu"),
        [features(4, 3), features(4, 2)],
    ),
    "RNNCell of ids": lambda: (nn.RNNCell(3, 2), [tg.tensor([2, 0, 2])]),
    "LSTMCell": lambda: (nn.LSTMCell(3, 2), [features(4, 3)]),
    "GRUCell": lambda: (nn.GRUCell(3, 2, bias=False), [features(3)]),
    "RNN": lambda: (
        nn.RNN(3, 2, 2, bidirectional=True),
        [features(4, 2, 3), features(4, 2, 2)],
    ),
    "RNN of ids": lambda: (
        nn.RNN(3, 2, nonlinearity="relu"),
        [tg.tensor([[2, 0], [1, 1]])],
    ),
    "RNN with dropout": lambda: (nn.RNN(3, 2, 2, dropout=0.5), [features(4, 2, 3)]),
    "LSTM": lambda: (nn.LSTM(3, 4, batch_first=True, proj_size=2), [features(2, 3, 3)]),
    "GRU": lambda: (nn.GRU(3, 2, bidirectional=True), [features(3, 3)]),
}


@pytest.mark.parametrize("name", LAYERS)
def test_layer(name, device):
    module, inputs = LAYERS[name]()
    assert_same(module.double(), inputs, device)


@pytest.mark.parametrize("cell", [nn.RNN, nn.LSTM, nn.GRU])
def test_sequences_that_end_early(cell, device):
    """Whatever stands in the padding, a NaN too."""
    layer, x = cell(3, 2, bidirectional=True).double(), features(4, 3, 3)
    x[2:, 1] = math.nan
    assert_same(layer, [x], device, lengths=[4, 2, 1])


def losses():
    x, y, w = features(4, 3), features(4, 3), tg.rand(3, **F8)
    classes = tg.tensor([0, 2, -100, 1])
    shares = features(4, 3).softmax(1)
    of_classes = {"weight": w, "ignore_index": -100, "reduction": "none"}
    found = {
        "mse": (F.mse_loss, (x, y), {}),
        "mse, summed": (F.mse_loss, (x, y), {"reduction": "sum"}),
        "l1": (F.l1_loss, (x, y), {}),
        "smooth l1": (F.smooth_l1_loss, (x, y), {"beta": 0.5}),
        "huber": (F.huber_loss, (x, y), {"delta": 0.5, "reduction": "none"}),
        "cross entropy": (F.cross_entropy, (x, classes), {"label_smoothing": 0.1}),
        "cross entropy, weighted": (F.cross_entropy, (x, classes), of_classes),
        "cross entropy, narrow": (F.cross_entropy, (x, classes.to("int16")), {}),
        "cross entropy of shares": (F.cross_entropy, (x, shares), {}),
        "nll": (F.nll_loss, (x.log_softmax(1), classes), of_classes),
        "bce": (
            F.binary_cross_entropy_with_logits,
            (x, y.sigmoid()),
            {"pos_weight": w},
        ),
    }
    functions = {
        "leaky_relu": (F.leaky_relu, (x,), {}),
        "elu": (F.elu, (x,), {}),
        "silu": (F.silu, (x,), {}),
        "softplus": (F.softplus, (x,), {}),
        "logsigmoid": (F.logsigmoid, (x,), {}),
        "pad": (F.pad, (x, (1, -1, 0, 2)), {"value": 3.0}),
        "pad, reflected": (F.pad, (x, (1, 2)), {"mode": "reflect"}),
        "layer_norm": (F.layer_norm, (x, 3), {}),
    }
    return found | functions


@pytest.mark.parametrize("name", losses())
def test_function(name, device):
    function, inputs, settings = losses()[name]

    class Function(nn.Module):
        def forward(self, *given):
            place = given[0].device
            moved = {
                k: v.to(place) if isinstance(v, tg.Tensor) else v
                for k, v in settings.items()
            }
            out = function(*given, **moved)
            return (
                out
                if isinstance(out, tg.Tensor) and out.dtype.kind == "f"
                else out.double()
            )

    assert_same(Function(), list(inputs), device)


def test_one_hot(device):
    ids = tg.tensor([[2, 0], [1, 1]], device=device)
    assert F.one_hot(ids).tolist() == F.one_hot(ids.cpu(), 3).tolist()
    assert F.one_hot(ids).device == ids.device


OPTIMIZERS = {
    "SGD": lambda p: optim.SGD(
        p, lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.1
    ),
    "Adam": lambda p: optim.Adam(p, lr=0.1, amsgrad=True, weight_decay=0.1),
    "AdamW": lambda p: optim.AdamW(p, lr=0.1),
    "RMSprop": lambda p: optim.RMSprop(p, lr=0.1, momentum=0.5, centered=True),
    "Adagrad": lambda p: optim.Adagrad(p, lr=0.1, lr_decay=0.1),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizer(name, device):
    """Also from a state that was taken on the CPU."""
    results = []
    for place in ("cpu", device):
        tg.manual_seed(1)
        params = [tg.randn(3, 2, **F8), tg.randn((), **F8), tg.zeros(0, 2, **F8)]
        params = [p.to(place).requires_grad_() for p in params]
        optimizer = OPTIMIZERS[name](params)
        for step in range(4):
            for p in params:
                p.grad = tg.randn(*p.shape, **F8).to(place)
            if step == 1:
                params[1].grad = None  # out of step with the others from here on
            if step == 2:
                state = optimizer.state_dict()
                assert {
                    v.device
                    for e in state["state"].values()
                    for k, v in e.items()
                    if k != "step"
                }
                optimizer = OPTIMIZERS[name](params)
                optimizer.load_state_dict(state)
            optimizer.step()
        optimizer.zero_grad(set_to_none=False)
        assert [host(p.grad).any() for p in params] == [False] * 3
        assert {p.device for p in params} == {find(place).name}
        results.append([host(p) for p in params])
    for one, two in zip(*results, strict=True):
        assert_close(two, one, 1e-12)


@pytest.mark.parametrize("kind", [2.0, 1.0, 3.0, math.inf])
@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e30])
def test_clipping(kind, scale, device):
    results = []
    for place in ("cpu", device):
        tg.manual_seed(1)
        params = [
            tg.zeros(3, 2, device=place),
            tg.zeros((), device=place),
            tg.zeros(0, device=place),
        ]
        for p in params:
            p.grad = (tg.randn(*p.shape, **F8) * scale).float().to(place)
        norm = nn.utils.clip_grad_norm_(params, 0.1 * scale, kind)
        assert norm.device == find(place).name
        nn.utils.clip_grad_value_(params, 0.01 * scale)
        results.append([host(norm) / scale, *[host(p.grad) / scale for p in params]])
    for one, two in zip(*results, strict=True):
        assert_close(two, one, 1e-5)
    params[1].grad.fill_(math.nan)
    before = [host(p.grad) for p in params]
    is_late = device == "cuda"  # then the gradients have become zeros
    with pytest.raises(tg.Error, match="number 1"):
        nn.utils.clip_grad_norm_(params, 0.1)
        if is_late:
            tg.cuda.synchronize()
    for p, b in zip(params, before, strict=True):
        wanted = np.zeros_like(b) if is_late else b
        assert np.array_equal(host(p.grad), wanted, equal_nan=True)


def train(device, cell):
    tg.manual_seed(2)
    text = "the quick brown fox jumps over the lazy dog"
    vocabulary = tg.data.Vocabulary(text)
    streams = tg.data.TextStreams(text, vocabulary, 2, 5)
    rnn, head = cell(len(vocabulary), 6), nn.Linear(6, len(vocabulary))
    model = nn.Sequential(rnn, head).to(device)
    optimizer = optim.Adam(model.parameters(), lr=1e-2)
    losses, h = [], None
    for _ in range(3):
        x, y, _ = streams.next_batch()
        out, h = rnn(x.to(device), h)
        loss = F.cross_entropy(head(out).flatten(0, 1), y.to(device).flatten())
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        h = tuple(part.detach() for part in h) if isinstance(h, tuple) else h.detach()
        losses.append(loss.item())
    return model, losses


@pytest.mark.parametrize("cell", [nn.RNN, nn.LSTM, nn.GRU])
def test_training(cell, device):
    """The same seed gives the same weights, and the same losses but for rounding."""
    (here, losses), (there, found) = train("cpu", cell), train(device, cell)
    assert_close(found, losses, 1e-5)
    for one, two in zip(here.parameters(), there.parameters(), strict=True):
        assert two.device == two.grad.device == find(device).name
        assert_close(host(two), host(one), 1e-5)


@pytest.mark.parametrize("cell", [nn.RNN, nn.LSTM, nn.GRU])
def test_gradient_flow(cell, device):
    """The same norms on every device; they stay there."""
    found = []
    for name in ("cpu", device):
        tg.manual_seed(0)
        layer = cell(3, 4, 2, bidirectional=True).to(name)
        x = tg.randn(5, 2, 3).to(name)
        found.append(tg.utils.gradient_flow(layer, x, lengths=[5, 3]))
    for here, there in zip(*found, strict=True):
        assert (here is None) == (there is None)
        if here is not None:
            assert there.device == find(device).name
            assert_close(host(there), host(here), 1e-5)


def test_weights_go_to_a_file_and_back(device, tmp_path):
    pytest.importorskip("safetensors")
    model, _ = train(device, nn.RNN)
    model.save_weights(tmp_path / "weights")
    other = nn.Sequential(*[copy.deepcopy(m) for m in model.children()]).cpu()
    nn.init.zeros_(other[1].weight)
    other.load_weights(tmp_path / "weights")
    for one, two in zip(model.parameters(), other.parameters(), strict=True):
        assert np.array_equal(host(one), two.numpy())
    optimizer = optim.Adam(model.parameters())
    tg.save_checkpoint(tmp_path / "run", model, optimizer, step=3)
    assert tg.load_checkpoint(tmp_path / "run", model, optimizer).step == 3
    assert {p.device for p in model.parameters()} == {find(device).name}


# ---------------------------------------------------------------- moving


def test_moves_are_differentiable(device):
    x = tg.randn(2, 3, **F8, requires_grad=True)
    y = (x * 2).to(device)
    z = (y * y).cpu()
    assert (y.device, z.device) == (find(device).name, "cpu")
    (g,) = tg.autograd.grad(z.sum(), x, create_graph=True)
    assert g.device == "cpu"
    assert_close(g.detach().numpy(), 8 * x.detach().numpy())
    (gg,) = tg.autograd.grad((g * g).sum(), x, retain_graph=True)
    assert_close(gg.numpy(), 128 * x.detach().numpy())
    z.sum().backward()
    assert x.grad.device == "cpu"


def test_a_move_is_a_copy_or_the_tensor_itself(device):
    x = tg.ones(2, 3)
    y = x.to(device)
    assert (y is x) == (device == "cpu")
    assert y.to(device) is y
    assert y.to(y) is y
    if device != "cpu":
        y.zero_()
        assert x.tolist() == [[1, 1, 1]] * 2
    assert x.to(device, "float64").dtype == tg.float64
    assert x.to(y).device == y.device
    moved = x.T.to(device)
    assert moved.tolist() == x.T.tolist()
    assert tg.tensor(y).device == y.device
    assert tg.tensor([y[0, 0], 2.0]).tolist() == [y[0, 0].item(), 2.0]


def test_what_is_made_on_a_device_is_what_is_made_on_the_host(device):
    name = find(device).name
    makers = {
        "tensor": lambda **how: tg.tensor([[1.5, 2.0]], **how),
        "zeros": lambda **how: tg.zeros(2, **how),
        "ones": lambda **how: tg.ones(2, requires_grad=True, **how),
        "full": lambda **how: tg.full((2,), 7, **how),
        "arange": lambda **how: tg.arange(3, **how),
        "linspace": lambda **how: tg.linspace(0, 1, 3, **how),
        "eye": lambda **how: tg.eye(2, **how),
        "rand": lambda **how: tg.rand(3, **how),
        "randn": lambda **how: tg.randn(3, dtype="float64", **how),
        "randint": lambda **how: tg.randint(9, (4,), **how),
        "randperm": lambda **how: tg.randperm(5, **how),
    }
    for make in makers.values():
        tg.manual_seed(4)
        one = make()
        tg.manual_seed(4)
        two = make(device=device)
        assert (two.device, two.dtype, two.requires_grad) == (
            name,
            one.dtype,
            one.requires_grad,
        )
        assert two.tolist() == one.tolist()
        assert tg.zeros_like(two).device == tg.full_like(two, 3).device == name
        assert two.is_leaf
    tg.manual_seed(4)
    weights = tg.tensor([0.2, 0.8, 0.5])
    drawn = tg.multinomial(weights, 9, replacement=True).tolist()
    tg.manual_seed(4)
    found = tg.multinomial(weights.to(device), 9, replacement=True)
    assert (found.tolist(), found.device) == (drawn, name)


def test_a_module_moves_whole_and_in_place(device):
    model = nn.Sequential(nn.Linear(3, 2), nn.LayerNorm(2))
    model[1].register_buffer("steps", tg.tensor([3]))
    model[0].tied = model[0].weight
    model(tg.ones(1, 3)).sum().backward()
    weight, before = model[0].weight, [host(p) for p in model.parameters()]
    assert model.to(device) is model
    assert model[0].weight is weight is model[0].tied
    assert {t.device for t in model.state_dict().values()} == {find(device).name}
    assert {p.grad.device for p in model.parameters()} == {find(device).name}
    model.double()
    assert (model[1].steps.dtype, weight.dtype, weight.grad.dtype) == (
        tg.int64,
        "f8",
        "f8",
    )
    model.to("cpu", dtype="float32")
    for p, b in zip(model.parameters(), before, strict=True):
        assert np.array_equal(p.detach().numpy(), b)
        assert p.is_leaf and p.requires_grad
    assert len(list(model.parameters())) == 4


def test_an_optimizer_does_not_follow_its_model_silently(device):
    if device == "cpu":
        return
    model = nn.Linear(2, 1)
    optimizer = optim.Adam(model.parameters())
    model(tg.ones(1, 2)).sum().backward()
    optimizer.step()
    model.to(device)
    with pytest.raises(ValueError, match="convert before the first step"):
        optimizer.step()


# ---------------------------------------------------------------- looking at it


def test_values_come_to_the_host_when_asked_for_in_words(device):
    x = tg.tensor([[1.5, 2.0], [3.0, 4.0]], device=device)
    where = "" if device == "cpu" else f", device='{find(device).name}'"
    assert repr(x) == f"tensor([[1.5, 2. ],\n        [3. , 4. ]], dtype=float32{where})"
    assert x.tolist() == [[1.5, 2], [3, 4]]
    assert (x[0, 0].item(), float(x[1, 1]), int(x[0, 1])) == (1.5, 4.0, 2)
    assert f"{x[0, 0]:.2f}" == "1.50"
    assert bool((x > 1).all())
    assert 3.0 in x
    assert [row.tolist() for row in x] == x.tolist()
    assert x.cpu().numpy().tolist() == x.tolist()
    if device == "cpu":
        return
    for look in (x.numpy, lambda: np.asarray(x), lambda: np.array(x, dtype="f8")):
        with pytest.raises(TypeError, match=r"is on .*\.cpu\(\)"):
            look()


def test_copies_stay_where_they_are(device):
    model = nn.Linear(2, 3).to(device)
    model(tg.ones(1, 2, device=device)).sum().backward()
    twin = copy.deepcopy(model)
    assert twin.weight.device == twin.weight.grad.device == find(device).name
    with tg.no_grad():
        twin.weight.zero_()
    assert host(model.weight).any()


def test_what_stands_on_two_devices_does_not_meet(device):
    if device == "cpu":
        return
    x, y, name = tg.ones(2, 2), tg.ones(2, 2, device=device), find(device).name
    calls = {
        "add": lambda: x + y,
        "multiply": lambda: y * np.ones((2, 2), np.float32),
        "matmul": lambda: x @ y,
        "concat": lambda: tg.cat([x, y]),
        "where": lambda: tg.where(x > 0, y, y),
        "linear": lambda: F.linear(x, y),
        "rnn": lambda: nn.RNN(2, 3).to(device)(x),
        "mse": lambda: F.mse_loss(x, y),
        "assignment": lambda: y.__setitem__(0, x[0]),
        "add_": lambda: y.add_(x),
        "backward": lambda: (y * 1).requires_grad_().clone().backward(x),
    }
    for call in calls.values():
        with pytest.raises(
            TypeError, match=rf"(cpu and {name}|{name} and cpu); move .*\.to\('"
        ):
            call()
    assert x.tolist() == y.tolist() == [[1, 1], [1, 1]]
    # a copy is meant to move, as in PyTorch
    assert y.copy_(x * 3).tolist() == [[3, 3], [3, 3]]


# ---------------------------------------------------------------- indices


def test_indices_out_of_range_are_refused(device):
    x = tg.arange(6.0, device=device).reshape(3, 2)
    for index in ([3], [-4], [0, 1, 9]):
        ids = tg.tensor(index, device=device)
        for read in (
            lambda: x[ids],
            lambda: x[ids, 0],
            lambda: x[index],
            lambda: x[:, ids],
        ):
            with pytest.raises(IndexError, match="out of bounds"):
                read()
        with pytest.raises(IndexError, match="out of bounds"):
            x[ids] = 1.0
        with pytest.raises(IndexError, match="out of bounds"):
            (x.requires_grad_() * 1)[ids] = 1.0
        x.requires_grad_(False)
    assert x.tolist() == [[0, 1], [2, 3], [4, 5]]
    with pytest.raises(IndexError, match=r"expected ids in \[0, 3\)"):
        F.embedding(tg.tensor([[0], [3]], device=device), x)
    with pytest.raises(IndexError, match=r"target has 2 at \(1,\)"):
        F.cross_entropy(x, tg.tensor([0, 2, 1], device=device))


def test_indices_may_be_of_the_host(device):
    """Lists, ranges and NumPy's arrays; also in assignments, of lists too."""
    x = tg.arange(12.0, device=device).reshape(4, 3)
    y = x.cpu().numpy().copy()
    indices = [
        [1, -1],
        range(2),
        np.array([[0, 3]]),
        ([0, 1], 2),
        (slice(1, 9), [0, 2]),
        (..., [1]),
    ]
    for index in indices:
        plain = tuple(index) if isinstance(index, tuple) else list(index)
        assert_close(
            host(x[index]), y[index if isinstance(index, np.ndarray) else plain]
        )
    x[[1, 2]] = [[7.0, 8.0, 9.0], [1.0, 2.0, 3.0]]
    x[0, 1:] = [5, 6]
    x[x > 8] = -1.0
    y[[1, 2]], y[0, 1:] = [[7, 8, 9], [1, 2, 3]], [5, 6]
    y[y > 8] = -1
    assert_close(host(x), y)


def test_views_are_views(device):
    x = tg.zeros(3, 2, device=device)
    x[1].fill_(2.0)
    x.T[0].add_(1.0)
    x[:, 1:].sub_(0.5)
    assert x.tolist() == [[1, -0.5], [3, 1.5], [1, -0.5]]
    w = tg.ones(3, 2, device=device, requires_grad=True)
    y = w * 1
    y[0] = y[1] * 3
    y[tg.tensor([2, 2], device=device)] = y[:2] * 2  # the last one stays
    y.sum().backward()
    assert w.grad.tolist() == [[0, 0], [6, 6], [0, 0]]


def test_anomalies_are_found(device):
    x = tg.tensor([1.0, 0.0], device=device, requires_grad=True)
    with pytest.raises(RuntimeError, match="an infinity in the result of log"):
        with np.errstate(divide="ignore"), tg.autograd.detect_anomaly():
            x.log()


@pytest.mark.parametrize("dtype", ["uint8", "int8", "int32"])
def test_ids_of_any_width_name_any_row(dtype, device):
    x = tg.arange(300.0, device=device, requires_grad=True)
    ids = tg.tensor([100, 2, 100], dtype=dtype, device=device)
    found = x[ids]
    found.sum().backward()
    assert found.tolist() == [100, 2, 100]
    assert x.grad[100].item() == 2


def test_values_may_have_more_dims_of_size_1_than_their_place(device):
    x = tg.zeros(3, device=device)
    x[tg.tensor([2, 0], device=device)] = tg.tensor([[[1.0, 2.0]]], device=device)
    assert x.tolist() == [2, 0, 1]


# ---------------------------------------------------------------- two devices at once

ELSEWHERE = {
    "getitem": lambda x, ids: x[ids],
    "a mask": lambda x, ids: x[ids > 0],
    "an index of several parts": lambda x, ids: x[:, ids],
    "gather": lambda x, ids: x.gather(0, ids.expand(1, 2)),
    "index_select": lambda x, ids: x.index_select(0, ids),
    "assignment": lambda x, ids: x.__setitem__(ids, 1.0),
    "embedding": lambda x, ids: F.embedding(ids, x),
}


@pytest.mark.parametrize("recorded", [False, True])
@pytest.mark.parametrize("name", ELSEWHERE)
def test_ids_on_another_device_are_told(name, recorded, device):
    """Of a tensor on the CPU; ids on the CPU serve everywhere, as in PyTorch."""
    x, ids = (
        tg.ones(2, 2, requires_grad=recorded) * 3.0,
        tg.tensor([1, 0], device=device),
    )
    if device != "cpu":
        words = r": the arguments are on two devices, cpu and \w+.*; move one .*\.to\("
        with pytest.raises(tg.errors.DTypeError, match=words):
            ELSEWHERE[name](x, ids)
        assert x.tolist() == [[3, 3], [3, 3]]
    ELSEWHERE[name](x.to(device), ids.cpu())


def test_a_gradient_on_another_device_is_told(device):
    x = tg.ones(2)
    if device != "cpu":
        with pytest.raises(
            tg.errors.DTypeError, match="grad: the arguments are on two devices"
        ):
            x.grad = tg.ones(2, device=device)
        assert x.grad is None
    x.grad = tg.ones(2, device=device).cpu()
