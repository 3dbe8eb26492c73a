"""A layer-normalised LSTM written as a loop over stacked cells.

It adds two marked numbers of a sequence.
"""

import math
from typing import List, Tuple

import torch
from torch import Tensor, nn


class LayerNormLSTMCell(nn.Module):
    def __init__(self, input_size: int, hidden_size: int):
        super().__init__()
        self.input_size, self.hidden_size = input_size, hidden_size
        self.weight_ih = nn.Parameter(torch.randn(4 * hidden_size, input_size))
        self.weight_hh = nn.Parameter(torch.empty(4 * hidden_size, hidden_size))
        self.layernorm_i = nn.LayerNorm(4 * hidden_size)
        self.layernorm_h = nn.LayerNorm(4 * hidden_size)
        self.layernorm_c = nn.LayerNorm(hidden_size)
        self.register_buffer("forget_bias", torch.ones(hidden_size))
        self.reset_parameters()

    def reset_parameters(self):
        stdv = 1.0 / math.sqrt(self.hidden_size)
        for weight in [self.weight_ih, self.weight_hh]:
            weight.data.uniform_(-stdv, stdv)
        nn.init.orthogonal_(self.weight_hh)

    def forward(self, input: Tensor, state: Tuple[Tensor, Tensor]):
        hx, cx = state
        igates = self.layernorm_i(torch.mm(input, self.weight_ih.t()))
        hgates = self.layernorm_h(torch.mm(hx, self.weight_hh.t()))
        ingate, forgetgate, cellgate, outgate = (igates + hgates).chunk(4, 1)
        ingate = torch.sigmoid(ingate)
        forgetgate = torch.sigmoid(forgetgate + self.forget_bias)
        cellgate = torch.tanh(cellgate)
        outgate = torch.sigmoid(outgate)
        cy = self.layernorm_c((forgetgate * cx) + (ingate * cellgate))
        hy = outgate * torch.tanh(cy)
        return hy, (hy, cy)


class LSTMLayer(nn.Module):
    def __init__(self, cell, *cell_args):
        super().__init__()
        self.cell = cell(*cell_args)

    def forward(self, input: Tensor, state: Tuple[Tensor, Tensor]):
        inputs = input.unbind(0)
        outputs: List[Tensor] = []
        for i in range(len(inputs)):
            out, state = self.cell(inputs[i], state)
            outputs += [out]
        return torch.stack(outputs), state


class StackedLSTM(nn.Module):
    def __init__(self, num_layers: int, input_size: int, hidden_size: int):
        super().__init__()
        self.hidden_size = hidden_size
        layers = [LSTMLayer(LayerNormLSTMCell, input_size, hidden_size)]
        layers += [
            LSTMLayer(LayerNormLSTMCell, hidden_size, hidden_size)
            for _ in range(num_layers - 1)
        ]
        self.layers = nn.ModuleList(layers)
        self.readout = nn.Linear(hidden_size, 1)

    def forward(self, input: Tensor):
        zeros = input.new_zeros((input.shape[1], self.hidden_size))
        output = input
        for i, layer in enumerate(self.layers):
            below = output
            output, _ = layer(output, (zeros, zeros))
            if i > 0:
                output = output + below  # a residual connection
        return self.readout(output[-1]).squeeze(-1)


def adding_problem(given, batch: int, length: int):
    """Draw sequences in which two numbers are marked; the target is their sum."""
    numbers = given.uniform(length, batch)
    marks = 0.0 * numbers
    for b in range(batch):
        for place in given.order(length)[:2]:
            marks[place, b] = 1.0
    x = torch.stack([torch.from_numpy(numbers), torch.from_numpy(marks)], dim=-1)
    return x, (x[..., 0] * x[..., 1]).sum(0)


def main(given, steps: int):
    model = StackedLSTM(2, 2, 8)
    given.first_weights(model)
    for name, p in model.named_parameters():
        if "layernorm" in name:
            p.data.fill_(1.0 if name.endswith("weight") else 0.0)
    optimizer = torch.optim.RMSprop(
        model.parameters(), lr=3e-3, alpha=0.95, momentum=0.5
    )
    criterion = nn.SmoothL1Loss()
    losses = []
    for _ in range(steps):
        x, y = adding_problem(given, batch=8, length=6)
        loss = criterion(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_value_(model.parameters(), 0.05)
        optimizer.step()
        losses.append(loss.detach().item())
    return losses, model
