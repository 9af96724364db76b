"""Tables of conditions: what every method is given, and pictures as still videos for those that
take nothing else."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import soundfile

from engine.evaluation.baselines import Condition, Method, Sound
from engine.evaluation.outputs import Layout
from engine.perception.frames import load_frame
from engine.steps import StepCallback
from osc_bridge.errors import BadCorpus, EngineError, FileMissing, OutOfRange, WildtrackError
from presets.files import writing_whole

COLUMNS = {"image", "text", "audio"}
LONGEST_S = 600.0
SIDE = 512


def read_conditions(path: Path, seconds: float) -> list[Condition]:
    """Return the conditions of a table with columns item and any of image, text, audio, reference.

    Several texts or sounds have ``|`` between them; a column seconds overrides ``seconds``. Paths
    are relative to the table.
    """
    if not path.is_file():
        raise FileMissing(f"There is no table of conditions at {path}.")
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    names = [row.get("item") or "" for row in rows]
    if not rows or not (COLUMNS & set(rows[0])) or not all(names):
        raise BadCorpus(f"{path} needs a column item, filled, and one of image, text or audio.")
    if len(set(names)) != len(names) or any("/" in name or "\\" in name for name in names):
        raise BadCorpus(f"{path}: items must differ and hold no / or \\; they become file names.")
    return [_condition(path, row, seconds) for row in rows]


def _condition(path: Path, row: Mapping[str, str | None], seconds: float) -> Condition:
    image, reference = row.get("image") or "", row.get("reference") or ""
    return Condition(
        item=row["item"] or "",
        seconds=_seconds(path, row, seconds),
        image=path.parent / image if image else None,
        texts=tuple(_parts(row.get("text"))),
        sounds=tuple(path.parent / part for part in _parts(row.get("audio"))),
        reference=path.parent / reference if reference else None,
    )


def _parts(cell: str | None) -> list[str]:
    return [part.strip() for part in (cell or "").split("|") if part.strip()]


def _seconds(path: Path, row: Mapping[str, str | None], usual: float) -> float:
    cell = row.get("seconds")
    try:
        seconds = float(cell) if cell else usual
    except ValueError:
        seconds = math.nan
    if not 0 < seconds <= LONGEST_S:
        raise OutOfRange(
            f"{path}, item {row['item']}: seconds is {cell!r}; allowed is above 0 up to "
            f"{LONGEST_S:g} s."
        )
    return seconds


def render_all(
    method: Method, conditions: Sequence[Condition], out: Path, seed: int, on_step: StepCallback
) -> list[str]:
    """Write ``out/ITEM.wav`` for every condition; return those left out, with the reason.

    A sound that is there already is kept: a stopped run goes on.
    """
    out.mkdir(parents=True, exist_ok=True)
    left_out = []
    for number, condition in enumerate(conditions, start=1):
        path = out / f"{condition.item}.wav"
        try:
            if not path.exists():
                write_sound(path, method.sound(condition, seed + number))
        except EngineError:
            raise
        except WildtrackError as error:
            left_out.append(f"{condition.item}: {error}")
        on_step(number, len(conditions))
    return left_out


def write_sound(path: Path, sound: Sound) -> None:
    """Write a mono WAV of 24 bits at the sound's own rate."""
    with writing_whole(path) as part:
        soundfile.write(part, np.clip(sound.wave, -1, 1), sound.rate_hz, subtype="PCM_24")


def still_video(image: Path, path: Path, layout: Layout, seconds: float) -> None:
    """Write a picture as an MP4 that stands still, at the frame rate that a method wants (A.1).

    The picture is fitted into 512 x 512 pixels, on black.
    """
    import cv2  # noqa: PLC0415 - slow to import

    frame = load_frame(image).convert("RGB")
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
