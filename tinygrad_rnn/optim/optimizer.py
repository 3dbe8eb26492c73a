"""What all optimizers share: parameter groups, steps that are all or nothing, and their state.

A step gathers the parameters and their gradients into flat vectors, lets the optimizer's update
work on these in a few passes, and writes the parameters back. What an update remembers (moments,
momentum) stays flat between steps; ``state_dict`` shows it parameter by parameter.
"""

from collections.abc import Callable, Iterable, Mapping
from itertools import accumulate, count
from typing import Any, ClassVar

import numpy as np

from ..backend import backend_of
from ..engine.mode import enable_grad
from ..engine.node import check_writable, wrap
from ..errors import CheckpointError, DTypeError, Error, OptionError

# isort: split
from ..errors import check_choice, check_integers, check_numbers, check_type, described
from ..tensor import Tensor

# What settings can be: a check, and what it takes between the name of who complains and the value.
Rules = dict[str, tuple[Any, ...]]
NUMBER = (check_numbers, 0.0)
FLAG = (check_type, bool, "True or False")


def checked(name: str, rules: Rules, values: Mapping[str, Any]) -> dict[str, Any]:
    """The values of the keys that have a rule, if they keep it; numbers as Python's floats."""
    for key, (check, *bounds) in rules.items():
        check(name, *bounds, **{key: values[key]})
    return {k: float(values[k]) if r[0] is check_numbers else values[k] for k, r in rules.items()}


def faults(check: Callable[..., Any], *args: Any, **kwargs: Any) -> list[str]:
    """What a check complains about, as a list: for those who tell all that is wrong at once."""
    try:
        check(*args, **kwargs)
    except (Error, TypeError, ValueError, OverflowError) as error:
        return [str(error)]
    return []


def refuse(name: str, wrong: list[str]) -> None:
    """CheckpointError, if anything is wrong with a state that is to be loaded."""
    if wrong:
        raise CheckpointError(f"{name}.load_state_dict: nothing was loaded, as {'; '.join(wrong)}")


def _kind(array: Any) -> tuple[Any, ...]:
    return array.device, array.dtype, array.shape


def _told(kind: tuple[Any, ...]) -> str:
    return f"{kind[1]} of shape {kind[2]} on {kind[0]}"


