"""tg.compile: replayed calls give the bits of plain ones, and are really replayed."""

import random
import re
import warnings
from types import SimpleNamespace

import numpy as np
import pytest

import tinygrad_rnn as tg
import tinygrad_rnn.nn.functional as F
from tinygrad_rnn import nn, optim
from tinygrad_rnn.errors import DTypeError, GraphError


def bits(value):
    """The bytes of all tensors in a nested structure, in order."""
    if isinstance(value, tg.Tensor):
        return [value.detach().numpy().tobytes()]
    if isinstance(value, tuple | list):
        return [part for item in value for part in bits(item)]
    return [value]


def run_both(function, calls, replays=None):
    """Call a function plainly and compiled on the same arguments; compare all bits."""
    compiled = tg.compile(function)
    for args in calls:
        assert bits(function(*args)) == bits(compiled(*args))
    if replays is not None:
        assert compiled.cache_info().hits == replays
    return compiled


def train(kind, compiled, steps):
    """Losses, norms and weights of a run with all that a training step may have."""
    tg.manual_seed(1)
    layer, head, drop = getattr(nn, kind)(9, 7, 2, dropout=0.2), nn.Linear(7, 9), None
    drop = nn.Dropout(0.3)
    params = [*layer.parameters(), *head.parameters()]
    optimizer = optim.AdamW(params, lr=1e-2)
    schedule = optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    numbers = np.random.default_rng(2)

    def step(x, y, state):
        optimizer.zero_grad()
        output, state = layer(x, state)
        logits = head(drop(output)).flatten(0, 1)
        loss = F.cross_entropy(logits, y.flatten(), label_smoothing=0.05)
        loss.backward()
        norm = nn.utils.clip_grad_norm_(params, 0.5)
        optimizer.step()
        return loss, norm, tg.utils.detach(state)

    run = tg.compile(step) if compiled else step
    state, found = None, []
    for number in range(steps):
        length = 4 if number % 10 else 3  # a ragged window now and then
        x, y = (tg.tensor(numbers.integers(0, 9, (length, 2))) for _ in range(2))
        loss, norm, state = run(x, y, state)
        found += [loss.item(), norm.item(), *bits([p.grad for p in params])]
        schedule.step()
        if number == steps // 2:
            optimizer.load_state_dict(optimizer.state_dict())
    if compiled:
        assert run.cache_info().hits >= steps - 8
    return found, bits(params)


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_a_training_run_has_the_same_bits(kind):
    assert train(kind, False, 30) == train(kind, True, 30)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_a_long_training_run_has_the_same_bits(kind):
    assert train(kind, False, 1000) == train(kind, True, 1000)


def test_numbers_that_are_read_are_guards():
    scale = 2.0

    def multiply(x, factor):
        return x * factor * scale

    calls = [(tg.ones(2), 3.0)] * 4 + [(tg.ones(2), 4.0)] * 4 + [(tg.ones(2), 3.0)]
    compiled = run_both(multiply, calls, replays=5)
    scale = 5.0
    assert compiled(tg.ones(2), 3.0).tolist() == [15.0, 15.0]


