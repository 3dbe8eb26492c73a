"""Additive attention of a GRU cell over a bidirectional encoder, masked.

Bahdanau et al. 2015.
"""

import torch
import torch.nn as nn
import torch.nn.functional as F


class Encoder(nn.Module):
    def __init__(self, vocab, emb_dim, enc_hid, dec_hid):
        super().__init__()
        self.embedding = nn.Embedding(vocab, emb_dim)
        self.rnn = nn.GRU(emb_dim, enc_hid, bidirectional=True)
        self.fc = nn.Linear(enc_hid * 2, dec_hid)

    def forward(self, src):  # [src len, batch]
        outputs, hidden = self.rnn(self.embedding(src))
        hidden = torch.tanh(self.fc(torch.cat((hidden[-2], hidden[-1]), dim=1)))
        return outputs, hidden


class Attention(nn.Module):
    def __init__(self, enc_hid, dec_hid):
        super().__init__()
        self.attn = nn.Linear(enc_hid * 2 + dec_hid, dec_hid)
        self.v = nn.Parameter(torch.rand(dec_hid))

    def forward(self, hidden, encoder_outputs, mask):
        src_len = encoder_outputs.shape[0]
        hidden = hidden.unsqueeze(1).repeat(1, src_len, 1)
        encoder_outputs = encoder_outputs.permute(1, 0, 2)
        energy = torch.tanh(self.attn(torch.cat((hidden, encoder_outputs), dim=2)))
        v = self.v.repeat(hidden.size(0), 1).unsqueeze(1)  # [batch, 1, dec hid]
        scores = torch.bmm(v, energy.permute(0, 2, 1)).squeeze(1)
        scores = scores.masked_fill(mask == 0, -1e10)
        return F.softmax(scores, dim=1)


class Decoder(nn.Module):
    def __init__(self, vocab, emb_dim, enc_hid, dec_hid, attention):
        super().__init__()
        self.vocab = vocab
        self.attention = attention
        self.embedding = nn.Embedding(vocab, emb_dim)
        self.cell = nn.GRUCell(enc_hid * 2 + emb_dim, dec_hid)
        self.out = nn.Linear(enc_hid * 2 + dec_hid + emb_dim, vocab)

    def forward(self, token, hidden, encoder_outputs, mask):
        embedded = self.embedding(token)
        a = self.attention(hidden, encoder_outputs, mask)
        weighted = torch.bmm(a.unsqueeze(1), encoder_outputs.transpose(0, 1)).squeeze(1)
        hidden = self.cell(torch.cat((embedded, weighted), dim=1), hidden)
        logits = self.out(torch.cat((hidden, weighted, embedded), dim=-1))
        return logits, hidden, a


class Seq2Seq(nn.Module):
    def __init__(self, encoder, decoder, pad_idx):
        super().__init__()
        self.encoder, self.decoder, self.pad_idx = encoder, decoder, pad_idx

    def forward(self, src, trg):
        trg_len, batch_size = trg.shape
        outputs = torch.zeros(
            trg_len, batch_size, self.decoder.vocab, device=src.device
        )
        attentions = []
        encoder_outputs, hidden = self.encoder(src)
        mask = (src != self.pad_idx).permute(1, 0)
        for t in range(1, trg_len):
            logits, hidden, a = self.decoder(trg[t - 1], hidden, encoder_outputs, mask)
            outputs[t] = logits
            attentions.append(a.data.cpu().numpy())
        return outputs, attentions


def init_weights(m):
    for name, param in m.named_parameters():
        if "weight" in name:
            nn.init.normal_(param.data, mean=0, std=0.01)
        else:
            nn.init.constant_(param.data, 0)


def make_batch(given, batch=6, src_len=5, vocab=10):
    """Copy the source from its end to its start; 0 is padding, 1 begins."""
    src = given.integers(2, vocab, src_len, batch)
    lengths = given.integers(2, src_len + 1, batch)
    trg = src[::-1].copy()
    for b, length in enumerate(lengths):
        src[length:, b] = 0
        trg[:, b] = 0
        trg[0, b] = 1
        trg[1:length, b] = src[1:length, b][::-1]
    return torch.from_numpy(src), torch.from_numpy(trg)


def main(given, steps):
    attention = Attention(6, 8)
    model = Seq2Seq(Encoder(10, 5, 6, 8), Decoder(10, 5, 6, 8, attention), pad_idx=0)
    model.apply(init_weights)
    given.first_weights(model)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    criterion = nn.CrossEntropyLoss(ignore_index=0)
    losses = []
    for step in range(steps):
        src, trg = make_batch(given)
        optimizer.zero_grad()
        output, attentions = model(src, trg)
        output = output[1:].view(-1, output.shape[-1])
        loss = criterion(output, trg[1:].view(-1))
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), max_norm=1)
        optimizer.step()
        losses += [loss.item(), float(attentions[-1].max())]
        if step % 10 == 0:
            print("step %d loss %.3f" % (step, loss.item()))
    return losses, model
