"""CuPy's backend without a GPU: what it says where it cannot run, and on two devices
that are none.
"""

import importlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from backend import fake_cupy
from backend.gpus import fake_gpus
from backend.names import asked_of_backends
from oracle import assert_close

import tinygrad_rnn as tg
import tinygrad_rnn.nn.functional as F
from examples import scripts
from tinygrad_rnn import backend, nn, optim


@pytest.fixture
def gpus():
    """Two devices of the stand-in for CuPy, whose ops run their composites."""
    with fake_gpus() as cupy:
        yield cupy


def both(x, device="cuda:1"):
    """A tensor, and its twin on a GPU."""
    return x, x.detach().to(device).requires_grad_(x.requires_grad)


def test_devices_have_numbers(gpus):
    assert tg.cuda.device_count() == 2
    assert tg.cuda.is_available()
    assert tg.device("cuda") == "cuda:0" == tg.zeros(1, device="cuda").device
    x = tg.zeros(2, device=tg.device("cuda:1"))
    assert (x.device, x.device.type, x.device.index) == ("cuda:1", "cuda", 1)
    assert x.array.device.id == 1
    assert tg.zeros(2).cuda().device == "cuda:0"
    assert tg.zeros(2).cuda(1).device == "cuda:1"
    assert (
        (x + 1).device
        == x.clone().device
        == x[0].device
        == tg.ones_like(x).device
        == "cuda:1"
    )
    assert tg.as_tensor(x.array).device == "cuda:1"
    assert tg.as_tensor(x.array).array is x.array
    with pytest.raises(
        tg.Error, match="'cuda:2', expected one of .*'cuda:0', 'cuda:1'"
    ):
        tg.zeros(2, device="cuda:2")


def test_two_gpus_do_not_mix(gpus):
    x, y = tg.ones(2, device="cuda:0"), tg.ones(2, device="cuda:1")
    for call in (
        lambda: x + y,
        lambda: x.copy_(y[0]) + y,
        lambda: F.linear(x, y.reshape(1, 2)),
    ):
        with pytest.raises(TypeError, match=r"cuda:0 and cuda:1; .*\.to\('cuda:0'\)"):
            call()
    with pytest.raises(TypeError, match="cuda:0 and cpu"):
        x + np.ones(2, np.float32)
    assert x.tolist() == [1, 1]


def test_a_graph_goes_over_both_gpus_and_the_host(gpus):
    """Every gradient is worked out, and arrives, on the device of its own."""
    x = tg.randn(3, 4, requires_grad=True)
    u, v = (tg.randn(4, 4, device=d, requires_grad=True) for d in ("cuda:0", "cuda:1"))
    for create in (False, True):
        h = (x.to("cuda:0") @ u).tanh()
        h = ((h.to("cuda:1") @ v).sin() + h.to("cuda:1")).sigmoid()
        out = (h.cpu() * x).sum()
        found = tg.autograd.grad(out, (x, u, v), create_graph=create)
        a, b, c = (t.detach().cpu().double().requires_grad_() for t in (x, u, v))
        h = (a @ b).tanh()
        h = ((h @ c).sin() + h).sigmoid()
        wanted = tg.autograd.grad((h * a).sum(), (a, b, c))
        for g, w, t in zip(found, wanted, (x, u, v), strict=True):
            assert g.device == t.device
            assert_close(g.detach().cpu().numpy(), w.numpy(), 1e-5)
    for _ in range(2):  # the second time is added in place
        ((x.cuda(0) @ u).cuda(1) @ v).sum().backward()
    assert [t.grad.device for t in (x, u, v)] == ["cpu", "cuda:0", "cuda:1"]


class Model(nn.Module):
    def __init__(self, cell):
        super().__init__()
        self.embedding = nn.Embedding(7, 3, padding_idx=0)
        self.rnn = cell(3, 4, num_layers=2, bidirectional=True)
        self.norm = nn.LayerNorm(8)
        self.linear = nn.Linear(8, 7)

    def forward(self, ids, lengths):
        out, _ = self.rnn(self.embedding(ids), lengths=lengths)
        return self.linear(self.norm(out)).flatten(0, 1)


@pytest.mark.parametrize("cell", [nn.RNN, nn.LSTM, nn.GRU])
def test_training_on_the_second_gpu(gpus, cell):
    losses = {}
    for device in ("cpu", "cuda:1"):
        tg.manual_seed(3)
        model = Model(cell).to(device)
        optimizer = optim.Adam(model.parameters(), lr=1e-2, amsgrad=True)
        ids, targets = tg.randint(7, (5, 2)).to(device), tg.randint(7, (10,)).to(device)
        losses[device] = []
        for _ in range(3):
            optimizer.zero_grad()
            loss = F.cross_entropy(
                model(ids, [5, 3]), targets, ignore_index=2, label_smoothing=0.1
            )
            loss.backward()
            norm = nn.utils.clip_grad_norm_(model.parameters(), 0.5)
            optimizer.step()
            losses[device] += [loss.item(), norm.item()]
        assert all(p.device == p.grad.device == device for p in model.parameters())
    assert_close(losses["cuda:1"], losses["cpu"], 1e-5)


