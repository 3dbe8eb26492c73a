"""tg.compile on random programs: replayed calls give the bits of plain ones."""

import copy
from collections import namedtuple

import numpy as np
from engine.compiled import compare
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_rnn as tg
import tinygrad_rnn.nn.functional as F
from tinygrad_rnn import nn, optim

Pair = namedtuple("Pair", ["one", "two"])


class Layers:
    """What a random program computes with."""

    def __init__(self, dtype):
        self.weight = nn.Parameter(tg.randn(4, 5, dtype=dtype))
        self.row = nn.Parameter(tg.randn(5, dtype=dtype))
        self.linear, self.norm = nn.Linear(5, 5), nn.LayerNorm(5)
        self.cell, self.rnn = nn.GRUCell(5, 5), nn.LSTM(5, 5)
        self.embedding = nn.Embedding(6, 5, padding_idx=0)
        self.drop = nn.Dropout(0.4)
        modules = (self.linear, self.norm, self.cell, self.rnn, self.embedding)
        self.params = [self.weight, self.row]
        for module in modules:
            self.params += module.to(dtype).parameters()


def wide(x):
    """The last dim as long as the layers take it: 5."""
    if not x.ndim:
        return x.expand(5)
    return F.pad(x, (0, 5 - x.shape[-1])) if x.shape[-1] < 5 else x[..., :5]


def matrix(x):
    return wide(x.reshape(-1, x.shape[-1]) if x.ndim > 1 else x.reshape(1, -1))


def changed(x, value):
    made = x.clone()
    made[-1:] = value
    made.mul_(0.5).add_(x)
    made[..., 0] += 1.0
    return made


def under(x):
    with tg.no_grad():
        y = x.tanh()
    return y * x


def lstm(x, layers):
    output, (h, c) = layers.rnn(matrix(x).unsqueeze(1))
    return output.squeeze(1) + h[-1] * c[-1]


def penalty(x, layers):
    """A gradient in the graph."""
    y = (x * layers.row.sum()).tanh().square().mean()
    (g,) = tg.autograd.grad(y, [layers.row], create_graph=True)
    return y + g.square().sum()


def curvature(x, layers):
    point, direction = layers.row.detach(), layers.weight.detach()[0]
    return tg.autograd.functional.hvp(
        lambda w: (matrix(x).detach() @ w).tanh().sum(), point, direction
    )[1]


def jacobian(x, layers):
    return tg.autograd.functional.jacobian(
        lambda w: (w * w).cumsum(0).tanh(), wide(x).reshape(-1)[:3].detach()
    )


def second(x, layers):
    """A walk of its own, through what came before."""
    (g,) = tg.autograd.grad(
        (x.tanh() * layers.row.sum()).sum(), [layers.row], retain_graph=True
    )
    return g


