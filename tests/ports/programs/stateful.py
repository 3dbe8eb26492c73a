"""A long noisy series in parallel streams, with the state carried between batches."""

import io
import random

import numpy as np
import torch
from torch import nn
from torch.optim.lr_scheduler import CosineAnnealingLR

random.seed(1)
np.random.seed(1)
torch.manual_seed(1)


class StatefulRNN(nn.Module):
    def __init__(self, input_size, hidden_size, batch_size):
        super().__init__()
        self.lstm = nn.LSTM(input_size, hidden_size, batch_first=True)
        self.head = nn.Linear(hidden_size, 1)
        self.batch_size = batch_size
        self.hidden = None
        self.reset_states()

    def reset_states(self, batch_size=None):
        size = (1, batch_size or self.batch_size, self.lstm.hidden_size)
        self.hidden = [torch.zeros(*size), torch.zeros(*size)]

    def detach_states(self):
        for state in self.hidden:
            state.detach_()

    def forget(self, finished):
        """Zero the states of the streams that have reached their end."""
        keep = (~finished).to(self.hidden[0].dtype).view(1, -1, 1)
        self.hidden = [state * keep for state in self.hidden]

    def forward(self, x):
        out, (h, c) = self.lstm(x, tuple(self.hidden))
        self.hidden = [h, c]
        return self.head(out)


def make_streams(given, batch_size, length):
    t = np.arange(length * batch_size)
    series = np.sin(t / 6.0) * np.cos(t / 31.0) + given.uniform(
        t.size, low=-0.1, high=0.1
    )
    return torch.as_tensor(series.reshape(batch_size, length)).unsqueeze(-1)


def train_epoch(model, streams, window, optimizer, finished_at):
    losses = []
    model.reset_states()
    for start in range(0, streams.shape[1] - window, window):
        x = streams[:, start : start + window]
        y = streams[:, start + 1 : start + window + 1]
        model.forget(torch.from_numpy(finished_at == start))
        y_pred = model(x)
        loss = torch.nn.functional.mse_loss(y_pred, y, reduction="sum") / x.numel()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        model.detach_states()
        losses.append(loss.item())
    return losses


@torch.no_grad()
def free_run(model, warm_up, count):
    """Feed the model with its own predictions."""
    model.eval()
    model.reset_states(batch_size=1)
    prediction = model(warm_up[None])[:, -1:]
    predictions = []
    for _ in range(count):
        predictions.append(prediction.item())
        prediction = model(prediction)
    model.train()
    return predictions


def main(given, steps, batch_size=4, window=10):
    streams = make_streams(given, batch_size, 101)
    model = StatefulRNN(1, 9, batch_size)
    given.first_weights(model)
    optimizer = torch.optim.SGD(
        model.parameters(), lr=0.05, momentum=0.9, nesterov=True
    )
    scheduler = CosineAnnealingLR(optimizer, T_max=5, eta_min=1e-3)
    losses, best, best_file = [], float("inf"), io.BytesIO()
    for epoch in range(-(-steps // 10)):
        finished_at = given.integers(0, 10, batch_size) * window
        epoch_losses = train_epoch(model, streams, window, optimizer, finished_at)
        scheduler.step()
        if sum(epoch_losses) < best:
            best = sum(epoch_losses)
            best_file.seek(0)
            best_file.truncate()
            torch.save(model.state_dict(), best_file)
        losses += epoch_losses
        print("epoch {:d} loss {:.4f}".format(epoch, np.mean(epoch_losses)))
    best_file.seek(0)
    model.load_state_dict(torch.load(best_file, weights_only=True))
    losses += free_run(model, streams[0, :20], 15)
    return losses, model
