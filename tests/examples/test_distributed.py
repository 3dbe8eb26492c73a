"""char_lm.py with several processes: threads for its parts, mpiexec for the whole."""

import json
import os
import random
import re
import signal
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from distributed.launch import LIMIT, finish, start
from distributed.threads import run_ranks
from examples.scripts import EXAMPLES, module
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_rnn as tg

safetensors = pytest.importorskip("safetensors.numpy")
char_lm = module("char_lm.py")
SCRIPT = EXAMPLES / "char_lm.py"
OPTIONS = (
    *("--text", "hello", "--batch", 12, "--seq", 16, "--hidden", 24, "--cell", "lstm"),
    *("--val-every", 20, "--reset", 0.1, "--distributed", "--json"),
)


def test_numbers_are_averaged():
    def program(rank):
        return char_lm.average(float(rank), rank == 2)

    assert run_ranks(3, program) == [[1.0, 1 / 3]] * 3
    assert char_lm.average(3.5, True) == (3.5, True)


@given(st.integers(1, 4), st.integers(1, 3))
def test_states_are_gathered_as_they_were_shared_out(ranks, each):
    whole = tg.randn(2, ranks * each, 3), tg.randn(2, ranks * each, 3)

    def program(rank):
        mine = char_lm.columns_of_rank(ranks * each)
        parts = char_lm.map_state(lambda part: part[:, mine].clone(), whole)
        assert parts[0].shape == (2, each, 3)
        return char_lm.gather_state(parts)

    for state in run_ranks(ranks, program):
        assert all(a.equal(b) for a, b in zip(state, whole, strict=True))
    assert run_ranks(ranks, lambda rank: char_lm.gather_state(None)) == [None] * ranks


def test_streams_are_reset_as_by_one_process(monkeypatch):
    begins = tg.rand(6, 1)
    monkeypatch.setattr(tg, "rand", lambda *shape, device: begins)
    state = tg.randn(1, 6, 2)
    expected = char_lm.forget(state, 0.5)
    assert 0 < (expected == 0).sum() < 12

    def program(rank):
        return char_lm.forget(state[:, char_lm.columns_of_rank(6)].clone(), 0.5)

    assert tg.cat(run_ranks(3, program), 1).equal(expected)


def test_ranks_draw_their_own_dropout_and_leave_the_generator_as_it_was():
    options = char_lm.parse(["--dropout", "0.5", "--seed", "3"])
    before = tg.random.default_generator.get_state()

    def draw(rank, step):
        run = char_lm.Run(options, None, None, None, None, step=step)
        # One after the other, as they share the generator of this process.
        for turn in range(2):
            tg.distributed.barrier()
            if turn == rank:
                with char_lm.own_draws(run):
                    drawn = tg.rand(4).tolist()
        return drawn

    found = [tuple(x) for step in range(3) for x in run_ranks(2, draw, step)]
    assert len(set(found)) == 6
    assert [tuple(x) for x in run_ranks(2, draw, 0)] == found[:2]
    assert tg.random.default_generator.get_state().equal(before)


def test_a_batch_without_equal_parts_is_refused():
    def program(rank):
        options = char_lm.parse(["--batch", "32"])
        with pytest.raises(tg.Error, match="--batch 32: 3 processes cannot share 32"):
            char_lm.share_out(options)

    run_ranks(3, program)


def test_what_fails_in_one_process_is_reported_by_the_first(capsys):
    def fail(rank):
        if rank:
            raise tg.Error(f"no luck with {rank}")
        return "fine"

    def program(rank):
        with pytest.raises(SystemExit) as caught:
            char_lm.together(fail, rank)
        assert not tg.distributed.is_initialized()
        return caught.value.code

    assert run_ranks(3, program) == [2] * 3
    assert capsys.readouterr().err == "char_lm.py: error: rank 1: no luck with 1\n"
    assert char_lm.together(fail, 0) == "fine"


def test_without_mpi4py_it_says_what_to_install(monkeypatch, capsys):
    monkeypatch.setattr("tinygrad_rnn.distributed.group.find_spec", lambda name: None)
    with pytest.raises(SystemExit):
        char_lm.main(["--distributed"])
    assert "pip install 'tinygrad_rnn[mpi]'" in capsys.readouterr().err


@pytest.mark.parametrize(("ranks", "rank"), char_lm.LAUNCHERS)
def test_processes_that_train_apart_are_warned_once(ranks, rank, monkeypatch, capsys):
    options, found = char_lm.parse([]), []
    for name in {name for pair in char_lm.LAUNCHERS for name in pair}:
        monkeypatch.delenv(name, raising=False)
    for count, number in (("1", "0"), ("2", "0"), ("2", "1"), ("", "0")):
        monkeypatch.setenv(ranks, count)
        monkeypatch.setenv(rank, number)
        char_lm.join(options)
        found.append(capsys.readouterr().err)
    words = "each of the 2 processes trains a model of its own; add --distributed"
    assert words in found[1]
    assert not found[0] and not found[2] and not found[3]


