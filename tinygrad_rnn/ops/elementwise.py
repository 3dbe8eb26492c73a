"""Elementwise ops, a row each. The engine undoes broadcasting, so no pullback has to.

At kinks and ties the subgradient is PyTorch's: 0 for ``abs`` and ``relu`` at 0, a half
for each of two equal arguments of ``maximum``, 1 for ``clip`` at its bounds.
"""
# mypy: allow-untyped-defs, allow-incomplete-defs

from ..engine.op import op
from ..types import Array, Namespace

__warningregistry__ = ()  # makes NumPy's warnings errors: see engine/warned.py

# (1 + 2z) exp(z^2) erfc(z) for z >= 0 as a polynomial in (z - 3.75) / (z + 3.75), to
# 1e-16: Shepherd and Laframboise, Math. Comp. 36 (1981). The coefficients are from
# Chebyshev interpolation with 50 digits.
_ERFC = (
    1.2375126308378275,
    -0.14024059858554525,
    0.0035854154854790257,
    0.08227673848999506,
    -0.10880393014244462,
    0.09230432116428125,
    -0.05869339857664934,
    0.02836227737211114,
    -0.009746579683265262,
    0.0017556261651970652,
    0.000293714378044958,
    -0.00029015535246077655,
    5.164652974177416e-05,
    2.2387565714911816e-05,
    -1.1438048033346894e-05,
    -9.792625707303523e-07,
    1.7419821586224816e-06,
    -5.084465378687302e-08,
    -2.4857126248016745e-07,
    1.879082322370048e-08,
    3.197926671666804e-08,
    -1.9551358868985616e-09,
    -2.623107347133476e-09,
)
_SQRT_HALF = 0.7071067811865476
_NORMAL_DENSITY_AT_0 = 0.3989422804014327  # 1 / sqrt(2 pi)


def _normal_tail(xp: Namespace, x: Array) -> Array:
    """Return the probability of a normal number above x >= 0, erfc(x / sqrt(2)) / 2."""
    z = x * _SQRT_HALF
    s = (z - 3.75) / (z + 3.75)
    total = s * _ERFC[-1] + _ERFC[-2]
    for coefficient in _ERFC[-3::-1]:  # Horner's rule
        total *= s
        total += coefficient
    return total * xp.exp(-0.5 * x * x) / (2.0 + 4.0 * z)


def _normal_density(xp: Namespace, x: Array) -> Array:
    """Return exp(-x^2 / 2) / sqrt(2 pi)."""
    x = xp.clip(x, -40.0, 40.0)
    return _NORMAL_DENSITY_AT_0 * xp.exp(-0.5 * x**2)


def _power_to_exponent(
    g: Array, x: Array, y: Array, out: Array, xp: Namespace
) -> Array:
    """Return g x^y log(x), or 0 where x = 0 and y >= 0, like PyTorch."""
    return g * out * xp.log(xp.where((x == 0) & (y >= 0), 1.0, x))


def _power_to_base(g: Array, x: Array, y: Array, xp: Namespace) -> Array:
    """Return g y x^(y - 1), or 0 where y = 0, whatever x is."""
    slope = y * xp.pow(x, xp.where(y == 0, y, y - 1))
    return g * xp.where(y == 0, 0.0, slope)


# The table. A row is a forward, then a pullback for each array argument; neither is
# annotated, as they run on the arrays of any library, and pullbacks on Tensors too.
# fmt: off
# ---------------------------------------------------------------- arithmetic

@op
def add(xp, x, y, /): return x + y
add.vjp(lambda g: g, lambda g: g)

@op
def subtract(xp, x, y, /): return x - y
subtract.vjp(lambda g: g, lambda g: -g)

@op
def multiply(xp, x, y, /): return x * y
multiply.vjp(lambda g, y: g * y, lambda g, x: g * x)

@op
def divide(xp, x, y, /): return x / y
divide.vjp(lambda g, y: g / y, lambda g, x, y: -g * (x / y) / y)

@op
def negative(xp, x, /): return -x
negative.vjp(lambda g: -g)

@op
def reciprocal(xp, x, /): return 1.0 / x
reciprocal.vjp(lambda g, out: -g * out * out)

@op
def square(xp, x, /): return x * x
square.vjp(lambda g, x: g * (2.0 * x))

@op(real=True)
def sqrt(xp, x, /): return xp.sqrt(x)
sqrt.vjp(lambda g, out: g / (2.0 * out))

@op
def power(xp, x, /, exponent):
    # NumPy is fast for the other small exponents.
    return x * x * x if exponent == 3 else x ** exponent
power.vjp(lambda g, x, exponent, xp:
          g * (exponent * x ** (exponent - 1)) if exponent != 0 else xp.zeros_like(g))

@op
def pow(xp, x, y, /): return xp.pow(x, y)
pow.vjp(_power_to_base, _power_to_exponent)

@op
def clone(xp, x, /): return xp.array(x)
clone.vjp(lambda g: g)

