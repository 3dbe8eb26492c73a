"""Run a command within some seconds, and keep what it printed."""

import os
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).parents[2]


def run(command, seconds):
    """Return the exit status, None if time ran out, and what was printed.

    The command and all that it has started are ended when the time is over.
    """
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as file:
        process = subprocess.Popen(
            list(map(str, command)),
            cwd=ROOT,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            status = process.wait(seconds)
        except subprocess.TimeoutExpired:
            status = None
        finally:
            end_group(process)
        file.seek(0)
        return status, file.read()


def end_group(process):
    """End a process that leads a group, with all that is left of the group."""
    with suppress(ProcessLookupError):  # all have ended
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def last_lines(text, count=5):
    return "\n".join(text.strip().splitlines()[-count:])


def python(*args):
    return [sys.executable, *args]
