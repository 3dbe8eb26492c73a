"""A character generator as older tutorials write it: one-hot rows and `.data`."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

TEXT = (
    "happy families are all alike; every unhappy family is unhappy in its own way. " * 4
)


def one_hot_encode(arr, n_labels):
    one_hot = np.zeros((arr.size, n_labels))
    one_hot[np.arange(one_hot.shape[0]), arr.flatten()] = 1.0
    return one_hot.reshape((*arr.shape, n_labels))


def get_batches(arr, n_seqs, n_steps):
    batch_size = n_seqs * n_steps
    n_batches = len(arr) // batch_size
    arr = arr[: n_batches * batch_size].reshape((n_seqs, -1))
    for n in range(0, arr.shape[1], n_steps):
        x = arr[:, n : n + n_steps]
        y = np.zeros_like(x)
        y[:, :-1], y[:, -1] = x[:, 1:], x[:, 0]
        yield x, y


class CharRNN(nn.Module):
    def __init__(self, tokens, n_steps=20, n_hidden=16, n_layers=2):
        super().__init__()
        self.n_layers = n_layers
        self.n_hidden = n_hidden
        self.chars = tokens
        self.int2char = dict(enumerate(self.chars))
        self.char2int = {ch: ii for ii, ch in self.int2char.items()}
        self.lstm = nn.LSTM(len(self.chars), n_hidden, n_layers, batch_first=True)
        self.fc = nn.Linear(n_hidden, len(self.chars))
        self.init_weights()

    def forward(self, x, hc):
        x, (h, c) = self.lstm(x, hc)
        x = x.contiguous().view(x.size(0) * x.size(1), self.n_hidden)
        return self.fc(x), (h, c)

    def init_weights(self):
        self.fc.bias.data.fill_(0)
        self.fc.weight.data.uniform_(-1, 1)

    def init_hidden(self, n_seqs):
        weight = next(self.parameters()).data
        return (
            weight.new(self.n_layers, n_seqs, self.n_hidden).zero_(),
            weight.new(self.n_layers, n_seqs, self.n_hidden).zero_(),
        )

    def predict(self, char, given, h=None, top_k=None):
        h = self.init_hidden(1) if h is None else h
        x = one_hot_encode(np.array([[self.char2int[char]]]), len(self.chars))
        h = tuple([each.data for each in h])
        out, h = self(torch.from_numpy(x), h)
        p = F.softmax(out, dim=1).data
        p, top_ch = p.topk(top_k or len(self.chars))
        p, top_ch = p.numpy().squeeze(), top_ch.numpy().squeeze()
        drawn = int((np.cumsum(p / p.sum()) < given.chance()).sum())
        return self.int2char[int(top_ch[drawn])], h


def sample(net, size, given, prime="ha", top_k=5):
    net.eval()
    chars, h = list(prime), net.init_hidden(1)
    for ch in prime:
        char, h = net.predict(ch, given, h, top_k=top_k)
    for _ in range(size):
        chars.append(char)
        char, h = net.predict(chars[-1], given, h, top_k=top_k)
    return "".join(chars)


def main(given, steps, n_seqs=4, n_steps=20, clip=5):
    chars = tuple(sorted(set(TEXT)))
    net = CharRNN(chars)
    given.first_weights(net)
    data = np.array([net.char2int[ch] for ch in TEXT])
    opt = torch.optim.Adam(net.parameters(), lr=0.01)
    criterion = nn.CrossEntropyLoss()
    losses = []
    while len(losses) < steps:
        net.train()
        h = net.init_hidden(n_seqs)
        for x, y in get_batches(data, n_seqs, n_steps):
            x = one_hot_encode(x, len(net.chars))
            inputs, targets = torch.from_numpy(x), torch.from_numpy(y)
            # Else it would backpropagate to the beginning
            h = tuple([each.data for each in h])
            net.zero_grad()
            output, h = net(inputs, h)
            loss = criterion(
                output, targets.view(n_seqs * n_steps).type(torch.LongTensor)
            )
            loss.backward()
            nn.utils.clip_grad_norm_(net.parameters(), clip)
            opt.step()
            losses.append(float(loss.data.numpy()))
        for group in opt.param_groups:
            group["lr"] *= 0.95
    text = sample(net, 40, given)
    print(text)
    return losses + [net.char2int[ch] for ch in text], net
