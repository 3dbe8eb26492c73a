"""Drawing ids."""

import math
from functools import partial

import numpy as np
import pytest
from calls import check_wrong_call
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_rnn as tg
from tinygrad_rnn.errors import OptionError, ShapeError


def generator(seed=0):
    return tg.Generator().manual_seed(seed)


def shares(draw, count=4000, classes=3):
    return np.bincount(draw(count).flatten().numpy(), minlength=classes) / count


def near(found, weights):
    """Within five standard deviations of what the weights ask for."""
    wanted = np.asarray(weights) / np.sum(weights)
    assert (np.abs(found - wanted) <= 5 * np.sqrt(wanted * (1 - wanted) / 4000)).all()


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("top_k", [None, 2, 1])
def test_categorical_draws_in_proportion(temperature, top_k):
    logits = np.array([0.0, 1.0, -1.0])
    weights = np.exp(logits / temperature)
    weights[np.argsort(-logits)[top_k or 3 :]] = 0
    many = tg.tensor(np.tile(logits + 700.0, (4000, 1)))
    near(
        shares(
            lambda n: tg.categorical(many, temperature, top_k, generator=generator())
        ),
        weights,
    )


@pytest.mark.parametrize("temperature", [0.5, 1.0])
@pytest.mark.parametrize("size", [1e17, -1e300])
def test_categorical_draws_in_proportion_among_large_numbers(temperature, size):
    many = tg.tensor(np.tile([size, size, -1.7e308], (4000, 1)))
    near(
        shares(lambda n: tg.categorical(many, temperature, generator=generator())),
        [1, 1, 0],
    )


@pytest.mark.parametrize(
    "weights", [[1.0, 2.0, 3.0], [0.0, 5e-324, 1e-323], [1e308, 1e308, 1e308]]
)
def test_multinomial_draws_in_proportion(weights):
    x = tg.tensor(np.array(weights))
    draw = partial(tg.multinomial, x, replacement=True, generator=generator())
    near(shares(draw), np.array(weights) / max(weights))


@given(
    shape=st.lists(st.integers(0, 3), max_size=2).map(tuple),
    classes=st.integers(1, 6),
    seed=st.integers(0, 99),
    temperature=st.sampled_from([0.0, 1e-300, 0.5, 1.0, 1e300]),
    top_k=st.none() | st.integers(1, 8),
    dtype=st.sampled_from(["float32", "float64"]),
)
def test_categorical_draws_what_may_be_drawn(
    shape, classes, seed, temperature, top_k, dtype
):
    rng = np.random.default_rng(seed)
    x = rng.integers(-3, 4, (*shape, classes)).astype(dtype) * 1e3
    x[rng.random(x.shape) < 0.3] = -np.inf
    x[..., seed % classes] = 0.0
    before = x.copy()
    drawn = tg.categorical(
        tg.from_numpy(x), temperature, top_k, generator=generator(seed)
    )
    assert drawn.shape == shape
    assert drawn.dtype == tg.int64
    assert np.array_equal(x, before)
    chosen = np.take_along_axis(x, drawn.numpy()[..., None], -1)[..., 0]
    assert (chosen > -np.inf).all()
    above = (x > chosen[..., None]).sum(-1)
    assert (above < (top_k or classes)).all()
    if temperature < 1e-9 or top_k == 1:
        assert not above.any()


def nucleus(logits, top_p):
    """The ids that may be drawn, one by one from the likeliest down; ties of the last
    included.
    """
    order = sorted(range(len(logits)), key=lambda i: -logits[i])
    weights = [math.exp(logits[i] - logits[order[0]]) for i in order]
    kept, sum_so_far = 1, weights[0]
    while kept < len(order) and sum_so_far < top_p * math.fsum(weights):
        sum_so_far += weights[kept]
        kept += 1
    lowest = logits[order[kept - 1]]
    return {i for i in order if logits[i] >= lowest}


@pytest.mark.parametrize(
    ("top_p", "weights"),
    [
        (0.0, [0, 6, 0]),
        (0.59, [0, 6, 0]),
        (0.61, [3, 6, 0]),
        (0.91, [3, 6, 1]),
        (1.0, [3, 6, 1]),
    ],
)
def test_top_p_draws_in_proportion_from_the_nucleus(top_p, weights):
    many = tg.tensor(np.tile(np.log([0.3, 0.6, 0.1]), (4000, 1)))
    near(
        shares(lambda n: tg.categorical(many, top_p=top_p, generator=generator())),
        weights,
    )