UNARY = {
    "tanh": lambda x, s, n: x.tanh(),
    "sigmoid": lambda x, s, n: x.sigmoid(),
    "relu": lambda x, s, n: x.relu(),
    "exp": lambda x, s, n: x.tanh().exp(),
    "log": lambda x, s, n: (x.abs() + 1.0).log(),
    "square": lambda x, s, n: x.square(),
    "power": lambda x, s, n: (x.abs() + 0.1) ** (n % 3 + 0.5),
    "neg": lambda x, s, n: -x,
    "scale": lambda x, s, n: x * (n * 0.25 - 1.0) + n,
    "clone": lambda x, s, n: x.clone(),
    "softmax": lambda x, s, n: x.softmax(-1) if x.ndim else x,
    "log_softmax": lambda x, s, n: x.log_softmax(0) if x.ndim else x,
    "transpose": lambda x, s, n: x.transpose(0, -1) if x.ndim else x,
    "flatten": lambda x, s, n: x.flatten() if x.ndim else x,
    "sum": lambda x, s, n: x.sum(n % x.ndim, keepdim=n > 3) if x.ndim else x,
    "mean": lambda x, s, n: x.mean(),
    "amax": lambda x, s, n: x.amax(-1) if x.ndim else x,
    "max": lambda x, s, n: x.max(0).values if x.ndim else x,
    "std": lambda x, s, n: x.std() if x.numel() > 1 else x,
    "sort": lambda x, s, n: x.sort(-1).values if x.ndim else x,
    "topk": lambda x, s, n: x.topk(1, 0)[0] if x.ndim else x,
    "cumsum": lambda x, s, n: x.cumsum(-1) if x.ndim else x,
    "cumprod": lambda x, s, n: x.tanh().cumprod(0) if x.ndim else x,
    "prod": lambda x, s, n: x.tanh().prod(-1) if x.ndim else x,
    "norm": lambda x, s, n: x.norm(),
    "flip": lambda x, s, n: x.flip(0) if x.ndim else x,
    "roll": lambda x, s, n: x.roll(n, 0) if x.ndim else x,
    "slice": lambda x, s, n: x[n % x.shape[0] :] if x.ndim else x,
    "step": lambda x, s, n: x[:: n % 2 + 1] if x.ndim else x,
    "pick": lambda x, s, n: x[n % x.shape[0]] if x.ndim else x,
    "list": lambda x, s, n: x[[0, -1, 0]] if x.ndim else x,
    "ids": lambda x, s, n: x[s.ids % x.shape[0]] if x.ndim else x,
    "ordered": lambda x, s, n: x.take_along_dim(x.argsort(-1), -1) if x.ndim else x,
    "expand": lambda x, s, n: x.unsqueeze(0).expand(2, *x.shape),
    "tril": lambda x, s, n: x.tril(n - 2) if x.ndim > 1 else x,
    "clamp": lambda x, s, n: x.clamp(-0.5, n / 4),
    "detach": lambda x, s, n: x.detach() * x,
    "in place": lambda x, s, n: (x * 1.0).add_(0.5).mul_(n),
    "assign": lambda x, s, n: changed(x, n) if x.ndim else x,
    "fill": lambda x, s, n: x.clone().masked_fill_(x > 0, n) * x,
    "no_grad": lambda x, s, n: under(x),
    "float64": lambda x, s, n: x.double().tanh().to(x.dtype),
    "chunks": lambda x, s, n: sum(x.chunk(2, 0)[0].unbind(0)) if x.ndim else x,
    "dropout": lambda x, s, n: F.dropout(x, 0.3),
    "noise": lambda x, s, n: x + tg.randn_like(x) * 0.1,
    "uniform": lambda x, s, n: x * tg.rand(x.shape, dtype=x.dtype),
    "bernoulli": lambda x, s, n: x * tg.zeros_like(x).bernoulli_(0.5),
    "ones": lambda x, s, n: x + tg.ones(x.shape, dtype=x.dtype) * tg.arange(1, 2),
    "tensor": lambda x, s, n: x + tg.tensor([0.5, -1.0, 2.0, 0.0, n]).to(x.dtype)[n],
    "any": lambda x, s, n: tg.where((x > 0).any(), x, -x),
    "gelu": lambda x, s, n: F.gelu(x) + F.softplus(x) + F.silu(x) + F.elu(x),
    "linear": lambda x, s, n: s.linear(wide(x)),
    "norm layer": lambda x, s, n: s.norm(wide(x)),
    "drop layer": lambda x, s, n: s.drop(x),
    "cell": lambda x, s, n: s.cell(matrix(x)),
    "lstm": lambda x, s, n: lstm(x, s),
    "embedding": lambda x, s, n: s.embedding(s.ids % 6) + wide(x).sum(),
    "penalty": lambda x, s, n: penalty(x, s),
    "curvature": lambda x, s, n: curvature(x, s),
    "jacobian": lambda x, s, n: jacobian(x, s),
    "second": lambda x, s, n: second(x, s),
}
BINARY = {
    "add": lambda x, y: x + y,
    "subtract": lambda x, y: x - y,
    "multiply": lambda x, y: x * y,
    "divide": lambda x, y: x / (y * y + 1.0),
    "maximum": lambda x, y: x.maximum(y),
    "where": lambda x, y: tg.where(x > y, x, y * 2),
    "cat": lambda x, y: tg.cat([matrix(x), matrix(y)], 0),
    "stack": lambda x, y: tg.stack([wide(x).sum(), wide(y).sum(), y.sum()]),
    "matmul": lambda x, y: matrix(x) @ matrix(y).T,
    "einsum": lambda x, y: tg.einsum("ij,kj->ki", matrix(x), matrix(y)),
    "outer": lambda x, y: tg.outer(x.reshape(-1)[:5], y.reshape(-1)[:5]),
}
STEPS = [*UNARY, *BINARY]
ALGORITHMS = [optim.SGD, optim.Adam, optim.RMSprop, optim.AdamW, optim.Adagrad]
small = st.integers(0, 4)
steps = st.lists(
    st.tuples(st.sampled_from(STEPS), small, small, small), min_size=1, max_size=9
)


def resolved(steps):
    """Steps with their functions: a compiled one guards all that it can reach."""
    return [(UNARY.get(name), BINARY.get(name), *rest) for name, *rest in steps]


def apply(layers, step, values):
    unary, binary, one, two, number = step
    x, y = values[-1 - one % len(values)], values[-1 - two % len(values)]
    if unary is not None:
        return unary(x, layers, number)
    try:
        return binary(x, y)
    except tg.Error:  # the shapes do not fit
        return x * 2.0


def program(steps, kind, dtype, batches):
    """A random training step."""
    chosen = resolved(steps)

    def build(wrap):
        layers = Layers(dtype)
        params = layers.params
        optimizer = kind(params, lr=0.01)

        def step(x, ids, *, extra):
            optimizer.zero_grad()
            scope = copy.copy(layers)
            scope.ids = ids
            values = [x, layers.row, layers.weight, extra["shift"]]
            for each in chosen:
                values.append(apply(scope, each, values))
                if values[-1].numel() > 2000:
                    values[-1] = values[-1].sum(0)
            loss = (layers.weight * layers.row).mean()
            for value in values[4:]:
                loss = loss + (value * value).tanh().mean()
            loss.backward()
            nn.utils.clip_grad_norm_(params, 0.5)
            optimizer.step()
            results = [value.detach() for value in values[4:]]
            return {"loss": loss, "pair": Pair(results[-1], results[:-1]), "n": 3}

        run = wrap(step)

        def call(number):
            x, ids, shift = batches[number]
            result = run(
                tg.tensor(x).to(dtype),
                tg.tensor(ids),
                extra={"shift": tg.tensor(shift).to(dtype)},
            )
            return result

        return call, params

    return build


@settings(max_examples=100)
@given(
    steps=steps,
    kind=st.sampled_from(ALGORITHMS),
    dtype=st.sampled_from(["float32", "float64"]),
    seed=st.integers(0, 99),
)
def test_random_programs(steps, kind, dtype, seed):
    rng = np.random.default_rng(seed)
    batches = [
        (rng.standard_normal((4, 5)), rng.integers(0, 60, 3), rng.standard_normal())
        for _ in range(4)
    ]
    with np.errstate(all="ignore"):
        compare(program(steps, kind, getattr(tg, dtype), batches), len(batches))
