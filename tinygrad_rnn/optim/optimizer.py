"""What all optimizers share: parameter groups, steps that are all or nothing, state.

A step joins the parameters, their gradients and what the optimizer remembers of them
(moments, momentum) into flat vectors, which are copies. ``update`` changes these in a
few passes, and then one call writes everything back. Between steps the state is kept
for each parameter, as its part of the last step's vectors.
"""

from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Mapping
from copy import copy
from dataclasses import replace
from functools import partial
from itertools import chain, count, repeat
from operator import itemgetter, setitem
from typing import ClassVar, TypeVar

from ..backend import backend_of
from ..creation import as_tensor
from ..engine import seam
from ..engine.commit import Changes, commit
from ..engine.mode import enable_grad
from ..engine.node import check_writable, wrap
from ..engine.warned import run_reporting_warnings
from ..errors import (
    DTypeError,
    OptionError,
    abbreviate,
    check_choice,
    check_type,
    describe,
)
from ..errors.construction import NamedConstruction
from ..tensor import Tensor
from ..types import Array, Function, Namespace, Setting, Settings
from .batches import (
    NOTHING,
    Batch,
    Key,
    Memory,
    Plan,
    Route,
    Slots,
    key_of,
    kind_of,
    last_memory,
    layouts,
    parts_of,
    slot_of,
    starts_again,
)
from .options import (
    LEFT_OUT,
    Rules,
    check_flag,
    check_not_negative,
    check_options,
    faults,
)
from .overlap import find_overlap
from .saved import entry_misfits, raise_misfits, read_entry, read_options

Params = Iterable[Tensor] | Iterable[Settings]
Result = TypeVar("Result")


_params_of = itemgetter("params")


