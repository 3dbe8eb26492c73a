"""What all optimizers share: parameter groups, steps that are all or nothing, and their
state.

A step gathers the parameters and their gradients into flat vectors, lets the
optimizer's update work on these in a few passes, and writes the parameters back. What
an update remembers (moments, momentum) stays flat between steps; ``state_dict`` shows
it parameter by parameter.
"""

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from functools import cache, partial
from itertools import accumulate, count, repeat
from math import inf, nextafter
from operator import setitem
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.lib.array_utils import byte_bounds

from ..backend import backend_of
from ..creation import as_tensor
from ..engine.commit import Changes, commit
from ..engine.mode import enable_grad
from ..engine.node import check_writable, wrap
from ..engine.warned import watched
from ..errors import CheckpointError, DTypeError, Error, OptionError

# isort: split
from ..errors import (
    check_choice,
    check_integers,
    check_numbers,
    check_type,
    described,
    few,
)
from ..tensor import Tensor

# What settings can be: a check, and what it takes between the name of who complains and
# the value.
Rules = dict[str, tuple[Any, ...]]
NUMBER, UNIT, BELOW_1 = [
    (check_numbers, 0.0, high) for high in (inf, 1.0, nextafter(1.0, 0.0))
]
ABOVE_0 = (check_numbers, nextafter(0.0, 1.0))
COUNT, FROM_0 = (check_integers, 1), (check_integers, 0)
FLAG = (check_type, bool, "True or False")

# PyTorch's keywords that are not here: how it computes, or what another optimizer does.
LEFT_OUT = {
    "foreach": "every step works on flat vectors of all parameters already",
    "fused": "every step works on flat vectors of all parameters already",
    "capturable": "there are no CUDA graphs",
    "differentiable": "a step is not recorded; write the update with tensors and create_graph=True",
    "decoupled_weight_decay": "that is optim.AdamW",
}


def checked(name: str, rules: Rules, values: Mapping[str, Any]) -> dict[str, Any]:
    """The values of the keys that have a rule, if they keep it; numbers as Python's
    floats.
    """
    for key, (check, *bounds) in rules.items():
        check(name, *bounds, **{key: values[key]})
    return {
        k: float(values[k]) if r[0] is check_numbers else values[k]
        for k, r in rules.items()
    }


def faults(check: Callable[..., Any], *args: Any, **kwargs: Any) -> list[str]:
    """What a check complains about, as a list: for those who tell all that is wrong at
    once.
    """
    try:
        check(*args, **kwargs)
    except (Error, TypeError, ValueError, OverflowError) as error:
        return [str(error)]
    return []


def _kind(array: Any) -> tuple[Any, ...]:
    return array.device, array.dtype, array.shape


def _told(kind: tuple[Any, ...]) -> str:
    return f"{kind[1]} of shape {kind[2]} on {kind[0]}"


class _Plan(NamedTuple):
    """What a step has to know of a group's options."""

    options: dict[str, Any]  # as ``update`` takes them
    names: list[str]  # of the vectors that an update remembers
    maximize: bool


class _Bundle:
    """What tensors that step at once remember: how many steps, and vectors of all their
    slots.
    """

    __slots__ = ("slots", "spans", "step")

    def __init__(self, spans: tuple[slice, ...], step: int = 0) -> None:
        self.slots: dict[str, Any] = {}
        self.spans, self.step = spans, step  # where each one's part of the vectors is


_NOTHING = _Bundle(())


