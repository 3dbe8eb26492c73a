"""Modules against PyTorch: what is found and saved, the order, and hooks."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nn.twins import flags

import tinygrad_rnn as tg
from tinygrad_rnn import nn

pytestmark = pytest.mark.parity


def nested(lib, ones):
    """The same model of either library, with shared and tied parts and containers."""

    class Inner(lib.Module):
        def __init__(self):
            super().__init__()
            self.linear = lib.Linear(2, 2)
            self.register_buffer("count", ones(1))

    class Model(lib.Module):
        def __init__(self):
            super().__init__()
            self.first = Inner()
            self.again = self.first
            self.layers = lib.ModuleList([lib.Tanh(), lib.Linear(2, 2), self.first])
            self.named = lib.ModuleDict({"a": lib.GRU(2, 2), "b": lib.Embedding(3, 2)})
            self.scales = lib.ParameterList([lib.Parameter(ones(2)), ones(3)])
            self.by_name = lib.ParameterDict({"x": lib.Parameter(ones(1))})
            self.layers[1].weight = self.first.linear.weight

    return Model()


@pytest.fixture(scope="module")
def models(torch):
    return nested(torch.nn, torch.ones), nested(nn, tg.ones)


def names(found):
    return [name for name, _ in found]


@given(prefix=st.sampled_from(["", "net", "a.b"]), recurse=flags, once=flags)
def test_names(models, prefix, recurse, once):
    """Ours come in the order of assignment, whether parameters or modules."""
    theirs, ours = models
    for search in ("named_parameters", "named_buffers"):
        found = [names(getattr(m, search)(prefix, recurse, once)) for m in models]
        assert sorted(found[0]) == sorted(found[1])
    for m, other in (
        (theirs.layers, ours.layers),
        (theirs.first, ours.first),
        (theirs, ours),
    ):
        found = [
            names(x.named_modules(prefix=prefix, remove_duplicate=once))
            for x in (m, other)
        ]
        assert found[0] == found[1]
        assert names(m.named_children()) == names(other.named_children())
        assert len(list(m.parameters(recurse))) == len(list(other.parameters(recurse)))
        assert len(list(m.buffers(recurse))) == len(list(other.buffers(recurse)))


def test_what_is_saved(models):
    theirs, ours = (m.state_dict() for m in models)
    assert sorted(theirs) == sorted(ours)
    assert {k: tuple(v.shape) for k, v in theirs.items()} == {
        k: v.shape for k, v in ours.items()
    }
    models[1].load_state_dict({k: v.numpy() for k, v in theirs.items()})


def test_by_dotted_names(models):
    for name in ("first.linear", "layers.1", "named.a", ""):
        found = [m.get_submodule(name) for m in models]
        assert type(found[0]).__name__ == type(found[1]).__name__
    for name in ("first.linear.weight", "scales.1", "by_name.x"):
        assert (
            tuple(models[0].get_parameter(name).shape)
            == models[1].get_parameter(name).shape
        )
    for get, name in (
        ("get_submodule", "first.other"),
        ("get_submodule", "scales.0"),
        ("get_parameter", "first.count"),
        ("get_buffer", "first.linear.weight"),
    ):
        for m in models:
            with pytest.raises(AttributeError):
                getattr(m, get)(name)


def test_apply(models):
    seen = [[], []]
    for m, types in zip(models, seen, strict=True):
        m.apply(lambda module, types=types: types.append(type(module).__name__))
    assert seen[0] == seen[1]


@pytest.mark.parametrize("set_to_none", [True, False])
def test_zero_grad(torch, set_to_none):
    layers = [torch.nn.Linear(2, 2), nn.Linear(2, 2)]
    for layer, ones in zip(layers, (torch.ones, tg.ones), strict=True):
        layer(ones(1, 2)).sum().backward()
        layer.bias.grad = None
        layer.zero_grad(set_to_none)
    found = [
        [None if p.grad is None else p.grad.tolist() for p in x.parameters()]
        for x in layers
    ]
    assert found[0] == found[1]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["pre", "post"]),
            flags,
            flags,
            st.sampled_from([None, 1, 2]),
        ),
        max_size=5,
    )
)
def test_hooks(torch, made):
    """Called alike, in the same order, and what they give is taken alike."""
    results = []
    for lib, ones in ((torch.nn, torch.ones), (nn, tg.ones)):

        class Plus(lib.Module):
            def forward(self, x, by=0.0):
                return x + by

        module, calls = Plus(), []

        def hook(number, kind, with_kwargs, change):
            def call(module, args, *rest):
                calls.append((number, [a.tolist() for a in args], len(rest)))
                if change is None:
                    return None
                if kind == "post":
                    return rest[-1] * change
                new = (args[0] + change,)
                return (
                    (new, {"by": change})
                    if with_kwargs
                    else new[0]
                    if change == 1
                    else new
                )

            return call

        for number, (kind, prepend, with_kwargs, change) in enumerate(made):
            register = {
                "pre": module.register_forward_pre_hook,
                "post": module.register_forward_hook,
            }[kind]
            given_hook = hook(number, kind, with_kwargs, change)
            register(given_hook, prepend=prepend, with_kwargs=with_kwargs)
        results.append((module(ones(2), by=0.5).tolist(), calls))
    assert results[0] == results[1]


def test_tables_of_ones_own(torch):
    values = np.random.default_rng(0).standard_normal((4, 3))
    theirs = torch.nn.Embedding.from_pretrained(torch.tensor(values), False, 1)
    ours = nn.Embedding.from_pretrained(tg.tensor(values), False, 1)
    for layer, ids in ((theirs, torch.tensor([1, 2, 2])), (ours, tg.tensor([1, 2, 2]))):
        (layer(ids) ** 2).sum().backward()
    np.testing.assert_array_equal(ours.weight.grad.numpy(), theirs.weight.grad.numpy())
    assert (
        torch.nn.Embedding.from_pretrained(torch.tensor(values)).weight.requires_grad
        is False
    )
