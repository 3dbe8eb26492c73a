"""Names and their languages: a Dataset, and a DataLoader that pads.

With a masked mean, and statistics by a hook.
"""

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import DataLoader, Dataset

NAMES = {
    "Greek": "Adamos Kalakos Manos Sarantos Stamos Vassos Christou Nikolaou".split(),
    "Polish": "Kowalczyk Nowak Wojcik Wisniewski Zielinski Szymanski Wozniak".split(),
    "Italian": "Rossi Bianchi Romano Colombo Ricci Marino Greco Conti Bruno".split(),
}
ALPHABET = sorted(set("".join("".join(names) for names in NAMES.values()).lower()))


@dataclass
class Config:
    emb: int = 6
    hidden: int = 9
    batch_size: int = 5
    lr: float = 0.1


class NamesDataset(Dataset):
    def __init__(self, names):
        self.labels = list(names)
        self.items = [
            (name, i) for i, label in enumerate(names) for name in names[label]
        ]

    def __len__(self):
        return len(self.items)

    def __getitem__(self, idx):
        name, label = self.items[idx]
        letters = torch.tensor([ALPHABET.index(c) + 1 for c in name.lower()])
        return letters, torch.tensor(label)


def collate_fn(batch):
    batch.sort(key=lambda item: len(item[0]), reverse=True)
    sequences, labels = zip(*batch)
    lengths = torch.LongTensor([len(s) for s in sequences])
    padded = pad_sequence(sequences, batch_first=True, padding_value=0)
    return {"letters": padded, "lengths": lengths, "labels": torch.stack(labels)}


class NameClassifier(nn.Module):
    def __init__(self, config, n_letters, n_classes):
        super().__init__()
        self.embedding = nn.Embedding(n_letters + 1, config.emb, padding_idx=0)
        self.rnn = nn.RNN(
            config.emb, config.hidden, nonlinearity="relu", batch_first=True
        )
        self.classifier = nn.Sequential()
        self.classifier.add_module("hidden", nn.Linear(config.hidden, config.hidden))
        self.classifier.add_module("act", nn.Tanh())
        self.classifier.add_module("out", nn.Linear(config.hidden, n_classes))

    def forward(self, letters, lengths):
        output, _ = self.rnn(self.embedding(letters))
        mask = torch.arange(letters.size(1))[None, :] < lengths[:, None]
        mask = mask.unsqueeze(-1).type(output.dtype)
        pooled = (output * mask).sum(1) / mask.sum(1)
        return self.classifier(pooled)


def main(given, steps):
    config = Config()
    dataset = NamesDataset(NAMES)
    model = NameClassifier(config, len(ALPHABET), len(dataset.labels))
    given.first_weights(model)
    activations = []

    def save_statistics(module, inputs, output):
        activations.append(output.detach().abs().mean().item())

    handle = model.classifier.act.register_forward_hook(save_statistics)
    optimizer = torch.optim.Adagrad(model.parameters(), lr=config.lr, lr_decay=0.01)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=3, gamma=0.5)
    criterion = nn.CrossEntropyLoss(reduction="none")
    losses = []
    while len(losses) < steps:
        sampler = given.order(len(dataset))
        loader = DataLoader(
            dataset,
            config.batch_size,
            sampler=sampler,
            collate_fn=collate_fn,
            num_workers=0,
        )
        for i, batch in enumerate(loader):
            logits = model(batch["letters"], batch["lengths"])
            loss = criterion(logits, batch["labels"]).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        assert i + 1 == len(loader)
        scheduler.step()
    handle.remove()
    model.eval()
    with torch.inference_mode():
        for letters, label in dataset:
            scores = model(letters.unsqueeze(0), torch.tensor([len(letters)]))
            confidence, guess = torch.max(scores.softmax(-1), dim=1)
            losses += [confidence.item(), float(guess == label)]
    return losses + activations, model
