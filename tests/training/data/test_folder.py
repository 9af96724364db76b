"""Any folder is read: tables of several shapes, sidecars, names, and what lies beside a sound."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.training.data.folder import read_folder, ucs
from engine.training.data.items import Item, class_name, library, split_name, words_of
from engine.training.data.layouts import read_library
from osc_bridge.errors import BadCorpus, FileMissing

Write = Callable[..., Path]


def only(root: Path) -> Item:
    (item,) = read_folder(root).items
    return item


def test_csv_of_other_columns(tmp_path: Path, tone: Write) -> None:
    tone(tmp_path / "audio" / "1-100032-A-0.wav")
    (tmp_path / "meta").mkdir()
    (tmp_path / "meta" / "esc50.csv").write_text(
        "filename,fold,target,category,license,subset\n1-100032-A-0.wav,1,0,Dog,CC0,validation\n"
    )
    item = only(tmp_path)
    assert (item.text, item.foley_class) == ("dog", "dog")
    assert (item.licence, item.split) == ("CC0", "valid")
    assert item.name == "audio/1-100032-A-0.wav"


def test_table_may_name_stems_and_paths(tmp_path: Path, tone: Write) -> None:
    tone(tmp_path / "clips" / "64760.wav")
    tone(tmp_path / "clips" / "16399.wav")
    (tmp_path / "dev.csv").write_text(
        'fname,labels,caption\n64760,"Strum,Guitar",a strummed guitar\n'
        "clips\\16399.wav,Bell,a bell\n"
    )
    said = {item.name: (item.foley_class, item.text) for item in read_folder(tmp_path).items}
    assert said == {
        "clips/64760.wav": ("strum", "a strummed guitar"),
        "clips/16399.wav": ("bell", "a bell"),
    }


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("captions.json", json.dumps({"a.wav": "rain on a roof"})),
        ("captions.json", json.dumps({"a.wav": {"captions": ["rain on a roof", "other"]}})),
        ("list.json", json.dumps([{"path": "a.wav", "text": "rain on a roof"}])),
        ("wavcaps.json", json.dumps({"n": 1, "data": [{"id": "a", "caption": "rain on a roof"}]})),
        ("list.jsonl", json.dumps({"audio": "a.wav", "caption": "rain on  a\nroof"}) + "\n\n"),
        ("a.json", json.dumps({"text": ["rain on a roof"], "original_data": {"license": "CC0"}})),
        ("a.txt", "rain on a roof\nand more"),
        ("list.tsv", "file\tcaption\na.wav\train on a roof\n"),
        ("list.csv", "\ufefffile;caption\na.wav;rain on a roof\n"),
    ],
)
def test_captions(tmp_path: Path, tone: Write, name: str, text: str) -> None:
    tone(tmp_path / "a.wav")
    (tmp_path / name).write_text(text)
    assert only(tmp_path).text == "rain on a roof"


def test_what_a_table_names_wrongly_is_listed(tmp_path: Path, tone: Write) -> None:
    tone(tmp_path / "a.wav")
    (tmp_path / "list.csv").write_text("file,text\nnot-there.wav,x\n../../etc/passwd,y\na.wav,z\n")
    (tmp_path / "broken.json").write_text("{")
    found = read_folder(tmp_path)
    assert [item.text for item in found.items] == ["z"]
    assert {bad.name for bad in found.missing} == {
        "broken.json",
        "list.csv: not-there.wav",
        "list.csv: ../../etc/passwd",
    }


def test_a_table_of_something_else_is_one_line(tmp_path: Path, tone: Write) -> None:
    tone(tmp_path / "a.wav")
    (tmp_path / "package.json").write_text(json.dumps({"name": "x", "version": "1"}))
    assert [bad.name for bad in read_folder(tmp_path).missing] == ["package.json"]


def test_names_of_two_files_are_not_guessed(tmp_path: Path, tone: Write) -> None:
    tone(tmp_path / "one" / "a.wav")
    tone(tmp_path / "two" / "a.wav")
    (tmp_path / "list.csv").write_text("file,text\na.wav,which\ntwo/a.wav,the second\n")
    found = read_folder(tmp_path)
    assert [item.text for item in found.items] == ["a", "the second"]
    assert [bad.name for bad in found.missing] == ["list.csv: a.wav"]


def test_ucs_names_are_read(tmp_path: Path, tone: Write) -> None:
    tone(tmp_path / "ANMLDog_Bark Large_JD_KENNEL01.wav")
    item = only(tmp_path)
    assert (item.text, item.foley_class) == ("bark large animals dog", "animals_dog")
    assert item.package == "JD_KENNEL01"


@pytest.mark.parametrize(
    ("stem", "foley_class"),
    [
        ("ANMLDog-Ext_Bark_JD_X", "animals_dog"),
        ("ANMLDog_Bark", "animals_dog"),
        ("VEHXyz_Pass By_JD_X", "vehxyz"),
    ],
)
def test_ucs_shapes(stem: str, foley_class: str) -> None:
    said = ucs(stem)
    assert said is not None
    assert said.foley_class == foley_class


@pytest.mark.parametrize("stem", ["a_dog_barks_loudly", "Take_01", "ANMLDog", "DOOR_Slam_A_B"])
def test_other_names_are_not_ucs(stem: str) -> None:
    assert ucs(stem) is None


def test_words_of_names() -> None:
    assert words_of("DoorSlam-03_heavy") == "door slam heavy"
    assert words_of("Tür_02") == "tür"
    assert class_name("Dog, barking!") == "dog_barking"
    assert split_name(" Validation ") == "valid"
    assert split_name("fold 3") == ""


def test_a_picture_of_the_same_stem_belongs_to_a_sound(
    tmp_path: Path, tone: Write, picture: Write
) -> None:
    tone(tmp_path / "sounds" / "dog.wav")
    tone(tmp_path / "sounds" / "cat.wav")
    picture(tmp_path / "pictures" / "dog.png")
    picture(tmp_path / "pictures" / "other.png")
    (tmp_path / "list.csv").write_text("file,image\ncat.wav,pictures/other.png\n")
    seen = {i.name: i.picture and i.picture.name for i in read_folder(tmp_path).items}
    assert seen == {"sounds/cat.wav": "other.png", "sounds/dog.wav": "dog.png"}


def test_a_video_takes_the_sound_beside_it(tmp_path: Path, tone: Write, film: Write) -> None:
    film(tmp_path / "run.avi")
    tone(tmp_path / "run.wav")
    tone(tmp_path / "walk.wav")
    items = {item.name: item for item in read_folder(tmp_path).items}
    assert set(items) == {"run.avi", "walk.wav"}
    assert items["run.avi"].sound == tmp_path / "run.wav"


def test_hidden_files_and_linked_folders_stay_out(tmp_path: Path, tone: Write) -> None:
    tone(tmp_path / "outside" / "b.wav")
    root = tmp_path / "inside"
    tone(root / "a.wav")
    tone(root / ".hidden" / "c.wav")
    (root / "link").symlink_to(tmp_path / "outside")
    assert [item.name for item in read_folder(root).items] == ["a.wav"]


def test_splits_are_drawn_by_package_never_by_file() -> None:
    items = [Item(f"p{n % 40}/{n}.wav", sound=Path("x")) for n in range(400)]
    found = library(items)
    of_package: dict[str, set[str]] = {}
    for item in found.items:
        of_package.setdefault(item.package, set()).add(item.split)
    assert all(len(splits) == 1 for splits in of_package.values())
    held_out = sum(splits == {"test"} for splits in of_package.values())
    assert 0 < held_out < 12
    again = library(list(reversed(items)))
    assert again.digest() == found.digest()


def test_takes_of_one_name_stay_together_in_one_package() -> None:
    names = [f"{word}_{take:02d}.wav" for word in "abcdefghijklmnopqrstuvwxyz" for take in range(4)]
    found = library([Item(name, sound=Path("x")) for name in names])
    splits: dict[str, set[str]] = {}
    for item in found.items:
        splits.setdefault(item.name[0], set()).add(item.split)
    assert all(len(each) == 1 for each in splits.values())


def test_a_licence_may_be_given_for_those_without(tmp_path: Path, tone: Write) -> None:
    tone(tmp_path / "a.wav")
    tone(tmp_path / "b.wav")
    (tmp_path / "list.csv").write_text("file,licence\na.wav,CC-BY-4.0\n")
    licences = [item.licence for item in read_folder(tmp_path, licence="CC0").items]
    assert licences == ["CC-BY-4.0", "CC0"]


def test_an_empty_folder_and_none_are_told(tmp_path: Path) -> None:
    with pytest.raises(BadCorpus, match="no sound, picture or video"):
        read_library(tmp_path)
    with pytest.raises(FileMissing, match="--data"):
        read_library(tmp_path / "none")
    with pytest.raises(BadCorpus, match="auto or one of"):
        read_library(tmp_path, "esc50")


def test_a_split_of_another_name_is_told() -> None:
    with pytest.raises(BadCorpus, match="train, judge, valid, test"):
        library([Item("a.wav", sound=Path("x"), split="../train")])
