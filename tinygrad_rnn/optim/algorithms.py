"""The optimizers, with torch.optim's names, arguments and arithmetic.

In their equations w is a parameter, g its gradient, and t the number of the step, from
1. What ``foreach``, ``fused``, ``capturable`` and ``differentiable`` choose in PyTorch
does not exist here; they are accepted where they are false.
"""

from collections.abc import Mapping
from functools import partial
from typing import ClassVar

from ..backend.numpy import is_contiguous
from ..errors import DTypeError, OptionError, check_numbers
from ..kernels import find as find_kernel
from ..types import Array, Function, Namespace, Setting, Settings
from .batches import Slots
from .optimizer import Optimizer, Params
from .options import check_below_1, check_flag, check_fraction, label

__warningregistry__ = ()  # makes NumPy's warnings errors: see engine/warned.py


class SGD(Optimizer):
    """Stochastic gradient descent, with momentum if asked for.

    ::

        g <- g + weight_decay * w
        v <- momentum * v + (1 - dampening) * g      the first time, v <- g
        w <- w - lr * v                              with nesterov, g + momentum * v

    Sutskever, Martens, Dahl and Hinton, "On the importance of initialization and
    momentum in deep learning", ICML 2013.

    Args:
        params: Tensors, or groups: see :class:`tinygrad_rnn.optim.Optimizer`.
        lr: The learning rate.
        momentum: The share of the velocity v that is kept; with 0, v is g.
        dampening: The share of g that is left out of the velocity.
        weight_decay: The weight of the L2 penalty.
        nesterov: Whether to look ahead along the velocity.
        maximize: Whether to ascend instead.
        foreach, differentiable, fused: PyTorch's; false or left out here.

    Raises:
        OptionError: A number is out of its range; ``nesterov`` without momentum or with
            dampening; an option that exists in PyTorch only.
        DTypeError: An option is of another type.

    Example:
        >>> from tinygrad_rnn import nn, optim
        >>> model = nn.Linear(2, 1)
        >>> optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    """

    rules: ClassVar = {"dampening": check_numbers, "nesterov": check_flag}
    slots: ClassVar = {"momentum_buffer": "momentum"}

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        momentum: float = 0.0,
        dampening: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "dampening": dampening,
            "weight_decay": weight_decay,
            "nesterov": nesterov,
            "maximize": maximize,
            "foreach": foreach,
            "differentiable": differentiable,
            "fused": fused,
        }
        super().__init__(params, defaults)

    def options(self, group: Mapping[str, Setting]) -> Settings:
        options = super().options(group)
        if options["nesterov"] and (not options["momentum"] or options["dampening"]):
            raise OptionError(
                f"{self._name}: nesterov needs a momentum and no dampening"
            )
        return options

    def translate(self, entry: Settings) -> Settings | None:
        return {"step": 1, **entry} if entry else None  # PyTorch saves no count

    def update(
        self,
        options: Settings,
        xp: Namespace,
        param: Array,
        grad: Array,
        slots: Slots,
        step: int,
    ) -> None:
        momentum = options["momentum"]
        if momentum:
            velocity = slots["momentum_buffer"]
            velocity *= momentum
            velocity += grad if step == 1 else (1.0 - options["dampening"]) * grad
            grad = grad + momentum * velocity if options["nesterov"] else velocity
        param -= options["lr"] * grad


def _check_betas(name: str, betas: object) -> None:
    if not isinstance(betas, tuple | list) or len(betas) != 2:
        raise DTypeError(f"{name}: betas is {betas!r}, expected two numbers")
    check_below_1(name, **label("betas", betas))


