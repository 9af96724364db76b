"""Stage ``decoder``: the rectified flow over codec tokens, given an audio embedding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional
from torch.optim import Optimizer

from engine.perception.mel import MEL
from engine.synthesis.codec import MelCodec
from engine.synthesis.dit import DiT
from engine.training.batches import crop, draw, uniform
from engine.training.features import MelStore
from engine.training.loop import At, Lesson
from engine.training.world import ALONE, World

WINDOWS = ((12, 160), (22, 88), (43, 45), (86, 22))  # (tokens, clips a batch): equal work a step
UNCONDITIONED = 0.12
PREDICTED = 0.5  # share of conditions that the manifold predicts from words or pictures
NOISE = 0.35  # length of the noise on the condition
REPEATED = 0.5  # share of short sounds that are repeated to fill the window
SHORTEST_S = 0.3


@dataclass(frozen=True)
class GeneratorData:
    """Sounds by ``indices`` into the store; ``heard`` (N, condition) is each sound's embedding,
    ``predicted`` (variants, N, condition) what the manifold says for its words; ``weights`` (N,).
    """

    store: MelStore
    indices: Sequence[int]
    heard: Tensor
    predicted: Tensor
    weights: Tensor


@dataclass(frozen=True)
class Batch:
    """``tokens`` (B, N, dims), ``a`` (B, condition), ``seconds`` (B,) of active sound."""

    tokens: Tensor
    a: Tensor
    seconds: Tensor


def lay_out(picture: Tensor, window: int, generator: torch.Generator) -> tuple[Tensor, int]:
    """Place a sound (T, mels) in a window: alone, or repeated with uneven gaps.

    Returns the filled window (window, mels) and the number of active frames.
    """
    filled = torch.full((window, MEL.mels), MEL.log_floor)
    length = len(picture)
    filled[:length] = picture
    if length > 0.7 * window or uniform(generator, 0, 1) > REPEATED:
        return filled, length
    end = length
    gap = uniform(generator, 0.05, 0.8)
    while True:
        start = end + int(length * gap * uniform(generator, 0.7, 1.3)) + 2
        if start >= window:
            return filled, window
        end = min(window, start + length)
        level = uniform(generator, -0.5, 0.1)
        filled[start:end] = (picture[: end - start] + level).clamp(min=MEL.log_floor)


def batch(
    data: GeneratorData, codec: MelCodec, step: int, generator: torch.Generator, size: int
) -> Batch:
    """Return the batch of one step; its window is one of ``WINDOWS`` in turn.

    It holds ``size`` clips of the longest window, or more of a shorter one.
    """
    tokens, count = WINDOWS[step % len(WINDOWS)]
    count = count * size // WINDOWS[-1][1]
    window = tokens * codec.settings.patch
    rows = draw(data.weights, count, generator)
    pictures, seconds = [], []
    for row in rows:
        piece = crop(data.store.clip(data.indices[row]), window, generator)
        filled, active = lay_out(piece, window, generator)
        pictures.append(filled.T)
        seconds.append(max(SHORTEST_S, active * MEL.hop / MEL.sample_rate))
    with torch.no_grad():
        encoded = codec.encode(torch.stack(pictures))
    return Batch(encoded, conditions(data, rows, generator), torch.tensor(seconds))


def conditions(data: GeneratorData, rows: Sequence[int], generator: torch.Generator) -> Tensor:
    """Return (B, condition): the sound's own embedding or the predicted one, blurred, or none."""
    chance = torch.rand(3, len(rows), 1, generator=generator)
    variant = int(torch.randint(len(data.predicted), (), generator=generator))
    a = torch.where(chance[0] < PREDICTED, data.predicted[variant, rows], data.heard[rows])
    noise = torch.randn(a.shape, generator=generator) * (NOISE / a.shape[-1] ** 0.5)
    a = functional.normalize(a + chance[1] * noise, dim=-1)
    return a.masked_fill(chance[2] < UNCONDITIONED, 0.0)


def flow_loss(
    model: DiT, wanted: Batch, generator: torch.Generator, world: World = ALONE
) -> Tensor:
    """Return the mean squared velocity error of the rectified flow, times logit-normal.

    Of our rows of the batch.
    """
    tokens = world.mine(wanted.tokens)
    time = world.mine(torch.randn(len(wanted.tokens), generator=generator).sigmoid())
    noise = world.mine(torch.randn(wanted.tokens.shape, generator=generator))
    part = time.reshape(-1, 1, 1)
    mixed = part * tokens + (1 - part) * noise
    velocity = model(mixed, time, world.mine(wanted.a), world.mine(wanted.seconds))
    return functional.mse_loss(velocity, tokens - noise)


def lesson(
    model: DiT, data: GeneratorData, codec: MelCodec, size: int, optimizers: Sequence[Optimizer]
) -> Lesson:
    """Return what teaches the generator; ``size`` clips of the longest window a step."""

    def loss(at: At) -> Tensor:
        drawn = batch(data, codec, at.step, at.generator, size)
        return flow_loss(model, drawn, at.generator, at.world)

    return Lesson(model, loss, [optimizers])
