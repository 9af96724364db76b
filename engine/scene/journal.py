"""A scene on disk: a snapshot and a journal of the edits after it.

An edit is one JSON line, flushed to the disk before it is acknowledged, so nothing acknowledged
is lost when the process is killed. The journal stays open between edits; that nobody removed or
replaced it meanwhile is looked at before each write.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from engine.paths import open_plain
from engine.scene.history import Timeline
from engine.scene.replay import Opened, replay
from engine.scene.snapshot import timeline_to_json
from osc_bridge.errors import SessionNotWritable
from presets.files import sync_folder, write_whole

_Identity = tuple[int, int]


class Journal:
    """The two files of one scene: ``<id>.json`` (snapshot) and ``<id>.journal`` (edits).

    ``lines`` and ``size_bytes`` are what the journal holds. OSErrors pass to the caller.
    """

    def __init__(self, folder: Path, scene_id: str) -> None:
        self.scene_id = scene_id
        self.snapshot = folder / f"{scene_id}.json"
        self.path = folder / f"{scene_id}.journal"
        self.lines = 0
        self.size_bytes = 0
        self._before = (0, 0, False)
        self._identity: _Identity | None = None
        self._handle: int | None = None
        self._has_snapshot = False
        self._was_missing = False
        self._has_remains = False

    @property
    def is_open(self) -> bool:
        """Whether the journal's file is open."""
        return self._handle is not None

    def exists(self) -> bool:
        """Whether the session holds this scene."""
        return os.path.lexists(self.snapshot) or os.path.lexists(self.path)

    def open(self) -> Opened:
        """Replay the files; cut off a torn last line. BadSession when they do not fit."""
        opened = replay(self.snapshot, self.path, self.scene_id)
        self._has_snapshot = os.path.lexists(self.snapshot)
        self.lines, self.size_bytes = opened.lines, opened.size_bytes
        there = self._there()
        if there is not None:
            self._identity = _identity(there)
        if opened.dropped:
            os.ftruncate(self._writable(), self.size_bytes)
        return opened

    def append(self, data: bytes, lines: int) -> None:
        """Write whole lines and flush them; on failure the file is as it was.

        SessionNotWritable when a file of the scene was removed or replaced meanwhile.
        """
        self._require_ours()
        before = self.lines, self.size_bytes, self._identity is not None
        if self._identity is None:
            write_whole(self.path, data, overwrite=False)
            self._identity = _identity(self.path.lstat())
        else:
            self._extend(data)
        self._before = before
        self.lines += lines
        self.size_bytes += len(data)

    def take_back(self) -> None:
        """Make the journal what it was before the last `append`."""
        self.lines, self.size_bytes, existed = self._before
        if existed:
            self._cut()
            return
        self.release()
        with suppress(OSError):
            self.path.unlink()
            self._identity = None
        self._has_remains = self._identity is not None

    def compact(self, timeline: Timeline) -> None:
        """Write a snapshot whole, then empty the journal that it replaces.

        Killed between the two steps, the next opening skips the edits the snapshot already has.
        Files that are missing are written anew.
        """
        self._require_ours(or_missing=True)
        write_whole(self.snapshot, timeline_to_json(timeline).encode())
        self._has_snapshot = True
        self._was_missing = False
        self.lines = self.size_bytes = 0
        if self._there() is None:
            self.release()
            self._identity = None
        elif self._identity is not None:
            os.ftruncate(self._writable(), 0)

    def restore(self, timeline: Timeline) -> None:
        """Write the scene anew where an `append` has found, and said, that files are missing."""
        if self._was_missing and self._is_missing():
            self.compact(timeline)
        self._was_missing = False

    def finish(self, timeline: Timeline) -> None:
        """Leave nothing but a snapshot, if these are still our files; nothing to write: as is."""
        try:
            if self._identity is not None:
                self._require_ours()
                if self.lines:
                    self.compact(timeline)
                self.release()
                self.path.unlink()
                self._identity = None
                sync_folder(self.path.parent)
        finally:
            self.release()

    def release(self) -> None:
        """Close the file; the next `append` opens it again."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def _extend(self, data: bytes) -> None:
        handle = self._writable()
        if self._has_remains:
            os.ftruncate(handle, self.size_bytes)
            self._has_remains = False
        try:
            _write_all(handle, data)
            os.fsync(handle)
        except BaseException:
            self._cut()
            raise

    def _cut(self) -> None:
        """Cut off what is beyond ``size_bytes``; where even that fails, before the next write."""
        self._has_remains = True
        with suppress(OSError):
            os.ftruncate(self._writable(), self.size_bytes)
            self._has_remains = False

    def _writable(self) -> int:
        if self._handle is None:
            self._handle = open_plain(self.path, os.O_WRONLY | os.O_APPEND)
        return self._handle

    def _there(self) -> os.stat_result | None:
        try:
            return self.path.lstat()
        except FileNotFoundError:
            return None

    def _is_missing(self) -> bool:
        """Whether a file that we wrote is gone; with its folder, everything is."""
        journal_gone = self._identity is not None and not os.path.lexists(self.path)
        return journal_gone or (self._has_snapshot and not os.path.lexists(self.snapshot))

    def _require_ours(self, *, or_missing: bool = False) -> None:
        if self._is_missing():
            if or_missing:
                return
            self._was_missing = True
            raise SessionNotWritable(
                f"Files of {self.scene_id} were removed from the session folder while the engine "
                "had them open; put them back, or ask again and the engine writes the scene as it "
                "was: nothing is lost."
            )
        there = self._there()
        if (there is None) != (self._identity is None) or (
            there is not None
            and (
                _identity(there) != self._identity
                or (there.st_size != self.size_bytes and not self._has_remains)
            )
        ):
            raise SessionNotWritable(
                f"{self.path.name} was replaced or changed by another program; restart the engine "
                "to open what is there now, or remove that file and ask again to keep the scene as "
                "the engine has it."
            )


def _identity(status: os.stat_result) -> _Identity:
    return status.st_dev, status.st_ino


def _write_all(handle: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(handle, view) :]
