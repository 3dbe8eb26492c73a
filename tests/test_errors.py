"""Wrong calls: what is raised, the words that the message must have, and that nothing
changed.

Each row is a call and below it the error. The calls are about the things that a `World`
holds.
"""

import functools
import inspect
import math
import re
from collections import OrderedDict

import numpy as np
import pytest
import surface

import tinygrad_rnn as tg
import tinygrad_rnn.nn.functional as F
from tinygrad_rnn import errors, nn, optim
from tinygrad_rnn.nn import init
from tinygrad_rnn.nn.utils import clip_grad_norm_, clip_grad_value_, get_total_norm

LAYERS = """
nn.Linear(0, 2)
    OptionError: nn.Linear: in_features is 0, expected at least 1
nn.Linear(3, -1)
    OptionError: nn.Linear: out_features is -1
nn.Linear(3.0, 2)
    DTypeError: nn.Linear: in_features is 3.0, expected an integer
nn.Linear("3", 2)
    DTypeError: nn.Linear: in_features is '3'
nn.Linear(True, 2)
    DTypeError: nn.Linear: in_features is True
linear(tg.zeros(2, 4))
    ShapeError: linear: input has 4 features ... expected in_features=3 ... (2, 4)
linear(tg.tensor(1.0))
    ShapeError: linear: input has no features
linear(tg.zeros(2, 3, dtype=f64))
    DTypeError: linear ... float64 ... .float()
linear(tg.zeros(2, 3, dtype=i64))
    DTypeError: linear ... int64 ... .float()
linear(np.zeros((2, 3), "f"))
    DTypeError: linear: input is float32 ndarray ... Tensor ... as_tensor
linear([[0.0, 0.0, 0.0]])
    DTypeError: linear: input is list ... as_tensor
linear(None)
    DTypeError: linear: input is NoneType
F.linear(x, tg.ones(3))
    ShapeError: linear: weight has shape (3,)
F.linear(x, weight, tg.ones(1))
    ShapeError: linear: bias ... (1,) ... (2,)
F.linear(x, weight, tg.ones(2, dtype=f64))
    DTypeError: linear: bias is float64
nn.Stepper(linear)
    DTypeError: nn.Stepper: rnn is Linear, expected an nn.RNN, nn.LSTM or nn.GRU
nn.Stepper(gru, sequential)
    DTypeError: nn.Stepper: head is Sequential, expected an nn.Linear or None
nn.Stepper(gru)(tg.tensor([[1]]))
    DTypeError: nn.Stepper: input is int64 of shape (1, 1), expected 1 dims, or 0 \
        without a batch
nn.Stepper(gru)(tg.tensor([3]))
    IdError: nn.Stepper: input has 3 at (0,), expected ids in [0, 3)
nn.Stepper(gru)(tg.zeros(1, 4))
    ShapeError: nn.Stepper: input has 4 features
nn.Stepper(lstm)(tg.tensor([1]), tg.zeros(2, 1, 2))
    DTypeError: nn.Stepper: the state is a Tensor, expected a tuple (h_0, c_0)
nn.Stepper(gru)(tg.tensor([1]), tg.zeros(1, 2, 2))
    ShapeError: nn.Stepper: hx has shape (1, 2, 2), expected (1, 1, 2)
nn.Stepper(gru)(tg.zeros(1, 3, dtype=f64))
    DTypeError: nn.Stepper: input is float64, expected float32
nn.Stepper(gru)(2, None)
    DTypeError: nn.Stepper: input is int, expected a Tensor
nn.Stepper(gru, linear)
    ShapeError: nn.Stepper: head has in_features=3, expected 2, the features rnn gives
nn.Stepper(lstm, linear)
    ShapeError: nn.Stepper: head has in_features=3, expected 1, the features rnn gives
nn.Embedding(0, 2)
    OptionError: nn.Embedding: num_embeddings is 0
nn.Embedding(2, 0)
    OptionError: nn.Embedding: embedding_dim is 0
nn.Embedding(4, 2, 4)
    OptionError: nn.Embedding: padding_idx is 4 ... from -4 to 3
nn.Embedding(4, 2, -5)
    OptionError: nn.Embedding: padding_idx is -5
nn.Embedding(4, 2, 1.0)
    DTypeError: nn.Embedding: padding_idx is 1.0 ... integer
embedding(tg.tensor([0, 4]))
    IdError: embedding ... 4 at (1,) ... [0, 4)
embedding(tg.tensor([[0], [-1]]))
    IdError: embedding ... -1 at (1, 0)
embedding(tg.tensor([0.0]))
    DTypeError: embedding: input is float32 ... .long()
embedding(tg.tensor([True]))
    DTypeError: embedding: input is bool
embedding([0, 1])
    DTypeError: embedding: input is list
embedding(2)
    DTypeError: embedding: input is int
F.embedding(tg.tensor([0]), tg.ones(3, 2), 3)
    OptionError: embedding: padding_idx is 3
nn.Dropout(1.5)
    OptionError: nn.Dropout: p is 1.5, expected a number from 0 to 1
nn.Dropout(-0.1)
    OptionError: nn.Dropout: p is -0.1
nn.Dropout(NAN)
    OptionError: nn.Dropout: p is nan
nn.Dropout("half")
    DTypeError: nn.Dropout: p is 'half', expected a number
nn.Dropout()([1.0])
    DTypeError: dropout: input is list
nn.Dropout()(tg.tensor([1, 2]))
    DTypeError: dropout: input is int64 ... float
F.dropout(x, 2)
    OptionError: dropout: p is 2
F.dropout(x, generator=np.random.default_rng())
    DTypeError: dropout: generator is Generator, expected a tg.Generator
nn.Module().forward(x)
    GraphError: Module: forward is not defined
linear.misfits(3)
    DTypeError: Linear.misfits: state_dict is int, expected a dict
nn.Sequential(linear, F.relu)
    DTypeError: nn.Sequential: 1 is function, expected a Module; write the module, \
        such as nn.ReLU()
nn.Sequential(nn.Tanh(), 3)
    DTypeError: nn.Sequential: 1 is int, expected a Module
nn.Sequential([nn.Tanh()])
    DTypeError: nn.Sequential: 0 is list, expected a Module; write \
        nn.Sequential(*layers)
nn.Sequential((nn.Tanh(), nn.Tanh()))
    DTypeError: nn.Sequential: 0 is tuple, expected a Module; write \
        nn.Sequential(*layers)
nn.Sequential(nn.Dropout(), nn.Tanh)
    DTypeError: nn.Sequential: 1 is the class nn.Tanh; write nn.Tanh()
sequential.append(nn.Tanh)
    DTypeError: nn.Sequential: 2 is the class nn.Tanh; write nn.Tanh()
nn.ModuleDict({"a": nn.Identity})
    DTypeError: nn.ModuleDict: a is the class nn.Identity; write nn.Identity()
nn.Sequential(OrderedDict({"a.b": nn.Tanh()}))
    OptionError: nn.Sequential ... 'a.b' ... without dots
sequential[2]
    IdError: nn.Sequential: index 2 of 2 modules
sequential["0"]
    DTypeError: nn.Sequential: index '0' ... integer or a slice
sequential.append(3)
    DTypeError: nn.Sequential: 2 is int, expected a Module
sequential.extend([nn.Tanh(), None])
    DTypeError: nn.Sequential: 3 is NoneType
sequential.extend(nn.Tanh())
    DTypeError: nn.Sequential: modules is Tanh ... in a list
sequential.insert(0, [nn.Tanh()])
    DTypeError: nn.Sequential: 0 is list
sequential.insert("0", nn.Tanh())
    DTypeError: nn.Sequential: index is '0', expected an integer
sequential.__setitem__(2, nn.Tanh())
    IdError: nn.Sequential: index 2 of 2 modules
sequential.__setitem__(0, None)
    DTypeError: nn.Sequential: 0 is NoneType
sequential.__delitem__(-3)
    IdError: nn.Sequential: index -3 of 2 modules
sequential.pop(5)
    IdError: nn.Sequential: index 5 of 2 modules
nn.Sequential(rnn, linear)(x)
    DTypeError: linear: input is tuple, expected a Tensor ... (output, state)
nn.Sequential(gru, nn.Tanh())(x)
    DTypeError: nn.Tanh: input is tuple, expected a Tensor ... (output, state)
nn.ModuleList(nn.Tanh())
    DTypeError: nn.ModuleList: modules is Tanh ... in a list
nn.ModuleList([nn.Tanh(), 3])
    DTypeError: nn.ModuleList: 1 is int, expected a Module
nn.ModuleList([nn.Tanh()])[1]
    IdError: nn.ModuleList: index 1 of 1 modules
nn.ModuleList()(x)
    GraphError: nn.ModuleList is not called: loop over it, or use nn.Sequential
nn.ModuleDict()(x)
    GraphError: nn.ModuleDict is not called: loop over it, or use nn.Sequential
nn.ModuleDict({"a": 3})
    DTypeError: nn.ModuleDict: a is int, expected a Module
nn.ModuleDict({"a.b": nn.Tanh()})
    OptionError: nn.ModuleDict: invalid name 'a.b' ... expected a non-empty str
nn.ModuleDict({"keys": nn.Tanh()})
    OptionError: nn.ModuleDict: invalid name 'keys' ... expected a non-empty str
nn.ModuleDict({1: nn.Tanh()})
    OptionError: nn.ModuleDict: invalid name 1 ... expected a non-empty str
nn.ModuleDict(3)
    DTypeError: nn.ModuleDict: modules is int ... a dict of modules
nn.ModuleDict({"a": nn.Tanh()})["b"]
    NameMissing: nn.ModuleDict: no module 'b', expected one of ['a']
nn.ModuleDict({"a": nn.Tanh()}).pop("b")
    NameMissing: nn.ModuleDict: no module 'b'
nn.LayerNorm(0)
    OptionError: nn.LayerNorm: normalized_shape is 0, expected at least 1
nn.LayerNorm((3, 2.0))
    DTypeError: nn.LayerNorm: normalized_shape is 2.0, expected an integer
nn.LayerNorm(())
    DTypeError: nn.LayerNorm: normalized_shape is ()
nn.LayerNorm(3, eps=-1e-5)
    OptionError: nn.LayerNorm: eps is -1e-05
nn.LayerNorm(4)(x)
    ShapeError: layer_norm: input has shape (4, 2, 3), expected (4,) at its end
nn.LayerNorm(3)(tg.zeros(2, 3, dtype=f64))
    DTypeError: layer_norm: input is float64, expected float32 ... .float()
nn.LayerNorm(3)([1.0, 2.0, 3.0])
    DTypeError: layer_norm: input is list
F.layer_norm(x, 3, tg.ones(2))
    ShapeError: layer_norm: weight has shape (2,), expected (3,)
F.layer_norm(x, (2, 3), tg.ones(2, 3), tg.ones(3))
    ShapeError: layer_norm: bias ... (3,) ... (2, 3)
F.layer_norm(two, 2)
    DTypeError: layer_norm: input is int64 ... .float()
nn.Tanh()(3.0)
    DTypeError: nn.Tanh: input is float ... as_tensor
nn.Softmax(3)(x)
    DimError: softmax: dim 3
nn.Flatten(2, 1)(x)
    DimError: flatten
F.pad(x, (1,))
    ShapeError: pad: got 1 sizes, expected two for each
F.pad(x, (1,) * 8)
    ShapeError: pad: got 8 sizes
F.pad(x, (1.0, 2))
    DTypeError: pad: pad[0] is 1.0, expected an integer
F.pad(x, (-2, -2))
    ShapeError: pad: -2 and -2 do not fit dim 2 ... (4, 2, 3)
F.pad(x, (-4, 4))
    ShapeError: pad: -4 and 4 do not fit dim 2
F.pad(x, (3, 0), mode="reflect")
    ShapeError: pad: 3 and 0 do not fit dim 2 ... 'reflect'
F.pad(tg.zeros(2, 0), (1, 0), mode="replicate")
    ShapeError: pad: 1 and 0 do not fit dim 1
F.pad(two, (1, 1), value=0.5)
    OptionError: pad: value is 0.5, expected a whole number for int64 ... .float()
F.pad(x, (1, 1), mode="mirror")
    OptionError: pad: mode is 'mirror' ... 'reflect'
F.pad(x, (1, 1), mode=np.array(["constant", "reflect"]))
    OptionError: pad: mode is <U8 ndarray of shape (2,), expected 'constant' or
F.pad(x, (1, 1), mode=["constant"])
    OptionError: pad: mode is ['constant'], expected
F.pad(x, (1, 1), mode="reflect", value=1.0)
    OptionError: pad: value is 1.0, which mode='reflect' does not take
F.pad([1.0], (1, 1))
    DTypeError: pad: input is list
F.pad(x, 1)
    DTypeError: pad: pad is int
F.one_hot(tg.tensor([0.0]))
    DTypeError: one_hot ... .long()
F.one_hot(tg.tensor([3]), 3)
    IdError: one_hot ... 3 at (0,) ... [0, 3)
F.one_hot(tg.zeros(0, dtype=i64))
    OptionError: one_hot ... num_classes
F.one_hot(tg.tensor([-1]))
    IdError: one_hot: tensor has -1 at (0,)
F.one_hot(two, 2.0)
    DTypeError: one_hot: num_classes is 2.0
nn.LogSoftmax("a")
    DTypeError: nn.LogSoftmax: dim is 'a', expected an integer
nn.ELU("a")
    DTypeError: nn.ELU: alpha is 'a', expected a number
nn.LeakyReLU(NAN)
    OptionError: nn.LeakyReLU: negative_slope is nan
nn.Softplus("a")
    DTypeError: nn.Softplus: beta is 'a', expected a number
nn.Linear(3, 2, bias=None)
    OptionError: nn.Linear: bias is None, expected True or False
nn.LayerNorm(3, elementwise_affine="no")
    OptionError: nn.LayerNorm: elementwise_affine is 'no'
F.linear(x, None)
    DTypeError: linear: weight is NoneType, expected a Tensor
F.embedding(two, [1.0])
    DTypeError: embedding: weight is list, expected a Tensor
F.layer_norm(x, 3, "a")
    DTypeError: layer_norm: weight is str, expected a Tensor
nn.Flatten(1.5)
    DTypeError: nn.Flatten: start_dim is 1.5, expected an integer
nn.Identity(3).load_state_dict(3)
    DTypeError: Identity.load_state_dict: state_dict is int
nn.Linear(3, 2, foo=1)
    DTypeError: nn.Linear: got an unexpected argument 'foo'; it takes (in_features, \
        out_features, bias=True
nn.ReLU(x)
    DTypeError: nn.ReLU: got a Tensor ... construct it first, then call it: \
        nn.ReLU()(input), or F.relu(input)
nn.ReLU(inplace=True)
    OptionError: nn.ReLU: inplace is True, expected False; leave it out
nn.Tanh(1)
    DTypeError: nn.Tanh: too many positional arguments; it takes ()
nn.SiLU(True)
    OptionError: nn.SiLU: inplace is True
F.dropout(x, inplace=True)
    OptionError: dropout: inplace is True
nn.GELU("fast")
    OptionError: nn.GELU: approximate is 'fast', expected 'none' or 'tanh'
F.gelu(two)
    DTypeError: gelu: input is int64, expected floats; use input.float()
F.gelu(x, "fast")
    OptionError: gelu: approximate is 'fast'
nn.Linear(3, 2, dtype=i64)
    DTypeError: nn.Linear: dtype is int64, expected float32 or float64
nn.Linear(3, 2, dtype="half")
    DTypeError: nn.Linear: got the dtype 'half'
nn.Linear(3, 2, device="abacus")
    OptionError: device: got 'abacus'
nn.LayerNorm(3, dtype=np.bool_)
    DTypeError: nn.LayerNorm: dtype is bool
nn.Embedding(3, 2, max_norm=1.0)
    DTypeError: nn.Embedding: got an unexpected argument 'max_norm'
nn.Embedding.from_pretrained([[1.0]])
    DTypeError: nn.Embedding.from_pretrained: embeddings is list, expected a Tensor
nn.Embedding.from_pretrained(two)
    ShapeError: nn.Embedding.from_pretrained: embeddings is int64 of shape (2,), \
        expected a table
nn.Embedding.from_pretrained(x)
    ShapeError: nn.Embedding.from_pretrained: embeddings is float32 of shape (4, 2, \
        3), expected a table
nn.Embedding.from_pretrained(weight, freeze="no")
    OptionError: nn.Embedding.from_pretrained: freeze is 'no'
nn.Embedding.from_pretrained(weight, padding_idx=2)
    OptionError: nn.Embedding: padding_idx is 2
nn.ParameterList([1.0])
    DTypeError: nn.ParameterList: 0 is float, expected a Parameter
nn.ParameterList(3)
    DTypeError: nn.ParameterList: parameters is int, expected parameters in a list
nn.ParameterList([x])[1]
    IdError: nn.ParameterList: index 1 of 1 parameters
nn.ParameterDict({"a.b": x})
    OptionError: nn.ParameterDict: invalid name 'a.b' ... expected a non-empty str
nn.ParameterDict({"a": x})["b"]
    NameMissing: nn.ParameterDict: no parameter 'b', expected one of ['a']
"""

