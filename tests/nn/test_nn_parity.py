"""Layers, losses, clipping and whole models against PyTorch."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nn.twins import TOLERANCE, Numbers, agree, dtypes, examples, flags, sizes

import tinygrad_rnn as tg
import tinygrad_rnn.nn.functional as F
from tinygrad_rnn import nn, optim

pytestmark = pytest.mark.parity


def twins(torch, theirs, ours, dtype):
    """Copy PyTorch's weights by ``state_dict``, and back; returns pairs of leaves."""
    theirs.to(getattr(torch, dtype))
    ours.to(dtype)
    state = theirs.state_dict()
    assert [(k, tuple(v.shape)) for k, v in state.items()] == [
        (k, v.shape) for k, v in ours.state_dict().items()
    ]
    ours.load_state_dict({k: v.numpy() for k, v in state.items()})
    for name, value in ours.state_dict().items():
        np.testing.assert_array_equal(value.numpy(), state[name].numpy())
    with torch.no_grad():
        for parameter in theirs.parameters():
            parameter.zero_()
    theirs.load_state_dict(
        {k: torch.tensor(v.numpy()) for k, v in ours.state_dict().items()}
    )
    names = [name for name, _ in theirs.named_parameters()]
    assert names == [name for name, _ in ours.named_parameters()]
    return list(zip(theirs.parameters(), ours.parameters(), strict=True))


# ---------------------------------------------------------------- recurrent layers


def parts_of(result):
    """An output and a last state, of one part or two, as one list."""
    out, last = result
    return [out, *last] if isinstance(last, tuple) else [out, last]


def states(numbers, shapes):
    """A state for PyTorch and one for us, each a tensor or a pair, and their leaves."""
    pairs = [numbers.pair(*shape) for shape in shapes]
    if len(pairs) == 1:
        return pairs[0], pairs
    return tuple(zip(*pairs, strict=True)), pairs


every_kind = pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])


@every_kind
@examples
@given(
    options=st.fixed_dictionaries(
        {
            "input_size": sizes,
            "hidden_size": sizes,
            "num_layers": st.integers(1, 3),
            "bias": flags,
            "batch_first": flags,
            "bidirectional": flags,
        }
    ),
    relu=flags,
    proj_size=st.integers(0, 3),
    steps=st.integers(1, 5),
    batch=sizes,
    initial=flags,
    how=st.sampled_from(
        ["features", "features", "lengths", "lengths", "ids", "ids and lengths"]
    ),
    batched=flags,
    dtype=dtypes,
    seed=st.integers(0, 2**32),
)
@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")
def test_recurrent(
    torch,
    kind,
    options,
    relu,
    proj_size,
    steps,
    batch,
    initial,
    how,
    batched,
    dtype,
    seed,
):
    numbers, hidden = Numbers(torch, seed, dtype), options["hidden_size"]
    if kind == "RNN":
        options = options | {"nonlinearity": "relu" if relu else "tanh"}
    if kind == "LSTM":
        options = options | {"proj_size": min(proj_size, hidden - 1)}
    theirs, ours = getattr(torch.nn, kind)(**options), getattr(nn, kind)(**options)
    leaves = twins(torch, theirs, ours, dtype)
    batched = batched or "lengths" in how  # PyTorch packs no sequence without a batch
    order = (batch, steps) if options["batch_first"] else (steps, batch)
    lead = order if batched else (steps,)
    features = options["input_size"]
    if "ids" in how:
        ids, our_x = numbers.ids(features, *lead)
        x = torch.nn.functional.one_hot(ids, features).to(getattr(torch, dtype))
    else:
        x, our_x = numbers.pair(*lead, features)
        leaves.append((x, our_x))
    rows = options["num_layers"] * (2 if options["bidirectional"] else 1)
    state = [None, None]
    if initial:
        wide = (options.get("proj_size") or hidden, hidden)[: 1 + (kind == "LSTM")]
        state, pairs = states(numbers, [(rows, *(batch,) * batched, n) for n in wide])
        leaves += pairs
    if "lengths" in how:
        lengths = numbers.rng.integers(1, steps + 1, batch)
        first = options["batch_first"]
        packed = torch.nn.utils.rnn.pack_padded_sequence(
            x, torch.tensor(lengths), batch_first=first, enforce_sorted=False
        )
        out, last = theirs(packed, state[0])
        out, _ = torch.nn.utils.rnn.pad_packed_sequence(out, first, total_length=steps)
        given_lengths = [list, tuple, np.asarray, tg.tensor][seed % 4](lengths)
        found = ours(our_x, state[1], given_lengths)
        agree(numbers, parts_of((out, last)), parts_of(found), leaves)
    else:
        agree(
            numbers,
            parts_of(theirs(x, state[0])),
            parts_of(ours(our_x, state[1])),
            leaves,
        )


