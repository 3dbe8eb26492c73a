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
from typing import Any

from ..engine.warned import warn_user
from .communicator import Communicator

CONNECTING = 10.0  # seconds to reach the watcher
LAUNCHER = 3.0  # seconds that the launcher has to end this rank when another has died
ANSWER = 2.0  # seconds in which a call of all ranks ends if nobody is missing


class Watch:
    """Says how this rank ends, and ends it if it waits for one that is gone.

    Args:
        connection: The connection to the watcher.
        label: What this rank is called in messages.
    """

    def __init__(self, connection: socket.socket, label: str) -> None:
        self.connection, self.label = connection, label
        self.call = ""  # that this rank is waiting in
        self.since = 0.0
        threading.Thread(target=self._listen, daemon=True).start()

    def enter(self, name: str) -> None:
        """Remember that this rank waits for the others."""
        self.since = time.monotonic()
        self.call = name

    def leave(self) -> None:
        """Remember that it no longer does."""
        self.call = ""

    def send(self, event: str) -> None:
        """Say how this rank ends."""
        with suppress(OSError):  # the watcher may be gone
            self.connection.sendall(f"{event}\n".encode())

    def close(self) -> None:
        """End the connection."""
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)
        self.connection.close()

    def _listen(self) -> None:
        """Hear what the watcher reports, until the connection ends."""
        try:
            with self.connection.makefile(encoding="utf-8") as reports:
                for report in reports:
                    event, _, label = report.rstrip("\n").partition(" ")
                    react = self._wait_in_vain if event == "left" else self._follow
                    threading.Thread(target=react, args=(label,), daemon=True).start()
        except (OSError, ValueError):  # closed by this rank
            pass

    def _follow(self, label: str) -> None:
        """End after another rank, unless the launcher was quicker."""
        time.sleep(LAUNCHER)
        self._end(f"{label} is gone")

    def _wait_in_vain(self, label: str) -> None:
        """End if this rank waits for one that left."""
        while True:
            time.sleep(ANSWER / 10)
            call, since = self.call, self.since
            if call and time.monotonic() - since > ANSWER:
                return self._end(f"{label} has left, which {call} waits for")

    def _end(self, why: str) -> None:
        print(f"{why}; {self.label} ends", file=sys.stderr, flush=True)
        self.send("failed")
        os._exit(1)


def start_watch(communicator: Communicator) -> Watch | None:
    """Start the watcher, on rank 0, and connect to it; None if there is one rank only.

    If a rank cannot reach it, as where machines forbid it, that rank goes unwatched.
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
        return None
    connection.settimeout(None)
    watch = Watch(connection, label)
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