class Optimizer(metaclass=NamedConstruction):
    """Base of the optimizers: parameter groups, steps, saving and loading.

    A subclass writes ``update`` and passes its options, with their defaults, to
    ``__init__``. Class attributes say the rest:

    * ``rules``: for options that are not numbers of at least 0, a function that checks
      them (``tg.errors.check_type`` and its like), or a tuple of one and its bounds.
    * ``slots``: the names of the vectors that an update remembers, each with the option
      that asks for it, or ``""`` if it is always there. They begin as zeros.
    * ``decays``: whether ``weight_decay * w`` is added to the gradient before an
      update; True by default.

    Args:
        params: Tensors in order, or dicts: each a group, with its tensors under
            ``"params"`` and options of its own.
        defaults: The options, for groups that do not set them. If ``maximize`` is among
            them, a group that sets it ascends: an update gets -g for g. PyTorch's
            options that do not exist here may be among them, if they are false.

    Raises:
        OptionError: An option breaks its rule, there are no parameters, or two of them
            are the same or share memory.
        DTypeError: ``params`` is not a list of tensors or of groups.

    Example:
        >>> import tinygrad_rnn as tg
        >>> class Momentum(tg.optim.Optimizer):
        ...     slots = {"velocity": ""}
        ...
        ...     def __init__(self, params, lr=0.1, momentum=0.9):
        ...         super().__init__(params, {"lr": lr, "momentum": momentum})
        ...
        ...     def update(self, options, xp, param, grad, slots, step):
        ...         slots["velocity"] *= options["momentum"]
        ...         slots["velocity"] += grad
        ...         param -= options["lr"] * slots["velocity"]
        >>> w = tg.tensor([1.0], requires_grad=True)
        >>> optimizer = Momentum([w])
        >>> (w * w).sum().backward()
        >>> optimizer.step()
        >>> w
        tensor([0.8], dtype=float32, requires_grad=True)
    """

    rules: ClassVar[Rules] = {}
    slots: ClassVar[dict[str, str]] = {}
    decays: ClassVar[bool] = True
    # Whether weight_decay shrinks w and leaves the gradient alone, as in AdamW.
    decoupled: ClassVar[bool] = False
    _name: ClassVar[str] = "optim.Optimizer"

    def __init_subclass__(cls, **kwargs: Setting) -> None:
        super().__init_subclass__(**kwargs)
        cls._name = f"optim.{cls.__name__}"

    def __init__(self, params: Params, defaults: Settings) -> None:
        self.defaults: Settings = {}
        for option, value in defaults.items():
            if option not in LEFT_OUT:
                self.defaults[option] = value
            elif value:
                got = f"{option}={value!r} is not supported: {LEFT_OUT[option]}"
                raise OptionError(f"{self._name}: {got}; leave it out")
        rules = {"maximize": check_flag, **self.rules}
        self._rules: Rules = {
            option: rules.get(option, check_not_negative) for option in self.defaults
        }
        self.param_groups: list[Settings] = []
        self._memory: dict[Tensor, Memory] = {}
        self._route: Route | None = None
        self.has_stepped = False  # or was loaded: a schedule that steps first warns
        # The plans of the groups, and the values of options that they were made of.
        self._plans: tuple[list[list[Setting]], list[Plan]] = ([], [])
        self._array_ids: list[int] = []  # of the parameters, when last compared
        groups = self._as_list(params)
        if not groups:
            raise OptionError(
                f"{self._name}: params is empty; a generator can be used only once, so "
                "make a list of it; or the model has no parameters: layers in a plain "
                "list are not registered, use nn.ModuleList"
            )
        for group in groups if isinstance(groups[0], dict) else [{"params": groups}]:
            self.param_groups.append(self._complete_group(group))
        self._check_overlap(self._params())

    def __repr__(self) -> str:
        shown = f"{type(self).__name__} ("
        for number, group in enumerate(self.param_groups):
            shown += f"\nParameter Group {number}\n"
            for key in sorted(group.keys() - {"params"}):
                shown += f"    {key}: {group[key]}\n"
        return f"{shown})"

    def __getstate__(self) -> Settings:
        return {**vars(self), "_route": None}  # arrays that are elsewhere, too

    def _params(self) -> list[Tensor]:
        return [*chain.from_iterable(map(_params_of, self.param_groups))]

    def _members(self) -> list[list[int]]:
        """Return the ids of each group's parameters."""
        return [[*map(id, params)] for params in map(_params_of, self.param_groups)]

    def _has_params(self, ids: list[int]) -> bool:
        """Return whether the parameters are those with these ids."""
        params = chain.from_iterable(map(_params_of, self.param_groups))
        return [*map(id, params)] == ids

    # ------------------------------------------------------------ what a subclass says

    def options(self, group: Mapping[str, Setting]) -> Settings:
        """Return a group's options as ``update`` takes them; raise for a wrong one."""
        options = check_options(self._name, self._rules, group)
        options.pop("maximize", None)  # a step does that before an update
        return options

    def slots_of(self, group: Mapping[str, Setting]) -> list[str]:
        """Return the names of the vectors that an update with these options keeps."""
        names = []
        for name, option in self.slots.items():
            if not option or group[option]:
                names.append(name)
        return names

    def update(
        self,
        options: Settings,
        xp: Namespace,
        param: Array,
        grad: Array,
        slots: Slots,
        step: int,
    ) -> None:
        """Make one step of a flat vector of parameters, in place.

        Args:
            options: The group's options; NumPy's numbers are Python's here.
            xp: The array namespace of the vectors.
            param: The parameters.
            grad: Their gradients; a copy, which may be changed.
            slots: What is remembered of them, to be changed in place or replaced.
            step: The number of this step, from 1.
        """
        raise NotImplementedError

    # ------------------------------------------------------------ groups

    def add_param_group(self, param_group: Settings) -> None:
        """Train more tensors, with options of their own.

        Args:
            param_group: A dict with the tensors, or one tensor, under ``"params"``.

        Raises:
            OptionError: An option breaks its rule, or a tensor is trained already or
                shares memory with one that is. The group is not added then.

        Example:
            >>> import tinygrad_rnn as tg
            >>> body, head = tg.nn.Linear(3, 3), tg.nn.Linear(3, 2)
            >>> optimizer = tg.optim.SGD(body.parameters(), lr=0.1)
            >>> optimizer.add_param_group({"params": head.parameters(), "lr": 0.01})
            >>> [group["lr"] for group in optimizer.param_groups]
            [0.1, 0.01]
        """
        seam.refuse("add_param_group()", "call it outside")
        group = self._complete_group(param_group)
        self._check_overlap([*self._params(), *group["params"]])
        self.param_groups.append(group)

    def _as_list(self, params: object) -> list[Setting]:
        unordered = isinstance(params, Tensor | set | frozenset | str | dict)
        if unordered or not isinstance(params, Iterable):
            raise DTypeError(
                f"{self._name}: params is {type(params).__name__}, expected tensors or "
                "groups in order: a list, model.parameters(), [tensor]"
            )
        return list(params)

    def _complete_group(self, param_group: object) -> Settings:
        """Return a group with all its options, if its tensors can be trained."""
        if not isinstance(param_group, dict) or "params" not in param_group:
            got = describe(param_group)
            if isinstance(param_group, dict):
                got = f"the keys {[*param_group]}"
            raise DTypeError(
                f"{self._name}: a group is a dict with 'params', got {got}"
            )
        known = ("params", *self.defaults, "initial_lr")
        for key in param_group:
            check_choice(self._name, known, **{"an option of a group": key})
        given = param_group["params"]
        params = [given] if isinstance(given, Tensor) else self._as_list(given)
        held = set(self._params())
        for place, param in enumerate(params):
            self._check_param(place, param)
            if param in held:
                raise OptionError(f"{self._name}: parameter {place} is given twice")
            held.add(param)
        group = {**self.defaults, **param_group, "params": params}
        self.options(group)
        return group

    def _check_param(self, place: int, param: Setting) -> None:
        """Require a tensor of floats that no recorded operation made."""
        what = f"parameter {place}"
        if not isinstance(param, Tensor):
            expected = "a Tensor"
            if isinstance(param, tuple) and len(param) == 2:
                expected += "; pass model.parameters()"  # not named_parameters()
            check_type(self._name, Tensor, expected, **{what: param})
        if param.node is not None or param.dtype.kind != "f":
            wrong = f"{what} is not a float leaf; detach() it first"
            raise OptionError(f"{self._name}: {wrong}")

    def _check_overlap(self, params: list[Tensor]) -> None:
        """Raise if two parameters share memory: of two updates one would be lost.

        They are compared when an array is new: after an assignment to ``.data``, say.
        """
        array_ids = [id(param.array) for param in params]
        if array_ids == self._array_ids:
            return
        if pair := find_overlap(params):
            one, other = [
                f"parameter {place} ({getattr(params[place], 'name', 'tensor')}, "
                f"shape {params[place].shape})"
                for place in pair
            ]
            way = "clone() one of them, or pass the tensor that both are views of"
            raise OptionError(f"{self._name}: {one} and {other} share memory; {way}")
        self._array_ids = array_ids

    # ------------------------------------------------------------ steps

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget all gradients, or set them to zeros.

        Ctrl-C comes before all of them or after.

        Args:
            set_to_none: False fills the gradients that there are with zeros instead.

        Example:
            >>> import tinygrad_rnn as tg
            >>> w = tg.tensor([1.0], requires_grad=True)
            >>> optimizer = tg.optim.SGD([w], lr=0.1)
            >>> (w * w).backward()
            >>> optimizer.zero_grad()
            >>> w.grad is None
            True
        """
        if type(set_to_none) is not bool:  # no call for what every training step does
            check_flag(f"{self._name}.zero_grad", set_to_none=set_to_none)
        params = self._params()
        grads: Iterable[Tensor | None] = repeat(None)
        if not set_to_none:
            grads = [None if p.grad is None else _zeros_like(p) for p in params]
        if seam.recorder is not None:
            seam.guard(self._has_params, [*map(id, params)])
            for param in params:
                seam.gradient_set(param)
        # One call of a function written in C: see engine/commit.py.
        deque(map(setattr, params, repeat("_grad"), grads), 0)

    def step(self, closure: Callable[[], Result] | None = None) -> Result | None:
        """Change every parameter that has a gradient.

        The step is all or nothing: parameters, moments and counts change together, or
        none of them does, if it fails, if memory runs out, and wherever Ctrl-C comes
        in. (Where an array library assigns in Python, that holds for one Ctrl-C, not
        for a second one on its heels.)

        Args:
            closure: A function that computes the loss and calls ``backward()``; it runs
                first, with recording switched on.

        Returns:
            What ``closure`` returns, or None.

        Raises:
            OptionError: An option was set to what breaks its rule, parameters have come
                to share memory, or a gradient does not fit.
            GraphError: A parameter's memory cannot be written.

        Example:
            >>> import tinygrad_rnn as tg
            >>> w = tg.tensor([1.0], requires_grad=True)
            >>> optimizer = tg.optim.SGD([w], lr=0.25)
            >>> (w * w).sum().backward()
            >>> optimizer.step()
            >>> w.tolist()  # 1 - 0.25 * 2
            [0.5]
        """
        result = None if closure is None else self._call(closure)
        if seam.recorder is not None:
            seam.guard(self._has_params, [*map(id, self._params())])
        params = [param for param in self._params() if param.grad is not None]
        grads = [param.grad.array for param in params]
        seam.act(self._step, params, grads)
        return result

    def _step(self, params: list[Tensor], grads: list[Array]) -> None:
        """Change parameters that have these gradients."""
        self.has_stepped = True
        plans = self._current_plans()
        param_ids = [*map(id, params)]
        batches = self._batches_of_last_step(param_ids, plans)
        if batches is None:
            self._check_overlap(self._params())
            batches = self._find_batches(params, grads, plans)
            in_place = all(batch.kernel is not None for batch in batches)
            members = self._members()
            route = Route(param_ids, members, seam.changes, plans, batches)
            self._route = route if in_place else None
        if len(batches) > 1:  # one batch is checked by its kernel
            for param in params:
                check_writable(param.array, self._name)
        changes: Changes = []
        for batch in batches:
            own = [grads[place] for place in batch.places]
            changes += self._prepare(batch, plans[batch.group], own)
        for param in params:
            param.version.count += 1  # a graph that has saved it is out of date
        try:
            commit(changes)
        except (TypeError, ValueError):
            self._find_batches(params, grads, plans)  # which says what is wrong
            raise

    def _call(self, closure: Callable[[], Result]) -> Result:
        name = f"{self._name}.step"
        check_type(name, Callable, "a function, or None", closure=closure)
        with enable_grad():
            return closure()

    def _current_plans(self) -> list[Plan]:
        """Return the groups' plans; checks run again only where an option has changed.

        They take as long as a small update.
        """
        groups = self.param_groups
        values = [[*map(group.__getitem__, self._rules)] for group in groups]
        if values != self._plans[0]:
            plans = []
            for group in groups:
                maximize = group.get("maximize", False)
                plans.append(Plan(self.options(group), self.slots_of(group), maximize))
            # Copies: a list of betas may be changed in place.
            self._plans = [[*map(copy, row)] for row in values], plans
        return self._plans[1]

    def _batches_of_last_step(
        self, param_ids: list[int], plans: list[Plan]
    ) -> list[Batch] | None:
        """Return the batches of the last step, if it was in place and still fits.

        Parameters, their groups, arrays and memory are the same, options but for
        numbers, too, and gradients fit their parameters: all checks would come out as
        before.
        """
        route = self._route
        if route is None or route.changes != seam.changes:
            return None
        if route.param_ids != param_ids or route.members != self._members():
            return None
        if not all(map(self._holds, route.batches)):
            return None
        if route.plans is not plans:
            if layouts(route.plans) != layouts(plans):
                return None
            self._route = route._replace(plans=plans)
        return route.batches

    def _holds(self, batch: Batch) -> bool:
        """Return whether a batch's parameters made their last step in it."""
        return self._memory.get(batch.params[0]) is batch.memory

    def _find_batches(
        self, params: list[Tensor], grads: list[Array], plans: list[Plan]
    ) -> list[Batch]:
        """Sort the parameters that have a gradient into those that step together.

        They have the group, the number of their step, device and dtype in common.
        """
        places = {param: place for place, param in enumerate(params)}
        found: dict[tuple[int, *Key], list[int]] = defaultdict(list)
        for number, (group, plan) in enumerate(
            zip(self.param_groups, plans, strict=True)
        ):
            for param in group["params"]:
                if param in places:
                    grad = grads[places[param]]
                    memory = self._memory.get(param, NOTHING)
                    key = key_of(self._name, memory, param, grad, plan.slot_names)
                    found[number, *key].append(places[param])
        return [
            self._batch_of([params[i] for i in own], own, plans[number], number, step)
            for (number, step, *_), own in found.items()
        ]

    def _batch_of(
        self, params: list[Tensor], places: list[int], plan: Plan, group: int, step: int
    ) -> Batch:
        """Return parameters that step together, and what is remembered of them."""
        arrays = [param.array for param in params]
        parts = parts_of(tuple([array.size for array in arrays]))
        xp = backend_of(arrays[0])
        last = last_memory(self._memory, params)
        vectors = {}
        for name in plan.slot_names:
            if name in last.vectors:
                vectors[name] = last.vectors[name]
            else:
                own = [slot_of(self._memory, name, tensor) for tensor in params]
                vectors[name] = xp.on_device(xp.join)(own)
        where, kinds = last.parts, last.kinds
        if last is NOTHING:
            where = dict(zip(params, parts, strict=True))
            kinds = dict(zip(params, map(kind_of, arrays), strict=True))
        memory = Memory(step - 1, vectors, where, kinds)
        kernel = None if plan.maximize else self.kernel_in_place(xp, arrays)
        slots = {}
        for name, vector in vectors.items() if kernel else ():
            pairs = zip(parts, arrays, strict=True)
            slots[name] = [vector[part].reshape(a.shape) for part, a in pairs]
        return Batch(params, places, arrays, parts, group, memory, kernel, slots)

    def kernel_in_place(self, xp: Namespace, arrays: list[Array]) -> Function | None:
        """Return a kernel that steps these arrays where they are; None for ``update``.

        It is called with the parameters, their gradients, the slots by name, a list of
        arrays for each, the number of the step, and the options. It returns a function
        written in C that makes the step, all or nothing.
        """
        return None

    def _prepare(self, batch: Batch, plan: Plan, grads: list[Array]) -> Changes:
        """Return the changes that make the step of a batch."""
        memory = batch.memory
        step = memory.step + 1
        if batch.kernel is not None:
            given = batch.arrays, grads, batch.slots, step, plan.options
            changes: Changes = [batch.kernel(*given)]
        else:
            xp = backend_of(batch.arrays[0])
            prepare = xp.on_device(self._step_on_copies)
            name = f"{self._name}.step"
            changes = run_reporting_warnings(
                name, prepare, xp, batch, plan, grads, step
            )
        changes.append(partial(setattr, memory, "step", step))
        if not self._holds(batch):
            entries = dict.fromkeys(batch.params, memory)
            changes.append(partial(self._memory.update, entries))
        return changes

    def _step_on_copies(
        self, xp: Namespace, batch: Batch, plan: Plan, grads: list[Array], step: int
    ) -> Changes:
        """Compute a step on copies, and return the changes that write it back."""
        parts = batch.parts
        size = parts[-1].stop
        both = xp.join([*batch.arrays, *grads])
        param, grad = both[:size], both[size:]
        vectors = batch.memory.vectors
        slots = {name: xp.array(vector) for name, vector in vectors.items()}
        if plan.maximize:
            grad *= -1.0
        if self.decays and plan.options.get("weight_decay"):
            grad += plan.options["weight_decay"] * param
        self.update(plan.options, xp, param, grad, slots, step)
        changes: Changes = [partial(setattr, batch.memory, "vectors", slots)]
        write = xp.on_device(setitem)
        for array, part in zip(batch.arrays, parts, strict=True):
            values = xp.reshape(param[part], array.shape)
            changes.append(partial(write, array, ..., values))
        return changes

    # ------------------------------------------------------------ saving and loading

    def state_dict(self) -> Settings:
        """Return a copy of options and state, as PyTorch lays it out by number.

        Example:
            >>> import tinygrad_rnn as tg
            >>> w = tg.tensor([1.0], requires_grad=True)
            >>> state = tg.optim.SGD([w], lr=0.1).state_dict()
            >>> state["param_groups"][0]["lr"], state["param_groups"][0]["params"]
            (0.1, [0])
        """
        groups, state = [], {}
        places = count()
        for group in self.param_groups:
            numbers = [next(places) for _ in group["params"]]
            groups.append({**group, "params": numbers})
            # As the next step would use it, if momentum, say, has been switched since.
            names = self.slots_of(group)
            for place, param in zip(numbers, group["params"], strict=True):
                memory = self._memory.get(param)
                if memory is None or starts_again(memory, names):
                    continue
                state[place] = {"step": memory.step}
                for name in names:
                    values = wrap(slot_of(self._memory, name, param)).clone()
                    state[place][name] = values.reshape(param.shape)
        return {"state": state, "param_groups": groups}

    def load_state_dict(self, state_dict: Mapping[str, Setting]) -> None:
        """Go on from a ``state_dict``, of this package or of PyTorch.

        Args:
            state_dict: What ``state_dict()`` of an optimizer of this class returned;
                its arrays may be of any library that converts to NumPy's.

        Raises:
            CheckpointError: It does not fit; the message says all that is wrong, and
                nothing is changed.

        Example:
            >>> import tinygrad_rnn as tg
            >>> w = tg.tensor([1.0], requires_grad=True)
            >>> saved = tg.optim.SGD([w], lr=0.5).state_dict()
            >>> optimizer = tg.optim.SGD([w], lr=0.1)
            >>> optimizer.load_state_dict(saved)
            >>> optimizer.param_groups[0]["lr"]
            0.5
        """
        seam.refuse(f"{self._name}.load_state_dict()", "call it outside")
        raise_misfits(self._name, self.misfits(state_dict))
        commit(self._loading(state_dict))

    def _loading(self, state_dict: Mapping[str, Setting]) -> Changes:
        """Return the changes that load a ``state_dict`` that fits, for ``commit``."""
        entries = self._entries(state_dict)
        memory = {}
        for place, param in enumerate(self._params()):
            if slots := entries.get(str(place)):
                step = int(slots.pop("step"))
                xp = backend_of(param.array)
                for name, value in slots.items():
                    slots[name] = xp.join([as_tensor(value).to(param.device).array])
                whole, kind = slice(0, param.array.size), kind_of(param.array)
                memory[param] = Memory(step, slots, {param: whole}, {param: kind})
        changes: Changes = [
            partial(vars(self).update, _memory=memory, has_stepped=True)
        ]
        saved_groups = state_dict["param_groups"]
        for group, saved in zip(self.param_groups, saved_groups, strict=True):
            options = {**read_options(saved, group), "params": group["params"]}
            changes.append(partial(group.update, options))
        return changes

    def _copy_state(self) -> object:
        """Return a copy of what is remembered, for ``tg.compile(check=...)``."""
        copies: dict[int, Memory] = {}  # parameters that step together share one
        for memory in self._memory.values():
            vectors = {
                name: backend_of(vector).array(vector)
                for name, vector in memory.vectors.items()
            }
            copies.setdefault(id(memory), replace(memory, vectors=vectors))
        return {param: copies[id(memory)] for param, memory in self._memory.items()}

    def _restore_state(self, state: dict[Tensor, Memory]) -> None:
        self._memory = state

    def _entries(self, state_dict: Mapping[str, Setting]) -> Settings:
        """Return each parameter's saved state in this class's terms.

        By the parameter's number as text, as keys are in files.
        """
        found = {}
        for place, entry in state_dict["state"].items():
            if isinstance(entry, Mapping):
                entry = self.translate(read_entry(entry))
            if entry is not None:
                found[str(place)] = entry
        return found

    def translate(self, entry: Settings) -> Settings | None:
        """Convert a parameter's saved state from PyTorch's layout to this class's.

        None stands for no state: PyTorch may save one before the first step.
        """
        return entry

    def misfits(self, state_dict: Mapping[str, Setting]) -> list[str]:
        """Say what in a ``state_dict`` does not fit this optimizer, a line each."""
        keys = {"state", "param_groups"}
        if isinstance(state_dict, Mapping) and not keys <= state_dict.keys():
            got = abbreviate(state_dict) or "nothing"
            expected = f"expected 'state' and 'param_groups', got {got}"
            return [f"it is not an optimizer's state: {expected}"]
        try:
            groups = list(state_dict["param_groups"])
            entries = self._entries(state_dict)
            sizes = [len(group["params"]) for group in groups]
        except (AttributeError, KeyError, TypeError) as error:
            return [f"it is not an optimizer's state: {error!r}"]
        own_sizes = [len(group["params"]) for group in self.param_groups]
        if sizes != own_sizes:
            expected = f"expected [{abbreviate(own_sizes)}]"
            return [f"its groups have [{abbreviate(sizes)}] parameters, {expected}"]
        wrong: list[str] = []
        places = count()
        for group, saved in zip(self.param_groups, groups, strict=True):
            options_wrong, names = self._option_misfits(group, saved)
            wrong += options_wrong
            for param in group["params"]:
                place = str(next(places))
                if place in entries:
                    entry = entries.pop(place)
                    wrong += entry_misfits(f"parameter {place}", entry, names, param)
        return wrong + [f"parameter {place} is unexpected" for place in entries]

    def _option_misfits(
        self, group: Settings, saved: Mapping[str, Setting]
    ) -> tuple[list[str], list[str]]:
        """Say what in a saved group's options does not fit.

        With the keys that the states of its parameters should have.
        """
        options = read_options(saved, group)
        strange = (options.keys() ^ group.keys()) - {"initial_lr"}
        if strange:
            got = sorted(map(str, strange & options.keys()))
            expected = sorted(map(str, strange & group.keys()))
            wrong = [f"it is another optimizer's: options {got}, expected {expected}"]
            options = group
        else:
            wrong = faults(self.options, options)
        decoupled = saved.get("decoupled_weight_decay", self.decoupled)
        if decoupled is not self.decoupled:
            wrong.append(f"it was saved by optim.{'AdamW' if decoupled else 'Adam'}")
        return wrong, ["step", *self.slots_of(options)]


def _zeros_like(param: Tensor) -> Tensor:
    seam.use("zero_grad", param)
    return wrap(seam.run(backend_of(param.array).zeros_like, param.array))
