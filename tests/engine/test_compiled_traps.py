"""tg.compile under interrupts, errors, threads, nesting, and what it keeps alive."""

import copy
import gc
import pickle
import threading
import warnings
import weakref

import numpy as np
import pytest
from engine.compiled import bits

import tinygrad_rnn as tg
import tinygrad_rnn.nn.functional as F
from tinygrad_rnn import nn, optim
from tinygrad_rnn.engine import seam
from tinygrad_rnn.errors import GraphError, IdError, OptionError


def classifier(kind=optim.Adam):
    """A compiled training step, its layer and its optimizer."""
    tg.manual_seed(0)
    layer = nn.Linear(4, 3)
    optimizer = kind(layer.parameters(), lr=0.1)

    @tg.compile
    def step(x, y):
        optimizer.zero_grad()
        loss = F.cross_entropy(layer(x), y)
        loss.backward()
        nn.utils.clip_grad_norm_(layer.parameters(), 0.1)
        optimizer.step()
        return loss

    for _ in range(4):
        step(tg.ones(2, 4), tg.tensor([0, 2]))
    assert step.cache_info().hits == 2
    return step, layer, optimizer


def state_of(layer, optimizer):
    state = optimizer.state_dict()["state"]
    moments = [[bits(v) for v in entry.values()] for entry in state.values()]
    return [bits(p) for p in layer.parameters()], moments


# ------------------------------------------------------------ errors in a replay


def test_wrong_ids_raise_as_plainly_and_change_nothing():
    step, layer, optimizer = classifier()
    before = state_of(layer, optimizer)
    with pytest.raises(IdError) as plain:
        F.cross_entropy(layer(tg.ones(2, 4)), tg.tensor([0, 3]))
    with pytest.raises(IdError) as caught:
        step(tg.ones(2, 4), tg.tensor([0, 3]))
    assert str(caught.value) == str(plain.value)
    assert state_of(layer, optimizer) == before
    step(tg.ones(2, 4), tg.tensor([0, 1]))
    assert state_of(layer, optimizer) != before
    assert step.cache_info().hits == 3


def test_other_checks_of_values_are_made_in_a_replay():
    layer = nn.GRU(2, 3)
    run = tg.compile(lambda x, lengths: layer(x, lengths=lengths)[0])
    for _ in range(3):
        run(tg.ones(4, 2, 2), tg.tensor([4, 2]))
    with pytest.raises(tg.Error, match="lengths"):
        run(tg.ones(4, 2, 2), tg.tensor([5, 2]))
    table = nn.Embedding(5, 2)
    look_up = tg.compile(lambda ids: table(ids))
    for _ in range(3):
        look_up(tg.tensor([0, 4]))
    with pytest.raises(IdError, match="5"):
        look_up(tg.tensor([0, 5]))
    with pytest.raises(OptionError):
        draw = tg.compile(lambda w: tg.multinomial(w, 1))
        for n in (1.0, 2.0, 3.0, -1.0):
            draw(tg.tensor([n, 0.0]))
    assert draw.cache_info().hits == 1


def test_an_infinite_gradient_raises_in_a_replay():
    step, layer, optimizer = classifier()
    before = state_of(layer, optimizer)
    with pytest.raises(GraphError, match="weight"), np.errstate(all="ignore"):
        step(tg.full((2, 4), float("inf")), tg.tensor([0, 2]))
    assert state_of(layer, optimizer) == before


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError, ZeroDivisionError])
@pytest.mark.parametrize("place", range(6))
def test_an_interrupt_changes_all_or_nothing(error, place, monkeypatch):
    """Somewhere among the calls of a replay."""
    step, layer, optimizer = classifier()
    twin, twin_layer, twin_optimizer = classifier()
    (program,) = step._ready
    names = [k for k, v in program.constants.items() if callable(v) and "_" not in k]
    name = names[place % len(names)]
    space = program._replay.__globals__
    before = state_of(layer, optimizer)

    def interrupted(*args, **settings):
        raise error

    monkeypatch.setitem(space, name, interrupted)
    x, y = tg.ones(2, 4), tg.tensor([1, 2])
    try:
        step(x, y)
        has_run = True
    except error:
        has_run = False
    monkeypatch.undo()
    twin(x, y)
    if not has_run:
        assert state_of(layer, optimizer) == before
        step(x, y)
    assert state_of(layer, optimizer) == state_of(twin_layer, twin_optimizer)
    assert bits(step(x, y)) == bits(twin(x, y))


