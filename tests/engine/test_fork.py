"""A process with threads forks: the child draws, trains and looks for anomalies like
any other.
"""

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")

BEGIN = """
import faulthandler, os, signal, threading, warnings
import numpy as np
import tinygrad_rnn as tg
from tinygrad_rnn import nn, optim
from tinygrad_rnn.backend import threads
from tinygrad_rnn.engine.seam import observers
from tinygrad_rnn.random import default_generator, numpy_generator

warnings.simplefilter("ignore")  # Python warns of forks among threads
# A guard against hanging: where every thread stands, and the end.
faulthandler.register(signal.SIGALRM, chain=True)
signal.alarm(300)

def forked(child):
    "What a child printed, and how it ended."
    read, write = os.pipe()
    if pid := os.fork():
        os.close(write)
        with os.fdopen(read) as file:
            said = file.read()
        return said, os.waitpid(pid, 0)[1]
    signal.alarm(60)
    code = 1
    try:
        os.write(write, str(child()).encode())
        code = 0
    finally:
        os._exit(code)

own, go, ready = tg.Generator().manual_seed(3), threading.Event(), []

def hold(*blocks):
    "A thread that is inside of these until the end."
    begun = threading.Event()
    def run():
        from contextlib import ExitStack
        with ExitStack() as stack:
            for block in blocks:
                stack.enter_context(block)
            begun.set()
            go.wait()
    thread = threading.Thread(target=run)
    thread.start()
    begun.wait()
    ready.append(thread)

def finish():
    go.set()
    for thread in ready:
        thread.join()
"""


def run(code):
    done = subprocess.run(
        [sys.executable, "-c", BEGIN + code], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_hundred_forks_of_a_process_with_threads():
    """Every lock that the package knows is held by some thread, and one draws all the
    time.
    """
    code = """
def draw():
    while not go.wait(0.0005):
        tg.randn(500)
        tg.randn(500, generator=own)

def child():
    draws = [tg.randn(5), tg.randn(5, generator=own), tg.rand(2)]
    finite = all(np.isfinite(x.numpy()).all() for x in draws)
    layer = nn.GRU(3, 4)
    optimizer = optim.Adam(layer.parameters())
    layer(tg.randn(5, 2, 3))[0].sum().backward()
    optimizer.step()
    plain = not observers
    with tg.autograd.detect_anomaly():
        checked = len(observers)
        (tg.ones(2) * 2.0).sum()
    slices = threads.run_each(lambda part: part * part, range(3)) == [0, 1, 4]
    return finite, plain, checked, slices, tg.is_grad_enabled()

child()  # what is imported late is imported once
for generator in (None, own):
    hold(numpy_generator("test", generator).bit_generator.lock)
hold(tg.autograd.detect_anomaly())
hold(threads.one_thread(), threads._lock, tg.no_grad())
counted = {}
for _ in range(50):
    found = forked(child)
    counted[found] = counted.get(found, 0) + 1
finish()
go.clear()
thread = threading.Thread(target=draw)
thread.start()
for _ in range(50):
    found = forked(child)
    counted[found] = counted.get(found, 0) + 1
go.set()
thread.join()
print(counted)
"""
    assert run(code) == "{('(True, True, 1, True, True)', 0): 100}\n"


def test_a_child_goes_on_from_the_state_of_each_generator():
    """Of copies too; what the child draws is what the parent draws next."""
    code = """
import copy, pickle
kept = [own, default_generator, copy.deepcopy(own), pickle.loads(pickle.dumps(own))]
kept[0].manual_seed(5); tg.rand(3, generator=kept[0])
tg.randint(9, (1,), generator=kept[2])
for generator in kept:
    hold(generator.numpy.bit_generator.lock)
said, code = forked(lambda: [tg.rand(2, generator=g).tolist() for g in kept])
finish()
print(code, said == str([tg.rand(2, generator=g).tolist() for g in kept]))
"""
    assert run(code) == "0 True\n"


def test_a_child_keeps_the_anomaly_detection_of_its_own_thread_alone():
    code = """
hold(tg.autograd.detect_anomaly())
def child():
    try:
        (tg.zeros(1) / 0.0).sum()
        return "plain"
    except tg.Error:
        return "checked"
outside = forked(child)
with tg.autograd.detect_anomaly():
    inside = forked(child)
finish()
print(outside, inside, forked(child), observers)
"""
    assert run(code) == "('plain', 0) ('checked', 0) ('plain', 0) []\n"


def test_a_child_keeps_the_mode_of_the_thread_that_forked():
    code = """
hold(tg.no_grad())
shared = tg.no_grad()
hold(shared)
outside = forked(tg.is_grad_enabled)
def child():
    before = tg.is_grad_enabled()
    with tg.enable_grad(), shared:
        return before, tg.is_grad_enabled()
with shared:
    inside = forked(child)
finish()
print(outside, inside)
"""
    assert run(code) == "('True', 0) ('(False, False)', 0)\n"


@pytest.mark.skipif(
    sys.version_info >= (3, 12), reason="cached_property has no lock any more"
)
def test_nothing_is_computed_behind_the_lock_of_a_cached_property():
    """Python 3.11 holds one lock for all instances while one of them computes."""
    code = """
import functools, pkgutil, importlib
found = []
for info in pkgutil.walk_packages(tg.__path__, "tinygrad_rnn."):
    if not info.name.endswith("cupy"):
        for value in vars(importlib.import_module(info.name)).values():
            if isinstance(value, type) and value.__module__.startswith("tinygrad_rnn"):
                found += [v for v in vars(value).values()
                          if isinstance(v, functools.cached_property)]
print(found)
"""
    assert run(code) == "[]\n"


def test_a_child_draws_though_another_thread_was_importing_numpy_random():
    """NumPy's generators are imported by the first draw, whose lock a child would find
    taken.
    """
    code = (
        "import os, signal, sys, threading, warnings\n"
        "import tinygrad_rnn as tg\n"
        "warnings.simplefilter('ignore')  # Python warns of forks among threads\n"
        "thread = threading.Thread(target=lambda: tg.rand(3)); thread.start()\n"
        "while 'numpy.random' not in sys.modules: pass\n"
        "if pid := os.fork():\n"
        "    thread.join(); sys.exit(os.waitpid(pid, 0)[1])\n"
        "signal.alarm(60); tg.rand(3); os._exit(0)\n"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=300).returncode == 0
