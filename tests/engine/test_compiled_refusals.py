"""What tg.compile raises for: with words that help, and the user's line."""

import linecache
import pickle
import random
import re
from types import SimpleNamespace

import numpy as np
import pytest
from engine.compiled import bits

import tinygrad_rnn as tg
from tinygrad_rnn import nn, optim
from tinygrad_rnn.engine import seam
from tinygrad_rnn.errors import GraphError

KEPT = []
BOX = SimpleNamespace(kept=None, count=0)
OUTSIDE = np.ones(3, np.float32)
LAYER = nn.Linear(3, 3)
OPTIMIZER = optim.SGD(LAYER.parameters(), lr=0.1)
SCHEDULE = optim.lr_scheduler.StepLR(OPTIMIZER, 1)
GENERATOR = tg.Generator()
WEIGHT = nn.Parameter(tg.ones(3))


def under_if(x):
    return x if x.sum() > 0 else -x


def under_while(x):
    while x.sum() < 10:
        x = x * 2
    return x


def keep(x):
    KEPT.append(x * 2)
    return x


def keep_in_a_global(x):
    global TOTAL
    TOTAL = x.sum()
    return x


def keep_in_an_object(x):
    BOX.kept = x * 2
    return x


def keep_in_a_module(x):
    LAYER.last = x * 2
    return x


def set_an_attribute(x):
    LAYER.count = random.SystemRandom().random()
    return x


def hooked(x):
    y = x * WEIGHT
    y.register_hook(lambda g: g)
    y.sum().backward()
    return x


def retained(x):
    y = x * WEIGHT
    y.retain_grad()
    return y


def with_a_hook_of_a_leaf(x):
    handle = WEIGHT.register_hook(lambda g: g * 2)
    (x * WEIGHT).sum().backward()
    handle.remove()
    return x


def hook_a_module(x):
    LAYER.register_forward_hook(lambda *args: None)
    return LAYER(x)


def set_a_rate(x):
    OPTIMIZER.param_groups[0]["lr"] = OPTIMIZER.param_groups[0]["lr"] * 0.5
    return x


def sum_of_a_packed_sequence(x):
    packed = nn.utils.rnn.pack_sequence([x, x[:2]])
    return packed.data.sum()


def own_noise(x):
    return x + tg.tensor(np.random.default_rng().random(3))


def orthogonal(x):
    return x @ nn.init.orthogonal_(tg.empty(3, 3))


def add_in_place(x):
    OUTSIDE.sum()
    x += tg.from_numpy(OUTSIDE)
    return x


