"""The works in PyTorch, as its documentation writes them, also with torch.compile."""

import os

import torch
import torch.nn.functional as F
from torch import nn

torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
VERSION = f"PyTorch {torch.__version__}"


class Model(nn.Module):
    def __init__(self, work, parameters):
        super().__init__()
        self.work = work
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
        if not x.is_floating_point():  # PyTorch's layers take features only
            x = F.one_hot(x, self.work.V).float()
        if self.loops:
            output = []
            for column in x:
                state = self.rnn(column, state)
                output.append(state[0] if isinstance(state, tuple) else state)
            output = torch.stack(output)
        elif self.lengths is not None:
            packed = nn.utils.rnn.pack_padded_sequence(x, self.lengths)
            output, state = self.rnn(packed, state)
            output, _ = nn.utils.rnn.pad_packed_sequence(output)
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
    if state is None:
        return None
    return tuple(map(detach, state)) if isinstance(state, tuple) else state.detach()


def build(work, arrays, compiled="", device="cpu"):
    torch.compiler.reset()
    transform = torch.compile if compiled else lambda function: function
    if work.kind == "chain":
        return chain(transform)
    x, y = (torch.from_numpy(arrays.pop(name)).to(device) for name in "xy")
    lengths = arrays.pop("lengths", None)
    if work.kind == "layer":
        return layer(
            work, x, y, {name: torch.from_numpy(a) for name, a in arrays.items()}
        )
    parameters = {name: torch.from_numpy(a) for name, a in arrays.items()}
    model = Model(work, parameters).to(device)
    model.lengths = lengths if lengths is None else torch.from_numpy(lengths)
    kinds = {"train": train, "forward": forward, "sample": sample, "hvp": hvp}
    return kinds[work.kind](model, x, y, transform)


def train(model, x, y, transform):
    params = list(model.parameters())
    optimizer = torch.optim.Adam(params, lr=2e-3)
    loss_of = transform(model.loss)
    state = None

    def gradients():
        nonlocal state
        optimizer.zero_grad()
        loss, state = loss_of(x, y, state)
        loss.backward()
        return loss

    def step():
        nonlocal state
        gradients()
        torch.nn.utils.clip_grad_norm_(params, 5.0)
        optimizer.step()
        state = detach(state)

    def values():
        nonlocal state
        found = {"loss": gradients().detach().cpu().numpy()}
        state = None
        named = model.named_parameters()
        return found | {name: p.grad.cpu().numpy() for name, p in named}

    return step, values


def hvp(model, x, y, transform):
    params = list(model.parameters())

    def step():
        # oneDNN's LSTM has no second derivative
        with torch.backends.mkldnn.flags(enabled=False):
            loss, _ = model.loss(x, y)
            first = torch.autograd.grad(loss, params, create_graph=True)
            total = sum(g.sum() for g in first)
            return torch.autograd.grad(total, params)

    def values():
        names = [name for name, _ in model.named_parameters()]
        return {n: g.numpy() for n, g in zip(names, step(), strict=True)}

    return step, values


def forward(model, x, y, transform):
    model = transform(model)

    def step():
        with torch.no_grad():
            return model(x)[0]

    return step, lambda: {"scores": step().cpu().numpy()}


def sample(model, x, y, transform):
    model = transform(model)
    state = None

    @torch.no_grad()
    def step():
        nonlocal x, state
        scores, state = model(x, state)
        weights = scores[0].softmax(-1)
        x = torch.multinomial(weights, 1)
        x.item()
        return weights

    return step, lambda: {"weights": step().cpu().numpy()}


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
        found = {"output": step().detach().numpy()}
        if x.grad is not None:
            found["x"] = x.grad.numpy()
        return found | {name: p.grad.numpy() for name, p in made.named_parameters()}

    return step, values


def chain(transform):
    x = torch.ones(16, requires_grad=True)

    @transform
    def run(x):
        y = x
        for _ in range(250):
            y = (y * 1.0001).tanh()
            y = y + x
            y = y - 0.5
        return y

    def step():
        x.grad = None
        y = run(x)
        y.sum().backward()
        return y

    return step, lambda: {"y": step().detach().numpy(), "x.grad": x.grad.numpy()}
