"""A character-level language model: it learns to spell from a text, and writes like it.

    python examples/char_lm.py                      one minute, on Python's docs
    python examples/char_lm.py --text FILE --checkpoint lm.safetensors --out out
    python examples/char_lm.py --text BIG --cache DIR --checkpoint lm.safetensors
    python examples/char_lm.py --checkpoint lm.safetensors --resume --steps 20000
    python examples/char_lm.py --init-from lm.safetensors --text OTHER --checkpoint new
    python examples/char_lm.py sample --checkpoint lm.safetensors --prompt "The "
    python examples/char_lm.py score --checkpoint lm.safetensors --text FILE
    mpiexec -n 4 python examples/char_lm.py --distributed

Read it from top to bottom: settings, several processes, data, model, sampling and
scoring, a run and its checkpoint, training, output, and the three commands. In shapes,
T is time, B the batch and V the number of characters. Losses are in nats per character.
"""

import argparse
import hashlib
import itertools
import json
import math
import os
import secrets
import shlex
import signal
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tinygrad_rnn as tg
import tinygrad_rnn.nn.functional as F
from tinygrad_rnn import nn, optim

try:
    from tqdm.auto import tqdm  # in a notebook, the bar is one of its widgets
except ImportError:  # the bar is an extra; without it there are plain lines
    tqdm = None

clock = time.monotonic

# ---------------------------------------------------------------- settings

# The settings that a checkpoint keeps: the model's, then those of training.
MODEL = ("cell", "hidden", "layers", "dropout")
TRAINING = (
    *("text", "encoding", "val_fraction", "batch", "seq", "reset", "steps", "lr"),
    *("lr_schedule", "warmup", "clip", "seed", "keep_best", "val_every", "out"),
    "cache",
)
# A resumed run cannot change these.
SHAPES = ("cell", "hidden", "layers")
FIXED = (*SHAPES, "batch", "seq", "val_fraction", "seed")
# Version 0.1 had no such settings. This is how its runs began, so they go on like that.
OLDER = {"reset": 0.0, "lr_schedule": "constant", "warmup": 0, "val_fraction": 0.1}


def number_type(kind, low, high=math.inf):
    """Return an argparse type: an int or a float in [low, high)."""

    def convert(text):
        value = kind(text)
        if low <= value < high:
            return value
        raise argparse.ArgumentTypeError(f"{text} is not in [{low}, {high})")

    convert.__name__ = kind.__name__  # as argparse calls it in messages
    return convert


COUNT, POSITIVE = number_type(int, 1), number_type(float, 0)
SHARE = number_type(float, 0, 1)
CELLS, SCHEDULES = ("rnn", "lstm", "gru"), ("constant", "cosine", "step")
TEXT = "FILE|python-docs|hello"
TEXT_HELP = "text to learn from: a file, Python's documentation, or one line repeated"
SCHEDULE = "learning rate over time; step divides it by 10 at 1/2 and at 3/4 of the run"


def add_compile_option(add):
    faster = "compile the model with tg.compile, for the same results in less time"
    yes_or_no = argparse.BooleanOptionalAction
    add("--compile", action=yes_or_no, default=True, help=faster)


def add_model_options(add):
    add("--cell", default="rnn", choices=CELLS, help="type of recurrent layer")
    add("--hidden", type=COUNT, default=128, help="size of the hidden state")
    add("--layers", type=COUNT, default=1, help="number of stacked layers")
    add("--dropout", type=SHARE, default=0.0, help="dropout after each layer")


def add_data_options(add):
    add("--text", default="python-docs", metavar=TEXT, help=TEXT_HELP)
    add("--encoding", default="utf-8", help="encoding of the text file")
    cache = "folder for the ids of the text, which is read from there, not into memory"
    cache += "; texts of over 64 MiB get one by themselves"
    add("--cache", type=Path, metavar="DIR", help=cache)
    split = "share of the text, at its end, to validate on"
    add("--val-fraction", type=SHARE, default=0.1, metavar="SHARE", help=split)
    streams = "number of streams that the text is read as, side by side"
    add("--batch", type=COUNT, default=32, help=streams)
    window = "number of characters that gradients flow back through"
    add("--seq", type=COUNT, default=50, help=window)
    reset = "share of the streams that start each window from a zero state"
    add("--reset", type=SHARE, default=0.02, metavar="SHARE", help=reset)


def add_training_options(add):
    total = "number of steps in total, also for a resumed run"
    add("--steps", type=COUNT, default=8000, help=total)
    add("--lr", type=POSITIVE, default=2e-3, help="learning rate of Adam")
    add("--lr-schedule", default="constant", choices=SCHEDULES, help=SCHEDULE)
    warmup = "number of steps in which the learning rate rises"
    add("--warmup", type=number_type(int, 0), default=0, metavar="STEPS", help=warmup)
    clip = "maximum norm of the gradients; 0 for no limit"
    add("--clip", type=POSITIVE, default=5.0, help=clip)
    seed = "seed of initial weights, dropout and resets"
    add("--seed", type=number_type(int, 0), default=0, help=seed)
    device = "device to train on"
    add("--device", default="cpu", metavar="cpu|cuda|cuda:N", help=device)
    add_compile_option(add)
    several = "share the streams out among the processes that mpiexec starts"
    add("--distributed", action="store_true", help=several)


