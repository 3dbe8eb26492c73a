"""The checks of layers and losses: ``check.ids(...)`` and the like."""

import sys
from functools import partial
from typing import Any

import numpy as np

from ..backend import backend_of
from ..tensor import Tensor
from . import (
    DTypeError,
    IdError,
    OptionError,
    ShapeError,
    check_choice,
    check_integers,
    check_numbers,
    check_type,
    described,
)

choice = check_choice
integers = check_integers
numbers = check_numbers

FLAG, ANY_INTEGER = (
    partial(choice, choices=(True, False)),
    partial(integers, low=-sys.maxsize),
)
DIVERGENCES = ("mean", "batchmean", "sum", "none")  # the reductions of kl_div
_UINT64 = np.dtype("uint64")


def not_in_place(name: str, inplace: Any) -> None:
    """Raise if ``inplace`` is set: every function here gives a new tensor."""
    if inplace is not False:
        got = f"{name}: inplace is {inplace!r}, expected False"
        raise OptionError(f"{got}; leave it out and take the result: x = layer(x)")


RULES: dict[str, Any] = {
    "reduction": partial(choice, choices=("mean", "sum", "none")),
    "nonlinearity": partial(choice, choices=("tanh", "relu")),
    **dict.fromkeys(
        ("bias", "batch_first", "bidirectional", "elementwise_affine"), FLAG
    ),
    **dict.fromkeys(
        ("enforce_sorted", "freeze", "log_target", "prepend", "set_to_none"), FLAG
    ),
    **dict.fromkeys(("recurse", "remove_duplicate", "with_kwargs"), FLAG),
    "inplace": not_in_place,
    "approximate": partial(choice, choices=("none", "tanh")),
    **dict.fromkeys(("ignore_index", "dim", "start_dim", "end_dim"), ANY_INTEGER),
    **dict.fromkeys(("alpha", "negative_slope"), numbers),
    "delta": partial(numbers, low=sys.float_info.min),
    **dict.fromkeys(("eps", "beta"), partial(numbers, low=0)),
    **dict.fromkeys(
        ("p", "dropout", "label_smoothing"), partial(numbers, low=0, high=1)
    ),
    **dict.fromkeys(("input_size", "hidden_size", "num_layers"), integers),
    **dict.fromkeys(
        ("in_features", "out_features", "num_embeddings", "embedding_dim"), integers
    ),
}


def options(name: str, **given: Any) -> None:
    """Raise if an option breaks its rule; options without a rule pass."""
    for what, value in given.items():
        if what in RULES:
            RULES[what](name, **{what: value})


def tensors(name: str, **given: Any) -> None:
    """Require Tensors. Common mistakes: an array, or a layer's (output, state) tuple."""
    for what, value in given.items():
        if not isinstance(value, Tensor):
            way = f"tg.as_tensor({what}) makes one"
            if isinstance(value, tuple):
                way = "recurrent layers return (output, state), of which the next one takes output"
            if hasattr(value, "batch_sizes"):
                way = "map the data of a packed one: packed._replace(data=layer(packed.data))"
            check_type(name, Tensor, f"a Tensor; {way}", **{what: value})


def floats(name: str, input: Any, weight: Tensor | None = None) -> None:
    """Require a float tensor, of the weights' dtype if there are weights."""
    if not isinstance(input, Tensor):
        tensors(name, input=input)
    if weight is not None and not isinstance(weight, Tensor):
        tensors(name, weight=weight)
    if input.dtype.kind != "f" if weight is None else input.dtype != weight.dtype:
        dtype = (
            "floats" if weight is None else f"{weight.dtype}, the dtype of the weights"
        )
        way = (
            ".double()"
            if weight is not None and weight.dtype == np.float64
            else ".float()"
        )
        raise DTypeError(
            f"{name}: input is {input.dtype}, expected {dtype}; use input{way}"
        )


def features(name: str, input: Tensor, what: str, size: int) -> None:
    """Require ``size`` features, which the layer calls ``what``."""
    if input.shape[-1:] != (size,):
        got = (
            f"{input.shape[-1] if input.ndim else 'no'} features in its last dimension"
        )
        expected = f"{what}={size} (input shape {input.shape})"
        raise ShapeError(f"{name}: input has {got}, expected {expected}")


def like(name: str, why: str, shape: tuple[int, ...], dtype: Any, **given: Any) -> None:
    """Require None, or tensors of this shape and dtype; ``why`` ends the message."""
    for what, value in given.items():
        if value is None:
            continue
        if not isinstance(
            value, Tensor
        ):  # before the call: this is done for every step
            tensors(name, **{what: value})
        _same_dtype(name, what, value, dtype)
        if value.shape != shape:
            raise ShapeError(
                f"{name}: {what} has shape {value.shape}, expected {shape}{why}"
            )


def _same_dtype(name: str, what: str, value: Tensor, dtype: Any) -> None:
    if value.dtype != dtype:
        way = f"use {what}.double()" if dtype == np.float64 else f"use {what}.float()"
        raise DTypeError(
            f"{name}: {what} is {described(value)}, expected {dtype}; {way}"
        )


