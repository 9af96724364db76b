"""Prepared samples as conditions of every method, their names, and pictures as still videos."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest
import soundfile
import torch
from click.testing import CliRunner
from PIL import Image

from engine.evaluation import prepared_options
from engine.evaluation.baseline_commands import baselines
from engine.evaluation.baselines import Oracle, Studio
from engine.evaluation.conditions import Draw, item_names, originals, prepared_conditions
from engine.evaluation.mapper import MapperSettings, build_mapper, save_mapper
from engine.evaluation.outputs import LAYOUTS
from engine.evaluation.stills import still_video, write_stills
from engine.steps import no_steps
from engine.training.data.items import SPLITS, Item
from engine.training.data.prepared import PreparedData
from osc_bridge.errors import BadCorpus, NothingToRender

if TYPE_CHECKING:
    from engine.models.loading import LoadedPack


@pytest.fixture
def studio(loaded_tiny_pack: LoadedPack) -> Studio:
    return Studio(loaded_tiny_pack, "preview")


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """A folder of two held-out sounds, one with a picture."""
    folder = tmp_path / "library"
    folder.mkdir()
    chance = np.random.default_rng(1)
    for name in ("sea", "dog"):
        soundfile.write(folder / f"{name}.wav", chance.normal(0, 0.1, 22_050), 44_100)
    Image.new("RGB", (64, 48), "blue").save(folder / "sea.png")
    (folder / "all.csv").write_text("file,class,split\nsea.wav,sea,test\ndog.wav,dog,test\n")
    return folder


def test_a_sample_is_seen_by_its_sources_or_whole_or_read(
    made: Callable[..., Any], prepare: Callable[..., Path], studio: Studio
) -> None:
    several = made("a.wav", sources=2)
    whole = made("b.wav", sources=0)
    read = made("c.wav", kinds=("translated", "words"))
    unseen, silent = made("d.wav", kinds=()), made("e.png", sources=1, is_heard=False)
    data = PreparedData(prepare([several, whole, read, unseen, silent]))
    a, b, c, e = prepared_conditions(studio, data, range(len(data)), 0.4)
    assert len(studio.perceive(a).sources) == 2
    frame = studio.perceive(b).frame
    assert frame is not None
    assert (studio.perceive(b).sources[0].vector == frame).all()
    assert studio.perceive(c).frame is None
    assert studio.perceive(c).sources[0].vector.numpy() == pytest.approx(data.array(2, "clip")[1])
    with pytest.raises(NothingToRender, match="e has no real sound"):
        Oracle(studio).sound(e, 1)
    assert (studio.real(a) == torch.from_numpy(data.array(0, "clap"))).all()


def test_names_are_files_and_stay_in_their_folder(
    made: Callable[..., Any], prepare: Callable[..., Path]
) -> None:
    samples = [
        made("x/bell.wav", foley_class="bell"),
        made("y/bell.wav", foley_class="bell"),
        made("../../up.ogg", foley_class="../away"),
        made("-kX_000030"),
        made("x-bell.wav"),
    ]
    data = PreparedData(prepare(samples))
    names = item_names(data, range(5))
    assert names[0] == "bell/x-bell-wav"
    assert names[1] == "bell/y-bell-wav"
    assert names[2] == "away/up"
    assert names[3] == "kX_000030"
    assert len(set(names)) == 5


def test_more_samples_are_added_to_fewer(
    made: Callable[..., Any], prepare: Callable[..., Path]
) -> None:
    data = PreparedData(prepare([made(f"{n}.wav") for n in range(20)]))
    few, more = Draw("test", 5).rows(data), Draw("test", 9).rows(data)
    assert (len(few), len(more)) == (5, 9)
    assert set(few) < set(more)
    assert Draw("test", 100).rows(data) == list(range(20))


def test_files_of_other_data_are_refused(
    made: Callable[..., Any], prepare: Callable[..., Path], library: Path
) -> None:
    data = PreparedData(prepare([made("cat.wav")]))
    with pytest.raises(BadCorpus, match=r"none of the 1 samples, e.g. 'cat.wav'"):
        originals([library], data, [0])


def test_every_method_renders_the_same_samples(
    made: Callable[..., Any],
    prepare: Callable[..., Path],
    library: Path,
    tiny_pack: Path,
    loaded_tiny_pack: LoadedPack,
    tmp_path: Path,
) -> None:
    data = prepare([made("sea.wav", foley_class="sea", sources=1), made("dog.wav")])
    pack = loaded_tiny_pack
    mapper = tmp_path / "m.safetensors"
    sizes = MapperSettings(pack.images.dim, pack.audio.dim, 8)
    save_mapper(build_mapper(sizes, 1), pack.manifest.digest, mapper)
    out = tmp_path / "out"
    words = ["render", "--data", str(data), "--out", str(out), "--pack", str(tiny_pack)]
    words += ["--mapper", str(mapper), "--library", str(library), "--seconds", "0.4", "--preview"]
    for name in ("ssv2a", "cascade", "mapper", "oracle", "truth"):
        words += ["--method", name]
    result = CliRunner().invoke(baselines, words, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    found = {path.relative_to(out).as_posix() for path in out.rglob("*.wav")}
    methods = ("ssv2a", "cascade", "mapper", "oracle", "truth")
    assert found == {f"{m}/{name}.wav" for m in methods for name in ("sea/sea", "dog")}
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*.wav")}
    CliRunner().invoke(baselines, words, catch_exceptions=False)
    assert before == {path: path.stat().st_mtime_ns for path in out.rglob("*.wav")}
    with pytest.raises(BadCorpus, match="sounds made with other seed"):
        CliRunner().invoke(baselines, [*words, "--seed", "9"], catch_exceptions=False)


def test_the_truth_needs_its_folder(
    made: Callable[..., Any], prepare: Callable[..., Path], tmp_path: Path
) -> None:
    words = ["render", "--data", str(prepare([made("a.wav")])), "--method", "truth"]
    result = CliRunner().invoke(baselines, [*words, "--out", str(tmp_path / "o")])
    assert result.exit_code == 2
    assert "--library" in result.output


def test_pictures_are_written_for_methods_that_see_videos(
    made: Callable[..., Any], prepare: Callable[..., Path], library: Path, tmp_path: Path
) -> None:
    data = prepare([made("sea.wav", foley_class="sea"), made("dog.wav")])
    words = ["inputs", "--data", str(data), "--library", str(library), "--layout", "diff-foley"]
    words += ["--out", str(tmp_path / "v"), "--seconds", "2"]
    result = CliRunner().invoke(baselines, words, catch_exceptions=False)
    assert "1 videos at 4 frames/s" in result.stdout
    assert "left out: dog: it has no picture" in result.stderr
    assert [path.name for path in (tmp_path / "v").iterdir()] == ["sea.mp4"]


def test_a_picture_becomes_a_still_video_at_the_methods_rate(tmp_path: Path) -> None:
    path = tmp_path / "still.mp4"
    still_video(Image.new("RGB", (64, 48), "blue"), path, LAYOUTS["diff-foley"], 2.0)
    video = cv2.VideoCapture(str(path))
    assert video.get(cv2.CAP_PROP_FPS) == 4.0
    assert video.get(cv2.CAP_PROP_FRAME_COUNT) == 8
    _, frame = video.read()
    video.release()
    assert frame[256, 256, 0] > 200  # blue, in the middle of black
    assert frame[5, 5].max() < 30


def test_a_broken_picture_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "x.png").write_bytes(b"none")
    items = {"a/x": Item("x.wav", picture=tmp_path / "x.png"), "y": None}
    left_out = write_stills(items, tmp_path / "v", LAYOUTS["mmaudio"], 1.0, no_steps)
    assert [line.split(":")[0] for line in left_out] == ["a/x", "y"]


def test_the_same_sample_sounds_the_same_beside_others(
    made: Callable[..., Any], prepare: Callable[..., Path], studio: Studio
) -> None:
    data = PreparedData(prepare([made("a.wav"), made("b.wav")]))
    both = prepared_conditions(studio, data, range(len(data)), 0.4)
    oracle = Oracle(studio)
    assert (oracle.sound(both[0], 5).wave == oracle.sound(replace(both[0]), 5).wave).all()


def test_the_commands_splits_are_those_that_exist() -> None:
    assert prepared_options.SPLITS == SPLITS
