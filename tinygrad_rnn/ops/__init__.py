"""The table of ops, in the array API's names, by family.

In the order to read: elementwise, reduce, shape, index, matmul, loss, recurrent.
"""

from .elementwise import *
from .index import *
from .loss import *
from .matmul import *
from .recurrent import *
from .reduce import *
from .shape import *

from ..engine import warned
from ..engine.op import identity

for family in (
    "elementwise",
    "index",
    "loss",
    "matmul",
    "recurrent",
    "reduce",
    "shape",
):
    warned.mark(f"ops.{family}")
for kernel in (
    "embedding",
    "gru",
    "loss",
    "lstm",
    "norm",
    "optimizer",
    "rnn",
    "scan",
    "steppers",
):
    warned.mark(f"kernels.numpy.{kernel}")
warned.mark("backend.numpy", "backend.standard", "backend.threads")