def test_an_attribute_of_a_module_is_a_guard():
    class Scaled(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = 2.0

        def forward(self, x):
            return x * self.scale

    model = Scaled()
    compiled = tg.compile(model)
    for _ in range(4):
        assert compiled(tg.ones(1)).item() == 2.0
    model.scale = 3.0
    assert compiled(tg.ones(1)).item() == 3.0
    assert compiled.cache_info().hits == 2


@pytest.mark.parametrize("mode", [True, False])
def test_train_and_eval_have_programs_of_their_own(mode):
    drop = nn.Dropout(0.5).train(mode)
    compiled = tg.compile(lambda x: drop(x))
    for _ in range(3):
        compiled(tg.ones(100))
    drop.train(not mode)
    has_zeros = bool((compiled(tg.ones(100)) == 0).any())
    assert has_zeros is not mode


def test_new_weights_are_seen():
    layer = nn.Linear(2, 2)
    compiled = tg.compile(lambda x: layer(x).detach())
    for _ in range(3):
        compiled(tg.ones(2))
    with tg.no_grad():
        layer.weight.mul_(2.0)
    layer.bias.data = tg.tensor([1.0, 2.0])
    assert bits(compiled(tg.ones(2))) == bits(layer(tg.ones(2)))
    assert compiled.cache_info().hits == 2


REFUSED = {
    "item": (lambda x: x * x.sum().item(), "reads numbers"),
    "if": (lambda x: x if x.sum() > 0 else -x, "reads numbers"),
    "numpy": (lambda x: tg.tensor(x.numpy() * 2), "reads numbers"),
    "repr": (lambda x: len(repr(x)) * x, "reads numbers"),
    "mask": (lambda x: x[x > 0], "no fixed shape"),
    "python's random numbers": (lambda x: x * random.random(), "tg.rand"),
    "numpy's random numbers": (lambda x: x * np.random.rand(), "tg.rand"),  # noqa: NPY002
    "an array from outside": (lambda x: x + np.ones(3, np.float32), "argument"),
    "manual_seed": (lambda x: tg.manual_seed(0) and x, "seed outside"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_a_replay_cannot_repeat_raises_and_names_the_line(name):
    function, words = REFUSED[name]
    state = random.getstate(), np.random.get_state()  # noqa: NPY002
    with pytest.raises(GraphError, match=words) as caught:
        tg.compile(function)(tg.tensor([1.0, 2.0, 3.0]))
    assert f"{__file__}:{function.__code__.co_firstlineno}" in str(caught.value)
    random.setstate(state[0])
    np.random.set_state(state[1])  # noqa: NPY002


def test_a_number_that_changes_by_itself_raises():
    weights = iter(range(10))
    compiled = tg.compile(lambda x: x * next(weights))
    compiled(tg.ones(2))
    with pytest.raises(GraphError, match="did not do the same"):
        compiled(tg.ones(2))


def test_kinds_of_calls_that_take_turns_warn_once_and_are_not_captured_forever():
    """Those without a program run plainly, rather than drive out those in use."""
    compiled = tg.compile(lambda x, n: x * n)
    with pytest.warns(UserWarning, match="more than 8 different ways"):
        for n in range(10):
            assert compiled(tg.ones(1), n).item() == n
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for call in range(400):
            assert compiled(tg.ones(1), call % 10).item() == call % 10
    info = compiled.cache_info()
    assert (info.misses, info.currsize) == (10 + 8 + 80, 8)


def test_a_program_that_lies_idle_makes_room():
    """Any number of kinds of calls, one after another, are replayed, as is one that
    comes back in between.
    """
    compiled = tg.compile(lambda x, n: x * n)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for n in range(20):
            for _ in range(20):
                assert compiled(tg.ones(1), n).item() == n
                assert compiled(tg.ones(1), -1).item() == -1
    info = compiled.cache_info()
    assert (info.misses, info.currsize) == (2 * 21, 8)


def test_the_program_in_use_is_not_the_one_that_makes_room():
    """However long ago another one was used before it."""
    compiled = tg.compile(lambda x, n: x * n)
    for n in [0, 0, *range(1, 8), *[0] * 200, 8]:
        assert compiled(tg.ones(1), n).item() == n
    before = compiled.cache_info()
    assert compiled(tg.ones(1), 0).item() == 0
    assert compiled.cache_info() == before._replace(hits=before.hits + 1)


def test_a_program_that_was_just_captured_does_not_make_room():
    compiled = tg.compile(lambda x, n: x * n)
    with pytest.warns(UserWarning, match="more than 8 different ways"):
        for n in [*[0] * 200, *range(1, 9), 1, 1]:
            assert compiled(tg.ones(1), n).item() == n
    assert compiled.cache_info().hits == 198 + 1


def test_a_function_may_clear_its_own_cache():
    def double(x):
        compiled.cache_clear()
        return 2 * x

    compiled = tg.compile(double)
    for n in range(4):
        assert compiled(tg.full((1,), n)).item() == 2 * n


def test_numbers_that_come_once_each_are_captured_now_and_then():
    compiled = tg.compile(lambda x, n: x * n)
    with pytest.warns(UserWarning, match="argument 2 is 6, and then 7"):
        for n in range(250):
            assert compiled(tg.ones(1), n).item() == n
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(300):
            assert compiled(tg.ones(1), 0).item() == 0
    assert compiled.cache_info().hits >= 190


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (
            lambda f, n: f(tg.ones(1), tg.ones(n, 2)),
            "argument 2 has shape (7, 2), and then (8, 2)",
        ),
        (lambda f, n: f(tg.ones(1), n=n), "argument n is 7, and then 8"),
        (lambda f, n: f(tg.ones(1), [n]), "argument 2[0] is 7, and then 8"),
        (
            lambda f, n: f(tg.ones(1), SimpleNamespace(y=tg.ones(1))),
            "argument 2 is an object of type SimpleNamespace, which counts by "
            "identity, and then another one",
        ),
    ],
)
def test_the_warning_says_in_words_what_changes(call, words):
    compiled = tg.compile(lambda x, *args, **kwargs: x * 2)
    with pytest.warns(
        UserWarning, match=re.escape(f"what keeps changing: {words}") + "$"
    ):
        for n in range(1, 10):
            call(compiled, n)


def test_the_warning_names_an_attribute_that_changes_as_the_code_does():
    config, base = SimpleNamespace(step=0), [0.9]  # each capture has a copy of the list
    compiled = tg.compile(lambda x: x * base[0] ** config.step)
    words = "what keeps changing: config.step is 7, and then 8"
    with pytest.warns(UserWarning, match=words):
        for step in range(1, 10):
            config.step = step
            assert compiled(tg.ones(1)).item() == pytest.approx(0.9**step)


def test_a_result_has_no_graph_and_says_so():
    layer = nn.Linear(2, 1)
    compiled = tg.compile(layer)
    for _ in range(3):
        out = compiled(tg.ones(2))
    assert out.requires_grad
    with pytest.raises(GraphError, match="inside of the compiled function"):
        out.sum().backward()


def test_a_method_is_compiled_for_each_object():
    class Counter:
        def __init__(self, start):
            self.start = start

        @tg.compile
        def add(self, x):
            return x + self.start

    one, two = Counter(1.0), Counter(2.0)
    for _ in range(4):
        assert one.add(tg.ones(1)).item() == 2.0
        assert two.add(tg.ones(1)).item() == 3.0
    assert one.add.cache_info().hits == 2
    one.start = 5.0
    assert one.add(tg.ones(1)).item() == 6.0


def test_a_hook_that_is_added_later_is_noticed():
    layer = nn.Linear(2, 1)
    optimizer = optim.SGD(layer.parameters(), lr=0.1)

    @tg.compile
    def step(x):
        optimizer.zero_grad()
        loss = layer(x).square().sum()
        loss.backward()
        optimizer.step()
        return loss.detach()

    for _ in range(3):
        step(tg.ones(2))
    handle = layer.weight.register_hook(lambda g: g * 0)
    with pytest.raises(GraphError, match="a hook of a gradient"):
        step(tg.ones(2))
    handle.remove()
    step(tg.ones(2))


def test_what_was_refused_raises_though_the_function_goes_on():
    def scaled(x):
        try:
            factor = x.sum().item()
        except RuntimeError:
            factor = 0.0
        return x * factor

    with pytest.raises(GraphError, match="reads numbers"):
        tg.compile(scaled)(tg.ones(2))


def test_a_compiled_module_is_no_module_and_says_so():
    model = nn.Module()
    with pytest.raises(DTypeError, match="inner: got a compiled Linear, which is no"):
        model.inner = tg.compile(nn.Linear(2, 2))
    drop = nn.Dropout(0.5)
    compiled = tg.compile(drop)
    compiled.training = False
    assert drop.training is False
    assert compiled.training is False
    drop.train()
    assert compiled.training is True


def test_options_of_pytorch_are_accepted():
    def double(x):
        return 2 * x

    assert tg.compile(double, disable=True) is double
    compiled = tg.compile(mode="reduce-overhead", fullgraph=True)(double)
    assert compiled(tg.ones(1)).item() == 2.0


def test_arrays_of_any_library(device):
    x = tg.tensor([[1.0, 2.0], [3.0, 4.0]]).to(device=device)
    compiled = tg.compile(lambda x: (x[1:] * 2.0).to(tg.float64).sum())
    assert [compiled(x).item() for _ in range(4)] == [14.0] * 4
    assert compiled.cache_info().hits == 2
