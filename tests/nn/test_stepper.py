"""Stepper: the steps equal what layer and head compute of the whole sequence."""

import copy
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nn.draws import flags, normal, seeds
from nn.recurrent_layers import all_close, close, every_kind, layer_of, options, start
from strategies import plain_ids

import tinygrad_rnn as tg
from tinygrad_rnn import nn

pytestmark = pytest.mark.filterwarnings("ignore:nn.Stepper will go")


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
    kind, data, seed, ids, batched, headed, started
):
    rnn = layer_of(data.draw(options(kind, bidirectional=False)), seed)
    wide = getattr(rnn, "proj_size", 0) or rnn.hidden_size
    head = nn.Linear(wide, 3).double() if headed else None
    batch = (2,) if batched else ()
    if ids:
        rng = np.random.default_rng(seed)
        x = np.stack([plain_ids(rng, rnn.input_size, batch) for _ in range(5)])
    else:
        x = normal(seed, 5, *batch, rnn.input_size)
    x = tg.tensor(x)
    state = start(rnn, batch, seed) if started else [None]
    state = tuple(state) if len(state) > 1 else state[0]
    expected, last = together(rnn, head, x, state)
    step = nn.Stepper(rnn, head)
    for t in range(5):  # captured twice, and once without a state, then replayed
        output, state = step(x[t], state)
        assert output.dtype == tg.float64 and not output.requires_grad
        close(output, expected[t])
    assert isinstance(state, tuple) == isinstance(last, tuple)
    all_close(parts(state), parts(last))
    assert step._step.cache_info().hits


def test_it_warns_at_the_line_that_makes_it():
    with pytest.warns(DeprecationWarning, match=r"nn.Stepper will go.*tg.compile") as w:
        step = nn.Stepper(nn.GRU(3, 4))
    assert len(w) == 1 and w[0].filename == __file__
    assert repr(step) == "Stepper(GRU(3, 4), None)"


@every_kind
def test_results_are_arrays_of_their_own(kind):
    for head in (nn.Linear(4, 3), None):
        step = nn.Stepper(getattr(nn, kind)(3, 4, num_layers=2), head)
        x = tg.tensor([1, 2])
        _, state = step(x)
        for _ in range(3):
            before = [part.clone() for part in parts(state)]
            output, new = step(x, state)
            arrays = [t.numpy() for t in (output, *parts(new), *parts(state))]
            for i, a in enumerate(arrays):
                assert not any(np.shares_memory(a, b) for b in arrays[:i])
            all_close(parts(state), before, 0)
            output.mul_(tg.ones(output.shape[-1], requires_grad=True))
            state = new


def changed_in_place(rnn, head):
    with tg.no_grad():
        rnn.weight_hh_l0.mul_(2.0)


def changed_by_loading(rnn, head):
    rnn.load_state_dict({name: -value for name, value in rnn.state_dict().items()})


def changed_data(rnn, head):
    head.weight.data = head.weight.data + 1


def changed_parameter(rnn, head):
    rnn.bias_hh_l0 = nn.Parameter(tg.randn(*rnn.bias_hh_l0.shape))


def changed_bias(rnn, head):
    head.bias = None


def changed_forward(rnn, head):
    head.forward = lambda x: 2 * nn.Linear.forward(head, x)


CHANGES = [changed_in_place, changed_by_loading, changed_data, changed_parameter]
CHANGES += [changed_bias, changed_forward]


@pytest.mark.parametrize("change", CHANGES)
def test_it_follows_its_weights(change):
    rnn, head = nn.GRU(3, 4), nn.Linear(4, 3)
    step, x = nn.Stepper(rnn, head), tg.tensor([1, 2])
    _, state = step(x)
    for _ in range(3):
        before, _ = step(x, state)
    change(rnn, head)
    expected, last = together(rnn, head, x.unsqueeze(0), state)
    assert not before.allclose(expected[0])
    for _ in range(3):
        all_close(step(x, state), (expected[0], last), 1e-6)


