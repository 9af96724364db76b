"""The checks behind the model card, proved on cases whose answer is known."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
import torch

from engine.cmss import build_ssv2a
from engine.evaluation import copies
from engine.evaluation.bars import LEAST_CLASSES
from engine.evaluation.card import write_card
from engine.evaluation.judge import describe, train_judge
from engine.evaluation.rendering import edge_ratio
from engine.evaluation.retrieval import recall
from engine.models.pack import read_manifest
from engine.models.sizes import random_parts, tiny_sizes
from engine.perception.mel import MEL, log_mel

RATE = MEL.sample_rate
PACK = Path(str(files("presets"))) / "packs" / "starter"


def tone(hz: float, seconds: float = 0.5) -> np.ndarray:
    time = np.arange(int(seconds * RATE)) / RATE
    return (0.5 * np.sin(2 * np.pi * hz * time)).astype(np.float32)


def hiss(seed: int, seconds: float = 0.5) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.1, int(seconds * RATE)).astype(np.float32)


def test_the_judge_tells_tones_from_noise() -> None:
    waves = [tone(200 + 40 * i) for i in range(8)] + [hiss(i) for i in range(8)]
    names = ["tone"] * 8 + ["noise"] * 8
    judge = train_judge([describe(wave) for wave in waves], names, seed=1)
    ranks = judge.ranks([describe(tone(333)), describe(hiss(99))], ["tone", "noise"])
    assert ranks.tolist() == [0, 0]
    assert judge.ranks([describe(hiss(98))], ["tone"]).tolist() == [1]


def test_a_planted_copy_is_nearer_than_anything_else() -> None:
    codec = random_parts(tiny_sizes(), 1).codec
    waves = [tone(300), tone(900), hiss(1), hiss(2, 1.5)]
    index = copies.build(codec, [log_mel(torch.from_numpy(wave)) for wave in waves])
    row, distance = copies.nearest(index, codec, (0.5 * waves[2]).astype(np.float32))
    assert row == 2
    assert distance < 0.02
    assert copies.nearest(index, codec, tone(5000))[1] > 10 * distance


def test_the_threshold_catches_ninety_five_of_a_hundred() -> None:
    assert copies.threshold([float(i) for i in range(101)]) == pytest.approx(95.0)


def test_recall_is_perfect_for_equal_rows_and_chance_for_shuffled_ones() -> None:
    model = build_ssv2a(tiny_sizes().ssv2a).eval()
    model.manifold.clap_encoder = model.manifold.clip_encoder
    rows = torch.nn.functional.normalize(torch.randn(40, 384), dim=-1)
    assert recall(model, rows, rows).at_1 == 1.0
    assert recall(model, rows, rows.roll(1, 0)).at_1 < 0.2


def test_stripes_raise_the_edge_ratio() -> None:
    picture = torch.randn(MEL.mels, 160, generator=torch.Generator().manual_seed(1)) * 0.1
    striped = picture.clone()
    striped[:, ::8] += 2.0
    assert edge_ratio(picture, 8) == pytest.approx(1.0, abs=0.1)
    assert edge_ratio(striped, 8) > 1.5


def test_the_model_card_is_what_the_figures_say() -> None:
    figures = json.loads((PACK / "figures.json").read_text(encoding="utf-8"))
    assert (PACK / "README.md").read_text(encoding="utf-8") == write_card(figures)


def test_the_pack_is_no_worse_than_it_was() -> None:
    """The bars themselves stand in the card, missed ones too; these are below all of them."""
    figures = json.loads((PACK / "figures.json").read_text(encoding="utf-8"))
    rows = figures["judges"]["judge"]["naming"]["rows"]
    assert figures["judges"]["judge"]["classes"] >= LEAST_CLASSES
    assert rows["words"]["top_5"]["value"] > 1.5 * figures["judges"]["judge"]["chance"]["top_5"]
    assert figures["copies"]["planted"]["generated_below"] <= 0.05
    assert figures["edges"]["words"] < 1.3


def test_the_card_is_that_of_this_pack() -> None:
    figures = json.loads((PACK / "figures.json").read_text(encoding="utf-8"))
    assert figures["pack"]["digest"] == read_manifest(PACK).digest


def test_the_training_data_page_counts_as_the_card_does() -> None:
    figures = json.loads((PACK / "figures.json").read_text(encoding="utf-8"))["corpus"]
    page = (Path(__file__).parents[2] / "docs" / "training-data.md").read_text(encoding="utf-8")
    assert f"{figures['sounds']:,} sounds ({figures['hours']:g} hours)" in page


def test_the_pack_is_small_enough_for_the_repository() -> None:
    assert sum(path.stat().st_size for path in PACK.iterdir()) < 40_000_000
