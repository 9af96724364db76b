"""The stem cache: its limit, what it must keep, what it finds damaged."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from engine.audio import stem_bytes
from engine.stem_cache import KeptStem, Stem, StemCache, stem_key

SAMPLES = 1_000
STEM_BYTES = len(stem_bytes(np.zeros(SAMPLES, "f4")))


def stem(name: str, samples: int = SAMPLES) -> Stem:
    key = stem_key(name=name)
    wave = np.random.default_rng(int(key[:8], 16)).standard_normal(samples).astype("f4") * 0.1
    return Stem(key, wave)


A, B, C, D = (stem(name) for name in "abcd")


class Session:
    """A session's stems, and which of them takes refer to."""

    def __init__(self, folder: Path, room: int) -> None:
        (folder / "stems").mkdir()
        self.folder = folder
        self.in_takes: set[str] = set()
        self.limit_bytes = room * STEM_BYTES
        self.cache = self.opened()

    def opened(self) -> StemCache:
        """A cache as the next engine has it."""
        return StemCache(self.folder, self.limit_bytes, lambda: self.in_takes)

    def keep(self, *stems: Stem) -> dict[str, KeptStem]:
        with self.cache.keeping(list(stems)) as kept:
            return kept

    def path(self, of: Stem) -> Path:
        return self.folder / of.file

    def there(self) -> set[str]:
        """The files, relative to the session."""
        return {f"stems/{path.name}" for path in (self.folder / "stems").iterdir()}


