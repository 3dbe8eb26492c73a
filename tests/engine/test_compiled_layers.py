"""tg.compile on each layer, loss, optimizer and schedule, with the options of each."""

import numpy as np
import pytest
from engine.compiled import bits, compare
from hypothesis import given, settings
from hypothesis import strategies as st
from ops.rows import package_ops

import tinygrad_rnn as tg
import tinygrad_rnn.nn.functional as F
from tinygrad_rnn import autograd, nn, optim
from tinygrad_rnn.engine.fused import FusedOp
from tinygrad_rnn.kernels import modules
from tinygrad_rnn.kernels import numpy as numpy_kernels
from tinygrad_rnn.optim import lr_scheduler

flags = st.booleans()
T, B, I, H = 4, 3, 5, 6  # noqa: E741  # time, batch, input, hidden


def normal(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape)


def step_of(parameters, loss_of, optimizer=None, zero=True):
    """A training step of parameters."""
    optimizer = optimizer or optim.SGD(parameters, lr=0.1)

    def step(*args, **settings):
        if zero:
            optimizer.zero_grad()
        loss, *rest = loss_of(*args, **settings)
        loss.backward()
        optimizer.step()
        return loss, tg.utils.detach(rest)

    return step


# ------------------------------------------------------------ recurrent layers

LENGTHS = {
    "none": lambda number: None,
    "list": lambda number: [4, 1, 2],
    "array": lambda number: np.array([4, 1 + number % 4, 2]),
    "tensor": lambda number: tg.tensor([1 + number % 4, 4, 2]),
}
layers = st.fixed_dictionaries(
    {
        "kind": st.sampled_from(["RNN", "LSTM", "GRU"]),
        "num_layers": st.integers(1, 2),
        "bidirectional": flags,
        "batch_first": flags,
        "bias": flags,
        "dropout": st.sampled_from([0.0, 0.4]),
        "other": flags,  # proj_size of an LSTM, relu of an RNN
        "lengths": st.sampled_from([*LENGTHS]),
        "ids": flags,
        "state": flags,
        "dtype": st.sampled_from(["float32", "float64"]),
    }
)


@settings(max_examples=40)
@given(options=layers)
def test_recurrent_layers(options):
    options = dict(options)
    kind, dtype = options.pop("kind"), getattr(tg, options.pop("dtype"))
    lengths, ids = LENGTHS[options.pop("lengths")], options.pop("ids")
    has_state, other = options.pop("state"), options.pop("other")
    if options["num_layers"] == 1:
        options["dropout"] = 0.0
    if other and kind == "LSTM":
        options["proj_size"] = 2
    if other and kind == "RNN":
        options["nonlinearity"] = "relu"

    def build(wrap):
        layer = getattr(nn, kind)(I, H, **options).to(dtype)
        params = [*layer.parameters()]

        def loss_of(x, state, lengths):
            output, state = layer(x, state, lengths)
            return output.square().mean(), output, state

        run = wrap(step_of(params, loss_of))
        held = [None]
        if has_state:
            with tg.no_grad():
                x = tg.zeros(T, B, I, dtype=dtype)
                x = x.transpose(0, 1) if options["batch_first"] else x
                held[0] = layer(x)[1]

        def call(number):
            shape = (B, T) if options["batch_first"] else (T, B)
            if ids:
                x = tg.tensor(np.random.default_rng(number).integers(0, I, shape))
            else:
                x = tg.tensor(normal(number, *shape, I)).to(dtype)
            loss, (output, state) = run(x, held[0], lengths(number))
            if has_state:
                held[0] = state
            return loss, output, state

        return call, params

    compare(build)


