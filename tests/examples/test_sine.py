"""examples/sine.py: the tutorial's run, and a forecaster that stays on the wave."""

import math

import numpy as np
import pytest
from examples.scripts import json_of, module, run

import tinygrad_rnn as tg

sine = module("sine.py")
TINY = ("--epochs", 2, "--steps", 3, "--hidden", 3)


def lines_of(*arguments):
    return json_of(sine.main, *arguments)


def options_of(*arguments):
    return sine.parse(list(map(str, arguments)))[1]


def generator(seed=0):
    return tg.Generator().manual_seed(seed)


def test_it_learns_the_next_point():
    lines, stderr = lines_of("--steps", 1)
    epochs, tested = lines[:200], lines[200]
    assert [list(line) for line in epochs] == [["epoch", "loss"]] * 200
    assert [line["epoch"] for line in epochs] == list(range(200))
    assert epochs[-1]["loss"] < 0.01 < 0.1 < epochs[0]["loss"]  # from 0.49 to 0.0011
    assert list(tested) == ["predicted", "actual", "error"]
    # 0.023
    assert tested["error"] == abs(tested["predicted"] - tested["actual"]) < 0.15
    assert tested["actual"] == pytest.approx(0.0, abs=1e-12)
    said = [
        line.partition(":")[0]
        for line in stderr.splitlines()
        if line.startswith("epoch")
    ]
    assert said == ["epoch 0", "epoch 50", "epoch 100", "epoch 150"]


def test_the_forecaster_follows_with_its_losses_and_errors():
    lines, stderr = lines_of(*TINY, "--cell", "lstm")
    steps, kept, errors = lines[3:6], lines[6], lines[7:]
    assert [list(line) for line in steps] == [["step", "ahead", "loss"]] * 3
    assert [line["ahead"] for line in steps] == [2, 10, 19]
    assert list(kept) == ["kept", "kept_by_tutorial", "waves"]
    names = ["repeating the last value", "linear autoregression", "this LSTM"]
    assert [line["forecast"] for line in errors] == names
    for line in errors:
        assert f"{line['next_point']:.4f} " in stderr
        assert f"{line['next_points']:.4f}\n" in stderr
    assert "On clean sines the linear rule wins" in stderr


def test_the_seed_decides():
    first, second, other = (lines_of(*TINY, "--seed", seed)[0] for seed in (1, 1, 2))
    assert first == second != other


# ---------------------------------------------------------------- waves


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_compiled_steps_give_the_same_bits(cell):
    run = ("--epochs", 6, "--steps", 40, "--hidden", 3, "--cell", cell)
    compiled, said = lines_of(*run)
    plain, said_plainly = lines_of(*run, "--no-compile")
    assert compiled == plain
    assert "Steps are compiled (--no-compile: the same results" in said
    assert "Steps are not compiled\n" in said_plainly


def test_a_horizon_of_many_steps_is_replayed():
    options = options_of("--epochs", 9, "--steps", 60, "--hidden", 3)
    tg.manual_seed(0)
    model = sine.Forecaster("gru", 6, 1)
    optimizer = tg.optim.Adam(model.parameters())
    learn = sine.make_learner(model, optimizer, options, limit=1.0)
    for _ in range(5):
        sine.train_step(learn, optimizer, 3, options)
    assert learn.cache_info().hits == 3


def test_clean_waves_are_the_tutorials():
    options = options_of("--seq", 12)
    clean, observed, frequencies = sine.random_waves(40, 300, options, generator())
    assert np.array_equal(clean, observed)
    assert frequencies.shape == (40, 300)
    assert (frequencies == frequencies[0]).all()
    assert 0.5 <= frequencies.min() < 0.52 and 1.98 < frequencies.max() < 2.0
    turn = np.cos(2 * math.pi * frequencies[0] / 12)
    assert np.allclose(clean[2:], 2 * turn * clean[1:-1] - clean[:-2], atol=1e-9)
    X, _ = tg.data.sine_waves(300, 12, generator())
    assert np.std(clean[:12]) == pytest.approx(X.numpy().std(), abs=0.02)


def test_noise_is_added_to_what_is_observed():
    options = options_of("--noise", 0.3)
    clean, observed, _ = sine.random_waves(50, 300, options, generator())
    assert abs(clean).max() <= 1.0
    assert (observed - clean).std() == pytest.approx(0.3, rel=0.03)


@pytest.mark.parametrize("drift", [0.1, 0.5, 3.0])
def test_frequencies_drift_within_their_ends(drift):
    options = options_of("--drift", drift, "--seq", 20)
    _, _, frequencies = sine.random_waves(100, 500, options, generator())
    assert 0.5 <= frequencies.min() and frequencies.max() <= 2.0
    moved = np.diff(np.log(frequencies), axis=0).std() * math.sqrt(20)
    # Ends reflect it
    assert moved == pytest.approx(drift, rel=0.15 if drift < 1 else 0.6)