def test_indices_are_checked_and_repeated_ones_added_up(gpus):
    table = tg.randn(5, 3, requires_grad=True)
    ids = tg.tensor([[4, 0, 4], [-1, 4, 0]])
    grads = []
    for x in both(table):
        x[ids.to(x.device)].square().sum().backward()
        x.detach()[ids.to(x.device)[0]] = tg.arange(9.0, device=x.device).reshape(3, 3)
        grads.append(x.grad.cpu().numpy())
    assert_close(grads[1], grads[0], 1e-6)
    # The last one stays
    assert_close(x.detach().cpu().numpy(), table.detach().numpy(), 0)
    for index in ([5], [-6], [0, 5]):
        with pytest.raises(
            IndexError, match=r"getitem: index (5|-6) is out of bounds .* size 5"
        ):
            x[tg.tensor(index, device=x.device)]
        with pytest.raises(IndexError, match="is out of bounds"):
            x.detach()[tg.tensor(index, device=x.device)] = 0.0
    for mask in (x.detach() > 0, x.detach()[:, 0] > 0):
        assert_close(
            x[mask].detach().cpu().numpy(), table[mask.cpu()].detach().numpy(), 0
        )


def test_what_is_expanded_is_read_only(gpus):
    x = tg.ones(1, 3, device="cuda:0").expand(2, 3)
    with pytest.raises(RuntimeError, match=r"read-only.*clone\(\)"):
        x.add_(1)
    y = tg.ones(3, device="cuda:0")[None]
    y.add_(1)
    assert y.tolist() == [[2, 2, 2]]


def test_in_place(gpus):
    grads = []
    for x in both(tg.arange(6.0).reshape(2, 3).requires_grad_()):
        y = x * 1
        y.mul_(x.sin()).clamp_(max=2.0)
        y[0].add_(x[1] ** 2)
        y[:, 1] = 3.0
        (y.sum() + x.sum()).backward()
        with tg.no_grad():
            x.copy_(y.cpu()).div_(2)
        grads.append((x.grad.cpu().numpy(), x.detach().cpu().numpy()))
    assert_close(grads[1], grads[0], 1e-6)


@pytest.mark.parametrize("kind", [1.0, 2.0, 3.0, np.inf])
def test_clipping_on_both_gpus_at_once(gpus, kind):
    """Also where powers leave the range of float32."""
    for scale in (1e-30, 1.0, 1e30):
        norms = []
        for places in (("cpu", "cpu", "cpu"), ("cuda:0", "cuda:1", "cpu")):
            tg.manual_seed(1)
            params = [tg.zeros(2, 2, device=place) for place in places]
            for p in params:
                p.grad = (tg.randn(2, 2, dtype="float64") * scale).float().to(p.device)
            norms.append(
                nn.utils.clip_grad_norm_(params, 0.5 * scale, kind).item() / scale
            )
            norms += [p.grad.cpu().double().abs().max().item() / scale for p in params]
        assert_close(norms[4:], norms[:4], 1e-5)


def test_anomalies_are_found_on_the_second_gpu(gpus):
    x = tg.tensor([0.0, 1.0], device="cuda:1", requires_grad=True)
    with (
        np.errstate(divide="ignore"),
        pytest.raises(tg.Error, match="an infinity in a gradient .* from sqrt"),
    ):
        with tg.autograd.detect_anomaly():
            (x.clamp(min=0.0) * 1.0).sqrt().sum().backward()
    with (
        np.errstate(divide="ignore"),
        pytest.raises(tg.Error, match="an infinity in the result"),
    ):
        with tg.autograd.detect_anomaly():
            x.log()


def test_a_view_is_known_as_one(gpus):
    x = tg.zeros(2, 3, device="cuda:1")
    for view in (x[0], x.T[1], x.reshape(3, 2)[0], x[:, 1:][0]):
        assert view.version is x.version
    for copy in (x.clone()[0], x[tg.tensor([0])], x + 0, x[x > 0]):
        assert copy.version is not x.version


