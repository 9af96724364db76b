"""Scenes: pure edits, strict JSON, and a journal that loses nothing that was acknowledged."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.scene import codec
from engine.scene.book import SceneBook
from engine.scene.edits import SETTABLE_FIELDS, AddSources, NewScene, NewSource, SetField, apply
from engine.scene.journal import Journal
from engine.scene.model import MAX_SEED, Scene, SourceKind, source_seed
from osc_bridge import schema
from osc_bridge.errors import BadSession, OutOfRange, UnknownScene, WildtrackError

NEW = NewScene("scene1", "Alley", 0, 96_000, 7)
TEXT = NewSource("text", "rain", text="rain")


def scene_of(*edits: Any) -> Scene:
    scene = apply(None, NEW)
    for edit in edits:
        scene = apply(scene, edit)
    return scene


@pytest.fixture
def book(tmp_path: Path) -> SceneBook:
    return SceneBook(tmp_path)


def test_each_edit_raises_the_revision_and_ids_are_never_used_again() -> None:
    scene = scene_of(AddSources((TEXT, TEXT)), AddSources((TEXT,)), SetField("s2", "pan", -1))
    assert [source.id for source in scene.sources] == ["s1", "s2", "s3"]
    assert (scene.revision, scene.next_source) == (4, 4)
    assert scene.source("s2").pan == -1.0


@settings(max_examples=30)
@given(st.integers(0, MAX_SEED), st.integers(1, 64))
def test_default_seeds_are_in_range_and_differ(seed: int, number: int) -> None:
    assert 0 <= source_seed(seed, number) <= MAX_SEED
    assert source_seed(seed, number) != source_seed(seed, number + 1)


def test_the_settable_fields_are_those_of_the_protocol() -> None:
    assert set(SETTABLE_FIELDS) == set(schema.SETTABLE)


@given(
    st.sampled_from(sorted(schema.SETTABLE)),
    st.one_of(
        st.booleans(), st.integers(), st.floats(), st.text(max_size=120),
    ),
)  # fmt: skip
def test_what_an_edit_accepts_survives_the_journal(field: str, value: Any) -> None:
    scene = scene_of(AddSources((TEXT,)))
    edit = SetField("s1", field, value)
    try:
        after = apply(scene, edit)
    except WildtrackError:
        return
    again, revision = codec.edit_from_json(codec.edit_to_json(edit, after.revision))
    assert apply(scene, again) == after
    assert revision == after.revision
    assert codec.scene_from_json(codec.scene_to_json(after)) == after


def test_a_scene_comes_back_after_a_restart(tmp_path: Path, book: SceneBook) -> None:
    book.new("Alley", 0, 96_000, 7)
    book.change("scene1", AddSources((TEXT,), frame=f"media/{'a' * 64}.png"))
    scene = book.change("scene1", SetField("s1", "gain_db", -3.0))
    assert SceneBook(tmp_path).get("scene1") == scene, "without an orderly end"
    book.close()
    assert SceneBook(tmp_path).get("scene1") == scene, "from the snapshot"
    assert SceneBook(tmp_path).ids() == ["scene1"]


def test_an_edit_is_on_disk_before_it_is_visible(book: SceneBook, tmp_path: Path) -> None:
    book.new("Alley", 0, 96_000, 7)
    for step in range(20):
        scene = book.change("scene1", SetField("s1", "pan", step / 20)) if step else book.change(
            "scene1", AddSources((TEXT,))
        )  # fmt: skip
        assert Journal(tmp_path, "scene1").open().scene == scene


@pytest.mark.parametrize("cut", range(1, 60, 7))
def test_a_torn_last_line_is_dropped_and_reported(
    tmp_path: Path, cut: int, caplog: pytest.LogCaptureFixture
) -> None:
    book = SceneBook(tmp_path)
    book.new("Alley", 0, 96_000, 7)
    before = book.change("scene1", AddSources((TEXT,)))
    book.change("scene1", SetField("s1", "pan", 0.5))
    lines = tmp_path / "scene1.journal"
    lines.write_bytes(lines.read_bytes()[:-cut])

    with caplog.at_level(logging.WARNING):
        again = SceneBook(tmp_path)
        assert again.get("scene1") == before
    assert "torn" in caplog.text
    after = again.change("scene1", SetField("s1", "pan", -0.5))
    assert SceneBook(tmp_path).get("scene1") == after


def test_a_kill_between_snapshot_and_journal_loses_nothing(tmp_path: Path, book: SceneBook) -> None:
    book.new("Alley", 0, 96_000, 7)
    scene = book.change("scene1", AddSources((TEXT,)))
    lines = (tmp_path / "scene1.journal").read_bytes()
    book.close()
    (tmp_path / "scene1.journal").write_bytes(lines)
    assert SceneBook(tmp_path).get("scene1") == scene


def test_damage_in_the_middle_is_refused(tmp_path: Path, book: SceneBook) -> None:
    book.new("Alley", 0, 96_000, 7)
    book.change("scene1", AddSources((TEXT,)))
    lines = tmp_path / "scene1.journal"
    lines.write_bytes(b"{}\n" + lines.read_bytes())
    with pytest.raises(BadSession, match="Line 1"):
        SceneBook(tmp_path).get("scene1")


def test_a_complete_line_that_is_damaged_is_refused_and_kept(tmp_path: Path) -> None:
    SceneBook(tmp_path).new("Alley", 0, 96_000, 7)
    lines = tmp_path / "scene1.journal"
    for damage in (b"{}\n", b"\xff\n", b'{"revision": 2}\r{}\n', b"\n"):
        data = lines.read_bytes() + damage
        other = tmp_path / "scene2.journal"
        other.write_bytes(data.replace(b'"scene1"', b'"scene2"'))
        before = other.read_bytes()
        with pytest.raises(BadSession, match="Line 2"):
            SceneBook(tmp_path).get("scene2")
        assert other.read_bytes() == before


def test_a_revision_that_comes_twice_is_refused(tmp_path: Path, book: SceneBook) -> None:
    book.new("Alley", 0, 96_000, 7)
    book.change("scene1", AddSources((TEXT,)))
    lines = tmp_path / "scene1.journal"
    first, second = lines.read_bytes().splitlines(keepends=True)
    for data in (first + second + second, first + first + second):
        lines.write_bytes(data)
        with pytest.raises(BadSession, match="Line"):
            SceneBook(tmp_path).get("scene1")


@pytest.mark.parametrize("name", ["scene1.journal", "scene1.json"])
def test_links_in_a_session_are_not_followed(tmp_path: Path, name: str) -> None:
    outside, folder = tmp_path / "outside", tmp_path / "scenes"
    folder.mkdir()
    SceneBook(folder).new("Alley", 0, 96_000, 7)
    (folder / "scene1.journal").rename(outside)
    before = outside.read_bytes() + b"{"
    outside.write_bytes(before)
    (folder / name).symlink_to(outside)
    with pytest.raises(BadSession, match="not a plain file"):
        SceneBook(folder).get("scene1")
    assert SceneBook(folder).new("Next", 0, 96_000, 7).id == "scene2"
    assert outside.read_bytes() == before


def test_an_edit_whose_folder_cannot_be_flushed_never_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    book = SceneBook(tmp_path)
    book.new("Alley", 0, 96_000, 7)
    book.close()
    snapshot = book.get("scene1")

    def failing(_folder: Path) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr("engine.scene.journal.sync_folder", failing)
        with pytest.raises(OSError, match="Input/output"):
            book.change("scene1", AddSources((TEXT,)))
        with pytest.raises(OSError, match="Input/output"):
            book.new("Next", 0, 96_000, 7)
    assert [path.name for path in tmp_path.iterdir()] == ["scene1.json"]
    assert SceneBook(tmp_path).get("scene1") == snapshot
    after = book.change("scene1", AddSources((TEXT, TEXT)))
    assert SceneBook(tmp_path).get("scene1") == after


def test_a_failed_write_leaves_the_journal_as_it_was(
    book: SceneBook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    book.new("Alley", 0, 96_000, 7)
    scene = book.change("scene1", AddSources((TEXT,)))
    before = (tmp_path / "scene1.journal").read_bytes()

    def full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", full)
        with pytest.raises(OSError, match="No space"):
            book.change("scene1", SetField("s1", "pan", 1.0))
        with pytest.raises(OSError, match="No space"):
            book.new("Next", 0, 96_000, 7)
    assert book.ids() == ["scene1"]
    assert (tmp_path / "scene1.journal").read_bytes() == before
    assert book.get("scene1") == scene


HOSTILE = {
    "media outside": {"frame": "../../etc/passwd"},
    "absolute media": {"frame": "/etc/passwd"},
    "not a number": {"seed": "1"},
    "flag for a number": {"revision": True},
    "endless": {"duration_samples": 10**12},
    "no sources": {"sources": {}},
    "other id": {"id": "../scene2"},
    "other rate": {"sample_rate": 44_100},
    "revision 0": {"revision": 0},
    "id to come": {"next_source": 1},
    "endless ids": {"next_source": 10**9},
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_snapshot_is_refused(tmp_path: Path, name: str) -> None:
    data = json.loads(codec.scene_to_json(scene_of(AddSources((TEXT,)))))
    (tmp_path / "scene1.json").write_text(json.dumps({**data, **HOSTILE[name]}))
    with pytest.raises(BadSession):
        SceneBook(tmp_path).get("scene1")


@pytest.mark.parametrize("value", [1e9, float("nan"), None, "2"])
def test_a_hostile_source_is_refused(value: Any) -> None:
    data = json.loads(codec.scene_to_json(scene_of(AddSources((TEXT,)))))
    data["sources"][0]["weight"] = value
    with pytest.raises(BadSession):
        codec.scene_from_json(json.dumps(data))


PICTURE = f"media/{'a' * 64}.png"
HOSTILE_SOURCE: dict[str, dict[str, Any]] = {
    "id of a path": {"id": "../s1"},
    "id 0": {"id": "s0"},
    "id with zeros": {"id": "s01"},
    "id to come": {"id": "s2"},
    "category": {"cat_id": "a b"},
    "text of a text": {"text": " "},
    "media of a text": {"media": PICTURE},
    "box of a text": {"box": [0, 0, 1, 1]},
    "text of a picture": {"kind": "image", "media": PICTURE},
    "no picture": {"kind": "image", "text": ""},
    "no box": {"kind": "region", "text": "", "media": PICTURE},
    "box of a sound": {"kind": "audio", "text": "", "media": PICTURE, "box": [0, 0, 1, 1]},
    "box inside out": {"kind": "region", "text": "", "media": PICTURE, "box": [4, 0, 2, 1]},
    "box outside": {"kind": "region", "text": "", "media": PICTURE, "box": [-1, 0, 2, 1]},
    "endless box": {"kind": "region", "text": "", "media": PICTURE, "box": [0, 0, 2**40, 1]},
}


@pytest.mark.parametrize("name", HOSTILE_SOURCE)
def test_a_source_that_does_not_fit_is_refused(name: str) -> None:
    data = json.loads(codec.scene_to_json(scene_of(AddSources((TEXT,)))))
    data["sources"][0].update(HOSTILE_SOURCE[name])
    with pytest.raises(BadSession):
        codec.scene_from_json(json.dumps(data))


def test_an_id_that_comes_twice_is_refused() -> None:
    data = json.loads(codec.scene_to_json(scene_of(AddSources((TEXT, TEXT)))))
    data["sources"][1]["id"] = "s1"
    with pytest.raises(BadSession, match="in order"):
        codec.scene_from_json(json.dumps(data))


def test_every_kind_of_source_survives_a_snapshot() -> None:
    assert get_args(SourceKind) == schema.SOURCE_KINDS
    new = (
        TEXT,
        NewSource("image", "frame", media=PICTURE),
        NewSource("region", "dog", media=PICTURE, box=(0, 0, 8, 8)),
        NewSource("audio", "wind", media=f"media/{'b' * 64}.wav"),
    )
    scene = scene_of(AddSources(new))
    assert codec.scene_from_json(codec.scene_to_json(scene)) == scene


@settings(max_examples=30)
@given(st.text(max_size=200))
def test_any_text_is_a_scene_or_bad_session(text: str) -> None:
    for read in (codec.scene_from_json, codec.edit_from_json):
        with pytest.raises(BadSession):
            read(text)


def test_unknown_scenes_are_no_paths(book: SceneBook) -> None:
    for scene_id in ("../x", "scene1", "", "engine"):
        with pytest.raises(UnknownScene):
            book.get(scene_id)


def test_a_bad_new_scene_leaves_nothing(book: SceneBook, tmp_path: Path) -> None:
    with pytest.raises(OutOfRange, match=r"0\.3 to 10 s"):
        book.new("Alley", 0, 100, 7)
    assert list(tmp_path.iterdir()) == []
