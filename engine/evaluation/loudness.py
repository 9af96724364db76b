"""Loudness of mono sounds by ITU-R BS.1770 (K-weighting, gated blocks), so that none stands out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

RATE = 48_000
SHELF = (
    (1.53512485958697, -2.69169618940638, 1.19839281085285),
    (-1.69065929318241, 0.73248077421585),
)
HIGH_PASS = ((1.0, -2.0, 1.0), (-1.99004745483398, 0.99007225036621))
BLOCK = RATE * 2 // 5
HOP = BLOCK // 4
SILENT = -70.0
BELOW = 10.0

Wave = NDArray[np.float32]


def loudness(wave: Wave) -> float:
    """Return the integrated loudness (LUFS) of a wave (T,) at 48 kHz; -inf for silence."""
    weighted = _weighted(np.pad(wave, (0, max(0, BLOCK - len(wave)))))
    squares = np.concatenate([[0.0], np.cumsum(np.square(weighted))])
    starts = np.arange(0, len(weighted) - BLOCK + 1, HOP)
    powers = (squares[starts + BLOCK] - squares[starts]) / BLOCK
    heard = powers[_level(powers) > SILENT]
    if not len(heard):
        return float("-inf")
    kept = heard[_level(heard) > _level(heard.mean()) - BELOW]
    return float(_level(kept.mean()))


def _level(power: NDArray[np.float64] | np.float64) -> NDArray[np.float64]:
    return np.asarray(-0.691 + 10 * np.log10(np.maximum(power, 1e-20)))


def _weighted(wave: Wave) -> NDArray[np.float64]:
    """Return the K-weighted wave, filtered in the frequency domain."""
    size = 1 << (len(wave) + RATE // 2).bit_length()
    delay = np.exp(-2j * np.pi * np.fft.rfftfreq(size))
    response = np.ones(len(delay), dtype=complex)
    for (b0, b1, b2), (a1, a2) in (SHELF, HIGH_PASS):
        response *= (b0 + b1 * delay + b2 * delay**2) / (1 + a1 * delay + a2 * delay**2)
    return np.fft.irfft(np.fft.rfft(wave, size) * response, size)[: len(wave)]


def match(waves: list[Wave], target: float = -23.0, ceiling: float = 0.89) -> list[Wave]:
    """Return the waves at one loudness: ``target`` LUFS, less where a peak would pass ``ceiling``.

    Silence stays silence.
    """
    levels = [loudness(wave) for wave in waves]
    peaks = [float(np.abs(wave).max(initial=0.0)) for wave in waves]
    rooms = [
        level + 20 * np.log10(ceiling / peak)
        for level, peak in zip(levels, peaks, strict=True)
        if np.isfinite(level) and peak > 0
    ]
    common = min([target, *rooms])
    return [
        np.asarray(wave * 10 ** ((common - level) / 20), dtype=np.float32)
        if np.isfinite(level)
        else wave
        for wave, level in zip(waves, levels, strict=True)
    ]
