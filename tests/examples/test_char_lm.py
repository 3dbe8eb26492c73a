"""examples/char_lm.py, as a user runs it: trains, stops, goes on, writes, and says what is wrong."""

import json
import math
import signal
import subprocess
import sys

import numpy as np
import pytest
from scripts import command, environment, module, run

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.serialization import load_file

char_lm = module("char_lm.py")
TINY = ("--text", "hello", "--hidden", 12, "--batch", 8, "--seq", 10)


def train(*arguments):
    done = run("char_lm.py", *arguments, "--json")
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()], done.stderr


def state_of(path):
    """All that a checkpoint holds but what says how often it was looked at."""
    arrays, header = load_file(path)
    extra = header["checkpoint"]["extra"]
    for name in ("steps", "val_every"):
        del extra["settings"][name]
    del extra["curve"]
    return {name: array.tobytes() for name, array in arrays.items()}, header


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    path = tmp_path_factory.mktemp("trained") / "lm.safetensors"
    lines, _ = train(*TINY, "--steps", 40, "--val-every", 40, "--checkpoint", path, "--lr", 0.02)
    return path, lines


def test_json_has_one_object_a_line_and_nothing_else(tmp_path):
    lines, stderr = train(*TINY, "--steps", 25, "--val-every", 10)
    assert [line["step"] for line in lines] == [10, 20, 25]
    for line in lines:
        assert list(line) == ["step", "train_loss", "val_loss", "chars_per_second"]
        assert line["chars_per_second"] > 0
        assert 1.0 < line["val_loss"] < 4.0
        bits = line["val_loss"] / math.log(2)
        assert f"validation {line['val_loss']:.3f} nats = {bits:.3f} bits" in stderr
    assert "Nothing was kept: --checkpoint PATH" in stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_it_learns(cell):
    model = ("--text", "hello", "--hidden", 64, "--lr", 0.01, "--cell", cell)
    lines, stderr = train(*model, "--steps", 150, "--val-every", 75)
    assert lines[-1]["val_loss"] < 0.3  # 0.14; a guess costs 3.0
    assert "learn by heart. hello small world" in stderr.rpartition("At step 150 it writes:")[2]


def test_no_argument_means_the_documentation_of_python():
    lines, stderr = train("--steps", 2)
    assert "python-docs: 4" in stderr
    assert len(lines) == 1


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_resumed_is_bit_equal_to_uninterrupted(tmp_path, cell):
    # Dropout draws from the default generator, and a pass has 9 windows: 20 steps wrap twice.
    model = ("--text", "hello", "--cell", cell, "--hidden", 6, "--layers", 2, "--dropout", 0.3)
    model += ("--batch", 8, "--seq", 430, "--lr", 0.01, "--seed", 3, "--clip", 0.1)
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    expected, _ = train(*model, "--steps", 20, "--val-every", 20, "--checkpoint", whole)
    train(*model, "--steps", 11, "--val-every", 4, "--checkpoint", parts)
    lines, stderr = train("--checkpoint", parts, "--resume", "--steps", 20)
    assert "At step 11 it writes:" in stderr
    assert [line["step"] for line in lines] == [12, 16, 20]
    for name in ("train_loss", "val_loss"):
        assert lines[-1][name] == expected[-1][name]
    assert state_of(parts) == state_of(whole)
    assert len(load_file(parts)[1]["checkpoint"]["extra"]["curve"]) == 6


@pytest.mark.parametrize("cell", ["rnn", "lstm"])
def test_resumed_from_before_the_first_step(tmp_path, cell, monkeypatch):
    """A run that is killed before its first validation leaves the checkpoint of its start."""
    path = tmp_path / "lm"
    monkeypatch.setattr(char_lm.nn.utils, "clip_grad_norm_", lambda *_: sys.exit(9))
    monkeypatch.setattr(char_lm.signal, "signal", lambda *_: None)
    with pytest.raises(SystemExit):
        char_lm.main([*map(str, TINY), "--cell", cell, "--steps", "3", "--checkpoint", str(path)])
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
    monkeypatch.setattr(char_lm.signal, "signal", lambda *_: None)
    arguments = ["--text", "hello", "--hidden", "4", "--batch", "8", "--seq", "430"]
    char_lm.main([*arguments, "--steps", "19"])
    assert known == ([False] + [True] * 8) * 2 + [False]


def test_gradients_are_clipped():
    lines, _ = train(*TINY, "--steps", 4, "--val-every", 2, "--clip", 1e-30)
    assert lines[0]["val_loss"] == lines[1]["val_loss"]


def test_0_clips_nothing():
    losses = [train(*TINY, "--steps", 9, "--clip", clip)[0][0]["val_loss"] for clip in (0, 1e9)]
    assert losses[0] == losses[1]


