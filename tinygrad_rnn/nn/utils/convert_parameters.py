"""All parameters as one vector, and back."""

from collections.abc import Iterable

from ...engine.node import check_writable
from ...errors.tensor_checks import (
    check_shape_and_dtype,
    check_tensor_list,
    check_tensors,
)
from ...functions import cat
from ...tensor import Tensor


def parameters_to_vector(parameters: Iterable[Tensor]) -> Tensor:
    """Return all parameters, flattened, end to end; gradients flow through it.

    Args:
        parameters: Of one dtype and device, such as ``model.parameters()``.

    Returns:
        A vector of as many elements as the parameters have together.

    Example:
        >>> import tinygrad_rnn as tg
        >>> tg.nn.utils.parameters_to_vector(tg.nn.Linear(3, 2).parameters()).shape
        (8,)
    """
    given = check_tensor_list("parameters_to_vector", parameters)
    return cat([parameter.reshape(-1) for parameter in given])


def vector_to_parameters(vec: Tensor, parameters: Iterable[Tensor]) -> None:
    """Copy the parts of a vector into parameters: undo :func:`parameters_to_vector`.

    Args:
        vec: A vector with a number for each element of the parameters.
        parameters: In the order that the vector has.

    Raises:
        ShapeError: The vector is longer or shorter. Nothing has changed then.

    Example:
        >>> import tinygrad_rnn as tg
        >>> layer = tg.nn.Linear(2, 1)
        >>> vector = tg.tensor([1.0, 2.0, 3.0])
        >>> tg.nn.utils.vector_to_parameters(vector, layer.parameters())
        >>> layer.weight.tolist(), layer.bias.tolist()
        ([[1.0, 2.0]], [3.0])
    """
    name = "vector_to_parameters"
    given = check_tensor_list(name, parameters)
    sizes = [parameter.numel() for parameter in given]
    check_tensors(name, vec=vec)
    why = ", a number for each"
    check_shape_and_dtype(name, why, (sum(sizes),), vec.dtype, vec=vec)
    for parameter in given:
        check_writable(parameter.array, f"{name}: a parameter")
    for parameter, part in zip(given, vec.detach().split(sizes), strict=True):
        parameter.detach().copy_(part.reshape(parameter.shape))
