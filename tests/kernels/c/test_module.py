"""What the functions in C check before they read or write a byte.

The calls that the kernels make are recorded. Then one argument at a time is replaced by
a wrong one: the call has to raise, and no array may change.
"""

import itertools
from contextlib import suppress
from copy import deepcopy
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kernels.cases import backward, forward, import_c, make

c = import_c()
_c = c._c
IGNORED = -100  # an integer that is no size
# Arguments from which C takes a size: the steps or rows of x, the ids of W_ih, the
# width of g.
HAVE_ANY_SIZE = {
    ("layer_forward", 7),
    ("layer_forward", 10),
    ("layer_backward", 9),
    ("layer_norm_forward", 0),
    ("linear_forward", 0),
    ("embedding_backward", 1),
}
ERRORS = (TypeError, ValueError, IndexError, OverflowError, BufferError, MemoryError)
# Functions without such checks, or that answer a question about any arrays.
NOT_RECORDED = {
    "use", "instruction_sets", "checksum", "clip", "all_below", "all_contiguous",
}  # fmt: skip
MODULES = [c.recurrent, c.linear, c.loss, c.norm, c.embedding, c.optimizer]


# ---- calls that are right


def record(run):
    """Return the calls of functions in C that ``run`` makes: names and arguments."""
    calls = []

    def recorder(name):
        def call(*args):
            if name not in NOT_RECORDED:
                calls.append((name, args))
            return getattr(_c, name)(*args)

        return call

    spy = SimpleNamespace(**{name: recorder(name) for name in functions()})
    with pytest.MonkeyPatch.context() as patch:
        for module in MODULES:
            patch.setattr(module, "_c", spy)
        run()
    return calls


def functions():
    return [
        name for name, value in vars(_c).items() if callable(value) and name[0] != "_"
    ]


def layer_calls(kind, ids, ends):
    options = dict.fromkeys(("bias", "initial", "reverse", "relu"), True)
    case = make(
        kind, (3, 2, 4, 5), 1, ids=ids, ends=ends, projected=False, cotangents="all",
        **options,
    )  # fmt: skip
    outputs, workspace = forward(c, case)
    backward(c, case, outputs, workspace)


def other_calls():
    rng = np.random.default_rng(0)
    x, weight, target = (
        rng.standard_normal((4, 3)),
        np.ones(3),
        np.array([0, 2, -100, 1]),
    )
    (loss,), work = c.cross_entropy_forward(x, target, weight)
    inputs, needs = (x, target, weight), (True, False, False)
    c.cross_entropy_backward((np.ones(()),), needs, inputs, (loss,), work)
    (loss,), work = c.cross_entropy_forward(x, target, weight, reduction="none")
    args = ((np.ones(4),), needs, inputs, (loss,), work)
    c.cross_entropy_backward(*args, reduction="none")
    settings = {"shape": (3,), "eps": 1e-5}
    outputs, work = c.layer_norm_forward(x, weight, weight, **settings)
    args = ((x,), (True, True, True), (x, weight, weight), outputs, work)
    c.layer_norm_backward(*args, **settings)
    c.embedding_backward(np.array([2, 0, 2, 4]), x, 5)
    (out,), work = c.linear_forward(x, np.ones((2, 3)), np.ones(2))
    inputs = x, np.ones((2, 3)), np.ones(2)
    c.linear_backward((out,), (True, True, True), inputs, None, work)
    lists = [[rng.random(shape) for shape in ((3, 2), (5,))] for _ in range(5)]
    c.squares(lists[0])
    c.scale(lists[0], 1.0)
    options = {"lr": 0.1, "beta1": 0.9, "beta2": 0.99, "eps": 1e-8, "weight_decay": 0.1}
    for decoupled in (True, False):
        c.adam_step(*lists, step=1, decoupled=decoupled, **options)


CALLS = record(other_calls)
for _options in itertools.product(["rnn", "lstm", "gru"], [True, False], [True, False]):
    CALLS += record(lambda options=_options: layer_calls(*options))
every_call = pytest.mark.parametrize(
    "name, args", CALLS, ids=[f"{i}-{name}" for i, (name, _) in enumerate(CALLS)]
)


def test_every_function_is_called():
    assert {name for name, _ in CALLS} | NOT_RECORDED == {*functions()}


# ---- and what is wrong


def misaligned(x):
    memory = np.zeros(x.nbytes + 1, np.uint8)[1:]
    memory[:] = np.frombuffer(x.tobytes(), np.uint8)
    return memory.view(x.dtype).reshape(x.shape)


def not_contiguous(x):
    return np.repeat(x, 2, -1)[..., ::2]


class Exporter:
    """Memory that is not aligned, by an exporter that does not say so."""

    def __new__(cls, x):
        memory = memoryview(bytearray(x.nbytes + 1))[1:]
        return memory.cast("d" if x.dtype.kind == "f" else "q", x.shape)


