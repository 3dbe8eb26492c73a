"""nn.functional against PyTorch: values, and gradients of first and second order."""

import inspect

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from nn.twins import Numbers, agree, dtypes, examples, flags, reductions, seeds

import tinygrad_rnn as tg
import tinygrad_rnn.nn.functional as F
from tinygrad_rnn import nn

pytestmark = pytest.mark.parity
shapes = st.lists(st.integers(0, 3), max_size=3).map(tuple)
full_shapes = st.lists(st.integers(1, 3), max_size=3).map(tuple)
leads = st.sampled_from([(), (1,), (4,), (3, 2), (2, 3, 2)])


# ---------------------------------------------------------------- activations

ACTIVATIONS = {
    "tanh": st.just({}),
    "sigmoid": st.just({}),
    "relu": st.just({}),
    "leaky_relu": st.fixed_dictionaries(
        {}, optional={"negative_slope": st.sampled_from([0.0, 0.3, 2.0])}
    ),
    "elu": st.fixed_dictionaries({}, optional={"alpha": st.sampled_from([0.5, 2.0])}),
    "silu": st.just({}),
    "gelu": st.fixed_dictionaries(
        {}, optional={"approximate": st.sampled_from(["none", "tanh"])}
    ),
    "softplus": st.fixed_dictionaries(
        {},
        optional={
            "beta": st.sampled_from([0.5, 4.0]),
            "threshold": st.sampled_from([2.0, 50.0]),
        },
    ),
    "logsigmoid": st.just({}),
}


@pytest.mark.parametrize("name", ACTIVATIONS)
@examples
@given(
    data=st.data(),
    shape=shapes,
    scale=st.sampled_from([1.0, 19.0]),
    dtype=dtypes,
    seed=seeds,
)
def test_activations(torch, name, data, shape, scale, dtype, seed):
    numbers = Numbers(torch, seed, dtype)
    x = numbers.of(numbers.kinks(*shape)[1].detach().numpy() * scale)
    options = data.draw(ACTIVATIONS[name])
    functions = (getattr(torch.nn.functional, name), getattr(F, name))
    found = [[f(v, **options)] for f, v in zip(functions, x, strict=True)]
    # At 0 elu's second derivative is one-sided, and theirs is 0.
    agree(numbers, *found, [x], second=name != "elu" or bool((x[1] != 0).all()))


@given(
    size=st.sampled_from([0.1, 1.0, 10.0]),
    approximate=st.sampled_from(["none", "tanh"]),
    seed=seeds,
)
def test_gelu_to_many_digits(torch, size, approximate, seed):
    numbers = Numbers(torch, seed, "float64")
    x = numbers.of(numbers.rng.standard_normal(50) * size)
    made = [
        lib.GELU(approximate=approximate)(v)
        for lib, v in zip((torch.nn, nn), x, strict=True)
    ]
    for order in range(3):
        theirs, ours = (out.detach().numpy() for out in made)
        np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-12)
        grads = (torch.autograd.grad, tg.autograd.grad)
        made = [
            grad(out.sum(), v, create_graph=True)[0]
            for grad, out, v in zip(grads, made, x, strict=True)
        ]


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
@examples
@given(shape=full_shapes, dim=st.integers(-3, 2), dtype=dtypes, seed=seeds)
def test_softmax(torch, name, shape, dim, dtype, seed):
    numbers = Numbers(torch, seed, dtype)
    x = numbers.pair(*shape)
    dim = dim % max(len(shape), 1)
    layer = {"softmax": "Softmax", "log_softmax": "LogSoftmax"}[name]
    theirs, ours = getattr(torch.nn, layer)(dim)(x[0]), getattr(nn, layer)(dim)(x[1])
    agree(numbers, [theirs], [ours], [x])
    agree(
        numbers,
        [getattr(torch.nn.functional, name)(x[0], dim=dim)],
        [getattr(F, name)(x[1], dim=dim)],
        [x],
    )


# ---------------------------------------------------------------- losses of two tensors

