"""The tape: what a captured function computed, as lines of Python, and its guards.

Every call on arrays becomes one line, ``v9, v10 = f(v3, v8, axis=0)``. What an array is
is told by its identity: an earlier line's result, an argument, the array of a leaf or a
buffer. Any other array would stay what it is now, so it is an error that names the
user's line. The guards say under which conditions the lines compute the same again.
"""

import gc
import random
import re
import sys
import weakref
from collections.abc import Iterator, Sequence
from itertools import count
from typing import NoReturn

import numpy as np

from ..backend import backends, current_index, is_current
from ..backend.standard import Part
from ..errors import GraphError
from ..types import Array, Function, Operand, Settings, Shape
from . import seam
from .mode import recording
from .names import COMPARED, PLAIN_TYPES, Constants, conditions
from .node import Value, Version
from .places import user_line
from .program import Conditions, Kind, Line, Program, kind_of, same_attributes
from .reads import Reads, is_number, is_plain
from .warned import rerun_with_warnings, was_warning

RUN_LATER = {"__next__", "__await__", "__anext__"}  # of iterators and coroutines
KERNELS = "tinygrad_rnn.kernels.c"  # those of this package never warn


def _in_words(at: str) -> str:
    """Return what messages call an expression: ``args[0]`` is argument 1."""
    if found := re.match(r"args\[(\d+)\]", at):
        return f"argument {int(found[1]) + 1}{at[found.end() :]}"
    if found := re.match(r"kwargs\['(\w+)'\]", at):
        return f"argument {found[1]}{at[found.end() :]}"
    return at


