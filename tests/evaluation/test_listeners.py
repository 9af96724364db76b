"""Embedders and labellers: our front end, and packages that are played by stand-ins."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from engine.evaluation import aisfx, embedders
from engine.evaluation.clip_score import scores, wav2clip_space, wrong_pairs
from engine.evaluation.labellers import beats_labeller
from osc_bridge.errors import BadAudio, BadCheckpoint, FileMissing, PackageMissing


def no_pack() -> Any:
    raise AssertionError("this embedder needs no pack")


def tone(hz: float, seconds: float, rate: int) -> np.ndarray:
    return np.sin(2 * np.pi * hz * np.arange(int(seconds * rate)) / rate).astype(np.float32)


def test_mels_of_aisfx_put_a_tone_into_its_band() -> None:
    picture = aisfx.log_mels(tone(1000, 1.0, aisfx.RATE))
    mel = 2595 * np.log10(1 + 1000 / 700)
    top = 2595 * np.log10(1 + aisfx.RATE / 2 / 700)
    assert abs(int(picture[20].argmax()) - (mel / top * (aisfx.MELS + 1) - 1)) < 1
    assert picture.shape == (aisfx.RATE // aisfx.HOP + 1, aisfx.MELS)


def test_mels_of_aisfx_do_not_hear_the_level() -> None:
    wave = tone(440, 0.5, aisfx.RATE)
    assert aisfx.log_mels(0.01 * wave) == pytest.approx(aisfx.log_mels(wave), abs=1e-5)
    assert not aisfx.log_mels(np.zeros(5000, dtype=np.float32)).any()


@pytest.mark.parametrize(("frames", "count"), [(3, 1), (100, 1), (149, 1), (150, 2), (400, 7)])
def test_blocks_overlap_by_half_and_short_sounds_are_filled(frames: int, count: int) -> None:
    cut = aisfx.blocks(np.ones((frames, aisfx.MELS), dtype=np.float32))
    assert cut.shape == (count, aisfx.BLOCK, aisfx.MELS)
    assert cut[0].sum() == min(frames, aisfx.BLOCK) * aisfx.MELS


def test_mels_of_aisfx_are_those_of_its_own_formula() -> None:
    """A bank of unit sums keeps white power: every mel of an impulse is the window's square."""
    wave = np.zeros(aisfx.WINDOW, dtype=np.float32)
    wave[0] = 1.0
    assert aisfx.log_mels(wave)[0] == pytest.approx(np.log10(10_001) / aisfx.LARGEST, rel=1e-3)


def test_dimensions_with_units_are_measured_in_deviations_of_the_reference() -> None:
    reference = np.array([[0.0, 1000.0, 7.0], [2.0, 3000.0, 7.0]])
    scaled = embedders.scaled_by(reference, np.array([[1.0, 4000.0, 7.0], [99.0, 2000.0, 8.0]]))
    assert scaled.tolist() == [[0.0, 2.0, 0.0], [embedders.OUTLIER, 0.0, 1.0]]


@pytest.mark.parametrize("name", ["vggish", "clap", "aisfx"])
def test_an_embedder_without_its_package_names_the_cure(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("frechet_audio_distance", "aisfx", "aisfx.inference"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(PackageMissing, match="pip install"):
        embedders.EMBEDDERS[name](no_pack)


class FakeDistance:
    """What frechet-audio-distance offers: rows for a list of waves; nothing to join on errors."""

    def __init__(self, model_name: str, sample_rate: int, **settings: Any) -> None:
        self.is_clap = model_name == "clap"

    def get_embeddings(self, waves: list[np.ndarray], sr: int) -> np.ndarray:
        if not waves[0].any():
            return np.concatenate([])
        width = 512 if self.is_clap else 128
        rows = 1 if self.is_clap else len(waves[0]) // sr
        return np.ones((rows, width), dtype=np.float32)


@pytest.mark.parametrize(("name", "shape"), [("vggish", (2, 128)), ("clap", (1, 512))])
def test_the_packages_of_the_paper_are_asked_as_it_does(
    name: str, shape: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    module = ModuleType("frechet_audio_distance")
    module.FrechetAudioDistance = FakeDistance  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    probe = embedders.EMBEDDERS[name](no_pack)
    assert probe.hear(tone(440, 2.0, probe.sample_rate)).shape == shape
    with pytest.raises(BadAudio, match=f"{name} cannot embed"):
        probe.hear(np.zeros(1000, dtype=np.float32))


class FakeBeats(nn.Module):
    """The shape of BEATs: mean level and length decide between three labels."""

    def __init__(self, config: dict[str, int]) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.zeros(config["labels"]))

    def extract_features(
        self, source: torch.Tensor, padding_mask: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        assert padding_mask.shape == source.shape
        return (self.weights + source.abs().mean()).sigmoid()[None], padding_mask


@pytest.fixture
def beats(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkpoint as BEATs', and its module."""
    module = ModuleType("BEATs")
    module.BEATs, module.BEATsConfig = FakeBeats, dict  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "BEATs", module)
    path = tmp_path / "beats.pt"
    stored = {
        "cfg": {"labels": 3},
        "model": {"weights": torch.tensor([0.0, 2.0, -1.0])},
        "label_dict": {0: "/m/dog", 1: "/m/cat", 2: "/m/rain"},
    }
    torch.save(stored, path)
    return path


def test_beats_names_what_its_checkpoint_knows(beats: Path) -> None:
    labeller = beats_labeller(beats)
    assert labeller.labels == ("/m/dog", "/m/cat", "/m/rain")
    heard = [labeller.probe.hear(tone(hz, 0.5, 16_000)) for hz in (200, 400)]
    found = labeller.score(heard)
    assert found.shape == (2, 3)
    assert found.argmax(axis=1).tolist() == [1, 1]


def test_beats_without_its_module(beats: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "BEATs", None)
    with pytest.raises(PackageMissing, match="PYTHONPATH"):
        beats_labeller(beats)


class Payload:
    """Would run code when unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (exec, ("raise SystemExit('code from a checkpoint')",))


@pytest.mark.parametrize("stored", [{"a": Payload()}, [1, 2], {"cfg": {"labels": 3}}])
def test_a_checkpoint_that_is_none_is_refused(beats: Path, stored: Any) -> None:
    torch.save(stored, beats)
    with pytest.raises(BadCheckpoint, match=r"beats\.pt"):
        beats_labeller(beats)


def test_a_checkpoint_that_is_no_file(beats: Path) -> None:
    beats.write_bytes(b"<html>not found</html>")
    with pytest.raises(BadCheckpoint, match="download it again"):
        beats_labeller(beats)
    beats.unlink()
    with pytest.raises(FileMissing):
        beats_labeller(beats)


def test_clip_score_of_vectors_that_are_known() -> None:
    """Cosines 1 and 0 to two pictures: 50; the other sound: -100."""
    sounds = np.array([[1.0, 0.0], [0.0, 1.0]])
    pictures = [np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([[0.0, -1.0]])]
    assert scores(sounds, pictures).tolist() == [50.0, -100.0]
    assert wrong_pairs(sounds, pictures) == pytest.approx((0 + 50) / 2)


def test_wav2clip_without_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "wav2clip", None)
    with pytest.raises(PackageMissing, match="--picture-space pack"):
        wav2clip_space(no_pack)