@pytest.fixture(params=["c", "numpy"])
def twin(request, monkeypatch):
    """Kernels in C, and those of NumPy."""
    fused = [op for op in package_ops().values() if isinstance(op, FusedOp)]
    if request.param == "numpy":
        monkeypatch.setitem(modules, "cpu", numpy_kernels)
        for op in fused:
            monkeypatch.setattr(op, "kernels", {})
    elif modules["cpu"] is numpy_kernels:
        pytest.skip("the kernels in C are not in use")
    return request.param


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_both_twins_of_the_kernels(kind, dtype, twin):
    dtype = getattr(tg, dtype)

    def build(wrap):
        layer, norm = getattr(nn, kind)(I, H).to(dtype), nn.LayerNorm(H).to(dtype)
        table, head = nn.Embedding(7, I).to(dtype), nn.Linear(H, 7).to(dtype)
        modules = (layer, norm, table, head)
        params = [p for module in modules for p in module.parameters()]
        optimizer = optim.Adam(params)

        def step(ids):
            optimizer.zero_grad()
            scores = head(norm(layer(table(ids))[0]))
            loss = F.cross_entropy(scores.flatten(0, 1), ids.flatten())
            loss.backward()
            norm_ = nn.utils.clip_grad_norm_(params, 0.3)
            optimizer.step()
            return loss, norm_

        run = wrap(step)
        rng = np.random.default_rng(0)
        return (lambda n: run(tg.tensor(rng.integers(0, 7, (T, B))))), params

    compare(build)


@pytest.mark.parametrize("kind", ["RNNCell", "LSTMCell", "GRUCell"])
def test_cells_in_a_loop(kind):
    def build(wrap):
        cell, table, norm = getattr(nn, kind)(I, H), nn.Embedding(7, I), nn.LayerNorm(H)
        params = [*cell.parameters(), *table.parameters(), *norm.parameters()]

        def loss_of(ids, state=None):
            loss = 0.0
            for step in ids:
                state = cell(table(step), state)
                h = state[0] if kind == "LSTMCell" else state
                loss = loss + norm(h).tanh().square().mean()
            return loss, state

        run, held = wrap(step_of(params, loss_of, optim.Adam(params))), [None]

        def call(number):
            ids = np.random.default_rng(number).integers(0, 7, (3, B))
            loss, (held[0],) = run(tg.tensor(ids), held[0])
            return loss

        return call, params

    compare(build, calls=6, captures=3)  # the first call has no state


# ------------------------------------------------------------ other layers and losses

ACTIVATIONS = [
    nn.ReLU(),
    nn.ELU(0.5),
    nn.GELU(),
    nn.LeakyReLU(0.2),
    nn.LogSigmoid(),
    nn.LogSoftmax(-1),
    nn.SiLU(),
    nn.Sigmoid(),
    nn.Softmax(0),
    nn.Softplus(2.0),
    nn.Tanh(),
    nn.Identity(),
    nn.Flatten(),
    nn.Dropout(0.5),
    nn.Linear(I, 2),
    nn.Linear(I, 2, bias=False),
    nn.LayerNorm(I),
    nn.LayerNorm((B, I), elementwise_affine=False),
    nn.ModuleList([nn.Linear(I, 2)])[0],
    nn.Sequential(nn.Linear(I, H), nn.Tanh(), nn.Dropout(0.2), nn.Linear(H, 2)),
]


@pytest.mark.parametrize("layer", ACTIVATIONS, ids=str)
@pytest.mark.parametrize("mode", [True, False])
def test_layers(layer, mode):
    start = layer.state_dict()

    def build(wrap):
        weight = nn.Parameter(tg.tensor(normal(9, I)).float())
        layer.load_state_dict(
            {k: tg.tensor(normal(3, *v.shape)).float() for k, v in start.items()}
        )
        layer.train(mode)
        params = [weight, *layer.parameters()]
        run = wrap(step_of(params, lambda x: (layer(x * weight).square().mean(),)))
        return (lambda n: run(tg.tensor(normal(n, B, I)).float())), params

    compare(build)


@pytest.mark.parametrize(
    "options", [{}, {"padding_idx": 0}, {"padding_idx": -1}], ids=str
)
def test_embeddings(options):
    def build(wrap):
        table = nn.Embedding(7, 4, **options)
        params = [*table.parameters()]
        run = wrap(step_of(params, lambda ids: (table(ids).tanh().sum(),)))
        return (lambda n: run(tg.tensor([[0, n, 6], [n, 5, 0]]))), params

    compare(build)