# ---------------------------------------------------------------- processes


def lines(output):
    found = re.findall(r'\{"step".*?\}', output)
    return [json.loads(line) for line in found]


def tensors(path):
    """Return all arrays of a checkpoint: weights, moments, states, random numbers."""
    return safetensors.load_file(path)


@pytest.mark.ranks
@pytest.mark.parametrize("ranks", [2, 3])
def test_ranks_train_the_run_of_one_process(ranks, tmp_path):
    paths, found = [tmp_path / "one", tmp_path / "several"], []
    for count, path in zip((1, ranks), paths, strict=True):
        arguments = (SCRIPT, *OPTIONS, "--steps", 40, "--checkpoint", path)
        if ranks == 3:  # from a file of ids, which the first process writes
            text = tmp_path / "text.txt"
            text.write_text(char_lm.HELLO * 500, encoding="utf-8")
            arguments += ("--text", text, "--cache", tmp_path)
        status, output = finish(start(count, *arguments))
        assert status == 0, output
        assert output.count("At step 40 it writes") == 1  # one process speaks
        found.append(lines(output))
    for one, several in zip(*found, strict=True):
        assert one["step"] == several["step"]
        assert several["train_loss"] == pytest.approx(one["train_loss"], rel=1e-5)
        assert several["val_loss"] == pytest.approx(one["val_loss"], rel=1e-5)
    one, several = map(tensors, paths)
    assert one.keys() == several.keys()
    for name, value in one.items():
        np.testing.assert_allclose(several[name], value, rtol=1e-3, atol=1e-4)


@pytest.mark.ranks
def test_compiled_steps_give_the_same_bits(tmp_path):
    """With dropout, a schedule, clipping, forgotten states and a text that wraps."""
    options = (*OPTIONS, "--steps", 40, "--seq", 280, "--dropout", 0.2, "--clip", 0.1)
    files = [tmp_path / name for name in ("compiled", "plain")]
    for path, option, words in zip(
        files, ("--compile", "--no-compile"), ("are", "are not"), strict=True
    ):
        more = ("--lr-schedule", "cosine", option, "--checkpoint", path)
        status, output = finish(start(2, SCRIPT, *options, *more))
        assert status == 0, output
        assert f"Steps {words} compiled" in output
    assert files[0].read_bytes() == files[1].read_bytes()


@pytest.mark.ranks
def test_killed_at_a_random_moment_it_goes_on_bit_for_bit(tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    options = (SCRIPT, *OPTIONS, "--steps", 120, "--dropout", 0.2)
    status, output = finish(start(2, *options, "--checkpoint", whole))
    assert status == 0, output

    job = start(2, *options, "--steps", 10**6, "--checkpoint", killed)
    deadline = time.monotonic() + 30
    while not killed.is_file() or tg.load_checkpoint(killed).step < 20:
        assert time.monotonic() < deadline, job.communicate()[0]
        time.sleep(0.1)
    time.sleep(random.random())
    processes = ranks_of(job.pid)
    assert len(processes) == 2
    started = time.monotonic()
    victim = random.choice(processes)
    os.kill(victim, signal.SIGKILL)
    status, output = finish(job, LIMIT)
    assert time.monotonic() - started < LIMIT
    assert status != 0
    assert re.search(rf"rank [01] of 2 \(process {victim} on \S+\) died", output), (
        output
    )

    step = tg.load_checkpoint(killed).step
    steps = max(120, step + 40)
    for path in (whole, killed):
        more = (*options, "--steps", steps, "--checkpoint", path, "--resume")
        status, output = finish(start(2, *more))
        assert status == 0, output
    one, other = tensors(whole), tensors(killed)
    assert one.keys() == other.keys()
    for name, value in one.items():
        assert value.tobytes() == other[name].tobytes(), name
    runs = [tg.load_checkpoint(path) for path in (whole, killed)]
    assert runs[0].step == runs[1].step == steps
    assert runs[0].extra["recent"] == runs[1].extra["recent"]


def ranks_of(launcher):
    """Return the ids of the ranks below a launcher; Linux says who is whose child."""
    children = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has ended meanwhile
            pid, rest = status.read_text().split(" ", 1)
            parent = int(rest.rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(pid))
    found, below = [], [launcher]
    while below:
        pid = below.pop()
        below += children.get(pid, [])
        command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        if command[1:2] == [str(SCRIPT).encode()]:
            found.append(pid)
    return found
