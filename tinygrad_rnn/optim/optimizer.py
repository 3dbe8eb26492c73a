"""What all optimizers share: parameter groups, and a state that lies in one flat buffer a group.

A step gathers the parameters and their gradients into flat vectors, lets the optimizer's update
work on these in a few passes, and writes the parameters back. What an update remembers (moments,
momentum) stays flat between steps; ``state_dict`` shows it parameter by parameter.
"""

import itertools
import math
from collections.abc import Callable, Iterable, Mapping
from numbers import Real
from typing import Any, ClassVar

import numpy as np

from ..backend import backend_of
from ..engine.mode import enable_grad
from ..engine.node import check_writable, wrap
from ..errors import CheckpointError, DTypeError, OptionError
from ..tensor import Tensor


def at_least(name: str, bound: float, **options: Any) -> None:
    """Refuse options that are not numbers of at least ``bound``."""
    for key, value in options.items():
        if isinstance(value, bool | np.bool_) or not isinstance(value, Real):
            raise DTypeError(f"{name}: {key} is {value!r}, expected a number")
        if not bound <= float(value) < math.inf:
            raise OptionError(f"{name}: {key} is {value}, expected a finite number >= {bound}")


class _Bucket:
    """The parameters of one group that share a dtype, end to end in flat vectors."""

    def __init__(self, params: list[Tensor], places: list[int], slots: tuple[str, ...]) -> None:
        self.params = params
        self.places = places  # their numbers among all parameters of the optimizer
        self.steps = [0] * len(params)
        self.sizes = sizes = [p.numel() for p in params]
        starts = [sum(sizes[:i]) for i in range(len(sizes) + 1)]
        self.spans = [slice(a, b) for a, b in itertools.pairwise(starts)]
        xp = backend_of(params[0].array)
        self.xp = xp
        self.dtype = params[0].dtype
        self.slots = {
            name: xp.from_host(np.zeros(starts[-1], str(params[0].dtype))) for name in slots
        }

    def fill(self, state: Mapping[Any, Any]) -> None:
        """Take over the state of each parameter that has one."""
        for i, place in enumerate(self.places):
            entry = _entry(state, place)
            if entry is not None:
                self.steps[i] = int(entry["step"])
                for name, slot in self.slots.items():
                    slot[self.spans[i]] = self.xp.from_host(np.asarray(entry[name]).reshape(-1))

    def fits(self, slots: tuple[str, ...]) -> bool:
        """Whether these are the slots that it has."""
        return tuple(self.slots) == slots

    def inherit(self, others: "list[_Bucket]") -> None:
        """Take over what others remember of the same parameters."""
        held = {id(p): (other, i) for other in others for i, p in enumerate(other.params)}
        for i, param in enumerate(self.params):
            other, place = held.get(id(param), (None, 0))
            if other is not None and other.dtype == self.dtype:
                self.steps[i] = other.steps[place]
                for name in self.slots.keys() & other.slots.keys():
                    self.slots[name][self.spans[i]] = other.slots[name][other.spans[place]]

    def prepare(self, update: Callable[..., None]) -> list[Any]:
        """What :meth:`commit` takes; of the parameters that are in step all in one go."""
        chosen = [i for i, p in enumerate(self.params) if p.grad is not None]
        if not chosen:
            return []
        together = len(chosen) == len(self.params) and len(set(self.steps)) == 1
        parts = [chosen] if together else [[i] for i in chosen]
        return [(self, part, *self._updated(part, update)) for part in parts]

    def _updated(self, part: list[int], update: Callable[..., None]) -> tuple[Any, ...]:
        """The new values of some parameters, their slots and their step; nothing is changed."""
        join = self.xp.join
        span = slice(self.spans[part[0]].start, self.spans[part[-1]].stop)
        vector = join([self.params[i].array for i in part])
        grad = join([self.params[i].grad.array for i in part])
        slots = {name: join([slot[span]]) for name, slot in self.slots.items()}
        step = self.steps[part[0]] + 1
        update(self.xp, vector, grad, slots, step)
        return vector, slots, step

    def commit(self, part: list[int], vector: Any, slots: dict[str, Any], step: int) -> None:
        """Take over new values: needs no memory, and may be repeated after an interrupt."""
        if len(part) == len(self.params):
            self.slots = slots
        else:
            for name, values in slots.items():
                self.slots[name][self.spans[part[0]]] = values
        reshape, start = self.xp.reshape, 0
        for i in part:
            p = self.params[i]
            self.steps[i] = step
            stop = start + self.sizes[i]
            data = p.array
            data[...] = reshape(vector[start:stop], data.shape)
            p.version[0] += 1
            start = stop