CLASSES = [0, 2, 4]
LOSSES = {
    "mse": lambda x, y, ids: F.mse_loss(x, y),
    "mse none": lambda x, y, ids: F.mse_loss(x, y, reduction="none").tanh().sum(),
    "l1": lambda x, y, ids: F.l1_loss(x, y, reduction="sum"),
    "smooth": lambda x, y, ids: F.smooth_l1_loss(x, y, beta=0.5),
    "huber": lambda x, y, ids: F.huber_loss(x, y, delta=0.5),
    "bce": lambda x, y, ids: F.binary_cross_entropy(x.sigmoid(), (y > 0).float()),
    "bce logits": lambda x, y, ids: F.binary_cross_entropy_with_logits(
        x, (y > 0).float(), pos_weight=tg.tensor([1.0, 2.0, 3.0, 1.0, 0.5])
    ),
    "bce weight": lambda x, y, ids: F.binary_cross_entropy_with_logits(
        x, y.sigmoid(), weight=y.abs()
    ),
    "kl": lambda x, y, ids: F.kl_div(
        x.log_softmax(-1), y.softmax(-1), reduction="batchmean"
    ),
    "kl log": lambda x, y, ids: F.kl_div(
        x.log_softmax(-1), y.log_softmax(-1), log_target=True, reduction="sum"
    ),
    "nll": lambda x, y, ids: F.nll_loss(x.log_softmax(-1), ids),
    "cross entropy": lambda x, y, ids: F.cross_entropy(x, ids),
    "smoothing": lambda x, y, ids: F.cross_entropy(x, ids, label_smoothing=0.1),
    "sum": lambda x, y, ids: F.cross_entropy(x, ids, reduction="sum"),
    "none": lambda x, y, ids: F.cross_entropy(x, ids, reduction="none").square().sum(),
    "ignore": lambda x, y, ids: F.cross_entropy(x, ids, ignore_index=2),
    "weight": lambda x, y, ids: F.cross_entropy(
        x, ids, weight=tg.tensor([1.0, 2.0, 0.5, 1.0, 3.0]), label_smoothing=0.2
    ),
    "probabilities": lambda x, y, ids: F.cross_entropy(x, y.softmax(-1)),
    "over time": lambda x, y, ids: F.cross_entropy(
        x.T.unsqueeze(0).expand(2, I, B), ids.expand(2, B)
    ),
    "one hot": lambda x, y, ids: F.mse_loss(x, F.one_hot(ids, I).float()),
    "list of ids": lambda x, y, ids: F.cross_entropy(x, tg.tensor(CLASSES)),
}


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_losses(name, dtype):
    dtype = getattr(tg, dtype)
    if dtype == tg.float64 and name in ("bce", "bce logits", "weight", "one hot"):
        pytest.skip("its weights are float32")

    def build(wrap):
        layer = nn.Linear(I, I).to(dtype)
        params = [*layer.parameters()]
        function = LOSSES[name]
        run = wrap(step_of(params, lambda x, *rest: (function(layer(x), *rest),)))

        def call(number):
            x, y = (tg.tensor(normal(number + i, B, I)).to(dtype) for i in (0, 50))
            return run(x, y, tg.tensor([number % I, 2, 4]))

        return call, params

    compare(build)


def test_loss_modules_with_weights():
    def build(wrap):
        layer, loss = nn.Linear(I, I), nn.CrossEntropyLoss(weight=tg.rand(I) + 0.5)
        params = [*layer.parameters()]
        run = wrap(step_of(params, lambda x, ids: (loss(layer(x), ids),)))
        return (
            lambda n: run(tg.tensor(normal(n, B, I)).float(), tg.tensor([n, 2, 4]))
        ), params

    compare(build)


# ------------------------------------------------------------ optimizers and schedules

