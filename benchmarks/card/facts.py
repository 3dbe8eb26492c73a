"""What the GPU is, and which libraries are there."""

import importlib
import platform
import subprocess
import time

import cupy
import numpy as np

import tinygrad_rnn as tg

QUERY = ("driver_version", "clocks.sm", "clocks.max.sm", "clocks.mem", "clocks.max.mem")
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
    """Return the driver's version and clocks in MHz, if nvidia-smi is there."""
    query = f"--query-gpu={','.join(QUERY)}"
    command = ["nvidia-smi", query, "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired) as error:
        return {"clocks": f"clocks not known: {error}"}
    values = done.stdout.partition("\n")[0].split(", ")
    if len(values) != len(QUERY):
        return {"clocks": f"clocks not known: {done.stdout}{done.stderr}"}
    return {"clocks": dict(zip(QUERY, values, strict=True))}


def describe_torch():
    torch = find_torch()
    if isinstance(torch, str):
        return f"left out: {torch}"
    return f"{torch.__version__}, cuDNN {torch.backends.cudnn.version()}"


def find_torch():
    """Return PyTorch's module if it can use the GPU, else the reason why not."""
    try:
        torch = importlib.import_module("torch")
    except Exception as error:  # a broken installation raises many kinds
        return f"importing PyTorch failed: {error}"
    if not torch.cuda.is_available():
        return f"PyTorch {torch.__version__} finds no GPU"
    return torch
