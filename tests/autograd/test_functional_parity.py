"""autograd.functional against PyTorch's: values, nesting, and second derivatives."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracle import assert_close

import tinygrad_rnn as tg
from tinygrad_rnn.autograd import functional

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.parity

# PyTorch fails for empty ones
SHAPES = st.sampled_from([(), (1,), (3,), (2, 3), (2, 1, 2)])


def library(create):
    """The same function of Tensors in both libraries; ``create`` makes a tensor."""

    def call(single):
        def function(*xs):
            total = 0.0
            for i, x in enumerate(xs):
                total = total + (x**3).sum() * (i + 1) + (x * (i + 0.5)).tanh().sum()
            if single:
                return total * total
            return total.exp() * xs[0], (xs[-1] * xs[-1]).sum(), create(xs[0].shape)

        return function

    return call


ours = library(
    lambda shape: (
        tg.ones(shape, dtype="float64") if shape else tg.ones((), dtype="float64")
    )
)
theirs = library(lambda shape: torch.ones(shape, dtype=torch.float64))


def compare(mine, other, what):
    """Equal in value, and nested alike."""
    if isinstance(other, torch.Tensor):
        assert isinstance(mine, tg.Tensor), what
        assert mine.shape == tuple(other.shape), what
        assert_close(mine.detach().numpy(), other.detach().numpy(), 1e-10, what=what)
        return
    assert type(mine) is type(other) is tuple, what
    assert len(mine) == len(other), what
    for one, two in zip(mine, other, strict=True):
        compare(one, two, what)


def flat(result):
    return (
        [result]
        if not isinstance(result, tuple)
        else [t for part in result for t in flat(part)]
    )


@pytest.mark.parametrize("name", ["vjp", "jvp", "hvp", "jacobian", "hessian"])
@given(
    shapes=st.lists(SHAPES, min_size=1, max_size=3),
    wrapped=st.booleans(),
    create=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
def test_equal(name, shapes, wrapped, create, seed):
    rng = np.random.default_rng(seed)
    single = name in ("hvp", "hessian") or bool(rng.integers(2))
    arrays = [np.asarray(rng.uniform(-1, 1, shape)) for shape in shapes]
    of_outputs = [()] if single else [shapes[0], (), shapes[0]]
    shapes = shapes if name in ("jvp", "hvp") else of_outputs
    vectors = [np.asarray(rng.uniform(-1, 1, shape)) for shape in shapes]
    found = []
    for make, function, space in (
        (lambda a: tg.tensor(a, requires_grad=True), ours(single), functional),
        (
            lambda a: torch.tensor(a, requires_grad=True),
            theirs(single),
            torch.autograd.functional,
        ),
    ):
        xs, vs = tuple(map(make, arrays)), tuple(map(make, vectors))
        given = xs[0] if len(xs) == 1 and not wrapped else xs
        args = (function, given)
        if name in ("vjp", "jvp", "hvp"):
            args += (vs[0] if len(vs) == 1 else vs,)
        result = getattr(space, name)(*args, create_graph=create)
        slopes = []
        if create:
            total = sum((t * t).sum() for t in flat(result))
            grad = tg.autograd.grad if space is functional else torch.autograd.grad
            slopes = grad(
                total, [*xs, *vs] if len(args) == 3 else xs, allow_unused=True
            )
        found.append((result, slopes))
    (mine, my_slopes), (other, their_slopes) = found
    compare(mine, other, name)
    for one, two in zip(my_slopes, their_slopes, strict=True):
        zero = np.zeros(()) if two is None else np.zeros(two.shape)
        one, two = (zero if g is None else g.detach().numpy() for g in (one, two))
        assert_close(one, two, 1e-9, what=f"{name}, differentiated")
