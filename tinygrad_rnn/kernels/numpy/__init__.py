"""NumPy: the inner loops of recurrent layers, of the loss and of the optimizer step.

All work on arrays of one float dtype, float32 or float64, inputs of any strides, time
first. Legend: T time, B batch, I input, H hidden, V classes, N examples. A forward
returns its outputs and a workspace. A backward takes ``grads``, the outputs' cotangents
(None where there is none), and ``needs``, which of the inputs want a gradient, and
returns a gradient or None for each input; it changes neither its arguments nor the
workspace, and its gradients are new arrays.

The layers above check arguments; here a wrong one is not noticed.
"""

from .gru import *
from .loss import *
from .lstm import *
from .norm import *
from .optimizer import *
from .rnn import *
from .steppers import *
