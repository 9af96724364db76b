"""The log-mel picture of sound that the starter's encoder, codec and vocoder share.

22.05 kHz, window 1024, hop 256, 96 Slaney mels up to half the sample rate, natural logarithm of the
magnitude, floored at ln(1e-4).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.steps import StepCallback, no_steps

BLOCK_FRAMES = 2048
"""About 24 s."""


@dataclass(frozen=True)
class MelSettings:
    """One fixed front end; a pack whose numbers differ is refused when it is loaded."""

    sample_rate: int = 22_050
    window: int = 1024
    hop: int = 256
    mels: int = 96
    low_hz: float = 0.0
    high_hz: float = 11_025.0
    floor: float = 1e-4

    @property
    def log_floor(self) -> float:
        """Value of silence in the log-mel picture, nat."""
        return math.log(self.floor)

    def frames(self, samples: int) -> int:
        """Number of frames that ``samples`` samples give."""
        return max(1, math.ceil(samples / self.hop))


MEL = MelSettings()


@cache
def filterbank(settings: MelSettings = MEL) -> Tensor:
    """Return Slaney's mel filterbank of unit area, shape (mels, window // 2 + 1).

    Our own: importing transformers for its function would cost four seconds at each start.
    """
    bins_hz = np.linspace(0.0, settings.sample_rate / 2, settings.window // 2 + 1)
    ends = _hz_to_mel(np.array([settings.low_hz, settings.high_hz]))
    edges_hz = _mel_to_hz(np.linspace(ends[0], ends[1], settings.mels + 2))
    low, centre, high = edges_hz[:-2, None], edges_hz[1:-1, None], edges_hz[2:, None]
    rising, falling = (bins_hz - low) / (centre - low), (high - bins_hz) / (high - centre)
    bank = np.maximum(0.0, np.minimum(rising, falling)) * 2.0 / (high - low)
    return torch.from_numpy(bank).float()


def _hz_to_mel(hz: NDArray[np.float64]) -> NDArray[np.float64]:
    """Slaney's scale (Auditory Toolbox, 1998): linear below 1 kHz, then 27 mels a factor 6.4."""
    linear = hz * 3 / 200
    return np.where(hz < 1000, linear, 15 + 27 * np.log(np.maximum(hz, 1.0) / 1000) / np.log(6.4))


def _mel_to_hz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(mel < 15, mel * 200 / 3, 1000 * 6.4 ** ((mel - 15) / 27))


def log_mel(wave: Tensor, settings: MelSettings = MEL, on_step: StepCallback = no_steps) -> Tensor:
    """Return the log-mel picture (mels, frames), in nat, of a mono wave (T,) at the sample rate.

    Each ``BLOCK_FRAMES`` frames are a step, so that memory stays small and long sounds can be
    stopped.
    """
    frames, half = settings.frames(wave.shape[-1]), settings.window // 2
    end = frames * settings.hop - wave.shape[-1]
    padded = torch.nn.functional.pad(wave, (half, end + half))
    starts = range(0, frames, BLOCK_FRAMES)
    blocks = []
    for step, start in enumerate(starts, start=1):
        last = min(start + BLOCK_FRAMES, frames) - 1
        part = padded[start * settings.hop : last * settings.hop + settings.window]
        blocks.append(_log_mel(part, settings))
        on_step(step, len(starts))
    return torch.cat(blocks, dim=1)


def _log_mel(part: Tensor, settings: MelSettings) -> Tensor:
    """Return (mels, frames) of the frames that lie whole in ``part``."""
    spectrum = torch.stft(
        part,
        settings.window,
        settings.hop,
        window=torch.hann_window(settings.window, device=part.device),
        center=False,
        return_complex=True,
    )
    mels = filterbank(settings).to(part.device) @ spectrum.abs()
    return mels.clamp(min=settings.floor).log()
