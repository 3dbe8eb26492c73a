"""Stepper: the steps equal what layer and head compute of the whole sequence."""

import copy
import pickle
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nn.draws import flags, normal, seeds
from nn.recurrent_layers import all_close, close, every_kind, layer_of, options, start
from strategies import plain_ids

import tinygrad_rnn as tg
from tinygrad_rnn import nn, ops, optim
from tinygrad_rnn.engine.fused import FusedOp
from tinygrad_rnn.kernels import modules
from tinygrad_rnn.kernels import numpy as numpy_kernels
from tinygrad_rnn.nn.recurrent import CellKind
from tinygrad_rnn.nn.rnn import RNNBase


def together(rnn, head, x, state):
    """The outputs of all steps and the last state, of a sequence (T, ...)."""
    with tg.no_grad():
        if rnn.batch_first and x.ndim > 2 - (x.dtype.kind != "f"):  # has a batch
            output, state = rnn(x.transpose(0, 1), state)
            output = output.transpose(0, 1)
        else:
            output, state = rnn(x, state)
        return (output if head is None else head(output)), state


def parts(state):
    return state if isinstance(state, tuple) else (state,)


@every_kind
@given(st.data(), seeds, flags, flags, flags, flags)
def test_it_computes_what_the_layer_does(
    device, kind, data, seed, ids, batched, headed, started
):
    rnn = layer_of(data.draw(options(kind, bidirectional=False)), seed).to(device)
    bias = data.draw(flags)
    wide = getattr(rnn, "proj_size", 0) or rnn.hidden_size
    head = nn.Linear(wide, 3, bias).double().to(device) if headed else None
    batch = (data.draw(st.integers(1, 3)),) if batched else ()
    if ids:
        rng = np.random.default_rng(seed)
        x = np.stack([plain_ids(rng, rnn.input_size, batch) for _ in range(4)])
    else:
        x = normal(seed, 4, *batch, rnn.input_size)
    x = tg.tensor(x, device=device)
    state = [part.to(device) for part in start(rnn, batch, seed)] if started else [None]
    state = tuple(state) if len(state) > 1 else state[0]
    expected, last = together(rnn, head, x, state)
    step = nn.Stepper(rnn, head)
    for t in range(4):
        output, state = step(x[t], state)
        if device == "cpu":  # from here on the kernel runs
            rnn.forward = None
        assert output.dtype == tg.float64 and not output.requires_grad
        close(output.cpu(), expected[t].cpu())
    assert isinstance(state, tuple) == isinstance(last, tuple)
    all_close(
        [part.cpu() for part in parts(state)], [part.cpu() for part in parts(last)]
    )


def numbers(step, x, state):
    output, state = step(x, state)
    return [output.numpy(), *[part.numpy() for part in parts(state)]]


@every_kind
def test_results_are_arrays_of_their_own(kind):
    for head in (nn.Linear(4, 3), None):
        step = nn.Stepper(getattr(nn, kind)(3, 4, num_layers=2), head)
        x = tg.tensor([1, 2])
        _, state = step(x)
        before = [part.clone() for part in parts(state)]
        output, new = step(x, state)
        arrays = [t.numpy() for t in (output, *parts(new), *parts(state))]
        for i, a in enumerate(arrays):
            assert not any(np.shares_memory(a, b) for b in arrays[:i])
        all_close(parts(state), before, 0)


def changed_by_an_optimizer(rnn, head):
    optimizer = optim.SGD([*rnn.parameters(), *head.parameters()], lr=0.5)
    output, _ = rnn(tg.tensor([[1, 2]]))
    head(output).square().sum().backward()
    optimizer.step()


def changed_in_place(rnn, head):
    with tg.no_grad():
        rnn.weight_hh_l1.mul_(2.0)


def changed_by_loading(rnn, head):
    rnn.load_state_dict({name: -value for name, value in rnn.state_dict().items()})


def changed_data(rnn, head):
    head.weight.data = head.weight.data + 1


def changed_parameter(rnn, head):
    rnn.bias_hh_l0 = nn.Parameter(tg.randn(*rnn.bias_hh_l0.shape))


def changed_bias(rnn, head):
    head.bias = None


def changed_dtype(rnn, head):
    rnn.double()
    head.double()


def changed_twice(rnn, head):
    for _ in range(2):  # the second array may lie where the first lay
        rnn.bias_hh_l1.data = rnn.bias_hh_l1.data + 1


