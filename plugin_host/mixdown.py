"""From dry stems to what is heard: chain, then gain, then pan; and the sum of it all.

Channels. A stem stays mono while its chain is mono and its pan is 0; otherwise it is stereo.
Constant power everywhere: a mono sound in a stereo field is 3.01 dB lower on each side, so a
mono file on a centred track of a DAW with the usual -3 dB pan law adds up to the same mix.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plugin_host.chain import Audio, apply_chain
from plugin_host.take import SAMPLE_RATE, TakeSource
from presets.schema import ChainPreset


@dataclass(frozen=True)
class Placement:
    """Where and how loud: ``pan`` from -1 (left) to 1 (right)."""

    gain_db: float = 0.0
    pan: float = 0.0
    start_sample: int = 0


@dataclass(frozen=True)
class Voice:
    """A processed sound, (1 or 2, T) float32, at its place relative to the scene's start."""

    audio: Audio
    start_sample: int

    @property
    def peak(self) -> float:
        return float(np.abs(self.audio).max(initial=0.0))

    def scaled(self, factor: float) -> Voice:
        """The same bits when the factor is 1."""
        if factor == 1.0:
            return self
        return Voice(self.audio * np.float32(factor), self.start_sample)


def audible(sources: Sequence[TakeSource]) -> list[TakeSource]:
    """The sources that are heard: not muted, and solo if any unmuted source is."""
    unmuted = [source for source in sources if not source.mute]
    soloed = [source for source in unmuted if source.solo]
    return soloed or unmuted


def process(stem: Audio, chain: ChainPreset, placement: Placement) -> Voice:
    """Chain, gain and pan for a stem (1, T); a dry, centred stem at 0 dB keeps its bits."""
    audio = apply_chain(stem, SAMPLE_RATE, chain)
    if placement.gain_db != 0.0:
        audio = audio * np.float32(10 ** (placement.gain_db / 20))
    return Voice(_panned(audio, placement.pan), placement.start_sample)


def _panned(audio: Audio, pan: float) -> Audio:
    """Constant power: cos and sin of (pan + 1) * 45 degrees; stereo is balanced by the same."""
    if pan == 0.0:
        return audio
    angle = (pan + 1) * math.pi / 4
    sides = np.array([[math.cos(angle)], [math.sin(angle)]])
    if audio.shape[0] == 2:
        sides = sides * math.sqrt(2)
    return np.asarray(audio * sides, np.float32)


def sum_voices(voices: Sequence[Voice]) -> Voice:
    """The mix from the scene's start: mono when every voice is, otherwise stereo."""
    channels = max(voice.audio.shape[0] for voice in voices)
    length = max(voice.start_sample + voice.audio.shape[1] for voice in voices)
    bus: NDArray[np.float64] = np.zeros((channels, length))
    for voice in voices:
        spread = math.sqrt(0.5) if voice.audio.shape[0] < channels else 1.0
        bus[:, voice.start_sample : voice.start_sample + voice.audio.shape[1]] += (
            spread * voice.audio.astype(np.float64)
        )
    return Voice(bus.astype(np.float32), 0)


def peak_dbfs(peak: float) -> float:
    """Peak in dBFS; silence is -inf."""
    return 20 * math.log10(peak) if peak > 0 else -math.inf
