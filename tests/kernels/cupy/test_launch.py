"""Launching: sources, options, arguments."""

import numpy as np
import pytest
from backend import fake_cupy
from kernels.cupy.emulator import kernels_of, needs_compiler
from kernels.cupy.twins import import_twins

launch = import_twins().launch


def test_sources_and_their_kernels():
    scan, steps, training = map(
        launch.read, (launch.SCAN, launch.STEPS, launch.TRAINING)
    )
    assert [*kernels_of(scan)] == ["scan_forward", "scan_backward"]
    assert [*kernels_of(steps)] == ["one_step_forward", "one_step_backward"]
    assert {"take_rows", "add_rows", "adam"} < {*kernels_of(training)}
    assert all("#ifndef EMULATED" in text for text in (scan, steps, training))


def test_options_name_the_float_type():
    assert "-DREAL=double" in launch.options(8)
    assert {"-DREAL=float", "-DMODE=2", "-DGATES=3"} < {
        *launch.options(4, MODE=2, GATES=3)
    }


def test_arguments_have_the_widths_that_kernels_take():
    assert type(launch._argument(None)) is np.uint64
    for value in (3, True):
        assert type(launch._argument(value)) is np.int32
    assert launch._argument(np.int64(1)).itemsize == 8


def test_the_facts_of_the_current_device():
    card = launch.current_card()
    assert card.multiprocessors == fake_cupy.attributes["MultiProcessorCount"]
    assert card.has_clusters
    assert launch.blocks_for(129) == (2,)
    assert launch.blocks_that_loop(10**6) == (8 * card.multiprocessors,)


@needs_compiler
@pytest.mark.parametrize(
    "change",
    [
        lambda args: args[:-1],  # one is missing
        lambda args: (args[0].astype(np.float64), *args[1:]),
        lambda args: (0, *args[1:]),  # an int for a pointer
        lambda args: (*args[:-1], np.int32(3)),  # too narrow
    ],
)
def test_the_fake_raises_for_arguments_that_a_gpu_would_misread(change):
    x = fake_cupy.ones(3, np.float32)
    args = (x, fake_cupy.empty(1, np.float64), np.int64(3))
    settings = launch.options(4)

    def run(args):
        launch.launch("add_squares", launch.TRAINING, settings, (1,), 32, args, 256)

    run(args)
    with pytest.raises((AssertionError, ValueError)):
        run(change(args))


@needs_compiler
@pytest.mark.parametrize("sizes", [(60, 1, 60), (1, 227, 1), (227, 60, 227)])
def test_a_launch_does_not_limit_others(sizes):
    """Layers of several sizes launch the same kernel with more and less memory."""
    x, partial = fake_cupy.ones(3, np.float32), fake_cupy.empty(1, np.float64)
    for kibibytes in sizes:
        settings, shared = launch.options(4), kibibytes << 10
        args = (x, partial, np.int64(3))
        launch.launch("add_squares", launch.TRAINING, settings, (1,), 32, args, shared)
    assert partial.tolist() == [3]


@pytest.fixture
def forget():
    """Forget the kernels that are loaded, before and after."""
    caches = launch._module, launch._kernel
    for each in caches:
        each.cache_clear()
    yield lambda: [each.cache_clear() for each in caches]
    for each in caches:
        each.cache_clear()


class Module:
    """A module of kernels that do nothing; ``made`` has what it was made of."""

    made = ()

    def __init__(self, **what):
        self.made.append(what)

    def compile(self):
        pass

    def get_function(self, name):
        return Kernel()


class Kernel:
    def __call__(self, *args, **options):
        pass


def test_what_was_compiled_beforehand_is_loaded(tmp_path, monkeypatch, forget):
    settings, made = launch.options(4, GATES=3), []

    def run(name):
        forget()
        launch.launch(name, launch.STEPS, settings, (1,), 32, ())

    monkeypatch.setattr(Module, "made", made)
    monkeypatch.setattr(fake_cupy, "RawModule", Module)
    monkeypatch.setenv(launch.CUBINS, str(tmp_path))
    run("one_step_forward")
    file = tmp_path / launch.cubin_name(launch.STEPS, settings, "sm_90")
    file.write_bytes(b"")
    run("one_step_forward")
    assert "code" in made[0]
    assert made[1:] == [{"path": str(file), "enable_cooperative_groups": False}]
    other = launch.cubin_name(launch.STEPS, settings, "sm_80")
    assert other != file.name != launch.cubin_name(launch.SCAN, settings, "sm_90")


def test_what_cannot_be_loaded_is_compiled(tmp_path, monkeypatch, forget):
    settings, made = launch.options(4, GATES=3), []

    def fail(self):
        raise RuntimeError("CUDA_ERROR_INVALID_IMAGE: device kernel image is invalid")

    monkeypatch.setattr(Module, "made", made)
    monkeypatch.setattr(Module, "compile", fail)
    monkeypatch.setattr(fake_cupy, "RawModule", Module)
    monkeypatch.setenv(launch.CUBINS, str(tmp_path))
    file = tmp_path / launch.cubin_name(launch.STEPS, settings, "sm_90")
    file.write_bytes(b"")
    with pytest.warns(RuntimeWarning, match=f"{file.name} cannot be .*INVALID_IMAGE"):
        launch.launch("one_step_forward", launch.STEPS, settings, (1,), 32, ())
    assert ["path" in what for what in made] == [True, False]
