"""Compile CUDA sources for this CPU with g++, and launch their kernels: emulator.h."""

import ctypes
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

HEADER = Path(__file__).with_name("emulator.h")
COMPILER = shutil.which("g++")
needs_compiler = pytest.mark.skipif(
    COMPILER is None, reason="the emulator of CUDA needs g++, which is not installed"
)
# What is built is kept for the next run, which then needs no compiler's time.
FOLDER = Path(tempfile.gettempdir()) / f"tinygrad_rnn-emulator-{os.getuid()}"
ORDERS = {"forwards": 0, "backwards": 1, "shuffled": 2}

KERNEL = re.compile(
    r'extern "C" __global__ void (?:CLUSTER )?(?:__launch_bounds__\([^)]*\) )?'
    r"(\w+)\((.*?)\)\s*\{",
    re.DOTALL,
)


class Error(AssertionError):
    """What the emulator found wrong in a launch."""


class Parameter(NamedTuple):
    """A parameter of a kernel: its role is In, Out or InOut, or "" for a number."""

    role: str
    type: str
    name: str


def kernels_of(source):
    """Return the parameters of each kernel of a source, by name."""
    found = {}
    for name, text in KERNEL.findall(re.sub(r"//[^\n]*", "", source)):
        parameters = []
        for part in text.split(","):
            match = re.fullmatch(r"\s*(?:(In|Out|InOut)<(\w+)>|(.+?)) (\w+)\s*", part)
            role, pointed, number, own_name = match.groups("")
            parameters.append(Parameter(role, pointed or number, own_name))
        found[name] = parameters
    return found


@cache
def build(source, options=(), flags=("-Og",)):
    """Return a library with the kernels of a source, as ctypes loads it.

    Most of the time of these tests is g++'s: with -Og and the small headers of C++14
    it takes half of what -O1 and C++17 take, and kernels run nearly as fast.
    """
    text = '#include "emulator.h"\n#line 1 "kernels.cu"\n' + source
    text += "".join(f"\nEMULATE({name})" for name in kernels_of(source))
    command = [
        COMPILER,
        *("-std=c++14", "-shared", "-fPIC", "-w", *flags),
        *(option for option in options if option.startswith("-D")),
        f"-I{HEADER.parent}",
    ]
    parts = (text, HEADER.read_text(encoding="utf-8"), *command)
    path = FOLDER / hashlib.sha256("\n".join(parts).encode()).hexdigest()[:24]
    if not path.exists():
        FOLDER.mkdir(mode=0o700, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=FOLDER) as name:
            code, library = Path(name, "kernels.cpp"), Path(name, "kernels.so")
            code.write_text(text, encoding="utf-8")
            done = subprocess.run(
                [*command, str(code), "-o", str(library)],
                capture_output=True,
                text=True,
            )
            assert done.returncode == 0, done.stderr[:4000]
            library.replace(path)  # whole or not at all
    library = ctypes.CDLL(str(path))
    library.failure.restype = ctypes.c_char_p
    library.hand_over.argtypes = [
        ctypes.c_void_p,
        ctypes.c_longlong,
        ctypes.c_char_p,
        ctypes.c_int,
        ctypes.c_int,
    ]
    return library


def launch(
    library,
    name,
    grid,
    threads,
    shared,
    args,
    *,
    ranks=1,
    together=False,
    order="forwards",
    seed=1,
):
    """Launch a kernel on ``args``, pairs of a Parameter and an array, None or number.

    Raises:
        Error: The emulator found something wrong.
    """
    library.forget_memory()
    values, pointers = [], []
    for parameter, given in args:
        value = given
        if isinstance(given, np.ndarray):
            assert given.flags.c_contiguous, parameter.name
            is_result = parameter.role == "Out"
            if given.size:
                library.hand_over(
                    given.ctypes.data,
                    given.nbytes,
                    parameter.name.encode(),
                    not is_result,
                    is_result,
                )
            value = ctypes.c_void_p(given.ctypes.data if given.size else 0)
        elif given is None:
            value = ctypes.c_void_p(0)
        values.append(value)
        pointers.append(ctypes.addressof(value))
    array = (ctypes.c_void_p * len(pointers))(*pointers)
    x, y = (*grid, 1)[:2]
    settings = (int(together), ORDERS[order], seed)
    if getattr(library, f"launch_{name}")(
        x, y, threads, shared, ranks, *settings, array
    ):
        raise Error(f"{name}: {library.failure().decode()}")
