"""Is a generated sound a copy of one it was trained on? Distances of codec tokens, calibrated.

Two sounds are compared token by token over the part where either is active, overall level taken
out: silence behind short sounds would otherwise make everything alike. The threshold is the
distance under which 95 of 100 planted copies fall: training sounds sent through codec and
vocoder, as anything is that a decoder puts out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.perception.mel import MEL, log_mel
from engine.synthesis.codec import MelCodec

LONGEST = 86  # tokens: 8 s, the longest sound of training
CAUGHT = 0.95


@dataclass(frozen=True)
class Index:
    """Tokens of the training sounds (N, LONGEST, dims) and how many are active (N,)."""

    tokens: Tensor
    active: Tensor


def tokens_of(codec: MelCodec, picture: Tensor) -> tuple[Tensor, int]:
    """Return (LONGEST, dims) tokens of a log-mel picture (mels, T), its loudest frame at 0 nat."""
    raised = (picture - picture.max()).clamp(min=MEL.log_floor)
    silence = torch.full((MEL.mels, LONGEST * codec.settings.patch), MEL.log_floor)
    cut = raised[:, : silence.shape[1]]
    silence[:, : cut.shape[1]] = cut
    return codec.encode(silence.unsqueeze(0))[0], -(-cut.shape[1] // codec.settings.patch)


def build(codec: MelCodec, pictures: Sequence[Tensor]) -> Index:
    """Return the index of training sounds."""
    rows = [tokens_of(codec, picture) for picture in pictures]
    return Index(torch.stack([row[0] for row in rows]), torch.tensor([row[1] for row in rows]))


def nearest(index: Index, codec: MelCodec, wave: NDArray[np.float32]) -> tuple[int, float]:
    """Return the training sound nearest to a wave, and its distance (rms of token numbers)."""
    tokens, active = tokens_of(codec, log_mel(torch.from_numpy(wave)))
    return nearest_to(index, tokens, active)


def nearest_to(index: Index, tokens: Tensor, active: int) -> tuple[int, float]:
    """Return the row of ``index`` nearest to tokens (LONGEST, dims), and its distance."""
    length = index.active.clamp(min=active).clamp(max=LONGEST)
    squares = (index.tokens - tokens).square().mean(-1)
    inside = torch.arange(LONGEST) < length.unsqueeze(1)
    distance = ((squares * inside).sum(-1) / length).sqrt()
    best = int(distance.argmin())
    return best, float(distance[best])


def threshold(distances_of_copies: Sequence[float]) -> float:
    """Return the distance under which ``CAUGHT`` of the planted copies fall."""
    return float(np.quantile(np.array(distances_of_copies), CAUGHT))