def changed_dtype_of_a_bias(rnn, head):
    rnn.bias_ih_l0 = nn.Parameter(rnn.bias_ih_l0.detach().double() + 1)


CHANGES = [
    changed_twice,
    changed_dtype_of_a_bias,
    changed_by_an_optimizer,
    changed_in_place,
    changed_by_loading,
    changed_data,
]
CHANGES += [changed_parameter, changed_bias, changed_dtype]


@every_kind
@pytest.mark.parametrize("change", CHANGES)
def test_it_follows_its_weights(kind, change):
    rnn, head = getattr(nn, kind)(3, 4, num_layers=2), nn.Linear(4, 3)
    step, x = nn.Stepper(rnn, head), tg.tensor([1, 2])
    before, state = step(x, step(x)[1])
    change(rnn, head)
    state = tuple(part.to(rnn.weight_ih_l0.dtype) for part in parts(state))
    state = state if len(state) > 1 else state[0]
    expected, _ = together(rnn, head, x.unsqueeze(0), state)
    after, _ = step(x, state)  # run by the layers, which check the new weights
    close(after, expected[0], 1e-5)
    assert abs(after.numpy() - before.numpy()).max() > 1e-3
    rnn.forward = None
    after, _ = step(x, state)
    close(after, expected[0], 1e-5)


def test_it_follows_the_nonlinearity():
    rnn = nn.RNN(3, 4)
    step, x = nn.Stepper(rnn), tg.tensor([1, 2])
    _, state = step(x)
    rnn.nonlinearity = "relu"
    for _ in range(2):
        output, _ = step(x, state)
        close(output, together(rnn, None, x.unsqueeze(0), state)[0][0], 1e-6)
        assert (output.numpy() == 0).any()
    rnn.nonlinearity = "Tanh"
    for _ in range(2):  # it stays wrong after the first error
        with pytest.raises(tg.Error, match="nonlinearity is 'Tanh'"):
            step(x, state)


@every_kind
def test_it_moves_with_its_layers(kind, device):
    rnn, head = getattr(nn, kind)(3, 4), nn.Linear(4, 3)
    step, x = nn.Stepper(rnn, head), tg.tensor([1, 2])
    scores, state = step(x, step(x)[1])
    rnn.to(device)
    head.to(device)
    x = x.to(device)
    moved, state = step(x, step(x)[1])
    assert str(moved.device).startswith(device if device != "cpu" else "cpu")
    close(moved.cpu(), scores, 1e-5)


def test_it_records_nothing_and_keeps_what_it_is_given():
    rnn, head = nn.RNN(3, 4), nn.Linear(4, 3)
    x = tg.randn(2, 3, requires_grad=True)
    state = tg.randn(1, 2, 4, requires_grad=True)
    kept = x.detach().clone(), state.detach().clone()
    for first in (None, state):
        for out in nn.Stepper(rnn, head)(x, first):
            assert not out.requires_grad and out.node is None
    close(x, kept[0], 0)
    close(state, kept[1], 0)


def test_layers_of_two_dtypes_raise():
    rnn, head = nn.RNN(3, 4).double(), nn.Linear(4, 3)
    with pytest.raises(tg.Error, match="linear: input is float64, expected float32"):
        nn.Stepper(rnn, head)(tg.tensor([1]), tg.zeros(1, 1, 4, dtype=tg.float64))


def test_a_bidirectional_layer_raises():
    with pytest.raises(tg.Error, match="nn.Stepper: rnn is bidirectional"):
        nn.Stepper(nn.GRU(3, 4, bidirectional=True))


def test_dropout_needs_eval():
    rnn = nn.GRU(3, 4, num_layers=2, dropout=0.5)
    step = nn.Stepper(rnn)
    with pytest.raises(
        tg.Error, match=r"nn.Stepper: rnn drops out while training.*eval\(\)"
    ):
        step(tg.tensor([1]))
    rnn.eval()
    step(tg.tensor([1]))
    with pytest.warns(UserWarning, match="has no effect"):
        step = nn.Stepper(nn.GRU(3, 4, dropout=0.5))
    step(tg.tensor([1]), step(tg.tensor([1]))[1])


def test_it_prints_its_layers():
    assert repr(nn.Stepper(nn.GRU(3, 4), nn.Linear(4, 3))) == (
        "Stepper(GRU(3, 4), Linear(in_features=4, out_features=3, bias=True))"
    )


