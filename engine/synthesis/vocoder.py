"""From log-mels back to a wave: mel inversion and fast Griffin-Lim.

Our own, in torch: librosa's would add numba and half a second of start, torchaudio a binary tied to
one torch release.
"""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor

from engine.perception.mel import MEL, filterbank
from engine.steps import StepCallback, no_steps

MOMENTUM = 0.99  # Perraudin, Balazs and Sondergaard, 2013
MEL_UPDATES = 12


@cache
def _inverse() -> Tensor:
    inverse: Tensor = torch.linalg.pinv(filterbank())
    return inverse


def mel_to_magnitudes(mels: Tensor, on_step: StepCallback = no_steps) -> Tensor:
    """Return non-negative STFT magnitudes (bins, T) whose mel picture is ``mels`` (mels, T), nat.

    Pseudo-inverse, then multiplicative updates of the Euclidean cost (Lee and Seung, 2001).
    ``on_step`` is called after each update; what it raises ends the work.
    """
    bank = filterbank().to(mels.device)
    target = torch.where(mels > MEL.log_floor + 1e-3, mels.exp(), 0.0)
    magnitudes = (_inverse().to(mels.device) @ target).clamp(min=1e-7)
    pulled = bank.T @ target
    for update in range(1, MEL_UPDATES + 1):
        magnitudes = magnitudes * pulled / (bank.T @ (bank @ magnitudes) + 1e-9)
        on_step(update, MEL_UPDATES)
    return magnitudes


def griffin_lim(
    magnitudes: Tensor,
    iterations: int,
    generator: torch.Generator,
    on_step: StepCallback = no_steps,
) -> Tensor:
    """Return a wave (T * hop,) whose STFT magnitudes are near ``magnitudes`` (bins, T).

    ``on_step`` is called after each iteration; what it raises ends the work.
    """
    window = torch.hann_window(MEL.window, device=magnitudes.device)
    padded = torch.cat([magnitudes, magnitudes[:, -1:]], dim=1)  # centred: one frame more
    samples = magnitudes.shape[1] * MEL.hop
    angles = torch.rand(padded.shape, generator=generator).to(magnitudes.device) * 2 * torch.pi
    phases = torch.polar(torch.ones_like(padded), angles)
    previous = torch.zeros_like(phases)
    for iteration in range(1, iterations + 1):
        wave = torch.istft(padded * phases, MEL.window, MEL.hop, window=window, length=samples)
        rebuilt = torch.stft(
            wave, MEL.window, MEL.hop, window=window, pad_mode="constant", return_complex=True
        )
        phases = rebuilt - (MOMENTUM / (1 + MOMENTUM)) * previous
        phases = phases / phases.abs().clamp(min=1e-9)
        previous = rebuilt
        on_step(iteration, iterations)
    return torch.istft(padded * phases, MEL.window, MEL.hop, window=window, length=samples)
