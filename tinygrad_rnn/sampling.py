"""Drawing ids by weights, or by the scores that a model gives; on the host.

Both draw by an exponential race (Gumbel-max): with E ~ Exp(1), argmin(log E - log w)
is i with probability w_i / sum(w), and the k smallest are k draws without replacement
(Efraimidis and Spirakis 2006).
"""

from math import inf, isfinite, prod

import numpy as np

from . import errors
from .backend import backend_of
from .engine import seam
from .engine.node import wrap
from .random import Generator, default_generator, numpy_generator
from .tensor import Tensor
from .types import Array, Operand, Shape

__all__ = ["categorical", "multinomial"]


def _check_floats(name: str, what: str, given: Operand) -> None:
    """Require a float Tensor (..., V)."""
    errors.check_type(name, Tensor, "a float Tensor", **{what: given})
    if given.dtype.kind != "f" or not given.ndim:
        raise errors.ShapeError(
            f"{name}: {what} is {errors.describe(given)}, expected floats (..., V); "
            "of integers, .float() makes some"
        )
    seam.use(name, given)


def _rows(array: Array) -> np.ndarray:
    """Return a copy on the host in float64, (N, V), of an array (..., V)."""
    array = backend_of(array).to_host(array)
    *lead, classes = array.shape
    return array.reshape(prod(lead), classes).astype(np.float64)


def _log_exponential(
    name: str, shape: Shape, generator: Generator | None
) -> np.ndarray:
    """Return logarithms of draws from Exp(1)."""
    times = numpy_generator(name, generator).standard_exponential(shape)
    times += 1e-300  # no draw stays 0, and no other changes
    return np.log(times, times)


def _draw_with_replacement(
    weights: np.ndarray, count: int, generator: Generator | None
) -> np.ndarray:
    """Draw ids (N, count) in proportion to weights (N, V), by inverting their sums."""
    totals = np.add.accumulate(weights, 1)
    uniform = numpy_generator("multinomial", generator).random((len(weights), count))
    points = uniform * totals[:, -1:]
    # The last total is left out: a point that rounding brings to it is the last id.
    pairs = zip(totals[:, :-1], points, strict=True)
    found = [total.searchsorted(point, "right") for total, point in pairs]
    return np.asarray(found, np.int64).reshape(points.shape)


def _draw_without_replacement(
    weights: np.ndarray, count: int, generator: Generator | None
) -> np.ndarray:
    """Draw ids (N, count), different in each row, by an exponential race."""
    with np.errstate(divide="ignore"):  # a weight of 0 takes infinite time
        times = _log_exponential("multinomial", weights.shape, generator)
        times -= np.log(weights)
    return times.argsort(axis=1)[:, :count]


def multinomial(
    input: Tensor,
    num_samples: int,
    replacement: bool = False,
    *,
    generator: Generator | None = None,
) -> Tensor:
    """Draw ids in proportion to weights.

    Args:
        input: The weights, as floats; they need not add up to 1.
        num_samples: The number of ids to draw from each row.
        replacement: Whether an id can be drawn more than once.
        generator: Draws the random numbers; the default generator if None.

    Shape:
        (V,) to (num_samples,), or (B, V) to (B, num_samples).

    Raises:
        OptionError: A weight is negative or not finite, or fewer weights are above 0
            than ``num_samples`` without replacement.
        ShapeError: The weights are integers, or have more than two dims.

    Example:
        >>> import tinygrad_rnn as tg
        >>> tg.multinomial(tg.tensor([0.0, 1.0]), 1).item()
        1
    """
    _check_floats("multinomial", "input", input)
    if input.ndim > 2:
        raise errors.ShapeError(
            f"multinomial: input is {errors.describe(input)}, expected (V,) or (B, V)"
        )
    generator = default_generator if generator is None else generator
    settings = num_samples, replacement, generator
    return wrap(seam.act(_multinomial, input.array, *settings))


def _multinomial(
    weights: Array, num_samples: int, replacement: bool, generator: Generator | None
) -> Array:
    rows = _rows(weights)
    # Reductions of ufuncs: the methods of arrays reach them by a way around.
    lowest = np.minimum.reduce(rows, None, initial=0.0)
    top = np.maximum.reduce(rows, 1, keepdims=True, initial=0.0)
    tops = top.ravel().tolist()
    if not (lowest >= 0.0 and max(tops, default=0.0) < inf):  # a NaN is neither
        raise errors.OptionError(
            "multinomial: the weights must be finite and not negative; of logits, "
            "tg.categorical draws"
        )
    errors.check_integers("multinomial", num_samples=num_samples)
    errors.check_type("multinomial", bool, "True or False", replacement=replacement)
    needed = 1 if replacement else num_samples
    possible = 1
    if needed > 1 or 0.0 in tops or not rows.size:
        possible = (rows > 0).sum(axis=1).min(initial=rows.shape[1])
    if possible < needed:
        raise errors.OptionError(
            f"multinomial: {possible} weights are above 0, which is too few for "
            f"num_samples={num_samples}, replacement={replacement}"
        )
    if replacement and num_samples > 1:
        drawn = _draw_with_replacement(rows / top, num_samples, generator)
    else:
        drawn = _draw_without_replacement(rows, num_samples, generator)
    drawn = drawn[0] if weights.ndim == 1 else drawn
    return backend_of(weights).from_host(drawn)