def add_output_options(add):
    checkpoint = "file to save the run to, at every validation"
    add("--checkpoint", type=Path, metavar="PATH", help=checkpoint)
    resume = "go on from the checkpoint, with its settings"
    add("--resume", action="store_true", help=resume)
    init_from = "checkpoint whose weights a new run starts with"
    add("--init-from", type=Path, metavar="PATH", help=init_from)
    keep_best = "keep the best weights in the checkpoint, too"
    add("--keep-best", action="store_true", help=keep_best)
    val_every = "number of steps between validations"
    add("--val-every", type=COUNT, default=500, metavar="STEPS", help=val_every)
    out = "folder for the loss curve and a sample"
    add("--out", type=Path, metavar="DIR", help=out)
    as_json = "print a JSON object, on one line, at every validation"
    add("--json", action="store_true", help=as_json)


def add_checkpoint_options(add):
    add("--checkpoint", type=Path, metavar="PATH", required=True, help="trained model")
    add("--best", action="store_true", help="use the weights that --keep-best kept")
    add_compile_option(add)


def add_sample_options(add):
    add_checkpoint_options(add)
    add("--prompt", default="", metavar="TEXT", help="start of the text")
    length = "number of characters to add"
    add("--length", type=number_type(int, 0), default=500, help=length)
    temperature = "below 1 for likelier characters; 0 takes the likeliest"
    add("--temperature", type=POSITIVE, default=0.8, help=temperature)
    add("--top-k", type=COUNT, metavar="K", help="draw from the K likeliest only")
    top_p = "draw from the fewest that have this share of the probability"
    add("--top-p", type=POSITIVE, metavar="P", help=top_p)
    seed = "seed of the draws; a new one each time if left out"
    add("--seed", type=number_type(int, 0), help=seed)


def add_score_options(add):
    add_checkpoint_options(add)
    add("--text", required=True, metavar=TEXT, help="text to score")
    add("--encoding", default="utf-8", help="encoding of the text file")