class Optimizer:
    """Base of the optimizers. A subclass names its ``rules`` and ``slots``, and writes ``update``.

    ``params`` is an iterable of tensors, or of dicts, each a group with options of its own and its
    tensors under ``"params"``.
    """

    rules: ClassVar[Rules] = {}  # of the options that are not numbers of at least 0
    slots: ClassVar[dict[str, str]] = {}  # what it remembers, and the option that asks for it

    def __init__(self, params: Any, defaults: dict[str, Any]) -> None:
        self._name = f"optim.{type(self).__name__}"
        self.defaults, self._rules = defaults, dict.fromkeys(defaults, NUMBER) | self.rules
        self.param_groups: list[dict[str, Any]] = []
        self._state: dict[Tensor, Any] = {}  # of each its kind, its steps, its slots by name
        self._checked: tuple[Any, Any] = ([], [])  # values of options, and these for the updates
        groups = self._listed(params)
        if not groups:
            raise OptionError(
                f"{self._name}: params is empty, nothing to train; a generator serves only once"
            )
        for group in groups if isinstance(groups[0], dict) else [{"params": groups}]:
            self.add_param_group(group)

    def _listed(self, params: Any) -> list[Any]:
        unordered = isinstance(params, Tensor | set | frozenset | str | dict)
        if unordered or not isinstance(params, Iterable):
            raise DTypeError(
                f"{self._name}: params is {type(params).__name__}, expected tensors or groups in "
                "order: a list, model.parameters(), [tensor]"
            )
        return list(params)

    def _params(self) -> list[Tensor]:
        return [param for group in self.param_groups for param in group["params"]]

    def options(self, group: Mapping[str, Any]) -> dict[str, Any]:
        """A group's options as ``update`` takes them; refuses those that cannot be right."""
        return checked(self._name, self._rules, group)

    def slots_of(self, group: Mapping[str, Any]) -> list[str]:
        """The vectors that an update remembers, given the group's options; they begin as zeros."""
        return [name for name, option in self.slots.items() if not option or group[option]]

    def update(self, options: Any, xp: Any, param: Any, grad: Any, slots: Any, step: int) -> None:
        """One step, from 1, of ``param`` and the vectors in the dict ``slots``, in place.

        ``grad`` is the optimizer's own copy. ``xp`` is the backend whose vectors these are.
        """
        raise NotImplementedError

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Train more tensors, with options of their own."""
        if not isinstance(param_group, dict) or "params" not in param_group:
            raise DTypeError(f"{self._name}: a group is a dict with 'params', got {param_group!r}")
        for key in param_group:
            known = ("params", *self.defaults, "initial_lr")
            check_choice(self._name, known, **{"an option of a group": key})
        given = param_group["params"]
        params = [given] if isinstance(given, Tensor) else self._listed(given)
        held = set(self._params())
        for place, param in enumerate(params):
            check_type(self._name, Tensor, "a Tensor", **{f"parameter {place}": param})
            if param.node is not None or param.dtype.kind != "f":
                raise OptionError(
                    f"{self._name}: parameter {place} is not a float leaf; detach() it first"
                )
            if param in held:
                raise OptionError(f"{self._name}: parameter {place} is given twice")
            held.add(param)
        group = {**self.defaults, **param_group, "params": params}
        self.options(group)
        self.param_groups.append(group)

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients, or set them to zeros."""
        for param in self._params():
            keep = param.grad is not None and not set_to_none
            param.grad = wrap(backend_of(param.array).zeros_like(param.array)) if keep else None

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Change every parameter that has a gradient; returns what ``closure`` does, if given.

        Nothing is changed if it fails, also where memory runs out.
        """
        result = None
        if closure is not None:
            with enable_grad():
                result = closure()
        values = [[group[key] for key in self._rules] for group in self.param_groups]
        if values != self._checked[0]:  # checks take as long as a small update
            self._checked = values, [self.options(group) for group in self.param_groups]
        ready: list[Any] = []
        for group, options in zip(self.param_groups, self._checked[1], strict=True):
            alike: dict[Any, list[Tensor]] = {}
            names = self.slots_of(group)
            for param in group["params"]:
                if param.grad is not None:
                    alike.setdefault(self._alike(param, names), []).append(param)
            for (*_, step), params in alike.items():
                ready += self._updated(options, params, names, step)
        try:
            self._commit(ready)
        except BaseException:  # an interrupt: finish first, a commit can be repeated
            self._commit(ready)
            raise
        return result

    def _alike(self, param: Tensor, names: list[str]) -> tuple[Any, ...]:
        """What parameters that are updated at once must share: device, dtype, number of steps."""
        grad = param.grad
        if not isinstance(grad, Tensor):
            check_type(f"{self._name}.step", Tensor, "a Tensor", **{"a gradient": grad})
        check_writable(param.array, self._name)
        kind, slope = _kind(param.array), _kind(grad.array)
        held, done, slots, _ = self._state.get(param, (kind, 0, (), None))
        if not slope == kind == held:
            raise OptionError(
                f"{self._name}.step: a gradient is {_told(slope)}, its parameter {_told(kind)}, its "
                f"state {_told(held)}; convert before the first step, or make a new optimizer"
            )
        fresh = names and names[0] not in slots  # momentum, say, has been switched on
        return str(kind[0]), kind[1], 1 if fresh else done + 1

    def _updated(self, options: Any, params: list[Tensor], names: list[str], step: int) -> Any:
        """Each parameter with its new values and its new state; nothing is changed."""
        xp, data = backend_of(params[0].array), [p.array for p in params]
        vector, grad = xp.join(data), xp.join([p.grad.array for p in params])
        stops = accumulate([a.size for a in data])
        spans = [slice(stop - a.size, stop) for a, stop in zip(data, stops, strict=True)]
        olds = [self._state.get(p, (None, 0, {}, None)) for p in params]
        first, slots = olds[0][2], {}
        whole = all(old[2] is first for old in olds) and [old[3] for old in olds] == spans
        for name in names:
            if whole and name in first:  # one piece already
                parts = [first[name][: spans[-1].stop]]
            else:
                pairs = zip(olds, data, strict=True)
                parts = [o[2][name][o[3]] if name in o[2] else xp.zeros_like(a) for o, a in pairs]
            slots[name] = xp.join(parts)
        self.update(options, xp, vector, grad, slots, step)
        return [
            (p, xp.reshape(vector[span], a.shape), (_kind(a), step, slots, span))
            for p, a, span in zip(params, data, spans, strict=True)
        ]

    def _commit(self, ready: list[Any]) -> None:
        """Take over new values: needs no memory, and may be repeated."""
        for param, values, state in ready:
            param.array[...] = values
            param.version[0] += 1
            self._state[param] = state

    # ------------------------------------------------------------ saving and loading

    def state_dict(self) -> dict[str, Any]:
        """Options and state in PyTorch's layout: parameters by number; a copy."""
        places, state = count(), {}
        groups = [{**g, "params": [next(places) for _ in g["params"]]} for g in self.param_groups]
        for place, param in enumerate(self._params()):
            if param in self._state:
                (*_, shape), step, slots, span = self._state[param]
                slots = {k: wrap(v[span]).clone().reshape(shape) for k, v in slots.items()}
                state[place] = {"step": step, **slots}
        return {"state": state, "param_groups": groups}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on from a ``state_dict``; raises CheckpointError before anything is changed."""
        refuse(self._name, self.misfits(state_dict))
        entries, held = _by_place(state_dict), {}
        for place, param in enumerate(self._params()):
            if (entry := entries.get(str(place))) is not None:
                slots = {k: _taken(param, value) for k, value in entry.items() if k != "step"}
                held[param] = _kind(param.array), int(entry["step"]), slots, slice(None)
        self._state = held
        for group, saved in zip(self.param_groups, state_dict["param_groups"], strict=True):
            new = {k: tuple(v) if isinstance(v, list) else v for k, v in saved.items()}
            group.update(new, params=group["params"])

    def misfits(self, state_dict: Mapping[str, Any]) -> list[str]:
        """What in a ``state_dict`` does not fit this optimizer, a line each."""
        try:
            groups, entries = list(state_dict["param_groups"]), _by_place(state_dict)
            sizes = [len(group["params"]) for group in groups]
        except (AttributeError, KeyError, TypeError) as error:
            return [f"it is no optimizer's state: {error!r}"]
        if sizes != (own := [len(group["params"]) for group in self.param_groups]):
            return [f"its groups have {sizes} parameters, expected {own}"]
        wrong: list[str] = []
        places = count()
        for group, saved in zip(self.param_groups, groups, strict=True):
            odd = (saved.keys() ^ group.keys()) - {"initial_lr"}
            wrong += [f"option {key!r} is missing or unexpected" for key in sorted(map(str, odd))]
            wrong += [] if odd else faults(self.options, saved)
            names = ["step", *self.slots_of(group if odd else saved)]
            for param in group["params"]:
                entry = entries.pop(str(place := next(places)), None)
                if entry is not None:
                    wrong += _misfit(f"parameter {place}", entry, names, param)
        return wrong + [f"parameter {key} is unexpected" for key in entries]


def _by_place(state_dict: Mapping[str, Any]) -> dict[str, Any]:
    """The state of each parameter by its number, as text: a file has no other keys."""
    return {str(place): entry for place, entry in state_dict["state"].items()}


def _misfit(what: str, entry: Any, names: list[str], param: Tensor) -> list[str]:
    if not isinstance(entry, Mapping) or entry.keys() != set(names):
        got = list(entry) if isinstance(entry, Mapping) else described(entry)
        return [f"{what} has {got}, expected {names}"]
    kinds, fits = {name: described(entry[name], "") for name in names[1:]}, described(param)
    wrong = [
        f"{k} of {what} is {kind}, expected {fits}" for k, kind in kinds.items() if kind != fits
    ]
    return wrong + faults(check_integers, "state", **{f"step of {what}": entry["step"]})


def _taken(param: Tensor, value: Any) -> Any:
    """A slot from elsewhere, as a flat vector where its parameter is."""
    xp, host = backend_of(param.array), value.cpu().numpy() if isinstance(value, Tensor) else value
    return xp.join([xp.from_host(np.asarray(host))])