def _keep_top_k(rows: np.ndarray, top_k: int) -> None:
    """Replace by -inf the logits (N, V) below the k-th highest of their row."""
    if top_k < rows.shape[1]:
        lowest = np.partition(rows, -top_k, 1)[:, -top_k, None]
        rows[rows < lowest] = -inf


def _keep_top_p(rows: np.ndarray, top_p: float) -> None:
    """Replace by -inf the logits (N, V) outside of the nucleus of their row.

    That is the fewest ids whose probabilities add up to ``top_p``: an id stays while
    those before it, from the likeliest down, add up to less (Holtzman et al. 2020,
    section 3.1).
    """
    ordered = np.sort(rows, 1)[:, ::-1]
    weights = np.exp(ordered - ordered[:, :1])
    totals = np.add.accumulate(weights, 1)
    before = totals[:, :-1] / totals[:, -1:]
    last = (before < top_p).sum(1)  # the likeliest always stays: nothing is before it
    rows[rows < np.take_along_axis(ordered, last[:, None], 1)] = -inf


def categorical(
    logits: Tensor,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    *,
    generator: Generator | None = None,
) -> Tensor:
    """Draw ids from softmax(logits / temperature), as jax.random.categorical does.

    Args:
        logits: Floats; an id with a logit of -inf is never drawn.
        temperature: Below 1 it prefers the likely ids, above 1 the unlikely ones; 0
            takes the likeliest.
        top_k: Draw only from the k highest logits.
        top_p: Then draw only from the nucleus, the fewest ids whose probabilities add
            up to at least this share of 1 (Holtzman et al. 2020, arXiv:1904.09751).
        generator: Draws the random numbers; the default generator if None.

    Ids that tie with the last one within ``top_k`` or ``top_p`` count as well.

    Shape:
        (..., V) to (...).

    Raises:
        OptionError: A logit is NaN or inf, all are -inf, or an option is out of range.
        ShapeError: The logits are integers, or have no dims.

    Example:
        >>> import tinygrad_rnn as tg
        >>> tg.categorical(tg.tensor([[0.0, 99.0], [99.0, 0.0]])).tolist()
        [1, 0]
        >>> likely = tg.tensor([0.5, 0.3, 0.15, 0.05]).log()
        >>> sorted({tg.categorical(likely, top_p=0.7).item() for _ in range(100)})
        [0, 1]
    """
    _check_floats("categorical", "logits", logits)
    generator = default_generator if generator is None else generator
    settings = temperature, top_k, top_p, generator
    return wrap(seam.act(_categorical, logits.array, *settings))


def _categorical(
    logits: Array,
    temperature: float,
    top_k: int | None,
    top_p: float | None,
    generator: Generator | None,
) -> Array:
    rows = _rows(logits)
    if type(temperature) is not float or temperature != 1.0:
        errors.check_numbers("categorical", 0.0, temperature=temperature)
    if top_k is not None:
        errors.check_integers("categorical", top_k=top_k)
    if top_p is not None:
        errors.check_numbers("categorical", 0.0, 1.0, top_p=top_p)
    top = np.maximum.reduce(rows, 1, keepdims=True, initial=-inf)
    tops = top.ravel().tolist()
    if not (rows.shape[1] and all(map(isfinite, tops))):
        raise errors.OptionError(
            f"categorical: a row of logits {logits.shape} has a NaN, an infinity, or "
            "nothing above -inf: did the training diverge?"
        )
    if top_k is not None:
        _keep_top_k(rows, int(top_k))  # an unsigned NumPy integer has no negative
    # The race would be lost in the rounding of large numbers.
    if temperature not in (0.0, 1.0) or max(map(abs, tops), default=0.0) > 1e6:
        with np.errstate(over="ignore"):
            rows -= top
            rows /= temperature or 1.0
    if temperature:
        if top_p is not None and top_p < 1.0:
            _keep_top_p(rows, top_p)
        rows -= _log_exponential("categorical", rows.shape, generator)
    drawn = rows.argmax(1).reshape(logits.shape[:-1])
    return backend_of(logits).from_host(np.asarray(drawn))