def parse(argv, saved=None):
    """Parse the command line; ``saved`` has the defaults of options of training."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", metavar="train|sample|score")

    def add_command(name, description):
        formatter = argparse.ArgumentDefaultsHelpFormatter
        about = description[0].upper() + description[1:] + "."
        return commands.add_parser(
            name, help=description, description=about, formatter_class=formatter
        )

    train = add_command("train", "train a model; this is the default command")
    train.epilog = "More commands: char_lm.py sample --help, char_lm.py score --help"
    add_data_options(train.add_argument_group("data").add_argument)
    add_model_options(train.add_argument_group("model").add_argument)
    add_training_options(train.add_argument_group("training").add_argument)
    add_output_options(train.add_argument_group("output").add_argument)
    train.set_defaults(**saved or {})
    sample = add_command("sample", "write text with a trained model")
    add_sample_options(sample.add_argument)
    score = add_command("score", "show how much each character of a text surprises")
    add_score_options(score.add_argument)

    if not argv or argv[0].startswith("-"):
        argv = ["train", *argv]
    options = parser.parse_args(argv)
    if options.command == "train":
        check_together(options, train.error)
    return options


def check_together(options, error):
    """Exit with a message if options do not go together."""
    if options.resume and not options.checkpoint:
        error("--resume needs --checkpoint PATH, the file to go on from")
    if options.keep_best and not options.checkpoint:
        error("--keep-best needs --checkpoint PATH, the file to keep them in")
    if options.resume and options.init_from:
        new_or_old = "--init-from begins a new run, --resume goes on with an old one"
        error(f"{new_or_old}: leave one out")


def complete(argv, options):
    """Return the options, completed by those of the checkpoint that they name."""
    if options.resume:
        path, kept, fixed = options.checkpoint, (*MODEL, *TRAINING), FIXED
        way_out = "leave it out to go on, or begin anew with another --checkpoint"
    elif options.init_from:
        path, kept, fixed = options.init_from, MODEL, SHAPES
        way_out = "leave it out, as weights fit their own sizes only"
    else:
        return options
    settings = OLDER | read_extra(path)["settings"]
    options = parse(argv, {name: settings[name] for name in kept if name in settings})
    for name in fixed:
        value = getattr(options, name)
        if value != settings[name]:
            option = f"--{name.replace('_', '-')} {value}"
            found = f"the run in {path} has {settings[name]}"
            raise tg.Error(f"{option}: {found}; {way_out}")
    return options


# ---------------------------------------------------------------- several processes


def rank_and_ranks():
    """Return the number of this process, and how many train together."""
    group = tg.distributed
    if not group.is_initialized():
        return 0, 1
    return group.get_rank(), group.get_world_size()


def join(options):
    """Join the other processes, if --distributed says so."""
    if options.distributed:
        on_gpu = options.device.startswith("cuda")
        tg.distributed.init_process_group("nccl" if on_gpu else "mpi")
    else:
        warn_if_apart()


# Where launchers say how many processes there are, and the number of this one.
LAUNCHERS = (
    ("PMI_SIZE", "PMI_RANK"),  # MPICH, Intel MPI
    ("OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK"),
    ("SLURM_STEP_NUM_TASKS", "SLURM_PROCID"),
)


def warn_if_apart():
    """Warn, in the first process, if several of them train without each other."""
    for ranks, rank in LAUNCHERS:
        count = os.environ.get(ranks, "")
        if count.isdecimal() and int(count) > 1:
            if os.environ.get(rank) == "0":
                apart = f"each of the {count} processes trains a model of its own"
                way_out = "add --distributed to train one together"
                print(f"char_lm.py: warning: {apart}; {way_out}", file=sys.stderr)
            return


def share_out(options):
    """Raise if the batch has no equal parts."""
    _, ranks = rank_and_ranks()
    if options.batch % ranks:
        wrong = f"{ranks} processes cannot share {options.batch} streams out equally"
        raise tg.Error(f"--batch {options.batch}: {wrong}; take a multiple of {ranks}")


def leave():
    if tg.distributed.is_initialized():
        tg.distributed.destroy_process_group()


def together(function, *args):
    """Call a function in every process; if it fails in one, all report that and end."""
    rank, ranks = rank_and_ranks()
    if ranks == 1:
        return function(*args)
    result = failure = None
    try:
        result = function(*args)
    except (tg.Error, OSError) as error:
        failure = str(error)
    failures = [None] * ranks
    tg.distributed.all_gather_object(failures, failure)
    if not any(failures):
        return result
    first = next(i for i, text in enumerate(failures) if text)
    if rank == 0:
        where = f"rank {first}: " if first else ""
        print_error(where + failures[first])
    tg.distributed.barrier()  # the launcher may end all as soon as one has ended
    leave()
    sys.exit(2)


def average(*values):
    """Return the means of numbers over all processes."""
    if rank_and_ranks()[1] == 1:
        return values
    shared = tg.tensor(values, dtype=tg.float64)
    tg.distributed.all_reduce(shared, tg.distributed.ReduceOp.AVG)
    return shared.tolist()


def columns_of_rank(batch):
    """Return which of all the streams this process reads, as a slice."""
    rank, ranks = rank_and_ranks()
    return slice(rank * batch // ranks, (rank + 1) * batch // ranks)


def map_state(function, state):
    """Return the state with a function applied to its parts; an LSTM has two."""
    if state is None:  # there is none before the first step
        return None
    if isinstance(state, tuple):
        return tuple(function(part) for part in state)
    return function(state)


def gather_state(state):
    """Return the state of all streams, of every process."""
    _, ranks = rank_and_ranks()

    def gather(part):
        parts = [tg.zeros_like(part) for _ in range(ranks)]
        tg.distributed.all_gather(parts, part)
        return tg.cat(parts, 1)

    return state if ranks == 1 else map_state(gather, state)


@contextmanager
def own_draws(run):
    """Let dropout draw from a generator that belongs to this process and step.

    All processes have the same generator, and they would drop the same units.
    """
    rank, ranks = rank_and_ranks()
    if ranks == 1 or not run.options.dropout:
        yield
        return
    generator = tg.random.default_generator
    shared = generator.get_state()
    seeds = tg.Generator().manual_seed(run.options.seed + run.step * ranks + rank)
    tg.manual_seed(tg.randint(2**62, (1,), generator=seeds).item())
    try:
        yield
    finally:
        generator.set_state(shared)


# ---------------------------------------------------------------- data

HELLO = "hello small world, here is a line that a network can learn by heart. "


def read(text, encoding):
    """Return the text of a file, or one of the two that every machine has."""
    if text == "hello":
        return HELLO * 500
    if text == "python-docs":
        from pydoc_data.topics import topics

        return "\n".join(topics.values())
    return tg.data.read_text(text, encoding)


BIG = 64 * 2**20  # bytes; a larger text is not read into memory


def cache_file(options):
    """Return where the ids of the text are kept; None to read it into memory."""
    text = options.text
    is_file = text not in ("hello", "python-docs") and os.path.isfile(text)
    if not is_file or not (options.cache or os.path.getsize(text) > BIG):
        return None
    which = f"{os.path.realpath(text)}\n{options.encoding}"
    digest = hashlib.sha256(os.fsencode(which)).hexdigest()[:12]
    folder = options.cache or user_cache() / "tinygrad_rnn"
    return folder / f"{Path(text).name}-{digest}.safetensors"


def user_cache():
    """Return the folder that the system has for what programs can make again."""
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData/Local")
    if sys.platform == "darwin":
        return Path.home() / "Library/Caches"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")


def read_ids(options, path):
    """Return the vocabulary of the text, whose ids are written to a file if need be.

    That is left to encode_file, which notices when the text has changed.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return tg.data.encode_file(options.text, path, encoding=options.encoding)
    except tg.errors.MissingFile:
        raise
    except (tg.errors.CheckpointError, OSError) as error:
        raise tg.Error(f"{error}; --cache DIR takes another folder") from None


