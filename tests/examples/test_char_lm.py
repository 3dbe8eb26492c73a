"""examples/char_lm.py trains, stops, resumes, writes, scores, and explains errors.

Most tests run its ``main`` in this process, which is faster than a user's call.
"""

import itertools
import json
import math
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from examples.scripts import command, environment, json_of, module, run

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.serialization import load_file

char_lm = module("char_lm.py")
TINY = ("--text", "hello", "--hidden", 12, "--batch", 8, "--seq", 10)


def call(*arguments):
    char_lm.main([*map(str, arguments)])


def train(*arguments):
    return json_of(char_lm.main, *arguments)


def state_of(path):
    """Return what a checkpoint holds, except how often it was evaluated."""
    arrays, header = load_file(path)
    extra = header["checkpoint"]["extra"]
    for name in ("steps", "val_every"):
        del extra["settings"][name]
    del extra["curve"]
    return {name: array.tobytes() for name, array in arrays.items()}, header


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    path = tmp_path_factory.mktemp("trained") / "lm.safetensors"
    lines, _ = train(
        *TINY, "--steps", 40, "--val-every", 40, "--checkpoint", path, "--lr", 0.02
    )
    return path, lines


def test_json_has_one_object_a_line_and_nothing_else(tmp_path):
    lines, stderr = train(*TINY, "--steps", 25, "--val-every", 10)
    assert [line["step"] for line in lines] == [10, 20, 25]
    for line in lines:
        assert list(line) == ["step", "train_loss", "val_loss", "chars_per_second"]
        assert line["chars_per_second"] > 0
        assert 1.0 < line["val_loss"] < 4.0
        bits = line["val_loss"] / math.log(2)
        perplexity = math.exp(line["val_loss"])
        losses = f"{line['val_loss']:.3f} nats = {bits:.3f} bits"
        assert f"validation {losses}, perplexity {perplexity:.1f}" in stderr
    assert "step 0/25: validation 3." in stderr
    assert "Nothing was kept: --checkpoint PATH" in stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_it_learns(cell):
    model = ("--text", "hello", "--hidden", 64, "--lr", 0.01, "--cell", cell)
    lines, stderr = train(*model, "--steps", 150, "--val-every", 75)
    assert lines[-1]["val_loss"] < 0.3  # 0.14; a guess costs 3.0
    assert (
        "learn by heart. hello small world"
        in stderr.rpartition("At step 150 it writes")[2]
    )


def test_no_argument_means_the_documentation_of_python():
    lines, stderr = train("--steps", 2)
    assert "python-docs: 4" in stderr
    assert len(lines) == 1


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_resumed_is_bit_equal_to_uninterrupted(tmp_path, cell):
    # Dropout draws from the default generator, and a pass has 9 windows: 20 steps wrap
    # twice.
    model = (
        "--text",
        "hello",
        "--cell",
        cell,
        "--hidden",
        6,
        "--layers",
        2,
        "--dropout",
        0.3,
    )
    model += ("--batch", 8, "--seq", 430, "--lr", 0.01, "--seed", 3, "--clip", 0.1)
    model += ("--reset", 0.3, "--keep-best")
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    expected, _ = train(*model, "--steps", 20, "--val-every", 20, "--checkpoint", whole)
    train(*model, "--steps", 11, "--val-every", 4, "--checkpoint", parts)
    lines, stderr = train("--checkpoint", parts, "--resume", "--steps", 20)
    assert "At step 11 it writes (seed 14):" in stderr
    assert [line["step"] for line in lines] == [12, 16, 20]
    for name in ("train_loss", "val_loss"):
        assert lines[-1][name] == expected[-1][name]
    assert state_of(parts) == state_of(whole)
    # With so few steps each is a point, and the start
    assert len(load_file(parts)[1]["checkpoint"]["extra"]["curve"]) == 21


@pytest.mark.parametrize("cell", ["rnn", "lstm"])
def test_resumed_from_before_the_first_step(tmp_path, cell, monkeypatch):
    """A run killed before its first validation leaves its initial checkpoint."""
    path = tmp_path / "lm"
    monkeypatch.setattr(char_lm.nn.utils, "clip_grad_norm_", lambda *_: sys.exit(9))
    with pytest.raises(SystemExit):
        char_lm.main(
            [*map(str, TINY), "--cell", cell, "--steps", "3", "--checkpoint", str(path)]
        )
    monkeypatch.undo()
    assert tg.load_checkpoint(path).step == 0
    lines, _ = train("--checkpoint", path, "--resume", "--steps", 3)
    assert lines[-1]["step"] == 3


def test_the_state_goes_from_window_to_window_until_the_text_begins_anew(monkeypatch):
    known = []
    forward = char_lm.CharLM.forward

    def watched(self, ids, state=None):
        if self.training:
            known.append(state is not None)
        return forward(self, ids, state)

    monkeypatch.setattr(char_lm.CharLM, "forward", watched)
    arguments = ["--text", "hello", "--hidden", "4", "--batch", "8", "--seq", "430"]
    char_lm.main([*arguments, "--steps", "19", "--no-compile"])
    assert known == ([False] + [True] * 8) * 2 + [False]


def test_gradients_are_clipped():
    lines, _ = train(*TINY, "--steps", 4, "--val-every", 2, "--clip", 1e-30)
    assert lines[0]["val_loss"] == lines[1]["val_loss"]


def test_0_clips_nothing():
    losses = [
        train(*TINY, "--steps", 9, "--clip", clip)[0][0]["val_loss"]
        for clip in (0, 1e9)
    ]
    assert losses[0] == losses[1]


