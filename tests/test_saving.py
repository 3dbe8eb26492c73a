"""tg.save and tg.load: values come back as they were; files of others, and of older
versions.
"""

import io
import math
import os
import pickle
import zipfile
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given, settings
from hypothesis import strategies as st
from test_tree import any_keys, deep, same, scalars

import tinygrad_rnn as tg
from tinygrad_rnn import nn, optim
from tinygrad_rnn.errors import DTypeError
from tinygrad_rnn.serialization import save_file

FIXTURES = Path(__file__).parent / "fixtures"


def alike(a, b):
    """`same`, of trees with Tensors in them."""
    if isinstance(a, tg.Tensor):
        same_kind = isinstance(b, tg.Tensor) and a.requires_grad == b.requires_grad
        return same_kind and same(a.detach().numpy(), b.detach().numpy())
    if isinstance(a, dict):
        return (
            type(a) is type(b)
            and same(list(a), list(b))
            and alike([*a.values()], [*b.values()])
        )
    if isinstance(a, list | tuple):
        return type(a) is type(b) and len(a) == len(b) and all(map(alike, a, b))
    return same(a, b)


def round_trip(value, **how):
    file = io.BytesIO()
    tg.save(value, file)
    file.seek(0)
    return tg.load(file, **how)


def tensor_of(values, needs_grad):
    return tg.tensor(values, requires_grad=needs_grad)


tensors = st.builds(tensor_of, st.lists(st.floats(width=32), max_size=3), st.booleans())
tensors |= st.builds(tg.tensor, st.lists(st.integers(0, 9), max_size=3))
leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4)
leaves |= st.binary(max_size=4)
values = st.recursive(
    leaves | scalars | tensors,
    lambda inner: (
        st.dictionaries(any_keys, inner, max_size=4)
        | st.dictionaries(any_keys, inner, max_size=4).map(OrderedDict)
        | st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
    ),
    max_leaves=12,
)


@given(values)
@settings(max_examples=100)
def test_what_is_saved_comes_back(value):
    assert alike(round_trip(value), value)


def test_a_state_dict_is_saved_and_loaded_as_in_pytorch(tmp_path):
    tg.manual_seed(0)
    model, other = nn.GRU(3, 4), nn.GRU(3, 4)
    for path in (tmp_path / "model.safetensors", str(tmp_path / "model.pt")):
        tg.save(model.state_dict(), path)
        other.load_state_dict(tg.load(path))
        assert alike(other.state_dict(), model.state_dict())
        assert list(safetensors.numpy.load_file(path)) == sorted(model.state_dict())


def test_the_usual_checkpoint_of_pytorch(tmp_path):
    """A dict of state_dicts, where the optimizer's has ints for keys."""
    tg.manual_seed(0)

    def run():
        model = nn.Linear(3, 2)
        optimizer = optim.Adam(model.parameters(), lr=0.1)
        return model, optimizer, optim.lr_scheduler.StepLR(optimizer, 2)

    def step(model, optimizer, scheduler):
        optimizer.zero_grad()
        model(tg.ones(1, 3)).sum().backward()
        optimizer.step()
        scheduler.step()

    parts, others = run(), run()
    step(*parts)
    step(*parts)
    names = ["model", "optimizer", "scheduler"]
    states = {name: part.state_dict() for name, part in zip(names, parts, strict=True)}
    tg.save({"epoch": 3, **states, "losses": [np.float32(0.5)]}, tmp_path / "run.pt")
    found = tg.load(tmp_path / "run.pt", weights_only=True)
    assert alike(found["optimizer"], states["optimizer"])
    assert found["epoch"] == 3
    for name, part in zip(names, others, strict=True):
        part.load_state_dict(found[name])
    step(*parts)
    step(*others)
    assert alike(others[0].state_dict(), parts[0].state_dict())


