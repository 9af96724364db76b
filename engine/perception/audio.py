"""The starter's audio encoder: a small network on log-mels whose output plays CLAP's part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from engine.perception.mel import MEL, log_mel
from engine.steps import StepCallback, no_steps

SEGMENT_FRAMES = 172  # 2 s: what the network saw in training
SEGMENT_HOP = 86
SEGMENTS_AT_ONCE = 32


@dataclass(frozen=True)
class AudioNetSettings:
    """Width of the stem and of each block, and the size of the embedding."""

    widths: tuple[int, ...] = (16, 32, 64, 128)
    dim: int = 256


class ConvBlock(nn.Module):
    """Two 3x3 convolutions beside a shortcut, halving both axes; (B, C, F, T)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, stride=2, padding=1, bias=False),
            nn.GroupNorm(8, outputs),
            nn.GELU(),
            nn.Conv2d(outputs, outputs, 3, padding=1, bias=False),
            nn.GroupNorm(8, outputs),
        )
        self.shortcut = nn.Conv2d(inputs, outputs, 1, stride=2, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, outputs, F / 2, T / 2)."""
        return functional.gelu(self.body(x) + self.shortcut(x))


class AudioNet(nn.Module):
    """Log-mels (B, mels, T) in nat and their lengths -> embeddings (B, dim), not normalised."""

    def __init__(self, settings: AudioNetSettings) -> None:
        super().__init__()
        self.settings = settings
        widths = settings.widths
        self.blocks = nn.Sequential(
            nn.Conv2d(1, widths[0], 5, stride=2, padding=2),
            nn.GELU(),
            *(ConvBlock(a, b) for a, b in pairwise(widths)),
        )
        bands = MEL.mels // 2 ** len(settings.widths)
        self.head = nn.Sequential(
            nn.LayerNorm(2 * widths[-1] * bands),
            nn.Dropout(0.2),
            nn.Linear(2 * widths[-1] * bands, settings.dim),
        )

    def forward(self, mels: Tensor, frames: Tensor) -> Tensor:
        """Pool mean and maximum over the active frames only; ``frames`` (B,) counts them."""
        x = self.blocks((mels.unsqueeze(1) - MEL.log_floor) / -MEL.log_floor)
        batch, channels, bands, steps = x.shape
        x = x.reshape(batch, channels * bands, steps)
        stride = 2 ** len(self.settings.widths)
        active = (frames.to(x.device) + stride - 1) // stride
        mask = torch.arange(steps, device=x.device) < active.unsqueeze(1)
        mask = mask.unsqueeze(1)
        mean = (x * mask).sum(-1) / active.clamp(min=1).unsqueeze(1)
        peak = x.masked_fill(~mask, -1e4).amax(-1)
        embedding: Tensor = self.head(torch.cat([mean, peak], dim=1))
        return embedding


class MelAudioEncoder:
    """The ``AudioEncoder`` of the starter: waves in, unit vectors out."""

    sample_rate = MEL.sample_rate

    def __init__(self, net: AudioNet, device: torch.device) -> None:
        self.dim = net.settings.dim
        self._net = net.to(device).eval()
        self._device = device

    @torch.inference_mode()
    def encode(
        self, waves: Sequence[NDArray[np.float32]], on_step: StepCallback = no_steps
    ) -> Tensor:
        """Return (B, dim), unit length; each wave is mono (T,) at ``sample_rate``.

        Level does not matter: a wave is scaled to peak 0.9, as in training. One that is longer
        than 2 s is embedded as the mean of its overlapping 2 s segments. ``on_step`` is called
        about once for half a minute of sound; what it raises ends the work.
        """
        return torch.stack([self._encode_one(wave, on_step) for wave in waves])

    def _encode_one(self, wave: NDArray[np.float32], on_step: StepCallback) -> Tensor:
        peak = float(np.abs(wave).max(initial=0.0))
        scaled = torch.from_numpy(wave * (0.9 / peak) if peak > 0 else wave)
        picture = log_mel(scaled.to(self._device), on_step=on_step)
        return embed_picture(self._net, picture, on_step)


def embed_picture(net: AudioNet, picture: Tensor, on_step: StepCallback = no_steps) -> Tensor:
    """Return the unit embedding (dim,) of one log-mel picture (mels, T) of any length."""
    cut, frames = segments(picture)
    rows = []
    for first in range(0, len(cut), SEGMENTS_AT_ONCE):
        part = slice(first, first + SEGMENTS_AT_ONCE)
        rows.append(functional.normalize(net(cut[part], frames[part]), dim=-1))
        on_step(len(rows), -(-len(cut) // SEGMENTS_AT_ONCE))
    return functional.normalize(torch.cat(rows).mean(0), dim=-1)


def segments(picture: Tensor) -> tuple[Tensor, Tensor]:
    """Cut a picture (mels, T) into overlapping segments (S, mels, T') and their lengths (S,)."""
    last = max(0, picture.shape[1] - SEGMENT_FRAMES)
    starts = sorted({*range(0, last, SEGMENT_HOP), last})
    cut = [picture[:, start : start + SEGMENT_FRAMES] for start in starts]
    frames = torch.tensor([segment.shape[1] for segment in cut])
    longest = -(-int(frames.max()) // 16) * 16  # the network halves the time axis four times
    padded = [
        functional.pad(segment, (0, longest - segment.shape[1]), value=MEL.log_floor)
        for segment in cut
    ]
    return torch.stack(padded), frames
