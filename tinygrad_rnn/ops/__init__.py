"""The table of ops, in the array API's names, by family.

Read them in this order: elementwise, reduce, shape, index, matmul, loss, recurrent.
"""

from .elementwise import *
from .index import *
from .loss import *
from .matmul import *
from .recurrent import *
from .reduce import *
from .shape import *

from ..engine.op import identity
