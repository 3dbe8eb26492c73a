"""New tensors of a tensor's dtype, on its device."""

from numbers import Real
from typing import Self

import numpy as np

from ..convert import as_dtype, check_export, copied, on_host
from ..errors import check_type
from ..errors.boundary import name_errors
from ..types import Data, DeviceLike, DType, Setting
from .arguments import sizes_of
from .base import is_tensor
from .casting import Casting


class Construction(Casting):
    """New tensors of this tensor's dtype, on its device."""

    __slots__ = ()

    def new_tensor(
        self,
        data: Data,
        dtype: DType = None,
        device: DeviceLike = None,
        requires_grad: bool = False,
    ) -> Self:
        """A copy of a list, an array or a tensor, in this dtype by default."""
        kind = self.dtype if dtype is None else dtype
        made = self._from_host(copied("new_tensor", data, kind)).to(device=device)
        return made.requires_grad_() if requires_grad else made

    @name_errors
    def new_full(
        self,
        size: object,
        fill_value: Setting,
        dtype: DType = None,
        device: DeviceLike = None,
    ) -> Self:
        """One value in a shape; ``dtype`` and ``device`` may differ."""
        kind = as_dtype(dtype or self.dtype, "new_full")
        check_export("new_full", fill_value)
        value = fill_value.item() if is_tensor(fill_value) else fill_value
        check_type("new_full", Real, "a number", fill_value=value)
        made = self._from_host(np.full(sizes_of("new_full", (size,)), value, kind))
        return made.to(device=device)

    def new_zeros(self, *size: object, **options: object) -> Self:
        """Zeros in a shape, with the options of :meth:`new_full`."""
        return self.new_full(sizes_of("new_zeros", size), 0, **options)

    def new_ones(self, *size: object, **options: object) -> Self:
        """Ones in a shape, with the options of :meth:`new_full`."""
        return self.new_full(sizes_of("new_ones", size), 1, **options)

    @name_errors
    def new_empty(self, *size: object, **options: object) -> Self:
        """As :meth:`new_zeros`; PyTorch does not define what is in it."""
        return self.new_zeros(*size, **options)

    @name_errors
    def new(self, *data: Data) -> Self:
        """A copy of a list or an array, or zeros in a shape."""
        if not data:
            return self.new_zeros(0)
        if len(data) > 1 or isinstance(data[0], int | tuple):
            return self.new_zeros(*data)
        return self._from_host(np.array(on_host(data[0], "new"), self.dtype))