def test_a_run_goes_on_from_another_folder_and_keeps_its_out(
    tmp_path, monkeypatch, capsys
):
    (tmp_path / "there").mkdir()
    (tmp_path / "text").write_text("a text of some length. " * 50, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    size = ["--hidden", "4", "--batch", "4", "--seq", "10"]
    char_lm.main(
        [*size, "--text", "text", "--out", "out", "--steps", "2", "--checkpoint", "lm"]
    )
    (tmp_path / "out" / "sample.txt").unlink()
    monkeypatch.chdir(tmp_path / "there")
    char_lm.main(["--checkpoint", "../lm", "--resume", "--steps", "3"])
    assert (tmp_path / "out" / "sample.txt").exists()
    assert list((tmp_path / "there").iterdir()) == []


def test_a_run_that_is_complete_says_so(trained):
    path, _ = trained
    before = path.read_bytes()
    lines, stderr = train("--checkpoint", path, "--resume")
    assert lines == []
    assert "is at step 40; --steps is the total" in stderr
    assert path.read_bytes() == before


def test_a_new_learning_rate_counts_when_resuming(trained, tmp_path):
    path = tmp_path / "lm"
    path.write_bytes(trained[0].read_bytes())
    train("--checkpoint", path, "--resume", "--steps", 42, "--lr", 0)
    old, new = load_file(trained[0])[0], load_file(path)[0]
    assert np.array_equal(old["model/head.weight"], new["model/head.weight"])


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT to send")
@pytest.mark.parametrize("cell", ["rnn", "lstm"])
def test_ctrl_c_ends_between_two_steps_and_loses_nothing(tmp_path, cell):
    stopped, whole = tmp_path / "stopped", tmp_path / "whole"
    arguments = (
        *TINY,
        "--cell",
        cell,
        "--steps",
        10**6,
        "--val-every",
        5,
        "--json",
        "--checkpoint",
        stopped,
    )
    with subprocess.Popen(
        command("char_lm.py", *arguments),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        env=environment(),
    ) as process:
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=300)
    assert process.returncode == 0, stderr
    assert "Traceback" not in stderr
    assert f"--checkpoint {stopped} --resume" in stderr
    step = tg.load_checkpoint(stopped).step
    assert json.loads(stdout.splitlines()[-1])["step"] == step
    train("--checkpoint", stopped, "--resume", "--steps", step + 3)
    train(*TINY, "--cell", cell, "--steps", step + 3, "--checkpoint", whole)
    assert state_of(stopped) == state_of(whole)


def test_ctrl_c_saves_before_it_validates(tmp_path, monkeypatch):
    """Pressing it twice, during a long validation, loses nothing either."""

    def pressed_again(model, streams):
        if not pressed:
            return 3.0  # of the validation at step 0
        raise KeyboardInterrupt

    def press(*_):
        pressed.append(True)
        signal.raise_signal(signal.SIGINT)

    pressed = []
    monkeypatch.setattr(nn.utils, "clip_grad_norm_", press)
    monkeypatch.setattr(char_lm, "validate", pressed_again)
    arguments = [
        "--text",
        "hello",
        "--hidden",
        "8",
        "--checkpoint",
        str(tmp_path / "lm"),
    ]
    before = signal.getsignal(signal.SIGINT)
    try:
        with pytest.raises(SystemExit, match="130"):
            char_lm.main(arguments)
    finally:
        signal.signal(signal.SIGINT, before)
    assert tg.load_checkpoint(tmp_path / "lm").step == 1


def test_out_has_the_curve_and_the_text(tmp_path):
    pytest.importorskip("matplotlib")
    train(*TINY, "--steps", 4, "--val-every", 2, "--out", tmp_path / "new" / "out")
    out = tmp_path / "new" / "out"
    assert (out / "loss.png").read_bytes().startswith(b"\x89PNG")
    assert len((out / "sample.txt").read_text(encoding="utf-8")) == 501


