"""Random graphs with views, aliases and in-place changes, against a naive engine that
cannot be wrong.

The naive engine carries, beside every value, its derivative with respect to all leaves,
in memory that is shared exactly as the values' memory is: a view of a value has a view
of its derivative, an in-place change overwrites both, and what is detached shares the
value alone, as ``x.data`` does. Assigning ``x.data`` replaces the memory of the value,
and leaves the derivative. What the real engine says must be that derivative, or it must
say that it cannot tell.
"""

import numpy as np
import pytest
from hypothesis import event, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.errors import GraphError

LEAVES = ((2, 3), (3,), ())
TOTAL = sum(int(np.prod(shape)) for shape in LEAVES)


class Dual:
    """A value, and its derivative in one more dim."""

    def __init__(self, value, slope):
        self.value, self.slope = np.asarray(value), np.asarray(slope)

    def overwrite(self, other, recorded):
        self.value[...] = other.value
        if recorded:
            self.slope[...] = other.slope

    def fresh(self, recorded, tensor=None):
        """A result of its own memory, laid out as the tensor's; a constant if nothing
        is recorded.
        """
        strides = (0,) * self.value.ndim if tensor is None else tensor.numpy().strides
        order = sorted(range(self.value.ndim), key=lambda axis: -strides[axis])
        back = sorted(range(len(order)), key=order.__getitem__)
        value = self.value.transpose(order).copy().transpose(back)
        slope = self.slope.transpose(*order, -1).copy().transpose(*back, -1)
        return Dual(value, slope * recorded)

    def wide(self, shape):
        """Broadcast, the derivative too."""
        slope = self.slope.reshape(
            (1,) * (len(shape) - self.value.ndim) + self.slope.shape
        )
        return Dual(
            np.broadcast_to(self.value, shape), np.broadcast_to(slope, (*shape, TOTAL))
        )


def broadcast(one, other):
    """The shape that two shapes broadcast to, None if they do not."""
    try:
        return np.broadcast_shapes(one, other)
    except ValueError:
        return None


def fits(shape, target):
    return broadcast(shape, target) == target


def pointwise(value, derivative):
    return lambda x: Dual(value(x.value), derivative(x.value)[..., None] * x.slope)


def binary(value, first, second):
    def apply(x, y):
        shape = np.broadcast_shapes(x.value.shape, y.value.shape)
        x, y = x.wide(shape), y.wide(shape)
        slope = (
            first(x.value, y.value)[..., None] * x.slope
            + second(x.value, y.value)[..., None] * y.slope
        )
        return Dual(value(x.value, y.value), slope)

    return apply


def viewed(of_value, axes_of_slope=None):
    """A way to look at memory; ``of_value`` must hold for an array with more dims
    behind.
    """
    return lambda x: Dual(of_value(x.value), (axes_of_slope or of_value)(x.slope))


one = np.ones_like
UNARY = {
    "tanh": (lambda x: x.tanh(), pointwise(np.tanh, lambda x: 1 - np.tanh(x) ** 2)),
    "sin": (lambda x: x.sin(), pointwise(np.sin, np.cos)),
    "square": (
        lambda x: x.square() * 0.25,
        pointwise(lambda x: x * x / 4, lambda x: x / 2),
    ),
    "sigmoid": (
        lambda x: x.sigmoid(),
        pointwise(
            lambda x: 1 / (1 + np.exp(-x)), lambda x: 1 / (2 + np.exp(x) + np.exp(-x))
        ),
    ),
    "scaled": (lambda x: 0.5 * x, pointwise(lambda x: x / 2, lambda x: one(x) / 2)),
    "clone": (lambda x: x.clone(), pointwise(lambda x: x + 0, one)),
    "sum": (
        lambda x: x.sum(0) if x.ndim else x.sum(),
        lambda x: Dual(x.value.sum(0), x.slope.sum(0)) if x.value.ndim else x,
    ),
    "flip": (
        lambda x: x.flip(0) if x.ndim else x.clone(),
        lambda x: (
            Dual(x.value[::-1].copy(), x.slope[::-1].copy()) if x.value.ndim else x
        ),
    ),
    "softmax": (
        lambda x: x.reshape(-1).softmax(0),
        lambda x: _softmax(x.value.reshape(-1), x.slope.reshape(-1, TOTAL)),
    ),
}