# ------------------------------------------------------------ threads and nesting


def test_another_thread_is_not_recorded():
    ready, done = threading.Event(), threading.Event()
    seen = []

    def work():
        ready.wait(60)
        seen.append((tg.ones(3) * 7).sum().item())
        random = tg.Generator().manual_seed(1)
        seen.append(tg.rand(3, generator=random).numpy().sum() > 0)
        done.set()

    def step(x):
        ready.set()
        done.wait(60)
        return x * 2

    thread = threading.Thread(target=work)
    thread.start()
    compiled = tg.compile(step)
    for _ in range(4):
        assert compiled(tg.ones(3)).tolist() == [2.0, 2.0, 2.0]
    thread.join()
    assert seen == [21.0, True]
    assert compiled.cache_info().hits == 2
    assert "7" not in compiled.program()


def test_threads_replay_one_program():
    layer = nn.LSTM(5, 6)
    compiled = tg.compile(lambda x: layer(x)[0].detach())
    inputs = [tg.randn(7, 2, 5) for _ in range(8)]
    wanted = [bits(layer(x)[0].detach()) for x in inputs]
    for x in inputs[:3]:
        compiled(x)
    wrong = []

    def work(number):
        for _ in range(20):
            if bits(compiled(inputs[number])) != wanted[number]:
                wrong.append(number)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert compiled.cache_info().misses == 2


def test_threads_that_capture_at_once():
    made = [tg.compile(lambda x, n=n: (x * n).sum()) for n in range(4)]
    failed = []

    def work(number):
        try:
            for _ in range(6):
                assert made[number](tg.ones(5)).item() == 5.0 * number
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert seam.recorder is None and not seam.observers


def test_compiled_functions_in_others():
    layer = nn.Linear(3, 3)
    inner = tg.compile(lambda x: layer(x).tanh())

    @tg.compile
    def outer(x):
        layer.zero_grad()
        loss = inner(x).sum() + inner(x * 2).sum()
        loss.backward()
        return loss

    def plain(x):
        layer.zero_grad()
        loss = layer(x).tanh().sum() + layer(x * 2).tanh().sum()
        loss.backward()
        return loss

    for n in range(4):
        x = tg.ones(2, 3) * n
        wanted = bits(plain(x)), bits(layer.weight.grad)
        assert (bits(outer(x)), bits(layer.weight.grad)) == wanted
    assert outer.cache_info().hits == 2
    assert inner.cache_info().hits == 0  # a part of the other one


def test_recursion():
    @tg.compile
    def power(x, n):
        return x if n == 0 else power(x, n - 1) * 2

    for _ in range(3):
        assert power(tg.ones(1), 3).item() == 8.0
    assert power.cache_info().hits == 1


def test_in_checkpoint_anomaly_detection_and_no_grad():
    layer = nn.Linear(3, 3)
    inner = tg.compile(lambda x: layer(x).tanh().detach())
    x = tg.ones(2, 3)
    wanted = bits(inner(x))
    for _ in range(3):
        assert bits(inner(x)) == wanted
    with tg.autograd.detect_anomaly():
        assert bits(inner(x)) == wanted
    assert inner.cache_info()[:2] == (2, 3)  # one of them run plainly
    again = tg.utils.checkpoint.checkpoint(lambda x: inner(x), x)
    assert bits(again) == wanted
    with tg.no_grad():
        for _ in range(3):
            assert bits(inner(x)) == wanted


# ------------------------------------------------------------ memory


def test_nothing_of_the_captured_calls_is_kept():
    layer = nn.Linear(3, 3)

    def run(function, calls):
        references = []
        for _ in range(calls):
            x = tg.ones(2, 3)
            references.append(weakref.ref(x))
            references.append(weakref.ref(x.array))
            function(x)
        return references

    compiled = tg.compile(lambda x: layer(x).tanh().sum().detach())
    references = run(compiled, 5)
    gc.collect()
    assert [r() for r in references] == [None] * len(references)
    assert compiled.cache_info().hits == 3


