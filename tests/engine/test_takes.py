"""The takes of a session, some of which may be somebody else's."""

from __future__ import annotations

import json
import logging
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine import take_files
from engine.paths import read_plain
from engine.take_compare import VALUE_CHARACTERS, WHAT_CHARACTERS, Difference, differences
from engine.take_files import MAX_TAKE_BYTES
from engine.takes import TakeRow, TakeStore
from osc_bridge.errors import BadSession, BadText, OutOfRange, UnknownTake

DOCUMENT: dict[str, Any] = {
    "scene": {"id": "scene1"},
    "created": "2026-01-02T03:04:05Z",
    "duration_samples": 96_000,
}


@pytest.fixture
def takes(tmp_path: Path) -> TakeStore:
    for folder in ("takes", "trash"):
        (tmp_path / folder).mkdir()
    return TakeStore(tmp_path)


def ids(takes: TakeStore, *, trash: bool = False) -> list[str]:
    return [row.take for row in takes.rows(trash=trash)]


def with_fields(**fields: Any) -> str:
    return json.dumps({**DOCUMENT, **fields})


FOREIGN = {
    "huge number": with_fields().replace("96000", "1e999"),
    "many digits": with_fields().replace("96000", "9" * 5000),
    "beyond 64 bits": with_fields(duration_samples=2**70),
    "negative": with_fields(duration_samples=-1),
    "flag": with_fields(duration_samples=True),
    "deep": "[" * 100_000,
    "list": "[]",
    "scene is a list": with_fields(scene=[]),
    "scene is a path": with_fields(scene={"id": "../scene1"}),
    "scene is a number": with_fields(scene={"id": 1}),
    "no time": with_fields(created=""),
    "long time": with_fields(created="2" * 1000),
    "time is a number": with_fields(created=3),
    "long": with_fields(text="x" * MAX_TAKE_BYTES),
    "no JSON": "take",
    "empty": "",
}


