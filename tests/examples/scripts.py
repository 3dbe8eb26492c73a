"""Runs the examples as a user does, or as modules where a process would be slow."""

import importlib.util
import io
import json
import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

EXAMPLES = Path(__file__).parents[2] / "examples"


def command(script, *arguments):
    return [sys.executable, str(EXAMPLES / script), *map(str, arguments)]


def environment(**more):
    # One thread, as the models are tiny and other tests may run on the other cores.
    return os.environ | {"OPENBLAS_NUM_THREADS": "1", "PYTHONUTF8": "1"} | more


def run(script, *arguments, **more):
    """Run a script; return the finished process."""
    return subprocess.run(
        command(script, *arguments),
        capture_output=True,
        encoding="utf-8",
        env=environment(**more),
        timeout=120,
    )


def module(script):
    spec = importlib.util.spec_from_file_location(
        Path(script).stem + "_example", EXAMPLES / script
    )
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


def _text_file():
    return io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)


def json_of(main, *arguments):
    """Run ``main`` with --json.

    Return the objects of its lines, and what it prints beside them.
    """
    with (
        redirect_stdout(_text_file()) as stdout,
        redirect_stderr(_text_file()) as stderr,
    ):
        main([*map(str, arguments), "--json"])
    lines, said = (file.buffer.getvalue().decode() for file in (stdout, stderr))
    return [json.loads(line) for line in lines.splitlines()], said