def broadcasting(name: str, input: Tensor, **given: Any) -> None:
    """Raise if weights, except None, differ from the input in dtype or do not fit its
    shape.
    """
    for what, value in given.items():
        if value is None:
            continue
        tensors(name, **{what: value})
        _same_dtype(name, what, value, input.dtype)
        sizes = zip(reversed(value.shape), reversed(input.shape), strict=False)
        if value.ndim > input.ndim or any(
            size not in (1, whole) for size, whole in sizes
        ):
            got = f"{what} has shape {value.shape}, which does not broadcast to {input.shape}"
            raise ShapeError(f"{name}: {got}")


def pair(name: str, input: Any, target: Any, weight: Any = None, **given: Any) -> None:
    """Require two float tensors, and a weight if there is one, of the same shape."""
    options(name, **given)
    floats(name, input)
    tensors(name, target=target)
    why = " as the input has: reshape one of them, as broadcasting would average over pairs"
    like(name, why, input.shape, input.dtype, target=target, weight=weight)


def probabilities(name: str, **given: Any) -> None:
    """Require numbers from 0 to 1; NaN raises too."""
    for what, value in given.items():
        outside = ~((value >= 0.0) & (value <= 1.0))
        if outside.any():
            place = tuple(np.argwhere(outside.cpu().numpy())[0].tolist())
            got = f"{name}: {what} has {value[place].item()} at {place}"
            way = "use F.binary_cross_entropy_with_logits for scores"
            raise OptionError(f"{got}, expected probabilities from 0 to 1; {way}")


def ids(
    name: str, what: str, given: Any, count: int, ignore: int | None = None
) -> bool:
    """Require ids in [0, count): the message names the first wrong one and its place.

    Returns whether all are in [0, count), so that none of those outside is ``ignore``.
    """
    if not isinstance(given, Tensor) or given.dtype.kind not in "iu":
        tensors(name, **{what: given})
        raise DTypeError(
            f"{name}: {what} is {given.dtype}, expected integer ids; use .long()"
        )
    return in_range(name, what, given, count, ignore)


def in_range(
    name: str, what: str, given: Tensor, count: int, ignore: int | None = None
) -> bool:
    """As :func:`ids`, of integers."""
    xp, array = backend_of(given.array), given.array
    # Below 0 is far above as uint64: one look at each.
    if 0 in array.shape or xp.largest(xp.astype(array, _UINT64)) < count:
        return True
    wide = given.long()
    wrong = (wide < 0) | (wide >= count)
    if ignore is not None:
        wrong = wrong & (wide != ignore)
    if wrong.any():
        place = tuple(np.argwhere(wrong.cpu().numpy())[0].tolist())
        got = f"{what} has {given[place].item()} at {place}"
        raise IdError(f"{name}: {got}, expected ids in [0, {count})")
    return False


def not_one_hot(name: str, input: Tensor, dtype: Any) -> None:
    """Raise if every row of ids (..., V) in [0, V) is one-hot: they may be features
    instead.
    """
    if input.numel() and (input.sum(-1) == 1).all():
        float_ = "double()" if dtype == np.float64 else "float()"
        got = f"input is {described(input)}, whose every row is one-hot"
        way = f"input.{float_} are features, input.argmax(-1) their ids"
        rare = f"if these are ids, pass F.one_hot(input, {input.shape[-1]}).{float_}"
        raise DTypeError(f"{name}: {got}; {way}; {rare}")


def lengths(name: str, given: Any, steps: int, batch: int) -> np.ndarray:
    """The lengths of a batch of sequences as int64; raises unless they are B integers
    from 0 to T.
    """
    try:
        found = np.asarray(given.tolist() if isinstance(given, Tensor) else given)
    except ValueError as error:
        raise ShapeError(f"{name}: lengths is ragged: {error}") from None
    if found.shape != (batch,) or (found.dtype.kind not in "iu" and batch):
        expected = f"{batch} integers, one for each sequence of the batch"
        got = described(given if isinstance(given, Tensor) else found)
        where = "the batch is dim 1 (batch_first=True: dim 0)"
        raise ShapeError(f"{name}: lengths is {got}, expected {expected}; {where}")
    if batch and not (found.min() >= 0 and found.max() <= steps):
        got = f"lengths go from {found.min()} to {found.max()}"
        raise OptionError(f"{name}: {got}, expected 0 to T={steps}")
    return found.astype(np.int64)


def row(name: str, padding_idx: Any, count: int) -> int | None:
    """The row that padding_idx names, counted from the front; raises if there is no
    such row.
    """
    if padding_idx is None:
        return None
    integers(name, -count, padding_idx=padding_idx)
    numbers(name, -count, count - 1, padding_idx=padding_idx)
    return int(padding_idx) % count


def shape(name: str, sizes: Any) -> tuple[int, ...]:
    """One size or several as a shape, of one dim at least."""
    found = tuple(sizes) if isinstance(sizes, tuple | list) and len(sizes) else (sizes,)
    for size in found:
        integers(name, normalized_shape=size)
    return found
