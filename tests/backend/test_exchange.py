"""Memory of GPUs that is shared with other libraries, both ways, without a copy."""

import gc

import numpy as np
import pytest
from backend import fake_cupy
from backend.gpus import fake_gpus
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_rnn as tg
from tinygrad_rnn.backend import ranges
from tinygrad_rnn.errors import DTypeError, ExportError


@pytest.fixture
def gpus():
    with fake_gpus() as cupy:
        yield cupy


class Interface:
    """An array of a library such as Numba: it has __cuda_array_interface__ alone."""

    def __init__(self, array):
        self.array = array

    @property
    def __cuda_array_interface__(self):
        with fake_cupy.cuda.Device(self.array.device.id):
            return self.array.__cuda_array_interface__


class DLPack:
    """An array of a library such as JAX: it has DLPack alone."""

    def __init__(self, array):
        self.array = array

    def __dlpack_device__(self):
        return self.array.__dlpack_device__()

    def __dlpack__(self, **options):
        return self.array.__dlpack__(**options)


class Both(Interface, DLPack):
    """An array of a library such as PyTorch."""


FOREIGN = [Interface, DLPack, Both]


def array_of(library, device, values):
    """Return an array of a library, and CuPy's of the same memory."""
    with fake_cupy.cuda.Device(device):
        array = fake_cupy.asarray(values)
    return library(array), array


def shows(tensor, array):
    """Return whether they have one memory."""
    return np.shares_memory(tensor.array.view(np.ndarray), array.view(np.ndarray))


@given(
    library=st.sampled_from(FOREIGN),
    device=st.integers(0, 1),
    current=st.integers(0, 1),
    shape=st.lists(st.integers(1, 3), max_size=3),
    dtype=st.sampled_from(["float32", "float64", "int64", "uint8"]),
    swapped=st.booleans(),
)
def test_what_is_on_a_gpu_stays_there(library, device, current, shape, dtype, swapped):
    """Whichever GPU is the current one."""
    with fake_gpus(), tg.cuda.device(current):
        values = np.arange(np.prod(shape, dtype=int), dtype=dtype).reshape(shape)
        foreign, array = array_of(library, device, values.T if swapped else values)
        takers = [tg.as_tensor, tg.array_api.asarray]
        takers += [tg.from_dlpack] * (library is not Interface)
        for take in takers:
            x = take(foreign)
            assert (x.device, x.dtype, x.shape) == (
                f"cuda:{device}",
                dtype,
                array.shape,
            )
            assert shows(x, array)
            x.zero_()
        assert not array.view(np.ndarray).any()
        copied = tg.tensor(foreign)
        assert copied.device == f"cuda:{device}"
        assert not shows(copied, array)
        assert tg.cuda.current_device() == current


@pytest.mark.parametrize("library", FOREIGN)
def test_an_array_without_elements_may_be_nowhere(gpus, library):
    """Its address is 0, which is on no GPU."""
    foreign, _ = array_of(library, 0, np.zeros((0, 3), "float32"))
    for x in (tg.as_tensor(foreign), tg.tensor(foreign)):
        assert (x.device, x.dtype, x.shape) == ("cuda:0", "float32", (0, 3))


@pytest.mark.parametrize("library", FOREIGN)
def test_another_dtype_or_device_is_a_copy(gpus, library):
    foreign, array = array_of(library, 1, np.array([1.0, 2.0]))
    for take in (tg.as_tensor, tg.tensor):
        there = take(foreign, dtype="float32")
        assert (there.dtype, there.device) == ("float32", "cuda:1")
        assert not shows(there, array)
        here = take(foreign, device="cpu")
        assert (here.tolist(), here.device) == ([1, 2], "cpu")
        other = take(foreign, device="cuda:0")
        assert (other.tolist(), other.device) == ([1, 2], "cuda:0")
    assert tg.tensor(foreign, requires_grad=True).requires_grad
    half, _ = array_of(library, 0, np.ones(2, "float16"))
    with pytest.raises(DTypeError, match="as_tensor: got the dtype float16"):
        tg.as_tensor(half)


