"""A character-level language model: it learns to spell from a text, then writes in its manner.

    python examples/char_lm.py                      a minute on the documentation inside Python
    python examples/char_lm.py --text FILE --checkpoint lm.safetensors --out out
    python examples/char_lm.py --checkpoint lm.safetensors --resume --steps 20000
    python examples/char_lm.py sample --checkpoint lm.safetensors --prompt "The "

Read it from top to bottom: settings, data, model, sampling, validation, training.
Legend: T time, B batch, V characters of the vocabulary. Losses are in nats per character.
"""

import argparse
import itertools
import json
import math
import shlex
import signal
import sys
import threading
import time
from pathlib import Path

import tinygrad_rnn as tg
import tinygrad_rnn.nn.functional as F
from tinygrad_rnn import nn, optim

try:
    from tqdm import tqdm
except ImportError:  # the bar is an extra; without it there are plain lines
    tqdm = None

# ---------------------------------------------------------------- settings


def number(kind, low, high=math.inf):
    """An argparse type: an int or a float in [low, high)."""

    def number(text):
        if low <= (value := kind(text)) < high:
            return value
        raise argparse.ArgumentTypeError(f"{text} is not in [{low}, {high})")

    return number


def parse(argv, saved=None):
    """The options of the command line; ``saved`` ones stand where it says nothing."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", metavar="train|sample")
    shown = {"formatter_class": argparse.ArgumentDefaultsHelpFormatter}
    train = commands.add_parser("train", help="train a model; also if no command is given", **shown)
    add = train.add_argument
    add("--text", default="python-docs", metavar="FILE|python-docs|hello", help="what to learn")
    add("--cell", default="rnn", choices=("rnn", "lstm", "gru"), help="kind of layer")
    add("--hidden", type=number(int, 1), default=128, help="size of the state")
    add("--layers", type=number(int, 1), default=1, help="one upon the other")
    add("--dropout", type=number(float, 0, 1), default=0.0, help="share of each layer's output")
    add("--batch", type=number(int, 1), default=32, help="places of the text read side by side")
    add("--seq", type=number(int, 1), default=50, help="characters that gradients flow through")
    add("--steps", type=number(int, 1), default=8000, help="in total, also when resuming")
    add("--lr", type=number(float, 0), default=2e-3, help="learning rate of Adam")
    add("--clip", type=number(float, 0), default=5.0, help="largest norm of gradients, 0 for any")
    add("--seed", type=number(int, 0), default=0, help="of initial values and dropout")
    add("--device", default="cpu", metavar="cpu|cuda|cuda:N", help="where to compute")
    add("--checkpoint", type=Path, metavar="PATH", help="where to save, at every validation")
    add("--resume", action="store_true", help="go on from the checkpoint, with its settings")
    add("--val-every", type=number(int, 1), default=1000, metavar="STEPS", help="how often")
    add("--out", type=Path, metavar="DIR", help="for the loss curve and the written text")
    add("--json", action="store_true", help="one JSON object a line, at every validation")
    train.set_defaults(**saved or {})
    write = commands.add_parser("sample", help="write text with a trained model", **shown)
    add = write.add_argument
    add("--checkpoint", type=Path, metavar="PATH", required=True)
    add("--prompt", default="", metavar="TEXT", help="how the text begins")
    add("--length", type=number(int, 0), default=500, help="characters to add")
    add("--temperature", type=number(float, 0), default=0.8, help="0 takes the likeliest")
    add("--top-k", type=number(int, 1), metavar="K", help="draw from the K likeliest only")
    add("--seed", type=number(int, 0), default=0, help="of what is drawn")
    implied = not argv or (argv[0].startswith("-") and argv[0] not in ("-h", "--help"))
    options = parser.parse_args(["train", *argv] if implied else argv)
    if options.command == "train" and options.resume and not options.checkpoint:
        train.error("--resume needs --checkpoint PATH, the file to go on from")
    return options


# What a checkpoint keeps of them: the model's, which sampling needs too, and what training needs.
MODEL = ("cell", "hidden", "layers", "dropout")
SETTINGS = (*MODEL, "text", "batch", "seq", "steps", "lr", "clip", "seed", "val_every", "out")
FIXED = ("cell", "hidden", "layers", "batch", "seq")  # what a run that goes on cannot change


def resumed(argv, path):
    """The options of a run that goes on: those of its checkpoint, where the command line has none."""
    saved, _ = opened(path)
    options = parse(argv, saved)
    for name in FIXED:
        if (value := getattr(options, name)) != saved[name]:
            way = "leave it out to go on, or begin anew with another --checkpoint"
            raise tg.Error(f"--{name} {value}: the run in {path} has {saved[name]}; {way}")
    return options


# ---------------------------------------------------------------- data


def read(text):
    if text == "hello":
        return "hello small world, here is a line that a network can learn by heart. " * 500
    if text == "python-docs":
        from pydoc_data.topics import topics

        return "\n".join(topics.values())
    return tg.data.read_text(text)


# ---------------------------------------------------------------- model


class CharLM(nn.Module):
    """ids (T, B) and a state -> logits (T, B, V) and the next state; (T,) -> (T, V) too."""

    def __init__(self, size, cell, hidden, layers, dropout):
        super().__init__()
        layer = getattr(nn, cell.upper())
        self.rnn = layer(size, hidden, layers, dropout=dropout if layers > 1 else 0.0)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(hidden, size)

    def forward(self, ids, state=None):
        out, state = self.rnn(ids, state)  # ids stand for one-hot rows
        return self.head(self.dropout(out)), state


def carried(state, device):
    """The state as the next window takes it: its values, without what they came from."""
    if isinstance(state, tuple):  # an LSTM has two
        return tuple(carried(part, device) for part in state)
    return state if state is None else state.detach().to(device=device)  # none before the first


# ---------------------------------------------------------------- sampling


@tg.no_grad()
def sample(model, vocabulary, device, prompt, length, temperature=0.8, top_k=None, seed=0):
    """The prompt and ``length`` more characters; its own generator leaves training's alone."""
    generator = tg.Generator().manual_seed(seed)
    # Without a prompt, what is written comes after the first character, a line end or a space.
    ids = vocabulary.encode(prompt or vocabulary.characters[0])
    model.eval()
    step, written = nn.Stepper(model.rnn, model.head), []
    logits, state = model(ids.to(device=device))
    logits = logits[-1]
    for _ in range(length):
        drawn = tg.categorical(logits, temperature, top_k, generator=generator)
        written.append(drawn.item())
        logits, state = step(drawn, state)
    model.train()
    return prompt + vocabulary.decode(written)