def _softmax(value, slope):
    p = np.exp(value) / np.exp(value).sum()
    return Dual(p, p[:, None] * (slope - p @ slope))


BINARY = {
    "add": (
        lambda x, y: x + y,
        binary(np.add, lambda x, y: one(x), lambda x, y: one(y)),
    ),
    "sub": (
        lambda x, y: x - y,
        binary(np.subtract, lambda x, y: one(x), lambda x, y: -one(y)),
    ),
    "mul": (lambda x, y: x * y, binary(np.multiply, lambda x, y: y, lambda x, y: x)),
    "where": (
        lambda x, y: tg.where(x > y, x, 0.5 * y),
        binary(
            lambda x, y: np.where(x > y, x, y / 2),
            lambda x, y: one(x) * (x > y),
            lambda x, y: one(y) * (x <= y) / 2,
        ),
    ),
}

VIEWS = {
    "reshape": viewed(lambda a: a.reshape(-1), lambda a: a.reshape(-1, TOTAL)),
    "T": viewed(
        lambda a: a.T, lambda a: a.transpose(*range(a.ndim - 2, -1, -1), a.ndim - 1)
    ),
    "first": viewed(lambda a: a[0, ...]),
    "from 1": viewed(lambda a: a[1:]),
    "every other": viewed(lambda a: a[::2]),
    "unsqueeze": viewed(lambda a: a[None]),
}
VIEWS_OF_TENSORS = {
    "reshape": lambda x: x.reshape(-1),
    "T": lambda x: x.T,
    "first": lambda x: x[0],
    "from 1": lambda x: x[1:],
    "every other": lambda x: x[::2],
    "unsqueeze": lambda x: x.unsqueeze(0),
}

IN_PLACE = {
    "add_": (lambda x, y: x.add_(y), BINARY["add"][1]),
    "sub_": (lambda x, y: x.sub_(y), BINARY["sub"][1]),
    "mul_": (lambda x, y: x.mul_(y), BINARY["mul"][1]),
    "copy_": (lambda x, y: x.copy_(y), lambda x, y: y.wide(x.value.shape)),
    "zero_": (lambda x, y: x.zero_(), lambda x, y: Dual(0 * x.value, 0 * x.slope)),
    "clamp_": (
        lambda x, y: x.clamp_(-0.7, 0.7),
        lambda x, y: pointwise(
            lambda a: a.clip(-0.7, 0.7), lambda a: 1.0 * (abs(a) <= 0.7)
        )(x),
    ),
}
AUGMENTED = {
    "+=": (tg.Tensor.__iadd__, BINARY["add"][1]),
    "-=": (tg.Tensor.__isub__, BINARY["sub"][1]),
    "*=": (tg.Tensor.__imul__, BINARY["mul"][1]),
}
INDICES = {
    "0": 0,
    "-1": -1,
    ":1": slice(None, 1),
    "1:": slice(1, None),
    "...": ...,
    "::-1": slice(None, None, -1),
    "[0, 0]": np.array([0, 0]),
    "mask": "mask",
}

USES = ["square", "tanh", "sin", "softmax", "clone"]
DATA = [*IN_PLACE, *AUGMENTED, "item"]
DATA += 3 * ["assign", "assign an array", "assign its own view"]  # as often as changes

STEPS = ["mul_", "assign", "mul_", "assign its own view", *DATA]


def change_data(x, how, change):
    """``change`` applied to ``x.data``; by an operator, as in ``x.data += y``, assigned
    too.
    """
    changed = change(x.data)
    if how in AUGMENTED:
        x.data = changed
    return True


pick = st.integers(0, 40)  # from the oldest; the newest for all that are too large
# a leaf or a constant as often as not
early = st.one_of(st.integers(0, len(LEAVES)), pick)
recording = st.sampled_from((True, True, True, False))


