"""What the GPU is, and which libraries are there."""

import importlib
import platform
import shutil
import subprocess
import time

import cupy
import numpy as np

import tinygrad_rnn as tg

QUERY = "clocks.sm,clocks.max.sm,clocks.mem,clocks.max.mem,driver_version"
ATTRIBUTES = {
    "multiprocessors": "MultiProcessorCount",
    "shared_bytes": "MaxSharedMemoryPerBlockOptin",
    "threads": "MaxThreadsPerBlock",
}


def items(size):
    return {"card": describe}


def describe(seconds):
    device, runtime = cupy.cuda.Device(), cupy.cuda.runtime
    attributes = device.attributes
    found = {ours: attributes[theirs] for ours, theirs in ATTRIBUTES.items()}
    return {
        "card": runtime.getDeviceProperties(device.id)["name"].decode(),
        "date": time.strftime("%Y-%m-%d"),
        "compute_capability": int(device.compute_capability) / 10,
        **found,
        "CUDA": version(runtime.runtimeGetVersion()),
        "CUDA of the driver": version(runtime.driverGetVersion()),
        **ask_the_driver(),
        "versions": {
            "tinygrad_rnn": tg.__version__,
            "CuPy": cupy.__version__,
            "PyTorch": describe_torch(),
            "NumPy": np.__version__,
            "Python": platform.python_version(),
        },
    }


def version(number):
    """Return CUDA's number of a version, such as 13020, as text."""
    return f"{number // 1000}.{number % 1000 // 10}"


def ask_the_driver():
    """Return clocks in MHz and the driver's version, if nvidia-smi is there."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return {"clocks": "not known: there is no nvidia-smi"}
    command = [program, f"--query-gpu={QUERY}", "--format=csv,noheader,nounits"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20)
    values = done.stdout.splitlines()[:1] or [done.stderr.strip()]
    return {"clocks": dict(zip(QUERY.split(","), values[0].split(", "), strict=False))}


def describe_torch():
    torch = find_torch()
    if isinstance(torch, str):
        return f"left out: {torch}"
    return f"{torch.__version__}, cuDNN {torch.backends.cudnn.version()}"


def find_torch():
    """Return PyTorch's module if it can use the GPU, else the reason why not."""
    try:
        torch = importlib.import_module("torch")
    except ImportError as error:
        return f"importing PyTorch failed: {error}"
    if not torch.cuda.is_available():
        return f"PyTorch {torch.__version__} finds no GPU"
    return torch
