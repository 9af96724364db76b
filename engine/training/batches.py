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
