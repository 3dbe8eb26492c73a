"""The optimizers: torch.optim's names, arguments and arithmetic. g is a gradient, t a
step.
"""

from typing import Any, ClassVar

from .. import kernels
from ..errors import DTypeError, OptionError, check_numbers
from .optimizer import BELOW_1, FLAG, UNIT, Optimizer, checked


class SGD(Optimizer):
    """w <- w - lr * g; with momentum, w <- w - lr * v, v <- momentum * v + (1 -
    dampening) * g.

    As torch.optim.SGD: the first v is g itself, ``nesterov`` takes g + momentum * v,
    and ``weight_decay * w`` is added to g first.
    """

    rules: ClassVar = {"dampening": (check_numbers,), "nesterov": FLAG}
    slots: ClassVar = {"momentum_buffer": "momentum"}

    def __init__(
        self,
        params: Any,
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
        self.leave_out(foreach=foreach, differentiable=differentiable, fused=fused)
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "dampening": dampening,
            "weight_decay": weight_decay,
            "nesterov": nesterov,
            "maximize": maximize,
        }
        super().__init__(params, defaults)

    def options(self, group: Any) -> dict[str, Any]:
        options = super().options(group)
        if options["nesterov"] and (not options["momentum"] or options["dampening"]):
            raise OptionError(
                f"{self._name}: nesterov needs a momentum and no dampening"
            )
        return options

    def translated(self, entry: dict[str, Any]) -> dict[str, Any] | None:
        return {"step": 1, **entry} if entry else None  # PyTorch does not count

    def update(
        self, options: Any, xp: Any, param: Any, grad: Any, slots: Any, step: int
    ) -> None:
        momentum = options["momentum"]
        if momentum:
            velocity = slots["momentum_buffer"]
            velocity *= momentum
            velocity += grad if step == 1 else (1.0 - options["dampening"]) * grad
            grad = grad + momentum * velocity if options["nesterov"] else velocity
        param -= options["lr"] * grad


def _check_betas(name: str, betas: Any) -> None:
    if not isinstance(betas, tuple | list) or len(betas) != 2:
        raise DTypeError(f"{name}: betas is {betas!r}, expected two numbers")
    values = {"betas[0]": betas[0], "betas[1]": betas[1]}
    checked(name, dict.fromkeys(values, BELOW_1), values)


class Adam(Optimizer):
    """w <- w - lr * m / (sqrt(v) + eps), with the moments m and v corrected for their
    start at 0.

    As torch.optim.Adam, Kingma and Ba 2015: m <- b1 m + (1 - b1) g, v <- b2 v + (1 -
    b2) g^2, m / (1 - b1^t), v / (1 - b2^t); ``amsgrad`` divides by the largest v so far
    (Reddi et al. 2018), and ``weight_decay * w`` is added to g first.
    """

    rules: ClassVar = {"betas": (_check_betas,), "amsgrad": FLAG}
    slots: ClassVar = {"exp_avg": "", "exp_avg_sq": "", "max_exp_avg_sq": "amsgrad"}
    decays = False  # update does

    def __init__(
        self,
        params: Any,
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
        self.leave_out(
            foreach=foreach,
            capturable=capturable,
            differentiable=differentiable,
            fused=fused,
            decoupled_weight_decay=decoupled_weight_decay,
        )
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "amsgrad": amsgrad,
            "maximize": maximize,
        }
        super().__init__(params, defaults)

    def options(self, group: Any) -> dict[str, Any]:
        options = super().options(group)
        options["beta1"], options["beta2"] = map(float, options.pop("betas"))
        return options

    def update(
        self, options: Any, xp: Any, param: Any, grad: Any, slots: Any, step: int
    ) -> None:
        if kernel := kernels.find(xp.kind, "adam_step"):
            settings = {
                key: value for key, value in options.items() if key != "amsgrad"
            }
            kernel(
                [param],
                [grad],
                [slots["exp_avg"]],
                [slots["exp_avg_sq"]],
                [slots["max_exp_avg_sq"]] if options["amsgrad"] else None,
                step=step,
                decoupled=self.decoupled,
                **settings,
            )
            return
        lr, beta1, beta2, decay = (
            options[k] for k in ("lr", "beta1", "beta2", "weight_decay")
        )
        if decay and self.decoupled:
            param *= 1.0 - lr * decay
        elif decay:
            grad += decay * param
        first, second = slots["exp_avg"], slots["exp_avg_sq"]
        first += (1.0 - beta1) * (grad - first)
        second *= beta2
        second += (1.0 - beta2) * (grad * grad)
        if options["amsgrad"]:
            second = slots["max_exp_avg_sq"] = xp.maximum(
                slots["max_exp_avg_sq"], second
            )
        scale = xp.sqrt(second) * (1.0 / (1.0 - beta2**step) ** 0.5) + options["eps"]
        param -= (lr / (1.0 - beta1**step)) * (first / scale)


