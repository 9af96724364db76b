"""The report on a made-up corpus and a tiny pack: every figure, the card, the sheet, and a stop."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pytest
import soundfile
import torch
from PIL import Image, ImageDraw

from engine.evaluation import aisfx, judge, report, starter, starter_checks, starter_copies
from engine.evaluation.bars import bars
from engine.evaluation.bootstrap import Bootstrap
from engine.evaluation.card import write_card
from engine.evaluation.starter_draw import asked, draw, unseen_pictures
from engine.evaluation.starter_sounds import Order, Shelf, guided_by
from engine.perception.mel import MEL, log_mel
from engine.steps import StepCallback, no_steps
from engine.synthesis.latent_flow import EFFORTS
from engine.training import pictures
from engine.training.corpus import Clip, Picture, read_clips, read_pictures
from engine.training.features import read_wave
from osc_bridge.errors import Cancelled, PackageMissing

if TYPE_CHECKING:
    from engine.training.stages import Run

KINDS = ("bell", "engine", "rain")
COUNTS = {"train": 10, "judge": 5, "test": 5}
WORDS = 384
HEARD = 32


class Mels:
    """The log-mel pictures of all sounds."""

    def __init__(self, clips: list[Clip]) -> None:
        self._clips = clips

    def clip(self, index: int) -> np.ndarray:
        return log_mel(torch.from_numpy(read_wave(self._clips[index].path))).T.numpy()


@dataclass(frozen=True)
class MadeUp:
    """What the report needs of a training run, without training."""

    data: Path
    work: Path

    @cached_property
    def clips(self) -> list[Clip]:
        return read_clips(self.data)

    @cached_property
    def chosen(self) -> list[int]:
        return [row for row, clip in enumerate(self.clips) if clip.trainable]

    @cached_property
    def shaping(self) -> list[Picture]:
        listed = read_pictures(self.data)
        return [*pictures.trainable(listed, self.clips), *pictures.backgrounds(listed)]

    @cached_property
    def store(self) -> Mels:
        return Mels(self.clips)

    def tensor(self, name: str) -> torch.Tensor:
        random = torch.Generator().manual_seed(1)
        shape = {"heard": (HEARD,), "words": (WORDS,)}[name]
        rows = torch.randn(len(self.clips), *shape, generator=random)
        unit = torch.nn.functional.normalize(rows, dim=-1)
        return unit if name == "heard" else unit.unsqueeze(0)


def sound(kind: str, seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed)
    seconds = 0.3 + 0.02 * (seed % 7)
    time = np.arange(int(seconds * MEL.sample_rate)) / MEL.sample_rate
    hiss = noise.normal(0, 0.1, len(time))
    if kind == "rain":
        return hiss
    hz = (90 if kind == "engine" else 1500) + 3 * seed
    return np.asarray(0.5 * np.sin(2 * np.pi * hz * time) * np.exp(-3 * time) + 0.02 * hiss)


def write(path: Path, rows: list[dict[str, str]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, list(rows[0]))
        table.writeheader()
        table.writerows(rows)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("corpus")
    sounds: list[dict[str, str]] = []
    images: list[dict[str, str]] = []
    for kind in KINDS:
        for split, count in COUNTS.items():
            for number in range(count):
                name = f"{kind}-{split}-{number}.wav"
                soundfile.write(folder / name, sound(kind, len(sounds)), MEL.sample_rate)
                own = f"{kind}.png" if split == "test" and number == 0 and kind != "rain" else ""
                sounds.append(
                    {
                        "file": name,
                        "split": split,
                        "duration_s": f"{soundfile.info(folder / name).duration:.2f}",
                        "text": f"{kind} {number}",
                        "foley_class": kind,
                        "licence": "CC0",
                        "package": split,
                        "image": own,
                    }
                )
    for name, kind, package in (
        ("bell.png", "bell", "test"),
        ("engine.png", "engine", "test"),
        ("known.png", "rain", "train"),
    ):
        picture = Image.new("RGBA", (48, 48), (0, 0, 0, 0))
        ImageDraw.Draw(picture).ellipse((8, 8, 40, 40), fill="red")
        picture.save(folder / name)
        images.append(
            {
                "file": name,
                "text": f"a {kind}",
                "foley_class": kind,
                "licence": "CC0",
                "package": package,
                "role": "cutouts",
            }
        )
    write(folder / "sounds.csv", sounds)
    write(folder / "images.csv", images)
    work = tmp_path_factory.mktemp("work")
    plan = {"seed": 1, "generator": {"steps": 3}}
    (work / "plan.json").write_text(json.dumps(plan), encoding="utf-8")
    return cast("Run", MadeUp(folder, work))


@pytest.fixture(scope="module")
def small() -> Iterator[None]:
    """Fewer draws, scenes and seconds than a real report takes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(starter, "HOW", Bootstrap(draws=20, seed=1))
        patch.setattr(starter_checks, "SCENES", 1)
        patch.setattr(starter_checks, "SCENE_S", 0.3)
        patch.setattr(starter_checks, "BENCH_S", 0.3)
        patch.setattr(starter_checks, "REPEATS", 1)
        patch.setattr(starter_copies, "PLANTED", 3)
        patch.setattr(aisfx, "aisfx_probe", _absent)
        patch.setattr(judge, "train_judge", partial(judge.train_judge, trees=20))
        yield


def _absent() -> None:
    raise PackageMissing("aisfx is not here")


def quiet(_: str) -> StepCallback:
    return no_steps


