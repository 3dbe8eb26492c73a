"""NVIDIA's compilers, which need no GPU: NVRTC from its wheel, and nvcc."""

import ctypes
import importlib.util
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

NVCC = shutil.which("nvcc")


def find_nvrtc():
    """Return the path of NVRTC's library; None if its wheel is not installed."""
    spec = importlib.util.find_spec("nvidia")
    for folder in (spec and spec.submodule_search_locations) or ():
        found = sorted(Path(folder).rglob("libnvrtc.so.*"))
        if found := [path for path in found if "alt" not in path.name]:
            return found[0]
    return None


needs_nvrtc = pytest.mark.skipif(
    find_nvrtc() is None,
    reason="compiling for GPUs needs nvidia-cuda-nvrtc, the extra cuda-test",
)
needs_nvcc = pytest.mark.skipif(NVCC is None, reason="there is no nvcc")


class Usage(NamedTuple):
    """What a kernel takes of a multiprocessor, by the compiler's report."""

    registers: int  # of a thread
    spilled: int  # bytes of local memory of a thread
    shared: int  # bytes of a block, without what the launch asks for


# ptxas reports on a kernel in several lines, of which these are of interest.
REPORT = re.compile(
    r"Compiling entry function '(?P<name>\w+)'.*?"
    r"(?P<stack>\d+) bytes stack frame, (?P<stores>\d+) bytes spill stores, "
    r"(?P<loads>\d+) bytes spill loads.*?"
    r"Used (?P<registers>\d+) registers(?:.*?(?P<shared>\d+) bytes smem)?[^\n]*",
    re.DOTALL,
)


def read_report(log):
    """Return the usage of each kernel from what ptxas prints."""
    found = {}
    for part in log.split("Compiling entry")[1:]:
        match = REPORT.match("Compiling entry" + part)
        numbers = {k: int(v or 0) for k, v in match.groupdict().items() if k != "name"}
        spilled = max(numbers["stack"], numbers["stores"], numbers["loads"])
        found[match["name"]] = Usage(numbers["registers"], spilled, numbers["shared"])
    return found


@cache
def _load_nvrtc():
    return ctypes.CDLL(str(find_nvrtc()))


def compile_by_nvrtc(code, options, architecture):
    """Compile to machine code; return the usage of each kernel, and the code."""
    library, program = _load_nvrtc(), ctypes.c_void_p()
    every = (f"-arch={architecture}", "--ptxas-options=-v", *options)
    given = (ctypes.c_char_p * len(every))(*(text.encode() for text in every))
    name = b"kernels.cu"
    library.nvrtcCreateProgram(
        ctypes.byref(program), code.encode(), name, 0, None, None
    )
    try:
        failed = library.nvrtcCompileProgram(program, len(every), given)
        log = _get(library.nvrtcGetProgramLogSize, library.nvrtcGetProgramLog, program)
        assert not failed, log.decode()
        cubin = _get(library.nvrtcGetCUBINSize, library.nvrtcGetCUBIN, program)
    finally:
        library.nvrtcDestroyProgram(ctypes.byref(program))
    return read_report(log.decode()), cubin


def _get(get_size, get, program):
    """Return bytes that a program holds, by NVRTC's pair of functions for them."""
    size = ctypes.c_size_t()
    assert not get_size(program, ctypes.byref(size))
    buffer = ctypes.create_string_buffer(size.value)
    assert not get(program, buffer)
    return buffer.raw


def compile_by_nvcc(code, options, architecture, folder):
    """Compile; return the usage of each kernel, and the warnings."""
    source = folder / "kernels.cu"
    source.write_text(code, encoding="utf-8")
    command = [NVCC, f"-arch={architecture}", "-cubin", "-Xptxas", "-v", *options]
    done = subprocess.run(
        [*command, str(source), "-o", str(folder / "kernels.cubin")],
        capture_output=True,
        text=True,
    )
    log = done.stdout + done.stderr
    assert done.returncode == 0, log
    return read_report(log), [line for line in log.splitlines() if "warning" in line]
