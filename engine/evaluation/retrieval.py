"""Finding the sound that belongs to a text or a picture among held-out ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from engine.cmss import SSV2A


@dataclass(frozen=True)
class Recall:
    """R@1 and R@5 over ``count`` pairs; chance is 1 / count and 5 / count."""

    count: int
    at_1: float
    at_5: float


def recall(model: SSV2A, clips: Tensor, claps: Tensor) -> Recall:
    """Return how often pair i's sound is found from its image-space vector, in the manifold.

    ``clips`` (N, clip_dim), ``claps`` (N, clap_dim), row by row one pair.
    """
    found = places(model, clips, claps)
    return Recall(len(clips), float((found < 1).mean()), float((found < 5).mean()))


def places(model: SSV2A, clips: Tensor, claps: Tensor) -> NDArray[np.int64]:
    """Return the place (0 = nearest) of each pair's own sound (N,), by cosine in the manifold."""
    with torch.inference_mode():
        seen = functional.normalize(model.clip_projector(clips).mu, dim=-1)
        heard = functional.normalize(model.clap_projector(claps).mu, dim=-1)
    order = (seen @ heard.T).argsort(dim=1, descending=True)
    own = (order == torch.arange(len(clips)).unsqueeze(1)).nonzero()[:, 1]
    return own.numpy()