class Optimizer:
    """Base of the optimizers. A subclass names its ``rules`` and ``slots``, and writes
    ``update``.

    ``params`` is an iterable of tensors, or of dicts, each a group with options of its
    own and its tensors under ``"params"``.

    ``maximize``, which all that are here take, climbs instead: a step is made with -g
    for g.
    """

    rules: ClassVar[Rules] = {}  # of the options that are not numbers of at least 0
    slots: ClassVar[
        dict[str, str]
    ] = {}  # what it remembers, and the option that asks for it
    decays: ClassVar[bool] = (
        True  # whether weight_decay * w is added to g before an update
    )
    decoupled: ClassVar[bool] = (
        False  # whether weight_decay shrinks w, and leaves g alone
    )

    def __init__(self, params: Any, defaults: dict[str, Any]) -> None:
        self._name = f"optim.{type(self).__name__}"
        self.defaults = defaults
        numbers: Rules = dict.fromkeys(defaults, NUMBER)
        flags: Rules = {"maximize": FLAG} if "maximize" in defaults else {}
        self._rules = numbers | flags | self.rules
        self.param_groups: list[dict[str, Any]] = []
        self._state: dict[
            Tensor, Any
        ] = {}  # each one's bundle, its span there, and its kind
        self.has_stepped = (
            False  # or was loaded; a scheduler that steps before it warns
        )
        self._checked: tuple[Any, list[_Plan]] = (
            [],
            [],
        )  # values of options, what comes of them
        self._places: list[
            int
        ] = []  # where the parameters' arrays were when last checked
        groups = self._listed(params)
        if not groups:
            empty = "params is empty, nothing to train; a generator serves only once"
            raise OptionError(f"{self._name}: {empty}")
        for group in groups if isinstance(groups[0], dict) else [{"params": groups}]:
            self.param_groups.append(self._grouped(group))
        self._check_apart(self._params())

    def leave_out(self, **options: Any) -> None:
        """Raise if an option of PyTorch's is set that is not here."""
        for key, value in options.items():
            if value:
                why = f"{key}={value!r} is not supported: {LEFT_OUT[key]}; leave it out"
                raise OptionError(f"optim.{type(self).__name__}: {why}")

    def _listed(self, params: Any) -> list[Any]:
        unordered = isinstance(params, Tensor | set | frozenset | str | dict)
        if unordered or not isinstance(params, Iterable):
            raise DTypeError(
                f"{self._name}: params is {type(params).__name__}, expected tensors or groups in "
                "order: a list, model.parameters(), [tensor]"
            )
        return list(params)

    def __repr__(self) -> str:
        shown = f"{type(self).__name__} ("
        for number, group in enumerate(self.param_groups):
            lines = [
                f"    {key}: {group[key]}\n" for key in sorted(group) if key != "params"
            ]
            shown += f"\nParameter Group {number}\n{''.join(lines)}"
        return f"{shown})"

    def _params(self) -> list[Tensor]:
        return [param for group in self.param_groups for param in group["params"]]

    def options(self, group: Mapping[str, Any]) -> dict[str, Any]:
        """A group's options as ``update`` takes them; refuses those that cannot be
        right.
        """
        options = checked(self._name, self._rules, group)
        options.pop("maximize", None)  # done before an update
        return options

    def slots_of(self, group: Mapping[str, Any]) -> list[str]:
        """The vectors that an update remembers, given the group's options; they begin
        as zeros.
        """
        return [
            name for name, option in self.slots.items() if not option or group[option]
        ]

    def update(
        self, options: Any, xp: Any, param: Any, grad: Any, slots: Any, step: int
    ) -> None:
        """One step, from 1, of ``param`` and the vectors in the dict ``slots``, in
        place.

        ``grad`` is the optimizer's own copy. ``xp`` is the backend whose vectors these
        are.
        """
        raise NotImplementedError

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Train more tensors, with options of their own.

        Raises OptionError for a tensor that is trained already, or shares memory with
        one that is.
        """
        group = self._grouped(param_group)
        self._check_apart([*self._params(), *group["params"]])
        self.param_groups.append(group)

    def _grouped(self, param_group: Any) -> dict[str, Any]:
        """A group with all its options, if its tensors can be trained and are not yet."""
        if not isinstance(param_group, dict) or "params" not in param_group:
            is_dict = isinstance(param_group, dict)
            got = f"the keys {[*param_group]}" if is_dict else described(param_group)
            raise DTypeError(
                f"{self._name}: a group is a dict with 'params', got {got}"
            )
        for key in param_group:
            known = ("params", *self.defaults, "initial_lr")
            check_choice(self._name, known, **{"an option of a group": key})
        given = param_group["params"]
        params = [given] if isinstance(given, Tensor) else self._listed(given)
        held = set(self._params())
        for place, param in enumerate(params):
            if not isinstance(param, Tensor):
                is_named = isinstance(param, tuple) and len(param) == 2
                expected = "a Tensor" + (
                    "; pass model.parameters()" if is_named else ""
                )
                check_type(
                    self._name, Tensor, expected, **{f"parameter {place}": param}
                )
            if param.node is not None or param.dtype.kind != "f":
                wrong = f"parameter {place} is not a float leaf; detach() it first"
                raise OptionError(f"{self._name}: {wrong}")
            if param in held:
                raise OptionError(f"{self._name}: parameter {place} is given twice")
            held.add(param)
        group = {**self.defaults, **param_group, "params": params}
        self.options(group)
        return group

    def _check_apart(self, params: list[Tensor]) -> None:
        """Raise if two parameters lie in the same memory: of two updates one would be
        lost.
        """
        if (pair := _overlapping(params)) is None:
            return
        names = [
            f"parameter {place} ({getattr(params[place], 'name', 'tensor')}, "
            f"shape {params[place].shape})"
            for place in pair
        ]
        way = "clone() one of them, or pass the tensor that both are views of"
        raise OptionError(
            f"{self._name}: {names[0]} and {names[1]} share memory; {way}"
        )

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients, or set them to zeros: all or none, wherever Ctrl-C
        comes in.
        """
        if type(set_to_none) is not bool:  # before the call: this is done in every step
            check_type(f"{self._name}.zero_grad", *FLAG[1:], set_to_none=set_to_none)
        params = self._params()
        news: Iterable[Tensor | None] = repeat(None)
        if not set_to_none:
            zeros = [wrap(backend_of(p.array).zeros_like(p.array)) for p in params]
            news = [
                p.grad if p.grad is None else zero
                for p, zero in zip(params, zeros, strict=True)
            ]
        deque(
            map(setattr, params, repeat("_grad"), news), 0
        )  # one call: see engine.commit

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Change every parameter that has a gradient; returns what ``closure`` does, if
        given.

        The step is whole or not at all: parameters, moments and counts change together,
        or none of them does, if it fails, if memory runs out, and wherever Ctrl-C comes
        in. (Where an array library assigns in Python, that holds for one Ctrl-C, not
        for a second one on its heels.)
        """
        result = None
        if closure is not None:
            check_type(
                f"{self._name}.step", Callable, "a function, or None", closure=closure
            )
            with enable_grad():
                result = closure()
        self.has_stepped = True
        values = [[group[key] for key in self._rules] for group in self.param_groups]
        if values != self._checked[0]:  # checks take as long as a small update
            self._checked = values, [self._plan(group) for group in self.param_groups]
        params = self._params()
        places = [id(param.array) for param in params]
        if places != self._places:  # an assignment to .data, say
            self._check_apart(params)
            self._places = places
        name = f"{self._name}.step"
        changes: Changes = []
        cells: list[list[int]] = []  # the counts of changes in place
        moved: dict[Tensor, Any] = {}
        for group, plan in zip(self.param_groups, self._checked[1], strict=True):
            for (*_, done), alike in self._alike(group["params"], plan.names).items():
                changes += watched(name, self._changes, plan, alike, done + 1, moved)
                cells += [entry[0].version for entry in alike]
        if moved:
            changes.append(partial(setattr, self, "_state", self._state | moved))
        for cell in cells:
            cell[0] += 1
        commit(changes)
        return result

    def _plan(self, group: Mapping[str, Any]) -> _Plan:
        return _Plan(
            self.options(group), self.slots_of(group), group.get("maximize", False)
        )

    def _alike(self, params: list[Tensor], names: list[str]) -> dict[Any, list[Any]]:
        """Those with a gradient, by what they share that step at once: device, dtype,
        steps done.

        Each with its array, its gradient's, their kind, and where its slots are: in
        which bundle, in what part of it.
        """
        alike: dict[Any, list[Any]] = {}
        for param in params:
            if (grad := param.grad) is None:
                continue
            if not isinstance(grad, Tensor):
                check_type(
                    f"{self._name}.step", Tensor, "a Tensor", **{"a gradient": grad}
                )
            check_writable(param.array, self._name)
            kind, slope = _kind(param.array), _kind(grad.array)
            bundle, span, held = self._state.get(param) or (_NOTHING, None, kind)
            if not slope == kind == held:
                raise OptionError(
                    f"{self._name}.step: a gradient is {_told(slope)}, its parameter "
                    f"{_told(kind)}, its state {_told(held)}; convert before the first step"
                )
            # Where momentum, say, has been switched on, the count begins anew.
            done = 0 if names and names[0] not in bundle.slots else bundle.step
            entry = (param, param.array, grad.array, kind, bundle, span)
            alike.setdefault((str(kind[0]), kind[1], done), []).append(entry)
        return alike

    def _changes(
        self, plan: _Plan, alike: list[Any], step: int, moved: dict[Tensor, Any]
    ) -> Changes:
        """What a step changes of them, for ``commit``; nothing is changed yet.

        Where they came from several bundles, ``moved`` notes where they are from then
        on.
        """
        params, data, grads, kinds, olds, places = zip(*alike, strict=True)
        xp, bundle = backend_of(data[0]), olds[0]
        spans = _spans(tuple([a.size for a in data]))
        both = xp.join([*data, *grads])
        vector, grad = both[: spans[-1].stop], both[spans[-1].stop :]
        parts = [(bundle, slice(None), vector)]
        if apart := places != bundle.spans or olds.count(bundle) < len(olds):
            parts, bundle = list(zip(olds, places, data, strict=True)), _Bundle(spans)
            homes = [(bundle, *place) for place in zip(spans, kinds, strict=True)]
            moved.update(zip(params, homes, strict=True))
        slots = {}
        for k in plan.names:
            held = [
                o.slots[k][at] if k in o.slots else xp.zeros_like(a)
                for o, at, a in parts
            ]
            slots[k] = xp.join(held) if apart else xp.array(held[0])
        if plan.maximize:
            xp.on_device(_negate)(grad)
        if self.decays and plan.options.get("weight_decay"):
            xp.on_device(_decay)(grad, vector, plan.options["weight_decay"])
        xp.on_device(self.update)(plan.options, xp, vector, grad, slots, step)
        changes: Changes = [partial(setattr, bundle, "slots", slots)]
        changes.append(partial(setattr, bundle, "step", step))
        write = xp.on_device(setitem)
        for array, span in zip(data, spans, strict=True):
            changes.append(
                partial(write, array, ..., xp.reshape(vector[span], array.shape))
            )
        return changes

    # ------------------------------------------------------------ saving and loading

    def state_dict(self) -> dict[str, Any]:
        """Options and state in PyTorch's layout: parameters by number; a copy."""
        places, state = count(), {}
        groups = [
            {**g, "params": [next(places) for _ in g["params"]]}
            for g in self.param_groups
        ]
        for place, param in enumerate(self._params()):
            if param in self._state:
                bundle, span, (*_, shape) = self._state[param]
                slots = {
                    k: wrap(v[span]).clone().reshape(shape)
                    for k, v in bundle.slots.items()
                }
                state[place] = {"step": bundle.step, **slots}
        return {"state": state, "param_groups": groups}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on from a ``state_dict``; raises CheckpointError before anything is
        changed.
        """
        if wrong := few(self.misfits(state_dict), "; "):
            raise CheckpointError(
                f"{self._name}.load_state_dict: nothing was loaded, as {wrong}"
            )
        commit(self._loading(state_dict))

    def _loading(self, state_dict: Mapping[str, Any]) -> Changes:
        """The changes that put a ``state_dict`` back that fits, for ``commit``."""
        entries, held = self._by_place(state_dict), {}
        for place, param in enumerate(self._params()):
            if (slots := entries.get(str(place))) is not None:
                join, device = backend_of(param.array).join, param.device
                bundle = _Bundle((slice(None),), int(slots.pop("step")))
                bundle.slots = {
                    k: join([as_tensor(v).to(device).array]) for k, v in slots.items()
                }
                held[param] = bundle, slice(None), _kind(param.array)
        changes: Changes = [partial(vars(self).update, _state=held, has_stepped=True)]
        for group, saved in zip(
            self.param_groups, state_dict["param_groups"], strict=True
        ):
            changes.append(
                partial(
                    group.update, _own_options(saved, group), params=group["params"]
                )
            )
        return changes

    def _by_place(self, state_dict: Mapping[str, Any]) -> dict[str, Any]:
        """The state of each parameter by its number, as text: a file has no other keys.

        In this class's terms: PyTorch's state is read, too.
        """
        found = {}
        for place, entry in state_dict["state"].items():
            own = (
                self.translated(_own_state(entry))
                if isinstance(entry, Mapping)
                else entry
            )
            if own is not None:
                found[str(place)] = own
        return found

    def translated(self, entry: dict[str, Any]) -> dict[str, Any] | None:
        """A parameter's state as PyTorch saves it in this class's terms; None if there
        is none.
        """
        return entry

    def misfits(self, state_dict: Mapping[str, Any]) -> list[str]:
        """What in a ``state_dict`` does not fit this optimizer, a line each."""
        if isinstance(state_dict, Mapping) and not {"state", "param_groups"} <= {
            *state_dict
        }:
            expected = "expected 'state' and 'param_groups'"
            got = few(state_dict) or "nothing"
            return [f"it is no optimizer's state: {expected}, got {got}"]
        try:
            groups, entries = (
                list(state_dict["param_groups"]),
                self._by_place(state_dict),
            )
            sizes = [len(group["params"]) for group in groups]
        except (AttributeError, KeyError, TypeError) as error:
            return [f"it is no optimizer's state: {error!r}"]
        if sizes != (own := [len(group["params"]) for group in self.param_groups]):
            return [f"its groups have [{few(sizes)}] parameters, expected [{few(own)}]"]
        wrong: list[str] = []
        places = count()
        for group, saved in zip(self.param_groups, groups, strict=True):
            options = _own_options(saved, group)
            odd = (options.keys() ^ group.keys()) - {"initial_lr"}
            if odd:
                here, there = (
                    sorted(map(str, odd & part.keys())) for part in (group, options)
                )
                wrong.append(
                    f"it is another optimizer's: options {there}, expected {here}"
                )
            wrong += [] if odd else faults(self.options, options)
            decoupled = saved.get("decoupled_weight_decay", self.decoupled)
            if decoupled is not self.decoupled:
                wrong.append(f"it is of optim.{'AdamW' if decoupled else 'Adam'}")
            names = ["step", *self.slots_of(group if odd else options)]
            for param, place in zip(group["params"], places, strict=False):
                if (entry := entries.pop(str(place), None)) is not None:
                    wrong += _misfit(f"parameter {place}", entry, names, param)
        return wrong + [f"parameter {key} is unexpected" for key in entries]


@cache
def _spans(sizes: tuple[int, ...]) -> tuple[slice, ...]:
    """Where vectors of these sizes lie, one behind the other."""
    stops = [*accumulate(sizes)]
    return tuple(map(slice, [0, *stops], stops))


def _overlapping(params: list[Tensor]) -> tuple[int, int] | None:
    """The places of two tensors that share an element's memory.

    On a CPU: in the order of addresses, so that only neighbours are compared. Elsewhere
    only an array that is given twice is found.
    """
    ranges: list[tuple[int, int, int]] = []
    first: dict[int, int] = {}
    for place, param in enumerate(params):
        array = param.array
        if type(array) is np.ndarray and array.size:
            ranges.append((*byte_bounds(array), place))
        elif (other := first.setdefault(id(array), place)) != place:
            return other, place
    reaching: list[
        tuple[int, int]
    ] = []  # where it ends, place: those before that reach this far
    for start, stop, place in sorted(ranges):
        reaching = [(end, other) for end, other in reaching if end > start]
        for _, other in reaching:
            if _shares_memory(params[other].array, params[place].array):
                return min(other, place), max(other, place)
        reaching.append((stop, place))
    return None


def _shares_memory(a: np.ndarray, b: np.ndarray) -> bool:
    limit: Any = 10_000  # NumPy's types know two of its values only
    try:
        return np.shares_memory(a, b, max_work=limit)
    except np.exceptions.TooHardError:  # strides that fit into each other somehow
        return True


def _negate(grad: Any) -> None:
    grad *= -1.0


def _decay(grad: Any, param: Any, rate: float) -> None:
    grad += rate * param


# What PyTorch's groups hold beside options: how it computes, names, what a scheduler
# notes.
_ASIDE = {"foreach", "fused", "capturable", "differentiable", "decoupled_weight_decay"}
_ASIDE |= {"param_names", "max_lr", "min_lr", "max_momentum", "base_momentum"}


def _own_options(saved: Mapping[str, Any], group: Mapping[str, Any]) -> dict[str, Any]:
    """A saved group, of PyTorch too, or from before there was ``maximize``, in our
    terms.
    """
    kept = {key: _plain(value) for key, value in saved.items() if key not in _ASIDE}
    return ({"maximize": False} if "maximize" in group else {}) | kept


def _plain(value: Any) -> Any:
    """Python's number for a tensor of one, a tuple for a list, as JSON has no tuples."""
    if isinstance(value, list | tuple):
        return tuple([_plain(item) for item in value])
    return value.item() if getattr(value, "shape", None) == () else value


