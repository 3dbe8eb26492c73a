"""A sentiment classifier: given embeddings, a packed bidirectional LSTM, one logit."""

import torch
import torch.nn as nn
import torch.optim as optim
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

PAD_IDX = 0
VOCAB_SIZE, EMBEDDING_DIM, HIDDEN_DIM = 30, 8, 6


class SentimentRNN(nn.Module):
    def __init__(
        self, vocab_size, embedding_dim, hidden_dim, output_dim, n_layers, pad_idx
    ):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, embedding_dim, padding_idx=pad_idx)
        self.rnn = nn.LSTM(
            embedding_dim,
            hidden_dim,
            num_layers=n_layers,
            bidirectional=True,
            batch_first=True,
        )
        self.fc = nn.Linear(hidden_dim * 4, output_dim)

    def forward(self, text, text_lengths):
        embedded = self.embedding(text)
        packed_embedded = pack_padded_sequence(
            embedded, text_lengths, batch_first=True, enforce_sorted=False
        )
        packed_output, (hidden, cell) = self.rnn(packed_embedded)
        output, output_lengths = pad_packed_sequence(packed_output, batch_first=True)
        # the last states of both directions, and the mean over the words that are there
        last = torch.cat((hidden[-2, :, :], hidden[-1, :, :]), dim=1)
        mean = output.sum(dim=1) / output_lengths.unsqueeze(1).to(output.dtype)
        return self.fc(torch.cat([last, mean], 1))


def binary_accuracy(preds, y):
    rounded_preds = torch.round(torch.sigmoid(preds))
    correct = (rounded_preds == y).float()
    return correct.sum() / len(correct)


def make_reviews(given, count, max_len=9):
    """Draw texts of the words 1 to 29; even words make a text positive."""
    lengths = given.integers(1, max_len + 1, count)
    words = given.integers(1, VOCAB_SIZE, count, max_len)
    reviews = [row[:n].tolist() for row, n in zip(words, lengths)]
    labels = [float(sum(w % 2 == 0 for w in r) * 2 > len(r)) for r in reviews]
    return list(zip(reviews, labels))


def collate(batch):
    texts, labels = zip(*batch)
    lengths = torch.tensor([len(t) for t in texts])
    padded = torch.zeros(len(texts), int(lengths.max()), dtype=torch.long)
    for i, text in enumerate(texts):
        padded[i, : len(text)] = torch.tensor(text)
    return padded, lengths, torch.tensor(labels)


def train(model, batches, optimizer, criterion):
    epoch_losses = []
    model.train()
    for text, text_lengths, label in batches:
        optimizer.zero_grad()
        predictions = model(text, text_lengths).squeeze(1)
        loss = criterion(predictions, label)
        acc = binary_accuracy(predictions, label)
        loss.backward()
        optimizer.step()
        epoch_losses += [loss.item(), acc.item()]
    return epoch_losses


def main(given, steps):
    reviews = make_reviews(given, 40)
    model = SentimentRNN(VOCAB_SIZE, EMBEDDING_DIM, HIDDEN_DIM, 1, 2, PAD_IDX)
    given.first_weights(model)
    pretrained_embeddings = torch.from_numpy(
        given.uniform(VOCAB_SIZE, EMBEDDING_DIM, low=-1)
    )
    model.embedding.weight.data.copy_(pretrained_embeddings)
    model.embedding.weight.data[PAD_IDX] = torch.zeros(EMBEDDING_DIM)
    print(
        f"{sum(p.numel() for p in model.parameters() if p.requires_grad):,} parameters"
    )

    optimizer = optim.Adam(model.parameters(), lr=1e-2)
    criterion = nn.BCEWithLogitsLoss()
    losses, done = [], 0
    while done < steps:
        order = given.order(len(reviews))
        shuffled = [reviews[i] for i in order]
        batches = [collate(shuffled[i : i + 10]) for i in range(0, len(shuffled), 10)]
        losses += train(model, batches, optimizer, criterion)
        done += len(batches)

    model.eval()
    with torch.no_grad():
        for review, label in reviews[:5]:
            tensor = torch.LongTensor(review).unsqueeze(0)
            prediction = torch.sigmoid(model(tensor, torch.LongTensor([len(review)])))
            losses.append(prediction.item())
    assert not model.embedding.weight[PAD_IDX].any()
    return losses, model
