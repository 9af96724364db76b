"""A disk that fails: each failure says what to do, and the scene stays usable."""

from __future__ import annotations

import errno
import os
import resource
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from engine.errors import as_wildtrack_error
from osc_bridge.errors import (
    BadSession,
    DiskFull,
    InternalError,
    OutOfMemory,
    SessionNotWritable,
    WildtrackError,
)


@pytest.fixture
def unharmed(tcp_engine: Any) -> Iterator[Any]:
    """An engine with a scene of one source; afterwards it is as it was, and can be worked with."""
    scene = tcp_engine.scene("rain")
    before = tcp_engine.client.snapshot(scene)
    yield tcp_engine
    assert tcp_engine.client.snapshot(scene) == before
    tcp_engine.client.set(scene, "s1", pan=0.5)
    assert tcp_engine.client.snapshot(scene).revision == before.revision + 1
    assert tcp_engine.client.render(scene, quality="preview").take
    assert not list(tcp_engine.session.rglob("*.part*"))


def ways(engine: Any, picture: Path) -> dict[str, Callable[[], object]]:
    """Requests of each kind that write to the session."""
    client = engine.client
    return {
        "edit": lambda: client.set("scene1", "s1", gain_db=-6.0),
        "words": lambda: client.add_text("scene1", "wind"),
        "picture": lambda: client.add_image("scene1", picture, "frame"),
        "scene": lambda: client.new_scene("Another"),
        "render": lambda: client.render("scene1"),
        "stem": lambda: client.render_source("scene1", "s1"),
    }


WAYS = ("edit", "words", "picture", "scene", "render", "stem")

FAILURES: dict[int, tuple[type[WildtrackError], str]] = {
    errno.ENOSPC: (DiskFull, "free some space"),
    errno.EDQUOT: (DiskFull, "free some space"),
    errno.EFBIG: (DiskFull, "ulimit -f"),
    errno.ENOMEM: (OutOfMemory, "end other programs"),
    errno.EMFILE: (SessionNotWritable, "ulimit -n"),
    errno.EROFS: (SessionNotWritable, "read-only"),
    errno.EACCES: (SessionNotWritable, "permissions"),
    errno.EPERM: (SessionNotWritable, "permissions"),
    errno.ENOENT: (SessionNotWritable, "put it back"),
    errno.ENOTDIR: (SessionNotWritable, "changed places"),
    errno.EBUSY: (SessionNotWritable, "close it there"),
    errno.ETXTBSY: (SessionNotWritable, "close it there"),
    errno.EIO: (SessionNotWritable, "check its cable"),
    errno.ESTALE: (SessionNotWritable, "put it back"),
}


@pytest.mark.parametrize("number", FAILURES, ids=lambda number: errno.errorcode[number])
def test_each_failure_has_its_cure(number: int) -> None:
    kind, cure = FAILURES[number]
    told = as_wildtrack_error(OSError(number, os.strerror(number), "/session/scenes"))
    assert type(told) is kind
    assert cure in str(told)
    assert "the scene is as it was" in str(told)


def test_windows_says_in_its_own_way_that_a_file_is_in_use() -> None:
    error = OSError("used by another process")
    error.winerror = 32  # type: ignore[attr-defined]
    assert "close it there" in str(as_wildtrack_error(error))


def test_memory_that_ends_and_defects() -> None:
    assert type(as_wildtrack_error(MemoryError())) is OutOfMemory
    assert type(as_wildtrack_error(RuntimeError("CUDA out of memory. Tried"))) is OutOfMemory
    assert type(as_wildtrack_error(OSError("no number"))) is InternalError
    assert type(as_wildtrack_error(KeyError("oops"))) is InternalError


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS], ids=["full", "read-only"])
@pytest.mark.parametrize("way", WAYS)
def test_what_the_disk_refuses_to_flush(
    unharmed: Any, picture: Path, way: str, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_handle: int) -> None:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", refuse)
        with pytest.raises(FAILURES[number][0]):
            ways(unharmed, picture)[way]()
    for folder in ("media", "stems", "takes", "jobs"):
        assert unharmed.files(folder) == {}
    assert [row.scene for row in unharmed.client.scenes()] == ["scene1"]


@contextmanager
def limited(what: int, soft: int) -> Iterator[None]:
    before = resource.getrlimit(what)
    resource.setrlimit(what, (soft, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(what, before)


@pytest.mark.parametrize("way", ["edit", "words", "picture", "scene", "render"])
def test_a_file_that_may_not_grow(unharmed: Any, picture: Path, way: str) -> None:
    request = ways(unharmed, picture)[way]
    with limited(resource.RLIMIT_FSIZE, 16), pytest.raises(DiskFull, match="ulimit -f"):
        request()


@pytest.mark.parametrize("way", ["scene", "render", "stem"])
def test_no_file_can_be_opened(unharmed: Any, picture: Path, way: str) -> None:
    request = ways(unharmed, picture)[way]
    free = os.dup(0)
    os.close(free)
    with limited(resource.RLIMIT_NOFILE, free), pytest.raises(SessionNotWritable, match="ulimit"):
        request()


FOLDERS = {
    "edit": "scenes",
    "words": "scenes",
    "scene": "scenes",
    "picture": "media",
    "render": "takes",
    "stem": "stems",
}


@pytest.mark.parametrize("way", WAYS)
def test_a_folder_that_is_gone(unharmed: Any, picture: Path, way: str) -> None:
    folder = unharmed.session / FOLDERS[way]
    folder.rename(folder.with_name("away"))
    try:
        with pytest.raises(SessionNotWritable, match=r"gone|removed"):
            ways(unharmed, picture)[way]()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        folder.with_name("away").rename(folder)


@pytest.mark.parametrize("way", WAYS)
def test_a_file_where_the_folder_was(unharmed: Any, picture: Path, way: str) -> None:
    folder = unharmed.session / FOLDERS[way]
    folder.rename(folder.with_name("away"))
    folder.write_text("in the way")
    try:
        with pytest.raises((SessionNotWritable, BadSession)):
            ways(unharmed, picture)[way]()
    finally:
        folder.unlink()
        folder.with_name("away").rename(folder)


def test_a_session_folder_that_is_gone_and_returns(unharmed: Any) -> None:
    away = unharmed.session.with_name("away")
    unharmed.session.rename(away)
    client = unharmed.client
    for ask in (
        lambda: client.set("scene1", "s1", mute=True),
        lambda: client.render("scene1"),
        client.takes,
        client.scenes,
        lambda: client.star_take("t0001"),
    ):
        try:
            ask()
        except WildtrackError as error:
            assert not isinstance(error, InternalError), error
    assert client.ping()
    shutil.rmtree(unharmed.session, ignore_errors=True)
    away.rename(unharmed.session)