@pytest.mark.parametrize("name", FOREIGN)
def test_a_foreign_take_is_left_out_alone(
    takes: TakeStore, tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    takes.add(DOCUMENT)
    folder = tmp_path / "takes/t0002"
    folder.mkdir()
    (folder / "take.json").write_text(FOREIGN[name])
    assert takes.add(DOCUMENT)[0] == "t0003"
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            assert ids(takes) == ["t0001", "t0003"]
    assert caplog.text.count("t0002") == 1, "said once"
    with pytest.raises(UnknownTake):
        takes.star("t0002", True)


def test_links_and_other_names_are_left_out(takes: TakeStore, tmp_path: Path) -> None:
    _, path = takes.add(DOCUMENT)
    folder = tmp_path / "takes"
    (folder / "t0002").symlink_to(path.parent)
    (folder / "t0003").mkdir()
    (folder / "t0003/take.json").symlink_to(path)
    for name in ("t00004", "t4", "x0004", "t0004.bak"):
        (folder / name).mkdir()
    (folder / "t0005").write_text("not a folder")
    assert ids(takes) == ["t0001"]


def test_the_oldest_comes_first_whatever_the_digits(takes: TakeStore, tmp_path: Path) -> None:
    (tmp_path / "takes/t9999").mkdir()
    for _ in range(2):
        takes.add(DOCUMENT)
    (tmp_path / "takes/t9999/take.json").write_text(json.dumps(DOCUMENT))
    assert ids(takes) == ["t9999", "t10000", "t10001"]


def test_numbers_never_run_out(takes: TakeStore, tmp_path: Path) -> None:
    (tmp_path / "takes/t999999999").mkdir()
    assert takes.add(DOCUMENT)[0] == "t0001"
    assert ids(takes) == ["t0001"]


@pytest.mark.parametrize("where", ["presets.files.sync_folder", "engine.takes.sync_folder"])
def test_a_take_that_cannot_be_made_durable_never_was(
    takes: TakeStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    def failing(_folder: Path) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(where, failing)
        with pytest.raises(OSError, match="Input/output"):
            takes.add(DOCUMENT)
    assert list((tmp_path / "takes").iterdir()) == []
    assert takes.add(DOCUMENT)[0] == "t0001"


def test_a_list_shows_one_scene_or_all(takes: TakeStore, tmp_path: Path) -> None:
    for scene in ("scene1", "scene2", "scene1"):
        takes.add({**DOCUMENT, "scene": {"id": scene}})
    assert ids(takes) == ["t0001", "t0002", "t0003"]
    assert [row.take for row in takes.rows("scene1")] == ["t0001", "t0003"]
    assert takes.rows("scene3") == []
    assert takes.rows("scene2") == [
        TakeRow(
            "t0002", "scene2", "", False, DOCUMENT["created"], 96_000,
            tmp_path / "takes/t0002/take.json",
        )
    ]  # fmt: skip


def test_a_list_reads_only_what_is_new(
    takes: TakeStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(1, 301):
        folder = tmp_path / f"takes/t{number:04d}"
        folder.mkdir()
        (folder / "take.json").write_text(json.dumps(DOCUMENT))
    assert len(ids(takes)) == 300
    read: list[str] = []
    reading = take_files.read_take_files

    def counted(folder: Path) -> take_files.TakeRead:
        read.append(folder.name)
        return reading(folder)

    monkeypatch.setattr("engine.takes.read_take_files", counted)
    assert len(ids(takes)) == 300
    assert read == []
    takes.rename("t0007", "Wetter")
    takes.delete("t0008")
    takes.add(DOCUMENT)
    assert len(ids(takes)) == 300
    assert read == ["t0007", "t0301"]
    assert takes.rows()[6].name == "Wetter"


def test_page_after_page_looks_through_the_folder_once(
    takes: TakeStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        takes.add(DOCUMENT)
    os.utime(tmp_path / "takes", (1, 1))  # long ago, so that any change shows
    looks: list[str] = []
    state_of = take_files.state_of

    def counted(folder: str) -> Any:
        looks.append(folder)
        return state_of(folder)

    monkeypatch.setattr("engine.takes.state_of", counted)
    for _ in range(5):
        assert ids(takes) == ["t0001", "t0002", "t0003"]
    assert len(looks) == 3
    shutil.rmtree(tmp_path / "takes/t0002")
    assert ids(takes) == ["t0001", "t0003"], "what others do shows at once when a take goes"
    (tmp_path / "takes/t0001/label.json").write_text('{"name": "by hand", "starred": false}')
    monkeypatch.setattr("engine.takes.FRESH_S", -1.0)
    assert takes.rows()[0].name == "by hand", "and after a while when it only changes"


def test_a_label_changes_and_the_take_does_not(takes: TakeStore, tmp_path: Path) -> None:
    _, path = takes.add(DOCUMENT)
    before = (path.read_bytes(), path.stat().st_mtime_ns)
    assert takes.rename("t0001", "Später, bei Regen").name == "Später, bei Regen"
    row = takes.star("t0001", True)
    assert (row.name, row.starred) == ("Später, bei Regen", True)
    assert takes.rows() == TakeStore(tmp_path).rows() == [row]
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before
    assert takes.star("t0001", False).starred is False
    assert takes.rename("t0001", "").name == ""


@pytest.mark.parametrize("name", ["x" * 81, "a\nb", "\x00"])
def test_a_name_that_cannot_be_shown_is_refused(takes: TakeStore, name: str) -> None:
    takes.add(DOCUMENT)
    takes.rename("t0001", "Wetter")
    with pytest.raises((BadText, OutOfRange), match="name"):
        takes.rename("t0001", name)
    assert takes.rows()[0].name == "Wetter"


@pytest.mark.parametrize(
    "label",
    [
        "", "[]", "{}", '{"name": "a"}', '{"name": 3, "starred": true}',
        '{"name": "a", "starred": 1}', '{"name": "a\\u0000b", "starred": true}',
        json.dumps({"name": "x" * 5_000, "starred": True}), "[" * 3_000,
    ],
)  # fmt: skip
def test_a_foreign_label_is_left_out_alone(
    takes: TakeStore, caplog: pytest.LogCaptureFixture, label: str
) -> None:
    _, path = takes.add(DOCUMENT)
    path.with_name("label.json").write_text(label)
    (row,) = takes.rows()
    assert (row.name, row.starred) == ("", False)
    assert "label of take t0001" in caplog.text
    assert takes.star("t0001", True).starred


def test_a_link_is_no_label(takes: TakeStore, tmp_path: Path) -> None:
    _, path = takes.add(DOCUMENT)
    (tmp_path / "mine").write_text('{"name": "mine", "starred": true}')
    path.with_name("label.json").symlink_to(tmp_path / "mine")
    assert takes.rows()[0].name == ""
    takes.rename("t0001", "Wetter")
    assert "mine" in (tmp_path / "mine").read_text(), "what a link leads to stays as it is"


def test_a_deleted_take_returns_as_it_was(takes: TakeStore, tmp_path: Path) -> None:
    for _ in range(3):
        takes.add(DOCUMENT)
    row = takes.star("t0002", True)
    deleted = takes.delete("t0002")
    assert (deleted.take, deleted.in_trash) == ("t0002", True)
    assert deleted.path == tmp_path / "trash/t0002/take.json"
    assert takes.rows(trash=True) == [deleted]
    assert ids(takes) == ["t0001", "t0003"]
    assert takes.rename("t0002", "Wetter").in_trash, "also there it may get a name"
    takes.rename("t0002", "")
    assert takes.restore("t0002") == row
    assert ids(takes, trash=True) == []
    assert ids(takes) == ["t0001", "t0002", "t0003"]


def test_an_id_is_never_used_again(takes: TakeStore, tmp_path: Path) -> None:
    for _ in range(3):
        takes.add(DOCUMENT)
    for take in ("t0002", "t0003"):
        takes.delete(take)
    assert takes.add(DOCUMENT)[0] == "t0004"
    takes.delete("t0004")
    assert TakeStore(tmp_path).add(DOCUMENT)[0] == "t0005"
    takes.delete("t0005")
    shutil.rmtree(tmp_path / "trash")
    assert takes.rows(trash=True) == []
    assert takes.add(DOCUMENT)[0] == "t0006"
    takes.delete("t0006")
    shutil.rmtree(tmp_path / "trash")
    assert TakeStore(tmp_path).add(DOCUMENT)[0] == "t0007", "also not after a restart"


@pytest.mark.parametrize("note", ["", "t", "t" * 100, "9", "t9999999999", "\xff", "../t0009"])
def test_a_foreign_note_of_the_last_take_is_nothing(
    takes: TakeStore, tmp_path: Path, note: str
) -> None:
    (tmp_path / "takes/last-take").write_text(note)
    assert takes.add(DOCUMENT)[0] == "t0001"


def test_an_unknown_take_is_refused_and_the_latest_named(takes: TakeStore) -> None:
    with pytest.raises(UnknownTake, match=r"'t0001'.*there are none"):
        takes.rename("t0001", "Wetter")
    for _ in range(2):
        takes.add(DOCUMENT)
    takes.delete("t0001")
    asks: list[tuple[Callable[[], object], str]] = [
        (lambda: takes.rename("t0003", "a"), "latest is t0002"),
        (lambda: takes.star("../takes/t0002", True), "latest is t0002"),
        (lambda: takes.delete("t0001"), "latest is t0002"),
        (lambda: takes.restore("t0002"), "in the trash .the latest is t0001"),
        (lambda: takes.compare("t0002", "t0009"), "'t0009'"),
    ]
    for ask, says in asks:
        with pytest.raises(UnknownTake, match=says):
            ask()
    assert (ids(takes), ids(takes, trash=True)) == (["t0002"], ["t0001"])


def test_a_take_that_is_there_is_not_written_over(takes: TakeStore, tmp_path: Path) -> None:
    _, path = takes.add(DOCUMENT)
    shutil.copytree(path.parent, tmp_path / "trash/t0001")
    for ask in (takes.delete, takes.restore):
        with pytest.raises(BadSession, match="t0001"):
            ask("t0001")
    assert ids(takes) == ids(takes, trash=True) == ["t0001"]


def test_a_trash_that_is_a_link_gets_nothing(takes: TakeStore, tmp_path: Path) -> None:
    _, path = takes.add(DOCUMENT)
    (tmp_path / "trash").rmdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "trash").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(BadSession, match="link"):
        takes.delete("t0001")
    assert path.is_file()
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_take_that_cannot_be_moved_for_good_stays(
    takes: TakeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(_folder: Path) -> None:
        raise OSError(5, "Input/output error")

    takes.add(DOCUMENT)
    with monkeypatch.context() as patch:
        patch.setattr("engine.takes.sync_folder", failing)
        with pytest.raises(OSError, match="Input/output"):
            takes.delete("t0001")
    assert (ids(takes), ids(takes, trash=True)) == (["t0001"], [])


def stem_file(digit: str) -> str:
    return f"stems/{digit * 64}.wav"


def test_the_stems_of_every_take_are_in_use(takes: TakeStore, tmp_path: Path) -> None:
    for first, second in (("a", "b"), ("b", "c"), ("d", "e")):
        sources = [{"id": "s1", "file": stem_file(first)}]
        takes.add({**DOCUMENT, "sources": sources, "mix": {"file": stem_file(second)}})
    assert takes.stems_in_use() == {stem_file(digit) for digit in "abcde"}
    takes.delete("t0003")
    assert takes.stems_in_use() == {stem_file(digit) for digit in "abcde"}, "it may return"
    shutil.rmtree(tmp_path / "trash/t0003")
    assert takes.stems_in_use() == {stem_file(digit) for digit in "abc"}


@pytest.mark.parametrize(
    "parts",
    [
        {"sources": "all", "mix": 3},
        {"sources": [1, [], {"file": ["a"]}, {"file": "../../etc/passwd"}], "mix": []},
        {"sources": [{"file": "stems/x.wav"}], "mix": {"file": None}},
    ],
)
def test_foreign_files_are_in_nobodys_use(takes: TakeStore, parts: dict[str, Any]) -> None:
    takes.add({**DOCUMENT, **parts})
    assert takes.stems_in_use() == set()
    assert ids(takes) == ["t0001"]


def test_stems_of_a_take_that_cannot_be_used_are_in_use(takes: TakeStore, tmp_path: Path) -> None:
    later = {"format": 9, "sources": [{"stem": stem_file("a")}], "mix": stem_file("b")}
    (tmp_path / "takes/t0001").mkdir()
    (tmp_path / "takes/t0001/take.json").write_text(json.dumps(later))
    (tmp_path / "takes/t0002").mkdir()
    (tmp_path / "takes/t0002/take.json").write_text(json.dumps(stem_file("c"))[:-1])
    assert takes.stems_in_use() == {stem_file(digit) for digit in "abc"}
    assert ids(takes) == []


@pytest.mark.parametrize("name", ["take.json", "label.json"])
def test_a_disk_that_fails_for_a_moment_takes_nothing_away(
    takes: TakeStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    takes.add({**DOCUMENT, "mix": {"file": stem_file("a")}})
    takes.add(DOCUMENT)
    takes.rename("t0001", "Rain")
    again, real = TakeStore(tmp_path), read_plain

    def failing(path: Path, limit_bytes: int) -> bytes:
        if path == tmp_path / "takes/t0001" / name:
            raise OSError(24, "Too many open files")
        return real(path, limit_bytes)

    with monkeypatch.context() as patch:
        patch.setattr("engine.take_files.read_plain", failing)
        assert ids(again) == ["t0002"]
        with pytest.raises(OSError, match="Too many"):
            again.stems_in_use()
        with pytest.raises(OSError, match="Too many"):
            again.star("t0001", True)
    monkeypatch.setattr("engine.takes.FRESH_S", 0.0)
    assert again.stems_in_use() == {stem_file("a")}
    assert again.star("t0001", True).name == "Rain"
    assert ids(again) == ["t0001", "t0002"]


FULL: dict[str, Any] = {
    **DOCUMENT,
    "scene": {"id": "scene1", "name": "Alley", "start_sample": 0, "revision": 3},
    "stems_mode": "independent",
    "quality": "final",
    "pack": {"name": "starter", "version": "0", "digest": "d" * 64},
    "mix": {"file": stem_file("f"), "sha256": "f" * 64, "seed": 1},
    "frame": None,
    "sources": [
        {"id": "s1", "kind": "text", "label": "rain", "gain_db": 0.0, "sha256": "1" * 64},
        {"id": "s2", "kind": "region", "label": "dog", "box": [0, 0, 8, 8], "sha256": "2" * 64},
    ],
}


def variant(**changes: Any) -> dict[str, Any]:
    return {**FULL, **changes}


def sources(*changes: dict[str, Any]) -> list[dict[str, Any]]:
    return [{**row, **change} for row, change in zip(FULL["sources"], changes, strict=False)]


@pytest.mark.parametrize(
    ("other", "rows"),
    [
        (FULL, []),
        (variant(created="2026-02-02T03:04:05Z", timings_s={"render": 3}), []),
        (variant(quality="preview"), [("quality", "final", "preview")]),
        (
            variant(scene={**FULL["scene"], "name": "Yard", "revision": 4}),
            [("scene.name", "Alley", "Yard"), ("scene.revision", "3", "4")],
        ),
        (
            variant(pack={**FULL["pack"], "device": "cuda", "precision": "fp32"}),
            [("pack.device", "", "cuda"), ("pack.precision", "", "fp32")],
        ),
        (
            variant(sources=sources({"gain_db": -6.0, "mute": True}, {"box": [0, 0, 4, 8]})),
            [
                ("s1.gain_db", "0", "-6"),
                ("s1.mute", "", "true"),
                ("s2.box", "0 0 8 8", "0 0 4 8"),
            ],
        ),
        (
            variant(sources=sources({"sha256": "9" * 64}, {})),
            [("s1.audio", f"SHA-256 {'1' * 64}", f"SHA-256 {'9' * 64}")],
        ),
        (variant(sources=FULL["sources"][:1]), [("s2", "region dog", "")]),
        (variant(sources=FULL["sources"][::-1]), [("order", "s1 s2", "s2 s1")]),
        (variant(mix={**FULL["mix"], "seed": 2}), [("mix.seed", "1", "2")]),
    ],
)
def test_takes_differ_in_their_settings(
    takes: TakeStore, other: dict[str, Any], rows: list[tuple[str, str, str]]
) -> None:
    takes.add(FULL)
    takes.add(other)
    takes.delete("t0001")
    assert takes.compare("t0001", "t0002") == [Difference(*row) for row in rows]
    assert takes.compare("t0002", "t0001") == [
        Difference(what, in_b, in_a) for what, in_a, in_b in rows
    ]


@pytest.mark.parametrize(
    "foreign",
    [
        {},
        {"scene": [], "pack": 3, "mix": "x", "sources": {"a": 1}, "quality": {"a": [1]}},
        {"sources": [1, None, {"id": ["s1"]}, {"id": "x" * 5_000, "label": "\x1b[2J"}] * 500},
        {"sources": [{"id": "s1", "label": "x" * 10_000, "gain_db": [[[]]], "weight": 1e308}]},
        {"quality": "\ud800", "frame": "a\nb", "stems_mode": 10**4000},
    ],
)
def test_foreign_takes_are_compared_by_short_texts(foreign: dict[str, Any]) -> None:
    for a, b in ((FULL, foreign), (foreign, FULL), (foreign, foreign)):
        rows = differences(a, b)
        assert len(rows) < 2_000
        assert all(len(row.what) <= WHAT_CHARACTERS for row in rows)
        for text in (text for row in rows for text in (row.what, row.in_a, row.in_b)):
            assert len(text) <= VALUE_CHARACTERS
            assert text.isprintable()
    assert differences(foreign, foreign) == []
