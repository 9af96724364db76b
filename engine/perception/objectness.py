"""How much a box looks like one whole thing, judged by what is in it and what is around it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.perception.segments import Proposal
from engine.perception.windows import Windows

Floats = NDArray[np.float64]
Map = NDArray[np.float32]

# A linear judge: logit = BIAS + sum of weight * cue. Fitted by logistic regression.
WEIGHTS: Mapping[str, float] = MappingProxyType(
    {
        "log_area": 0.3,
        "log_area_squared": -0.3,
        "stretch": -0.5,
        "edges_touched": -0.7,
        "fill": 2.0,
        "born": 0.0,
        "died": -2.0,
        "step_4": 0.5,
        "step_8": 1.0,
        "step_16": 1.0,
        "step_head": 1.0,
        "colour_step": 1.0,
        "edge_step": 0.7,
    }
)
BIAS = 0.0


def logits(boxes: Windows, parts: Sequence[Proposal], maps: Sequence[Map], picture: Map) -> Floats:
    """Return one logit for each box, (N,).

    ``maps`` are the network's at 1/4, 1/8, 1/16 and 1/32, each (C, H, W); ``picture`` is (H, W, 3)
    in Lab, each channel divided by 100.
    """
    cues = {**_shape(boxes, parts), **_steps(boxes, maps), **_colour(boxes, picture)}
    terms = [weight * cues[name] for name, weight in WEIGHTS.items()]
    total: Floats = np.sum(terms, axis=0) + BIAS
    return total


def _shape(windows: Windows, parts: Sequence[Proposal]) -> dict[str, Floats]:
    boxes, log_area = windows.boxes, np.log(windows.shares)
    width, height = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
    limits = np.array([0, 0, windows.width, windows.height])
    touched = np.abs(boxes - limits) <= 0.005 * max(windows.width, windows.height)
    return {
        "log_area": log_area,
        "log_area_squared": log_area**2,
        "stretch": np.abs(np.log(width / height)),
        "edges_touched": touched.sum(1).astype(np.float64),
        "fill": np.array([part.fill for part in parts]),
        "born": np.array([min(part.born, 3.0) for part in parts]),
        "died": np.array([part.died for part in parts]),
    }


def _steps(windows: Windows, maps: Sequence[Map]) -> dict[str, Floats]:
    """Return how far the network's features change from the inside of a box to its ring."""
    names = ("step_4", "step_8", "step_16", "step_head")
    return {name: _step(windows, layer) for name, layer in zip(names, maps, strict=True)}


def _step(windows: Windows, layer: Map) -> Floats:
    spread = layer.std((1, 2), keepdims=True) + 1e-3
    inside, around = windows.inside_and_around(layer / spread)
    distance: Floats = np.sqrt(((inside - around) ** 2).mean(1))
    return distance


def _colour(windows: Windows, picture: Map) -> dict[str, Floats]:
    inside, around = windows.inside_and_around(_colour_bins(picture))
    chi = ((inside - around) ** 2 / (inside + around + 1e-6)).sum(1)
    busy_in, busy_out = windows.inside_and_around(_gradient(picture)[None])
    return {"colour_step": chi, "edge_step": np.log((busy_in + 0.01) / (busy_out + 0.01))[:, 0]}


def _colour_bins(picture: Map) -> Map:
    """Return softened one-hot bins of lightness and of the two colour axes, (40, H, W)."""
    levels = (picture[..., 0] * 8, (picture[..., 1] + 1) * 8, (picture[..., 2] + 1) * 8)
    counts = (8, 16, 16)
    planes = [
        np.clip(level, 0, count - 1).astype(np.int64) == bin_index
        for level, count in zip(levels, counts, strict=True)
        for bin_index in range(count)
    ]
    return np.stack([cv2.GaussianBlur(p.astype(np.float32), (0, 0), 1.0) for p in planes])


def _gradient(picture: Map) -> Map:
    lightness = np.ascontiguousarray(picture[..., 0])
    across = cv2.Sobel(lightness, cv2.CV_32F, 1, 0)
    down = cv2.Sobel(lightness, cv2.CV_32F, 0, 1)
    return np.hypot(across, down).astype(np.float32)
