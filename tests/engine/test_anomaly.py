"""detect_anomaly: what gave a NaN or an infinity, and where, forward and backward."""

import re
import threading

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.autograd import FusedOp, detect_anomaly, op
from tinygrad_rnn.engine.seam import observers
from tinygrad_rnn.errors import GraphError

nan, inf = float("nan"), float("inf")


@pytest.fixture(autouse=True)
def _silent():
    with np.errstate(all="ignore"):
        yield


def leaf(*values):
    return tg.tensor(list(values), dtype="float64", requires_grad=True)


def here(mark):
    """``file:line`` of the line of this file that has a mark."""
    with open(__file__) as file:
        (line,) = [i for i, text in enumerate(file, 1) if text.endswith(f"# {mark}\n")]
    return f"{re.escape(__file__)}:{line}"


def fused_nan(x, /):
    return x / x, x


def _fused_forward(xp, x):
    return (x / x, x * 1.0), None


def _fused_backward(xp, grads, needs, inputs, outputs, workspace):
    return (inputs[0] * inf,)


fused = FusedOp(fused_nan, _fused_forward, _fused_backward)


# ---------------------------------------------------------------- forward

FORWARD = {
    "a NaN": (
        lambda x: x.log(),
        r"a NaN in the result of log\(float64 of shape \(3,\)\)",
    ),
    "an infinity": (
        lambda x: (x + 1).reciprocal(),
        r"an infinity in the result of reciprocal\(float64 of shape \(3,\)\)",
    ),
    "a number among the arguments": (
        lambda x: x / 0.0,
        r"a NaN in the result of divide\(float64 of shape \(3,\), 0\.0\)",
    ),
    "several": (lambda x: tg.cat([x * 1.0, x / 0.0]), r"result of divide"),
    "a fused op": (
        lambda x: fused(x),
        r"a NaN in the result of fused_nan\(float64 of shape",
    ),
    "a 0-d result": (
        lambda x: x.sum() / 0.0 * 0.0,
        r"result of divide\(float64 of shape \(\), 0",
    ),
    "what comes in has one": (
        lambda x: tg.tensor([nan, 1.0]) * 2.0,
        r"a NaN in the result of multiply\(.*argument 0 has a NaN",
    ),
    "an infinity that turns into a NaN": (
        lambda x: x * inf,
        r"a NaN in the result of multiply\(.*inf\).*argument 1 has an infinity",
    ),
    "an op of a list": (
        lambda x: tg.cat([tg.tensor([nan]), tg.ones(2)]),
        r"a NaN in the result of concat\(float32 of shape \(1,\), "
        r"float32 of shape \(2,\)\)",
    ),
}


@pytest.mark.parametrize("recorded", [True, False])
@pytest.mark.parametrize("name", FORWARD)
def test_forward(name, recorded):
    call, words = FORWARD[name]
    x = leaf(-1.0, 0.0, 2.0)
    call(x)  # as long as nobody asks
    with detect_anomaly(), pytest.raises(GraphError, match=words):
        call(x if recorded else x.detach())
    call(x)


def test_settings_are_shown_and_the_message_says_who_found_it():
    result = r"^detect_anomaly: a NaN in the result of clip\(.*, nan\)"
    words = f"{result} .*argument 1 has a NaN"
    with detect_anomaly(), pytest.raises(GraphError, match=words):
        leaf(1.0).clamp(min=float("nan"))
    with detect_anomaly(), pytest.raises(GraphError, match=r"power\(.*, 0.5\)"):
        leaf(-1.0).pow(0.5)


def test_the_users_line():
    """The innermost line that is not the package's, even if it is called through it."""

    class Model(nn.Module):
        def forward(self, x):
            return nn.functional.relu(
                x.sqrt()  # the line
            )

    with detect_anomaly(), pytest.raises(GraphError, match=here("the line") + "$"):
        Model()(leaf(-1.0))


def test_a_layer_is_named_at_the_users_line():
    rnn = nn.LSTM(2, 3)
    with (
        detect_anomaly(),
        pytest.raises(GraphError, match=r"result of lstm\(.* at " + here("layer")),
    ):
        rnn(tg.full((4, 1, 2), nan))  # layer


def test_infinities_may_be_handed_on():
    """The mask of attention, log(0) of a known class: an infinity put there."""
    x = leaf(1.0, 2.0, 3.0)
    with detect_anomaly():
        masked = x.masked_fill(tg.tensor([True, False, False]), -inf)
        y = masked.softmax(0) + tg.tensor([inf, 1.0]).exp().amin() + masked.amax()
        assert (masked[:1] * 2.0).item() == -inf
        (y * tg.tensor([1.0, -2.0, 3.0])).sum().backward()
    assert np.isfinite(x.grad.numpy()).all()


def test_what_is_no_float_is_not_looked_at():
    with detect_anomaly():
        x = tg.arange(4)
        assert (x > 1).any()
        assert x[x > 1].sum().item() == 5


# ---------------------------------------------------------------- backward