RECURRENT = """
nn.RNN(0, 2)
    OptionError: nn.RNN: input_size is 0, expected at least 1
nn.RNN(3, 0)
    OptionError: nn.RNN: hidden_size is 0
nn.RNN(3, 2, 0)
    OptionError: nn.RNN: num_layers is 0
nn.RNN(3, 2.5)
    DTypeError: nn.RNN: hidden_size is 2.5, expected an integer
nn.RNN(3, 2, nonlinearity="sigmoid")
    OptionError: nonlinearity is 'sigmoid' ... 'relu'
nn.RNN(3, 2, nonlinearity=["tanh"])
    OptionError: nn.RNN: nonlinearity is ['tanh']
nn.RNN(3, 2, dropout=1.5)
    OptionError: nn.RNN: dropout is 1.5 ... from 0 to 1
nn.RNN(3, 2, dropout=NAN)
    OptionError: nn.RNN: dropout is nan
rnn(tg.zeros(4, 2, 5))
    ShapeError: nn.RNN: input has 5 features ... expected input_size=3 ... (4, 2, 5)
rnn(tg.zeros(4, 2, 3, 1))
    ShapeError: nn.RNN: input ... (4, 2, 3, 1), expected 3 dims, or 2
rnn(tg.zeros(3))
    ShapeError: nn.RNN: input ... (3,), expected 3 dims
rnn(tg.zeros(0, 2, 3))
    ShapeError: nn.RNN: input has no steps ... T >= 1
rnn(tg.zeros(0, 2, dtype=i64))
    ShapeError: nn.RNN: input has no steps
rnn(tg.zeros(4, 2, 3, dtype=f64))
    DTypeError: nn.RNN: input is float64 ... .float()
rnn(tg.zeros(4, 2, 3, dtype=i64))
    DTypeError: nn.RNN: input is int64 ... 2 dims ... of ids ... .float()
rnn(tg.tensor([[True]]))
    DTypeError: nn.RNN: input is bool
rnn(np.zeros((4, 2, 3)))
    DTypeError: nn.RNN: input is float64 ndarray ... as_tensor
rnn(tg.tensor([[0, 3]]))
    IdError: nn.RNN: input has 3 at (0, 1), expected ids in [0, 3)
rnn(tg.tensor([0, -1]))
    IdError: nn.RNN: input has -1 at (1,)
rnn(x, tg.zeros(1, 2, 2))
    ShapeError: nn.RNN: hx has shape (1, 2, 2), expected (2, 2, 2): (num_layers * D, \
        B, H) ... batch_first
rnn(x, tg.zeros(2, 2))
    ShapeError: nn.RNN: hx has shape (2, 2)
rnn(x[:, 0], tg.zeros(2, 1, 2))
    ShapeError: nn.RNN: hx ... expected (2, 2): (num_layers * D, H)
rnn(x, tg.zeros(2, 2, 2, dtype=f64))
    DTypeError: nn.RNN: hx is float64 ... expected float32
rnn(x, np.zeros((2, 2, 2), "f"))
    DTypeError: nn.RNN: hx is float32 ndarray
rnn(x, (tg.zeros(2, 2, 2),))
    DTypeError: nn.RNN: hx is tuple
rnn(x, lengths=[4])
    ShapeError: nn.RNN: lengths ... (1,) ... 2 integers
rnn(x, lengths=3)
    ShapeError: nn.RNN: lengths ... ()
rnn(x, lengths=[1.0, 2.0])
    DTypeError: nn.RNN: lengths is of float64, expected 2 integers
rnn(x, lengths=tg.ones(2))
    DTypeError: nn.RNN: lengths is of float32, expected 2 integers ... .long()
rnn(x, lengths=[[1], [1, 2]])
    ShapeError: nn.RNN: lengths is ragged
rnn(x, lengths=[-1, 4])
    OptionError: nn.RNN: lengths go from -1 to 4, expected 0 to T=4
rnn(x, lengths=[1, 5])
    OptionError: nn.RNN: lengths go from 1 to 5
rnn(x, tg.zeros(2, 2, 2), h_0=tg.zeros(2, 2, 2))
    OptionError: nn.RNN: got h_0 beside hx, which is its new name
gru(x, length=[2, 1])
    DTypeError: nn.GRU: got an unexpected argument 'length'; it takes (input, hx=None, \
        lengths=None, *, h_0=None)
cell(x[0], h=x)
    DTypeError: nn.RNNCell: got an unexpected argument 'h'; it takes (input, hx=None)
linear()
    DTypeError: nn.Linear: missing a required argument: 'input'; it takes (input)
nn.Sequential(linear)(x, x)
    DTypeError: nn.Sequential: too many positional arguments; it takes (input)
nn.ReLU()(x, x)
    DTypeError: nn.ReLU: too many positional arguments; it takes (input, /)
nn.CrossEntropyLoss()(x)
    DTypeError: nn.CrossEntropyLoss: missing a required argument: 'target'; it takes \
        (input, target, /)
nn.Tanh()(foo=x)
    DTypeError: nn.Tanh: got an unexpected argument 'foo'; it takes (input, /)
rnn(packed, lengths=[2, 1])
    OptionError: nn.RNN: got lengths beside a PackedSequence ... leave lengths out
lstm(packed)
    ShapeError: nn.LSTM: input has 2 features ... expected input_size=3
rnn(packed._replace(data=x))
    ShapeError: batch_sizes are [2, 1] for data of shape (4, 2, 3)
cell(packed)
    DTypeError: nn.RNNCell: input is PackedSequence, expected a Tensor
nn.LSTM(foo=1)
    DTypeError: nn.LSTM: got an unexpected argument 'foo'; it takes (input_size, \
        hidden_size, num_layers=1
nn.GRU(3)
    DTypeError: nn.GRU: missing a required argument: 'hidden_size'
nn.RNN(3, 2, dtype=i64)
    DTypeError: nn.RNN: dtype is int64
rnn(F.one_hot(tg.tensor([2, 0, 1, 1]), 3))
    DTypeError: nn.RNN: input is int64 of shape (4, 3), whose every row is one-hot; \
        input.float() ... input.argmax(-1) ... F.one_hot(input, 3).float()
cell(F.one_hot(tg.tensor(1), 3))
    DTypeError: nn.RNNCell: input is int64 of shape (3,), whose every row is one-hot
nn.RNNCell(3, 0)
    OptionError: nn.RNNCell: hidden_size is 0
nn.RNNCell(3, 2, nonlinearity="gelu")
    OptionError: nn.RNNCell: nonlinearity is 'gelu'
cell(tg.zeros(2, 4))
    ShapeError: nn.RNNCell: input has 4 features ... input_size=3
cell(tg.zeros(4, 2, 3))
    ShapeError: nn.RNNCell: input ... (4, 2, 3), expected 2 dims
cell(tg.zeros(2, 3, dtype=f64))
    DTypeError: nn.RNNCell: input is float64
cell(tg.tensor([3]))
    IdError: nn.RNNCell: input has 3 at (0,)
cell(tg.tensor([[[0]]]))
    DTypeError: nn.RNNCell: input is int64 ... .float()
cell(tg.zeros(2, 3), tg.zeros(2, 3))
    ShapeError: nn.RNNCell: hx has shape (2, 3), expected (2, 2)
cell(tg.zeros(3), tg.zeros(1, 2))
    ShapeError: nn.RNNCell: hx ... expected (2,)
cell(tg.zeros(2, 3), tg.zeros(2, 2, dtype=f64))
    DTypeError: nn.RNNCell: hx is float64
nn.LSTM(3, 0)
    OptionError: nn.LSTM: hidden_size is 0
nn.LSTM(3, "2")
    DTypeError: nn.LSTM: hidden_size is '2'
nn.LSTM(3, 2, proj_size=2)
    OptionError: nn.LSTM: proj_size is 2, expected less than hidden_size=2 ... 0 for \
        none
nn.LSTM(3, 2, proj_size=-1)
    OptionError: nn.LSTM: proj_size is -1
nn.LSTM(3, 2, proj_size=1.5)
    DTypeError: nn.LSTM: proj_size is 1.5, expected an integer
nn.LSTM(3, 2, proj_size=None)
    DTypeError: nn.LSTM: proj_size is None
nn.LSTM(3, 2, dropout=-0.1)
    OptionError: nn.LSTM: dropout is -0.1
lstm(tg.zeros(4, 2, 5))
    ShapeError: nn.LSTM: input has 5 features ... expected input_size=3
lstm(x, tg.zeros(2, 2, 1))
    DTypeError: nn.LSTM: the state is a Tensor, expected a tuple (h_0, c_0)
lstm(x, (tg.zeros(2, 2, 1),))
    DTypeError: nn.LSTM: the state is a tuple of 1, expected a tuple (h_0, c_0)
lstm(x, (tg.zeros(2, 2, 2), tg.zeros(2, 2, 2)))
    ShapeError: nn.LSTM: h_0 has shape (2, 2, 2), expected (2, 2, 1)
lstm(x, (tg.zeros(2, 2, 1), tg.zeros(2, 2, 1)))
    ShapeError: nn.LSTM: c_0 has shape (2, 2, 1), expected (2, 2, 2) ... batch_first
lstm(x, (tg.zeros(2, 2, 1), None))
    DTypeError: nn.LSTM: c_0 is NoneType, expected a Tensor (num_layers * D, B, H)
lstm(x[:, 0], (tg.zeros(2, 1), tg.zeros(2, 1, 2)))
    ShapeError: nn.LSTM: c_0 ... expected (2, 2)
nn.LSTM(3, 4, bias="no")
    OptionError: nn.LSTM: bias is 'no', expected True or False
nn.LSTM(3, 4, bidirectional="yes")
    OptionError: nn.LSTM: bidirectional is 'yes'
lstm(x, lengths=[1, 5])
    OptionError: nn.LSTM: lengths go from 1 to 5
nn.GRU(3, 2, num_layers=0)
    OptionError: nn.GRU: num_layers is 0
nn.GRU(3, 2, proj_size=1)
    OptionError: nn.GRU: proj_size is 1 ... LSTM
gru(tg.tensor([[0, 3]]))
    IdError: nn.GRU: input has 3 at (0, 1)
gru(x, (tg.zeros(1, 2, 2), tg.zeros(1, 2, 2)))
    DTypeError: nn.GRU: hx is tuple
gru(x, tg.tensor([3, 2]))
    DTypeError: nn.GRU: hx is int64 of shape (2,), expected the state, the second \
        argument; pass lengths by name: lengths=
gru(x, np.array([3, 2]))
    DTypeError: nn.GRU: hx is int64 ndarray of shape (2,), expected the state, the \
        second argument; pass lengths by name: lengths=
lstm(x, [3, 2])
    DTypeError: nn.LSTM: hx is list, expected the state, the second argument; pass \
        lengths by name: lengths=
gru(x, tg.zeros(1, 2, 2, dtype=i64))
    DTypeError: nn.GRU: hx is int64 of shape (1, 2, 2), expected float32; use hx.float()
gru(tg.ones(4, 2))
    ShapeError: nn.GRU: input has 2 features in its last dimension, expected \
        input_size=3 (input shape (4, 2)); if these are ids, use input.long()
gru(tg.ones(4))
    ShapeError: nn.GRU: input is float32 of shape (4,), expected 3 dims, or 2 without \
        a batch; if these are ids, use input.long()
gru(x, tg.zeros(2, 1, 2))
    ShapeError: nn.GRU: hx has shape (2, 1, 2), expected (1, 2, 2)
nn.LSTMCell(0, 2)
    OptionError: nn.LSTMCell: input_size is 0
lstm_cell(tg.zeros(2, 3), tg.zeros(2, 2))
    DTypeError: nn.LSTMCell: the state is a Tensor, expected a tuple (h_0, c_0)
lstm_cell(tg.zeros(2, 3), (tg.zeros(2, 2), tg.zeros(2)))
    ShapeError: nn.LSTMCell: c_0 has shape (2,), expected (2, 2)
lstm_cell(tg.zeros(2, 3, dtype=f64))
    DTypeError: nn.LSTMCell: input is float64
nn.GRUCell(3, 2.0)
    DTypeError: nn.GRUCell: hidden_size is 2.0
gru_cell(tg.zeros(2, 3), tg.zeros(2, 3))
    ShapeError: nn.GRUCell: hx has shape (2, 3), expected (2, 2)
"""

