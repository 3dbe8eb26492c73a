"""Hooks of modules: when they run, what they may change, how they are removed."""

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_rnn as tg
from tinygrad_rnn import nn


class Scaled(nn.Module):
    def forward(self, x, by=1.0):
        return x * by


def test_they_see_the_module_what_goes_in_and_what_comes_out():
    layer, seen = nn.Linear(3, 2), []
    layer.register_forward_pre_hook(lambda *given: seen.append(given))
    layer.register_forward_hook(lambda *given: seen.append(given))
    x = tg.ones(1, 3)
    out = layer(x)
    assert seen == [(layer, (x,)), (layer, (x,), out)]


def test_with_kwargs_they_see_these_too():
    module, seen = Scaled(), []
    module.register_forward_pre_hook(
        lambda *given: seen.append(given), with_kwargs=True
    )
    module.register_forward_hook(lambda *given: seen.append(given), with_kwargs=True)
    x = tg.ones(2)
    out = module(x, by=2.0)
    assert seen == [(module, (x,), {"by": 2.0}), (module, (x,), {"by": 2.0}, out)]


def test_they_may_change_both():
    module, x = Scaled(), tg.ones(2)
    # One value, or a tuple
    module.register_forward_pre_hook(lambda module, args: args[0] + 1.0)
    module.register_forward_pre_hook(lambda module, args: (args[0] * 3.0,))
    module.register_forward_pre_hook(
        lambda module, args, kwargs: (args, kwargs | {"by": 5.0}), with_kwargs=True
    )
    module.register_forward_hook(lambda module, args, output: output + 0.5)
    assert module(x, by=2.0).tolist() == [30.5, 30.5]


@given(st.lists(st.tuples(st.booleans(), st.booleans()), max_size=6), st.data())
def test_their_order_and_their_end(made, data):
    """In the order of registration, prepended ones first; a removed one never again."""
    module, calls = Scaled(), []
    expected, handles = {True: [], False: []}, []
    for number, (is_before, prepend) in enumerate(made):
        register = (
            module.register_forward_pre_hook
            if is_before
            else module.register_forward_hook
        )

        def hook(*given, number=number):
            calls.append(number)

        handles.append((number, register(hook, prepend=prepend)))
        line = expected[is_before]
        line.insert(0 if prepend else len(line), number)
    removed = data.draw(st.sets(st.sampled_from(range(len(made))))) if made else set()
    for number in removed:
        handles[number][1].remove()
        handles[number][1].remove()  # once more is no error, as in PyTorch
    module(tg.ones(1))
    assert calls == [
        n
        for line in (expected[True], expected[False])
        for n in line
        if n not in removed
    ]


def test_a_handle_can_stand_in_a_with():
    module, calls = Scaled(), []
    with module.register_forward_hook(lambda *given: calls.append(1)):
        module(tg.ones(1))
    module(tg.ones(1))
    assert calls == [1]


def test_one_modules_are_not_anothers():
    one, other, calls = Scaled(), Scaled(), []
    one.register_forward_hook(lambda *given: calls.append(1))
    other(tg.ones(1))
    Scaled()(tg.ones(1))
    assert not calls and not other._hooks


def test_those_of_inner_modules_are_called_in_a_model():
    model, shapes = nn.Sequential(nn.GRU(3, 4), nn.Identity()), []
    for name, module in model.named_modules():
        module.register_forward_hook(
            lambda module, args, output, name=name: shapes.append(
                (name, output[0].shape)
            )
        )
    model(tg.ones(5, 2, 3))
    assert shapes == [("0", (5, 2, 4)), ("1", (5, 2, 4)), ("", (5, 2, 4))]


def test_gradients_flow_through_what_they_change():
    layer = nn.Linear(2, 1, bias=False)
    layer.register_forward_hook(lambda module, args, output: output * 3.0)
    layer(tg.ones(1, 2)).sum().backward()
    assert layer.weight.grad.tolist() == [[3.0, 3.0]]


def test_a_copy_has_its_own():
    module, calls = Scaled(), []
    handle = module.register_forward_hook(lambda *given: calls.append(given[0]))
    twin = copy.deepcopy(module)
    handle.remove()
    module(tg.ones(1))
    twin(tg.ones(1))
    assert calls == [twin]


def test_they_are_neither_saved_nor_shown():
    layer = nn.Linear(2, 1)
    before = (repr(layer), list(layer.state_dict()))
    layer.register_forward_hook(lambda *given: None)
    assert (repr(layer), list(layer.state_dict())) == before


def test_a_hook_that_raises_leaves_the_module_as_it_was():
    module = Scaled()
    handle = module.register_forward_hook(lambda *given: 1 / 0)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            module(tg.ones(1))
    handle.remove()
    assert module(tg.ones(1)).tolist() == [1.0]


def test_a_new_hook_takes_no_place_of_one_that_is_there():
    module, calls = Scaled(), []
    first = module.register_forward_hook(lambda *given: calls.append("first"))
    module.register_forward_hook(lambda *given: calls.append("second"))
    first.remove()
    module.register_forward_hook(lambda *given: calls.append("third"))
    module(tg.ones(1))
    assert calls == ["second", "third"]


def fails(*given):
    raise ValueError("it fails")


HOOKED = {
    "forward hook": lambda layer: layer.register_forward_hook(fails),
    "forward pre-hook": lambda layer: layer.register_forward_pre_hook(fails),
    "forward pre-hook with kwargs": lambda layer: layer.register_forward_pre_hook(
        fails, with_kwargs=True
    ),
}


@pytest.mark.parametrize("kind", HOOKED)
def test_an_error_in_a_hook_is_noted_with_its_layer(kind):
    inner = nn.Linear(3, 2)
    HOOKED[kind](inner)
    with pytest.raises(ValueError, match=r"^it fails") as caught:
        nn.Sequential(inner)(tg.ones(1, 3))
    (note,) = caught.value.__notes__
    assert kind.removesuffix(" with kwargs") in note
    assert "Linear(in_features=3, out_features=2" in note


def test_arguments_that_the_forward_does_not_take_raise_in_the_name_of_the_layer():
    layer = nn.Linear(3, 2)
    layer.register_forward_pre_hook(lambda module, args: (*args, 1))
    with pytest.raises(tg.Error, match=r"nn.Linear: too many .*; it takes \(input\)"):
        layer(tg.ones(1, 3))