@pytest.mark.parametrize("create_graph", [False, True])
def test_backward_names_the_forward_call(create_graph):
    x = leaf(0.0, 1.0)
    with detect_anomaly():
        y = x.sqrt()  # root
        gradient = r"an infinity in a gradient of shape \(2,\)"
        words = rf"{gradient} from sqrt\(float64 of shape \(2,\)\) at "
        with pytest.raises(GraphError, match=words + here("root")):
            y.sum().backward(create_graph=create_graph)
        with pytest.raises(GraphError, match=here("root")):
            tg.autograd.grad(y.sum(), x, create_graph=create_graph)
    assert x.grad is None


def test_backward_of_a_fused_op():
    with detect_anomaly():
        _, y = fused(leaf(1.0, 2.0))  # fused
        with pytest.raises(
            GraphError, match="infinity .* from fused_nan.* at " + here("fused")
        ):
            y.sum().backward()


def test_a_second_derivative():
    x = leaf(0.0, 1.0)
    with detect_anomaly():
        (g,) = tg.autograd.grad((x**1.5).sum(), x, create_graph=True)  # power
        with pytest.raises(
            GraphError, match="from .* for the gradient of power.* at " + here("power")
        ):
            tg.autograd.grad(g.sum(), x)


def test_the_call_is_not_known_if_it_was_outside():
    y = leaf(0.0).sqrt()
    with (
        detect_anomaly(),
        pytest.raises(GraphError, match=r"from sqrt \(.*outside of detect_anom"),
    ):
        y.backward()
    with detect_anomaly():
        y = leaf(0.0).sqrt()
    y.backward()  # nobody asks any more


def test_a_gradient_that_is_given():
    x = leaf(1.0, 2.0)
    with (
        detect_anomaly(),
        pytest.raises(GraphError, match="a NaN in a gradient .* the caller of"),
    ):
        (x * 2.0).backward(tg.tensor([nan, 1.0]))


def test_a_part_of_a_gradient():
    """A slice's gradient is not written out; that of a 0-d array may be a scalar."""

    @op
    def lost(xp, x, /):
        return x * 1.0

    lost.vjp(lambda g: g * nan)
    for make in (lambda x: lost(x)[1:].sum(), lambda x: lost(x.sum())):
        with detect_anomaly(), pytest.raises(GraphError, match="a NaN in .* from lost"):
            make(leaf(1.0, 2.0)).backward()


def test_hooks_are_looked_at():
    x = leaf(1.0, 2.0)
    y = x * 2.0
    y.register_hook(lambda g: tg.full((2,), nan, dtype="float64"))
    with (
        detect_anomaly(),
        pytest.raises(GraphError, match="a NaN in a gradient .* from multiply"),
    ):
        (y * 3.0).sum().backward()


def test_what_a_hook_gives_a_slice():
    x = leaf(1.0, 2.0)
    y = x[1:]
    y.register_hook(lambda g: g * inf)
    with (
        detect_anomaly(),
        pytest.raises(GraphError, match="an infinity in .* from getitem"),
    ):
        (y * 3.0).sum().backward()


def test_inside_of_a_checkpoint():
    x = leaf(0.0, 1.0)
    with detect_anomaly():
        y = tg.utils.checkpoint.checkpoint(
            lambda x: x.sqrt(),  # checkpointed
            x,
        )
        with pytest.raises(
            GraphError, match=r"from sqrt\(.* at " + here("checkpointed")[:-3]
        ):
            y.sum().backward()


# ---------------------------------------------------------------- the block


def test_nothing_is_left_behind():
    with detect_anomaly():
        with detect_anomaly():
            assert len(observers) == 2
        assert len(observers) == 1
    assert observers == []
    with pytest.raises(KeyError), detect_anomaly():
        raise KeyError
    assert observers == []


def test_as_a_decorator():
    @detect_anomaly()
    def step(x):
        return x.log()

    for _ in range(2):
        assert step(leaf(1.0)).item() == 0
        with pytest.raises(GraphError, match="an infinity in the result of log"):
            step(leaf(0.0))
    assert leaf(0.0).log().item() == -inf


def test_in_threads():
    """It is on for all while one asks, and off when the last has left."""

    def run():
        for _ in range(200):
            with detect_anomaly():
                pass

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert observers == []


def test_training_goes_on_as_before():
    tg.manual_seed(0)
    rnn, x = nn.GRU(2, 3), tg.randn(4, 2, 2)
    rnn(x)[0].square().sum().backward()
    before = [p.grad.numpy().copy() for p in rnn.parameters()]
    rnn.zero_grad()
    with detect_anomaly():
        rnn(x)[0].square().sum().backward()
    assert all(
        np.array_equal(a, p.grad) for a, p in zip(before, rnn.parameters(), strict=True)
    )


def test_a_cotangent_of_another_dtype():
    """Under create_graph it is converted by an op, before any node is at work."""
    x = tg.ones(2, requires_grad=True)
    with detect_anomaly():
        (g,) = tg.autograd.grad(
            x * 2.0, x, tg.ones(2, dtype="float64"), create_graph=True
        )
    assert g.tolist() == [2, 2]