LOSSES = """
F.cross_entropy(tg.zeros(0, 3), tg.zeros(0, dtype=i64))
    ShapeError: cross_entropy: the mean over no targets
F.cross_entropy(tg.zeros(2, 3), tg.full((2,), -100))
    ShapeError: nothing but ignore_index=-100
F.cross_entropy(tg.zeros(2, 3), tg.full((2,), 1), ignore_index=1)
    ShapeError: ignore_index=1
F.cross_entropy(tg.zeros(2, 3), two, tg.tensor([0.0, 0.0, 1.0]))
    ShapeError: classes of weight 0
F.cross_entropy(tg.zeros(2, 3), tg.tensor([0, 3]))
    IdError: cross_entropy: target has 3 at (1,), expected ids in [0, 3)
F.cross_entropy(tg.zeros(2, 3), tg.tensor([-1, 0]))
    IdError: target has -1 at (0,)
F.cross_entropy(tg.zeros(2, 3, 2), tg.tensor([[0, 0], [0, 9]]))
    IdError: target has 9 at (1, 1)
F.cross_entropy(tg.zeros(2, 3), tg.tensor([0, 1, 2]))
    ShapeError: target is int64 of shape (3,) ... (2,)
F.cross_entropy(tg.zeros(2, 3), tg.tensor([[0], [1]]))
    ShapeError: target ... (2, 1)
F.cross_entropy(tg.zeros(2, 3), tg.tensor([0.0, 1.0]))
    ShapeError: target has shape (2,), expected (2, 3), probabilities
F.cross_entropy(tg.zeros(2, 3), tg.zeros(2, 3, dtype=f64))
    DTypeError: target is float64 ... float32
F.cross_entropy(tg.zeros(2, 3), tg.tensor([True, False]))
    ShapeError: target is bool
F.cross_entropy(tg.tensor(1.0), tg.tensor(0))
    ShapeError: cross_entropy: input is float32 of shape ()
F.cross_entropy(tg.zeros(2, 3, dtype=i64), two)
    ShapeError: cross_entropy: input is int64
F.cross_entropy([[0.0, 1.0]], tg.tensor([0]))
    DTypeError: cross_entropy: input is list
F.cross_entropy(tg.zeros(2, 3), [0, 1])
    DTypeError: cross_entropy: target is list
F.cross_entropy(tg.zeros(2, 3), two, [1.0, 1.0, 1.0])
    DTypeError: cross_entropy: weight is list
F.cross_entropy(tg.zeros(2, 3), two, tg.ones(2))
    ShapeError: weight has shape (2,), expected (3,), of each class
F.cross_entropy(tg.zeros(2, 3), two, tg.ones(3, dtype=f64))
    DTypeError: weight is float64
F.cross_entropy(tg.zeros(2, 3), two, reduction="avg")
    OptionError: reduction is 'avg' ... 'mean' or 'sum' or 'none'
F.cross_entropy(tg.zeros(2, 3), two, label_smoothing=1.1)
    OptionError: label_smoothing is 1.1
F.cross_entropy(tg.zeros(2, 3), two, label_smoothing=NAN)
    OptionError: label_smoothing is nan
nn.CrossEntropyLoss(reduction=None)
    OptionError: nn.CrossEntropyLoss: reduction is None
nn.CrossEntropyLoss(label_smoothing=-1)
    OptionError: nn.CrossEntropyLoss: label_smoothing is -1
nn.CrossEntropyLoss([1.0, 2.0])
    DTypeError: nn.CrossEntropyLoss: weight is list, expected a Tensor or None
F.mse_loss(tg.zeros(4), tg.zeros(4, 1))
    ShapeError: mse_loss: target has shape (4, 1), expected (4,) as the input ... \
        reshape
F.mse_loss(tg.zeros(0), tg.zeros(0))
    ShapeError: mse_loss: the mean of no elements
F.mse_loss(tg.zeros(2), tg.zeros(2, dtype=f64))
    DTypeError: mse_loss: target is float64 ... expected float32; use target.float()
F.binary_cross_entropy(tg.ones(2), two)
    DTypeError: binary_cross_entropy: target is int64 ... expected float32; use \
        target.float()
F.binary_cross_entropy(tg.ones(2) * 1.5, tg.ones(2))
    OptionError: binary_cross_entropy: input has 1.5 at (0,) ... from 0 to 1; use \
        F.binary_cross_entropy_with_logits
F.binary_cross_entropy(tg.full((2,), NAN), tg.ones(2))
    OptionError: binary_cross_entropy: input has nan at (0,)
F.binary_cross_entropy(tg.ones(2), -tg.ones(2))
    OptionError: binary_cross_entropy: target has -1.0 at (0,)
F.binary_cross_entropy(tg.ones(2), tg.ones(2), tg.ones(3, 2))
    ShapeError: binary_cross_entropy: weight has shape (3, 2), which does not \
        broadcast to (2,)
F.binary_cross_entropy(tg.ones(2), tg.ones(2), tg.ones(2, dtype=f64))
    DTypeError: binary_cross_entropy: weight is float64 of shape (2,), expected \
        float32; use weight.float()
F.binary_cross_entropy(tg.ones(2), tg.ones(2), reduction="batchmean")
    OptionError: binary_cross_entropy: reduction is 'batchmean'
F.binary_cross_entropy(tg.zeros(0), tg.zeros(0))
    ShapeError: binary_cross_entropy: the mean of no elements
nn.BCELoss(x, x)
    DTypeError: nn.BCELoss: got a Tensor ... or F.binary_cross_entropy(input, target)
nn.CrossEntropyLoss(x, two)
    DTypeError: nn.CrossEntropyLoss: got a Tensor ... nn.CrossEntropyLoss()(input, \
        target), or F.cross_entropy(input, target)
F.kl_div(tg.ones(2), tg.ones(2, 1))
    ShapeError: kl_div: target has shape (2, 1), expected (2,)
F.kl_div(tg.ones(2), tg.ones(2), reduction="max")
    OptionError: kl_div: reduction is 'max', expected 'mean' or 'batchmean'
F.kl_div(tg.ones(2), tg.ones(2), log_target=1.5)
    OptionError: kl_div: log_target is 1.5
F.kl_div(tg.zeros(0, 2), tg.zeros(0, 2), reduction="batchmean")
    ShapeError: kl_div: the mean over an empty batch
nn.KLDivLoss("max")
    OptionError: nn.KLDivLoss: reduction is 'max'
F.mse_loss(tg.tensor([1]), tg.tensor([1]))
    DTypeError: mse_loss: input is int64
F.mse_loss(tg.zeros(2), [0.0, 0.0])
    DTypeError: mse_loss: target is list ... as_tensor
F.mse_loss(tg.zeros(2), 0.0)
    DTypeError: mse_loss: target is float
nn.MSELoss("avg")
    OptionError: nn.MSELoss: reduction is 'avg'
nn.MSELoss()(tg.zeros(2), np.zeros(2, "f"))
    DTypeError: nn.MSELoss: target is float32 ndarray
F.mse_loss(tg.zeros(2), tg.zeros(2), weight=tg.ones(1))
    ShapeError: mse_loss: weight has shape (1,), expected (2,) as the input
F.mse_loss(tg.zeros(2), tg.zeros(2), weight=tg.zeros(2))
    ShapeError: mse_loss: the mean of no elements
F.l1_loss(tg.zeros(4), tg.zeros(4, 1))
    ShapeError: l1_loss: target has shape (4, 1), expected (4,) as the input ... reshape
F.l1_loss(tg.zeros(0), tg.zeros(0))
    ShapeError: l1_loss: the mean of no elements
nn.L1Loss("max")
    OptionError: nn.L1Loss: reduction is 'max'
nn.HuberLoss(delta=0.0)
    OptionError: nn.HuberLoss: delta is 0.0
nn.HuberLoss(delta=NAN)
    OptionError: nn.HuberLoss: delta is nan
F.huber_loss(tg.zeros(2), tg.zeros(3))
    ShapeError: huber_loss: target has shape (3,), expected (2,) as the input ... \
        reshape
F.huber_loss(tg.zeros(2), tg.zeros(2), delta=-1.0)
    OptionError: huber_loss: delta is -1.0
nn.SmoothL1Loss(beta=-1.0)
    OptionError: nn.SmoothL1Loss: beta is -1.0
nn.SmoothL1Loss(beta="1")
    DTypeError: nn.SmoothL1Loss: beta is '1', expected a number
F.smooth_l1_loss(tg.zeros(2), tg.zeros(2, dtype=f64))
    DTypeError: smooth_l1_loss: target is float64 ... expected float32
F.nll_loss(tg.zeros(2, 3), tg.tensor([0, 3]))
    IdError: nll_loss: target has 3 at (1,), expected ids in [0, 3)
F.nll_loss(tg.zeros(2, 3), tg.tensor([0, 1, 2]))
    ShapeError: nll_loss: target is int64 of shape (3,), expected class indices of \
        shape (2,)
F.nll_loss(tg.zeros(2, 3), tg.zeros(2, 3))
    ShapeError: nll_loss: target is float32 of shape (2, 3) ... use target.long()
F.cross_entropy(tg.zeros(2, 3), tg.zeros(2))
    ShapeError: cross_entropy: target has shape (2,), expected (2, 3) ... use \
        target.long()
F.nll_loss(tg.zeros(2, 3), tg.full((2,), -100))
    ShapeError: nll_loss: the mean over no targets
F.nll_loss(tg.zeros(2, 3), two, tg.ones(2))
    ShapeError: nll_loss: weight ... (2,) ... (3,), of each class
F.nll_loss(tg.zeros(2, 3), two, tg.ones(3, requires_grad=True))
    GraphError: nll_loss: weight requires grad ... detach()
nn.NLLLoss(ignore_index=1.5)
    DTypeError: nn.NLLLoss: ignore_index is 1.5
nn.CrossEntropyLoss(ignore_index=None)
    DTypeError: nn.CrossEntropyLoss: ignore_index is None
F.binary_cross_entropy_with_logits(tg.zeros(2), tg.zeros(2, 1))
    ShapeError: binary_cross_entropy_with_logits: target has shape (2, 1), expected \
        (2,) as the input ... reshape
F.binary_cross_entropy_with_logits(tg.zeros(2), two)
    DTypeError: binary_cross_entropy_with_logits: target is int64 ... expected float32
F.binary_cross_entropy_with_logits(tg.zeros(2), tg.zeros(2), tg.ones(3, 2))
    ShapeError: weight has shape (3, 2), which does not broadcast to (2,)
F.binary_cross_entropy_with_logits(tg.zeros(2), tg.zeros(2), pos_weight=tg.ones(2, \
    dtype=f64))
    DTypeError: pos_weight is float64 of shape (2,), expected float32; use \
        pos_weight.float()
F.binary_cross_entropy_with_logits(tg.zeros(2), tg.zeros(2), pos_weight=[1.0, 2.0])
    DTypeError: pos_weight is list
F.binary_cross_entropy_with_logits(tg.zeros(0), tg.zeros(0))
    ShapeError: the mean of no elements
nn.BCEWithLogitsLoss(pos_weight=2.0)
    DTypeError: nn.BCEWithLogitsLoss: pos_weight is float
"""

MODULES = """
nn.Module()(1)
    GraphError: Module: forward is not defined
model.train("yes")
    DTypeError: train: mode is str, expected True or False
linear.register_buffer("mean", [1.0])
    DTypeError: nn.Linear: mean is list, expected a Tensor or None
linear.register_buffer("weight", tg.ones(1))
    OptionError: register_buffer ... 'weight' ... not in use
linear.register_buffer(tg.ones(1), "weight")
    OptionError: register_buffer: invalid name tensor([1.] ... expected a non-empty str
linear.register_buffer("a.b", tg.ones(1))
    OptionError: register_buffer ... dot
setattr(linear, "weight", tg.ones(2, 3))
    DTypeError: Linear: weight is a Parameter, so it can become another one or None, \
        not float32 of shape (2, 3); write nn.Parameter(value), or copy the values: \
        weight.copy_(value) under no_grad()
setattr(linear, "scale", 3.0)
    DTypeError: Linear: scale is a buffer ... not float; `del` it first
setattr(model, "0", "text")
    DTypeError: Sequential: 0 is a RNN ... str
nn.Parameter([1.0])
    DTypeError: Parameter: got list, expected a Tensor; tg.tensor() makes one
nn.Parameter(np.array([1, 2]))
    DTypeError: requires_grad: got a tensor of int64 ... .float()
linear.load_state_dict([1])
    DTypeError: Linear.load_state_dict: state_dict is list ... state_dict()
linear.load_state_dict({f"module.{key}": v for key, v in arrays(linear).items()})
    CheckpointError: is unexpected; all keys begin with 'module.': remove it
linear.load_state_dict({})
    CheckpointError: weight is missing ... bias is missing
linear.load_state_dict({**arrays(linear), "x": 1})
    CheckpointError: x is unexpected
linear.load_state_dict({**arrays(linear), "bias": np.zeros(3, "f")})
    CheckpointError: bias has shape (3,) and float32, expected (2,) and float32
linear.load_state_dict({**arrays(linear), "bias": np.zeros(2)})
    CheckpointError: bias has shape (2,) and float64, expected (2,) and float32; \
        convert it to float32, or the module with .double()
linear.load_state_dict({**arrays(linear), "bias": [[1], [1, 2]]})
    CheckpointError: bias is list
model.to("float16")
    DTypeError: float16
model.to("cuda:99")
    OptionError: 'cuda:99'
model.to(dtype="int64")
    DTypeError: int64
model.load_weights("/no/such/file.safetensors")
    MissingFile: /no/such/file
nn.ModuleDict("ab")
    DTypeError: nn.ModuleDict: got str, expected a dict of modules, or pairs of a \
        name and a module
list(model.parameters(recurse=3))
    OptionError: named_parameters: recurse is 3, expected True or False
list(model.parameters("net"))
    OptionError: named_parameters: recurse is 'net'
model.named_parameters(prefix=3)
    DTypeError: named_parameters: prefix is int, expected a str
model.named_parameters(remove_duplicate="no")
    OptionError: named_parameters: remove_duplicate is 'no'
model.named_buffers(prefix=None)
    DTypeError: named_buffers: prefix is NoneType
model.buffers(recurse="all")
    OptionError: named_buffers: recurse is 'all'
model.named_modules(prefix=3)
    DTypeError: named_modules: prefix is int
model.get_submodule("0.rnn")
    AttributeMissing: get_submodule: '0.rnn': RNN has no module 'rnn', expected one \
        of []
model.get_submodule(3)
    DTypeError: get_submodule: target is int, expected a dotted name
model.get_parameter("0.weight")
    AttributeMissing: get_parameter: '0.weight': RNN has no parameter 'weight', \
        expected one of ['weight_ih_l0'
model.get_buffer("2.weight")
    AttributeMissing: get_buffer: '2.weight': Linear has no buffer 'weight', expected \
        one of
model.zero_grad(set_to_none="yes")
    OptionError: zero_grad: set_to_none is 'yes'
linear.register_parameter("gain", x)
    DTypeError: register_parameter: param is float32 of shape (4, 2, 3), expected an \
        nn.Parameter
linear.register_parameter("a.b", weight)
    OptionError: register_parameter: invalid name 'a.b' ... expected a non-empty str
linear.register_parameter("forward", weight)
    OptionError: register_parameter: invalid name 'forward' ... expected a non-empty str
linear.register_parameter("scale", weight)
    OptionError: register_parameter: invalid name 'scale' ... expected a non-empty str
linear.add_module("weight", gru)
    OptionError: add_module: invalid name 'weight' ... expected a non-empty str
linear.add_module("inner", gru.forward)
    DTypeError: add_module: module is method, expected an nn.Module or None
linear.register_module("inner", 3)
    DTypeError: add_module: module is int
linear.register_forward_hook(3)
    DTypeError: register_forward_hook: hook is int, expected a function
linear.register_forward_hook(print, prepend=1.5)
    OptionError: register_forward_hook: prepend is 1.5
linear.register_forward_pre_hook("print")
    DTypeError: register_forward_pre_hook: hook is str
linear.register_forward_pre_hook(print, with_kwargs=None)
    OptionError: register_forward_pre_hook: with_kwargs is None
hooked(x)
    DTypeError: nn.Tanh: a forward pre-hook returned tuple, expected None or a tuple \
        (args, kwargs)
linear.apply(3)
    DTypeError: apply: fn is int, expected a function of a module
"""