REFUSED = {
    "item": (lambda x: x * x.sum().item(), "item.* reads numbers"),
    "float": (lambda x: x * float(x.sum()), "reads numbers"),
    "int": (lambda x: x * int(x.sum()), "reads numbers"),
    "index": (lambda x: [1.0, 2.0, 3.0][x.argmax()] * x, "reads numbers"),
    "range": (lambda x: len(range(x.argmax())) * x, "reads numbers"),
    "bool": (lambda x: x * bool((x > 0).all()), "reads numbers"),
    "if": (under_if, "reads numbers"),
    "while": (under_while, "reads numbers"),
    "not": (lambda x: x if not x.sum() else -x, "reads numbers"),
    "print": (lambda x: (print(x * 2), x)[1], "reads numbers"),
    "repr": (lambda x: len(repr(x * 2)) * x, "reads numbers"),
    "format": (lambda x: len(f"{x.sum():.2f}") * x, "reads numbers"),
    "html": (lambda x: len(x._repr_html_()) * x, "reads numbers"),
    "tolist": (lambda x: tg.tensor(x.tolist()), "tolist.* reads numbers"),
    "list of floats": (lambda x: tg.tensor([float(v) for v in x]), "reads numbers"),
    "list of tensors": (lambda x: tg.tensor([x[0], x[1]]), "reads numbers"),
    "numpy": (lambda x: tg.tensor(x.numpy() * 2), "reads numbers"),
    "asarray": (lambda x: tg.tensor(np.asarray(x) * 2), "reads numbers"),
    "dlpack": (lambda x: tg.tensor(np.from_dlpack(x) * 2), "reads numbers"),
    "new data": (lambda x: setattr(WEIGHT, "data", x), "do it outside"),
    "allclose": (lambda x: x * x.allclose(x), "reads numbers"),
    "equal": (lambda x: x * x.equal(x), "reads numbers"),
    "in": (lambda x: x * (3.0 in x), "reads numbers"),
    "==": (lambda x: x if x == x[0] else -x, "neither true nor false"),
    "mask": (lambda x: x[x > 0], "no fixed shape"),
    "mask among indices": (lambda x: x.reshape(1, 3)[0, x > 0], "no fixed shape"),
    "nonzero": (lambda x: x.nonzero(), "reads numbers|no fixed shape"),
    "unique": (lambda x: x.unique(), "reads numbers|no fixed shape"),
    "bincount": (lambda x: x.long().bincount(), "reads numbers|no fixed shape"),
    "masked_select": (lambda x: x.masked_select(x > 0), "no fixed shape"),
    "one_hot": (lambda x: nn.functional.one_hot(x.long()), "reads numbers"),
    "pickle": (lambda x: len(pickle.dumps(x)) * x, "reads numbers"),
    "hook of a tensor": (hooked, "register_hook"),
    "hook of a leaf": (with_a_hook_of_a_leaf, "register_hook"),
    "hook of a module": (hook_a_module, "register_forward_hook"),
    "retain_grad": (retained, "retain_grad"),
    "an array": (lambda x: x + OUTSIDE, "pass it as an argument"),
    "an array as an index": (lambda x: x[OUTSIDE.astype(int)], "as an argument"),
    "a tensor of an array": (lambda x: x + tg.tensor(OUTSIDE), "as an argument"),
    "a tensor around an array": (add_in_place, "as an argument"),
    "noise of NumPy": (own_noise, "as an argument"),
    "a tensor from outside": (lambda x: x + next(TENSORS), "comes from outside"),
    "kept in a list": (keep, "kept outside.*return it, in a tuple"),
    "kept in a global": (keep_in_a_global, "kept outside"),
    "kept in an object": (keep_in_an_object, "kept outside"),
    "kept in a module": (keep_in_a_module, "outside"),
    "an attribute of a module": (set_an_attribute, "setting Linear.count"),
    "new module": (lambda x: nn.Linear(3, 3)(x), "outside"),
    "manual_seed": (lambda x: tg.manual_seed(0) and x, "seed outside"),
    "state of a generator": (lambda x: x * GENERATOR.get_state().sum(), "get_state"),
    "set_state": (lambda x: GENERATOR.set_state(STATE) and x, "set_state"),
    "orthogonal": (orthogonal, "orthogonal_"),
    "checkpoint": (
        lambda x: tg.utils.checkpoint.checkpoint(lambda x: x * 2, x),
        "utils.checkpoint",
    ),
    "packed sequence": (sum_of_a_packed_sequence, "lengths="),
    "scheduler": (lambda x: SCHEDULE.step() or x, "call it outside"),
    "rate of a scheduler": (lambda x: x * SCHEDULE.get_last_lr()[0], "get_last_lr"),
    "a rate": (set_a_rate, r"changes what it reads, .*lr"),
    "load_state_dict": (lambda x: LAYER.load_state_dict(LOADED) and x, "outside"),
    "load an optimizer": (
        lambda x: OPTIMIZER.load_state_dict(OPTIMIZER.state_dict()) or x,
        ".",
    ),
    "add_param_group": (
        lambda x: (
            OPTIMIZER.add_param_group({"params": [nn.Parameter(tg.ones(1))]}) or x
        ),
        "add_param_group",
    ),
    "eval": (lambda x: LAYER.eval()(x).detach(), "outside"),
    "requires_grad_": (
        lambda x: WEIGHT.requires_grad_(not WEIGHT.requires_grad) * x,
        "outside",
    ),
    "set_default_dtype": (lambda x: tg.set_default_dtype(tg.float32) or x, "outside"),
    "random": (lambda x: x * random.random(), "tg.rand"),
    "random of NumPy": (lambda x: x * np.random.rand(), "tg.rand"),  # noqa: NPY002
    "shuffle": (lambda x: (random.shuffle([1, 2, 3]), x * 2)[1], "tg.rand"),
}
TENSORS = iter([tg.ones(3)] * 2)
STATE = GENERATOR.get_state()
LOADED = LAYER.state_dict()


