"""tinygrad_rnn: recurrent networks on an autograd engine that can be read in an
afternoon.

The order to read the code in: ``engine/node``, ``engine/op``, ``engine/walk``,
``engine/fused`` (the engine), ``ops/elementwise`` and its kin (the table),
``ops/recurrent``, ``kernels/numpy``, ``nn/module``.
"""

# Before `creation`: type checkers take a later import of the module for what
# `tg.tensor` is.
from .tensor import Tensor as Tensor

# isort: split
# To type checkers, what is imported as itself, or by *, is public.
import typing as _typing
from types import ModuleType as _Module

from . import array_api as _array_api
from . import autograd as autograd
from . import cuda as cuda
from . import data as data
from . import nn as nn
from . import optim as optim
from . import utils as utils
from .backend.device import device as device
from .creation import *
from .engine.capture import compile as compile
from .engine.mode import enable_grad as enable_grad
from .engine.mode import inference_mode as inference_mode
from .engine.mode import is_grad_enabled as is_grad_enabled
from .engine.mode import no_grad as no_grad
from .engine.mode import set_grad_enabled as set_grad_enabled
from .errors import CheckpointError as CheckpointError
from .errors import Error as Error
from .errors.left_out import getter as _getter
from .functions import *
from .kernels.choice import kernels as kernels
from .random import Generator as Generator
from .random import manual_seed as manual_seed
from .sampling import *
from .saving import load as load
from .saving import load_checkpoint as load_checkpoint
from .saving import save as save
from .saving import save_checkpoint as save_checkpoint
from .tensor.dtypes import *

__version__ = "0.2.0"

if _typing.TYPE_CHECKING:
    from . import distributed as distributed
else:
    _modules = {"autograd", "cuda", "data", "nn", "optim", "utils"}
    __all__ = [
        name
        for name, value in globals().items()
        if name in _modules or not (name[0] == "_" or isinstance(value, _Module))
    ]
    __getattr__ = _getter("tg", globals(), lazy={"distributed"})
