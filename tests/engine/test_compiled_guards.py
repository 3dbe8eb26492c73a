"""What tg.compile guards: a call for which anything differs is captured anew."""

import collections
import functools
import math
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
import pytest
from engine.compiled import bits

import tinygrad_rnn as tg
from tinygrad_rnn import nn, optim
from tinygrad_rnn.errors import GraphError

SCALE = 2.0
SIZES = [1.0, 2.0]
MODEL = nn.Linear(3, 3)
SETTINGS = SimpleNamespace(rate=0.5, inner=SimpleNamespace(power=2))
CASES = {}  # name -> a function that returns a function of x, and one that changes it


def case(function):
    CASES[function.__name__] = function
    return function


def set_global(**values):
    return lambda: globals().update(values)


def set_attribute(owner, **values):
    def change():
        for name, value in values.items():
            setattr(owner, name, value)

    return change


# ------------------------------------------------------------ names from outside


@case
def a_global_number():
    set_global(SCALE=2.0)()
    return lambda x: x * SCALE, set_global(SCALE=3.0)


@case
def a_global_list():
    SIZES[:] = [1.0, 2.0]
    return lambda x: x * SIZES[1], lambda: SIZES.__setitem__(1, 5.0)


@case
def a_global_module():
    set_global(MODEL=nn.Linear(3, 3))()
    return lambda x: MODEL(x).detach(), set_global(MODEL=nn.Linear(3, 3))


@case
def a_global_of_a_helper():
    set_global(SCALE=2.0)()

    def helper(x):
        return x + SCALE

    return lambda x: helper(x) * 2, set_global(SCALE=3.0)


@case
def a_free_variable():
    factor = 2.0

    def change():
        nonlocal factor
        factor = 3.0

    return lambda x: x * factor, change


@case
def a_free_function():
    act = tg.tanh

    def change():
        nonlocal act
        act = tg.sigmoid

    return lambda x: act(x), change


@case
def an_attribute_of_an_object():
    SETTINGS.rate = 0.5
    return lambda x: x * SETTINGS.rate, set_attribute(SETTINGS, rate=0.25)


@case
def an_attribute_of_an_inner_object():
    SETTINGS.inner.power = 2
    return lambda x: x**SETTINGS.inner.power, set_attribute(SETTINGS.inner, power=3)


@case
def an_entry_of_a_dict():
    config = {"rate": 0.5, "parts": [1, 2]}
    return lambda x: x * len(config["parts"]), lambda: config["parts"].append(3)


@case
def a_nested_dict():
    config = {"model": {"rate": 0.5}}
    return (
        lambda x: x * config["model"]["rate"],
        lambda: config["model"].update(rate=0.25),
    )


@case
def an_integer_for_a_float():
    values = [2.0]
    return lambda x: tg.tensor(values[0]) * x, lambda: values.__setitem__(0, 2)


@case
def a_negative_zero():
    values = [0.0]
    return lambda x: x.abs() * values[0], lambda: values.__setitem__(0, -0.0)


@case
def a_numpy_scalar():
    set_global(SCALE=np.float32(2.0))()
    return lambda x: x * SCALE, set_global(SCALE=np.float32(3.0))


@case
def a_default_argument():
    def function(x, factor=2.0):
        return x * factor

    return function, lambda: setattr(function, "__defaults__", (3.0,))


@case
def an_argument_of_partial():
    settings = {"factor": 2.0}

    def function(x, factor):
        return x * factor

    made = functools.partial(function, **settings)
    return made, lambda: made.keywords.update(factor=3.0)


@case
def an_attribute_of_a_class():
    class Config:
        rate = 2.0

    return lambda x: x * Config.rate, set_attribute(Config, rate=3.0)


@case
def a_property():
    class Config:
        def __init__(self):
            self.base = 2.0

        @property
        def rate(self):
            return self.base * 2

    config = Config()
    return lambda x: x * config.rate, set_attribute(config, base=3.0)