WHERE = {  # what stands in the line that is named, of functions of several lines
    "if": "return x if x.sum()",
    "while": "while x.sum()",
    "hook of a tensor": "y.register_hook",
    "hook of a leaf": "WEIGHT.register_hook",
    "hook of a module": "LAYER.register_forward_hook",
    "retain_grad": "y.retain_grad()",
    "a tensor around an array": "tg.from_numpy(OUTSIDE)",
    "noise of NumPy": "default_rng().random",
    "kept in a list": "KEPT.append",
    "kept in a global": "TOTAL = x.sum()",
    "kept in an object": "BOX.kept = x * 2",
    "kept in a module": "LAYER.last = x * 2",
    "an attribute of a module": "LAYER.count =",
    "orthogonal": "nn.init.orthogonal_",
    "checkpoint": "tg.utils.checkpoint.checkpoint",
    "packed sequence": "pack_sequence([x",
    "a rate": """OPTIMIZER.param_groups[0]["lr"] =""",
    "load an optimizer": "OPTIMIZER.load_state_dict",
    "add_param_group": "OPTIMIZER.add_param_group",
    "requires_grad_": "WEIGHT.requires_grad_",
}


def named_line(error):
    """The line of this file that an error names."""
    (number,) = re.findall(re.escape(__file__) + r":(\d+)", str(error))
    return linecache.getline(__file__, int(number))


def change_a_global(x):
    y = x * GLOBAL["count"]
    GLOBAL["count"] += 1
    return y


def change_a_free_variable():
    count = 0

    def step(x):
        nonlocal count
        y = x * count
        count += 1
        return y

    return step


def change_a_list():
    seen = []

    def note(x):
        return seen.append(1)

    def step(x):
        note(x)
        return x * len(seen)

    return step


class Counter:
    def __init__(self):
        self.calls = 0

    def count(self):
        self.calls += 1

    def step(self, x):
        self.count()
        return x * self.calls


class Rates:
    def step(self, x):
        x = x * self.rates["one"]
        self.rates.update(one=self.rates["one"] + 1)
        return x

    def __init__(self):
        self.rates = {"one": 1}


GLOBAL = {"count": 0}
CHANGED = {  # what it is called, and what stands in the line that changes it
    "global": (lambda: change_a_global, "GLOBAL", 'GLOBAL["count"] +='),
    "free variable": (change_a_free_variable, "count", "count += 1"),
    "list": (change_a_list, "seen", "seen.append"),
    "attribute": (lambda: Counter().step, "self.calls", "self.calls += 1"),
    "dict": (lambda: Rates().step, "self.rates", "self.rates.update"),
}


@pytest.mark.parametrize("kind", CHANGED)
def test_a_change_of_what_is_read_is_named_with_its_line(kind):
    make, what, line = CHANGED[kind]
    with pytest.raises(GraphError, match="changes what it reads") as caught:
        tg.compile(make())(tg.ones(2))
    assert f"it changes what it reads, {what};" in str(caught.value)
    assert line in named_line(caught.value)


