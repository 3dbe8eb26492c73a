"""tg.cuda without a GPU, on two that are pretended, and on a real one."""

import subprocess
import sys
from threading import Thread

import pytest
from backend.gpus import fake_gpus

import tinygrad_rnn as tg
from tinygrad_rnn import cuda
from tinygrad_rnn.errors import OptionError


@pytest.fixture
def gpus():
    with fake_gpus() as cupy:
        yield cupy


def test_without_a_gpu_none_is_counted(monkeypatch):
    def find(name):
        raise OptionError(f"device: got {name!r}")

    monkeypatch.setattr(cuda, "find", find)
    assert cuda.device_count() == 0
    assert not cuda.is_available()


ANSWERS = """
import sys, tinygrad_rnn as tg
sys.modules["cupy"] = None
assert (tg.cuda.is_available(), tg.cuda.device_count()) == (False, 0)
assert (tg.cuda.memory_allocated(), tg.cuda.memory_reserved()) == (0, 0)
assert tg.cuda.empty_cache() is None
asked = ["current_device", "synchronize", "get_device_name", "mem_get_info"]
calls = [getattr(tg.cuda, name) for name in asked]
calls += [lambda: tg.cuda.set_device(0), lambda: tg.cuda.device(0).__enter__()]
for call in calls:
    try:
        call()
    except tg.errors.OptionError as error:
        print(error)
"""


