"""Boxes around coherent parts of a picture, found by merging similar neighbours.

A picture is first cut into small even patches by the graph method of Felzenszwalb and
Huttenlocher (2004); then the two most alike neighbours are merged again and again, and the box of
every part that ever existed is a proposal (after Uijlings et al., 2013, "Selective Search").
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.perception.base import Box

Labels = NDArray[np.int32]
Floats = NDArray[np.float32]


def patches(colour: Floats, scale: float, min_size: int) -> Labels:
    """Return a label (H, W) for each pixel of ``colour`` (H, W, C).

    Two parts merge while the edge between them is weaker than the strongest inside either plus
    ``scale`` over its size; parts below ``min_size`` pixels join their nearest neighbour.
    """
    height, width = colour.shape[:2]
    ends, weights = _grid_edges(colour)
    order = np.argsort(weights, kind="stable")
    pairs = ends[order].tolist()
    sorted_weights = weights[order].tolist()
    forest = _Forest(height * width, scale)
    for (a, b), weight in zip(pairs, sorted_weights, strict=True):
        forest.join_if_alike(a, b, weight)
    for a, b in pairs:
        forest.join_if_small(a, b, min_size)
    roots = np.array([forest.root(i) for i in range(height * width)])
    return np.unique(roots, return_inverse=True)[1].astype(np.int32).reshape(height, width)


def _grid_edges(colour: Floats) -> tuple[NDArray[np.int64], Floats]:
    height, width = colour.shape[:2]
    index = np.arange(height * width).reshape(height, width)
    slices = (
        (np.s_[:, :-1], np.s_[:, 1:]),
        (np.s_[:-1], np.s_[1:]),
        (np.s_[:-1, :-1], np.s_[1:, 1:]),
        (np.s_[:-1, 1:], np.s_[1:, :-1]),
    )
    ends = [np.stack([index[a].ravel(), index[b].ravel()], 1) for a, b in slices]
    weights = [np.linalg.norm(colour[a] - colour[b], axis=-1).ravel() for a, b in slices]
    return np.concatenate(ends), np.concatenate(weights).astype(np.float32)


class _Forest:
    """Disjoint sets of pixels with their sizes and their tolerance for a further edge."""

    def __init__(self, count: int, scale: float) -> None:
        self._parent = list(range(count))
        self._size = [1] * count
        self._limit = [scale] * count
        self._scale = scale

    def root(self, i: int) -> int:
        parent = self._parent
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    def join_if_alike(self, a: int, b: int, weight: float) -> None:
        a, b = self.root(a), self.root(b)
        if a != b and weight <= self._limit[a] and weight <= self._limit[b]:
            self._join(a, b)
            self._limit[a] = weight + self._scale / self._size[a]

    def join_if_small(self, a: int, b: int, min_size: int) -> None:
        a, b = self.root(a), self.root(b)
        if a != b and min(self._size[a], self._size[b]) < min_size:
            self._join(a, b)

    def _join(self, a: int, b: int) -> None:
        self._parent[b] = a
        self._size[a] += self._size[b]


@dataclass
class _Part:
    box: Box
    size: int
    histogram: Floats
    neighbours: set[int]


def part_boxes(colour: Floats, labels: Labels) -> list[Box]:
    """Return the boxes of all patches of ``labels`` (H, W) and of all unions up to the whole."""
    parts = _initial_parts(colour, labels)
    queue = [
        (-_alike(parts[a], parts[b], labels.size), a, b)
        for a in parts
        for b in sorted(parts[a].neighbours)
        if a < b
    ]
    heapq.heapify(queue)
    boxes = [part.box for part in parts.values()]
    fresh = len(parts)
    while queue:
        _, a, b = heapq.heappop(queue)
        if a not in parts or b not in parts:
            continue
        parts[fresh] = _union(parts.pop(a), parts.pop(b), {a, b})
        boxes.append(parts[fresh].box)
        for n in _rewire(parts, fresh, {a, b}):
            heapq.heappush(queue, (-_alike(parts[n], parts[fresh], labels.size), n, fresh))
        fresh += 1
    return boxes


def _rewire(parts: dict[int, _Part], union: int, old: set[int]) -> list[int]:
    around = sorted(parts[union].neighbours)
    for n in around:
        parts[n].neighbours = (parts[n].neighbours - old) | {union}
    return around


def _initial_parts(colour: Floats, labels: Labels) -> dict[int, _Part]:
    count = int(labels.max()) + 1
    bins = _histograms(colour, labels, count)
    sizes = np.bincount(labels.ravel(), minlength=count)
    grid = np.indices(labels.shape, dtype=np.int64)
    x0, x1 = _extent(grid[1], labels, count)
    y0, y1 = _extent(grid[0], labels, count)
    touching = _touching(labels)
    return {
        i: _Part(
            (int(x0[i]), int(y0[i]), int(x1[i]) + 1, int(y1[i]) + 1),
            int(sizes[i]),
            bins[i],
            touching.get(i, set()),
        )
        for i in range(count)
    }


def _extent(
    positions: NDArray[np.int64], labels: Labels, count: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    low = np.full(count, np.iinfo(np.int64).max)
    high = np.full(count, -1)
    np.minimum.at(low, labels.ravel(), positions.ravel())
    np.maximum.at(high, labels.ravel(), positions.ravel())
    return low, high


def _histograms(colour: Floats, labels: Labels, count: int, bins: int = 16) -> Floats:
    """Return (count, C * bins) histograms of the channels, each part's summing to one."""
    low, high = colour.min((0, 1)), colour.max((0, 1))
    levels = ((colour - low) / np.maximum(high - low, 1e-6) * (bins - 1e-3)).astype(np.int64)
    flat = labels.ravel().astype(np.int64)
    columns = [
        np.bincount(flat * bins + levels[..., c].ravel(), minlength=count * bins)
        for c in range(colour.shape[2])
    ]
    table = np.concatenate([c.reshape(count, bins) for c in columns], 1).astype(np.float32)
    normed: Floats = table / table.sum(1, keepdims=True)
    return normed


def _touching(labels: Labels) -> dict[int, set[int]]:
    pairs = np.concatenate(
        [
            np.stack([labels[:, :-1].ravel(), labels[:, 1:].ravel()], 1),
            np.stack([labels[:-1].ravel(), labels[1:].ravel()], 1),
        ]
    )
    found: dict[int, set[int]] = {}
    for a, b in np.unique(pairs[pairs[:, 0] != pairs[:, 1]], axis=0).tolist():
        found.setdefault(a, set()).add(b)
        found.setdefault(b, set()).add(a)
    return found


def _alike(a: _Part, b: _Part, area: int) -> float:
    """Return colour likeness + smallness + how well the two fill their common box."""
    colour = float(np.minimum(a.histogram, b.histogram).sum())
    box = _around(a, b)
    hole = (box[2] - box[0]) * (box[3] - box[1]) - a.size - b.size
    return colour + (1.0 - (a.size + b.size) / area) + (1.0 - hole / area)


def _around(a: _Part, b: _Part) -> Box:
    return (
        min(a.box[0], b.box[0]),
        min(a.box[1], b.box[1]),
        max(a.box[2], b.box[2]),
        max(a.box[3], b.box[3]),
    )


def _union(a: _Part, b: _Part, both: set[int]) -> _Part:
    size = a.size + b.size
    share = np.float32(a.size / size)
    histogram = a.histogram * share + b.histogram * (1 - share)
    return _Part(_around(a, b), size, histogram, (a.neighbours | b.neighbours) - both)