def test_a_tensor_on_a_gpu_is_copied_there(gpus):
    x = tg.ones(2, device="cuda:1", requires_grad=True)
    gpus.waited.clear()
    with pytest.warns(UserWarning, match="has no history"):
        y = tg.tensor(x)
    assert gpus.waited == []
    assert (y.device, y.requires_grad, y.tolist()) == ("cuda:1", False, [1, 1])
    assert not shows(y, x.array)


@pytest.mark.parametrize("current", [0, 1])
def test_others_take_our_memory(gpus, current):
    """A producer hands on the stream of the current device: that of the array."""
    x = tg.tensor([[1.0, 2.0], [3.0, 4.0]], device="cuda:1")
    with tg.cuda.device(current):
        assert [int(n) for n in x.__dlpack_device__()] == [2, 1]
        assert "dltensor" in repr(x.__dlpack__(stream=2))
        taken = [gpus.from_dlpack(x), gpus.from_dlpack(x.T)]
        interface = x.__cuda_array_interface__
    with tg.cuda.device(1):
        taken.append(gpus.asarray(x))
    assert interface["shape"] == (2, 2)
    assert interface["typestr"] == "<f4"
    for array in taken:
        assert shows(x, array)
        assert array.device.id == 1


def test_the_memory_lives_as_long_as_somebody_has_it(gpus):
    foreign, array = array_of(DLPack, 0, np.array([1.0, 2.0]))
    x = tg.as_tensor(foreign)
    del foreign, array
    y = gpus.from_dlpack(tg.tensor([3.0], device="cuda"))
    gc.collect()
    assert x.tolist() == [1, 2]
    assert y.view(np.ndarray).tolist() == [3]


def test_what_others_may_write_to_has_no_known_range(gpus):
    """Ids are then checked on the GPU, and not by what was sent there."""
    for share in (lambda x: x.__dlpack__(), lambda x: x.__cuda_array_interface__):
        ids = tg.tensor([0, 2], device="cuda")
        view = ids[:1]
        assert ranges.known_range(ids.array) == (0, 2)
        share(view)
        assert ranges.known_range(ids.array) is None


def test_a_gradient_is_not_lost_without_a_word(gpus):
    x = tg.ones(2, device="cuda", requires_grad=True)
    for share in (lambda x: x.__dlpack__(), lambda x: x.__cuda_array_interface__):
        with pytest.raises(ExportError, match=r"requires grad.*x.detach\(\)"):
            share(x)
        share(x.detach())
        with pytest.raises(tg.Error, match="reads numbers"):
            tg.compile(lambda x, share=share: (x * 2, share(x))[0])(x.detach())


def test_a_tensor_on_the_host_has_no_interface_of_cuda():
    x = tg.ones(2)
    assert not hasattr(x, "__cuda_array_interface__")
    assert tg.as_tensor(DLPack(np.array([1.0, 2.0]))).tolist() == [1, 2]
    shared = np.array([1.0])
    x = tg.as_tensor(DLPack(shared))
    shared[0] = 2.0
    assert x.tolist() == [2]


def test_a_gpu_that_is_not_here(monkeypatch):
    """An array that says it is on one."""

    class Elsewhere:
        def __dlpack_device__(self):
            return 2, 7

        def __dlpack__(self, **options):
            raise AssertionError

    class Other(Elsewhere):
        def __dlpack_device__(self):
            return 10, 0

    for take in (tg.as_tensor, tg.tensor, tg.from_dlpack):
        with pytest.raises(tg.errors.OptionError, match="got 'cuda:7', expected"):
            take(Elsewhere())
        with pytest.raises(tg.errors.OptionError, match="'DLPack device 10'"):
            take(Other())


@pytest.mark.gpu
@pytest.mark.parametrize("library", ["cupy", "torch", "numba.cuda"])
def test_on_a_real_gpu(library):
    theirs = pytest.importorskip(library)
    x = tg.tensor([1.0, 2.0], device="cuda")
    if library == "numba.cuda":
        shared = theirs.as_cuda_array(x)
        shared[0] = 5.0
    else:
        shared = theirs.from_dlpack(x)
        shared[0] = 5.0
    assert x[0].item() == 5
    back = tg.as_tensor(shared)
    back[1] = 7.0
    assert x.tolist() == [5, 7]
    assert back.device == x.device
