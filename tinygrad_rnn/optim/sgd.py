"""Stochastic gradient descent, with momentum."""

import math
from collections.abc import Mapping
from typing import Any

from ..errors import OptionError
from .optimizer import Optimizer, at_least


class SGD(Optimizer):
    """w <- w - lr * g; with momentum, w <- w - lr * v, v <- momentum * v + (1 - dampening) * g.

    As torch.optim.SGD: the first v is g itself, ``nesterov`` takes g + momentum * v, and
    ``weight_decay * w`` is added to g first.
    """

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        momentum: float = 0.0,
        dampening: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr,
                "momentum": momentum,
                "dampening": dampening,
                "weight_decay": weight_decay,
                "nesterov": nesterov,
            },
        )

    def check(self, group: Mapping[str, Any]) -> None:
        at_least(self._name, 0.0, **{key: group[key] for key in ("lr", "momentum", "weight_decay")})
        at_least(self._name, -math.inf, dampening=group["dampening"])
        if group["nesterov"] and (not group["momentum"] or group["dampening"]):
            raise OptionError(f"{self._name}: nesterov needs a momentum and no dampening")

    def slots_of(self, group: Mapping[str, Any]) -> tuple[str, ...]:
        return ("momentum_buffer",) if group["momentum"] else ()

    def update(
        self, group: dict[str, Any], xp: Any, param: Any, grad: Any, slots: Any, step: int
    ) -> None:
        if group["weight_decay"]:
            grad += group["weight_decay"] * param
        if group["momentum"]:
            velocity = slots["momentum_buffer"]
            velocity *= group["momentum"]
            velocity += grad if step == 1 else (1.0 - group["dampening"]) * grad
            grad = grad + group["momentum"] * velocity if group["nesterov"] else velocity
        param -= group["lr"] * grad
