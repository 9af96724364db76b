"""Distances between waves by their spectra: mel pictures, and magnitudes at several resolutions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from engine.perception.mel import MEL, filterbank

WINDOWS = (256, 512, 1024, 2048)
"""Samples; each with a quarter of it as hop."""
QUIET = 1e-4


def log_mels(waves: Tensor) -> Tensor:
    """Return log-mel pictures (B, mels, T / hop) of waves (B, T), T a multiple of the hop.

    As the front end's, for a batch and differentiable.
    """
    with _exactly(waves):
        bank = filterbank().clone().to(waves.device)  # its own: the kept one may know no gradient
        frames = waves.shape[-1] // MEL.hop
        magnitudes = _spectra(waves, MEL.window, MEL.hop).abs()[..., :frames]
        return (bank @ magnitudes).clamp(min=MEL.floor).log()


def mel_distance(made: Tensor, wanted: Tensor) -> Tensor:
    """Return the mean absolute difference, nat, of the mel pictures of waves (B, T)."""
    return (log_mels(made) - log_mels(wanted)).abs().mean()


def spectral_distance(made: Tensor, wanted: Tensor) -> Tensor:
    """Return log distance plus convergence (Arik et al., 2019), mean over resolutions (B, T)."""
    total = made.new_zeros(())
    with _exactly(made):
        for window in WINDOWS:
            ours = _spectra(made, window, window // 4).abs()
            theirs = _spectra(wanted, window, window // 4).abs()
            logs = ((ours + QUIET).log() - (theirs + QUIET).log()).abs().mean()
            total = total + logs + (ours - theirs).norm() / (theirs.norm() + 1e-3)
    return total / len(WINDOWS)


def compressed(waves: Tensor, window: int) -> Tensor:
    """Return real and imaginary parts (B, 2, T, bins), magnitudes to the power of one half."""
    with _exactly(waves):
        spectra = _spectra(waves, window, window // 4)
        spectra = spectra / (spectra.abs() + QUIET).sqrt()
        return torch.stack([spectra.real, spectra.imag], dim=1).transpose(2, 3)


def _spectra(waves: Tensor, window: int, hop: int) -> Tensor:
    shape = torch.hann_window(window, device=waves.device)
    spectra: Tensor = torch.stft(
        waves.float(), window, hop, window=shape, pad_mode="constant", return_complex=True
    )
    return spectra


@contextmanager
def _exactly(waves: Tensor) -> Iterator[None]:
    """Compute in float32, also where the network may not."""
    with torch.autocast(waves.device.type, enabled=False):
        yield