def test_a_run_goes_on_from_another_folder_and_keeps_its_out(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(char_lm.signal, "signal", lambda *_: None)
    (tmp_path / "there").mkdir()
    (tmp_path / "text").write_text("a text of some length. " * 50, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    size = ["--hidden", "4", "--batch", "4", "--seq", "10"]
    char_lm.main([*size, "--text", "text", "--out", "out", "--steps", "2", "--checkpoint", "lm"])
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
    """So that who presses it twice, in the midst of a long validation, loses nothing either."""

    def pressed_again(*_):
        raise KeyboardInterrupt

    press = lambda *_: signal.raise_signal(signal.SIGINT)
    monkeypatch.setattr(nn.utils, "clip_grad_norm_", press)
    monkeypatch.setattr(char_lm, "validate", pressed_again)
    arguments = ["--text", "hello", "--hidden", "8", "--checkpoint", str(tmp_path / "lm")]
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
        (tmp_path / f"{name}.py").write_text("raise ImportError('left out for a test')\n")
    arguments = (*TINY, "--steps", 4, "--val-every", 2, "--out", tmp_path / "out")
    done = run("char_lm.py", *arguments, PYTHONPATH=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert "step 4/4: training " in done.stdout
    assert "matplotlib is not installed" in done.stdout
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["sample.txt"]


def test_a_sample_depends_on_its_options_alone(trained, capsys):
    def sample(*options):
        known = ["sample", "--checkpoint", str(trained[0]), "--prompt", "hello"]
        char_lm.main([*known, *map(str, options)])
        return capsys.readouterr().out

    drawn = sample("--length", 60, "--seed", 5)
    arguments = ("--checkpoint", trained[0], "--prompt", "hello", "--length", 60, "--seed", 5)
    assert run("char_lm.py", "sample", *arguments).stdout == drawn
    assert drawn == sample("--length", 60, "--seed", 5) != sample("--length", 60, "--seed", 6)
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
        (["--text", "hello", "--batch", "9999"], "expected at least 499951"),
        (["--resume"], "--resume needs --checkpoint"),
        (["--resume", "--checkpoint", "no such file"], "cannot load 'no such file'"),
        (["--checkpoint", "{trained}/in/a/file"], "ot a directory"),
        (["trian"], "invalid choice: 'trian'"),
        (["sample"], "required: --checkpoint"),
        (["sample", "--checkpoint", "{trained}", "--temperature", "-1"], "--temperature: -1 is"),
        (["sample", "--checkpoint", "{trained}", "--temperature", "nan"], "--temperature: nan is"),
        (["sample", "--checkpoint", "{trained}", "--top-k", "0"], "--top-k: 0 is not in"),
        (["sample", "--checkpoint", "{trained}", "--prompt", "hi é"], "'é' at position 3"),
        (["--resume", "--checkpoint", "{trained}", "--hidden", "9"], "--hidden 9: the run in"),
        (
            ["--resume", "--checkpoint", "{trained}", "--cell", "gru"],
            "has rnn; leave it out to go on",
        ),
        (["--resume", "--checkpoint", "{trained}", "--batch", "9"], "--batch 9: the run in"),
        (["--resume", "--checkpoint", "{trained}", "--layers", "2"], "--layers 2: the run in"),
        (["--resume", "--checkpoint", "{trained}", "--seq", "9"], "--seq 9: the run in"),
        (["--resume", "--checkpoint", "{trained}", "--text", "python-docs"], "of another text"),
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
    assert "other' is no checkpoint of char_lm" in capsys.readouterr().err


def test_an_lstm_writes(tmp_path):
    """Its state has two parts, in a checkpoint too."""
    path = tmp_path / "lm"
    train(*TINY, "--cell", "lstm", "--steps", 3, "--checkpoint", path)
    written = run("char_lm.py", "sample", "--checkpoint", path, "--prompt", "he", "--length", 5)
    assert written.returncode == 0, written.stderr
    assert len(written.stdout) == 2 + 5 + 1


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_what_is_written_at_temperature_0_is_the_likeliest_after_all_before_it(cell):
    vocabulary = tg.data.Vocabulary("abcdefgh")
    model = char_lm.CharLM(8, cell, 16, 2, 0.5)
    for parameter in model.parameters():
        parameter.data *= 4  # else it is one character all along
    text = char_lm.sample(model, vocabulary, "cpu", "bac", 20, temperature=0.0)
    assert text.startswith("bac")
    assert len(text) == 23
    assert model.training
    model.eval()
    for i in range(3, 23):
        logits, _ = model(vocabulary.encode(text[:i]))
        assert text[i] == vocabulary.decode([logits[-1].argmax().item()])


def test_no_sample_from_a_model_that_diverged():
    vocabulary = tg.data.Vocabulary("ab")
    model = char_lm.CharLM(2, "rnn", 3, 1, 0.0)
    with tg.no_grad():
        model.head.bias.fill_(math.nan)
    with pytest.raises(tg.Error, match="did the training diverge"):
        char_lm.sample(model, vocabulary, "cpu", "a", 5)


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_validation_carries_the_state_over_all_windows(cell):
    vocabulary = tg.data.Vocabulary("abc")
    text = "".join("abc"[i] for i in np.random.default_rng(0).integers(0, 3, 100))
    model = char_lm.CharLM(3, cell, 4, 2, 0.5).double()
    short, long = (tg.data.TextStreams(text, vocabulary, 3, size) for size in (4, 32))
    assert (len(short), len(long)) == (8, 1)
    expected = char_lm.validate(model, long, "cpu")
    assert char_lm.validate(model, short, "cpu") == pytest.approx(expected, rel=1e-12)
    assert model.training