@every_kind
@examples
@given(
    features=sizes,
    hidden=sizes,
    bias=flags,
    relu=flags,
    lead=st.sampled_from([(), (1,), (3,)]),
    hx=flags,
    ids=flags,
    dtype=dtypes,
    seed=st.integers(0, 2**32),
)
def test_cell(torch, kind, features, hidden, bias, relu, lead, hx, ids, dtype, seed):
    numbers = Numbers(torch, seed, dtype)
    options = {"nonlinearity": "relu" if relu else "tanh"} if kind == "RNN" else {}
    theirs = getattr(torch.nn, f"{kind}Cell")(features, hidden, bias, **options)
    ours = getattr(nn, f"{kind}Cell")(features, hidden, bias, **options)
    leaves = twins(torch, theirs, ours, dtype)
    if ids:
        places, our_x = numbers.ids(features, *lead)
        x = torch.nn.functional.one_hot(places, features).to(getattr(torch, dtype))
    else:
        x, our_x = numbers.pair(*lead, features)
        leaves.append((x, our_x))
    state = [None, None]
    if hx:
        state, pairs = states(numbers, [(*lead, hidden)] * (1 + (kind == "LSTM")))
        leaves += pairs
    found = [theirs(x, state[0]), ours(our_x, state[1])]
    agree(numbers, *[list(f) if kind == "LSTM" else [f] for f in found], leaves)


@every_kind
def test_dropout_does_nothing_in_eval(torch, kind):
    numbers = Numbers(torch, 0, "float64")
    options = {"num_layers": 3, "dropout": 0.5, "bidirectional": True}
    theirs = getattr(torch.nn, kind)(3, 4, **options).eval()
    ours = getattr(nn, kind)(3, 4, **options).eval()
    leaves = twins(torch, theirs, ours, "float64")
    x = numbers.pair(5, 2, 3)
    agree(numbers, parts_of(theirs(x[0])), parts_of(ours(x[1])), [*leaves, x])


# ---------------------------------------------------------------- the other layers


@examples
@given(
    lead=st.lists(st.integers(0, 3), max_size=3),
    inputs=sizes,
    outputs=sizes,
    bias=flags,
    dtype=dtypes,
    seed=st.integers(0, 2**32),
)
def test_linear(torch, lead, inputs, outputs, bias, dtype, seed):
    numbers = Numbers(torch, seed, dtype)
    theirs, ours = (
        torch.nn.Linear(inputs, outputs, bias),
        nn.Linear(inputs, outputs, bias),
    )
    leaves = twins(torch, theirs, ours, dtype)
    x = numbers.pair(*lead, inputs)
    agree(numbers, [theirs(x[0])], [ours(x[1])], [*leaves, x])


@examples
@given(
    rows=sizes,
    features=sizes,
    padding=st.none() | st.integers(-4, 3),
    lead=st.lists(st.integers(0, 4), max_size=3),
    dtype=dtypes,
    seed=st.integers(0, 2**32),
)
def test_embedding(torch, rows, features, padding, lead, dtype, seed):
    numbers = Numbers(torch, seed, dtype)
    if padding is not None:
        padding = max(-rows, min(rows - 1, padding))
    theirs = torch.nn.Embedding(rows, features, padding)
    ours = nn.Embedding(rows, features, padding)
    assert ours.padding_idx == theirs.padding_idx
    if padding is not None:
        assert not ours.weight.numpy()[padding].any()
    leaves = twins(torch, theirs, ours, dtype)
    ids = numbers.ids(rows, *lead)
    agree(numbers, [theirs(ids[0])], [ours(ids[1])], leaves)
    functions = (torch.nn.functional.embedding, F.embedding)
    found = [
        function(i, w, padding_idx=padding)
        for function, i, w in zip(functions, ids, leaves[0], strict=True)
    ]
    agree(numbers, found[:1], found[1:], leaves)


ACTIVATIONS = [
    (name, {}) for name in "Tanh ReLU Sigmoid Identity SiLU LogSigmoid".split()
]
ACTIVATIONS += [
    ("ELU", {"alpha": 0.5}),
    ("LeakyReLU", {"negative_slope": 0.2}),
    ("ELU", {}),
]
ACTIVATIONS += [
    ("LeakyReLU", {}),
    ("Softplus", {}),
    ("Softplus", {"beta": 2.0, "threshold": 3.0}),
]


