"""The same numbers for PyTorch and this package, and a check that results agree."""

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st

import tinygrad_rnn as tg

examples = settings(max_examples=max(400, settings.default.max_examples))
TOLERANCE = {"float64": 1e-10, "float32": 2e-5}
dtypes = st.sampled_from(sorted(TOLERANCE))
flags = st.booleans()
sizes = st.integers(1, 4)
seeds = st.integers(0, 2**32)
reductions = st.sampled_from(["mean", "sum", "none"])


class Numbers:
    """Random numbers, the same for both libraries."""

    def __init__(self, torch, seed, dtype):
        self.torch, self.dtype = torch, dtype
        self.rng = np.random.default_rng(seed)

    def pair(self, *shape, grad=True):
        """PyTorch's tensor and ours, of the same normal numbers."""
        values = self.rng.standard_normal(shape).astype(self.dtype)
        theirs = self.torch.tensor(values, requires_grad=grad)
        return theirs, tg.tensor(values, requires_grad=grad)

    def kinks(self, *shape, at=(0.0, -0.0, 1.0, -1.0)):
        """As pair, but a third of the numbers are those in ``at``, such as kinks."""
        values = self.rng.standard_normal(shape) * 3.0
        chosen = self.rng.choice(at, shape)
        return self.of(np.where(self.rng.random(shape) < 1 / 3, chosen, values))

    def of(self, values, grad=True):
        """PyTorch's tensor and ours, of these numbers."""
        values = np.asarray(values, self.dtype)
        theirs = self.torch.tensor(values, requires_grad=grad)
        return theirs, tg.tensor(values, requires_grad=grad)

    def ids(self, count, *shape):
        values = self.rng.integers(0, count, shape)
        if shape and values.size and (values.sum(-1) == 1).all():
            values[...] = 0  # one-hot rows may be meant as features: layers raise
        return self.torch.tensor(values), tg.tensor(values)


def same(ours, theirs, tolerance):
    assert (ours is None) == (theirs is None)
    if ours is None:
        return
    ours, theirs = ours.detach().numpy(), theirs.detach().numpy()
    assert ours.shape == theirs.shape
    assert ours.dtype == theirs.dtype
    scale = max(1.0, np.abs(theirs).max(initial=0.0))
    np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance * scale)


def agree(numbers, theirs, ours, leaves, second=True):
    """Compare outputs, first and second gradients; leaves are pairs (theirs, ours)."""
    torch, tolerance = numbers.torch, TOLERANCE[numbers.dtype]
    total = [0.0, 0.0]
    for out in zip(theirs, ours, strict=True):
        same(out[1], out[0], tolerance)
        u = numbers.pair(*out[0].shape, grad=False)
        total = [t + (o * w).sum() for t, o, w in zip(total, out, u, strict=True)]
    inputs = [list(side) for side in zip(*leaves, strict=True)]
    plain = tg.autograd.grad(total[1], inputs[1], retain_graph=True, allow_unused=True)
    options = {"create_graph": True, "allow_unused": True}
    first_theirs = torch.autograd.grad(total[0], inputs[0], **options)
    first_ours = tg.autograd.grad(total[1], inputs[1], **options)
    # Squares of the first gradients, mixed: each depends on everything
    bent = [0.0, 0.0]
    for t, o, p in zip(first_theirs, first_ours, plain, strict=True):
        same(o, t, tolerance)
        same(p, t, tolerance)
        if t is not None:
            w = numbers.pair(*t.shape, grad=False)
            bent = [
                b + (g * g * w_).sum() for b, g, w_ in zip(bent, (t, o), w, strict=True)
            ]
    if not second:
        return
    second_theirs = slopes(torch.autograd.grad, bent[0], inputs[0])
    second_ours = slopes(tg.autograd.grad, bent[1], inputs[1])
    for t, o in zip(second_theirs, second_ours, strict=True):
        scale = max(1.0, np.abs(t).max(initial=0.0))
        np.testing.assert_allclose(
            o, t, rtol=20 * tolerance, atol=20 * tolerance * scale
        )


def slopes(grad, output, leaves):
    """Gradients as arrays; None means zeros, and so does an output without a graph."""
    found = [None] * len(leaves)
    if output.requires_grad:
        found = grad(output, leaves, allow_unused=True)
    return [
        np.zeros(tuple(leaf.shape)) if g is None else plain(g)
        for leaf, g in zip(leaves, found, strict=True)
    ]


def plain(g):
    """A gradient as an array; PyTorch's may be zeros without memory."""
    g = g.detach()
    return g.numpy() if isinstance(g, tg.Tensor) else g.numpy(force=True)
