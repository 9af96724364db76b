"""Stage ``autoencoder``: principal components of mel patches, then the decoder of patch edges."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.optim import Optimizer

from engine.perception.mel import MEL
from engine.synthesis.codec import MelCodec
from engine.training.batches import crop, draw
from engine.training.features import MelStore
from engine.training.loop import At, Lesson, generator_for
from engine.training.world import ALONE, World

PATCHES = 60_000
PATCHES_A_CLIP = 12
WINDOW = 128
NOISE = 0.25  # deviation added to tokens, so that a generator's small errors are redrawn too


def patches(
    store: MelStore, indices: Sequence[int], weights: Tensor, size: int, seed: int
) -> Tensor:
    """Return up to ``PATCHES`` random patches (N, size * mels), classes evenly."""
    generator = generator_for(seed, 0)
    rows = draw(weights, PATCHES // PATCHES_A_CLIP, generator)
    found = []
    for row in rows:
        picture = store.clip(indices[row])
        for _ in range(min(PATCHES_A_CLIP, -(-len(picture) // size))):
            piece = crop(picture, size, generator)
            filled = torch.full((size, MEL.mels), MEL.log_floor)
            filled[: len(piece)] = piece
            found.append(filled.flatten())
    return torch.stack(found)


@dataclass(frozen=True)
class CodecData:
    """Sounds by ``indices`` into the store; ``weights`` (N,) is how often each is drawn."""

    store: MelStore
    indices: Sequence[int]
    weights: Tensor

    def pictures(self, count: int, generator: torch.Generator) -> Tensor:
        """Return ``count`` windows (B, mels, WINDOW), silence behind shorter sounds."""
        wanted = torch.full((count, WINDOW, MEL.mels), MEL.log_floor)
        for row, index in enumerate(draw(self.weights, count, generator)):
            piece = crop(self.store.clip(self.indices[index]), WINDOW, generator)
            wanted[row, : len(piece)] = piece
        return wanted.transpose(1, 2)


def lesson(codec: MelCodec, data: CodecData, batch: int, optimizer: Optimizer) -> Lesson:
    """Return what teaches the codec's own network; its linear part is fitted."""

    def loss(at: At) -> Tensor:
        pictures = data.pictures(batch, at.generator)
        return codec_loss(codec, pictures, at.generator, at.world)

    return Lesson(codec.edges, loss, [[optimizer]])


def codec_loss(
    codec: MelCodec, pictures: Tensor, generator: torch.Generator, world: World = ALONE
) -> Tensor:
    """Return the loss of our rows of pictures (B, mels, T), drawn again from noisy tokens."""
    wanted = world.mine(pictures)
    tokens = codec.encode(wanted)
    noise = world.mine(torch.randn((len(pictures), *tokens.shape[1:]), generator=generator))
    level = world.mine(torch.rand(len(pictures), 1, 1, generator=generator) * NOISE)
    redrawn, deviation = codec.redraw(tokens + level * noise)
    return edge_loss(redrawn, wanted) + grain_loss(wanted - redrawn.detach(), deviation)


def edge_loss(redrawn: Tensor, wanted: Tensor) -> Tensor:
    """Return mean absolute error of the pictures (B, mels, T) and of their steps in time."""
    steps = redrawn.diff(dim=-1) - wanted.diff(dim=-1)
    return (redrawn - wanted).abs().mean() + steps.abs().mean()


def grain_loss(missing: Tensor, deviation: Tensor) -> Tensor:
    """Return the negative log-likelihood of what the mean misses, (B, mels, T), as grain."""
    return (0.5 * (missing / deviation).square() + deviation.log()).mean()
