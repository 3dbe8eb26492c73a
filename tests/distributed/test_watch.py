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
    watch = Watch(here, "rank 1 of 2")
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
    there.sendall(b"left rank 0 of 2\n")
    assert not ended.wait(0.2)  # it has no need of that rank
    watch.enter("all_reduce")
    assert ended.wait(10)
    words = "rank 0 of 2 has left, which all_reduce waits for; rank 1 of 2 ends\n"
    assert capsys.readouterr().err == words


def test_it_does_not_end_while_calls_are_answered(rank):
    watch, there, ended = rank
    there.sendall(b"left rank 0 of 2\n")
    for _ in range(20):
        watch.enter("all_reduce")
        assert not ended.wait(0.01)
        watch.leave()


def test_it_says_how_it_ends(rank):
    watch, there, _ = rank
    watch.send("bye")
    assert there.recv(100) == b"bye\n"
    there.close()
    watch.send("left")  # nobody hears it, which is no error
    watch.send("left")


def test_one_rank_needs_no_watch():
    assert start_watch(Threads(Meeting(1), 0, 1)) is None


def test_ranks_find_the_watcher_of_rank_0():
    meeting, found = Meeting(2), [None] * 2

    def run(number):
        found[number] = start_watch(Threads(meeting, number, 2))

    threads = [threading.Thread(target=run, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number, watch in enumerate(found):
        assert watch.label.startswith(f"rank {number} of 2 (process {os.getpid()} on ")
        watch.send("bye")
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
        assert start_watch(comm) is None
