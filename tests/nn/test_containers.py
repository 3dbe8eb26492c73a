"""Containers: they behave as lists and dicts, and register what they hold."""

import copy
from collections import OrderedDict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.errors import DTypeError, IdError, NameMissing, OptionError

LISTS = {
    "Sequential": lambda modules: nn.Sequential(*modules),
    "ModuleList": nn.ModuleList,
}
every_list = pytest.mark.parametrize("kind", LISTS)


def layers(count):
    return [nn.Linear(1, 1, bias=False) for _ in range(count)]


places = st.integers(-4, 4)
slices = st.slices(4)
CHANGES = st.one_of(
    st.tuples(st.just("append")),
    st.tuples(st.just("extend"), st.integers(0, 3)),
    st.tuples(st.just("insert"), places),
    st.tuples(st.just("set"), places),
    st.tuples(st.just("del"), places | slices),
    st.tuples(st.just("pop"), places),
    st.tuples(st.just("part"), slices),
    st.tuples(st.sampled_from(["reverse", "iadd", "remove"])),
)


def change(modules, action, *arguments):
    """The same change of a list and of a container."""
    argument = arguments[0] if arguments else None
    if action == "append":
        fresh = layers(1)[0]
        return [m.append(fresh) for m in modules]
    if action == "extend":
        fresh = layers(argument)
        return [m.extend(iter(fresh)) for m in modules]
    if action == "iadd":
        fresh = layers(2)
        for m in modules:
            m += fresh
    if action == "insert":
        fresh = layers(1)[0]
        return [m.insert(argument, fresh) for m in modules]
    if action == "set":
        fresh = layers(1)[0]
        return [m.__setitem__(argument, fresh) for m in modules]
    if action == "del":
        return [m.__delitem__(argument) for m in modules]
    if action == "pop":
        one, two = (m.pop(argument) for m in modules)
        assert one is two
    if action == "remove" and len(modules[0]):
        gone = modules[0][len(modules[0]) // 2]
        return [m.remove(gone) for m in modules]
    if action == "reverse":
        return [m.reverse() for m in modules]
    if action == "part":
        assert list(modules[1][argument]) == modules[0][argument]
    return None


@every_list
@given(count=st.integers(0, 4), changes=st.lists(CHANGES, max_size=5))
def test_it_does_as_a_list_does(kind, count, changes):
    plain = layers(count)
    ours = LISTS[kind](plain)
    plain = list(plain)
    for action in changes:
        try:
            change([list(plain), list(plain)], *action)
        except IndexError:
            before = list(ours)
            with pytest.raises(IdError, match=f"nn.{kind}: index"):
                change([list(before), ours][::-1], *action)
            assert list(ours) == before
            continue
        change([plain, ours], *action)
        assert list(ours) == plain and len(ours) == len(plain)
        assert [ours[i] for i in range(-len(plain), len(plain))] == plain * 2
        assert all(module in ours for module in plain)
        names = [name for name, _ in ours.named_children()]
        assert names == [str(i) for i in range(len(plain))]
        assert list(ours.state_dict()) == [f"{i}.weight" for i in range(len(plain))]
    assert nn.Linear(1, 1) not in ours


@every_list
def test_what_adds_gives_itself(kind):
    ours = LISTS[kind](layers(1))
    assert ours.append(layers(1)[0]).extend(layers(2)) is ours
    assert len(ours) == 4


def test_parts_keep_their_names_or_not_as_in_pytorch():
    modules = layers(4)
    assert list(nn.Sequential(*modules)[1::2].state_dict()) == ["1.weight", "3.weight"]
    assert list(nn.ModuleList(modules)[1::2].state_dict()) == ["0.weight", "1.weight"]
    tail = nn.Sequential(*modules)[2:].append(layers(1)[0])
    # None is replaced
    assert list(tail.state_dict()) == ["2.weight", "3.weight", "4.weight"]


def test_names_stay_when_modules_are_added_or_replaced():
    model = nn.Sequential(OrderedDict(body=nn.Linear(2, 3), head=nn.Linear(3, 1)))
    model[0] = nn.Linear(2, 3, bias=False)
    model.append(nn.Tanh())
    assert [name for name, _ in model.named_children()] == ["body", "head", "2"]
    assert model(tg.ones(1, 2)).shape == (1, 1)


@every_list
def test_nothing_changes_where_one_is_no_module(kind):
    ours = LISTS[kind](layers(2))
    before = dict(ours.__dict__)
    for wrong in (
        lambda: ours.extend([nn.Tanh(), 3]),
        lambda: ours.insert(0, None),
        lambda: ours.__setitem__(0, "text"),
    ):
        with pytest.raises(TypeError):
            wrong()
        assert ours.__dict__ == before


def test_a_module_list_is_trained_saved_moved_and_copied():
    class Deep(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = nn.ModuleList([nn.Linear(2, 2) for _ in range(3)])
            self.heads = nn.ModuleDict({"a": nn.Linear(2, 1), "b": self.layers[0]})

        def forward(self, x, head):
            for layer in self.layers:
                x = layer(x)
            return self.heads[head](x)

    model = Deep()
    assert len(list(model.parameters())) == 8
    assert "heads.b.weight" in model.state_dict()
    model.double().eval()
    assert not model.layers[2].training
    twin = copy.deepcopy(model)
    assert twin.heads["b"] is twin.layers[0] and twin.layers[0] is not model.layers[0]
    x = tg.ones(1, 2, dtype=tg.float64)
    np.testing.assert_array_equal(
        twin(x, "a").detach().numpy(), model(x, "a").detach().numpy()
    )
    model(x, "b").sum().backward()
    assert all(p.grad is None for p in twin.parameters())
    assert (
        model.heads["a"].weight.grad is None and model.layers[1].weight.grad is not None
    )
    assert repr(model).startswith("Deep(\n  (layers): ModuleList(\n    (0): Linear(")


def test_a_module_dict_does_as_a_dict_does():
    one, two, three = layers(3)
    ours = nn.ModuleDict({"one": one, "two": two})
    assert list(ours) == list(ours.keys()) == ["one", "two"]
    assert list(ours.values()) == [one, two]
    assert list(ours.items()) == [("one", one), ("two", two)]
    assert len(ours) == 2 and "one" in ours and "three" not in ours and 1 not in ours
    assert ours["two"] is two and ours.two is two and ours.get("three") is None
    ours["one"] = three
    assert list(ours.items()) == [("one", three), ("two", two)]
    assert ours.pop("one") is three and list(ours) == ["two"]
    assert ours.pop("one", None) is None
    ours.update([("four", one), ("two", three)])
    ours.update(nn.ModuleDict({"five": two}))
    ours.update(OrderedDict(six=one))
    assert [*ours.items()] == [
        ("two", three),
        ("four", one),
        ("five", two),
        ("six", one),
    ]
    assert list(ours.state_dict()) == [
        "two.weight",
        "four.weight",
        "five.weight",
        "six.weight",
    ]
    del ours["two"]
    assert not hasattr(ours, "two")
    ours.clear()
    assert len(ours) == 0 and list(ours.state_dict()) == []
    with pytest.raises(KeyError) as caught:
        ours["one"]
    assert isinstance(caught.value, NameMissing) and str(caught.value).startswith(
        "nn.ModuleDict"
    )


@pytest.mark.parametrize("name", ["name", "kinds", "expected", "kind", "word"])
def test_no_name_is_taken_by_what_is_inside(name):
    """Such as the arguments of our checks, which get the names of modules."""
    module = nn.Tanh()
    assert nn.ModuleDict({name: module})[name] is module
    assert nn.Sequential(OrderedDict({name: module}))[0] is module


def test_a_module_dict_takes_all_or_none():
    ours = nn.ModuleDict({"one": nn.Tanh()})
    before = dict(ours.__dict__)
    for wrong in ({"two": nn.Tanh(), "three": 3}, {"two": nn.Tanh(), "pop": nn.Tanh()}):
        with pytest.raises((TypeError, ValueError)):
            ours.update(wrong)
        assert ours.__dict__ == before


def test_a_module_is_equal_to_itself_alone():
    one, two = nn.ModuleDict(), nn.ModuleDict()
    assert one == one and one != two and len({one, two}) == 2


# ---------------------------------------------------------------- parameters


def test_a_list_of_parameters_is_trained():
    parameters = nn.ParameterList([nn.Parameter(tg.ones(2)), tg.zeros(3)])
    assert [(n, p.shape) for n, p in parameters.named_parameters()] == [
        ("0", (2,)),
        ("1", (3,)),
    ]
    assert isinstance(parameters[1], nn.Parameter) and parameters[-1] is parameters[1]
    parameters.append(tg.ones(1)).extend([tg.ones(4), nn.Parameter(tg.ones(5))])
    assert [len(p) for p in parameters] == [2, 3, 1, 4, 5]
    assert isinstance(parameters[1:3], nn.ParameterList)
    assert [len(p) for p in parameters[1:3]] == [3, 1]
    parameters[0] = tg.ones(7)
    del parameters[1]
    parameters += [tg.ones(8)]
    assert [len(p) for p in parameters] == [7, 1, 4, 5, 8]
    assert list(parameters.state_dict()) == ["0", "1", "2", "3", "4"]
    total = sum((p * p).sum() for p in parameters)
    total.backward()
    assert all(p.grad is not None for p in parameters.parameters())


def test_a_tensor_of_integers_is_no_parameter():
    with pytest.raises(DTypeError, match="got a tensor of int64, expected floats"):
        nn.ParameterList([tg.tensor([1, 2])])
    parameters = nn.ParameterDict({"a": tg.ones(2)})
    with pytest.raises(DTypeError, match="got a tensor of int64, expected floats"):
        parameters.update({"a": tg.zeros(2), "b": tg.tensor([1, 2])})
    assert parameters["a"].tolist() == [1, 1] and list(parameters) == ["a"]


def test_a_tensor_shares_its_memory_with_the_parameter_it_becomes():
    given_tensor = tg.ones(2)
    parameters = nn.ParameterList([given_tensor])
    with tg.no_grad():
        parameters[0].mul_(3.0)
    assert given_tensor.tolist() == [3.0, 3.0]


def test_a_dict_of_parameters_is_trained():
    parameters = nn.ParameterDict(
        {"left": tg.ones(2), "right": nn.Parameter(tg.zeros(3))}
    )
    assert [(n, p.shape) for n, p in parameters.named_parameters()] == [
        ("left", (2,)),
        ("right", (3,)),
    ]
    parameters["left"] = tg.ones(5)
    del parameters["right"]
    parameters.update([("third", tg.ones(1))])
    assert list(parameters) == ["left", "third"] and len(parameters) == 2
    assert "left" in parameters and parameters.get("none") is None
    assert {n: len(p) for n, p in parameters.items()} == {"left": 5, "third": 1}


def test_parameters_in_a_model_have_dotted_names():
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.scales = nn.ParameterList([tg.ones(1) for _ in range(2)])
            self.named = nn.ParameterDict({"a": tg.ones(1)})

    model = Model()
    assert list(model.state_dict()) == ["scales.0", "scales.1", "named.a"]
    assert (
        repr(model.named)
        == "ParameterDict(\n  (a): Parameter, float32 of shape (1,)\n)"
    )
    model.load_state_dict({name: np.full(1, 2.0, "f") for name in model.state_dict()})
    assert model.scales[1].item() == model.named["a"].item() == 2.0


# ---------------------------------------------------------------- Sequential


def test_sequential_is_one_after_the_other():
    model = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1))
    x = tg.randn(4, 2)
    np.testing.assert_array_equal(
        model(x).detach().numpy(), model[2](model[1](model[0](x))).detach().numpy()
    )
    assert len(model) == 3
    assert [type(module) for module in model] == [nn.Linear, nn.Tanh, nn.Linear]
    assert model[-1] is model[2]
    assert list(model.state_dict()) == ["0.weight", "0.bias", "2.weight", "2.bias"]


def test_an_empty_sequential_is_the_identity():
    x = tg.randn(2)
    assert nn.Sequential()(x) is x


def test_a_slice_shares_modules_and_names():
    model = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1))
    tail = model[1:]
    assert list(tail.state_dict()) == ["2.weight", "2.bias"]
    assert tail[1] is model[2]


def test_named_modules_in_order():
    model = nn.Sequential(OrderedDict(body=nn.Linear(2, 3), head=nn.Linear(3, 1)))
    assert model.head is model[1]
    assert list(model.state_dict()) == [
        "body.weight",
        "body.bias",
        "head.weight",
        "head.bias",
    ]
    for name in ("", "a.b", "forward", "training"):
        with pytest.raises(OptionError, match="name"):
            nn.Sequential(OrderedDict({name: nn.Tanh()}))
