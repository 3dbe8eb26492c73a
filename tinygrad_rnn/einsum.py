"""einsum, two operands at a time: each pair is one product of stacks of matrices."""

import math
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from .engine.node import Value
from .errors import OptionError, ShapeError, check_type


def einsum(equation: str, *operands: Any) -> Any:
    """Sums of products, a letter for each dim, as torch.einsum: two at a time, by
    matrix products.

    >>> from tinygrad_rnn import ones
    >>> einsum("bij,bjk->bik", ones(5, 2, 3), ones(5, 3, 4)).shape
    (5, 2, 4)
    """
    listed = len(operands) == 1 and isinstance(operands[0], list | tuple)
    given = operands[0] if listed else operands
    tensors: list[Any] = list(given)
    check_type("einsum", str, "text, as in 'ij,jk->ik'", equation=equation)
    check_type(
        "einsum",
        Value,
        "a Tensor",
        **{f"operand {i}": x for i, x in enumerate(tensors)},
    )
    terms, result = _terms(equation, [x.ndim for x in tensors])
    sizes: dict[str, int] = {}
    for term, x in zip(terms, tensors, strict=True):
        for letter, size in zip(term, x.shape, strict=True):
            known = sizes.get(letter, 1)
            if 1 not in (size, known) and size != known:
                raise ShapeError(
                    f"einsum: {letter!r} is of the sizes {known} and {size}"
                )
            sizes[letter] = known if size == 1 else size
    wide = [
        x.expand([sizes[c] for c in t]) for t, x in zip(terms, tensors, strict=True)
    ]
    (x, one), *others = map(_diagonals, wide, terms)
    for i, (y, two) in enumerate(others, 2):
        shared, keep = [c for c in one if c in two], result + "".join(terms[i:])
        batch = "".join(c for c in shared if c in keep)
        inner = "".join(c for c in shared if c not in keep)
        left, right = ("".join(c for c in t if c not in shared) for t in (one, two))
        outer = [sizes[c] for c in batch]
        rows, inside, columns = (
            math.prod(sizes[c] for c in t) for t in (left, inner, right)
        )
        x = x.permute([one.index(c) for c in batch + left + inner]).reshape(
            *outer, rows, inside
        )
        y = y.permute([two.index(c) for c in batch + inner + right])
        one = batch + left + right
        x = x.matmul(y.reshape(*outer, inside, columns)).reshape(
            [sizes[c] for c in one]
        )
    extra = [i for i, c in enumerate(one) if c not in result]
    x, one = (x.sum(extra) if extra else x), "".join(c for c in one if c in result)
    return x.permute([one.index(c) for c in result])


def _terms(equation: str, ranks: Sequence[int]) -> tuple[list[str], str]:
    """The letters of each operand and of the result; an ellipsis stands for digits of
    its own.
    """
    left, arrow, result = equation.replace(" ", "").partition("->")
    terms = left.split(",")
    if len(terms) != len(ranks):
        named = f"{equation!r} names {len(terms)} operand{'s' * (len(terms) > 1)}"
        raise ShapeError(f"einsum: {named}, got {len(ranks)}")
    wide = [
        rank - len(t.replace("...", "")) for t, rank in zip(terms, ranks, strict=True)
    ]
    odd = [
        n < 0 or (n > 0 and "..." not in t) for t, n in zip(terms, wide, strict=False)
    ]
    if any(odd):
        raise ShapeError(
            f"einsum: {equation!r} does not fit operands of {[*ranks]} dims"
        )
    dots = "0123456789"[: max(wide)]
    once = [c for c in sorted(left) if left.count(c) == 1 and c.isalpha()]
    result = (result if arrow else "..." + "".join(once)).replace("...", dots)
    terms = [
        t.replace("...", dots[len(dots) - n :])
        for t, n in zip(terms, wide, strict=True)
    ]
    valid = re.fullmatch(r"[A-Za-z., ]*(->[A-Za-z. ]*)?", equation)
    if not valid or len({*result}) < len(result) or not {*result} <= {*"".join(terms)}:
        raise OptionError(f"einsum: {equation!r} is no equation, such as 'ij,jk->ik'")
    return terms, result


def _diagonals(x: Any, term: str) -> tuple[Any, str]:
    """An operand without letters that occur twice: what they share is its diagonal."""
    for c in sorted(term):
        while term.count(c) > 1:
            i, j = term.index(c), term.rindex(c)
            places = np.arange(x.shape[i])
            x = x.movedim((i, j), (0, 1))[places, places]
            term = c + term[:i] + term[i + 1 : j] + term[j + 1 :]
    return x, term