@case
def an_attribute_of_a_class_through_an_object():
    class Config:
        rate = 2.0

    config = Config()
    return lambda x: x * config.rate, set_attribute(Config, rate=3.0)


@case
def slots():
    class Config:
        __slots__ = ("rate",)

    config = Config()
    config.rate = 2.0
    return lambda x: x * config.rate, set_attribute(config, rate=3.0)


@case
def a_numpy_array():
    values = np.array([2.0, 3.0])
    return lambda x: x * float(values[0]), lambda: values.__setitem__(0, 5.0)


@case
def a_deque():
    values = collections.deque([2.0])
    return lambda x: x * values[0], lambda: values.__setitem__(0, 5.0)


@case
def a_set():
    names = {"a"}
    return lambda x: x * (2 if "b" in names else 3), lambda: names.add("b")


@case
def a_list_of_a_class_of_its_own():
    class Values(list):
        pass

    values = Values([2.0])
    return lambda x: x * values[0], lambda: values.__setitem__(0, 5.0)


@case
def a_dict_whose_entries_are_attributes():
    class Config(dict):
        __getattr__ = dict.__getitem__  # which raises KeyError for others

    config = Config(rate=2.0, layer=nn.Linear(3, 3))
    return lambda x: config.layer(x).detach() * config.rate, lambda: config.update(
        rate=3.0
    )


@case
def keys_that_are_no_literals():
    layer = nn.Linear(3, 3)
    values = {(1, 2): 2.0, np.int64(3): 3.0, float("inf"): 4.0, "layer": layer}

    def function(x):
        x = values["layer"](x).detach()
        return x * values[1, 2] * values[3] * values[math.inf]

    return function, lambda: values.__setitem__((1, 2), 5.0)


@case
def an_attribute_by_its_name():
    SETTINGS.rate = 0.5
    return lambda x: x * getattr(SETTINGS, "rate"), set_attribute(  # noqa: B009
        SETTINGS, rate=0.25
    )


@case
def an_attribute_that_a_method_of_the_parent_reads():
    class Base:
        rate = 2.0

        def factor(self):
            return self.rate

    class Config(Base):
        def factor(self):
            return super().factor() * 2

    config = Config()
    return lambda x: x * config.factor(), set_attribute(config, rate=3.0)


@case
def a_nan():
    values = [math.nan]
    return lambda x: x * values[0], lambda: values.__setitem__(0, 3.0)


# ------------------------------------------------------------ modules


