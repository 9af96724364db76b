"""The starter's codec: log-mel patches as a few numbers each (PCA), and a decoder with texture.

Eight frames of all mels become one token. The linear part is exact and fitted in seconds; a small
network redraws the picture, and cycle spinning (Coifman and Donoho, 1995) takes out the steps
between patches that both leave: measured on generated pictures, the mean step at patch edges is
3.3 times that inside patches without it, and 1.0 times with it.

What so few numbers cannot hold is the fine grain of noise, and without it rain is a hum. The
network says how much grain each band has at each moment; the grain itself is drawn anew: what this
codec takes from the log-mel picture of white noise.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.perception.mel import MEL, log_mel

NOISE_FRAMES = 4096
"""From which the grain of white noise is measured, about 48 s."""
FIRST_GRAIN = -1.0
"""Logarithm of the grain's deviation before training, nat."""
LEAST_GRAIN = 1e-3
"""Least deviation of what the linear part takes from noise, nat: some take nothing."""
GRAIN_RANGE = (-6.0, 1.0)
"""Allowed logarithms of the grain's deviation, nat."""


@dataclass(frozen=True)
class CodecSettings:
    """Frames a patch, numbers a token, and the width of the edge decoder."""

    patch: int = 8
    dims: int = 48
    width: int = 192
    scale_power: float = 0.2  # a token's k-th number has deviation ~ eigenvalue_k ** scale_power


