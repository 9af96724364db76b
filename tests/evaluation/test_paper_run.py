"""``wildtrack evaluate --paper`` through all parts, with a tiny pack and a made-up corpus."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from click.testing import CliRunner, Result
from PIL import Image, ImageDraw
from torch.nn import functional

from engine.evaluation import (
    judge,
    paper_ablations,
    paper_bench,
    paper_generation,
    paper_others,
    paper_run,
)
from engine.evaluation.bootstrap import Bootstrap
from engine.evaluation.commands import evaluate as command
from engine.evaluation.compositions import SCENES
from engine.evaluation.paper_ablations import held_clips, learned_clips
from engine.evaluation.paper_bench import Bench, side_by_side
from engine.evaluation.paper_items import mixture, scenes, singles
from engine.evaluation.paper_page import write_page
from engine.evaluation.paper_pairs import held_pairs, taught_pairs
from engine.evaluation.paper_parts import PARTS
from engine.evaluation.paper_wish import PaperWish, Scale
from engine.evaluation.rendering import Renderer
from engine.models.loading import LoadedPack, load_codec
from engine.steps import StepCallback, no_steps
from engine.training.ablations import Budget
from engine.training.corpus import read_clips, read_pictures
from osc_bridge.errors import BadCorpus, Cancelled, FileMissing, OutOfRange

RATE = 22_050
COLOURS = {"engine": "red", "rain": "blue", "bell": "green"}
EACH = {"test": 5, "judge": 5, "train": 10}
SMALL = Scale(
    each=2,
    singles=6,
    scenes=4,
    pairs=6,
    mapper_steps=3,
    draws=2,
    learned=20,
    learned_scenes=4,
    held=15,
    held_scenes=6,
)
FEW = Budget(fold_steps=2, remix_steps=2, pairs=4, scenes=4, seeds=(1, 2))


def quiet(name: str) -> StepCallback:
    return no_steps


def wave_of(kind: str, draw: np.random.Generator) -> np.ndarray:
    time = np.arange(int(draw.uniform(0.3, 0.4) * RATE)) / RATE
    tone = {"engine": 100.0, "bell": 2000.0}.get(kind)
    clean = np.zeros(len(time)) if tone is None else np.sin(2 * np.pi * tone * time)
    return 0.4 * clean + draw.normal(0, 0.1, len(time))


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three classes in every split, and a picture of each that is held out and one that is not."""
    folder = tmp_path_factory.mktemp("corpus")
    draw = np.random.default_rng(1)
    sounds, pictures = [], []
    for kind, colour in COLOURS.items():
        for split, count in EACH.items():
            for number in range(count):
                name = f"{kind}-{split}-{number}.wav"
                soundfile.write(folder / name, wave_of(kind, draw), RATE)
                sounds.append([name, split, "0.35", f"a {kind}", kind, "CC0", split, ""])
        for package in ("test", "shown"):
            name = f"{kind}-{package}.png"
            picture = Image.new("RGBA", (40, 30), (0, 0, 0, 0))
            ImageDraw.Draw(picture).ellipse((5, 5, 35, 25), fill=colour)
            picture.save(folder / name)
            pictures.append([name, f"a {kind}", kind, "CC0", package, "cutouts"])
    head = ["file", "split", "duration_s", "text", "foley_class", "licence", "package", "image"]
    table(folder / "sounds.csv", [head, *sounds])
    head = ["file", "text", "foley_class", "licence", "package", "role"]
    table(folder / "images.csv", [head, *pictures])
    return folder


