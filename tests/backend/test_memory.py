"""Where the memory of a GPU runs out: an error that says what to do, and what it frees.

The stand-in for CuPy counts what its arrays take.
"""

import gc
from types import SimpleNamespace

import pytest
from backend import fake_cupy
from backend.gpus import fake_gpus
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_rnn as tg
import tinygrad_rnn.nn.functional as F
from tinygrad_rnn import nn, optim
from tinygrad_rnn.backend.memory import in_units, retrying
from tinygrad_rnn.cuda import OutOfMemoryError


@pytest.fixture
def gpus():
    with fake_gpus() as cupy:
        tg.zeros(1, device="cuda")
        yield cupy


def scarce_after(count):
    """Return an allocator that fails for good after so many arrays."""
    given = iter(range(count))

    def allocate(size):
        if next(given, None) is None:
            raise fake_cupy.OutOfMemoryError
        return fake_cupy.pool.malloc(size)

    return allocate


def let_fail(patch, allocate):
    """Let the GPUs have an allocator that fails."""
    library = tg.backend.libraries["cuda"]
    patch.setattr(fake_cupy, "_allocate", retrying(library, allocate))


@pytest.mark.parametrize(
    ("size", "words"),
    [
        (0, "0 bytes"),
        (1023, "1023 bytes"),
        (1024, "1 KiB"),
        (1536, "1.5 KiB"),
        (1000 << 20, "1000 MiB"),
        (139 << 30, "139 GiB"),
        (1 << 60, "1048576 TiB"),
    ],
)
def test_sizes_are_in_words(size, words):
    assert in_units(size) == words


def test_the_error_is_that_of_pytorch_and_of_python():
    assert issubclass(OutOfMemoryError, (tg.Error, RuntimeError))
    assert issubclass(OutOfMemoryError, MemoryError)
    library = SimpleNamespace(
        free=lambda: None,
        current_device=lambda: 1,
        memory_info=lambda: (1 << 30, 80 << 30),
        memory_allocated=lambda: 70 << 30,
    )
    with pytest.raises(OutOfMemoryError) as caught:
        retrying(library, scarce_after(0))(3 << 30)
    assert str(caught.value) == (
        "out of memory on cuda:1: 3 GiB were asked for, but 1 GiB of 80 GiB are free, "
        "and the arrays of this program take 70 GiB; use smaller batches or shorter "
        "windows, or tg.utils.checkpoint, which recomputes values instead of keeping "
        "them, or drop tensors and call tg.cuda.empty_cache()"
    )


def test_every_array_is_asked_for_twice(gpus, monkeypatch):
    """And memory that is kept for reuse is freed in between."""
    held = tg.zeros(1000, device="cuda:1")
    used = tg.cuda.memory_allocated(1)
    monkeypatch.setattr(gpus, "capacity", used + 3999)
    makers = {
        "zeros": lambda: tg.zeros(1000, device="cuda:1"),
        "to": lambda: tg.zeros(1000).to("cuda:1"),
        "an op": lambda: held + 1,
        "CuPy": lambda: fake_cupy.concat([held.array]),
    }
    for make in makers.values():
        gpus.freed.clear()
        with pytest.raises(
            OutOfMemoryError, match="out of memory on cuda:1: 3.91 KiB were"
        ) as caught:
            with tg.cuda.device(1):
                make()
        assert {0, 1} <= {*gpus.freed}
        assert caught.value.__context__ is None  # it would hold the arrays
    assert tg.cuda.memory_allocated(1) == used


def test_one_more_try_can_be_enough(gpus, monkeypatch):
    x, given = tg.ones(2, device="cuda"), []

    def scarce(size):
        given.append(size)
        if len(given) == 1:
            raise fake_cupy.OutOfMemoryError
        return gpus.pool.malloc(size)

    let_fail(monkeypatch, scarce)
    gpus.freed.clear()
    assert (x + 1).tolist() == [2, 2]
    assert given == [8, 8]
    assert gpus.freed == [0]