# ---------------------------------------------------------------- forecasts


@pytest.mark.parametrize("seq", [1, 7, 10, 25, 50])
def test_patches_hold_the_points_in_order(seq):
    options = options_of("--seq", seq)
    size = sine.patch_size(options)
    assert size * sine.seen_patches(options) in range(seq - size + 1, seq + 1)
    waves = np.arange(3 * size * 4.0).reshape(3 * size, 4)  # (points, N)
    patches = sine.to_patches(waves, options)
    assert patches.shape == (3, 4, size)
    for i in range(3):
        assert np.array_equal(patches[i].numpy().T, waves[i * size : (i + 1) * size])


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_a_forecast_reads_its_own_patches(cell):
    tg.manual_seed(0)
    model = sine.Forecaster(cell, 6, 2).double()
    seen = tg.randn(4, 3, 2, dtype=tg.float64)
    predicted = model(seen, 5)
    assert predicted.shape == (4 + 5 - 1, 3, 2)
    out, _ = model.rnn(tg.cat([seen, predicted[3:-1]]))  # as if they had been there
    assert tg.allclose(model.head(out), predicted, atol=1e-12)


def test_a_forecast_is_cut_to_the_points_that_are_wanted():
    options = options_of("--seq", 25)  # 12 patches of 2: the first point is not read
    model = sine.Forecaster("gru", 4, 2)
    seen = np.random.default_rng(0).normal(size=(25, 3))
    whole = sine.forecast(model, seen, 8, options)
    assert np.array_equal(sine.forecast(model, seen, 5, options), whole[:5])
    seen[0] = 99.0
    assert np.array_equal(sine.forecast(model, seen, 8, options), whole)


def test_the_tutorials_forecast_goes_on_from_the_last_points():
    def sum_of_ends(x):
        return x[:, 0] + x[:, -1]

    predicted = sine.forecast_by_tutorial(
        sum_of_ends,
        np.array([[1.0, 0.0], [2.0, 1.0], [3.0, 1.0]]),
        4,
        options_of("--seq", 3),
    )
    assert predicted.tolist() == [[4, 1], [6, 2], [9, 3], [13, 4]]


def exact(seen, points):
    """Continue clean waves by x[t + 1] = 2 cos(w) x[t] - x[t - 1]."""
    middle, ends = seen[1:-1], seen[2:] + seen[:-2]
    factor = (middle * ends).sum(0) / (middle**2).sum(0)
    waves = list(seen[-2:])
    for _ in range(points):
        waves.append(factor * waves[-1] - waves[-2])
    return np.array(waves[2:])


@pytest.mark.parametrize(
    ("scale", "kept"), [(1, 50), (1.19, 50), (0.81, 50), (1.21, 0), (0.79, 0)]
)
def test_waves_whose_root_mean_square_stays_are_counted(scale, kept):
    def predict(seen, points):
        return scale * exact(seen, points)

    assert sine.count_kept(predict, options_of("--seq", 20), count=50) == kept


def test_only_the_fifth_period_counts():
    def predict(seen, points):
        waves = exact(seen, points)
        waves[:79] = waves[-1:] = (
            99.0  # of 2 turns in 20 points the fifth is from point 40 on
        )
        return waves

    assert 0 < sine.count_kept(predict, options_of("--seq", 20), count=50) < 50


def test_the_linear_rule_knows_clean_sines():
    options = options_of("--seq", 10)
    _, fitted_on, _ = sine.random_waves(20, 1000, options, generator(1))
    _, waves, _ = sine.random_waves(20, 100, options, generator(2))
    errors = sine.linear_forecast(fitted_on, waves[:10]) - waves[10:]
    assert sine.root_mean_square(errors[0]) < 0.01
    assert errors.shape == (10, 100)


def test_a_little_training_on_its_own_forecast_helps():
    lines, stderr = lines_of("--epochs", 1, "--steps", 150)
    repeated, _, forecaster = lines[-3:]
    assert forecaster["next_point"] < 0.5 * repeated["next_point"]
    assert forecaster["next_points"] < 0.7 * repeated["next_points"]


# What the issue of forecasts is about, at the defaults: some ten seconds each.


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("seq", [10, 20, 50])
def test_95_of_100_unseen_waves_keep_their_amplitude(seq, seed):
    lines, _ = lines_of("--epochs", 1, "--seq", seq, "--seed", seed)
    (kept,) = [line["kept"] for line in lines if "kept" in line]
    assert kept >= 95


@pytest.mark.slow
@pytest.mark.parametrize("what", [("--noise", 0.1), ("--drift", 0.3)])
def test_with_noise_or_drift_it_beats_the_linear_rule(what):
    lines, stderr = lines_of("--epochs", 1, *what)
    *others, forecaster = lines[-3:]
    for other in others:
        assert forecaster["next_point"] < other["next_point"]
        assert forecaster["next_points"] < other["next_points"]
    assert "On clean sines" not in stderr