def test_memory_that_runs_out_is_freed_and_asked_for_again(gpus, monkeypatch):
    x, asked = tg.ones(2, device="cuda:1"), []

    def scarce(x):
        asked.append(len(gpus.freed))
        if len(asked) == 1:
            raise MemoryError
        return tanh(x)

    tanh = fake_cupy.tanh
    xp = backend.find("cuda:1")
    monkeypatch.setattr(xp, "tanh", scarce, raising=False)
    assert_close(x.tanh().cpu().numpy(), np.tanh([1.0, 1.0]), 1e-6)
    assert asked == [0, 2]  # both devices' pools were emptied in between
    assert gpus.freed == [0, 1]

    def product(x, y):
        asked.append(None)
        if len(asked) == 3:
            raise MemoryError
        return matmul(x, y)

    matmul = xp.matmul
    monkeypatch.setattr(xp, "matmul", product, raising=False)
    found = F.linear(x.reshape(1, 2), tg.ones(3, 2, device="cuda:1"))
    assert found.tolist() == [[2, 2, 2]]
    assert len(asked) == 4 and gpus.freed == [0, 1, 0, 1]


@pytest.mark.parametrize(
    ("cupy", "words"),
    [
        (
            "raise ImportError('libcuda.so.1: no such file')",
            "importing CuPy failed: libcuda.so.1",
        ),
        ("raise RuntimeError('two of them')", "importing CuPy failed: two of them"),
        (
            "__version__ = '14.9'\ndef zeros(n): raise RuntimeError('no driver')",
            "14.9 failed: no dr",
        ),
    ],
)
def test_what_is_missing_is_told(tmp_path, cupy, words):
    """By an error with the way out; asking again asks again."""
    (tmp_path / "cupy.py").write_text(cupy)
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        "import tinygrad_rnn as tg\n"
        "assert 'cupy' not in sys.modules\n"
        "assert tg.device('cuda:1').index == 1 and 'cupy' not in sys.modules\n"
        "assert not tg.cuda.is_available() and tg.cuda.device_count() == 0\n"
        "def zeros(): tg.zeros(1, device='cuda')\n"
        "for call in (zeros, tg.zeros(1).cuda, tg.cuda.synchronize):\n"
        "    try: call()\n"
        "    except tg.Error as error: print(type(error).__name__, error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 3
    for line in lines:
        assert line.startswith("OptionError tg.device: got 'cuda")
        assert words in line
        assert "tinygrad_rnn[cuda12x]" in line and "[cuda13x]" in line


@pytest.mark.parametrize(
    "command",
    [
        "sine.py --device cuda:1 --epochs 2 --steps 2 --json",
        "char_lm.py --device cuda --text hello --steps 2 --batch 8 --seq 32 --hidden 4"
        " --cell gru --json",
    ],
)
def test_examples_take_the_device(tmp_path, command):
    """The same run as on the CPU, number by number."""
    examples = Path(tg.__file__).parents[1] / "examples"
    shutil.copy(fake_cupy.__file__, tmp_path / "cupy.py")
    paths = os.pathsep.join([str(tmp_path), str(examples.parent)])
    script, _, device, *rest = command.split()
    results = []
    for place in (device, "cpu"):
        done = subprocess.run(
            [sys.executable, examples / script, "--device", place, *rest],
            env={**os.environ, "PYTHONPATH": paths, "TINYGRAD_RNN_KERNELS": "numpy"},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        values = [v for line in lines for k, v in line.items() if "chars" not in k]
        results.append([value for value in values if not isinstance(value, str)])
    assert len(results[0]) >= 3
    assert_close(*results, 1e-4)


@pytest.mark.parametrize("script", ["sine.py", "char_lm.py"])
def test_examples_without_a_gpu_say_so_in_one_line(script, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "cupy", None)
    monkeypatch.setitem(backend.libraries, "cuda", None)
    main = scripts.module(script).main
    for device, words in {"cuda:1": "cuda12x", "gpu": "expected one of"}.items():
        text = ["--text", "hello"] if script == "char_lm.py" else []
        with pytest.raises(SystemExit) as exited:
            main(["--device", device, "--steps", "1", *text])
        assert exited.value.code == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert re.search(f"error: tg.device: got '{device}'.*{words}", line)


def test_cupy_has_every_name_that_is_asked_of_it():
    """Where CuPy is installed: importing it needs no GPU."""
    cupy = pytest.importorskip("cupy", reason="CuPy is not installed")
    own = {"from_host", "to_host", "argsort"}
    asked = asked_of_backends() - set(backend.standard.__all__) - own
    assert len(asked) > 40
    assert {name for name in asked if not hasattr(cupy, name)} == set()


def test_it_is_imported_when_asked_for():
    assert importlib.util.find_spec("tinygrad_rnn.backend.cupy") is not None
    code = (
        "import sys, tinygrad_rnn as tg\n"
        "tg.zeros(2).cpu(); print('cupy' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout == "False\n"
