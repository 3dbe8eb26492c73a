"""Checkpoints: a run that stopped goes on bit for bit; what does not fit changes
nothing.
"""

import copy
import hashlib
import os
import signal
import subprocess
import sys
import time
from collections import Counter, OrderedDict, defaultdict

import numpy as np
import pytest
from safetensors import safe_open

import tinygrad_rnn as tg
import tinygrad_rnn.nn.functional as F
from tinygrad_rnn import nn, optim
from tinygrad_rnn.backend import find
from tinygrad_rnn.random import default_generator
from tinygrad_rnn.tree import flatten

TEXT = "to be, or not to be, that is the question: whether 'tis nobler in the mind "
TEXT = 6 * (TEXT + "to suffer ")


class Model(nn.Module):
    def __init__(self, vocabulary, hidden=12, layers=2, cell="RNN"):
        super().__init__()
        self.rnn = getattr(nn, cell)(
            vocabulary, hidden, num_layers=layers, dropout=0.3 * (layers > 1)
        )
        self.head = nn.Linear(hidden, vocabulary)

    def forward(self, ids, state=None):
        output, state = self.rnn(ids, state)
        return self.head(output), state


class Run:
    """A training run with all that a checkpoint has to carry: dropout, data, a carried
    state.
    """

    def __init__(
        self, make=optim.Adam, seed=0, schedule=lambda optimizer: None, **model
    ):
        tg.manual_seed(seed)
        vocabulary = tg.data.Vocabulary(TEXT)
        self.streams = tg.data.TextStreams(TEXT, vocabulary, batch_size=4, seq_len=9)
        self.model = Model(len(vocabulary), **model)
        self.optimizer = make(self.model.parameters(), lr=0.01)
        self.scheduler = schedule(self.optimizer)
        self.generator = tg.Generator().manual_seed(5)
        self.state, self.count = None, 0

    def step(self):
        x, y, first = self.streams.next_batch()
        logits, state = self.model(x, None if first else self.state)
        noise = tg.randn(*logits.shape, generator=self.generator)
        loss = F.cross_entropy((logits + 0.01 * noise).flatten(0, 1), y.flatten())
        self.optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        if self.scheduler is not None:
            plateau = isinstance(self.scheduler, optim.lr_scheduler.ReduceLROnPlateau)
            self.scheduler.step(*[loss][:plateau])
        self.state = tg.utils.detach(state)
        self.count += 1
        return loss.item()

    def save(self, path):
        extra = {
            "streams": self.streams.state_dict(),
            "state": self.state,
            "generator": self.generator.get_state(),
            "note": ("a tuple", None, 1.5),
        }
        parts = self.model, self.optimizer, self.scheduler
        tg.save_checkpoint(path, *parts, step=self.count, extra=extra)

    def load(self, path):
        self.count, extra = tg.load_checkpoint(
            path, self.model, self.optimizer, self.scheduler
        )
        self.streams.load_state_dict(extra["streams"])
        self.state = extra["state"]
        self.generator.set_state(extra["generator"])
        assert extra["note"] == ("a tuple", None, 1.5)

    def digest(self):
        found = hashlib.sha256()
        for name, tensor in self.model.state_dict().items():
            found.update(name.encode() + tensor.numpy().tobytes())
        for entry in self.optimizer.state_dict()["state"].values():
            for value in entry.values():
                found.update(np.asarray(value).tobytes())
        found.update(default_generator.get_state().numpy().tobytes())
        return found.hexdigest()


MAKERS = {
    "adam": optim.Adam,
    "amsgrad": lambda params, lr: optim.Adam(
        params, lr=lr, amsgrad=True, weight_decay=0.01
    ),
    "sgd": optim.SGD,
    "momentum": lambda params, lr: optim.SGD(
        params, lr=lr, momentum=0.9, nesterov=True
    ),
    "adamw": optim.AdamW,
    "rmsprop": lambda params, lr: optim.RMSprop(
        params, lr, momentum=0.9, centered=True
    ),
    "adagrad": lambda params, lr: optim.Adagrad(params, lr, 0.01, 0.0, 0.1),
}