PAIRS = {
    "mse_loss": ("MSELoss", st.just({})),
    "l1_loss": ("L1Loss", st.just({})),
    "smooth_l1_loss": (
        "SmoothL1Loss",
        st.fixed_dictionaries({}, optional={"beta": st.sampled_from([0.0, 0.5, 1.0])}),
    ),
    "huber_loss": (
        "HuberLoss",
        st.fixed_dictionaries({}, optional={"delta": st.sampled_from([0.5, 1.0, 3.0])}),
    ),
}


@pytest.mark.parametrize("name", PAIRS)
@examples
@given(
    data=st.data(),
    shape=full_shapes,
    reduction=reductions,
    weighted=flags,
    dtype=dtypes,
    seed=seeds,
)
def test_losses_of_pairs(torch, name, data, shape, reduction, weighted, dtype, seed):
    """Also where input and target are equal, or at a kink of the loss."""
    numbers = Numbers(torch, seed, "float64" if weighted else dtype)
    layer, options = PAIRS[name]
    options = data.draw(options) | {"reduction": reduction}
    x = numbers.of(np.round(numbers.rng.standard_normal(shape) * 2, 1))
    apart = (
        numbers.kinks(*shape, at=(0.0, 0.5, -0.5, 1.0, -1.0, 3.0))[1].detach().numpy()
    )
    y = numbers.of(x[1].detach().numpy() + apart)
    theirs, ours = (getattr(lib, layer)(**options) for lib in (torch.nn, nn))
    agree(numbers, [theirs(x[0], y[0])], [ours(x[1], y[1])], [x, y])
    functions = [getattr(lib, name) for lib in (torch.nn.functional, F)]
    if weighted and "weight" in inspect.signature(functions[1]).parameters:
        weight = numbers.of(numbers.rng.random(shape) + 0.1)
        found = [
            [f(*v, **options)]
            for f, v in ((functions[0], (x[0], y[0])), (functions[1], (x[1], y[1])))
        ]
        agree(numbers, *found, [x, y])
        found = [
            [f(a, b, weight=w, **options)]
            for f, a, b, w in zip(functions, x, y, weight, strict=True)
        ]
        agree(numbers, *found, [x, y, weight])


@examples
@given(
    shape=full_shapes,
    reduction=reductions,
    weight=st.none() | st.integers(0, 3),
    pos_weight=st.none() | st.integers(0, 3),
    hard=flags,
    dtype=dtypes,
    seed=seeds,
)
def test_binary_cross_entropy_with_logits(
    torch, shape, reduction, weight, pos_weight, hard, dtype, seed
):
    numbers = Numbers(torch, seed, dtype)
    x = numbers.kinks(*shape, at=(0.0, 30.0, -30.0))
    values = numbers.rng.random(shape)
    y = numbers.of(values > 0.5 if hard else values)
    given = [{"reduction": reduction}, {"reduction": reduction}]
    for name, dims in (("weight", weight), ("pos_weight", pos_weight)):
        if dims is not None:  # the last dims of the shape, some of size 1
            part = [
                n if numbers.rng.random() < 0.7 else 1
                for n in shape[len(shape) - dims :]
            ]
            part = part if dims <= len(shape) else list(shape)
            for side, tensor in zip(
                given, numbers.of(numbers.rng.random(part) + 0.1, False), strict=True
            ):
                side[name] = tensor
    layers = [
        lib.BCEWithLogitsLoss(**g) for lib, g in zip((torch.nn, nn), given, strict=True)
    ]
    assert list(layers[0].state_dict()) == list(layers[1].state_dict())
    agree(numbers, *[[f(a, b)] for f, a, b in zip(layers, x, y, strict=True)], [x, y])
    functions = [
        lib.binary_cross_entropy_with_logits for lib in (torch.nn.functional, F)
    ]
    found = [[f(a, b, **g)] for f, a, b, g in zip(functions, x, y, given, strict=True)]
    agree(numbers, *found, [x, y])


