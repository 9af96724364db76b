"""The vocoder's adversary: small networks that look at spectra at three resolutions.

After the multi-resolution discriminator of UnivNet (Jang et al., 2021) on complex spectra, with few
channels and strides along the frequencies from the first layer on: two cores can afford it.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.training.spectra import compressed

WINDOWS = (256, 512, 1024)
"""Samples."""


class Critic(nn.Module):
    """Waves (B, T) -> verdicts and features of each resolution."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.looks = nn.ModuleList(Look(channels) for _ in WINDOWS)

    def forward(self, waves: Tensor) -> list[tuple[Tensor, list[Tensor]]]:
        """Return a map of verdicts (above 0: real), and what led to it, for each resolution."""
        return [
            look(compressed(waves, window))
            for look, window in zip(self.looks, WINDOWS, strict=True)
        ]


class Look(nn.Module):
    """One resolution: spectra (B, 2, T, bins) -> verdicts (B, 1, T', bins')."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        wide = 2 * channels
        self.layers = nn.ModuleList(
            [
                nn.Conv2d(2, channels, (3, 9), stride=(1, 4), padding=(1, 4)),
                nn.Conv2d(channels, wide, (3, 9), stride=(1, 2), padding=(1, 4)),
                nn.Conv2d(wide, wide, (3, 5), stride=(2, 2), padding=(1, 2)),
            ]
        )
        self.verdict = nn.Conv2d(wide, 1, 3, padding=1)

    def forward(self, spectra: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Return verdicts and the layers' outputs."""
        x, features = spectra, []
        for layer in self.layers:
            x = functional.leaky_relu(layer(x), 0.1)
            features.append(x)
        return self.verdict(x), features


def judging_loss(critic: Critic, made: Tensor, real: Tensor) -> Tensor:
    """Return the hinge loss (Lim and Ye, 2017) of the critic: real above 1, made below -1."""
    losses = [
        functional.relu(1 - of_real).mean() + functional.relu(1 + of_made).mean()
        for (of_real, _), (of_made, _) in zip(critic(real), critic(made), strict=True)
    ]
    return torch.stack(losses).mean()


def fooling_loss(critic: Critic, made: Tensor, real: Tensor) -> Tensor:
    """Return what the vocoder minds: verdicts below 1, and features unlike those of real waves."""
    with torch.no_grad():
        wanted = critic(real)
    losses = []
    for (verdict, ours), (_, theirs) in zip(critic(made), wanted, strict=True):
        unlike = [(our - their).abs().mean() for our, their in zip(ours, theirs, strict=True)]
        losses.append(functional.relu(1 - verdict).mean() + 2 * torch.stack(unlike).mean())
    return torch.stack(losses).mean()
