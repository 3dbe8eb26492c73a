"""Helpers for training: clipping, and all parameters as one vector. torch.nn.utils's
names.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ...engine.node import check_writable
from ...errors import left_out
from ...errors.tensor_checks import check_shape_and_dtype, check_tensors
from ...functions import cat
from ...tensor import Tensor
from ..clip import clip_grad_norm_, clip_grad_value_, get_total_norm, listed
from . import rnn

__all__ = [
    "clip_grad_norm_",
    "clip_grad_value_",
    "get_total_norm",
    "parameters_to_vector",
    "rnn",
]
__all__ += ["vector_to_parameters"]


def parameters_to_vector(parameters: Iterable[Tensor]) -> Tensor:
    """All parameters, flattened, end to end; gradients flow through it."""
    return cat([p.reshape(-1) for p in listed("parameters_to_vector", parameters)])


def vector_to_parameters(vec: Tensor, parameters: Iterable[Tensor]) -> None:
    """Copy the parts of a vector into the parameters, as :func:`parameters_to_vector`
    has them.
    """
    given = listed("vector_to_parameters", parameters)
    sizes = [p.numel() for p in given]
    check_tensors("vector_to_parameters", vec=vec)
    check_shape_and_dtype(
        "vector_to_parameters", ", a number for each", (sum(sizes),), vec.dtype, vec=vec
    )
    for parameter in given:
        check_writable(parameter.array, "vector_to_parameters: a parameter")
    for parameter, part in zip(given, vec.detach().split(sizes), strict=True):
        parameter.detach().copy_(part.reshape(parameter.shape))


if not TYPE_CHECKING:
    __getattr__ = left_out.getter("tg.nn.utils", globals())
