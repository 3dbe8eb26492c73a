"""What a call raises where the forward or the array library raises."""

import pytest

import tinygrad_rnn as tg
from tinygrad_rnn.autograd import FusedOp, op
from tinygrad_rnn.errors import DTypeError


def leaf(*values):
    return tg.tensor(list(values), dtype="float64", requires_grad=True)


def test_errors_of_ones_own_are_not_touched():
    """They keep their kind and their words; a note says which op it was."""

    class Own(ValueError):
        pass

    @op
    def refuses(xp, x, /, how, words="no"):
        raise how(words)

    def _fused(x, /, how, words="no"):
        return x * 1.0

    def forward(xp, x, how, words):
        raise how(words)

    for call in (refuses, FusedOp(_fused, forward)):
        for how in (
            DTypeError,
            KeyError,
            TypeError,
            ValueError,
            IndexError,
            OverflowError,
            Own,
        ):
            with pytest.raises(how) as error:
                call(leaf(1.0), how)
            assert type(error.value) is how
            assert error.value.args == ("no",)
            name = refuses.name if call is refuses else "fused"
            note = (
                f"It was raised by the forward of {name} (got float64 of shape (1,))."
            )
            wanted = [] if how is DTypeError else [note]
            assert getattr(error.value, "__notes__", []) == wanted
        with pytest.raises(Own):
            call(leaf(1.0), Own, words="shapes that do not fit")


@pytest.mark.parametrize("fused", [False, True])
def test_errors_of_the_library_about_shapes_are_said_in_terms_of_the_op(fused):
    def product(xp, x, y, /):
        return x * y + xp.matmul(x, y)

    def _product(x, y, /):
        return x * y + x.matmul(y)

    call = (
        FusedOp(_product, lambda xp, x, y: ((product(xp, x, y),), None))
        if fused
        else op(product)
    )
    with pytest.raises(
        tg.errors.ShapeError, match=r"product: the shapes \(2, 3\) and \(4, 5\)"
    ):
        call(tg.ones(2, 3), tg.ones(4, 5))
    with pytest.raises(
        tg.errors.ShapeError, match="product: .*aligned.*got float32 of shape"
    ):
        call(tg.ones(2, 3), tg.ones(2, 3))