OPTIMIZERS = """
optim.Adam([tg.ones(1)], learning_rate=0.1)
    DTypeError: optim.Adam: got an unexpected argument 'learning_rate'; it takes \
        (params, lr=0.001
optim.SGD()
    DTypeError: optim.SGD: missing a required argument: 'params'; it takes (params
optim.Optimizer([weight], {"lr": -1.0})
    OptionError: optim.Optimizer: lr is -1.0, expected a finite number >= 0.0
optim.lr_scheduler.LRScheduler(3)
    DTypeError: optim.lr_scheduler.LRScheduler: optimizer is int, expected an Optimizer
optim.lr_scheduler.StepLR(sgd, gama=0.1)
    DTypeError: optim.lr_scheduler.StepLR: got an unexpected argument 'gama'; it takes \
        (optimizer, step_size
tg.utils.data.DataLoader(two, batchsize=2)
    DTypeError: DataLoader: got an unexpected argument 'batchsize'; it takes (dataset
optim.SGD([])
    OptionError: optim.SGD: params is empty; a generator can be used only once, so \
        make a list of it; or the model has no parameters ... nn.ModuleList
optim.SGD(weight)
    DTypeError: optim.SGD: params is Parameter, expected ... [tensor]
optim.SGD(None)
    DTypeError: optim.SGD: params is NoneType
optim.SGD({weight})
    DTypeError: optim.SGD: params is set ... order
optim.SGD({"params": [weight]})
    DTypeError: optim.SGD: params is dict
optim.SGD([weight, 3])
    DTypeError: optim.SGD: parameter 1 is int, expected a Tensor
optim.SGD(model.named_parameters())
    DTypeError: parameter 0 is tuple
optim.Adam(model.named_parameters())
    DTypeError: optim.Adam: parameter 0 is tuple, expected a Tensor; pass \
        model.parameters()
optim.Adam([{"params": model.named_parameters()}])
    DTypeError: optim.Adam: parameter 0 is tuple, expected a Tensor; pass \
        model.parameters()
optim.Adam([{"param": [weight], "lr": 0.1}])
    DTypeError: optim.Adam: a group is a dict with 'params', got the keys ['param', \
        'lr']
optim.Adam([weight], lr=tg.tensor(0.1))
    DTypeError: optim.Adam: lr is float32 of shape (), expected a number; use .item()
optim.SGD([weight], momentum=np.array(0.1))
    DTypeError: optim.SGD: momentum is float64 ndarray of shape (), expected a \
        number; use .item()
optim.SGD([weight, weight])
    OptionError: optim.SGD: parameter 1 is given twice
optim.SGD([{"params": [weight]}, {"params": weight}])
    OptionError: given twice
optim.SGD([nn.Parameter(weight), weight])
    OptionError: optim.SGD: parameter 0 (parameter, shape ... share memory; clone()
optim.SGD([weight * 2])
    OptionError: parameter 0 is not a float leaf ... detach()
optim.SGD([tg.tensor([1])])
    OptionError: parameter 0 is not a float leaf
optim.SGD([{"lr": 0.1}])
    DTypeError: a group is a dict with 'params'
optim.SGD([{"params": [weight], "beta": 1}])
    OptionError: an option of a group is 'beta', expected ... 'momentum'
optim.SGD([weight], lr=-0.1)
    OptionError: optim.SGD: lr is -0.1
optim.SGD([weight], lr=NAN)
    OptionError: optim.SGD: lr is nan, expected a finite
optim.SGD([weight], lr=INF)
    OptionError: optim.SGD: lr is inf
optim.SGD([weight], lr="0.1")
    DTypeError: optim.SGD: lr is '0.1', expected a number
optim.SGD([weight], lr=True)
    DTypeError: optim.SGD: lr is True
optim.SGD([weight], momentum=-1)
    OptionError: optim.SGD: momentum is -1
optim.SGD([weight], weight_decay=-1)
    OptionError: optim.SGD: weight_decay is -1
optim.SGD([weight], dampening=NAN)
    OptionError: optim.SGD: dampening is nan
optim.SGD([weight], nesterov=True)
    OptionError: nesterov needs a momentum
optim.SGD([weight], momentum=0.9, dampening=0.1, nesterov=True)
    OptionError: no dampening
optim.Adam([weight], lr=None)
    DTypeError: optim.Adam: lr is None
optim.Adam([weight], eps=-1e-8)
    OptionError: optim.Adam: eps is -1e-08
optim.Adam([weight], betas=0.9)
    DTypeError: optim.Adam: betas is 0.9, expected two numbers
optim.Adam([weight], betas=(0.9,))
    DTypeError: optim.Adam: betas is (0.9,)
optim.Adam([weight], betas=(0.9, 1.0))
    OptionError: optim.Adam: betas[1] is 1.0, expected a number from 0.0 to below 1
optim.Adam([weight], betas=(0.9, 1.5))
    OptionError: optim.Adam: betas[1] is 1.5, expected a number from 0.0 to below 1
optim.lr_scheduler.ReduceLROnPlateau(sgd, factor=1.0)
    OptionError: ReduceLROnPlateau: factor is 1.0, expected a number from 0.0 to below 1
optim.lr_scheduler.OneCycleLR(sgd, 0.1, 9, div_factor=0)
    OptionError: OneCycleLR: div_factor is 0, expected a finite number above 0
optim.Adam([weight], betas=(-0.1, 0.9))
    OptionError: optim.Adam: betas[0] is -0.1
optim.Adam([weight], betas=(0.9, NAN))
    OptionError: optim.Adam: betas[1] is nan
optim.Adam([weight], betas=("a", 0.9))
    DTypeError: optim.Adam: betas[0] is 'a'
adam.add_param_group([weight])
    DTypeError: optim.Adam: a group is a dict with 'params', got list
adam.add_param_group({"params": rnn.weight_ih_l0})
    OptionError: parameter 0 is given twice
adam.add_param_group({"params": weight, "lr": -1})
    OptionError: optim.Adam: lr is -1
adam.load_state_dict(3)
    CheckpointError: optim.Adam.load_state_dict: nothing was loaded ... not an \
        optimizer's state
adam.load_state_dict(linear.state_dict())
    CheckpointError: state: expected 'state' and 'param_groups', got weight, bias
adam.load_state_dict({})
    CheckpointError: not an optimizer's state ... param_groups
adam.load_state_dict(sgd.state_dict())
    CheckpointError: parameters, expected [4]
adam.load_state_dict(state_of(adam, step="x"))
    CheckpointError: step of parameter 0 is 'x'
adam.load_state_dict(state_of(adam, step=0))
    CheckpointError: step of parameter 0 is 0
adam.load_state_dict(state_of(adam, step=1.5))
    CheckpointError: step of parameter 0 is 1.5
adam.load_state_dict(state_of(adam, exp_avg=np.zeros(7)))
    CheckpointError: exp_avg of parameter 0 ... (7,)
adam.load_state_dict(state_of(adam, more=1))
    CheckpointError: parameter 0 has ... more
adam.load_state_dict(options_of(adam, lr=-1))
    CheckpointError: lr is -1
adam.load_state_dict(options_of(adam, amsgrad=False))
    CheckpointError: max_exp_avg_sq
adam.load_state_dict(options_of(adam, momentum=1))
    CheckpointError: it is another optimizer's: options ['momentum'], expected []
adam.load_state_dict({**adam.state_dict(), "state": {9: {}}})
    CheckpointError: parameter 9 is unexpected
adam.load_state_dict({**adam.state_dict(), "state": {0: 3}})
    CheckpointError: parameter 0 has int
optim.Adagrad([x], lr_decay="a")
    DTypeError: optim.Adagrad: lr_decay is 'a', expected a number
optim.AdamW([x], betas=(1.0, 0.9))
    OptionError: optim.AdamW: betas[0] is 1.0
optim.RMSprop([x], alpha=1.5)
    OptionError: optim.RMSprop: alpha is 1.5, expected a number from 0.0 to 1.0
optim.Adam([x], fused=True)
    OptionError: optim.Adam: fused=True is not supported: every step works on flat \
        vectors
optim.RMSprop([x], maximize=1)
    DTypeError: optim.RMSprop: maximize is int, expected True or False
adam.step(3)
    DTypeError: optim.Adam.step: closure is int, expected a function, or None
sgd.zero_grad("a")
    DTypeError: optim.SGD.zero_grad: set_to_none is str, expected True or False
optim.lr_scheduler.StepLR(3, 2)
    DTypeError: optim.lr_scheduler.StepLR: optimizer is int, expected an Optimizer
optim.lr_scheduler.StepLR(adam, 2.5)
    DTypeError: optim.lr_scheduler.StepLR: step_size is 2.5, expected an integer
optim.lr_scheduler.ExponentialLR(adam, -1)
    OptionError: optim.lr_scheduler.ExponentialLR: gamma is -1
optim.lr_scheduler.CosineAnnealingLR(adam, 0)
    OptionError: optim.lr_scheduler.CosineAnnealingLR: T_max is 0, expected at least 1
optim.lr_scheduler.LambdaLR(adam, 3)
    DTypeError: optim.lr_scheduler.LambdaLR: lr_lambda[0] is int, expected a function \
        of the epoch
optim.lr_scheduler.LambdaLR(adam, lambda epoch: "a")
    DTypeError: optim.lr_scheduler.LambdaLR: lr_lambda(0)[0] is 'a', expected a number
optim.lr_scheduler.LinearLR(adam, 1.5)
    OptionError: optim.lr_scheduler.LinearLR: start_factor is 1.5
optim.lr_scheduler.MultiStepLR(adam, [2.5])
    DTypeError: optim.lr_scheduler.MultiStepLR: milestones[0] is 2.5, expected an \
        integer
optim.lr_scheduler.OneCycleLR(adam, 0.1)
    OptionError: optim.lr_scheduler.OneCycleLR: expected total_steps, or epochs and \
        steps_per_epoch
optim.lr_scheduler.SequentialLR(adam, [plateau], [])
    OptionError: optim.lr_scheduler.SequentialLR: scheduler 0 is a ReduceLROnPlateau
optim.lr_scheduler.ReduceLROnPlateau(adam, "up")
    OptionError: optim.lr_scheduler.ReduceLROnPlateau: mode is 'up', expected 'min' \
        or 'max'
plateau.step()
    DTypeError: optim.lr_scheduler.ReduceLROnPlateau.step: metrics is NoneType, \
        expected a number
plateau.step(NAN)
    OptionError: optim.lr_scheduler.ReduceLROnPlateau.step: metrics is nan
"""

CLIPPING = """
clip_grad_norm_(model.parameters(), -1.0)
    OptionError: clip_grad_norm_: max_norm is -1.0
clip_grad_norm_(model.parameters(), NAN)
    OptionError: clip_grad_norm_: max_norm is nan
clip_grad_norm_(model.parameters(), "1")
    DTypeError: clip_grad_norm_: max_norm is '1'
clip_grad_norm_(model.parameters(), 1.0, 0)
    OptionError: clip_grad_norm_: norm_type is 0
clip_grad_norm_(model.parameters(), 1.0, "fro")
    DTypeError: clip_grad_norm_: norm_type is 'fro'
clip_grad_norm_([weight, 3], 1.0)
    DTypeError: clip_grad_norm_: number 1 is int
clip_grad_norm_(model.named_parameters(), 1.0)
    DTypeError: clip_grad_norm_: number 0 is tuple
clip_grad_value_(model.parameters(), -1.0)
    OptionError: clip_grad_value_: clip_value is -1.0
clip_grad_value_(model.parameters(), None)
    DTypeError: clip_grad_value_: clip_value is None
clip_grad_value_([None], 1.0)
    DTypeError: clip_grad_value_: number 0 is NoneType
clip_grad_norm_(iter([]), 1.0)
    OptionError: clip_grad_norm_: got an exhausted iterator ... parameters()
clip_grad_value_(nn.Tanh().parameters(), 1.0)
    OptionError: clip_grad_value_: got an exhausted iterator
clip_grad_norm_(3, 1.0)
    DTypeError: clip_grad_norm_: tensors is int ... model.parameters()
nn.utils.parameters_to_vector([weight, 3.0])
    DTypeError: parameters_to_vector: number 1 is float
nn.utils.parameters_to_vector([])
    OptionError: got no tensors
nn.utils.vector_to_parameters(tg.ones(5), [weight])
    ShapeError: vector_to_parameters: vec has shape (5,), expected (6,)
nn.utils.vector_to_parameters(tg.ones(2, 3), [weight])
    ShapeError: vector_to_parameters: vec has shape (2, 3)
nn.utils.vector_to_parameters(np.ones(6), [weight])
    DTypeError: vector_to_parameters: vec is float64 ndarray
nn.utils.rnn.pad_sequence([tg.zeros(2, 3), tg.zeros(2, 4)])
    ShapeError: pad_sequence: got the shapes [(2, 3), (2, 4)]
nn.utils.rnn.pad_sequence([tg.tensor(1.0)])
    ShapeError: pad_sequence: got the shapes [()]
nn.utils.rnn.pad_sequence([tg.tensor([1, 2]), tg.tensor([])])
    DTypeError: pad_sequence: got sequences of float32 and int64
nn.utils.rnn.pad_sequence([])
    OptionError: pad_sequence: got no sequences, expected at least one
nn.utils.rnn.pack_sequence([])
    OptionError: pack_sequence: got no sequences, expected at least one
nn.utils.rnn.pack_padded_sequence(x, [3, 2, 1, 1])
    ShapeError: expected 2 integers ... the batch is dim 1 (batch_first=True: dim 0)
gru(x, lengths=[3, 2, 1, 1])
    ShapeError: expected 2 integers ... the batch is dim 1 (batch_first=True: dim 0)
nn.utils.rnn.pad_sequence([[1, 2], [3]])
    DTypeError: pad_sequence: number 0 is list, expected a Tensor; use tg.as_tensor()
nn.utils.rnn.pad_sequence([[1.0]])
    DTypeError: pad_sequence: number 0 is list
nn.utils.rnn.pad_sequence([tg.zeros(2)], padding_side="top")
    OptionError: pad_sequence: padding_side is 'top'
nn.utils.rnn.pack_padded_sequence([1.0], [1])
    DTypeError: pack_padded_sequence: input is list
nn.utils.rnn.pack_padded_sequence(x, [4, 5])
    OptionError: pack_padded_sequence: lengths go from 4 to 5, expected 0 to T=4
nn.utils.rnn.pack_padded_sequence(x, [2, 3])
    OptionError: pack_padded_sequence: lengths has 2 before 3; enforce_sorted=False
nn.utils.rnn.pack_padded_sequence(x, [3, 2], batch_first=True)
    ShapeError: pack_padded_sequence: lengths is int64 ndarray of shape (2,), \
        expected 4 integers
nn.utils.rnn.pack_padded_sequence(two, [1])
    ShapeError: pack_padded_sequence: input has shape (2,), expected (T, B, ...)
nn.utils.rnn.pack_padded_sequence(x, [3, 2], enforce_sorted=None)
    OptionError: pack_padded_sequence: enforce_sorted is None
nn.utils.rnn.pad_packed_sequence(x)
    DTypeError: pad_packed_sequence: sequence is float32 of shape (4, 2, 3), expected \
        a PackedSequence
nn.utils.rnn.pad_packed_sequence(packed, total_length=1)
    OptionError: pad_packed_sequence: total_length is 1, expected at least 2
nn.utils.rnn.pad_packed_sequence(packed, padding_value="a")
    DTypeError: pad_packed_sequence: padding_value is 'a', expected a number
nn.utils.rnn.pack_sequence([tg.zeros(2, 3), tg.zeros(3, 3)])
    OptionError: pack_sequence: lengths has 2 before 3; enforce_sorted=False
nn.utils.rnn.pack_sequence([tg.zeros(2, 3), tg.zeros(3, 4)])
    ShapeError: pack_sequence: got the shapes [(2, 3), (3, 4)]
nn.utils.rnn.unpack_sequence([x])
    DTypeError: pad_packed_sequence: sequence is list, expected a PackedSequence
nn.utils.rnn.unpad_sequence(x, [5, 1])
    OptionError: unpad_sequence: lengths go from 1 to 5
nn.utils.rnn.PackedSequence([1.0], two)
    DTypeError: PackedSequence: data is list, expected a Tensor
linear(packed)
    DTypeError: linear: input is PackedSequence ... \
        packed._replace(data=layer(packed.data))
get_total_norm([1.0])
    DTypeError: get_total_norm: number 0 is float
get_total_norm([weight], -2)
    OptionError: get_total_norm: norm_type is -2
nn.GradientClipping(-1)
    OptionError: GradientClipping: max_norm is -1
nn.GradientClipping("1")
    DTypeError: GradientClipping: max_norm is '1'
nn.GradientClipping(1.0).clip_gradients(np.ones(2))
    DTypeError: clip_gradients: gradients is float64 ndarray of shape (2,), expected \
        arrays in a list
nn.GradientClipping(1.0).clip_gradients([None, [1.0]])
    DTypeError: clip_gradients: number 1 is list, expected an array
"""

