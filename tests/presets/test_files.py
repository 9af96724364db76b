"""Files appear whole or not at all."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from presets import files
from presets.files import new_files, write_whole, writing_whole


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def test_writes_and_replaces(tmp_path: Path) -> None:
    target = tmp_path / "a.json"
    write_whole(target, b"one")
    write_whole(target, b"two")
    assert target.read_bytes() == b"two"
    assert names(tmp_path) == ["a.json"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_failed_block_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, error: type[BaseException]
) -> None:
    target = tmp_path / "a.wav"
    target.write_bytes(b"old")
    with pytest.raises(error), writing_whole(target) as part:
        part.write_bytes(b"half")
        raise error
    assert target.read_bytes() == b"old"
    assert names(tmp_path) == ["a.wav"]


def test_refuses_to_overwrite_when_asked(tmp_path: Path) -> None:
    target = tmp_path / "a.wav"
    write_whole(target, b"first", overwrite=False)
    with pytest.raises(FileExistsError):
        write_whole(target, b"second", overwrite=False)
    assert target.read_bytes() == b"first"
    assert names(tmp_path) == ["a.wav"]


def failing(*_: object) -> None:
    raise OSError("no")


def test_a_new_file_is_withdrawn_when_the_folder_cannot_be_synced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "sync_folder", failing)
    with pytest.raises(OSError, match="no"):
        write_whole(tmp_path / "a.wav", b"new", overwrite=False)
    assert names(tmp_path) == []


def test_new_files_stay_together_or_go_together(tmp_path: Path) -> None:
    (tmp_path / "b.wav").write_bytes(b"theirs")
    with pytest.raises(FileExistsError), new_files() as write:
        write(tmp_path / "a.wav", b"ours")
        assert (tmp_path / "a.wav").read_bytes() == b"ours"
        write(tmp_path / "b.wav", b"ours")
    assert names(tmp_path) == ["b.wav"]
    with new_files() as write:
        write(tmp_path / "a.wav", b"ours")
    assert names(tmp_path) == ["a.wav", "b.wav"]


def test_only_our_own_files_are_withdrawn(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), new_files() as write:
        write(tmp_path / "a.wav", b"ours")
        write_whole(tmp_path / "a.wav", b"theirs")
        raise KeyboardInterrupt
    assert (tmp_path / "a.wav").read_bytes() == b"theirs"


def test_new_files_without_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files.os, "link", failing)
    write_whole(tmp_path / "a.wav", b"first", overwrite=False)
    with pytest.raises(FileExistsError):
        write_whole(tmp_path / "a.wav", b"second", overwrite=False)
    monkeypatch.setattr(Path, "replace", failing)
    with pytest.raises(OSError, match="no"):
        write_whole(tmp_path / "b.wav", b"third", overwrite=False)
    assert names(tmp_path) == ["a.wav"]


def test_the_file_has_ordinary_permissions(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.write_bytes(b"")
    write_whole(tmp_path / "whole", b"")
    mode = stat.S_IMODE((tmp_path / "whole").stat().st_mode)
    assert mode == stat.S_IMODE(plain.stat().st_mode)


def test_the_part_keeps_the_suffix_and_the_folder(tmp_path: Path) -> None:
    with writing_whole(tmp_path / "x.png") as part:
        assert part.suffix == ".png"
        assert part.parent == tmp_path


def test_a_missing_folder_is_an_oserror(tmp_path: Path) -> None:
    with pytest.raises(OSError):
        write_whole(tmp_path / "none" / "x", b"")


class MacOS:
    """A system with F_FULLFSYNC, whose answer is an error number, or 0."""

    F_FULLFSYNC = 51

    def __init__(self, answer: int) -> None:
        self.answer = answer
        self.asked: list[int] = []

    def fcntl(self, _handle: int, command: int) -> int:
        self.asked.append(command)
        if self.answer:
            raise OSError(self.answer, os.strerror(self.answer))
        return 0


@pytest.mark.parametrize(("answer", "is_flushed_so"), [(0, True), (errno.ENOTSUP, False)])
def test_macos_is_asked_to_empty_the_cache_of_the_drive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: int, is_flushed_so: bool
) -> None:
    system = MacOS(answer)
    flushed: list[int] = []
    monkeypatch.setattr(files, "fcntl", system)
    monkeypatch.setattr("os.fsync", flushed.append)
    write_whole(tmp_path / "a.json", b"one")
    assert system.asked == [51, 51], "the file, then its folder"
    assert len(flushed) == (0 if is_flushed_so else 2)


def test_a_disk_that_macos_cannot_flush_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "fcntl", MacOS(errno.EIO))
    with pytest.raises(OSError, match=os.strerror(errno.EIO)):
        write_whole(tmp_path / "a.json", b"one")
    assert names(tmp_path) == []


def test_a_share_that_cannot_flush_folders_takes_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.fsync

    def fsync(handle: int) -> None:
        if stat.S_ISDIR(os.fstat(handle).st_mode):
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        real(handle)

    monkeypatch.setattr("os.fsync", fsync)
    write_whole(tmp_path / "a.json", b"one", overwrite=False)
    assert names(tmp_path) == ["a.json"]
