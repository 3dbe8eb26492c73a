"""NumPy in CuPy's clothes, on two devices: what runs `tinygrad_rnn.backend.cupy` where
there is no GPU.

It has CuPy's manners, good and bad: arrays do not turn into NumPy's, nor take them as
operands; work has to be done on the device that the arrays are on; indices out of range
wrap around; assigning to the places in an array has no order, so that is an error here;
and flags do not tell what is read-only. Names and arguments are those of CuPy 14; what
it computes is NumPy's. CUDA kernels run on the emulator of tests/kernels/cupy.
"""

import threading
import time
from types import ModuleType, SimpleNamespace

import numpy as np

__version__ = "14.fake"
_local = threading.local()


def _current():
    return getattr(_local, "device", 0)


class _Device:
    def __init__(self, device=None):
        self.id = _current() if device is None else int(device)

    def __enter__(self):
        self.before = _current()
        _local.device = self.id
        return self

    def __exit__(self, *error):
        _local.device = self.before

    def use(self):
        _local.device = self.id

    def synchronize(self):
        synchronized.append(self.id)

    @property
    def attributes(self):
        return dict(attributes)

    @property
    def compute_capability(self):
        return "90"


class ndarray(np.ndarray):
    """An array on a device; made of NumPy's by :func:`_on_device` only."""

    device = SimpleNamespace(id=None)
    memory = None

    def __array_finalize__(self, obj):
        if isinstance(obj, ndarray):
            self.device, self.memory = obj.device, obj.memory

    def __array_ufunc__(self, ufunc, method, *inputs, out=(), **settings):
        if out:  # only by operators such as +=
            settings["out"] = tuple(_plain(x) for x in out)
        result = getattr(ufunc, method)(*map(_plain, inputs), **settings)
        return out[0] if out else _on_device(result)

    def __array_function__(self, function, types, args, kwargs):
        raise TypeError(
            f"Implicit conversion to a NumPy array is not allowed ({function})"
        )

    def __setitem__(self, index, value):
        parts = index if isinstance(index, tuple) else (index,)
        assert not any(isinstance(p, np.ndarray) for p in parts), (
            "which one stays is undefined"
        )
        np.asarray(self.view(np.ndarray))[index] = _plain(value)

    def __getitem__(self, index):
        parts = index if isinstance(index, tuple) else (index,)
        assert not any(isinstance(p, np.ndarray) for p in parts), (
            "not checked to be in range"
        )
        return _on_device(self.view(np.ndarray)[index], self.device.id, self)

    def __dlpack_device__(self):
        return 2, self.device.id

    def __dlpack__(self, *, stream=None, max_version=None, dl_device=None, copy=None):
        return _plain(self).__dlpack__()  # raises unless its device is the current one

    @property
    def __cuda_array_interface__(self):
        x = _plain(self)
        pointer = x.ctypes.data if x.size else 0
        if pointer:
            _device_of_pointer[pointer] = self.device.id
        return {
            "data": (pointer, False),
            "shape": x.shape,
            "strides": x.strides,
            "typestr": x.dtype.str,
            "version": 3,
        }

    def item(self, *args):
        waited.append("item")
        return super().item(*args)

    def tolist(self):
        waited.append("tolist")
        return super().tolist()

    def __bool__(self):
        waited.append("bool")
        return super().__bool__()

    def __float__(self):
        waited.append("float")
        return super().__float__()

    def __int__(self):
        waited.append("int")
        return super().__int__()

    def __index__(self):
        waited.append("index")
        return super().__index__()

    @property
    def base(self):
        return self._of if hasattr(self, "_of") else None

    @property
    def flags(self):
        flags = super().flags
        return SimpleNamespace(
            c_contiguous=flags.c_contiguous, f_contiguous=flags.f_contiguous
        )


def _on_device(result, device=None, of=None):
    """A result of NumPy as an array here; never a scalar."""
    if not isinstance(result, np.ndarray | np.generic):
        return result
    out = np.asarray(result).view(ndarray)
    out.device = SimpleNamespace(id=_current() if device is None else device)
    if of is None:
        out.memory = _allocate(out.nbytes)
    else:
        out._of = of if of.base is None else of.base
        out.memory = of.memory
    return out


