"""Configurations of stages: what is shipped is whole, what a user gives is checked."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.training.results import STAGE_NAMES, StageName
from engine.training.settings import load_settings
from osc_bridge.errors import BadPreset, FileMissing


@pytest.mark.parametrize("stage", STAGE_NAMES)
def test_the_shipped_settings_are_whole(stage: StageName) -> None:
    settings = load_settings(stage)
    assert settings.run.seed == 1
    assert settings.schedule.schedule.steps == settings.schedule.steps


def test_a_file_overrides_only_what_it_names(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("[schedule]\nsteps = 7\nlearning_rate = 1\n")
    ours, usual = load_settings("remixer", path), load_settings("remixer")
    assert (ours.schedule.steps, ours.schedule.learning_rate) == (7, 1.0)
    assert ours.run == usual.run
    assert ours.schedule.batch == usual.schedule.batch


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[schedule]\nstep = 7", r"unknown keys \['step'\].*allowed are \['batch'"),
        ("[scenes]\nmost = 65", "most is 65; allowed are numbers from 1 to 64"),
        ("[scenes]\nheard = nan", "heard is nan; allowed are numbers from 0 to 1"),
        ("[schedule]\nsteps = 2.5", "steps is '2.5'; it must be a whole number"),
        ("[schedule]\nsteps = true", "it must be a whole number"),
        ("[run]\nprecision = 'half'", "'half'; allowed are auto, float32, bf16"),
        ("[run]\nparallel = 'both'", "parallel is 'both'; allowed are ddp, fsdp"),
        ("[run]\ntensorboard = 1", "must be true or false"),
        ("[model]\nsize = 'tiny'", "no table of the stage remixer.*run.*schedule.*scenes"),
        ("steps = 7", "'steps' is no table"),
        ("[schedule", "is no TOML"),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(BadPreset, match=said):
        load_settings("remixer", path)


def test_a_file_that_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(FileMissing, match="leave out --config"):
        load_settings("manifold", tmp_path / "none.toml")