def sequence(schedules, optimizer):
    parts = schedules.LinearLR(optimizer), schedules.OneCycleLR(optimizer, 0.1, 99)
    return schedules.SequentialLR(optimizer, parts, [5])


SCHEDULES = {
    "step": lambda o: optim.lr_scheduler.StepLR(o, 3, 0.5),
    "exponential": lambda o: optim.lr_scheduler.ExponentialLR(o, np.float64(0.95)),
    "cosine": lambda o: optim.lr_scheduler.CosineAnnealingLR(o, np.int64(6), 1e-3),
    "linear": lambda o: optim.lr_scheduler.LinearLR(o, 0.1, total_iters=12),
    "lambda": lambda o: optim.lr_scheduler.LambdaLR(o, lambda step: 1.0 / (1 + step)),
    "plateau": lambda o: optim.lr_scheduler.ReduceLROnPlateau(
        o, "max", 0.5, 1, min_lr=(1e-4,)
    ),
    "multistep": lambda o: optim.lr_scheduler.MultiStepLR(o, np.array([3, 9])),
    "cycle": lambda o: optim.lr_scheduler.OneCycleLR(
        o, np.float64(0.1), total_steps=40
    ),
    "sequential": lambda o: sequence(optim.lr_scheduler, o),
}
RUNS = [(maker, None, stop) for maker in MAKERS for stop in (1, 7, 20)]
RUNS += [("adam", schedule, stop) for schedule in SCHEDULES for stop in (0, 7)]


@pytest.mark.parametrize(("maker", "schedule", "stop"), RUNS)
def test_resumed_is_uninterrupted(tmp_path, maker, schedule, stop):
    make, schedule = MAKERS[maker], SCHEDULES.get(schedule, lambda optimizer: None)
    run = Run(make, schedule=schedule)
    for _ in range(stop):
        run.step()
    run.save(tmp_path / "run")
    losses = [run.step() for _ in range(15)]

    resumed = Run(make, seed=99, schedule=schedule)
    resumed.step()  # whatever happened before is of no matter
    resumed.load(tmp_path / "run")
    assert resumed.count == stop
    assert [resumed.step() for _ in range(15)] == losses
    assert resumed.digest() == run.digest()
    if run.scheduler is not None:
        assert resumed.scheduler.state_dict() == run.scheduler.state_dict()


def test_the_schedule_alone_may_be_new(tmp_path):
    """An optimizer that was scheduled goes on without a schedule, and the other way
    round.
    """
    for first, second in [(None, "step"), ("step", None)]:
        run = Run(schedule=SCHEDULES.get(first, lambda optimizer: None))
        run.step()
        run.save(tmp_path / "run")
        other = Run(schedule=SCHEDULES.get(second, lambda optimizer: None))
        tg.load_checkpoint(tmp_path / "run", other.model, other.optimizer)
        assert other.digest() == run.digest()


SCRIPT = """
import sys
sys.path.insert(0, {tests!r})
from test_checkpoints import SCHEDULES, Run
path, total, every, cell = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
run = Run(schedule=SCHEDULES["cosine"], cell=cell)
import os
if os.path.exists(path):
    run.load(path)
print("ready", flush=True)
while run.count < total:
    run.step()
    if run.count % every == 0:
        run.save(path)
print(run.digest())
"""


def start(cell, path, total, every):
    code = SCRIPT.format(tests=os.path.dirname(__file__))
    return subprocess.Popen(
        [sys.executable, "-c", code, str(path), str(total), str(every), cell],
        stdout=subprocess.PIPE,
        text=True,
        env={
            **os.environ,
            "PYTHONHASHSEED": str(np.random.default_rng().integers(1000)),
        },
    )


CELLS = ["RNN", "LSTM", "GRU"]


