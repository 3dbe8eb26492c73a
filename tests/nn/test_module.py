"""Module: what it registers, finds, ties, converts, saves and loads."""

import copy
import re
import warnings

import numpy as np
import pytest
from nn.models import Nest, Tied, assert_same, values

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.errors import DTypeError, GraphError, OptionError

# ---------------------------------------------------------------- what is found


def test_names_are_dotted_and_in_order_of_assignment():
    assert [name for name, _ in Tied().named_parameters()] == [
        "embedding.weight",
        "rnn.weight_ih_l0",
        "rnn.weight_hh_l0",
        "rnn.bias_ih_l0",
        "rnn.bias_hh_l0",
        "head.bias",
    ]


def test_names_of_modules():
    nest = Nest()
    assert [name for name, _ in nest.named_modules()] == [
        "",
        "first",
        "first.0",
        "first.1",
        "second",
        "second.0",
        "second.0.0",
    ]
    assert list(nest.modules()) == [module for _, module in nest.named_modules()]
    assert list(nest.children()) == [nest.first, nest.second]
    assert [name for name, _ in nest.named_children()] == ["first", "second"]


def test_a_shared_module_is_listed_once_and_saved_under_each_name():
    nest = Nest()
    names = [name for name, _ in nest.named_parameters()]
    assert names.count("first.0.weight") == 1
    assert "second.1.0.weight" not in names
    assert {"first.0.weight", "second.1.0.weight"} <= set(nest.state_dict())


def test_none_is_no_parameter():
    layer = nn.Linear(2, 3, bias=False)
    assert layer.bias is None
    assert list(layer.state_dict()) == ["weight"]
    layer.bias = nn.Parameter(np.zeros(3, np.float32))
    assert list(layer.state_dict()) == ["weight", "bias"]
    layer.bias = None
    assert list(layer.state_dict()) == ["weight"]


def test_deleted_is_gone():
    nest = Nest()
    del nest.second, nest.gain
    assert list(nest.state_dict()) == ["first.0.weight", "first.0.bias"]
    assert not hasattr(nest, "gain")


def test_a_plain_tensor_is_not_trained():
    module = nn.Module()
    module.plain = tg.ones(3, requires_grad=True)
    assert list(module.parameters()) == []


def test_number_of_parameters():
    tied = Tied()
    assert tied.num_parameters() == 5 * 3 + (9 + 9 + 3 + 3) + 5
    tied.rnn.requires_grad_(False)
    assert tied.num_parameters() == 5 * 3 + 5


def test_a_parameter_replaces_a_plain_attribute():
    module = nn.Module()
    module.x = 3
    module.x = nn.Parameter(np.zeros(2))
    assert [name for name, _ in module.named_parameters()] == ["x"]


@pytest.mark.parametrize("kind", [list, tuple, lambda items: dict(enumerate(items))])
@pytest.mark.parametrize(
    "item", [lambda: nn.Linear(1, 1), lambda: nn.Parameter(np.zeros(1))]
)
def test_a_plain_container_of_modules_earns_a_warning(kind, item):
    module = nn.Module()
    says = (
        r"Module.layers is a plain .* not registered .* nn.ModuleList or nn.ModuleDict"
    )
    with pytest.warns(UserWarning, match=says) as caught:
        module.layers = kind([1, item()])
    assert caught[0].filename == __file__
    assert list(module.parameters()) == []


@pytest.mark.parametrize("value", [[], [1, 2], {"a": None}, ("x",), "text"])
def test_other_containers_earn_none(value):
    module = nn.Module()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        module.option = value
    assert module.option == value


def test_without_super_init_nothing_is_lost():

    class Careless(nn.Module):
        def __init__(self):
            self.linear = nn.Linear(2, 2)

    module = Careless()
    assert [name for name, _ in module.named_parameters()] == [
        "linear.weight",
        "linear.bias",
    ]
    assert module.training
    assert not module.eval().linear.training


def test_what_is_registered_stays_of_its_kind():
    layer, nest = nn.Linear(2, 2), Nest()
    tied = Tied()
    for module, name, value in (
        (layer, "weight", tg.zeros(2, 2)),
        (layer, "weight", 3),
        (nest, "first", lambda x: x),
        (nest, "gain", np.zeros(3)),
        (tied, "scale", 2.0),
    ):
        before = values(module)
        with pytest.raises(DTypeError, match=name):
            setattr(module, name, value)
        assert_same(values(module), before)


# ---------------------------------------------------------------- buffers


