"""Runs a program that was written for PyTorch, with PyTorch or with this package.

Only the imports of a program in ``programs/`` change. It reads as its author would
write it, except for what has to be equal in two runs: its ``main(given, steps)`` takes
data, initial weights, orders and noise from :class:`Given`, and returns the losses,
which it would have printed, and the model.

``python tests/ports/ported.py`` writes the first losses in PyTorch to losses.json. The
default tests, which run without PyTorch, compare with these.
"""

import json
import re
import runpy
import tempfile
from importlib import import_module
from pathlib import Path

import numpy as np

RECORDED = Path(__file__).parent / "losses.json"
FEW = 6  # steps, of what is recorded
PROGRAMS = {
    path.stem: path
    for path in sorted((Path(__file__).parent / "programs").glob("*.py"))
}


def with_our_imports(code: str) -> str:
    """Return the code with this package where it imports PyTorch."""
    code = re.sub(r"^(\s*import) torch$", r"\1 tinygrad_rnn as torch", code, flags=re.M)
    return re.sub(
        r"^(\s*(?:import|from)) torch\b(?=[. ])", r"\1 tinygrad_rnn", code, flags=re.M
    )


class Given:
    """Arrays drawn from one seed, the same for every package."""

    def __init__(self, torch, seed=0):
        self.torch = torch
        self.generator = np.random.Generator(np.random.PCG64(seed))

    def uniform(self, *shape, low=0.0, high=1.0):
        return low + (high - low) * self.generator.random(shape)

    def chance(self):
        """Draw one number in [0, 1)."""
        return float(self.uniform())

    def integers(self, low, high, *shape):
        return np.floor(self.uniform(*shape, low=low, high=high)).astype(np.int64)

    def order(self, count):
        """Return the numbers below ``count``, shuffled."""
        return np.argsort(self.uniform(count)).tolist()

    def keep(self, share, *shape):
        """Draw a mask that is true for this share of the elements."""
        return self.uniform(*shape) < share

    def first_weights(self, model, bound=0.3):
        """Overwrite the weights that the model has drawn itself."""
        with self.torch.no_grad():
            for parameter in model.parameters():
                weights = self.uniform(*parameter.shape, low=-bound, high=bound)
                parameter.copy_(self.torch.from_numpy(np.asarray(weights)))


def run(name, package, steps, tmp_path):
    """Return the losses of a program's first steps, and its final weights by name."""
    torch = import_module(package)
    code = PROGRAMS[name].read_text(encoding="utf-8")
    if package == "torch":
        torch.set_num_threads(1)  # more only wait for each other
    if package == "tinygrad_rnn":
        code = with_our_imports(code)
        assert not re.search(r"^\s*(import|from) torch\b", code, re.M)
    path = tmp_path / f"{package}_{name}.py"
    path.write_text(code, encoding="utf-8")
    torch.set_default_dtype(torch.float64)
    try:
        losses, model = runpy.run_path(str(path))["main"](Given(torch), steps)
    finally:
        torch.set_default_dtype(torch.float32)
    weights = {key: value.detach().numpy() for key, value in model.state_dict().items()}
    return losses, weights


def record():
    with tempfile.TemporaryDirectory() as folder:
        losses = {name: run(name, "torch", FEW, Path(folder))[0] for name in PROGRAMS}
    RECORDED.write_text(json.dumps(losses, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    record()