@pytest.mark.parametrize(("name", "options"), ACTIVATIONS)
def test_activations(torch, name, options):
    numbers = Numbers(torch, 0, "float64")
    x = numbers.pair(4, 5)
    theirs, ours = getattr(torch.nn, name)(**options), getattr(nn, name)(**options)
    agree(numbers, [theirs(x[0])], [ours(x[1])], [x])


def test_sequential_names_and_slices(torch):
    def build(lib):
        return lib.Sequential(
            lib.Linear(2, 3), lib.Tanh(), lib.Linear(3, 3), lib.Linear(3, 1)
        )

    theirs, ours = build(torch.nn), build(nn)
    twins(torch, theirs, ours, "float64")
    for part in (slice(2, None), slice(0, 3, 2), slice(None, None, -1)):
        assert list(ours[part].state_dict()) == list(theirs[part].state_dict())


# ---------------------------------------------------------------- losses


@examples
@given(
    classes=st.integers(1, 5),
    lead=st.sampled_from([(), (1,), (4,), (3, 2), (2, 3, 2), (2, 1, 2, 2)]),
    weighted=flags,
    soft=flags,
    ignored=st.sampled_from([-100, -1, 0, 2]),
    reduction=st.sampled_from(["mean", "sum", "none"]),
    label_smoothing=st.sampled_from([0.0, 0.1, 1.0]),
    dtype=dtypes,
    seed=st.integers(0, 2**32),
)
def test_cross_entropy(
    torch,
    classes,
    lead,
    weighted,
    soft,
    ignored,
    reduction,
    label_smoothing,
    dtype,
    seed,
):
    numbers = Numbers(torch, seed, dtype)
    shape = (*lead[:1], classes, *lead[1:])
    x = numbers.pair(*shape)
    options = {"reduction": reduction, "label_smoothing": label_smoothing}
    leaves = [x]
    if soft:
        shares = numbers.rng.dirichlet(np.ones(classes), lead).astype(dtype)
        shares = np.moveaxis(shares, -1, min(1, len(lead)))
        target = (
            torch.tensor(shares, requires_grad=True),
            tg.tensor(shares, requires_grad=True),
        )
        leaves.append(target)
    else:
        values = numbers.rng.integers(0, classes, lead)
        away = numbers.rng.random(lead) < 0.3
        values = np.where(away, ignored, values)
        if (values == ignored).all():
            values = np.zeros(lead, np.int64)
            ignored = -100
        target = torch.tensor(values), tg.tensor(values)
        options["ignore_index"] = ignored
    weights = [None, None]
    if weighted:
        values = (numbers.rng.random(classes) + 0.1).astype(dtype)
        weights = torch.tensor(values), tg.tensor(values)
    theirs = torch.nn.CrossEntropyLoss(weights[0], **options)
    ours = nn.CrossEntropyLoss(weights[1], **options)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    agree(numbers, [theirs(x[0], target[0])], [ours(x[1], target[1])], leaves)


@examples
@given(
    shape=st.lists(st.integers(1, 4), max_size=3),
    reduction=st.sampled_from(["mean", "sum", "none"]),
    dtype=dtypes,
    seed=st.integers(0, 2**32),
)
def test_mse_loss(torch, shape, reduction, dtype, seed):
    numbers = Numbers(torch, seed, dtype)
    x, y = numbers.pair(*shape), numbers.pair(*shape)
    theirs = torch.nn.MSELoss(reduction=reduction)(x[0], y[0])
    agree(numbers, [theirs], [nn.MSELoss(reduction=reduction)(x[1], y[1])], [x, y])


# ---------------------------------------------------------------- initial values


@pytest.mark.parametrize(
    "name", ["linear", "sigmoid", "tanh", "relu", "leaky_relu", "selu"]
)
def test_calculate_gain(torch, name):
    assert nn.init.calculate_gain(name) == torch.nn.init.calculate_gain(name)


@pytest.mark.parametrize("slope", [0.0, 0.3, 1.0])
def test_calculate_gain_of_a_slope(torch, slope):
    theirs = torch.nn.init.calculate_gain("leaky_relu", slope)
    assert nn.init.calculate_gain("leaky_relu", slope) == theirs


