"""A run of one process, and the same run by several ranks: what has to be equal.

The recurrent model trains in float64, with clipping, a schedule and accumulation.
Threads run it in the default tests, processes in those of MPI.
"""

import numpy as np

import tinygrad_rnn as tg
import tinygrad_rnn.nn.functional as F
from tinygrad_rnn import nn, optim

OPTIMIZERS = {
    "SGD": lambda p: optim.SGD(p, lr=0.05, momentum=0.9, nesterov=True),
    "RMSprop": lambda p: optim.RMSprop(p, lr=0.01, momentum=0.5, centered=True),
    "Adagrad": lambda p: optim.Adagrad(p, lr=0.05, lr_decay=0.01),
    "Adam": lambda p: optim.Adam(p, lr=0.01, amsgrad=True, weight_decay=0.01),
    "AdamW": lambda p: optim.AdamW(p, lr=0.01),
}
LETTERS, STEPS_OF_TIME = 5, 4


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.LSTM(LETTERS, 4)
        self.head = nn.Linear(4, LETTERS)

    def forward(self, ids):
        return self.head(self.rnn(ids)[0])


def _start(name, seed):
    """Return a model, whose weights go by the seed, its optimizer and schedule."""
    model, rng = Model().double(), np.random.default_rng(seed)
    with tg.no_grad():
        for parameter in model.parameters():
            parameter.copy_(tg.tensor(rng.standard_normal(parameter.shape) * 0.3))
    optimizer = OPTIMIZERS[name](model.parameters())
    return model, optimizer, optim.lr_scheduler.StepLR(optimizer, 3, 0.8), rng


def _batches(rng, batch, micro, steps):
    """Yield, for each step, ``micro`` pairs of ids (T, B)."""
    shape = (micro, STEPS_OF_TIME + 1, batch)
    for _ in range(steps):
        ids = rng.integers(0, LETTERS, shape)
        yield [(tg.tensor(part[:-1]), tg.tensor(part[1:])) for part in ids]


def _loss(model, x, y, micro):
    return F.cross_entropy(model(x).flatten(0, 1), y.flatten()) / micro


def _finish(model, optimizer, schedule, clips):
    if clips:
        nn.utils.clip_grad_norm_(model.parameters(), 0.1)
    optimizer.step()
    schedule.step()
    optimizer.zero_grad()


def one_process(name, seed, batch, micro, clips, steps):
    """Train on whole batches; return the model and its optimizer."""
    model, optimizer, schedule, rng = _start(name, seed)
    for pairs in _batches(rng, batch, micro, steps):
        for x, y in pairs:
            _loss(model, x, y, micro).backward()
        _finish(model, optimizer, schedule, clips)
    return model, optimizer


def parts_of(rank, name, seed, batch, micro, clips, steps):
    """Train on this rank's columns of the batches; return model and optimizer."""
    model, optimizer, schedule, rng = _start(name, seed)
    ranks = tg.distributed.get_world_size()
    parallel = nn.parallel.DistributedDataParallel(model)
    mine = slice(rank * batch // ranks, (rank + 1) * batch // ranks)
    for pairs in _batches(rng, batch, micro, steps):
        with parallel.no_sync():
            for x, y in pairs[:-1]:
                _loss(parallel, x[:, mine], y[:, mine], micro).backward()
        x, y = pairs[-1]
        _loss(parallel, x[:, mine], y[:, mine], micro).backward()
        _finish(model, optimizer, schedule, clips)
    return model, optimizer


def states(trained):
    """Return all numbers of a model and its optimizer, by name."""
    model, optimizer = trained
    found = {name: value.numpy() for name, value in model.state_dict().items()}
    for key, entry in optimizer.state_dict()["state"].items():
        for name, value in entry.items():
            found[f"{key}.{name}"] = np.asarray(
                value.numpy() if isinstance(value, tg.Tensor) else value
            )
    return found