class Machine(RuleBasedStateMachine):
    """The tensors so far, each with its dual."""

    exact = refused = 0

    @initialize(seed=st.integers(0, 2**32 - 1))
    def leaves(self, seed):
        self.rng = np.random.default_rng(seed)
        self.pairs, start = [], 0
        for shape in LEAVES:
            value = self.rng.uniform(-1.5, 1.5, shape)
            slope = np.zeros((*shape, TOTAL))
            slope.reshape(-1, TOTAL)[
                range(value.size), range(start, start + value.size)
            ] = 1
            start += value.size
            self.pairs.append(
                (tg.tensor(value, requires_grad=True), Dual(np.array(value), slope))
            )
        self.wrt = [tensor for tensor, _ in self.pairs]
        constant = self.rng.uniform(-1.5, 1.5, (2, 3))
        dual = Dual(constant.copy(), np.zeros((2, 3, TOTAL)))
        self.pairs.append((tg.tensor(constant), dual))

    def pair(self, number):
        return self.pairs[min(number, len(self.pairs) - 1)]

    def attempt(self, record, change):
        """Run it; None if the engine says that it cannot."""
        try:
            with tg.set_grad_enabled(record):
                return change()
        except GraphError as error:
            event(f"refused: {str(error).split(',')[0].split(':')[-1].strip()[:40]}")
            return None

    def keep(self, tensor, dual):
        if dual.value.size and np.abs(dual.value).max() < 50:
            self.pairs.append((tensor, dual))

    # ------------------------------------------------------------ new tensors

    @rule(name=st.sampled_from(sorted(UNARY)), i=pick, record=recording)
    def unary(self, name, i, record):
        (x, dx), (op, reference) = self.pair(i), UNARY[name]
        if (out := self.attempt(record, lambda: op(x))) is not None:
            self.keep(out, reference(dx).fresh(record, out))

    @rule(name=st.sampled_from(sorted(BINARY)), i=pick, j=pick, record=recording)
    def binary(self, name, i, j, record):
        (x, dx), (y, dy), (op, reference) = self.pair(i), self.pair(j), BINARY[name]
        if broadcast(x.shape, y.shape) is None:
            return
        if (out := self.attempt(record, lambda: op(x, y))) is not None:
            self.keep(out, reference(dx, dy).fresh(record, out))

    @rule(i=pick, j=pick, record=recording)
    def linear(self, i, j, record):
        """A fused op: its backward reads all of its arguments."""
        (x, dx), (w, dw) = self.pair(i), self.pair(j)
        if w.ndim != 2 or not x.ndim or x.shape[-1] != w.shape[-1]:
            return
        out = self.attempt(record, lambda: nn.functional.linear(x, w).tanh())
        if out is not None:
            value = dx.value @ dw.value.T
            slope = np.einsum("...ip,oi->...op", dx.slope, dw.value)
            slope = slope + np.einsum("...i,oip->...op", dx.value, dw.slope)
            tanh = UNARY["tanh"][1]
            self.keep(out, tanh(Dual(value, slope)).fresh(record, out))

    @rule(name=st.sampled_from(sorted(VIEWS)), i=pick, record=recording)
    def view(self, name, i, record):
        x, dx = self.pair(i)
        if not x.ndim or not x.shape[0]:
            return
        out = self.attempt(record, lambda: VIEWS_OF_TENSORS[name](x))
        if out is None:
            return
        dual = VIEWS[name](dx)
        shared = np.shares_memory(dual.value, dx.value)
        assert shared == np.shares_memory(out.numpy(), x.numpy())
        if not shared:
            dual = dual.fresh(record, out)
        elif not record and x.requires_grad:  # as detached: the value alone is shared
            dual = Dual(dual.value, np.zeros_like(dual.slope))
        self.keep(out, dual)

    @rule(i=pick, data=st.booleans(), record=recording)
    def detach(self, i, data, record):
        x, dx = self.pair(i)
        out = self.attempt(record, lambda: x.data if data else x.detach())
        self.keep(out, Dual(dx.value, np.zeros_like(dx.slope)))

    @rule(i=pick, record=recording)
    def gather(self, i, record):
        """By an index that changes right afterwards."""
        x, dx = self.pair(i)
        if not x.ndim or not x.shape[0]:
            return
        ids = tg.tensor([0, x.shape[0] - 1, 0])
        if (out := self.attempt(record, lambda: x[ids])) is not None:
            self.keep(
                out,
                Dual(dx.value[ids.numpy()], dx.slope[ids.numpy()]).fresh(record, out),
            )
        ids.zero_()

    @rule(i=pick, j=pick, record=recording)
    def cat(self, i, j, record):
        (x, dx), (y, dy) = self.pair(i), self.pair(j)
        if not x.ndim or x.shape[1:] != y.shape[1:] or not y.ndim:
            return
        if (out := self.attempt(record, lambda: tg.cat([x, y]))) is not None:
            value = np.concatenate([dx.value, dy.value])
            self.keep(
                out,
                Dual(value, np.concatenate([dx.slope, dy.slope])).fresh(record, out),
            )

    # ------------------------------------------------------------ changes in place

    @rule(name=st.sampled_from(sorted(IN_PLACE)), i=pick, j=pick, record=recording)
    def method(self, name, i, j, record):
        self.change(name, self.pair(i), self.pair(j), record)

    def change(self, name, pair, other, record):
        (x, dx), (y, dy), (op, reference) = pair, other, IN_PLACE[name]
        if not fits(y.shape, x.shape):
            return
        result = reference(dx, dy)
        result = Dual(result.value.copy(), result.slope.copy())
        if self.attempt(record, lambda: op(x, y)) is not None:
            dx.overwrite(result, record)

    @rule(
        name=st.sampled_from(sorted(INDICES)),
        i=pick,
        j=pick,
        number=st.booleans(),
        record=recording,
    )
    def assign(self, name, i, j, number, record):
        (x, dx), (y, dy) = self.pair(i), self.pair(j)
        index = INDICES[name]
        if not x.ndim or not x.shape[0]:
            return
        if name == "mask":
            index = np.arange(x.shape[0]) % 2 == 0
        if number:
            y, dy = 0.25, Dual(0.25, np.zeros(TOTAL))
        shape = dx.value[index].shape
        if not fits(dy.value.shape, shape):
            return
        value = dy.wide(shape)
        value = Dual(value.value.copy(), value.slope.copy())

        def change():
            x[tg.tensor(index) if isinstance(index, np.ndarray) else index] = y
            return True

        if self.attempt(record, change) is not None:
            dx.value[index] = value.value
            if record:
                dx.slope[index] = value.slope

    @rule(name=st.sampled_from(sorted(AUGMENTED)), i=pick, j=pick, record=recording)
    def augment(self, name, i, j, record):
        (x, dx), (y, dy), (op, reference) = self.pair(i), self.pair(j), AUGMENTED[name]
        if not fits(y.shape, x.shape):
            return
        result = reference(dx, dy).fresh(True)
        out = self.attempt(record, lambda: op(x, y))
        if out is not None:  # also a view, and with it what it was taken from
            assert out is x
            dx.overwrite(result, record)

    @rule(name=st.sampled_from(sorted(AUGMENTED)), i=pick, j=pick, record=recording)
    def augment_item(self, name, i, j, record):
        (x, dx), (y, dy) = self.pair(i), self.pair(j)
        if not x.ndim or not x.shape[0] or y.ndim:
            return
        reference = AUGMENTED[name][1]
        result = reference(Dual(dx.value[0], dx.slope[0]), dy).fresh(True)

        def change():
            if name == "+=":
                x[0] += y
            elif name == "-=":
                x[0] -= y
            else:
                x[0] *= y
            return True

        if self.attempt(record, change) is not None:
            Dual(dx.value[0:1], dx.slope[0:1]).overwrite(
                Dual(result.value[None], result.slope[None]), record
            )

    # ------------------------------------------------ through .data, outside the graph

    @rule(how=st.sampled_from(DATA), i=pick, j=pick, record=recording)
    def change_data(self, how, i, j, record):
        self.through_data(how, self.pair(i), self.pair(j), record)

    @rule(
        use=st.sampled_from(USES),
        how=st.sampled_from(DATA),
        i=early,
        j=pick,
        create=st.booleans(),
    )
    def change_data_before_the_backward(self, use, how, i, j, create):
        """What saved a value, its ``.data`` changed, and straight back: where a count
        would lack.
        """
        pair = self.pair(i)
        if (used := self.used(use, pair)) is not None:
            self.through_data(how, pair, self.pair(j), False)
            self.check(*used, create)

    @rule(use=st.sampled_from(USES), i=early, j=pick, create=st.booleans())
    def change_what_was_assigned(self, use, i, j, create):
        """The memory is shared from then on: what saved the one watches changes of the
        other.
        """
        pair, other = self.pair(i), self.pair(j)
        other = self.detached(pair if other[0].shape != pair[0].shape else other)
        self.through_data("assign", pair, other, False)
        if (used := self.used(use, pair)) is not None:
            self.through_data("clamp_", other, other, False)
            self.check(*used, create)

    @rule(
        name=st.sampled_from(sorted(VIEWS)),
        i=early,
        j=pick,
        steps=st.lists(
            st.tuples(st.booleans(), st.sampled_from(STEPS)), min_size=2, max_size=4
        ),
    )
    def change_data_behind_a_view(self, name, i, j, steps):
        """A view and what it shows, each changed, and their ``.data`` changed and
        assigned.
        """
        other, pair = self.pair(j), self.used("tanh", self.pair(i))
        if pair is None or not pair[0].ndim:
            return
        self.pairs.append(pair)
        count = len(self.pairs)
        self.view(name, count, True)
        if len(self.pairs) == count:
            return
        view = self.pairs[-1]
        for of_view, how in steps:
            target = view if of_view else pair
            if how == "mul_":
                self.change(how, target, target, True)
            else:
                self.through_data(how, target, other, False)
        self.check(*view, False)

    def used(self, use, pair):
        """What an op makes of a tensor while recording, and its dual; None if it
        cannot.
        """
        op, reference = UNARY[use]
        out = self.attempt(True, lambda: op(pair[0]))
        return None if out is None else (out, reference(pair[1]).fresh(True, out))

    def detached(self, pair):
        """A copy that is a constant."""
        x, dx = pair
        return x.detach().clone(), Dual(dx.value.copy(), np.zeros_like(dx.slope))

    def through_data(self, how, pair, other, record):
        """Change a tensor through its ``.data``, or assign it: the derivative stays."""
        (x, dx), (y, dy) = pair, other
        if how in IN_PLACE | AUGMENTED and fits(y.shape, x.shape):
            op, reference = (IN_PLACE | AUGMENTED)[how]
            result = reference(dx, dy).fresh(True)
            if self.attempt(
                record, lambda: change_data(x, how, lambda data: op(data, y))
            ):
                dx.overwrite(result, False)
        elif how == "item" and x.ndim and x.shape[0] and fits(y.shape, x.shape[1:]):
            value = dy.value.copy()
            if self.attempt(record, lambda: x.data.__setitem__(0, y) or True):
                dx.value[0] = value
        elif how.startswith("assign"):
            if how == "assign an array" or y.shape != x.shape:
                y = self.rng.uniform(-1.5, 1.5, x.shape)
                dy = Dual(y, np.zeros(0))
            elif how == "assign its own view":
                y, dy = x.data[...], dx
            if self.attempt(record, lambda: setattr(x, "data", y) or True):
                dx.value, dx.slope = dy.value, dx.slope.copy()

    # ------------------------------------------------------------ what must hold

    @precondition(lambda self: hasattr(self, "pairs"))
    @invariant()
    def values_agree(self):
        found = [tensor.numpy() for tensor, _ in self.pairs]
        expected = [dual.value for _, dual in self.pairs]
        assert [a.shape for a in found] == [a.shape for a in expected]
        # All at once, as this runs after each step
        found, expected = (
            np.concatenate([a.reshape(-1) for a in arrays])
            for arrays in (found, expected)
        )
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)

    @rule(i=pick, create=st.booleans())
    def gradients_agree(self, i, create):
        self.check(*self.pair(i), create)

    def check(self, tensor, dual, create):
        if not tensor.requires_grad:
            if dual.slope.any():  # a view of a constant that took over a graph since
                with pytest.raises(GraphError, match="take the view again"):
                    tensor + 0.0
            return
        u = self.rng.uniform(-1, 1, tensor.shape)
        wanted = np.tensordot(u, dual.slope, dual.value.ndim)
        try:
            found = tg.autograd.grad(
                tensor,
                self.wrt,
                tg.tensor(u),
                True,
                create_graph=create,
                allow_unused=True,
            )
        except GraphError:
            type(self).refused += 1
            return
        type(self).exact += 1
        flat = [
            np.zeros(x.numel()) if g is None else g.numpy().reshape(-1)
            for x, g in zip(self.wrt, found, strict=True)
        ]
        np.testing.assert_allclose(np.concatenate(flat), wanted, rtol=1e-7, atol=1e-9)

    def teardown(self):
        for number, (tensor, dual) in enumerate(getattr(self, "pairs", [])):
            self.check(tensor, dual, bool(number % 2))


def test_random_graphs():
    # a run of the machine costs little, and bugs hide deep
    often = 4 * settings().max_examples
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=often, stateful_step_count=30, report_multiple_bugs=False
        ),
    )
    # A machine that only ever refuses would prove nothing.
    assert Machine.exact > Machine.refused
