"""How large the stem files are together, in which order they were used, and which may go.

The folder is walked once, when somebody first asks; after that only changes are counted. Files
that others remove or add meanwhile are noticed when they are next used.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Set
from contextlib import contextmanager
from pathlib import Path

_STEM = re.compile(r"([0-9a-f]{64})\.wav")

_log = logging.getLogger(__name__)


class StemShelf:
    """The files ``<key>.wav`` of one folder. Methods may be called from any thread."""

    def __init__(self, folder: Path, limit_bytes: int) -> None:
        self._folder = folder
        self._limit_bytes = limit_bytes
        self._lock = threading.RLock()
        self._pins: Counter[str] = Counter()
        self._sizes: dict[str, int] | None = None
        self._bytes = 0

    @property
    def bytes(self) -> int:
        """Size of all files together."""
        with self._lock:
            self._known()
            return self._bytes

    def path(self, key: str) -> Path:
        """Return the file of that key."""
        return self._folder / f"{key}.wav"

    def used(self, key: str) -> None:
        """Note that a file is used now, or is new; it becomes the last to go."""
        with self._lock:
            self.forget(key)
            path = self.path(key)
            with contextlib.suppress(FileNotFoundError):
                now = path.stat()
                self._known()[key] = now.st_size
                self._bytes += now.st_size
                _set_time_of_use(path, now.st_mtime_ns)

    def forget(self, key: str) -> None:
        """Note that a file is gone."""
        with self._lock:
            sizes = self._known()
            self._bytes -= sizes.pop(key, 0)

    @contextmanager
    def pinned(self, keys: Iterable[str]) -> Iterator[None]:
        """Let none of these files go inside the block."""
        pins = Counter(set(keys))
        with self._lock:
            self._pins += pins
        try:
            yield
        finally:
            with self._lock:
                self._pins -= pins

    def make_room(self, kept: Callable[[], Set[str]]) -> None:
        """Remove what was used longest ago until the files are within the limit.

        ``kept`` returns the names of files that must stay; it is asked only when one has to go.
        """
        with self._lock:
            sizes = self._known()
            if self._bytes <= self._limit_bytes:
                return
            stay = kept()
            for key in list(sizes):
                if self._bytes <= self._limit_bytes:
                    break
                if key not in self._pins and f"{key}.wav" not in stay:
                    self._remove(key)

    def _remove(self, key: str) -> None:
        try:
            self.path(key).unlink(missing_ok=True)
        except OSError as error:
            _log.warning("The stem %s cannot be removed: %s", key, error)
        else:
            self.forget(key)

    def _known(self) -> dict[str, int]:
        """Return the sizes by key, the one used longest ago first."""
        if self._sizes is None:
            found = sorted(self._walk())
            self._sizes = {key: size for _, key, size in found}
            self._bytes = sum(self._sizes.values())
        return self._sizes

    def _walk(self) -> Iterator[tuple[int, str, int]]:
        """Yield time of use, key and size of each stem."""
        try:
            with os.scandir(self._folder) as entries:
                for entry in entries:
                    match = _STEM.fullmatch(entry.name)
                    with contextlib.suppress(FileNotFoundError):  # somebody removes it just now
                        if match and entry.is_file(follow_symlinks=False):
                            now = entry.stat(follow_symlinks=False)
                            yield now.st_atime_ns, match[1], now.st_size
        except FileNotFoundError:
            return


def _set_time_of_use(path: Path, modified_ns: int) -> None:
    try:
        os.utime(path, ns=(time.time_ns(), modified_ns))
    except OSError as error:
        _log.warning("When %s was used cannot be noted: %s", path.name, error)
