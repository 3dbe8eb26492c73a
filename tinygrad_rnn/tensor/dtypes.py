"""The dtypes that tensors can have, by PyTorch's names: NumPy's own objects."""

import numpy as np

float32, float64, int32, int64, bool_ = map(np.dtype, ("f4", "f8", "i4", "i8", "?"))
int8, int16, uint8, uint16, uint32, uint64 = map(
    np.dtype, ("i1", "i2", "u1", "u2", "u4", "u8")
)
