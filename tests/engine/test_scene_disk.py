"""Scenes on disk: what was acknowledged is there, whatever happened to process, disk or folder."""

from __future__ import annotations

import errno
import json
import logging
import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from engine.scene import commit
from engine.scene.book import MAX_OPEN_FILES, SceneBook
from engine.scene.edits import AddSources, Edit, NewSource, Redo, Remove, SetField, Undo
from engine.scene.history import Timeline
from engine.scene.journal import Journal
from engine.scene.model import Scene
from osc_bridge.errors import (
    BadSession,
    DiskFull,
    InternalError,
    OutOfRange,
    SessionNotWritable,
    UnknownScene,
    UnknownSource,
    WildtrackError,
)

TEXT = NewSource("text", "rain", text="rain")
ADD = AddSources((TEXT,))


def gain(value: float) -> SetField:
    return SetField("s1", "gain_db", value)


@pytest.fixture(autouse=True)
def journals(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Journal]]:
    """The journals that a test opens; a killed engine closes nothing, so it is done here."""
    made: list[Journal] = []
    begin = Journal.__init__

    def init(journal: Journal, folder: Path, scene_id: str) -> None:
        begin(journal, folder, scene_id)
        made.append(journal)

    monkeypatch.setattr(Journal, "__init__", init)
    yield made
    for journal in made:
        journal.release()


@pytest.fixture
def book(tmp_path: Path) -> SceneBook:
    """A book with two scenes of one source each."""
    book = SceneBook(tmp_path)
    for scene in ("scene1", "scene2"):
        assert book.new("Alley", 0, 96_000, 7).id == scene
        book.change(scene, ADD)
    return book


@pytest.fixture
def lines(book: SceneBook, tmp_path: Path) -> Path:
    return tmp_path / "scene1.journal"


def fail_flush(monkeypatch: pytest.MonkeyPatch, number: int, after: int = 0) -> None:
    """Let ``os.fsync`` fail when it has worked ``after`` times."""
    calls, real = iter(range(after)), os.fsync

    def fsync(handle: int) -> None:
        if next(calls, None) is None:
            raise OSError(number, os.strerror(number))
        real(handle)

    monkeypatch.setattr("os.fsync", fsync)


def test_a_scene_comes_back_after_a_restart(tmp_path: Path, book: SceneBook) -> None:
    book.change("scene1", AddSources((TEXT,), frame=f"media/{'a' * 64}.png"))
    book.change("scene1", gain(-3.0))
    now = book.timeline("scene1")
    assert SceneBook(tmp_path).timeline("scene1") == now, "without an orderly end"
    book.close()
    assert SceneBook(tmp_path).timeline("scene1") == now, "from the snapshot"
    assert SceneBook(tmp_path).ids() == ["scene1", "scene2"]
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["scene1.json", "scene2.json"]


def test_a_session_moved_elsewhere_opens(tmp_path: Path) -> None:
    here = tmp_path / "here"
    here.mkdir()
    book = SceneBook(here)
    book.new("Alley", 0, 96_000, 7)
    book.change("scene1", ADD)
    book.save("scene1")
    book.change("scene1", gain(-3))
    now = book.timeline("scene1")
    shutil.copytree(here, tmp_path / "copied")
    here.rename(tmp_path / "moved")
    for name in ("copied", "moved"):
        assert SceneBook(tmp_path / name).timeline("scene1") == now
    assert all(str(tmp_path) not in path.read_text() for path in (tmp_path / "moved").iterdir())


def test_an_edit_is_on_disk_before_it_is_visible(book: SceneBook, tmp_path: Path) -> None:
    for step in range(20):
        scene = book.change("scene1", gain(-step - 1))
        assert Journal(tmp_path, "scene1").open().timeline.scene == scene


def test_an_edit_that_changes_nothing_is_not_written(book: SceneBook, lines: Path) -> None:
    before = lines.read_bytes()
    scene = book.get("scene1")
    assert book.change("scene1", gain(0.0)) is scene
    assert lines.read_bytes() == before