INITIAL = """
init.uniform_(weight, 1.0, 0.0)
    OptionError: uniform_: from a=1.0 to b=0.0
init.uniform_(weight, NAN)
    OptionError: uniform_: from a=nan
init.uniform_(np.zeros(3))
    DTypeError: uniform_: got float64 ndarray ... expected a float Tensor
init.uniform_(tg.tensor([1, 2]))
    DTypeError: uniform_: got int64
init.uniform_(weight, generator=3)
    DTypeError: uniform_: generator is int, expected a tg.Generator
init.normal_(weight, std=-1.0)
    OptionError: normal_: std is -1.0
init.constant_([1.0], 1.0)
    DTypeError: constant_: got list
init.xavier_uniform_(linear.bias)
    ShapeError: xavier_uniform_ ... (2,) ... at least 2 dims
init.xavier_normal_(tg.tensor(1.0))
    ShapeError: xavier_normal_ ... ()
init.kaiming_uniform_(linear.bias)
    ShapeError: kaiming_uniform_
init.kaiming_uniform_(tg.zeros(3, 0))
    ShapeError: kaiming_uniform_ ... (3, 0)
init.kaiming_normal_(weight, mode="fan")
    OptionError: mode is 'fan' ... 'fan_in'
init.kaiming_normal_(weight, nonlinearity="gelu")
    OptionError: nonlinearity is 'gelu'
init.orthogonal_(linear.bias)
    ShapeError: orthogonal_ ... (2,)
init.identity_(tg.zeros(2, 2, 2))
    ShapeError: identity_ ... (2, 2, 2)
init.eye_(linear.bias)
    ShapeError: eye_ ... 2 dims
init.calculate_gain("leaky_relu", "a")
    DTypeError: calculate_gain: param is 'a'
init.normal_(weight, std=NAN)
    OptionError: normal_: std is nan
init.kaiming_uniform_(weight, mode="mean")
    OptionError: kaiming_uniform_: mode is 'mean'
init.calculate_gain("gelu")
    OptionError: calculate_gain: nonlinearity is 'gelu' ... tanh
init.ones_(np.ones(3))
    DTypeError: ones_: got float64 ndarray of shape (3,), expected a float Tensor
init.zeros_([x])
    DTypeError: zeros_: got list, expected a float Tensor
"""

CREATION = """
tg.tensor([[1.0], [1.0, 2.0]])
    ShapeError: tensor: the data is ragged
tg.tensor(300, dtype="uint8")
    OptionError: tensor: the data has 300, which uint8 cannot hold
tg.full((2,), -1, dtype="uint8")
    OptionError: full: the data has -1, which uint8 cannot hold
tg.tensor("text")
    DTypeError: tensor ... expected numbers
tg.tensor([None])
    DTypeError: tensor ... expected numbers
tg.tensor([1j])
    DTypeError: tensor: the data is of complex128
tg.tensor([1.0], dtype="float16")
    DTypeError: tensor: got the dtype 'float16'
tg.tensor([1.0], dtype="nonsense")
    DTypeError: tensor: got the dtype 'nonsense'
tg.tensor([1.0], device="cuda:99")
    OptionError: device: got 'cuda:99' ... 'cpu'
tg.device("cpu:0")
    OptionError: device: got 'cpu:0', expected 'cpu', 'cuda' or 'cuda:N'
tg.tensor([1, 2], requires_grad=True)
    DTypeError: requires_grad: got a tensor of int64
tg.from_numpy([1.0])
    DTypeError: from_numpy: array is list
tg.from_numpy(np.array(["a"]))
    DTypeError: from_numpy ... expected numbers
tg.zeros(-1)
    ShapeError: zeros: got the shape (-1,)
tg.zeros(2.0)
    DTypeError: zeros: got (2.0,), expected integers
tg.zeros(2, dtype=f64, shape=3)
    DTypeError: zeros: got shape=; the arguments are dtype, device, requires_grad
tg.stack(tensors=[x], axis=0)
    DTypeError: stack: got axis=, use dim=; the arguments are tensors, dim
tg.ones("3")
    DTypeError: ones: got ('3',), expected integers
tg.full((2, -2), 1.0)
    ShapeError: full: got the shape (2, -2)
tg.empty(3, dtype=complex)
    DTypeError: empty: got the dtype
tg.arange(0, 5, 0)
    OptionError: arange: from 0 to 5, but step is 0
tg.linspace(0, 1, -1)
    OptionError: linspace: steps is -1
tg.eye(-1)
    ShapeError: eye: got the shape (-1, -1)
tg.rand(2, dtype=i64)
    DTypeError: rand: got the dtype int64
tg.randn(-2)
    ShapeError: randn: got the shape (-2,)
tg.randn(2, generator=np.random.default_rng())
    DTypeError: randn: generator is Generator
tg.randint(5, 5, (2,))
    OptionError: randint: from 5 to 5
tg.randint(5)
    OptionError: randint ... as in randint(10, (2, 3))
tg.randperm(-1)
    OptionError: randperm: n is -1, expected at least 0
tg.manual_seed(-1)
    OptionError: manual_seed: seed is -1
tg.manual_seed(1.5)
    DTypeError: manual_seed: seed is 1.5
tg.Generator().set_state(tg.zeros(6))
    DTypeError: set_state ... get_state()
tg.set_default_dtype("int64")
    DTypeError: set_default_dtype: got the dtype int64
tg.multinomial(tg.tensor([1.0, NAN]), 1)
    OptionError: multinomial: the weights must be finite
tg.multinomial(tg.tensor([1.0, -1.0]), 1)
    OptionError: not negative
tg.multinomial(tg.tensor([0.0, 0.0]), 1)
    OptionError: multinomial: 0 weights are above 0
tg.multinomial(tg.tensor([1.0, 1.0]), 3)
    OptionError: multinomial ... num_samples=3
tg.multinomial(tg.tensor([1.0]), 0)
    OptionError: num_samples is 0
tg.multinomial(tg.tensor([1, 2]), 1)
    ShapeError: multinomial ... int64
tg.multinomial(tg.ones(2, 2, 2), 1)
    ShapeError: multinomial ... (2, 2, 2), expected (V,) or (B, V)
tg.multinomial(tg.tensor([1.0, 2.0]), 1, generator=3)
    DTypeError: multinomial: generator is int
tg.multinomial(tg.tensor([1.0, 2.0]), 1, tg.Generator())
    DTypeError: multinomial: replacement is Generator, expected True or False
tg.multinomial([1.0, 2.0], 1)
    DTypeError: multinomial ... list
tg.categorical(tg.tensor([1, 2]))
    ShapeError: categorical: logits is int64 ... expected floats (..., V)
tg.categorical(tg.tensor([0.0, NAN]))
    OptionError: categorical: a row of logits (2,) has a NaN
tg.categorical(tg.zeros(2), -1.0)
    OptionError: categorical: temperature is -1.0, expected a finite number >= 0.0
tg.categorical(tg.zeros(2), top_k=0)
    OptionError: categorical: top_k is 0, expected at least 1
tg.categorical(tg.zeros(2), top_p=2.0)
    OptionError: categorical: top_p is 2.0, expected a number from 0.0 to 1.0
tg.categorical([1.0])
    DTypeError: categorical: logits is list, expected a float Tensor
tg.compile(3)
    DTypeError: compile: model is int, expected a function of tensors
tg.compile(len, check=-1)
    OptionError: compile: check is -1, expected at least 0
tg.compile(lambda x: x * x.item())(tg.zeros(()))
    GraphError: compile: <lambda> cannot be captured: item() ... return it
tg.FloatTensor("a")
    DTypeError: FloatTensor: the data is of <U1
tg.FloatTensor(2, 3)
    DTypeError: FloatTensor: got (2, 3), expected one list or array ... tg.empty(2, \
        3) for sizes
tg.DoubleTensor(3)
    DTypeError: DoubleTensor: got (3) ... tg.empty(2, 3, dtype=tg.float64) for sizes
tg.LongTensor(None)
    DTypeError: LongTensor: the data is of object, expected numbers
tg.IntTensor([[1], [2, 3]])
    ShapeError: IntTensor: the data is ragged
tg.BoolTensor(["a"])
    DTypeError: BoolTensor: the data is of <U1, expected numbers
tg.Tensor(2, 3)
    DTypeError: Tensor: got (2, 3), expected one list or array ... tg.empty(2, 3) for \
        sizes
tg.Tensor(2.0)
    DTypeError: Tensor: got (2.0) ... tg.tensor(...) for a number
tg.Tensor([x, x])
    ExportError: Tensor: this tensor requires grad ... tg.stack([...])
tg.zeros_like([1.0])
    DTypeError: zeros_like: input is list, expected a Tensor
tg.ones_like(3.0)
    DTypeError: ones_like: input is float, expected a Tensor
tg.full((2,), tg.ones(2))
    ShapeError: full: fill_value has the shape (2,), expected a number
tg.zeros(2, dtype={"a": 1})
    DTypeError: zeros: got the dtype {'a': 1}
tg.flip("a")
    DTypeError: flip
tg.einsum("ij->ji", np.ones((2, 3)))
    DTypeError: einsum: operand 0 is float64 ndarray of shape (2, 3), expected a Tensor
tg.randn_like([1.0])
    DTypeError: randn_like: input is list, expected a Tensor
tg.randn_like(two)
    DTypeError: randn_like: got the dtype int64, expected float32 or float64
tg.full_like(x, 1, dtype="complex64")
    DTypeError: full_like: got the dtype 'complex64'
tg.as_tensor(1j)
    DTypeError: as_tensor: the data is of complex128
tg.from_dlpack([1.0])
    DTypeError: from_dlpack: got list, which has no __dlpack__
tg.cuda.synchronize("cpu")
    OptionError: cuda.synchronize: device is 'cpu', expected 'cuda', 'cuda:N' or a
tg.cuda.set_device("gpu")
    OptionError: cuda.set_device: device is 'gpu', expected 'cuda', 'cuda:N' or a number
tg.cuda.set_device(99)
    OptionError: tg.device: got 'cuda:99'
tg.cuda.device(99).__enter__()
    OptionError: tg.device: got 'cuda
tg.cuda.get_device_name("cpu")
    OptionError: cuda.get_device_name: device is 'cpu'
tg.cuda.mem_get_info("cpu")
    OptionError: cuda.mem_get_info: device is 'cpu'
tg.cuda.memory_allocated("cpu")
    OptionError: cuda.memory_allocated: device is 'cpu'
tg.cuda.memory_reserved("cpu")
    OptionError: cuda.memory_reserved: device is 'cpu'
"""

DATA = """
tg.data.Vocabulary("")
    OptionError: Vocabulary: the text is empty
tg.data.Vocabulary(3)
    DTypeError: Vocabulary: text is int, expected a str, bytes, or words in a list
tg.data.Vocabulary(["ab", 1])
    DTypeError: Vocabulary: word 1 is int, expected a str
vocabulary.encode("abc")
    OptionError: Vocabulary.encode: 'c' at position 2 (in 'abc')
vocabulary.encode(["a"])
    DTypeError: Vocabulary.encode: text is list
vocabulary.decode(tg.tensor([0, 2]))
    IdError: Vocabulary.decode: the id 2 at 1 is not in [0, 2)
vocabulary.decode([-1])
    IdError: Vocabulary.decode: the id -1 at 0
vocabulary.decode([[0], [0, 1]])
    ShapeError: Vocabulary.decode: the data is ragged
vocabulary.decode(tg.ones(2))
    DTypeError: Vocabulary.decode: ids are float32, expected integers
vocabulary.decode(tg.tensor([[0], [1]]))
    ShapeError: Vocabulary.decode: ids have shape (2, 1) ... ids[:, 0]
tg.data.read_text("/no/such/file")
    MissingFile: read_text: cannot read '/no/such/file'
tg.data.read_text(3)
    DTypeError: read_text: path is int, expected a str or a pathlib.Path
tg.data.read_text("/no/such/file", encoding=3)
    DTypeError: read_text: encoding is int, expected the name of an encoding
tg.data.encode_file("/no/such/file", "/no/such/ids")
    MissingFile: encode_file: cannot read '/no/such/file'
tg.data.encode_file(3, "/no/such/ids")
    DTypeError: encode_file: path is int, expected a str or a pathlib.Path
tg.data.encode_file("/no/such/file", "/no/such/ids", bytes=1)
    DTypeError: encode_file: bytes is int, expected True or False
tg.data.TextStreams("ab", None, 2, 2)
    DTypeError: TextStreams: vocabulary is NoneType, expected a tg.data.Vocabulary, or a
tg.data.TextStreams("ab", vocabulary, 2, 2)
    OptionError: TextStreams: the text has 2 characters, expected at least 5 ... \
        pathlib.Path
tg.data.TextStreams("abab", "ab", 1, 2)
    DTypeError: TextStreams: vocabulary is str
tg.data.TextStreams("abab", vocabulary, 0, 2)
    OptionError: TextStreams: batch_size is 0
tg.data.TextStreams("abab", vocabulary, 1, 2.0)
    DTypeError: TextStreams: seq_len is 2.0
tg.data.TextStreams("abac", vocabulary, 1, 1)
    OptionError: 'c' at position 3
tg.data.TextStreams(x, vocabulary, 1, 1)
    DTypeError: TextStreams: ids are float32
tg.data.TextStreams(tg.tensor([0, 1, 2]), vocabulary, 1, 2).next_batch()
    IdError: TextStreams: the id 2 at 2 is not in [0, 2)
streams.split(1.0)
    OptionError: TextStreams: with val_fraction=1.0 the training part has 0 characters
streams.split("0.1")
    DTypeError: TextStreams.split: val_fraction is '0.1', expected a number
streams.split(0.1)
    OptionError: the validation part has 1 characters, expected at least 3
streams.shard(2, 2)
    OptionError: TextStreams.shard: rank is 2, expected a number below world_size=2
streams.shard(0, 3)
    OptionError: TextStreams.shard: world_size is 3, expected a divisor of batch_size=1
streams.shard(-1, 1)
    OptionError: TextStreams.shard: rank is -1, expected at least 0
streams.shard(0, "1")
    DTypeError: TextStreams.shard: world_size is '1', expected an integer
streams.load_state_dict(3)
    DTypeError: TextStreams.load_state_dict: state_dict is int
streams.load_state_dict({})
    CheckpointError: TextStreams.load_state_dict: {} is not a state
streams.load_state_dict({**streams.state_dict(), "seq_len": 5})
    CheckpointError: seq_len is 5 there, 2 here; make the streams with ... seq_len=5
tg.data.sine_waves(0)
    OptionError: sine_waves: num_sequences is 0
tg.data.sine_waves(3, 2.5)
    DTypeError: sine_waves: sequence_length is 2.5
tg.data.sine_waves(3, generator=3)
    DTypeError: sine_waves: generator is int
tg.utils.data.DataLoader(iter([1, 2]))
    DTypeError: DataLoader: dataset is list_iterator ... __getitem__ and __len__
tg.utils.data.DataLoader([1], num_workers=2)
    OptionError: DataLoader: num_workers is 2, expected 0
tg.utils.data.DistributedSampler([1, 2])
    OptionError: DistributedSampler, without num_replicas and rank: there is no process
tg.utils.data.DistributedSampler([1, 2], 2, 2)
    OptionError: DistributedSampler: rank is 2, expected a number below num_replicas=2
tg.utils.data.DistributedSampler(3, 2, 0)
    DTypeError: DistributedSampler: dataset is int, expected an object with __len__
tg.utils.data.DistributedSampler([1, 2], 2, 0, shuffle=1)
    DTypeError: DistributedSampler: shuffle is int, expected True or False
tg.utils.data.DistributedSampler([1, 2], 2, 0).set_epoch(-1)
    OptionError: set_epoch: epoch is -1, expected at least 0
tg.utils.data.TensorDataset(x, two)
    ShapeError: TensorDataset: got the shapes [(4, 2, 3), (2,)]
tg.utils.data.Subset([1], 3)
    DTypeError: Subset: indices is int
tg.utils.data.random_split([1, 2], [1, 2])
    OptionError: random_split: lengths are [1, 2], expected lengths that add up to 2
tg.utils.data.default_collate([tg.ones(2), tg.ones(3)])
    ShapeError: default_collate: sample 1 has shape (3,), the first (2,) ... \
        pad_sequence
"""