class MelCodec(nn.Module):
    """Log-mels (B, mels, T) <-> tokens (B, N, dims), ``N = ceil(T / patch)``."""

    mean: Tensor
    basis: Tensor
    scale: Tensor
    noise_mean: Tensor
    grain_scale: Tensor

    def __init__(self, settings: CodecSettings) -> None:
        super().__init__()
        self.settings = settings
        size = settings.patch * MEL.mels
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("basis", torch.zeros(settings.dims, size))
        self.register_buffer("scale", torch.ones(settings.dims))
        self.register_buffer("noise_mean", torch.zeros(MEL.mels))
        self.register_buffer("grain_scale", torch.ones(MEL.mels))
        self.edges = EdgeDecoder(settings)

    @torch.no_grad()
    def fit(self, patches: Tensor) -> None:
        """Set the linear part from patches (N, patch * mels) by principal components."""
        mean = patches.mean(dim=0)
        centred = patches - mean
        values, vectors = torch.linalg.eigh(centred.T @ centred / len(patches))
        values = values.flip(0)[: self.settings.dims].clamp(min=1e-6)
        wanted = values**self.settings.scale_power
        wanted = wanted / wanted.square().mean().sqrt()
        self.mean.copy_(mean)
        self.basis.copy_(vectors.flip(1).T[: self.settings.dims])
        self.scale.copy_(values.sqrt() / wanted)
        self._listen_to_noise()

    def _listen_to_noise(self) -> None:
        """Measure, once, what the linear part takes from white noise, band by band."""
        source = torch.Generator().manual_seed(0)
        noise = _white(1, NOISE_FRAMES, source)
        self.noise_mean.copy_(noise.mean(dim=(0, 2)))
        self.grain_scale.fill_(1.0)
        self.grain_scale.copy_(self.grain(1, NOISE_FRAMES, source).std(dim=(0, 2)))

    def encode(self, mels: Tensor) -> Tensor:
        """Return tokens (B, N, dims); silence fills the last patch."""
        patch = self.settings.patch
        spare = -mels.shape[-1] % patch
        filled = functional.pad(mels, (0, spare), value=MEL.log_floor)
        patches = filled.transpose(1, 2).reshape(len(mels), -1, patch * MEL.mels)
        return (patches - self.mean) @ self.basis.T / self.scale

    def decode_linear(self, tokens: Tensor) -> Tensor:
        """Return log-mels (B, mels, N * patch) of the linear part alone."""
        patches = (tokens * self.scale) @ self.basis + self.mean
        return patches.reshape(len(tokens), -1, MEL.mels).transpose(1, 2)

    def decode(self, tokens: Tensor, source: torch.Generator) -> Tensor:
        """Return log-mels (B, mels, N * patch), not below the floor; ``source`` draws the grain."""
        mels, deviation = self.redraw(tokens)
        grain = self.grain(len(mels), mels.shape[-1], source)
        return (mels + deviation * grain).clamp(min=MEL.log_floor)

    def redraw(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Return the mean picture and the deviation of its grain, both (B, mels, N * patch)."""
        mels, log_deviation = self.edges(self.decode_linear(tokens))
        return self.spin(mels), log_deviation.clamp(*GRAIN_RANGE).exp()

    def grain(self, batch: int, frames: int, source: torch.Generator) -> Tensor:
        """Return grain of unit deviation (batch, mels, frames); frames a multiple of the patch."""
        noise = _white(batch, frames, source).to(self.basis.device) - self.noise_mean[:, None]
        kept = self._blend(self._project(noise), self._project)
        return (noise - kept) / self.grain_scale[:, None].clamp(min=LEAST_GRAIN)

    def spin(self, mels: Tensor) -> Tensor:
        """Return log-mels (B, mels, T) without steps at patch edges; T a multiple of the patch."""
        return self._blend(mels, lambda shifted: self.decode_linear(self.encode(shifted)))

    def _blend(self, mels: Tensor, again: Callable[[Tensor], Tensor]) -> Tensor:
        """Return pictures (B, mels, T) mixed with what ``again`` gives on a grid half a patch on.

        What lies at an edge of one grid of patches lies inside those of the other: each frame is a
        mean of both, weighted by how far it is from the edge in either.
        """
        patch, frames = self.settings.patch, mels.shape[-1]
        half = patch // 2
        shifted = functional.pad(mels, (half, half), mode="replicate")
        second = again(shifted)[..., half : half + frames]
        place = (torch.arange(frames, device=mels.device) % patch + 0.5) / patch
        inside = torch.sin(torch.pi * place).square()
        return mels * inside + second * (1 - inside)

    def _project(self, mels: Tensor) -> Tensor:
        """Return what the tokens can hold of differences (B, mels, T); T as in grain."""
        patches = mels.transpose(1, 2).reshape(len(mels), -1, self.basis.shape[1])
        kept = patches @ self.basis.T @ self.basis
        return kept.reshape(len(mels), -1, MEL.mels).transpose(1, 2)


def _white(batch: int, frames: int, source: torch.Generator) -> Tensor:
    """Return log-mel pictures (batch, mels, frames) of white noise."""
    waves = torch.randn(batch, frames * MEL.hop, generator=source)
    return torch.stack([log_mel(wave) for wave in waves])


class EdgeDecoder(nn.Module):
    """A residual convolution over time that knows where in its patch a frame stands.

    Its second output is the logarithm of the grain's deviation.
    """

    def __init__(self, settings: CodecSettings) -> None:
        super().__init__()
        width = settings.width
        self.enter = nn.Conv1d(MEL.mels, width, 5, padding=2)
        self.phase = nn.Parameter(torch.zeros(width, settings.patch))
        self.middle = nn.Conv1d(width, width, 5, padding=2)
        self.leave = nn.Conv1d(width, 2 * MEL.mels, 5, padding=2)
        nn.init.zeros_(self.leave.weight)
        assert self.leave.bias is not None
        nn.init.zeros_(self.leave.bias)
        nn.init.constant_(self.leave.bias[MEL.mels :], FIRST_GRAIN)

    def forward(self, mels: Tensor) -> tuple[Tensor, Tensor]:
        """Return redrawn log-mels and the log-deviation of grain, both (B, mels, T).

        T is a multiple of the patch.
        """
        phase = self.phase.repeat(1, mels.shape[-1] // self.phase.shape[1])
        x = functional.gelu(self.enter(mels / -MEL.log_floor) + phase)
        x = x + functional.gelu(self.middle(x))
        correction, log_deviation = self.leave(x).chunk(2, dim=1)
        return mels + correction, log_deviation