@pytest.mark.parametrize("cell", CELLS)
def test_a_new_process_goes_on(tmp_path, cell):
    whole = start(cell, tmp_path / "whole", 30, 1000).communicate()[0].split()[-1]
    start(cell, tmp_path / "parts", 13, 13).communicate()
    assert (
        start(cell, tmp_path / "parts", 30, 1000).communicate()[0].split()[-1] == whole
    )


@pytest.mark.slow
@pytest.mark.parametrize("cell", CELLS)
def test_killed_at_random_points(tmp_path, cell):
    """SIGKILL at 20 random points of a run that saves after every step; then it
    finishes.
    """
    whole = start(cell, tmp_path / "whole", 400, 1000).communicate()[0].split()[-1]
    random = np.random.default_rng()
    for _ in range(20):
        run = start(cell, tmp_path / "killed", 400, 1)
        run.stdout.readline()
        time.sleep(random.uniform(0.0, 0.3))
        run.send_signal(signal.SIGKILL)
        run.communicate()
    assert (
        start(cell, tmp_path / "killed", 400, 1).communicate()[0].split()[-1] == whole
    )
    assert sorted(p.name for p in tmp_path.iterdir()) == ["killed"]


def test_other_tools_open_it(tmp_path):
    run = Run()
    run.step()
    run.save(tmp_path / "run")
    with safe_open(tmp_path / "run", "numpy") as file:
        for name, tensor in run.model.state_dict().items():
            np.testing.assert_array_equal(
                file.get_tensor(f"model/{name}"), tensor.numpy()
            )


def test_without_a_model_it_tells_what_is_needed(tmp_path):
    tg.save_checkpoint(tmp_path / "c", nn.Linear(2, 3), step=4, extra={"sizes": [2, 3]})
    tg.rand(1)
    before = default_generator.get_state()
    found = tg.load_checkpoint(tmp_path / "c")
    assert (found.step, found.extra) == (4, {"sizes": [2, 3]})
    np.testing.assert_array_equal(default_generator.get_state(), before)


def test_a_checkpoint_without_optimizer_serves_for_sampling(tmp_path):
    run = Run()
    run.step()
    run.save(tmp_path / "run")
    other = Run(seed=3)
    tg.load_checkpoint(tmp_path / "run", other.model)
    for name, tensor in run.model.state_dict().items():
        np.testing.assert_array_equal(other.model.state_dict()[name], tensor)


def saved(path, **model):
    """A run after a step, saved."""
    run = Run(**model)
    run.step()
    run.save(path)
    return run


def with_more_groups(path):
    run = Run(schedule=SCHEDULES["step"])
    run.model.more = nn.Parameter(np.ones(1))
    run.optimizer.add_param_group({"params": [run.model.more]})
    run.optimizer.step()
    run.scheduler.step()
    run.save(path)


def damaged(path):
    saved(path)
    raw = bytearray(path.read_bytes())
    raw[-5] ^= 4
    path.write_bytes(raw)


def with_a_negative_rate(path):
    run = saved(path)
    run.optimizer.param_groups[0]["lr"] = -1.0
    run.save(path)