@op
def astype(xp, x, /, dtype): return xp.astype(x, dtype)
astype.vjp(lambda g: g)  # the engine casts a cotangent to its argument's dtype

# ---------------------------------------------------------------- transcendental

@op(real=True)
def exp(xp, x, /): return xp.exp(x)
exp.vjp(lambda g, out: g * out)

@op(real=True)
def expm1(xp, x, /): return xp.expm1(x)
expm1.vjp(lambda g, out: g * (out + 1.0))

@op(real=True)
def log(xp, x, /): return xp.log(x)
log.vjp(lambda g, x: g / x)

@op(real=True)
def log1p(xp, x, /): return xp.log1p(x)
log1p.vjp(lambda g, x: g / (x + 1.0))

@op(real=True)
def sin(xp, x, /): return xp.sin(x)
sin.vjp(lambda g, x, xp: g * xp.cos(x))

@op(real=True)
def cos(xp, x, /): return xp.cos(x)
cos.vjp(lambda g, x, xp: -g * xp.sin(x))

@op(real=True)
def tanh(xp, x, /): return xp.tanh(x)
tanh.vjp(lambda g, out: g * (1.0 - out * out))

@op(real=True)
def sigmoid(xp, x, /): return xp.sigmoid(x)
sigmoid.vjp(lambda g, out: g * (out * (1.0 - out)))

@op(real=True)
def softplus(xp, x, /):
    return xp.maximum(x, xp.zeros_like(x)) + xp.log1p(xp.exp(-xp.abs(x)))
softplus.vjp(lambda g, x, xp: g * xp.sigmoid(x))

@op(real=True)
def normal_cdf(xp, x, /):
    tail = _normal_tail(xp, xp.clip(xp.abs(x), None, 40.0))  # from there on it is 0
    return xp.where(x < 0, tail, 1.0 - tail)
normal_cdf.vjp(lambda g, x, xp: g * _normal_density(xp, x))

# ---------------------------------------------------------------- kinks and choices

@op
def abs(xp, x, /): return xp.abs(x)
abs.vjp(lambda g, x, xp: g * xp.sign(x))

@op
def relu(xp, x, /): return xp.maximum(x, xp.zeros_like(x))
relu.vjp(lambda g, out, xp: xp.where(out <= 0, 0.0, g))

@op
def maximum(xp, x, y, /): return xp.maximum(x, y)
maximum.vjp(lambda g, x, y, xp: xp.where(x == y, g * 0.5, xp.where(x < y, 0.0, g)),
            lambda g, x, y, xp: xp.where(x == y, g * 0.5, xp.where(x > y, 0.0, g)))

@op
def minimum(xp, x, y, /): return xp.minimum(x, y)
minimum.vjp(*reversed(maximum.pullbacks))

@op
def clip(xp, x, /, min=None, max=None): return xp.clip(x, min, max)
clip.vjp(lambda g, x, min, max, xp: xp.where(x == xp.clip(x, min, max), g, 0.0))

@op
def where(xp, condition, x, y, /): return xp.where(condition, x, y)
where.vjp(None,
          lambda g, condition, xp: xp.where(condition, g, 0.0),
          lambda g, condition, xp: xp.where(condition, 0.0, g))

# ---------------------------------------------------------------- steps: gradient 0

@op
def sign(xp, x, /): return xp.sign(x)
sign.vjp(lambda g, xp: xp.zeros_like(g))

@op
def floor(xp, x, /): return xp.floor(x)

@op
def ceil(xp, x, /): return xp.ceil(x)

@op
def round(xp, x, /): return xp.round(x)

@op
def floor_divide(xp, x, y, /): return x // y

@op
def remainder(xp, x, y, /): return x % y
remainder.vjp(lambda g: g, lambda g, x, y: -g * (x // y))

# ---------------------------------------------------------------- comparison and logic

@op
def equal(xp, x, y, /): return x == y

@op
def not_equal(xp, x, y, /): return x != y

@op
def less(xp, x, y, /): return x < y

@op
def less_equal(xp, x, y, /): return x <= y

@op
def greater(xp, x, y, /): return x > y

@op
def greater_equal(xp, x, y, /): return x >= y

@op
def isnan(xp, x, /): return xp.isnan(x)

@op
def isinf(xp, x, /): return xp.isinf(x)

@op
def isfinite(xp, x, /): return xp.isfinite(x)

@op
def logical_and(xp, x, y, /): return xp.logical_and(x, y)

@op
def logical_or(xp, x, y, /): return xp.logical_or(x, y)

@op
def logical_not(xp, x, /): return xp.logical_not(x)

@op
def bitwise_and(xp, x, y, /): return x & y

@op
def bitwise_or(xp, x, y, /): return x | y

@op
def bitwise_invert(xp, x, /): return ~x

# ---------------------------------------------------------------- constants of a shape

@op
def zeros_like(xp, x, /): return xp.zeros_like(x)
