"""einsum, two operands at a time: each pair is one product of stacks of matrices."""

import math
import re
from collections.abc import Sequence

import numpy as np

from .engine import seam
from .errors import OptionError, ShapeError, check_type
from .tensor import Tensor

Sizes = dict[str, int]  # of each letter


def einsum(equation: str, *operands: Tensor | Sequence[Tensor]) -> Tensor:
    """Return sums of products, as torch.einsum: each letter of an equation is a dim.

    Operands are multiplied from left to right, each pair by one matrix product.

    Args:
        equation: The letters of each operand and, after an arrow, those of the result,
            as in ``"bij,bjk->bik"``. A letter that the result lacks is summed. One
            that an operand has twice takes the diagonal. An ellipsis stands for all
            other dims. Without an arrow the result has the letters that occur once, in
            alphabetical order.
        operands: A Tensor for each term, or one list of them.

    Raises:
        ShapeError: The number of operands or dims is another one, or a letter has two
            sizes; size 1 fits any other.
        OptionError: The equation cannot be read.

    Example:
        >>> import tinygrad_rnn as tg
        >>> tg.einsum("bij,bjk->bik", tg.ones(5, 2, 3), tg.ones(5, 3, 4)).shape
        (5, 2, 4)
        >>> tg.einsum("ii->", tg.eye(3)).item()  # a trace
        3.0
    """
    listed = len(operands) == 1 and isinstance(operands[0], list | tuple)
    tensors = [*(operands[0] if listed else operands)]
    check_type("einsum", str, "text, as in 'ij,jk->ik'", equation=equation)
    numbered = {f"operand {i}": x for i, x in enumerate(tensors)}
    check_type("einsum", Tensor, "a Tensor", **numbered)
    terms, result = _parse(equation, [x.ndim for x in tensors])
    sizes = _sizes(terms, tensors)
    factors = []
    for x, term in zip(tensors, terms, strict=True):
        factors.append(_take_diagonals(x.expand([sizes[c] for c in term]), term))
    product, letters = factors[0]
    for i, (x, term) in enumerate(factors[1:], 2):
        needed = result + "".join(terms[i:])
        product, letters = _multiply(product, letters, x, term, needed, sizes)
    summed = [i for i, c in enumerate(letters) if c not in result]
    if summed:
        product = product.sum(summed)
        letters = "".join(c for c in letters if c in result)
    return product.permute([letters.index(c) for c in result])


def _parse(equation: str, ranks: Sequence[int]) -> tuple[list[str], str]:
    """Return the letters of each operand and of the result.

    Digits take the place of the dims that an ellipsis stands for.
    """
    left, arrow, result = equation.replace(" ", "").partition("->")
    terms = left.split(",")
    if len(terms) != len(ranks):
        raise ShapeError(
            f"einsum: {equation!r} names {len(terms)} operand{'s' * (len(terms) > 1)}, "
            f"got {len(ranks)}"
        )
    counts = []  # of the dims that each ellipsis stands for
    for term, rank in zip(terms, ranks, strict=True):
        count = rank - len(term.replace("...", ""))
        if count < 0 or (count and "..." not in term):
            raise ShapeError(
                f"einsum: {equation!r} does not fit operands of {[*ranks]} dims"
            )
        counts.append(count)
    most = max(counts)
    digits = "0123456789"[:most]
    if not arrow:
        once = [c for c in sorted(left) if left.count(c) == 1 and c.isalpha()]
        result = "..." + "".join(once)
    result = result.replace("...", digits)
    for i, count in enumerate(counts):  # an ellipsis of fewer dims has the last ones
        terms[i] = terms[i].replace("...", digits[most - count :])
    is_read = re.fullmatch(r"[A-Za-z., ]*(->[A-Za-z. ]*)?", equation)
    letters = set(result)
    if not is_read or len(letters) < len(result) or not letters <= {*"".join(terms)}:
        raise OptionError(
            f"einsum: {equation!r} is not an equation such as 'ij,jk->ik'"
        )
    return terms, result


def _sizes(terms: Sequence[str], tensors: Sequence[Tensor]) -> Sizes:
    """Return the size of each letter: the same in all operands, or 1."""
    sizes: Sizes = {}
    for term, x in zip(terms, tensors, strict=True):
        for letter, size in zip(term, x.shape, strict=True):
            known = sizes.get(letter, 1)
            if 1 not in (size, known) and size != known:
                raise ShapeError(
                    f"einsum: {letter!r} is of the sizes {known} and {size}"
                )
            sizes[letter] = known if size == 1 else size
    return sizes


def _take_diagonals(x: Tensor, term: str) -> tuple[Tensor, str]:
    """Return an operand without repeated letters, which stand for its diagonals."""
    for c in sorted(term):
        while term.count(c) > 1:
            i, j = term.index(c), term.rindex(c)
            indices = seam.constant(np.arange(x.shape[i]))
            x = x.movedim((i, j), (0, 1))[indices, indices]
            term = c + term[:i] + term[i + 1 : j] + term[j + 1 :]
    return x, term


def _multiply(
    x: Tensor, x_letters: str, y: Tensor, y_letters: str, needed: str, sizes: Sizes
) -> tuple[Tensor, str]:
    """Return the product of two factors, summed over letters that nobody needs later.

    Of the letters that both have, those that are needed number the matrices of a stack
    and the others are summed; the rest are rows and columns.
    """
    shared = [c for c in x_letters if c in y_letters]
    stack = "".join(c for c in shared if c in needed)
    inner = "".join(c for c in shared if c not in needed)
    rows = "".join(c for c in x_letters if c not in shared)
    columns = "".join(c for c in y_letters if c not in shared)

    def as_matrices(factor: Tensor, letters: str, left: str, right: str) -> Tensor:
        order = [letters.index(c) for c in stack + left + right]
        matrix = [math.prod([sizes[c] for c in dims]) for dims in (left, right)]
        return factor.permute(order).reshape([sizes[c] for c in stack] + matrix)

    left = as_matrices(x, x_letters, rows, inner)
    right = as_matrices(y, y_letters, inner, columns)
    letters = stack + rows + columns
    return left.matmul(right).reshape([sizes[c] for c in letters]), letters
