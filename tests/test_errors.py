"""Wrong calls, a row each: what is raised, what the message must say, and that nothing changed."""

import math
from collections import OrderedDict

import numpy as np
import pytest

import tinygrad_rnn as tg
import tinygrad_rnn.nn.functional as F
from tinygrad_rnn import nn, optim
from tinygrad_rnn.errors import (
    CheckpointError,
    DTypeError,
    GraphError,
    IdError,
    OptionError,
    ShapeError,
)
from tinygrad_rnn.nn import init
from tinygrad_rnn.nn.utils import clip_grad_norm_, clip_grad_value_, get_total_norm

NAN, INF = math.nan, math.inf
f64, i64 = tg.float64, tg.int64


class World:
    """Something of everything, in the midst of training, for wrong calls to leave as it is."""

    def __init__(self):
        tg.manual_seed(0)
        self.rnn = nn.RNN(3, 2, num_layers=2)
        self.cell = nn.RNNCell(3, 2)
        self.linear = nn.Linear(3, 2)
        self.embedding = nn.Embedding(4, 2, padding_idx=0)
        self.sequential = nn.Sequential(nn.Linear(3, 2), nn.Dropout(0.5))
        self.model = nn.Sequential(self.rnn, self.cell, self.linear, self.embedding, self.sequential)
        self.linear.register_buffer("scale", tg.ones(2))
        self.weight = self.linear.weight
        params = list(self.model.parameters())
        self.adam = optim.Adam(params[:4], amsgrad=True)
        self.sgd = optim.SGD(params[4:], momentum=0.9)
        for p in params:
            p.grad = tg.ones_like(p)
        self.adam.step()
        self.sgd.step()
        self.x = tg.ones(4, 2, 3, requires_grad=True)
        self.used = (self.x * 2.0).sum()
        self.used.backward()

    def everything(self):
        """What a wrong call could have changed, as comparable values."""
        tensors = [*self.model.state_dict().values(), *(p.grad for p in self.model.parameters())]
        tensors += [self.x, self.x.grad]
        states = [self.adam.state_dict(), self.sgd.state_dict()]
        kept = [entry for state in states for entry in state["state"].values()]
        tensors += [value for entry in kept for value in entry.values() if value is not entry["step"]]
        return [
            [(t.numpy().tobytes(), t.shape, str(t.dtype), t.version[0]) for t in tensors],
            [(t.requires_grad, t.is_leaf) for t in (*self.model.parameters(), self.x)],
            [entry["step"] for entry in kept],
            [state["param_groups"] for state in states],
            [len(o.param_groups) for o in (self.adam, self.sgd)],
            [sorted(module.__dict__) for module in self.model.modules()],
            [module.training for module in self.model.modules()],
            tg.random.default_generator.get_state().tolist(),
            str(tg.get_default_dtype()),
            tg.is_grad_enabled(),
        ]


def state_of(optimizer, **entry):
    """The state of an optimizer, with another entry for its first parameter."""
    state = optimizer.state_dict()
    state["state"][0] = {**state["state"][0], **entry}
    return state


def options_of(optimizer, **options):
    state = optimizer.state_dict()
    state["param_groups"][0].update(options)
    return state


def arrays(module):
    return {name: value.numpy() for name, value in module.state_dict().items()}


