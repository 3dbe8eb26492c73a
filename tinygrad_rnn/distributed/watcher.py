"""The process that watches the ranks of a job: ``python watcher.py HOST RANKS TOKEN``.

Rank 0 starts it and passes on its port. Each rank connects, says the token and a label
on one line, and then how it ends: "left" and the number of calls that it has made with
the others, or "failed" where it has printed an error and ends all ranks. A rank that is
killed says nothing; the system closes its connection.

The watcher lives on when ranks are killed. It prints who was the first to die, and
reports to the ranks that are left.
"""

import selectors
import socket
import sys
from contextlib import suppress

PATIENCE = 60.0  # seconds for all ranks to connect


class Rank:
    """A rank, as the watcher sees it."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.label = ""
        self.received = b""
        self.has_ended = False  # it said how it ends, so that is no death

    def lines(self) -> list[str] | None:
        """Return the lines that have arrived; None at the end of the connection."""
        try:
            received = self.connection.recv(4096)
        except OSError:
            received = b""
        if not received:
            return None
        *lines, self.received = (self.received + received).split(b"\n")
        return [line.decode(errors="replace") for line in lines]

    def send(self, line: str) -> None:
        """Report something to it, if it is still there."""
        with suppress(OSError):
            self.connection.sendall(f"{line}\n".encode())


class Watcher:
    """Waits for what ranks say, and for their ends.

    Args:
        listener: The socket that ranks connect to.
        count: How many ranks there are.
        token: What each rank has to say first.
    """

    def __init__(self, listener: socket.socket, count: int, token: str) -> None:
        self.listener, self.count, self.token = listener, count, token
        self.selector = selectors.DefaultSelector()
        self.selector.register(listener, selectors.EVENT_READ)
        self.ranks: list[Rank] = []
        self.known = 0  # ranks that have said the token
        self.is_over = False  # the first death or failure has been reported

    def run(self) -> None:
        """Watch until all ranks are gone, or not all of them have come."""
        while self.ranks or self.known < self.count:
            wait = PATIENCE if self.known < self.count else None
            ready = self.selector.select(wait)
            if not ready:
                return
            for key, _ in ready:
                if key.fileobj is self.listener:
                    self._accept()
                else:
                    self._hear(key.data)

    def _accept(self) -> None:
        connection, _ = self.listener.accept()
        rank = Rank(connection)
        self.ranks.append(rank)
        self.selector.register(connection, selectors.EVENT_READ, rank)

    def _hear(self, rank: Rank) -> None:
        """Take in what a rank says."""
        lines = rank.lines()
        for line in lines or ():
            if rank.label:
                rank.has_ended = True
                self._report(line, rank)
            elif line.startswith(f"{self.token} "):
                rank.label = line.removeprefix(f"{self.token} ")
                self.known += 1
            else:
                lines = None  # a stranger
        if lines is None:
            self.selector.unregister(rank.connection)
            rank.connection.close()
            self.ranks.remove(rank)
            if rank.label and not rank.has_ended:
                self._report("died", rank)

    def _report(self, event: str, rank: Rank) -> None:
        """Pass on how a rank ended; print a death, if it is the first."""
        if self.is_over:
            return
        self.is_over = event in ("died", "failed")
        if event == "died":
            sys.stderr.write(f"{rank.label} died; all ranks end\n")
            sys.stderr.flush()
        for other in [other for other in self.ranks if other is not rank]:
            other.send(f"{event} {rank.label}")


def main(host: str, count: int, token: str) -> None:
    """Listen on a free port, print its number, and watch."""
    with socket.create_server((host, 0), backlog=count) as listener:
        print(listener.getsockname()[1], flush=True)
        Watcher(listener, count, token).run()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3])
