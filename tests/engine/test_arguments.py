"""The arguments of a call: by place, by name, left out."""

import pytest

import tinygrad_rnn as tg
from tinygrad_rnn.autograd import FusedOp, grad, op
from tinygrad_rnn.errors import DTypeError


def leaf(*values):
    return tg.tensor(list(values), dtype="float64", requires_grad=True)


def test_a_forward_whose_arrays_are_not_positional_is_refused():
    """``/`` is what tells arrays from settings."""
    with pytest.raises(DTypeError, match=r"example: .*before a slash"):

        @op
        def example(xp, x):
            return x


def test_arrays_that_are_left_out_cost_no_look_at_the_signature(monkeypatch):
    """As the weights of an LSTM's projection are, in each step."""

    @op
    def total(xp, x, y=2.0, z=3.0, /, scale=1.0):
        return (x + 10 * y + 100 * z) * scale

    monkeypatch.setattr(type(total.signature), "_bind_as_python", None)
    x = leaf(1.0)
    assert total(x).tolist() == [321]
    assert total(x, 4.0).tolist() == [341]
    assert total(x, 4.0, scale=2.0).tolist() == [682]
    assert total(x, 4.0, 5.0, 2.0).tolist() == [1082]


def test_an_optional_array():
    def _affine(x, b=None, /, scale=1.0):
        return x * scale if b is None else x * scale + b

    def forward(xp, x, b, scale):
        return (x * scale if b is None else x * scale + b,), None

    def backward(xp, grads, needs, inputs, outputs, workspace, scale):
        return grads[0] * scale if needs[0] else None, grads[0] * 1.0 if needs[
            1
        ] else None

    affine = FusedOp(_affine, forward, backward)
    x, b = leaf(2.0), leaf(3.0)
    assert affine(x).tolist() == [2]
    assert affine(x, b, 5.0).tolist() == [13]
    assert affine(x, None, scale=4.0).tolist() == [8]
    for call in (lambda: affine(x, scale=5.0), lambda: affine(x, None, 5.0)):
        for create in (False, True):
            assert grad(call().sum(), x, create_graph=create)[0].tolist() == [5]
    for create in (False, True):
        found = grad(affine(x, b, 5.0).sum(), [x, b], create_graph=create)
        assert [g.tolist() for g in found] == [[5], [1]]
    with pytest.raises(
        DTypeError, match="affine: missing .*'x'; the arguments are x, b"
    ):
        affine()
