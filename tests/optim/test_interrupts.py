"""Ctrl-C at every line, and every instruction, of what changes a model and its
optimizer.

KeyboardInterrupt is raised by a trace function: at each line that a call reaches in the
package, one run for each. Whatever was reached, parameters and optimizer are those of
before or of after.
"""

import copy
import sys
from collections import Counter
from contextvars import copy_context
from pathlib import Path

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn, optim

PACKAGE = str(Path(tg.__file__).parent)


class Interrupter:
    """Raises KeyboardInterrupt at one line, or instruction, of the package."""

    def __init__(self, at, opcodes=False):
        self.left, self.opcodes = at, opcodes

    def trace(self, frame, event, arg):
        """For every new frame: what follows it, if it is one of the package."""
        if not frame.f_code.co_filename.startswith(PACKAGE):
            return None
        # A line event also comes between the last line under a lock and its release,
        # where no signal does: Python looks for signals after calls.
        if frame.f_code.co_qualname.startswith("_OneThread."):
            return None
        if self.opcodes:
            frame.f_trace_opcodes, frame.f_trace_lines = True, False
        return self.follow

    def follow(self, frame, event, arg):
        if event == ("opcode" if self.opcodes else "line"):
            self.left -= 1
            if self.left < 0:
                raise KeyboardInterrupt
        return self.follow


def interrupted(function, at, opcodes=False):
    """Call a function with an interrupt at one place; whether the place was reached."""
    before = sys.gettrace()
    sys.settrace(Interrupter(at, opcodes).trace)
    try:
        function()
    except KeyboardInterrupt:
        return True
    finally:
        sys.settrace(before)
    return False


class Run:
    """A small training run, with all that changes in a step."""

    def __init__(self, kind=optim.Adam, device="cpu", **options):
        tg.manual_seed(0)
        self.rnn = nn.RNN(2, 3).to(device)
        self.head = nn.Linear(3, 1).to(device)
        self.x = tg.randn(2, 2, 2).to(device)
        self.params = [*self.rnn.parameters(), *self.head.parameters()]
        groups = [{"params": self.params[:3]}, {"params": self.params[3:], "lr": 0.5}]
        self.optimizer = kind(groups, lr=0.1, **options)
        self.scheduler = optim.lr_scheduler.StepLR(self.optimizer, 1, 0.5)

    def backward(self):
        self.optimizer.zero_grad()
        self.head(self.rnn(self.x)[0]).square().sum().backward()

    def clip(self):
        nn.utils.clip_grad_norm_(self.params, 0.1)

    def step(self):
        self.backward()
        self.clip()
        self.optimizer.step()
        self.scheduler.step()

    def gradients(self):
        return tuple(
            [p.grad is not None and p.grad.cpu().numpy().tobytes() for p in self.params]
        )

    def weights(self):
        return tuple([p.detach().cpu().numpy().tobytes() for p in self.params])

    def trained(self):
        """Parameters and what the optimizer remembers, as bytes."""
        held = self.optimizer.state_dict()["state"]
        slots = [
            (
                place,
                name,
                np.asarray(value.cpu().numpy() if name != "step" else value).tobytes(),
            )
            for place, entry in held.items()
            for name, value in entry.items()
        ]
        return self.weights(), tuple(slots)

    def scheduled(self):
        rates = [
            (group["lr"], group.get("initial_lr"))
            for group in self.optimizer.param_groups
        ]
        return repr((self.scheduler.state_dict(), rates))


def outcomes(make, change, parts, opcodes=False, stride=1):
    """How often each of ``parts`` was found as before and as after, over all places."""
    done = make()
    starts = [part(done) for part in parts]
    change(done)
    ends = [part(done) for part in parts]
    found, place = Counter(), 0
    while True:
        run = make()
        # In a context of its own: an interrupt at the end of a walk leaves its
        # recording mode.
        if not copy_context().run(interrupted, lambda: change(run), place, opcodes):
            break
        for part, start, end in zip(parts, starts, ends, strict=True):
            now = part(run)
            assert now in (start, end), f"{part.__name__} is torn at place {place}"
            found[part.__name__, "after" if now == end else "before"] += 1
        found["places"] += 1
        place += stride
    return found


def warm(run):
    """A run that has made a step, and what it takes to have it again."""
    run.step()
    run.backward()
    return lambda: copy.deepcopy(run)


STEPS = [
    (optim.Adam, {"amsgrad": True, "weight_decay": 0.1}),
    (optim.SGD, {"momentum": 0.9, "maximize": True}),
    (optim.RMSprop, {"momentum": 0.9, "centered": True}),
    (optim.Adagrad, {}),
]