def test_all_changes_of_a_call_take_one_flush_a_scene(
    book: SceneBook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed: list[int] = []
    real = os.fsync
    monkeypatch.setattr("os.fsync", lambda handle: (flushed.append(handle), real(handle)))
    results = book.change_all(
        [(f"scene{1 + step % 2}", gain(-step / 10 - 1)) for step in range(256)]
    )
    assert len(flushed) == 2
    assert all(isinstance(result, Timeline) for result in results)
    for scene in ("scene1", "scene2"):
        assert SceneBook(tmp_path).timeline(scene) == book.timeline(scene)


def test_each_change_has_its_own_answer_and_history(book: SceneBook) -> None:
    def fails(_: Scene) -> Edit:
        raise OutOfRange("not in this scene")

    edits: list[Edit | Callable[[Scene], Edit]] = [
        gain(-3),
        SetField("s9", "pan", 0),
        gain(99),
        Undo(),
        fails,
        lambda scene: Remove(scene.sources[0].id),
    ]
    results = book.change_all([("scene1", edit) for edit in edits] + [("scene7", gain(0))])
    kinds = [type(result) for result in results]
    assert kinds == [
        Timeline, UnknownSource, OutOfRange, Timeline, OutOfRange, Timeline, UnknownScene,
    ]  # fmt: skip
    histories = [result.history for result in results if isinstance(result, Timeline)]
    assert [(h.undo_steps, h.redo_steps) for h in histories] == [(2, 0), (1, 1), (2, 0)]
    assert [h.what for h in histories] == [
        "Set gain_db of s1.",
        "Undone: Set gain_db of s1.",
        "Removed s1.",
    ]
    assert book.timeline("scene1") == results[5]


def test_a_change_is_told_once_it_is_on_disk_and_in_order(tmp_path: Path) -> None:
    told: list[tuple[str, int, str]] = []

    def hear(scene: Scene, what: str) -> None:
        assert Journal(tmp_path, scene.id).open().timeline.scene.revision >= scene.revision
        told.append((scene.id, scene.revision, what))

    book = SceneBook(tmp_path, told=hear)
    for _ in range(2):
        book.new("Alley", 0, 96_000, 7)
    changes = [("scene1", ADD), ("scene2", ADD), ("scene1", gain(-1)), ("scene1", gain(-1))]
    book.change_all([*changes, ("scene1", Redo())])
    assert told == [
        ("scene1", 1, "Began the scene."),
        ("scene2", 1, "Began the scene."),
        ("scene1", 2, "Added a source."),
        ("scene2", 2, "Added a source."),
        ("scene1", 3, "Set gain_db of s1."),
    ]


def test_a_listener_that_fails_undoes_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_scene: Scene, _what: str) -> None:
        raise RuntimeError("nobody listens")

    book = SceneBook(tmp_path, told=fail)
    book.new("Alley", 0, 96_000, 7)
    assert book.change("scene1", ADD) == SceneBook(tmp_path).get("scene1")
    assert "nobody listens" in caplog.text


@pytest.mark.parametrize("cut", range(1, 60, 7))
def test_a_torn_last_line_is_dropped_and_reported(
    tmp_path: Path, cut: int, lines: Path, book: SceneBook, caplog: pytest.LogCaptureFixture
) -> None:
    before = book.timeline("scene1")
    book.change("scene1", gain(-3))
    lines.write_bytes(lines.read_bytes()[:-cut])
    torn: list[str] = []
    with caplog.at_level(logging.WARNING):
        again = SceneBook(tmp_path, torn=torn.append)
        assert again.timeline("scene1") == before
    assert "torn" in caplog.text
    assert len(torn) == 1
    assert "scene1.journal was cut short" in torn[0]
    assert "revision 2" in torn[0]
    again.change("scene1", gain(-6))
    assert SceneBook(tmp_path, torn=torn.append).timeline("scene1") == again.timeline("scene1")
    assert len(torn) == 1


def test_a_kill_between_snapshot_and_journal_loses_nothing(
    tmp_path: Path, book: SceneBook, lines: Path
) -> None:
    now = book.timeline("scene1")
    data = lines.read_bytes()
    book.close()
    lines.write_bytes(data)
    again = SceneBook(tmp_path)
    assert again.timeline("scene1") == now
    again.change("scene1", gain(-3))
    assert SceneBook(tmp_path).timeline("scene1") == again.timeline("scene1")


