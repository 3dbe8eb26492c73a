"""The recipe that loads PyTorch's weights, with PyTorch itself."""

import re
from pathlib import Path

import pytest

import tinygrad_rnn as tg

torch = pytest.importorskip("torch")
safetensors_torch = pytest.importorskip("safetensors.torch")

pytestmark = pytest.mark.parity

PAGE = Path(__file__).parent.parent / "docs" / "recipes" / "pytorch-weights.md"


def tagger(lib):
    """Return a model of the class that the page shows, of one library."""
    text = PAGE.read_text(encoding="utf-8")
    source = re.search(r"^class Tagger.*?(?=^#)", text, re.M | re.S)
    namespace = {"nn": lib.nn}
    exec(source[0], namespace)
    return namespace["Tagger"](words=100, tags=5)


def test_pytorch_weights_give_the_same_scores_in_both_directions(tmp_path):
    torch.manual_seed(0)
    theirs, ours = tagger(torch), tagger(tg)
    ids = torch.randint(0, 100, (7, 3))
    path = tmp_path / "weights.safetensors"

    def difference():
        scores = ours(tg.tensor(ids.numpy())).detach().numpy()
        return abs(scores - theirs(ids).detach().numpy()).max()

    assert difference() > 0.01
    safetensors_torch.save_file(theirs.state_dict(), path)
    ours.load_weights(path)
    assert difference() < 1e-5

    for param in ours.parameters():
        param.detach().add_(0.1 * tg.randn(*param.shape))
    assert difference() > 0.01
    ours.save_weights(path)
    theirs.load_state_dict(safetensors_torch.load_file(path))
    assert difference() < 1e-5
