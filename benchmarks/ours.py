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
            output, state = self.rnn(x, state)
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


def build(work, arrays):
    """A step, and a function that returns its first results, for the comparison."""
    if work.kind == "chain":
        return chain()
    x, y = tg.from_numpy(arrays.pop("x")), tg.from_numpy(arrays.pop("y"))
    if work.kind == "layer":
        return layer(work, x, y, {name: tg.from_numpy(a) for name, a in arrays.items()})
    model = Model(work, {name: tg.from_numpy(a) for name, a in arrays.items()})
    kinds = {"train": train, "forward": forward, "sample": sample}
    return kinds[work.kind](model, x, y)


def train(model, x, y):
    params = list(model.parameters())
    optimizer = optim.Adam(params, lr=2e-3)
    state = None

    def gradients():
        nonlocal state
        optimizer.zero_grad()
        loss, state = model.loss(x, y, state)
        loss.backward()
        return loss

    def step():
        nonlocal state
        gradients()
        nn.utils.clip_grad_norm_(params, 5.0)
        optimizer.step()
        state = detach(state)

    def values():
        nonlocal state
        found = {"loss": gradients().numpy()}
        state = None
        return found | {name: p.grad.numpy() for name, p in model.named_parameters()}

    return step, values


def forward(model, x, y):
    def step():
        with tg.no_grad():
            return model(x)[0]

    return step, lambda: {"scores": step().numpy()}


def sample(model, x, y):
    predict = nn.Stepper(model.rnn, model.head)
    x, state = x[0], None

    def step():
        nonlocal x, state
        scores, state = predict(x, state)
        x = tg.categorical(scores)
        x.item()  # the sampled character is wanted
        return scores

    return step, lambda: {"weights": step().softmax(-1).numpy()}


def layer(work, x, y, parameters):
    sizes = (work.V, work.H) if work.cell == "Embedding" else (work.H,)
    made = getattr(nn, work.cell)(*sizes)
    made.load_state_dict(parameters)
    if work.cell != "Embedding":
        x.requires_grad_()

    def step():
        x.grad = None
        made.zero_grad()
        output = made(x)
        output.backward(y)
        return output

    def values():
        found = {"output": step().numpy()}
        if x.grad is not None:
            found["x"] = x.grad.numpy()
        return found | {name: p.grad.numpy() for name, p in made.named_parameters()}

    return step, values


def chain():
    x = tg.ones(16, requires_grad=True)

    def step():
        x.grad = None
        y = x
        for _ in range(250):
            y = (y * 1.0001).tanh()
            y = y + x
            y = y - 0.5
        y.sum().backward()
        return y

    return step, lambda: {"y": step().detach().numpy(), "x.grad": x.grad.numpy()}
