"""The session's own copies of the frames and clips that were added, named by their content."""

from __future__ import annotations

import hashlib
import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from osc_bridge.errors import FileMissing
from presets.files import writing_whole

_MAGIC = (
    (b"\x89PNG", "png"),
    (b"\xff\xd8\xff", "jpg"),
    (b"GIF8", "gif"),
    (b"BM", "bmp"),
    (b"II*\0", "tif"),
    (b"MM\0*", "tif"),
    (b"fLaC", "flac"),
    (b"OggS", "ogg"),
    (b"caff", "caf"),
    (b".snd", "au"),
    (b"ID3", "mp3"),
    (b"\xff\xfb", "mp3"),
)
_CONTAINERS = {b"WAVE": "wav", b"WEBP": "webp", b"AIFF": "aif", b"AIFC": "aif"}


@dataclass(frozen=True)
class Original:
    """A confined file from outside, and its state when it was first looked at."""

    path: Path
    state: tuple[int, ...]

    @classmethod
    def at(cls, path: Path) -> Original:
        """Look at the file; done before it is read and checked."""
        return cls(path, _state(path))

    def require_unchanged(self) -> None:
        """Raise FileMissing when the file is not the one that was checked."""
        if _state(self.path) != self.state:
            raise FileMissing(f"{self.path.name} changed while it was read; add it again.")


class MediaStore:
    """The folder ``media/`` of a session. Methods may be called from any thread."""

    def __init__(self, session: Path) -> None:
        self._session = session
        self._adding = threading.Lock()

    @contextmanager
    def keeping(self, original: Original) -> Iterator[str]:
        """Copy a checked file to ``media/<sha256>.<type>``; yield that, relative to the session.

        The same content is kept once. When the block fails, what was not there before is removed.
        """
        with self._adding:
            digest, head = _digest(original.path)
            name = f"media/{digest}.{_suffix(head)}"
            target = self._session / name
            is_new = not os.path.lexists(target)
            try:
                if is_new or not _holds(target, digest):
                    _copy(original.path, target, digest)
                original.require_unchanged()
                yield name
            except BaseException:
                if is_new:
                    target.unlink(missing_ok=True)
                raise


def _copy(path: Path, target: Path, digest: str) -> None:
    with writing_whole(target) as part:
        shutil.copyfile(path, part)
        if _digest(part)[0] != digest:
            raise FileMissing(f"{path.name} changed while it was copied; add it again.")


def _holds(target: Path, digest: str) -> bool:
    """Whether the session's copy is what its name says: the session may be somebody else's."""
    return target.is_file() and not target.is_symlink() and _digest(target)[0] == digest


def _state(path: Path) -> tuple[int, ...]:
    try:
        now = path.stat()
    except OSError as error:
        raise FileMissing(f"{path.name} cannot be read ({error.strerror}).") from error
    return now.st_dev, now.st_ino, now.st_size, now.st_mtime_ns, now.st_ctime_ns


def _digest(path: Path) -> tuple[str, bytes]:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        file.seek(0)
        return digest, file.read(16)


def _suffix(head: bytes) -> str:
    """Return the usual suffix of the content, "bin" when it is none of the common ones."""
    if head[8:12] in _CONTAINERS:
        return _CONTAINERS[head[8:12]]
    return next((suffix for magic, suffix in _MAGIC if head.startswith(magic)), "bin")