def test_old_weights_are_not_kept():
    layer = nn.Linear(3, 3)
    compiled = tg.compile(lambda x: layer(x).detach())
    for _ in range(3):
        compiled(tg.ones(3))
    old = weakref.ref(layer.weight.array)
    layer.weight.data = tg.ones(3, 3)
    compiled(tg.ones(3))
    gc.collect()
    assert old() is None
    assert compiled.cache_info().hits == 2


def test_programs_go_with_their_function():
    layer = nn.Linear(3, 3)
    reference = weakref.ref(layer)
    compiled = tg.compile(layer)
    for _ in range(3):
        compiled(tg.ones(3))
    program = weakref.ref(compiled._ready[0])
    del compiled, layer
    gc.collect()
    assert program() is None
    assert reference() is None


def test_results_are_new_arrays_each_time():
    compiled = tg.compile(lambda x: (x * 2, tg.zeros(2), x.detach()))
    x = tg.ones(2)
    kept = [compiled(x) for _ in range(5)]
    for doubled, zeros, same in kept:
        assert same.array is x.array
        doubled.mul_(0.0)
        zeros.add_(1.0)
    assert compiled(x)[0].tolist() == [2.0, 2.0]
    assert compiled(x)[1].tolist() == [0.0, 0.0]


def test_constants_are_not_changed_by_results():
    def step(x):
        table = tg.tensor([1.0, 2.0])
        table += x
        zeros = tg.zeros(2, dtype=tg.float64)  # in the dtype of NumPy's: not converted
        return table, zeros.add_(x), tg.arange(2).add_(3)

    compiled = tg.compile(step)
    for _ in range(5):
        assert bits(compiled(tg.ones(2))) == bits(step(tg.ones(2)))


def test_intermediates_die_before_the_end():
    """Of a chain of large arrays two are alive at a time."""
    alive, most = [], []

    def note(array):
        alive.append(weakref.ref(array))
        most.append(sum(r() is not None for r in alive))
        return array

    class Noted(tg.autograd.FusedOp):
        pass

    def composite(x, /):
        return x * 1.0

    op = Noted(composite, lambda xp, x: ((note(x * 1.0),), None), None)

    def step(x):
        for _ in range(9):
            x = op(x)
        return x

    compiled = tg.compile(step)
    with tg.no_grad():
        for _ in range(3):
            alive.clear()
            most.clear()
            compiled(tg.ones(1000))
    assert compiled.cache_info().hits == 1
    assert max(most) <= 2


def test_changes_in_place_are_counted_in_a_replay():
    """A graph that has saved what a replay changes does not hold any more."""

    class Counted(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("total", tg.ones(2))

        def forward(self, x):
            self.total += x
            return x

    model, x, w = Counted(), tg.ones(2), tg.ones(2, requires_grad=True)
    compiled = tg.compile(model)
    counts = []
    for _ in range(5):
        before = model.total.version.count
        compiled(x)
        counts.append(model.total.version.count - before)
    assert counts == [1] * 5
    loss = (w * model.total).sum()
    compiled(x)
    with pytest.raises(GraphError, match="changed in place"):
        loss.backward()
    changed = tg.compile(lambda x: x.mul_(2.0))
    counts = []
    for _ in range(4):
        y = tg.ones(2)
        changed(y)
        counts.append((y.version.count, y.tolist()))
    assert counts == [(1, [2.0, 2.0])] * 4


# ------------------------------------------------------------ warnings


def test_warnings_point_to_the_users_line():
    compiled = tg.compile(lambda x: x.log())
    for _ in range(3):
        compiled(tg.ones(2))
    with pytest.warns(RuntimeWarning, match="divide by zero") as caught:
        compiled(tg.zeros(2))
    assert {w.filename for w in caught} == {__file__}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(RuntimeWarning, match="divide by zero"):
            compiled(tg.zeros(2))
        with np.errstate(divide="ignore"):
            assert compiled(tg.zeros(1)).tolist() == [-np.inf]
    with np.errstate(divide="raise"), pytest.raises(FloatingPointError):
        compiled(tg.zeros(2))
    assert compiled(tg.ones(2)).tolist() == [0.0, 0.0]


def test_a_warning_while_it_is_captured():
    with pytest.warns(RuntimeWarning, match="divide by zero"):
        compiled = tg.compile(lambda x: (x.log() * 2).exp())
        for _ in range(4):
            assert compiled(tg.zeros(2)).tolist() == [0.0, 0.0]
    assert compiled.cache_info().hits == 2


# ------------------------------------------------------------ as an object


def test_names_and_docs_are_those_of_the_function():
    @tg.compile
    def train(x):
        """Train."""
        return x

    assert (train.__name__, train.__doc__) == ("train", "Train.")
    assert train.__wrapped__(tg.ones(1)).item() == 1.0
    assert repr(train).startswith("<compiled train: CacheInfo(")
    checked = tg.compile(check=2)(train.__wrapped__)
    assert checked.__name__ == "train"


def test_a_module_stays_a_module():
    model = nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.5))
    compiled = tg.compile(model)
    assert [*map(id, compiled.parameters())] == [*map(id, model.parameters())]
    assert compiled.state_dict().keys() == model.state_dict().keys()
    compiled.eval()
    assert not model.training
    for _ in range(3):
        assert bits(compiled(tg.ones(2))) == bits(model(tg.ones(2)))
    compiled.train()
    assert model.training
    with pytest.raises(AttributeError):
        compiled.missing  # noqa: B018


