"""Predict sine waves: first the next point, then whole periods.

    python examples/sine.py
    python examples/sine.py --out out               draws the losses and three forecasts
    python examples/sine.py --noise 0.1             a linear rule no longer wins
    python examples/sine.py --seq 50 --cell lstm --checkpoint forecaster.safetensors

The first part is the run of a tutorial: a vanilla RNN reads L points of a wave and
predicts the next one. Fed with its own output it soon leaves the wave, as it has never
seen its own mistakes. So the second part trains a forecaster on just that: it reads L
points, goes on by itself, and its loss is that of everything that it predicted.

Read it from top to bottom: waves, the tutorial's run, the forecaster, its training, a
comparison with other methods, pictures. In shapes, N is the number of waves, L the
number of points that are seen, P the number of points in a patch, H the hidden size.
"""

import argparse
import json
import math
import sys
from pathlib import Path

import numpy as np

import tinygrad_rnn as tg
import tinygrad_rnn.nn.functional as F
from tinygrad_rnn import nn, optim

# ---------------------------------------------------------------- waves

SLOWEST, FASTEST = 0.5, 2.0  # turns in L points, as tg.data.sine_waves has them


def random_frequencies(points, count, options, generator):
    """Return the frequency of each wave at each point: (points, N).

    With a drift, its logarithm takes a random walk that is reflected at the two ends;
    ``options.drift`` is the standard deviation of the walk after L points.
    """
    low, width = math.log(SLOWEST), math.log(FASTEST / SLOWEST)
    settings = {"dtype": tg.float64, "generator": generator}
    start = SLOWEST + (FASTEST - SLOWEST) * tg.rand(count, **settings).numpy()
    if not options.drift:
        return np.broadcast_to(start, (points, count))
    scale = options.drift / math.sqrt(options.seq)
    steps = scale * tg.randn(points, count, **settings).numpy()
    place = (np.log(start) - low + np.cumsum(steps, axis=0)) % (2 * width)
    return np.exp(low + np.minimum(place, 2 * width - place))


def random_waves(points, count, options, generator=None):
    """Return clean waves (points, N), noisy ones, and their frequencies."""
    settings = {"dtype": tg.float64, "generator": generator}
    frequencies = random_frequencies(points, count, options, generator)
    start = 4 * math.pi * tg.rand(count, **settings).numpy()
    clean = np.sin(start + 2 * math.pi / options.seq * np.cumsum(frequencies, axis=0))
    noise = options.noise * tg.randn(points, count, **settings).numpy()
    return clean, clean + noise, frequencies


# ---------------------------------------------------------------- one step


def make_learner(model, optimizer, options, limit=math.inf):
    """Return the function of one training step, compiled or not.

    Gradients are clipped at ``limit``; further arguments are those of the model.
    """

    def learn(x, y, *args):
        loss = F.mse_loss(model(x, *args), y)
        optimizer.zero_grad()
        loss.backward()
        if limit < math.inf:
            nn.utils.clip_grad_norm_(model.parameters(), limit)
        optimizer.step()
        return loss.detach()

    return tg.compile(learn) if options.compile else learn


# ---------------------------------------------------------------- the tutorial's run


class SineRNN(nn.Module):
    """Map waves (N, L, 1) to their next points (N, 1), by the state after the last."""

    def __init__(self, hidden):
        super().__init__()
        self.rnn = nn.RNN(1, hidden, batch_first=True)
        self.linear = nn.Linear(hidden, 1)

    def forward(self, x):
        out, _ = self.rnn(x)  # (N, L, H)
        return self.linear(out[:, -1])


def run_tutorial(options, log):
    """Learn the next point of a hundred waves; return the model and its losses."""
    tg.manual_seed(options.seed)
    X, y = tg.data.sine_waves(num_sequences=100, sequence_length=options.seq)
    X, y = X.to(device=options.device), y.reshape(-1, 1).to(device=options.device)
    model = SineRNN(options.hidden).to(device=options.device)
    optimizer = optim.Adam(model.parameters(), lr=0.01)
    learn, losses = make_learner(model, optimizer, options), []
    waves = f"{len(X)} waves of {options.seq} points"
    log.say(f"The next point: {waves}, {describe(model)}")
    for epoch in range(options.epochs):
        losses.append(learn(X, y).item())
        if epoch % 50 == 0:
            log.say(f"epoch {epoch}: loss {losses[-1]:.6f}")
        log.write(epoch=epoch, loss=losses[-1])
    return model, losses


