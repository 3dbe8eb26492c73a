"""SciPy's functions of Tensors have the right gradient, or raise if they have none.

SciPy takes arrays of other libraries if SCIPY_ARRAY_API=1 is set before it is imported.
These tests are skipped where SciPy is not installed.
"""

import inspect
import os
import warnings

import numpy as np
import pytest
from oracle import difference

import tinygrad_rnn as tg

os.environ.setdefault("SCIPY_ARRAY_API", "1")
special = pytest.importorskip(
    "scipy.special", reason="needs SciPy, which is no dependency"
)
stats = pytest.importorskip("scipy.stats", reason="needs SciPy, which is no dependency")

pytestmark = pytest.mark.filterwarnings("ignore")

DIFFERENTIABLE = {
    "special.logsumexp": special.logsumexp,
    "special.rel_entr": special.rel_entr,
    "special.softmax": special.softmax,
    "special.xlogy": special.xlogy,
    "stats.circstd": lambda x: stats.circstd(x),
    "stats.circvar": lambda x: stats.circvar(x),
    "stats.describe": lambda x: stats.describe(x).variance,
    "stats.differential_entropy": lambda x: stats.differential_entropy(x),
    "stats.entropy": stats.entropy,
    "stats.gmean": lambda x: stats.gmean(x),
    "stats.gstd": lambda x: stats.gstd(x),
    "stats.gzscore": lambda x: stats.gzscore(x),
    "stats.hmean": lambda x: stats.hmean(x),
    "stats.iqr": lambda x: stats.iqr(x),
    "stats.kstat": lambda x: stats.kstat(x),
    "stats.kstatvar": lambda x: stats.kstatvar(x),
    "stats.kurtosis": lambda x: stats.kurtosis(x),
    "stats.median_abs_deviation": lambda x: stats.median_abs_deviation(x),
    "stats.moment": lambda x: stats.moment(x, order=3),
    "stats.sem": lambda x: stats.sem(x),
    "stats.skew": lambda x: stats.skew(x),
    "stats.tmax": lambda x: stats.tmax(x),
    "stats.tmean": lambda x: stats.tmean(x),
    "stats.tmin": lambda x: stats.tmin(x),
    "stats.tsem": lambda x: stats.tsem(x),
    "stats.tstd": lambda x: stats.tstd(x),
    "stats.tvar": lambda x: stats.tvar(x),
    "stats.zmap": stats.zmap,
    "stats.zscore": lambda x: stats.zscore(x),
}

# What SciPy computes on NumPy's arrays, or what needs a function that is not here.
RAISING = {
    "special.erf": lambda x, y: special.erf(x),
    "special.expit": lambda x, y: special.expit(x),
    "special.gammaln": lambda x, y: special.gammaln(x),
    "special.betainc": lambda x, y: special.betainc(x, y, x),
    "special.ndtri": lambda x, y: special.ndtri(x),
    "special.log_ndtr": lambda x, y: special.log_ndtr(x),
    "stats.ttest_ind": lambda x, y: stats.ttest_ind(x, y),
    "stats.pearsonr": lambda x, y: stats.pearsonr(x, y),
    "stats.skewtest": lambda x, y: stats.skewtest(x),
    "stats.f_oneway": lambda x, y: stats.f_oneway(x, y),
    "stats.trim_mean": lambda x, y: stats.trim_mean(x, y),
    "stats.variation": lambda x, y: stats.variation(x),
}


def samples(count):
    rng = np.random.default_rng(0)
    return [rng.uniform(0.1 + i / 20, 0.9 - i / 20, 24) for i in range(count)]


def first_output(function, tensors):
    out = function(*tensors)
    return out[0] if isinstance(out, tuple | list) else out


def outcome(function, arrays):
    """Return what becomes of a gradient: "right", "wrong", "none" or "raises".

    "none" means that the result does not require grad.
    """
    given = [tg.tensor(array, requires_grad=True) for array in arrays]
    try:
        out = first_output(function, given)
    except Exception:
        return "raises"
    if not isinstance(out, tg.Tensor) or not out.requires_grad:
        return "none"
    u = np.linspace(0.5, 1.5, out.numel()).reshape(out.shape)
    try:
        found = tg.autograd.grad((out * tg.tensor(u)).sum(), given, allow_unused=True)
    except tg.Error:
        return "raises"
    directions = [np.cos(np.arange(24.0) + i) for i in range(len(arrays))]

    def weighted_sum(*moved):
        out = first_output(function, [tg.tensor(array) for array in moved])
        return (np.asarray(out) * u).sum()

    with tg.no_grad():
        slope = difference(weighted_sum, arrays, directions, step=1e-5)
    pairs = zip(found, directions, strict=True)
    total = sum(0.0 if g is None else (g.numpy() * v).sum() for g, v in pairs)
    return "right" if abs(total - slope) <= 1e-6 * max(1.0, abs(slope)) else "wrong"


@pytest.mark.parametrize("name", DIFFERENTIABLE)
def test_what_runs_has_the_right_gradient(name):
    function = DIFFERENTIABLE[name]
    count = 2 if name.split(".")[1] in ("rel_entr", "xlogy", "entropy", "zmap") else 1
    assert outcome(function, samples(count)) == "right"


@pytest.mark.parametrize("name", RAISING)
def test_what_would_lose_a_gradient_raises(name):
    x, y = (tg.tensor(array, requires_grad=True) for array in samples(2))
    with pytest.raises((tg.Error, AttributeError)):
        RAISING[name](x, y)


@pytest.mark.parametrize("call", [special.erf, special.expit, special.gammaln])
def test_without_a_gradient_what_scipy_computes_itself_runs(call):
    array = samples(1)[0]
    found = call(tg.tensor(array))
    np.testing.assert_allclose(np.asarray(found), call(array), rtol=1e-14)


@pytest.mark.slow
@pytest.mark.parametrize("module", [special, stats])
def test_no_gradient_of_any_function_is_wrong(module):
    """For one or two vectors; ranks, counts, modes and constants have no gradient."""
    found = {}
    functions = {n: getattr(module, n) for n in module.__all__}
    functions = {
        n: f for n, f in functions.items() if callable(f) and not inspect.isclass(f)
    }
    for name, function in functions.items():
        for count in (1, 2):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                found[name, count] = outcome(function, samples(count))
    assert [key for key, result in found.items() if result == "wrong"] == []
    assert [*found.values()].count("right") >= (4 if module is special else 20)
