"""A rank's side of the watch: what it says of itself, and hears of the others."""

import os
import secrets
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from ..engine.warned import warn_user
from .communicator import Communicator

CONNECTING = 10.0  # seconds to reach the watcher
LAUNCHER = 3.0  # seconds that the launcher has to end this rank when another has died
ANSWER = 2.0  # seconds to wait for a rank that left; another may have died by then


class Gone(NamedTuple):
    """A rank that left the group, and how many calls it had made by then."""

    label: str
    calls: int


class Watch:
    """Says how this rank ends, and ends it if it waits in vain.

    Args:
        connection: The connection to the watcher; None if it cannot be reached.
        label: What this rank is called in messages.
        timeout: How many seconds it waits in one call.
    """

    def __init__(
        self, connection: socket.socket | None, label: str, timeout: float
    ) -> None:
        self.connection, self.label, self.timeout = connection, label, timeout
        self.call = ""  # that this rank is waiting in
        self.calls = 0  # how many it has begun; all ranks make the same calls
        self.gone: Gone | None = None  # of those, the rank that made the fewest
        self.is_closed = False
        threading.Thread(target=self._check, daemon=True).start()
        if connection is not None:
            threading.Thread(
                target=self._listen, args=(connection,), daemon=True
            ).start()

    def enter(self, name: str) -> None:
        """Remember that this rank waits for the others."""
        self.calls += 1
        self.call = name

    def leave(self) -> None:
        """Remember that it no longer does."""
        self.call = ""

    def send(self, event: str) -> None:
        """Say how this rank ends."""
        if self.connection is not None:
            with suppress(OSError):  # the watcher may be gone
                self.connection.sendall(f"{event}\n".encode())

    def say_goodbye(self) -> None:
        """Say that this rank leaves the group, and after which call."""
        self.send(f"left {self.calls}")

    def close(self) -> None:
        """End the connection."""
        self.is_closed = True
        if self.connection is not None:
            with suppress(OSError):
                self.connection.shutdown(socket.SHUT_RDWR)
            self.connection.close()

    def _listen(self, connection: socket.socket) -> None:
        """Hear what the watcher reports, until the connection ends."""
        try:
            with connection.makefile(encoding="utf-8") as reports:
                for report in reports:
                    event, _, rest = report.rstrip("\n").partition(" ")
                    if event == "left":
                        calls, _, label = rest.partition(" ")
                        found = Gone(label, int(calls))
                        if self.gone is None or found.calls < self.gone.calls:
                            self.gone = found
                    else:
                        return self._follow(rest)
        except (OSError, ValueError):  # closed by this rank
            pass

    def _follow(self, label: str) -> None:
        """End after another rank, unless the launcher was quicker."""
        time.sleep(LAUNCHER)
        if not self.is_closed:
            self._end(f"{label} is gone")

    def _check(self) -> None:
        """End if this rank waits for one that left, or for longer than it may.

        The time is that of its own ticks: clocks go on while a job is stopped.
        """
        waited, calls, tick = 0.0, 0, ANSWER / 10
        while not self.is_closed:
            time.sleep(tick)
            call, gone = self.call, self.gone
            waited = waited + tick if call and self.calls == calls else 0.0
            calls = self.calls
            if gone and calls > gone.calls and waited > ANSWER:
                return self._end(f"{gone.label} has left, which {call} waits for")
            if waited > self.timeout:
                limit = f"{self.timeout:g} s, the timeout of init_process_group"
                return self._end(f"{call} has waited for another rank for {limit}")

    def _end(self, why: str) -> None:
        say(f"{why}; {self.label} ends")
        self.send("failed")
        os._exit(1)


def say(line: str) -> None:
    """Print a line on the standard error, at once, so that no other rank cuts it."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def start_watch(communicator: Communicator, timeout: float) -> Watch | None:
    """Start the watcher, on rank 0, and connect to it; None if there is one rank only.

    If a rank cannot reach it, as where machines forbid it, only its timeout is watched.
    """
    if communicator.size == 1:
        return None
    host = socket.gethostname()
    hosts = communicator.all_gather_object(host)
    where = "127.0.0.1" if len(set(hosts)) == 1 else ""
    found = (host, 0, "")
    if communicator.rank == 0:
        found = (where or host, *_start_watcher(where, communicator.size))
    address: Any = communicator.all_gather_object(found)[0]
    process = f"process {os.getpid()} on {host}"
    label = f"rank {communicator.rank} of {communicator.size} ({process})"
    try:
        connection = socket.create_connection(address[:2], CONNECTING)
    except OSError as error:
        warn_user(
            f"init_process_group: {label} cannot connect to the watcher at "
            f"{address[0]}:{address[1]} ({error}); if another rank dies, it ends only "
            "if the launcher ends it"
        )
        return Watch(None, label, timeout)
    connection.settimeout(None)
    watch = Watch(connection, label, timeout)
    watch.send(f"{address[2]} {label}")
    return watch


def _start_watcher(host: str, count: int) -> tuple[int, str]:
    """Start the watcher in a session of its own, and return its port and token."""
    token = secrets.token_hex(16)
    script = str(Path(__file__).with_name("watcher.py"))
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", script, host, str(count), token],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        start_new_session=True,  # launchers kill the group of a rank
    )
    assert process.stdout is not None
    with process.stdout as output:
        port = int(output.readline())
    # It outlives this process on purpose, so nobody waits for it.
    process.returncode = 0
    return port, token
