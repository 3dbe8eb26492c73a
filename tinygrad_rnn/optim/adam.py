"""Adam: Kingma and Ba 2015."""

from collections.abc import Mapping
from typing import Any, ClassVar

from .. import kernels
from ..errors import DTypeError, OptionError
from .optimizer import Optimizer, at_least


class Adam(Optimizer):
    """w <- w - lr * m / (sqrt(v) + eps), with the moments m and v corrected for their start at 0.

    As torch.optim.Adam: m <- b1 m + (1 - b1) g, v <- b2 v + (1 - b2) g^2, m / (1 - b1^t),
    v / (1 - b2^t); ``amsgrad`` divides by the largest v so far (Reddi et al. 2018), and
    ``weight_decay * w`` is added to g first.
    """

    decoupled: ClassVar[bool] = False  # whether weight decay leaves the gradient alone

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        amsgrad: bool = False,
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr,
                "betas": betas,
                "eps": eps,
                "weight_decay": weight_decay,
                "amsgrad": amsgrad,
            },
        )

    def check(self, group: Mapping[str, Any]) -> None:
        at_least(self._name, 0.0, **{key: group[key] for key in ("lr", "eps", "weight_decay")})
        betas = group["betas"]
        if not isinstance(betas, tuple | list) or len(betas) != 2:
            raise DTypeError(f"{self._name}: betas is {betas!r}, expected two numbers")
        at_least(self._name, 0.0, **{f"betas[{i}]": beta for i, beta in enumerate(betas)})
        if max(betas) >= 1.0:
            raise OptionError(f"{self._name}: betas is {betas!r}, expected both in [0, 1)")

    def slots_of(self, group: Mapping[str, Any]) -> tuple[str, ...]:
        moments = ("exp_avg", "exp_avg_sq")
        return (*moments, "max_exp_avg_sq") if group["amsgrad"] else moments

    def update(
        self, group: dict[str, Any], xp: Any, param: Any, grad: Any, slots: Any, step: int
    ) -> None:
        options = {key: group[key] for key in ("lr", "eps", "weight_decay", "amsgrad")}
        options["beta1"], options["beta2"] = group["betas"]
        kernel = kernels.find(xp.name, "adam_step") or adam_step
        moments = [slots.get(name) for name in ("exp_avg", "exp_avg_sq", "max_exp_avg_sq")]
        kernel(param, grad, *moments, step=step, decoupled=self.decoupled, **options)


def adam_step(
    param: Any,
    grad: Any,
    exp_avg: Any,
    exp_avg_sq: Any,
    max_exp_avg_sq: Any,
    *,
    step: int,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    weight_decay: float,
    amsgrad: bool,
    decoupled: bool,
) -> None:
    """One step on flat vectors, in place: what the kernels of this name compute."""
    if weight_decay:
        if decoupled:
            param *= 1.0 - lr * weight_decay
        else:
            grad = grad + weight_decay * param
    exp_avg += (1.0 - beta1) * (grad - exp_avg)
    exp_avg_sq *= beta2
    exp_avg_sq += (1.0 - beta2) * (grad * grad)
    second = exp_avg_sq
    if amsgrad:
        larger = exp_avg_sq > max_exp_avg_sq
        max_exp_avg_sq[larger] = exp_avg_sq[larger]
        second = max_exp_avg_sq
    scale = (second**0.5) * (1.0 / (1.0 - beta2**step) ** 0.5) + eps
    param -= (lr / (1.0 - beta1**step)) * (exp_avg / scale)