class Optimizer:
    """Base of the optimizers. A subclass names its ``slots`` and writes ``update``.

    ``params`` is an iterable of tensors, or of dicts, each a group with options of its own and its
    tensors under ``"params"``.
    """

    slots: ClassVar[tuple[str, ...]] = ()

    def __init__(self, params: Any, defaults: dict[str, Any]) -> None:
        self.defaults = defaults
        self.param_groups: list[dict[str, Any]] = []
        self._buckets: dict[int, list[_Bucket]] = {}  # the buckets of each group
        self._known: dict[int, list[int]] = {}  # the parameters that they are of, by id
        if isinstance(params, Tensor):
            raise DTypeError(
                f"{self._name}: params is a Tensor, expected an iterable of them: [tensor]"
            )
        groups = self._ordered(params)
        if not groups:
            raise OptionError(
                f"{self._name}: params is empty, there is nothing to train; a generator can be used once only"
            )
        for group in groups if isinstance(groups[0], dict) else [{"params": groups}]:
            self.add_param_group(group)

    def _ordered(self, params: Any) -> list[Any]:
        if not isinstance(params, Iterable) or isinstance(params, set | frozenset | str | dict):
            raise DTypeError(
                f"{self._name}: params is {type(params).__name__}, expected tensors or groups in a "
                "list or another iterable that has an order"
            )
        return list(params)

    @property
    def _name(self) -> str:
        return f"optim.{type(self).__name__}"

    def check(self, group: Mapping[str, Any]) -> None:
        """Refuse options that cannot be right; a subclass says which."""

    def update(
        self, group: dict[str, Any], xp: Any, param: Any, grad: Any, slots: Any, step: int
    ) -> None:
        """Change ``param`` and the slots, flat vectors, in place by one step; a subclass says how.

        ``grad`` is the optimizer's own copy. ``step`` counts from 1.
        """
        raise NotImplementedError

    def slots_of(self, group: Mapping[str, Any]) -> tuple[str, ...]:
        """The vectors that an update remembers, given the group's options."""
        return self.slots

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Train more tensors, with options of their own."""
        if not isinstance(param_group, dict) or "params" not in param_group:
            raise DTypeError(f"{self._name}: a group is a dict with 'params', got {param_group!r}")
        given = param_group["params"]
        params = [given] if isinstance(given, Tensor) else self._ordered(given)
        unknown = param_group.keys() - self.defaults.keys() - {"params"}
        if unknown:
            raise DTypeError(
                f"{self._name}: a group has the unknown option {', '.join(sorted(unknown))}, "
                f"expected {', '.join(self.defaults)}"
            )
        held = {id(p) for group in self.param_groups for p in group["params"]}
        for place, param in enumerate(params):
            if not isinstance(param, Tensor):
                raise DTypeError(
                    f"{self._name}: parameter {place} is {type(param).__name__}, expected a Tensor"
                )
            if param.node is not None or param.dtype.kind != "f":
                raise OptionError(
                    f"{self._name}: parameter {place} is not a float leaf; detach() it, or pass "
                    "what it was made from"
                )
            if id(param) in held:
                raise OptionError(f"{self._name}: parameter {place} is given twice")
            held.add(id(param))
        group = {**self.defaults, **param_group, "params": params}
        self.check(group)
        self.param_groups.append(group)

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients, or set them to zeros."""
        for group in self.param_groups:
            for param in group["params"]:
                if param.grad is None:
                    continue
                if set_to_none:
                    param.grad = None
                else:
                    param.grad = wrap(backend_of(param.array).zeros_like(param.array))

    def _bucket(self, number: int) -> list[_Bucket]:
        """The buckets of a group; made when first needed, as the parameters may be moved before.

        Made anew, with what they remember, if the group's parameters or slots have changed.
        """
        group, made = self.param_groups[number], self._buckets.get(number)
        slots = self.slots_of(group)
        if (
            made is None
            or not all(bucket.fits(slots) for bucket in made)
            or ([id(p) for p in group["params"]] != self._known.get(number))
        ):
            fresh = self._make_buckets(number, group)
            for bucket in fresh:
                bucket.inherit(made or [])
            self._buckets[number] = made = fresh
            self._known[number] = [id(p) for p in group["params"]]
        return made

    def _make_buckets(self, number: int, group: Mapping[str, Any]) -> list[_Bucket]:
        first = sum(len(g["params"]) for g in self.param_groups[:number])
        kinds: dict[Any, list[int]] = {}
        for i, param in enumerate(group["params"]):
            kinds.setdefault((type(param.array), param.dtype), []).append(i)
        return [
            _Bucket(
                [group["params"][i] for i in places],
                [first + i for i in places],
                self.slots_of(group),
            )
            for places in kinds.values()
        ]

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Change every parameter that has a gradient; returns what ``closure`` does, if given.

        Nothing is changed if it fails, also where memory runs out.
        """
        result = None
        if closure is not None:
            with enable_grad():
                result = closure()
        for number in range(len(self.param_groups)):
            for bucket in self._bucket(number):
                for param, size in zip(bucket.params, bucket.sizes, strict=True):
                    self._check_grad(param, bucket.dtype, size)
        ready: list[Any] = []
        for number, group in enumerate(self.param_groups):
            for bucket in self._bucket(number):
                ready += bucket.prepare(lambda *args, group=group: self.update(group, *args))
        try:
            for bucket, *new in ready:
                bucket.commit(*new)
        except BaseException:  # an interrupt: finish first, a commit can be repeated
            for bucket, *new in ready:
                bucket.commit(*new)
            raise
        return result

    def _check_grad(self, param: Tensor, dtype: Any, size: int) -> None:
        if param.grad is None:
            return
        if not isinstance(param.grad, Tensor):
            raise DTypeError(
                f"{self._name}.step: a gradient is {type(param.grad).__name__}, expected a Tensor"
            )
        grad, data = param.grad.array, param.array
        check_writable(data, f"{self._name}.step")
        if data.dtype != dtype or param.numel() != size:
            raise OptionError(
                f"{self._name}.step: a parameter has become {data.dtype} of {param.numel()} "
                f"numbers, but its state is {dtype} of {size}; convert the model before the first "
                "step, or make a new optimizer"
            )
        if grad.shape != data.shape or grad.dtype != data.dtype:
            raise OptionError(
                f"{self._name}.step: a gradient is {grad.dtype} of shape {grad.shape}, expected "
                f"{data.dtype} of shape {data.shape}, as its parameter"
            )

    # ------------------------------------------------------------ saving and loading

    def state_dict(self) -> dict[str, Any]:
        """Options and state in PyTorch's layout: parameters by number; a copy."""
        state: dict[int, dict[str, Any]] = {}
        groups, count = [], 0
        for number, group in enumerate(self.param_groups):
            size = len(group["params"])
            options = {key: value for key, value in group.items() if key != "params"}
            groups.append({**options, "params": list(range(count, count + size))})
            count += size
            for bucket in self._buckets.get(number, []):
                for i, place in enumerate(bucket.places):
                    if bucket.steps[i]:
                        state[place] = {"step": bucket.steps[i]} | {
                            name: wrap(slot[bucket.spans[i]])
                            .clone()
                            .reshape(bucket.params[i].shape)
                            for name, slot in bucket.slots.items()
                        }
        return {"state": dict(sorted(state.items())), "param_groups": groups}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on from a ``state_dict``; raises CheckpointError before anything is changed."""
        wrong = self.misfits(state_dict)
        if wrong:
            raise CheckpointError(
                f"{self._name}.load_state_dict: nothing was loaded, as " + "; ".join(wrong)
            )
        options = [
            {k: tuple(v) if isinstance(v, list) else v for k, v in saved.items() if k != "params"}
            for saved in state_dict["param_groups"]
        ]
        made = {}
        for number, changed in enumerate(options):
            made[number] = self._make_buckets(number, {**self.param_groups[number], **changed})
            for bucket in made[number]:
                bucket.fill(state_dict["state"])
        self._buckets = made
        self._known = {n: [id(p) for p in g["params"]] for n, g in enumerate(self.param_groups)}
        for group, changed in zip(self.param_groups, options, strict=True):
            group.update(changed)

    def misfits(self, state_dict: Mapping[str, Any]) -> list[str]:
        """What in a ``state_dict`` does not fit this optimizer, a line each."""
        try:
            groups, state = list(state_dict["param_groups"]), dict(state_dict["state"])
            sizes = [len(group["params"]) for group in groups]
        except (KeyError, TypeError) as error:
            return [f"it is no optimizer's state: {error!r}"]
        own = [len(group["params"]) for group in self.param_groups]
        if sizes != own:
            return [f"its groups have {sizes} parameters, expected {own}"]
        wrong: list[str] = []
        count = 0
        for group, saved in zip(self.param_groups, groups, strict=True):
            odd = saved.keys() ^ group.keys()
            wrong += [f"option {key!r} is missing or unexpected" for key in sorted(odd)]
            if not odd:
                try:
                    self.check({**group, **saved})
                except (DTypeError, OptionError) as error:
                    wrong.append(str(error))
            for param in group["params"]:
                entry = _entry(state, count)
                slots = self.slots_of({**group, **saved}) if not odd else ()
                if entry is not None:
                    wrong += _misfit(entry, slots, param, count)
                count += 1
        known = {key for place in range(count) for key in (place, str(place))}
        wrong += [f"parameter {key!r} is unexpected" for key in state if key not in known]
        return wrong


def _entry(state: Mapping[Any, Any], place: int) -> Any:
    """The state of a parameter by its number; a file has strings for keys."""
    return state.get(place, state.get(str(place)))


def _misfit(entry: Any, slots: Iterable[str], param: Tensor, place: int) -> list[str]:
    if not isinstance(entry, Mapping) or set(entry) != {"step", *slots}:
        got = list(entry) if isinstance(entry, Mapping) else type(entry).__name__
        return [f"parameter {place} has {got}, expected {['step', *slots]}"]
    wrong, step = [], entry["step"]
    if not hasattr(step, "__index__") or step < 1:
        wrong.append(f"step of parameter {place} is {step!r}, expected an integer of at least 1")
    for name in slots:
        array = np.asarray(entry[name])
        if (array.shape, array.dtype) != (param.shape, param.dtype):
            wrong.append(
                f"{name} of parameter {place} is {array.dtype} of shape {array.shape}, expected "
                f"{param.dtype} of shape {param.shape}"
            )
    return wrong