def test_a_kill_while_a_scene_begins_leaves_no_scene(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first line appears whole: a scene of half a line could never be opened again."""

    class Killed(BaseException):
        pass

    def kill(_handle: int) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", kill)
        patch.setattr("pathlib.Path.unlink", lambda *_args, **_kwargs: None)
        with pytest.raises(Killed):
            SceneBook(tmp_path).new("Alley", 0, 96_000, 7)
    assert SceneBook(tmp_path).ids() == []
    assert SceneBook(tmp_path).new("Alley", 0, 96_000, 7).id == "scene1"


def test_a_long_journal_becomes_a_snapshot(
    tmp_path: Path, book: SceneBook, lines: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commit, "MAX_JOURNAL_LINES", 50)
    for step in range(120):
        book.change("scene1", gain(-1 - step / 10))
        assert len(lines.read_bytes().splitlines()) < 50
    assert SceneBook(tmp_path).timeline("scene1") == book.timeline("scene1")


def test_a_snapshot_that_cannot_be_written_only_keeps_the_journal_long(
    tmp_path: Path, book: SceneBook, lines: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries: list[Path] = []

    def full(path: Path, _data: bytes) -> None:
        tries.append(path)
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(commit, "MAX_JOURNAL_LINES", 10)
    with monkeypatch.context() as patch:
        patch.setattr("engine.scene.journal.write_whole", full)
        for step in range(25):
            book.change("scene1", gain(-1 - step / 10))
        with pytest.raises(DiskFull):
            book.save("scene1")
    assert len(tries) == 3, "each 10 lines and when asked for, not for each edit"
    assert SceneBook(tmp_path).timeline("scene1") == book.timeline("scene1")
    book.save("scene1")
    assert lines.read_bytes() == b""
    assert SceneBook(tmp_path).timeline("scene1") == book.timeline("scene1")


def test_a_journal_never_grows_beyond_what_can_be_opened(
    tmp_path: Path, book: SceneBook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commit, "MAX_FILE_BYTES", 2_000)
    for step in range(40):
        book.change("scene1", gain(-1 - step / 10))
        assert (tmp_path / "scene1.journal").stat().st_size <= 2_000
    assert SceneBook(tmp_path).timeline("scene1") == book.timeline("scene1")


@pytest.mark.parametrize(
    ("number", "kind"),
    [(errno.ENOSPC, DiskFull), (errno.EROFS, SessionNotWritable), (errno.EIO, SessionNotWritable)],
)
def test_a_failed_commit_leaves_every_scene_as_it_was(
    tmp_path: Path,
    book: SceneBook,
    monkeypatch: pytest.MonkeyPatch,
    number: int,
    kind: type[WildtrackError],
) -> None:
    files = {path: path.read_bytes() for path in tmp_path.iterdir()}
    before = [book.timeline(scene) for scene in book.ids()]
    changes: list[tuple[str, Edit]] = [
        ("scene1", gain(-1)), ("scene2", gain(-2)), ("scene2", gain(99)), ("scene1", gain(-3)),
    ]  # fmt: skip
    for works in range(2):
        with monkeypatch.context() as patch:
            fail_flush(patch, number, after=works)
            results = book.change_all(changes)
        assert [type(result) for result in results] == [kind, kind, OutOfRange, kind]
        assert {path: path.read_bytes() for path in tmp_path.iterdir()} == files
        assert [book.timeline(scene) for scene in book.ids()] == before
    results = book.change_all(changes)
    for scene in book.ids():
        assert SceneBook(tmp_path).timeline(scene) == book.timeline(scene)


def test_a_failed_commit_that_cannot_be_cut_off_is_cut_off_before_the_next(
    tmp_path: Path, book: SceneBook, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_handle: int, _length: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    before = book.timeline("scene1")
    with monkeypatch.context() as patch:
        fail_flush(patch, errno.EIO)
        patch.setattr("os.ftruncate", broken)
        with pytest.raises(SessionNotWritable):
            book.change("scene1", gain(-1))
    assert book.timeline("scene1") == before
    book.change("scene1", gain(-2))
    assert SceneBook(tmp_path).timeline("scene1") == book.timeline("scene1")


def test_a_scene_that_cannot_be_written_never_began(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    book = SceneBook(tmp_path)

    def failing(_folder: Path) -> None:
        raise OSError(errno.EIO, "Input/output error")

    for name, fail in (("os.fsync", None), ("presets.files.sync_folder", failing)):
        with monkeypatch.context() as patch:
            if fail is None:
                fail_flush(patch, errno.EIO)
            else:
                patch.setattr(name, fail)
            with pytest.raises(SessionNotWritable):
                book.new("Next", 0, 96_000, 7)
        assert list(tmp_path.iterdir()) == []
        assert book.ids() == []
    assert book.new("Next", 0, 96_000, 7).id == "scene1"


def test_a_folder_taken_away_is_said_and_the_scene_stays_usable(tmp_path: Path) -> None:
    folder = tmp_path / "scenes"
    folder.mkdir()
    book = SceneBook(folder)
    book.new("Alley", 0, 96_000, 7)
    scene = book.change("scene1", ADD)
    folder.rename(tmp_path / "away")
    for _ in range(3):
        with pytest.raises(SessionNotWritable):
            book.change("scene1", gain(-3))
        with pytest.raises(SessionNotWritable):
            book.save("scene1")
        assert book.get("scene1") == scene
    (tmp_path / "away").rename(folder)
    book.change("scene1", gain(-3))
    assert SceneBook(folder).timeline("scene1") == book.timeline("scene1")


@pytest.mark.parametrize("gone", ["scene1.journal", "scene1.json", "both"])
def test_files_removed_meanwhile_are_written_anew_when_asked_again(
    tmp_path: Path, book: SceneBook, gone: str
) -> None:
    book.save("scene1")
    book.change("scene1", gain(-3))
    before = book.timeline("scene1")
    for name in ("scene1.journal", "scene1.json"):
        if gone in (name, "both"):
            (tmp_path / name).unlink()
    with pytest.raises(SessionNotWritable, match="ask again"):
        book.change("scene1", gain(-6))
    assert book.timeline("scene1") == before
    book.change("scene1", gain(-6))
    assert SceneBook(tmp_path).timeline("scene1") == book.timeline("scene1")


def test_files_removed_meanwhile_are_not_written_at_the_end(
    tmp_path: Path, book: SceneBook
) -> None:
    (tmp_path / "scene1.journal").unlink()
    book.close()
    assert SceneBook(tmp_path).ids() == ["scene2"]


@pytest.mark.parametrize("how", ["replaced", "longer", "shorter"])
def test_a_journal_of_another_program_is_neither_read_nor_touched(
    tmp_path: Path, book: SceneBook, lines: Path, how: str
) -> None:
    scene = book.get("scene1")
    data = lines.read_bytes()
    if how == "replaced":
        lines.rename(tmp_path / "other")
        lines.write_bytes(data.replace(b"rain", b"wind"))
    elif how == "longer":
        lines.write_bytes(data + b"\n")
    else:
        lines.write_bytes(data[:-1])
    foreign = lines.read_bytes()
    for _ in range(2):
        with pytest.raises(SessionNotWritable, match="restart the engine"):
            book.change("scene1", gain(-3))
        with pytest.raises(SessionNotWritable, match="restart the engine"):
            book.save("scene1")
    assert book.get("scene1") == scene
    book.close()
    assert lines.read_bytes() == foreign


def test_a_foreign_journal_beside_a_removed_snapshot_is_not_touched(
    tmp_path: Path, book: SceneBook, lines: Path
) -> None:
    book.save("scene1")
    (tmp_path / "scene1.json").unlink()
    lines.write_bytes(b"of somebody else\n")
    for _ in range(2):
        with pytest.raises(SessionNotWritable):
            book.change("scene1", gain(-3))
        with pytest.raises(SessionNotWritable):
            book.save("scene1")
    assert lines.read_bytes() == b"of somebody else\n"


def test_a_session_copied_back_meanwhile_goes_on(tmp_path: Path) -> None:
    folder = tmp_path / "scenes"
    folder.mkdir()
    book = SceneBook(folder)
    book.new("Alley", 0, 96_000, 7)
    book.change("scene1", ADD)
    shutil.copytree(folder, tmp_path / "copy")
    shutil.rmtree(folder)
    with pytest.raises(SessionNotWritable):
        book.change("scene1", gain(-3))
    shutil.copytree(tmp_path / "copy", folder)
    book.change("scene1", gain(-3))
    assert SceneBook(folder).timeline("scene1") == book.timeline("scene1")


def test_removing_a_foreign_journal_keeps_the_scene_of_the_engine(
    tmp_path: Path, book: SceneBook, lines: Path
) -> None:
    lines.rename(tmp_path / "other")
    lines.write_bytes(b"of somebody else\n")
    with pytest.raises(SessionNotWritable, match="remove that file and ask again"):
        book.change("scene1", gain(-3))
    lines.unlink()
    with pytest.raises(SessionNotWritable, match="ask again"):
        book.change("scene1", gain(-3))
    book.change("scene1", gain(-3))
    assert SceneBook(tmp_path).timeline("scene1") == book.timeline("scene1")


def test_many_threads_change_scenes_and_nothing_is_lost(tmp_path: Path, book: SceneBook) -> None:
    def draw(thread: int) -> None:
        for step in range(25):
            scene = f"scene{1 + (thread + step) % 2}"
            book.change(scene, lambda now: gain(-60 + now.revision / 2))
            assert book.history(scene).undo_steps > 1

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(draw, range(4)))
    assert [book.get(scene).revision for scene in book.ids()] == [52, 52]
    for scene in book.ids():
        assert SceneBook(tmp_path).timeline(scene) == book.timeline(scene)


def test_few_files_stay_open_whatever_the_number_of_scenes(
    tmp_path: Path, journals: list[Journal]
) -> None:
    book = SceneBook(tmp_path)
    scenes = [book.new("Alley", 0, 96_000, 7).id for _ in range(MAX_OPEN_FILES + 9)]
    for gain_db in (-1, -2):
        book.change_all([(scene, ADD) for scene in scenes])
        book.change_all([(scene, gain(gain_db)) for scene in scenes])
        assert sum(journal.is_open for journal in journals) == MAX_OPEN_FILES
    for scene in scenes:
        assert SceneBook(tmp_path).timeline(scene) == book.timeline(scene)
    book.close()
    assert not any(journal.is_open for journal in journals)


def test_damage_in_the_middle_is_refused(tmp_path: Path, book: SceneBook, lines: Path) -> None:
    lines.write_bytes(b"{}\n" + lines.read_bytes())
    with pytest.raises(BadSession, match=r"Line 1 of scene1\.journal .* restore the session"):
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


def test_a_revision_that_comes_twice_is_refused(
    tmp_path: Path, book: SceneBook, lines: Path
) -> None:
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


def test_a_link_put_in_the_place_of_an_open_journal_is_not_followed(
    tmp_path: Path, book: SceneBook, lines: Path
) -> None:
    outside = tmp_path / "outside"
    lines.rename(outside)
    before = outside.read_bytes()
    lines.symlink_to(outside)
    with pytest.raises(SessionNotWritable, match="replaced"):
        book.change("scene1", gain(-3))
    assert outside.read_bytes() == before


def test_unknown_scenes_are_no_paths(book: SceneBook) -> None:
    for scene_id in ("../x", "scene9", "", "engine"):
        with pytest.raises(UnknownScene, match="latest scenes: scene1, scene2"):
            book.get(scene_id)


def test_a_bad_new_scene_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(OutOfRange, match=r"0\.3 to 10 s"):
        SceneBook(tmp_path).new("Alley", 0, 100, 7)
    assert list(tmp_path.iterdir()) == []


def test_a_defect_in_a_plan_changes_nothing(book: SceneBook, lines: Path) -> None:
    def defect(_scene: Scene) -> Edit:
        raise ZeroDivisionError

    before = lines.read_bytes()
    with pytest.raises(InternalError):
        book.change("scene1", defect)
    assert lines.read_bytes() == before


OLD_SNAPSHOT = {
    "duration_samples": 96000, "frame": "", "id": "scene1", "name": "Alley", "next_source": 3,
    "revision": 3, "sample_rate": 48000, "seed": 7, "start_sample": 0,
    "sources": [
        {
            "box": None, "cat_id": "", "chain": "", "gain_db": -6.0, "id": "s1", "kind": "text",
            "label": "rain", "media": "", "mute": False, "pan": 0.0, "seed": 11, "solo": False,
            "start_sample": 0, "text": "rain", "weight": 1.0,
        },
        {
            "box": [0, 0, 8, 8], "cat_id": "", "chain": "", "gain_db": 0.0, "id": "s2",
            "kind": "region", "label": "dog", "media": f"media/{'a' * 64}.png", "mute": False,
            "pan": 0.0, "seed": 12, "solo": False, "start_sample": 0, "text": "", "weight": 1.0,
        },
    ],
}  # fmt: skip
OLD_JOURNAL = b"""\
{"data": {"field": "gain_db", "source": "s1", "value": -6.0}, "edit": "set", "revision": 3}
{"data": {"field": "pan", "source": "s2", "value": 0.5}, "edit": "set", "revision": 4}
{"data": {"field": "pan", "source": "s2", "value": 1.0}, "edit": "set", "revision": 5}
"""
OLD_BEGUN = b"""\
{"data": {"duration_samples": 96000, "id": "scene2", "name": "Yard", "seed": 7, \
"start_sample": 0}, "edit": "new", "revision": 1}
{"data": {"frame": "", "sources": [{"box": null, "kind": "text", "label": "rain", "media": "", \
"text": "rain"}]}, "edit": "add", "revision": 2}
"""


def test_a_session_of_the_first_release_opens_and_goes_on(tmp_path: Path) -> None:
    (tmp_path / "scene1.json").write_text(json.dumps(OLD_SNAPSHOT))
    (tmp_path / "scene1.journal").write_bytes(OLD_JOURNAL)
    (tmp_path / "scene2.journal").write_bytes(OLD_BEGUN)
    book = SceneBook(tmp_path)
    first, second = book.get("scene1"), book.get("scene2")
    assert (first.revision, first.source("s2").pan, first.source("s1").seed) == (5, 1.0, 11)
    assert first.source("s1").duration_samples == 0
    assert (second.revision, second.name, second.sources[0].text) == (2, "Yard", "rain")
    assert book.history("scene1").undo_steps == 2, "what the old journal still told"
    assert book.change("scene1", Undo()).source("s2").pan == 0.5
    book.change("scene2", gain(-3))
    for closing in (False, True):
        book.close() if closing else None
        again = SceneBook(tmp_path)
        assert again.get("scene1").revision == 6
        assert again.history("scene1").redo_steps == 1
        assert again.get("scene2").source("s1").gain_db == -3.0


def test_a_session_of_a_later_release_says_to_update(tmp_path: Path, book: SceneBook) -> None:
    book.close()
    snapshot = tmp_path / "scene1.json"
    snapshot.write_text(snapshot.read_text().replace('"format":2', '"format":3'))
    with pytest.raises(BadSession, match=r"scene1\.json .* format 3.* update wildtrack"):
        SceneBook(tmp_path).get("scene1")


def test_a_file_that_fails_to_close_is_not_written_by_its_old_number(
    book: SceneBook, tmp_path: Path, journals: list[Journal], monkeypatch: pytest.MonkeyPatch
) -> None:
    book.change("scene1", gain(-1))
    real = os.close

    def close(handle: int) -> None:
        real(handle)
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patch:
        patch.setattr("engine.scene.journal.os.close", close)
        journals[0].release()
    assert not journals[0].is_open
    book.change("scene1", gain(-2))
    assert SceneBook(tmp_path).get("scene1") == book.get("scene1")


def test_a_scene_whose_files_are_gone_keeps_its_id(book: SceneBook, tmp_path: Path) -> None:
    before = book.get("scene2")
    (tmp_path / "scene2.journal").unlink()
    assert book.new("Yard", 0, 96_000, 7).id == "scene3"
    with pytest.raises(SessionNotWritable):
        book.change("scene2", gain(-1))
    assert book.change("scene2", gain(-1)).revision == before.revision + 1


def test_ids_of_scenes_never_run_out(book: SceneBook, tmp_path: Path) -> None:
    (tmp_path / "scene999999.journal").write_text("foreign")
    assert book.new("Yard", 0, 96_000, 7).id == "scene3"
    assert SceneBook(tmp_path).get("scene3").name == "Yard"


def test_what_a_failed_commit_takes_back_does_not_return_after_a_power_cut(
    book: SceneBook, lines: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = lines.read_bytes()
    flushed: list[int] = []

    def flush(handle: int) -> None:
        flushed.append(os.fstat(handle).st_size)
        if len(flushed) == 2:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("engine.scene.journal.sync_handle", flush)
    results = book.change_all([("scene1", gain(-1)), ("scene2", gain(-1))])
    assert all(isinstance(result, DiskFull) for result in results)
    assert flushed[2:] == [len(before)]


def test_a_defect_of_a_snapshot_fails_no_change_that_is_on_disk(
    book: SceneBook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def defect(_timeline: Timeline) -> str:
        raise MemoryError

    monkeypatch.setattr(commit, "MAX_JOURNAL_LINES", 1)
    with monkeypatch.context() as patch:
        patch.setattr("engine.scene.journal.timeline_to_json", defect)
        scene = book.change("scene1", gain(-1))
        book.close()
    assert SceneBook(tmp_path).get("scene1") == scene