# What writes a checkpoint that does not fit a fresh Run, and words of the error.
BROKEN = {
    "another model": (
        lambda path: saved(path, hidden=5),
        ["rnn.weight_ih_l0 has shape (5,", "head.weight has shape", "exp_avg"],
    ),
    "fewer layers": (
        lambda path: saved(path, layers=1),
        ["rnn.weight_ih_l1 is missing", "parameters, expected [10]"],
    ),
    "another optimizer": (
        lambda path: saved(path, make=MAKERS["momentum"]),
        ["optimizer: it is another optimizer's: options ['dampening', "],
    ),
    "no optimizer": (
        lambda path: tg.save_checkpoint(path, Run().model),
        ["it has no optimizer"],
    ),
    "weights alone": (
        lambda path: Run().model.save_weights(path),
        ["it holds weights but no checkpoint", "load_weights"],
    ),
    "no schedule": (saved, ["it has no scheduler"]),
    "another schedule": (
        lambda path: Run(schedule=SCHEDULES["cosine"]).save(path),
        ["scheduler: 'T_max' is missing or unexpected", "'step_size' is missing"],
    ),
    "more groups": (
        with_more_groups,
        ["expected [10]", "length of base_lrs, one for each group, is 2, expected 1"],
    ),
    "damaged": (damaged, ["SHA-256"]),
    "a negative learning rate": (with_a_negative_rate, ["lr is -1.0"]),
    "no file": (lambda path: None, ["No such file"]),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_does_not_fit_changes_nothing(tmp_path, name):
    (write, words), path = BROKEN[name], tmp_path / "run"
    write(path)
    run = Run(seed=1, schedule=SCHEDULES["step"])
    run.step()
    before, state = run.digest(), run.optimizer.state_dict()["param_groups"]
    schedule = run.scheduler.state_dict()
    with pytest.raises(tg.CheckpointError) as error:
        tg.load_checkpoint(path, run.model, run.optimizer, run.scheduler)
    for word in words:
        assert word in str(error.value)
    assert run.digest() == before
    assert run.scheduler.state_dict() == schedule
    assert run.optimizer.state_dict()["param_groups"] == state


def replaced_head(model):
    """An optimizer that was made before a layer of its model was replaced."""
    optimizer = optim.Adam(model.parameters())
    model.head = nn.Linear(12, 3)
    return model, optimizer


STRANGERS = {
    "of another model": lambda: (Model(3), optim.Adam(Model(3).parameters())),
    "of a copy": lambda: (
        Model(3),
        optim.SGD(copy.deepcopy(Model(3)).parameters(), lr=0.1),
    ),
    "of a layer that was replaced": lambda: replaced_head(Model(3)),
    "of more than the model": lambda: (
        (m := Model(3)),
        optim.Adam([*m.parameters(), tg.ones(2, requires_grad=True)]),
    ),
    "of another group": lambda: (
        (m := Model(3)),
        optim.Adam(
            [{"params": m.parameters()}, {"params": nn.Linear(1, 1).parameters()}]
        ),
    ),
}


@pytest.mark.parametrize("name", STRANGERS)
def test_an_optimizer_of_something_else_is_refused(tmp_path, name):
    model, optimizer = STRANGERS[name]()
    tg.save_checkpoint(tmp_path / "run", model)
    for call in (tg.save_checkpoint, tg.load_checkpoint):
        wrong = r"\d+ of the \d+ tensors that optimizer trains are not in model"
        words = f"{call.__name__}: {wrong}"
        with pytest.raises(
            tg.CheckpointError, match=rf"^{words} .*ModuleList\(models\)"
        ):
            call(tmp_path / "run", model, optimizer)
    assert tg.load_checkpoint(tmp_path / "run", model).step == 0


def test_a_schedule_of_another_optimizer_is_refused(tmp_path):
    model = Model(3)
    one, other = (optim.SGD(model.parameters(), lr=0.1) for _ in range(2))
    scheduler = optim.lr_scheduler.StepLR(other, 3)
    tg.save_checkpoint(tmp_path / "run", model, other, scheduler)
    for call in (tg.save_checkpoint, tg.load_checkpoint):
        with pytest.raises(
            tg.CheckpointError, match="scheduler sets the rates of another optimizer"
        ):
            call(tmp_path / "run", model, one, scheduler)
    tg.load_checkpoint(tmp_path / "run", model, other, scheduler)


def test_an_optimizer_may_train_a_part_of_the_model(tmp_path):
    model = Model(3)
    model.head.weight.requires_grad_(False)
    parts = [model.head.bias, model.rnn.bias_hh_l0]
    run = model, optim.SGD(parts, lr=0.1), None
    tg.save_checkpoint(tmp_path / "run", *run)
    tg.load_checkpoint(tmp_path / "run", *run)
    both = nn.ModuleList([Model(3), Model(4)])
    run = both, optim.SGD(both.parameters(), lr=0.1), None
    tg.save_checkpoint(tmp_path / "run", *run)
    tg.load_checkpoint(tmp_path / "run", *run)


def test_no_memory_for_the_optimizer_changes_nothing(tmp_path, monkeypatch):
    run = Run(schedule=SCHEDULES["step"])
    run.step()
    run.step()
    run.save(tmp_path / "run")
    other = Run(seed=1, schedule=SCHEDULES["step"])
    other.step()
    before = other.digest(), other.scheduler.state_dict()
    monkeypatch.setattr(
        find("cpu"), "join", lambda arrays: (_ for _ in ()).throw(MemoryError)
    )
    with pytest.raises(MemoryError):
        tg.load_checkpoint(
            tmp_path / "run", other.model, other.optimizer, other.scheduler
        )
    assert (other.digest(), other.scheduler.state_dict()) == before


class Lines:
    """Raises MemoryError at one of the package's lines that run, counted from 0."""

    ROOT = os.path.dirname(tg.__file__)

    def __init__(self, place):
        self.left, self.seen = place, set()

    def __enter__(self):
        sys.settrace(self.enter)
        return self

    def __exit__(self, *error):
        sys.settrace(None)

    def enter(self, frame, event, arg):
        return self.line if frame.f_code.co_filename.startswith(self.ROOT) else None

    def line(self, frame, event, arg):
        at = frame.f_code.co_filename, frame.f_lineno
        if event == "line" and at not in self.seen:  # where a line runs the first time
            self.seen.add(at)
            self.left -= 1
            if self.left < 0:
                raise MemoryError
        return self.line


def small_run(seed, steps):
    tg.manual_seed(seed)
    model = nn.Sequential(nn.Linear(2, 1), nn.Linear(1, 1))
    optimizer = optim.Adam(model.parameters(), lr=0.1)
    scheduler = optim.lr_scheduler.StepLR(optimizer, 2)
    for _ in range(steps):
        optimizer.zero_grad()
        model(tg.ones(1, 2)).sum().backward()
        optimizer.step()
        scheduler.step()
    return model, optimizer, scheduler


def state_of(model, optimizer, scheduler):
    """All that loading a checkpoint changes, as one text."""
    parts = [part.state_dict() for part in (model, optimizer, scheduler)]
    plain = flatten([parts, default_generator.get_state()])
    return repr([plain[0], {name: array.tolist() for name, array in plain[1].items()}])


@pytest.mark.parametrize(
    "skip",
    [
        pytest.param(0, marks=pytest.mark.slow, id="each line"),
        pytest.param(5, id="a sixth"),
    ],
)
def test_no_memory_somewhere_leaves_all_old_or_all_new(tmp_path, skip):
    """Wherever memory runs out, a run is never half of one checkpoint and half of
    another.
    """
    new, old = small_run(0, 1), small_run(1, 3)
    states, paths = {}, {"new": tmp_path / "new", "old": tmp_path / "old"}
    for name, run in (("new", new), ("old", old)):
        tg.save_checkpoint(paths[name], *run)
        states[name] = state_of(*run)
    found, place = Counter(), 0
    while found["done"] == 0:
        tg.load_checkpoint(paths["old"], *old)
        with Lines(place):
            try:
                tg.load_checkpoint(paths["new"], *old)
                found["done"] += 1
            except (MemoryError, tg.CheckpointError) as error:
                assert "memory" in str(error) or not str(error)
        state = state_of(*old)
        found[next((name for name in states if states[name] == state), "mixed")] += 1
        place += 1 + skip
    assert found["mixed"] == 0
    assert found["old"] > 250 / (1 + skip)


def test_a_random_state_that_is_none_leaves_a_model_alone(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(default_generator, "get_state", lambda: tg.zeros(3))
        tg.save_checkpoint(tmp_path / "c", nn.Linear(2, 2), step=4)
    model = nn.Linear(2, 2)
    before = model.weight.tolist()
    with pytest.raises(tg.CheckpointError, match="random: set_state"):
        tg.load_checkpoint(tmp_path / "c", model)
    assert model.weight.tolist() == before
    # Nothing is put back: to look at
    assert tg.load_checkpoint(tmp_path / "c").step == 4


@pytest.mark.parametrize(
    "extra", [object(), {(1, 2): 2}, {"f": len}, {"z": 1j}, {"m": Model}]
)
def test_extra_that_no_file_can_hold(tmp_path, extra):
    with pytest.raises(TypeError, match="^save_checkpoint: 'extra"):
        tg.save_checkpoint(tmp_path / "c", nn.Linear(1, 1), extra=extra)
    assert not (tmp_path / "c").exists()


def test_numbers_of_numpy_are_numbers(tmp_path):
    model = nn.Linear(1, 1)
    optimizer = optim.Adam(model.parameters(), lr=np.float64(0.1))
    tg.save_checkpoint(
        tmp_path / "c",
        model,
        optimizer,
        step=np.int64(3),
        extra={"loss": np.float32(0.5)},
    )
    assert tg.load_checkpoint(tmp_path / "c", model, optimizer) == (3, {"loss": 0.5})
    with pytest.raises(TypeError, match="step"):
        tg.save_checkpoint(tmp_path / "c", model, step="x")
    for path, given in (
        (tmp_path / "c", model.state_dict()),
        (model, str(tmp_path / "c")),
    ):
        with pytest.raises(
            TypeError, match=r"expected a Module: save_checkpoint\(path, model\)"
        ):
            tg.save_checkpoint(path, given)
    with pytest.raises(
        TypeError, match="scheduler is int, expected an LRScheduler or None"
    ):
        tg.save_checkpoint(tmp_path / "c", model, optimizer, 3)
    with pytest.raises(
        TypeError, match="load_checkpoint: model is Adam, expected a Module"
    ):
        tg.load_checkpoint(tmp_path / "c", optimizer, model)


def test_a_model_of_nothing_and_dicts_of_other_kinds(tmp_path):
    """A model without layers is not None; dicts come back as they were, the odd ones as
    plain ones.
    """
    extra = OrderedDict(best=OrderedDict(nn.Linear(1, 2).state_dict()))
    extra["counts"] = defaultdict(int, {3: 4, None: 5})
    tg.save_checkpoint(tmp_path / "c", nn.Sequential(), extra=extra)
    _, found = tg.load_checkpoint(tmp_path / "c", nn.Sequential())
    assert type(found) is type(found["best"]) is OrderedDict
    assert list(found["best"]) == ["weight", "bias"]
    assert all(
        np.array_equal(found["best"][name], extra["best"][name])
        for name in found["best"]
    )
    assert found["counts"] == {3: 4, None: 5}


def test_weights_alone(tmp_path):
    tg.manual_seed(0)
    one, two = nn.Linear(3, 4), nn.Linear(3, 4)
    one.save_weights(tmp_path / "w")
    two.load_weights(tmp_path / "w")
    np.testing.assert_array_equal(one.weight.numpy(), two.weight.numpy())
    three = nn.Linear(3, 5)
    before = three.weight.numpy().copy()
    with pytest.raises(
        tg.CheckpointError, match=r"weight has shape \(4, 3\).*expected \(5, 3\)"
    ):
        three.load_weights(tmp_path / "w")
    tg.save_checkpoint(tmp_path / "c", one)
    with pytest.raises(
        tg.CheckpointError, match=r"load_weights: .*c' is a checkpoint; tg.load_ch"
    ):
        three.load_weights(tmp_path / "c")
    np.testing.assert_array_equal(three.weight.numpy(), before)
