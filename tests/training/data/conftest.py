"""Small stand-ins for a pack's encoders, and folders of made-up sounds, pictures and videos."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
import soundfile
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.nn import functional

from engine.perception.base import Region
from engine.steps import StepCallback, no_steps
from engine.training.data.embedding import Encoders

RATE = 22_050
CLIP, CLAP = 12, 5


class Images:
    """A picture's colours in four corners, as a unit vector; counts what it was asked."""

    dim = CLIP

    def __init__(self) -> None:
        self.asked = 0

    def encode(self, images: Sequence[Image.Image]) -> Tensor:
        self.asked += len(images)
        small = [np.asarray(i.convert("RGB").resize((2, 2)), np.float32).ravel() for i in images]
        rows = torch.from_numpy(np.stack(small) if small else np.zeros((0, CLIP), np.float32))
        return functional.normalize(rows + 1.0, dim=-1)


class Texts:
    """A unit vector for each text, the same each time."""

    dim = CLIP

    def encode(self, texts: Sequence[str]) -> Tensor:
        rows = [
            np.random.default_rng(zlib.crc32(t.encode())).normal(size=CLIP).astype(np.float32)
            for t in texts
        ]
        stacked = torch.from_numpy(np.stack(rows) if rows else np.zeros((0, CLIP), np.float32))
        return functional.normalize(stacked, dim=-1)


class Audio:
    """Energy in five parts of the sound, as a unit vector."""

    dim = CLAP
    sample_rate = RATE

    def encode(
        self, waves: Sequence[NDArray[np.float32]], on_step: StepCallback = no_steps
    ) -> Tensor:
        rows = [[float(np.abs(p).mean()) + 1e-3 for p in np.array_split(w, CLAP)] for w in waves]
        return functional.normalize(torch.tensor(rows), dim=-1)


class Detector:
    """Finds what it is told to."""

    def __init__(self) -> None:
        self.regions: list[Region] = []

    def detect(self, image: Image.Image, on_step: StepCallback = no_steps) -> list[Region]:
        return self.regions


@pytest.fixture
def encoders() -> Encoders:
    return Encoders("stand-in 1", "0" * 64, Images(), Texts(), Audio(), Detector())


def write_tone(path: Path, seconds: float = 0.5, hz: float = 300.0, rate: int = RATE) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    time = np.arange(int(seconds * rate)) / rate
    soundfile.write(path, 0.4 * np.sin(2 * np.pi * hz * time) * (0.2 + time), rate)
    return path


@pytest.fixture
def tone() -> Callable[..., Path]:
    """Write a tone: (path, seconds, hz, rate) -> path."""
    return write_tone


@pytest.fixture
def picture() -> Callable[..., Path]:
    """Write a picture of one colour: (path, colour, size) -> path."""

    def write(path: Path, colour: str = "red", size: tuple[int, int] = (40, 30)) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", size, colour).save(path)
        return path

    return write


@pytest.fixture
def film() -> Callable[..., Path]:
    """Write a video without sound whose frame k of n has brightness 255 k / n."""

    def write(path: Path, frames: int = 30, rate: float = 10.0) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        code = cv2.VideoWriter.fourcc(*"MJPG")
        writer = cv2.VideoWriter(str(path), code, rate, (32, 24))
        for place in range(frames):
            writer.write(np.full((24, 32, 3), 255 * place // frames, np.uint8))
        writer.release()
        return path

    return write
