"""The checks of layers and losses, which know Tensors and the options of PyTorch."""

import sys
from collections.abc import Callable, Iterable, Sequence
from functools import partial

import numpy as np

from ..backend import backend_of, backends
from ..backend.pending import Check
from ..backend.ranges import known_range
from ..engine import seam
from ..engine.node import wrap
from ..kernels import find as find_kernel
from ..tensor import Tensor
from ..types import Array, DType, Function, Operand, Shape
from .checks import check_choice, check_integers, check_numbers, check_type, describe
from .kinds import DTypeError, IdError, OptionError, ShapeError

KL_REDUCTIONS = ("mean", "batchmean", "sum", "none")
_UINT64 = np.dtype("uint64")


# ---------------------------------------------------------------- options


def check_not_in_place(name: str, inplace: object) -> None:
    """Raise if ``inplace`` is set: every function here returns a new tensor."""
    if inplace is not False:
        got = f"{name}: inplace is {inplace!r}, expected False"
        raise OptionError(f"{got}; leave it out and take the result: x = layer(x)")


_check_flag = partial(check_choice, choices=(True, False))
_check_any_integer = partial(check_integers, low=-sys.maxsize)
_check_not_negative = partial(check_numbers, low=0)
_check_fraction = partial(check_numbers, low=0, high=1)

# The rule of an option, whichever layer or loss has it.
_RULES: dict[str, Callable[..., None]] = {
    "alpha": check_numbers,
    "approximate": partial(check_choice, choices=("none", "tanh")),
    "batch_first": _check_flag,
    "beta": _check_not_negative,
    "bias": _check_flag,
    "bidirectional": _check_flag,
    "delta": partial(check_numbers, low=sys.float_info.min),
    "dim": _check_any_integer,
    "dropout": _check_fraction,
    "elementwise_affine": _check_flag,
    "embedding_dim": check_integers,
    "end_dim": _check_any_integer,
    "enforce_sorted": _check_flag,
    "eps": _check_not_negative,
    "freeze": _check_flag,
    "hidden_size": check_integers,
    "ignore_index": _check_any_integer,
    "in_features": check_integers,
    "inplace": check_not_in_place,
    "input_size": check_integers,
    "label_smoothing": _check_fraction,
    "log_target": _check_flag,
    "negative_slope": check_numbers,
    "nonlinearity": partial(check_choice, choices=("tanh", "relu")),
    "num_embeddings": check_integers,
    "num_layers": check_integers,
    "out_features": check_integers,
    "p": _check_fraction,
    "prepend": _check_flag,
    "recurse": _check_flag,
    "reduction": partial(check_choice, choices=("mean", "sum", "none")),
    "remove_duplicate": _check_flag,
    "set_to_none": _check_flag,
    "start_dim": _check_any_integer,
    "with_kwargs": _check_flag,
}


def check_options(name: str, **options: object) -> None:
    """Raise if an option breaks its rule; options without a rule pass."""
    for option, value in options.items():
        if option in _RULES:
            _RULES[option](name, **{option: value})


def check_padding_idx(name: str, padding_idx: int | None, rows: int) -> int | None:
    """Return the row that padding_idx names, counted from the front."""
    if padding_idx is None:
        return None
    check_integers(name, -rows, padding_idx=padding_idx)
    check_numbers(name, -rows, rows - 1, padding_idx=padding_idx)
    return int(padding_idx) % rows


def check_normalized_shape(name: str, sizes: int | Sequence[int]) -> Shape:
    """Return one size or several as a shape of at least one dim."""
    shape = tuple(sizes) if isinstance(sizes, tuple | list) and sizes else (sizes,)
    for size in shape:
        check_integers(name, normalized_shape=size)
    return shape


# ---------------------------------------------------------------- tensors


def check_tensors(name: str, **values: object) -> None:
    """Require Tensors. Common mistakes: an array, a layer's (output, state) tuple."""
    for what, value in values.items():
        if isinstance(value, Tensor):
            continue
        if hasattr(value, "batch_sizes"):
            way = (
                "map the data of a packed sequence: "
                "packed._replace(data=layer(packed.data))"
            )
        elif isinstance(value, tuple):
            way = "recurrent layers return (output, state); pass the output on"
        else:
            way = f"tg.as_tensor({what}) makes one"
        check_type(name, Tensor, f"a Tensor; {way}", **{what: value})


def check_tensor_list(name: str, tensors: Iterable[Tensor]) -> list[Tensor]:
    """Return one Tensor or several as a list; raise for an exhausted iterator."""
    check_type(name, Iterable, "tensors: pass model.parameters()", tensors=tensors)
    found = [tensors] if isinstance(tensors, Tensor) else list(tensors)
    for i, tensor in enumerate(found):
        if not isinstance(tensor, Tensor):
            is_data = isinstance(tensor, list) or hasattr(tensor, "dtype")
            way = "; use tg.as_tensor()" if is_data else ""
            check_type(name, Tensor, f"a Tensor{way}", **{f"number {i}": tensor})
    if not found and hasattr(tensors, "__next__"):
        got = "got an exhausted iterator"
        raise OptionError(
            f"{name}: {got}; make a list, or call model.parameters() again"
        )
    return found


