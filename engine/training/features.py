"""Training sounds as waves, and what their log-mel pictures are asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from engine.perception.mel import MEL

Mels = NDArray[np.float16]


class MelStore(Protocol):
    """The log-mel pictures of numbered sounds."""

    def __len__(self) -> int: ...

    def clip(self, index: int) -> Mels:
        """Return the log-mel picture of one sound, (T, mels), time first."""


def read_wave(path: Path) -> NDArray[np.float32]:
    """Return a training sound as mono float32 at the front end's sample rate."""
    wave, rate = soundfile.read(path, dtype="float32", always_2d=True)
    mono = wave.mean(axis=1)
    if rate == MEL.sample_rate:
        return np.asarray(mono, dtype=np.float32)
    return np.asarray(soxr.resample(mono, rate, MEL.sample_rate), dtype=np.float32)
