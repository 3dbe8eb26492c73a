"""The process group: how it begins, ends, and takes all ranks along."""

import atexit
import sys
from datetime import timedelta
from types import SimpleNamespace

import pytest
from distributed import fake_mpi
from distributed.threads import Meeting, Threads

import tinygrad_rnn as tg
from tinygrad_rnn.distributed import group as group_module

dist = tg.distributed


@pytest.fixture()
def alone(monkeypatch):
    """mpi4py with one rank, and no group yet."""
    monkeypatch.setattr(group_module, "state", SimpleNamespace(group=None))
    return fake_mpi.install(monkeypatch)


def test_a_group_begins_and_ends(alone):
    assert dist.is_available()
    assert dist.is_mpi_available()
    assert not dist.is_initialized()
    hook = sys.excepthook
    dist.init_process_group()
    assert dist.is_initialized()
    assert (dist.get_rank(), dist.get_world_size()) == (0, 1)
    assert dist.get_backend() == "mpi"
    dist.barrier()
    with pytest.raises(tg.errors.OptionError, match="belongs to a group already"):
        dist.init_process_group("mpi")
    dist.destroy_process_group()
    assert not dist.is_initialized()
    assert sys.excepthook is hook  # a rank that is alone takes nobody along
    dist.init_process_group("mpi")
    dist.destroy_process_group()


@pytest.mark.parametrize(
    "call",
    [
        dist.get_rank,
        dist.get_world_size,
        dist.get_backend,
        dist.barrier,
        dist.destroy_process_group,
    ],
)
def test_without_a_group_it_says_so(call):
    words = rf"{call.__name__}: there is no process group; call tg.distributed.init"
    with pytest.raises(tg.errors.OptionError, match=words):
        call()


def test_without_mpi4py_it_says_which_extra_to_install(monkeypatch):
    monkeypatch.setattr(group_module, "find_spec", lambda name: None)
    assert not dist.is_available()
    assert not dist.is_nccl_available()
    for backend in (None, "mpi", "nccl"):
        with pytest.raises(tg.errors.OptionError, match=r"'tinygrad_rnn\[mpi\]'"):
            dist.init_process_group(backend)
    assert not dist.is_initialized()


@pytest.mark.parametrize(
    ("timeout", "words"),
    [
        (30, "timeout is int, expected a datetime.timedelta, such as"),
        (timedelta(0), "timeout is 0:00:00, expected a positive one"),
    ],
)
def test_a_wrong_timeout_begins_no_group(alone, timeout, words):
    with pytest.raises(tg.Error, match=words):
        dist.init_process_group("mpi", timeout=timeout)
    assert not dist.is_initialized()


@pytest.mark.parametrize(
    ("timeout", "seconds"), [(None, 1800.0), (timedelta(days=1, seconds=0.5), 86400.5)]
)
def test_the_watch_gets_the_timeout(alone, monkeypatch, timeout, seconds):
    found = []
    monkeypatch.setattr(group_module, "start_watch", lambda *given: found.append(given))
    dist.init_process_group("mpi", timeout=timeout)
    dist.destroy_process_group()
    assert [limit for _, limit in found] == [seconds]


class FakeWatch:
    label = "rank 1 of 2 (process 7 on here)"

    def __init__(self):
        self.events = []

    def enter(self, name):
        self.events.append(f"enter {name}")

    def leave(self):
        self.events.append("leave")

    def send(self, event):
        self.events.append(event)

    def say_goodbye(self):
        self.events.append("goodbye")

    def close(self):
        self.events.append("close")


@pytest.fixture()
def watched(monkeypatch):
    """A group of two, of which this is rank 1, that ends together."""
    monkeypatch.setattr(group_module, "state", SimpleNamespace(group=None))
    shown = []
    monkeypatch.setattr(sys, "excepthook", lambda *error: shown.append(error))
    monkeypatch.setattr(group_module, "FORWARDING", 0.0)
    group = group_module.ProcessGroup(Threads(Meeting(2), 1, 2), FakeWatch())
    group_module.state.group = group
    group_module._end_together(group)
    yield group, shown
    atexit.unregister(group_module._leave)


def raised():
    try:
        raise RuntimeError("no more\nmemory")
    except RuntimeError as error:
        return type(error), error, error.__traceback__


def test_an_error_that_nobody_catches_ends_all_ranks(watched, capsys):
    group, shown = watched
    error = raised()
    sys.excepthook(*error)
    assert shown == [error]  # the traceback comes first
    words = f"{FakeWatch.label} failed (RuntimeError: no more); all ranks end\n"
    assert capsys.readouterr().err == words
    assert group.watch.events == ["failed"]
    assert group.communicator.is_aborted


def test_what_it_prints_is_forwarded_before_all_ranks_end(watched, monkeypatch, capsys):
    group, _ = watched
    waits = []

    def sleep(seconds):
        waits.append(seconds)
        assert "failed (RuntimeError" in capsys.readouterr().err
        assert not group.watch.events and not group.communicator.is_aborted

    monkeypatch.setattr(group_module, "FORWARDING", 7.0)
    monkeypatch.setattr(group_module.time, "sleep", sleep)
    sys.excepthook(*raised())
    assert waits == [7.0]
    assert group.communicator.is_aborted


def test_after_the_group_an_error_is_like_any_other(watched, capsys):
    group, shown = watched
    dist.destroy_process_group()
    assert group.watch.events == ["goodbye", "close"]
    sys.excepthook(*raised())
    group_module._leave()
    assert len(shown) == 1
    assert capsys.readouterr().err == ""
    assert group.watch.events == ["goodbye", "close"]
    assert not group.communicator.is_aborted


def test_a_program_that_ends_too_early_says_so(watched):
    group, _ = watched
    group_module._leave()
    assert group.watch.events == ["goodbye"]


def test_the_watch_knows_what_a_rank_waits_in(watched):
    group, _ = watched
    with pytest.raises(KeyError), group.waiting("barrier") as communicator:
        assert communicator is group.communicator
        assert group.watch.events == ["enter barrier"]
        raise KeyError
    assert group.watch.events == ["enter barrier", "leave"]