@examples
@given(
    classes=st.integers(1, 4),
    lead=leads,
    weighted=flags,
    ignored=st.sampled_from([-100, -1, 0, 2]),
    reduction=reductions,
    dtype=dtypes,
    seed=seeds,
)
def test_nll_loss(torch, classes, lead, weighted, ignored, reduction, dtype, seed):
    numbers = Numbers(torch, seed, dtype)
    x = numbers.pair(*lead[:1], classes, *lead[1:])
    values = numbers.rng.integers(0, classes, lead)
    values = np.where(numbers.rng.random(lead) < 0.3, ignored, values)
    if (values == ignored).all():
        values, ignored = np.zeros(lead, np.int64), -100
    weights = (
        numbers.of(numbers.rng.random(classes) + 0.1, False)
        if weighted
        else (None, None)
    )
    options = {"reduction": reduction, "ignore_index": ignored}
    theirs, ours = (
        torch.nn.NLLLoss(weights[0], **options),
        nn.NLLLoss(weights[1], **options),
    )
    assert list(ours.state_dict()) == list(theirs.state_dict())
    found = [[theirs(x[0], torch.tensor(values))], [ours(x[1], tg.tensor(values))]]
    agree(numbers, *found, [x])


@examples
@given(
    classes=st.integers(1, 4),
    lead=leads,
    reduction=reductions,
    dtype=dtypes,
    seed=seeds,
)
def test_nll_of_log_softmax_is_cross_entropy(
    torch, classes, lead, reduction, dtype, seed
):
    numbers = Numbers(torch, seed, dtype)
    x = numbers.pair(*lead[:1], classes, *lead[1:])
    target = numbers.ids(classes, *lead)
    theirs = torch.nn.functional.cross_entropy(x[0], target[0], reduction=reduction)
    axis = min(1, len(lead))
    ours = F.nll_loss(F.log_softmax(x[1], dim=axis), target[1], reduction=reduction)
    agree(numbers, [theirs], [ours], [x])


@examples
@given(
    shape=full_shapes, reduction=reductions, weighted=flags, dtype=dtypes, seed=seeds
)
def test_binary_cross_entropy(torch, shape, reduction, weighted, dtype, seed):
    numbers = Numbers(torch, seed, dtype)
    x = numbers.of(numbers.rng.uniform(0.01, 0.99, shape))
    target = numbers.of(numbers.rng.random(shape))
    weight = (
        numbers.of(numbers.rng.random(shape[-1:]) + 0.1, False)
        if weighted
        else (None, None)
    )
    pairs = list(zip(x, target, strict=True))
    layers = [
        lib.BCELoss(w, reduction=reduction)
        for lib, w in zip((torch.nn, nn), weight, strict=True)
    ]
    assert list(layers[1].state_dict()) == list(layers[0].state_dict())
    found = [[layer(*pair)] for layer, pair in zip(layers, pairs, strict=True)]
    agree(numbers, *found, [x, target])
    again = [
        [f.binary_cross_entropy(*pair, w, reduction=reduction)]
        for f, pair, w in zip((torch.nn.functional, F), pairs, weight, strict=True)
    ]
    agree(numbers, *again, [x, target], second=False)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_binary_cross_entropy_of_sure_answers(torch, dtype):
    """Logarithms are at least -100, and gradients at most 1e12."""
    values = np.array([0.0, 0.0, 1.0, 1.0, 1e-30, 1 - 1e-15], dtype)
    target = np.array([0.0, 1.0, 0.0, 1.0, 0.5, 0.5], dtype)
    x, y = (
        Numbers(torch, 0, dtype).of(values),
        Numbers(torch, 0, dtype).of(target, False),
    )
    theirs = torch.nn.functional.binary_cross_entropy(x[0], y[0], reduction="none")
    ours = F.binary_cross_entropy(x[1], y[1], reduction="none")
    np.testing.assert_allclose(
        ours.detach().numpy(), theirs.detach().numpy(), rtol=1e-6
    )
    theirs.sum().backward()
    ours.sum().backward()
    np.testing.assert_allclose(x[1].grad.numpy(), x[0].grad.numpy(), rtol=1e-6)