class Tape(seam.Recorder):
    """Records a function while it runs.

    Args:
        name: The function's name, for messages.
        reads: What it reads from outside beside its arguments.
        args: Its arguments.
        kwargs: Its arguments by name.
    """

    def __init__(self, name: str, reads: Reads, args: Operand, kwargs: Operand) -> None:
        super().__init__()
        self.name = name
        self.lines: list[Line] = []
        self.guards: list[str] = []
        self.words: dict[str, tuple[str, str]] = {}  # what guards say, and of what
        self.constants = Constants()
        self.constant_name = self.constants.name
        self.leaves: list[tuple[Value, Kind, bool]] = []  # with needs_grad
        self.modules: dict[int, tuple[Operand, Settings]] = {}  # with their attributes
        self.gradients: dict[int, tuple[Value, Operand]] = {}  # of leaves, as they were
        self.reads = reads
        self._names: dict[int, str] = {}  # variables of arrays and other results
        self._references: dict[int, str] = {}  # expressions of Tensors
        self._versions: dict[int, str] = {}  # and of their counters of changes
        self._new_versions: list[str] = []  # the variables of those of results
        self._local_leaves: set[int] = set()
        self._inputs: list[tuple[str, Operand]] = []  # tensors and arrays: arguments
        self._called: set[int] = set()  # modules
        self._asked: list[tuple[Function, Sequence[object]]] = []  # guards by functions
        self._kept: list[object] = []  # whatever has a name: so its id is its own
        self._results: list[tuple[weakref.ref[Value], str]] = []  # and their lines
        self._argument_of: dict[str, str] = {}  # the expressions of variables
        self._new_name = map("v{}".format, count()).__next__
        self._refusal: GraphError | None = None
        self._random_states = _random_states()
        self._last_place = reads.place or user_line()
        self._name_argument("args", args)
        self._name_argument("kwargs", kwargs)
        self.guards.append(f"recording() is {recording()}")
        self._guard_reads()

    # ------------------------------------------------------------ what comes in

    def _name_argument(self, at: str, value: Operand) -> None:
        """Add the guards of an argument, and name the arrays in it."""
        kind = type(value)
        if isinstance(value, Value):
            self._name_tensor(at, value)
        elif kind in backends:
            if id(value) in self._names:
                self.refuse(f"{_in_words(at)} is another argument, too", "copy it")
            self._inputs.append((at, value))
            self._name_array(at, value, "")
        elif isinstance(value, tuple | list):
            own = self.constant_name(kind)
            self.guards.append(f"type({at}) is {own} and len({at}) == {len(value)}")
            for i, part in enumerate(value):
                self._name_argument(f"{at}[{i}]", part)
        elif isinstance(value, dict):
            keys = self.constant_name(tuple(value))
            self.guards.append(f"type({at}) is {self.constant_name(kind)}")
            self.guards.append(f"tuple({at}) == {keys}" if value else f"not {at}")
            for key, part in value.items():
                self._name_argument(f"{at}[{self.constant_name(key)}]", part)
        else:
            self._guard_value(at, value)
            self.reads.visit(value, _in_words(at))

    def _guard_reads(self) -> None:
        """Guard what the function reads beside its arguments, as far as it is new."""
        for expression, value, words in self.reads.new_items(self.constant_name):
            self._guard_value(expression, value, words)
        for module in self.reads.modules.values():
            self.modules.setdefault(id(module), (module, dict(module.__dict__)))

    def guard(self, holds: Function, args: Sequence[object]) -> None:
        """Call a function before each replay, which takes place if it returns True."""
        if (holds, args) in self._asked:
            return
        self._asked.append((holds, args))
        given = ", ".join([self.constant_name(arg) for arg in args])
        self.guards.append(f"{self.constant_name(holds)}({given})")

    def _guard_devices(self) -> None:
        """Guard which devices are the current ones, of libraries with several."""
        for kind in {b.kind: None for b in backends.values() if b.multi_device}:
            self.guard(is_current, (kind, current_index(kind)))

    def _guard_value(self, at: str, value: Operand, words: str = "") -> None:
        """Guard a value of Python: a number by value, an object by identity."""
        same = conditions(at, value, self.constants)
        self.guards += same
        about = f"{words or _in_words(at)} is"
        shown = f"an object of type {type(value).__name__}, which counts by identity"
        if is_plain(value) or isinstance(value, COMPARED):
            shown = f"{value!r:.60}"
        is_by_value = is_number(value) and len(same) > 1  # the first is its type
        self.words[same[1 if is_by_value else 0]] = about, shown

    def _name_tensor(self, at: str, tensor: Value) -> None:
        if tensor.node is not None:
            self.refuse(
                f"{_in_words(at)} has a graph", "detach() it, or compute it inside"
            )
        if id(tensor) in self._references or id(tensor.array) in self._names:
            self.refuse(
                f"{_in_words(at)} has the memory of another argument", "clone() it"
            )
        self._inputs.append((at, tensor))
        own = f"t{len(self._references)}"
        self._argument_of[own] = at
        self.guards.append(f"type({own} := {at}) is {self.constant_name(type(tensor))}")
        self._name_array(f"{own}.array", tensor.array, own)
        needs = f"{own}.node is None and {own}.needs_grad is {tensor.needs_grad}"
        self.guards.append(needs)
        self._hold(self._references, tensor, own)
        self._hold(self._versions, tensor.version, f"{own}.version")

    def _name_array(self, at: str, array: Array, tensor: str) -> None:
        name = self._hold(self._names, array, self._new_name())
        shape, dtype = self.constant_name(array.shape), array.dtype
        if not tensor:
            kind = self.constant_name(type(array))
            self.guards.append(f"type({at}) is {kind}")
        self.guards.append(f"({name} := {at}).shape == {shape}")
        owner = _in_words(self._argument_of.get(tensor, at))
        self.words[self.guards[-1]] = f"{owner} has shape", str(array.shape)
        if isinstance(dtype, np.dtype):
            self.guards.append(f"{name}.dtype.char == {dtype.char!r}")
        else:
            self.guards.append(f"{name}.dtype == {self.constant_name(dtype)}")

    def _hold(self, names: dict[int, str], value: object, name: str) -> str:
        self._kept.append(value)
        names[id(value)] = name
        return name

    def use(self, name: str, args: Sequence[Operand]) -> None:
        """Name the arrays of arguments that are not known yet: leaves and buffers."""
        if seam.recorder is not self:
            return
        self._check_random_states()
        for arg in args:
            if isinstance(arg, Value):
                known = id(arg.array) in self._names
                if known and self._is_alias(arg):
                    self.refuse(
                        f"{name}: this tensor has the memory of an argument or of "
                        "another tensor",
                        "clone() one of them",
                    )
                if not known:
                    self._name_leaf(name, arg)
            elif type(arg) in backends and id(arg) not in self._names:
                self._refuse_array(name, arg)

    def _is_alias(self, tensor: Value) -> bool:
        """Return whether a tensor from outside has an array that is another's, too."""
        if tensor.node is not None or id(tensor) in self._references:
            return False
        if tensor.needs_grad:
            return id(tensor) not in self._local_leaves
        return id(tensor) in self.reads.tensors or id(tensor) in self._buffers()

    def _name_leaf(self, name: str, tensor: Value) -> None:
        is_leaf = tensor.needs_grad and tensor.node is None
        is_buffer = tensor.node is None and id(tensor) in self._buffers()
        if not (is_leaf or is_buffer or id(tensor) in self.reads.tensors):
            self.refuse(
                f"{name}: a tensor of shape {tensor.array.shape} comes from outside",
                "pass it as an argument, or register it as a buffer of a module",
            )
        own = self.reference(tensor)
        self.leaves.append((tensor, kind_of(tensor.array), tensor.needs_grad))
        self._hold(self._versions, tensor.version, f"{own}.version")
        variable = self._hold(self._names, tensor.array, self._new_name())
        code = f"{own}.array"
        self.lines.append(
            Line(variable, code, set(), [variable], False, False, user_line())
        )

    def _buffers(self) -> set[int]:
        """Return the ids of all Tensors among the attributes of modules called."""
        found: set[int] = set()
        for module, _ in self.modules.values():
            values = module.__dict__.values()
            found |= {id(value) for value in values if isinstance(value, Value)}
        return found

    def reference(self, tensor: Value) -> str:
        """Return the expression of a Tensor: an argument's variable, or a constant."""
        if id(tensor) not in self._references:
            self._hold(self._references, tensor, self.constant_name(tensor))
        return self._references[id(tensor)]

    def module_called(self, module: Operand) -> None:
        """Note a module's attributes, and what its forward reads from outside."""
        if seam.recorder is self and id(module) not in self._called:
            self._called.add(id(module))
            self.modules[id(module)] = module, dict(module.__dict__)
            self.reads.visit_module(module)
            self._guard_reads()

    def leaf_made(self, leaf: Value) -> None:
        """Note a tensor that requires grad from now on, and was made inside."""
        is_known = id(leaf) in self._references
        if is_known or id(leaf.array) not in self._names:
            self.refuse("requires_grad_() of a tensor from outside", "do it outside")
        self._kept.append(leaf)
        self._local_leaves.add(id(leaf))

    # ------------------------------------------------------------ what is computed

    def run(
        self,
        function: Function,
        args: Sequence[object],
        settings: Settings,
        *,
        has_effect: bool = False,
        can_warn: bool = True,
        name: str = "",
    ) -> Operand:
        """Make a call, and write it down."""
        if seam.recorder is not self:
            return function(*args, **settings)
        reads: set[str] = set()
        given = [self._expression(arg, reads) for arg in args]
        given += [f"{k}={self._expression(v, reads)}" for k, v in settings.items()]
        kernel = getattr(function, "kernel", None)
        if kernel is not None:  # without its namespace, and the context of one thread
            given = given[1:]
        called = kernel or function
        own = self.constant_name(called, name)
        code = f"{own}({', '.join(given)})"
        result = self._call(name or own, function, args, settings)
        if isinstance(result, np.generic):  # NumPy makes scalars of 0-d results
            result = np.asarray(result)
            code = f"{self.constant_name(np.asarray)}({code})"
        writes: list[str] = []
        target = self._target(result, writes)
        if writes or has_effect:
            module = str(getattr(called, "__module__", ""))
            warns = can_warn and not module.startswith(KERNELS)
            target = target if writes else ""
            place = self._last_place = user_line()
            self.lines.append(
                Line(target, code, reads, writes, has_effect, warns, place)
            )
        return result

    def _call(
        self, name: str, function: Function, args: Sequence[Operand], settings: Settings
    ) -> Operand:
        """Call a function: what it calls in turn is part of it."""
        seam.recorder = None
        seam.observers.remove(self)
        try:
            return function(*args, **settings)
        except TypeError as error:
            if not was_warning(error):
                raise
            return rerun_with_warnings(name, function)(*args, **settings)
        finally:
            seam.observers.append(self)
            seam.recorder = self

    def _target(self, result: Operand, writes: list[str]) -> str:
        """Return the variables that take a result apart; "_" where nothing is new."""
        kind = type(result)
        if kind is tuple and len(result) == 2 and type(result[0]) is tuple:
            # Outputs and workspace of a fused op; the workspace is handed on whole.
            outputs = self._target(result[0], writes)
            return f"{outputs}, {self._new(result[1], writes)}"
        if kind in (tuple, list):
            before = len(writes)
            parts = [self._target(part, writes) for part in result]
            return f"({', '.join(parts)},)" if len(writes) > before else "_"
        if kind in backends or isinstance(result, Part | np.generic):
            return self._new(result, writes)
        return "_"

    def _new(self, value: Operand, writes: list[str]) -> str:
        is_empty = type(value) is tuple and not value
        is_plain = is_empty or type(value) in PLAIN_TYPES
        if is_plain or id(value) in self._names:
            return "_"
        name = self._hold(self._names, value, self._new_name())
        writes.append(name)
        return name

    def _expression(self, value: Operand, reads: set[str]) -> str:
        """Return an argument as Python: a variable for an array, or a constant."""
        name = self._names.get(id(value))
        if name is not None:
            if name not in self.constants.values:
                reads.add(name)
            return name
        kind = type(value)
        if kind is tuple:
            parts = "".join([f"{self._expression(part, reads)}, " for part in value])
            return (
                f"({parts.rstrip() if len(value) == 1 else parts.removesuffix(', ')})"
            )
        if kind is list:
            return f"[{', '.join([self._expression(part, reads) for part in value])}]"
        if kind is slice and any(
            isinstance(end, Value) for end in (value.start, value.stop, value.step)
        ):
            self.refuse(
                "a slice with a tensor as an end reads a number, which a replay would "
                "not read again",
                "pass a number as an argument",
            )
        if kind is dict:
            items = [f"{k!r}: {self._expression(v, reads)}" for k, v in value.items()]
            return f"{{{', '.join(items)}}}"
        if kind in backends:
            self._refuse_array("a call", value)
        if isinstance(value, Value):
            return self._tensor(value, reads)
        return self.constant_name(value)

    def _tensor(self, tensor: Value, reads: set[str]) -> str:
        """Return a Tensor among the arguments: a new one each time if made inside."""
        is_leaf = tensor.needs_grad and tensor.node is None
        is_known = is_leaf or id(tensor) in self._references
        if is_known or id(tensor.array) not in self._names:
            return self.reference(tensor)
        return f"wrap({self._expression(tensor.array, reads)})"

    def constant(self, array: Array, is_written: bool) -> Array:
        """Name an array that shapes and Python's numbers determine."""
        if seam.recorder is not self or id(array) in self._names:
            return array
        kept = array.copy() if is_written else array
        self._hold(self._names, kept, self.constant_name(kept))
        return self.run(np.array, (kept,), {}, can_warn=False) if is_written else kept

    def changed(self, version: Version, name: str) -> None:
        """Count a change in place of a tensor from outside in each run."""
        own = self._versions.get(id(version))
        if own is not None and seam.recorder is self:
            code = f"{own}.count += 1"
            self.lines.append(Line("", code, set(), [], True, False, user_line()))

    def op_called(self, name: str, args: Sequence[Operand], result: Operand) -> None:
        """Note the results: whoever keeps one outside would keep an old one."""
        made = result if isinstance(result, tuple) else (result,)
        if seam.recorder is self:
            place = user_line()
            self._results += [(weakref.ref(x), place) for x in made]

    # ------------------------------------------------------------ what is refused

    def refuse(self, what: str, way: str = "", place: str = "") -> NoReturn:
        """Raise for what a replay could not repeat, with the line, or a given one."""
        way = f"; {way}" if way else ""
        place = place or f"at {user_line()}"
        self._refusal = GraphError(
            f"compile: {self.name} cannot be captured: {what}{way} ({place})"
        )
        raise self._refusal

    def _refuse_array(self, name: str, array: Array, place: str = "") -> NoReturn:
        self.refuse(
            f"{name} uses an array of shape {array.shape} that NumPy has made or that "
            "comes from outside, whose numbers a replay would use again",
            "compute it with functions of tensors, such as tg.exp for np.exp, or pass "
            "it as an argument",
            place,
        )

    def _check_random_states(self, is_at_end: bool = False) -> None:
        """Raise if Python's or NumPy's global random numbers were drawn."""
        old, new = self._random_states, _random_states()
        self._random_states = new
        if old[0] != new[0] or old[1] not in (None, new[1]):
            now = user_line()
            place = f"at {now}" if now == self._last_place else f"before {now}"
            self.refuse(
                "it draws global random numbers of Python or NumPy, which a replay "
                "would not draw again",
                "draw with tg.rand, tg.randn or tg.randint, or pass them as arguments",
                f"after {self._last_place}" if is_at_end else place,
            )

    # ------------------------------------------------------------ gradients of leaves

    def gradient_read(self, leaf: Value) -> None:
        """Guard the gradient that a leaf from outside has at first."""
        if id(leaf) in self.gradients or not self._is_from_outside(leaf):
            return
        self.use("grad", (leaf,))
        own, gradient = self.reference(leaf), leaf._grad
        self.gradients[id(leaf)] = leaf, gradient
        if gradient is None:
            self.guards.append(f"{own}._grad is None")
        elif id(gradient.array) not in self._names:
            self.guards.append(f"{own}._grad is not None")
            self._name_array(f"{own}._grad.array", gradient.array, own)
            self._hold(self._versions, gradient.version, f"{own}._grad.version")
            self._hold(self._references, gradient, f"{own}._grad")

    def gradient_set(self, leaf: Value) -> None:
        """Note a leaf from outside whose gradient is set."""
        if self._is_from_outside(leaf):
            self.reference(leaf)
            self.gradients.setdefault(id(leaf), (leaf, self))

    def _is_from_outside(self, leaf: Value) -> bool:
        if leaf.node is not None or id(leaf) in self._local_leaves:
            return False
        return leaf.needs_grad or id(leaf) in self._references

    # ------------------------------------------------------------ the end

    def finish(self, result: Operand) -> Program:
        """Return the program of a call that gave this result."""
        if self._refusal is not None:  # which the function has caught
            raise self._refusal
        self._check_random_states(is_at_end=True)
        reads: set[str] = set()
        ends = list(self._gradient_ends(reads))
        returned: set[int] = set()
        packed = self._pack(result, reads, returned)
        self._check_inputs(reads)
        ends[:0] = [f"{own} = Version()" for own in self._new_versions]
        returned |= {id(leaf._grad) for leaf, _ in self.gradients.values()}
        if self._find_kept(returned):
            gc.collect()  # a cycle, such as that of an error with its frames, may do
        if kept := self._find_kept(returned):
            shape, place = kept
            self.refuse(
                f"a tensor of shape {shape}, computed here, is kept outside",
                "return it, in a tuple, a list or a dict, or compute it outside",
                f"at {place}",
            )
        self._check_reads()
        self._guard_devices()
        ends.append(f"return {packed}")
        leaves, modules = self.leaves, list(self.modules.values())
        conditions = Conditions(leaves, modules, dict(seam.settings))
        given = self.lines, self.guards, ends, self.constants.values, reads
        return Program(self.name, *given, conditions, self.words)

    def _check_reads(self) -> None:
        """Raise if the function has changed what it reads from outside."""
        if changed := self.reads.changed():
            what, place = changed
            way = "pass it as an argument and return the new value, or do it outside"
            self.refuse(f"it changes what it reads, {what}", way, f"at {place}")
        for module, before in self.modules.values():
            if not same_attributes(module, before):
                name = type(module).__name__
                place = f"in {self.reads.place or user_line()}"
                self.refuse(
                    f"an attribute of {name} was changed", "do it outside", place
                )

    def forget(self) -> None:
        """Drop all that is held, such as each result: the tape may be in a cycle."""
        vars(self).clear()

    def _check_inputs(self, reads: set[str]) -> None:
        """Raise for arguments that are read by another name, too; guard the others.

        The tape would take one for the other. So would a gradient, if in a replay two
        leaves are one.
        """
        named = self.reads.tensors | self._buffers()
        for at, value in self._inputs:
            if id(value) in named:
                self.refuse(
                    f"{_in_words(at)} is read from outside of the arguments, too",
                    "clone() it, or do not pass it",
                )
        used = reads.union(*[line.reads for line in self.lines])
        for at, value in self._inputs:
            is_used = isinstance(value, Value) or self._names[id(value)] in used
            if not is_used and is_plain(value):
                self._guard_value(at, value)  # NumPy may have read its numbers
        inputs = [x for _, x in self._inputs if isinstance(x, Value) and x.needs_grad]
        others = [leaf for leaf, *_ in self.leaves if leaf.needs_grad]
        for place, leaf in enumerate(inputs):
            for other in [*inputs[:place], *others]:
                names = self.reference(leaf), self.reference(other)
                self.guards.append(" is not ".join(names))

    def _find_kept(self, returned: set[int]) -> tuple[Shape, str] | None:
        """Return shape and line of a result that is alive, though not returned."""
        for reference, place in self._results:
            kept = reference()
            if kept is not None and id(kept) not in returned:
                return kept.array.shape, place
        return None

    def _gradient_ends(self, reads: set[str]) -> Iterator[str]:
        for leaf, before in self.gradients.values():
            own, gradient = self.reference(leaf), leaf._grad
            if gradient is None:
                if before is not None:
                    yield f"{own}._grad = None"
            elif gradient is before:
                yield f"{own}._grad.version.count += 1"
            else:
                yield f"{own}._grad = wrap({self._expression(gradient.array, reads)})"

    def _pack(self, value: Operand, reads: set[str], returned: set[int]) -> str:
        """Return the expression of what the function returned."""
        kind = type(value)
        if isinstance(value, Value):
            return self._pack_tensor(value, reads, returned)
        if kind is dict:
            parts = [
                f"{self.constant_name(key)}: {self._pack(part, reads, returned)}"
                for key, part in value.items()
            ]
            return f"{{{', '.join(parts)}}}"
        if isinstance(value, tuple | list):
            parts = [self._pack(part, reads, returned) for part in value]
            inside = ", ".join(parts)
            if hasattr(value, "_fields"):
                return f"{self.constant_name(kind)}({inside})"
            if kind is list:
                return f"[{inside}]"
            return f"({inside},)" if parts else "()"
        if kind in backends:
            if id(value) not in self._names:
                self._refuse_array("the result", value, f"in {self.reads.place}")
            return self._expression(value, reads)
        if not RUN_LATER.isdisjoint(dir(kind)):
            what = f"it returns a {kind.__name__}, whose code runs later"
            way = "return tensors, in a tuple or a list"
            self.refuse(what, way, f"in {self.reads.place}")
        return self.constant_name(value)

    def _pack_tensor(self, tensor: Value, reads: set[str], returned: set[int]) -> str:
        own = self._references.get(id(tensor))
        if own is not None:
            return own
        for leaf, _ in self.gradients.values():
            if leaf._grad is tensor:
                return f"{self.reference(leaf)}._grad"
        returned.add(id(tensor))
        make = "closed" if tensor.needs_grad else "wrap"
        array = self._expression(tensor.array, reads)
        if id(tensor.version) not in self._versions:
            own = f"u{len(self._new_versions)}"  # several results may share it
            self._new_versions.append(own)
            self._hold(self._versions, tensor.version, own)
        version = self._versions[id(tensor.version)]
        return f"{make}({array}, version={version})"


def _random_states() -> tuple[object, object]:
    """Return the states of Python's and NumPy's global generators."""
    numpy_random = sys.modules.get("numpy.random")
    numpy_state = None
    if numpy_random is not None:
        _, words, *rest = numpy_random.get_state()
        numpy_state = words.tobytes(), *rest
    return random.getstate(), numpy_state
