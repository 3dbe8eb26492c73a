"""A word-level language model: LSTM and truncated backpropagation.

SGD is written by hand, and its rate is cut on a plateau.
"""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F

TEXT = """
the cat sat on the mat . the dog sat on the log .
a cat saw the dog run . a dog saw a cat run .
the cat ran from the dog . the dog ran to the log . the mat is flat . the log is old .
""".split()


class Dictionary:
    def __init__(self):
        self.word2idx = {}
        self.idx2word = []

    def add_word(self, word):
        if word not in self.word2idx:
            self.idx2word.append(word)
            self.word2idx[word] = len(self.idx2word) - 1
        return self.word2idx[word]

    def __len__(self):
        return len(self.idx2word)


class LockedDropout(nn.Module):
    """Dropout with one mask for all steps of a window."""

    def __init__(self, given, dropout):
        super().__init__()
        self.given = given
        self.dropout = dropout

    def forward(self, x):
        if not self.training:
            return x
        kept = torch.from_numpy(
            self.given.keep(1 - self.dropout, 1, x.size(1), x.size(2))
        )
        mask = kept.type_as(x) / (1 - self.dropout)
        return mask.expand_as(x) * x


class RNNModel(nn.Module):
    def __init__(self, given, ntoken, ninp, nhid, nlayers, dropout=0.3):
        super().__init__()
        self.drop = LockedDropout(given, dropout)
        self.encoder = nn.Embedding(ntoken, ninp)
        self.rnn = nn.LSTM(ninp, nhid, nlayers)
        self.decoder = nn.Linear(nhid, ntoken)
        self.ntoken, self.nhid, self.nlayers = ntoken, nhid, nlayers
        self.init_weights()

    def init_weights(self):
        initrange = 0.1
        nn.init.uniform_(self.encoder.weight, -initrange, initrange)
        nn.init.zeros_(self.decoder.bias)
        self.decoder.weight.data.uniform_(-initrange, initrange)

    def forward(self, input, hidden):
        emb = self.drop(self.encoder(input))
        output, hidden = self.rnn(emb, hidden)
        output = self.drop(output)
        decoded = self.decoder(output).view(-1, self.ntoken)
        return F.log_softmax(decoded, dim=1), hidden

    def init_hidden(self, bsz):
        weight = next(self.parameters())
        shape = (self.nlayers, bsz, self.nhid)
        return weight.new_zeros(*shape), weight.new_zeros(*shape)


def repackage_hidden(h):
    """Return the hidden states, detached from their history."""
    if isinstance(h, torch.Tensor):
        return h.detach()
    return tuple(repackage_hidden(v) for v in h)


def batchify(ids, bsz):
    nbatch = ids.size(0) // bsz
    ids = ids.narrow(0, 0, nbatch * bsz)
    return ids.view(bsz, -1).t().contiguous()


def get_batch(source, i, bptt):
    seq_len = min(bptt, len(source) - 1 - i)
    return source[i : i + seq_len], source[i + 1 : i + 1 + seq_len].view(-1)


def evaluate(model, source, criterion, bptt):
    model.eval()
    total_loss = 0.0
    hidden = model.init_hidden(source.size(1))
    with torch.no_grad():
        for i in range(0, source.size(0) - 1, bptt):
            data, targets = get_batch(source, i, bptt)
            output, hidden = model(data, hidden)
            hidden = repackage_hidden(hidden)
            total_loss += len(data) * criterion(output, targets).item()
    return total_loss / (len(source) - 1)


def main(given, steps, bptt=5, batch_size=4, clip=0.25):
    corpus = Dictionary()
    ids = torch.tensor([corpus.add_word(word) for word in TEXT * 3]).type(torch.int64)
    train_data, val_data = batchify(ids, batch_size), batchify(ids[:48], 2)
    model = RNNModel(given, len(corpus), 12, 16, 2)
    given.first_weights(model)
    criterion = nn.NLLLoss()
    lr, best_val_loss, losses = 4.0, None, []
    while len(losses) < steps:
        model.train()
        hidden = model.init_hidden(batch_size)
        for i in range(0, train_data.size(0) - 1, bptt):
            data, targets = get_batch(train_data, i, bptt)
            model.zero_grad()
            hidden = repackage_hidden(hidden)
            output, hidden = model(data, hidden)
            loss = criterion(output, targets)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), clip)
            for p in model.parameters():
                p.data.add_(-lr * p.grad.data)
            losses.append(loss.item())
        val_loss = evaluate(model, val_data, criterion, bptt)
        print(
            f"lr {lr:.2f} | valid loss {val_loss:5.2f} | "
            f"valid ppl {math.exp(val_loss):8.2f}"
        )
        losses.append(val_loss)
        if not best_val_loss or val_loss < best_val_loss:
            best_val_loss = val_loss
        else:
            lr /= 4.0
    return losses, model
