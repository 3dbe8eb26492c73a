"""Generators draw NumPy's numbers for a seed, and their state can be restored."""

import numpy as np
import pytest
from calls import check_wrong_call
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_rnn as tg
from tinygrad_rnn.errors import DTypeError, OptionError
from tinygrad_rnn.random import default_generator, numpy_generator

seeds = st.integers(0, 2**80)


@given(seeds)
def test_a_seed_gives_numpys_numbers(seed):
    wanted = np.random.Generator(np.random.PCG64(seed)).random(3)
    generator = tg.Generator()
    for _ in range(2):
        assert generator.manual_seed(seed) is generator
        np.testing.assert_array_equal(
            numpy_generator("test", generator).random(3), wanted
        )


@given(seeds, st.integers(0, 5))
def test_a_state_goes_on_where_it_stood(seed, drawn):
    """Also after an odd number of 32-bit draws, where NumPy keeps half of a word."""
    one, two = tg.Generator().manual_seed(seed), tg.Generator()
    numpy_generator("test", one).integers(0, 9, drawn, np.int32)
    assert two.set_state(one.get_state()) is two
    assert (
        numpy_generator("test", one).bit_generator.state
        == numpy_generator("test", two).bit_generator.state
    )
    assert one.get_state().tolist() == two.get_state().tolist()


def test_without_a_seed_it_is_the_same_each_time():
    assert (
        numpy_generator("test", tg.Generator()).random()
        == numpy_generator("test", tg.Generator().manual_seed(0)).random()
    )


def test_the_default_generator():
    before = default_generator.get_state()
    try:
        assert tg.manual_seed(7) is default_generator
        np.testing.assert_array_equal(
            tg.rand(4), tg.rand(4, generator=tg.Generator().manual_seed(7))
        )
    finally:
        default_generator.set_state(before)


@pytest.mark.parametrize(
    "arguments", [((5, (200,)), {}), ((5,), {"size": (200,)}), ((0, 5, (200,)), {})]
)
def test_the_forms_of_randint(arguments):
    drawn = tg.randint(
        *arguments[0], **arguments[1], generator=tg.Generator().manual_seed(1)
    )
    assert drawn.shape == (200,)
    assert drawn.dtype == tg.int64
    assert set(drawn.tolist()) == set(range(5))


WRONG = {
    "a seed of text": (
        lambda x: tg.manual_seed("a"),
        DTypeError,
        "manual_seed: seed is 'a'",
    ),
    "a negative seed": (
        lambda x: tg.manual_seed(-1),
        OptionError,
        "manual_seed: seed is -1",
    ),
    "a generator of NumPy": (
        lambda x: tg.rand(2, generator=np.random.default_rng()),
        DTypeError,
        "generator is Generator",
    ),
    "a state of the wrong size": (
        lambda x: tg.Generator().set_state(tg.arange(3)),
        DTypeError,
        "set_state: expected the int64",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_call(name):
    check_wrong_call(*WRONG[name])
