"""Whether every file of a session is whole: read by who knows nothing of the engine."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import soundfile


class SessionFiles:
    """Reads each file that is new or changed since the last time; ``read`` counts them."""

    def __init__(self, session: Path) -> None:
        self.session = session
        self.read = 0
        self._seen: dict[Path, tuple[int, int, int]] = {}
        self._sha256: dict[Path, str] = {}

    def parts(self) -> set[Path]:
        """The temporary files that are there now."""
        return {path for path in self._all() if ".part" in path.suffixes}

    def check(self) -> dict[str, int]:
        """Count files that cannot be read, and takes whose files are not what they say."""
        damaged = [path for path in self._changed() if not self._is_whole(path)]
        takes = list(self.session.glob("takes/*/take.json"))
        return {
            "files_damaged": len(damaged),
            "takes_damaged": sum(not self._is_take_whole(path) for path in takes),
        }

    def _all(self) -> Iterator[Path]:
        return (path for path in self.session.rglob("*") if path.is_file())

    def _changed(self) -> Iterator[Path]:
        for path in self._all():
            if ".part" in path.suffixes:
                continue
            try:
                found = path.stat()
            except FileNotFoundError:
                continue
            key = (found.st_ino, found.st_size, found.st_mtime_ns)
            if self._seen.get(path) != key:
                self._seen[path] = key
                yield path

    def _is_whole(self, path: Path) -> bool:
        """Sounds are read to their end, documents are parsed."""
        self.read += 1
        try:
            if path.suffix == ".wav":
                data, _ = soundfile.read(path)
                self._sha256[path] = hashlib.sha256(path.read_bytes()).hexdigest()
                return len(data) > 0
            if path.suffix == ".json":
                json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return True
        except (soundfile.LibsndfileError, ValueError):
            return False
        return True

    def _is_take_whole(self, path: Path) -> bool:
        take: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        stems = [take["mix"], *take["sources"]]
        return all(
            self._sha256.get(self.session / stem["file"]) == stem["sha256"]
            for stem in stems
            if stem.get("file")
        )
