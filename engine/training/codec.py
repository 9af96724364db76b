"""Stage ``codec``: principal components of mel patches, then the decoder of patch edges."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from engine.perception.mel import MEL
from engine.steps import StepCallback
from engine.synthesis.codec import CodecSettings, MelCodec
from engine.training.batches import crop, draw
from engine.training.features import MelStore
from engine.training.loop import At, Lesson, Place, Schedule, fit, generator_for

PATCHES = 60_000
PATCHES_A_CLIP = 12
BATCH = 24
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


def train(
    store: MelStore,
    indices: Sequence[int],
    weights: Tensor,
    settings: CodecSettings,
    schedule: Schedule,
    checkpoint: Path,
    on_step: StepCallback,
    seed: int,
) -> MelCodec:
    """Fit the linear part and train the edge decoder; return the codec in eval mode."""
    codec = MelCodec(settings)
    codec.fit(patches(store, indices, weights, settings.patch, seed))
    optimizer = torch.optim.AdamW(codec.edges.parameters(), lr=1e-3, weight_decay=0.01)

    def loss(at: At) -> Tensor:
        generator = at.generator
        wanted = torch.full((BATCH, WINDOW, MEL.mels), MEL.log_floor)
        for row, index in enumerate(draw(weights, BATCH, generator)):
            piece = crop(store.clip(indices[index]), WINDOW, generator)
            wanted[row, : len(piece)] = piece
        wanted = wanted.transpose(1, 2)
        tokens = codec.encode(wanted)
        noise = torch.randn(tokens.shape, generator=generator)
        level = torch.rand(BATCH, 1, 1, generator=generator) * NOISE
        redrawn = codec.edges(codec.decode_linear(tokens + level * noise))
        return edge_loss(redrawn, wanted)

    lesson = Lesson(codec.edges, loss, [[optimizer]])
    trained = fit(lesson, schedule, Place(checkpoint, on_step, seed))
    codec.edges.load_state_dict(trained.state_dict())
    return codec.eval()


def edge_loss(redrawn: Tensor, wanted: Tensor) -> Tensor:
    """Return mean absolute error of the pictures (B, mels, T) and of their steps in time."""
    steps = redrawn.diff(dim=-1) - wanted.diff(dim=-1)
    return (redrawn - wanted).abs().mean() + steps.abs().mean()
