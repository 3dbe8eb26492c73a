"""Layers that are made wrongly: the error names the layer and the way out."""

import inspect
import pickle

import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.errors import DTypeError, OptionError

LAYERS = [
    thing
    for thing in vars(nn).values()
    if inspect.isclass(thing) and issubclass(thing, nn.Module)
]
MADE_WITH = [
    layer
    for layer in LAYERS
    if type(layer) is not type(nn.Module) and layer is not nn.Identity
]
MADE_WITH = [layer for layer in MADE_WITH if type(layer) is type(nn.Linear)]


def required(layer):
    parameters = inspect.signature(layer).parameters.values()
    return [p for p in parameters if p.default is p.empty]


@pytest.mark.parametrize("layer", MADE_WITH)
def test_an_unknown_option_is_told_by_the_layer(layer):
    name = rf"^nn\.{layer.__name__}: got an unexpected argument 'foo'; it takes \("
    with pytest.raises(DTypeError, match=name) as caught:
        layer(*[2] * len(required(layer)), foo=1)
    assert "self" not in str(caught.value) and " _" not in str(caught.value)


@pytest.mark.parametrize("layer", MADE_WITH)
def test_too_many_or_too_few_options(layer):
    with pytest.raises(
        DTypeError, match=rf"^nn\.{layer.__name__}: too many positional arguments"
    ):
        layer(*[2] * 20)
    if required(layer):
        with pytest.raises(
            DTypeError, match=rf"^nn\.{layer.__name__}: missing a required argument"
        ):
            layer()


@pytest.mark.parametrize("layer", MADE_WITH)
def test_tensors_go_into_the_call_not_into_the_construction(layer):
    x = tg.ones(2, 3)
    says = (
        rf"nn\.{layer.__name__}: got a Tensor .* construct it first, then call it: nn\."
    )
    with pytest.raises(DTypeError, match=says):
        layer(x, x)


@pytest.mark.parametrize(
    ("make", "way"),
    [
        (
            lambda x, y: nn.CrossEntropyLoss(x, y),
            "nn.CrossEntropyLoss()(input, target), or F.cross",
        ),
        (
            lambda x, y: nn.MSELoss(x, y),
            "nn.MSELoss()(input, target), or F.mse_loss(input, target)",
        ),
        (lambda x, y: nn.BCELoss(x, y), "or F.binary_cross_entropy(input, target)"),
        (lambda x, y: nn.L1Loss(x), "nn.L1Loss()(input, target)"),
        (lambda x, y: nn.ReLU(x), "nn.ReLU()(input), or F.relu(input)"),
        (
            lambda x, y: nn.Softmax(x),
            "nn.Softmax(dim)(input), or F.softmax(input, dim)",
        ),
        (lambda x, y: nn.GELU(x), "nn.GELU()(input), or F.gelu(input)"),
        (lambda x, y: nn.Flatten(x), "nn.Flatten()(input)"),
        (lambda x, y: nn.LSTM(x), "nn.LSTM(input_size, hidden_size)(input)"),
    ],
)
def test_the_way_out_is_written_down(make, way):
    with pytest.raises(DTypeError) as caught:
        make(tg.ones(2, 3), tg.tensor([0, 1]))
    assert way in str(caught.value)


def test_tensors_that_are_settings_are_taken():
    weight = tg.ones(3)
    assert nn.CrossEntropyLoss(weight).weight is weight
    with pytest.raises(OptionError, match="nn.CrossEntropyLoss: reduction is 'meen'"):
        nn.CrossEntropyLoss(weight, reduction="meen")


def test_a_users_own_constructor_says_what_python_says():
    class Model(nn.Linear):
        def __init__(self, size):
            super().__init__(size, size)

    with pytest.raises(
        TypeError, match=r"Model.__init__\(\) got an unexpected keyword"
    ) as caught:
        Model(sizes=3)
    assert not isinstance(caught.value, tg.Error)
    with pytest.raises(OptionError, match="nn.Model: in_features is 0"):
        Model(0)

    class Named(nn.LSTM):
        pass

    with pytest.raises(DTypeError, match="nn.Named: got an unexpected argument 'foo'"):
        Named(3, 4, foo=1)


@pytest.mark.parametrize(
    "make",
    [
        lambda inplace: nn.ReLU(inplace),
        lambda inplace: nn.SiLU(inplace=inplace),
        lambda inplace: nn.LeakyReLU(0.1, inplace),
        lambda inplace: nn.ELU(inplace=inplace),
        lambda inplace: nn.Dropout(0.5, inplace),
        lambda inplace: nn.functional.dropout(tg.ones(2), 0.5, True, inplace),
    ],
)
def test_in_place_is_refused_with_the_way_out(make):
    make(False)
    for inplace in (True, 1, None):
        with pytest.raises(
            OptionError, match="expected False; leave it out and take the result"
        ):
            make(inplace)


def test_the_signature_is_that_of_the_constructor():
    """For help() and editors; the type of layers has a call of its own."""
    assert list(inspect.signature(nn.LSTM).parameters)[:2] == [
        "input_size",
        "hidden_size",
    ]
    assert inspect.signature(nn.Linear).parameters["bias"].annotation is bool
    assert list(inspect.signature(nn.Tanh).parameters) == []


def test_layers_are_pickled_and_mixed_with_abstract_classes():
    from abc import ABC, abstractmethod

    class Base(ABC):
        @abstractmethod
        def size(self): ...

    class Sized(nn.GRU, Base):
        def size(self):
            return self.hidden_size

    assert Sized(2, 3).size() == 3
    layer = nn.LSTM(2, 3)
    twin = pickle.loads(pickle.dumps(layer))
    assert list(twin.state_dict()) == list(layer.state_dict())


def test_a_forward_that_a_user_wrote_raises_as_in_python():
    class Own(nn.GRU):
        def forward(self, input):
            return super().forward(input)

    with pytest.raises(
        TypeError, match="unexpected keyword argument 'length'"
    ) as caught:
        Own(3, 4)(tg.ones(2, 1, 3), length=[2])
    assert not isinstance(caught.value, tg.Error)