def test_buffers_are_saved_but_not_trained():
    tied = Tied()
    assert [name for name, _ in tied.named_buffers()] == ["scale"]
    assert list(tied.buffers()) == [tied.scale]
    assert "scale" in tied.state_dict()
    assert all(parameter is not tied.scale for parameter in tied.parameters())
    tied.scale = tg.zeros(2)
    assert not tied.state_dict()["scale"].numpy().any()
    tied.scale = None
    assert "scale" not in tied.state_dict()
    tied.register_buffer("scale", tg.ones(3))
    assert tied.state_dict()["scale"].shape == (3,)


def test_a_buffer_that_is_not_persistent_is_moved_but_not_saved():
    module = nn.Module()
    module.register_buffer("kept", tg.ones(2))
    module.register_buffer("cache", tg.ones(2), persistent=False)
    assert list(module.state_dict()) == ["kept"]
    assert [name for name, _ in module.named_buffers()] == ["kept", "cache"]
    assert module.double().cache.dtype == np.float64
    assert module.load_state_dict({"kept": np.zeros(2)}) == ([], [])
    module.register_buffer("cache", tg.ones(3))
    assert list(module.state_dict()) == ["kept", "cache"]


def test_a_deleted_buffer_may_become_anything():
    module = nn.Module()
    module.register_buffer("scale", tg.ones(2))
    del module.scale
    module.scale = 2.0
    assert list(module.state_dict()) == []


@pytest.mark.parametrize("name", ["rnn", "forward", "a.b", "", "training"])
def test_a_buffer_hides_nothing(name):
    tied = Tied()
    before = dict(tied.__dict__)
    with pytest.raises(OptionError, match=re.escape(repr(name))):
        tied.register_buffer(name, tg.ones(1))
    assert tied.__dict__ == before


# ------------------------------------------------------------ modes and conversion


def test_train_and_eval_reach_everything():
    nest = Nest()
    assert nest.eval() is nest
    assert not any(module.training for module in nest.modules())
    nest.train()
    assert all(module.training for module in nest.modules())


def test_to_converts_floats_in_place():
    tied = Tied()
    tied.register_buffer("count", tg.zeros(2, dtype=tg.int64))
    held = list(tied.parameters())
    tied(tg.tensor([[0, 1]])).sum().backward()
    assert tied.double() is tied
    assert all(a is b for a, b in zip(tied.parameters(), held, strict=True))
    assert {p.dtype for p in tied.parameters()} == {np.dtype("float64")}
    assert {p.grad.dtype for p in tied.parameters()} == {np.dtype("float64")}
    assert tied.scale.dtype == np.float64
    assert tied.count.dtype == np.int64
    assert tied.to("float32").to(device="cpu").scale.dtype == np.float32
    assert tied.float().cpu().head.weight is tied.embedding.weight


def test_to_is_all_or_nothing_and_counts_only_changes():
    tied = Tied()
    before = [(t.array, t.version.count) for t in (*tied.parameters(), *tied.buffers())]
    with pytest.raises(DTypeError, match=r"Tied.to: got int64, expected a float dtype"):
        tied.to(tg.int64)
    out = tied(tg.tensor([[0, 1]])).sum()
    assert tied.to("cpu").to(tg.zeros(1)).float() is tied
    after = [(t.array, t.version.count) for t in (*tied.parameters(), *tied.buffers())]
    assert all(
        a[0] is b[0] and a[1] == b[1] for a, b in zip(before, after, strict=True)
    )
    out.backward()  # nothing has changed
    out = tied(tg.tensor([[0, 1]])).sum()
    tied.double()
    with pytest.raises(GraphError, match="changed in place"):
        out.backward()


def test_zero_grad_and_requires_grad():
    tied = Tied()
    tied(tg.tensor([[0, 1]])).sum().backward()
    assert all(p.grad is not None for p in tied.parameters())
    tied.zero_grad()
    assert all(p.grad is None for p in tied.parameters())
    tied.requires_grad_(False)
    assert not tied(tg.tensor([[0, 1]])).requires_grad


def test_apply_goes_from_the_inside_out():
    seen = []
    nest = Nest()
    assert nest.apply(seen.append) is nest
    assert seen[-1] is nest
    assert seen.index(nest.first[0]) < seen.index(nest.first)


def test_forward_is_the_users_to_write():
    with pytest.raises(GraphError, match="forward is not defined"):
        nn.Module()(1)


# ---------------------------------------------------------------- ties


