"""A bidirectional tagger.

Some labels are unknown and ignored, and the rare tag has a larger weight.
"""

import torch
import torch.nn as nn
import torch.optim as optim
from torch.optim.lr_scheduler import MultiStepLR

IGNORE = -100
TAGS = {"DET": 0, "NOUN": 1, "VERB": 2}


def prepare_sequence(seq, to_ix):
    return torch.tensor([to_ix[w] for w in seq], dtype=torch.long)


class BiTagger(nn.Module):
    def __init__(self, vocab_size, embedding_dim, hidden_dim, tagset_size):
        super(BiTagger, self).__init__()
        self.hidden_dim = hidden_dim
        self.word_embeddings = nn.Embedding(vocab_size, embedding_dim, padding_idx=0)
        self.lstm = nn.LSTM(
            input_size=embedding_dim,
            hidden_size=hidden_dim // 2,
            num_layers=2,
            bidirectional=True,
            batch_first=True,
        )
        self.norm = nn.LayerNorm(hidden_dim)
        self.hidden2tag = nn.Linear(hidden_dim, tagset_size, bias=False)

    def init_hidden(self, batch_size):
        p = next(self.parameters())
        shape = (4, batch_size, self.hidden_dim // 2)
        return (torch.zeros(shape).type_as(p), torch.zeros(shape).type_as(p))

    def forward(self, sentences):
        embeds = self.word_embeddings(sentences)
        lstm_out, self.hidden = self.lstm(embeds, self.init_hidden(sentences.size(0)))
        return self.hidden2tag(self.norm(lstm_out))


def make_sentences(given, count):
    """Draw sentences; the tag of a word depends on it and on the next word."""
    words = [f"w{i}" for i in range(20)]
    names = list(TAGS)
    sentences = []
    for _ in range(count):
        ids = given.integers(0, 20, 3 + int(given.chance() * 5)).tolist()
        follows = ids[1:] + [0]
        tags = [names[(a + (b > 10)) % 3] for a, b in zip(ids, follows)]
        sentences.append(([words[i] for i in ids], tags))
    return words, sentences


def batch_of(given, sentences, word_to_ix):
    longest = max(len(s) for s, _ in sentences)
    x = torch.zeros(len(sentences), longest).long()
    y = torch.full((len(sentences), longest), IGNORE, dtype=torch.long)
    for i, (sentence, tags) in enumerate(sentences):
        x[i, : len(sentence)] = prepare_sequence(sentence, word_to_ix)
        y[i, : len(tags)] = prepare_sequence(tags, TAGS)
    unknown = torch.from_numpy(given.keep(0.1, *y.shape))
    y[unknown] = IGNORE  # labels that nobody has written down
    return x, y


def accuracy(scores, y):
    predictions = scores.argmax(dim=-1)
    known = y.ne(IGNORE)
    right = predictions.masked_select(known).eq(y.masked_select(known))
    return right.sum().item() / known.sum().item()


def main(given, steps):
    words, sentences = make_sentences(given, 36)
    word_to_ix = {word: i + 1 for i, word in enumerate(words)}
    model = BiTagger(len(words) + 1, 6, 10, len(TAGS))
    given.first_weights(model)
    weight = torch.DoubleTensor([1.0, 1.0, 2.0])
    loss_function = nn.CrossEntropyLoss(weight=weight, ignore_index=IGNORE)
    optimizer = optim.AdamW(
        model.parameters(), lr=0.02, betas=(0.9, 0.98), weight_decay=0.01
    )
    scheduler = MultiStepLR(optimizer, milestones=[4, 6], gamma=0.3)
    losses = []
    for _ in range(steps // 6 + 1):
        order = given.order(len(sentences))
        for start in range(0, len(order), 6):
            chosen = [sentences[i] for i in order[start : start + 6]]
            x, y = batch_of(given, chosen, word_to_ix)
            optimizer.zero_grad(set_to_none=True)
            tag_scores = model(x)
            loss = loss_function(tag_scores.permute(0, 2, 1), y)
            loss.backward()
            optimizer.step()
            losses += [loss.item(), accuracy(tag_scores, y)]
        scheduler.step()
        losses.append(scheduler.get_last_lr()[0])
    return losses, model