LAYERS = [
    # nn.Linear
    (lambda w: nn.Linear(0, 2), OptionError, "nn.Linear: in_features is 0, expected at least 1"),
    (lambda w: nn.Linear(3, -1), OptionError, "nn.Linear: out_features is -1"),
    (lambda w: nn.Linear(3.0, 2), DTypeError, "nn.Linear: in_features is 3.0, expected an integer"),
    (lambda w: nn.Linear("3", 2), DTypeError, "nn.Linear: in_features is '3'"),
    (lambda w: nn.Linear(True, 2), DTypeError, "nn.Linear: in_features is True"),
    (
        lambda w: w.linear(tg.zeros(2, 4)),
        ShapeError,
        "nn.Linear: input has 4 features in its last dimension, expected in_features=3",
        "(2, 4)",
    ),
    (lambda w: w.linear(tg.tensor(1.0)), ShapeError, "nn.Linear: input has no features"),
    (lambda w: w.linear(tg.zeros(2, 3, dtype=f64)), DTypeError, "nn.Linear", "float64", ".float()"),
    (lambda w: w.linear(tg.zeros(2, 3, dtype=i64)), DTypeError, "nn.Linear", "int64", ".float()"),
    (lambda w: w.linear(np.zeros((2, 3), "f")), DTypeError, "nn.Linear: input is ndarray", "Tensor"),
    (lambda w: w.linear([[0.0, 0.0, 0.0]]), DTypeError, "nn.Linear: input is list", "as_tensor"),
    (lambda w: w.linear(None), DTypeError, "nn.Linear: input is NoneType"),
    (lambda w: F.linear(w.x, tg.ones(3)), ShapeError, "linear: weight has shape (3,)"),
    (lambda w: F.linear(w.x, w.weight, tg.ones(1)), ShapeError, "linear: bias", "(1,)", "(2,)"),
    (lambda w: F.linear(w.x, w.weight, tg.ones(2, dtype=f64)), ShapeError, "linear: bias is float64"),
    # nn.Embedding
    (lambda w: nn.Embedding(0, 2), OptionError, "nn.Embedding: num_embeddings is 0"),
    (lambda w: nn.Embedding(2, 0), OptionError, "nn.Embedding: embedding_dim is 0"),
    (lambda w: nn.Embedding(4, 2, 4), OptionError, "padding_idx is 4", "num_embeddings=4"),
    (lambda w: nn.Embedding(4, 2, -5), OptionError, "nn.Embedding: padding_idx is -5"),
    (lambda w: nn.Embedding(4, 2, 1.0), DTypeError, "nn.Embedding: padding_idx is 1.0", "integer"),
    (lambda w: w.embedding(tg.tensor([0, 4])), IdError, "nn.Embedding", "4 at (1,)", "[0, 4)"),
    (lambda w: w.embedding(tg.tensor([[0], [-1]])), IdError, "nn.Embedding", "-1 at (1, 0)"),
    (lambda w: w.embedding(tg.tensor([0.0])), DTypeError, "nn.Embedding: input is float32", ".long()"),
    (lambda w: w.embedding(tg.tensor([True])), DTypeError, "nn.Embedding: input is bool"),
    (lambda w: w.embedding([0, 1]), DTypeError, "nn.Embedding: input is list"),
    (lambda w: w.embedding(2), DTypeError, "nn.Embedding: input is int"),
    (lambda w: F.embedding(tg.tensor([0]), tg.ones(3, 2), 3), OptionError, "embedding: padding_idx is 3"),
    # nn.Dropout
    (lambda w: nn.Dropout(1.5), OptionError, "nn.Dropout: p is 1.5, expected a number from 0 to 1"),
    (lambda w: nn.Dropout(-0.1), OptionError, "nn.Dropout: p is -0.1"),
    (lambda w: nn.Dropout(NAN), OptionError, "nn.Dropout: p is nan"),
    (lambda w: nn.Dropout("half"), OptionError, "nn.Dropout: p is 'half'"),
    (lambda w: nn.Dropout()([1.0]), DTypeError, "dropout: input is list"),
    (lambda w: nn.Dropout()(tg.tensor([1, 2])), DTypeError, "dropout: input is int64", "float"),
    (lambda w: F.dropout(w.x, 2), OptionError, "dropout: p is 2"),
    (lambda w: F.dropout(w.x, generator=np.random.default_rng()), DTypeError, "generator", "tinygrad_rnn.Generator"),
    # nn.Sequential
    (lambda w: nn.Sequential(nn.Tanh(), 3), DTypeError, "nn.Sequential: 1 is int, expected a Module"),
    (lambda w: nn.Sequential([nn.Tanh()]), DTypeError, "nn.Sequential: 0 is list"),
    (lambda w: nn.Sequential(OrderedDict({"a.b": nn.Tanh()})), OptionError, "nn.Sequential", "'a.b'", "dot"),
    (lambda w: w.sequential[2], IdError, "nn.Sequential: index 2 of 2 modules"),
    (lambda w: w.sequential["0"], DTypeError, "nn.Sequential: index '0'", "integer or a slice"),
    # one_hot
    (lambda w: F.one_hot(tg.tensor([0.0])), DTypeError, "one_hot", ".long()"),
    (lambda w: F.one_hot(tg.tensor([3]), 3), IdError, "one_hot", "3 at (0,)", "[0, 3)"),
    (lambda w: F.one_hot(tg.zeros(0, dtype=i64)), OptionError, "one_hot", "num_classes"),
]