class Model:
    scale = 2.0

    @tg.compile
    def method(self, x):
        return x * self.scale

    @staticmethod
    @tg.compile
    def static(x):
        return x * 2

    @classmethod
    @tg.compile
    def of_class(cls, x):
        return x * cls.scale


def test_methods_of_every_kind():
    one, two = Model(), Model()
    two.scale = 3.0
    x = tg.ones(1)
    for _ in range(4):
        assert one.method(x).item() == 2.0
        assert two.method(x).item() == 3.0
        assert one.static(x).item() == Model.static(x).item() == 2.0
        assert one.of_class(x).item() == Model.of_class(x).item() == 2.0
    assert one.method.cache_info().hits == 2
    other = copy.deepcopy(two)
    other.scale = 4.0
    for _ in range(3):
        assert other.method(x).item() == 4.0
        assert two.method(x).item() == 3.0


class Slots:
    __slots__ = ("scale",)

    @tg.compile
    def method(self, x):
        return x * self.scale


def test_a_method_of_an_object_without_a_dict():
    one = Slots()
    one.scale = 2.0
    for _ in range(4):
        assert one.method(tg.ones(1)).item() == 2.0


def double(x):
    return x * 2


compiled_double = tg.compile(double)


def test_copies_and_pickles():
    for _ in range(3):
        compiled_double(tg.ones(1))
    for other in (
        copy.copy(compiled_double),
        copy.deepcopy(compiled_double),
        pickle.loads(pickle.dumps(compiled_double)),
    ):
        for _ in range(3):
            assert other(tg.ones(1)).item() == 2.0


@pytest.mark.parametrize(
    "make_copy", [copy.deepcopy, lambda f: pickle.loads(pickle.dumps(f))]
)
def test_a_copy_of_a_compiled_model_has_its_own_weights(make_copy):
    layer = nn.Linear(2, 2)
    compiled = tg.compile(layer, check=2)
    for _ in range(3):
        compiled(tg.ones(1, 2))
    other, wanted = make_copy(compiled), bits(layer(tg.ones(1, 2)))
    with tg.no_grad():
        layer.weight.zero_()
    for _ in range(4):
        assert bits(other(tg.ones(1, 2))) == wanted
    assert other.cache_info().hits == 2
    assert bits(compiled(tg.ones(1, 2))) == bits(layer(tg.ones(1, 2))) != wanted


def test_a_replay_counts_changes_of_the_gradients_that_it_adds_to():
    layer = nn.Linear(2, 2)
    add = tg.compile(lambda x: layer(x).sum().backward())
    for _ in range(4):
        add(tg.ones(1, 2))
    y = (tg.ones(2, 2, requires_grad=True) * layer.weight.grad).sum()
    add(tg.ones(1, 2))
    assert add.cache_info().hits > 0
    with pytest.raises(GraphError, match="in place"):
        y.backward()
