"""einsum, two operands at a time: each pair is one product of stacks of matrices."""

import math
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from .engine.node import Value
from .errors import OptionError, ShapeError, check_type


def einsum(equation: str, *operands: Any) -> Any:
    """Sums of products, a letter for each dim, as torch.einsum: two at a time, by matrix products.

    >>> from tinygrad_rnn import ones
    >>> einsum("bij,bjk->bik", ones(5, 2, 3), ones(5, 3, 4)).shape
    (5, 2, 4)
    """
    given = operands[0] if len(operands) == 1 and not isinstance(operands[0], Value) else operands
    tensors: list[Any] = list(given)
    for i, x in enumerate(tensors):
        check_type("einsum", Value, "a Tensor", **{f"operand {i}": x})
    terms, result = _terms(equation, [x.ndim for x in tensors])
    sizes: dict[str, int] = {}
    for term, x in zip(terms, tensors, strict=True):
        for letter, size in zip(term, x.shape, strict=True):
            if 1 not in (size, sizes.get(letter, size)) and size != sizes.get(letter, size):
                raise ShapeError(f"einsum: {letter!r} is of the sizes {sizes[letter]} and {size}")
            sizes[letter] = size if size != 1 else sizes.get(letter, 1)
    x, one = tensors[0].expand([sizes[c] for c in terms[0]]), terms[0]
    x, one = _diagonals(x, one)
    for i in range(1, len(tensors)):
        y, two = _diagonals(tensors[i].expand([sizes[c] for c in terms[i]]), terms[i])
        shared, keep = [c for c in one if c in two], result + "".join(terms[i + 1 :])
        batch = "".join(c for c in shared if c in keep)
        inner = "".join(c for c in shared if c not in keep)
        left, right = ("".join(c for c in t if c not in shared) for t in (one, two))
        outer = [sizes[c] for c in batch]
        rows, inside, columns = (math.prod(sizes[c] for c in t) for t in (left, inner, right))
        x = x.permute([one.index(c) for c in batch + left + inner]).reshape(*outer, rows, inside)
        y = y.permute([two.index(c) for c in batch + inner + right]).reshape(
            *outer, inside, columns
        )
        one = batch + left + right
        x = x.matmul(y).reshape([sizes[c] for c in one])
    extra = [i for i, c in enumerate(one) if c not in result]
    x, one = (x.sum(extra) if extra else x), "".join(c for c in one if c in result)
    return x.permute([one.index(c) for c in result])


def _terms(equation: str, ranks: Sequence[int]) -> tuple[list[str], str]:
    """The letters of each operand and of the result; an ellipsis stands for digits of its own."""
    left, arrow, result = equation.replace(" ", "").partition("->")
    terms = left.split(",")
    wide = [rank - len(t.replace("...", "")) for t, rank in zip(terms, ranks, strict=False)]
    if len(terms) != len(ranks) or any(
        n < 0 or (n > 0 and "..." not in t) for t, n in zip(terms, wide, strict=True)
    ):
        raise ShapeError(f"einsum: {equation!r} does not fit operands of {[*ranks]} dims")
    dots = "0123456789"[
        : max([n for t, n in zip(terms, wide, strict=True) if "..." in t], default=0)
    ]
    once = [c for c in sorted(left) if left.count(c) == 1 and c.isalpha()]
    result = (result if arrow else "..." + "".join(once)).replace("...", dots)
    terms = [t.replace("...", dots[len(dots) - n :]) for t, n in zip(terms, wide, strict=True)]
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
