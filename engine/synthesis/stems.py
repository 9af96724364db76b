"""Consistent stems: a decoded mix shared out among its sources by soft masks.

Each source's own independently decoded stem says where in time and frequency it sounds. The mix
is divided there in proportion to power (a Wiener mask), and what the masks cannot place is given
to the sources that are active at that moment: the stems, each at its start, add up to the mix.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Wave = NDArray[np.float32]
    Signal = NDArray[np.float64]
    Spectrum = NDArray[np.complex128]

FFT_SAMPLES = 2048
HOP_SAMPLES = 512
FADE_SAMPLES = 240
"""5 ms at 48 kHz: how a stem that starts or ends inside the mix is faded there."""

_POWER_FLOOR = 1e-10


@dataclass(frozen=True)
class PlacedStem:
    """An independent stem (T,) at its place in the mix; ``weight`` > 0 as in the remix."""

    wave: Wave
    start_sample: int
    weight: float = 1.0


@dataclass(frozen=True)
class SharedMix:
    """The mix (N,) and its stems, each from its own start; they add up to the mix."""

    mix: Wave
    stems: tuple[Wave, ...]


def share_mix(mix: Wave, placed: Sequence[PlacedStem]) -> SharedMix:
    """Share ``mix`` (N,) out among ``placed`` stems.

    Where no stem is active the mix is silent, too. A stem is cut at the end of the mix and is
    zero outside its own length; the sum differs from the mix by float32 rounding alone.
    """
    length = len(mix)
    total_gate = np.zeros(length)
    peak_gate = np.zeros(length)
    for stem in placed:
        gate = _gate(stem, length)
        total_gate += gate
        np.maximum(peak_gate, gate, out=peak_gate)
    gated = (mix * peak_gate).astype(np.float32)
    shares = list(_masked(gated, placed))
    residual = gated - np.sum(shares, axis=0) if shares else np.zeros(length)
    spread = np.divide(residual, total_gate, out=np.zeros(length), where=total_gate > 0)
    stems = [
        _cut(share + _gate(stem, length) * spread, stem)
        for share, stem in zip(shares, placed, strict=True)
    ]
    return SharedMix(gated, tuple(stems))


def _masked(mix: Wave, placed: Sequence[PlacedStem]) -> Iterator[Signal]:
    """Yield each stem's gated share of the mix (N,), in two passes so memory stays small."""
    length = len(mix)
    spectrum = _stft(mix.astype(np.float64))
    total = np.zeros(spectrum.shape)
    for stem in placed:
        total += _power(stem, length)
    for stem in placed:
        share = _istft(spectrum * (_power(stem, length) / total), length)
        yield share * _gate(stem, length)


def _power(stem: PlacedStem, length: int) -> Signal:
    """Return the stem's power (frames, bins) at its place; the floor shares silence equally."""
    signal = np.zeros(length)
    end = _end(stem, length)
    signal[stem.start_sample : end] = stem.wave[: end - stem.start_sample]
    spectrum = _stft(signal * (stem.weight * _gate(stem, length)))
    power: Signal = np.square(spectrum.real) + np.square(spectrum.imag) + _POWER_FLOOR
    return power


def _end(stem: PlacedStem, length: int) -> int:
    return min(length, stem.start_sample + len(stem.wave))


def _cut(signal: Signal, stem: PlacedStem) -> Wave:
    return signal[stem.start_sample : _end(stem, len(signal))].astype(np.float32)


def _gate(stem: PlacedStem, length: int) -> Signal:
    """Return 1 where the stem is active and 0 elsewhere (N,), with fades inside the mix."""
    gate = np.zeros(length)
    start, end = stem.start_sample, _end(stem, length)
    gate[start:end] = 1.0
    fade = min(FADE_SAMPLES, (end - start) // 2)
    ramp = 0.5 - 0.5 * np.cos(np.pi * (np.arange(fade) + 0.5) / max(fade, 1))
    if start > 0:
        gate[start : start + fade] *= ramp
    if end < length:
        gate[end - fade : end] *= ramp[::-1]
    return gate


def _window() -> Signal:
    """Return the square root of a periodic Hann window: used before and after."""
    return np.sqrt(0.5 - 0.5 * np.cos(2 * np.pi * np.arange(FFT_SAMPLES) / FFT_SAMPLES))


def _stft(signal: Signal) -> Spectrum:
    """Return the spectrum (frames, bins) of a signal (N,), padded by one window on each side."""
    padded = np.pad(signal, (FFT_SAMPLES, 2 * FFT_SAMPLES))
    frames = np.lib.stride_tricks.sliding_window_view(padded, FFT_SAMPLES)[::HOP_SAMPLES]
    return np.fft.rfft(frames * _window(), axis=1)


def _istft(spectrum: Spectrum, length: int) -> Signal:
    """Return the signal (length,) by weighted overlap and add; the inverse of ``_stft``."""
    frames = np.fft.irfft(spectrum, n=FFT_SAMPLES, axis=1) * _window()
    out = np.zeros((len(frames) - 1) * HOP_SAMPLES + FFT_SAMPLES)
    for index, frame in enumerate(frames):
        out[index * HOP_SAMPLES : index * HOP_SAMPLES + FFT_SAMPLES] += frame
    overlap = FFT_SAMPLES / HOP_SAMPLES / 2
    return out[FFT_SAMPLES : FFT_SAMPLES + length] / overlap
