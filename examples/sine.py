"""Predict a sine wave: a vanilla RNN reads 10 points of one and says where the 11th will be.

    python examples/sine.py
    python examples/sine.py --epochs 1000 --out out      draws a forecast that feeds on itself

Legend: N sequences, L points in each, H hidden.
"""

import argparse
import json
import math
import sys
from pathlib import Path

import tinygrad_rnn as tg
from tinygrad_rnn import nn, optim


class SineRNN(nn.Module):
    """(N, L, 1) -> (N, 1): the next point, read off the state after the last one."""

    def __init__(self, hidden):
        super().__init__()
        self.rnn = nn.RNN(1, hidden, batch_first=True)
        self.linear = nn.Linear(hidden, 1)

    def forward(self, x):
        out, _ = self.rnn(x)  # (N, L, H)
        return self.linear(out[:, -1])


def unit_wave(points, length):
    """sin from 0 on, one turn every ``length`` points: (points,)."""
    return tg.tensor([math.sin(2 * math.pi * k / length) for k in range(points)])


@tg.no_grad()
def forecast(model, seen, count):
    """``count`` points after those ``seen`` (L,), each predicted from the L before it."""
    points = seen
    for _ in range(count):
        following = model(points[-len(seen) :].reshape(1, -1, 1))
        points = tg.cat([points, following.reshape(1)])
    return points[len(seen) :]


def run(options):
    def say(text):
        print(text, file=sys.stderr if options.json else sys.stdout)

    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)  # what cannot be written fails now
    tg.manual_seed(options.seed)
    X, y = tg.data.sine_waves(num_sequences=100, sequence_length=options.seq)
    X, y = X.to(device=options.device), y.reshape(-1, 1).to(device=options.device)
    model = SineRNN(options.hidden).to(device=options.device)
    optimizer = optim.Adam(model.parameters(), lr=0.01)
    criterion = nn.MSELoss()
    say(f"{len(X)} sequences of {options.seq} points; {model.num_parameters()} parameters")
    for epoch in range(options.epochs):
        optimizer.zero_grad()
        loss = criterion(model(X), y)
        loss.backward()
        optimizer.step()
        if epoch % 50 == 0:
            say(f"epoch {epoch}: loss {loss.item():.6f}")
        if options.json:
            print(json.dumps({"epoch": epoch, "loss": loss.item()}))

    # A full turn from 0 to 2 pi in L + 1 points: all but the last are seen, the last is to come.
    seen = unit_wave(options.seq, options.seq).to(device=options.device)
    predicted, actual = forecast(model, seen, 1).item(), math.sin(2 * math.pi)
    error = abs(predicted - actual)
    say(f"the end of a turn, sin(2 pi) = 0: predicted {predicted:.4f}, error {error:.4f}")
    if options.json:
        print(json.dumps({"predicted": predicted, "actual": actual, "error": error}))
    if options.out:
        draw(seen, forecast(model, seen, 4 * options.seq), options.out, say)


def draw(seen, predicted, folder, say):
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return say("no picture: matplotlib is not installed")
    length, ahead = len(seen), range(len(seen), len(seen) + len(predicted))
    figure = Figure(figsize=(8, 3), layout="tight")
    axes = figure.add_subplot(xlabel="point", ylabel="sin")
    axes.plot(unit_wave(length + len(predicted), length).numpy(), color="lightgray", label="true")
    axes.plot(seen.cpu().numpy(), "o", label="seen")
    axes.plot(ahead, predicted.cpu().numpy(), ".-", label="forecast, fed with itself")
    axes.legend(loc="lower left")
    figure.savefig(folder / "sine.png")
    say(f"the forecast is in {folder / 'sine.png'}")


def count(text):
    if int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is not at least 1")
    return int(text)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=count, default=200)
    parser.add_argument("--hidden", type=count, default=16, help="size of the state")
    parser.add_argument("--seq", type=count, default=10, help="points that are seen")
    parser.add_argument("--device", default="cpu", metavar="cpu|cuda|cuda:N")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, metavar="DIR", help="for a picture of a forecast")
    parser.add_argument("--json", action="store_true", help="one JSON object a line, every epoch")
    try:
        run(parser.parse_args())
    except KeyboardInterrupt:
        parser.exit(130, f"{parser.prog}: stopped\n")
    except (tg.Error, OSError) as error:
        parser.exit(2, f"{parser.prog}: error: {error}\n")


if __name__ == "__main__":
    main()
