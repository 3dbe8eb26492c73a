"""Weight tying: one matrix for input and output.

Press and Wolf 2017. With a one-cycle schedule, and a run that is stopped and resumed.
"""

import os
import tempfile

import torch
import torch.nn as nn
import torch.nn.functional as F


class TiedLM(nn.Module):
    def __init__(self, vocab, dim, layers=1):
        super().__init__()
        self.embed = nn.Embedding(vocab, dim)
        self.rnn = nn.GRU(dim, dim, layers)
        self.proj = nn.Sequential(nn.Linear(dim, dim), nn.GELU(), nn.LayerNorm(dim))
        self.head = nn.Linear(dim, vocab, bias=False)
        self.head.weight = self.embed.weight

    def forward(self, idx, targets=None, h=None):
        x, h = self.rnn(self.embed(idx), h)
        logits = self.head(self.proj(x))
        loss = None
        if targets is not None:
            loss = F.cross_entropy(
                logits.view(-1, logits.size(-1)),
                targets.reshape(-1),
                label_smoothing=0.1,
            )
        return logits, loss, h

    def configure_optimizers(self, weight_decay, learning_rate):
        param_dict = {pn: p for pn, p in self.named_parameters() if p.requires_grad}
        decay_params = [p for n, p in param_dict.items() if p.dim() >= 2]
        nodecay_params = [p for n, p in param_dict.items() if p.dim() < 2]
        groups = [
            {"params": decay_params, "weight_decay": weight_decay},
            {"params": nodecay_params, "weight_decay": 0.0},
        ]
        return torch.optim.AdamW(groups, lr=learning_rate, betas=(0.9, 0.95))


def make_ids(given, length, vocab):
    """Draw a walk: from each id two ways lead on, one of them likelier."""
    ids = [0]
    for _ in range(length - 1):
        ids.append((ids[-1] * 3 + (1 if given.chance() < 0.8 else 5)) % vocab)
    return torch.tensor(ids)


def save_checkpoint(path, step, model, optimizer, scheduler, loss):
    checkpoint = {
        "step": step,
        "model_state_dict": model.state_dict(),
        "optimizer_state_dict": optimizer.state_dict(),
        "scheduler_state_dict": scheduler.state_dict(),
        "loss": loss,
    }
    torch.save(checkpoint, path)


def build(given, vocab, steps):
    model = TiedLM(vocab, 12)
    given.first_weights(model)
    optimizer = model.configure_optimizers(weight_decay=0.1, learning_rate=1e-3)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=0.02, total_steps=steps + 1
    )
    return model, optimizer, scheduler


def main(given, steps, vocab=11, bptt=8, batch=4):
    ids = make_ids(given, 400, vocab)
    model, optimizer, scheduler = build(given, vocab, steps)
    assert len(list(model.parameters())) == len(model.state_dict()) - 1
    losses = []
    for step in range(steps):
        starts = given.integers(0, len(ids) - bptt - 1, batch)
        x = torch.stack([ids[i : i + bptt] for i in starts], dim=1)
        y = torch.stack([ids[i + 1 : i + 1 + bptt] for i in starts], dim=1)
        logits, loss, _ = model(x, y)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        scheduler.step()
        losses += [loss.item(), norm.item()]
        if step == steps // 2:  # the machine goes down, and another one goes on
            with tempfile.TemporaryDirectory() as folder:
                path = os.path.join(folder, "checkpoint.pt")
                save_checkpoint(path, step, model, optimizer, scheduler, loss.item())
                model, optimizer, scheduler = build(given, vocab, steps)
                checkpoint = torch.load(path, map_location="cpu")
            model.load_state_dict(checkpoint["model_state_dict"])
            optimizer.load_state_dict(checkpoint["optimizer_state_dict"])
            scheduler.load_state_dict(checkpoint["scheduler_state_dict"])
            assert checkpoint["step"] == step and checkpoint["loss"] == losses[-2]
    assert model.head.weight is model.embed.weight
    return losses, model
