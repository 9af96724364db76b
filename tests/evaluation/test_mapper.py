"""The V2A-Mapper-like baseline: what it learns from, and how it goes on."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner

from engine.evaluation.baseline_commands import baselines
from engine.evaluation.mapper import (
    Mapper,
    MapperSettings,
    build_mapper,
    load_mapper,
    save_mapper,
)
from engine.evaluation.mapper_training import CHECKPOINT, RESULT, MapperPlan, train
from engine.training.data.prepared import PreparedData
from osc_bridge.errors import BadCheckpoint, BadCorpus, Cancelled, FileMissing

PLAN = MapperPlan(steps=60, hidden=32, batch=16, noise=0.0, balance=0.0, validate_every=20)


@pytest.fixture
def data(made: Callable[..., Any], prepare: Callable[..., Path]) -> PreparedData:
    """Sixty sounds to learn from in thirty packages, some unfit, and six to be tested with."""
    learned = [
        made(f"{n}.wav", "train", package=f"p{n % 30}", may_publish=n % 10 > 0) for n in range(60)
    ]
    return PreparedData(prepare([*learned, *(made(f"t{n}.wav") for n in range(6))]))


def mapper(work: Path) -> Mapper:
    record = json.loads((work / "mapper.json").read_text())
    return load_mapper(work / RESULT, record["data"][0]["digest"])


def test_it_learns_and_is_the_same_twice(data: PreparedData, tmp_path: Path) -> None:
    measured = train(data, PLAN, tmp_path / "a")
    assert measured["test_held"] == 6
    assert 0 < measured["held_out_held"] <= 6
    assert measured["pairs"] + measured["held_out_held"] == 54  # with a licence to publish
    again = train(data, PLAN, tmp_path / "b")
    assert again == measured
    first, second = (list(mapper(tmp_path / name).parameters()) for name in "ab")
    assert all((a == b).all() for a, b in zip(first, second, strict=True))


def test_it_goes_on_where_it_was_stopped(data: PreparedData, tmp_path: Path) -> None:
    whole = train(data, PLAN, tmp_path / "whole")

    def stop(step: int, of: int) -> None:
        if step == 33:
            raise Cancelled("enough")

    with pytest.raises(Cancelled):
        train(data, PLAN, tmp_path / "parts", stop)
    assert (tmp_path / "parts" / CHECKPOINT).is_file()
    assert not (tmp_path / "parts" / RESULT).exists()
    steps: list[int] = []
    assert train(data, PLAN, tmp_path / "parts", lambda step, of: steps.append(step)) == whole
    assert steps[0] == 34
    steps.clear()
    assert train(data, PLAN, tmp_path / "parts", lambda step, of: steps.append(step)) == whole
    assert not steps


def test_held_out_packages_and_the_test_split_teach_nothing(
    made: Callable[..., Any], prepare: Callable[..., Path], tmp_path: Path
) -> None:
    learned = [made(f"{n}.wav", "train", package=f"p{n % 30}") for n in range(60)]
    one = PreparedData(prepare([*learned, made("t.wav")], "one"))
    two = PreparedData(prepare([*learned, made("u.wav")], "two"))
    plan = MapperPlan(steps=5, hidden=8, batch=8)
    for name, each in (("one", one), ("two", two)):
        train(each, plan, tmp_path / f"work-{name}")
    first, second = (list(mapper(tmp_path / f"work-{n}").parameters()) for n in ("one", "two"))
    assert all((a == b).all() for a, b in zip(first, second, strict=True))


def test_another_run_in_the_same_folder_is_refused(data: PreparedData, tmp_path: Path) -> None:
    train(data, MapperPlan(steps=2, hidden=8), tmp_path)
    with pytest.raises(BadCorpus, match="a mapper made with other hidden, seed"):
        train(data, MapperPlan(steps=2, hidden=9, seed=2), tmp_path)
    (tmp_path / "mapper.json").write_text("{")
    with pytest.raises(BadCorpus, match="cannot be read"):
        train(data, MapperPlan(steps=2, hidden=8), tmp_path)


def test_what_may_not_be_published_is_asked_for(
    made: Callable[..., Any], prepare: Callable[..., Path], tmp_path: Path
) -> None:
    samples = [made(f"{n}.wav", "train", may_publish=False) for n in range(8)]
    data = PreparedData(prepare(samples))
    with pytest.raises(BadCorpus, match="--any-licence"):
        train(data, MapperPlan(steps=1), tmp_path / "w")
    measured = train(data, MapperPlan(steps=1, hidden=8, published=False), tmp_path / "w")
    assert "test_cosine" not in measured


def test_only_its_own_pack_may_use_it(tmp_path: Path) -> None:
    made = build_mapper(MapperSettings(6, 4, 8), 1).eval()
    save_mapper(made, "a" * 64, tmp_path / "m.safetensors")
    rows = torch.randn(3, 6, generator=torch.Generator().manual_seed(1))
    assert (load_mapper(tmp_path / "m.safetensors", "a" * 64)(rows) == made(rows)).all()
    with pytest.raises(BadCheckpoint, match="embeddings of the pack aaaaaaaaaaaa, not of bbbb"):
        load_mapper(tmp_path / "m.safetensors", "b" * 64)


def test_other_files_are_no_mapper(tmp_path: Path) -> None:
    with pytest.raises(FileMissing, match="baselines train makes one"):
        load_mapper(tmp_path / "none", "")
    (tmp_path / "odd").write_bytes(b"x" * 40)
    with pytest.raises(BadCheckpoint, match="no mapper"):
        load_mapper(tmp_path / "odd", "")
    with pytest.raises(BadCheckpoint, match="hidden is 0"):
        MapperSettings(3, 3, 0)


def test_the_command_says_what_was_measured(data: PreparedData, tmp_path: Path) -> None:
    words = ["train", "--data", str(data.folder), "--work", str(tmp_path), "--steps", "2"]
    result = CliRunner().invoke(baselines, [*words, "--hidden", "8"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert "test r at 1" in result.stdout
    again = CliRunner().invoke(baselines, [*words, "--hidden", "8", "--json"])
    assert json.loads(again.stdout)["mapper"] == str(tmp_path / RESULT)


def test_nothing_is_drawn_from_the_global_dice() -> None:
    torch.manual_seed(3)
    before = torch.rand(1)
    torch.manual_seed(3)
    build_mapper(MapperSettings(6, 4, 8), 1)
    assert torch.rand(1) == before
