"""What the starter's own networks learn from: prepared sounds as mels, words and classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from engine.training.data.prepared import PreparedData, Selection
from engine.training.features import Mels
from engine.training.scenes import drawing_weights

MOST_WAYS = 8
"""Image-space vectors that are kept of a sound; it may have many pictures."""


@dataclass(frozen=True)
class PreparedMels:
    """The mels of some samples of prepared data, read when they are asked for."""

    data: PreparedData
    rows: Sequence[int]

    def __len__(self) -> int:
        return len(self.rows)

    def clip(self, index: int) -> Mels:
        """Return the log-mel picture of one sound, (T, mels), time first."""
        return self.data.array(self.rows[index], "mel")


@dataclass(frozen=True)
class SoundView:
    """The N samples of a selection; ``power`` balances their classes."""

    selection: Selection
    power: float

    @property
    def indices(self) -> range:
        """Places in ``store``."""
        return range(len(self.selection.rows))

    @cached_property
    def store(self) -> PreparedMels:
        """The mels of the samples."""
        return PreparedMels(self.selection.data, self.selection.rows.tolist())

    @cached_property
    def weights(self) -> Tensor:
        """How often each sample (N,) is drawn."""
        return drawing_weights(self.selection, self.power)

    def classes(self, names: Sequence[str]) -> Tensor:
        """Return the place of each sample's class (N,) among ``names``, -1 for none."""
        place = {name: index for index, name in enumerate(names)}
        facts = (self.selection.data.facts(row) for row in self.store.rows)
        return torch.tensor([place.get(each.foley_class, -1) for each in facts])

    def claps(self) -> Tensor:
        """Return the embeddings (N, clap_dim) of the sounds."""
        data = self.selection.data
        return torch.from_numpy(np.stack([data.array(row, "clap") for row in self.store.rows]))

    def clips(self) -> Tensor:
        """Return image-space vectors (ways, N, clip_dim) of the pairs.

        A sample with fewer ways than another has some of its own repeatedly; of one with more than
        ``MOST_WAYS`` they are taken evenly.
        """
        starts, pairs = self.selection.starts, self.selection.pairs
        counts = np.diff(starts)
        ways = min(MOST_WAYS, int(counts.max()))
        found = []
        for start, count in zip(starts[:-1].tolist(), counts.tolist(), strict=True):
            row = int(pairs[start, 0])
            views = pairs[start : start + count, 1][_places(count, ways)]
            found.append(self.selection.data.array(row, "clip")[views])
        return torch.from_numpy(np.stack(found, axis=1))


def _places(count: int, ways: int) -> list[int]:
    """Return which of ``count`` views stand in ``ways`` places."""
    if count <= ways:
        return [way % count for way in range(ways)]
    return [int(way * count / ways) for way in range(ways)]
