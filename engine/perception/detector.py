"""The starter's detector: coherent parts of the picture, judged by the image encoder's features.

1. `segments` proposes some hundred boxes around parts that belong together by colour.
2. `objectness` judges each from the maps of one pass of EfficientNet over the whole picture.
3. The best that do not overlap are cut out, named by the classifier, and returned.

One pass at about 640 x 480 and one at 260 x 260 for each region returned; no randomness.
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
from engine.perception.segments import Proposal, patches, proposals
from engine.perception.windows import Windows
from engine.steps import StepCallback, no_steps

NETWORK_PX = 640
SEGMENT_PX = 160
PATCH_PX = 6
MIN_SHARE, MAX_SHARE = 0.006, 0.8
MIN_LOGIT = 0.0
MAX_IOU = 0.3
MAX_CONTAINED = 0.8
_STRIDE_PX = 32
_STEPS = 3 + MAX_REGIONS


class SegmentDetector:
    """Regions by segmentation and the features of the image encoder; at most 16."""

    def __init__(self, images: EfficientNetImageEncoder) -> None:
        self._images = images

    def detect(self, image: Image.Image, on_step: StepCallback = no_steps) -> list[Region]:
        """Return regions, best first; the whole picture if nothing stands out."""
        picture = flatten(image)
        on_step(1, _STEPS)
        parts = propose(picture)
        on_step(2, _STEPS)
        boxes, scores = self._best(picture, parts)
        on_step(3, _STEPS)
        regions = []
        for done, (box, score) in enumerate(zip(boxes, scores, strict=True), start=4):
            regions.append(Region(box, self._name(picture, box), score))
            on_step(done, _STEPS)
        on_step(_STEPS, _STEPS)
        return regions

    def _best(
        self, picture: Image.Image, parts: Sequence[Proposal]
    ) -> tuple[list[Box], list[float]]:
        if not parts:
            return [(0, 0, *picture.size)], [0.5]
        windows = Windows(np.array([part.box for part in parts], float), *picture.size)
        found = objectness.logits(windows, parts, self._maps(picture), _lab(picture))
        chosen = [i for i in separate(windows.boxes, found) if found[i] >= MIN_LOGIT]
        if not chosen:
            chosen = [int(found.argmax())]
        return [parts[i].box for i in chosen], [float(1 / (1 + np.exp(-found[i]))) for i in chosen]

    def _maps(self, picture: Image.Image) -> list[NDArray[np.float32]]:
        scale = NETWORK_PX / max(picture.size)
        width, height = (
            max(1, round(side * scale / _STRIDE_PX)) * _STRIDE_PX for side in picture.size
        )
        resized = picture.resize((width, height), Image.Resampling.BICUBIC)
        stages = self._images.classifier.stages(to_input(resized)[None])
        return [stage[0].numpy() for stage in stages]

    def _name(self, picture: Image.Image, box: Box) -> str:
        classifier = self._images.classifier
        view = to_input(letterbox(picture.crop(box)))[None]
        probabilities = classifier.logits(classifier.features(view).mean((2, 3))).softmax(-1)
        return self._images.named(probabilities)[0][0]


def load_detector(images: EfficientNetImageEncoder) -> SegmentDetector:
    """Return the detector that shares the network of ``images``; reads no file."""
    return SegmentDetector(images)


def propose(picture: Image.Image) -> list[Proposal]:
    """Return distinct parts of a picture (RGB) of a sensible size, boxes in its pixels."""
    lab, rgb = _soft(_lab(picture)), _soft(_small(picture))
    found = [
        *proposals(lab, patches(lab, scale=0.3, min_size=PATCH_PX)),
        *proposals(rgb, patches(rgb, scale=1.0, min_size=PATCH_PX)),
    ]
    down, across = picture.height / rgb.shape[0], picture.width / rgb.shape[1]
    distinct: dict[Box, Proposal] = {}
    for part in found:
        x0, y0, x1, y1 = part.box
        box = (round(x0 * across), round(y0 * down), round(x1 * across), round(y1 * down))
        scaled = Proposal(box, part.fill, part.born, part.died)
        if _sensible(box, picture) and _stands_out_more(scaled, distinct.get(box)):
            distinct[box] = scaled
    return list(distinct.values())


def _sensible(box: Box, picture: Image.Image) -> bool:
    width, height = box[2] - box[0], box[3] - box[1]
    share = width * height / (picture.width * picture.height)
    return MIN_SHARE <= share <= MAX_SHARE and min(width, height) >= max(picture.size) / 40


def _stands_out_more(part: Proposal, other: Proposal | None) -> bool:
    return other is None or part.died - part.born < other.died - other.born


def separate(boxes: NDArray[np.float64], scores: NDArray[np.float64]) -> list[int]:
    """Return the indices of at most ``MAX_REGIONS`` boxes that hardly overlap, best first."""
    alive = np.ones(len(boxes), bool)
    chosen: list[int] = []
    while alive.any() and len(chosen) < MAX_REGIONS:
        best = int(np.where(alive, scores, -np.inf).argmax())
        chosen.append(best)
        iou, contained = _overlaps(boxes[best], boxes)
        alive &= (iou <= MAX_IOU) & (contained <= MAX_CONTAINED)
        alive[best] = False
    return chosen


def _overlaps(
    box: NDArray[np.float64], boxes: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return intersection over union, and over the smaller of the two, with each of ``boxes``."""
    sides = np.minimum(box[2:], boxes[:, 2:]) - np.maximum(box[:2], boxes[:, :2])
    common = np.clip(sides, 0, None).prod(1)
    area, areas = (box[2:] - box[:2]).prod(), (boxes[:, 2:] - boxes[:, :2]).prod(1)
    return common / (area + areas - common), common / np.minimum(area, areas)


def _small(picture: Image.Image) -> NDArray[np.float32]:
    """Return (H, W, 3) in 0..1 with a longer side of `SEGMENT_PX`."""
    scale = SEGMENT_PX / max(picture.size)
    size = (max(2, round(picture.width * scale)), max(2, round(picture.height * scale)))
    shrunk = cv2.resize(np.asarray(picture), size, interpolation=cv2.INTER_AREA)
    return shrunk.astype(np.float32) / np.float32(255)


def _lab(picture: Image.Image) -> NDArray[np.float32]:
    return (cv2.cvtColor(_small(picture), cv2.COLOR_RGB2LAB) / 100).astype(np.float32)


def _soft(colour: NDArray[np.float32]) -> NDArray[np.float32]:
    return cv2.GaussianBlur(colour, (0, 0), 0.6).astype(np.float32)
