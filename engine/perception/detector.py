"""The starter's detector: coherent parts of the picture, judged by the image encoder's features.

1. `segments` proposes some hundred boxes around parts that belong together by colour.
2. `objectness` judges each from the maps of one pass of EfficientNet over the whole picture.
3. The best that do not overlap are cut out, named by the classifier, and returned.

One pass at about 640 x 480 and one at 260 x 260 for each region returned; no randomness. Measured
by ``tests/benchmarks/detection.py`` on cut-outs and backgrounds that chose nothing: of 100 pictures
with two pasted things 93 had both found (IoU >= 0.3), with 3.0 further boxes a picture.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from engine.perception import objectness
from engine.perception.base import MAX_REGIONS, Box, Region
from engine.perception.efficientnet import to_input
from engine.perception.image import EfficientNetImageEncoder, flatten, letterbox
from engine.perception.segments import part_boxes, patches
from engine.perception.windows import Windows
from engine.steps import StepCallback, no_steps

NETWORK_PX = 640
SEGMENT_PX = 160
PATCH_PX = 6
MIN_SHARE, MAX_SHARE = 0.006, 0.8
MIN_LOGIT = 0.0
MAX_IOU = 0.3
MAX_INSIDE = 0.7
_STRIDE_PX = 32
_STEPS = 2 + MAX_REGIONS


class SegmentDetector:
    """Regions by segmentation and the features of the image encoder; at most 16."""

    def __init__(self, images: EfficientNetImageEncoder) -> None:
        self._images = images

    def detect(self, image: Image.Image, on_step: StepCallback = no_steps) -> list[Region]:
        """Return regions, best first; at least one, the whole of an even picture."""
        picture = flatten(image)
        boxes = propose(picture)
        on_step(1, _STEPS)
        best = self.best(picture, boxes)
        on_step(2, _STEPS)
        regions = []
        for done, (box, score) in enumerate(best, start=3):
            regions.append(Region(box, self._name(picture, box), score))
            on_step(done, _STEPS)
        on_step(_STEPS, _STEPS)
        return regions

    def best(self, picture: Image.Image, boxes: Sequence[Box]) -> list[tuple[Box, float]]:
        """Return the boxes that hold a thing, with a score in 0..1, best first."""
        if not boxes:
            return [((0, 0, *picture.size), 0.5)]
        windows, maps, grey = self.evidence(picture, boxes)
        found = objectness.logits(windows, maps, grey)
        chosen = [i for i in separate(windows.boxes, found) if found[i] >= MIN_LOGIT]
        return [
            (boxes[i], float(1 / (1 + np.exp(-found[i])))) for i in chosen or [int(found.argmax())]
        ]

    def evidence(
        self, picture: Image.Image, boxes: Sequence[Box]
    ) -> tuple[Windows, list[NDArray[np.float32]], NDArray[np.float32]]:
        """Return what `objectness` judges ``boxes`` by: windows, maps and lightness."""
        windows = Windows(np.array(boxes, np.float64), *picture.size)
        seen = picture.resize(_network_size(picture), Image.Resampling.BICUBIC)
        stages = self._images.classifier.stages(to_input(seen)[None])
        grey = np.asarray(seen.convert("L"), np.float32)
        return windows, [stage[0].numpy() for stage in stages], grey

    def _name(self, picture: Image.Image, box: Box) -> str:
        classifier = self._images.classifier
        view = to_input(letterbox(picture.crop(box)))[None]
        probabilities = classifier.logits(classifier.features(view).mean((2, 3))).softmax(-1)
        return self._images.named(probabilities)[0][0]


def load_detector(images: EfficientNetImageEncoder) -> SegmentDetector:
    """Return the detector that shares the network of ``images``; reads no file."""
    return SegmentDetector(images)


def propose(picture: Image.Image) -> list[Box]:
    """Return the boxes of coherent parts of a picture (RGB), of a sensible size."""
    rgb = _small(picture)
    lab = cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB) / np.float32(100)
    found = {
        _enlarged(box, rgb.shape, picture)
        for colour, scale in ((lab, 0.3), (rgb, 1.0))
        for box in _parts(colour, scale)
    }
    return sorted(box for box in found if _sensible(box, picture))


def _parts(colour: NDArray[np.float32], scale: float) -> list[Box]:
    soft = cv2.GaussianBlur(colour, (0, 0), 0.6).astype(np.float32)
    return part_boxes(soft, patches(soft, scale, PATCH_PX))


def _enlarged(box: Box, shape: tuple[int, ...], picture: Image.Image) -> Box:
    down, across = picture.height / shape[0], picture.width / shape[1]
    x0, y0, x1, y1 = box
    return round(x0 * across), round(y0 * down), round(x1 * across), round(y1 * down)


def _sensible(box: Box, picture: Image.Image) -> bool:
    width, height = box[2] - box[0], box[3] - box[1]
    share = width * height / (picture.width * picture.height)
    return MIN_SHARE <= share <= MAX_SHARE and min(width, height) >= max(picture.size) / 40


def separate(boxes: NDArray[np.float64], scores: NDArray[np.float64]) -> list[int]:
    """Return the indices of at most ``MAX_REGIONS`` boxes, best first.

    A box goes if it overlaps a better one by more than ``MAX_IOU``, or if more than ``MAX_INSIDE``
    of it lies in a better one: then it is a part of that thing.
    """
    alive = np.ones(len(boxes), bool)
    chosen: list[int] = []
    while alive.any() and len(chosen) < MAX_REGIONS:
        best = int(np.where(alive, scores, -np.inf).argmax())
        chosen.append(best)
        iou, inside = _overlaps(boxes[best], boxes)
        alive &= (iou <= MAX_IOU) & (inside <= MAX_INSIDE)
        alive[best] = False
    return chosen


def _overlaps(
    box: NDArray[np.float64], boxes: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return intersection over union with ``box``, and the share inside it of each smaller box."""
    sides = np.minimum(box[2:], boxes[:, 2:]) - np.maximum(box[:2], boxes[:, :2])
    common = np.clip(sides, 0, None).prod(1)
    area, areas = (box[2:] - box[:2]).prod(), (boxes[:, 2:] - boxes[:, :2]).prod(1)
    inside = np.where(areas < area, common / areas, 0.0)
    return common / (area + areas - common), inside


def _small(picture: Image.Image) -> NDArray[np.float32]:
    """Return (H, W, 3) in 0..1 with a longer side of `SEGMENT_PX`."""
    scale = SEGMENT_PX / max(picture.size)
    size = (max(2, round(picture.width * scale)), max(2, round(picture.height * scale)))
    shrunk = cv2.resize(np.asarray(picture), size, interpolation=cv2.INTER_AREA)
    return shrunk.astype(np.float32) / np.float32(255)


def _network_size(picture: Image.Image) -> tuple[int, int]:
    scale = NETWORK_PX / max(picture.size) / _STRIDE_PX
    width, height = (max(1, round(side * scale)) * _STRIDE_PX for side in picture.size)
    return width, height
