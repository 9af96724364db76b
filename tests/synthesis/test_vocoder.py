"""Vocoders: one interface, with weights and without; a pack may bring its own."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from engine.models.footprint import footprint
from engine.models.sizes import random_parts, tiny_sizes
from engine.perception.mel import MEL, log_mel
from engine.steps import no_steps
from engine.synthesis.base import Quality
from engine.synthesis.latent_flow import EFFORTS, LatentFlowDecoder
from engine.synthesis.vocoder import (
    GriffinLim,
    LearnedVocoder,
    Vocoder,
    griffin_lim,
    mel_to_magnitudes,
    refined,
    vocoder_of,
)
from engine.synthesis.vocos import Vocos, VocosSettings
from osc_bridge.errors import Cancelled

CPU = torch.device("cpu")
TINY = VocosSettings(width=16, hidden=32, layers=2)
QUALITIES: tuple[Quality, ...] = ("preview", "final")


def network(settings: VocosSettings = TINY) -> Vocos:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        return Vocos(settings).requires_grad_(False).eval()


@pytest.fixture(params=["griffin-lim", "learned"])
def vocoder(request: pytest.FixtureRequest) -> Vocoder:
    return vocoder_of(network() if request.param == "learned" else None, CPU)


@pytest.fixture(scope="module")
def picture() -> Tensor:
    """A second of a falling tone in noise."""
    time = torch.arange(MEL.sample_rate) / MEL.sample_rate
    hiss = torch.randn(len(time), generator=torch.Generator().manual_seed(5))
    return log_mel(0.5 * torch.sin(2 * torch.pi * (900 - 200 * time) * time) + 0.02 * hiss)


def dice(seed: int = 1) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("frames", [1, 2, 77])
@pytest.mark.parametrize("quality", QUALITIES)
def test_each_frame_gives_a_hop_of_samples(vocoder: Vocoder, quality: Quality, frames: int) -> None:
    mels = torch.full((MEL.mels, frames), -3.0)
    wave = vocoder.sound(mels, quality, dice())
    assert wave.shape == (frames * MEL.hop,)
    assert bool(wave.isfinite().all())


@pytest.mark.parametrize("quality", QUALITIES)
def test_the_picture_of_what_sounds_is_the_one_asked_for(
    vocoder: Vocoder, picture: Tensor, quality: Quality
) -> None:
    """Also with an untrained network: it says nothing of levels that is not corrected."""
    again = log_mel(vocoder.sound(picture, quality, dice()))
    assert float((again - picture)[:, 4:-4].abs().median()) < 0.6
    softer = log_mel(vocoder.sound(picture - 2, quality, dice()))
    assert float((softer - picture)[:, 4:-4].median()) == pytest.approx(-2, abs=0.3)


def test_the_same_arguments_give_the_same_samples(vocoder: Vocoder, picture: Tensor) -> None:
    first = vocoder.sound(picture, "preview", dice())
    assert torch.equal(first, vocoder.sound(picture, "preview", dice()))


def test_silence_stays_silent(vocoder: Vocoder) -> None:
    wave = vocoder.sound(torch.full((MEL.mels, 20), MEL.log_floor), "final", dice())
    assert float(wave.abs().max()) < 1e-5


@pytest.mark.parametrize("quality", QUALITIES)
def test_every_step_is_told_and_may_be_the_last(
    vocoder: Vocoder, picture: Tensor, quality: Quality
) -> None:
    steps: list[tuple[int, int]] = []
    vocoder.sound(picture, quality, dice(), lambda step, of: steps.append((step, of)))
    of = vocoder.steps(quality)
    assert steps == [(step, of) for step in range(1, of + 1)]

    def stop(step: int, of: int) -> None:
        if step == of:
            raise Cancelled("enough")

    with pytest.raises(Cancelled):
        vocoder.sound(picture, quality, dice(), stop)


def test_from_the_true_phases_little_is_left_to_refine(picture: Tensor) -> None:
    """What a perfect network would do: Griffin-Lim stays where it is started."""
    time = torch.arange(64 * MEL.hop) / MEL.sample_rate
    wave = 0.5 * torch.sin(2 * torch.pi * 700 * time)
    window = torch.hann_window(MEL.window)
    spectrum = torch.stft(
        wave, MEL.window, MEL.hop, window=window, pad_mode="constant", return_complex=True
    )[:, :64]
    phases = spectrum / spectrum.abs().clamp(min=1e-9)
    inside = slice(2048, -2048)
    again = refined(spectrum.abs(), phases, 0)
    torch.testing.assert_close(again[inside], wave[inside], atol=1e-3, rtol=0)
    after = refined(spectrum.abs(), phases, 8)
    torch.testing.assert_close(after[inside], wave[inside], atol=2e-2, rtol=0)
    random = griffin_lim(spectrum.abs(), 8, dice())
    assert float((random - wave)[inside].abs().max()) > 0.1


def test_updates_keep_what_is_fine_between_the_mels(picture: Tensor) -> None:
    """One bin of two in the start, one of two in the result; the same mel picture."""
    start = torch.ones(MEL.window // 2 + 1, picture.shape[1])
    start[::2] = 1e-3
    fine = mel_to_magnitudes(picture, start=start)
    plain = mel_to_magnitudes(picture)
    high = slice(300, 340)
    assert float(fine[high][::2].sum()) < 0.1 * float(fine[high][1::2].sum())
    assert float(plain[high][::2].sum()) > 0.5 * float(plain[high][1::2].sum())


def test_a_network_makes_a_batch_as_it_makes_each(picture: Tensor) -> None:
    net = network()
    pictures = torch.stack([picture[:, :40], picture[:, 40:80]])
    waves = net(pictures)
    assert waves.shape == (2, 40 * MEL.hop)
    for row in range(2):
        torch.testing.assert_close(waves[row], net(pictures[row : row + 1])[0])


def test_a_network_hears_only_so_far(picture: Tensor) -> None:
    """Seven frames a convolution: what lies beyond cannot change a frame."""
    net = network(VocosSettings(width=8, hidden=8, layers=1))
    changed = picture.clone()
    changed[:, 50:] = MEL.log_floor
    before, after = net.spectra(picture[None])[0], net.spectra(changed[None])[0]
    torch.testing.assert_close(before[:, :44], after[:, :44])
    assert not torch.equal(before[:, 50:], after[:, 50:])


def test_a_decoder_sounds_through_the_vocoder_it_was_given() -> None:
    sizes = tiny_sizes()
    parts = random_parts(replace(sizes, vocoder=TINY), seed=1)
    plain = LatentFlowDecoder(parts.generator, parts.codec, CPU)
    learned = LatentFlowDecoder(parts.generator, parts.codec, CPU, vocoder=parts.vocoder)
    a = torch.nn.functional.normalize(torch.ones(sizes.audio.dim), dim=0)
    for quality in QUALITIES:
        assert plain.steps(quality) == EFFORTS[quality].steps + GriffinLim().steps(quality)
        assert learned.steps(quality) < plain.steps(quality)
    first = learned.decode(a, 0.5, 3, "preview", no_steps)
    assert first.shape == plain.decode(a, 0.5, 3, "preview", no_steps).shape
    assert first.tobytes() == learned.decode(a, 0.5, 3, "preview", no_steps).tobytes()
    assert first.tobytes() != plain.decode(a, 0.5, 3, "preview", no_steps).tobytes()
    assert np.abs(first).max() <= 0.9 + 1e-6


def test_the_weights_count_in_the_footprint() -> None:
    net = network()
    weights = sum(p.numel() * 4 for p in net.parameters())
    assert sum(footprint(LearnedVocoder(net)).values()) == weights
