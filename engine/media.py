"""The session's own copies of the frames and clips that were added, named by their content."""

from __future__ import annotations

import hashlib
import shutil
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


def keep_media(session: Path, path: Path) -> str:
    """Copy a checked file to ``media/<sha256>.<type>``; return that, relative to the session.

    The same content is kept once. ``path`` has been confined and read before.
    """
    digest, head = _digest(path)
    name = f"media/{digest}.{_suffix(head)}"
    target = session / name
    if not target.is_file():
        with writing_whole(target) as part:
            shutil.copyfile(path, part)
            if _digest(part)[0] != digest:
                raise FileMissing(f"{path.name} changed while it was copied; add it again.")
    return name


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
