"""A learned vocoder: log-mels -> a spectrum with phases -> a wave by one inverse transform.

After Vocos (Siuzdak, 2023): ConvNeXt blocks (Liu et al., 2022) at the frame rate, and a head that
gives each frame's magnitudes and phases. One pass, no upsampling.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.perception.mel import MEL

LOUDEST = 6.5
"""Highest logarithm of a magnitude: a full-scale tone under the window has ln(256) = 5.5."""


@dataclass(frozen=True)
class VocosSettings:
    """Numbers a frame between blocks, numbers within a block, and how many blocks."""

    width: int = 256
    hidden: int = 768
    layers: int = 6


class Vocos(nn.Module):
    """Log-mels (B, mels, T), nat -> waves (B, T * hop)."""

    def __init__(self, settings: VocosSettings) -> None:
        super().__init__()
        self.settings = settings
        width = settings.width
        self.enter = nn.Conv1d(MEL.mels, width, 7, padding=3)
        self.first = nn.LayerNorm(width)
        self.blocks = nn.ModuleList(FrameBlock(settings) for _ in range(settings.layers))
        self.last = nn.LayerNorm(width)
        self.leave = nn.Linear(width, MEL.window + 2)

    def forward(self, mels: Tensor) -> Tensor:
        """Return waves (B, T * hop)."""
        spectra = self.spectra(mels)
        whole = torch.cat([spectra, spectra[..., -1:]], dim=-1)  # centred: one frame more
        window = torch.hann_window(MEL.window, device=mels.device)
        samples = mels.shape[-1] * MEL.hop
        waves: Tensor = torch.istft(whole, MEL.window, MEL.hop, window=window, length=samples)
        return waves

    def spectra(self, mels: Tensor) -> Tensor:
        """Return complex spectra (B, window // 2 + 1, T), centred where the mels are."""
        x = self.first(self.enter(mels / -MEL.log_floor).transpose(1, 2))
        for block in self.blocks:
            x = block(x)
        level, angle = self.leave(self.last(x)).float().transpose(1, 2).chunk(2, dim=1)
        return torch.polar(level.clamp(max=LOUDEST).exp(), angle)


class FrameBlock(nn.Module):
    """A depthwise convolution over seven frames, then a widened layer on each frame."""

    def __init__(self, settings: VocosSettings) -> None:
        super().__init__()
        width = settings.width
        self.near = nn.Conv1d(width, width, 7, padding=3, groups=width)
        self.norm = nn.LayerNorm(width)
        self.up = nn.Linear(width, settings.hidden)
        self.down = nn.Linear(settings.hidden, width)
        self.scale = nn.Parameter(torch.full((width,), 1.0 / settings.layers))

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, T, width)."""
        near = self.near(x.transpose(1, 2)).transpose(1, 2)
        changed: Tensor = self.down(functional.gelu(self.up(self.norm(near))))
        return x + self.scale * changed