@pytest.fixture(scope="module")
def reported(
    run: Run, small: None, tiny_pack: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Path, dict[str, Any]]:
    """The pack with its card, the sheet, and the figures."""
    pack = tmp_path_factory.mktemp("report") / "tiny"
    shutil.copytree(tiny_pack, pack)
    sheet = pack.parent / "sheet.png"
    figures = report.write_report(run, pack, sheet, quiet, each=1)
    return pack, sheet, dict(figures)


def test_the_card_is_what_the_figures_say(
    reported: tuple[Path, Path, dict[str, Any]],
) -> None:
    pack, sheet, figures = reported
    read = json.loads((pack / "figures.json").read_text(encoding="utf-8"))
    assert read == figures
    assert (pack / "README.md").read_text(encoding="utf-8") == write_card(read)
    with Image.open(sheet) as picture:
        assert figures["pack"]["digest"] in picture.info["Source"]
        assert picture.mode == "P"


def test_every_bar_stands_in_the_first_table_of_the_card(
    reported: tuple[Path, Path, dict[str, Any]],
) -> None:
    figures = reported[2]
    card = write_card(figures)
    first = card[card.index("## Every bar") : card.index("## How to read")]
    found = bars(figures)
    assert all(f"| {bar.what} |" in first and bar.outcome in first for bar in found)
    assert len({bar.what for bar in found}) == len(found)


def test_a_judge_that_is_not_there_leaves_its_bars_unmeasured(
    reported: tuple[Path, Path, dict[str, Any]],
) -> None:
    absent = [bar for bar in bars(reported[2]) if "aisfx" in bar.what]
    assert len(absent) == 6
    assert {bar.outcome for bar in absent} == {"not measured: the package aisfx is not installed"}
    assert "Not measured: the package aisfx is not installed." in write_card(reported[2])


def test_rows_are_asked_for_and_compared_class_by_class(
    reported: tuple[Path, Path, dict[str, Any]],
) -> None:
    found = reported[2]["judges"]["judge"]
    rows = found["naming"]["rows"]
    assert found["taught_by"] == len(KINDS) * COUNTS["judge"]
    assert rows["real"]["sounds"] == len(KINDS) * COUNTS["test"]
    assert (rows["words"]["sounds"], rows["pictures"]["sounds"]) == (3, 2)
    assert found["distance"]["pictures"]["sounds"] == 2
    assert reported[2]["copies"]["tokens"]["generated"] == 5
    assert reported[2]["retrieval"]["image_to_audio"]["count"] == 2


def test_a_second_report_renders_nothing_and_says_the_same(
    run: Run, reported: tuple[Path, Path, dict[str, Any]], tmp_path: Path
) -> None:
    pack, _, figures = reported
    kept = {path: path.stat().st_mtime_ns for path in (run.work / "report").rglob("*.flac")}
    again = dict(report.write_report(run, pack, tmp_path / "sheet.png", quiet, each=1))
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    assert len(list((run.work / "report").rglob("*.flac"))) == len(kept)
    assert {**again, "speed": None} == {**figures, "speed": None}


def test_guidances_are_compared_without_a_card(
    run: Run, reported: tuple[Path, Path, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report, "FEW", 1)
    card = reported[0] / "README.md"
    before = card.stat().st_mtime_ns
    usual = EFFORTS["final"].guidance
    lines = report.compare_guidances(run, reported[0], [1.0, usual], quiet)
    assert [line.split()[0] for line in lines[1:]] == ["1", "1", f"{usual:g}", f"{usual:g}"]
    assert card.stat().st_mtime_ns == before
    assert EFFORTS["final"].guidance == usual


def test_a_stopped_row_goes_on_where_it_was(run: Run, tmp_path: Path) -> None:
    made: list[int] = []

    def orders(limit: int) -> list[Order]:
        def make(number: int) -> np.ndarray:
            if number >= limit:
                raise Cancelled("enough")
            made.append(number)
            return np.zeros(100, np.float32)

        return [
            Order(item, str(item.number), lambda item=item: make(item.number))  # type: ignore[misc]
            for item in draw(run)[:5]
        ]

    shelf = Shelf(tmp_path)
    with pytest.raises(Cancelled):
        shelf.row("words", orders(3), no_steps)
    steps: list[tuple[int, int]] = []
    row = shelf.row("words", orders(99), lambda step, of: steps.append((step, of)))
    assert sorted(made) == [0, 1, 2, 3, 4]
    assert steps[-1] == (5, 5)
    assert all(path.is_file() for path in row.paths)


def test_a_smaller_draw_is_a_part_of_a_larger_one(run: Run) -> None:
    items = draw(run)
    assert items == draw(run)
    assert set(asked(items, 2)) <= set(asked(items, 4))
    assert all(item.clip.split == "test" for item in items)
    assert all(item.taught and item.taught.split == "train" for item in items)
    assert len({item.taught for item in items}) == len(items)


def test_a_picture_of_a_package_that_training_saw_is_not_asked_for(run: Run) -> None:
    assert {picture.name for picture in unseen_pictures(run)} == {"bell.png", "engine.png"}
    assert {item.kind for item in draw(run) if item.picture} == {"bell", "engine"}


def test_guidance_is_as_before_after_an_error() -> None:
    before = EFFORTS["final"]
    with pytest.raises(Cancelled), guided_by(7.0):
        assert EFFORTS["final"].guidance == 7.0
        raise Cancelled("enough")
    assert EFFORTS["final"] == before