def test_a_saved_state_is_a_copy(tmp_path):
    model = nn.Linear(2, 1)
    before = model.weight.tolist()
    tg.save(model.state_dict(), tmp_path / "best")
    with tg.no_grad():
        model.weight.add_(1.0)
    assert model.weight.tolist() != before
    model.load_state_dict(tg.load(tmp_path / "best"))
    assert model.weight.tolist() == before


# ------------------------------------------------------------ shared stays shared


def test_an_object_that_is_held_twice_comes_back_as_one():
    tensor, array = tg.ones(2), np.zeros(2)
    plain, items, ordered = {"a": 1}, [tensor], OrderedDict(b=tensor)
    things = [tensor, array, plain, items, ordered]
    found = round_trip({"first": things, "again": (tuple(things), {0: things})})
    for i in range(5):
        assert found["first"][i] is found["again"][0][i]
    assert found["again"][1][0] is found["first"]
    assert found["first"][3][0] is found["first"][4]["b"] is found["first"][0]
    assert alike(found["first"], things)


def test_equal_values_that_are_not_the_same_stay_apart():
    found = round_trip([tg.ones(2), tg.ones(2), [1], [1], {}, {}])
    assert len({id(part) for part in found}) == 6
    found[0].fill_(5.0)
    assert found[1].tolist() == [1.0, 1.0]


def test_tensors_of_one_memory_share_it_again(tmp_path):
    weight = nn.Parameter(tg.ones(2, 3))
    model = nn.Module()
    model.one, model.two = weight, weight
    tg.save(model.state_dict(), tmp_path / "tied")
    found = tg.load(tmp_path / "tied")
    assert found["one"] is not found["two"]
    found["one"].fill_(7.0)
    assert found["two"].tolist() == [[7.0] * 3] * 2
    assert list(safetensors.numpy.load_file(tmp_path / "tied")) == ["one"]
    model.load_state_dict(found)
    assert model.one is model.two and weight.tolist() == [[7.0] * 3] * 2


def test_a_change_through_one_of_them_is_counted():
    x = tg.ones(2, requires_grad=True)
    found = round_trip([x, x.detach()])
    loss = (found[0] * found[0]).sum()
    found[1].fill_(3.0)
    with pytest.raises(RuntimeError, match="changed"):
        loss.backward()


@pytest.mark.parametrize(
    "view",
    [
        lambda x: x[0],
        lambda x: x.T,
        lambda x: x[:, 1:],
        lambda x: x.reshape(4),
        lambda x: x.flip(0),
        lambda x: x[0].expand(2, 2),
    ],
)
def test_other_views_come_back_with_their_own_values(view):
    x = tg.tensor([[1.0, 2.0], [3.0, 4.0]])
    found = round_trip({"x": x, "view": view(x)})
    assert alike(found, {"x": x, "view": view(x)})
    found["x"].fill_(9.0)
    assert alike(found["view"], view(x))


def test_whether_a_gradient_is_wanted_is_kept_and_histories_are_not():
    x = tg.ones(2, requires_grad=True)
    found = round_trip(
        {"leaf": x, "plain": tg.ones(2), "made": x * 2.0, "p": nn.Parameter(x)}
    )
    assert {name: part.requires_grad for name, part in found.items()} == {
        "leaf": True,
        "plain": False,
        "made": False,
        "p": True,
    }
    assert found["made"].tolist() == [2.0, 2.0]
    assert all(part.is_leaf and part.grad is None for part in found.values())


# ------------------------------------------------------------ open files and devices


def test_files_that_are_open(tmp_path):
    state = nn.Linear(2, 3).state_dict()
    path = tmp_path / "open"
    with open(path, "wb") as file:
        tg.save(state, file)
    assert (
        path.read_bytes()
        == (tg.save(state, tmp_path / "p"), (tmp_path / "p").read_bytes())[1]
    )
    for buffering in (0, -1):
        with open(path, "rb", buffering) as file:
            assert alike(tg.load(file), state)
    with zipfile.ZipFile(tmp_path / "z", "w") as archive:
        with archive.open("inside", "w") as file:
            tg.save(state, file)
        with archive.open("inside") as file:
            assert alike(tg.load(file), state)


