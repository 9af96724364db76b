"""Long sounds are encoded in steps: they can be stopped, and the steps change nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from engine.audio import load_audio
from engine.models.sizes import random_parts, tiny_sizes
from engine.perception import audio, mel
from engine.perception.audio import MelAudioEncoder
from engine.perception.mel import MEL, log_mel
from osc_bridge.errors import Cancelled

MINUTE = 60 * MEL.sample_rate


@pytest.fixture(scope="module")
def encoder() -> MelAudioEncoder:
    return MelAudioEncoder(random_parts(tiny_sizes(), seed=1).audio.eval(), torch.device("cpu"))


def noise(samples: int) -> np.ndarray:
    return np.random.default_rng(1).standard_normal(samples).astype(np.float32)


@pytest.mark.parametrize("samples", [1, 100, 5 * MEL.hop, 40_001])
def test_blocks_make_the_same_picture(monkeypatch: pytest.MonkeyPatch, samples: int) -> None:
    wave = torch.from_numpy(noise(samples))
    whole = log_mel(wave)
    assert whole.shape == (MEL.mels, MEL.frames(samples))
    monkeypatch.setattr(mel, "BLOCK_FRAMES", 4)
    torch.testing.assert_close(log_mel(wave), whole, atol=1e-5, rtol=0)


def test_a_few_segments_at_once_make_the_same_embedding(
    encoder: MelAudioEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    wave = noise(8 * MEL.sample_rate)
    whole = encoder.encode([wave])
    monkeypatch.setattr(audio, "SEGMENTS_AT_ONCE", 2)
    torch.testing.assert_close(encoder.encode([wave]), whole, atol=1e-5, rtol=0)


STEPS = [(1, 3), (2, 3), (3, 3), (1, 2), (2, 2)]
"""Three blocks of the picture, then two groups of segments."""


def test_a_minute_takes_steps(encoder: MelAudioEncoder) -> None:
    taken: list[tuple[int, int]] = []
    encoder.encode([noise(MINUTE)], lambda step, of: taken.append((step, of)))
    assert taken == STEPS


@pytest.mark.parametrize("last", STEPS)
def test_each_step_of_a_minute_can_stop_it(encoder: MelAudioEncoder, last: tuple[int, int]) -> None:
    def stop(step: int, of: int) -> None:
        if (step, of) == last:
            raise Cancelled("enough")

    with pytest.raises(Cancelled):
        encoder.encode([noise(MINUTE)], stop)


def test_reading_a_sound_takes_steps_and_each_can_stop_it(tmp_path: Path) -> None:
    path = tmp_path / "long.wav"
    soundfile.write(path, noise(200_000), 48_000)
    taken: list[tuple[int, int]] = []
    allowed = [tmp_path.resolve()]
    load_audio(path.resolve(), 22_050, allowed, lambda step, of: taken.append((step, of)))
    assert len(taken) == 4
    assert taken[-1] == (200_000, 200_000)

    def stop(step: int, of: int) -> None:
        raise Cancelled("enough")

    with pytest.raises(Cancelled):
        load_audio(path.resolve(), 22_050, allowed, stop)
