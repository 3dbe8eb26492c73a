"""Sequence to sequence: reverse a list of digits.

GRU to GRU, with teacher forcing and two optimizers.
"""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import optim

SOS_token = 0
EOS_token = 1
device = torch.device("cuda:0" if torch.cuda.is_available() else "cpu")


class EncoderRNN(nn.Module):
    def __init__(self, input_size, hidden_size):
        super(EncoderRNN, self).__init__()
        self.hidden_size = hidden_size
        self.embedding = nn.Embedding(input_size, hidden_size)
        self.gru = nn.GRU(hidden_size, hidden_size)

    def forward(self, input, hidden):
        embedded = self.embedding(input).view(1, 1, -1)
        output, hidden = self.gru(embedded, hidden)
        return output, hidden

    def initHidden(self):
        return torch.zeros(1, 1, self.hidden_size, device=device)


class DecoderRNN(nn.Module):
    def __init__(self, hidden_size, output_size):
        super(DecoderRNN, self).__init__()
        self.embedding = nn.Embedding(output_size, hidden_size)
        self.gru = nn.GRU(hidden_size, hidden_size)
        self.out = nn.Linear(hidden_size, output_size)
        self.softmax = nn.LogSoftmax(dim=1)

    def forward(self, input, hidden):
        output = self.embedding(input).view(1, 1, -1)
        output = F.relu(output)
        output, hidden = self.gru(output, hidden)
        return self.softmax(self.out(output[0])), hidden


def tensors_from_pair(digits):
    source = torch.tensor(
        [d + 2 for d in digits] + [EOS_token], dtype=torch.long, device=device
    )
    target = torch.tensor([d + 2 for d in digits[::-1]] + [EOS_token], dtype=torch.long)
    return source.view(-1, 1), target.to(device).view(-1, 1)


def train(pair, encoder, decoder, optimizers, criterion, use_teacher_forcing):
    input_tensor, target_tensor = pair
    encoder_hidden = encoder.initHidden()
    for optimizer in optimizers:
        optimizer.zero_grad()
    for ei in range(input_tensor.size(0)):
        _, encoder_hidden = encoder(input_tensor[ei], encoder_hidden)

    loss = 0
    decoder_input = torch.tensor([[SOS_token]], device=device)
    decoder_hidden = encoder_hidden
    for di in range(target_tensor.size(0)):
        decoder_output, decoder_hidden = decoder(decoder_input, decoder_hidden)
        loss += criterion(decoder_output, target_tensor[di])
        if use_teacher_forcing:
            decoder_input = target_tensor[di]
        else:
            topv, topi = decoder_output.topk(1)
            decoder_input = topi.squeeze().detach()  # its own guess
            if decoder_input.item() == EOS_token:
                break
    loss.backward()
    for optimizer in optimizers:
        optimizer.step()
    return loss.item() / target_tensor.size(0)


def evaluate(encoder, decoder, source, max_length=8):
    with torch.no_grad():
        hidden = encoder.initHidden()
        for token in source:
            _, hidden = encoder(token, hidden)
        decoded, token = [], torch.tensor([[SOS_token]], device=device)
        for _ in range(max_length):
            output, hidden = decoder(token, hidden)
            topv, topi = output.data.topk(1)
            if topi.item() == EOS_token:
                break
            decoded.append(topi.item() - 2)
            token = topi.squeeze().detach()
    return decoded


def main(given, steps, hidden_size=12, teacher_forcing_ratio=0.5):
    encoder = EncoderRNN(7, hidden_size).to(device)
    decoder = DecoderRNN(hidden_size, 7).to(device)
    for part in (encoder, decoder):
        given.first_weights(part)
    encoder_optimizer = optim.SGD(encoder.parameters(), lr=0.1)
    decoder_optimizer = optim.SGD(decoder.parameters(), lr=0.1)
    criterion = nn.NLLLoss()
    losses = []
    for _ in range(steps):
        digits = given.integers(0, 5, 1 + int(given.chance() * 4)).tolist()
        forced = given.chance() < teacher_forcing_ratio
        optimizers = encoder_optimizer, decoder_optimizer
        pair = tensors_from_pair(digits)
        losses.append(train(pair, encoder, decoder, optimizers, criterion, forced))
    losses += evaluate(encoder, decoder, pair[0])
    return losses, nn.ModuleList([encoder, decoder])