@examples
@given(
    shape=full_shapes,
    reduction=st.sampled_from(["none", "sum", "batchmean", "mean"]),
    log_target=flags,
    dtype=dtypes,
    seed=seeds,
)
@pytest.mark.filterwarnings("ignore:reduction. 'mean' divides")
def test_kl_div(torch, shape, reduction, log_target, dtype, seed):
    numbers = Numbers(torch, seed, dtype)
    x = numbers.of(np.log(numbers.rng.uniform(0.01, 0.99, shape)))
    values = numbers.rng.uniform(0.01, 0.99, shape)
    target = numbers.of(np.log(values) if log_target else values)
    options = {"reduction": reduction, "log_target": log_target}
    theirs = torch.nn.KLDivLoss(**options)(x[0], target[0])
    agree(numbers, [theirs], [nn.KLDivLoss(**options)(x[1], target[1])], [x, target])
    again = torch.nn.functional.kl_div(x[0], target[0], **options)
    agree(
        numbers,
        [again],
        [F.kl_div(x[1], target[1], **options)],
        [x, target],
        second=False,
    )


def test_kl_div_where_the_target_is_0(torch):
    theirs = torch.tensor([-1.0, -2.0], requires_grad=True)
    ours = tg.tensor([-1.0, -2.0], requires_grad=True)
    torch.nn.functional.kl_div(
        theirs, torch.tensor([0.0, 1.0]), reduction="sum"
    ).backward()
    F.kl_div(ours, tg.tensor([0.0, 1.0]), reduction="sum").backward()
    assert ours.grad.tolist() == theirs.grad.tolist() == [-0.0, -1.0]


# ------------------------------------------------------------ layer_norm, pad, flatten


@examples
@given(
    lead=st.lists(st.integers(0, 3), max_size=2),
    last=st.lists(st.integers(1, 3), min_size=1, max_size=2),
    affine=flags,
    bias=flags,
    eps=st.sampled_from([1e-5, 0.1]),
    seed=seeds,
)
def test_layer_norm(torch, lead, last, affine, bias, eps, seed):
    """In float64, as numbers that lie close together lose digits."""
    dtype = "float64"
    numbers = Numbers(torch, seed, dtype)
    theirs, ours = (lib.LayerNorm(last, eps, affine, bias) for lib in (torch.nn, nn))
    theirs.to(getattr(torch, dtype))
    ours.to(dtype)
    assert [(k, tuple(v.shape)) for k, v in theirs.state_dict().items()] == [
        (k, v.shape) for k, v in ours.state_dict().items()
    ]
    for name, value in ours.state_dict().items():  # ones and zeros
        np.testing.assert_array_equal(value.numpy(), theirs.state_dict()[name].numpy())
        values = numbers.rng.standard_normal(value.shape).astype(dtype)
        value.copy_(tg.tensor(values))
        with torch.no_grad():
            theirs.state_dict()[name].copy_(torch.tensor(values))
    x = numbers.pair(*lead, *last)
    leaves = [x, *zip(theirs.parameters(), ours.parameters(), strict=True)]
    agree(numbers, [theirs(x[0])], [ours(x[1])], leaves)
    assert F.layer_norm(x[1], last).shape == x[1].shape


@examples
@given(
    shape=st.lists(st.integers(0, 4), min_size=1, max_size=4),
    count=st.integers(0, 4),
    sizes=st.lists(st.integers(-2, 3), min_size=8, max_size=8),
    value=st.none() | st.floats(-2, 2),
    dtype=dtypes,
    seed=seeds,
)
def test_pad_with_a_constant(torch, shape, count, sizes, value, dtype, seed):
    numbers = Numbers(torch, seed, dtype)
    x, pad = numbers.pair(*shape), tuple(sizes[: 2 * min(count, len(shape))])
    try:
        theirs = torch.nn.functional.pad(x[0], pad, value=value)
    except RuntimeError:
        with pytest.raises(ValueError, match="do not fit"):
            F.pad(x[1], pad, value=value)
        return
    agree(numbers, [theirs], [F.pad(x[1], pad, value=value)], [x])