@pytest.mark.parametrize("shape", [(400, 300), (300, 40, 10)])
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("xavier_uniform_", {}),
        ("xavier_uniform_", {"gain": 5 / 3}),
        ("xavier_normal_", {"gain": 2.0}),
        ("kaiming_uniform_", {}),
        ("kaiming_uniform_", {"a": math.sqrt(5)}),
        ("kaiming_uniform_", {"mode": "fan_out", "nonlinearity": "relu"}),
        ("kaiming_normal_", {"mode": "fan_out", "nonlinearity": "tanh"}),
        ("kaiming_normal_", {"a": 0.5, "nonlinearity": "leaky_relu"}),
        ("uniform_", {"a": -2.0, "b": 3.0}),
        ("normal_", {"mean": 0.5, "std": 0.1}),
    ],
)
def test_initial_values_spread_alike(torch, name, options, shape):
    torch.manual_seed(0)
    tg.manual_seed(0)
    theirs, ours = torch.empty(shape), tg.empty(shape)
    getattr(torch.nn.init, name)(theirs, **options)
    getattr(nn.init, name)(ours, **options)
    theirs, ours = theirs.double().numpy(), ours.double().numpy()
    spread = theirs.std()
    assert abs(ours.mean() - theirs.mean()) < 0.02 * spread
    assert abs(ours.std() / spread - 1) < 0.02
    if "uniform" in name:  # 120,000 draws come this close to the bounds
        np.testing.assert_allclose(ours.min(), theirs.min(), atol=2e-3 * spread)
        np.testing.assert_allclose(ours.max(), theirs.max(), atol=2e-3 * spread)


def test_layers_start_alike(torch):
    """The bounds of the initial values, layer by layer."""
    for build in (
        lambda lib: lib.Linear(50, 400),
        lambda lib: lib.RNN(30, 100, 2, bidirectional=True),
        lambda lib: lib.LSTM(30, 100, proj_size=50),
        lambda lib: lib.GRU(30, 100, bias=False),
        lambda lib: lib.RNNCell(200, 100),
        lambda lib: lib.LSTMCell(200, 100),
        lambda lib: lib.GRUCell(200, 100),
        lambda lib: lib.Embedding(200, 100),
    ):
        theirs, ours = (
            dict(build(torch.nn).named_parameters()),
            build(nn).named_parameters(),
        )
        for name, parameter in ours:
            values, reference = parameter.numpy(), theirs[name].detach().numpy()
            assert abs(values.std() / reference.std() - 1) < 0.25, name
            if theirs[name].abs().max() < 1:
                assert abs(np.abs(values).max() / np.abs(reference).max() - 1) < 0.1, (
                    name
                )


# ---------------------------------------------------------------- clipping


@examples
@given(
    shapes=st.lists(st.lists(st.integers(0, 4), max_size=2), min_size=1, max_size=4),
    norm_type=st.sampled_from([1, 1.5, 2.0, 3, math.inf]),
    max_norm=st.sampled_from([0.0, 1e-3, 1.0, 1e3, math.inf]),
    dtype=dtypes,
    seed=st.integers(0, 2**32),
)
def test_clip_grad_norm(torch, shapes, norm_type, max_norm, dtype, seed):
    numbers = Numbers(torch, seed, dtype)
    leaves = [numbers.pair(*shape) for shape in shapes]
    # One may have no gradient
    for theirs, ours in leaves[len(leaves) > 1 and seed % 2 :]:
        values = numbers.rng.standard_normal(ours.shape).astype(dtype)
        theirs.grad, ours.grad = torch.tensor(values), tg.tensor(values)
    tolerance = TOLERANCE[dtype] / 10
    grads = [leaf[1].grad for leaf in leaves if leaf[1].grad is not None]
    total = nn.utils.get_total_norm(grads, norm_type)
    expected = torch.nn.utils.get_total_norm(
        [
            leaf[0].grad
            for leaf in leaves
            if leaf[0].grad is not None and leaf[0].numel()
        ],
        norm_type,
    )
    np.testing.assert_allclose(total.item(), expected.item(), rtol=tolerance)
    theirs = torch.nn.utils.clip_grad_norm_(
        [leaf[0] for leaf in leaves if leaf[0].numel()], max_norm, norm_type
    )
    ours = nn.utils.clip_grad_norm_([leaf[1] for leaf in leaves], max_norm, norm_type)
    assert ours.shape == ()
    np.testing.assert_allclose(ours.item(), theirs.item(), rtol=tolerance)
    for a, b in leaves:
        assert (a.grad is None) == (b.grad is None)
        if a.grad is not None:
            np.testing.assert_allclose(
                b.grad.numpy(), a.grad.numpy(), rtol=tolerance, atol=1e-30
            )