CHECKPOINTS = """
tg.save(model, "/no/such/folder/file")
    DTypeError: save: obj is a ... Sequential ... save its .state_dict()
tg.save({"a": {1: len}}, "/no/such/folder/file")
    DTypeError: save: 'a/1' is a builtins.builtin_function_or_method ... code is \
        never saved
tg.save(1, "/no/such/folder/file")
    MissingFile: cannot save '/no/such/folder/file': [Errno 2] No such file or \
        directory; check
tg.save("file", {})
    DTypeError: cannot save: path is dict, expected a str
tg.load("/no/such/file")
    MissingFile: cannot load '/no/such/file' ... check the name
tg.load("/no/such/file", "cuda:99")
    OptionError: 'cuda:99'
tg.load(3)
    DTypeError: cannot load: path is int, expected a str
tg.save_checkpoint("/no/such/folder/file", model)
    MissingFile: cannot save '/no/such/folder/file' ... the folder exists
tg.save_checkpoint("/no/such/folder/file", 3)
    DTypeError: save_checkpoint ... int
tg.save_checkpoint("/no/such/folder/file", model, 3)
    DTypeError: save_checkpoint ... int
tg.save_checkpoint("/no/such/folder/file", model, step=-1)
    OptionError: save_checkpoint: step is -1
tg.save_checkpoint("/no/such/folder/file", model, extra={"a": object()})
    DTypeError: save_checkpoint: 'extra/a' is a builtins.object
tg.save_checkpoint("/no/such/folder/file", model, extra={"a": np.ones(2, "f2")})
    DTypeError: cannot save 'extra/a': it is a ndarray of float16 ... float32
tg.save_checkpoint(None, model)
    DTypeError: path is NoneType, expected a str
tg.save_checkpoint("/no/such/folder/file", linear, adam)
    CheckpointError: save_checkpoint: 4 of the 4 tensors that optimizer trains are \
        not in model
tg.load_checkpoint("/no/such/file", linear, adam)
    CheckpointError: load_checkpoint: 4 of the 4 tensors ... ModuleList
tg.load_checkpoint("/no/such/file", model, adam, plateau)
    CheckpointError: load_checkpoint: scheduler sets the rates of another optimizer
tg.load_checkpoint("/no/such/file", model)
    MissingFile: cannot load '/no/such/file' ... check the name
tg.load_checkpoint("/", model)
    CheckpointError: cannot load '/'
tg.load_checkpoint(3)
    DTypeError: path is int
model.save_weights("/no/such/folder/file")
    MissingFile: cannot save '/no/such/folder/file'
model.save_weights(3)
    DTypeError: path is int
model.load_weights(3)
    DTypeError: path is int
"""

TENSORS = """
x.item()
    ShapeError: item: got shape (4, 2, 3), expected one element; use tolist()
float(two)
    ShapeError: shape (2,), expected one element
int(x)
    ShapeError: shape (4, 2, 3), expected one element
bool(two)
    ShapeError: bool: a tensor of shape (2,) is neither true nor false; use .any() or \
        .all()
len(tg.tensor(1.0))
    DTypeError: 0-d tensor
list(tg.tensor(1.0))
    DTypeError: 0-d tensor
tg.tensor(3.0).size(0)
    DimError: size: dim 0 of a tensor of shape (), which has no dim
x["a"]
    IdError: getitem: an index is an integer, a slice, `...`, None, or a list, array
x[1.0]
    IdError: getitem: an index is an integer, a slice
x[[1.0]]
    IdError: getitem: an index is an integer, a slice
two.__setitem__("a", 1)
    IdError: assignment: an index is an integer, a slice
x.max(dim=0).sum()
    NoAttribute: sum: got a pair (values, indices), expected a Tensor; use .values
tg.zeros(3, device="gpu")
    OptionError: tg.device: got 'gpu', expected one of 'cpu'
tg.zeros(3).expand(2)
    ShapeError: expand: (3,) cannot be expanded to (2,)
tg.from_numpy(np.zeros(3, np.float16))
    DTypeError: from_numpy: got the dtype float16, expected float32
x.size(3)
    DimError: size: dim 3 of a tensor of shape (4, 2, 3), expected one from -3 to 2
x[4]
    IdError: getitem ... (4, 2, 3)
x[0, 0, 0, 0]
    IdError: getitem ... (4, 2, 3)
x["a"]
    IdError: getitem ... (4, 2, 3)
x[1.5]
    IdError: getitem ... (4, 2, 3)
x[[[0], [1, 2]]]
    ShapeError: getitem: the data is ragged
x[0, [[0], [1, 2]]]
    ShapeError: getitem: the data is ragged
two.__setitem__([[0], [0, 1]], 1)
    ShapeError: assignment: the data is ragged
two.__setitem__(0, [[0], [0, 1]])
    ShapeError: assignment: the data is ragged
x[tg.tensor([0.0])]
    IdError: getitem ... (4, 2, 3)
x[tg.tensor([0, 4])]
    IdError: getitem ... (4, 2, 3)
x[tg.tensor([True, False])]
    IdError: getitem ... (4, 2, 3)
two.__setitem__(5, 1)
    IdError: assignment ... (2,)
two.__setitem__(0, 2**70)
    OptionError: assignment ... (2,)
two.__setitem__(0, tg.tensor([1, 2, 3]))
    ShapeError: assignment ... (2,)
(x * 2.0).__setitem__(4, 1.0)
    IdError: assignment: index 4 is out of bounds
(x * 2.0).fill_(tg.ones(5))
    ShapeError: fill_: ... (4, 2, 3)
setattr(x * 2.0, "requires_grad", False)
    GraphError: requires_grad_: only for leaves; use detach() to leave the graph
setattr(two, "requires_grad", True)
    DTypeError: requires_grad: got a tensor of int64, expected floats
setattr(x, "requires_grad", 1)
    DTypeError: requires_grad_: requires_grad is int, expected True or False
setattr(x, "grad", tg.ones(4, 2))
    ShapeError: grad: got float32 of shape (4, 2), expected float32 of shape (4, 2, 3)
setattr(x, "grad", tg.ones(4, 2, 3, dtype=f64))
    DTypeError: grad: got float64 ... expected float32
setattr(x, "grad", np.ones((4, 2, 3), "f"))
    DTypeError: grad: value is float32 ndarray of shape (4, 2, 3), expected a Tensor \
        or None
x.__setitem__(0, 1.0)
    GraphError: assignment: a leaf that requires grad ... no_grad()
two.copy_(tg.tensor([1, 2, 3]))
    ShapeError: copy_ ... (2,)
two.add_(1.5)
    DTypeError: add_: a result of float64 does not fit a tensor of int64 in place \
        ... .to()
two.div_(2)
    DTypeError: div_: a result of float64 does not fit a tensor of int64
two.mul_(tg.tensor([1, 2, 3]))
    ShapeError: (2,) and (3,)
setattr(two, "data", 3)
    DTypeError: data: got int, expected a Tensor or an array of int64 ... .data.fill_()
x.to("nonsense")
    DTypeError: to: got the dtype 'nonsense'
x.to("cuda:99")
    OptionError: 'cuda:99'
x.cuda(99)
    OptionError: 'cuda:99'
x.type("torch.NoTensor")
    DTypeError: type: got the dtype 'torch.NoTensor', expected float32
x.type_as(np.float64)
    DTypeError: type_as: other is type, expected a Tensor
x.new_tensor("a")
    DTypeError: new_tensor: the data is of <U1, expected numbers
x.to_device(0)
    DTypeError: to_device: device is int, expected the name of a device, such as 'cpu'
x.to_device("cpu", stream=1)
    DTypeError: to_device: stream is int, expected None
x.__array__()
    ExportError: conversion to a NumPy array: this tensor requires grad ... \
        x.detach(), x.numpy()
x.__dlpack__()
    ExportError: conversion by DLPack: this tensor requires grad ... x.detach()
format(x, ".3f")
    DTypeError: format: '.3f' of a tensor of shape (4, 2, 3): use .item() ... .tolist()
two.requires_grad_()
    DTypeError: requires_grad: got a tensor of int64 ... .float()
(x * 2).requires_grad_(False)
    GraphError: requires_grad_: only for leaves ... detach()
two.register_hook(print)
    GraphError: register_hook: this tensor does not require grad
two.retain_grad()
    GraphError: retain_grad: this tensor does not require grad
x.clamp(1j)
    DTypeError: clamp: min is complex, expected a number, or None
x.clamp(max=tg.ones(3))
    DTypeError: clamp: max is float32 of shape (3,), expected a number, or None
x.gather(0, 3)
    DTypeError: gather: index is int, expected a Tensor of indices
x.take_along_dim([0])
    DTypeError: take_along_dim: indices is list, expected a Tensor
x.repeat(2)
    ShapeError: repeat: got 1 sizes, expected 3 at least
x.t()
    ShapeError: t: got the shape (4, 2, 3), expected at most 2 dims; use mT
x.new_zeros(-1)
    ShapeError: new_zeros: negative dimensions
x.new_ones("a")
    DTypeError: new_ones: got ('a',), expected integers
x.new_full((2,), [1.0, 2.0])
    DTypeError: new_full: fill_value is list, expected a number
x.new_full((2,), 1.0, dtype="complex64")
    DTypeError: new_full: got the dtype 'complex64'
x.equal(3)
    DTypeError: equal: other is int, expected a Tensor
x.to("gpu")
    DTypeError: to: got the dtype 'gpu', expected ... or a device such as 'cpu'
iter(tg.tensor(1.0))
    DTypeError: len: a 0-d tensor has no length, and nothing to iterate over
x.sub_(None)
    DTypeError: sub_: got None, expected a Tensor or a number
x.detach().clamp_()
    OptionError: clamp_: min and max are both None
x.uniform_()
    GraphError: uniform_: a leaf that requires grad
x.detach().uniform_(2.0, 1.0)
    OptionError: uniform_: from 2.0 to 1.0, expected from <= to
x.detach().uniform_("a")
    DTypeError: uniform_: from_ is 'a', expected a number
two.uniform_()
    DTypeError: uniform_: got int64 of shape (2,), expected floats
two.normal_()
    DTypeError: normal_: got int64 of shape (2,), expected floats
x.detach().normal_(0.0, -1.0)
    OptionError: normal_: std is -1.0
x.detach().bernoulli_(1.5)
    OptionError: bernoulli_: p is 1.5, expected numbers from 0 to 1
x.detach().bernoulli_(tg.ones(5))
    ShapeError: bernoulli_
x.detach().bernoulli_(generator=3)
    DTypeError: bernoulli_: generator is int, expected a tg.Generator
x.detach().masked_fill_(x, 0.0)
    DTypeError: masked_fill_: mask is float32
x.view_as(3)
    DTypeError: view_as: other is int, expected a Tensor
x.expand_as((4, 2, 3))
    DTypeError: expand_as: other is tuple, expected a Tensor
x.new(-1)
    ShapeError: new: negative dimensions
x.new_empty("a")
    DTypeError: new_empty: got ('a',), expected integers
x[0].detach_()
    GraphError: detach_: this is a view ... x.detach()
"""

