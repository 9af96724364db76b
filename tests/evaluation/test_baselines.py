"""Baselines behind one interface, outputs of other methods by their names, and the table of A.6."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import soundfile
import torch
from click.testing import CliRunner
from PIL import Image

from engine.evaluation import outputs
from engine.evaluation.baseline_commands import _layouts, _own, baselines
from engine.evaluation.baselines import (
    NAMES,
    Cascaded,
    Composed,
    Condition,
    Made,
    Mapped,
    Oracle,
    Sound,
    Studio,
    Truth,
    own_method,
)
from engine.evaluation.compositions import (
    KINDS,
    SCENES,
    Composition,
    Ear,
    averages,
    both_ways,
    compare,
    compare_scenes,
    framed,
    pulse,
    read_compositions,
)
from engine.evaluation.conditions import Draw, render_all, write_sound
from engine.evaluation.mapper import Mapper, MapperSettings
from engine.evaluation.outputs import LAYOUTS, fit, parse_method, read_outputs
from engine.perception.base import Region
from engine.perception.mel import MEL
from engine.steps import StepCallback, no_steps
from engine.training.data.prepared import PreparedData
from osc_bridge.errors import BadCorpus, FileMissing, NothingToRender, OutOfRange

if TYPE_CHECKING:
    from engine.models.loading import LoadedPack

TWO = Condition("two", 0.4, texts=("a dog", "the rain"))


class LeftHalf:
    """A detector that finds one thing in every picture, at once."""

    def detect(self, image: Image.Image, on_step: StepCallback = no_steps) -> list[Region]:
        return [Region((0, 0, image.width // 2, image.height), "thing", 0.9)]


@pytest.fixture(scope="module")
def studio(loaded_tiny_pack: LoadedPack) -> Studio:
    return Studio(replace(loaded_tiny_pack, detector=LeftHalf()), "preview")


@pytest.fixture
def recorded(tmp_path: Path) -> Condition:
    """A condition with a picture and its real sound."""
    Image.new("RGB", (64, 48), "blue").save(tmp_path / "sea.png")
    chance = np.random.default_rng(1)
    soundfile.write(tmp_path / "sea.wav", chance.normal(0, 0.1, 44_100), 44_100)
    return Condition("sea", 0.5, image=tmp_path / "sea.png", reference=tmp_path / "sea.wav")


def fresh_mapper(pack: LoadedPack) -> Mapper:
    torch.manual_seed(1)
    return Mapper(MapperSettings(pack.images.dim, pack.audio.dim, 16)).eval()


def test_every_method_gives_one_sound_of_the_asked_length(
    studio: Studio, recorded: Condition
) -> None:
    mapper = fresh_mapper(studio.pack)
    for name in NAMES:
        method = own_method(name, studio, mapper)
        sound = method.sound(recorded, 7)
        assert sound.wave.shape == (round(0.5 * sound.rate_hz),), name
        assert np.isfinite(sound.wave).all()
        assert (sound.wave == method.sound(recorded, 7).wave).all(), name


def test_the_cascade_is_the_sum_of_its_sources(studio: Studio) -> None:
    cascade = Cascaded(studio)
    dog, rain = (cascade.sound(replace(TWO, texts=(text,)), 3) for text in TWO.texts)
    both = cascade.sound(TWO, 3)
    second = cascade.sound(replace(TWO, texts=("the rain",)), 4)
    expected = dog.wave + second.wave
    expected /= max(1.0, float(np.abs(expected).max()))
    assert both.wave == pytest.approx(expected, abs=1e-6)
    assert not np.allclose(rain.wave, second.wave)


def test_composition_is_one_sound_and_not_the_sum(studio: Studio) -> None:
    composed = Composed(studio).sound(TWO, 3)
    assert not np.allclose(composed.wave, Cascaded(studio).sound(TWO, 3).wave)


def test_the_oracle_hears_the_reference_and_nothing_else(
    studio: Studio, recorded: Condition
) -> None:
    oracle = Oracle(studio)
    other = replace(recorded, image=None, texts=("something else",))
    assert (oracle.sound(recorded, 1).wave == oracle.sound(other, 1).wave).all()


def test_the_truth_is_the_recording(recorded: Condition) -> None:
    sound = Truth(44_100).sound(recorded, 1)
    assert recorded.reference
    wave, _ = soundfile.read(recorded.reference, dtype="float32")
    wave = wave * 0.9 / np.abs(wave).max()
    close = np.correlate(wave[: len(sound.wave)], sound.wave)[0] / np.square(sound.wave).sum()
    assert close == pytest.approx(1, abs=1e-3)


def test_all_methods_perceive_the_same_once(studio: Studio) -> None:
    own = Studio(studio.pack, "preview")
    assert own.perceive(TWO) is own.perceive(replace(TWO))
    assert own.perceive(TWO) is not own.perceive(replace(TWO, texts=("a dog",)))


def test_what_is_missing_is_named(studio: Studio) -> None:
    with pytest.raises(NothingToRender, match="no picture, words or sounds"):
        Composed(studio).sound(Condition("empty", 1.0), 1)
    with pytest.raises(NothingToRender, match="the truth in --library"):
        Oracle(studio).sound(TWO, 1)
    with pytest.raises(NothingToRender, match="mapper's file is missing"):
        own_method("mapper", studio, None)


def test_the_mapper_cannot_hear(studio: Studio, recorded: Condition) -> None:
    assert recorded.reference
    mapped = Mapped(studio, fresh_mapper(studio.pack))
    with pytest.raises(NothingToRender, match="needs a picture"):
        mapped.sound(Condition("s", 0.4, sounds=(recorded.reference,)), 1)
    with_sound = replace(recorded, sounds=(recorded.reference,))
    assert (mapped.sound(recorded, 1).wave == mapped.sound(with_sound, 1).wave).all()


PLACES = {
    "plain": ("a dog.wav", "a dog"),
    "im2wav": ("exp/k_top0_p_top0/model/l0/a dog.wav", "a dog.jpg"),
    "diff-foley": ("a dog_CFG4.5_CG50_DPM_Solver_25_useDG_True/sample_0_diff.wav", "a dog"),
    "seeing-and-hearing": ("results_inf_steps30_lr0.1/set/name_a dog_seed30.wav", "a dog"),
    "foleycrafter": ("audio/a dog.wav", "a+dog"),
    "mmaudio": ("a dog.flac", "a dog"),
}


@pytest.mark.parametrize("layout", PLACES)
def test_outputs_are_found_by_the_methods_own_names(layout: str, tmp_path: Path) -> None:
    name, item = PLACES[layout]
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    rate = LAYOUTS[layout].rate_hz or 22_050
    soundfile.write(path, np.full(rate, 0.25), rate)
    found = read_outputs(tmp_path, layout)
    assert found.path(item) == path
    wave = Made(found, 48_000).sound(Condition(item, 0.5), 1).wave
    assert wave.shape == (24_000,)
    assert wave[10_000:12_000] == pytest.approx(0.25, abs=0.01)
    assert Made(found, 8_000).sound(Condition(item, 1.5), 1).wave[11_000:].max() == 0


def test_coarse_levels_and_further_takes_are_not_taken_for_the_sound(tmp_path: Path) -> None:
    for name in ("l0/x.wav", "l1/x.wav"):
        (tmp_path / name).parent.mkdir()
        soundfile.write(tmp_path / name, np.zeros(1600), 16_000)
    assert read_outputs(tmp_path, "im2wav").path("x").parent.name == "l0"
    folder = tmp_path / "d" / "x_CFG4.5"
    folder.mkdir(parents=True)
    for take in (10, 2):
        soundfile.write(folder / f"sample_{take}_diff.wav", np.zeros(1600), 16_000)
    found = read_outputs(tmp_path / "d", "diff-foley")
    assert found.path("x").name == "sample_2_diff.wav"
    assert found.path("x", 1).name == "sample_10_diff.wav"


def test_missing_outputs_and_layouts_are_named(tmp_path: Path) -> None:
    with pytest.raises(FileMissing, match="0 items"):
        read_outputs(tmp_path).path("dog")
    with pytest.raises(OutOfRange, match="known are plain, im2wav"):
        read_outputs(tmp_path, "other")
    with pytest.raises(FileMissing, match="no folder"):
        read_outputs(tmp_path / "none")


def test_methods_in_words() -> None:
    assert parse_method("Ours=a/b") == ("Ours", "plain", Path("a/b"))
    assert parse_method("Diff-Foley=x") == ("Diff-Foley", "diff-foley", Path("x"))
    assert parse_method("Mine:mmaudio=x=y") == ("Mine", "mmaudio", Path("x=y"))
    with pytest.raises(OutOfRange, match="NAME=FOLDER"):
        parse_method("nothing")


def test_the_commands_choices_are_those_that_exist() -> None:
    assert _layouts == tuple(outputs.LAYOUTS)
    assert _own == NAMES


def test_fitting_cuts_or_fills() -> None:
    assert fit(np.ones(3, np.float32), 5).tolist() == [1, 1, 1, 0, 0]
    assert fit(np.ones(5, np.float32), 2).tolist() == [1, 1]


def test_rendering_keeps_what_is_there_and_lists_what_fails(studio: Studio, tmp_path: Path) -> None:
    conditions = [TWO, Condition("empty", 1.0)]
    assert [
        line[:6] for line in render_all(Composed(studio), conditions, tmp_path, 1, no_steps)
    ] == ["empty:"]
    before = (tmp_path / "two.wav").stat().st_mtime_ns
    render_all(Composed(studio), conditions, tmp_path, 1, no_steps)
    assert (tmp_path / "two.wav").stat().st_mtime_ns == before
    assert not (tmp_path / "empty.wav").exists()


def test_loud_sounds_are_written_within_full_scale(tmp_path: Path) -> None:
    write_sound(tmp_path / "x.wav", Sound(np.array([2.0, -3.0, 0.5], np.float32), 16_000))
    wave, rate = soundfile.read(tmp_path / "x.wav")
    assert rate == 16_000
    assert wave == pytest.approx([1.0, -1.0, 0.5], abs=1e-6)


def test_regular_onsets_have_a_pulse() -> None:
    regular = np.zeros(3 * MEL.sample_rate, np.float32)
    irregular = regular.copy()
    chance = np.random.default_rng(2)
    hit = chance.normal(0, 0.5, 600).astype(np.float32)
    for number in range(6):
        start = int((0.2 + 0.45 * number) * MEL.sample_rate)
        regular[start : start + 600] += hit
        start = int(chance.uniform(0.1, 2.8) * MEL.sample_rate)
        irregular[start : start + 600] += hit
    assert pulse(regular) > 0.5
    assert pulse(irregular) < 0.75 * pulse(regular)
    assert pulse(np.zeros(MEL.sample_rate, np.float32)) == 0.0


def test_the_table_counts_wins_over_the_cascade(studio: Studio) -> None:
    scene = Composition("context", ("a dog", "the rain"), "a dog in the rain")
    heard = compare([scene], both_ways(studio), Ear(studio), 0.4, (1, 2), no_steps)
    rows = averages(heard)
    assert [(row.kind, row.method, row.scenes) for row in rows] == [
        ("context", "cascade", 2),
        ("context", "ssv2a", 2),
    ]
    assert set(rows[0].wins.values()) == {0}
    wins = sum(b.whole > a.whole for a, b in zip(heard[:2], heard[2:], strict=True))
    assert rows[1].wins["whole"] == wins
    assert rows[1].means["least"] == pytest.approx((heard[2].least + heard[3].least) / 2)


def test_frames_with_several_sources_are_scenes(
    studio: Studio, made: Callable[..., Any], prepare: Callable[..., Path]
) -> None:
    silent = made("d.png", sources=3, is_heard=False)
    samples = [made("a.wav", sources=2), made("b.wav", sources=1), made("c.wav"), silent]
    data = PreparedData(prepare(samples))
    own = Studio(studio.pack, "preview")
    (scene,) = framed(own, data, Draw(), 0.4)
    assert scene.composition == Composition("frame", ("source 1", "source 2"), "a")
    assert scene.wanted[0].tolist() == pytest.approx(data.array(0, "clap").tolist(), abs=1e-6)
    heard = compare_scenes([scene], both_ways(own), Ear(own), (1,), no_steps)
    assert [row.kind for row in averages(heard)] == ["frame", "frame"]
    with pytest.raises(BadCorpus, match="two things were found"):
        framed(own, PreparedData(prepare(samples[1:], "few")), Draw(), 0.4)


def test_our_scenes_are_of_every_kind() -> None:
    assert {scene.kind for scene in SCENES} == set(KINDS)
    assert all(len(scene.sources) >= 2 for scene in SCENES)


def test_scenes_of_a_table(tmp_path: Path) -> None:
    table = tmp_path / "s.csv"
    table.write_text("kind,sources,whole\nstyle,a|b,a like b\n")
    assert read_compositions(table) == [Composition("style", ("a", "b"), "a like b")]
    table.write_text("kind,sources,whole\nmood,a|b,c\n")
    with pytest.raises(BadCorpus, match="line 2: kind is one of"):
        read_compositions(table)


def test_the_table_of_scenes_as_a_command(tiny_pack: Path, tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_text("kind,sources,whole\nstyle,a|b,a like b\n")
    page = tmp_path / "a6.html"
    words = ["compose", "--scenes", str(tmp_path / "s.csv"), "--out", str(page), "--json"]
    words += ["--seconds", "0.4", "--preview", "--pack", str(tiny_pack)]
    result = CliRunner().invoke(baselines, words, catch_exceptions=False)
    found = json.loads(result.stdout)
    assert [row["method"] for row in found["averages"]] == ["cascade", "ssv2a"]
    assert page.read_text().count("data:image/png") == 2


def test_layouts_say_what_methods_want_to_see() -> None:
    result = CliRunner().invoke(baselines, ["layouts", "--json"])
    assert json.loads(result.stdout)["diff-foley"]["frames_per_s"] == 4.0