def _cast_to(dtype: DType) -> str:
    """Return the call of the method that converts to a dtype of floats."""
    return "double()" if dtype == np.float64 else "float()"


def check_float_input(name: str, input: Operand, weight: Tensor | None = None) -> None:
    """Require a Tensor of floats; given a weight, of the same dtype."""
    if not isinstance(input, Tensor):
        check_tensors(name, input=input)
    if weight is None:
        if input.dtype.kind == "f":
            return
        expected, cast = "floats", "float()"
    else:
        if not isinstance(weight, Tensor):
            check_tensors(name, weight=weight)
        if input.dtype == weight.dtype:
            return
        expected = f"{weight.dtype}, the dtype of the weights"
        cast = _cast_to(weight.dtype)
    got = f"input is {input.dtype}, expected {expected}"
    raise DTypeError(f"{name}: {got}; use input.{cast}")


def check_features(
    name: str, input: Tensor, what: str, size: int, way: str = ""
) -> None:
    """Require ``size`` features, which the layer calls ``what``.

    ``way`` is the way out, which ends the message.
    """
    if input.shape[-1:] != (size,):
        count = input.shape[-1] if input.ndim else "no"
        got = f"input has {count} features in its last dimension"
        expected = f"{what}={size} (input shape {input.shape})"
        raise ShapeError(f"{name}: {got}, expected {expected}{way}")


def check_shape_and_dtype(
    name: str, why: str, shape: Shape, dtype: DType, **values: Operand
) -> None:
    """Require None, or tensors of this shape and dtype; ``why`` ends the message."""
    for what, value in values.items():
        if value is None:
            continue
        if not isinstance(value, Tensor):  # the test spares a call at every time step
            check_tensors(name, **{what: value})
        _check_dtype(name, what, value, dtype)
        if value.shape != shape:
            got = f"{what} has shape {value.shape}"
            raise ShapeError(f"{name}: {got}, expected {shape}{why}")


def _check_dtype(name: str, what: str, value: Tensor, dtype: DType) -> None:
    if value.dtype != dtype:
        got = f"{what} is {describe(value)}, expected {dtype}"
        raise DTypeError(f"{name}: {got}; use {what}.{_cast_to(dtype)}")


def check_broadcasts_to_input(name: str, input: Tensor, **values: Operand) -> None:
    """Require None, or tensors of the input's dtype that broadcast to its shape."""
    for what, value in values.items():
        if value is None:
            continue
        check_tensors(name, **{what: value})
        _check_dtype(name, what, value, input.dtype)
        pairs = zip(reversed(value.shape), reversed(input.shape), strict=False)
        fits = all(size in (1, whole) for size, whole in pairs)
        if value.ndim > input.ndim or not fits:
            got = f"{what} has shape {value.shape}"
            raise ShapeError(
                f"{name}: {got}, which does not broadcast to {input.shape}"
            )


def check_loss_arguments(
    name: str,
    input: Operand,
    target: Operand,
    weight: Operand = None,
    **options: object,
) -> None:
    """Require two float tensors, and a weight if there is one, of the same shape."""
    check_options(name, **options)
    check_float_input(name, input)
    check_tensors(name, target=target)
    why = (
        " as the input has: reshape one of them, as broadcasting would average "
        "over pairs"
    )
    given = {"target": target, "weight": weight}
    check_shape_and_dtype(name, why, input.shape, input.dtype, **given)


def _first_place(mask: Tensor) -> Shape:
    """Return the index of the first true element."""
    return tuple(np.argwhere(mask.cpu().numpy())[0].tolist())


def check_probabilities(name: str, **values: Tensor) -> None:
    """Require numbers from 0 to 1; NaN raises too."""
    for what, value in values.items():
        seam.use(name, value)
        seam.act(_check_odds, name, what, value.array)


def _check_odds(name: str, what: str, array: Array) -> None:
    value = wrap(array)
    outside = ~((value >= 0.0) & (value <= 1.0))
    if outside.any():
        place = _first_place(outside)
        got = f"{name}: {what} has {value[place].item()} at {place}"
        way = "use F.binary_cross_entropy_with_logits for scores"
        raise OptionError(f"{got}, expected probabilities from 0 to 1; {way}")


# ---------------------------------------------------------------- ids and lengths


def check_ids(name: str, what: str, ids: Operand, count: int) -> None:
    """Require integer ids in [0, count); name the first wrong one and its place."""
    if not isinstance(ids, Tensor) or ids.dtype.kind not in "iu":
        check_tensors(name, **{what: ids})
        got = f"{what} is {ids.dtype}, expected integer ids"
        raise DTypeError(f"{name}: {got}; use .long()")
    check_ids_in_range(name, what, ids, count)


