"""Consistent stems: a decoded mix shared out among its sources by soft masks.

Each source's own independently decoded stem says where in time and frequency it sounds. The mix
is divided there in proportion to power (a Wiener mask), and what the masks cannot place is given
to the sources that are active at that moment: the stems, each at its start, add up to the mix.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from engine.steps import StepCallback, no_steps

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Wave = NDArray[np.float32]
    Signal = NDArray[np.float64]
    Spectrum = NDArray[np.complex64]

FFT_SAMPLES = 2048
HOP_SAMPLES = 512
FADE_SAMPLES = 240
"""5 ms at 48 kHz: how a stem that starts or ends inside the mix is faded there."""

_POWER_FLOOR = 1e-10
_OVERLAP_GAIN = FFT_SAMPLES / HOP_SAMPLES / 2
"""What the squared windows of overlapping frames add up to."""


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


def share_mix(
    mix: Wave, placed: Sequence[PlacedStem], on_step: StepCallback = no_steps
) -> SharedMix:
    """Share ``mix`` (N,) out among ``placed`` stems.

    Where no stem is active the mix is silent, too. A stem is cut at the end of the mix and is
    zero outside its own length; the sum differs from the mix by float32 rounding alone.
    ``on_step`` is called twice a stem; what it raises ends the work.
    """
    gates = [_gate(stem, len(mix)) for stem in placed]
    gated = mix * _highest(gates, len(mix))
    shares = _masked(gated, placed, gates, on_step)
    residual = gated - _sum(shares, len(mix))
    active = _sum(gates, len(mix))
    spread = np.divide(residual, active, out=np.zeros_like(residual), where=active > 0)
    stems = [
        (share + gate * spread)[stem.start_sample : _end(stem, len(mix))].astype(np.float32)
        for share, gate, stem in zip(shares, gates, placed, strict=True)
    ]
    return SharedMix(gated, tuple(stems))


def _masked(
    mix: Wave, placed: Sequence[PlacedStem], gates: Sequence[Wave], on_step: StepCallback
) -> list[Wave]:
    """Return each stem's share of the mix (N,): masked in frequency, then gated in time."""
    powers: list[Wave] = []
    for stem, gate in zip(placed, gates, strict=True):
        powers.append(_power(stem, gate))
        on_step(len(powers), 2 * len(placed))
    if not powers:
        return []
    ratio = _stft(mix) / np.sum(powers, axis=0)
    shares: list[Wave] = []
    for power, gate in zip(powers, gates, strict=True):
        shares.append(_istft(ratio * power, len(mix)) * gate)
        on_step(len(placed) + len(shares), 2 * len(placed))
    return shares


def _power(stem: PlacedStem, gate: Wave) -> Wave:
    """Return the stem's power (frames, bins) at its place; the floor shares silence equally."""
    signal = gate * np.float32(stem.weight)
    end = _end(stem, len(gate))
    signal[stem.start_sample : end] *= stem.wave[: end - stem.start_sample]
    spectrum = _stft(signal)
    return np.square(spectrum.real) + np.square(spectrum.imag) + np.float32(_POWER_FLOOR)


def _end(stem: PlacedStem, length: int) -> int:
    return min(length, stem.start_sample + len(stem.wave))


def _sum(signals: Sequence[Wave], length: int) -> Signal:
    """Return the sum (N,) in double precision."""
    total = np.zeros(length)
    for signal in signals:
        total += signal
    return total


def _highest(signals: Sequence[Wave], length: int) -> Wave:
    highest = np.zeros(length, dtype=np.float32)
    for signal in signals:
        np.maximum(highest, signal, out=highest)
    return highest


def _gate(stem: PlacedStem, length: int) -> Wave:
    """Return 1 where the stem is active and 0 elsewhere (N,), with fades inside the mix."""
    gate = np.zeros(length, dtype=np.float32)
    start, end = stem.start_sample, _end(stem, length)
    gate[start:end] = 1.0
    fade = min(FADE_SAMPLES, (end - start) // 2)
    ramp = 0.5 - 0.5 * np.cos(np.pi * (np.arange(fade) + 0.5) / max(fade, 1))
    if start > 0:
        gate[start : start + fade] *= ramp
    if end < length:
        gate[end - fade : end] *= ramp[::-1]
    return gate


def _window() -> Wave:
    """Return the square root of a periodic Hann window: used before and after."""
    phase = 2 * np.pi * np.arange(FFT_SAMPLES) / FFT_SAMPLES
    return np.sqrt(0.5 - 0.5 * np.cos(phase)).astype(np.float32)


def _stft(signal: Wave) -> Spectrum:
    """Return the spectrum (frames, bins) of a signal (N,), padded by one window on each side."""
    padded = np.pad(signal, (FFT_SAMPLES, 2 * FFT_SAMPLES))
    frames = np.lib.stride_tricks.sliding_window_view(padded, FFT_SAMPLES)[::HOP_SAMPLES]
    return np.fft.rfft(frames * _window(), axis=1).astype(np.complex64)


def _istft(spectrum: Spectrum, length: int) -> Wave:
    """Return the signal (length,) by weighted overlap and add; the inverse of ``_stft``."""
    frames = np.fft.irfft(spectrum, n=FFT_SAMPLES, axis=1) * (_window() / _OVERLAP_GAIN)
    hops = frames.reshape(len(frames), -1, HOP_SAMPLES)
    out = np.zeros((len(frames) + hops.shape[1] - 1, HOP_SAMPLES), dtype=np.float32)
    for number in range(hops.shape[1]):
        out[number : number + len(frames)] += hops[:, number]
    return out.ravel()[FFT_SAMPLES : FFT_SAMPLES + length]
