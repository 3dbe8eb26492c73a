"""What the tests of tg.compile share: a run of a function plainly and one compiled."""

import tinygrad_rnn as tg


def bits(value):
    """All that can be seen of a result: types, shapes, dtypes, and the bytes."""
    if isinstance(value, tg.Tensor):
        array = value.detach().numpy()
        return (array.dtype.str, array.shape, value.requires_grad, array.tobytes())
    if isinstance(value, tuple | list):
        return [type(value).__name__, *map(bits, value)]
    if isinstance(value, dict):
        return {key: bits(part) for key, part in value.items()}
    return type(value).__name__, repr(value)


def run(build, wrap, calls, seed=0):
    """Run ``calls`` calls of what ``build`` makes, and return all that can be seen.

    ``build(wrap)`` makes its own parameters and optimizers, and returns a function of
    the number of the call, and the tensors that it may change. ``wrap`` compiles.
    """
    tg.manual_seed(seed)
    call, tensors = build(wrap)
    found = []
    for number in range(calls):
        found.append(bits(call(number)))
        found.append([None if x.grad is None else bits(x.grad) for x in tensors])
    return found + [bits(x) for x in tensors]


def compare(build, calls=4, captures=2, seed=0):
    """Run plainly and compiled: the bits are the same, and all but the first calls are
    replayed. Returns the compiled functions.
    """
    plain = run(build, lambda function: function, calls, seed)
    made = []

    def wrap(function):
        made.append(tg.compile(function))
        return made[-1]

    compiled = run(build, wrap, calls, seed)
    for number, (one, two) in enumerate(zip(plain, compiled, strict=True)):
        assert one == two, f"step {number} differs"
    if captures is not None:
        for function in made:
            info = function.cache_info()
            assert info.misses == captures, info
    return made