def test_without_tqdm_and_matplotlib_there_are_plain_lines(tmp_path):
    for name in ("tqdm", "matplotlib"):
        (tmp_path / f"{name}.py").write_text(
            "raise ImportError('left out for a test')\n"
        )
    arguments = (*TINY, "--steps", 4, "--val-every", 2, "--out", tmp_path / "out")
    done = run("char_lm.py", *arguments, PYTHONPATH=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert "step 4/4: training " in done.stdout
    assert "pip install matplotlib" in done.stdout
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["sample.txt"]


def test_a_sample_depends_on_its_options_alone(trained, capsys):
    def sample(*options):
        known = ["sample", "--checkpoint", str(trained[0]), "--prompt", "hello"]
        char_lm.main([*known, *map(str, options)])
        return capsys.readouterr().out

    drawn = sample("--length", 60, "--seed", 5)
    arguments = (
        "--checkpoint",
        trained[0],
        "--prompt",
        "hello",
        "--length",
        60,
        "--seed",
        5,
    )
    assert run("char_lm.py", "sample", *arguments).stdout == drawn
    assert (
        drawn
        == sample("--length", 60, "--seed", 5)
        != sample("--length", 60, "--seed", 6)
    )
    assert drawn.startswith("hello")
    assert len(drawn) == 5 + 60 + 1
    likeliest = sample("--temperature", 0, "--seed", 1)
    assert likeliest == sample("--temperature", 0, "--seed", 2) == sample("--top-k", 1)
    assert likeliest == sample("--temperature", 1e-300)


def test_a_terminal_that_lacks_a_character_gets_another(tmp_path):
    text = tmp_path / "text"
    text.write_text("grün ist schön ☃ " * 200, encoding="utf-8")
    arguments = ("--text", text, "--batch", 4, "--seq", 10, "--hidden", 4, "--steps", 1)
    done = run("char_lm.py", *arguments, PYTHONUTF8="0", PYTHONIOENCODING="ascii")
    assert done.returncode == 0, done.stderr
    assert "?" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--hidden", "0"], "--hidden: 0 is not in"),
        (["--steps", "many"], "--steps: invalid"),
        (["--dropout", "1.5"], "--dropout: 1.5 is not in"),
        (["--lr", "nan"], "--lr: nan is not in"),
        (["--clip", "-1"], "--clip: -1 is not in"),
        (["--val-every", "0"], "--val-every: 0 is not in"),
        (["--cell", "mlp"], "--cell: invalid choice: 'mlp'"),
        (["--device", "tpu"], "device: got 'tpu', expected one of 'cpu'"),
        (["--text", "no such file"], "cannot read 'no such file'"),
        (["--text", "hello", "--batch", "9999"], "--batch 9999 --seq 50 needs 499,951"),
        (["--resume"], "--resume needs --checkpoint"),
        (["--resume", "--checkpoint", "no such file"], "cannot load 'no such file'"),
        (["--checkpoint", "{trained}/in/a/file"], "ot a directory"),
        (["trian"], "invalid choice: 'trian'"),
        (["sample"], "required: --checkpoint"),
        (
            ["sample", "--checkpoint", "{trained}", "--temperature", "-1"],
            "--temperature: -1 is",
        ),
        (
            ["sample", "--checkpoint", "{trained}", "--temperature", "nan"],
            "--temperature: nan is",
        ),
        (
            ["sample", "--checkpoint", "{trained}", "--top-k", "0"],
            "--top-k: 0 is not in",
        ),
        (
            ["sample", "--checkpoint", "{trained}", "--prompt", "hi é"],
            "'é' at position 3",
        ),
        (
            ["--resume", "--checkpoint", "{trained}", "--hidden", "9"],
            "--hidden 9: the run in",
        ),
        (
            ["--resume", "--checkpoint", "{trained}", "--cell", "gru"],
            "has rnn; leave it out to go on",
        ),
        (
            ["--resume", "--checkpoint", "{trained}", "--batch", "9"],
            "--batch 9: the run in",
        ),
        (
            ["--resume", "--checkpoint", "{trained}", "--layers", "2"],
            "--layers 2: the run in",
        ),
        (
            ["--resume", "--checkpoint", "{trained}", "--seq", "9"],
            "--seq 9: the run in",
        ),
        (
            ["--resume", "--checkpoint", "{trained}", "--text", "python-docs"],
            "has another text than",
        ),
        (
            ["--resume", "--checkpoint", "{trained}", "--val-fraction", "0.2"],
            "--val-fraction 0.2: the",
        ),
        (
            ["--resume", "--checkpoint", "{trained}", "--init-from", "x"],
            "leave one out",
        ),
        (["--keep-best"], "--keep-best needs --checkpoint"),
        (["--lr-schedule", "cosin"], "--lr-schedule: invalid choice"),
        (["--warmup", "-1"], "--warmup: -1 is not in"),
        (["--val-fraction", "1"], "--val-fraction: 1 is not in"),
        (["--val-fraction", "0"], "0 to validate on"),
        (
            ["--text", "{trained}", "--encoding", "utf-9"],
            "encoding is 'utf-9', expected",
        ),
        (
            ["--resume", "--checkpoint", "{trained}", "--seed", "5"],
            "has 0; leave it out to go on",
        ),
        (["--reset", "1.5"], "--reset: 1.5 is not in"),
        (["--init-from", "no such file"], "cannot load 'no such file'"),
        (
            ["--init-from", "{trained}", "--hidden", "9"],
            "has 12; leave it out, as weights",
        ),
        (
            ["sample", "--checkpoint", "{trained}", "--top-p", "1.5"],
            "top_p is 1.5, expected",
        ),
        (
            ["sample", "--checkpoint", "{trained}", "--top-p", "-1"],
            "--top-p: -1 is not in",
        ),
        (
            ["sample", "--checkpoint", "{trained}", "--best"],
            "has none; train with --keep-best",
        ),
        (["score", "--checkpoint", "{trained}"], "required: --text"),
        (
            ["score", "--checkpoint", "{trained}", "--text", "no such file"],
            "cannot read 'no such",
        ),
        (
            ["score", "--checkpoint", "{trained}", "--text", "python-docs"],
            "is not one of the 20",
        ),
    ],
)
def test_what_is_wrong_is_one_message_and_status_2(arguments, words, trained, capsys):
    with pytest.raises(SystemExit) as exited:
        char_lm.main([argument.format(trained=trained[0]) for argument in arguments])
    stdout, stderr = capsys.readouterr()
    assert exited.value.code == 2
    assert stdout == ""
    assert words in stderr.splitlines()[-1]


def test_a_checkpoint_of_something_else(tmp_path, capsys):
    tg.save_checkpoint(tmp_path / "other", tg.nn.Linear(2, 2))
    with pytest.raises(SystemExit):
        char_lm.main(["sample", "--checkpoint", str(tmp_path / "other")])
    assert "other' is not a checkpoint of char_lm" in capsys.readouterr().err


def test_an_lstm_writes(tmp_path):
    """Its state has two parts, in a checkpoint too."""
    path = tmp_path / "lm"
    train(*TINY, "--cell", "lstm", "--steps", 3, "--checkpoint", path)
    written = run(
        "char_lm.py", "sample", "--checkpoint", path, "--prompt", "he", "--length", 5
    )
    assert written.returncode == 0, written.stderr
    assert len(written.stdout) == 2 + 5 + 1


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_what_is_written_at_temperature_0_is_the_likeliest_after_all_before_it(cell):
    vocabulary = tg.data.Vocabulary("abcdefgh")
    model = char_lm.CharLM(8, cell, 16, 2, 0.5)
    for parameter in model.parameters():
        with tg.no_grad():
            parameter.mul_(4.0)  # else it is one character all along
    text = char_lm.sample(model, vocabulary, "bac", 20, seed=0, temperature=0.0)
    assert text.startswith("bac")
    assert len(text) == 23
    assert model.training
    model.eval()
    for i in range(3, 23):
        logits, _ = model(vocabulary.encode(text[:i]))
        assert text[i] == vocabulary.decode([logits[-1].argmax().item()])


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_compiled_steps_give_the_same_bits(cell, tmp_path, monkeypatch):
    """With dropout, a schedule, clipping, forgotten states and wrapped streams."""
    model = ("--text", "hello", "--cell", cell, "--hidden", 6, "--layers", 2)
    model += ("--dropout", 0.3, "--batch", 8, "--seq", 430, "--clip", 0.1)
    model += ("--reset", 0.3, "--lr-schedule", "cosine", "--steps", 20)
    compiled = []

    def watched(function):
        compiled.append(tg.engine.capture.Compiled(function))
        return compiled[-1]

    monkeypatch.setattr(char_lm.tg, "compile", watched)
    files = [tmp_path / name for name in ("compiled", "plain")]
    for path, option in zip(files, ("--compile", "--no-compile"), strict=True):
        call(*model, "--val-every", 9, option, "--checkpoint", path)
    predict, learn = (each.cache_info() for each in compiled)
    assert learn.hits >= 14
    assert predict.hits > 600
    assert files[0].read_bytes() == files[1].read_bytes()


