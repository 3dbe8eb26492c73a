"""A model that several processes train together, each on its part of the batch.

Example:
    >>> from tinygrad_rnn import nn
    >>> nn.parallel.DistributedDataParallel.__name__
    'DistributedDataParallel'
"""

import weakref
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from itertools import zip_longest
from typing import Any, NamedTuple

from ..backend import backend_of
from ..distributed.averaging import average_gradients, average_in_place
from ..distributed.collectives import broadcast_in_place, gather_objects
from ..distributed.group import ProcessGroup, current_group
from ..engine import seam
from ..engine.node import Value, count_change, wrap
from ..engine.walk import after_backward
from ..errors import GraphError, ShapeError, check_type
from ..tensor import Tensor
from ..types import DeviceLike, Shape
from .module import Module

__all__ = ["DistributedDataParallel"]


class Described(NamedTuple):
    """What has to be equal on all ranks of a parameter or buffer."""

    name: str
    shape: Shape
    dtype: str
    requires_grad: bool

    def __str__(self) -> str:
        trained = "" if self.requires_grad else ", not trained"
        return f"{self.name} of {self.dtype}, shape {self.shape}{trained}"


class DistributedDataParallel(Module):
    """Train a module with several processes, as torch.nn.parallel's.

    Every rank has the whole model, and computes the loss of its part of the batch, a
    mean. When ``backward()`` ends, the gradients are replaced by their means over all
    ranks, so each optimizer makes the same step, and the models stay equal. With parts
    of equal size that is the step that one process makes on the whole batch; for other
    parts see :func:`tinygrad_rnn.distributed.mean_loss`.

    When it is made, the parameters and buffers of rank 0 are copied to all ranks. The
    module itself is ``.module``: save, load and sample with that.

    Args:
        module: The model, on its device, with the same parameters on every rank.
        device_ids, output_device: Accepted for PyTorch's sake; the module stays where
            it is.
        broadcast_buffers: Copy the buffers of rank 0 to all ranks before each forward.
        find_unused_parameters: Accepted for PyTorch's sake; parameters that a rank did
            not use always count as a gradient of zeros there. If no rank used one, its
            gradient stays as it is.

    Raises:
        OptionError: There is no process group.
        ShapeError: The ranks have different models.
        GraphError: No parameter requires grad.

    Example:
        >>> import tinygrad_rnn as tg
        >>> from tinygrad_rnn.nn.parallel import DistributedDataParallel
        >>> model = tg.nn.Linear(3, 1)
        >>> if tg.distributed.is_initialized():
        ...     model = DistributedDataParallel(model)
        >>> model(tg.ones(2, 3)).mean().backward()
    """

    def __init__(
        self,
        module: Module,
        device_ids: Sequence[int] | None = None,
        output_device: DeviceLike = None,
        broadcast_buffers: bool = True,
        find_unused_parameters: bool = False,
    ) -> None:
        super().__init__()
        name = "DistributedDataParallel"
        check_type(name, Module, "an nn.Module", module=module)
        flags = {
            "broadcast_buffers": broadcast_buffers,
            "find_unused_parameters": find_unused_parameters,
        }
        check_type(name, bool, "True or False", **flags)
        group = current_group(name)
        named = module._named_tensors(name)
        _check_equal(group, named)
        trained = [x for _, x in named if x.requires_grad]
        if not trained:
            raise GraphError(
                f"{name}: no parameter of the module requires grad, so there is "
                "nothing to average; use the module itself"
            )
        _copy_from_rank_0(group, [x for _, x in named])
        self.module = module
        self.broadcast_buffers = broadcast_buffers
        self.require_backward_grad_sync = True
        # In one object, as Module takes a plain list for parameters that went missing.
        self._averaging = Averaging(group, trained)
        _run_after_backward(self)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Call the module."""
        if self.broadcast_buffers and self.require_backward_grad_sync:
            if seam.recorder is not None:
                for module in self.module.modules():
                    seam.module_called(module)  # whose buffers are read before it is
            _copy_from_rank_0(self._averaging.group, list(self.module.buffers()))
        return self.module(*args, **kwargs)

    @contextmanager
    def no_sync(self) -> Iterator[None]:
        """Leave gradients as they are while this is open, to accumulate them.

        The first ``backward()`` after it averages what has accumulated.

        Example:
            >>> import tinygrad_rnn as tg
            >>> if tg.distributed.is_initialized():
            ...     model = tg.nn.parallel.DistributedDataParallel(tg.nn.Linear(3, 1))
            ...     with model.no_sync():
            ...         model(tg.ones(2, 3)).mean().backward()
            ...     model(tg.ones(2, 3)).mean().backward()
        """
        before = self.require_backward_grad_sync
        self.require_backward_grad_sync = False
        try:
            yield
        finally:
            self.require_backward_grad_sync = before


class Averaging:
    """Which parameters are averaged, and with whom."""

    def __init__(self, group: ProcessGroup, parameters: list[Tensor]) -> None:
        self.group, self.parameters = group, parameters
        self._ids = {id(x) for x in parameters}

    def concerns(self, leaves: Collection[Value]) -> bool:
        """Return whether one of the leaves is averaged."""
        return any(id(leaf) in self._ids for leaf in leaves)

    def average(self) -> None:
        """Replace the gradients by their means over all ranks."""
        held = [x._grad for x in self.parameters if x._grad is not None]
        if len(held) < len(self.parameters):
            self._average_some()
        else:
            seam.act(average_in_place, self.group, [g.array for g in held])
        for gradient in held:
            count_change(gradient.version, "the average over all ranks")

    def _average_some(self) -> None:
        """Average where this rank lacks some gradients: it finds out who has them."""
        seam.refuse(
            "a model that does not use all of its parameters, with several ranks,",
            "freeze the others by requires_grad_(False) before DistributedDataParallel",
        )
        held = [x._grad for x in self.parameters]
        arrays = [None if g is None else g.array for g in held]
        like = [x.array for x in self.parameters]
        averaged = average_gradients(self.group, arrays, like)
        for parameter, gradient, mean in zip(
            self.parameters, held, averaged, strict=True
        ):
            if mean is not None and gradient is None:
                parameter._grad = wrap(backend_of(mean).array(mean))
            elif mean is not None:
                backend_of(mean).assign(gradient.array, ..., mean)


def _run_after_backward(model: DistributedDataParallel) -> None:
    """Average at the end of each backward, for as long as the model lives."""
    reference = weakref.ref(model)

    def average(leaves: Collection[Value]) -> None:
        held = reference()
        if held is None or not held.require_backward_grad_sync:
            return
        if held._averaging.concerns(leaves):
            held._averaging.average()

    after_backward.append(average)
    weakref.finalize(model, after_backward.remove, average).atexit = False


def _check_equal(group: ProcessGroup, named: Sequence[tuple[str, Tensor]]) -> None:
    """Raise, on every rank, if the models differ in more than values."""
    own = [Described(name, x.shape, str(x.dtype), x.requires_grad) for name, x in named]
    name = "DistributedDataParallel"
    models = gather_objects(group, name, [tuple(row) for row in own])
    for rank, model in enumerate(models):
        pairs = zip_longest(models[0], model)
        different = [(a, b) for a, b in pairs if a != b]
        if different:
            there, here = [
                Described(*row) if row else "nothing more" for row in different[0]
            ]
            raise ShapeError(
                f"{name}: the models differ: rank 0 has {there}, rank {rank} {here}; "
                "build the same model on every rank"
            )


def _copy_from_rank_0(group: ProcessGroup, tensors: Sequence[Tensor]) -> None:
    """Replace the values of tensors by those of rank 0."""
    name = "DistributedDataParallel"
    if not tensors:
        return
    seam.use(name, *tensors)
    seam.act(broadcast_in_place, group, name, [x.array for x in tensors], 0)
    for tensor in tensors:
        count_change(tensor.version, "the broadcast of rank 0")
