"""Stage ``features``: the log-mel picture of every sound, once, in one file of 16-bit floats."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr
import torch
from numpy.typing import NDArray

from engine.perception.mel import MEL, log_mel
from engine.steps import StepCallback
from engine.training.corpus import Clip
from presets.files import writing_whole

Mels = NDArray[np.float16]


@dataclass(frozen=True)
class MelStore:
    """All pictures end to end, ``frames[starts[i]:starts[i + 1]]`` being clip i: (T_i, mels)."""

    frames: Mels
    starts: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.starts) - 1

    def clip(self, index: int) -> Mels:
        """Return the log-mel picture of one clip, (T, mels), time first."""
        return self.frames[self.starts[index] : self.starts[index + 1]]


def read_wave(path: Path) -> NDArray[np.float32]:
    """Return a training sound as mono float32 at the front end's sample rate."""
    wave, rate = soundfile.read(path, dtype="float32", always_2d=True)
    mono = wave.mean(axis=1)
    if rate == MEL.sample_rate:
        return np.asarray(mono, dtype=np.float32)
    return np.asarray(soxr.resample(mono, rate, MEL.sample_rate), dtype=np.float32)


def extract(clips: Sequence[Clip], store: Path, on_step: StepCallback) -> None:
    """Write the pictures of ``clips`` to ``store`` (a NumPy archive)."""
    pictures = []
    for index, clip in enumerate(clips):
        picture = log_mel(torch.from_numpy(read_wave(clip.path))).T
        pictures.append(picture.numpy().astype(np.float16))
        on_step(index + 1, len(clips))
    starts = np.cumsum([0, *(len(picture) for picture in pictures)])
    with writing_whole(store) as part, part.open("wb") as file:
        np.savez(file, frames=np.concatenate(pictures), starts=starts)


def load(store: Path) -> MelStore:
    """Return the pictures that :func:`extract` wrote."""
    with np.load(store, allow_pickle=False) as archive:
        return MelStore(archive["frames"], archive["starts"])
