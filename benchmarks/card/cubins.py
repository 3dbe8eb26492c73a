"""Compile the kernels in CUDA beforehand, on any machine: it needs no GPU.

It needs NVIDIA's compiler, the extra "cuda-test", and the extra "test".
"""

import importlib.util
import itertools
import sys
from pathlib import Path

sys.path.insert(1, str(Path(__file__).parents[2] / "tests"))
from kernels.cupy.compilers import compile_by_nvrtc

if importlib.util.find_spec("cupy") is None:  # only kernels' files are wanted of it
    from backend import fake_cupy

    sys.modules["cupy"] = fake_cupy
from tinygrad_rnn.kernels.cupy import launch, plan

BY_CUPY = ("-ftz=true",)  # an option that CuPy adds to ours


def variants(architecture):
    """Yield each source with all options that it may be launched with."""
    has_clusters = int(architecture.strip("sm_af")) >= 90
    sizes = range(2, plan.LARGEST_CLUSTER + 1)
    clusters = [n for n in sizes if has_clusters and not n & (n - 1)]
    for size in launch.REALS:
        yield launch.TRAINING, launch.options(size)
        for gates in (1, 4, 3):
            yield launch.STEPS, launch.options(size, GATES=gates)
            for mode, tile in itertools.product(range(3), plan.TILES):
                names = {"GATES": gates, "MODE": mode, "TILE": tile}
                if mode != plan.CLUSTER:
                    yield launch.SCAN, launch.options(size, **names)
                for ranks in clusters if mode == plan.CLUSTER else ():
                    yield launch.SCAN, launch.options(size, **names, RANKS=ranks)


def compile_all(folder, architecture):
    """Write what is not in a folder yet for a kind of GPUs, such as "sm_90"."""
    folder.mkdir(parents=True, exist_ok=True)
    todo = [
        (folder / launch.cubin_name(source, settings, architecture), source, settings)
        for source, settings in variants(architecture)
    ]
    todo = [case for case in todo if not case[0].exists()]
    for number, (path, source, settings) in enumerate(todo, 1):
        options = (*settings, *BY_CUPY)
        _, code = compile_by_nvrtc(launch.read(source), options, architecture)
        part = path.with_suffix(".part")  # a file is whole, or not there
        part.write_bytes(code)
        part.replace(path)
        print(f"{number} of {len(todo)}: {source.files[-1]}", *settings, flush=True)
