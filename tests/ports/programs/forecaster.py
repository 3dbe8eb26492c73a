"""A multivariate forecaster: GRU, Adam, a schedule that waits for plateaus.

Training stops early and keeps the best weights.
"""

import copy

import numpy as np
import torch
from torch import nn, optim
from torch.utils.data import DataLoader, TensorDataset

device = torch.device("cuda" if torch.cuda.is_available() else "cpu")


class Forecaster(nn.Module):
    def __init__(self, n_features, n_hidden, n_layers, horizon):
        super(Forecaster, self).__init__()
        self.horizon = horizon
        self.n_features = n_features
        self.gru = nn.GRU(n_features, n_hidden, num_layers=n_layers, batch_first=True)
        self.fc = nn.Sequential(
            nn.Linear(n_hidden, n_hidden),
            nn.ReLU(),
            nn.Linear(n_hidden, horizon * n_features),
        )

    def forward(self, x):
        h0 = torch.zeros(self.gru.num_layers, x.size(0), self.gru.hidden_size).to(
            device
        )
        out, _ = self.gru(x, h0)
        out = self.fc(out[:, -1, :])
        return out.view(-1, self.horizon, self.n_features)


class EarlyStopping:
    def __init__(self, patience=5, min_delta=0.0):
        self.patience = patience
        self.min_delta = min_delta
        self.counter = 0
        self.best_loss = float("inf")
        self.best_weights = None

    def __call__(self, val_loss, model):
        if val_loss < self.best_loss - self.min_delta:
            self.best_loss = val_loss
            self.best_weights = copy.deepcopy(model.state_dict())
            self.counter = 0
        else:
            self.counter += 1
        return self.counter >= self.patience


def make_series(given, length):
    t = np.arange(length)
    series = np.stack(
        [np.sin(t / 5), np.cos(t / 7) * 2 + 1, np.sin(t / 5) ** 2], axis=1
    )
    series += given.uniform(*series.shape, low=-0.2, high=0.2)
    return (series - series.mean(axis=0)) / series.std(axis=0)


def create_sequences(data, seq_length, horizon):
    xs, ys = [], []
    for i in range(len(data) - seq_length - horizon + 1):
        xs.append(data[i : i + seq_length])
        ys.append(data[i + seq_length : i + seq_length + horizon])
    return torch.from_numpy(np.array(xs)), torch.from_numpy(np.array(ys))


def validate(model, loader, criterion):
    model.eval()
    total, count = 0.0, 0
    with torch.no_grad():
        for xb, yb in loader:
            xb, yb = xb.to(device), yb.to(device)
            total += criterion(model(xb), yb).item() * xb.size(0)
            count += xb.size(0)
    return total / count


def main(given, steps):
    X, y = create_sequences(make_series(given, 120), seq_length=12, horizon=2)
    n_train, n_val = 64, 24
    train_ds = TensorDataset(X[:n_train], y[:n_train])
    val_ds = TensorDataset(X[n_train : n_train + n_val], y[n_train : n_train + n_val])
    test_ds = TensorDataset(X[n_train + n_val :], y[n_train + n_val :])
    val_loader = DataLoader(val_ds, batch_size=8, shuffle=False)
    test_loader = DataLoader(test_ds, batch_size=8)

    model = Forecaster(n_features=3, n_hidden=10, n_layers=2, horizon=2).to(device)
    given.first_weights(model)
    criterion = nn.MSELoss()
    optimizer = optim.Adam(model.parameters(), lr=0.01, weight_decay=1e-5)
    scheduler = optim.lr_scheduler.ReduceLROnPlateau(
        optimizer, mode="min", factor=0.5, patience=0, threshold=0.02
    )
    early_stopping = EarlyStopping(patience=5)

    losses = []
    for epoch in range(-(-steps // 4)):
        model.train()
        order = given.order(len(train_ds))
        train_loader = DataLoader(
            train_ds, batch_size=10, sampler=order, drop_last=True
        )
        for xb, yb in train_loader:
            xb, yb = xb.to(device), yb.to(device)
            optimizer.zero_grad()
            loss = criterion(model(xb), yb)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        val_loss = validate(model, val_loader, criterion)
        scheduler.step(val_loss)
        losses += [val_loss, optimizer.param_groups[0]["lr"]]
        print(f"epoch {epoch}: train {loss.item():.4f} val {val_loss:.4f}")
        if early_stopping(val_loss, model):
            break
    model.load_state_dict(early_stopping.best_weights)
    losses.append(validate(model, test_loader, criterion))
    assert validate(model, val_loader, criterion) == early_stopping.best_loss
    return losses, model