def fill_cache(argv, options):
    """Write the ids of a large text, in the first process, for all to read."""
    if rank_and_ranks()[0] == 0:
        options = complete(argv, options)
        path = cache_file(options)
        if path:
            read_ids(options, path)


def same_file(a, b):
    """Return whether two paths lead to one file."""
    try:
        return os.path.samefile(a, b)  # by whatever paths and links
    except OSError:  # one of them is not there yet
        return os.path.realpath(a) == os.path.realpath(b)


def check_files(options):
    """Raise if the run would overwrite a file that it reads, or a file twice."""
    files = {"--checkpoint": options.checkpoint, "--init-from": options.init_from}
    if options.text not in ("hello", "python-docs"):
        files["--text"] = options.text
    if options.out:
        files["the sample of --out"] = Path(options.out) / "sample.txt"
        files["the curve of --out"] = Path(options.out) / "loss.png"
    given = [(name, path) for name, path in files.items() if path]
    for (name, path), (other, other_path) in itertools.combinations(given, 2):
        only_reads = {name, other} == {"--init-from", "--text"}
        if not only_reads and same_file(path, other_path):
            wrong = f"{name} and {other} are one file, {str(path)!r}"
            raise tg.Error(f"{wrong}: choose another path")


# ---------------------------------------------------------------- model


class CharLM(nn.Module):
    """Map ids (T, B), or (T,), and a state to logits (T, B, V) and the next state."""

    def __init__(self, size, cell, hidden, layers, dropout):
        super().__init__()
        layer = getattr(nn, cell.upper())
        self.rnn = layer(size, hidden, layers, dropout=dropout if layers > 1 else 0.0)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(hidden, size)

    def forward(self, ids, state=None):
        ids = ids.to(device=self.head.weight.device)
        out, state = self.rnn(ids, state)  # it reads ids as one-hot rows
        return self.head(self.dropout(out)), state


def build_model(vocabulary, settings):
    return CharLM(len(vocabulary), *(settings[name] for name in MODEL))


def maybe_compile(function, options):
    return tg.compile(function) if options.compile else function


def loss_of(logits, y):
    return F.cross_entropy(logits.flatten(0, 1), y.to(device=logits.device).flatten())


def forget(state, share):
    """Return the state, with that of each stream set to zero with a probability.

    A text that is read as a few long streams begins only once in a pass, but validation
    and sampling start at a beginning. So training has to have some of them.
    """
    if state is None or share == 0:
        return state
    one = state[0] if isinstance(state, tuple) else state
    batch = one.shape[1] * rank_and_ranks()[1]
    begins = tg.rand(batch, 1, device=one.device)[columns_of_rank(batch)] < share
    return map_state(lambda part: part.masked_fill(begins, 0.0), state)


@tg.no_grad()
def validate(model, streams):
    """Return the loss over the validation text, read with the state carried over.

    Here and below, ``model`` may be compiled.
    """
    model.eval()
    state, total, count = None, 0.0, val_windows(streams)
    for x, y in itertools.islice(streams, count):
        logits, state = model(x, state)
        total += loss_of(logits, y).item()
    model.train()
    return total / count


def val_windows(streams):
    """Return on how many windows to validate: about a million characters at most."""
    share = min(1.0, 1e6 / len(streams.ids))
    return max(1, round(len(streams) * share))


# ---------------------------------------------------------------- sampling and scoring


@tg.no_grad()
def encode(vocabulary, text):
    """Return the ids of a text that the model was not trained on."""
    try:
        return vocabulary.encode(text)
    except tg.Error as error:
        way_out = "leave it out, or train on a text that has it"
        raise tg.Error(f"{error}; {way_out}") from None


@tg.no_grad()
def sample(model, vocabulary, prompt, length, seed, **options):
    """Return the prompt and ``length`` characters that the model adds to it."""
    generator = tg.Generator().manual_seed(seed)
    # Without a prompt it goes on from the first character, a line break or a space.
    ids = encode(vocabulary, prompt or vocabulary.characters[0])
    model.eval()
    written = []
    logits, state = model(ids)
    for _ in range(length):
        drawn = tg.categorical(logits[-1], **options, generator=generator)
        written.append(drawn.item())
        logits, state = model(drawn.unsqueeze(0), state)
    model.train()
    return prompt + vocabulary.decode(written)


@tg.no_grad()
def bits_of_surprise(model, ids):
    """Return by how many bits each id but the first of (T,) surprises the model."""
    model.eval()
    state, bits = None, []
    for x, y in zip(ids[:-1].split(1000), ids[1:].split(1000), strict=True):
        logits, state = model(x, state)
        bits += (F.cross_entropy(logits, y, reduction="none") / math.log(2)).tolist()
    return bits