class Scaled(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale, self.parts = 2.0, [1.0, 2.0]
        self.inner = nn.Linear(3, 3)
        self.register_buffer("mean", tg.ones(3))
        self.config = SimpleNamespace(shift=1.0)

    def forward(self, x):
        shifted = self.inner(x * self.scale) * SCALE + self.config.shift
        return (shifted * self.parts[1] - self.mean).detach()


@case
def an_attribute_of_a_module():
    model = Scaled()
    return model, set_attribute(model, scale=3.0)


@case
def a_list_in_a_module():
    model = Scaled()
    return model, lambda: model.parts.__setitem__(1, 3.0)


@case
def an_object_in_a_module():
    model = Scaled()
    return model, set_attribute(model.config, shift=2.0)


@case
def a_global_in_a_forward():
    set_global(SCALE=2.0)()
    return Scaled(), set_global(SCALE=3.0)


@case
def a_global_in_a_forward_of_an_inner_module():
    set_global(SCALE=2.0)()
    model = nn.Sequential(nn.Linear(3, 3), Scaled())
    return lambda x: model(x), set_global(SCALE=3.0)


@case
def a_buffer_that_is_replaced():
    model = Scaled()
    return model, set_attribute(model, mean=tg.zeros(3))


@case
def a_buffer_changed_in_place():
    model = Scaled()
    return model, lambda: model.mean.mul_(2.0)


@case
def a_parameter_that_is_replaced():
    model = Scaled()
    return model, lambda: setattr(model.inner, "weight", nn.Parameter(tg.ones(3, 3)))


@case
def a_module_that_is_replaced():
    model = Scaled()
    return model, lambda: setattr(model, "inner", nn.Linear(3, 3))


@case
def a_module_that_is_appended():
    model = nn.Sequential(nn.Linear(3, 3))
    return lambda x: model(x).detach(), lambda: model.append(nn.Tanh())


@case
def data_of_a_parameter():
    model = Scaled()
    return model, lambda: setattr(model.inner.weight, "data", tg.ones(3, 3))


@case
def a_state_dict():
    model = Scaled()
    return model, lambda: model.load_state_dict(Scaled().state_dict())


@case
def evaluation():
    model = nn.Dropout(1.0)
    return lambda x: model(x), model.eval


@case
def a_forward_that_is_replaced():
    model = Scaled()
    return model, lambda: setattr(model, "forward", lambda x: x * 5.0)


@case
def an_option_of_a_layer():
    model = nn.LayerNorm(3)
    return lambda x: model(x).detach(), set_attribute(model, eps=1.0)


# ------------------------------------------------------------ the test


@pytest.mark.parametrize("name", CASES)
def test_what_changes_is_seen(name):
    function, change = CASES[name]()
    compiled = tg.compile(function)
    inputs = [tg.tensor([0.5, -1.0, n]) for n in range(8)]
    for x in inputs[:4]:
        assert bits(compiled(x)) == bits(function(x))
    assert compiled.cache_info()[:2] == (2, 2)
    before = bits(function(inputs[4]))
    change()
    assert bits(function(inputs[4])) != before  # or the case would show nothing
    for x in inputs[4:]:
        assert bits(compiled(x)) == bits(function(x))


# ------------------------------------------------------------ arguments


class Numbers(NamedTuple):
    scale: float
    shift: float


class Pair(NamedTuple):
    one: tg.Tensor
    scale: float


X = tg.tensor([0.5, -1.0, 2.0])
KINDS = {  # a function, and arguments for each of which there is a program
    "a float": (lambda n: X_() * n, [2.0, 3.0, 2, True, np.float32(2), np.int64(2)]),
    "zeros": (lambda n: X_() * n, [0.0, -0.0, 0, False, np.float64(-0.0)]),
    "NaN": (lambda n: X_() * n, [math.nan, math.inf, -math.inf]),
    "a string": (lambda n: X_() if n == "a" else -X_(), ["a", "b", None, b"a"]),
    "a list": (lambda n: X_() * n[-1], [[1, 2], [1, 3], [1, 2.0], (1, 2), [2]]),
    "a dict": (
        lambda n: X_() * sum(n.values()),
        [{"a": 1}, {"b": 1}, {"a": 2}, {"a": 1, "b": 2}, {"b": 2, "a": 1}, {}],
    ),
    "a named tuple": (lambda n: X_() * n[0], [Numbers(1.0, 2.0), (1.0, 2.0)]),
    "a slice": (lambda n: X_()[n], [slice(1), slice(2), slice(0, 2)]),
    "a dtype": (lambda n: X_().to(n), [tg.float32, tg.float64]),
    "a type": (lambda n: tg.Tensor.to(X_(), n), ["float32", "float64"]),
    "shapes": (lambda x: x * 2, [X, X[:2], X.reshape(1, 3), tg.tensor(1.0)]),
    "dtypes": (lambda x: x * 2, [X, X.double(), X.long(), X > 0]),
    "kinds": (lambda x: tg.as_tensor(x) * 2, [X, X.numpy(), [0.5, -1.0], (X,)[0]]),
    "grad": (
        lambda x: (x * 2, x.requires_grad),
        [X.clone(), X.clone().requires_grad_(), nn.Parameter(X.clone())],
    ),
    "nested": (
        lambda x: x["a"][0].one * x["a"][0].scale,
        [{"a": [Pair(X.clone(), n)]} for n in (1.0, 2.0)],
    ),
}


def X_():
    return tg.tensor([0.5, -1.0, 2.0])


@pytest.mark.parametrize("name", KINDS)
def test_each_kind_of_argument_has_a_program(name):
    function, values = KINDS[name]
    compiled = tg.compile(function)
    for _ in range(4):
        for value in values:
            assert bits(compiled(value)) == bits(function(value))
    distinct = len(values) - (name == "kinds")
    info = compiled.cache_info()
    assert (info.currsize, info.misses) == (distinct, 2 * distinct)


def test_numbers_that_numpy_reads_from_an_array_are_guards():
    compiled = tg.compile(lambda x, values: x * float(values.sum()))
    values = np.ones(2)
    for total in (2.0, 2.0, 2.0, 5.0, 5.0, 5.0):
        values[1] = total - 1.0
        assert compiled(tg.ones(1), values).item() == total
    assert compiled.cache_info().hits == 2
    # But these are inputs, or too large, or of no use.
    batch = tg.compile(lambda x, y, z: (tg.tensor(x) * 2, tg.from_numpy(z)))
    for n in range(4):
        doubled, same = batch(np.full(1, n), np.full(101, n), np.full(1, n))
        assert (doubled.item(), same.item()) == (2 * n, n)
    assert batch.cache_info().hits == 2


def test_leaves_that_become_one_are_not_replayed():
    def slope(x, y):
        return tg.autograd.grad((x * y).sum(), [x])[0]

    def leaf(n):
        return tg.tensor([n], requires_grad=True)

    compiled = tg.compile(slope)
    for _ in range(3):
        assert compiled(leaf(2.0), leaf(3.0)).item() == 3.0
    same = leaf(3.0)
    with pytest.raises(GraphError, match="memory of another argument"):
        compiled(same, same)
    weight = nn.Parameter(tg.tensor([3.0]))
    layer = tg.compile(lambda x: tg.autograd.grad((x * weight).sum(), [x])[0])
    for _ in range(3):
        assert layer(nn.Parameter(tg.tensor([2.0]))).item() == 3.0
    with pytest.raises(GraphError, match="outside of the arguments"):
        layer(weight)


def test_arguments_by_name_and_by_place_are_told_apart():
    def function(x, *more, scale=1.0, **options):
        return sum([x * scale, *more]) + len(options)

    compiled = tg.compile(function)
    for _ in range(4):
        for call in (
            lambda f: f(X),
            lambda f: f(x=X),
            lambda f: f(X, scale=2.0),
            lambda f: f(X, X.clone(), scale=2.0),
            lambda f: f(X, scale=2.0, other=X.clone()),
        ):
            assert bits(call(compiled)) == bits(call(function))
    assert compiled.cache_info().currsize == 5


# ------------------------------------------------------------ states


def trained(change, seed=0):
    """Losses and weights of a run with a change after the fourth step."""
    found = []
    for wrap in (lambda step: step, tg.compile):
        tg.manual_seed(seed)
        model = nn.Sequential(nn.Linear(3, 4), nn.Dropout(0.3), nn.Linear(4, 1))
        optimizer = optim.Adam(model[0].parameters(), lr=0.1)
        optimizer.add_param_group({"params": [model[2].weight], "lr": 0.01})

        @wrap
        def step(x, y):
            model.zero_grad()
            loss = (model(x) - y).square().mean()
            loss.backward()
            optimizer.step()
            return loss

        seen = []
        for number in range(9):
            if number == 4:
                change(model, optimizer)
            dtype = model[0].weight.dtype
            x = tg.ones(2, 3, dtype=dtype) * number
            seen.append(bits(step(x, tg.ones(2, 1, dtype=dtype))))
            seen += [bits(p) for p in model.parameters()]
            seen += [p.grad is None or bits(p.grad) for p in model.parameters()]
        found.append(seen)
    assert found[0] == found[1]
    return step.cache_info()


def freeze(model, optimizer):
    model[0].weight.requires_grad_(False)


def add_group(model, optimizer):
    optimizer.add_param_group({"params": [model[2].bias], "lr": 0.5})


def keep_gradients(model, optimizer):
    for p in model.parameters():
        p.grad = None


def set_rate(model, optimizer):
    optimizer.param_groups[0]["lr"] = 0.7


def set_decay(model, optimizer):
    optimizer.param_groups[1]["weight_decay"] = 0.7


def load(model, optimizer):
    state = model.state_dict()
    model.load_state_dict({k: v + 1.0 for k, v in state.items()})
    optimizer.load_state_dict(optimizer.state_dict())


def set_data(model, optimizer):
    model[0].weight.data = tg.ones(4, 3)


def grow(model, optimizer):
    model.append(nn.Linear(1, 1))


CHANGES = {  # with the programs that there are in the end
    freeze: 2,
    add_group: 2,
    keep_gradients: 1,
    set_rate: 1,
    set_decay: 1,
    load: 1,
    set_data: 1,
    grow: 2,
    lambda model, optimizer: model.eval(): 2,
    lambda model, optimizer: tg.manual_seed(5): 1,
    lambda model, optimizer: model[2].weight.data.mul_(2.0): 1,
}


@pytest.mark.parametrize("change", CHANGES, ids=lambda f: f.__name__)
def test_a_change_between_steps(change):
    assert trained(change).currsize == CHANGES[change]


def test_recording_and_the_default_dtype_are_guards():
    layer = nn.Linear(3, 3)
    compiled = tg.compile(lambda x: layer(x) + tg.ones(3).to(x.dtype))
    for _ in range(3):
        assert compiled(X).requires_grad
        with tg.no_grad():
            assert not compiled(X).requires_grad
    assert compiled.cache_info().currsize == 2
    made = tg.compile(lambda: tg.ones(3))
    for _ in range(3):
        made()
    try:
        tg.set_default_dtype(tg.float64)
        assert made().dtype == tg.float64
    finally:
        tg.set_default_dtype(tg.float32)
    assert made().dtype == tg.float32


def test_gradients_may_be_none_or_not():
    layer = nn.Linear(3, 1)

    def step(x):
        layer(x).sum().backward()
        return layer.weight.grad * 2.0

    compiled = tg.compile(step)
    wanted = tg.zeros(1, 3)
    for number in range(9):
        if number % 3 == 0:
            layer.zero_grad()
            wanted = tg.zeros(1, 3)
        wanted = wanted + X
        assert bits(compiled(X)) == bits(wanted * 2.0)
    assert compiled.cache_info().currsize == 2
    assert compiled.cache_info().hits == 5


def test_a_module_moved_to_float64():
    layer = nn.LSTM(3, 2)
    compiled = tg.compile(lambda x: layer(x)[0].detach())
    for dtype in (tg.float32, tg.float64, tg.float32):
        layer.to(dtype)
        for _ in range(3):
            x = tg.ones(2, 3, dtype=dtype)
            assert bits(compiled(x)) == bits(layer(x)[0].detach())
    assert compiled.cache_info().currsize == 2


def test_attributes_of_an_object_that_is_passed():
    def step(x, config, act):
        return act(x * config.rate) * config.inner.power

    def act(x):
        return x * SCALE

    set_global(SCALE=2.0)()
    config = SimpleNamespace(rate=2.0, inner=SimpleNamespace(power=3))
    compiled = tg.compile(step)
    for change in (
        lambda: None,
        set_attribute(config, rate=3.0),
        set_attribute(config.inner, power=4),
        set_global(SCALE=3.0),
    ):
        change()
        for _ in range(3):
            assert bits(compiled(X, config, act)) == bits(step(X, config, act))
    assert compiled.cache_info().currsize == 4