def gru_of_another_name(x, h_0, w_ih, w_hh, b_ih, b_hh, /, reverse=False, lengths=None):
    """No kernel knows it by this name."""
    arrays = (x, h_0, w_ih, w_hh, b_ih, b_hh)
    return ops.gru.composite(*arrays, reverse=reverse, lengths=lengths)


class WithoutKernels(RNNBase):
    _cell_kind = CellKind(ops.gru_cell, FusedOp(gru_of_another_name), 3)


@pytest.mark.parametrize("x", [tg.tensor([1, 2]), tg.randn(2, 3)])
def test_a_layer_without_kernels_is_called(x):
    rnn, head = WithoutKernels(3, 4, num_layers=2), nn.Linear(4, 3)
    step, state = nn.Stepper(rnn, head), None
    for _ in range(3):
        expected, last = together(rnn, head, x.unsqueeze(0), state)
        output, state = step(x, state)
        close(output, expected[0], 1e-6)
        close(state, last, 1e-6)


class Own(nn.GRU):
    def forward(self, *args):
        output, state = super().forward(*args)
        return output * 10, state + 1


class Louder(nn.Linear):
    def forward(self, input):
        return super().forward(input) * 10


@pytest.mark.parametrize(("rnn", "head"), [(Own, nn.Linear), (nn.GRU, Louder)])
def test_a_forward_of_a_subclass_is_what_counts(rnn, head):
    rnn, head, x = rnn(3, 4), head(4, 3), tg.tensor([1, 2])
    step, state = nn.Stepper(rnn, head), None
    for _ in range(3):
        expected, last = together(rnn, head, x.unsqueeze(0), state)
        output, state = step(x, state)
        close(output, expected[0], 1e-5)
        close(state, last, 1e-5)


def test_it_takes_another_head_or_layer():
    step, x = nn.Stepper(nn.GRU(3, 4), nn.Linear(4, 3)), tg.tensor([1, 2])
    step(x, state := step(x)[1])
    louder = Louder(4, 5)
    louder.weight, louder.bias = (head := nn.Linear(4, 5)).weight, head.bias
    for changes in (
        {"head": head},
        {"head": louder},
        {"rnn": nn.RNN(3, 4)},
        {"head": None},
    ):
        vars(step).update(changes)
        for _ in range(2):
            expected, last = together(step.rnn, step.head, x.unsqueeze(0), state)
            all_close(step(x, state), (expected[0], last), 1e-5)


@pytest.mark.parametrize(
    "copied", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))]
)
def test_a_copy_of_a_model_has_a_stepper_of_its_own(copied):
    model, x = nn.Module(), tg.tensor([1, 2])
    model.rnn = nn.GRU(3, 4)
    model.step = nn.Stepper(model.rnn, nn.Linear(4, 3))
    before, state = model.step(x, model.step(x)[1])
    other = copied(model)
    assert other.step.rnn is other.rnn is not model.rnn
    close(other.step(x, state)[0], model.step(x, state)[0], 1e-5)
    with tg.no_grad():
        other.rnn.weight_ih_l0.zero_()
    for _ in range(2):
        expected, _ = together(other.rnn, other.step.head, x.unsqueeze(0), state)
        close(other.step(x, state)[0], expected[0], 1e-5)


@pytest.mark.parametrize(
    ("part", "name", "shape", "words"),
    [
        (0, "bias_ih_l0", (1,), "nn.GRU: "),
        (0, "bias_hh_l0", (5,), "nn.GRU: "),
        (0, "weight_hh_l0", (12, 5), "nn.GRU: "),
        (1, "bias", (1,), "linear: bias has shape"),
        (1, "weight", (3, 5), "linear: input has 4 features"),
    ],
)
def test_weights_that_do_not_fit_raise_as_in_the_layers(part, name, shape, words):
    layers = nn.GRU(3, 4), nn.Linear(4, 3)
    step, x = nn.Stepper(*layers), tg.tensor([1, 2])
    step(x, state := step(x)[1])
    getattr(layers[part], name).data = np.ones(shape, np.float32)
    for _ in range(2):
        with pytest.raises(tg.Error, match=words):
            step(x, state)


@every_kind
def test_what_it_gives_may_change_in_place(kind):
    step, x, state = nn.Stepper(getattr(nn, kind)(3, 4)), tg.tensor([1, 2]), None
    for _ in range(3):
        output, state = step(x, state)
        factor = tg.ones(4, requires_grad=True)
        before = output.clone()
        output.mul_(factor)
        output.sum().backward()
        close(factor.grad, before.sum(0), 1e-6)


