"""Synthetic room impulse responses, so that a chain can speak of seconds and metres.

Early reflections: sparse taps at path lengths of a room of ``size_m``, falling with 1/distance.
Late field: Gaussian noise in octave bands, each with its own exponential decay of 60 dB in
``rt60_s / sqrt(1 + (f / damping_hz)^2)`` (absorption of air and soft surfaces grows with f).
Fixed seeds: one setting is one room, today and tomorrow.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

SPEED_OF_SOUND_M_S: Final = 343.0
EARLY_TAPS: Final = 14
DECAY_60_DB: Final = float(np.log(1000.0))
"""exp(-DECAY_60_DB) is -60 dB."""
_LOWEST_BAND_HZ: Final = 62.5
_SHORTEST_RT60_S: Final = 0.04
_SEED: Final = 20_011


@dataclass(frozen=True)
class Room:
    """Geometry and absorption; units in the names. ``early_db`` is relative to the late field."""

    rt60_s: float
    size_m: float
    predelay_ms: float
    damping_hz: float
    early_db: float

    @property
    def length_s(self) -> float:
        """How long the response is, to -60 dB."""
        return self.predelay_ms / 1000 + 2 * self.size_m / SPEED_OF_SOUND_M_S + self.rt60_s


@lru_cache(maxsize=16)
def impulse_response(room: Room, sample_rate: int, channels: int) -> NDArray[np.float32]:
    """(channels, T) float32, unit energy in each channel; channels are decorrelated.

    Without the direct sound. Unit energy means: the wet level is the ratio of reverberant to
    direct sound for a broadband source.
    """
    count = round(room.length_s * sample_rate)
    response = np.stack([_one_channel(room, sample_rate, count, i) for i in range(channels)])
    response /= np.sqrt(np.sum(response**2, axis=1, keepdims=True))
    result = response.astype(np.float32)
    result.setflags(write=False)
    return result


def _one_channel(room: Room, sample_rate: int, count: int, channel: int) -> NDArray[np.float64]:
    random = np.random.Generator(np.random.PCG64([_SEED, channel]))
    late = _late_field(room, sample_rate, count, random)
    early = _early_taps(room, sample_rate, count, random)
    late /= np.sqrt(np.sum(late**2))
    early *= 10 ** (room.early_db / 20) / np.sqrt(np.sum(early**2))
    return late + early


def _late_field(
    room: Room, sample_rate: int, count: int, random: np.random.Generator
) -> NDArray[np.float64]:
    onset = round((room.predelay_ms / 1000 + room.size_m / SPEED_OF_SOUND_M_S) * sample_rate)
    seconds = np.maximum(np.arange(count) - onset, 0) / sample_rate
    size = _fast_size(count)
    spectrum = np.fft.rfft(random.standard_normal(size))
    frequencies = np.fft.rfftfreq(size, 1 / sample_rate)
    field = np.zeros(count)
    for centre_hz, weight in _octave_bands(frequencies):
        rt60_s = max(room.rt60_s / np.hypot(1, centre_hz / room.damping_hz), _SHORTEST_RT60_S)
        band = np.fft.irfft(spectrum * weight, size)[:count]
        field += band * np.exp(-DECAY_60_DB * seconds / rt60_s)
    return field * _build_up(count, onset, room.size_m / SPEED_OF_SOUND_M_S * sample_rate)


def _octave_bands(
    frequencies: NDArray[np.floating[Any]],
) -> list[tuple[float, NDArray[np.float64]]]:
    """Centres and weights that add up to 1 above the lowest band; nothing below 30 Hz."""
    octaves = np.log2(np.maximum(frequencies, 1.0) / _LOWEST_BAND_HZ)
    top = int(np.ceil(octaves[-1]))
    return [
        (_LOWEST_BAND_HZ * 2.0**i, np.clip(1 - np.abs(octaves - i), 0, 1)) for i in range(top + 1)
    ]


def _build_up(count: int, onset: int, rise: float) -> NDArray[np.float64]:
    """The field grows dense over one crossing of the room, it does not start as a wall."""
    ramp = np.clip((np.arange(count) - onset) / max(rise, 1.0), 0, 1)
    return np.asarray(ramp**1.5)


def _early_taps(
    room: Room, sample_rate: int, count: int, random: np.random.Generator
) -> NDArray[np.float64]:
    distances_m = room.size_m * np.sort(random.uniform(0.35, 2.0, EARLY_TAPS))
    positions = (room.predelay_ms / 1000 + distances_m / SPEED_OF_SOUND_M_S) * sample_rate
    gains = random.choice([-1.0, 1.0], EARLY_TAPS) / distances_m
    taps = np.zeros(count)
    np.add.at(taps, np.minimum(positions.astype(int), count - 1), gains)
    return _soften(taps, sample_rate, room.damping_hz)


def _soften(taps: NDArray[np.float64], sample_rate: int, damping_hz: float) -> NDArray[np.float64]:
    """Walls take the top off a reflection: first order, -3 dB at twice the damping."""
    size = _fast_size(len(taps))
    frequencies = np.fft.rfftfreq(size, 1 / sample_rate)
    loss = 1 / np.hypot(1, frequencies / (2 * damping_hz))
    loss[frequencies < 30] = 0
    return np.asarray(np.fft.irfft(np.fft.rfft(taps, size) * loss, size)[: len(taps)])


def _fast_size(count: int) -> int:
    """The next power of two: an FFT of a prime length takes seconds."""
    return 1 << (count - 1).bit_length()
