"""Random arrays: hypothesis draws shapes, layouts and a seed, NumPy the numbers.

By construction, the numbers stay away from kinks and ties (see the domains below), so
that difference quotients are meaningful.
"""

from functools import cache
from itertools import product

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st


def plain_ids(rng, count, shape):
    """Draw ids that are not one-hot rows, for which recurrent layers raise."""
    while True:
        ids = rng.integers(0, count, shape)
        if shape[-1:] != (count,) or count == 1 or not (ids.sum(-1) == 1).all():
            return ids


# ---------------------------------------------- domains: (rng, shape) -> float64


def signed(rng, shape):
    """Draw numbers of either sign, away from 0."""
    return rng.uniform(0.3, 2.5, shape) * rng.choice([-1.0, 1.0], shape)


def positive(rng, shape):
    """Draw numbers above 0, away from it."""
    return rng.uniform(0.3, 2.5, shape)


def real(rng, shape):
    """Draw any numbers near 0."""
    return rng.uniform(-2.0, 2.0, shape)


def apart(rng, shape):
    """Draw numbers that differ from each other by at least 0.2."""
    count = int(np.prod(shape))
    places = rng.permutation(count) - count / 2
    return (0.3 * places + rng.uniform(0.0, 0.1, count)).reshape(shape)


def between(rng, shape):
    """Draw numbers away from integers and from their halves."""
    return (
        rng.integers(-3, 3, shape)
        + rng.choice([0.0, 0.5], shape)
        + rng.uniform(0.1, 0.4, shape)
    )


def lattice(place):
    """Make domains for arguments that are compared.

    Numbers of different places differ by at least 0.2.
    """

    def domain(rng, shape):
        return rng.integers(-2, 3, shape) + 0.25 * place + rng.uniform(0.0, 0.05, shape)

    return domain


# ---------------------------------------------------------------- layouts

LAYOUTS = ("C", "F", "reversed", "gaps")


def laid_out(array, layout, read_only=False):
    """Return the same values in another memory layout."""
    if layout == "F":
        out = np.array(array, order="F")
    elif layout == "reversed":  # negative strides
        back = (*[slice(None, None, -1)] * array.ndim, ...)
        out = array[back].copy()[back]
    elif layout == "gaps":
        out = np.ones([2 * n for n in array.shape], array.dtype)
        out = out[(*[slice(None, None, 2)] * array.ndim, ...)]
        out[...] = array
    elif layout == "repeated":  # stride 0: the values are the first row's
        out = np.broadcast_to(array[:1], array.shape) if array.ndim else array
    else:
        out = np.array(array, order="C")
    if read_only:
        out = out.view()
        out.flags.writeable = False
    return out


# ---------------------------------------------------------------- drawing

# Simple ones first, as hypothesis shrinks towards the first.
SHAPES = [shape for ndim in range(4) for shape in product((2, 3, 1), repeat=ndim)]
SHAPES += [(0,), (2, 0), (0, 3), (2, 0, 3), (0, 2, 1), (3, 1, 0)]


class Draw:
    """Draws the arguments of a row of the tests.

    Shapes and settings are drawn by hypothesis, which can then shrink them. Numbers and
    layouts come from a seed, as each draw costs as much as an op.
    """

    def __init__(self, draw):
        self.draw = draw
        self.rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))

    def one_of(self, *choices):
        return self.draw(st.sampled_from(choices))

    def integer(self, low, high):
        """Draw an integer from low to high, both included."""
        return self.draw(st.integers(low, high))

    def chance(self):
        return bool(self.rng.integers(0, 2))

    def keep(self, condition):
        """Draw again unless the condition holds."""
        assume(condition)

    def shape(self, min_dims=0, max_dims=3):
        return self.draw(_shapes(min_dims, max_dims))

    def shapes(self, count):
        """Draw shapes that broadcast together, to one of them."""
        full = self.shape()
        out = [self.narrowed(full) for _ in range(count)]
        out[self.rng.integers(0, count)] = full
        return out

    def narrowed(self, full):
        """Draw a shape that broadcasts to a given one."""
        kept = full[self.rng.integers(0, len(full) + 1) :]
        return tuple(1 if self.chance() else n for n in kept)

    def permuted(self, items):
        return tuple(items[i] for i in self.rng.permutation(len(items)))

    def array(self, shape, domain=signed):
        """Draw a float64 array in some layout; stride 0 if its values may be equal."""
        layouts = LAYOUTS if domain is apart else (*LAYOUTS, "repeated")
        array = np.asarray(domain(self.rng, shape), np.float64).reshape(shape)
        return laid_out(
            array, layouts[self.rng.integers(0, len(layouts))], self.chance()
        )

    def axis(self, ndim, tuples=True, none=True):
        """Draw one axis, several, or None for all, counted from either end."""
        kinds = ["none"] if none or not ndim else []
        if ndim:
            kinds += ["one", "many"] if tuples else ["one"]
        kind = self.one_of(*kinds)
        if kind == "none":
            return None
        if kind == "one":
            return self.integer(-ndim, ndim - 1)
        axes = self.permuted(range(ndim))[: self.integer(1, ndim)]
        return tuple(a - ndim if self.chance() else a for a in axes)

    def index(self, shape):
        """Draw what may stand between brackets.

        It has arrays where a user has Tensors or lists.
        """
        kinds = self.one_of("basic", "arrays", "mixed", "mask")
        if kinds == "mask":  # over the first dims
            dims = self.integer(0, len(shape))
            return self.rng.integers(0, 2, shape[:dims]).astype(bool)
        choices = {
            "basic": ("slice", "int"),
            "arrays": ("array",),
            "mixed": ("slice", "int", "array"),
        }
        length = self.rng.integers(0, 4)
        parts = []
        for size in shape[: self.integer(0, len(shape))]:
            kind = (
                choices[kinds][self.rng.integers(0, len(choices[kinds]))]
                if size
                else "slice"
            )
            if kind == "slice":
                start, stop = (
                    int(n) for n in self.rng.integers(-size - 1, size + 2, 2)
                )
                step = int(self.rng.choice([1, 1, 2, -1, -2]))
                parts.append(
                    slice(
                        start if self.chance() else None,
                        stop if self.chance() else None,
                        step,
                    )
                )
            elif kind == "int":
                parts.append(int(self.rng.integers(-size, size)))
            else:
                dtype = self.rng.choice(["int64", "int32", "int8", "uint8"])
                low = 0 if dtype == "uint8" else -size
                parts.append(self.rng.integers(low, size, length).astype(dtype))
        extra = self.rng.choice(["nothing", "newaxis", "ellipsis"])
        if extra != "nothing":
            place = (
                self.rng.integers(0, len(parts) + 1)
                if extra == "newaxis"
                else len(parts)
            )
            parts.insert(place, None if extra == "newaxis" else ...)
        return parts[0] if len(parts) == 1 and self.chance() else tuple(parts)


@cache
def _shapes(min_dims, max_dims):
    return st.sampled_from(
        [shape for shape in SHAPES if min_dims <= len(shape) <= max_dims]
    )