@pytest.fixture
def session(tmp_path: Path) -> Session:
    return Session(tmp_path, room=3)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Each look at the time is a second later than the one before."""
    now_ns = [1_700_000_000 * 10**9]

    def later() -> int:
        now_ns[0] += 10**9
        return now_ns[0]

    with monkeypatch.context() as patch:
        patch.setattr("engine.stem_shelf.time.time_ns", later)
        yield


def test_what_is_kept_is_found_again(session: Session) -> None:
    kept = session.keep(A, B)
    assert session.there() == {A.file, B.file} == {kept[s.key].file for s in (A, B)}
    found = session.cache.find(A.key)
    assert found is not None
    assert np.array_equal(found.wave, A.wave)
    assert session.cache.find(C.key) is None
    assert session.cache.bytes == 2 * STEM_BYTES


def test_what_is_there_is_not_written_again(session: Session) -> None:
    first = session.keep(A)
    before = session.path(A).stat()
    assert session.keep(A, B)[A.key] == first[A.key]
    after = session.path(A).stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


def test_what_was_used_longest_ago_goes_first(session: Session) -> None:
    for each in (A, B, C):
        session.keep(each)
    session.cache.find(A.key)
    session.keep(D)
    assert session.there() == {A.file, C.file, D.file}
    assert session.cache.bytes == 3 * STEM_BYTES


def test_use_is_remembered_by_the_next_engine(session: Session, clock: None) -> None:
    for each in (A, B, C):
        session.keep(each)
    modified = session.path(A).stat().st_mtime_ns
    session.cache.find(A.key)
    assert session.path(A).stat().st_mtime_ns == modified
    session.cache = session.opened()
    session.keep(D)
    assert session.there() == {A.file, C.file, D.file}


def test_a_stem_of_a_take_never_goes(session: Session) -> None:
    session.in_takes = {A.file, B.file, C.file}
    session.keep(A, B, C)
    for each in (D, stem("e")):
        session.keep(each)
        in_all = session.in_takes | {each.file}
        assert session.there() == in_all, "what nobody needs stays until the next"
    session.in_takes.add(D.file)
    session.keep(D)
    assert session.there() == {A.file, B.file, C.file, D.file}, "takes come before the limit"
    session.in_takes = set()
    session.keep(D)
    assert session.cache.bytes == 3 * STEM_BYTES
    assert D.file in session.there()


def test_what_a_render_is_about_to_use_does_not_go(session: Session) -> None:
    with session.cache.keeping([A]):
        for each in (B, C, D):
            session.keep(each)
        assert A.file in session.there()
    session.keep(stem("e"), D, C)
    assert A.file not in session.there()


def test_larger_than_the_limit_is_rendered_all_the_same(session: Session) -> None:
    long = stem("long", 4 * SAMPLES)
    session.keep(A)
    session.keep(long)
    assert session.there() == {long.file}
    session.keep(A)
    assert session.there() == {A.file}


def test_the_size_is_known_without_looking_again(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    walks: list[Path] = []
    scandir = os.scandir

    def counted(folder: Path) -> Iterator[os.DirEntry[str]]:
        walks.append(folder)
        return scandir(folder)

    session.keep(A, B)
    with monkeypatch.context() as patch:
        patch.setattr("engine.stem_shelf.os.scandir", counted)
        session.cache = session.opened()
        assert session.cache.bytes == 2 * STEM_BYTES
        session.keep(C)
        assert session.cache.bytes == 3 * STEM_BYTES
        session.keep(D)
    assert len(walks) == 1


def test_files_that_vanish_or_appear_are_put_up_with(session: Session) -> None:
    session.keep(A, B)
    session.path(A).unlink()
    assert session.cache.find(A.key) is None
    assert session.cache.bytes == STEM_BYTES
    session.path(C).write_bytes(stem_bytes(C.wave))
    assert session.cache.find(C.key) is not None
    assert session.cache.bytes == 2 * STEM_BYTES
    session.path(B).unlink()
    session.keep(A, D)
    session.keep(stem("e"))
    assert session.cache.bytes == 3 * STEM_BYTES
    assert len(session.there()) == 3


@pytest.mark.parametrize("at", ["block", "write"])
def test_what_fails_leaves_nothing_new(
    session: Session, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    session.keep(A)

    def fails(folder: Path) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        if at == "write":
            patch.setattr("presets.files.sync_folder", fails)
        with pytest.raises(OSError, match="No space"), session.cache.keeping([A, B]):
            fails(session.folder)
    assert session.there() == {A.file}
    assert session.cache.bytes == STEM_BYTES


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-2])


def not_a_sound(path: Path) -> None:
    path.write_bytes(b"RIFF and more")


def endless(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(2**40)


def not_finite(path: Path) -> None:
    path.write_bytes(stem_bytes(np.full(SAMPLES, np.nan, "f4")))


def a_link(path: Path) -> None:
    target = path.with_name("elsewhere")
    target.write_bytes(path.read_bytes())
    path.unlink()
    path.symlink_to(target)


DAMAGES = [cut_short, not_a_sound, endless, not_finite, a_link]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_stem_is_dropped(
    session: Session, caplog: pytest.LogCaptureFixture, damage: object
) -> None:
    assert callable(damage)
    kept = session.keep(A)
    damage(session.path(A))
    assert session.cache.find(A.key) is None
    assert not os.path.lexists(session.path(A))
    assert A.key in caplog.text
    assert session.cache.bytes == 0
    assert session.keep(A) == kept


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_stem_of_a_take_is_written_over_by_the_same_bytes(
    session: Session, caplog: pytest.LogCaptureFixture, damage: object
) -> None:
    assert callable(damage)
    kept = session.keep(A)
    session.in_takes = {A.file}
    damage(session.path(A))
    assert session.cache.find(A.key) is None
    assert os.path.lexists(session.path(A)), "a take needs it"
    assert "take refers" in caplog.text
    assert session.keep(A) == kept
    assert session.path(A).read_bytes() == stem_bytes(A.wave)
    assert not session.path(A).is_symlink()
    assert session.cache.bytes == STEM_BYTES


def test_takes_that_cannot_be_read_remove_nothing(
    session: Session, caplog: pytest.LogCaptureFixture
) -> None:
    def unreadable() -> set[str]:
        raise OSError(13, "Permission denied")

    session.cache = StemCache(session.folder, STEM_BYTES, unreadable)
    session.keep(A, B)
    assert session.there() == {A.file, B.file}
    assert "Permission denied" in caplog.text


def test_an_empty_or_missing_folder_is_no_error(tmp_path: Path) -> None:
    cache = StemCache(tmp_path, STEM_BYTES)
    assert cache.bytes == 0
    assert cache.find(A.key) is None


def test_a_damaged_stem_is_rendered_again_while_takes_cannot_be_read(session: Session) -> None:
    def unreadable() -> set[str]:
        raise OSError(13, "Permission denied")

    session.keep(A)
    cut_short(session.path(A))
    session.cache = StemCache(session.folder, STEM_BYTES, unreadable)
    assert session.cache.find(A.key) is None
    assert session.there() == {A.file}


def test_a_stem_that_somebody_removes_while_they_are_counted_hides_no_other(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    session.keep(A, B, C)
    real = os.scandir

    class Entry:
        def __init__(self, entry: os.DirEntry[str]) -> None:
            self.name = entry.name
            self.is_file = entry.is_file
            self.stat = entry.stat if entry.name != Path(A.file).name else self.gone

        def gone(self, *, follow_symlinks: bool) -> None:
            raise FileNotFoundError(self.name)

    @contextmanager
    def scandir(folder: Path) -> Iterator[Iterator[Entry]]:
        with real(folder) as entries:
            yield iter([Entry(entry) for entry in sorted(entries, key=lambda e: e.name)])

    monkeypatch.setattr("engine.stem_shelf.os.scandir", scandir)
    assert session.opened().bytes == 2 * STEM_BYTES


def test_the_first_failure_is_told_when_nothing_can_be_removed_either(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read_only(path: Path, missing_ok: bool = False) -> None:
        raise OSError(30, "Read-only file system")

    with pytest.raises(OSError, match="No space"), session.cache.keeping([A, B]):
        monkeypatch.setattr(Path, "unlink", read_only)
        raise OSError(28, "No space left on device")