class Adam(Optimizer):
    """Adam: steps scaled by running means of the gradient and of its square.

    ::

        g <- g + weight_decay * w
        exp_avg <- beta1 * exp_avg + (1 - beta1) * g
        exp_avg_sq <- beta2 * exp_avg_sq + (1 - beta2) * g^2
        m = exp_avg / (1 - beta1^t)
        v = exp_avg_sq / (1 - beta2^t)               with amsgrad, the largest so far
        w <- w - lr * m / (sqrt(v) + eps)

    Kingma and Ba, "Adam: a method for stochastic optimization", ICLR 2015; ``amsgrad``
    is by Reddi, Kale and Kumar, ICLR 2018.

    Args:
        params: Tensors, or groups: see :class:`tinygrad_rnn.optim.Optimizer`.
        lr: The learning rate.
        betas: How much of each running mean is kept in a step, two numbers below 1.
        eps: What keeps the division from one by 0.
        weight_decay: The weight of the L2 penalty; :class:`AdamW` decays otherwise.
        amsgrad: Whether to divide by the largest exp_avg_sq so far.
        maximize: Whether to ascend instead.
        foreach, capturable, differentiable, fused: PyTorch's; false or left out here.
        decoupled_weight_decay: PyTorch's; True gives :class:`AdamW`.

    Raises:
        OptionError: A number is out of its range; an option that exists in PyTorch
            only.
        DTypeError: An option is of another type.

    Example:
        >>> from tinygrad_rnn import nn, optim
        >>> model = nn.Linear(2, 1)
        >>> optimizer = optim.Adam(model.parameters(), lr=1e-3)
    """

    rules: ClassVar = {"betas": _check_betas, "amsgrad": check_flag}
    slots: ClassVar = {"exp_avg": "", "exp_avg_sq": "", "max_exp_avg_sq": "amsgrad"}
    decays = False  # update does: with decoupled, otherwise

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        amsgrad: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
        decoupled_weight_decay: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "amsgrad": amsgrad,
            "maximize": maximize,
            "foreach": foreach,
            "capturable": capturable,
            "differentiable": differentiable,
            "fused": fused,
            "decoupled_weight_decay": decoupled_weight_decay,
        }
        super().__init__(params, defaults)

    def options(self, group: Mapping[str, Setting]) -> Settings:
        options = super().options(group)
        options["beta1"], options["beta2"] = map(float, options.pop("betas"))
        return options

    def kernel_in_place(self, xp: Namespace, arrays: list[Array]) -> Function | None:
        prepare = find_kernel(xp.kind, "prepare_adam_step")
        is_own = type(self).update is Adam.update  # not a subclass's
        if prepare is None or not is_own or not all(map(is_contiguous, arrays)):
            return None
        return partial(prepare, self.decoupled)

    def update(
        self,
        options: Settings,
        xp: Namespace,
        param: Array,
        grad: Array,
        slots: Slots,
        step: int,
    ) -> None:
        kernel = find_kernel(xp.kind, "adam_step")
        if kernel is not None:
            settings = {**options, "step": step, "decoupled": self.decoupled}
            largest = [slots["max_exp_avg_sq"]] if settings.pop("amsgrad") else None
            moments = [slots["exp_avg"]], [slots["exp_avg_sq"]], largest
            kernel([param], [grad], *moments, **settings)
            return
        lr, beta1, beta2 = options["lr"], options["beta1"], options["beta2"]
        decay = options["weight_decay"]
        if decay and self.decoupled:
            param *= 1.0 - lr * decay
        elif decay:
            grad += decay * param
        exp_avg, exp_avg_sq = slots["exp_avg"], slots["exp_avg_sq"]
        exp_avg += (1.0 - beta1) * (grad - exp_avg)
        exp_avg_sq *= beta2
        exp_avg_sq += (1.0 - beta2) * (grad * grad)
        if options["amsgrad"]:
            exp_avg_sq = xp.maximum(slots["max_exp_avg_sq"], exp_avg_sq)
            slots["max_exp_avg_sq"] = exp_avg_sq
        root = xp.sqrt(exp_avg_sq) * (1.0 / (1.0 - beta2**step) ** 0.5)
        scale = root + options["eps"]
        param -= (lr / (1.0 - beta1**step)) * (exp_avg / scale)


class AdamW(Adam):
    """Adam with a weight decay that is kept out of the moments.

    A step first shrinks the parameters, ``w <- w * (1 - lr * weight_decay)``, and then
    is Adam's without a penalty. Loshchilov and Hutter, "Decoupled weight decay
    regularization", ICLR 2019.

    Args:
        params: Tensors, or groups: see :class:`tinygrad_rnn.optim.Optimizer`.
        lr: The learning rate.
        betas: How much of each running mean is kept in a step, two numbers below 1.
        eps: What keeps the division from one by 0.
        weight_decay: How fast the parameters shrink.
        amsgrad: Whether to divide by the largest exp_avg_sq so far.
        maximize: Whether to ascend instead.
        foreach, capturable, differentiable, fused: PyTorch's; false or left out here.

    Raises:
        OptionError, DTypeError: As in :class:`Adam`.

    Example:
        >>> from tinygrad_rnn import nn, optim
        >>> model = nn.Linear(2, 1)
        >>> optimizer = optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.1)
    """

    decoupled = True

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        super().__init__(
            params,
            lr,
            betas,
            eps,
            weight_decay,
            amsgrad,
            foreach=foreach,
            maximize=maximize,
            capturable=capturable,
            differentiable=differentiable,
            fused=fused,
        )


