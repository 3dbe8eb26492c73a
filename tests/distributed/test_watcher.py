"""The watcher: what it reports of ranks that end, to whom, and once."""

import socket
import threading
import time

import pytest

from tinygrad_rnn.distributed import watcher as watcher_module
from tinygrad_rnn.distributed.watcher import Watcher

TOKEN = "secret"


class Client:
    """A rank's connection."""

    def __init__(self, port, number, token=TOKEN):
        self.label = f"rank {number}"
        self.socket = socket.create_connection(("127.0.0.1", port), 10)
        self.say(f"{token} {self.label}")
        self.reports = self.socket.makefile(encoding="utf-8")

    def say(self, line):
        self.socket.sendall(f"{line}\n".encode())

    def die(self):
        self.reports.close()
        self.socket.close()


@pytest.fixture()
def watched():
    """A function that starts a watcher, and connects as many ranks."""
    threads, listeners, clients = [], [], []

    def start(count, strangers=0):
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)
        watcher = Watcher(listener, count, TOKEN)
        thread = threading.Thread(target=watcher.run)
        threads.append(thread)
        thread.start()
        port = listener.getsockname()[1]
        lost = [Client(port, 99, "wrong") for _ in range(strangers)]
        clients.extend(Client(port, number) for number in range(count))
        for stranger in lost:
            assert stranger.reports.readline() == ""  # turned away
            stranger.die()
        while watcher.known < count:
            time.sleep(0.001)
        return clients

    yield start
    for client in clients:
        client.die()
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()
    for listener in listeners:
        listener.close()


def test_the_first_death_is_printed_and_reported(watched, capsys):
    a, b, c = watched(3)
    b.die()
    assert a.reports.readline() == "died rank 1\n"
    assert c.reports.readline() == "died rank 1\n"
    c.die()  # killed by the launcher, as the job is over
    a.say("left 3")
    a.socket.shutdown(socket.SHUT_WR)
    assert a.reports.read() == ""
    assert capsys.readouterr().err == "rank 1 died; all ranks end\n"


def test_a_failure_is_reported_but_was_printed_by_the_rank(watched, capsys):
    a, b = watched(2)
    b.say("failed")
    assert a.reports.readline() == "failed rank 1\n"
    b.die()
    a.socket.shutdown(socket.SHUT_WR)
    assert a.reports.read() == ""
    assert capsys.readouterr().err == ""


def test_one_that_left_is_reported_and_its_end_is_no_death(watched, capsys):
    a, b, c = watched(3)
    b.say("left 7")
    assert a.reports.readline() == c.reports.readline() == "left 7 rank 1\n"
    b.die()
    c.die()
    assert a.reports.readline() == "died rank 2\n"
    a.socket.shutdown(socket.SHUT_WR)
    assert a.reports.read() == ""
    assert capsys.readouterr().err.startswith("rank 2 died; all ranks end\n")


def test_those_who_say_goodbye_are_not_missed(watched, capsys):
    a, b = watched(2, strangers=1)
    b.say("left 3")
    b.die()
    a.say("left 3")
    a.socket.shutdown(socket.SHUT_WR)
    assert a.reports.read() == "left 3 rank 1\n"
    assert capsys.readouterr().err == ""


def test_it_does_not_wait_for_ever_for_ranks_that_never_come(monkeypatch):
    monkeypatch.setattr(watcher_module, "PATIENCE", 0.01)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        watcher = Watcher(listener, 2, TOKEN)
        watcher.run()
    assert (watcher.known, watcher.is_over) == (0, False)
