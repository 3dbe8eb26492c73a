"""Methods of tensors that PyTorch's users have in their fingers: fills in place, `new`,
`detach_`.
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.errors import GraphError, ShapeError

FILLS = {
    "uniform_": lambda x, **how: x.uniform_(-2.0, 3.0, **how),
    "normal_": lambda x, **how: x.normal_(-1.0, 0.5, **how),
    "bernoulli_": lambda x, **how: x.bernoulli_(0.3, **how),
}


@pytest.mark.parametrize("name", FILLS)
def test_a_fill_draws_from_its_generator_into_the_memory(name, device):
    x = tg.zeros(3, 4, dtype="float64", device=device)
    before, alias = x.array, x.detach()
    state = tg.Generator().manual_seed(5)
    assert FILLS[name](x, generator=state) is x
    drawn = x.cpu().tolist()
    assert x.array is before
    assert alias.cpu().tolist() == drawn
    assert len({number for row in drawn for number in row}) > 1
    FILLS[name](x, generator=state)
    assert x.cpu().tolist() != drawn
    FILLS[name](x, generator=tg.Generator().manual_seed(5))
    assert x.cpu().tolist() == drawn
    tg.manual_seed(7)
    FILLS[name](x)
    first = x.cpu().tolist()
    tg.manual_seed(7)
    assert FILLS[name](x).cpu().tolist() == first


@pytest.mark.parametrize(
    ("name", "mean", "std"),
    [
        ("uniform_", 0.5, 5 / 12**0.5),
        ("normal_", -1.0, 0.5),
        ("bernoulli_", 0.3, 0.21**0.5),
    ],
)
def test_a_fill_has_the_moments_of_its_distribution(name, mean, std):
    drawn = FILLS[name](
        tg.zeros(20_000, dtype="float64"), generator=tg.Generator()
    ).numpy()
    assert drawn.mean() == pytest.approx(mean, abs=4 * std / 20_000**0.5)
    assert drawn.std() == pytest.approx(std, rel=0.03)


def test_initial_values_are_what_the_methods_draw():
    for name in ("uniform_", "normal_"):
        drawn = [tg.zeros(2, 3), tg.zeros(2, 3)]
        getattr(drawn[0], name)(0.5, 2.0, tg.Generator().manual_seed(1))
        getattr(nn.init, name)(drawn[1], 0.5, 2.0, tg.Generator().manual_seed(1))
        assert drawn[0].tolist() == drawn[1].tolist()


@given(p=st.floats(0.0, 1.0), seed=st.integers(0, 1000))
def test_bernoulli_is_one_where_a_uniform_number_is_below_p(p, seed):
    uniform = tg.rand(4, 5, dtype="float64", generator=tg.Generator().manual_seed(seed))
    drawn = tg.zeros(4, 5).bernoulli_(p, generator=tg.Generator().manual_seed(seed))
    assert drawn.tolist() == (uniform < p).float().tolist()
    of_each = tg.zeros(4, 5, dtype=tg.int64)
    of_each.bernoulli_(tg.full((5,), p), generator=tg.Generator().manual_seed(seed))
    near = (uniform - p).abs() > 1e-6  # as p is a float32 there
    assert of_each[near].tolist() == drawn[near].tolist()


@pytest.mark.parametrize("name", FILLS)
def test_a_fill_is_a_change_in_place_as_any_other(name):
    w = tg.ones(3, requires_grad=True)
    with pytest.raises(
        GraphError, match="a leaf that requires grad cannot be changed in place"
    ):
        FILLS[name](w)
    loss = (w * w).sum()
    FILLS[name](w.data)
    with pytest.raises(GraphError, match="in place"):
        loss.backward()
    x = w * 2.0
    FILLS[name](x)
    (x.sum() + w.sum()).backward()
    assert w.grad.tolist() == [1.0, 1.0, 1.0]  # nothing through what was overwritten


def test_masked_fill_in_place_records():
    w = tg.tensor([1.0, 2.0, 3.0], requires_grad=True)
    scores = w * 2.0
    mask = tg.tensor([False, True, False])
    assert scores.masked_fill_(mask, -7.0) is scores
    assert scores.tolist() == [2.0, -7.0, 6.0]
    scores.sum().backward()
    assert w.grad.tolist() == [2.0, 0.0, 2.0]
    w.data.masked_fill_(mask, 0.0)
    assert w.tolist() == [1.0, 0.0, 3.0]


def test_view_as_and_expand_as_take_the_shape_of_another():
    x = tg.arange(3.0).requires_grad_()
    like = tg.zeros(2, 3, dtype=tg.int64)
    assert x.expand_as(like).tolist() == [[0.0, 1.0, 2.0]] * 2
    assert x.expand_as(like).dtype == "float32"
    x.expand_as(like).sum().backward()
    assert x.grad.tolist() == [2.0, 2.0, 2.0]
    assert like.view_as(tg.zeros(3, 2)).shape == (3, 2)
    with pytest.raises(ShapeError, match=r"view_as"):
        like.view_as(x)


def test_new_takes_sizes_or_data():
    weight = tg.ones(2, dtype="float64", requires_grad=True)
    for made, value in [
        (weight.new(1, 2), [[0.0, 0.0]]),
        (weight.new(tg.zeros(1, 2).size()), [[0.0, 0.0]]),
        (weight.new(), []),
        (weight.new([3, 4]), [3.0, 4.0]),
        (weight.new(np.array([5], "f")), [5.0]),
        (weight.new(tg.tensor([6])), [6.0]),
        (weight.new_empty(2), [0.0, 0.0]),
    ]:
        assert (made.tolist(), made.dtype, made.requires_grad) == (
            value,
            "float64",
            False,
        )


def test_detach_in_place_leaves_the_graph():
    w = tg.ones(2, requires_grad=True)
    h = w * 3.0
    alias = h
    assert h.detach_() is h
    assert (alias.is_leaf, alias.requires_grad, alias.grad_fn) == (True, False, None)
    (h * w).sum().backward()
    assert w.grad.tolist() == [3.0, 3.0]
    h.requires_grad_()
    (h * 2.0).sum().backward()
    assert h.grad.tolist() == [2.0, 2.0]


def test_detach_in_place_of_a_state_truncates():
    rnn, x = nn.GRU(2, 3), tg.randn(4, 1, 2)
    _, state = rnn(x)
    state.detach_()
    _, other = rnn(x, state)
    other.sum().backward()
    grads = [p.grad.clone() for p in rnn.parameters()]
    rnn.zero_grad()
    rnn(x, state.detach())[1].sum().backward()
    assert all(g.equal(p.grad) for g, p in zip(grads, rnn.parameters(), strict=True))


def test_detach_in_place_of_a_view_is_an_error():
    x = tg.ones(2, 2, requires_grad=True) * 2.0
    row = x[0]
    with pytest.raises(GraphError, match=r"detach_: .*view.* x = x\.detach\(\)"):
        row.detach_()
    assert row.requires_grad


def test_is_cuda():
    assert not tg.ones(1).is_cuda


@given(
    dividends=st.lists(st.integers(-100, 100), min_size=1, max_size=8),
    divisor=st.integers(-12, 12).filter(bool),
    dtype=st.sampled_from(["int64", "float32"]),
)
def test_div_rounds_as_asked(dividends, divisor, dtype):
    x = tg.tensor(dividends, dtype=dtype)
    floor = tg.div(x, divisor, rounding_mode="floor")
    assert floor.tolist() == [a // divisor for a in dividends]
    toward_0 = x.div(divisor, rounding_mode="trunc")
    assert toward_0.tolist() == [int(a / divisor) for a in dividends]
    assert floor.dtype == toward_0.dtype == dtype
    assert tg.div(x, divisor).dtype != "int64"