def _own_state(entry: Mapping[str, Any]) -> dict[str, Any]:
    """A parameter's saved state: an integer for the steps, arrays for another library's
    tensors.
    """
    own = {key: _own_array(value) for key, value in entry.items() if value is not None}
    step: Any = own.get("step")
    if getattr(step, "shape", None) == ():
        step = step.item()
    if isinstance(step, float) and step.is_integer():
        step = int(step)
    return own | ({} if step is None else {"step": step})


def _own_array(value: Any) -> Any:
    if not hasattr(value, "__array__") or isinstance(value, Tensor):
        return value
    try:
        return np.asarray(value)
    except Exception:  # on a device, say: what does not fit is described as it is
        return value


def _misfit(what: str, entry: Any, names: list[str], param: Tensor) -> list[str]:
    if not isinstance(entry, Mapping) or entry.keys() != set(names):
        got = (
            f"[{few(map(repr, entry))}]"
            if isinstance(entry, Mapping)
            else described(entry)
        )
        return [f"{what} has {got}, expected {names}"]
    kinds, fits = (
        {name: described(entry[name], "") for name in names[1:]},
        described(param),
    )
    wrong = [
        f"{k} of {what} is {v}, expected {fits}" for k, v in kinds.items() if v != fits
    ]
    return wrong + faults(check_integers, "state", **{f"step of {what}": entry["step"]})
