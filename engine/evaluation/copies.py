"""Is a generated sound a copy of one it was trained on? Distances of codec tokens.

Two sounds are compared token by token over the part where either is active, overall level taken
out: silence behind short sounds would otherwise make everything alike. What is near is said by real
sounds: by how near held-out ones come to training sounds, and by planted copies, which are training
sounds sent through codec and vocoder, as anything is that a decoder puts out.
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

LONGEST = MEL.frames(8 * MEL.sample_rate) // 8
"""Tokens of 8 frames in 8 s, the longest sound of training."""
CAUGHT = 0.95


@dataclass(frozen=True)
class Index:
    """Tokens of sounds (N, LONGEST, dims) and how many are active (N,)."""

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
    """Return the index of sounds by their log-mel pictures."""
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


def nearest_of_all(index: Index, sounds: Index) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return for each sound the row of ``index`` nearest to it, and the distance.

    As :func:`nearest_to`, for all at once: behind the longer of two sounds both are silent and add
    nothing, so that one product of matrices gives every distance.
    """
    known, asked = (of.tokens.flatten(1).double() for of in (index, sounds))
    squares = known.square().sum(1) + asked.square().sum(1)[:, None] - 2 * asked @ known.T
    length = torch.maximum(sounds.active[:, None], index.active).clamp(max=LONGEST)
    apart = (squares.clamp(min=0) / (length * index.tokens.shape[-1])).sqrt()
    least = apart.min(dim=1)
    return least.indices.numpy(), least.values.numpy()


def threshold(distances_of_copies: Sequence[float]) -> float:
    """Return the distance under which ``CAUGHT`` of the planted copies fall."""
    return float(np.quantile(np.array(distances_of_copies), CAUGHT))