FUNCTIONS = """
x + tg.ones(5)
    ShapeError: add: the shapes (4, 2, 3) and (5,) cannot be broadcast together
x.add(tg.ones(5))
    ShapeError: add: the shapes (4, 2, 3) and (5,)
x - "a"
    DTypeError: subtract
None * x
    DTypeError: multiply
x.div(2.0, rounding_mode="up")
    OptionError: div: rounding_mode is 'up', expected 'floor' or 'trunc'
x / [1.0]
    DTypeError: div ... got a list, expected a Tensor or a number
x ** "a"
    DTypeError: pow
x // None
    DTypeError: floor_divide
x % "a"
    DTypeError: remainder
x & x
    DTypeError: bitwise_and
two | x
    DTypeError: bitwise_or
~x
    DTypeError: bitwise_invert
tg.exp([1.0])
    DTypeError: exp: got a list, expected a Tensor
tg.exp(2.0)
    DTypeError: exp: expected a Tensor, got float
F.relu([1.0])
    DTypeError: relu: got a list
tg.tanh(None)
    DTypeError: tanh ... None
x.floor_divide(tg.ones(5))
    ShapeError: floor_divide: the shapes (4, 2, 3) and (5,) cannot be broadcast
x.remainder("2")
    DTypeError: remainder: got a str, expected a Tensor or a number
x.maximum(tg.ones(5))
    ShapeError: maximum: the shapes (4, 2, 3) and (5,)
x.clamp()
    OptionError: clamp: min and max are both None
x.clamp(tg.ones(4, 2, 3))
    DTypeError: clamp:
tg.where(x > 0, x, tg.ones(5))
    ShapeError: where: the shapes (4, 2, 3) and (4, 2, 3) and (5,)
tg.where([True], x, x)
    DTypeError: where: condition is list
x.masked_fill(tg.ones(5).bool(), 0.0)
    ShapeError: masked_fill: the shapes (5,) and (4, 2, 3)
x.masked_fill(x > 0, None)
    DTypeError: masked_fill: got None, expected a Tensor or a number
tg.where(x > 0, x, None)
    DTypeError: where: got None
x.fill_(None)
    DTypeError: fill_: got NoneType, expected numbers
x.copy_(None)
    DTypeError: copy_: got NoneType
x.__setitem__(0, b"5")
    DTypeError: assignment: got bytes, expected numbers
x.__setitem__(0, [None, 1.0])
    DTypeError: assignment: got object ... expected numbers
x.__setitem__(0, ["1", "2"])
    DTypeError: assignment: got <U1
x[[0, 1], [0, 1, 2]]
    IdError: getitem: ... (2,) (3,)
x.masked_fill(x > 0, [1.0, 2.0])
    DTypeError: masked_fill: got a list
tg.allclose(x, tg.ones(5))
    ShapeError: allclose: the shapes (4, 2, 3) and (5,)
x.sum(3)
    DimError: sum: dim 3 of a tensor of shape (4, 2, 3), expected one from -3 to 2
x.sum((0, 0))
    DimError: sum: dim (0, 0) names a dim twice
x.sum("a")
    DTypeError: sum: dim is 'a', expected an integer
x.mean(1.0)
    DTypeError: mean: dim is 1.0, expected an integer
two.mean()
    DTypeError: mean: got a tensor of int64, expected floats; use .float()
tg.zeros(0).mean()
    ShapeError: mean: nothing to average in a tensor of shape (0,)
tg.zeros(0, 2).mean(0)
    ShapeError: mean: nothing to average in a tensor of shape (0, 2)
tg.zeros(0).var()
    ShapeError: var: nothing to average in a tensor of shape (0,)
tg.zeros(0).std()
    ShapeError: std: nothing to average
x.var(3)
    DimError: var: dim 3 of a tensor of shape (4, 2, 3)
two.std()
    DTypeError: std: got a tensor of int64, expected floats; use .float()
tg.zeros(0).max()
    ShapeError: max ... (0,)
tg.zeros(0).amin()
    ShapeError: amin: ... (0,)
tg.zeros(0, 2).argmax(0)
    ShapeError: argmax ... (0, 2)
tg.max(x, x)
    DTypeError: max: dim is float32 of shape (4, 2, 3), expected an integer ... \
        maximum(a, b)
x.min(x)
    DTypeError: min: dim is float32 of shape (4, 2, 3), expected an integer ... \
        minimum(a, b)
x.max(3)
    DimError: max: dim 3 of a tensor of shape (4, 2, 3)
x.min("a")
    DTypeError: min: dim is 'a', expected an integer
x.amax(3)
    DimError: amax: dim 3
x.amin((0, 0))
    DimError: amin: dim (0, 0) names a dim twice
x.argmin(-4)
    DimError: argmin: dim -4 of a tensor of shape (4, 2, 3)
x.std(3)
    DimError: std: dim 3 of a tensor of shape (4, 2, 3)
x.prod(3)
    DimError: prod: dim 3 of a tensor of shape (4, 2, 3)
x.cumsum(3)
    DimError: cumsum: dim 3 of a tensor of shape (4, 2, 3)
x.logsumexp(4)
    DimError: logsumexp: dim 4
x.softmax(3)
    DimError: softmax: dim 3
F.log_softmax(x, "a")
    DTypeError: log_softmax: dim is 'a'
x.norm("inf")
    DTypeError: norm: p is 'inf', expected a number
x.norm(2, 3)
    DimError: norm: dim 3 of a tensor of shape (4, 2, 3)
x.norm(INF, 3)
    DimError: norm: dim 3
x @ tg.ones(4)
    ShapeError: matmul: the shapes (4, 2, 3) and (4,) do not fit
x @ 2.0
    DTypeError: matmul: other is float, expected a Tensor
tg.mm(x, x)
    ShapeError: mm: got the shapes (4, 2, 3) and (4, 2, 3) ... matmul()
tg.mm(tg.ones(2, 3), tg.ones(2, 3))
    ShapeError: mm: the shapes (2, 3) and (2, 3) do not fit
tg.bmm(tg.ones(2, 3), tg.ones(3, 2))
    ShapeError: bmm: got the shapes (2, 3) and (3, 2)
tg.mv(tg.ones(2, 3), tg.ones(2))
    ShapeError: mv: the shapes (2, 3) and (2,)
tg.dot(x, x)
    ShapeError: dot: got the shapes
tg.dot(tg.ones(2), tg.ones(3))
    ShapeError: dot: the shapes (2,) and (3,)
tg.outer(x, x)
    ShapeError: outer
tg.einsum("ij,jk", tg.ones(2, 3), tg.ones(2, 3))
    ShapeError: einsum: 'j' is of the sizes 3 and 2
tg.einsum("ij", tg.ones(2))
    ShapeError: einsum: 'ij' does not fit
tg.einsum("i,j", tg.ones(2))
    ShapeError: einsum: 'i,j' names 2 operands, got 1
tg.einsum("i->j", tg.ones(2))
    OptionError: einsum: 'i->j' is not an equation
tg.einsum(tg.ones(2), "i")
    DTypeError: einsum: equation is float32 of shape (2,), expected text, as in
x.reshape(5, 5)
    ShapeError: reshape ... (4, 2, 3)
x.reshape(-1, -1)
    ShapeError: reshape
x.reshape(2.0, 3)
    DTypeError: reshape: got (2.0, 3), expected integers
x.view(7)
    ShapeError: view: ... (4, 2, 3)
x.permute(0, 1)
    ShapeError: permute: ... (4, 2, 3)
x.permute(0, 0, 1)
    DimError: permute: dim (0, 0, 1) names a dim twice
x.permute(0, 1, 5)
    DimError: permute: dim 5
x.transpose(0, 3)
    DimError: transpose: dim 3
x.transpose("a", 1)
    DTypeError: transpose: dim is 'a'
x.movedim(0, 3)
    DimError: movedim: dim 3
x.movedim((0, 1), (0,))
    DimError: movedim: (0, 1) cannot be moved to (0,)
x.squeeze(3)
    DimError: squeeze: dim 3
x.unsqueeze(5)
    DimError: unsqueeze: dim 5 of a tensor of shape (4, 2, 3), expected one from -4 to 3
x.flatten(2, 1)
    DimError: flatten: start_dim 2 comes after end_dim 1
x.expand(3, 2, 3)
    ShapeError: expand: ... (4, 2, 3)
x.expand(2)
    ShapeError: expand: (4, 2, 3) cannot be expanded to (2,)
tg.broadcast_to(x, (5, 2, 3))
    ShapeError: broadcast_to ... (4, 2, 3)
tg.cat([x, tg.ones(4, 2)])
    ShapeError: cat:
tg.cat([x, tg.ones(4, 2, 2)])
    ShapeError: cat:
tg.cat(x, x)
    DTypeError: cat: got Tensor ... cat([a, b], dim)
tg.cat([])
    OptionError: cat: got no tensors
tg.concat([x, 3])
    DTypeError: cat: number 1 is int ... tg.as_tensor()
tg.cat([x, x], 3)
    DimError: cat: dim 3 of a tensor of shape (4, 2, 3)
tg.stack([x, tg.ones(2)])
    ShapeError: stack: tensor 1 has shape (2,), expected (4, 2, 3)
x.sum(0, 1)
    DTypeError: sum: keepdim is 1, expected True or False; several dims are a tuple
tg.stack([x], 5)
    DimError: stack: dim 5
tg.stack(x)
    DTypeError: stack: got Tensor
tg.cat([tg.ones(2, 3), tg.ones(3, 2)])
    ShapeError: cat: tensor 1 has shape (3, 2), expected (*, 3)
tg.cat([tg.ones(2, 3), tg.ones(2, 1), tg.ones(3, 2)], -1)
    ShapeError: cat: tensor 2 has shape (3, 2), expected (2, *)
tg.cat([tg.ones(2), tg.ones(2, 3)])
    ShapeError: cat: tensor 1 has shape (2, 3), expected (*,)
tg.einsum("ij,jk", tg.ones(2, 2))
    ShapeError: einsum: 'ij,jk' names 2 operands, got 1
tg.einsum("ij", tg.ones(2, 2), tg.ones(2, 2))
    ShapeError: einsum: 'ij' names 1 operand, got 2
linear.weigth
    NoAttribute: 'Linear' object has no attribute 'weigth'; names like it: weight
gru.weight_ih_10
    NoAttribute: names like it: ... weight_ih_l0
sequential.paramters()
    NoAttribute: names like it: parameters
x.split(0)
    OptionError: split: split_size is 0
x.split([1, 1])
    ShapeError: split: the sizes [1, 1] do not add up to 4
x.split(2, 7)
    DimError: split: dim 7 of a tensor of shape (4, 2, 3)
x.chunk(0)
    OptionError: chunk: chunks is 0
x.unbind(3)
    DimError: unbind: dim 3 of a tensor of shape (4, 2, 3)
x.flip()
    DTypeError: flip: got no dims, expected them as in flip(0) or flip((0, 1))
tg.flip(x)
    DTypeError: flip: got no dims, expected them as in flip(0) or flip((0, 1))
x.flip(3)
    DimError: flip: dim 3
x.flip(0, 0)
    DimError: flip: dim (0, 0) names a dim twice
x.roll(1, 3)
    DimError: roll: dim 3 of a tensor of shape (4, 2, 3)
x.roll((1, 2), 0)
    DimError: roll: got 2 shifts for 1 dims
x.tile("a")
    DTypeError: tile: got ('a',), expected integers
tg.tril(tg.ones(3))
    ShapeError: tril: got the shape (3,), expected at least 2 dims
tg.triu(tg.tensor(1.0))
    ShapeError: triu: got the shape ()
x.sort(3)
    DimError: sort: dim 3 of a tensor of shape (4, 2, 3)
x.argsort(3)
    DimError: argsort: dim 3
x.topk(1, 3)
    DimError: topk: dim 3
x.topk(5, 0)
    OptionError: topk: k is 5, expected at most 4
x.topk(-1)
    OptionError: topk: k is -1
x.topk(1.0)
    DTypeError: topk: k is 1.0, expected an integer
x.index_select(3, two)
    DimError: index_select: dim 3
x.index_select(0, tg.tensor([4]))
    IdError: index_select: ... (4, 2, 3)
x.index_select(0, tg.tensor([0.0]))
    IdError: index_select: ... (4, 2, 3)
x.masked_select(x)
    DTypeError: masked_select: mask is float32 ... expected bool
x.median(3)
    DimError: median: dim 3 ... (4, 2, 3)
x.median(x[:0].median)
    DTypeError: median: dim is
x[:0].median()
    ShapeError: median: nothing in a tensor of shape (0, 2, 3)
x.nonzero(as_tuple=1).append(x)
    DTypeError: nonzero: as_tuple is int, expected True or False
x.unique(dim=-4)
    DimError: unique: dim -4
two.bincount(minlength=-1)
    OptionError: bincount: minlength is -1, expected at least 0
tg.bincount(two, 1.0)
    DTypeError: bincount: weights is float, expected a Tensor
x.cumprod(None)
    DTypeError: cumprod: dim is None
x.diag()
    ShapeError: diag: got the shape (4, 2, 3), expected a vector or a matrix
x.index_fill(0, 3, 1.0)
    DTypeError: index_fill: index is int, expected a Tensor of integers
x.scatter(0, two, x)
    ShapeError: scatter: input has shape (4, 2, 3), index (2,) ... no larger than src
x.scatter_add(0, two, tg.ones(2, dtype=f64))
    DTypeError: scatter_add: src is float64, expected float32 ... src.to(input.dtype)
x.gather(0, tg.tensor([0]))
    ShapeError: gather: index has shape (1,), expected 3 dims
x.gather(0, tg.full((1, 2, 3), 4))
    IdError: gather: ... (4, 2, 3)
x.take_along_dim(tg.full((1, 2, 3), -5), 0)
    IdError: take_along_dim: ... (4, 2, 3)
x.narrow(0, "a", 1)
    DTypeError: narrow: ... 'str' ... (4, 2, 3)
x.select(0, "a")
    IdError: select: ... (4, 2, 3)
x.split("a")
    DTypeError: split: ... (4, 2, 3)
x.roll("a", 0)
    DTypeError: roll: ... (4, 2, 3)
x.narrow(0, 3, 2)
    IdError: narrow: 3 to 5 of a dim of size 4
x.narrow(3, 0, 1)
    DimError: narrow: dim 3
x.select(0, 4)
    IdError: select: ... (4, 2, 3)
x.select(3, 0)
    DimError: select: dim 3
tg.all([True])
    DTypeError: all: got a list, expected a Tensor or a number
tg.any(None)
    DTypeError: any: got None
tg.flatten([1.0])
    DTypeError: flatten: input is list, expected a Tensor
tg.unbind(3.0)
    DTypeError: unbind: input is float, expected a Tensor
tg.div(x, [1.0, 2.0])
    DTypeError: div: got a list, expected a Tensor or a number
tg.mul(x, "2")
    DTypeError: mul: got a str
tg.mul(x, 2j)
    DTypeError: mul: got a complex
tg.add(x, {})
    DTypeError: add: got a dict
tg.add(x, np.ones(3, complex))
    DTypeError: add: got a complex128 ndarray of shape (3,)
tg.sub(x, tg.ones(5))
    ShapeError: sub: the shapes (4, 2, 3) and (5,) cannot be broadcast together
tg.pow(x, None)
    DTypeError: pow: got None
tg.minimum(x, None)
    DTypeError: minimum: got None
tg.matmul(x, 2.0)
    DTypeError: matmul: other is float, expected a Tensor or an array
tg.eq(x, "a")
    DTypeError: eq: got a str
tg.ne(x, None)
    DTypeError: ne: got None
tg.lt(x, [0.0])
    DTypeError: lt: got a list
tg.le(x, tg.ones(7))
    ShapeError: le: the shapes (4, 2, 3) and (7,) cannot be broadcast together
tg.gt(x, None)
    DTypeError: gt: got None
tg.ge(x, "1")
    DTypeError: ge: got a str
tg.logical_and(x, None)
    DTypeError: logical_and: got None
tg.logical_or(x, [True])
    DTypeError: logical_or: got a list
F.elu(two)
    DTypeError: elu: input is int64, expected floats; use input.float()
F.elu(x, alpha=None)
    DTypeError: elu: alpha is None, expected a number
F.leaky_relu([1.0])
    DTypeError: leaky_relu: input is list, expected a Tensor
F.leaky_relu(x, NAN)
    OptionError: leaky_relu: negative_slope is nan
F.logsigmoid(None)
    DTypeError: logsigmoid: input is NoneType, expected a Tensor
F.silu(np.ones(3))
    DTypeError: silu: input is float64 ndarray of shape (3,), expected a Tensor
F.softplus(x, beta="a")
    DTypeError: softplus: beta is str, expected a number
"""