@given(
    seed=st.integers(0, 999),
    classes=st.integers(1, 7),
    top_p=st.sampled_from([0.0, 0.1, 0.3, 0.5, 0.777, 0.9, 0.999]),
    temperature=st.sampled_from([0.5, 1.0, 3.0]),
    dtype=st.sampled_from(["float32", "float64"]),
)
def test_top_p_draws_from_the_nucleus_alone(seed, classes, top_p, temperature, dtype):
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=classes).astype(dtype)
    logits[rng.random(classes) < 0.3] = logits[0]
    logits[1:][rng.random(classes - 1) < 0.2] = -np.inf
    allowed = nucleus([float(x) / temperature for x in logits], top_p)
    many = tg.tensor(np.tile(logits, (1000, 1)))
    drawn = tg.categorical(many, temperature, top_p=top_p, generator=generator(seed))
    assert set(drawn.tolist()) <= allowed
    if max(logits) - min(logits[list(allowed)]) < 2 * temperature:
        assert set(drawn.tolist()) == allowed


def test_top_p_counts_what_top_k_left():
    many = tg.tensor(np.tile(np.log([0.4, 0.3, 0.2, 0.1]), (300, 1)))

    def draw(*options):
        return set(tg.categorical(many, 1.0, *options).tolist())

    assert draw(None, 0.5) == {0, 1}  # 0.4 and 0.3 reach 0.5
    assert draw(2, 0.5) == {0}  # of two, 0.4 / 0.7 does
    assert draw(2, 0.6) == {0, 1}


def test_top_p_of_1_changes_nothing():
    # Whose small ones rounding loses
    logits = tg.tensor(np.append(np.full(40, -40.0), 0.0))
    for x in (logits, tg.randn(50, 9, generator=generator(1)), tg.zeros(0, 3)):
        drawn = [
            tg.categorical(x, top_p=p, generator=generator(2)) for p in (None, 1.0, 1)
        ]
        assert drawn[0].tolist() == drawn[1].tolist() == drawn[2].tolist()


def test_temperature_0_takes_the_likeliest_whatever_top_p():
    logits = tg.randn(50, 9, generator=generator(1))
    for top_p in (0.0, 0.5, 1.0):
        assert (
            tg.categorical(logits, 0.0, top_p=top_p).tolist()
            == logits.argmax(1).tolist()
        )


@given(seed=st.integers(0, 999), classes=st.integers(1, 9))
def test_categorical_is_multinomial_of_softmax(seed, classes):
    logits = tg.randn(4, classes, dtype=tg.float64, generator=generator(seed))
    drawn = tg.categorical(logits, generator=generator(seed))
    assert (
        drawn.tolist()
        == tg.multinomial(logits.softmax(1), 1, generator=generator(seed))[
            :, 0
        ].tolist()
    )


def test_multinomial_without_replacement_draws_no_weight_of_zero():
    for least, most in ((1e-310, 1e-310), (5e-324, 1.0), (5e-324, 1e308)):
        weights = tg.tensor([0.0] * 20 + [least] * 19 + [most], dtype=tg.float64)
        for seed in range(20):
            drawn = tg.multinomial(weights, 20, generator=generator(seed)).tolist()
            assert sorted(drawn) == [*range(20, 40)]


def test_categorical_draws_each_row_by_itself():
    logits = tg.eye(5) * 1e4
    assert tg.categorical(logits.reshape(5, 1, 5)).tolist() == [[0], [1], [2], [3], [4]]
    again = [
        tg.categorical(tg.zeros(50, 9), generator=generator(3)).tolist()
        for _ in range(2)
    ]
    assert again[0] == again[1]
    assert len(set(again[0])) > 3


def test_numbers_of_numpy_serve():
    x = tg.arange(5.0)
    for kind in (np.uint8, np.int8, np.uint64):
        assert tg.categorical(x, np.float32(0.5), kind(1)).item() == 4
    assert tg.categorical(x, np.float64(0.0)).item() == 4


def gives(monkeypatch, number):
    """Generators that give this number alone."""
    same = staticmethod(lambda shape: np.full(shape, number))
    source = type("", (), {"random": same, "standard_exponential": same})
    monkeypatch.setattr(
        "tinygrad_rnn.sampling.numpy_generator", lambda name, generator: source
    )


LAST = 1 - 2.0**-53  # the largest number below 1


def test_rounding_never_leads_beyond_the_last_id(monkeypatch):
    gives(monkeypatch, LAST)
    for classes in range(1, 200):
        drawn = tg.multinomial(tg.full(classes, 1 / 3), 2, replacement=True)
        assert drawn.tolist() == [classes - 1] * 2


