"""Compile the CUDA sources for the current device, and launch their kernels.

What was compiled beforehand is taken from the folder that the environment variable
TINYGRAD_RNN_CUBINS names; ``python benchmarks/gpu.py --compile-only`` fills one.
"""

import hashlib
import os
import warnings
from functools import cache
from pathlib import Path
from typing import NamedTuple

import cupy
import numpy as np

from ...types import Array, Function
from .plan import Card

FOLDER = Path(__file__).parent
NULL = np.uint64(0)  # as wide as a pointer, which None is not
THREADS = 128  # of a block of the kernels without a plan
REALS = {4: "float", 8: "double"}
CUBINS = "TINYGRAD_RNN_CUBINS"


class Source(NamedTuple):
    """Files that are compiled together, and the names that they take as -D options."""

    files: tuple[str, ...]
    settings: tuple[str, ...]


SCAN = Source(("device.cuh", "cells.cuh", "scan.cu"), ("GATES", "MODE", "TILE"))
STEPS = Source(("device.cuh", "cells.cuh", "steps.cu"), ("GATES",))
TRAINING = Source(("device.cuh", "training.cu"), ())


@cache
def read(source: Source) -> str:
    """Return the code of a source."""
    texts = [(FOLDER / name).read_text(encoding="utf-8") for name in source.files]
    return "\n".join(texts)


@cache
def options(itemsize: int, **defines: int) -> tuple[str, ...]:
    """Return the compiler's options for numbers of a size, with names to define."""
    values = {"MODE": 0, **defines}
    return (
        "-std=c++17",
        f"-DREAL={REALS[itemsize]}",
        *[f"-D{name}={value}" for name, value in values.items()],
    )


def cubin_name(source: Source, settings: tuple[str, ...], architecture: str) -> str:
    """Return the name of the file with a source compiled for a kind of GPUs.

    The name depends on all that the machine code does, so that none is outdated.

    Args:
        source: What is compiled.
        settings: The compiler's options.
        architecture: The kind of GPUs, such as ``"sm_90"``.
    """
    text = "\n".join((read(source), *settings, architecture))
    return f"{hashlib.sha256(text.encode()).hexdigest()[:24]}.cubin"


@cache
def _module(
    source: Source, settings: tuple[str, ...], cooperative: bool, architecture: str
) -> cupy.RawModule:
    if folder := os.environ.get(CUBINS):
        file = Path(folder, cubin_name(source, settings, architecture))
        if file.exists() and (found := _load(file, cooperative)):
            return found
    return cupy.RawModule(
        code=read(source), options=settings, enable_cooperative_groups=cooperative
    )


def _load(file: Path, cooperative: bool) -> cupy.RawModule | None:
    """Return what was compiled beforehand; None, after a warning, if that fails.

    It fails where the driver is older than the compiler that was used.
    """
    module = cupy.RawModule(path=str(file), enable_cooperative_groups=cooperative)
    try:
        module.compile()  # loads it
    except RuntimeError as error:  # CuPy's CUDADriverError
        text = f"{file} cannot be loaded, so its source is compiled: {error}"
        warnings.warn(text, RuntimeWarning, stacklevel=2)
        return None
    return module


@cache
def _kernel(
    device: int, name: str, source: Source, settings: tuple[str, ...], cooperative: bool
) -> Function:
    """Return a kernel that may use all shared memory that a block can have.

    It is allowed for good: the driver has one limit for a kernel, so a smaller one for
    one launch would make a later launch that needs more fail.
    """
    architecture = f"sm_{cupy.cuda.Device(device).compute_capability}"
    module = _module(source, settings, cooperative, architecture)
    kernel = module.get_function(name)
    kernel.max_dynamic_shared_size_bytes = _card(device).shared_bytes
    return kernel


def launch(
    name: str,
    source: Source,
    settings: tuple[str, ...],
    grid: tuple[int, ...],
    threads: int,
    args: tuple[object, ...],
    shared_bytes: int = 0,
    cooperative: bool = False,
) -> None:
    """Launch a kernel on the current device.

    Arrays have to be C-contiguous. None is a null pointer, and a Python int or bool is
    an ``int``; other numbers are NumPy's, of the type that the kernel takes.
    """
    device = cupy.cuda.runtime.getDevice()
    kernel = _kernel(device, name, source, settings, cooperative)
    kernel(grid, (threads,), tuple(map(_argument, args)), shared_mem=shared_bytes)


def _argument(value: object) -> object:
    if value is None:
        return NULL
    return np.int32(value) if isinstance(value, int) else value


@cache
def _card(device: int) -> Card:
    facts = cupy.cuda.Device(device).attributes
    return Card(
        multiprocessors=facts["MultiProcessorCount"],
        shared_bytes=facts["MaxSharedMemoryPerBlockOptin"],
        has_clusters=int(cupy.cuda.Device(device).compute_capability) >= 90,
        threads=min(512, facts["MaxThreadsPerBlock"]),
    )


def current_card() -> Card:
    """Return the facts of the current device."""
    return _card(cupy.cuda.runtime.getDevice())


def blocks_for(count: int) -> tuple[int]:
    """Return the grid of a kernel with a thread for each of so many elements."""
    return (-(-count // THREADS),)


def blocks_that_loop(count: int) -> tuple[int]:
    """Return the grid of a kernel whose threads have as many elements as there are."""
    return (min(-(-count // THREADS), 8 * current_card().multiprocessors),)


def contiguous(x: Array | None) -> Array | None:
    """Return an array in C order; None for None."""
    return None if x is None else cupy.ascontiguousarray(x)