def test_text_and_scores_are_the_same_compiled(trained, tmp_path, capsys):
    text = tmp_path / "text"
    text.write_text(char_lm.HELLO * 40)
    for words_of in (["sample", "--seed", 3], ["score", "--text", text]):
        found = []
        for option in ("--compile", "--no-compile"):
            call(*words_of, "--checkpoint", trained[0], option)
            found.append(capsys.readouterr().out)
        assert found[0] == found[1] and len(found[0]) > 500


def test_the_header_says_whether_steps_are_compiled(capsys):
    for option, words in (
        ("--compile", "Steps are compiled (--no-compile: the same results, more"),
        ("--no-compile", "Steps are not compiled\n"),
    ):
        call(*TINY, "--steps", 1, option)
        assert words in capsys.readouterr().out


def test_help_is_about_training(capsys):
    for option in ("-h", "--help"):
        with pytest.raises(SystemExit):
            char_lm.main([option])
        shown = capsys.readouterr().out
        for words in ("Train a model", "--hidden", "--checkpoint", "score --help"):
            assert words in shown


def test_no_sample_from_a_model_that_diverged():
    vocabulary = tg.data.Vocabulary("ab")
    model = char_lm.CharLM(2, "rnn", 3, 1, 0.0)
    with tg.no_grad():
        model.head.bias.fill_(math.nan)
    with pytest.raises(tg.Error, match="did the training diverge"):
        char_lm.sample(model, vocabulary, "a", 5, seed=0)


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_validation_carries_the_state_over_all_windows(cell):
    vocabulary = tg.data.Vocabulary("abc")
    text = "".join("abc"[i] for i in np.random.default_rng(0).integers(0, 3, 100))
    model = char_lm.CharLM(3, cell, 4, 2, 0.5).double()
    short, long = (tg.data.TextStreams(text, vocabulary, 3, size) for size in (4, 32))
    assert (len(short), len(long)) == (8, 1)
    expected = char_lm.validate(model, long)
    assert char_lm.validate(model, short) == pytest.approx(expected, rel=1e-12)
    assert model.training


# ---------------------------------------------------------------- one feature at a time

SMALL = ("--text", "hello", "--hidden", 6, "--batch", 8, "--seq", 10, "--lr", 0.02)


def json_lines(capsys):
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def extra_of(path):
    return tg.load_checkpoint(path).extra


class TestTheFirstStep:
    """A few streams start from the zero state, so that beginnings are trained."""

    @pytest.mark.parametrize("parts", [1, 2])
    def test_a_stream_is_forgotten_whole_or_not_at_all(self, parts):
        tg.manual_seed(0)
        state = tuple(tg.ones(3, 2000, 4) * (part + 1.0) for part in range(parts))
        forgotten = char_lm.forget(state if parts == 2 else state[0], 0.3)
        shares = []
        for part, given in zip(
            forgotten if parts == 2 else [forgotten], state, strict=True
        ):
            kept = part.numpy() == given.numpy()
            assert (kept == kept[:1, :, :1]).all()
            assert (part.numpy()[~kept] == 0).all()
            shares.append(kept[0, :, 0])
        assert (shares[0] == shares[-1]).all()
        assert 0.65 < shares[0].mean() < 0.75

    def test_without_a_share_nothing_is_drawn(self):
        state, before = tg.ones(1, 4, 2), tg.random.default_generator.get_state()
        assert char_lm.forget(state, 0.0) is state
        assert char_lm.forget(None, 0.5) is None
        after = tg.random.default_generator.get_state()
        assert before.tolist() == after.tolist()

    def test_training_meets_zero_states_after_the_first_window(self, monkeypatch):
        met = []
        forward = char_lm.CharLM.forward

        def watched(self, ids, state=None):
            if self.training and state is not None:
                met.append((state.numpy() == 0).all((0, 2)))
            return forward(self, ids, state)

        monkeypatch.setattr(char_lm.CharLM, "forward", watched)
        plainly = (*SMALL, "--steps", 40, "--no-compile")
        call(*plainly, "--reset", 0.25)
        assert 0.15 < np.mean(met) < 0.35  # 39 windows of 8 streams
        met.clear()
        call(*plainly, "--reset", 0)
        assert not np.any(met)


class TestTheLearningRate:
    @pytest.mark.parametrize(
        ("arguments", "expected"),
        [
            ((), [1.0, 1.0, 1.0, 1.0, 1.0]),
            (("--lr-schedule", "step"), [1.0, 1.0, 0.1, 0.01, 0.01]),
            (("--lr-schedule", "cosine"), [1.0, 0.853553, 0.5, 0.146447, 0.000062]),
            (("--warmup", 4), [0.25, 1.0, 1.0, 1.0, 1.0]),
            (
                ("--lr-schedule", "cosine", "--warmup", 50),
                [0.02, 0.52, 1.0, 0.5, 0.000987],
            ),
        ],
    )
    def test_at_five_steps_of_a_hundred(self, arguments, expected):
        options = char_lm.parse(["--lr", "1", "--steps", "100", *map(str, arguments)])
        rates = [char_lm.lr_at(step, options) for step in (0, 25, 50, 75, 99)]
        assert rates == pytest.approx(expected, abs=2e-4)

    def test_it_is_what_the_optimizer_takes(self, monkeypatch):
        seen = []
        step = char_lm.optim.Adam.step

        def watched(self):
            seen.append(self.param_groups[0]["lr"])
            step(self)

        monkeypatch.setattr(char_lm.optim.Adam, "step", watched)
        rates = ("--lr", 8, "--warmup", 2, "--lr-schedule", "step")
        call(*SMALL, "--steps", 4, *rates, "--no-compile")
        assert seen == [4.0, 8.0, 8.0, pytest.approx(0.8)]


