"""What PyTorch has too is called as there, with the same names and defaults."""

import ast
import functools
import inspect
import typing
from inspect import Parameter
from pathlib import Path

import pytest
from surface import FUNCTIONS, NO_METHODS, exists, found, names, parameters

pytestmark = pytest.mark.parity

UNKNOWN = object()  # a default that PyTorch's stubs leave out
NONE = Parameter.empty
POSITIONAL = Parameter.POSITIONAL_OR_KEYWORD
VARIADIC = (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)  # their names are free

# What differs on purpose, and why. Beyond these, every argument of ours is PyTorch's.
# The first argument of functions that are methods too is called self here, input there:
# give it by position.
DIFFERENT = {
    "tg.FloatTensor: data": "a class there",
    "tg.Generator.set_state: state": "its name is not for users there",
    "tg.Tensor.requires_grad_: requires_grad": "the stubs say mode, its docs this",
    "tg.Tensor.std: correction": "None there, which means 1",
    "tg.Tensor.var: correction": "None there, which means 1",
    "tg.Tensor: data": "what a list becomes is for tg.tensor to say",
    "tg.autograd.grad: allow_unused": "None there, which means False",
    "tg.compile: check": "beyond PyTorch",
    "tg.distributed.all_reduce: op": "an object there, a name here",
    "tg.distributed.broadcast: src": "None there, for a rank in a group",
    "tg.distributed.broadcast_object_list: src": "None there, likewise",
    "tg.einsum: equation": "any arguments there, in this order",
    "tg.enable_grad: function": "for use as a decorator: by position",
    "tg.nn.GRU: proj_size": "any arguments there, this one refused as here",
    "tg.nn.LogSoftmax: dim": "PyTorch warns where it is left out",
    "tg.nn.Parameter: data": "a parameter of nothing is a mistake",
    "tg.nn.parallel.DistributedDataParallel: broadcast_buffers": "None there: True",
    "tg.nn.functional.dropout: generator": "beyond PyTorch",
    "tg.autograd.gradcheck: fn": "func there",
    "tg.autograd.gradgradcheck: fn": "func there",
    "tg.utils.checkpoint.checkpoint: preserve_rng_state": "among **kwargs there",
    "tg.utils.data.random_split: generator": "its default generator there",
    "tg.utils.checkpoint.checkpoint: use_reentrant": "None there, which means either",
    "tg.nn.Softmax: dim": "PyTorch warns where it is left out",
    "tg.nn.functional.log_softmax: dim": "PyTorch warns where it is left out",
    "tg.nn.functional.logsigmoid: input": "in no file of stubs",
    "tg.nn.functional.softmax: dim": "PyTorch warns where it is left out",
    "tg.nn.utils.clip_grad_norm_: error_if_nonfinite": "raises unless told otherwise",
    "tg.nn.utils.rnn.PackedSequence: batch_sizes": "None there, for a pair of old",
    "tg.nn.utils.rnn.PackedSequence.cuda: device": "any arguments there",
    "tg.from_dlpack: x": "by position only in the standard",
    "tg.from_numpy: array": "by position only there",
    "tg.inference_mode: function": "for use as a decorator: by position",
    "tg.no_grad: function": "for use as a decorator: by position",
    "tg.load: path": "f there, as is tg.save's",
    "tg.save: path": "f there; checkpoints and weights have a path here",
    "tg.set_default_dtype: dtype": "by position only there",
    "tg.split: split_size": "the function's name there is longer than the method's",
    "tg.std: correction": "None there, which means 1",
    "tg.unique: dim": "any arguments there",
    "tg.unique: return_counts": "any arguments there",
    "tg.unique: return_inverse": "any arguments there",
    "tg.unique: sorted": "any arguments there",
    "tg.var: correction": "None there, which means 1",
}


@functools.cache
def stubs(module):
    """Return the overloads of every function in a file of stubs, by name."""
    torch = pytest.importorskip("torch")
    tree = ast.parse((Path(torch.__file__).parent / module).read_text(encoding="utf-8"))
    overloads = {}
    classes = [
        ("", tree),
        *((f"{c.name}.", c) for c in tree.body if isinstance(c, ast.ClassDef)),
    ]
    for prefix, scope in classes:
        for node in scope.body:
            if isinstance(node, ast.FunctionDef):
                overloads.setdefault(prefix + node.name, []).append(
                    arguments(node.args)
                )
    return overloads


