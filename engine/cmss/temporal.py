"""Temporal Aggregation omega: embeddings of a video's frames -> one embedding (Sec. 3.3)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from engine.cmss.gaussian import Gaussian
from engine.cmss.layers import AttentionStack
from engine.cmss.remixer import LEARNED_TOKENS, TokenHeads
from osc_bridge.errors import OutOfRange

RESOLUTION = 1024
"""Positions the sin/cos table holds, learned tokens included."""
HEADS = 8
DROPOUT = 0.2


class SinusoidalPositions(nn.Module):
    """Adds sin/cos of the position (Eq. 11, 12); the frequency base is 2 x resolution.

    The paper writes 1024 for the base, the published weights were made with 2048.
    """

    pe: Tensor

    def __init__(self, dim: int, resolution: int) -> None:
        super().__init__()
        positions = torch.arange(resolution, dtype=torch.float32).unsqueeze(1)
        exponents = torch.arange(0, dim, 2, dtype=torch.float32) / dim
        angles = positions * (2.0 * resolution) ** -exponents
        table = torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(start_dim=1)
        self.register_buffer("pe", table[:, :dim].unsqueeze(1).contiguous())

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, D) -> (B, T, D), T at most the resolution."""
        return x + self.pe[: x.shape[1], 0]


class Aggregator(TokenHeads):
    """(B, F, D) embeddings in the order of frames -> Gaussian over (B, D)."""

    def __init__(
        self, dim: int, num_layers: int = 1, hidden_dim: int | None = None, slots: int = RESOLUTION
    ) -> None:
        super().__init__(dim, dim, DROPOUT)
        self.dim = dim
        self.pe = SinusoidalPositions(dim, slots)
        self.encoder = AttentionStack(num_layers, dim, hidden_dim or 2 * dim, HEADS, DROPOUT)

    @property
    def max_frames(self) -> int:
        """How many frames fit beside the learned tokens."""
        return len(self.pe.pe) - LEARNED_TOKENS

    def forward(self, x: Tensor) -> Gaussian:
        frames, dim = x.shape[1:]
        if not 1 <= frames <= self.max_frames or dim != self.dim:
            raise OutOfRange(
                f"Temporal Aggregation got {frames} frames of {dim} numbers; it takes 1 to "
                f"{self.max_frames} frames of {self.dim}: extract 64 frames with the same pack."
            )
        return self.read(self.encoder(self.pe(self.prepend(x)), keep=LEARNED_TOKENS))


@torch.no_grad()
def aggregate(
    aggregator: Aggregator, frames: Tensor, generator: torch.Generator | None, draws: int = 1
) -> Tensor:
    """Frame embeddings (F, clap_dim) -> one embedding (clap_dim,) of unit length."""
    sample = aggregator(frames.unsqueeze(0)).sample(generator, draws)[0]
    return nn.functional.normalize(sample, dim=-1)
