"""What sounds gain by image-space semantics, on models whose answer is known."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from engine.cmss import SSV2A, build_ssv2a
from engine.cmss.gaussian import Gaussian
from engine.evaluation.audio_gain import audio_gain
from engine.evaluation.bootstrap import Bootstrap
from engine.models.sizes import tiny_sizes
from engine.training.scenes import Scenes
from osc_bridge.errors import OutOfRange

DIM = 32
HOW = Bootstrap(draws=50)


class SumOfClips(nn.Module):
    """A Remixer that adds up the CLIP halves, and a little that stands for all else."""

    def forward(self, manifold: Tensor, clips: Tensor, counts: Tensor) -> Gaussian:
        mu = clips.sum(1) + 1e-3
        return Gaussian(mu, torch.zeros_like(mu))


def listening(translator: nn.Module | None) -> SSV2A:
    """A model whose pictures lie where sounds do."""
    model = build_ssv2a(replace(tiny_sizes().ssv2a, clip_dim=DIM, clap_dim=DIM)).eval()
    model.remixer = SumOfClips()  # type: ignore[assignment]
    model.translator = translator  # type: ignore[assignment]
    return model


def heard(count: int) -> Scenes:
    """Scenes of one sound, which is their truth."""
    drawn = torch.randn(count, DIM, generator=torch.Generator().manual_seed(1))
    claps = torch.nn.functional.normalize(drawn, dim=-1)
    return Scenes(torch.zeros(count, 1, DIM), claps[:, None], torch.zeros(count, DIM), claps)


def test_a_true_translation_gains_all_there_is_to_gain() -> None:
    found = audio_gain(listening(nn.Identity()), heard(20), HOW)
    assert found["has_translator"]
    assert found["heard_sources"] == 20
    assert found["translated"]["cosine"]["value"] == pytest.approx(1, abs=1e-3)
    assert found["translated"]["r_at_1"] == {"value": 1, "low": 1, "high": 1}
    assert found["zeros"]["r_at_1"]["value"] <= 0.1
    gain = found["gain"]["cosine"]
    assert 0 < gain["low"] <= gain["value"] <= gain["high"]
    assert found["gain"]["frechet_embeddings"] < 0


def test_without_a_translator_nothing_is_compared() -> None:
    found = audio_gain(listening(None), heard(20), HOW)
    assert not found["has_translator"]
    assert not {"translated", "gain"} & set(found)


def test_a_model_that_learned_without_is_the_rival() -> None:
    rival = listening(nn.Identity())
    found = audio_gain(listening(nn.Identity()), heard(20), HOW, rival)
    assert found["trained_without"] == found["zeros"]
    assert found["gain_over_trained_without"] == found["gain"]


@pytest.mark.parametrize("count", [0, 5])
def test_too_few_scenes_are_refused(count: int) -> None:
    with pytest.raises(OutOfRange, match="at least 6"):
        audio_gain(listening(None), heard(count), HOW)


def test_scenes_without_sound_are_refused() -> None:
    silent = replace(heard(8), claps=torch.zeros(8, 1, DIM))
    with pytest.raises(OutOfRange, match="0 sources"):
        audio_gain(listening(None), silent, HOW)
