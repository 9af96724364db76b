"""Batches drawn from prepared data, in an order that only (seed, step) decides.

Each class here is a map from step to batch: ``batches[step]``. It needs no state, so a training
goes on from any step, and ``torch.utils.data.DataLoader(batches, batch_size=None,
sampler=range(first, last), num_workers=n)`` gives the same batches for any ``n``; `stream` does
that with threads. Rank r of ``world`` gets its equal part of the one batch of ``size``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter, deque
from collections.abc import Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from engine.training.data.prepared import Places, Selection
from engine.training.data.samples import KINDS
from osc_bridge.errors import OutOfRange

SLOTS = 64
"""Sources that a Remixer takes (Sec. 3.3)."""

Batch_co = TypeVar("Batch_co", covariant=True)


@dataclass(frozen=True)
class PairBatch:
    """Pairs of the manifold: ``clips`` (B, clip_dim) and ``claps`` (B, clap_dim), unit length.

    ``kinds`` (B,) places in `KINDS`, ``classes`` (B,) places in ``data.classes`` or -1, ``pairs``
    (B,) places in the selection's ``pairs``. No sample comes twice in a batch that is not larger
    than the selection.
    """

    clips: Tensor
    claps: Tensor
    kinds: Tensor
    classes: Tensor
    pairs: Tensor


@dataclass(frozen=True)
class SceneBatch:
    """Frames with what was detected in them: the Remixer's pairs (Sec. 3.3).

    ``sources`` (B, 64, clip_dim), zeros behind the first ``counts`` (B,); ``frames`` (B, clip_dim):
    the whole picture; ``claps`` (B, clap_dim): the target. ``rows`` (B,): places in the data.
    """

    sources: Tensor
    counts: Tensor
    frames: Tensor
    claps: Tensor
    rows: Tensor


@dataclass(frozen=True)
class VideoBatch:
    """Videos: ``frames`` (B, 64, clip_dim), evenly along time; ``claps`` (B, clap_dim)."""

    frames: Tensor
    claps: Tensor
    rows: Tensor


class Batches(Dataset[Batch_co], ABC, Generic[Batch_co]):
    """The order that all kinds of batches share.

    ``power`` 0: every sample once an epoch, in a new order; above 0: drawn anew for each step, a
    class of n samples about n^(1 - power) times, so 1 draws all classes equally often.
    """

    def __init__(
        self,
        selection: Selection,
        size: int,
        seed: int,
        rank: int = 0,
        world: int = 1,
        power: float = 0.0,
    ) -> None:
        if size < 1 or size % world or not 0 <= rank < world:
            raise OutOfRange(
                f"A batch of {size} for rank {rank} of {world} processes cannot be divided; give a "
                f"batch of a multiple of {world} pairs and a rank from 0 to {world - 1}."
            )
        self.selection = selection
        self.data = selection.data
        self.size, self.seed, self.rank, self.world = size, seed, rank, world
        self._weights = _weights(selection.groups, power) if power else None

    def __getitem__(self, step: int) -> Batch_co:
        places = self.places(step)
        part = self.size // self.world
        views = np.random.default_rng([self.seed, step, 1]).random(self.size)
        mine = slice(self.rank * part, (self.rank + 1) * part)
        return self._batch(places[mine], views[mine])

    @property
    def steps_per_epoch(self) -> int:
        """Whole batches that the samples give, at least one."""
        return max(1, len(self.selection.rows) // self.size)

    def places(self, step: int) -> Places:
        """Return places in ``selection.rows`` (size,) of the whole batch of a step."""
        count = len(self.selection.rows)
        if self._weights is not None and self.size <= count:
            chances = np.random.default_rng([self.seed, step]).random(count)
            # Efraimidis and Spirakis (2006): weighted, without replacement
            keys = np.log(np.maximum(chances, 1e-300)) / self._weights
            return np.argpartition(-keys, self.size - 1)[: self.size].astype(np.int64)
        if self._weights is not None:
            draw = np.random.default_rng([self.seed, step])
            return draw.choice(count, self.size, p=self._weights / self._weights.sum())
        epoch, batch = divmod(step, self.steps_per_epoch)
        order = np.random.default_rng([self.seed, epoch]).permutation(count)
        return np.resize(order, max(count, self.size))[batch * self.size :][: self.size]

    @abstractmethod
    def _batch(self, places: Places, views: np.ndarray) -> Batch_co: ...

    def _stack(self, rows: Places, name: str) -> Tensor:
        return torch.from_numpy(np.stack([self.data.array(int(row), name) for row in rows])).float()


class PairBatches(Batches[PairBatch]):
    """Batches of pairs; of a sample with several, one is drawn each time."""

    def _batch(self, places: Places, views: np.ndarray) -> PairBatch:
        starts = self.selection.starts
        counts = starts[places + 1] - starts[places]
        return pair_batch(self.selection, starts[places] + (views * counts).astype(np.int64))


class SceneBatches(Batches[SceneBatch]):
    """Batches of frames; select with ``kinds=(), needs=("clap", "sources", "frame")``."""

    def _batch(self, places: Places, views: np.ndarray) -> SceneBatch:
        rows = self.selection.rows[places]
        sources = torch.zeros(len(rows), SLOTS, self.data.clip_dim)
        counts = torch.zeros(len(rows), dtype=torch.long)
        for place, row in enumerate(rows.tolist()):
            found = torch.from_numpy(self.data.array(row, "sources")[:SLOTS])
            sources[place, : len(found)] = found
            counts[place] = len(found)
        frames, claps = self._stack(rows, "frame"), self._stack(rows, "clap")
        return SceneBatch(sources, counts, frames, claps, torch.from_numpy(rows))


class VideoBatches(Batches[VideoBatch]):
    """Batches of videos; select with ``kinds=(), needs=("clap", "frames")``."""

    def _batch(self, places: Places, views: np.ndarray) -> VideoBatch:
        rows = self.selection.rows[places]
        frames, claps = self._stack(rows, "frames"), self._stack(rows, "clap")
        return VideoBatch(frames, claps, torch.from_numpy(rows))


def pair_batch(selection: Selection, pairs: Places) -> PairBatch:
    """Return the pairs at these places (B,) of ``selection.pairs``."""
    data = selection.data
    chosen = selection.pairs[pairs].tolist()
    facts = [data.facts(row) for row, _ in chosen]
    place = {name: index for index, name in enumerate(data.classes)}
    return PairBatch(
        clips=torch.from_numpy(np.stack([data.array(row, "clip")[view] for row, view in chosen])),
        claps=torch.from_numpy(np.stack([data.array(row, "clap") for row, _ in chosen])),
        kinds=torch.tensor(
            [KINDS.index(f.kinds[view]) for f, (_, view) in zip(facts, chosen, strict=True)]
        ),
        classes=torch.tensor([place.get(each.foley_class, -1) for each in facts]),
        pairs=torch.from_numpy(pairs),
    )


def in_order(selection: Selection, size: int) -> Iterator[PairBatch]:
    """Yield every pair of the selection once, in its order, at most ``size`` at a time."""
    for first in range(0, len(selection.pairs), size):
        yield pair_batch(selection, np.arange(first, min(first + size, len(selection.pairs))))


def stream(
    batches: Batches[Batch_co], first: int, last: int, threads: int = 2
) -> Generator[Batch_co, None, None]:
    """Yield the batches of steps ``first`` to ``last - 1``, read ahead by some threads.

    Close it when you leave early, so that the threads end.
    """
    with ThreadPoolExecutor(threads, thread_name_prefix="batches") as pool:
        waiting: deque[Future[Batch_co]] = deque()
        try:
            for step in range(first, last):
                waiting.append(pool.submit(batches.__getitem__, step))
                if len(waiting) > 2 * threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def _weights(groups: list[str], power: float) -> np.ndarray:
    sizes = Counter(groups)
    return np.array([sizes[group] ** -power for group in groups])