OPTIMIZERS = [
    (optim.SGD, {}),
    (optim.SGD, {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1}),
    (optim.SGD, {"momentum": 0.9, "dampening": 0.5, "maximize": True}),
    (optim.Adam, {}),
    (optim.Adam, {"amsgrad": True, "weight_decay": 0.1, "betas": (0.5, 0.7)}),
    (optim.Adam, {"maximize": True, "eps": 1e-3}),
    (optim.AdamW, {"weight_decay": 0.5}),
    (optim.AdamW, {"amsgrad": True, "maximize": True, "eps": 1e-3}),
    (optim.RMSprop, {}),
    (optim.RMSprop, {"momentum": 0.9, "centered": True, "weight_decay": 0.1}),
    (optim.Adagrad, {"lr_decay": 0.1, "weight_decay": 0.1}),
    (optim.Adagrad, {"initial_accumulator_value": 0.5, "maximize": True}),
]
SCHEDULES = {
    "step": lambda o: lr_scheduler.StepLR(o, 2, 0.5),
    "exponential": lambda o: lr_scheduler.ExponentialLR(o, 0.9),
    "milestones": lambda o: lr_scheduler.MultiStepLR(o, [1, 3]),
    "linear": lambda o: lr_scheduler.LinearLR(o),
    "lambda": lambda o: lr_scheduler.LambdaLR(o, lambda epoch: 0.8**epoch),
    "cosine": lambda o: lr_scheduler.CosineAnnealingLR(o, 5),
    "one cycle": lambda o: lr_scheduler.OneCycleLR(o, max_lr=0.1, total_steps=20),
    "plateau": lambda o: lr_scheduler.ReduceLROnPlateau(o, patience=0),
    "sequential": lambda o: lr_scheduler.SequentialLR(
        o,
        [lr_scheduler.LinearLR(o, total_iters=2), lr_scheduler.ExponentialLR(o, 0.5)],
        [2],
    ),
}


def trained(kind, options, schedule, dtype=tg.float32, **changes):
    """Training with an optimizer of two groups and a schedule."""

    def build(wrap):
        model = nn.Sequential(nn.Linear(I, H), nn.Tanh(), nn.Linear(H, 2)).to(dtype)
        groups = [
            {"params": [*model[0].parameters()], "lr": 0.05},
            {"params": [*model[2].parameters()]},
        ]
        optimizer = kind(groups, lr=0.01, **options)
        params = [*model.parameters()]
        run = wrap(step_of(params, lambda x: (model(x).square().mean(),), optimizer))
        planned = SCHEDULES[schedule](optimizer) if schedule else None

        def call(number):
            loss, _ = run(tg.tensor(normal(number, B, I)).to(dtype))
            if schedule == "plateau":
                planned.step(loss)
            elif schedule:
                planned.step()
            if number == 3:
                optimizer.load_state_dict(optimizer.state_dict())
            return loss

        return call, params

    compare(build, calls=6)