def wrong_arrays(x):
    """Yield what looks like an array but is another."""
    for dtype in {"f4", "f8", "f2", "c16", "i4", "i8", "u8", "?", "O", "S8", "i8,i8"}:
        if np.dtype(dtype) != x.dtype:
            yield x.astype(dtype) if len(dtype) < 4 else np.zeros(x.shape, dtype)
    yield x.astype(x.dtype.newbyteorder())
    yield misaligned(x)
    yield Exporter(x)
    yield x[None]
    yield x[..., None]
    yield x.reshape(-1)[:1].reshape(())
    for axis in range(x.ndim):
        longer = np.concatenate([x, x.take([0], axis)], axis)
        yield longer
        yield x.take(range(x.shape[axis] - 1), axis)
        yield np.roll(longer, 1, axis)
        if x.shape[axis] > 1:
            yield np.flip(x, axis)
    yield not_contiguous(x)
    if x.ndim > 1 and not x.flags.f_contiguous:
        yield np.asfortranarray(x)
    yield from ("text", b"bytes" * 8, 1, 1.5, [1.0], x.tolist(), object())


def wrong_ids(x):
    for value in (-1, 2**62, -(2**63)):
        for place in np.ndindex(x.shape):
            ids = x.copy()
            ids[place] = value
            if (ids != x).any():
                yield ids


def wrong_lists(arrays):
    for i, x in enumerate(arrays):
        for wrong in wrong_arrays(x):
            # A list may hold arrays of any shape: other checks compare their sizes.
            if not isinstance(wrong, np.ndarray) or not is_sound(wrong):
                yield [*arrays[:i], wrong, *arrays[i + 1 :]]
    yield from (1, "text", iter(arrays), arrays[:-1] + [None])


def wrong_tuples(items):
    for i, item in enumerate(items):
        for wrong in wrong_values(item):
            yield (*items[:i], wrong, *items[i + 1 :])
    yield from (1, "text", None, [*items], (*items, None), items[1:])


def can_be_read(value, arg):
    """Return whether C may take an argument for another one, by a copy of it."""
    if isinstance(arg, list | tuple):
        same = isinstance(value, list | tuple) and len(value) == len(arg)
        return same and all(map(can_be_read, value, arg))
    if not isinstance(arg, np.ndarray) or not isinstance(value, np.ndarray):
        return type(value) is type(arg)
    kinds = "iu" if arg.dtype.kind == "i" else "f"
    if value.dtype.kind not in kinds or value.dtype.itemsize <= 2:
        return False
    # Some calls take any shape of so many elements, or any order of the same ids.
    if value.size != arg.size or kinds == "f":
        return value.size == arg.size
    return sorted(value.astype(arg.dtype).flat) == sorted(arg.flat)


def is_sound(x):
    is_float = x.dtype.type in (np.float32, np.float64) and x.dtype.isnative
    return is_float and x.flags.c_contiguous and x.flags.aligned


def wrong_numbers(x):
    if isinstance(x, int):
        yield from (-1, 2**62, 2**63, -(2**63), 10**30, 1.5)
    yield from ("text", None, np.ones(3), object())


def wrong_values(x):
    """Yield values in place of an argument that have to raise."""
    if isinstance(x, np.ndarray):
        for wrong in wrong_arrays(x):  # of one element, some layouts are the usual one
            is_array = isinstance(wrong, np.ndarray) and is_sound(wrong)
            if not is_array or (wrong.dtype, wrong.shape) != (x.dtype, x.shape):
                yield wrong
        yield from wrong_ids(x) if x.dtype.kind == "i" else ()
    elif isinstance(x, list):
        yield from wrong_lists(x)
    elif isinstance(x, tuple):
        yield from wrong_tuples(x)
    elif not isinstance(x, bool | type(None)) and x != IGNORED:
        yield from wrong_numbers(x)


def arrays_in(args):
    for arg in args:
        if isinstance(arg, np.ndarray):
            yield arg
        elif isinstance(arg, list | tuple):
            yield from arrays_in(arg)


def contents(args):
    return [x.tobytes() for x in arrays_in(args)]


def replaced(args, i, value):
    return (*args[:i], value, *args[i + 1 :])


@every_call
def test_a_wrong_argument_raises_and_nothing_changes(name, args):
    function = getattr(_c, name)
    before, tried = contents(args), 0
    for i, arg in enumerate(args):
        for value in wrong_values(arg):
            try:
                function(*replaced(args, i, value))
            except ERRORS:
                tried += 1
            else:
                fits = can_be_read(value, arg) or (name, i) in HAVE_ANY_SIZE
                assert fits, f"{name}: argument {i} is {value!r}"
            assert contents(args) == before, (i, value)
    assert tried
    for count in (0, len(args) - 1, len(args) + 1):
        with pytest.raises(TypeError):
            function(*[*args, 1][:count])