def arguments(args):
    """Return the parameters of a call in a file of stubs."""
    defaults = [NONE] * (
        len(args.posonlyargs + args.args) - len(args.defaults)
    ) + args.defaults
    parts = [
        (POSITIONAL, zip(args.posonlyargs + args.args, defaults, strict=True)),
        (Parameter.KEYWORD_ONLY, zip(args.kwonlyargs, args.kw_defaults, strict=True)),
        (Parameter.VAR_POSITIONAL, [(args.vararg, NONE)] if args.vararg else []),
    ]
    return {
        arg.arg: Parameter(arg.arg, kind, default=default_of(default))
        for kind, pairs in parts
        for arg, default in pairs
    }


def default_of(node):
    try:
        value = NONE if node in (NONE, None) else ast.literal_eval(node)
    except ValueError:
        return UNKNOWN
    return UNKNOWN if value is Ellipsis else value


def theirs(owner, name):
    """Return the ways to call PyTorch's function of a name; None if it has none."""
    torch = pytest.importorskip("torch")
    path = owner.replace("tg", "torch", 1)
    try:
        holder = functools.reduce(getattr, path.split(".")[1:], torch)
        thing = getattr(holder, name)
    except AttributeError:
        return None
    if not callable(thing):
        return None
    init = vars(thing).get("__init__") if inspect.isclass(thing) else None
    overloads = typing.get_overloads(init) if inspect.isfunction(init) else []
    try:
        signatures = [inspect.signature(call) for call in overloads or [thing]]
    except ValueError:  # a function that is not written in Python: its stubs know
        places = [
            ("_C/_VariableFunctions.pyi", name),
            ("_C/__init__.pyi", f"TensorBase.{name}"),
            ("_C/_nn.pyi", name),
            ("_C/__init__.pyi", f"{name}.__init__" if inspect.isclass(thing) else name),
            ("_C/__init__.pyi", f"{owner.split('.')[-1]}.{name}"),
            ("nn/functional.pyi", name),
        ]
        kept = {"tg": [0, 3], "tg.Tensor": [1], "tg.nn.functional": [2, 5, 0]}.get(
            owner, [4]
        )
        for file, key in (places[i] for i in kept):
            if key in stubs(file):
                return stubs(file)[key]
        return []
    return [signature.parameters for signature in signatures]


def shared():
    return [
        (owner, name, calls)
        for owner, name in names()
        if exists(owner, name) and not name.startswith("__")
        for calls in [theirs(owner, name)]
        if calls is not None
    ]


def test_methods_are_those_that_pytorch_has():
    torch = pytest.importorskip("torch")
    assert {
        name for name in FUNCTIONS.split() if not hasattr(torch.Tensor, name)
    } == NO_METHODS


def test_arguments_are_pytorchs():
    wrong, seen = [], set()
    for owner, name, calls in shared():
        ours = parameters(getattr(found(owner), name))
        known = [key for key in ours if f"{owner}.{name}: {key}" not in DIFFERENT]
        seen |= {f"{owner}.{name}: {key}" for key in ours}
        for key in known:
            defaults = [call[key].default for call in calls if key in call]
            if ours[key].kind not in VARIADIC and not agrees(
                ours[key].default, defaults, calls
            ):
                there = defaults or [list(call) for call in calls]
                wrong.append(f"{owner}.{name}: {ours[key]} there {there}")
        if calls and not any(in_order(ours, call) for call in calls):
            theirs = [list(call) for call in calls]
            wrong.append(f"{owner}.{name}: the order {[*ours]}, there {theirs}")
    assert not wrong, f"{len(wrong)} of {len(seen)}:\n" + "\n".join(wrong)
    assert len(seen) > 400
    gone = [row for row in DIFFERENT if row not in seen]
    assert not gone, f"no longer different: {gone}"


def in_order(ours, theirs):
    """Return whether the shared positional parameters have the same order."""
    by_position = [
        {k for k, p in call.items() if p.kind is POSITIONAL} for call in (ours, theirs)
    ]
    both = by_position[0] & by_position[1]
    return [k for k in ours if k in both] == [k for k in theirs if k in both]


def agrees(ours, defaults, calls):
    """Return whether a default is PyTorch's.

    It agrees, too, if it says "left out" where another overload lacks the parameter.
    """
    if ours in defaults or UNKNOWN in defaults or (ours is None and () in defaults):
        return True
    left_out = len(defaults) < len(calls) or NONE in defaults
    return bool(defaults) and left_out and (ours is None or set(defaults) == {NONE})
