"""Which sounds a folder holds, and which of two folders belong together."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.evaluation.folders import (
    Pair,
    Sound,
    by_name,
    by_table,
    pictures_for,
    pictures_of,
    sounds_of,
)
from engine.evaluation.labellers import teachers
from osc_bridge.errors import BadCorpus, FileMissing

HEAD = "file,split,duration_s,text,foley_class,licence,package,image\n"


def sound(name: str, kind: str = "") -> Sound:
    return Sound(name, Path(f"{name}.wav"), kind)


def touch(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")
    return folder


def test_sounds_are_named_by_path_and_classed_by_folder(tmp_path: Path) -> None:
    touch(tmp_path, "b.WAV", "dog/a.flac", "dog/far/c.ogg", "notes.txt", ".hidden.wav", ".x/d.wav")
    found = [(s.name, s.kind) for s in sounds_of(tmp_path, "test")]
    assert found == [("b", ""), ("dog/a", "dog"), ("dog/far/c", "dog")]


def test_of_a_corpus_one_split_counts_and_only_licensed_sounds_train(tmp_path: Path) -> None:
    rows = [
        "a.wav,train,1,a,dog,CC0,one,",
        "b.wav,train,1,b,dog,GPL-2,two,",
        "c.wav,test,1,c,cat,CC0,three,",
    ]
    (tmp_path / "sounds.csv").write_text(HEAD + "\n".join(rows))
    assert [s.name for s in sounds_of(tmp_path, "train")] == ["a"]
    assert [(s.name, s.kind) for s in sounds_of(tmp_path, "test")] == [("c", "cat")]
    with pytest.raises(BadCorpus, match="split judge"):
        sounds_of(tmp_path, "judge")


def test_a_judge_learns_nothing_that_a_pack_saw_or_is_judged_by(tmp_path: Path) -> None:
    rows = [
        *(f"{kind}{i}.wav,train,1,t,{kind},CC0,shared,\n" for kind in "ab" for i in range(10)),
        *(f"j{kind}{i}.wav,judge,1,t,{kind},CC0,judged,\n" for kind in "ab" for i in range(5)),
        *(f"t{kind}{i}.wav,test,1,t,{kind},CC0,held,\n" for kind in "ab" for i in range(5)),
        "x.wav,judge,1,t,a,CC0,shared,\n",
        "y.wav,train,1,t,a,GPL-2,barred,\n",
        "z.wav,judge,1,t,rare,CC0,judged,\n",
    ]
    (tmp_path / "sounds.csv").write_text(HEAD + "".join(rows))
    names = sorted(s.path.stem for s in teachers(tmp_path))
    assert names == sorted([f"j{kind}{i}" for kind in "ab" for i in range(5)] + ["y"])


def test_names_pair_by_path_then_by_a_file_name_that_is_alone() -> None:
    ours = [sound("dog/1"), sound("new/2"), sound("new/3"), sound("old/3"), sound("gone")]
    theirs = [sound("dog/1", "dog"), sound("cat/2", "cat"), sound("cat/3", "cat")]
    assert by_name(ours, theirs) == [Pair("dog/1", "dog/1", "dog"), Pair("new/2", "cat/2", "cat")]


def test_a_table_names_class_and_pictures(tmp_path: Path) -> None:
    table = tmp_path / "pairs.csv"
    table.write_text(
        "generated,reference,class,picture\n./a.wav,b,dog,one.png|two.png\nq,b,,\na,q,,\n"
    )
    pairs, missing = by_table(table, [sound("a")], [sound("b", "cat")])
    assert pairs == [Pair("a", "b", "dog", ("one.png", "two.png"))]
    assert [line.split(": ")[1] for line in missing] == ["q is not in its folder"] * 2


@pytest.mark.parametrize("text", [b"", b"generated,other\na,b\n", b"\xff\xfe,\n", b'a,"b\n'])
def test_a_table_that_is_none(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "bad.csv").write_bytes(text)
    with pytest.raises(BadCorpus, match=r"bad\.csv"):
        by_table(tmp_path / "bad.csv", [], [])


def test_folders_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileMissing, match="not a folder"):
        sounds_of(tmp_path / "none", "test")
    with pytest.raises(FileMissing, match="CSV of pairs"):
        by_table(tmp_path / "none.csv", [], [])


def test_pictures_belong_to_a_name_its_numbers_and_its_folder(tmp_path: Path) -> None:
    touch(tmp_path, "dog.png", "dog_1.jpg", "dog/2.webp", "dogs.png", "cat.png", "dog.txt")
    found = pictures_for("dog", pictures_of(tmp_path))
    assert sorted(path.name for path in found) == ["2.webp", "dog.png", "dog_1.jpg"]
