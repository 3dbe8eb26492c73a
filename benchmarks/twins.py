"""The same character model trained here and in PyTorch: same start, same windows, same
steps.

    python benchmarks/twins.py --text FILE [--steps 2000] [--hidden 256] [--batch 64]
    [--seq 64]

A tanh RNN reads one-hot characters, Adam 2e-3, gradients clipped at norm 5, the state
carried from window to window; the last tenth of the text is for validation. Prints the
losses side by side, in nats per character. Needs PyTorch (the extra "parity").
"""

import argparse
import math
import time
from pathlib import Path

import numpy as np
import torch

import tinygrad_rnn as tg
import tinygrad_rnn.nn.functional as F
from tinygrad_rnn import nn, optim


class Ours(nn.Module):
    def __init__(self, vocabulary: int, hidden: int) -> None:
        super().__init__()
        self.rnn = nn.RNN(vocabulary, hidden)
        self.head = nn.Linear(hidden, vocabulary)

    def loss(self, x: tg.Tensor, y: tg.Tensor, state: tg.Tensor | None):
        output, state = self.rnn(x, state)
        return F.cross_entropy(self.head(output).flatten(0, 1), y.flatten()), state


class Theirs(torch.nn.Module):
    def __init__(self, vocabulary: int, hidden: int) -> None:
        super().__init__()
        self.vocabulary = vocabulary
        self.rnn = torch.nn.RNN(vocabulary, hidden)
        self.head = torch.nn.Linear(hidden, vocabulary)

    def loss(self, x: torch.Tensor, y: torch.Tensor, state: torch.Tensor | None):
        output, state = self.rnn(
            torch.nn.functional.one_hot(x, self.vocabulary).float(), state
        )
        loss = torch.nn.functional.cross_entropy(
            self.head(output).flatten(0, 1), y.flatten()
        )
        return loss, state


def validation(model, windows, convert, no_grad) -> float:
    """The mean loss over windows, the state carried from one to the next."""
    total, state = 0.0, None
    with no_grad():
        for x, y in windows:
            loss, state = model.loss(convert(x), convert(y), state)
            total += loss.item()
    return total / len(windows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--text", type=Path, required=True)
    for name, default in (("steps", 2000), ("hidden", 256), ("batch", 64), ("seq", 64)):
        parser.add_argument(f"--{name}", type=int, default=default)
    options = parser.parse_args()

    text = options.text.read_text(encoding="utf-8")
    vocabulary = tg.data.Vocabulary(text)
    streams = tg.data.TextStreams(text, vocabulary, options.batch, options.seq)
    train, val = streams.split(0.1)
    windows = list(val)

    tg.manual_seed(0)
    ours = Ours(len(vocabulary), options.hidden)
    theirs = Theirs(len(vocabulary), options.hidden)
    theirs.load_state_dict(
        {
            name: torch.from_numpy(t.numpy().copy())
            for name, t in ours.state_dict().items()
        }
    )
    our_adam = optim.Adam(ours.parameters(), lr=2e-3)
    their_adam = torch.optim.Adam(theirs.parameters(), lr=2e-3)
    our_state = their_state = None
    seconds = np.zeros(2)
    convert = lambda t: torch.from_numpy(t.numpy())

    print(
        "| step | ours, train | PyTorch, train | ours, validation | PyTorch, validation |"
    )
    print("|---|---|---|---|---|")
    for step in range(1, options.steps + 1):
        x, y, first = train.next_batch()
        if first:
            our_state = their_state = None

        start = time.perf_counter()
        our_adam.zero_grad()
        our_loss, our_state = ours.loss(x, y, our_state)
        our_loss.backward()
        nn.utils.clip_grad_norm_(ours.parameters(), 5.0)
        our_adam.step()
        our_state = our_state.detach()
        between = time.perf_counter()
        their_adam.zero_grad()
        their_loss, their_state = theirs.loss(convert(x), convert(y), their_state)
        their_loss.backward()
        torch.nn.utils.clip_grad_norm_(theirs.parameters(), 5.0)
        their_adam.step()
        their_state = their_state.detach()
        seconds += between - start, time.perf_counter() - between

        if step % max(options.steps // 4, 1) == 0:
            found = (
                our_loss.item(),
                their_loss.item(),
                validation(ours, windows, lambda t: t, tg.no_grad),
                validation(theirs, windows, convert, torch.no_grad),
            )
            print(
                f"| {step} | {' | '.join(f'{loss:.4f}' for loss in found)} |",
                flush=True,
            )
    gap = abs(found[2] - found[3])
    print(
        f"\nvalidation: {gap:.4f} nats apart, {found[2] / math.log(2):.3f} bits per character"
    )
    print(f"training: {seconds[0]:.1f} s here, {seconds[1]:.1f} s in PyTorch")


if __name__ == "__main__":
    main()
