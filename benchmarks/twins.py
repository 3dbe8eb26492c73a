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

import torch

import tinygrad_rnn as tg
import tinygrad_rnn.nn.functional as F
from tinygrad_rnn import nn


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


def to_torch(tensor: tg.Tensor) -> torch.Tensor:
    return torch.from_numpy(tensor.numpy())


class Training:
    """A model in training, and the seconds that its steps have taken."""

    def __init__(self, model, library, convert) -> None:
        self.model, self.library, self.convert = model, library, convert
        self.optimizer = library.optim.Adam(model.parameters(), lr=2e-3)
        self.state = None
        self.seconds = 0.0

    def step(self, x: tg.Tensor, y: tg.Tensor) -> float:
        """Train on a window; return the loss."""
        start = time.perf_counter()
        self.optimizer.zero_grad()
        loss, state = self.model.loss(self.convert(x), self.convert(y), self.state)
        loss.backward()
        self.library.nn.utils.clip_grad_norm_(self.model.parameters(), 5.0)
        self.optimizer.step()
        self.state = state.detach()
        self.seconds += time.perf_counter() - start
        return loss.item()

    def validate(self, windows) -> float:
        """The mean loss over windows, the state carried from one to the next."""
        total, state = 0.0, None
        with self.library.no_grad():
            for x, y in windows:
                x, y = self.convert(x), self.convert(y)
                loss, state = self.model.loss(x, y, state)
                total += loss.item()
        return total / len(windows)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--text", type=Path, required=True)
    for name, default in (("steps", 2000), ("hidden", 256), ("batch", 64), ("seq", 64)):
        parser.add_argument(f"--{name}", type=int, default=default)
    return parser.parse_args()


def main() -> None:
    options = arguments()
    text = options.text.read_text(encoding="utf-8")
    vocabulary = tg.data.Vocabulary(text)
    streams = tg.data.TextStreams(text, vocabulary, options.batch, options.seq)
    train, validation = streams.split(0.1)
    windows = list(validation)

    tg.manual_seed(0)
    our_model = Ours(len(vocabulary), options.hidden)
    their_model = Theirs(len(vocabulary), options.hidden)
    weights = our_model.state_dict().items()
    their_model.load_state_dict({name: to_torch(t.clone()) for name, t in weights})
    ours = Training(our_model, tg, lambda tensor: tensor)
    theirs = Training(their_model, torch, to_torch)

    print(
        "| step | ours, train | PyTorch, train "
        "| ours, validation | PyTorch, validation |"
    )
    print("|---|---|---|---|---|")
    for step in range(1, options.steps + 1):
        x, y, first = train.next_batch()
        if first:
            ours.state = theirs.state = None
        found = [ours.step(x, y), theirs.step(x, y)]
        if step % max(options.steps // 4, 1) == 0:
            found += [ours.validate(windows), theirs.validate(windows)]
            losses = " | ".join(f"{loss:.4f}" for loss in found)
            print(f"| {step} | {losses} |", flush=True)
    our_loss, their_loss = ours.validate(windows), theirs.validate(windows)
    print(
        f"\nvalidation: {abs(our_loss - their_loss):.4f} nats apart, "
        f"{our_loss / math.log(2):.3f} bits per character"
    )
    print(f"training: {ours.seconds:.1f} s here, {theirs.seconds:.1f} s in PyTorch")


if __name__ == "__main__":
    main()