RECURRENT = [
    # nn.RNN, built wrongly
    (lambda w: nn.RNN(0, 2), OptionError, "nn.RNN: input_size is 0, expected at least 1"),
    (lambda w: nn.RNN(3, 0), OptionError, "nn.RNN: hidden_size is 0"),
    (lambda w: nn.RNN(3, 2, 0), OptionError, "nn.RNN: num_layers is 0"),
    (lambda w: nn.RNN(3, 2.5), DTypeError, "nn.RNN: hidden_size is 2.5, expected an integer"),
    (lambda w: nn.RNN(3, 2, nonlinearity="sigmoid"), OptionError, "nonlinearity is 'sigmoid'", "'relu'"),
    (lambda w: nn.RNN(3, 2, nonlinearity=["tanh"]), OptionError, "nn.RNN: nonlinearity is ['tanh']"),
    (lambda w: nn.RNN(3, 2, dropout=1.5), OptionError, "nn.RNN: dropout is 1.5", "from 0 to 1"),
    (lambda w: nn.RNN(3, 2, dropout=NAN), OptionError, "nn.RNN: dropout is nan"),
    # nn.RNN, its input
    (
        lambda w: w.rnn(tg.zeros(4, 2, 5)),
        ShapeError,
        "nn.RNN: input has 5 features in its last dimension, expected input_size=3",
        "(input shape (4, 2, 5))",
    ),
    (lambda w: w.rnn(tg.zeros(4, 2, 3, 1)), ShapeError, "nn.RNN: input has shape (4, 2, 3, 1)", "3 dims"),
    (lambda w: w.rnn(tg.zeros(3)), ShapeError, "nn.RNN: input has shape (3,)"),
    (lambda w: w.rnn(tg.zeros(0, 2, 3)), ShapeError, "nn.RNN: input has no steps", "T >= 1"),
    (lambda w: w.rnn(tg.zeros(0, 2, dtype=i64)), ShapeError, "nn.RNN: input has no steps"),
    (lambda w: w.rnn(tg.zeros(4, 2, 3, dtype=f64)), DTypeError, "nn.RNN: input is float64", ".float()"),
    (lambda w: w.rnn(tg.zeros(4, 2, 3, dtype=i64)), DTypeError, "nn.RNN: input is int64", ".float()", "ids have 2 dims"),
    (lambda w: w.rnn(tg.tensor([[True]])), DTypeError, "nn.RNN: input is bool"),
    (lambda w: w.rnn(np.zeros((4, 2, 3))), DTypeError, "nn.RNN: input is ndarray", "as_tensor"),
    (lambda w: w.rnn(tg.tensor([[0, 3]])), IdError, "nn.RNN: input has 3 at (0, 1), expected ids in [0, 3)"),
    (lambda w: w.rnn(tg.tensor([0, -1])), IdError, "nn.RNN: input has -1 at (1,)"),
    # nn.RNN, its state and lengths
    (lambda w: w.rnn(w.x, tg.zeros(1, 2, 2)), ShapeError, "nn.RNN: h_0 has shape (1, 2, 2), expected (2, 2, 2)", "batch_first"),
    (lambda w: w.rnn(w.x, tg.zeros(2, 2)), ShapeError, "nn.RNN: h_0 has shape (2, 2)"),
    (lambda w: w.rnn(w.x[:, 0], tg.zeros(2, 1, 2)), ShapeError, "nn.RNN: h_0", "expected (2, 2)"),
    (lambda w: w.rnn(w.x, tg.zeros(2, 2, 2, dtype=f64)), DTypeError, "nn.RNN: h_0 is float64, expected a float32"),
    (lambda w: w.rnn(w.x, np.zeros((2, 2, 2), "f")), DTypeError, "nn.RNN: h_0 is ndarray"),
    (lambda w: w.rnn(w.x, (tg.zeros(2, 2, 2),)), DTypeError, "nn.RNN: h_0 is tuple"),
    (lambda w: w.rnn(w.x, lengths=[4]), ShapeError, "nn.RNN: lengths has shape (1,)", "2 integers"),
    (lambda w: w.rnn(w.x, lengths=3), ShapeError, "nn.RNN: lengths has shape ()"),
    (lambda w: w.rnn(w.x, lengths=[1.0, 2.0]), ShapeError, "nn.RNN: lengths", "float64", "2 integers"),
    (lambda w: w.rnn(w.x, lengths=[[1], [1, 2]]), ShapeError, "nn.RNN: lengths is ragged"),
    (lambda w: w.rnn(w.x, lengths=[0, 4]), OptionError, "nn.RNN: lengths go from 0 to 4, expected 1 to T=4"),
    (lambda w: w.rnn(w.x, lengths=[1, 5]), OptionError, "nn.RNN: lengths go from 1 to 5"),
    # nn.RNNCell
    (lambda w: nn.RNNCell(3, 0), OptionError, "nn.RNNCell: hidden_size is 0"),
    (lambda w: nn.RNNCell(3, 2, nonlinearity="gelu"), OptionError, "nn.RNNCell: nonlinearity is 'gelu'"),
    (lambda w: w.cell(tg.zeros(2, 4)), ShapeError, "nn.RNNCell: input has 4 features", "input_size=3"),
    (lambda w: w.cell(tg.zeros(4, 2, 3)), ShapeError, "nn.RNNCell: input has shape (4, 2, 3)"),
    (lambda w: w.cell(tg.zeros(2, 3, dtype=f64)), DTypeError, "nn.RNNCell: input is float64"),
    (lambda w: w.cell(tg.tensor([3])), IdError, "nn.RNNCell: input has 3 at (0,)"),
    (lambda w: w.cell(tg.tensor([[[0]]])), DTypeError, "nn.RNNCell: input is int64", ".float()"),
    (lambda w: w.cell(tg.zeros(2, 3), tg.zeros(2, 3)), ShapeError, "nn.RNNCell: hx has shape (2, 3), expected (2, 2)"),
    (lambda w: w.cell(tg.zeros(3), tg.zeros(1, 2)), ShapeError, "nn.RNNCell: hx", "expected (2,)"),
    (lambda w: w.cell(tg.zeros(2, 3), tg.zeros(2, 2, dtype=f64)), DTypeError, "nn.RNNCell: hx is float64"),
]

