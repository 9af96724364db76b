"""Videos as pictures: evenly spaced frames of their middle 10 s, by OpenCV's own reader."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from engine.perception.frames import MAX_PIXELS
from engine.training.data.sounds import MAX_S
from osc_bridge.errors import BadImage

FRAMES = 64
"""Frames that the temporal aggregation sees (Sec. 3.3)."""


@dataclass(frozen=True, eq=False)
class Watched:
    """A stretch of a video: its central picture, and pictures along it (as many as asked for)."""

    centre: Image.Image
    along: list[Image.Image]
    start_s: float
    duration_s: float


def watch(path: Path, count: int) -> Watched:
    """Return the middle 10 s of a video: its central frame and ``count`` frames evenly in time.

    Where the file ends before its header says, its last frame stands for the rest. Raises BadImage.
    """
    capture = cv2.VideoCapture(str(path))
    try:
        rate = capture.get(cv2.CAP_PROP_FPS)
        total = capture.get(cv2.CAP_PROP_FRAME_COUNT)
        size = capture.get(cv2.CAP_PROP_FRAME_WIDTH) * capture.get(cv2.CAP_PROP_FRAME_HEIGHT)
        if not (capture.isOpened() and 0 < rate <= 1000 and total >= 1):
            raise BadImage("No video in it can be read; convert it to H.264 in MP4.")
        if not 0 < size <= MAX_PIXELS:
            raise BadImage(f"Its frames have {size:.0f} pixels, allowed are 1 to {MAX_PIXELS:,}.")
        frames = min(total, MAX_S * rate)
        first = (total - frames) / 2
        wanted = first + (np.arange(count) + 0.5) * frames / max(count, 1)
        places = np.append(wanted, total / 2).astype(int)
        found = _grab(capture, places.tolist())
    finally:
        capture.release()
    return Watched(found[-1], found[:-1], float(first / rate), float(frames / rate))


def _grab(capture: cv2.VideoCapture, places: list[int]) -> list[Image.Image]:
    """Return the frames at ``places``, read once from the first of them to the last."""
    start, last = min(places), max(places)
    if start > 0:
        capture.set(cv2.CAP_PROP_POS_FRAMES, start)
    pictures: dict[int, Image.Image] = {}
    place = start
    while place <= last and capture.grab():
        if place in places:
            decoded, pixels = capture.retrieve()
            if decoded:
                pictures[place] = Image.fromarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB))
        place += 1
    if not pictures:
        raise BadImage("No frame of this video can be decoded; convert it to H.264 in MP4.")
    known = sorted(pictures)
    return [pictures[max((k for k in known if k <= p), default=known[0])] for p in places]