def test_what_weighs_nothing_is_never_drawn(monkeypatch):
    gives(monkeypatch, 0.0)  # where the first weights are 0
    assert tg.multinomial(tg.tensor([0.0, 0.0, 1.0, 1.0]), 3, True).tolist() == [
        2,
        2,
        2,
    ]
    assert tg.multinomial(tg.tensor([0.0, 0.0, 1.0, 2.0]), 1).item() == 3
    assert tg.categorical(tg.tensor([-np.inf, 0.0, 0.0])).item() == 1
    gives(monkeypatch, LAST)
    assert tg.multinomial(tg.tensor([0.0, 1.0, 0.3, 0.0, 0.0]), 2, True).tolist() == [
        2,
        2,
    ]


REFUSED = {
    "a NaN": (
        lambda: tg.categorical(tg.tensor([0.0, np.nan])),
        "did the training diverge",
    ),
    "an infinity": (lambda: tg.categorical(tg.tensor([0.0, np.inf])), "infinity"),
    "nothing to draw": (
        lambda: tg.categorical(tg.full((2, 2), -np.inf)),
        "nothing above -inf",
    ),
    "no classes": (lambda: tg.categorical(tg.zeros(2, 0)), "nothing above -inf"),
    "nothing at all": (
        lambda: tg.categorical(tg.zeros(0, 0), 0.0),
        "nothing above -inf",
    ),
    "no weights": (lambda: tg.multinomial(tg.zeros(0, 0), 3, True), "0 weights"),
    "temperatures": (
        lambda: tg.categorical(tg.zeros(2), np.ones(2)),
        "temperature is float64 ndarray",
    ),
    "a Tensor": (
        lambda: tg.categorical(tg.zeros(2), tg.ones(())),
        "temperature is float32 of shape",
    ),
    "a bool": (lambda: tg.categorical(tg.zeros(2), True), "temperature is True"),
    "no dim": (lambda: tg.categorical(tg.tensor(1.0)), r"expected floats \(..., V\)"),
    "ids": (lambda: tg.categorical(tg.tensor([1, 2])), "int64"),
    "a list": (lambda: tg.categorical([1.0, 2.0]), "categorical: logits is list"),
    "cold": (lambda: tg.categorical(tg.zeros(2), -1.0), "temperature is -1.0"),
    "no number": (lambda: tg.categorical(tg.zeros(2), "hot"), "temperature is 'hot'"),
    "none of them": (lambda: tg.categorical(tg.zeros(2), 1.0, 0), "top_k is 0"),
    "half a class": (lambda: tg.categorical(tg.zeros(2), 1.0, 1.5), "top_k is 1.5"),
    "more than all": (
        lambda: tg.categorical(tg.zeros(2), top_p=1.5),
        "top_p is 1.5, .* 0.0 to 1",
    ),
    "less than none": (
        lambda: tg.categorical(tg.zeros(2), top_p=-0.1),
        "top_p is -0.1",
    ),
    "no share": (lambda: tg.categorical(tg.zeros(2), top_p=np.nan), "top_p is nan"),
    "per cent": (lambda: tg.categorical(tg.zeros(2), top_p="90%"), "top_p is '90%'"),
    "shares": (
        lambda: tg.categorical(tg.zeros(2), top_p=tg.ones(2)),
        "top_p is float32 of shape",
    ),
}


@pytest.mark.parametrize("call, message", REFUSED.values(), ids=REFUSED)
def test_what_is_refused(call, message):
    with pytest.raises(tg.Error, match=message):
        call()


WRONG = {
    "negative weights": (
        lambda x: tg.multinomial(tg.tensor([-1.0, 1.0]), 1),
        OptionError,
        "not negative",
    ),
    "NaN weights": (
        lambda x: tg.multinomial(tg.tensor([np.nan, 1.0]), 1),
        OptionError,
        "must be finite",
    ),
    "too few weights": (
        lambda x: tg.multinomial(tg.tensor([0.0, 1.0]), 2),
        OptionError,
        "1 weights are above",
    ),
    "no weights at all": (
        lambda x: tg.multinomial(tg.zeros(0), 1),
        OptionError,
        "0 weights",
    ),
    "no weights": (
        lambda x: tg.multinomial(tg.zeros(2), 1),
        OptionError,
        "0 weights are above 0",
    ),
    "weights that are ints": (
        lambda x: tg.multinomial(tg.tensor([1, 2]), 1),
        ShapeError,
        "input is int64",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_call(name):
    check_wrong_call(*WRONG[name])