two = tg.tensor([0, 1])
LOSSES = [
    (lambda w: F.cross_entropy(tg.zeros(0, 3), tg.zeros(0, dtype=i64)), ShapeError, "cross_entropy: the mean over no targets"),
    (lambda w: F.cross_entropy(tg.zeros(2, 3), tg.full((2,), -100)), ShapeError, "nothing but ignore_index=-100"),
    (lambda w: F.cross_entropy(tg.zeros(2, 3), tg.full((2,), 1), ignore_index=1), ShapeError, "ignore_index=1"),
    (lambda w: F.cross_entropy(tg.zeros(2, 3), two, tg.tensor([0.0, 0.0, 1.0])), ShapeError, "classes of weight 0"),
    (lambda w: F.cross_entropy(tg.zeros(2, 3), tg.tensor([0, 3])), IdError, "cross_entropy: target has 3 at (1,), expected ids in [0, 3)"),
    (lambda w: F.cross_entropy(tg.zeros(2, 3), tg.tensor([-1, 0])), IdError, "target has -1 at (0,)"),
    (lambda w: F.cross_entropy(tg.zeros(2, 3, 2), tg.tensor([[0, 0], [0, 9]])), IdError, "target has 9 at (1, 1)"),
    (lambda w: F.cross_entropy(tg.zeros(2, 3), tg.tensor([0, 1, 2])), ShapeError, "target is int64 of shape (3,)", "(2,)"),
    (lambda w: F.cross_entropy(tg.zeros(2, 3), tg.tensor([[0], [1]])), ShapeError, "target", "(2, 1)"),
    (lambda w: F.cross_entropy(tg.zeros(2, 3), tg.tensor([0.0, 1.0])), ShapeError, "target is float32 of shape (2,)"),
    (lambda w: F.cross_entropy(tg.zeros(2, 3), tg.zeros(2, 3, dtype=f64)), ShapeError, "target is float64", "float32"),
    (lambda w: F.cross_entropy(tg.zeros(2, 3), tg.tensor([True, False])), ShapeError, "target is bool"),
    (lambda w: F.cross_entropy(tg.tensor(1.0), tg.tensor(0)), ShapeError, "cross_entropy: input is float32 of shape ()"),
    (lambda w: F.cross_entropy(tg.zeros(2, 3, dtype=i64), two), ShapeError, "cross_entropy: input is int64"),
    (lambda w: F.cross_entropy([[0.0, 1.0]], tg.tensor([0])), DTypeError, "cross_entropy: input is list"),
    (lambda w: F.cross_entropy(tg.zeros(2, 3), [0, 1]), DTypeError, "cross_entropy: target is list"),
    (lambda w: F.cross_entropy(tg.zeros(2, 3), two, [1.0, 1.0, 1.0]), DTypeError, "cross_entropy: weight is list"),
    (lambda w: F.cross_entropy(tg.zeros(2, 3), two, tg.ones(2)), ShapeError, "weight is float32 of shape (2,)", "(3,)"),
    (lambda w: F.cross_entropy(tg.zeros(2, 3), two, tg.ones(3, dtype=f64)), ShapeError, "weight is float64"),
    (lambda w: F.cross_entropy(tg.zeros(2, 3), two, reduction="avg"), OptionError, "reduction is 'avg'", "'mean', 'sum' or 'none'"),
    (lambda w: F.cross_entropy(tg.zeros(2, 3), two, label_smoothing=1.1), OptionError, "label_smoothing is 1.1"),
    (lambda w: F.cross_entropy(tg.zeros(2, 3), two, label_smoothing=NAN), OptionError, "label_smoothing is nan"),
    (lambda w: nn.CrossEntropyLoss(reduction=None), OptionError, "nn.CrossEntropyLoss: reduction is None"),
    (lambda w: nn.CrossEntropyLoss(label_smoothing=-1), OptionError, "nn.CrossEntropyLoss: label_smoothing is -1"),
    (lambda w: nn.CrossEntropyLoss([1.0, 2.0]), DTypeError, "'weight' is list"),
    (lambda w: F.mse_loss(tg.zeros(4), tg.zeros(4, 1)), ShapeError, "mse_loss: input has shape (4,) and target (4, 1)", "reshape"),
    (lambda w: F.mse_loss(tg.zeros(0), tg.zeros(0)), ShapeError, "mse_loss: the mean of no elements"),
    (lambda w: F.mse_loss(tg.zeros(2), tg.zeros(2, dtype=f64)), DTypeError, "mse_loss: input is float32 and target float64"),
    (lambda w: F.mse_loss(tg.tensor([1]), tg.tensor([1])), DTypeError, "mse_loss: input is int64"),
    (lambda w: F.mse_loss(tg.zeros(2), [0.0, 0.0]), DTypeError, "mse_loss: got Tensor and list"),
    (lambda w: F.mse_loss(tg.zeros(2), 0.0), DTypeError, "mse_loss: got Tensor and float"),
    (lambda w: nn.MSELoss("avg"), OptionError, "nn.MSELoss: reduction is 'avg'"),
]

