"""The works in this package."""

import tinygrad_rnn as tg
import tinygrad_rnn.nn.functional as F
from tinygrad_rnn import nn, optim

VERSION = f"tinygrad_rnn {tg.__version__}"


class Model(nn.Module):
    def __init__(self, work, parameters):
        super().__init__()
        self.sine = work.task == "sine"
        self.loops = work.task == "cells"
        self.lengths = None
        if self.loops:
            self.rnn = getattr(nn, f"{work.cell}Cell")(work.V, work.H)
        else:
            self.rnn = getattr(nn, work.cell)(work.V, work.H, batch_first=self.sine)
        self.head = nn.Linear(work.H, work.outputs)
        self.load_state_dict(parameters)

    def forward(self, x, state=None):
        if self.loops:
            output = []
            for column in x:
                state = self.rnn(column, state)
                output.append(state[0] if isinstance(state, tuple) else state)
            output = tg.stack(output)
        else:
            output, state = self.rnn(x, state, lengths=self.lengths)
        return self.head(output[:, -1, :] if self.sine else output), state

    def loss(self, x, y, state=None):
        scores, state = self(x, state)
        if self.sine:
            return F.mse_loss(scores, y), None
        scores = scores.reshape(-1, scores.shape[-1])
        return F.cross_entropy(scores, y.reshape(-1)), state


def detach(state):
    """Cut a state off its history; an LSTM's state has two parts."""
    if state is None:
        return None
    return tuple(map(detach, state)) if isinstance(state, tuple) else state.detach()


def build(work, arrays, how="", device="cpu"):
    """A step, and a function that returns its first results, for the comparison.

    Args:
        how: "compiled" for ``tg.compile``; else nothing, or "numpy" for these kernels,
            which are chosen when the package is loaded.
        device: where the model is, and its input.
    """
    transform = tg.compile if how == "compiled" else lambda function: function
    if work.kind in ALONE:
        return ALONE[work.kind](transform)
    x, y = (tg.from_numpy(arrays.pop(name)).to(device=device) for name in "xy")
    lengths = arrays.pop("lengths", None)
    parameters = {name: tg.from_numpy(a) for name, a in arrays.items()}
    if work.kind == "layer":
        return layer(work, x, y, parameters, transform)
    model = Model(work, parameters).to(device=device)
    model.lengths = lengths if lengths is None else lengths.tolist()
    kinds = {"train": train, "forward": forward, "sample": sample, "hvp": hvp}
    return kinds[work.kind](model, x, y, transform)


def train(model, x, y, transform):
    params = list(model.parameters())
    optimizer = optim.Adam(params, lr=2e-3)
    state = None

    def gradients(x, y, state):
        optimizer.zero_grad()
        loss, state = model.loss(x, y, state)
        loss.backward()
        return loss, state

    @transform
    def learn(x, y, state):
        loss, state = gradients(x, y, state)
        nn.utils.clip_grad_norm_(params, 5.0)
        optimizer.step()
        return loss.detach(), detach(state)

    def step():
        nonlocal state
        _, state = learn(x, y, state)

    def values():
        found = {"loss": gradients(x, y, None)[0].cpu().numpy()}
        named = model.named_parameters()
        return found | {name: p.grad.cpu().numpy() for name, p in named}

    return step, values


def forward(model, x, y, transform):
    @transform
    @tg.no_grad()
    def run(x):
        return model(x)[0]

    def step():
        return run(x)

    return step, lambda: {"scores": step().cpu().numpy()}


def sample(model, x, y, transform):
    state = None

    @transform
    @tg.no_grad()
    def predict(x, state):
        scores, state = model(x, state)
        return tg.categorical(scores), scores, state

    def step():
        nonlocal x, state
        x, scores, state = predict(x, state)
        x.item()  # the sampled character is wanted
        return scores

    return step, lambda: {"weights": step()[0].softmax(-1).cpu().numpy()}


def hvp(model, x, y, transform):
    params = list(model.parameters())

    @transform
    def product(x, y):
        loss, _ = model.loss(x, y)
        first = tg.autograd.grad(loss, params, create_graph=True)
        total = sum(g.sum() for g in first)
        return tg.autograd.grad(total, params)

    def step():
        return product(x, y)

    def values():
        names = [name for name, _ in model.named_parameters()]
        return {n: g.numpy() for n, g in zip(names, step(), strict=True)}

    return step, values


def layer(work, x, y, parameters, transform):
    sizes = (work.V, work.H) if work.cell == "Embedding" else (work.H,)
    made = getattr(nn, work.cell)(*sizes)
    made.load_state_dict(parameters)
    if work.cell != "Embedding":
        x.requires_grad_()

    @transform
    def run(x, y):
        x.grad = None
        made.zero_grad()
        output = made(x)
        output.backward(y)
        return output.detach()

    def step():
        return run(x, y)

    def values():
        found = {"output": step().numpy()}
        if x.grad is not None:
            found["x"] = x.grad.numpy()
        return found | {name: p.grad.numpy() for name, p in made.named_parameters()}

    return step, values


def chain(transform):
    x = tg.ones(16, requires_grad=True)

    @transform
    def run(x):
        x.grad = None
        y = x
        for _ in range(250):
            y = (y * 1.0001).tanh()
            y = y + x
            y = y - 0.5
        y.sum().backward()
        return y.detach()

    def step():
        return run(x)

    return step, lambda: {"y": step().numpy(), "x.grad": x.grad.numpy()}


def nothing(transform):
    model = nn.Sequential(*[nn.Linear(2, 2) for _ in range(10)])

    @transform
    def run(x):
        model.zero_grad()
        return x

    x = tg.ones(2)
    return lambda: run(x), dict


def calls(transform):
    @transform
    @tg.no_grad()
    def run(x):
        for _ in range(1000):
            x = x.tanh()
        return x

    x = tg.ones(16)
    return lambda: run(x), dict


ALONE = {"chain": chain, "nothing": nothing, "calls": calls}