def _plain(x):
    """NumPy's view of an operand."""
    if isinstance(x, ndarray):
        if x.device.id != _current():
            raise ValueError(
                f"Array device must be same as the current device: {x.device.id}"
            )
        return x.view(np.ndarray)
    if isinstance(x, np.ndarray):
        raise TypeError("Unsupported type <class 'numpy.ndarray'>")
    return type(x)(map(_plain, x)) if isinstance(x, tuple | list) else x


def __getattr__(name):
    """CuPy's functions: NumPy's of that name; those of shape give views."""
    function = getattr(np, name)
    if isinstance(function, type) or not callable(function):
        return function

    def call(*args, **settings):
        result = function(
            *map(_plain, args), **{k: _plain(v) for k, v in settings.items()}
        )
        x = args[0] if args and isinstance(args[0], ndarray) else None
        shows = x is not None and np.may_share_memory(result, x.view(np.ndarray))
        return _on_device(result, None, x if shows else None)

    return call


_device_of_pointer = {}


def _shared(interface, owner, device):
    """An array of memory that was not allocated here."""
    shown = SimpleNamespace(__array_interface__=interface, owner=owner)
    if not interface["data"][0]:  # without elements; NumPy 2.0 would take no address 0
        shown = np.empty(interface["shape"], interface["typestr"])
    out = np.asarray(shown).view(ndarray)
    out.device = SimpleNamespace(id=device)
    return out


def from_dlpack(x):
    kind, device = x.__dlpack_device__()
    assert kind in (2, 13)
    with _Device(device):
        capsule = x.__dlpack__(stream=1)
    methods = {
        "__dlpack__": lambda self, **options: capsule,
        "__dlpack_device__": lambda self: (1, 0),
    }
    host = type("OnHost", (), methods)()  # NumPy 2.0 looks for methods of a class
    x = np.from_dlpack(host)  # some NumPys make it read-only
    pointer, _ = x.__array_interface__["data"]
    return _shared({**x.__array_interface__, "data": (pointer, False)}, x, device)


def _from_interface(a):
    """As in CuPy, a copy unless the current device is that of the memory."""
    interface = a.__cuda_array_interface__
    device = _device_of_pointer.get(interface["data"][0], _current())
    x = _shared(interface, a, device)
    return x if device == _current() else _on_device(x.view(np.ndarray).copy())


def asarray(a, dtype=None, *, copy=None):
    if not isinstance(a, ndarray) and hasattr(a, "__cuda_array_interface__"):
        return _from_interface(a)
    if isinstance(a, ndarray):
        return _on_device(np.array(_plain(a), dtype)) if copy or dtype else a
    return _on_device(np.array(a, dtype))


def nonzero(a):
    waited.append("nonzero")  # for the size of the result
    return tuple(map(_on_device, np.nonzero(_plain(a))))


def asnumpy(a):
    waited.append("asnumpy")
    with _Device(a.device.id):
        return np.array(_plain(a))


def argsort(a, axis=-1, kind=None):
    return _on_device(np.argsort(_plain(a), axis, "stable"))


def take(a, indices, axis=None):
    return _on_device(np.take(_plain(a), _plain(indices), axis, mode="wrap"))


def astype(x, dtype, /, *, copy=True):
    return _on_device(_plain(x).astype(dtype))


synchronized, freed = [], []
waited = []  # the calls for which the host waits for the device

# ---- memory

capacity = 1 << 40  # of each device, in bytes


class OutOfMemoryError(MemoryError):
    """CuPy's error."""


class MemoryPointer:
    """Memory of the current device, in use for as long as an array holds it."""

    def __init__(self, size):
        self.size, self.device_id = size, _current()
        pool.used[self.device_id] += size

    def __del__(self):
        pool.used[self.device_id] -= self.size


class _Pool:
    """It keeps all memory that was ever in use until it is told to free it."""

    def __init__(self):
        self.used, self.reserved = [0, 0], [0, 0]

    def malloc(self, size):
        device = _current()
        after = self.used[device] + size
        if after > capacity:
            raise OutOfMemoryError(f"Out of memory allocating {size:,} bytes")
        self.reserved[device] = max(self.reserved[device], after)
        return MemoryPointer(size)

    def free_all_blocks(self):
        freed.append(_current())
        self.reserved[_current()] = self.used[_current()]

    def used_bytes(self):
        return self.used[_current()]

    def total_bytes(self):
        return self.reserved[_current()]


pool = _Pool()
_allocate = pool.malloc


def get_default_memory_pool():
    return pool


def _get_allocator():
    return _allocate