NUMPY = {  # what NumPy computes of an argument, and the way out
    "numpy": (lambda x, y: tg.tensor(np.exp(x.numpy())), "tg.exp for np.exp"),
    "cpu": (lambda x, y: x * x.detach().cpu().numpy().max(), "tg.exp for np.exp"),
    "asarray": (lambda x, y: np.asarray(x) * 2, "tg.exp for np.exp"),
    "array": (lambda x, y: tg.tensor(np.array(x)), "tg.exp for np.exp"),
    "concatenate": (lambda x, y: tg.tensor(np.concatenate([x, x])), "tg.exp for"),
    "float32": (lambda x, y: x * np.float32(x.sum()), "compute with the tensor|tg.exp"),
    "of an array": (lambda x, y: x + tg.tensor(np.exp(y)), "tg.exp for np.exp"),
    "a view of an array": (lambda x, y: x + tg.from_numpy(y[:3]), "tg.exp for"),
    "a list of arrays": (lambda x, y: x + tg.tensor([y, y]), "each as an argument"),
    "returned": (lambda x, y: (x, np.exp(y)), "tg.exp for np.exp"),
    "an operator": (lambda x, y: x + (y * 2), "tg.exp for np.exp"),
    "the array of a tensor": (lambda x, y: x + tg.tensor(x.array + 1), "tg.exp for"),
}


@pytest.mark.parametrize("name", NUMPY)
def test_what_numpy_computes_of_an_argument_raises_with_the_way_out(name):
    function, words = NUMPY[name]
    with pytest.raises(GraphError, match=words) as caught:
        tg.compile(function)(tg.ones(3), np.ones(3, np.float32))
    assert f'"{name}": (lambda' in named_line(caught.value)


def is_clean():
    return seam.recorder is None and not seam.observers


@pytest.fixture(autouse=True)
def restored():
    """Global random numbers, rates and hooks as they were."""
    states = random.getstate(), np.random.get_state()  # noqa: NPY002
    yield
    random.setstate(states[0])
    np.random.set_state(states[1])  # noqa: NPY002
    KEPT.clear()
    BOX.kept = None
    globals().pop("TOTAL", None)
    OPTIMIZER.param_groups[0]["lr"] = 0.1
    LAYER.__dict__.pop("_hooks", None)
    WEIGHT.hooks = None
    WEIGHT.requires_grad_(True)
    WEIGHT.grad = None


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_repeated_raises(name, capsys):
    function, words = REFUSED[name]
    x = tg.tensor([1.0, 2.0, 0.5])
    compiled = tg.compile(function)
    with pytest.raises(tg.Error, match=words) as caught:
        for _ in range(2):
            compiled(x)
    if isinstance(caught.value, GraphError):
        assert "compile" in str(caught.value) or "cannot be captured" in str(
            caught.value
        )
    if name != "==":
        assert WHERE.get(name, f'"{name}": (lambda') in named_line(caught.value)
    assert is_clean()
    # Nothing is left switched on: another function is captured, and replayed.
    double = tg.compile(lambda x: x * 2)
    assert [bits(double(x)) for _ in range(4)] == [bits(x * 2)] * 4
    assert double.cache_info().hits == 2


def test_after_a_refusal_the_function_runs_plainly():
    def step(x):
        loss = LAYER(x).sum()
        if loss.item() > 1e9:
            return x
        return loss.detach()

    x = tg.ones(3)
    with pytest.raises(GraphError):
        tg.compile(step)(x)
    assert bits(step(x)) == bits(LAYER(x).sum().detach())


def test_arguments_that_cannot_be():
    compiled = tg.compile(lambda *xs: sum(xs))
    x = tg.ones(3)
    with pytest.raises(GraphError, match="has a graph.*detach"):
        compiled(x * WEIGHT)
    with pytest.raises(GraphError, match="memory of another argument.*clone"):
        compiled(x, x)
    with pytest.raises(GraphError, match="memory of another argument.*clone"):
        compiled(x, x.detach())
    with pytest.raises(GraphError, match="memory of"):
        tg.compile(lambda x: x * WEIGHT)(WEIGHT.detach())
    assert is_clean()
    for _ in range(4):
        assert compiled(x, x.clone()).tolist() == [2.0, 2.0, 2.0]