@tg.no_grad()
def test_tutorial(model, options, log):
    """Predict the end of a turn from 0 to 2 pi, whose first L points are seen."""
    angles = np.linspace(0, 2 * math.pi, options.seq + 1)
    seen = tg.tensor(np.sin(angles[:-1]).astype(np.float32).reshape(1, -1, 1))
    predicted = model(seen.to(device=options.device)).item()
    actual = math.sin(2 * math.pi)
    error = abs(predicted - actual)
    result = f"predicted {predicted:.4f}, error {error:.4f}"
    log.say(f"the end of a turn, sin(2 pi) = 0: {result}")
    log.write(predicted=predicted, actual=actual, error=error)


@tg.no_grad()
def forecast_by_tutorial(model, seen, points, options):
    """Return the points (points, N) after (L, N), each from the L points before it."""
    x = tg.tensor(seen.astype(np.float32)).to(device=options.device)
    for _ in range(points):
        following = model(x[-options.seq :].T.unsqueeze(-1))  # (N, 1)
        x = tg.cat([x, following.T])
    return x[len(seen) :].cpu().numpy()


# ---------------------------------------------------------------- the forecaster


class Forecaster(nn.Module):
    """Read patches (S, N, P) of waves, then its own forecasts of further patches.

    It returns (S + ahead - 1, N, P), where patch i is the forecast of patch i + 1. A
    patch has a tenth of the points that are seen, so that a period has the same number
    of steps however dense the points are.
    """

    def __init__(self, cell, hidden, patch):
        super().__init__()
        self.rnn = getattr(nn, cell.upper())(patch, hidden)
        self.head = nn.Linear(hidden, patch)

    def forward(self, seen, ahead):
        out, state = self.rnn(seen)
        forecasts = [self.head(out)]
        for _ in range(ahead - 1):
            out, state = self.rnn(forecasts[-1][-1:], state)
            forecasts.append(self.head(out))
        return tg.cat(forecasts)