# The ANSI code from so many bits on.
COLOURS = {8: "1;97;41", 4: "31", 2: "33", 1: "39", 0: "2"}


def colour(text, bits):
    code = next(code for limit, code in COLOURS.items() if not bits < limit)
    shown = text if text.isprintable() else repr(text)[1:-1]
    return f"\x1b[{code}m{shown}\x1b[0m" + ("\n" if text == "\n" else "")


def print_surprises(text, bits):
    """Print characters in colour on a terminal, and as lines of JSON elsewhere.

    The first character has no bits.
    """
    pairs = list(zip(text, [None, *bits], strict=True))
    if sys.stdout.isatty() and not os.environ.get("NO_COLOR"):
        print("bits:", *(colour(f"{limit}+", limit) for limit in COLOURS))
        print(*(colour(letter, value or 0.0) for letter, value in pairs), sep="")
    else:
        for character, value in pairs:
            print(json.dumps({"character": character, "bits": value}))


# ---------------------------------------------------------------- a run, its checkpoint


@dataclass
class Run:
    """What training consists of, and all that changes from step to step."""

    options: argparse.Namespace
    streams: tg.data.TextStreams
    val_streams: tg.data.TextStreams
    model: CharLM
    optimizer: optim.Adam
    predict: Any = None  # the model, compiled or not
    parallel: nn.Module | None = None  # the model, trained with other processes
    step: int = 0
    state: Any = None  # of the streams, carried from window to window
    recent: list = field(default_factory=list)  # losses of the last hundred steps
    curve: list = field(default_factory=list)  # [step, training loss, validation loss]
    best: dict | None = None  # step, val_loss and weights of the best validation


def check_length(size, options):
    """Raise if a part of the text is shorter than one window of all streams."""
    tail = round(size * options.val_fraction)
    least = options.batch * options.seq + 1
    if min(tail, size - tail) < least:
        parts = f"{size - tail:,} to train on and {tail:,} to validate on"
        needed = f"--batch {options.batch} --seq {options.seq} needs {least:,} of each"
        smaller = "take a smaller --batch or --seq"
        way_out = f"{smaller}, a larger --val-fraction, or a longer text"
        got = f"{options.text} has {parts} characters"
        raise tg.errors.OptionError(f"{got}; {needed}; {way_out}")


def read_streams(options):
    """Return the streams to train on, and those to validate on."""
    cache = cache_file(options)
    if cache:
        vocabulary, text = read_ids(options, cache), cache
    else:
        text = read(options.text, options.encoding)
        check_length(len(text), options)
        vocabulary = tg.data.Vocabulary(text)
    streams = tg.data.TextStreams(text, vocabulary, options.batch, options.seq)
    check_length(len(streams.ids), options)
    return streams.split(options.val_fraction)


def new_run(options, streams):
    """Return a run before its first step, and a report on --init-from."""
    source = load_model(options.init_from) if options.init_from else None
    tg.manual_seed(options.seed)
    vocabulary = streams[0].vocabulary
    model = build_model(vocabulary, vars(options))
    report = transfer_weights(model, vocabulary, *source) if source else None
    model.to(device=options.device)
    optimizer = optim.Adam(model.parameters(), lr=options.lr)
    shards = [part.shard(*rank_and_ranks()) for part in streams]
    predict = maybe_compile(model, options)
    return Run(options, *shards, model, optimizer, predict), report


@tg.no_grad()
def transfer_weights(model, vocabulary, old_model, old_vocabulary):
    """Copy the weights of another model, and report on the characters.

    A character has a column of the first layer's input weights and a row of the head.
    """
    shared = "".join(c for c in vocabulary if c in old_vocabulary)
    ids, old_ids = vocabulary.encode(shared), old_vocabulary.encode(shared)
    old_weights = dict(old_model.named_parameters())
    for name, weight in model.named_parameters():
        old_weight = old_weights[name]
        if name == "rnn.weight_ih_l0":
            weight[:, ids] = old_weight[:, old_ids]
        elif name in ("head.weight", "head.bias"):
            weight[ids] = old_weight[old_ids]
        else:
            weight.copy_(old_weight)
    new, left = len(vocabulary) - len(shared), len(old_vocabulary) - len(shared)
    kept = f"{len(shared)} characters keep their weights"
    return f"{kept}, {new} begin anew, {left} are left out"


def save(run):
    """Write the checkpoint, in the first process."""
    state = gather_state(run.state)
    if rank_and_ranks()[0]:
        return
    settings = {name: getattr(run.options, name) for name in (*MODEL, *TRAINING)}
    for name in (
        "text",
        "out",
        "cache",
    ):  # so that a run can be resumed from another folder
        if settings[name] not in (None, "hello", "python-docs"):
            settings[name] = os.path.abspath(settings[name])
    extra = {
        "settings": settings,
        "characters": run.streams.vocabulary.characters,
        "streams": run.streams.state_dict(),
        "state": state,
        "recent": run.recent,
        "curve": run.curve,
        "best": run.best,
    }
    path = run.options.checkpoint
    tg.save_checkpoint(path, run.model, run.optimizer, step=run.step, extra=extra)


