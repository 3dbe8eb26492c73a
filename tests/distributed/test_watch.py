"""A rank's side of the watch, with the watcher as a process of its own."""

import os
import socket
import threading

import pytest
from distributed.threads import Meeting, Threads

from tinygrad_rnn.distributed import watch as watch_module
from tinygrad_rnn.distributed.watch import Watch, start_watch


@pytest.fixture()
def rank(monkeypatch):
    """A watch whose watcher is the test: the watch, the other end, what has ended."""
    ended = threading.Event()

    def end(code):
        assert code == 1
        ended.set()

    monkeypatch.setattr(watch_module, "LAUNCHER", 0.01)
    monkeypatch.setattr(watch_module, "ANSWER", 0.05)
    monkeypatch.setattr(os, "_exit", end)
    here, there = socket.socketpair()
    watch = Watch(here, "rank 1 of 2", timeout=9.0)
    yield watch, there, ended
    watch.leave()
    watch.close()
    there.close()


@pytest.mark.parametrize("event", ["died", "failed"])
def test_it_ends_after_another_rank(rank, event, capsys):
    _, there, ended = rank
    there.sendall(f"{event} rank 0 of 2\n".encode())
    assert ended.wait(10)
    assert capsys.readouterr().err == "rank 0 of 2 is gone; rank 1 of 2 ends\n"
    assert there.recv(100) == b"failed\n"


def test_it_ends_if_it_waits_for_one_that_left(rank, capsys):
    watch, there, ended = rank
    there.sendall(b"left 1 rank 0 of 2\n")
    watch.enter("all_reduce")  # the call that the other one made, too
    assert not ended.wait(0.2)
    watch.leave()
    assert not ended.wait(0.2)  # it has no need of that rank
    watch.enter("backward")
    assert ended.wait(10)
    words = "rank 0 of 2 has left, which backward waits for; rank 1 of 2 ends\n"
    assert capsys.readouterr().err == words


def test_it_waits_for_the_one_that_made_the_fewest_calls(rank, capsys):
    watch, there, ended = rank
    there.sendall(b"left 3 rank 2 of 3\nleft 0 rank 0 of 3\nleft 2 rank 1 of 3\n")
    watch.enter("all_reduce")
    assert ended.wait(10)
    assert capsys.readouterr().err.startswith("rank 0 of 3 has left, which all_reduce")


def test_it_does_not_end_while_calls_are_answered(rank):
    watch, there, ended = rank
    there.sendall(b"left 0 rank 0 of 2\n")
    for _ in range(20):
        watch.enter("all_reduce")
        assert not ended.wait(0.01)
        watch.leave()


@pytest.mark.parametrize("connected", [True, False])
def test_it_ends_after_the_timeout_of_one_call(rank, connected, capsys):
    _, _, ended = rank
    here, there = socket.socketpair()
    watch = Watch(here if connected else None, "rank 3 of 4", timeout=0.1)
    for _ in range(40):
        watch.enter("all_reduce")
        assert not ended.wait(0.01)
        watch.leave()
    assert not ended.wait(0.3)  # it computes
    watch.enter("barrier")
    assert ended.wait(10)
    words = "barrier has waited for another rank for 0.1 s, the timeout of init_process"
    assert capsys.readouterr().err == f"{words}_group; rank 3 of 4 ends\n"
    for opened in (watch, here, there):
        opened.close()


def test_it_says_how_it_ends(rank):
    watch, there, _ = rank
    watch.enter("barrier")
    watch.leave()
    watch.say_goodbye()
    assert there.recv(100) == b"left 1\n"
    there.close()
    watch.send("failed")  # nobody hears it, which is no error
    watch.send("failed")


def test_one_rank_needs_no_watch():
    assert start_watch(Threads(Meeting(1), 0, 1), 9.0) is None


def test_ranks_find_the_watcher_of_rank_0():
    meeting, found = Meeting(2), [None] * 2

    def run(number):
        found[number] = start_watch(Threads(meeting, number, 2), 9.0)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number, watch in enumerate(found):
        assert watch.label.startswith(f"rank {number} of 2 (process {os.getpid()} on ")
        watch.say_goodbye()
        watch.close()


def test_a_rank_that_cannot_reach_it_says_so(monkeypatch):
    monkeypatch.setattr(watch_module, "_start_watcher", lambda host, count: (9, "x"))

    def refuse(address, timeout):
        raise ConnectionRefusedError("refused")

    monkeypatch.setattr(socket, "create_connection", refuse)
    comm = Threads(Meeting(1), 0, 1)
    comm.size = 2
    monkeypatch.setattr(comm, "all_gather_object", lambda obj: [obj, obj])
    with pytest.warns(UserWarning, match="cannot connect to the watcher at 127.0.0.1"):
        watch = start_watch(comm, 9.0)
    watch.say_goodbye()  # to nobody
    watch.close()