def test_clip_grad_value(torch):
    numbers = Numbers(torch, 0, "float64")
    leaves = [numbers.pair(3, 4), numbers.pair(5), numbers.pair(2)]
    for theirs, ours in leaves[:2]:
        values = numbers.rng.standard_normal(ours.shape)
        theirs.grad, ours.grad = torch.tensor(values), tg.tensor(values)
    torch.nn.utils.clip_grad_value_([leaf[0] for leaf in leaves], 0.7)
    nn.utils.clip_grad_value_([leaf[1] for leaf in leaves], 0.7)
    for theirs, ours in leaves[:2]:
        np.testing.assert_array_equal(ours.grad.numpy(), theirs.grad.numpy())
    assert leaves[2][1].grad is None


# ---------------------------------------------------------------- the tutorial's models


def character_model(lib, kind, vocabulary, hidden):
    """A layer that reads characters, and a head that scores the next one."""

    class Model(lib.Module):
        def __init__(self):
            super().__init__()
            self.rnn = getattr(lib, kind)(vocabulary, hidden, batch_first=True)
            self.linear = lib.Linear(hidden, vocabulary)

        def forward(self, characters, state=None):
            seen, state = self.rnn(characters, state)
            return self.linear(seen), state

    return Model()


def series_model(lib, hidden):
    """A layer that reads a series, and a head that predicts the next point."""

    class Model(lib.Module):
        def __init__(self):
            super().__init__()
            self.model = lib.Sequential(lib.RNN(1, hidden, batch_first=True))
            self.linear = lib.Linear(hidden, 1)

        def forward(self, series):
            return self.linear(self.model[0](series)[0][:, -1, :])

    return Model()


def losses(model, optimizer, loss_of, steps=100):
    seen = []
    for step in range(steps):
        optimizer.zero_grad()
        loss = loss_of(model, step)
        loss.backward()
        optimizer.step()
        seen.append(loss.item())
    return np.array(seen)


@pytest.mark.parametrize("ids", [False, True], ids=["one-hot", "ids"])
@every_kind
def test_the_character_model_learns_alike(torch, kind, ids):
    text = "hello world this is a simple example of text for training a character rnn"
    letters = sorted(set(text))
    codes = np.array([letters.index(c) for c in text])
    vocabulary, hidden, steps = len(letters), 32, 24
    starts = np.random.default_rng(0).integers(0, len(codes) - steps, (100, 3))
    windows = codes[starts[:, :, None] + np.arange(steps + 1)]  # (100, B, T + 1)
    torch.manual_seed(0)
    theirs, ours = (
        character_model(lib, kind, vocabulary, hidden) for lib in (torch.nn, nn)
    )
    twins(torch, theirs, ours, "float64")

    def loss_of_theirs(model, step):
        x = torch.tensor(np.eye(vocabulary)[windows[step, :, :-1]])
        logits, _ = model(x)
        target = torch.tensor(windows[step, :, 1:])
        return torch.nn.functional.cross_entropy(
            logits.reshape(-1, vocabulary), target.reshape(-1)
        )

    def loss_of_ours(model, step):
        inner = windows[step, :, :-1]
        logits, _ = model(tg.tensor(inner if ids else np.eye(vocabulary)[inner]))
        target = tg.tensor(windows[step, :, 1:])
        return nn.CrossEntropyLoss()(logits.reshape(-1, vocabulary), target.reshape(-1))

    expected = losses(
        theirs, torch.optim.Adam(theirs.parameters(), lr=0.01), loss_of_theirs
    )
    found = losses(ours, optim.Adam(ours.parameters(), lr=0.01), loss_of_ours)
    assert expected[-10:].mean() < 0.6 * expected[0]  # it learns
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9)


def test_the_series_model_learns_alike(torch):
    rng = np.random.default_rng(0)
    start, frequency = (
        rng.uniform(0, 4 * np.pi, (100, 1)),
        rng.uniform(0.5, 2.0, (100, 1)),
    )
    waves = np.sin(start + 2 * np.pi * frequency * np.linspace(0, 1, 11))
    x, y = waves[:, :-1, None], waves[:, -1:]
    torch.manual_seed(0)
    theirs, ours = series_model(torch.nn, 16), series_model(nn, 16)
    twins(torch, theirs, ours, "float64")
    expected = losses(
        theirs,
        torch.optim.Adam(theirs.parameters(), lr=0.01),
        lambda model, step: torch.nn.MSELoss()(model(torch.tensor(x)), torch.tensor(y)),
    )
    found = losses(
        ours,
        optim.Adam(ours.parameters(), lr=0.01),
        lambda model, step: nn.MSELoss()(model(tg.tensor(x)), tg.tensor(y)),
    )
    assert expected[-1] < 0.2 * expected[0]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9)