@pytest.mark.parametrize(("kind", "options"), OPTIMIZERS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_optimizers(kind, options, dtype):
    trained(kind, options, "exponential", getattr(tg, dtype))


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_schedules(schedule):
    trained(optim.SGD, {"momentum": 0.5}, schedule)


def linear_step(make):
    """Calls of what ``make`` returns for a layer and its optimizer."""

    def build(wrap):
        layer = nn.Linear(I, 2)
        optimizer = optim.Adam(layer.parameters(), lr=0.1)
        run = wrap(make(layer, optimizer))
        params = [*layer.parameters()]
        return (lambda n: run(tg.tensor(normal(n, B, I)).float())), params

    return build


def closure(layer, optimizer):
    def step(x):
        def compute():
            optimizer.zero_grad()
            loss = layer(x).square().mean()
            loss.backward()
            return loss

        return optimizer.step(compute)

    return step


def accumulated_inside(layer, optimizer):
    def step(x):
        optimizer.zero_grad()
        for part in x.split(1):
            (layer(part).square().mean() / 3).backward()
        optimizer.step()
        return layer.weight.grad.clone()

    return step


def zeros(layer, optimizer):
    def step(x):
        optimizer.zero_grad(set_to_none=False)
        loss = layer(x).square().mean()
        loss.backward()
        optimizer.step()
        return loss

    return step


def zeroed_at_the_end(layer, optimizer):
    def step(x):
        loss = layer(x).square().mean()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return loss

    return step


def never_zeroed(layer, optimizer):
    def step(x):
        loss = layer(x).square().mean()
        loss.backward()
        optimizer.step()
        return loss, layer.bias.grad

    return step


def clipped_by_norm(layer, optimizer):
    def step(x):
        optimizer.zero_grad()
        layer(x).square().mean().backward()
        norm = nn.utils.clip_grad_norm_(layer.parameters(), 0.1, norm_type=2.0)
        other = nn.utils.clip_grad_norm_(layer.bias, 0.05, norm_type=float("inf"))
        optimizer.step()
        total = nn.utils.get_total_norm([p.grad for p in layer.parameters()])
        return norm, other, total

    return step


def clipped_by_value(layer, optimizer):
    def step(x):
        optimizer.zero_grad()
        layer(x).square().mean().backward()
        nn.utils.clip_grad_value_(layer.parameters(), 0.05)
        optimizer.step()
        return layer.weight.grad

    return step


def by_hand(layer, optimizer):
    def step(x):
        layer.zero_grad()
        loss = layer(x).square().mean()
        loss.backward()
        with tg.no_grad():
            for p in layer.parameters():
                p -= 0.1 * p.grad
                p.grad.mul_(0.5)
        return loss

    return step


def gradients_set(layer, optimizer):
    def step(x):
        loss = layer(x).square().mean()
        grads = tg.autograd.grad(loss, [*layer.parameters()])
        for p, g in zip(layer.parameters(), grads, strict=True):
            p.grad = g * 2.0
        optimizer.step()
        return loss

    return step


STEPS = [
    closure,
    accumulated_inside,
    zeros,
    zeroed_at_the_end,
    never_zeroed,
    clipped_by_norm,
    clipped_by_value,
    by_hand,
    gradients_set,
]


@pytest.mark.parametrize("make", STEPS)
def test_steps(make):
    captures = {never_zeroed: None, zeros: None}.get(make, 2)  # the first has no grad
    (compiled,) = compare(linear_step(make), calls=7, captures=captures)
    assert compiled.cache_info().hits >= 4


def test_accumulation_over_calls():
    def build(wrap):
        layer = nn.Linear(I, 2)
        optimizer = optim.Adam(layer.parameters(), lr=0.1)

        def step(x):
            loss = layer(x).square().mean()
            loss.backward()
            return loss

        run = wrap(step)

        def call(number):
            loss = run(tg.tensor(normal(number, B, I)).float())
            if number % 3 == 2:
                optimizer.step()
                optimizer.zero_grad(set_to_none=number % 2 == 0)
            return loss

        return call, [*layer.parameters()]

    (compiled,) = compare(build, calls=14, captures=None)
    assert compiled.cache_info()[:2] == (10, 4)


# ------------------------------------------------------------ sampling, custom ops


@pytest.mark.parametrize(
    "draw",
    [
        lambda x: tg.categorical(x, temperature=0.8, top_k=3),
        lambda x: tg.categorical(x, top_p=0.7),
        lambda x: tg.categorical(x, temperature=0.0),
        lambda x: tg.multinomial(x.softmax(-1), 2),
        lambda x: tg.multinomial(x.softmax(-1), 4, replacement=True),
        lambda x: tg.randint(0, 9, (3,)) + tg.randperm(3),
        lambda x: tg.rand(2, 3) + tg.randn(3) + tg.randn_like(x)[:2, :3],
        lambda x: tg.empty(4).uniform_(-1.0, 1.0) * tg.empty(4).normal_(),
        lambda x: tg.empty(B, I).bernoulli_(x.sigmoid()),
    ],
)
def test_sampling(draw):
    def build(wrap):
        run = wrap(draw)
        return (lambda n: run(tg.tensor(normal(n, B, I)))), []

    compare(build, calls=5)


def test_a_generator_of_its_own():
    def build(wrap):
        generator = tg.Generator().manual_seed(3)
        run = wrap(
            lambda x, g: F.dropout(x, 0.5, generator=g) * tg.rand(I, generator=g)
        )

        def call(number):
            if number == 3:
                generator.manual_seed(9)
            return run(tg.ones(B, I), generator)

        return call, []

    compare(build, calls=6)


def test_a_model_that_writes_a_text():
    def build(wrap):
        rnn, head = nn.GRU(7, H), nn.Linear(H, 7)

        def step(ids, state):
            with tg.no_grad():
                output, state = rnn(ids, state)
                return tg.categorical(head(output)[-1]), state

        run, held = wrap(step), [tg.tensor([[1]]), tg.zeros(1, 1, H)]

        def call(number):
            ids, held[1] = run(*held)
            held[0] = ids.reshape(1, 1)
            return ids

        return call, []

    compare(build, calls=12)


class Standardize(nn.Module):
    """Keeps means in a buffer, which it changes in place."""

    def __init__(self):
        super().__init__()
        self.register_buffer("mean", tg.zeros(I))
        self.register_buffer("count", tg.tensor(0))

    def forward(self, x):
        if self.training:
            with tg.no_grad():
                self.count += 1
                self.mean.mul_(0.9).add_(x.mean(0) * 0.1)
        return x - self.mean


def test_a_module_whose_buffers_change_in_place():
    def build(wrap):
        model = nn.Sequential(Standardize(), nn.Linear(I, 2))
        params = [*model.parameters()]
        run = wrap(step_of(params, lambda x: (model(x).square().mean(),)))

        def call(number):
            loss = run(tg.tensor(normal(number, B, I)).float())
            return loss, model[0].mean, model[0].count

        return call, params

    compare(build, calls=5)


@autograd.op
def cube(xp, x, /):
    """Return x * x * x."""
    return x * x * x


cube.vjp(lambda g, x: 3 * x * x * g)


def _doubled(x, /):
    return x * 2.0


def _forward(xp, x):
    return (x * 2.0,), None


def _backward(xp, grads, needs, inputs, outputs, workspace):
    return (grads[0] * 2.0,)


fused = FusedOp(_doubled, _forward, _backward)


@pytest.mark.parametrize("op", [cube, fused])
def test_custom_ops(op):
    def build(wrap):
        weight = nn.Parameter(tg.ones(I))

        def loss_of(x):
            y = op(x * weight).sum()
            (g,) = tg.autograd.grad(y, [weight], create_graph=True)
            return y + g.square().sum(), g

        run = wrap(step_of([weight], loss_of, optim.SGD([weight], lr=1e-3)))
        return (lambda n: run(tg.tensor(normal(n, B, I)).float())), [weight]

    compare(build)


def test_functional_derivatives():
    f = tg.autograd.functional

    def build(wrap):
        def step(x, v):
            def inner(x):
                return (x.tanh() * x).cumsum(-1)

            def total(x):
                return inner(x).sum()

            return (
                f.jacobian(inner, x),
                f.hessian(total, x),
                f.hvp(total, x, v),
                f.vjp(inner, x, v),
                f.jvp(inner, x, v),
            )

        run = wrap(step)
        return (lambda n: run(*(tg.tensor(normal(n + i, 3)) for i in (0, 9)))), []

    compare(build)


def test_bits_of_what_is_compared():
    """The comparison sees dtypes, signs of zeros and what requires grad."""
    assert bits(tg.tensor([0.0])) != bits(tg.tensor([-0.0]))
    assert bits(tg.tensor([1])) != bits(tg.tensor([1.0]))
    assert bits(tg.ones(1)) != bits(tg.ones(1, requires_grad=True))
    assert bits([1]) != bits((1,))