def resume_streams(options):
    """Return the streams where the run left them; raise if the text is another one."""
    path = options.checkpoint
    try:
        extra, streams = read_extra(path), read_streams(options)
        if extra["characters"] != streams[0].vocabulary.characters:
            raise tg.errors.CheckpointError("the characters of the text are others")
        streams[0].load_state_dict(extra["streams"])
    except tg.errors.MissingFile as error:
        raise tg.Error(f"{error}; if the text has moved, add --text NEWPATH") from None
    except (tg.errors.CheckpointError, tg.errors.OptionError) as error:
        wrong = f"the run in {path} has another text than {options.text}"
        same = "--text PATH names its own"
        init_from = f"--init-from {shlex.quote(str(path))} --checkpoint NEWPATH"
        way_out = f"{same}, {init_from} goes on with this one"
        raise tg.Error(f"{error}; {wrong}: {way_out}") from None
    return streams


def restore(run):
    """Continue from the checkpoint, bit for bit as if the run had not stopped."""
    run.step, extra = tg.load_checkpoint(
        run.options.checkpoint, run.model, run.optimizer
    )
    run.recent, run.curve, run.best = extra["recent"], extra["curve"], extra.get("best")
    mine, device = columns_of_rank(run.options.batch), run.options.device
    run.state = map_state(
        lambda part: part[:, mine].clone().to(device=device), extra["state"]
    )


def read_extra(path):
    """Return what a checkpoint has beside weights: settings, characters and more."""
    extra = tg.load_checkpoint(path).extra
    if not isinstance(extra, dict) or not {"settings", "characters"} <= extra.keys():
        raise tg.Error(f"{str(path)!r} is not a checkpoint of char_lm")
    return extra


def load_model(path, best=False):
    """Return the model of a checkpoint, and its vocabulary."""
    extra = read_extra(path)
    vocabulary = tg.data.Vocabulary(extra["characters"])
    model = build_model(vocabulary, extra["settings"])
    tg.load_checkpoint(path, model)
    if best:
        if not extra.get("best"):
            raise tg.Error(f"--best: {path} has none; train with --keep-best")
        model.load_state_dict(extra["best"]["weights"])
    return model, vocabulary


def set_aside(path, say):
    """Rename the checkpoint of another run."""
    names = (Path(f"{path}.old{n or ''}") for n in itertools.count())
    old = path.rename(next(name for name in names if not name.exists()))
    say(f"{path} was there: kept as {old}; --resume would have gone on from it")


# ---------------------------------------------------------------- training


def lr_at(step, options):
    """Return the learning rate of a step, counted from 0: warmup, then schedule."""
    if step < options.warmup:
        return options.lr * (step + 1) / options.warmup
    done = (step - options.warmup) / max(1, options.steps - options.warmup)
    if options.lr_schedule == "cosine":
        return options.lr * (1 + math.cos(math.pi * done)) / 2
    if options.lr_schedule == "step" and done >= 0.5:
        return options.lr * (0.1 if done < 0.75 else 0.01)
    return options.lr


def make_learner(run):
    """Return the function that trains on a window: forward, backward, a step of Adam.

    It is compiled as a whole, with the average over all processes.
    """
    model, optimizer = run.parallel or run.model, run.optimizer
    limit = run.options.clip or math.inf

    def learn(x, y, state):
        logits, state = model(x, state)
        loss = loss_of(logits, y)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), limit)
        optimizer.step()
        # Detached, so that gradients stop at the window's start.
        return loss.detach(), tg.utils.detach(state)

    return maybe_compile(learn, run.options)


def train_step(run, learn):
    """Train on one window of the streams."""
    run.optimizer.param_groups[0]["lr"] = lr_at(run.step, run.options)
    x, y, first = run.streams.next_batch()
    state = None if first else forget(run.state, run.options.reset)
    with own_draws(run):
        loss, run.state = learn(x, y, state)
    run.recent = [*run.recent[-99:], loss.item()]
    run.step += 1


def evaluate(run):
    """Validate; add to the curve, and keep the weights if they are the best."""
    (val_loss,) = average(validate(run.predict, run.val_streams))
    run.curve.append([run.step, mean(run.recent), val_loss])
    if run.options.keep_best and (run.best is None or val_loss < run.best["val_loss"]):
        weights = {
            name: value.clone() for name, value in run.model.state_dict().items()
        }
        run.best = {"step": run.step, "val_loss": val_loss, "weights": weights}