MODULES = [
    (lambda w: nn.Module()(1), GraphError, "Module: forward is not defined"),
    (lambda w: w.model.train("yes"), DTypeError, "train: mode is str, expected True or False"),
    (lambda w: w.linear.register_buffer("mean", [1.0]), DTypeError, "register_buffer: 'mean' is list"),
    (lambda w: w.linear.register_buffer("weight", tg.ones(1)), OptionError, "register_buffer", "'weight'", "taken"),
    (lambda w: w.linear.register_buffer("a.b", tg.ones(1)), OptionError, "register_buffer", "dot"),
    (lambda w: setattr(w.linear, "weight", tg.ones(2, 3)), DTypeError, "Linear: weight is a Parameter", "del"),
    (lambda w: setattr(w.linear, "scale", 3.0), DTypeError, "Linear: scale is a buffer", "float"),
    (lambda w: setattr(w.model, "0", "text"), DTypeError, "Sequential: 0 is a RNN", "str"),
    (lambda w: nn.Parameter([1.0]), DTypeError, "list", "tg.tensor"),
    (lambda w: nn.Parameter(np.array([1, 2])), DTypeError, "requires_grad: got a int64", ".float()"),
    (lambda w: w.linear.load_state_dict([1]), DTypeError, "Linear.load_state_dict: got list"),
    (lambda w: w.linear.load_state_dict({}), CheckpointError, "weight is missing", "bias is missing"),
    (lambda w: w.linear.load_state_dict({**arrays(w.linear), "x": 1}), CheckpointError, "x is unexpected"),
    (
        lambda w: w.linear.load_state_dict({**arrays(w.linear), "bias": np.zeros(3, "f")}),
        CheckpointError,
        "bias has shape (3,) and float32, expected (2,) and float32",
    ),
    (
        lambda w: w.linear.load_state_dict({**arrays(w.linear), "bias": np.zeros(2)}),
        CheckpointError,
        "bias has shape (2,) and float64",
    ),
    (
        lambda w: w.linear.load_state_dict({**arrays(w.linear), "bias": [[1], [1, 2]]}),
        CheckpointError,
        "bias is list",
    ),
    (lambda w: w.model.to("float16"), DTypeError, "float16"),
    (lambda w: w.model.to("cuda:99"), OptionError, "'cuda:99'"),
    (lambda w: w.model.to(dtype="int64"), DTypeError, "int64"),
    (lambda w: w.model.load_weights("/no/such/file.safetensors"), CheckpointError, "/no/such/file"),
]

