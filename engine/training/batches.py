"""Drawing clips: classes evenly, windows of several lengths, pictures varied in level and tone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from engine.perception.mel import MEL
from engine.training.corpus import Clip
from engine.training.features import MelStore

MOVED_BANDS = 4
HIDDEN_BANDS = 14
HIDDEN_TIME = 0.25


def balance(clips: Sequence[Clip], power: float = 0.6) -> Tensor:
    """Return drawing weights (N,): a class of n clips is drawn about n^(1 - power) times.

    Clips without a class count as one group for each package.
    """
    groups = [clip.foley_class or f"package {clip.package}" for clip in clips]
    sizes = Counter(groups)
    return torch.tensor([sizes[group] ** -power for group in groups], dtype=torch.float64)


def draw(weights: Tensor, count: int, generator: torch.Generator) -> list[int]:
    """Return ``count`` indices drawn with replacement in proportion to ``weights``."""
    drawn: list[int] = torch.multinomial(
        weights, count, replacement=True, generator=generator
    ).tolist()
    return drawn


def uniform(generator: torch.Generator, low: float, high: float) -> float:
    """Return one number from [low, high)."""
    return low + (high - low) * float(torch.rand((), generator=generator))


def crop(picture: np.ndarray, window: int, generator: torch.Generator) -> Tensor:
    """Return at most ``window`` frames (T, mels) of a picture, a random stretch if it is longer."""
    spare = len(picture) - window
    start = int(torch.randint(spare + 1, (), generator=generator)) if spare > 0 else 0
    return torch.from_numpy(picture[start : start + window].astype(np.float32))


def vary(picture: Tensor, generator: torch.Generator) -> Tensor:
    """Return the picture (T, mels) at another level and with a tilted spectrum."""
    level = uniform(generator, -0.8, 0.2)
    tilt = uniform(generator, -0.8, 0.8) * torch.linspace(-0.5, 0.5, MEL.mels)
    return (picture + level + tilt).clamp(min=MEL.log_floor)


def moved(picture: Tensor, generator: torch.Generator) -> Tensor:
    """Return the picture (T, mels) a few bands higher or lower, as if played faster or slower."""
    bands = int(torch.randint(-MOVED_BANDS, MOVED_BANDS + 1, (), generator=generator))
    shifted = picture.roll(bands, dims=1)
    if bands > 0:
        shifted[:, :bands] = picture[:, :1]
    elif bands < 0:
        shifted[:, bands:] = picture[:, -1:]
    return shifted


def hide(picture: Tensor, generator: torch.Generator) -> Tensor:
    """Return the picture (T, mels) with a stripe of bands and a stretch of time at their means.

    After SpecAugment (Park et al., 2019): no single band or moment shall decide.
    """
    hidden = picture.clone()
    for axis, most in ((1, HIDDEN_BANDS), (0, int(HIDDEN_TIME * len(picture)))):
        width = int(torch.randint(most + 1, (), generator=generator))
        start = int(torch.randint(picture.shape[axis] - width + 1, (), generator=generator))
        hidden.narrow(axis, start, width).fill_(float(picture.mean()))
    return hidden


def blurred(pictures: Tensor, generator: torch.Generator) -> Tensor:
    """Return pictures (B, mels, T), each moved by a few bands and with stripes hidden."""
    return torch.stack([hide(moved(p.T, generator), generator).T for p in pictures])


def windows(
    store: MelStore, indices: Sequence[int], window: int, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Return varied pictures (B, mels, window), silence behind them, and frame counts (B,)."""
    pictures = torch.full((len(indices), window, MEL.mels), MEL.log_floor)
    frames = torch.empty(len(indices), dtype=torch.long)
    for row, index in enumerate(indices):
        picture = vary(crop(store.clip(index), window, generator), generator)
        pictures[row, : len(picture)] = picture
        frames[row] = len(picture)
    return pictures.transpose(1, 2), frames