class RMSprop(Optimizer):
    """RMSprop: steps scaled by the root of a running mean of the squared gradient.

    ::

        g <- g + weight_decay * w
        square_avg <- alpha * square_avg + (1 - alpha) * g^2
        grad_avg <- alpha * grad_avg + (1 - alpha) * g
        v = square_avg                               centered: square_avg - grad_avg^2
        g <- g / (sqrt(v) + eps)
        momentum_buffer <- momentum * momentum_buffer + g
        w <- w - lr * momentum_buffer

    Tieleman and Hinton, "Lecture 6.5: RMSprop", Neural Networks for Machine Learning,
    2012; ``centered`` is by Graves, arXiv:1308.0850.

    Args:
        params: Tensors, or groups: see :class:`tinygrad_rnn.optim.Optimizer`.
        lr: The learning rate.
        alpha: How much of each running mean is kept in a step.
        eps: What keeps the division from one by 0.
        weight_decay: The weight of the L2 penalty.
        momentum: How much of the last step is added to this one.
        centered: Whether to scale by the gradient's variance instead.
        maximize: Whether to ascend instead.
        capturable, foreach, differentiable: PyTorch's; false or left out here.

    Raises:
        OptionError: A number is out of its range; an option that exists in PyTorch
            only.
        DTypeError: An option is of another type.

    Example:
        >>> from tinygrad_rnn import nn, optim
        >>> model = nn.Linear(2, 1)
        >>> optimizer = optim.RMSprop(model.parameters(), lr=1e-3, centered=True)
    """

    rules: ClassVar = {"alpha": check_fraction, "centered": check_flag}
    slots: ClassVar = {
        "square_avg": "",
        "momentum_buffer": "momentum",
        "grad_avg": "centered",
    }

    def __init__(
        self,
        params: Params,
        lr: float = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum: float = 0.0,
        centered: bool = False,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "alpha": alpha,
            "eps": eps,
            "weight_decay": weight_decay,
            "momentum": momentum,
            "centered": centered,
            "maximize": maximize,
            "capturable": capturable,
            "foreach": foreach,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def update(
        self,
        options: Settings,
        xp: Namespace,
        param: Array,
        grad: Array,
        slots: Slots,
        step: int,
    ) -> None:
        square, alpha = slots["square_avg"], options["alpha"]
        square *= alpha
        square += (1.0 - alpha) * (grad * grad)
        if options["centered"]:
            mean = slots["grad_avg"]
            mean += (1.0 - alpha) * (grad - mean)
            square = square - mean * mean
        grad /= xp.sqrt(square) + options["eps"]
        if options["momentum"]:
            velocity = slots["momentum_buffer"]
            velocity *= options["momentum"]
            velocity += grad
            grad = velocity
        param -= options["lr"] * grad


class Adagrad(Optimizer):
    """Adagrad: steps scaled by the root of the sum of all squared gradients.

    ::

        g <- g + weight_decay * w
        sum <- sum + g^2                             from initial_accumulator_value on
        rate = lr / (1 + (t - 1) * lr_decay)
        w <- w - rate * g / (sqrt(sum) + eps)

    Duchi, Hazan and Singer, "Adaptive subgradient methods for online learning and
    stochastic optimization", JMLR 12, 2011.

    Args:
        params: Tensors, or groups: see :class:`tinygrad_rnn.optim.Optimizer`.
        lr: The learning rate.
        lr_decay: How fast the rate falls.
        weight_decay: The weight of the L2 penalty.
        initial_accumulator_value: What the sum begins at.
        eps: What keeps the division from one by 0.
        maximize: Whether to ascend instead.
        foreach, differentiable, fused: PyTorch's; false or left out here.

    Raises:
        OptionError: A number is out of its range; an option that exists in PyTorch
            only.
        DTypeError: An option is of another type.

    Example:
        >>> from tinygrad_rnn import nn, optim
        >>> model = nn.Linear(2, 1)
        >>> optimizer = optim.Adagrad(model.parameters(), lr=0.01)
    """

    slots: ClassVar = {"sum": ""}

    def __init__(
        self,
        params: Params,
        lr: float = 1e-2,
        lr_decay: float = 0.0,
        weight_decay: float = 0.0,
        initial_accumulator_value: float = 0.0,
        eps: float = 1e-10,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        defaults = {
            "lr": lr,
            "lr_decay": lr_decay,
            "weight_decay": weight_decay,
            "initial_accumulator_value": initial_accumulator_value,
            "eps": eps,
            "maximize": maximize,
            "foreach": foreach,
            "differentiable": differentiable,
            "fused": fused,
        }
        super().__init__(params, defaults)

    def translate(self, entry: Settings) -> Settings | None:
        return None if entry.get("step") == 0 else entry  # PyTorch saves sum at once

    def update(
        self,
        options: Settings,
        xp: Namespace,
        param: Array,
        grad: Array,
        slots: Slots,
        step: int,
    ) -> None:
        total = slots["sum"]
        initial = options["initial_accumulator_value"] if step == 1 else 0.0
        total += grad * grad + initial
        rate = options["lr"] / (1.0 + (step - 1) * options["lr_decay"])
        param -= rate * (grad / (xp.sqrt(total) + options["eps"]))