GRAPH = """
used.backward()
    GraphError: backward ... h = h.detach() ... retain_graph=True
(x * 2).backward()
    GraphError: backward: got an output of shape (4, 2, 3) ... gradient
x.round().sum().backward()
    GraphError: backward: this tensor does not require grad ... or an op on the way \
        has no gradient, such as a comparison, round, or an op of your own without .vjp
(x > 0).float().sum().backward()
    GraphError: backward ... an op on the way has no gradient
tg.ones(1).backward()
    GraphError: backward: this tensor does not require grad
tg.tensor(1).backward()
    GraphError: backward ... integers
(x * 2).backward(tg.ones(3))
    ShapeError: gradient has shape (3,) ... (4, 2, 3)
(x * 2).backward(2.0)
    DTypeError: gradient is float
weight.add_(1.0)
    GraphError: add_: a leaf that requires grad ... no_grad()
(x * 2).sum().backward(inputs=[])
    GraphError: backward: got no inputs, expected at least one Tensor
tg.autograd.backward([x.sum()], [None, None])
    GraphError: backward: got 2 grad_tensors, expected 1
tg.autograd.backward(3.0)
    DTypeError: backward: tensors is float, expected a Tensor
tg.autograd.grad(x.sum(), two, materialize_grads=True, allow_unused=False)
    GraphError: grad: input 0 does not require grad
tg.autograd.grad(x * 2, x)
    GraphError: grad: got an output of shape (4, 2, 3), expected one element
tg.autograd.grad(x.sum(), two)
    GraphError: grad: input 0 does not require grad
tg.autograd.grad(x.sum(), weight)
    GraphError: grad: the outputs do not depend on input 0 ... allow_unused=True
tg.autograd.grad(x.sum(), [])
    GraphError: grad: got no inputs
tg.autograd.grad([], x)
    GraphError: grad: got no outputs
tg.autograd.grad(x * 2, x, tg.ones(2))
    ShapeError: grad: gradient has shape (2,), expected (4, 2, 3)
tg.autograd.grad(x * 2, x, [None, None])
    GraphError: grad: got 2 grad_outputs, expected 1
tg.no_grad()(3)
    DTypeError: no_grad: function is int, expected a function to decorate
tg.inference_mode(3)
    DTypeError: no_grad: function is int, expected a function to decorate
tg.enable_grad(3)
    DTypeError: enable_grad: function is int
tg.set_grad_enabled(None)
    DTypeError: set_grad_enabled: mode is NoneType, expected True or False
tg.autograd.FusedOp(np.exp)
    DTypeError: op: got ufunc, expected a function written in Python
tg.backend.register("mine", object())
    DTypeError: register: 'mine' lacks namespace, Array, from_host, to_host
tg.utils.checkpoint.checkpoint_sequence(gru, [x])
    DTypeError: checkpoint_sequence: sequence 0 is list, expected a Tensor or an array
tg.autograd.gradcheck(3, x)
    DTypeError: gradcheck: fn is int, expected a function of Tensors
tg.autograd.gradcheck(lambda x: x * 2, x)
    DTypeError: gradcheck: input 0 is float32 of shape (4, 2, 3), expected float64; \
        use .double()
tg.autograd.gradcheck(lambda x: 3.0, x.detach().double().requires_grad_())
    OptionError: gradcheck: no output is a Tensor of floats
tg.autograd.gradcheck(lambda x: x, x, eps=0.0)
    OptionError: gradcheck: eps is 0.0
tg.autograd.gradgradcheck(lambda x: 3.0, x)
    OptionError: gradgradcheck: no output is a Tensor of floats
tg.autograd.gradgradcheck(lambda x: x.float(), two)
    OptionError: gradgradcheck: no input requires grad
tg.autograd.op(3)
    DTypeError: op: got int, expected a function written in Python
tg.autograd.op(lambda xp: xp)
    DTypeError: <lambda>: no array arguments
tg.autograd.functional.hessian(lambda x: x, x)
    ShapeError: hessian: the output is float32 of shape (4, 2, 3), expected a single \
        number
tg.autograd.functional.hessian(lambda x: x.sum(), two)
    DTypeError: hessian: inputs are int64 of shape (2,), expected floats
tg.autograd.functional.hessian(None, x)
    DTypeError: hessian: func is NoneType, expected a function of Tensors
tg.autograd.functional.jacobian(lambda x: x, two)
    DTypeError: jacobian: inputs are int64 of shape (2,), expected floats; use .double()
tg.autograd.functional.jacobian(lambda x: 3.0, x)
    DTypeError: jacobian: the output is float, expected a Tensor
tg.autograd.functional.vjp(lambda x: x, x)
    ShapeError: vjp: the output is ... (4, 2, 3), expected a single number, or a v of \
        its shape
tg.autograd.functional.vjp(lambda x: x, x, tg.ones(2))
    ShapeError: vjp: v is of the shapes [(2,)], expected [(4, 2, 3)]
tg.autograd.functional.jvp(lambda x: x, x)
    ShapeError: jvp: the input is ... (4, 2, 3), expected a single number, or a v of \
        its shape
tg.autograd.functional.hvp(lambda x: x, x, x)
    ShapeError: hvp: the output is ... (4, 2, 3), expected a single number
tg.utils.draw([x])
    DTypeError: draw: tensor is list, expected a Tensor
tg.utils.draw(x, 3)
    DTypeError: draw: names is int, expected a module, or a dict from names to Tensors
tg.utils.draw(x, nn.Linear)
    DTypeError: draw: names is LayerType, expected a module, or a dict
tg.utils.draw(x, {"w": 3})
    DTypeError: draw: names['w'] is int, expected a Tensor
tg.utils.gradient_flow(linear, x)
    DTypeError: gradient_flow: layer is Linear, expected an nn.RNN, nn.LSTM or nn.GRU
tg.utils.gradient_flow(rnn, np.zeros((4, 2, 3), "f"))
    DTypeError: nn.RNN: input is float32 ndarray
tg.utils.gradient_flow(rnn, x, loss=x)
    DTypeError: gradient_flow: loss is float32 of shape (4, 2, 3), expected a function \
        of the output and the state, or None
tg.utils.gradient_flow(rnn, x, loss=lambda output, state: output)
    ShapeError: gradient_flow: the loss has shape (4, 2, 2), expected one element; \
        reduce it with .sum()
tg.utils.gradient_flow(rnn, x, loss=lambda output, state: 3.0)
    DTypeError: gradient_flow: the loss is float, expected a Tensor of one element
tg.utils.gradient_flow(rnn, x, loss=lambda output, state: output.detach().sum())
    GraphError: gradient_flow: the loss does not depend on what the layer returns
tg.utils.checkpoint.checkpoint(x, linear)
    DTypeError: checkpoint: function is float32 of shape (4, 2, 3), expected a \
        function, then
"""

PROCESSES = """
tg.distributed.init_process_group("gloo")
    OptionError: init_process_group: backend is 'gloo', expected 'mpi' or 'nccl'
tg.distributed.all_reduce(x)
    OptionError: all_reduce: there is no process group; call ... init_process_group()
tg.distributed.all_reduce(x, "mean")
    OptionError: all_reduce: op is 'mean', expected 'sum' or 'avg'
tg.distributed.broadcast(x, src=0)
    OptionError: broadcast: there is no process group
tg.distributed.all_gather([x], x)
    OptionError: all_gather: there is no process group
tg.distributed.all_gather_object([None], 3)
    OptionError: all_gather_object: there is no process group
tg.distributed.broadcast_object_list([3], src=0)
    OptionError: broadcast_object_list: there is no process group
tg.distributed.mean_loss(3.0, 2)
    DTypeError: mean_loss: total is float, expected a Tensor
tg.distributed.mean_loss(x.sum(), "2")
    DTypeError: mean_loss: count is '2', expected a number
tg.distributed.mean_loss(x.sum(), -1)
    OptionError: mean_loss: count is -1, expected a finite number >= 0.0
tg.distributed.mean_loss(x.sum(), tg.tensor([1, 2]))
    ShapeError: mean_loss: count is int64 of shape (2,), expected one number; pass the
tg.distributed.mean_loss(x.sum(), tg.tensor(-1))
    OptionError: mean_loss: count is -1.0, expected at least 0
tg.distributed.mean_loss(x.sum(), 0)
    ShapeError: mean_loss: the mean over no elements is not defined: the count is 0 on
nn.parallel.DistributedDataParallel(linear)
    OptionError: DistributedDataParallel: there is no process group
nn.parallel.DistributedDataParallel(3)
    DTypeError: DistributedDataParallel: module is int, expected an nn.Module
nn.parallel.DistributedDataParallel(linear, broadcast_buffers=3)
    DTypeError: DistributedDataParallel: broadcast_buffers is int, expected True or \
        False
"""

TABLES = {
    "layers": LAYERS,
    "recurrent": RECURRENT,
    "losses": LOSSES,
    "modules": MODULES,
    "optimizers": OPTIMIZERS,
    "clipping": CLIPPING,
    "initial values": INITIAL,
    "creation": CREATION,
    "data": DATA,
    "processes": PROCESSES,
    "checkpoints": CHECKPOINTS,
    "tensors": TENSORS,
    "functions": FUNCTIONS,
    "graph": GRAPH,
}
ROWS = [
    (call, *re.sub(" {2,}", " ", line).split(": ", 1))
    for table in TABLES.values()
    for call, line in re.findall(r"^(\S.*)\n {4}(\S.*)$", table, re.MULTILINE)
]
BUILT_IN = {
    "AttributeMissing": AttributeError,
    "CheckpointError": ValueError,
    "DTypeError": TypeError,
    "DimError": IndexError,
    "GraphError": RuntimeError,
    "IdError": IndexError,
    "MissingFile": FileNotFoundError,
    "NoAttribute": AttributeError,
    "ExportError": RuntimeError,
    "NameMissing": KeyError,
    "OptionError": ValueError,
    "ShapeError": ValueError,
}


class Here:
    """The package, but what makes tensors makes them on one device, unless told
    otherwise.
    """

    def __init__(self, device):
        self._device = device

    def __getattr__(self, name):
        thing = getattr(tg, name)
        placed = (
            inspect.isfunction(thing)
            and "device" in inspect.signature(thing).parameters
        )
        return functools.partial(thing, device=self._device) if placed else thing


class World:
    """Something of everything, in the midst of training, for wrong calls to leave as it
    is.
    """

    def __init__(self, device):
        self.tg = tg = Here(device)
        tg.manual_seed(0)
        self.rnn = nn.RNN(3, 2, num_layers=2)
        self.cell = nn.RNNCell(3, 2)
        self.linear = nn.Linear(3, 2)
        self.embedding = nn.Embedding(4, 2, padding_idx=0)
        self.sequential = nn.Sequential(nn.Linear(3, 2), nn.Dropout(0.5))
        self.lstm, self.gru = nn.LSTM(3, 2, num_layers=2, proj_size=1), nn.GRU(3, 2)
        self.lstm_cell, self.gru_cell = nn.LSTMCell(3, 2), nn.GRUCell(3, 2)
        parts = (self.rnn, self.cell, self.linear, self.embedding, self.sequential)
        parts += (self.lstm, self.gru, self.lstm_cell, self.gru_cell)
        self.model = nn.Sequential(*parts)
        self.linear.register_buffer("scale", tg.ones(2))
        self.model.to(device)
        self.weight = self.linear.weight
        params = list(self.model.parameters())
        self.adam = optim.Adam(params[:4], amsgrad=True)
        self.sgd = optim.SGD(params[4:], momentum=0.9)
        for p in params:
            p.grad = tg.ones_like(p)
        self.adam.step()
        self.sgd.step()
        self.plateau = optim.lr_scheduler.ReduceLROnPlateau(self.sgd)
        self.x = tg.ones(4, 2, 3, requires_grad=True)  # (T, B, I)
        self.used = (self.x * 2.0).sum()
        self.used.backward()
        self.two = tg.tensor([0, 1])
        self.hooked = nn.Tanh()
        self.hooked.register_forward_pre_hook(lambda *given: given, with_kwargs=True)
        self.packed = nn.utils.rnn.pack_padded_sequence(tg.ones(2, 2, 2), [2, 1])
        self.vocabulary = tg.data.Vocabulary("ab")
        self.streams = tg.data.TextStreams("abababab", self.vocabulary, 1, 2)

    def everything(self):
        """What a wrong call could have changed, as comparable values."""
        params = list(self.model.parameters())
        states = [self.adam.state_dict(), self.sgd.state_dict()]
        kept = [entry for state in states for entry in state["state"].values()]
        tensors = [*self.model.state_dict().values(), *(p.grad for p in params)]
        tensors += [self.x, self.x.grad, self.two]
        return [
            [
                (host(t).tobytes(), t.shape, str(t.dtype), t.version.count)
                for t in tensors
            ],
            [(t.requires_grad, t.is_leaf) for t in (*params, self.x)],
            [
                [(name, host(v).tobytes()) for name, v in entry.items()]
                for entry in kept
            ],
            [state["param_groups"] for state in states],
            [sorted(module.__dict__) for module in self.model.modules()],
            [module.training for module in self.model.modules()],
            tg.random.default_generator.get_state().tolist(),
            str(tg.get_default_dtype()),
            tg.is_grad_enabled(),
            self.streams.state_dict(),
            self.plateau.state_dict(),
        ]


def host(value):
    """An array of NumPy, of a Tensor wherever it is."""
    return (
        value.detach().cpu().numpy()
        if isinstance(value, tg.Tensor)
        else np.asarray(value)
    )


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
    return {name: host(value) for name, value in module.state_dict().items()}


NAMES = {
    "F": F,
    "INF": math.inf,
    "NAN": math.nan,
    "OrderedDict": OrderedDict,
    "arrays": arrays,
    "clip_grad_norm_": clip_grad_norm_,
    "clip_grad_value_": clip_grad_value_,
    "f64": tg.float64,
    "get_total_norm": get_total_norm,
    "i64": tg.int64,
    "init": init,
    "nn": nn,
    "np": np,
    "optim": optim,
    "options_of": options_of,
    "state_of": state_of,
}


# By device: a world that the last wrong call left as it was, and what it was.
UNCHANGED = {}


def unchanged_world(device):
    """A world and what is in it: that of the last wrong call, unless that changed
    something.
    """
    if device not in UNCHANGED:
        world = World(device)
        drawn = tg.random.default_generator.get_state()
        return world, world.everything(), drawn
    world, before, drawn = UNCHANGED.pop(device)
    tg.random.default_generator.set_state(drawn)
    return world, before, drawn


@pytest.mark.filterwarnings("ignore:nn.Stepper will go")
@pytest.mark.parametrize(("call", "error", "words"), ROWS, ids=[row[0] for row in ROWS])
def test_wrong_call(call, error, words, device):
    if re.search(r"weights\(|checkpoint\(|tg\.save\(|tg\.load\(", call):
        pytest.importorskip("safetensors")
    world, before, drawn = unchanged_world(device)
    with pytest.raises(BUILT_IN[error]) as caught:
        eval(call, NAMES | vars(world))
        if device == "cuda":  # it may have found what the host has not
            tg.cuda.synchronize()
    assert type(caught.value) is getattr(errors, error)
    assert isinstance(caught.value, tg.Error)
    wanted = ".*".join(re.escape(part) for part in words.split(" ... "))
    if not (device == "strict" and call in ("two.add_(1.5)", "two.div_(2)")):
        # There the library itself refuses integers with floats: the standard does not
        # mix them.
        assert re.search(wanted, str(caught.value), re.DOTALL)
    assert world.everything() == before
    UNCHANGED[device] = world, before, drawn


def test_the_tables_are_read_to_the_end():
    lines = sum(len(table.strip().split("\n")) for table in TABLES.values())
    assert 2 * len(ROWS) == lines >= 1200
    assert {error for _, error, _ in ROWS} == set(BUILT_IN)


def callables():
    """The public ones that take something, by owner and name; operators have no name to
    call.
    """
    for owner, name in surface.names():
        thing = getattr(surface.found(owner), name)
        if not name.startswith("__") and surface.parameters(thing):
            yield owner, name


def test_each_public_callable_is_called_wrongly():
    called = {name for call, *_ in ROWS for name in re.findall(r"(\w+)\(", call)}
    called.add("is_tensor")  # takes everything
    assert len(list(callables())) > 250
    assert not [f"{owner}.{name}" for owner, name in callables() if name not in called]


@pytest.mark.parametrize(
    "change",
    [
        "weight.data.__setitem__(..., 3.0)",
        "weight.grad.zero_()",
        "setattr(linear.bias, 'grad', tg.full((2,), 2.0))",
        "model.eval()",
        "adam.step()",
        "sgd.param_groups[0].update(lr=9.0)",
        "tg.rand(1)",
        "linear.register_buffer('other', None)",
        "setattr(rnn, 'note', 1)",
        "weight.requires_grad_(False)",
        "adam.add_param_group({'params': tg.ones(1)})",
        "x.retain_grad() or x.grad.add_(1.0)",
        "streams.next_batch()",
    ],
)
def test_a_change_would_be_noticed(change, device):
    """The comparison of before and after is not blind."""
    world = World(device)
    before = world.everything()
    eval(change, NAMES | vars(world))
    assert world.everything() != before