def test_stopped_in_a_schedule_it_goes_on_bit_for_bit(tmp_path, monkeypatch):
    model = (
        *SMALL,
        "--steps",
        12,
        "--lr-schedule",
        "cosine",
        "--warmup",
        3,
        "--reset",
        0.3,
        "--no-compile",  # clip_grad_norm_ is called at each step
    )
    call(*model, "--checkpoint", tmp_path / "whole")
    clip, count = nn.utils.clip_grad_norm_, itertools.count(1)

    def press_at_the_fifth(*arguments):
        if next(count) == 5:
            signal.raise_signal(signal.SIGINT)
        return clip(*arguments)

    monkeypatch.setattr(nn.utils, "clip_grad_norm_", press_at_the_fifth)
    handler = signal.getsignal(signal.SIGINT)
    call(*model, "--checkpoint", tmp_path / "parts")
    assert signal.getsignal(signal.SIGINT) is handler
    assert tg.load_checkpoint(tmp_path / "parts").step == 5
    call("--resume", "--checkpoint", tmp_path / "parts")
    assert state_of(tmp_path / "parts") == state_of(tmp_path / "whole")


class TestKeepBest:
    @pytest.fixture
    def spoilt(self, tmp_path):
        """Train at a rate that destroys the model after the best validation."""
        path = tmp_path / "lm"
        call(
            *SMALL, "--steps", 6, "--val-every", 6, "--keep-best", "--checkpoint", path
        )
        more = ("--steps", 12, "--lr", 50, "--clip", 0, "--json")
        call("--resume", "--checkpoint", path, *more)
        return path

    def test_the_best_weights_stay(self, spoilt):
        extra = extra_of(spoilt)
        losses = [val_loss for _, _, val_loss in extra["curve"] if val_loss is not None]
        assert extra["best"]["step"] == 6
        assert extra["best"]["val_loss"] == min(losses) < losses[-1] - 0.1
        model, vocabulary = char_lm.load_model(spoilt, best=True)
        streams = tg.data.TextStreams(char_lm.HELLO * 500, vocabulary, 8, 10)
        assert char_lm.validate(model, streams.split(0.1)[1]) == min(losses)

    def test_samples_and_scores_take_them_if_asked(self, spoilt, capsys):
        (spoilt.parent / "text").write_text(char_lm.HELLO, encoding="utf-8")
        capsys.readouterr()
        score = ("score", "--text", spoilt.parent / "text")
        for what in (("sample", "--seed", 1), score):
            outputs = []
            for best in ((), ("--best",)):
                call(*what, "--checkpoint", spoilt, *best)
                outputs.append(capsys.readouterr().out)
            assert outputs[0] != outputs[1]

    def test_a_run_without_it_keeps_none(self, tmp_path):
        call(*SMALL, "--steps", 2, "--checkpoint", tmp_path / "lm")
        assert extra_of(tmp_path / "lm")["best"] is None


def test_a_share_to_validate_on_and_an_encoding(tmp_path, capsys):
    text = "die größte Höhe, süß und schön. " * 40
    (tmp_path / "text").write_bytes(text.encode("latin-1"))
    data = (
        "--text",
        tmp_path / "text",
        "--encoding",
        "latin-1",
        "--val-fraction",
        0.25,
    )
    model = ("--hidden", 4, "--batch", 4, "--seq", 10, "--checkpoint", tmp_path / "lm")
    call(*data, *model, "--steps", 1)
    assert "1,280 characters, 18 distinct ones" in capsys.readouterr().out
    assert extra_of(tmp_path / "lm")["streams"]["characters"] == 960
    call("--resume", "--checkpoint", tmp_path / "lm", "--steps", 2)
    call("score", "--checkpoint", tmp_path / "lm", *data[:4])
    scored = [
        line["character"]
        for line in map(json.loads, capsys.readouterr().out.splitlines()[-1280:])
    ]
    assert "".join(scored) == text


