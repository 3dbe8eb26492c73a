"""The dtypes of tensors, by PyTorch's names: NumPy's own objects.

Every public name of this module is one of the top level too.
"""

from numpy import dtype as _dtype

bool = _dtype("bool")
uint8 = _dtype("uint8")
uint16 = _dtype("uint16")
uint32 = _dtype("uint32")
uint64 = _dtype("uint64")
int8 = _dtype("int8")
int16 = _dtype("int16")
int32 = int = _dtype("int32")
int64 = long = _dtype("int64")
float32 = float = _dtype("float32")
float64 = double = _dtype("float64")
