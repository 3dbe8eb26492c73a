"""The works in JAX: pure functions, ``lax.scan``, and the whole step under ``jit``.

These choices were the fastest of those tried: gathered ids (one-hot rows are faster for
tiny sizes only), the projection before the scan, weights as (I, G*H), no unrolling, and
the memory of the old parameters donated.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

VERSION = f"JAX {jax.__version__}"


def rnn_step(w, h, z):
    h = jnp.tanh(z + h @ w["w_hh"] + w["b_hh"])
    return h, h


def lstm_step(w, state, z):
    h, c = state
    i, f, g, o = jnp.split(z + h @ w["w_hh"] + w["b_hh"], 4, axis=-1)
    c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
    h = jax.nn.sigmoid(o) * jnp.tanh(c)
    return (h, c), h


def gru_step(w, h, z):
    z_r, z_u, z_n = jnp.split(z, 3, axis=-1)
    r, u, n = jnp.split(h @ w["w_hh"] + w["b_hh"], 3, axis=-1)
    r, u = jax.nn.sigmoid(z_r + r), jax.nn.sigmoid(z_u + u)
    n = jnp.tanh(z_n + r * n)
    h = n + u * (h - n)
    return h, h


STEPS = {"RNN": rnn_step, "LSTM": lstm_step, "GRU": gru_step}
NAMES = {  # ours, and PyTorch's
    "w_ih": "rnn.weight_ih_l0",
    "w_hh": "rnn.weight_hh_l0",
    "b_ih": "rnn.bias_ih_l0",
    "b_hh": "rnn.bias_hh_l0",
    "w_out": "head.weight",
    "b_out": "head.bias",
}


def model(work, w, x, state):
    """The scores and the last state."""
    if work.task == "sine":
        x = x.swapaxes(0, 1)
    z = (w["w_ih"][x] if work.task == "ids" else x @ w["w_ih"]) + w["b_ih"]
    state, output = jax.lax.scan(partial(STEPS[work.cell], w), state, z)
    if work.task == "sine":
        output = output[-1]
    return output @ w["w_out"] + w["b_out"], state


def loss(work, w, x, y, state):
    scores, state = model(work, w, x, state)
    if work.task == "sine":
        return jnp.mean((scores - y) ** 2), state
    log_p = jax.nn.log_softmax(scores)
    return -jnp.take_along_axis(log_p, y[..., None], -1).mean(), state


def adam(w, g, m, v, count, rate=2e-3):
    tree = jax.tree.map
    count = count + 1
    m = tree(lambda m, g: 0.9 * m + 0.1 * g, m, g)
    v = tree(lambda v, g: 0.999 * v + 0.001 * g * g, v, g)
    a, b = rate / (1 - 0.9**count), (1 - 0.999**count) ** -0.5
    w = tree(lambda w, m, v: w - a * m / (jnp.sqrt(v) * b + 1e-8), w, m, v)
    return w, m, v, count


def clip(g, limit=5.0):
    norm = jnp.sqrt(sum(jnp.sum(a * a) for a in jax.tree.leaves(g)))
    return jax.tree.map(lambda a: a * jnp.minimum(1.0, limit / (norm + 1e-6)), g)


def build(work, arrays):
    if work.kind == "chain":
        return chain()
    x, y = (jnp.asarray(arrays[name]) for name in "xy")
    w = {name: jnp.asarray(arrays[theirs].T) for name, theirs in NAMES.items()}
    zeros = jnp.zeros((work.B, work.H), jnp.float32)
    # Each part of a state needs memory of its own, as it is donated.
    state = (zeros, zeros + 0) if work.cell == "LSTM" else zeros
    return {"train": train, "forward": forward, "sample": sample}[work.kind](
        work, w, x, y, state
    )


def train(work, w, x, y, state):
    gradients = jax.value_and_grad(partial(loss, work), has_aux=True)

    @partial(jax.jit, donate_argnums=(0, 1))
    def update(carried, state, x, y):
        w, m, v, count = carried
        (value, new), g = gradients(w, x, y, state)
        state = state if work.task == "sine" else new
        return adam(w, clip(g), m, v, count), state, value

    moments = (jax.tree.map(jnp.zeros_like, w) for _ in range(2))
    carried = (jax.tree.map(jnp.copy, w), *moments, jnp.zeros((), jnp.float32))
    first = jax.tree.map(jnp.copy, state)

    def step():
        nonlocal carried, state
        carried, state, value = update(carried, state, x, y)
        return value

    def values():
        (value, _), g = jax.jit(gradients)(w, x, y, first)
        found = {theirs: np.asarray(g[name]).T for name, theirs in NAMES.items()}
        return {"loss": np.asarray(value)} | found

    return step, values


def forward(work, w, x, y, state):
    run = jax.jit(partial(model, work))

    def step():
        return run(w, x, state)[0]

    return step, lambda: {"scores": np.asarray(step())}


def sample(work, w, x, y, state):
    @jax.jit
    def run(w, x, state, key):
        scores, state = model(work, w, x, state)
        key, now = jax.random.split(key)
        return scores[0], jax.random.categorical(now, scores), state, key

    key = jax.random.key(0)

    def step():
        nonlocal x, state, key
        scores, x, state, key = run(w, x, state, key)
        x.item()
        return x, scores

    return step, lambda: {"weights": np.asarray(jax.nn.softmax(step()[1]))}


def chain():
    def run(x):
        y = x
        for _ in range(250):
            y = jnp.tanh(y * 1.0001)
            y = y + x
            y = y - 0.5
        return y.sum(), y

    x = jnp.ones(16)
    step = partial(jax.jit(jax.value_and_grad(run, has_aux=True)), x)

    def values():
        (_, y), g = step()
        return {"y": np.asarray(y), "x.grad": np.asarray(g)}

    return step, values