def test_ties_hold_through_training_conversion_and_loading():
    tied, other = Tied(), Tied()
    for model in (tied, other):
        assert model.head.weight is model.embedding.weight
    tied.double().float()
    tied.load_state_dict(other.state_dict())
    assert tied.head.weight is tied.embedding.weight
    assert_same(values(tied), values(other))
    tied(tg.tensor([[0, 1]])).sum().backward()
    both = tied.embedding.weight.grad.numpy()
    alone = Tied()
    alone.load_state_dict(tied.state_dict())
    alone.head.weight = nn.Parameter(alone.embedding.weight.numpy().copy())
    alone(tg.tensor([[0, 1]])).sum().backward()
    parts = alone.embedding.weight.grad.numpy() + alone.head.weight.grad.numpy()
    np.testing.assert_allclose(both, parts, rtol=1e-6)


def test_deepcopy_keeps_ties_and_shares_nothing():
    tied = Tied()
    tied.eval()
    tied(tg.tensor([[0, 1]])).sum().backward()
    twin = copy.deepcopy(tied)
    assert twin.head.weight is twin.embedding.weight
    assert not twin.rnn.training
    assert_same(values(twin), values(tied))
    for (name, a), (_, b) in zip(
        tied.named_parameters(), twin.named_parameters(), strict=True
    ):
        assert a is not b
        assert not np.shares_memory(a.numpy(), b.numpy()), name
        assert not np.shares_memory(a.grad.numpy(), b.grad.numpy()), name
        assert a.requires_grad == b.requires_grad
        assert a.name == b.name
    twin.head.weight.data[...] = 0
    assert tied.embedding.weight.numpy().any()


# ---------------------------------------------------------------- how it prints


def test_repr():
    assert repr(Nest()) == (
        "Nest(\n"
        "  (first): Sequential(\n"
        "    (0): Linear(in_features=2, out_features=3, bias=True)\n"
        "    (1): Tanh()\n"
        "  )\n"
        "  (second): Sequential(\n"
        "    (0): Sequential(\n"
        "      (0): Linear(in_features=3, out_features=1, bias=False)\n"
        "    )\n"
        "    (1): Sequential(\n"
        "      (0): Linear(in_features=2, out_features=3, bias=True)\n"
        "      (1): Tanh()\n"
        "    )\n"
        "  )\n"
        ")"
    )
    assert repr(nn.RNN(3, 4)) == "RNN(3, 4)"
    assert repr(nn.RNN(3, 4, 2, "relu", False, True, 0.5, True)) == (
        "RNN(3, 4, num_layers=2, nonlinearity='relu', bias=False, batch_first=True, "
        "dropout=0.5, bidirectional=True)"
    )
    assert repr(nn.Embedding(3, 4, padding_idx=-1)) == "Embedding(3, 4, padding_idx=2)"
    assert repr(nn.Dropout(0.25)) == "Dropout(p=0.25)"
    assert repr(nn.Linear(1, 1).weight).startswith("Parameter containing:\ntensor([[")


