"""Which pictures show one sounding thing: the paper's curation of VGGSS3 (A.2.1).

A pair is kept when exactly one region is detected at the threshold; the picture is cropped to it.
The paper segments with CLIP-as-RNN over the category labels; here the pack's own detector looks,
which knows no labels. What several regions were found in still teaches the Remixer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from PIL import Image
from torch import Tensor

from engine.perception.base import Box, Detector, ImageEncoder
from engine.training.data.items import Shares
from engine.training.data.samples import Kind

THRESHOLD = 0.5


@dataclass(frozen=True, eq=False)
class Seen:
    """A picture in image space: its single-source view, if it has one, and all that is in it.

    ``single`` (1, clip_dim) or (0, clip_dim), of this ``kind``; ``sources`` (S, clip_dim);
    ``frame`` (clip_dim,).
    """

    kind: Kind
    single: Tensor
    sources: Tensor
    frame: Tensor


def look(
    image: Image.Image,
    boxes: Sequence[Shares],
    images: ImageEncoder,
    detector: Detector,
    threshold: float,
) -> Seen:
    """Return what a picture shows; ``boxes`` that people drew go before the detector's."""
    if image.has_transparency_data:
        alone = images.encode([image])
        return Seen("clean", alone, alone, alone[0])
    kind: Kind = "clean" if boxes else "curated"
    found = [in_pixels(box, image.size) for box in boxes] or [
        region.box for region in detector.detect(image) if region.score >= threshold
    ]
    vectors = images.encode([image, *(image.crop(box) for box in found)])
    sources = vectors[1:]
    single = sources if len(found) == 1 else torch.empty(0, vectors.shape[1])
    return Seen(kind, single, sources, vectors[0])


def in_pixels(box: Shares, size: tuple[int, int]) -> Box:
    """Return a box in whole pixels inside a picture, at least one wide and high."""
    width, height = size
    x0, y0 = min(int(box[0] * width), width - 1), min(int(box[1] * height), height - 1)
    return x0, y0, max(x0 + 1, round(box[2] * width)), max(y0 + 1, round(box[3] * height))