def strides(some):
    """Every so many places by default, and each of them in the longer run."""
    return pytest.mark.parametrize(
        "stride", [some, pytest.param(1, marks=pytest.mark.slow)]
    )


@strides(7)
@pytest.mark.parametrize(("kind", "options"), STEPS)
def test_a_step_is_whole_or_not_at_all(kind, stride, options):
    """The second one and the first one, which makes what the optimizer remembers."""
    first = Run(kind, **options)
    first.backward()
    for make in (lambda: copy.deepcopy(first), warm(Run(kind, **options))):
        found = outcomes(
            make, lambda run: run.optimizer.step(), [Run.trained], stride=stride
        )
        assert found["trained", "before"] * stride > 200
        assert found["trained", "after"] or stride > 1


@strides(23)
def test_a_step_is_whole_at_every_instruction(stride):
    make = warm(Run(optim.SGD, momentum=0.9))

    def step(run):
        return run.optimizer.step()

    found = outcomes(make, step, [Run.trained], opcodes=True, stride=stride)
    assert found["places"] * stride > 2000
    assert found["trained", "after"] or stride > 1


def test_a_step_elsewhere_than_in_numpy_is_whole(device):
    make = warm(Run(optim.SGD, device, momentum=0.9))
    found = outcomes(make, lambda run: run.optimizer.step(), [Run.trained], stride=7)
    assert found["trained", "before"]


@strides(29)
def test_a_training_step(stride):
    """A whole training step, in which only gradients may be left half done."""
    make = warm(Run(weight_decay=0.1))
    found = outcomes(make, Run.step, [Run.trained, Run.scheduled], stride=stride)
    assert found["places"] * stride > 1000
    assert found["trained", "after"]
    assert found["trained", "before"] * stride > 1000


@strides(5)
def test_gradients_are_clipped_all_or_none(stride):
    make = warm(Run())
    for change in (Run.clip, lambda run: nn.utils.clip_grad_value_(run.params, 1e-3)):
        found = outcomes(make, change, [Run.gradients], stride=stride)
        assert found["gradients", "before"]


@pytest.mark.parametrize("set_to_none", [True, False])
def test_gradients_are_forgotten_all_or_none(set_to_none):
    make = warm(Run())
    found = outcomes(
        make, lambda run: run.optimizer.zero_grad(set_to_none), [Run.gradients]
    )
    assert found["gradients", "before"]


def loading():
    """A run, and states of another one to load into it."""
    other, run = Run(optim.Adam), Run(optim.Adam)
    for _ in range(2):
        other.step()
    run.step()
    states = {
        "rnn": {name: t.clone() for name, t in other.rnn.state_dict().items()},
        "optimizer": other.optimizer.state_dict(),
        "scheduler": other.scheduler.state_dict(),
    }
    return lambda: copy.deepcopy(run), states


@strides(13)
@pytest.mark.parametrize("part", ["rnn", "optimizer", "scheduler"])
def test_a_state_is_loaded_whole_or_not_at_all(part, stride):
    make, states = loading()

    def change(run):
        return getattr(run, part).load_state_dict(states[part])

    found = outcomes(make, change, [Run.trained, Run.scheduled], stride=stride)
    assert found["scheduled" if part == "scheduler" else "trained", "before"]


@pytest.mark.parametrize(
    "make",
    [
        lambda o: optim.lr_scheduler.OneCycleLR(o, 0.1, 9),
        lambda o: optim.lr_scheduler.ReduceLROnPlateau(o, patience=0),
        lambda o: optim.lr_scheduler.SequentialLR(
            o,
            [optim.lr_scheduler.LinearLR(o), optim.lr_scheduler.OneCycleLR(o, 1.0, 9)],
            [1],
        ),
    ],
)
def test_a_schedule_steps_in_whole(make):
    run = Run()
    run.optimizer.step()
    run.scheduler = make(run.optimizer)
    arguments = [1.0] * isinstance(run.scheduler, optim.lr_scheduler.ReduceLROnPlateau)
    if arguments:
        run.scheduler.step(0.5)
    found = outcomes(
        lambda: copy.deepcopy(run),
        lambda run: run.scheduler.step(*arguments),
        [Run.scheduled],
    )
    assert found["scheduled", "before"]


def test_training_goes_on_after_an_interrupt():
    """Wherever it comes: the next step finds nothing half done except gradients."""
    make = warm(Run())
    once = make()
    once.step()
    for place in range(0, 4000, 100):
        run = make()
        before = run.trained(), run.scheduled()
        if not copy_context().run(interrupted, run.step, place):
            break
        unchanged = (run.trained(), run.scheduled()) == before
        run.step()
        assert not unchanged or run.trained() == once.trained()
    assert place > 1000