def test_a_gpu_that_is_not_in_use_is_left_alone(gpus):
    """To make it the current one would take some of its memory."""
    for device in (0, 1):
        x = tg.ones(2, device=f"cuda:{device}")
        gpus.freed.clear()
        tg.cuda.empty_cache()
        assert gpus.freed == [0, 1][: device + 1]
        assert x.tolist() == [1, 1]


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(5, 3)
        self.rnn = nn.RNN(3, 4)
        self.head = nn.Linear(4, 5)

    def forward(self, ids):
        return self.head(self.rnn(self.embedding(ids))[0]).flatten(0, 1)


class Training:
    """A run whose step can fail anywhere."""

    def __init__(self, compiled):
        tg.manual_seed(3)
        model, optimizer = self.model, self.optimizer = make_model()

        def compute(ids, targets):
            loss = F.cross_entropy(model(ids), targets)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            return loss.detach()

        self.compute = tg.compile(compute) if compiled else compute

    def step(self, batch_size):
        ids = tg.arange(2 * batch_size).reshape(2, batch_size) % 5
        targets = ids.flatten() * 2 % 5
        return self.compute(ids.to("cuda"), targets.to("cuda")).item()


def make_model():
    model = Model().to("cuda")
    return model, optim.Adam(model.parameters())


def size_of_grads(training):
    grads = [p.grad for p in training.model.parameters()]
    return sum(g.array.nbytes for g in grads if g is not None)


def step_that_fails(compiled, count, steps):
    """Return whether a step fails; if so, compare the next one, of a smaller batch,
    with that of a run that did not fail.
    """
    gc.collect()
    with fake_gpus(), pytest.MonkeyPatch.context() as patch:
        training, undisturbed = Training(compiled), Training(compiled)
        for _ in range(steps):
            assert training.step(8) == undisturbed.step(8)
        without_grads = tg.cuda.memory_allocated() - size_of_grads(training)
        let_fail(patch, scarce_after(count))
        try:
            training.step(8)
            return False
        except OutOfMemoryError:
            patch.undo()
        assert tg.cuda.memory_allocated() == without_grads + size_of_grads(training)
        assert training.step(4) == undisturbed.step(4)
    return True


@given(count=st.integers(0, 150), steps=st.integers(0, 2))
def test_a_step_that_fails_leaves_nothing_behind(count, steps):
    assert step_that_fails(False, count, steps) or count > 50


@pytest.mark.parametrize(("count", "steps"), [(90, 0), (90, 1), (50, 2), (120, 3)])
def test_a_compiled_step_that_fails_leaves_nothing_behind(count, steps):
    """In either capture, or in a replay."""
    assert step_that_fails(True, count, steps)


def test_a_failed_backward_frees_its_graph(gpus, monkeypatch):
    """Also what it did not reach, and while the loss is still there."""
    x = tg.ones(1000, device="cuda", requires_grad=True)
    held = tg.cuda.memory_allocated()
    y = x * 1
    for _ in range(10):
        y = y.sin()
    loss = y.sum()
    del y
    assert tg.cuda.memory_allocated() > held + 40000
    for keep in (True, False):
        with monkeypatch.context() as patch, pytest.raises(OutOfMemoryError):
            let_fail(patch, scarce_after(8))
            loss.backward(retain_graph=keep)
        assert x.grad is None
    assert tg.cuda.memory_allocated() == held + loss.array.nbytes
    with pytest.raises(tg.errors.GraphError, match="failed .OutOfMemoryError: out of"):
        loss.backward()


@pytest.mark.gpu
def test_on_a_real_gpu_the_next_smaller_array_fits():
    free, _ = tg.cuda.mem_get_info()
    import cupy

    before = tg.cuda.memory_allocated()
    with pytest.raises(OutOfMemoryError, match="out of memory on cuda:0: .* GiB were"):
        cupy.zeros(2 * free, "uint8")
    assert tg.cuda.memory_allocated() == before
    assert tg.zeros(1000, device="cuda").sum().item() == 0