def test_a_file_that_takes_a_part_of_what_is_written():
    class Slow(io.RawIOBase):
        taken = b""

        def writable(self):
            return True

        def write(self, data):
            self.taken += bytes(data[:100])
            return min(100, len(data))

    file = Slow()
    tg.save([1, tg.ones(99)], file)
    assert alike(tg.load(io.BytesIO(file.taken)), [1, tg.ones(99)])


def test_checkpoints_and_weights_go_to_open_files_too():
    model, other, file = nn.Linear(2, 3), nn.Linear(2, 3), io.BytesIO()
    tg.save_checkpoint(file, model, step=4)
    file.seek(0)
    assert tg.load_checkpoint(file, other).step == 4
    assert alike(other.state_dict(), model.state_dict())
    other, file = nn.Linear(2, 3), io.BytesIO()
    model.save_weights(file)
    file.seek(0)
    other.load_weights(file)
    assert alike(other.state_dict(), model.state_dict())


def test_map_location_is_a_device(device):
    x = tg.ones(2, device=device)
    assert round_trip({"x": x})["x"].device == "cpu"
    found = round_trip({"x": x, "y": [x.detach()]}, map_location=device)
    assert found["x"].device == found["y"][0].device == x.device
    for wrong in ({"cuda:0": "cpu"}, lambda storage, place: storage):
        with pytest.raises(
            DTypeError, match="map_location is .*, expected a device such as"
        ):
            round_trip(x, map_location=wrong)


def test_files_of_other_tools_are_dicts_of_tensors(tmp_path):
    theirs = {"b": np.arange(3, dtype=np.int16), "a": np.ones((2, 2), np.float16)}
    safetensors.numpy.save_file(theirs, tmp_path / "theirs")
    found = tg.load(tmp_path / "theirs")
    assert {name: str(t.dtype) for name, t in found.items()} == {
        "a": "float32",
        "b": "int16",
    }
    assert alike(found["a"], tg.ones(2, 2))
    nn.Linear(2, 3).save_weights(tmp_path / "weights")
    assert sorted(tg.load(tmp_path / "weights")) == ["bias", "weight"]


def test_half_weights_load_into_a_model(tmp_path):
    halves = {
        "weight": np.array([[0.1, -65504.0, 6e-8]], np.float16),
        "bias": np.zeros(1, np.float16),
    }
    safetensors.numpy.save_file(halves, tmp_path / "halves")
    model = nn.Linear(3, 1)
    model.load_weights(tmp_path / "halves")
    assert np.array_equal(
        model.weight.detach().numpy(), halves["weight"].astype(np.float32)
    )


# ---------------------------------------------------------------- what is refused


class Step(nn.Module):
    pass


REFUSED = [
    (nn.Linear(2, 3), r"^save: obj is a .*Linear, .*; save its \.state_dict\(\)$"),
    ({"model": Step()}, r"^save: 'model' is a .*Step, .*; save its \.state_dict\(\)$"),
    ([optim.SGD([tg.ones(1)], lr=1.0)], r"^save: '0' is a .*SGD, .*\.state_dict\(\)$"),
    (
        optim.lr_scheduler.StepLR(optim.SGD([tg.ones(1)], lr=1.0), 2),
        r"StepLR.*\.state_dict\(\)$",
    ),
    ({"g": tg.Generator()}, r"'g' is a .*Generator, .*; save its \.get_state\(\)$"),
    ({"f": math.sin}, r"'f' is a .*; code is never saved$"),
    ({"f": Step}, r"'f' is a builtins.type, .*code is never saved$"),
    (
        {"device": tg.ones(1).device},
        r"'device' is a .*device, expected exactly a dict.*; str\(\.\.\.\) makes one$",
    ),
    ({"a": {1, 2}}, "'a' is a builtins.set"),
    ({"a": {"b": [bytearray(b"x")]}}, "'a/b/0' is a builtins.bytearray"),
]