OPTIMIZERS = [
    (lambda w: optim.SGD([]), OptionError, "optim.SGD: params is empty"),
    (lambda w: optim.SGD(w.weight), DTypeError, "optim.SGD: params is a Tensor", "[tensor]"),
    (lambda w: optim.SGD(None), DTypeError, "optim.SGD: params is NoneType"),
    (lambda w: optim.SGD({w.weight}), DTypeError, "optim.SGD: params is set", "order"),
    (lambda w: optim.SGD({"params": [w.weight]}), DTypeError, "optim.SGD: params is dict"),
    (lambda w: optim.SGD([w.weight, 3]), DTypeError, "optim.SGD: parameter 1 is int, expected a Tensor"),
    (lambda w: optim.SGD(w.model.named_parameters()), DTypeError, "parameter 0 is tuple"),
    (lambda w: optim.SGD([w.weight, w.weight]), OptionError, "optim.SGD: parameter 1 is given twice"),
    (lambda w: optim.SGD([{"params": [w.weight]}, {"params": w.weight}]), OptionError, "given twice"),
    (lambda w: optim.SGD([w.weight * 2]), OptionError, "parameter 0 is not a float leaf", "detach()"),
    (lambda w: optim.SGD([tg.tensor([1])]), OptionError, "parameter 0 is not a float leaf"),
    (lambda w: optim.SGD([{"lr": 0.1}]), DTypeError, "a group is a dict with 'params'"),
    (lambda w: optim.SGD([{"params": [w.weight], "beta": 1}]), DTypeError, "unknown option beta", "momentum"),
    (lambda w: optim.SGD([w.weight], lr=-0.1), OptionError, "optim.SGD: lr is -0.1"),
    (lambda w: optim.SGD([w.weight], lr=NAN), OptionError, "optim.SGD: lr is nan, expected a finite"),
    (lambda w: optim.SGD([w.weight], lr=INF), OptionError, "optim.SGD: lr is inf"),
    (lambda w: optim.SGD([w.weight], lr="0.1"), DTypeError, "optim.SGD: lr is '0.1', expected a number"),
    (lambda w: optim.SGD([w.weight], lr=True), DTypeError, "optim.SGD: lr is True"),
    (lambda w: optim.SGD([w.weight], momentum=-1), OptionError, "optim.SGD: momentum is -1"),
    (lambda w: optim.SGD([w.weight], weight_decay=-1), OptionError, "optim.SGD: weight_decay is -1"),
    (lambda w: optim.SGD([w.weight], dampening=NAN), OptionError, "optim.SGD: dampening is nan"),
    (lambda w: optim.SGD([w.weight], nesterov=True), OptionError, "nesterov needs a momentum"),
    (lambda w: optim.SGD([w.weight], momentum=0.9, dampening=0.1, nesterov=True), OptionError, "no dampening"),
    (lambda w: optim.Adam([w.weight], lr=None), DTypeError, "optim.Adam: lr is None"),
    (lambda w: optim.Adam([w.weight], eps=-1e-8), OptionError, "optim.Adam: eps is -1e-08"),
    (lambda w: optim.Adam([w.weight], betas=0.9), DTypeError, "optim.Adam: betas is 0.9, expected two numbers"),
    (lambda w: optim.Adam([w.weight], betas=(0.9,)), DTypeError, "optim.Adam: betas is (0.9,)"),
    (lambda w: optim.Adam([w.weight], betas=(0.9, 1.0)), OptionError, "optim.Adam: betas is (0.9, 1.0), expected both in [0, 1)"),
    (lambda w: optim.Adam([w.weight], betas=(-0.1, 0.9)), OptionError, "optim.Adam: betas[0] is -0.1"),
    (lambda w: optim.Adam([w.weight], betas=(0.9, NAN)), OptionError, "optim.Adam: betas[1] is nan"),
    (lambda w: optim.Adam([w.weight], betas=("a", 0.9)), DTypeError, "optim.Adam: betas[0] is 'a'"),
    (lambda w: w.adam.add_param_group([w.weight]), DTypeError, "optim.Adam: a group is a dict"),
    (lambda w: w.adam.add_param_group({"params": w.rnn.weight_ih_l0}), OptionError, "parameter 0 is given twice"),
    (lambda w: w.adam.add_param_group({"params": w.weight, "lr": -1}), OptionError, "optim.Adam: lr is -1"),
    # states
    (lambda w: w.adam.load_state_dict(3), CheckpointError, "optim.Adam.load_state_dict: nothing was loaded", "no optimizer's state"),
    (lambda w: w.adam.load_state_dict({}), CheckpointError, "no optimizer's state", "param_groups"),
    (lambda w: w.adam.load_state_dict(w.sgd.state_dict()), CheckpointError, "parameters, expected [4]"),
    (lambda w: w.adam.load_state_dict(state_of(w.adam, step="x")), CheckpointError, "step of parameter 0 is 'x'"),
    (lambda w: w.adam.load_state_dict(state_of(w.adam, step=0)), CheckpointError, "step of parameter 0 is 0"),
    (lambda w: w.adam.load_state_dict(state_of(w.adam, step=1.5)), CheckpointError, "step of parameter 0 is 1.5"),
    (lambda w: w.adam.load_state_dict(state_of(w.adam, exp_avg=np.zeros(7))), CheckpointError, "exp_avg of parameter 0", "(7,)"),
    (lambda w: w.adam.load_state_dict(state_of(w.adam, more=1)), CheckpointError, "parameter 0 has", "more"),
    (lambda w: w.adam.load_state_dict(options_of(w.adam, lr=-1)), CheckpointError, "lr is -1"),
    (lambda w: w.adam.load_state_dict(options_of(w.adam, amsgrad=False)), CheckpointError, "max_exp_avg_sq"),
    (lambda w: w.adam.load_state_dict(options_of(w.adam, momentum=1)), CheckpointError, "option 'momentum'"),
    (lambda w: w.adam.load_state_dict({**w.adam.state_dict(), "state": {9: {}}}), CheckpointError, "parameter 9 is unexpected"),
    (lambda w: w.adam.load_state_dict({**w.adam.state_dict(), "state": {0: 3}}), CheckpointError, "parameter 0 has int"),
]

