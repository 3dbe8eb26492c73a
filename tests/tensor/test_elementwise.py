"""Functions of each element and operators: dtypes, equality, NumPy's arrays."""

import numpy as np
import pytest
from calls import DTYPES, check_wrong_call, same
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_rnn as tg
from tinygrad_rnn.errors import DTypeError, OptionError, ShapeError

f4 = np.float32
i8 = np.int64

OPERATORS = {
    "+": lambda x, y: x + y,
    "-": lambda x, y: x - y,
    "*": lambda x, y: x * y,
    "/": lambda x, y: x / y,
    "//": lambda x, y: x // y,
    "%": lambda x, y: x % y,
    "&": lambda x, y: x & y,
    "|": lambda x, y: x | y,
    "==": lambda x, y: x == y,
    "!=": lambda x, y: x != y,
    "<": lambda x, y: x < y,
    "<=": lambda x, y: x <= y,
    ">": lambda x, y: x > y,
    ">=": lambda x, y: x >= y,
}


values = st.lists(st.integers(1, 5), min_size=2, max_size=2)


@pytest.mark.parametrize("symbol", OPERATORS)
@given(st.sampled_from(DTYPES), st.sampled_from(DTYPES), values, values)
def test_promotion_is_numpys(symbol, one, other, x, y):
    """Of two tensors, of a tensor and an array, whichever comes first."""
    function = OPERATORS[symbol]
    x, y = np.array(x).astype(one), np.array(y).astype(other)
    try:
        expected = function(x, y)
    except TypeError:
        with pytest.raises(DTypeError):
            function(tg.tensor(x), tg.tensor(y))
        return
    for a, b in ((tg.tensor(x), tg.tensor(y)), (tg.tensor(x), y), (x, tg.tensor(y))):
        same(function(a, b), expected)


@pytest.mark.parametrize("symbol", OPERATORS)
@given(st.sampled_from(DTYPES), values, st.data())
def test_python_and_numpy_scalars_are_weak(symbol, dtype, x, data):
    """NEP 50's rule for Python's numbers; NumPy's scalars are treated as these."""
    function = OPERATORS[symbol]
    x = np.array(x).astype(dtype)
    number = data.draw(st.sampled_from([True, 2, 1.5]))
    kinds = {
        bool: [np.bool_],
        int: [np.int64, np.int8],
        float: [np.float64, np.float32],
    }
    for scalar in (number, *[kind(number) for kind in kinds[type(number)]]):
        for swap in (False, True):
            try:
                expected = function(number, x) if swap else function(x, number)
            except TypeError:
                with pytest.raises(DTypeError):
                    function(scalar, tg.tensor(x)) if swap else function(
                        tg.tensor(x), scalar
                    )
                continue
            found = (
                function(scalar, tg.tensor(x))
                if swap
                else function(tg.tensor(x), scalar)
            )
            same(found, np.asarray(expected))


@given(st.sampled_from(DTYPES), st.sampled_from([-1, 0, 1, 2, 0.5, 2.0, True]), values)
def test_powers_promote_as_numpys(dtype, exponent, x):
    x = np.array(x).astype(dtype)
    for function in (lambda a, b: a**b, lambda a, b: b**a):
        try:
            expected = function(x, exponent)
        except (TypeError, ValueError, OverflowError):
            with pytest.raises(tg.Error):
                function(tg.tensor(x), exponent)
            continue
        same(function(tg.tensor(x), exponent), expected)


def test_nothing_turns_float64_unasked():
    x = tg.ones(2)
    mask = x > 0
    for out in (
        x * np.float64(2.0),
        np.float64(2.0) * x,
        2.0**x,
        x**2.5,
        x / 3,
        x.mean(),
        x.var(),
        x.std(),
        x.sum(),
        tg.where(mask, 1.0, 0.0),
        tg.where(mask, x, 0.0),
        x.masked_fill(mask, 1.5),
        x.clamp(0.0, 1.0),
        x.softmax(0),
        x.logsumexp(0),
        tg.stack([x, x]),
        x + mask,
        x * tg.tensor([1, 2], dtype="int8"),
        x.maximum(np.float64(0.5)),
        x.remainder(2.0),
        x.sigmoid(),
        tg.cat([x, x]),
        1.0 - x,
    ):
        assert out.dtype == f4
    assert tg.where(mask, 1, 0).dtype == i8
    assert tg.where(mask, 1, 0.5).dtype == f4
    assert tg.where(mask, True, False).dtype == bool


def test_reflected_operators():
    x = tg.tensor([2.0, 4.0])
    array = np.array([2.0, 4.0], f4)
    for symbol, function in OPERATORS.items():
        if symbol in "&|":
            continue
        for other in (
            3.0,
            3,
            np.float32(3),
            np.array([3.0, 5.0], f4),
            np.array(3.0, f4),
        ):
            same(
                function(other, x),
                np.asarray(function(other if np.ndim(other) else 3.0, array)).astype(
                    function(array, array).dtype
                ),
            )
    same(3.0**x, 3.0**array)
    same(array**x, array**array)
    mask = tg.tensor([True, False])
    same(True & mask, np.array([True, False]))
    same(False | mask, np.array([True, False]))
    same(~mask, np.array([False, True]))
    same(-x, -array)
    same(abs(-x), array)
    assert +x is x