def table(path: Path, rows: list[list[str]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)


class Colours:
    """Sees pictures as 16 x 8 pixels, at once."""

    dim = 384

    def encode(self, images: Sequence[Image.Image]) -> torch.Tensor:
        rows = [np.asarray(image.convert("RGB").resize((16, 8)), np.float32) for image in images]
        return functional.normalize(torch.tensor(np.stack(rows)).flatten(1) + 1, dim=-1)


@pytest.fixture(scope="module", autouse=True)
def small(loaded_tiny_pack: LoadedPack, tiny_pack: Path) -> Iterator[None]:
    """Few trees, few scenes, and a pack that sees at once."""
    pack = replace(loaded_tiny_pack, images=Colours())
    renderer = Renderer(pack, load_codec(tiny_pack, pack.manifest))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(paper_bench, "load_pack", lambda name: pack)
        patch.setattr(paper_bench, "renderer_of", lambda folder: renderer)
        patch.setattr(judge, "train_judge", partial(judge.train_judge, trees=20))
        patch.setattr(paper_generation, "SCENES", [SCENES[0], SCENES[4]])
        patch.setattr(paper_generation, "COMPOSED_S", 0.4)
        patch.setattr(paper_generation, "COMPOSED_SEEDS", 1)
        patch.setattr(paper_others, "MUTED_SCENES", 1)
        patch.setattr(paper_ablations, "BUDGET", FEW)
        yield


def wish_of(corpus: Path, work: Path, pack: Path) -> PaperWish:
    return PaperWish(corpus, work, str(pack), how=Bootstrap(draws=10), scale=SMALL)


@pytest.fixture(scope="module")
def done(corpus: Path, tiny_pack: Path, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """A bench with every part measured."""
    work = tmp_path_factory.mktemp("work")
    bench = Bench(wish_of(corpus, work, tiny_pack), quiet)
    paper_run.measure(bench, PARTS)
    return bench


def measured(bench: Bench, name: str) -> dict[str, Any]:
    found: dict[str, Any] = paper_run.figures(bench)["parts"][name]["measured"]
    return found


def test_every_part_is_there_and_makes_a_page(done: Bench) -> None:
    found = paper_run.figures(done)
    assert list(found["parts"]) == list(PARTS)
    page = write_page(found)
    assert "has not been run yet" not in page
    assert str(done.wish.work) not in page
    reasons = dict(paper_run.reasons(found))
    assert set(reasons) == {"synchrony", "starter"}
    assert "--offsets" in reasons["synchrony"]


@pytest.mark.parametrize("section", ["single", "multi"])
def test_every_method_meets_the_same_sounds(done: Bench, section: str) -> None:
    found = measured(done, section)
    wanted = ["real", "codec", "oracle", "mapper", "pictures", "words"]
    wanted[4:4] = ["cascade"] if section == "multi" else []
    assert list(found["rows"]) == wanted
    assert {row["sounds"] for row in found["rows"].values()} == {found["sounds"]}
    for row in found["rows"].values():
        assert all(of["low"] <= of["value"] <= of["high"] for of in row["measures"].values())


def test_real_sounds_are_perfect_and_a_scene_has_no_class(done: Bench) -> None:
    for section in ("single", "multi"):
        real = measured(done, section)["rows"]["real"]["measures"]
        assert real["frechet judge"]["value"] == pytest.approx(0, abs=1e-6)
        assert real["ssms judge"]["value"] == 10
        assert ("top_1 judge" in real) == (section == "single")


def test_what_is_not_installed_is_named(done: Bench) -> None:
    assert "beats" in measured(done, "single")["missing"]
    assert "picture pack" in measured(done, "single")["rows"]["pictures"]["measures"]


def test_the_usual_setting_of_cycle_mix_is_that_of_generation(done: Bench) -> None:
    mixed, plain = measured(done, "cycle-mix")["single"], measured(done, "single")
    assert mixed["rows"]["64 x 64"] == plain["rows"]["pictures"]
    assert mixed["rows"]["1 x 1"] != plain["rows"]["pictures"]


def test_a_second_run_measures_nothing_and_says_the_same(
    done: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(bench: Bench) -> dict[str, Any]:
        raise AssertionError("measured again")

    monkeypatch.setattr(paper_run, "_MEASURES", dict.fromkeys(PARTS, never))
    again = Bench(done.wish, quiet)
    paper_run.measure(again, PARTS)
    assert paper_run.figures(again)["parts"] == paper_run.figures(done)["parts"]


def test_another_seed_makes_every_part_unknown(done: Bench) -> None:
    other = Bench(replace(done.wish, seed=2), quiet)
    assert paper_run.figures(other)["parts"] == {}


def test_offsets_make_their_part_unknown_and_are_measured(done: Bench, tmp_path: Path) -> None:
    offsets = tmp_path / "offsets.csv"
    offsets.write_text("name,-0.2,0.0,0.2\nhum,0.5,0.25,0.25\n")
    other = Bench(replace(done.wish, offsets=offsets), quiet)
    assert set(PARTS) - set(paper_run.figures(other)["parts"]) == {"synchrony"}
    found = paper_others.synchrony(other)
    assert found["top_1_s"]["value"] == pytest.approx(0.2)
    figures = paper_run.figures(done)
    figures["parts"]["synchrony"]["measured"] = found
    assert "| ours | 0.200 (0.200 to 0.200) |" in write_page(figures)


def test_ablations_have_every_row_and_share_no_sound_between_learned_and_held(
    done: Bench,
) -> None:
    found = measured(done, "ablations")
    assert list(found["table_4"]) == ["CLIP only", "manifold only", "both"]
    assert list(found["table_5"]) == ["0", "0.35", "0.65", "1"]
    assert found["learned"] == {"sounds": 20, "scenes": 4}
    paths = [{clip.path for clip in part(done)} for part in (learned_clips, held_clips)]
    assert paths[0].isdisjoint(paths[1])


def test_a_broken_record_is_refused(done: Bench, tmp_path: Path) -> None:
    bench = Bench(replace(done.wish, work=tmp_path), quiet)
    for content in ("", "[]", '{"of": 1}'):
        (tmp_path / "single.json").write_text(content)
        with pytest.raises(BadCorpus, match=r"single\.json .*remove it to measure anew"):
            paper_run.known(bench, "single")


def test_a_stopped_part_leaves_no_record_and_keeps_its_sounds(done: Bench, tmp_path: Path) -> None:
    def stage(name: str) -> StepCallback:
        return stop if name == "single: oracle" else no_steps

    def stop(step: int, of: int) -> None:
        if step == 2:
            raise Cancelled("Stopped.")

    bench = Bench(replace(done.wish, work=tmp_path), stage)
    with pytest.raises(Cancelled):
        paper_run.measure(bench, ["single"])
    assert not (tmp_path / "single.json").exists()
    assert len(list((bench.folder / "single" / "oracle").iterdir())) == 2


def test_a_part_that_cannot_be_measured_says_why_without_this_machines_paths(
    done: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(bench: Bench) -> dict[str, Any]:
        raise OutOfRange(f"{bench.wish.data / 'a.wav'} is too short; ask {sys.executable}.")

    monkeypatch.setattr(paper_run, "_MEASURES", dict.fromkeys(PARTS, fails))
    bench = Bench(replace(done.wish, work=tmp_path), quiet)
    paper_run.measure(bench, ["muting"])
    assert measured(bench, "muting") == {"why": "CORPUS/a.wav is too short; ask python."}


def test_held_out_pictures_are_of_the_test_packages_alone(corpus: Path) -> None:
    clips, pictures = read_clips(corpus), read_pictures(corpus)
    items = singles(clips, pictures, SMALL, 1)
    assert len(items) == 6
    assert {path.name for item in items for path in item.pictures} == {
        f"{kind}-test.png" for kind in COLOURS
    }
    assert all("-test-" in path.name for item in items for path in item.sounds)
    assert items == singles(clips, pictures, SMALL, 1)


def test_scenes_hold_different_classes_and_sound_as_their_parts(corpus: Path) -> None:
    items = singles(read_clips(corpus), read_pictures(corpus), SMALL, 1)
    made = scenes(items, 5, 1)
    assert all(len(set(item.kinds)) == len(item.kinds) >= 2 for item in made)
    whole, parts = (
        mixture(made[0]),
        [mixture(replace(made[0], sounds=(p,))) for p in made[0].sounds],
    )
    expected = np.zeros(len(whole))
    for part in parts:
        expected[: len(part)] += part[: len(whole)]
    assert whole == pytest.approx(expected / max(1.0, np.abs(expected).max()), abs=1e-4)
    assert scenes(items[:1], 5, 1) == []


def test_pairs_to_learn_from_and_held_out_ones_share_nothing(corpus: Path) -> None:
    clips, pictures = read_clips(corpus), read_pictures(corpus)
    taught, held = taught_pairs(clips, pictures, 100, 1), held_pairs(clips, pictures)
    assert {pair.audio for pair in taught}.isdisjoint({pair.audio for pair in held})
    shown = {pair.picture for pair in taught if pair.picture}
    assert shown == {corpus / f"{kind}-shown.png" for kind in COLOURS}
    assert shown.isdisjoint({pair.picture for pair in held})
    assert len([pair for pair in held if pair.picture]) == len(COLOURS)


def test_pictures_stand_side_by_side_on_white() -> None:
    whole = side_by_side([Image.new("RGB", (500, 500), "red"), Image.new("RGBA", (10, 10))])
    assert whole.size == (480, 240)
    assert whole.getpixel((120, 120)) == (255, 0, 0)
    assert whole.getpixel((360, 120)) == (255, 255, 255)


def test_a_corpus_without_tables_and_a_scale_of_nothing(tmp_path: Path, tiny_pack: Path) -> None:
    with pytest.raises(FileMissing, match=r"no sounds\.csv .*--data"):
        wish_of(tmp_path, tmp_path, tiny_pack).key("digest")
    with pytest.raises(OutOfRange, match="scenes is 0"):
        Scale(scenes=0)


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(command, [str(word) for word in words])


def test_the_command_writes_page_and_figures(corpus: Path, tiny_pack: Path, tmp_path: Path) -> None:
    options = ("--pack", tiny_pack, "--work", tmp_path / "w", "--out", tmp_path / "docs")
    done = run("--paper", "--data", corpus, *options, "--part", "synchrony", "--draws", "10")
    assert done.exit_code == 0, done.output
    assert "1 of 10 parts are known" in done.output
    assert "not measured: synchrony: needs videos" in done.output
    figures = json.loads((tmp_path / "docs" / "evaluation.json").read_text("utf-8"))
    page = (tmp_path / "docs" / "evaluation.md").read_text("utf-8")
    assert page == write_page(figures)
    assert figures["setting"]["how"]["draws"] == 10


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "Give two folders, GENERATED and REFERENCE; or --paper and --data DIR."),
        (("--paper",), "--paper needs the corpus: --data DIR."),
        (("--paper", "--data", ".", "--teach", "."), "--teach: only without --paper."),
        (("--paper", "--data", ".", ".", "."), "only without --paper."),
        ((".", ".", "--part", "single"), "--part: only with --paper."),
    ],
)
def test_the_two_ways_of_use_are_kept_apart(words: tuple[str, ...], said: str) -> None:
    done = run(*words)
    assert done.exit_code == 2
    assert said in done.output


def test_help_names_the_parts() -> None:
    shown = run("--help").output
    assert "--paper" in shown
    assert all(name in shown for name in PARTS)
