"""Pictures as still videos, for methods that take nothing else (A.1)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image

from engine.evaluation.outputs import Layout
from engine.perception.frames import load_frame
from engine.perception.image import flatten
from engine.steps import StepCallback
from engine.training.data.items import Item
from engine.training.data.videos import watch
from osc_bridge.errors import InputError, OutOfRange
from presets.files import writing_whole

SIDE = 512


def write_stills(
    items: Mapping[str, Item | None],
    out: Path,
    layout: Layout,
    seconds: float,
    on_step: StepCallback,
) -> list[str]:
    """Write ``out/NAME.mp4`` for every item with a picture; return those left out, with the reason.

    ``items`` are named as their sounds are; the folder of the class is left away.
    """
    out.mkdir(parents=True, exist_ok=True)
    left_out = []
    for number, (name, item) in enumerate(items.items(), start=1):
        try:
            picture = picture_of(item) if item else None
            if picture is None:
                left_out.append(f"{name}: it has no picture; methods that take videos need one.")
            else:
                still_video(picture, out / f"{PurePosixPath(name).name}.mp4", layout, seconds)
        except InputError as error:
            left_out.append(f"{name}: {error}")
        on_step(number, len(items))
    return left_out


def picture_of(item: Item) -> Image.Image | None:
    """Return what the pack saw of an item: its picture, or the middle of its video; else None."""
    if item.picture is not None:
        return load_frame(item.picture)
    return watch(item.video, 0).centre if item.video is not None else None


def still_video(image: Image.Image, path: Path, layout: Layout, seconds: float) -> None:
    """Write a picture as an MP4 that stands still, at the frame rate that a method wants (A.1).

    The picture is fitted into 512 x 512 pixels, on black; what is transparent becomes white.
    """
    import cv2  # noqa: PLC0415 - slow to import

    frame = flatten(image)
    frame.thumbnail((SIDE, SIDE))
    canvas = np.zeros((SIDE, SIDE, 3), np.uint8)
    top, left = (SIDE - frame.height) // 2, (SIDE - frame.width) // 2
    canvas[top : top + frame.height, left : left + frame.width] = np.asarray(frame)[:, :, ::-1]
    with writing_whole(path) as part:
        code = cv2.VideoWriter.fourcc(*"mp4v")
        writer = cv2.VideoWriter(str(part), code, layout.frames_per_s, (SIDE, SIDE))
        if not writer.isOpened():
            raise OutOfRange("This OpenCV cannot write MP4; install opencv-python-headless anew.")
        for _ in range(math.ceil(seconds * layout.frames_per_s)):
            writer.write(canvas)
        writer.release()
