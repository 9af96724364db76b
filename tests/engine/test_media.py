"""The session's own copies: of what was checked, and only for what was added."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from engine.media import MediaStore, Original
from osc_bridge.errors import FileMissing, TooManySources


@pytest.fixture
def store(tmp_path: Path) -> MediaStore:
    (tmp_path / "media").mkdir()
    return MediaStore(tmp_path)


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    path = tmp_path / "sound"
    path.write_bytes(b"fLaC and so on")
    return path


def test_the_same_content_is_kept_once(store: MediaStore, sound: Path, tmp_path: Path) -> None:
    with store.keeping(Original.at(sound)) as name:
        assert (tmp_path / name).read_bytes() == sound.read_bytes()
    before = (tmp_path / name).stat()
    with store.keeping(Original.at(sound)) as again:
        assert again == name
    assert (tmp_path / name).stat() == before
    assert name.endswith(".flac")


def test_a_block_that_fails_leaves_only_what_was_there(
    store: MediaStore, sound: Path, tmp_path: Path
) -> None:
    for there in (0, 1):
        with pytest.raises(TooManySources), store.keeping(Original.at(sound)):
            raise TooManySources("no room")
        assert len(list((tmp_path / "media").iterdir())) == there
        with store.keeping(Original.at(sound)):
            pass


def test_a_file_that_changed_since_it_was_checked_is_refused(
    store: MediaStore, sound: Path, tmp_path: Path
) -> None:
    original = Original.at(sound)
    status = sound.stat()
    sound.write_bytes(b"fLaC another one")
    os.utime(sound, ns=(status.st_atime_ns, status.st_mtime_ns))
    with pytest.raises(FileMissing, match="changed"), store.keeping(original):
        pass
    assert list((tmp_path / "media").iterdir()) == []


@pytest.mark.parametrize("link", [False, True])
def test_a_copy_that_is_not_what_its_name_says_is_replaced(
    store: MediaStore, sound: Path, tmp_path: Path, link: bool
) -> None:
    with store.keeping(Original.at(sound)) as name:
        pass
    copy, other = tmp_path / name, tmp_path / "other"
    other.write_bytes(b"damaged")
    copy.unlink()
    if link:
        copy.symlink_to(other)
    else:
        copy.write_bytes(b"damaged")
    with store.keeping(Original.at(sound)):
        pass
    assert copy.read_bytes() == sound.read_bytes()
    assert not copy.is_symlink()
    assert other.read_bytes() == b"damaged"


def test_regions_that_find_no_room_leave_no_copy(tcp_engine: Any, picture: Path) -> None:
    scene = tcp_engine.scene(*(f"sound {number}" for number in range(63)))
    with pytest.raises(TooManySources):
        tcp_engine.client.add_image(scene, picture)
    assert tcp_engine.files("media") == {}
    assert tcp_engine.client.add_image(scene, picture, "the last") == ("s64",)
    assert len(tcp_engine.files("media")) == 1