# ---------------------------------------------------------------- files


def test_out_has_a_picture(tmp_path, monkeypatch):
    figure = pytest.importorskip("matplotlib.figure")
    drawn, savefig = [], figure.Figure.savefig

    def watched(self, path, **options):
        drawn.append(self)
        savefig(self, path, **options)

    monkeypatch.setattr(figure.Figure, "savefig", watched)
    lines_of(*TINY, "--seq", 5, "--out", tmp_path / "out")
    assert (tmp_path / "out" / "sine.png").read_bytes().startswith(b"\x89PNG")
    forecasts, losses = drawn[0].subfigs
    assert forecasts.axes[0].get_title() == "Five periods, forecast from 5 points"
    assert len(forecasts.axes) == 3
    assert losses.axes[0].get_title() == "Training"
    assert [len(line.get_xdata()) for line in losses.axes[0].lines] == [2, 3]


def test_without_matplotlib_there_is_none(tmp_path):
    (tmp_path / "matplotlib.py").write_text(
        "raise ImportError('left out for a test')\n"
    )
    done = run("sine.py", *TINY, "--out", tmp_path / "out", PYTHONPATH=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert "pip install matplotlib" in done.stdout


class TestCheckpoint:
    RUN = ("--epochs", 1, "--steps", 6, "--hidden", 3, "--seq", 4)

    def test_a_run_that_was_stopped_goes_on_bit_for_bit(self, tmp_path, monkeypatch):
        monkeypatch.setattr(sine, "SAVE_EVERY", 2)
        expected, _ = lines_of(*self.RUN, "--checkpoint", tmp_path / "whole")
        train_step = sine.train_step

        def stopped(model, optimizer, step, options):
            if step == 5:
                raise KeyboardInterrupt
            return train_step(model, optimizer, step, options)

        monkeypatch.setattr(sine, "train_step", stopped)
        with pytest.raises(SystemExit, match="130"):
            lines_of(*self.RUN, "--checkpoint", tmp_path / "parts")
        monkeypatch.setattr(sine, "train_step", train_step)
        assert tg.load_checkpoint(tmp_path / "parts").step == 4
        lines, _ = lines_of(*self.RUN, "--checkpoint", tmp_path / "parts")
        assert [line["step"] for line in lines if "step" in line] == [4, 5]
        assert lines[-4:] == expected[-4:]
        assert (tmp_path / "parts").read_bytes() == (tmp_path / "whole").read_bytes()

    def test_one_that_is_complete_is_not_trained_again(self, tmp_path):
        expected, _ = lines_of(*self.RUN, "--checkpoint", tmp_path / "lm")
        lines, _ = lines_of(*self.RUN, "--checkpoint", tmp_path / "lm")
        assert not [line for line in lines if "step" in line]
        assert lines[-4:] == expected[-4:]

    @pytest.mark.parametrize(
        "other", [("--cell", "rnn"), ("--noise", 0.1), ("--steps", 9)]
    )
    def test_one_of_other_settings_is_left_alone(self, other, tmp_path, capsys):
        path = tmp_path / "forecaster"
        lines_of(*self.RUN, "--checkpoint", path)
        before = path.read_bytes()
        with pytest.raises(SystemExit, match="2"):
            sine.main([*map(str, (*self.RUN, "--checkpoint", path, *other))])
        message = capsys.readouterr().err
        assert f"{other[0]} {other[1]}: {path} has" in message
        assert path.read_bytes() == before

    def test_another_file_is_left_alone(self, tmp_path, capsys):
        path = tmp_path / "other"
        tg.save_checkpoint(path, tg.nn.Linear(1, 1))
        before = path.read_bytes()
        for text in (before, b"some notes"):
            path.write_bytes(text)
            with pytest.raises(SystemExit, match="2"):
                sine.main([*map(str, (*self.RUN, "--checkpoint", path))])
            assert path.read_bytes() == text


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--epochs", 0), "--epochs: 0 is not at least 1"),
        (("--steps", 0), "--steps: 0 is not at least 1"),
        (("--hidden", "x"), "--hidden: invalid"),
        (("--noise", -1), "--noise: -1 is not at least 0"),
        (("--drift", "nan"), "--drift: nan is not at least 0"),
        (("--lr", "inf"), "--lr: inf is not at least 0"),
        (("--cell", "mlp"), "--cell: invalid choice"),
        (("--seed", -1), "seed is -1"),
        (("--device", "tpu"), "device: got 'tpu'"),
        (("--out", __file__), "File exists"),
    ],
)
def test_what_is_wrong_is_one_message_and_status_2(arguments, words, capsys):
    with pytest.raises(SystemExit) as exited:
        sine.main([*map(str, arguments)])
    assert exited.value.code == 2
    assert words in capsys.readouterr().err.splitlines()[-1]


def test_a_user_sees_one_message():
    done = run("sine.py", "--device", "tpu")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