def failing(error, after):
    """A kernel's step that works for a while."""
    calls = []

    def make(*args, **settings):
        step = numpy_kernels.stepper(*args, **settings)

        def run(*given):
            calls.append(given)
            if len(calls) > after:
                raise error
            return step(*given)

        return run

    return make


@pytest.mark.parametrize("error", [ValueError, IndexError, MemoryError, KeyError])
@pytest.mark.parametrize("after", [0, 2])
def test_an_error_inside_the_kernel_is_raised(monkeypatch, error, after):
    """It does not switch the kernel off for good."""
    kernels = SimpleNamespace(stepper=failing(error("inside"), after))
    monkeypatch.setitem(modules, "cpu", kernels)
    step, x, state = nn.Stepper(nn.GRU(3, 4)), tg.tensor([1, 2]), None
    _, state = step(x, state)  # by the layers
    for _ in range(after):
        _, state = step(x, state)
    for _ in range(2):
        with pytest.raises(error, match="inside"):
            step(x, state)


@every_kind
@pytest.mark.parametrize("wrong", [-1, 3, 2**40])
def test_ids_out_of_range_are_refused_before_the_kernel_runs(kind, wrong):
    step, x = nn.Stepper(getattr(nn, kind)(3, 4)), tg.tensor([1, 2])
    _, state = step(x)
    for _ in range(2):
        with pytest.raises(
            IndexError, match=rf"input has {wrong} at \(1,\), expected ids in"
        ):
            step(tg.tensor([1, wrong]), state)
    with pytest.raises(ValueError, match="state|h_0|hx"):
        step(tg.tensor([1]), state)
    with pytest.raises(ValueError, match="input"):
        step(tg.ones(2, 4), state)


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("which", ["rnn", "head"])
@pytest.mark.parametrize("how", ["hook", "pre-hook", "forward"])
def test_hooks_and_forwards_of_the_layers_are_called(which, how, late):
    """Also those that are added after the kernel has run."""
    rnn, head, calls = nn.GRU(3, 4), nn.Linear(4, 3), []
    layer = {"rnn": rnn, "head": head}[which]

    def watch():
        if how == "forward":
            whole = layer.forward
            layer.forward = lambda *args: calls.append(1) or whole(*args)
        elif how == "hook":
            return layer.register_forward_hook(lambda *given: calls.append(1))
        else:
            return layer.register_forward_pre_hook(lambda *given: calls.append(1))

    step, state, handle = nn.Stepper(rnn, head), None, None if late else watch()
    for count in range(3):
        _, state = step(tg.tensor([1]), state)
        assert len(calls) == (0 if late else count + 1)
    if late:
        handle = watch()
        step(tg.tensor([1]), state)
        step(tg.tensor([1]), state)
        assert len(calls) == 2
    if handle is not None:
        handle.remove()
        before = len(calls)
        step(tg.tensor([1]), state)
        step(tg.tensor([1]), state)
        assert len(calls) == before


def test_a_class_with_a_call_of_its_own_is_called():
    class Doubled(nn.Linear):
        def __call__(self, x):
            return 2.0 * super().__call__(x)

    rnn, head = nn.RNN(3, 4), Doubled(4, 3)
    step = nn.Stepper(rnn, head)
    _, state = step(tg.tensor([1]))
    for _ in range(3):
        scores, new = step(tg.tensor([2]), state)
        expected = head(rnn(tg.tensor([[2]]), state)[0])[0]
        close(scores, expected.detach(), 1e-6)


@every_kind
@pytest.mark.parametrize(
    "change",
    [
        lambda w: w.data.mul_(2.0),
        lambda w: setattr(w, "data", w.data * 2.0),
        lambda w: w.data.__setitem__(0, 7.0),
        lambda w: w.data.copy_(tg.ones_like(w)),
    ],
)
def test_what_is_written_through_data_is_seen(kind, change):
    rnn, head = getattr(nn, kind)(3, 4), nn.Linear(4, 3)
    step, x = nn.Stepper(rnn, head), tg.tensor([1, 2])
    before, state = step(x, step(x)[1])
    change(rnn.weight_hh_l0)
    expected, _ = together(rnn, head, x.unsqueeze(0), state)
    for _ in range(2):
        after, _ = step(x, state)
        close(after, expected[0], 1e-5)
    assert abs(after.numpy() - before.numpy()).max() > 1e-3
