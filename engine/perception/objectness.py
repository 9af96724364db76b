"""How much a box looks like one whole thing, judged by the image encoder's own features.

A thing differs from the mean of its picture and from the ring around it, at several depths of the
network, and its edges lie inside the box rather than along its border. A linear judge weighs these
cues; it was fitted by logistic regression (``tests/benchmarks/detection.py --fit``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.perception.windows import Windows

Floats = NDArray[np.float64]
Map = NDArray[np.float32]

DEPTHS = ("8", "16", "32", "head")
WEIGHTS: Mapping[str, float] = MappingProxyType(
    {
        "log_area": 2.129,
        "unusual_area": -0.365,
        "stretch": -1.437,
        "edges_touched": -0.321,
        "edge_step": 0.230,
        "edge_core": 0.808,
        "inside_8": -0.610,
        "around_8": -4.690,
        "step_8": -0.605,
        "inside_16": -0.579,
        "around_16": -4.824,
        "step_16": 13.981,
        "inside_32": 5.233,
        "around_32": -4.943,
        "step_32": 0.808,
        "inside_head": 5.006,
        "around_head": -2.583,
        "step_head": -1.310,
    }
)
BIAS = 0.750
_USUAL_SHARE = 0.08
_EDGE_FLOOR = 1.0


def logits(windows: Windows, maps: Sequence[Map], grey: Map) -> Floats:
    """Return the judge's logit for each box, (N,); arguments as in `cues`."""
    found = cues(windows, maps, grey)
    total: Floats = np.sum([weight * found[name] for name, weight in WEIGHTS.items()], axis=0)
    return total + BIAS


def cues(windows: Windows, maps: Sequence[Map], grey: Map) -> dict[str, Floats]:
    """Return each cue for each box, (N,).

    ``maps`` are those of `Classifier.stages`, each (C, H, W); ``grey`` (H, W) is in 0..255.
    """
    found = {**_shape(windows), **_edges(windows, grey)}
    for depth, layer in zip(DEPTHS, maps, strict=True):
        inside, around = windows.inside_and_around(_standardised(layer))
        found[f"inside_{depth}"] = _rms(inside)
        found[f"around_{depth}"] = _rms(around)
        found[f"step_{depth}"] = _rms(inside - around)
    return found


def _shape(windows: Windows) -> dict[str, Floats]:
    boxes, log_area = windows.boxes, np.log(windows.shares)
    width, height = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
    touched = np.abs(boxes - (0, 0, windows.width, windows.height))
    return {
        "log_area": log_area,
        "unusual_area": (log_area - np.log(_USUAL_SHARE)) ** 2,
        "stretch": np.abs(np.log(width / height)),
        "edges_touched": (touched <= 0.005 * max(windows.width, windows.height)).sum(1) * 1.0,
    }


def _edges(windows: Windows, grey: Map) -> dict[str, Floats]:
    across, down = cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1)
    strength = np.hypot(across, down).astype(np.float32)[None]
    inside, around = (_log(mean) for mean in windows.inside_and_around(strength))
    core = _log(windows.mean_inside(strength, margin=-0.12))
    return {"edge_step": inside - around, "edge_core": core - inside}


def _log(mean: Floats) -> Floats:
    log: Floats = np.log(np.maximum(mean[:, 0], 0.0) + _EDGE_FLOOR)
    return log


def _standardised(layer: Map) -> Map:
    spread = layer.std((1, 2), keepdims=True) + np.float32(1e-3)
    centred: Map = (layer - layer.mean((1, 2), keepdims=True)) / spread
    return centred


def _rms(vectors: Floats) -> Floats:
    root: Floats = np.sqrt((vectors**2).mean(1))
    return root