@pytest.mark.parametrize(
    ("value", "words"), REFUSED, ids=[words for _, words in REFUSED]
)
def test_what_no_file_can_hold_is_named(tmp_path, value, words):
    path = tmp_path / "file"
    tg.save(1, path)
    with pytest.raises(DTypeError, match=words):
        tg.save(value, path)
    assert tg.load(path) == 1
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (
            lambda p: tg.save("x", {}),
            TypeError,
            "cannot save: path is dict, expected a str.*write",
        ),
        (
            lambda p: tg.load(3),
            TypeError,
            "cannot load: path is int, expected a str, .*read",
        ),
        (
            lambda p: tg.save(1, io.StringIO()),
            TypeError,
            "a file of text.*open it by .*'wb'",
        ),
        (
            lambda p: tg.load(io.StringIO()),
            TypeError,
            "a file of text.*open it by .*'rb'",
        ),
        (lambda p: tg.load(io.BytesIO()), ValueError, r"'BytesIO': .*file.seek\(0\)"),
        (
            lambda p: tg.load(p / "no"),
            FileNotFoundError,
            "cannot load .*check the name",
        ),
        (
            lambda p: tg.load(p / "no", weights_only=3),
            TypeError,
            "load: weights_only is int",
        ),
        (
            lambda p: tg.load(p / "no", map_location=3),
            TypeError,
            "load: map_location is int",
        ),
        (lambda p: tg.load(p / "no", "cuda:99"), ValueError, "'cuda:99'"),
        (lambda p: tg.save(1, p), ValueError, "it is a folder"),
    ],
)
def test_wrong_calls(tmp_path, call, error, words):
    with pytest.raises(error, match=words) as caught:
        call(tmp_path)
    assert isinstance(caught.value, tg.Error)


def test_each_reader_says_whose_a_file_is(tmp_path):
    model = nn.Linear(2, 3)
    saved, run, weights = tmp_path / "saved", tmp_path / "run", tmp_path / "weights"
    tg.save(model.state_dict(), saved)
    tg.save_checkpoint(run, model)
    model.save_weights(weights)
    for call, words in (
        (
            lambda: tg.load(run),
            r"'.*run': it is a checkpoint; tg.load_checkpoint\(path, model\)",
        ),
        (
            lambda: tg.load_checkpoint(saved, model),
            r"holds what tg.save wrote; tg.load\(path\)",
        ),
        (
            lambda: tg.load_checkpoint(weights, model),
            r"but no checkpoint; model.load_weights",
        ),
        (
            lambda: model.load_weights(saved),
            r"model.load_state_dict\(tg.load\(path\)\)",
        ),
        (lambda: model.load_weights(run), r"is a checkpoint; tg.load_checkpoint"),
    ):
        with pytest.raises(tg.CheckpointError, match=words):
            call()


def bytes_of(write):
    file = io.BytesIO()
    write(file)
    return file.getvalue()


def zip_of(name):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(name, b"x" * 99)
    return file.getvalue()


OTHER_KINDS = {
    "npz": (
        bytes_of(lambda f: np.savez(f, w=np.ones(9))),
        r"numpy.savez.*dict\(numpy.load\(path",
    ),
    "npz, small": (
        bytes_of(lambda f: np.savez_compressed(f, w=np.ones(9))),
        r"numpy.savez writes",
    ),
    "npy": (
        bytes_of(lambda f: np.save(f, np.ones(9))),
        r"numpy.save writes; .*numpy.load\(path\)",
    ),
    "torch": (
        zip_of("archive/data.pkl"),
        r"as torch.save writes.*load_state_dict\(state_dict\)",
    ),
    "old torch": (
        pickle.dumps({"w": [1.0] * 9}, 2),
        r"a pickle, as torch.save once wrote, .*code",
    ),
    "pickle": (pickle.dumps({"w": [1.0] * 9}), r"a pickle"),
    "hdf5": (b"\x89HDF\r\n\x1a\n" + bytes(99), r"HDF5 file, as Keras"),
}


