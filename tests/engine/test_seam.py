"""The list that calls and gradients are reported to."""

import tinygrad_rnn as tg
from tinygrad_rnn.engine.seam import Observer, observers


class Notes(Observer):
    """What was seen, by names of ops."""

    def __init__(self):
        self.calls, self.gradients = [], []

    def op_called(self, name, args, result):
        self.calls.append((name, len(args), result.tolist()))

    def gradient_arrived(self, source, g):
        self.gradients.append((source and source.plan.name, g.tolist()))


def test_an_observer_sees_each_call_and_each_gradient():
    notes, x = Notes(), tg.tensor([3.0], requires_grad=True)
    observers.append(notes)
    try:
        (x * 2.0).exp().log().sum(0).backward()
    finally:
        observers.remove(notes)
    (x * 2.0).sum().backward()
    assert [name for name, *_ in notes.calls] == ["multiply", "exp", "log", "sum"]
    assert notes.calls[0] == ("multiply", 2, [6.0])
    assert notes.calls[-1][1] == 2  # a setting that was given counts
    sources = [source for source, _ in notes.gradients]
    assert sources == [None, "sum", "log", "exp", "multiply"]
    assert notes.gradients[-1] == ("multiply", [2.0])


def test_an_observer_that_does_nothing_changes_nothing():
    idle = Observer()
    observers.append(idle)
    try:
        x = tg.tensor([1.0, 2.0], requires_grad=True)
        (x * x).sum().backward()
    finally:
        observers.remove(idle)
    assert x.grad.tolist() == [2.0, 4.0]