def check_ids_in_range(name: str, what: str, ids: Tensor, count: int) -> None:
    """Do as :func:`check_ids`, for a tensor that is known to hold integers."""
    seam.use(name, ids)
    seam.act(check_range, name, what, ids.array, count)


def check_range(
    name: str,
    what: str,
    array: Array,
    count: int,
    ignore: int | None = None,
    weight: Array | None = None,
    explain_none: Function | None = None,
) -> bool | None:
    """Require integers in [0, count), or equal to ``ignore``.

    Returns:
        Whether all are in [0, count), so that none is an ``ignore`` outside of it. None
        if the device finds that out, as :func:`check_on_device` says.
    """
    xp = backend_of(array)
    all_below = find_kernel(xp.kind, "all_below")
    if all_below is not None and all_below(array, count):
        return True
    if check_on_device(name, what, array, count, ignore, weight, explain_none):
        return None
    # A negative id is a large uint64, so the largest one tells of both ends.
    if 0 in array.shape or xp.largest(xp.astype(array, _UINT64)) < count:
        return True
    ids = wrap(array)
    wide = ids.long()
    wrong = (wide < 0) | (wide >= count)
    if ignore is not None:
        wrong = wrong & (wide != ignore)
    if wrong.any():
        place = _first_place(wrong)
        raise _id_error(name, what, ids[place].item(), place, count)
    return False


def _id_error(name: str, what: str, id: int, place: Shape, count: int) -> IdError:
    got = f"{what} has {id} at {place}"
    return IdError(f"{name}: {got}, expected ids in [0, {count})")


def _late_id_error(
    place: int, id: int, name: str, what: str, shape: Shape, count: int
) -> IdError:
    """Return the error of an id that the device has found, by its place in order."""
    indices = tuple([int(i) for i in np.unravel_index(place, shape)])
    return _id_error(name, what, id, indices, count)


def check_on_device(
    name: str,
    what: str,
    array: Array,
    count: int,
    ignore: int | None = None,
    weight: Array | None = None,
    explain_none: Function | None = None,
) -> bool:
    """Let the device check a range, and report at the next wait for it.

    With ``explain_none``, it also reports if all ids are ignored or have a weight of 0.

    Returns:
        Whether it does: only one with such a kernel does.
    """
    if type(array) is np.ndarray:
        return False
    check = find_kernel(backend_of(array).kind, "check_ids")
    if check is None:
        return False
    if_wrong = Check(_late_id_error, (name, what, array.shape, count))
    if_none = explain_none and Check(explain_none, (name, ignore, array.shape))
    others = {"ignore": ignore, "weight": weight, "if_none": if_none}
    looks: bool = backend_of(array).on_device(check)(array, count, if_wrong, **others)
    return looks


def check_not_one_hot(name: str, input: Tensor, dtype: DType) -> None:
    """Raise if every row of ids (..., V) is one-hot: they may be meant as features."""
    seam.use(name, input)
    seam.act(_check_not_one_hot, name, input.array, dtype)


def _check_not_one_hot(name: str, array: Array, dtype: DType) -> None:
    if (known_range(array) or (0, 1))[1] > 1:
        return
    input = wrap(array)
    if input.numel() and (input.sum(-1) == 1).all():
        cast = _cast_to(dtype)
        got = f"input is {describe(input)}, whose every row is one-hot"
        way = f"input.{cast} are features, input.argmax(-1) their ids"
        rare = f"if these are ids, pass F.one_hot(input, {input.shape[-1]}).{cast}"
        raise DTypeError(f"{name}: {got}; {way}; {rare}")


def check_lengths(name: str, lengths: Operand, steps: int, batch: int) -> np.ndarray:
    """Return the lengths of a batch of sequences as int64: B integers from 0 to T."""
    if isinstance(lengths, Tensor):
        seam.use(name, lengths)
        to_host = backend_of(lengths.array).to_host
        lengths = seam.run(to_host, lengths.array)
    if type(lengths) in backends:
        return seam.act(_check_lengths, name, lengths, steps, batch)
    return seam.constant(_check_lengths(name, lengths, steps, batch))


def _check_lengths(name: str, lengths: Operand, steps: int, batch: int) -> np.ndarray:
    try:
        found = np.asarray(lengths)
    except ValueError as error:
        raise ShapeError(f"{name}: lengths is ragged: {error}") from None
    expected = f"{batch} integers, one for each sequence of the batch"
    if batch and found.dtype.kind not in "iu":
        got = f"of {found.dtype}" if found.ndim else describe(lengths)
        way = "a list of Python's integers, or .long() of a Tensor"
        raise DTypeError(f"{name}: lengths is {got}, expected {expected}: {way}")
    if found.shape != (batch,):
        got = describe(found)
        where = "the batch is dim 1 (batch_first=True: dim 0)"
        raise ShapeError(f"{name}: lengths is {got}, expected {expected}; {where}")
    if batch and not (found.min() >= 0 and found.max() <= steps):
        got = f"lengths go from {found.min()} to {found.max()}"
        raise OptionError(f"{name}: {got}, expected 0 to T={steps}")
    return found.astype(np.int64)