def opened(path):
    """What a checkpoint says before there is a model: its settings and its vocabulary."""
    extra = tg.load_checkpoint(path).extra
    if not isinstance(extra, dict) or not {"settings", "characters"} <= extra.keys():
        raise tg.Error(f"{str(path)!r} is no checkpoint of char_lm")
    return extra["settings"], tg.data.Vocabulary(extra["characters"])


def run_sample(options):
    settings, vocabulary = opened(options.checkpoint)
    model = CharLM(len(vocabulary), **{name: settings[name] for name in MODEL})
    tg.load_checkpoint(options.checkpoint, model)
    wanted = (options.prompt, options.length, options.temperature, options.top_k, options.seed)
    print(sample(model, vocabulary, "cpu", *wanted))


# ---------------------------------------------------------------- validation


def loss_of(logits, y):
    return F.cross_entropy(logits.reshape(-1, logits.shape[-1]), y.reshape(-1))


@tg.no_grad()
def validate(model, streams, device):
    """The loss over the whole validation text, the state carried from window to window."""
    model.eval()
    state, total = None, 0.0
    for x, y in streams:
        logits, state = model(x.to(device=device), state)
        total += loss_of(logits, y.to(device=device)).item()
    model.train()
    return total / len(streams)


# ---------------------------------------------------------------- training