@every_call
def test_what_is_read_only_is_not_written(name, args):
    """Nor is anything else, if the call raises."""
    for i, arg in enumerate(args):
        for x in arrays_in([arg]):
            before = contents(args)
            x.flags.writeable = False
            try:
                getattr(_c, name)(*args)
                assert (
                    x.tobytes() == before[[a is x for a in arrays_in(args)].index(True)]
                )
            except (ValueError, BufferError):
                assert contents(args) == before
            finally:
                x.flags.writeable = True
        if not isinstance(arg, np.ndarray | list):
            continue
        before = contents(args)
        try:  # an argument that may be missing, as far as C is concerned
            getattr(_c, name)(*replaced(args, i, None))
        except (TypeError, ValueError, BufferError):
            assert contents(args) == before


GARBAGE = st.sampled_from(
    [arg for _, args in CALLS for arg in args]
    + [None, -1, 0, 1, 2, 2**40, 2**63 - 1, 1e300, np.nan, "", (), [], [None]]
)


@given(data=st.data())
def test_no_arguments_do_harm(data):
    """Whatever is passed, C returns or raises; a sanitizer sees what else it does."""
    name, args = data.draw(st.sampled_from(CALLS))
    places = data.draw(st.sets(st.integers(0, len(args) - 1), min_size=1, max_size=4))
    for i in places:
        args = replaced(args, i, data.draw(GARBAGE))
    with suppress(*ERRORS):
        getattr(_c, name)(*deepcopy(args))


# ---- the ends of ranges, and memory that runs out


@pytest.mark.parametrize("what", ["ids", "lengths", "target", "rows"])
def test_the_first_number_out_of_range_raises(what):
    rng, x = np.random.default_rng(0), np.array([[0, 3], [3, 1]])
    weights = [rng.random((2, 4)), rng.random((2, 2)), None, None]
    run = {
        "ids": lambda k: c.rnn_forward(x + k, None, *weights),
        "lengths": lambda k: c.rnn_forward(
            x, None, *weights, lengths=np.array([2 + k, 0])
        ),
        "target": lambda k: c.cross_entropy_forward(np.ones((2, 4)), x[:, 0] + k),
        "rows": lambda k: c.embedding_backward(x + k, np.ones((2, 2, 3)), 4),
    }[what]
    run(0)
    with pytest.raises(IndexError, match=r"got \d, expected 0 to \d"):
        run(1)


def test_the_rows_of_a_call_are_within_the_batch():
    name, args = next(call for call in CALLS if call[0] == "layer_forward")
    assert args[3:5] == (0, 2)
    for rows in ((0, 3), (2, 1), (3, 3)):
        with pytest.raises(ValueError):
            getattr(_c, name)(*args[:3], *rows, *args[5:])


def test_sizes_whose_product_overflows_raise():
    """Arrays without elements, or without strides, have any sizes."""
    x, w_ih, huge = np.ones((1, 1, 3)), np.ones((8, 3)), np.ones((0, 2**62), np.int8)
    for gates in (1, 3, 4):
        inputs = (x, None, None, w_ih, huge, None, None)
        with pytest.raises(MemoryError):
            _c.layer_forward(gates, 0, 0, 0, 1, False, None, *inputs, None)
    ids = np.broadcast_to(np.zeros((), np.int64), 2**40)
    with pytest.raises(MemoryError):
        _c.embedding_backward(ids, np.ones((0, 2**40)), 5)
    with pytest.raises((MemoryError, ValueError)):
        _c.embedding_backward(ids[:0], np.ones((0, 8)), 2**62)


def test_memory_that_runs_out_raises_memory_error():
    """The table of so many ids takes more memory than a process can address."""
    many = 1 << 44
    ids, weights = np.zeros((1, 1), np.int64), (np.ones((0, many)), np.ones((0, 0)))
    with pytest.raises(MemoryError):
        c.rnn_forward(ids, None, *weights, None, None)


def test_instruction_sets():
    used = _c.use("")
    try:
        assert _c.use("base") == "base"
        for wrong in ("", "neon64", "AVX2", "base "):
            if wrong:
                with pytest.raises(ValueError, match="has no instruction set"):
                    _c.use(wrong)
        for wrong in (None, 1, b"base"):
            with pytest.raises(TypeError):
                _c.use(wrong)
    finally:
        assert _c.use(used) == used


@pytest.mark.parametrize("kind", ["rnn", "lstm", "gru"])
def test_ids_have_no_gradient(kind):
    """Even if one is asked for: it would have the shape of features."""
    case = make(
        kind,
        (3, 2, 50, 5),
        1,
        cotangents="all",
        ids=True,
        **dict.fromkeys(("bias", "initial", "ends", "reverse", "relu"), True),
        projected=False,
    )
    case.needs = (True, *case.needs[1:])
    outputs, workspace = forward(c, case)
    name, args = record(lambda: backward(c, case, outputs, workspace))[-1]
    assert name == "layer_backward"
    assert getattr(_c, name)(*args)[0] is None