def patch_size(options):
    return max(1, options.seq // 10)


def seen_patches(options):
    return options.seq // patch_size(options)


def to_patches(waves, options):
    """Return points (S * P, N) as float32 patches (S, N, P) on the device."""
    patches = waves.reshape(-1, patch_size(options), waves.shape[1]).swapaxes(1, 2)
    return tg.tensor(patches.astype(np.float32)).to(device=options.device)


@tg.no_grad()
def forecast(model, seen, points, options):
    """Return the points (points, N) after those that are seen (L, N)."""
    patch, patches = patch_size(options), seen_patches(options)
    ahead = math.ceil(points / patch)
    seen = to_patches(seen[-patches * patch :], options)
    out = model(seen, ahead)[patches - 1 :].cpu().numpy()
    return out.swapaxes(1, 2).reshape(ahead * patch, -1)[:points]


# ---------------------------------------------------------------- its training


def horizon(step, options):
    """Return how many patches to forecast: the longer the training, the more."""
    return 2 + round(step / options.steps * 2.5 * seen_patches(options))


def train_step(learn, optimizer, step, options):
    """Forecast new waves."""
    done = step / options.steps
    warmup, decay = min(1.0, (step + 1) / 50), (1 + math.cos(math.pi * done)) / 2
    optimizer.param_groups[0]["lr"] = options.lr * warmup * decay
    patches, ahead = seen_patches(options), horizon(step, options)
    _, waves, _ = random_waves((patches + ahead) * patch_size(options), 64, options)
    x = to_patches(waves, options)
    loss = learn(x[:patches], x[1:], ahead)
    return loss.item(), ahead * patch_size(options)


SAVE_EVERY = 100  # steps
SETTINGS = ("cell", "hidden", "seq", "steps", "lr", "noise", "drift", "seed")


def save(model, optimizer, step, losses, options):
    """Write the checkpoint, if there is to be one."""
    if options.checkpoint:
        settings = {name: getattr(options, name) for name in SETTINGS}
        extra = {"forecaster": settings, "losses": losses}
        tg.save_checkpoint(options.checkpoint, model, optimizer, step=step, extra=extra)


def restore(model, optimizer, options):
    """Go on from the checkpoint, if there is one; return its step and losses."""
    if not (options.checkpoint and options.checkpoint.exists()):
        return 0, []
    extra = tg.load_checkpoint(options.checkpoint).extra
    if not isinstance(extra, dict) or "forecaster" not in extra:
        raise tg.Error(f"{options.checkpoint} is not a checkpoint of sine.py")
    for name, value in extra["forecaster"].items():
        given = getattr(options, name)
        if given != value:
            wrong = f"--{name} {given}: {options.checkpoint} has {value}"
            raise tg.Error(f"{wrong}; give the same, or another --checkpoint")
    step, extra = tg.load_checkpoint(options.checkpoint, model, optimizer)
    return step, extra["losses"]


def train_forecaster(options, log):
    """Train a forecaster on its own forecasts; return it and its losses."""
    tg.manual_seed(options.seed)
    model = Forecaster(options.cell, 2 * options.hidden, patch_size(options))
    model.to(device=options.device)
    optimizer = optim.Adam(model.parameters(), lr=options.lr)
    begin, losses = restore(model, optimizer, options)
    learn = make_learner(model, optimizer, options, limit=1.0)
    cell = f"a {options.cell.upper()} that is trained on its own forecast"
    log.say(f"\nWhole periods: {cell}, {describe(model)}")
    for step in range(begin, options.steps):
        if options.compile and horizon(step, options) != horizon(step - 1, options):
            learn.cache_clear()  # programs of the horizon before, which has gone
        loss, ahead = train_step(learn, optimizer, step, options)
        losses.append(loss)
        if step % 100 == 0:
            log.say(f"step {step}: {ahead} points ahead, loss {loss:.6f}")
        log.write(step=step, ahead=ahead, loss=loss)
        if (step + 1) % SAVE_EVERY == 0 or step + 1 == options.steps:
            save(model, optimizer, step + 1, losses, options)
    return model, losses


# ---------------------------------------------------------------- comparison


def root_mean_square(x):
    return float(np.sqrt(np.mean(np.square(x))))


def count_kept(predict, options, count=100):
    """Count the unseen waves that keep their amplitude in the forecast's fifth period.

    ``predict(seen, points)`` returns the points to come. A wave is kept if their root
    mean square is that of the clean wave, to within 20%.
    """
    length, generator = options.seq, tg.Generator().manual_seed(options.seed + 1)
    after = math.ceil(5 * length / SLOWEST)
    waves = random_waves(length + after, count, options, generator)
    clean, observed, frequencies = waves
    predicted, to_come, kept = predict(observed[:length], after), clean[length:], 0
    for i in range(count):
        period = length / frequencies[length, i]
        fifth = slice(round(4 * period), round(5 * period))
        expected = root_mean_square(to_come[fifth, i])
        ratio = root_mean_square(predicted[fifth, i]) / expected
        kept += abs(ratio - 1) <= 0.2
    return kept


def report_kept(tutorial, model, options, log):
    """Print how many waves each of the networks keeps."""
    if options.drift:
        reason = "the forecast of least squared error fades where frequencies drift"
        return log.say(f"Amplitudes are not compared: {reason}.")

    def by_tutorial(seen, points):
        return forecast_by_tutorial(tutorial, seen, points, options)

    def by_forecaster(seen, points):
        return forecast(model, seen, points, options)

    before = count_kept(by_tutorial, options)
    kept = count_kept(by_forecaster, options)
    log.say(
        f"{kept} of 100 unseen waves keep their root mean square within 20% in the "
        f"fifth period of the forecast; by the tutorial's network, {before}"
    )
    log.write(kept=kept, kept_by_tutorial=before, waves=100)


def add_constant(waves):
    """Return waves (L, N) as rows of features, the last of which is 1: (N, L + 1)."""
    return np.concatenate([waves, np.ones((1, waves.shape[1]))]).T


def linear_forecast(fitted_on, seen):
    """Return the next L points by linear autoregression, fitted by least squares."""
    length = len(seen)
    known = add_constant(fitted_on[:length])
    weights, *_ = np.linalg.lstsq(known, fitted_on[length:].T)
    return (add_constant(seen) @ weights).T


WHY = """\
On clean sines the linear rule wins the next point without any training, as each sine
obeys x[t + 1] = 2 cos(w) x[t] - x[t - 1], which is linear. Noise (--noise 0.1) or a
frequency that drifts (--drift 0.3) breaks that rule, and a trained network, which is
not linear, beats it. (With many points, as with --seq 50, and no noise, it does so only
further ahead.)"""


def compare(model, options, log):
    """Print the errors of three methods on held-out waves."""
    length, generator = options.seq, tg.Generator().manual_seed(options.seed + 2)
    _, fitted_on, _ = random_waves(2 * length, 4000, options, generator)
    _, held_out, _ = random_waves(2 * length, 1000, options, generator)
    seen, to_come = held_out[:length], held_out[length:]
    forecasts = {
        "repeating the last value": np.broadcast_to(seen[-1:], to_come.shape),
        "linear autoregression": linear_forecast(fitted_on, seen),
        f"this {options.cell.upper()}": forecast(model, seen, length, options),
    }
    title = "held-out error (root mean square)"
    log.say(f"{title:36} next point   next {length} points")
    for name, predicted in forecasts.items():
        first = root_mean_square(predicted[0] - to_come[0])
        every = root_mean_square(predicted - to_come)
        log.say(f"{name:36} {first:10.4f} {every:13.4f}")
        log.write(forecast=name, next_point=first, next_points=every)
    if not (options.noise or options.drift):
        log.say(WHY)


# ---------------------------------------------------------------- pictures


def plot(tutorial, model, losses, options, log):
    """Draw three forecasts of each network, and the losses of both."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return log.say("no picture: it needs matplotlib (pip install matplotlib)")
    figure = Figure(figsize=(8, 6), layout="constrained")
    forecasts, training = figure.subfigures(2, 1, height_ratios=(3, 2))
    plot_forecasts(forecasts, tutorial, model, options)
    plot_losses(training, *losses)
    figure.savefig(options.out / "sine.png", dpi=80)
    log.say(f"The losses and three forecasts are in {options.out / 'sine.png'}")


def plot_forecasts(figure, tutorial, model, options):
    """Draw five periods of a slow, a middling and a fast wave, and their forecasts."""
    length = options.seq
    all_axes = figure.subplots(3, 1, sharey=True)
    for axes, frequency in zip(all_axes, (0.7, 1.2, 1.8), strict=True):
        after = math.ceil(5 * length / frequency)
        places = np.arange(-length, after)
        wave = np.sin(2 * math.pi * frequency / length * places + 1)
        seen = wave[:length, None]
        alone = forecast_by_tutorial(tutorial, seen, after, options)
        predicted = forecast(model, seen, after, options)
        axes.plot(places, wave, color="lightgray", linewidth=4, label="true")
        axes.plot(places[:length], wave[:length], "k.", label="seen")
        axes.plot(places[length:], alone, "C0:", label="by the tutorial's network")
        axes.plot(places[length:], predicted, "C3", label="by the forecaster")
        axes.set(ylabel=f"{frequency} turns\nin {length} points", xlim=(-length, after))
        axes.set_ylim(-1.6, 1.6)
    all_axes[0].set_title(f"Five periods, forecast from {length} points")
    all_axes[-1].set_xlabel("point")
    figure.legend(
        *axes.get_legend_handles_labels(), loc="outside upper center", ncols=4
    )


def plot_losses(figure, tutorial_losses, losses):
    axes = figure.subplots(subplot_kw={"yscale": "log"})
    axes.set(title="Training", xlabel="step", ylabel="mean squared error")
    axes.plot(mean_of_ten(tutorial_losses), "C0:", label="tutorial: the next point")
    axes.plot(mean_of_ten(losses), "C3", label="forecaster: further and further ahead")
    axes.legend()


def mean_of_ten(losses):
    """Return the mean of each loss and the nine before it."""
    return [np.mean(losses[max(0, i - 9) : i + 1]) for i in range(len(losses))]


# ---------------------------------------------------------------- command line


def describe(model):
    return f"{model.num_parameters()} parameters"


class Log:
    """Text for people, on stderr if JSON is on stdout."""

    def __init__(self, as_json):
        self.as_json = as_json

    def say(self, text):
        print(text, file=sys.stderr if self.as_json else sys.stdout, flush=True)

    def write(self, **values):
        if self.as_json:
            print(json.dumps(values), flush=True)


def run(options):
    log = Log(options.json)
    same = "--no-compile: the same results, more slowly"
    log.say(
        f"Steps are compiled ({same})" if options.compile else "Steps are not compiled"
    )
    for folder in (options.out, options.checkpoint and options.checkpoint.parent):
        if folder:
            # A folder that cannot be written fails now.
            folder.mkdir(parents=True, exist_ok=True)
    tutorial, tutorial_losses = run_tutorial(options, log)
    test_tutorial(tutorial, options, log)
    model, losses = train_forecaster(options, log)
    report_kept(tutorial, model, options, log)
    compare(model, options, log)
    if options.out:
        plot(tutorial, model, (tutorial_losses, losses), options, log)


def at_least(low, kind=int):
    """Return an argparse type: a finite number of at least ``low``."""

    def convert(text):
        value = kind(text)
        if low <= value < math.inf:
            return value
        raise argparse.ArgumentTypeError(f"{text} is not at least {low}")

    return convert


COUNT, POSITIVE = at_least(1), at_least(0, float)
CELLS = ("rnn", "lstm", "gru")


def parse(argv):
    formatter = argparse.ArgumentDefaultsHelpFormatter
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0], formatter_class=formatter
    )
    add = parser.add_argument
    add("--epochs", type=COUNT, default=200, help="epochs of the tutorial's run")
    add("--steps", type=COUNT, default=700, help="training steps of the forecaster")
    add("--cell", default="gru", choices=CELLS, help="layer of the forecaster")
    hidden = "size of the hidden state; the forecaster's is twice as large"
    add("--hidden", type=COUNT, default=16, help=hidden)
    add("--seq", type=COUNT, default=10, help="number of points that are seen")
    add("--lr", type=POSITIVE, default=5e-3, help="learning rate of the forecaster")
    noise = "standard deviation of the noise of each point"
    add("--noise", type=POSITIVE, default=0.0, help=noise)
    drift = "how far the logarithm of a frequency moves in --seq points"
    add("--drift", type=POSITIVE, default=0.0, help=drift)
    add("--device", default="cpu", metavar="cpu|cuda|cuda:N", help="device to train on")
    faster = "compile training steps with tg.compile, for the same results in less time"
    yes_or_no = argparse.BooleanOptionalAction
    add("--compile", action=yes_or_no, default=True, help=faster)
    add("--seed", type=int, default=0, help="seed of initial weights and of waves")
    checkpoint = "file to save the forecaster to, and to go on from"
    add("--checkpoint", type=Path, metavar="PATH", help=checkpoint)
    out = "folder for a picture of losses and forecasts"
    add("--out", type=Path, metavar="DIR", help=out)
    add("--json", action="store_true", help="print a JSON object a line")
    return parser, parser.parse_args(argv)


def main(argv):
    parser, options = parse(argv)
    try:
        run(options)
    except KeyboardInterrupt:
        parser.exit(130, f"{parser.prog}: stopped\n")
    except (tg.Error, OSError) as error:
        parser.exit(2, f"{parser.prog}: error: {error}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