def test_an_array_and_a_tensor_make_a_tensor():
    x, array = tg.ones(2, requires_grad=True), np.array([2.0, 3.0], f4)
    for out in (
        array * x,
        x * array,
        array + x,
        array @ x,
        array / x,
        array - x,
        array**x,
        array % x,
    ):
        assert type(out) is tg.Tensor
        assert out.requires_grad
    for out in (array == x, array < x):
        assert type(out) is tg.Tensor
    array += np.asarray(x.detach())
    assert array.tolist() == [3, 4]


def test_nothing_is_equal_to_none():
    x = tg.ones(2)
    assert (x == None, None == x, x != None, None != x) == (False, False, True, True)  # noqa: E711
    assert None not in [x]
    assert x not in [None]


NOT_COMPARED = ["a", b"a", {}, {1}, [1.0, 1.0], (1, 1), range(2), object(), np.float32]


@pytest.mark.parametrize("other", NOT_COMPARED, ids=lambda x: type(x).__name__)
def test_nothing_is_equal_to_what_is_no_number(other):
    x = tg.ones(2)
    assert ((x == other), (other == x)) == (False, False)
    assert ((x != other), (other != x)) == (True, True)
    assert other not in [x]
    assert x not in [other]


@pytest.mark.parametrize(
    "other", [1, True, np.float32(1), np.ones(2), tg.ones(2)], ids=repr
)
def test_numbers_arrays_and_tensors_are_compared_element_by_element(other):
    x = tg.tensor([1.0, 2.0])
    assert (x == other).tolist() == (other == x).tolist() == [True, False]
    assert (x != other).tolist() == (other != x).tolist() == [False, True]


def test_hashing_is_by_identity():
    x, y = tg.ones(1), tg.ones(1)
    assert len({x, y, x}) == 2
    assert {x: 1}[x] == 1


def test_equality_is_elementwise():
    x = tg.ones(2)
    assert (x == x).tolist() == [True, True]
    assert (x != 1.0).tolist() == [False, False]


WRONG = {
    "clamp to nothing": (
        lambda x: x.clamp(),
        OptionError,
        "clamp: min and max are both None",
    ),
    "negative powers of ints": (
        lambda x: tg.arange(3) ** -1,
        OptionError,
        "power: .*negative integer",
    ),
    "a number too large": (
        lambda x: tg.ones(2, dtype="uint8") + 300,
        OptionError,
        "add: .*300 out of bounds",
    ),
    "adding text": (lambda x: x + "a", DTypeError, "add: "),
    "or of floats": (lambda x: x | x, DTypeError, "bitwise_or: "),
    "not of floats": (lambda x: ~x, DTypeError, "bitwise_invert: "),
}


BOOLS, FLOATS = tg.tensor([True, False]), tg.ones(4, 6)


NO_BITS = "expected bool or integers"


IN_OUR_WORDS = {
    "a view with -1": (lambda: FLOATS.view(3, -1, 2, 5), "into shape (3,-1,2,5)"),
    "a reshape to -1": (lambda: FLOATS.reshape(5, -1), "into shape (5,-1)"),
    "a difference of bools": (lambda: BOOLS - BOOLS, "use a != b"),
    "in place": (lambda: BOOLS.sub_(BOOLS), "use a != b"),
    "a negative of bools": (lambda: -BOOLS, "use ~a"),
    "~": (lambda: ~FLOATS, NO_BITS),
    "&": (lambda: FLOATS & 1, NO_BITS),
    "| of floats": (lambda: FLOATS | FLOATS, NO_BITS),
    "a number before &": (lambda: 1.5 & BOOLS, NO_BITS),
}


@pytest.mark.parametrize("what", IN_OUR_WORDS)
def test_an_error_of_numpy_is_told_in_our_words(what):
    call, words = IN_OUR_WORDS[what]
    with pytest.raises((DTypeError, ShapeError)) as caught:
        call()
    assert words in str(caught.value)
    assert "numpy" not in str(caught.value)
    assert "ufunc" not in str(caught.value)


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint8", "int16", "int32", "int64"])
@pytest.mark.parametrize("name", ["exp", "sqrt", "tanh", "sigmoid", "log1p"])
def test_functions_of_real_numbers_take_integers(name, dtype):
    found = getattr(tg.tensor([0, 1], dtype=dtype), name)()
    assert found.dtype == ("float64" if dtype in ("int32", "int64") else "float32")
    wanted = getattr(tg.tensor([0.0, 1.0], dtype=found.dtype), name)()
    assert found.tolist() == wanted.tolist()


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


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_call(name):
    check_wrong_call(*WRONG[name])