def test_it_takes_another_head_or_layer():
    step, x = nn.Stepper(nn.GRU(3, 4), nn.Linear(4, 3)), tg.tensor([1, 2])
    _, state = step(x)
    for _ in range(3):
        step(x, state)
    for changes in ({"head": nn.Linear(4, 5)}, {"rnn": nn.RNN(3, 4)}, {"head": None}):
        vars(step).update(changes)
        for _ in range(3):
            expected, last = together(step.rnn, step.head, x.unsqueeze(0), state)
            all_close(step(x, state), (expected[0], last), 1e-6)


def test_it_records_nothing_and_takes_a_state_with_a_graph():
    rnn, head = nn.RNN(3, 4), nn.Linear(4, 3)
    step, x = nn.Stepper(rnn, head), tg.randn(2, 3, requires_grad=True)
    _, state = rnn(x.unsqueeze(0))
    for _ in range(3):
        for out in step(x * 1, state):
            assert not out.requires_grad and out.node is None
    assert step._step.cache_info().hits == 1


def test_dropout_needs_eval():
    rnn = nn.GRU(3, 4, num_layers=2, dropout=0.5).eval()
    step = nn.Stepper(rnn)
    for _ in range(3):
        step(tg.tensor([1]))
    rnn.train()
    with pytest.raises(
        tg.Error, match=r"nn.Stepper: rnn drops out while training.*eval\(\)"
    ):
        step(tg.tensor([1]))


def test_a_bidirectional_layer_raises():
    with pytest.raises(tg.Error, match="nn.Stepper: rnn is bidirectional"):
        nn.Stepper(nn.GRU(3, 4, bidirectional=True))


@pytest.mark.parametrize(
    "copied", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))]
)
def test_a_copy_of_a_model_has_a_stepper_of_its_own(copied):
    model, x = nn.Module(), tg.tensor([1, 2])
    model.rnn = nn.GRU(3, 4)
    model.step = nn.Stepper(model.rnn, nn.Linear(4, 3))
    _, state = model.step(x)
    for _ in range(3):
        model.step(x, state)
    other = copied(model)
    assert other.step.rnn is other.rnn is not model.rnn
    close(other.step(x, state)[0], model.step(x, state)[0], 1e-6)
    with tg.no_grad():
        other.rnn.weight_ih_l0.zero_()
    for _ in range(3):
        expected, _ = together(other.rnn, other.step.head, x.unsqueeze(0), state)
        close(other.step(x, state)[0], expected[0], 1e-6)


@pytest.mark.parametrize("wrong", [-1, 3])
def test_ids_out_of_range_raise_in_replays_too(wrong):
    step, x = nn.Stepper(nn.GRU(3, 4)), tg.tensor([1, 2])
    _, state = step(x)
    for _ in range(3):
        step(x, state)
    with pytest.raises(
        IndexError, match=rf"nn.Stepper: input has {wrong} at \(1,\), expected ids in"
    ):
        step(tg.tensor([1, wrong]), state)


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("which", ["rnn", "head"])
def test_hooks_of_the_layers_are_called(which, late):
    """Also those that are added once steps are replayed; it runs plainly then."""
    rnn, head, calls = nn.GRU(3, 4), nn.Linear(4, 3), []
    layer = {"rnn": rnn, "head": head}[which]
    step, x = nn.Stepper(rnn, head), tg.tensor([1])
    _, state = step(x)
    if late:
        for _ in range(3):
            step(x, state)
    handle = layer.register_forward_hook(lambda *given: calls.append(1))
    for _ in range(3):
        step(x, state)
    assert len(calls) == 3
    handle.remove()
    expected, last = together(rnn, head, x[None], state)
    all_close(step(x, state), (expected[0], last), 1e-6)
    assert len(calls) == 3
