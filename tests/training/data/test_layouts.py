"""The paper's data sets as their authors publish them, made up in small."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.training.data.layouts import read_library
from osc_bridge.errors import BadCorpus

Write = Callable[..., Path]


def test_vggsound(tmp_path: Path, tone: Write, film: Write) -> None:
    film(tmp_path / "video" / "---g-f_I2yQ_000001.avi")
    tone(tmp_path / "audio" / "---g-f_I2yQ_000001.wav")
    tone(tmp_path / "audio" / "0nYltlo90Zc_147000_157000.wav")
    (tmp_path / "vggsound.csv").write_text(
        '---g-f_I2yQ,1,people marching,test\n0nYltlo90Zc,147,"donkey, ass braying",train\n'
        "absent_absent,30,dog barking,train\n".replace("absent_absent", "aaaaaaaaaaa")
    )
    found = read_library(tmp_path)
    first, second = found.items
    assert (first.text, first.split) == ("people marching", "test")
    assert first.video is not None
    assert first.sound is not None
    assert (second.text, second.foley_class) == ("donkey, ass braying", "donkey_ass_braying")
    assert second.package == "0nYltlo90Zc"
    assert [bad.name for bad in found.missing] == ["aaaaaaaaaaa_000030"]
    assert {item.licence for item in found.items} == {"unknown"}


def test_vggss(tmp_path: Path, tone: Write, picture: Write) -> None:
    rows = [
        {"file": "zpWuikVorYg_000032", "class": "elk bugling", "bbox": [[0.4, 0.2, 0.6, 0.7]]},
        {
            "file": "ORaz32CQ29k_000130",
            "class": "coyote howling",
            "bbox": [[0.1, 0.1, 0.6, 0.8], [0.7, 0.2, 0.9, 0.5], [0.006, 0.01, 0.006, 0.01]],
        },
    ]
    for row in rows:
        tone(tmp_path / "audio" / f"{row['file']}.wav")
        picture(tmp_path / "frames" / f"{row['file']}.jpg")
    (tmp_path / "vggss.json").write_text(json.dumps(rows))
    items = {item.text: item for item in read_library(tmp_path).items}
    assert items["elk bugling"].boxes == ((0.4, 0.2, 0.6, 0.7),)
    assert len(items["coyote howling"].boxes) == 2
    assert all(item.picture and item.sound for item in items.values())


def test_music(tmp_path: Path, tone: Write) -> None:
    (tmp_path / "MUSIC_solo_videos.json").write_text(
        json.dumps({"version": 1.0, "videos": {"acoustic_guitar": ["ABVrCfreq58", "zzzzzzzzzzz"]}})
    )
    (tmp_path / "MUSIC_duet_videos.json").write_text(
        json.dumps({"version": 1.0, "videos": {"flute violin": ["8DHG_hVSw1o"]}})
    )
    tone(tmp_path / "solo" / "ABVrCfreq58.wav")
    tone(tmp_path / "duet" / "8DHG_hVSw1o.wav")
    found = read_library(tmp_path)
    said = {(item.text, item.foley_class, item.split) for item in found.items}
    assert said == {
        ("playing acoustic guitar", "acoustic_guitar", "test"),
        ("playing flute and violin", "", "test"),
    }
    assert [bad.name for bad in found.missing] == ["zzzzzzzzzzz"]


def test_imagehear(tmp_path: Path, picture: Write) -> None:
    root = tmp_path / "ImageHear"
    for name in ("accordion1", "accordion2", "police1"):
        picture(root / f"{name}.jpg")
    items = read_library(root).items
    assert [item.foley_class for item in items] == ["accordion", "accordion", "police"]
    assert all(item.sound is None and item.picture for item in items)


def test_avsync15(tmp_path: Path, tone: Write, film: Write) -> None:
    clip = "frog_croaking/PUTvgrTcdZ0_000014_000024_0.0_5.0"
    film(tmp_path / "videos" / f"{clip}.avi").rename(tmp_path / "videos" / f"{clip}.mp4")
    tone(tmp_path / "videos" / f"{clip}.wav")
    (tmp_path / "train.txt").write_text(f"{clip}.mp4\n")
    (tmp_path / "test.txt").write_text("dog_barking/absent.mp4\n\n")
    found = read_library(tmp_path)
    (item,) = found.items
    assert (item.text, item.split, item.package) == ("frog croaking", "train", "PUTvgrTcdZ0")
    assert item.sound is not None
    assert [bad.name for bad in found.missing] == ["dog_barking/absent.mp4"]


def test_the_starters_own_corpus(corpus: Path) -> None:
    found = read_library(corpus)
    items = {item.name: item for item in found.items}
    assert len(items) == 9
    assert [ground.name for ground in found.grounds] == ["ground.png"]
    own, held_out = items["c.wav"], items["e.wav"]
    assert own.picture is not None
    assert own.picture.name == "red.png"
    assert [path.name for path in items["d.wav"].alike] == ["red.png"]
    assert held_out.alike == ()
    assert items["a.wav"].alike == (), "the blue ball comes from a package that is held out"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("vggss.json", "[1]"),
        ("vggss.json", "{"),
        ("vggsound.csv", "only,two\n"),
        ("vggss.json", ""),
        ("vggsound.csv", f"id,1,{'x' * 200_000},train\n"),
    ],
)
def test_lists_of_another_shape_are_refused(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(BadCorpus, match="--layout folder"):
        read_library(tmp_path)