def test_a_list_that_is_filled_later_earns_a_warning_too():
    class Hidden(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = []
            self.layers.append(nn.Linear(1, 1))

    model = Hidden()
    with pytest.warns(UserWarning, match=r"Hidden.layers is a plain list"):
        list(model.parameters())


def test_a_module_that_knows_its_parent():
    parent, child = nn.Module(), nn.Linear(1, 1)
    parent.child, child.parent = child, parent
    assert [name for name, _ in parent.named_parameters()] == [
        "child.weight",
        "child.bias",
    ]
    assert parent.eval().child.training is False


# ------------------------------------------------------------ Python's rules


class WithProperties(nn.Module):
    __slots__ = ("slot",)

    def __init__(self):
        super().__init__()
        self.set = []

    @property
    def rate(self):
        return self._rate

    @rate.setter
    def rate(self, value):
        self.set.append(type(value))
        self._rate = value

    @rate.deleter
    def rate(self):
        self.set.append("deleted")

    @property
    def fixed(self):
        return 7


class Positive:
    """A data descriptor of somebody's own."""

    def __set_name__(self, owner, name):
        self.name = f"_{name}"

    def __get__(self, instance, owner=None):
        return self if instance is None else getattr(instance, self.name)

    def __set__(self, instance, value):
        if value <= 0:
            raise ValueError("not positive")
        setattr(instance, self.name, value)


def test_setters_are_called():
    module = WithProperties()
    module.rate = 3
    assert module.rate == 3 and module.set == [int]
    del module.rate
    assert module.set == [int, "deleted"]
    assert "rate" not in vars(module)


@pytest.mark.parametrize("value", [1, tg.ones(2), nn.Parameter(tg.ones(2)), nn.Tanh()])
def test_what_can_only_be_read_cannot_be_written(value):
    module = WithProperties()
    with pytest.raises(AttributeError):
        module.fixed = value
    assert (
        module.fixed == 7
        and not list(module.parameters())
        and not list(module.children())
    )


def test_a_property_holds_parameters_and_modules():
    module = WithProperties()
    module.rate = nn.Parameter(tg.ones(2))
    assert [name for name, _ in module.named_parameters()] == ["_rate"]
    module = WithProperties()
    module.rate = nn.Linear(1, 1)
    assert [name for name, _ in module.named_parameters()] == [
        "_rate.weight",
        "_rate.bias",
    ]


def test_slots_are_slots():
    module = WithProperties()
    module.slot = 5
    assert module.slot == 5 and "slot" not in vars(module)
    with pytest.warns(
        UserWarning, match="WithProperties.slot is in __slots__, so the Parameter"
    ):
        module.slot = nn.Parameter(tg.ones(2))
    assert not list(module.parameters())


def test_descriptors_of_ones_own():
    class Layer(nn.Linear):
        gain = Positive()

    layer = Layer(2, 2)
    layer.gain = 3.0
    assert layer.gain == layer._gain == 3.0
    with pytest.raises(ValueError, match="not positive"):
        layer.gain = -1.0
    assert layer.gain == 3.0


def test_methods_and_class_attributes_may_be_replaced_in_an_instance():
    """They are no data descriptors."""
    layer = nn.Linear(2, 2)
    layer.forward = lambda x: 5
    layer.reset_parameters = None
    assert layer(tg.ones(2)) == 5 and layer.reset_parameters is None


# ---------------------------------------------------------------- found by name


def test_names_with_a_prefix_and_without_what_is_inside():
    nest = Nest()
    assert [n for n, _ in nest.named_parameters("net")][0] == "net.gain"
    assert [n for n, _ in nest.named_parameters(recurse=False)] == ["gain"]
    assert list(nest.parameters(recurse=False)) == [nest.gain]
    names = [n for n, _ in nest.named_parameters("net", remove_duplicate=False)]
    assert {"net.first.0.weight", "net.second.1.0.weight"} <= set(names)
    assert [n for n, _ in nest.named_modules(prefix="net")][:2] == ["net", "net.first"]
    every = [n for n, _ in nest.named_modules(remove_duplicate=False)]
    assert every.count("first.0") == every.count("second.1.0") == 1
    tied = Tied()
    assert [n for n, _ in tied.named_buffers("m")] == ["m.scale"]
    assert list(tied.rnn.buffers(recurse=False)) == []
    outer = nn.Sequential(tied)
    assert [n for n, _ in outer.named_buffers(recurse=False)] == []
    assert [n for n, _ in outer.named_buffers()] == ["0.scale"]


def test_a_memo_leaves_out_what_was_found():
    nest, memo = Nest(), set()
    first = [name for name, _ in nest.first.named_modules(memo, "a")]
    rest = [name for name, _ in nest.named_modules(memo)]
    assert first == ["a", "a.0", "a.1"]
    assert rest == ["", "second", "second.0", "second.0.0"]


def test_children_come_once():
    shared = nn.Tanh()
    model = nn.Sequential(shared, nn.Linear(1, 1), shared)
    assert list(model.children()) == [shared, model[1]]
    assert [name for name, _ in model.named_children()] == ["0", "1"]
    assert len(model) == 3 and model[2] is shared


def test_modules_parameters_and_buffers_by_dotted_names():
    tied, nest = Tied(), Nest()
    assert nest.get_submodule("second.0.0") is nest.second[0][0]
    assert nest.get_submodule("") is nest
    assert tied.get_parameter("rnn.weight_hh_l0") is tied.rnn.weight_hh_l0
    assert tied.get_buffer("scale") is tied.scale
    for get, name in (
        (nest.get_submodule, "second.5"),
        (nest.get_submodule, "gain"),
        (nest.get_submodule, "first.0.weight"),
        (tied.get_parameter, "scale"),
        (tied.get_parameter, "rnn"),
        (tied.get_buffer, "rnn.weight_hh_l0"),
        (tied.get_buffer, ""),
    ):
        with pytest.raises(AttributeError, match="expected one of"):
            get(name)


def test_registering_is_assigning():
    module = nn.Module()
    weight, inner = nn.Parameter(tg.ones(2)), nn.Linear(1, 1)
    module.register_parameter("weight", weight)
    module.add_module("inner", inner)
    module.register_parameter("bias", None)
    module.register_module("other", None)
    assert module.weight is weight and module.inner is inner
    assert module.bias is None and module.other is None
    assert weight.name == "weight"
    again = nn.Parameter(tg.zeros(2))
    module.register_parameter("weight", again)
    assert dict(module.named_parameters())["weight"] is again
    module.bias = nn.Parameter(tg.ones(1))
    assert [n for n, _ in module.named_parameters()][:2] == ["weight", "bias"]


@pytest.mark.parametrize("set_to_none", [True, False])
def test_gradients_are_forgotten_or_set_to_zeros(set_to_none):
    tied = Tied()
    tied(tg.tensor([[0, 1]])).sum().backward()
    tied.head.bias.grad = None
    held = tied.rnn.weight_hh_l0.grad
    before = held.numpy().copy()
    tied.zero_grad(set_to_none=set_to_none)
    np.testing.assert_array_equal(held.numpy(), before)  # whoever kept it still has it
    grads = [p.grad for p in tied.parameters()]
    assert tied.head.bias.grad is None
    if set_to_none:
        assert grads == [None] * len(grads)
    else:
        assert not tied.rnn.weight_hh_l0.grad.numpy().any()
        assert tied.rnn.weight_hh_l0.grad.shape == (3, 3)


# ---------------------------------------------------------------- cycles


class Knows(nn.Module):
    """A module that knows another one, which may know it."""

    def __init__(self, other=None):
        super().__init__()
        self.linear = nn.Linear(2, 2)
        self.other = other


def cycles():
    alone = Knows()
    alone.other = alone
    one = Knows(two := Knows())
    two.other = one
    first = Knows(Knows(third := Knows()))
    third.other = first
    inner = nn.Sequential(nn.Tanh())
    inner.append(nn.Sequential(inner))
    return [alone, one, first, inner]


@pytest.mark.parametrize("number", range(4))
def test_modules_that_know_each_other(number):
    module = cycles()[number]
    assert "..." in repr(module)
    seen = []
    module.apply(seen.append)
    assert seen[-1] is module
    assert {id(m) for m in seen} == {id(m) for m in module.modules()}
    assert len(seen) == len(list(module.modules()))
    assert not any(m.training for m in module.eval().modules())
    module.double().requires_grad_(False).zero_grad()
    assert all(
        p.dtype == np.float64 and not p.requires_grad for p in module.parameters()
    )
    state = module.state_dict()
    assert module.load_state_dict(state) == ([], [])
    assert sorted(copy.deepcopy(module).state_dict()) == sorted(state)
    assert module.num_parameters() == 0


def test_a_shared_module_is_shown_under_each_name():
    shared = nn.Tanh()
    assert (
        repr(nn.Sequential(shared, shared))
        == "Sequential(\n  (0): Tanh()\n  (1): Tanh()\n)"
    )


def test_apply_comes_to_a_shared_module_under_each_name():
    """As in PyTorch, children once."""
    shared, seen = nn.Tanh(), []
    nn.Sequential(nn.Sequential(shared), nn.Sequential(shared), shared, shared).apply(
        seen.append
    )
    assert seen.count(shared) == 3


def test_many_ways_to_a_module_are_walked_once():
    """A chain of 60 modules that hold the next one twice has 2^60 paths."""
    inner = nn.Linear(1, 1)
    for _ in range(60):
        inner = nn.Sequential(inner, inner)
    assert len(list(inner.modules())) == 61
    assert len(list(inner.parameters())) == 2
    assert inner.eval().double().num_parameters() == 2


def test_an_attribute_that_is_not_there_is_looked_for_when_the_message_is_read(
    monkeypatch,
):
    calls = []
    monkeypatch.setattr(
        "difflib.get_close_matches", lambda *args: calls.append(args) or []
    )
    assert not hasattr(nn.Linear(1, 1), "weigth")
    assert calls == []


def test_an_error_in_a_property_is_told_as_it_is():
    class Model(nn.Module):
        @property
        def size(self):
            return self.missing

    with pytest.raises(
        AttributeError, match=r"'Model' object has no attribute 'missing'"
    ):
        _ = Model().size
