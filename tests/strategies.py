"""Random arrays for the tests: hypothesis draws shapes, layouts and a seed, NumPy the numbers.

The numbers keep clear of kinks and ties by construction, see the domains below, so that a difference
quotient is meaningful wherever it is taken.
"""

import numpy as np
from hypothesis import strategies as st

# ---------------------------------------------------------------- domains: (rng, shape) -> float64


def signed(rng, shape):
    """Away from 0, of either sign."""
    return rng.uniform(0.3, 2.5, shape) * rng.choice([-1.0, 1.0], shape)


def positive(rng, shape):
    """Away from 0, above it."""
    return rng.uniform(0.3, 2.5, shape)


def real(rng, shape):
    """Anywhere near 0."""
    return rng.uniform(-2.0, 2.0, shape)


def apart(rng, shape):
    """All different, by at least 0.2."""
    count = int(np.prod(shape))
    places = rng.permutation(count) - count / 2
    return (0.3 * places + rng.uniform(0.0, 0.1, count)).reshape(shape)


def between(rng, shape):
    """Away from integers, and from their halves."""
    return rng.integers(-3, 3, shape) + rng.choice([0.0, 0.5], shape) + rng.uniform(0.1, 0.4, shape)


def lattice(place):
    """Domains of which no two, of different places, come closer than 0.2: for two that compare."""

    def domain(rng, shape):
        return rng.integers(-2, 3, shape) + 0.25 * place + rng.uniform(0.0, 0.05, shape)

    return domain


# ---------------------------------------------------------------- layouts

LAYOUTS = ("C", "F", "reversed", "gaps")


def laid_out(array, layout, read_only=False):
    """The same values, lying in memory in another way."""
    if layout == "F":
        out = np.asfortranarray(array)
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

SIZES = st.sampled_from((2, 1, 3, 0))


class Draw:
    """What a row of the tests draws its arguments with."""

    def __init__(self, draw):
        self.draw = draw
        self.rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1), label="seed"))

    def one_of(self, *choices):
        return self.draw(st.sampled_from(choices))

    def integer(self, low, high):
        """From low to high, both included."""
        return self.draw(st.integers(low, high))

    def shape(self, min_dims=0, max_dims=3):
        sizes = st.lists(SIZES, min_size=min_dims, max_size=max_dims)
        return tuple(self.draw(sizes, label="shape"))

    def shapes(self, count):
        """Shapes that broadcast together."""
        full = self.shape()
        out = []
        for _ in range(count):
            dims = self.draw(st.integers(0, len(full)))
            ones = self.draw(st.lists(st.booleans(), min_size=dims, max_size=dims))
            kept = full[len(full) - dims :]
            out.append(tuple(1 if one else n for n, one in zip(kept, ones, strict=True)))
        out[self.draw(st.integers(0, count - 1))] = full
        return out

    def array(self, shape, domain=signed):
        """A float64 array in some layout; stride 0 where its values need not differ."""
        layouts = LAYOUTS if domain is apart else (*LAYOUTS, "repeated")
        array = np.asarray(domain(self.rng, shape), np.float64).reshape(shape)
        return laid_out(array, self.one_of(*layouts), self.draw(st.booleans()))

    def axis(self, ndim, tuples=True, none=True):
        """One axis, several, or None for all; from either end."""
        kinds = ["none"] if none or not ndim else []
        if ndim:
            kinds += ["one", "many"] if tuples else ["one"]
        kind = self.one_of(*kinds)
        if kind == "none":
            return None
        if kind == "one":
            return self.integer(-ndim, ndim - 1)
        axes = self.draw(st.lists(st.integers(0, ndim - 1), min_size=1, unique=True))
        return tuple(a - ndim if self.draw(st.booleans()) else a for a in axes)

    def index(self, shape, repeats=True):
        """What may stand between brackets, with arrays where a user has Tensors or lists."""
        if self.integer(0, 3) == 0:  # a mask over the first dims
            dims = self.integer(0, len(shape))
            return self.rng.integers(0, 2, shape[:dims]).astype(bool)
        length = self.integer(0, 3)
        parts = []
        for size in shape[: self.integer(0, len(shape))]:
            kind = self.one_of("slice", "int", "array") if size else "slice"
            if kind == "slice":
                parts.append(self.draw(st.slices(size)))
            elif kind == "int":
                parts.append(self.integer(-size, size - 1))
            else:
                dtype = self.one_of(np.int64, np.int32, np.int8, np.uint8)
                low = 0 if dtype is np.uint8 else -size
                places = self.rng.integers(low, size, length)
                parts.append((places if repeats else places[:1]).astype(dtype))
        extra = self.one_of("nothing", "newaxis", "ellipsis")
        if extra != "nothing":
            place = self.integer(0, len(parts)) if extra == "newaxis" else len(parts)
            parts.insert(place, None if extra == "newaxis" else ...)
        return tuple(parts) if len(parts) != 1 or self.draw(st.booleans()) else parts[0]

    def draw_permutation(self, items):
        return self.draw(st.permutations(list(items)))