def test_without_a_gpu_functions_do_what_those_of_pytorch_do():
    """Those that need a GPU say in one line how to install what it needs."""
    run = [sys.executable, "-c", ANSWERS]
    done = subprocess.run(run, capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    assert len(lines) == 6
    for line in lines:
        assert line.startswith("tg.device: got 'cuda")
        assert "tinygrad_rnn[cuda12x]" in line


@pytest.mark.parametrize("name", ["cpu", "cpu:0", "gpu"])
def test_only_gpus_are_waited_for(name):
    with pytest.raises(OptionError, match="cuda.synchronize: device is"):
        cuda.synchronize(name)


# ---------------------------------------------------------------- the current device


def test_cuda_alone_is_the_current_gpu(gpus):
    assert cuda.current_device() == 0
    cuda.set_device(1)
    assert cuda.current_device() == 1
    made = (
        tg.zeros(2, device="cuda"),
        tg.zeros(2).cuda(),
        tg.zeros(2).to(tg.device("cuda")),
        tg.nn.Linear(2, 1, device="cuda").weight,
        tg.nn.Linear(2, 1).cuda().weight,
    )
    assert {x.device for x in made} == {"cuda:1"}
    assert tg.zeros(2, device="cuda:0").device == tg.zeros(2).cuda(0).device == "cuda:0"
    cuda.set_device("cuda:0")
    assert tg.zeros(2, device="cuda").device == tg.device("cuda") == "cuda:0"
    assert made[0].device == "cuda:1"


def test_work_leaves_the_current_gpu_as_it_was(gpus):
    with cuda.device(1):
        x = tg.ones(2, 2, device="cuda:0", requires_grad=True)
        (x @ x).sum().backward()
        assert x.grad.device == "cuda:0"
        assert cuda.current_device() == 1
    assert cuda.current_device() == 0


def test_a_context_ends_with_the_gpu_that_was_current(gpus):
    with cuda.device("cuda:1"):
        assert cuda.current_device() == 1
        with cuda.device(0):
            assert cuda.current_device() == 0
        assert tg.ones(1).cuda().device == "cuda:1"
    with pytest.raises(ZeroDivisionError), cuda.device(1):
        raise ZeroDivisionError
    assert cuda.current_device() == 0


def test_each_thread_has_a_current_gpu(gpus):
    found = []

    def work():
        cuda.set_device(1)
        found.append(tg.zeros(1, device="cuda").device)

    thread = Thread(target=work)
    thread.start()
    thread.join()
    assert found == ["cuda:1"]
    assert cuda.current_device() == 0


def test_a_compiled_function_knows_the_current_gpu(gpus):
    make = tg.compile(lambda: tg.ones(2, device="cuda") * 2)
    assert [make().device, make().device] == ["cuda:0", "cuda:0"]
    with cuda.device(1):
        assert [make().device, make().device] == ["cuda:1", "cuda:1"]
    assert make().device == "cuda:0"
    with cuda.device(1):
        pass
    assert make().device == "cuda:0"
    assert make.cache_info().hits == 2  # after two captures on each GPU


def test_a_compiled_function_knows_the_current_gpu_of_its_thread(gpus):
    make, found = tg.compile(lambda: tg.ones(2, device="cuda") * 2), []

    def work():
        cuda.set_device(1)
        found.extend(make().device for _ in range(3))

    assert [make().device for _ in range(3)] == ["cuda:0"] * 3
    thread = Thread(target=work)
    thread.start()
    thread.join()
    assert found == ["cuda:1"] * 3
    assert make().device == "cuda:0"
    with cuda.device(1):
        assert make().device == "cuda:1"
    assert make.cache_info().hits == 4


def test_what_a_replay_cannot_repeat_raises(gpus):
    x = tg.ones(2, device="cuda")
    for call, words in {
        lambda: cuda.set_device(1): r"cuda.set_device\(\).*do it outside",
        lambda: cuda.memory_allocated(): r"memory_allocated\(\) reads numbers",
    }.items():
        with pytest.raises(tg.Error, match=words):
            tg.compile(lambda x, call=call: (x * 2, call())[0])(x)
    assert cuda.current_device() == 0


# ---------------------------------------------------------------- waiting, facts


def test_synchronize_waits_for_the_device_named(gpus):
    cuda.synchronize()
    cuda.synchronize(1)
    cuda.synchronize("cuda:1")
    with cuda.device(1):
        cuda.synchronize()
        cuda.synchronize(0)
    assert gpus.synchronized == [0, 1, 1, 1, 0]


def test_a_replay_waits_too(gpus):
    def call(x):
        y = x * 2
        cuda.synchronize(1)
        return y

    compiled, x = tg.compile(call), tg.ones(2, device="cuda:1")
    for _ in range(3):
        gpus.synchronized.clear()
        assert compiled(x).tolist() == [2, 2]
        assert gpus.synchronized == [1]


def test_names(gpus):
    assert cuda.get_device_name() == "Fake 0"
    assert cuda.get_device_name(1) == "Fake 1"
    with cuda.device(1):
        assert cuda.get_device_name() == "Fake 1"


def test_memory_is_that_of_one_gpu(gpus):
    def state(device):
        return cuda.memory_allocated(device), cuda.memory_reserved(device)

    cuda.set_device(0)
    cuda.empty_cache()
    first, second = state(0), state(1)
    x = tg.zeros(1000, device="cuda:1")
    assert cuda.memory_allocated(1) == second[0] + x.array.nbytes
    assert state("cuda") == state(None) == first
    free, total = cuda.mem_get_info(1)
    assert free == total - cuda.memory_reserved(1)
    del x
    assert cuda.memory_allocated(1) == second[0]
    assert cuda.memory_reserved(1) >= second[0] + 4000
    cuda.empty_cache()
    assert state(1) == (second[0], second[0])


@pytest.mark.gpu
def test_on_a_real_gpu():
    last = cuda.device_count() - 1
    with cuda.device(last):
        assert cuda.current_device() == last
        before = cuda.memory_allocated()
        x = tg.zeros(1 << 20, device="cuda")
        assert x.device == f"cuda:{last}"
        assert cuda.memory_allocated() == before + (4 << 20)
        assert cuda.memory_reserved() >= cuda.memory_allocated()
        cuda.synchronize()
        del x
        cuda.empty_cache()
        assert cuda.memory_allocated() == before
        free, total = cuda.mem_get_info()
        assert 0 < free <= total
        assert cuda.get_device_name()
