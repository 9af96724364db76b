"""Means over many boxes of a map at once, by summed-area tables.

Boxes are float (N, 4) as x0, y0, x1, y1 in picture pixels; maps are (C, H, W) and cover the whole
picture at any resolution. A box that cuts through a cell counts that part of it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Windows:
    """Boxes in a picture of ``width`` x ``height`` pixels, with a ring around each.

    The ring goes ``margin`` times the root of the box's area beyond it, within the picture.
    """

    boxes: Floats
    width: int
    height: int
    margin: float = 0.25

    @property
    def shares(self) -> Floats:
        """Return the share of the picture that each box covers, (N,)."""
        return _areas(self.boxes) / (self.width * self.height)

    def outer(self, margin: float) -> Floats:
        """Return the boxes grown (or shrunk) on each side by ``margin`` x root of area."""
        by = margin * np.sqrt(_areas(self.boxes))[:, None]
        low = np.maximum(self.boxes[:, :2] - by, 0.0)
        high = np.minimum(self.boxes[:, 2:] + by, (self.width, self.height))
        return np.concatenate([low, high], 1)

    def mean_inside(self, layer: NDArray[np.float32], margin: float = 0.0) -> Floats:
        """Return the mean of a map (C, H, W) in each box, (N, C)."""
        boxes = self._on(layer, self.outer(margin) if margin else self.boxes)
        return _sums(layer, boxes) / np.maximum(_areas(boxes), 1e-6)[:, None]

    def inside_and_around(self, layer: NDArray[np.float32]) -> tuple[Floats, Floats]:
        """Return the means of a map (C, H, W) in each box and in its ring, each (N, C)."""
        boxes, outer = self._on(layer, self.boxes), self._on(layer, self.outer(self.margin))
        table = _table(layer)
        inside, whole = _look_up(table, boxes), _look_up(table, outer)
        area, ring = _areas(boxes), _areas(outer) - _areas(boxes)
        around = (whole - inside) / np.maximum(ring, 1e-3)[:, None]
        return inside / np.maximum(area, 1e-6)[:, None], around

    def _on(self, layer: NDArray[np.float32], boxes: Floats) -> Floats:
        across, down = layer.shape[2] / self.width, layer.shape[1] / self.height
        scaled: Floats = boxes * np.array([across, down, across, down])
        return scaled


def _areas(boxes: Floats) -> Floats:
    areas: Floats = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    return areas


def _sums(layer: NDArray[np.float32], boxes: Floats) -> Floats:
    return _look_up(_table(layer), boxes)


def _table(layer: NDArray[np.float32]) -> Floats:
    summed = layer.astype(np.float64).cumsum(1).cumsum(2)
    return np.pad(summed, ((0, 0), (1, 0), (1, 0))).transpose(1, 2, 0)


def _look_up(table: Floats, boxes: Floats) -> Floats:
    x0, y0, x1, y1 = boxes.T
    return _at(table, y1, x1) - _at(table, y0, x1) - _at(table, y1, x0) + _at(table, y0, x0)


def _at(table: Floats, y: Floats, x: Floats) -> Floats:
    """Interpolate the table (H + 1, W + 1, C) at fractional places, (N, C)."""
    row = np.clip(np.floor(y).astype(np.int64), 0, table.shape[0] - 2)
    column = np.clip(np.floor(x).astype(np.int64), 0, table.shape[1] - 2)
    down, right = (y - row)[:, None], (x - column)[:, None]
    upper = table[row, column] * (1 - right) + table[row, column + 1] * right
    lower = table[row + 1, column] * (1 - right) + table[row + 1, column + 1] * right
    result: Floats = upper * (1 - down) + lower * down
    return result
