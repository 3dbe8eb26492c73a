"""Wrong uses, one on a line: type checkers flag every line that ends with ``# wrong``.

They flag no other line. This file is never run.
"""

import tinygrad_rnn as tg
import tinygrad_rnn.nn.functional as F
from tinygrad_rnn import nn, optim, tensr  # wrong
from tinygrad_rnn.nn import Conv1d  # wrong


def names(x: tg.Tensor) -> None:
    tg.foo(x)  # wrong
    tg.complex64  # wrong
    tg.jit.script(x)  # wrong
    nn.Conv2d(1, 2, 3)  # wrong
    nn.MultiheadAttention(8, 2)  # wrong
    F.conv1d(x, x)  # wrong
    optim.LBFGS([x])  # wrong
    optim.lr_scheduler.CyclicLR(None)  # wrong
    nn.utils.clip_grad_norm(x, 1.0)  # wrong
    nn.init.xavier_uniform(x)  # wrong
    tg.autograd.Function  # wrong
    tg.data.TextStream("text")  # wrong
    x.sofmax(-1)  # wrong
    x.to_sparse()  # wrong
    tg.utils.data.RandomSampler([1])  # wrong
    nn.utils.rnn.pad_packed(x)  # wrong


def arguments(x: tg.Tensor, model: nn.Module) -> None:
    nn.LSTM(3, 4, nlayers=2)  # wrong
    nn.Linear(3)  # wrong
    nn.Linear(3, "4")  # wrong
    nn.GRU(3, 4, batch_first="yes")  # wrong
    nn.CrossEntropyLoss(ignore_idx=0)  # wrong
    optim.Adam(model.parameters(), learning_rate=0.1)  # wrong
    optim.SGD(model.parameters(), lr="0.1")  # wrong
    nn.utils.clip_grad_norm_(model.parameters(), max=1.0)  # wrong
    nn.utils.clip_grad_norm_(model.parameters())  # wrong
    x.sum(axis=0)  # wrong
    tg.sum(x, axis=0)  # wrong
    tg.mean(x, keepdims=True)  # wrong
    tg.cat(x, x)  # wrong
    tg.stack([x, x], axis=1)  # wrong
    tg.zeros(2, 3, dtyp=tg.float32)  # wrong
    tg.tensor([1.0], require_grad=True)  # wrong
    x.backward(retain=True)  # wrong
    F.cross_entropy(x, x, ignore_idx=0)  # wrong
    F.dropout(x, training="yes")  # wrong
    tg.manual_seed("0")  # wrong
    nn.utils.rnn.pack_padded_sequence(x, [1], sort=True)  # wrong
    nn.utils.rnn.pad_sequence(x, padding=0)  # wrong
    tg.utils.data.DataLoader([1, 2], size=3)  # wrong
    tg.save(x)  # wrong
    tg.load("x", device="cpu")  # wrong
    optim.lr_scheduler.MultiStepLR(optim.SGD([x], 0.1), steps=[1])  # wrong
    x.uniform_(low=0.0)  # wrong
    x.data.zero(0)  # wrong
    model.load_state_dict(model.state_dict(), strictly=True)  # wrong


def results(x: tg.Tensor, model: nn.Module, optimizer: optim.Adam) -> None:
    loss: float = x.sum()  # wrong
    rows: int = x.shape  # wrong
    total: str = tg.stack([x, x])  # wrong
    joined: int = tg.cat([x, x])  # wrong
    logits: str = F.log_softmax(x, dim=-1)  # wrong
    optimizer.zero_grad(1, 2, 3)  # wrong
    optimizer.stepp()  # wrong
    number: int = model.state_dict()  # wrong


def data(streams: tg.data.TextStreams) -> None:
    x, y = streams.next_batch()  # wrong
    for x, y, first in streams:  # wrong
        pass
