"""What the options of optimizers and schedules may be.

A rule is a function ``rule(name, option=value)`` that raises unless the value is right;
``name`` says in the message which class complains. A tuple of such a function and its
bounds, ``(check_integers, 1)``, is a rule too.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from math import nextafter
from numbers import Integral, Real
from typing import Any

from ..errors import Error, check_integers, check_numbers, check_type
from ..types import Function, Setting, Settings

Check = Callable[..., None]
Rule = Check | tuple[Any, ...]
Rules = dict[str, Rule]

check_not_negative = partial(check_numbers, low=0.0)
check_positive = partial(check_numbers, low=nextafter(0.0, 1.0))
check_fraction = partial(check_numbers, low=0.0, high=1.0)
check_below_1 = partial(check_numbers, low=0.0, high=nextafter(1.0, 0.0))
check_positive_fraction = partial(check_numbers, low=nextafter(0.0, 1.0), high=1.0)
check_count = partial(check_integers, low=0)


def check_flag(name: str, **values: object) -> None:
    """Require True or False, and no other object that counts as one of them."""
    check_type(name, bool, "True or False", **values)


def label(what: str, values: Iterable[Setting]) -> Settings:
    """Return the items of a list by the names that messages give them: ``betas[0]``."""
    return {f"{what}[{i}]": value for i, value in enumerate(values)}


# PyTorch's keywords that choose an implementation, or make another optimizer.
LEFT_OUT = {
    "foreach": "every step works on flat vectors of all parameters already",
    "fused": "every step works on flat vectors of all parameters already",
    "capturable": "there are no CUDA graphs",
    "differentiable": "a step is not recorded; write the update with tensors and "
    "create_graph=True",
    "decoupled_weight_decay": "that is optim.AdamW",
}


def check_options(name: str, rules: Rules, options: Mapping[str, Setting]) -> Settings:
    """Return the options that have a rule; raise for the first that breaks its rule."""
    for option, rule in rules.items():
        check, *bounds = rule if isinstance(rule, tuple) else (rule,)
        check(name, *bounds, **{option: options[option]})
    return {option: _as_python_number(options[option]) for option in rules}


def _as_python_number(value: Setting) -> Setting:
    """Return Python's int or float for another number.

    A float64 of NumPy's would turn the arithmetic of float32 vectors into float64.
    """
    if isinstance(value, bool) or not isinstance(value, Real):
        return value
    return int(value) if isinstance(value, Integral) else float(value)


def faults(check: Function, *args: object, **kwargs: object) -> list[str]:
    """Return what a check complains about, as a list of no message or one.

    For callers that report everything wrong at once.
    """
    try:
        check(*args, **kwargs)
    except (Error, TypeError, ValueError, OverflowError) as error:
        return [str(error)]
    return []