class TestCache:
    """The ids of a text in a file, instead of the text in memory."""

    SMALL = ("--hidden", 6, "--batch", 4, "--seq", 10, "--lr", 0.01)

    @pytest.fixture
    def text(self, tmp_path):
        path = tmp_path / "texts" / "a text.txt"
        path.parent.mkdir()
        path.write_text("Wörter, words and слова 😀. \r\n" * 60, encoding="utf-8")
        return path

    def test_a_run_is_the_one_from_memory_bit_for_bit(self, text, tmp_path, capsys):
        runs = {}
        for name, more in (("memory", ()), ("cache", ("--cache", tmp_path / "ids"))):
            lm = tmp_path / name
            how = (*self.SMALL, "--checkpoint", lm, "--out", tmp_path / "out")
            call("--text", text, *how, "--steps", 3, *more)
            call("--resume", "--checkpoint", lm, "--steps", 5)
            runs[name], header = state_of(lm)
            cache = header["checkpoint"]["extra"]["settings"]["cache"]
            assert cache == (more and str(more[1]) or None)
        assert runs["memory"] == runs["cache"]
        (kept,) = os.listdir(tmp_path / "ids")
        assert re.fullmatch(r"a text.txt-[0-9a-f]{12}\.safetensors", kept)
        said = f"{text}: its ids are kept in {tmp_path / 'ids' / kept}"
        assert capsys.readouterr().out.count(said) == 2  # also when resuming
        assert os.listdir(text.parent) == ["a text.txt"]
        # A run that began from memory goes on from a cache.
        call(
            "--resume", "--checkpoint", tmp_path / "memory", "--cache", tmp_path / "ids"
        )

    def test_a_text_that_has_changed_is_noticed(self, text, tmp_path, capsys):
        how = (
            *self.SMALL,
            "--cache",
            tmp_path / "ids",
            "--checkpoint",
            tmp_path / "lm",
        )
        call("--text", text, *how, "--steps", 1)
        before = text.stat()
        text.write_bytes(text.read_bytes().replace(b"words", b"sword"))
        os.utime(text, ns=(before.st_atime_ns, before.st_mtime_ns))
        with pytest.raises(SystemExit):
            call("--resume", "--checkpoint", tmp_path / "lm", "--steps", 2)
        assert "has another text than" in capsys.readouterr().err
        call("--text", text, *how, "--steps", 1)
        assert len(os.listdir(tmp_path / "ids")) == 1
        _, streams = char_lm.load_model(tmp_path / "lm")
        options = char_lm.parse(["--text", str(text), "--cache", str(tmp_path / "ids")])
        options.batch, options.seq = 4, 10
        train, val = char_lm.read_streams(options)
        ids = np.concatenate([train.ids, val.ids])
        assert train.vocabulary.decode(ids).encode() == text.read_bytes()

    def test_large_texts_have_one_in_the_cache_of_the_system(
        self, text, tmp_path, monkeypatch
    ):
        options = char_lm.parse(["--text", str(text)])
        assert char_lm.cache_file(options) is None
        assert char_lm.cache_file(char_lm.parse(["--cache", str(tmp_path)])) is None
        monkeypatch.setattr(char_lm, "BIG", text.stat().st_size - 1)
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "of the system"))
        monkeypatch.setattr(char_lm.sys, "platform", "linux")
        cache = char_lm.cache_file(options)
        assert cache.parent == tmp_path / "of the system" / "tinygrad_rnn"
        options.batch, options.seq = 4, 10
        assert len(char_lm.read_streams(options)) == 2
        assert cache.is_file()
        options.encoding = "latin-1"
        assert char_lm.cache_file(options) != cache

    def test_a_folder_that_cannot_be_written_has_a_way_out(self, text, capsys):
        with pytest.raises(SystemExit):
            call("--text", text, "--cache", text)
        assert "--cache DIR takes another folder" in capsys.readouterr().err

    def test_a_text_that_is_gone(self, text, tmp_path, capsys):
        how = (
            *self.SMALL,
            "--cache",
            tmp_path / "ids",
            "--checkpoint",
            tmp_path / "lm",
        )
        call("--text", text, *how, "--steps", 1)
        text.rename(text.with_name("b.txt"))
        with pytest.raises(SystemExit):
            call("--resume", "--checkpoint", tmp_path / "lm", "--steps", 2)
        assert "if the text has moved, add --text NEWPATH" in capsys.readouterr().err
        moved = ("--text", text.with_name("b.txt"))
        call("--resume", "--checkpoint", tmp_path / "lm", "--steps", 2, *moved)

    def test_it_validates_on_a_part_of_a_large_text(self, monkeypatch):
        streams = tg.data.TextStreams("ab" * 5000, tg.data.Vocabulary("ab"), 4, 10)
        assert char_lm.val_windows(streams) == len(streams) == 249
        large = tg.data.TextStreams(np.zeros(10**8, np.uint8), range(2), 32, 50)
        assert abs(char_lm.val_windows(large) * 32 * 50 - 1e6) < 1e4
        assert char_lm.val_windows(large.shard(1, 4)) == char_lm.val_windows(large)
        read = []
        monkeypatch.setattr(char_lm, "val_windows", lambda streams: 3)
        monkeypatch.setattr(
            char_lm, "loss_of", lambda logits, y: read.append(y) or tg.tensor(2.0)
        )
        settings = {"cell": "rnn", "hidden": 2, "layers": 1, "dropout": 0}
        model = char_lm.build_model(streams.vocabulary, settings)
        assert char_lm.validate(model, streams) == 2.0
        assert len(read) == 3


class TestInitFrom:
    def test_shared_characters_keep_their_weights(self, tmp_path, trained, capsys):
        (tmp_path / "text").write_text(
            "Zwei Wörter: hello world! " * 50, encoding="utf-8"
        )
        new = ("--text", tmp_path / "text", "--checkpoint", tmp_path / "new", "--lr", 0)
        call("--init-from", trained[0], *new, "--steps", 1, "--batch", 2, "--seed", 5)
        kept = "10 characters keep their weights, 5 begin anew, 10 are left out"
        assert f"{trained[0]}: {kept}" in capsys.readouterr().out
        (model, chars), (old, old_chars) = map(
            char_lm.load_model, (tmp_path / "new", trained[0])
        )
        assert np.array_equal(
            model.rnn.weight_hh_l0.numpy(), old.rnn.weight_hh_l0.numpy()
        )
        kept = 0
        for character in chars:
            i = chars.encode(character).item()
            if character in old_chars:
                j = old_chars.encode(character).item()
                assert (
                    model.rnn.weight_ih_l0[:, i] == old.rnn.weight_ih_l0[:, j]
                ).all()
                assert (model.head.weight[i] == old.head.weight[j]).all()
                assert model.head.bias[i] == old.head.bias[j]
                kept += 1
            else:
                column = model.rnn.weight_ih_l0[:, i].detach().numpy()
                assert (
                    not (column[:, None] == old.rnn.weight_ih_l0.numpy()).all(0).any()
                )
        assert kept == 10

    def test_it_begins_where_the_other_model_stands(self, tmp_path, trained, capsys):
        call(
            "--init-from",
            trained[0],
            "--text",
            "hello",
            "--steps",
            1,
            "--batch",
            8,
            "--seq",
            10,
        )
        said = capsys.readouterr().out
        loss = re.search(r"step 0/1: validation (\S+) nats", said)[1]
        assert float(loss) == pytest.approx(trained[1][-1]["val_loss"], abs=1e-3)
        assert "RNN(20, 12)" in said  # its sizes too


def test_samples_differ_unless_a_seed_is_given(trained, capsys):
    outputs = []
    for _ in range(3):
        call("sample", "--checkpoint", trained[0], "--length", 40)
        outputs.append(capsys.readouterr())
    assert len({output.out for output in outputs}) > 1
    seed = re.search(r"--seed (\d+) writes this again", outputs[0].err)[1]
    call("sample", "--checkpoint", trained[0], "--length", 40, "--seed", seed)
    assert capsys.readouterr().out == outputs[0].out


def test_a_tiny_nucleus_holds_the_likeliest_alone(trained, capsys):
    texts = set()
    for how in (
        ("--top-p", 0.01, "--seed", 1),
        ("--top-p", 0.01, "--seed", 2),
        ("--temperature", 0),
    ):
        call("sample", "--checkpoint", trained[0], "--length", 40, *how)
        texts.add(capsys.readouterr().out)
    assert len(texts) == 1


