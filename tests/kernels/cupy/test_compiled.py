"""The CUDA sources compile for real GPUs, and each kernel fits into their registers."""

import itertools

import pytest
from kernels.cupy.compilers import (
    Usage,
    compile_by_nvcc,
    compile_by_nvrtc,
    needs_nvcc,
    needs_nvrtc,
    read_report,
)
from kernels.cupy.emulator import kernels_of
from kernels.cupy.twins import import_twins

twins = import_twins()
launch, plan = twins.launch, twins.plan
ARCHITECTURES = ("sm_80", "sm_90")
REGISTERS = 65536  # of a multiprocessor
SPILLS = {4: 0, 8: 16}  # bytes of a thread at most, by the size of a number


def variants():
    """Yield a source and the names to define, for all that may be launched."""
    for gates in (1, 4, 3):
        yield launch.STEPS, {"GATES": gates}
        for mode, tile in itertools.product(range(3), plan.TILES):
            ranks = {"RANKS": plan.LARGEST_CLUSTER} if mode == plan.CLUSTER else {}
            yield launch.SCAN, {"GATES": gates, "MODE": mode, "TILE": tile, **ranks}
    yield launch.TRAINING, {}


def check(usage, source, size):
    """Check that the kernels of a source are there and within the bounds."""
    assert {*usage} == {*kernels_of(launch.read(source))}
    threads = plan.THREADS[size] if source is launch.SCAN else launch.THREADS
    for name, used in usage.items():
        assert used.registers * threads <= REGISTERS, (name, used)
        assert used.spilled <= SPILLS[size], (name, used)
        assert used.shared == 0, (name, used)


def name_of(value):
    if isinstance(value, dict):
        return "-".join(f"{key}{number}" for key, number in value.items())
    return value.files[-1] if hasattr(value, "files") else str(value)


@needs_nvrtc
@pytest.mark.parametrize("size", [4, 8])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize(
    ("source", "defines"),
    [
        (launch.SCAN, {"GATES": 1, "MODE": plan.GRID, "TILE": 4}),
        (launch.STEPS, {"GATES": 4}),
        (launch.TRAINING, {}),
    ],
    ids=name_of,
)
def test_some_compile(source, defines, architecture, size):
    code, options = launch.read(source), launch.options(size, **defines)
    usage, cubin = compile_by_nvrtc(code, options, architecture)
    check(usage, source, size)
    assert cubin.startswith(b"\x7fELF")


@pytest.mark.slow
@needs_nvrtc
@pytest.mark.parametrize("size", [4, 8])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize(("source", "defines"), [*variants()], ids=name_of)
def test_all_compile(source, defines, architecture, size):
    if architecture == "sm_80" and "RANKS" in defines:
        return  # it has no clusters
    code, options = launch.read(source), launch.options(size, **defines)
    check(compile_by_nvrtc(code, options, architecture)[0], source, size)


@pytest.mark.slow
@needs_nvcc
@pytest.mark.parametrize("size", [4, 8])
@pytest.mark.parametrize(
    ("source", "defines"),
    [
        (launch.SCAN, {"GATES": 4, "MODE": plan.CLUSTER, "TILE": 4, "RANKS": 8}),
        (launch.SCAN, {"GATES": 3, "MODE": plan.GRID, "TILE": 4}),
        (launch.STEPS, {"GATES": 3}),
        (launch.TRAINING, {}),
    ],
    ids=name_of,
)
def test_nvcc_has_no_warnings(source, defines, size, tmp_path):
    code, options = launch.read(source), launch.options(size, **defines)
    usage, warnings = compile_by_nvcc(code, options, "sm_90", tmp_path)
    check(usage, source, size)
    assert warnings == []


def test_reports_are_read():
    log = (
        "ptxas info    : Compiling entry function 'f' for 'sm_90'\n"
        "    16 bytes stack frame, 8 bytes spill stores, 12 bytes spill loads\n"
        "ptxas info    : Used 96 registers, used 1 barriers, 64 bytes smem\n"
        "ptxas info    : Compiling entry function 'g' for 'sm_90'\n"
        "    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads\n"
        "ptxas info    : Used 20 registers\n"
    )
    assert read_report(log) == {"f": Usage(96, 16, 64), "g": Usage(20, 0, 0)}