@pytest.mark.parametrize("kind", OTHER_KINDS)
def test_files_of_another_kind_say_what_they_are(tmp_path, kind):
    content, words = OTHER_KINDS[kind]
    path = tmp_path / "x.npz"
    path.write_bytes(content)
    model = nn.Linear(3, 3)
    for load in (model.load_weights, tg.load, tg.load_checkpoint):
        with pytest.raises(tg.CheckpointError, match=words):
            load(path)
        with pytest.raises(tg.CheckpointError, match=words):
            load(io.BytesIO(content))


def test_what_the_message_about_an_archive_of_numpy_says_works(tmp_path):
    model, other = nn.Linear(2, 3), nn.Linear(2, 3)
    np.savez(
        tmp_path / "w.npz", **{k: t.numpy() for k, t in model.state_dict().items()}
    )
    other.load_state_dict(dict(np.load(tmp_path / "w.npz")))
    assert alike(other.state_dict(), model.state_dict())


@pytest.mark.parametrize(
    "node",
    [
        {"$tensor": "b"},
        {"$leaf": "ids"},
        {"$same": "no"},
        {"$dict": [[[], 1]]},
        {"$scalar": ["object", "00"]},
        deep(101),
        {"$other": 1},
    ],
)
def test_trees_that_save_did_not_write(tmp_path, node):
    save_file(tmp_path / "bad", {"ids": np.zeros(2, int)}, {"saved": node})
    with pytest.raises(tg.CheckpointError, match=r"^cannot load '.*bad': unflatten"):
        tg.load(tmp_path / "bad")


# ---------------------------------------------------------------- files of version 0.1


class Model(nn.Module):
    """What the fixtures were written of."""

    def __init__(self):
        super().__init__()
        self.rnn = nn.LSTM(5, 3, num_layers=2)
        self.head = nn.Linear(3, 5)
        self.register_buffer("scale", tg.tensor([0, 0]))


BIAS = [-0.07199782133102417, 0.06934260576963425, 0.5447296500205994]


def test_weights_of_version_0_1_load():
    for load in (
        lambda model, path: model.load_weights(path),
        lambda model, path: model.load_state_dict(tg.load(path)),
    ):
        model = Model()
        load(model, FIXTURES / "weights-0.1.0.safetensors")
        assert model.scale.tolist() == [1, 2]


