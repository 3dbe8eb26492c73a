"""What a user of type checkers writes: ``mypy --strict`` and pyright pass it.

test_typed.py checks it, and runs it once.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

import tinygrad_rnn as tg
import tinygrad_rnn.nn.functional as F
from tinygrad_rnn import Tensor, nn, optim
from tinygrad_rnn.nn.utils.rnn import (
    pack_padded_sequence,
    pad_packed_sequence,
    pad_sequence,
)
from tinygrad_rnn.utils.data import DataLoader, Dataset, TensorDataset

State = tuple[Tensor, Tensor]


@dataclass
class Config:
    vocab: int
    hidden: int = 32
    layers: int = 1
    dropout: float = 0.0
    lr: float = 2e-3
    steps: int = 20


class Attention(nn.Module):
    def __init__(self, size: int) -> None:
        super().__init__()
        self.query = nn.Linear(size, size, bias=False)
        self.v = nn.Parameter(tg.randn(size))

    def forward(
        self, states: Tensor, mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        scores = tg.tanh(self.query(states)) @ self.v
        if mask is not None:
            scores = scores.masked_fill(~mask, -math.inf)
        weights = F.softmax(scores, dim=0)
        return (weights.unsqueeze(-1) * states).sum(dim=0), weights


class CharModel(nn.Module):
    weights: Tensor

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.vocab, config.hidden)
        self.rnn = nn.LSTM(
            config.hidden, config.hidden, config.layers, dropout=config.dropout
        )
        self.norm = nn.LayerNorm(config.hidden)
        self.heads = nn.ModuleList(
            [nn.Linear(config.hidden, config.vocab) for _ in range(2)]
        )
        self.head = nn.Sequential(
            nn.Dropout(config.dropout), nn.Linear(config.hidden, config.vocab)
        )
        self.register_buffer("weights", tg.ones(config.vocab))
        self.apply(self.init_weights)

    @staticmethod
    def init_weights(module: nn.Module) -> None:
        if isinstance(module, nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)

    def init_hidden(self, batch: int) -> State:
        weight = next(self.parameters())
        size = (self.config.layers, batch, self.config.hidden)
        return weight.new_zeros(*size), weight.new_zeros(*size)

    def forward(self, ids: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        output, (h, c) = self.rnn(self.embedding(ids), state)
        logits: Tensor = self.head(self.norm(output))
        for head in self.heads:
            logits = logits + head(output)
        return logits, (h, c)

    @tg.no_grad()
    def generate(self, start: int, length: int, temperature: float = 1.0) -> list[int]:
        self.eval()
        ids, state = [start], self.init_hidden(1)
        for _ in range(length):
            logits, state = self(tg.tensor([[ids[-1]]]), state)
            probabilities = (logits[-1, 0] / temperature).softmax(-1)
            ids.append(int(tg.multinomial(probabilities, 1).item()))
        self.train()
        return ids


class Classifier(nn.Module):
    def __init__(self, size: int, classes: int) -> None:
        super().__init__()
        self.cell = nn.GRUCell(size, size)
        self.attention = Attention(size)
        self.out = nn.Linear(size, classes)

    def forward(self, x: Tensor) -> Tensor:
        h = tg.zeros(x.shape[1], x.size(-1))
        outputs: list[Tensor] = []
        for step in x:
            h = self.cell(step, h)
            outputs.append(h)
        context, _ = self.attention(tg.stack(outputs))
        logits: Tensor = self.out(context)
        return logits


class Sentiment(nn.Module):
    def __init__(self, vocab: int, size: int = 6) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocab, size, padding_idx=0)
        self.rnn = nn.GRU(size, size, batch_first=True, bidirectional=True)
        self.out = nn.Linear(2 * size, 1)
        with tg.no_grad():
            self.out.weight.mul_(0.5)
        self.out.bias.data.zero_()

    def forward(self, texts: Tensor, lengths: Tensor) -> Tensor:
        packed = pack_padded_sequence(
            self.embedding(texts), lengths, batch_first=True, enforce_sorted=False
        )
        output, h_n = self.rnn(packed)
        _, sizes = pad_packed_sequence(output, batch_first=True)
        assert sizes.tolist() == lengths.tolist()
        logits: Tensor = self.out(tg.cat([h_n[0], h_n[1]], dim=-1))
        return logits.squeeze(-1)


class Texts(Dataset[tuple[Tensor, float]]):
    def __init__(self, texts: list[list[int]]) -> None:
        self.texts = texts

    def __len__(self) -> int:
        return len(self.texts)

    def __getitem__(self, index: int) -> tuple[Tensor, float]:
        text = self.texts[index]
        return tg.tensor(text), float(sum(text) % 2)


def collate(batch: list[tuple[Tensor, float]]) -> tuple[Tensor, Tensor, Tensor]:
    texts, labels = zip(*batch, strict=True)
    lengths = tg.LongTensor([len(text) for text in texts])
    return pad_sequence(texts, batch_first=True), lengths, tg.FloatTensor(list(labels))


def train_sentiment(path: Path) -> float:
    model = Sentiment(10)
    seen: list[float] = []

    def keep_mean(
        module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor
    ) -> None:
        seen.append(output.mean().item())

    handle = model.out.register_forward_hook(keep_mean)
    loader = DataLoader(
        Texts([[1, 2, 3], [4], [5, 6]] * 4), batch_size=4, collate_fn=collate
    )
    criterion = nn.BCEWithLogitsLoss()
    optimizer = optim.Adam(model.parameters(), lr=1e-2)
    scheduler = optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=0)
    best = float("inf")
    for epoch in range(3):
        total = 0.0
        for texts, lengths, labels in loader:
            optimizer.zero_grad(set_to_none=True)
            loss = criterion(model(texts, lengths), labels)
            loss.backward()
            optimizer.step()
            total += loss.item() * len(labels)
        scheduler.step(total)
        if total < best:
            best = total
            tg.save({"epoch": epoch, "model": model.state_dict(), "best": best}, path)
    handle.remove()
    checkpoint = tg.load(path, map_location="cpu")
    missing, unexpected = model.load_state_dict(checkpoint["model"], strict=False)
    assert not missing and not unexpected and seen
    return best


def mean_of_batches(count: int) -> float:
    dataset = TensorDataset(tg.arange(count).float(), tg.zeros(count))
    loader = DataLoader(dataset, batch_size=3, shuffle=True, generator=tg.Generator())
    return float(sum(x.sum().item() for x, _ in loader) / len(dataset))


def windows(ids: Tensor, length: int) -> Iterator[tuple[Tensor, Tensor]]:
    for i in range(0, len(ids) - length - 1, length):
        yield ids[i : i + length].unsqueeze(1), ids[i + 1 : i + length + 1].unsqueeze(1)


def train_model(
    model: CharModel, ids: Tensor, config: Config, path: Path
) -> list[float]:
    criterion = nn.CrossEntropyLoss(label_smoothing=0.1)
    decay = [p for p in model.parameters() if p.dim() > 1]
    rest = [p for name, p in model.named_parameters() if p.ndim <= 1 and name]
    groups = [
        {"params": decay, "weight_decay": 0.1},
        {"params": rest, "weight_decay": 0.0},
    ]
    optimizer = optim.AdamW(groups, lr=config.lr, betas=(0.9, 0.99))
    scheduler = optim.lr_scheduler.CosineAnnealingLR(
        optimizer, T_max=config.steps, eta_min=1e-5
    )
    losses: list[float] = []
    state = model.init_hidden(1)
    for x, y in windows(ids, 10):
        optimizer.zero_grad()
        logits, state = model(x, state)
        state = state[0].detach(), state[1].detach()
        loss: Tensor = criterion(logits.view(-1, config.vocab), y.reshape(-1))
        loss.backward()
        norm = nn.utils.clip_grad_norm_(model.parameters(), max_norm=1.0)
        optimizer.step()
        scheduler.step()
        losses.append(loss.item())
        if not math.isfinite(float(norm)):
            break
    tg.save_checkpoint(path, model, optimizer, scheduler, step=len(losses))
    checkpoint = tg.load_checkpoint(path, model, optimizer, scheduler)
    print(checkpoint, optimizer.param_groups[0]["lr"], scheduler.get_last_lr()[0])
    return losses


def train_classifier(steps: int) -> npt.NDArray[np.float64]:
    device = tg.device("cuda" if tg.cuda.is_available() else "cpu")
    model = Classifier(4, 3).to(device)
    optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    losses = np.zeros(steps)
    for step in range(steps):
        x = tg.randn(5, 8, 4, device=device)
        y = x.mean(dim=0).argmax(dim=-1) % 3
        loss = F.cross_entropy(model(x), y)
        gradient = tg.autograd.grad(loss, list(model.parameters()), retain_graph=True)[
            0
        ]
        model.zero_grad()
        loss.backward()
        with tg.no_grad():
            for p in model.parameters():
                if p.grad is not None:
                    p.grad.clamp_(-1, 1)
            values, indices = tg.max(x, dim=1)
        optimizer.step()
        losses[step] = loss.item() + 0.0 * float(gradient.abs().sum())
        best = tg.cat([values, values], dim=0).exp().log1p().std()
        right = (model(x).argmax(-1) == y).float().mean()
        print(
            f"best {best.item():.2f}, accuracy {right:.2f}, "
            f"{indices.shape} {tuple(x.shape)}"
        )
    return losses


def main(folder: Path) -> None:
    tg.manual_seed(0)
    text = "to be or not to be, that is the question. " * 3
    vocabulary = tg.data.Vocabulary(text)
    config = Config(vocab=len(vocabulary), steps=12)
    model = CharModel(config)
    ids = tg.tensor([vocabulary.encode(c)[0] for c in text], dtype=tg.int64)
    losses = train_model(model, ids, config, folder / "model.safetensors")
    print(vocabulary.decode(model.generate(int(ids[0]), 20)), f"{losses[-1]:.3f}")
    curve = train_classifier(5)
    print(train_sentiment(folder / "sentiment.safetensors"), mean_of_batches(7))
    best = {name: value.clone() for name, value in model.state_dict().items()}
    model.load_state_dict(best)
    print(curve.mean(), model.num_parameters(), best["rnn.weight_ih_l0"].numpy().dtype)
