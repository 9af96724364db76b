"""Stem files by the hash of everything that shaped them: equal work is done once."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from engine.audio import read_stem, write_stem
from osc_bridge.errors import BadAudio

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

STEM_FORMAT = 1
"""Raised whenever the same settings shall give other bytes (decoding, resampling, sharing)."""

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


class StemCache:
    """The stem files of a session. A file that is there is never written again."""

    def __init__(self, session: Path) -> None:
        self._session = session

    def find(self, key: str) -> Stem | None:
        """Return the stem of that key, or None; a damaged file counts as none."""
        path = self._session / f"stems/{key}.wav"
        if not path.is_file():
            return None
        try:
            return Stem(key, read_stem(path))
        except BadAudio as error:
            _log.warning("%s", error)
            path.unlink()
            return None

    @contextmanager
    def keeping(self, stems: list[Stem]) -> Iterator[dict[str, KeptStem]]:
        """Write the stems that are not there yet; yield all of them by key.

        When the block or a write fails, what was written here is removed again.
        """
        written: list[Path] = []
        try:
            yield {stem.key: self._keep(stem, written) for stem in stems}
        except BaseException:
            for path in written:
                path.unlink(missing_ok=True)
            raise

    def _keep(self, stem: Stem, written: list[Path]) -> KeptStem:
        path = self._session / stem.file
        if path.is_file():
            return KeptStem(stem.file, hashlib.sha256(path.read_bytes()).hexdigest())
        written.append(path)
        return KeptStem(stem.file, write_stem(path, stem.wave))