class TestScore:
    @pytest.fixture
    def text(self, tmp_path):
        path = tmp_path / "text"
        path.write_text(char_lm.HELLO[:-1] * 40, encoding="utf-8")  # 2,720 characters
        return path

    def test_json_has_the_bits_of_each_character(self, trained, text, capsys):
        call("score", "--checkpoint", trained[0], "--text", text)
        captured = capsys.readouterr()
        lines = [json.loads(line) for line in captured.out.splitlines()]
        assert "".join(line["character"] for line in lines) == text.read_text(
            encoding="utf-8"
        )
        model, vocabulary = char_lm.load_model(trained[0])
        ids = vocabulary.encode(text.read_text(encoding="utf-8"))
        logits, _ = model(ids[:-1])
        chances = logits.softmax(-1).take_along_dim(ids[1:, None], 1)[:, 0]
        expected = -np.log2(chances.detach().numpy())
        assert lines[0]["bits"] is None
        assert [line["bits"] for line in lines[1:]] == pytest.approx(
            expected.tolist(), rel=1e-4
        )
        average = expected.mean()
        said = re.search(
            r"2,719 characters after the first, each: (\S+) bits .* perplexity (\S+)",
            captured.err,
        )
        assert float(said[1]) == pytest.approx(average, abs=1e-3)
        assert float(said[2]) == pytest.approx(2**average, abs=0.1)

    def test_a_reader_may_stop_before_the_end(self, trained):
        arguments = ("score", "--checkpoint", trained[0], "--text", "hello")
        with subprocess.Popen(
            command("char_lm.py", *arguments),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(),
        ) as process:
            assert json.loads(process.stdout.readline())["character"] == "h"
            process.stdout.close()  # of 34,500 lines
            assert b"rror" not in process.stderr.read()
        assert process.returncode == 0

    def test_in_colour_on_a_terminal(self, trained, text, capsys, monkeypatch):
        monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
        monkeypatch.delenv("NO_COLOR", raising=False)
        call("score", "--checkpoint", trained[0], "--text", text)
        coloured = capsys.readouterr().out.splitlines()[-1]
        assert coloured.count("\x1b[0m") == 2720
        plain = re.sub(r"\x1b\[[\d;]*m", "", coloured)
        assert plain == text.read_text(encoding="utf-8")

    def test_no_color_is_respected(self, trained, text, capsys, monkeypatch):
        monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
        monkeypatch.setenv("NO_COLOR", "1")
        call("score", "--checkpoint", trained[0], "--text", text)
        assert len(json_lines(capsys)) == 2720

    def test_what_surprises_more_has_another_colour_and_nothing_steers_the_terminal(
        self,
    ):
        colours = [
            char_lm.colour("x", bits) for bits in (0, 0.9, 1, 2, 4, 8, 99, math.inf)
        ]
        assert len(set(colours)) == 5
        assert char_lm.colour("\x1b", 0.0) == "\x1b[2m\\x1b\x1b[0m"
        assert char_lm.colour("\n", 0.0).endswith("\\n\x1b[0m\n")


class TestTheCurve:
    @pytest.mark.parametrize("steps", [60, 130])
    def test_it_has_the_start_and_fifty_points_at_least(self, tmp_path, steps):
        path = tmp_path / "lm"
        call(*SMALL, "--steps", steps, "--val-every", 50, "--checkpoint", path)
        points = extra_of(path)["curve"]
        steps_seen = [step for step, _, _ in points]
        assert steps_seen == sorted(set(steps_seen))
        assert (steps_seen[0], steps_seen[-1]) == (0, steps)
        assert sum(train_loss is not None for _, train_loss, _ in points) >= 50
        assert points[0][1] is None
        assert points[0][2] == pytest.approx(math.log(20), abs=0.3)

    def test_its_picture_has_titles_and_every_point(self, tmp_path, monkeypatch):
        figure = pytest.importorskip("matplotlib.figure")
        drawn = []
        monkeypatch.setattr(
            figure.Figure, "savefig", lambda self, path: drawn.append(self)
        )
        call(*SMALL, "--steps", 60, "--val-every", 30, "--out", tmp_path)
        (axes,) = drawn[0].axes
        assert axes.get_title() == "RNN of 6 learns to spell: hello"
        assert axes.get_xlabel() == "step"
        assert axes.get_ylabel() == "loss (nats per character)"
        training, validation = (list(line.get_xdata()) for line in axes.lines)
        assert training == [*range(1, 61)]
        assert validation == [0, 30, 60]


class TestProgress:
    """The clock is the test's own."""

    @pytest.fixture(autouse=True)
    def clock(self, monkeypatch):
        seconds = itertools.count(0, 2)
        monkeypatch.setattr(char_lm, "clock", lambda: next(seconds))

    @pytest.mark.parametrize("bar", [True, False])
    def test_without_a_terminal_there_is_a_line_every_ten_seconds(
        self, bar, monkeypatch, capsys
    ):
        if not bar:
            monkeypatch.setattr(char_lm, "tqdm", None)
        call(*SMALL, "--steps", 40, "--val-every", 40, "--json")
        captured = capsys.readouterr()
        said = re.findall(
            r"^step (\d+)/40: loss \d\.\d{3}, (\d+) s to go$", captured.err, re.M
        )
        assert 4 <= len(said) <= 10  # the clock ticks once or a few times a step
        assert len(captured.out.splitlines()) == 1

    def test_the_bar_counts_steps(self, monkeypatch, capsys):
        bars = []

        class Bar:
            disable = False
            write = staticmethod(lambda text, file: print(text, file=file))

            def __init__(self, total, initial, unit, disable):
                self.settings, self.count = (total, initial, unit, disable), 0
                bars.append(self)

            def update(self):
                self.count += 1

            set_postfix_str = close = lambda self, *_, **__: None

        monkeypatch.setattr(char_lm, "tqdm", Bar)
        call(*SMALL, "--steps", 30)
        assert [(bar.settings, bar.count) for bar in bars] == [
            ((30, 0, "step", None), 30)
        ]
        assert "s to go" not in capsys.readouterr().out


