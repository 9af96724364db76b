from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from engine.evaluation.rendering import edge_ratio
from engine.models.saving import StarterParts
from engine.models.sizes import random_parts, tiny_sizes
from engine.perception.mel import MEL, filterbank, log_mel
from engine.steps import no_steps
from engine.synthesis.codec import CodecSettings, MelCodec
from engine.synthesis.latent_flow import EFFORTS, LatentFlowDecoder
from engine.synthesis.samplers import euler_flow
from engine.synthesis.vocoder import GriffinLim, griffin_lim, mel_to_magnitudes
from osc_bridge.errors import Cancelled, OutOfRange

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def parts() -> StarterParts:
    return random_parts(tiny_sizes(), seed=1)


@pytest.fixture(scope="module")
def decoder(parts: StarterParts) -> LatentFlowDecoder:
    return LatentFlowDecoder(parts.generator, parts.codec, CPU)


def unit(seed: int) -> Tensor:
    vector = torch.randn(32, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.normalize(vector, dim=0)


@pytest.mark.parametrize("seconds", [0.3, 0.50001, 4.0, 10.0])
def test_the_length_is_exact_and_the_level_safe(decoder: LatentFlowDecoder, seconds: float) -> None:
    wave = decoder.decode(unit(1), seconds, 1, "preview", no_steps)
    assert wave.dtype == np.float32
    assert wave.shape == (round(seconds * decoder.sample_rate),)
    assert np.isfinite(wave).all()
    assert np.abs(wave).max() <= 0.9 + 1e-6


def test_the_seed_and_the_embedding_shape_the_sound(decoder: LatentFlowDecoder) -> None:
    def render(a: Tensor, seed: int) -> bytes:
        return decoder.decode(a, 0.5, seed, "preview", no_steps).tobytes()

    first = render(unit(1), 7)
    assert render(unit(1), 7) == first
    assert render(unit(1), 8) != first
    assert render(unit(2), 7) != first


@pytest.mark.parametrize("seconds", [0.29, 10.01, -1.0, float("nan"), float("inf")])
def test_a_duration_out_of_range_names_the_range(
    decoder: LatentFlowDecoder, seconds: float
) -> None:
    with pytest.raises(OutOfRange, match=r"0\.3 to 10 s"):
        decoder.decode(unit(1), seconds, 1, "preview", no_steps)


SAMPLED = EFFORTS["final"].steps


@pytest.mark.parametrize("last", [2, SAMPLED + 1, SAMPLED + GriffinLim().steps("final") - 1])
def test_cancel_takes_effect_within_a_step(decoder: LatentFlowDecoder, last: int) -> None:
    steps: list[tuple[int, int]] = []

    def stop(step: int, of: int) -> None:
        steps.append((step, of))
        if step == last:
            raise Cancelled("enough")

    with pytest.raises(Cancelled):
        decoder.decode(unit(1), 0.5, 1, "final", stop)
    of = decoder.steps("final")
    assert steps == [(step, of) for step in range(1, last + 1)]


def test_steps_go_up_to_the_end(decoder: LatentFlowDecoder) -> None:
    steps: list[tuple[int, int]] = []
    decoder.decode(unit(1), 0.5, 1, "preview", lambda step, of: steps.append((step, of)))
    of = decoder.steps("preview")
    assert steps == [(step, of) for step in range(1, of + 1)]


def test_euler_follows_a_straight_flow_exactly() -> None:
    """With velocity = target - noise, constant in time, any number of steps ends at the target."""
    noise, target = torch.randn(1, 5, 3), torch.randn(1, 5, 3)

    def velocity(x: Tensor, time: Tensor, a: Tensor) -> Tensor:
        return (target - noise).expand_as(x)

    for steps in (1, 3, 10):
        reached = euler_flow(velocity, noise, torch.ones(1, 4), steps, 3.0, no_steps)
        torch.testing.assert_close(reached, target, atol=1e-5, rtol=0)


def test_a_codec_of_full_rank_is_transparent() -> None:
    torch.manual_seed(1)
    codec = MelCodec(CodecSettings(patch=1, dims=MEL.mels, width=8))
    pictures = torch.randn(2, MEL.mels, 500) - 4
    codec.fit(pictures.transpose(1, 2).reshape(-1, MEL.mels))
    again = codec.decode_linear(codec.encode(pictures))
    torch.testing.assert_close(again, pictures, atol=1e-3, rtol=0)


def test_spinning_takes_out_steps_at_patch_edges() -> None:
    """Slow pictures, kept too coarsely: what remains of the patches is steps between them."""
    torch.manual_seed(1)
    codec = MelCodec(CodecSettings(dims=16, width=8))
    walk = torch.randn(8, MEL.mels, 400).cumsum(-1) * 0.3 - 4
    codec.fit(walk.transpose(1, 2).reshape(-1, 8 * MEL.mels))
    linear = codec.decode_linear(codec.encode(walk))
    before, after = edge_ratio(linear[0], 8), edge_ratio(codec.spin(linear)[0], 8)
    assert before > 2.0
    assert after < 1.3
    assert codec.spin(linear).shape == walk.shape


def noise_codec(dims: int) -> MelCodec:
    """Return a codec fitted to the log-mel pictures of white noise."""
    codec = MelCodec(CodecSettings(dims=dims, width=8))
    waves = torch.randn(8, 400 * MEL.hop, generator=torch.Generator().manual_seed(5))
    pictures = torch.stack([log_mel(wave) for wave in waves])
    codec.fit(pictures.transpose(1, 2).reshape(-1, 8 * MEL.mels))
    return codec


def test_grain_is_what_the_codec_takes_from_noise() -> None:
    """Of unit deviation in every band, drawn by the seed alone, and nothing that tokens hold."""
    codec = noise_codec(16)
    grain, again, other = (codec.grain(1, 512, torch.Generator().manual_seed(s)) for s in (1, 1, 2))
    assert torch.equal(grain, again)
    assert not torch.equal(grain, other)
    assert float((grain.std(dim=(0, 2)) - 1).abs().max()) < 0.25
    held = codec.decode_linear(codec.encode(grain)) - codec.decode_linear(
        codec.encode(torch.zeros_like(grain))
    )
    assert float(held.std()) < 0.5


def test_grain_gives_noise_back_its_deviation() -> None:
    """A codec whose decoder adds what is missing: the noise is as rough as it was, not a hum."""
    codec = noise_codec(16)
    wave = torch.randn(512 * MEL.hop, generator=torch.Generator().manual_seed(6))
    noise = log_mel(wave).unsqueeze(0)
    with torch.no_grad():
        smooth = codec.redraw(codec.encode(noise))[0]
        missing = (noise - smooth).std(dim=(0, 2))
        codec.edges.leave.bias[MEL.mels :] = missing.log()
        codec.edges.leave.weight[MEL.mels :] = 0.0
        decoded = codec.decode(codec.encode(noise), torch.Generator().manual_seed(7))
    assert float(smooth.diff().std() / noise.diff().std()) < 0.6
    assert 0.8 < float(decoded.diff().std() / noise.diff().std()) < 1.2


def test_tokens_of_a_fitted_codec_fall_in_deviation() -> None:
    torch.manual_seed(1)
    codec = MelCodec(CodecSettings(patch=2, dims=6, width=8))
    patches = torch.randn(4000, 2 * MEL.mels) * torch.linspace(3, 0.1, 2 * MEL.mels)
    codec.fit(patches)
    tokens = (patches - codec.mean) @ codec.basis.T / codec.scale
    deviations = tokens.std(dim=0)
    assert bool((deviations.diff() < 0.02).all())
    assert float(deviations.square().mean()) == pytest.approx(1.0, abs=0.1)


def test_the_filterbank_has_unit_area_triangles_in_order() -> None:
    bank = filterbank()
    width_hz = MEL.sample_rate / MEL.window
    assert bank.shape == (MEL.mels, MEL.window // 2 + 1)
    torch.testing.assert_close(
        bank[40:].sum(1) * width_hz, torch.ones(MEL.mels - 40), atol=0.05, rtol=0
    )
    assert bool((bank.argmax(1).diff() >= 0).all())


def test_a_tone_comes_back_from_its_mel_picture() -> None:
    time = torch.arange(MEL.sample_rate) / MEL.sample_rate
    tone = 0.5 * torch.sin(2 * torch.pi * 1000 * time)
    picture = log_mel(tone)
    wave = griffin_lim(mel_to_magnitudes(picture), 32, torch.Generator().manual_seed(1))
    spectrum = torch.fft.rfft(wave[4096:16384] * torch.hann_window(12288)).abs()
    peak_hz = float(spectrum.argmax()) * MEL.sample_rate / 12288
    assert peak_hz == pytest.approx(1000, abs=60)
    again = log_mel(wave)[:, 8:-8]
    assert float((again - picture[:, 8:-8]).abs()[picture[:, 8:-8] > -4].mean()) < 0.5
