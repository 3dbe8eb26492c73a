"""A Wasserstein GAN of waves with a gradient penalty, a backward through a backward.

Gulrajani et al. 2017.
"""

import numpy as np
import torch
import torch.autograd as autograd
import torch.nn as nn
import torch.optim as optim

LAMBDA = 10
CRITIC_ITERS = 2
SEQ_LEN, NOISE_DIM = 7, 3


class Generator(nn.Module):
    def __init__(self, noise_dim, hidden):
        super(Generator, self).__init__()
        self.main = nn.GRU(noise_dim, hidden, batch_first=True)
        self.out = nn.Linear(hidden, 1)

    def forward(self, noise):
        output, _ = self.main(noise)
        return torch.tanh(self.out(output))


class Critic(nn.Module):
    def __init__(self, hidden):
        super(Critic, self).__init__()
        self.rnn = nn.LSTM(1, hidden, batch_first=True, bidirectional=True)
        self.main = nn.Sequential(nn.Linear(2 * hidden, hidden), nn.LeakyReLU(0.2))
        self.out = nn.Linear(hidden, 1)

    def forward(self, x):
        features, _ = self.rnn(x)
        return self.out(self.main(features.mean(1))).view(-1)


def calc_gradient_penalty(netD, real_data, fake_data, alpha):
    alpha = alpha.expand(real_data.size())
    interpolates = alpha * real_data + ((1 - alpha) * fake_data)
    interpolates = interpolates.detach().requires_grad_(True)
    disc_interpolates = netD(interpolates)
    gradients = autograd.grad(
        outputs=disc_interpolates,
        inputs=interpolates,
        grad_outputs=torch.ones_like(disc_interpolates),
        create_graph=True,
        retain_graph=True,
    )[0]
    gradients = gradients.view(gradients.size(0), -1)
    return ((gradients.norm(2, dim=1) - 1) ** 2).mean() * LAMBDA


def real_waves(given, batch):
    phase = given.uniform(batch, 1, 1, high=6.28)
    t = np.arange(SEQ_LEN).reshape(1, -1, 1)
    return torch.tensor(0.8 * np.sin(t * 0.9 + phase))


def noise(given, batch):
    return torch.tensor(given.uniform(batch, SEQ_LEN, NOISE_DIM, low=-1))


def main(given, steps, batch=6):
    netG, netD = Generator(NOISE_DIM, 6), Critic(6)
    given.first_weights(netG)
    given.first_weights(netD)
    optimizerD = optim.Adam(netD.parameters(), lr=2e-3, betas=(0.5, 0.9))
    optimizerG = optim.Adam(netG.parameters(), lr=2e-3, betas=(0.5, 0.9))
    losses = []
    for _ in range(steps // CRITIC_ITERS):
        for p in netD.parameters():
            p.requires_grad = True
        for _ in range(CRITIC_ITERS):
            real = real_waves(given, batch)
            with torch.no_grad():
                fake = netG(noise(given, batch))
            netD.zero_grad()
            D_real, D_fake = netD(real).mean(), netD(fake).mean()
            alpha = torch.tensor(given.uniform(batch, 1, 1))
            gradient_penalty = calc_gradient_penalty(netD, real.data, fake.data, alpha)
            D_cost = D_fake - D_real + gradient_penalty
            D_cost.backward()
            optimizerD.step()
            losses += [D_cost.item(), gradient_penalty.item(), (D_real - D_fake).item()]
        for p in netD.parameters():
            p.requires_grad = False  # to avoid computation
        netG.zero_grad()
        G_cost = -netD(netG(noise(given, batch))).mean()
        G_cost.backward()
        optimizerG.step()
        losses.append(G_cost.item())
    return losses, nn.ModuleDict({"generator": netG, "critic": netD})