@pytest.mark.parametrize("mode", ["reflect", "replicate"])
@examples
@given(
    shape=st.lists(st.integers(1, 4), min_size=2, max_size=5),
    sizes=st.lists(st.integers(-1, 4), min_size=6, max_size=6),
    dtype=dtypes,
    seed=seeds,
)
def test_pad_with_what_is_there(torch, mode, shape, sizes, dtype, seed):
    """PyTorch pads the last one to three dims in these modes, this package any."""
    numbers = Numbers(torch, seed, dtype)
    dims = {2: 1, 3: 1, 4: 2, 5: 3}[len(shape)]
    x, pad = numbers.pair(*shape), tuple(sizes[: 2 * dims])
    ends = zip(shape[::-1], pad[::2], pad[1::2], strict=False)
    # PyTorch raises for some of these
    assume(all(n + min(a, 0) + min(b, 0) > 0 for n, a, b in ends))
    try:
        theirs = torch.nn.functional.pad(x[0], pad, mode=mode)
    except RuntimeError:
        with pytest.raises(ValueError, match="do not fit"):
            F.pad(x[1], pad, mode=mode)
        return
    agree(numbers, [theirs], [F.pad(x[1], pad, mode=mode)], [x])


@examples
@given(
    shape=st.lists(st.integers(1, 3), min_size=2, max_size=4), dtype=dtypes, seed=seeds
)
def test_flatten(torch, shape, dtype, seed):
    numbers = Numbers(torch, seed, dtype)
    x = numbers.pair(*shape)
    start = seed % len(shape)
    for options in ({}, {"start_dim": 0}, {"start_dim": start, "end_dim": -1}):
        found = [
            [lib.Flatten(**options)(v)]
            for lib, v in zip((torch.nn, nn), x, strict=True)
        ]
        agree(numbers, *found, [x])


# ---------------------------------------------------------------- nn.utils


@examples
@given(
    lengths=st.lists(st.integers(0, 4), min_size=1, max_size=4),
    rest=st.lists(st.integers(1, 3), max_size=2),
    batch_first=flags,
    side=st.sampled_from(["right", "left"]),
    value=st.floats(-2, 2),
    dtype=dtypes,
    seed=seeds,
)
def test_pad_sequence(torch, lengths, rest, batch_first, side, value, dtype, seed):
    numbers = Numbers(torch, seed, dtype)
    pairs = [numbers.pair(n, *rest) for n in lengths]
    functions = [lib.utils.rnn.pad_sequence for lib in (torch.nn, nn)]
    found = [
        [function(list(side_), batch_first, value, side)]
        for function, side_ in zip(functions, zip(*pairs, strict=True), strict=True)
    ]
    agree(numbers, *found, pairs)


@examples
@given(parts=st.lists(shapes, min_size=1, max_size=3), dtype=dtypes, seed=seeds)
def test_parameters_as_a_vector(torch, parts, dtype, seed):
    numbers = Numbers(torch, seed, dtype)
    pairs = [numbers.pair(*shape) for shape in parts]
    theirs, ours = zip(*pairs, strict=True)
    found = [
        [torch.nn.utils.parameters_to_vector(theirs)],
        [nn.utils.parameters_to_vector(p for p in ours)],
    ]
    agree(numbers, *found, pairs)
    vector = numbers.pair(*found[1][0].shape, grad=False)
    torch.nn.utils.vector_to_parameters(vector[0], theirs)
    assert nn.utils.vector_to_parameters(vector[1], ours) is None
    for a, b in pairs:
        np.testing.assert_array_equal(a.detach().numpy(), b.detach().numpy())
        assert b.is_leaf and b.requires_grad
        assert not np.shares_memory(b.numpy(), vector[1].numpy())
