"""tinygrad_rnn: recurrent networks on an autograd engine that can be read in an
afternoon.

The order to read the code in: ``engine/node``, ``engine/op``, ``engine/walk``,
``engine/fused`` (the engine), ``ops/elementwise`` and its kin (the table),
``ops/recurrent``, ``kernels/numpy``, ``nn/module``.
"""

# Before `creation`: type checkers take a later import of the module for what
# `tg.tensor` is.
from .tensor import (
    Tensor,
    float32,
    float64,
    int8,
    int16,
    int32,
    int64,
    uint8,
    uint16,
    uint32,
    uint64,
)
from .tensor import bool_ as bool
from .tensor import float32 as float
from .tensor import float64 as double
from .tensor import int32 as int
from .tensor import int64 as long

# isort: split
from typing import TYPE_CHECKING

from . import (
    array_api,
    autograd,
    creation,
    cuda,
    data,
    functions,
    nn,
    optim,
    sampling,
    utils,
)
from .backend.device import device
from .checkpoint import load, load_checkpoint, save, save_checkpoint
from .creation import *
from .engine.mode import (
    enable_grad,
    inference_mode,
    is_grad_enabled,
    no_grad,
    set_grad_enabled,
)
from .errors import CheckpointError, Error
from .errors.left_out import getter as _getter
from .functions import *
from .random import Generator, manual_seed
from .sampling import *

__version__ = "0.2.0"

__all__ = [
    "CheckpointError",
    "Error",
    "Generator",
    "Tensor",
    "autograd",
    "bool",
    "cuda",
    "data",
    "device",
    "double",
    "enable_grad",
    "float",
    "float32",
    "float64",
    "inference_mode",
    "int",
    "int8",
    "int16",
    "int32",
    "int64",
    "is_grad_enabled",
    "load",
    "load_checkpoint",
    "long",
    "manual_seed",
    "nn",
    "no_grad",
    "optim",
    "save",
    "save_checkpoint",
    "set_grad_enabled",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
    "utils",
]
__all__ += creation.__all__
__all__ += functions.__all__
__all__ += sampling.__all__

if not TYPE_CHECKING:
    __getattr__ = _getter("tg", globals())