CLIPPING = [
    (lambda w: clip_grad_norm_(w.model.parameters(), -1.0), OptionError, "clip_grad_norm_: max_norm is -1.0"),
    (lambda w: clip_grad_norm_(w.model.parameters(), NAN), OptionError, "clip_grad_norm_: max_norm is nan"),
    (lambda w: clip_grad_norm_(w.model.parameters(), "1"), DTypeError, "clip_grad_norm_: max_norm is '1'"),
    (lambda w: clip_grad_norm_(w.model.parameters(), 1.0, 0), OptionError, "clip_grad_norm_: norm_type is 0"),
    (lambda w: clip_grad_norm_(w.model.parameters(), 1.0, "fro"), DTypeError, "clip_grad_norm_: norm_type is 'fro'"),
    (lambda w: clip_grad_norm_([w.weight, 3], 1.0), DTypeError, "clip_grad_norm_: number 1 is int"),
    (lambda w: clip_grad_norm_(w.model.named_parameters(), 1.0), DTypeError, "clip_grad_norm_: number 0 is tuple"),
    (lambda w: clip_grad_value_(w.model.parameters(), -1.0), OptionError, "clip_grad_value_: clip_value is -1.0"),
    (lambda w: clip_grad_value_(w.model.parameters(), None), DTypeError, "clip_grad_value_: clip_value is None"),
    (lambda w: clip_grad_value_([None], 1.0), DTypeError, "clip_grad_value_: number 0 is NoneType"),
    (lambda w: get_total_norm([1.0]), DTypeError, "get_total_norm: number 0 is float"),
    (lambda w: get_total_norm([w.weight], -2), OptionError, "get_total_norm: norm_type is -2"),
    (lambda w: nn.GradientClipping(-1), OptionError, "GradientClipping: max_norm is -1"),
    (lambda w: nn.GradientClipping("1"), DTypeError, "GradientClipping: max_norm is '1'"),
]

INITIAL = [
    (lambda w: init.uniform_(w.weight, 1.0, 0.0), OptionError, "uniform_: from a=1.0 to b=0.0"),
    (lambda w: init.uniform_(w.weight, NAN), OptionError, "uniform_: from a=nan"),
    (lambda w: init.uniform_(np.zeros(3)), DTypeError, "uniform_: got ndarray, expected a float Tensor"),
    (lambda w: init.uniform_(tg.tensor([1, 2])), DTypeError, "uniform_: got int64"),
    (lambda w: init.uniform_(w.weight, generator=3), DTypeError, "generator: got int"),
    (lambda w: init.normal_(w.weight, std=-1.0), OptionError, "normal_: std is -1.0"),
    (lambda w: init.constant_([1.0], 1.0), DTypeError, "constant_: got list"),
    (lambda w: init.xavier_uniform_(w.linear.bias), ShapeError, "xavier_uniform_", "(2,)", "at least 2 dims"),
    (lambda w: init.xavier_normal_(tg.tensor(1.0)), ShapeError, "xavier_normal_", "()"),
    (lambda w: init.kaiming_uniform_(w.linear.bias), ShapeError, "kaiming_uniform_"),
    (lambda w: init.kaiming_uniform_(tg.zeros(3, 0)), ShapeError, "kaiming_uniform_", "(3, 0)"),
    (lambda w: init.kaiming_normal_(w.weight, mode="fan"), OptionError, "mode is 'fan'", "'fan_in'"),
    (lambda w: init.kaiming_normal_(w.weight, nonlinearity="gelu"), OptionError, "nonlinearity is 'gelu'"),
    (lambda w: init.orthogonal_(w.linear.bias), ShapeError, "orthogonal_", "(2,)"),
    (lambda w: init.identity_(tg.zeros(2, 2, 2)), ShapeError, "identity_", "(2, 2, 2)"),
    (lambda w: init.eye_(w.linear.bias), ShapeError, "identity_", "2 dims"),
    (lambda w: init.calculate_gain("gelu"), OptionError, "calculate_gain: nonlinearity is 'gelu'", "tanh"),
]