def _set_allocator(allocator):
    global _allocate
    _allocate = allocator or MemoryPointer  # None stands for no pool


# ---- kernels in CUDA

# Few threads and little memory, so that all plans of a scan come into use
attributes = {
    "MultiProcessorCount": 6,
    "MaxSharedMemoryPerBlockOptin": 227 << 10,
    "MaxThreadsPerBlock": 160,
}
order = "forwards"  # of the threads, see tests/kernels/cupy/emulator.py
launched = []  # the names of the kernels
REALS = {"float": np.float32, "double": np.float64}


class RawModule:
    """A module of CUDA kernels, which g++ compiles for the emulator."""

    def __init__(self, *, code, options=(), enable_cooperative_groups=False):
        # Copies of this file run where there are no tests
        from kernels.cupy import emulator

        self.emulator = emulator
        self.parameters = emulator.kernels_of(code)
        defines = dict(o[2:].split("=") for o in options if o.startswith("-D"))
        self.real = REALS[defines["REAL"]]
        self.ranks = int(defines.pop("RANKS", 1))  # does not change what is compiled
        self.cooperative = enable_cooperative_groups
        settings = tuple(f"-D{key}={value}" for key, value in defines.items())
        self.library = emulator.build(code, settings)

        self.limits = {}  # of shared memory, by the names of kernels

    def get_function(self, name):
        return _Kernel(self, name)


class _Kernel:
    """A kernel, as strict about its arguments as a GPU is not."""

    def __init__(self, module, name):
        self.module, self.name = module, name
        self.parameters = module.parameters[name]

    @property
    def max_dynamic_shared_size_bytes(self):
        """The driver has one for a kernel, however often that was asked for."""
        return self.module.limits.get(self.name, 48 << 10)

    @max_dynamic_shared_size_bytes.setter
    def max_dynamic_shared_size_bytes(self, size):
        self.module.limits[self.name] = size

    def __call__(self, grid, block, args, *, shared_mem=0):
        limit = self.max_dynamic_shared_size_bytes
        assert shared_mem <= limit <= attributes["MaxSharedMemoryPerBlockOptin"]
        assert min(grid) >= 1 and len(block) == 1
        assert block[0] <= attributes["MaxThreadsPerBlock"]
        if self.module.cooperative:  # all blocks have to fit on the device at once
            assert grid[0] <= attributes["MultiProcessorCount"]
        pairs = zip(self.parameters, args, strict=True)
        given = [(p, self.convert(p, value)) for p, value in pairs]
        launched.append(self.name)
        self.module.emulator.launch(
            self.module.library,
            self.name,
            grid,
            block[0],
            shared_mem,
            given,
            ranks=self.module.ranks,
            together=self.module.cooperative,
            order=order,
        )

    def convert(self, parameter, value):
        """Return an argument for the emulator; raise if a GPU would take it wrongly."""
        numbers = {
            "REAL": self.module.real,
            "int": np.int32,
            "unsigned": np.uint32,
            "double": np.float64,
            "long long": np.int64,
            "int64": np.int64,
        }
        wanted = numbers[parameter.type]
        if parameter.role and isinstance(value, ndarray):
            assert value.dtype == wanted, parameter
            return _plain(value)
        if parameter.role:
            assert type(value) is np.uint64 and value == 0, (parameter, value)
            return None
        assert type(value) is wanted, (parameter, value)
        return np.ctypeslib.as_ctypes_type(wanted)(value.item())


class _Event:
    """A point in time: work is over when its call is."""

    def record(self):
        self.time = time.perf_counter()

    def synchronize(self):
        pass


cuda = ModuleType("cupy.cuda")
cuda.Device, cuda.Event = _Device, _Event
cuda.get_elapsed_time = lambda begin, end: (end.time - begin.time) * 1e3
cuda.get_allocator, cuda.set_allocator = _get_allocator, _set_allocator
cuda.MemoryPointer = MemoryPointer
cuda.runtime = SimpleNamespace(
    getDeviceCount=lambda: 2,
    getDevice=_current,
    pointerGetAttributes=lambda pointer: SimpleNamespace(
        device=_device_of_pointer[pointer]
    ),
    getDeviceProperties=lambda device: {"name": f"Fake {device}".encode()},
    memGetInfo=lambda: (capacity - pool.total_bytes(), capacity),
    runtimeGetVersion=lambda: 13000,
    driverGetVersion=lambda: 13010,
)