def train(run, say, interrupt):
    """Train up to the last step, or until the interrupt is set."""
    options = run.options
    progress, learn = Progress(run, say), make_learner(run)
    point_every = max(1, options.steps // 50)  # so the curve has fifty points at least
    interrupted = False
    while run.step < options.steps and not interrupted:
        train_step(run, learn)
        # The interrupt is read once, as it may be set at any time.
        run.recent[-1], interrupted = average(run.recent[-1], interrupt.is_set())
        progress.show(run)
        if interrupted and options.checkpoint:
            save(run)  # before the validation, during which Ctrl-C may come again
        is_due = run.step % options.val_every == 0 or run.step == options.steps
        if is_due or interrupted:
            speed = progress.speed(run)
            evaluate(run)
            report(run, speed, say)
            if options.checkpoint:
                save(run)
            progress.restart(run)
        elif run.step % point_every == 0:
            run.curve.append([run.step, mean(run.recent), None])
    progress.close()


@contextmanager
def catch_first_ctrl_c():
    """Yield an event that the first Ctrl-C sets, so that training ends after a step.

    A second Ctrl-C raises KeyboardInterrupt as usual.
    """
    event = threading.Event()

    def handle(*_):
        event.set()
        signal.signal(signal.SIGINT, signal.default_int_handler)

    before = signal.signal(signal.SIGINT, handle)
    try:
        yield event
    finally:
        signal.signal(signal.SIGINT, before)


# ---------------------------------------------------------------- output


def print_error(error):
    rank, _ = rank_and_ranks()
    where = f"rank {rank}: " if rank else ""
    print(f"char_lm.py: error: {where}{error}", file=sys.stderr, flush=True)


def mean(values):
    return sum(values) / len(values) if values else None


def make_printer(options):
    """Return a function that prints text for people, beside JSON and a bar.

    Only the first process prints anything.
    """
    if rank_and_ranks()[0]:
        return lambda text: None
    file = sys.stderr if options.json else sys.stdout

    def say(text):
        (tqdm.write if tqdm else print)(text, file=file)
        file.flush()

    return say


class Progress:
    """A bar on a terminal; elsewhere a line every ten seconds."""

    def __init__(self, run, say):
        self.say, self.total = say, run.options.steps
        self.window = run.options.batch * run.options.seq  # characters in a step
        self.bar = None
        if tqdm and not rank_and_ranks()[0]:
            self.bar = tqdm(
                total=self.total, initial=run.step, unit="step", disable=None
            )
        self.restart(run)

    def restart(self, run):
        self.since, self.started, self.said = run.step, clock(), clock()

    def speed(self, run):
        """Return the characters per second, without validations."""
        return (run.step - self.since) * self.window / max(clock() - self.started, 1e-9)

    def show(self, run):
        loss = run.recent[-1]
        if self.bar is not None and not self.bar.disable:
            self.bar.set_postfix_str(f"loss {loss:.3f}", refresh=False)
            self.bar.update()
        elif clock() - self.said >= 10:
            self.said = clock()
            left = (self.total - run.step) * self.window / self.speed(run)
            step = f"step {run.step}/{self.total}"
            self.say(f"{step}: loss {loss:.3f}, {left:.0f} s to go")

    def close(self):
        if self.bar is not None:
            self.bar.close()


def report(run, speed, say):
    """Print the last point of the curve, for people and as JSON."""
    step, train_loss, val_loss = run.curve[-1]
    line = f"step {step}/{run.options.steps}: "
    if train_loss is not None:
        line += f"training {train_loss:.3f} nats, "
    line += f"validation {val_loss:.3f} nats = {val_loss / math.log(2):.3f} bits, "
    line += f"perplexity {perplexity(val_loss)}"
    say(line + (f", {speed:,.0f} characters/s" if step else ""))
    if run.options.json and step and not rank_and_ranks()[0]:
        losses = {"step": step, "train_loss": train_loss, "val_loss": val_loss}
        print(json.dumps(losses | {"chars_per_second": round(speed)}), flush=True)


def introduce(run, say):
    """Print what is trained on what."""
    count = len(run.streams.ids) + len(run.val_streams.ids)
    distinct = len(run.streams.vocabulary)
    say(f"{run.options.text}: {count:,} characters, {distinct} distinct ones")
    val_streams = run.val_streams
    if val_windows(val_streams) < len(val_streams):
        most = f"a million of the {len(val_streams.ids):,} characters at its end"
        say(f"It validates on about {most}")
    say(f"{run.model}: {run.model.num_parameters():,} parameters, {run.options.device}")
    say(f"kernels: {tg.kernels().summary}")
    if run.options.compile:
        say("Steps are compiled (--no-compile: the same results, more slowly)")
    else:
        say("Steps are not compiled")


def perplexity(nats):
    """Return the perplexity as text."""
    value = math.exp(min(nats, 700.0))  # beyond, a float overflows
    return f"{value:.1f}" if value < 1e6 else f"{value:.1e}"


def show_sample(run, length, say):
    """Print, and return, what the model writes, in the first process."""
    if rank_and_ranks()[0]:
        return ""
    seed = run.options.seed + run.step
    vocabulary = run.streams.vocabulary
    written = sample(run.predict, vocabulary, "", length, seed, temperature=0.8)
    say(f"\nAt step {run.step} it writes (seed {seed}):\n{written}\n")
    return written


def draw(run, path, say):
    """Draw the loss curve."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return say("No loss curve: it needs matplotlib (pip install matplotlib)")
    cell, hidden = run.options.cell.upper(), run.options.hidden
    figure = Figure(figsize=(7, 4), layout="tight")
    axes = figure.add_subplot(
        title=f"{cell} of {hidden} learns to spell: {Path(run.options.text).name}",
        xlabel="step",
        ylabel="loss (nats per character)",
    )
    steps, train_losses, val_losses = zip(*run.curve, strict=True)
    curves = {
        "training, mean of 100 steps": ("-", train_losses),
        "validation": ("o-", val_losses),
    }
    for label, (style, losses) in curves.items():
        points = zip(steps, losses, strict=True)
        known = [(step, loss) for step, loss in points if loss is not None]
        axes.plot(*zip(*known, strict=True), style, markersize=3, label=label)
    bits = (lambda nats: nats / math.log(2), lambda bits: bits * math.log(2))
    axes.secondary_yaxis("right", functions=bits).set_ylabel("bits per character")
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path)


# ---------------------------------------------------------------- the three commands


def prepare(argv, options, say):
    """Return the run that begins or goes on; None if it is complete."""
    options = complete(argv, options)
    share_out(options)
    path = options.checkpoint
    check_files(options)
    for folder in (options.out, path and path.parent):
        if folder:
            # A folder that cannot be written fails now.
            Path(folder).mkdir(parents=True, exist_ok=True)
    if cache := cache_file(options):
        say(f"{options.text}: its ids are kept in {cache}")
    if options.resume:
        run, _ = new_run(options, resume_streams(options))
        restore(run)
        if run.step >= options.steps:
            more = "--steps is the total, so ask for more to go on"
            return say(f"{path} is at step {run.step}; {more}")
    else:
        run, transferred = new_run(options, read_streams(options))
        if path and path.is_file() and not rank_and_ranks()[0]:
            set_aside(path, say)
        if path:
            # A file that cannot be written fails now, not at the first validation.
            save(run)
        if transferred:
            say(f"{options.init_from}: {transferred}")
    return run


def run_train(argv, options):
    join(options)
    say = make_printer(options)
    if rank_and_ranks()[1] > 1:
        together(fill_cache, argv, options)
    run = together(prepare, argv, options, say)
    if run is not None:
        if rank_and_ranks()[1] > 1:
            run.parallel = nn.parallel.DistributedDataParallel(run.model)
        introduce(run, say)
        with catch_first_ctrl_c() as interrupt:
            show_sample(run, 200, say)
            if run.step == 0 and not run.curve:
                evaluate(run)
                report(run, 0.0, say)
            train(run, say, interrupt)
        if not rank_and_ranks()[0]:
            finish(run, say)
    leave()


def finish(run, say):
    written = show_sample(run, 500, say)
    if run.options.out:
        folder = Path(run.options.out)
        (folder / "sample.txt").write_text(written + "\n", encoding="utf-8")
        draw(run, folder / "loss.png", say)
    if run.best:
        best = f"{run.best['val_loss']:.3f} nats, at step {run.best['step']}"
        say(f"The best validation was {best}; sample and score --best use its weights")
    script, path = shlex.quote(sys.argv[0]), shlex.quote(str(run.options.checkpoint))
    if not run.options.checkpoint:
        saves = "--checkpoint PATH saves the model, --out DIR the loss curve and a text"
        say(f"Nothing was kept: {saves}")
    elif run.step < run.options.steps:
        say(f"Go on: python {script} --checkpoint {path} --resume")
    else:
        say(f"More text: python {script} sample --checkpoint {path}")


def run_sample(options):
    model, vocabulary = load_model(options.checkpoint, options.best)
    seed = secrets.randbelow(10**6) if options.seed is None else options.seed
    how = {name: getattr(options, name) for name in ("temperature", "top_k", "top_p")}
    model = maybe_compile(model, options)
    written = sample(model, vocabulary, options.prompt, options.length, seed, **how)
    print(f"--seed {seed} writes this again:", file=sys.stderr, flush=True)
    print(written)


def run_score(options):
    model, vocabulary = load_model(options.checkpoint, options.best)
    text = read(options.text, options.encoding)
    model = maybe_compile(model, options)
    bits = bits_of_surprise(model, encode(vocabulary, text))
    print_surprises(text, bits)
    if bits:
        average = sum(bits) / len(bits)
        nats = average * math.log(2)
        each = f"{average:.3f} bits = {nats:.3f} nats, perplexity {perplexity(nats)}"
        count = f"{len(bits):,} characters after the first"
        print(f"{count}, each: {each}", file=sys.stderr)


def main(argv):
    for stream in (sys.stdout, sys.stderr):
        # A terminal may lack a character of the text.
        stream.reconfigure(errors="replace")
    options = parse(argv)
    try:
        if options.command == "sample":
            run_sample(options)
        elif options.command == "score":
            run_score(options)
        else:
            run_train(argv, options)
        sys.stdout.flush()
    except BrokenPipeError:  # `score ... | head` reads no more
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (tg.Error, OSError) as error:
        print_error(error)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main(sys.argv[1:])