CREATION = [
    (lambda w: tg.tensor([[1.0], [1.0, 2.0]]), ShapeError, "tensor: the data is ragged"),
    (lambda w: tg.tensor("text"), DTypeError, "tensor", "expected numbers"),
    (lambda w: tg.tensor([None]), DTypeError, "tensor", "expected numbers"),
    (lambda w: tg.tensor([1j]), DTypeError, "tensor: the data is of complex128"),
    (lambda w: tg.tensor([1.0], dtype="float16"), DTypeError, "tensor: got the dtype 'float16'"),
    (lambda w: tg.tensor([1.0], dtype="nonsense"), DTypeError, "tensor: got the dtype 'nonsense'"),
    (lambda w: tg.tensor([1.0], device="cuda:99"), OptionError, "device: got 'cuda:99'", "'cpu'"),
    (lambda w: tg.tensor([1, 2], requires_grad=True), DTypeError, "requires_grad: got a int64"),
    (lambda w: tg.from_numpy([1.0]), DTypeError, "from_numpy: got list"),
    (lambda w: tg.from_numpy(np.array(["a"])), DTypeError, "from_numpy", "expected numbers"),
    (lambda w: tg.zeros(-1), ShapeError, "zeros: got the shape (-1,)"),
    (lambda w: tg.zeros(2.0), DTypeError, "zeros: got (2.0,), expected integers"),
    (lambda w: tg.ones("3"), DTypeError, "ones: got ('3',), expected integers"),
    (lambda w: tg.full((2, -2), 1.0), ShapeError, "full: got the shape (2, -2)"),
    (lambda w: tg.empty(3, dtype=complex), DTypeError, "empty: got the dtype"),
    (lambda w: tg.arange(0, 5, 0), OptionError, "arange: step is 0"),
    (lambda w: tg.linspace(0, 1, -1), OptionError, "linspace: steps is -1"),
    (lambda w: tg.eye(-1), ShapeError, "eye: got the shape (-1, -1)"),
    (lambda w: tg.rand(2, dtype=i64), DTypeError, "rand: got the dtype int64"),
    (lambda w: tg.randn(-2), ShapeError, "randn: got the shape (-2,)"),
    (lambda w: tg.randn(2, generator=np.random.default_rng()), DTypeError, "generator: got Generator"),
    (lambda w: tg.randint(5, 5, (2,)), OptionError, "randint: from 5 to 5"),
    (lambda w: tg.randint(5), OptionError, "randint"),
    (lambda w: tg.randperm(-1), ShapeError, "randperm: got the shape (-1,)"),
    (lambda w: tg.manual_seed(-1), OptionError, "manual_seed: seed is -1"),
    (lambda w: tg.manual_seed(1.5), DTypeError, "manual_seed: seed is 1.5"),
    (lambda w: tg.Generator().set_state(tg.zeros(6)), DTypeError, "set_state", "get_state()"),
    (lambda w: tg.set_default_dtype("int64"), DTypeError, "set_default_dtype: got 'int64'"),
    (lambda w: tg.multinomial(tg.tensor([1.0, NAN]), 1), OptionError, "multinomial: the weights must be finite"),
    (lambda w: tg.multinomial(tg.tensor([1.0, -1.0]), 1), OptionError, "not negative"),
    (lambda w: tg.multinomial(tg.tensor([0.0, 0.0]), 1), OptionError, "multinomial: 0 weights are above 0"),
    (lambda w: tg.multinomial(tg.tensor([1.0, 1.0]), 3), OptionError, "multinomial", "num_samples=3"),
    (lambda w: tg.multinomial(tg.tensor([1.0]), 0), OptionError, "num_samples is 0"),
    (lambda w: tg.multinomial(tg.tensor([1, 2]), 1), ShapeError, "multinomial", "int64"),
    (lambda w: tg.multinomial([1.0, 2.0], 1), ShapeError, "multinomial", "list"),
]

GRAPH = [
    (lambda w: w.used.backward(), GraphError, "backward", "h = h.detach()", "retain_graph=True"),
    (lambda w: (w.x * 2).backward(), GraphError, "backward: got an output of shape (4, 2, 3)", "gradient"),
    (lambda w: tg.ones(1).backward(), GraphError, "backward: this tensor does not require grad"),
    (lambda w: tg.tensor(1).backward(), GraphError, "backward", "integers"),
    (lambda w: (w.x * 2).backward(tg.ones(3)), ShapeError, "gradient has shape (3,)", "(4, 2, 3)"),
    (lambda w: (w.x * 2).backward(2.0), DTypeError, "gradient is a float"),
    (lambda w: w.weight.add_(1.0), GraphError, "add_: a leaf that requires grad", "no_grad()"),
]

GROUPS = {
    "layers": LAYERS,
    "recurrent": RECURRENT,
    "losses": LOSSES,
    "modules": MODULES,
    "optimizers": OPTIMIZERS,
    "clipping": CLIPPING,
    "initial values": INITIAL,
    "creation": CREATION,
    "graph": GRAPH,
}
ROWS = [
    pytest.param(call, error, words, id=f"{group}: {words[0]}"[:70])
    for group, rows in GROUPS.items()
    for call, error, *words in rows
]
BUILT_IN = {
    CheckpointError: ValueError,
    DTypeError: TypeError,
    GraphError: RuntimeError,
    IdError: IndexError,
    OptionError: ValueError,
    ShapeError: ValueError,
}


@pytest.mark.parametrize(("call", "error", "words"), ROWS)
def test_wrong_call(call, error, words):
    world = World()
    before = world.everything()
    with pytest.raises(BUILT_IN[error]) as caught:
        call(world)
    assert type(caught.value) is error
    assert isinstance(caught.value, tg.Error)
    message = str(caught.value)
    for part in words:
        assert part in message
    assert world.everything() == before


def test_the_table_is_long():
    assert len(ROWS) >= 150


def test_a_change_would_be_noticed():
    """The comparison of before and after is not blind."""
    changes = [
        lambda w: w.weight.data.fill(3.0),
        lambda w: w.weight.grad.zero_(),
        lambda w: setattr(w.linear.bias, "grad", tg.full((2,), 2.0)),
        lambda w: w.model.eval(),
        lambda w: w.adam.step(),
        lambda w: w.sgd.param_groups[0].update(lr=9.0),
        lambda w: tg.rand(1),
        lambda w: w.linear.register_buffer("other", None),
        lambda w: setattr(w.rnn, "note", 1),
        lambda w: w.weight.requires_grad_(False),
        lambda w: w.adam.add_param_group({"params": tg.ones(1)}),
    ]
    for change in changes:
        world = World()
        before = world.everything()
        change(world)
        assert world.everything() != before