def test_a_checkpoint_of_version_0_1_loads_and_goes_on():
    model = Model()
    optimizer = optim.Adam(model.parameters(), lr=0.5)
    scheduler = optim.lr_scheduler.CosineAnnealingLR(optimizer, 3)
    path = FIXTURES / "checkpoint-0.1.0.safetensors"
    step, extra = tg.load_checkpoint(path, model, optimizer, scheduler)
    assert step == scheduler.last_epoch == 3
    assert scheduler.T_max == 10
    assert tg.rand(1).item() == pytest.approx(0.05496162176132202, rel=1e-6)
    assert extra["odd"] == (None, True, 2**60, math.inf, -0.0, "é")
    assert extra["$key"] == [1.5]
    assert extra["np"] == 0.5
    assert alike(extra["a/b"], {"~": tg.arange(3)})
    assert extra["streams"]["drawn"] == 1
    assert all(isinstance(part, tg.Tensor) for part in extra["state"])
    state, losses = extra["state"], []
    ids = tg.tensor([[0, 1], [2, 3], [4, 0], [1, 2]])
    for _ in range(3):  # as the run that wrote it went on
        output, _ = model.rnn(ids[:-1], state)
        logits = model.head(output).flatten(0, 1)
        loss = nn.functional.cross_entropy(logits, ids[1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step()
        losses.append(loss.item())
    assert losses == pytest.approx([1.5590518712, 1.5480123758, 1.5359144211], rel=1e-5)
    assert model.head.bias.tolist()[:3] == pytest.approx(BIAS, rel=1e-4)


def test_a_newer_version_says_to_update(tmp_path):
    tg.save([1], tmp_path / "file")
    content = (tmp_path / "file").read_bytes()
    (tmp_path / "file").write_bytes(
        content.replace(b"tinygrad_rnn/2 ", b"tinygrad_rnn/3 ")
    )
    with pytest.raises(
        tg.CheckpointError, match="version 3; .* reads 1 and 2: update tinygrad_rnn"
    ):
        tg.load(tmp_path / "file")


# ---------------------------------------------------------------- extra


def test_extra_comes_back_as_it_was(tmp_path):
    weight = tg.ones(2)
    extra = {
        0: {None: np.float32(1.5), True: OrderedDict(a=[weight])},
        2.5: (weight, np.arange(3)),
        "streams": {"drawn": 7},
    }
    tg.save_checkpoint(tmp_path / "run", nn.Linear(1, 1), extra=extra)
    found = tg.load_checkpoint(tmp_path / "run").extra
    assert alike(found, extra)
    assert found[2.5][0] is found[0][True]["a"][0]


@pytest.mark.parametrize(
    "name", ["float32", "float64", "int64", "int32", "uint8", "bool"]
)
def test_what_is_loaded_is_of_the_very_dtype(name, tmp_path):
    dtype = getattr(tg, name)
    saved = {"t": tg.ones(2, dtype=dtype), "a": np.ones(2, dtype)}
    tg.save(saved, tmp_path / "x")
    loaded = tg.load(tmp_path / "x")
    assert loaded["t"].dtype is loaded["a"].dtype is dtype


def test_a_key_that_safetensors_keeps_for_itself():
    tree = {
        "__metadata__": tg.ones(2),
        "__metadata__~": tg.zeros(1),
        "x": {"__metadata__": tg.ones(1)},
    }
    assert alike(round_trip(tree), tree)


def test_values_that_a_dict_makes_when_it_is_asked_stay_apart():
    class Made(dict):
        def items(self):
            return ((key, [value]) for key, value in super().items())

    assert round_trip(Made({key: key for key in "abcd"})) == {
        key: [key] for key in "abcd"
    }


WRONG_FILES = [
    (b"", "it is empty"),
    (b"The quick brown fox.\n", "it looks like text"),
    (b"a,b\r\n1,2\r\n", "it looks like text"),
    (b"x", "it looks like text"),
    ("né pour lire ".encode() * 20, "it looks like text"),
    (bytes(9) + b"text", "cannot load"),
    (b"\xff\xfe\x00\x01" * 9, "it is cut short or not a safetensors file"),
]


@pytest.mark.parametrize(("content", "words"), WRONG_FILES)
def test_a_file_of_another_kind_is_named(content, words, tmp_path):
    path = tmp_path / "mine.txt"
    path.write_bytes(content)
    with pytest.raises(tg.CheckpointError, match=words) as caught:
        tg.load(path)
    assert str(path) in str(caught.value)


SAVES = [
    lambda x, path: tg.save(x.state_dict(), path),
    lambda x, path: x.save_weights(path),
]


@pytest.mark.parametrize("save", SAVES)
def test_a_missing_folder_is_told_by_the_path_that_was_given(save, tmp_path):
    path = tmp_path / "missing" / "mine"
    with pytest.raises(FileNotFoundError) as caught:
        save(nn.Linear(1, 1), path)
    assert str(path) in str(caught.value)
    assert ".tmp" not in str(caught.value)