class AdamW(Adam):
    """Adam that first shrinks w by 1 - lr * weight_decay, and keeps the decay out of
    the moments.

    As torch.optim.AdamW, Loshchilov and Hutter 2019.
    """

    decoupled = True

    def __init__(
        self,
        params: Any,
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
        self.leave_out(
            foreach=foreach,
            capturable=capturable,
            differentiable=differentiable,
            fused=fused,
        )
        super().__init__(
            params, lr, betas, eps, weight_decay, amsgrad, maximize=maximize
        )


class RMSprop(Optimizer):
    """w <- w - lr * g / (sqrt(v) + eps), v <- alpha * v + (1 - alpha) * g^2.

    As torch.optim.RMSprop, Tieleman and Hinton 2012: ``centered`` takes the square of
    g's running mean from v (Graves 2013), ``momentum`` adds up the quotients, and
    ``weight_decay * w`` is added to g first.
    """

    rules: ClassVar = {"alpha": UNIT, "centered": FLAG}
    slots: ClassVar = {
        "square_avg": "",
        "momentum_buffer": "momentum",
        "grad_avg": "centered",
    }

    def __init__(
        self,
        params: Any,
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
        self.leave_out(
            capturable=capturable, foreach=foreach, differentiable=differentiable
        )
        defaults = {
            "lr": lr,
            "alpha": alpha,
            "eps": eps,
            "weight_decay": weight_decay,
            "momentum": momentum,
            "centered": centered,
            "maximize": maximize,
        }
        super().__init__(params, defaults)

    def update(
        self, options: Any, xp: Any, param: Any, grad: Any, slots: Any, step: int
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
    """w <- w - lr / (1 + (t - 1) * lr_decay) * g / (sqrt(s) + eps), s <- s + g^2.

    As torch.optim.Adagrad, Duchi, Hazan and Singer 2011: s begins at
    ``initial_accumulator_value``, and ``weight_decay * w`` is added to g first.
    """

    slots: ClassVar = {"sum": ""}

    def __init__(
        self,
        params: Any,
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
        self.leave_out(foreach=foreach, differentiable=differentiable, fused=fused)
        defaults = {
            "lr": lr,
            "lr_decay": lr_decay,
            "weight_decay": weight_decay,
            "initial_accumulator_value": initial_accumulator_value,
            "eps": eps,
            "maximize": maximize,
        }
        super().__init__(params, defaults)

    def translated(self, entry: dict[str, Any]) -> dict[str, Any] | None:
        return None if entry.get("step") == 0 else entry  # PyTorch begins with a state

    def update(
        self, options: Any, xp: Any, param: Any, grad: Any, slots: Any, step: int
    ) -> None:
        total = slots["sum"]
        total += grad * grad + (
            options["initial_accumulator_value"] if step == 1 else 0.0
        )
        rate = options["lr"] / (1.0 + (step - 1) * options["lr_decay"])
        param -= rate * (grad / (xp.sqrt(total) + options["eps"]))