def run_train(options):
    device, path = options.device, options.checkpoint
    for folder in (options.out, path and path.parent):
        if folder:
            folder.mkdir(parents=True, exist_ok=True)  # what cannot be written fails now

    def say(text, file=sys.stderr if options.json else sys.stdout):
        (tqdm.write if tqdm else print)(text, file=file)
        file.flush()

    tg.manual_seed(options.seed)
    text = read(options.text)
    for name in ("text", "out"):  # as a checkpoint keeps them: to go on from any folder
        if (value := getattr(options, name)) not in (None, "hello", "python-docs"):
            setattr(options, name, str(Path(value).resolve()))
    vocabulary = tg.data.Vocabulary(text)
    streams = tg.data.TextStreams(text, vocabulary, options.batch, options.seq)
    streams, val_streams = streams.split(val_fraction=0.1)
    model = CharLM(len(vocabulary), **{name: getattr(options, name) for name in MODEL})
    model.to(device=device)
    optimizer = optim.Adam(model.parameters(), lr=options.lr)
    step, state, curve, recent = 0, None, [], []
    if options.resume:
        streams.load_state_dict(tg.load_checkpoint(path).extra["streams"])
        step, extra = tg.load_checkpoint(path, model, optimizer)
        optimizer.param_groups[0]["lr"] = options.lr
        state, curve, recent = carried(extra["state"], device), extra["curve"], extra["recent"]
        if step >= options.steps:
            return say(f"{path} is at step {step}; --steps is the total, so ask for more to go on")

    def save():
        extra = {"settings": {name: getattr(options, name) for name in SETTINGS}}
        extra |= {"characters": vocabulary.characters, "streams": streams.state_dict()}
        extra |= {"state": state, "curve": curve, "recent": recent}
        tg.save_checkpoint(path, model, optimizer, step=step, extra=extra)

    if path and not options.resume:
        if path.is_file():
            names = (Path(f"{path}.old{n or ''}") for n in itertools.count())
            old = path.rename(next(name for name in names if not name.exists()))
            say(f"{path} was there: kept as {old}; --resume would have gone on from it")
        save()  # what cannot be written fails now, not after the first thousand steps

    say(f"{options.text}: {len(text):,} characters, {len(vocabulary)} distinct ones")
    say(f"{model}: {model.num_parameters():,} parameters, {device}")
    say(f"\nAt step {step} it writes:\n{sample(model, vocabulary, device, '', 200)}\n")

    stop = threading.Event()  # Ctrl-C ends training between two steps; a second one at once

    def end_training(*_):
        stop.set()
        signal.signal(signal.SIGINT, signal.default_int_handler)

    signal.signal(signal.SIGINT, end_training)
    total, window = options.steps, options.batch * options.seq
    since, started, steps = step, time.perf_counter(), range(step + 1, total + 1)
    if tqdm:  # its bar shows on a terminal only
        steps = tqdm(steps, None, total, unit="char", unit_scale=window, initial=step, disable=None)
    for step in steps:
        x, y, first = streams.next_batch()
        logits, state = model(x.to(device=device), None if first else state)
        state = carried(state, device)
        loss = loss_of(logits, y.to(device=device))
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), options.clip or math.inf)
        optimizer.step()
        recent = [*recent[-99:], loss.item()]
        if tqdm:
            steps.set_postfix_str(f"loss {recent[-1]:.3f}", refresh=False)

        interrupted = stop.is_set()  # asked once: a signal between two looks must not be lost
        if interrupted and path:
            save()  # who asks a second time does not wait for the validation
        if step % options.val_every == 0 or step == total or interrupted:
            speed = (step - since) * window / (time.perf_counter() - started)
            train_loss, val_loss = sum(recent) / len(recent), validate(model, val_streams, device)
            curve.append([step, train_loss, val_loss])
            say(f"step {step}/{total}: training {train_loss:.3f} nats, validation {val_loss:.3f} "
                f"nats = {val_loss / math.log(2):.3f} bits, {speed:,.0f} characters/s")  # fmt: skip
            if options.json:
                line = {"step": step, "train_loss": train_loss, "val_loss": val_loss}
                say(json.dumps(line | {"chars_per_second": round(speed)}), sys.stdout)
            if path:
                save()
            since, started = step, time.perf_counter()
        if interrupted:
            break

    written, script = sample(model, vocabulary, device, "", 500), shlex.quote(sys.argv[0])
    say(f"\nAt step {step} it writes:\n{written}\n")
    if options.out:
        (Path(options.out) / "sample.txt").write_text(written + "\n", encoding="utf-8")
        draw(curve, Path(options.out) / "loss.png", say)
    if not path:
        say("Nothing was kept: --checkpoint PATH saves the model, --out DIR loss curve and text")
    elif step < total:
        say(f"Go on: python {script} --checkpoint {shlex.quote(str(path))} --resume")
    else:
        say(f"More text: python {script} sample --checkpoint {shlex.quote(str(path))}")


def draw(curve, path, say):
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return say("No loss curve: matplotlib is not installed")
    figure = Figure()
    axes = figure.add_subplot(title="Loss", xlabel="step", ylabel="nats per character")
    for number, label in ((1, "training, mean of 100 steps"), (2, "validation")):
        axes.plot([point[0] for point in curve], [point[number] for point in curve], label=label)
    axes.legend()
    figure.savefig(path)


def main(argv):
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace")  # a terminal may lack a character of the text
    options = parse(argv)
    try:
        if options.command == "sample":
            return run_sample(options)
        if options.resume:
            options = resumed(argv, options.checkpoint)
        run_train(options)
    except (tg.Error, OSError) as error:
        print(f"char_lm.py: error: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main(sys.argv[1:])
