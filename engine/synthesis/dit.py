"""The starter's generator: a small diffusion transformer over codec tokens.

Built from published parts: adaLN modulation shared by all blocks (DiT, PixArt), long skips
(U-ViT), normalised queries and keys, rotary positions, a depthwise convolution before attention.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional


@dataclass(frozen=True)
class DiTSettings:
    """Sizes; ``frame_s`` is the length of one token in seconds."""

    dims: int = 48
    condition: int = 256
    width: int = 192
    layers: int = 8
    heads: int = 3
    expansion: int = 3
    frame_s: float = 8 * 256 / 22_050


def waves(x: Tensor, count: int, longest: float) -> Tensor:
    """Return sines and cosines (B, 2 * count) of numbers (B,), periods up to ``longest``."""
    rates = torch.exp(torch.linspace(0.0, math.log(longest), count, device=x.device))
    angles = x.unsqueeze(-1) * (2 * math.pi / rates)
    return torch.cat([angles.sin(), angles.cos()], dim=-1)


def rotate(x: Tensor) -> Tensor:
    """Return (B, heads, N, D) with rotary positions (Su et al., 2021) along N."""
    half = x.shape[-1] // 2
    rates = 1000.0 ** -torch.linspace(0.0, 1.0, half, device=x.device)
    angles = torch.arange(x.shape[-2], device=x.device).unsqueeze(-1) * rates
    left, right = x[..., :half], x[..., half:]
    cos, sin = angles.cos(), angles.sin()
    return torch.cat([left * cos - right * sin, left * sin + right * cos], dim=-1)


class Block(nn.Module):
    """Convolution, attention and a feed-forward part, each modulated by the condition."""

    def __init__(self, settings: DiTSettings, *, skip: bool) -> None:
        super().__init__()
        width = settings.width
        self.heads = settings.heads
        self.bias = nn.Parameter(torch.zeros(6, width))
        self.join = nn.Linear(2 * width, width) if skip else None
        self.near = nn.Conv1d(width, width, 5, padding=2, groups=width)
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.out = nn.Linear(width, width)
        self.up = nn.Linear(width, settings.expansion * width)
        self.down = nn.Linear(settings.expansion * width, width)

    def forward(self, x: Tensor, modulation: Tensor, early: Tensor | None) -> Tensor:
        """Return (B, N, width); ``modulation`` (B, 6, width), ``early`` the long skip's input."""
        if self.join is not None and early is not None:
            x = self.join(torch.cat([x, early], dim=-1))
        x = x + self.near(x.transpose(1, 2)).transpose(1, 2)
        parts = (modulation + self.bias).unsqueeze(2).unbind(1)
        shift, scale, gate, shift_up, scale_up, gate_up = parts
        x = x + gate * self.attend(_norm(x) * (1 + scale) + shift)
        hidden = functional.gelu(self.up(_norm(x) * (1 + scale_up) + shift_up), approximate="tanh")
        out: Tensor = x + gate_up * self.down(hidden)
        return out

    def attend(self, x: Tensor) -> Tensor:
        """Return self-attention of (B, N, width) with normalised queries and keys."""
        batch, tokens, width = x.shape
        qkv = self.qkv(x).reshape(batch, tokens, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        q, k = (
            rotate(functional.normalize(qkv[0], dim=-1)),
            rotate(functional.normalize(qkv[1], dim=-1)),
        )
        mixed = functional.scaled_dot_product_attention(q, k, qkv[2], scale=10.0)
        out: Tensor = self.out(mixed.transpose(1, 2).reshape(batch, tokens, width))
        return out


class DiT(nn.Module):
    """Velocity of the rectified flow for tokens, given time, audio embedding and duration."""

    def __init__(self, settings: DiTSettings) -> None:
        super().__init__()
        self.settings = settings
        width = settings.width
        self.enter = nn.Linear(settings.dims + 2, width)
        self.time = nn.Linear(64, width)
        self.duration = nn.Linear(32, width)
        self.condition = nn.Linear(settings.condition, width)
        self.nothing = nn.Parameter(torch.zeros(settings.condition))
        self.mixer = nn.Sequential(nn.SiLU(), nn.Linear(width, width), nn.SiLU())
        self.modulate = nn.Linear(width, 6 * width)
        half = settings.layers // 2
        self.blocks = nn.ModuleList(
            Block(settings, skip=index >= half) for index in range(settings.layers)
        )
        self.leave = nn.Linear(width, settings.dims)
        nn.init.zeros_(self.leave.weight)

    def forward(self, tokens: Tensor, time: Tensor, a: Tensor, seconds: Tensor) -> Tensor:
        """Return velocities (B, N, dims).

        ``tokens`` (B, N, dims), ``time`` (B,) in 0..1 from noise to sound, ``a`` (B, condition)
        unit vectors, rows of zeros meaning "anything", ``seconds`` (B,) of active sound.
        """
        x = self.enter(torch.cat([tokens, self._place(tokens, seconds)], dim=-1))
        modulation = self._modulation(time, a, seconds)
        skips: list[Tensor] = []
        half = len(self.blocks) // 2
        for index, block in enumerate(self.blocks):
            x = block(x, modulation, skips.pop() if index >= half else None)
            if index < half:
                skips.append(x)
        velocity: Tensor = self.leave(_norm(x))
        return velocity

    def _place(self, tokens: Tensor, seconds: Tensor) -> Tensor:
        """Return for each token how far into the sound it is, and whether it is past the end."""
        start = torch.arange(tokens.shape[1], device=tokens.device) * self.settings.frame_s
        part = (start / seconds.unsqueeze(1)).clamp(max=1.5)
        return torch.stack([part, (part < 1).to(tokens.dtype)], dim=-1)

    def _modulation(self, time: Tensor, a: Tensor, seconds: Tensor) -> Tensor:
        known = a.abs().sum(dim=-1, keepdim=True) > 0
        wanted = torch.where(known, a * math.sqrt(a.shape[-1]), self.nothing)
        total = (
            self.time(waves(time * 1000.0, 32, 4000.0))
            + self.duration(waves(seconds.log() * 4.0, 16, 64.0))
            + self.condition(wanted)
        )
        out: Tensor = self.modulate(self.mixer(total))
        return out.reshape(len(a), 6, -1)


def _norm(x: Tensor) -> Tensor:
    return functional.layer_norm(x, x.shape[-1:])
