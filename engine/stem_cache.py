"""Stem files by the hash of everything that shaped them: equal work is done once.

The folder ``stems/`` is kept to a size: what was used longest ago goes first, but nothing that a
take refers to or that a render is about to. When a stem was used is remembered as its file's
access time; its bytes and the time of its making never change.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import stat
from collections.abc import Callable, Iterator, Set
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from engine.audio import read_stem, stem_bytes
from engine.scene.model import MAX_DURATION_SAMPLES
from engine.stem_shelf import StemShelf
from osc_bridge.errors import BadAudio
from presets.files import write_whole

if TYPE_CHECKING:
    from numpy.typing import NDArray

STEM_FORMAT = 2
"""Raised whenever the same settings shall give other bytes (decoding, resampling, sharing)."""

LIMIT_BYTES = 8 * 2**30
MAX_STEM_BYTES = 4 * MAX_DURATION_SAMPLES + 1024
"""32-bit samples of the longest scene, and a header."""

_FOLDER = "stems"

_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Stem:
    """A rendered stem or mix; ``file`` is relative to the session folder once it is kept."""

    key: str
    wave: NDArray[np.float32]

    @property
    def file(self) -> str:
        return f"stems/{self.key}.wav"


@dataclass(frozen=True)
class KeptStem:
    """A stem on disk, relative to the session folder, and the SHA-256 of its bytes."""

    file: str
    sha256: str


def stem_key(**shaped_by: object) -> str:
    """Return the SHA-256 of all that shaped a stem, as 64 hexadecimal digits."""
    text = json.dumps({"format": STEM_FORMAT, **shaped_by}, sort_keys=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def none_kept() -> Set[str]:
    """Return no files: nothing refers to a stem."""
    return frozenset()


class StemCache:
    """The stem files of a session. A whole file that is there is never written again.

    ``kept`` returns the files, relative to the session, that takes refer to; while it raises
    OSError, none is removed.
    """

    def __init__(
        self,
        session: Path,
        limit_bytes: int = LIMIT_BYTES,
        kept: Callable[[], Set[str]] = none_kept,
    ) -> None:
        self._kept = kept
        self._shelf = StemShelf(session / _FOLDER, limit_bytes)

    @property
    def bytes(self) -> int:
        """Size of all stem files; the folder is walked once, when this is first asked for."""
        return self._shelf.bytes

    def find(self, key: str) -> Stem | None:
        """Return the stem of that key, or None; a damaged file counts as none."""
        path = self._shelf.path(key)
        try:
            wave = _read(path)
        except FileNotFoundError:
            self._shelf.forget(key)
            return None
        except BadAudio as error:
            self._set_aside(key, error)
            return None
        self._shelf.used(key)
        return Stem(key, wave)

    @contextmanager
    def keeping(self, stems: list[Stem]) -> Iterator[dict[str, KeptStem]]:
        """Write the stems that are not there yet; yield all of them by key.

        When the block or a write fails, what was written here is removed again. When it succeeds,
        room is made by others: these stay at least until the next are kept.
        """
        new: list[str] = []
        with self._shelf.pinned(stem.key for stem in stems):
            try:
                yield {stem.key: self._keep(stem, new) for stem in stems}
            except BaseException:
                for key in new:
                    with suppress(OSError):  # what failed first is what the caller must know
                        self._shelf.path(key).unlink(missing_ok=True)
                        self._shelf.forget(key)
                raise
            self._make_room()

    def _keep(self, stem: Stem, new: list[str]) -> KeptStem:
        """Write the stem unless its very bytes are there; a damaged file is written over."""
        path = self._shelf.path(stem.key)
        data = stem_bytes(stem.wave)
        if not _holds(path, data):
            if not os.path.lexists(path):
                new.append(stem.key)
            write_whole(path, data)
        self._shelf.used(stem.key)
        return KeptStem(stem.file, hashlib.sha256(data).hexdigest())

    def _set_aside(self, key: str, error: BadAudio) -> None:
        """Remove a damaged stem, unless a take refers to it: then it is only written over."""
        path = self._shelf.path(key)
        if self._is_kept(f"{_FOLDER}/{path.name}"):
            _log.warning("%s A take refers to it: it is rendered again.", error)
            return
        _log.warning("%s It is removed and rendered again.", error)
        path.unlink(missing_ok=True)
        self._shelf.forget(key)

    def _is_kept(self, file: str) -> bool:
        """Whether a take refers to the file, or might: where takes cannot be read."""
        try:
            return file in self._kept()
        except OSError:
            return True

    def _make_room(self) -> None:
        """Keep to the limit; a take that has just been made does not fail for it."""
        try:
            self._shelf.make_room(lambda: {Path(file).name for file in self._kept()})
        except OSError as error:
            _log.warning("No stems were removed to make room: %s", error)


def _read(path: Path) -> NDArray[np.float32]:
    """Return a stem (T,), or raise BadAudio: the session may be somebody else's."""
    found = path.lstat()
    if not stat.S_ISREG(found.st_mode) or found.st_size > MAX_STEM_BYTES:
        raise BadAudio(f"The stem {path.name} is no file of at most {MAX_STEM_BYTES} bytes.")
    wave = read_stem(path)
    if not np.isfinite(wave).all():
        raise BadAudio(f"The stem {path.name} holds NaN or infinity.")
    return wave


def _holds(path: Path, data: bytes) -> bool:
    """Whether the file is plain and has these bytes."""
    try:
        found = path.lstat()
        is_plain = stat.S_ISREG(found.st_mode) and found.st_size == len(data)
        return is_plain and path.read_bytes() == data
    except FileNotFoundError:
        return False