def test_arguments_that_the_function_reads_by_another_name():
    """The tape could not tell which of the two is read."""
    held, array, layer = tg.ones(3), np.ones(3), nn.Linear(3, 3, bias=False)
    for function, args in (
        (lambda x: x * 2 + held, (held,)),
        (lambda x: x * 2 + held, (held.detach(),)),
        (lambda x: tg.tensor(x) * float(array[0]), (array,)),
        (lambda x, y: tg.tensor(x) + tg.tensor(y), (array, array)),
        (lambda x: layer(x).detach(), (layer.weight,)),
        (lambda x: layer(x).detach() + held, (held,)),
    ):
        with pytest.raises(GraphError, match="argument"):
            tg.compile(function)(*args)
    view = layer.weight.detach()
    with pytest.raises(GraphError, match="memory"):
        tg.compile(lambda x: (layer(x) + view).detach())(tg.ones(3))
    assert is_clean()


def test_code_that_would_run_after_the_call():
    def generate(x):
        yield x * 2

    async def compute(x):
        return x * 2

    begun = compute(tg.ones(2))
    for function in (generate, lambda x: begun, lambda x: map(tg.tanh, [x])):
        with pytest.raises(GraphError, match="runs later"):
            tg.compile(function)(tg.ones(2))
    begun.close()
    assert is_clean()


@pytest.mark.parametrize("end", [1, 3])
def test_a_slice_with_a_tensor_as_an_end(end):
    with pytest.raises(GraphError, match="slice"):
        tg.compile(lambda x, i: x[i:])(tg.ones(4), tg.tensor(end))
    assert is_clean()


def test_hooks_that_were_there_before():
    handle = WEIGHT.register_hook(lambda g: g * 2)
    with pytest.raises(GraphError, match="hook of a gradient"):
        tg.compile(lambda x: (x * WEIGHT).sum().backward())(tg.ones(3))
    handle.remove()
    layer = nn.Linear(3, 3)
    layer.register_forward_hook(lambda *args: None)
    with pytest.raises(GraphError, match="a hook of Linear"):
        tg.compile(layer)(tg.ones(3))
    assert is_clean()


@pytest.mark.parametrize("kind", ["counter", "attribute", "iterator", "time"])
def test_numbers_that_change_by_themselves(kind):
    values = iter(range(100))
    box = SimpleNamespace(count=0)
    counts = [0] * 200  # more than are compared

    def step(x):
        if kind == "counter":
            counts[0] += 1
            return x * counts[0]
        if kind == "attribute":
            box.count += 1
            return x * box.count
        if kind == "iterator":
            return x * next(values)
        return x * tg.tensor([float(next(values))])

    compiled = tg.compile(step)
    words = "did not do the same|changes what"
    with pytest.raises(GraphError, match=words) as caught:
        for _ in range(3):
            compiled(tg.ones(2))
    assert any(
        word in named_line(caught.value) for word in ("return x * ", "count += 1")
    )
    assert is_clean()


def test_a_second_call_that_computes_more():
    lengths = iter([1, 2])

    def step(x):
        for _ in range(next(lengths)):
            x = x.tanh()
        return x

    compiled = tg.compile(step)
    with pytest.raises(GraphError, match="one time alone") as caught:
        for _ in range(2):
            compiled(tg.ones(2))
    assert "x = x.tanh()" in named_line(caught.value)


def test_an_error_of_the_user_leaves_nothing_switched_on():
    def step(x):
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        tg.compile(step)(tg.ones(2))
    assert is_clean()


def test_a_failed_call_of_an_op_leaves_nothing_switched_on():
    compiled = tg.compile(lambda x: x @ tg.ones(5))
    for _ in range(3):
        with pytest.raises(tg.Error):
            compiled(tg.ones(2, 3))
    assert is_clean()
    assert compiled.cache_info().currsize == 0