class TestNothingIsOverwritten:
    TEXT = "a text that nobody wants to lose. " * 40

    def refused(self, folder, capsys, words, *arguments):
        def tree():
            return {path.name: path.read_bytes() for path in folder.iterdir()}

        before = tree()
        with pytest.raises(SystemExit) as exited:
            call(*arguments, "--steps", 1, "--batch", 4, "--seq", 10, "--hidden", 4)
        assert exited.value.code == 2
        stdout, stderr = capsys.readouterr()
        assert words in stderr and "are one file" in stderr
        assert stdout == ""
        assert tree() == before

    @pytest.mark.parametrize(
        "link", ["the path", "another path", "symlink", "hard link"]
    )
    def test_the_text_by_any_path(self, link, tmp_path, capsys, monkeypatch):
        text, other = tmp_path / "text", tmp_path / "other"
        text.write_text(self.TEXT, encoding="utf-8")
        if link == "the path":
            other = text
        elif link == "another path":
            monkeypatch.chdir(tmp_path)
            other = "../" + tmp_path.name + "/text"
        elif link == "symlink":
            other.symlink_to(text)
        else:
            os.link(text, other)
        words = "--checkpoint and --text"
        self.refused(tmp_path, capsys, words, "--text", text, "--checkpoint", other)

    def test_the_text_by_what_out_holds(self, tmp_path, capsys):
        for name in ("sample.txt", "loss.png"):
            text = tmp_path / name
            text.write_text(self.TEXT, encoding="utf-8")
            self.refused(
                tmp_path, capsys, "of --out", "--text", text, "--out", tmp_path
            )

    def test_the_checkpoint_by_what_out_holds(self, tmp_path, capsys):
        path = tmp_path / "sample.txt"
        words = "--checkpoint and the sample of --out"
        self.refused(
            tmp_path,
            capsys,
            words,
            "--text",
            "hello",
            "--checkpoint",
            path,
            "--out",
            tmp_path,
        )

    def test_the_checkpoint_to_begin_with(self, tmp_path, trained, capsys):
        path = tmp_path / "lm"
        path.write_bytes(trained[0].read_bytes())
        words = "--checkpoint and --init-from"
        same = ("--init-from", path, "--checkpoint", path, "--text", "hello")
        with pytest.raises(SystemExit):
            call(*same)
        assert words in capsys.readouterr().err
        assert path.read_bytes() == trained[0].read_bytes()

    def test_the_text_when_resuming(self, tmp_path, capsys):
        text, path = tmp_path / "text", tmp_path / "lm"
        text.write_text(self.TEXT, encoding="utf-8")
        size = ("--batch", 4, "--seq", 10, "--hidden", 4)
        call("--text", text, "--checkpoint", path, "--steps", 1, *size)
        capsys.readouterr()
        text.rename(tmp_path / "sample.txt")
        moved = ("--resume", "--checkpoint", path, "--text", tmp_path / "sample.txt")
        self.refused(tmp_path, capsys, "--text", *moved, "--out", tmp_path)


class TestAnotherText:
    @pytest.fixture
    def run(self, tmp_path):
        text = tmp_path / "text"
        text.write_text("a text of some length. " * 50, encoding="utf-8")
        size = ("--hidden", 4, "--batch", 4, "--seq", 10)
        call(*size, "--text", text, "--steps", 2, "--checkpoint", tmp_path / "lm")
        return tmp_path

    def error_of(self, run, capsys, *arguments):
        before = (run / "lm").read_bytes()
        with pytest.raises(SystemExit) as exited:
            call("--resume", "--checkpoint", run / "lm", "--steps", 3, *arguments)
        assert exited.value.code == 2
        assert (run / "lm").read_bytes() == before
        return capsys.readouterr().err.splitlines()[-1]

    def test_that_moved_is_found_by_its_new_path(self, run, capsys):
        (run / "text").rename(run / "moved")
        error = self.error_of(run, capsys)
        assert (
            "No such file" in error
            and "if the text has moved, add --text NEWPATH" in error
        )
        call(
            "--resume",
            "--checkpoint",
            run / "lm",
            "--steps",
            3,
            "--text",
            run / "moved",
        )
        assert tg.load_checkpoint(run / "lm").step == 3

    @pytest.mark.parametrize(
        "change",
        [
            lambda text: text + "!",  # another character
            lambda text: text[:-1],  # shorter
            lambda text: text.swapcase(),  # as long
            lambda text: text[:20],  # shorter than a window
            lambda text: "",
        ],
    )
    def test_that_changed_says_how_to_go_on(self, change, run, capsys):
        text = run / "text"
        text.write_text(change(text.read_text(encoding="utf-8")), encoding="utf-8")
        error = self.error_of(run, capsys)
        assert "--text PATH names its own" in error
        assert (
            f"--init-from {run / 'lm'} --checkpoint NEWPATH goes on with this one"
            in error
        )

    def test_that_is_in_another_encoding(self, run, capsys):
        error = self.error_of(run, capsys, "--encoding", "utf-16")
        assert "--text PATH names its own" in error


def test_a_checkpoint_of_the_first_version_goes_on_as_it_began(tmp_path, capsys):
    """Version 0.1 wrote it at step 6; these are the losses it had afterwards."""
    old = Path(__file__).with_name("char_lm_0.1.safetensors")
    (tmp_path / "lm").write_bytes(old.read_bytes())
    more = ("--steps", 12, "--val-every", 3, "--json")
    call("--resume", "--checkpoint", tmp_path / "lm", *more)
    lines = json_lines(capsys)
    assert [line["train_loss"] for line in lines] == pytest.approx(
        [2.97512404, 2.94503039]
    )
    assert [line["val_loss"] for line in lines] == pytest.approx(
        [2.88520093, 2.83895491]
    )
    call("sample", "--checkpoint", tmp_path / "lm", "--length", 3)


def test_a_text_that_is_too_short_names_the_options(tmp_path):
    text = tmp_path / "short.txt"
    text.write_text("a short text. " * 600)
    options = char_lm.parse(["--text", str(text)])
    with pytest.raises(
        tg.Error, match=r"7,560 to train on and 840 .* --batch 32 --seq 50 needs 1,601"
    ):
        char_lm.read_streams(options)
    options.batch, options.seq = 8, 32
    assert len(char_lm.read_streams(options)) == 2
