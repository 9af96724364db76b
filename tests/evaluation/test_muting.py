"""Stems add up, and muting changes what a judge hears: through the engine's own renderer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from engine.evaluation.bootstrap import Bootstrap
from engine.evaluation.judge import Features, Judge
from engine.evaluation.muting import (
    Checked,
    MuteBench,
    MuteCase,
    Muted,
    Voice,
    Wave,
    cases_of,
    mute_check,
    summed,
)
from engine.steps import no_steps
from osc_bridge.errors import Cancelled, OutOfRange

if TYPE_CHECKING:
    from engine.models.loading import LoadedPack

KINDS = ("bell", "dog", "rain", "sea")
HOW = Bootstrap(draws=50)


class Level:
    """Gives the first class the loudness of what it hears, the others a share of the rest."""

    def predict_proba(self, rows: Features) -> np.ndarray:
        first = np.clip(rows[:, :1], 0, 1)
        return np.concatenate([first, np.repeat((1 - first) / 3, 3, axis=1)], axis=1)


def loudness(wave: Wave) -> Features:
    return np.array([np.sqrt(np.mean(np.square(wave)))], dtype=np.float32)


@pytest.fixture
def bench(loaded_tiny_pack: LoadedPack) -> MuteBench:
    return MuteBench(loaded_tiny_pack, Judge(KINDS, Level()), loudness, 0.3, "preview")


def test_consistent_stems_add_up_and_every_source_is_muted_once(bench: MuteBench) -> None:
    told: list[tuple[int, int]] = []
    cases = cases_of(KINDS, 2, seed=1)
    found = mute_check(bench, cases, HOW, lambda step, of: told.append((step, of)))
    assert (found["scenes"], found["sources"]) == (2, 5)
    assert found["residual_db"]["highest"] < -100
    assert told == [(step, 7) for step in range(1, 8)]
    assert 0 <= found["rendered"]["own_falls_more"]["value"] <= 1
    assert found == mute_check(bench, cases, HOW, no_steps)


def test_a_picture_is_a_source_too(bench: MuteBench, tmp_path: Path) -> None:
    path = tmp_path / "dog.png"
    Image.new("RGB", (32, 32), "brown").save(path)
    shown = MuteCase((Voice("dog", path), Voice("rain")), 3)
    said = MuteCase((Voice("dog"), Voice("rain")), 3)
    first, second = (mute_check(bench, [case], HOW, no_steps) for case in (shown, said))
    assert first["residual_db"]["highest"] < -100
    assert first["left_out"] != second["left_out"]


def test_cancel_passes_through(bench: MuteBench) -> None:
    def stop(step: int, _of: int) -> None:
        if step == 2:
            raise Cancelled("Stopped.")

    with pytest.raises(Cancelled):
        mute_check(bench, cases_of(KINDS, 1, seed=1), HOW, stop)


def test_changes_are_counted_source_by_source(bench: MuteBench) -> None:
    falls, rises = Muted(-0.4, 0.1, -0.2, 0.0), Muted(0.2, 0.1, -0.2, 0.0)
    found = summed([Checked(-120.0, (falls, rises)), Checked(-140.0, (falls,))], HOW, bench)
    assert found["residual_db"] == {"mean": -130.0, "highest": -120.0}
    assert found["rendered"]["own"]["value"] == pytest.approx(-0.2)
    assert found["rendered"]["own_falls_more"]["value"] == pytest.approx(2 / 3)
    assert found["left_out"]["own_less_others"]["value"] == pytest.approx(-0.2)
    assert found["left_out"]["own_falls"]["value"] == 1


def test_cases_are_drawn_by_the_seed_alone() -> None:
    pictures = {kind: [Path(f"{kind}.png")] for kind in KINDS}
    cases = cases_of(KINDS, 6, 5, pictures)
    assert cases == cases_of(KINDS[::-1], 6, 5, pictures)
    assert [len(case.voices) for case in cases] == [2, 3, 2, 3, 2, 3]
    assert all(len({voice.kind for voice in case.voices}) == len(case.voices) for case in cases)
    pictured = [any(voice.picture for voice in case.voices) for case in cases]
    assert pictured == [False, False, True, True, False, False]


def test_few_classes_and_no_cases_are_refused(bench: MuteBench) -> None:
    with pytest.raises(OutOfRange, match="2 classes"):
        cases_of(KINDS[:2], 1, seed=1)
    with pytest.raises(OutOfRange, match="0 scenes"):
        mute_check(bench, [], HOW, no_steps)
