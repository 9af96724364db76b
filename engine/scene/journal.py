"""A scene on disk: a snapshot and a journal of the edits after it.

An edit is one JSON line, flushed to the disk before it is acknowledged, so nothing acknowledged
is lost when the process is killed. The journal stays open between edits; that nobody removed or
changed it meanwhile is looked at before each write. What counts is the content: a session folder
that was taken away and copied back is the same.
"""

from __future__ import annotations

import os
import stat
import zlib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from engine.paths import open_plain
from engine.scene.history import Timeline
from engine.scene.replay import Opened, replay
from engine.scene.snapshot import timeline_to_json
from osc_bridge.errors import SessionNotWritable
from presets.files import sync_folder, sync_handle, write_whole


@dataclass(frozen=True)
class _Content:
    """What the journal holds, as far as it is acknowledged."""

    lines: int
    size_bytes: int
    checksum: int

    def and_then(self, data: bytes, lines: int) -> _Content:
        """The content with ``data`` at its end."""
        checksum = zlib.crc32(data, self.checksum)
        return _Content(self.lines + lines, self.size_bytes + len(data), checksum)


_EMPTY = _Content(0, 0, 0)


class Journal:
    """The two files of one scene: ``<id>.json`` (snapshot) and ``<id>.journal`` (edits).

    OSErrors pass to the caller.
    """

    def __init__(self, folder: Path, scene_id: str) -> None:
        self.scene_id = scene_id
        self.snapshot = folder / f"{scene_id}.json"
        self.path = folder / f"{scene_id}.journal"
        self._content: _Content | None = None
        """None while there is no such file."""
        self._before: _Content | None = None
        self._handle: int | None = None
        self._has_snapshot = False
        self._was_missing = False
        self._has_remains = False

    @property
    def lines(self) -> int:
        """How many edits came after the snapshot."""
        return self._content.lines if self._content else 0

    @property
    def size_bytes(self) -> int:
        """How long the journal is."""
        return self._content.size_bytes if self._content else 0

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
        if self._there() is not None:
            self._content = _EMPTY.and_then(opened.data, opened.lines)
        if opened.dropped:
            self._cut()
        return opened

    def append(self, data: bytes, lines: int) -> None:
        """Write whole lines and flush them; on failure the file is as it was.

        SessionNotWritable when a file of the scene was removed or changed meanwhile.
        """
        self._require_ours()
        before = self._content
        if before is None:
            write_whole(self.path, data, overwrite=False)
        else:
            self._extend(data)
        self._before = before
        self._content = (before or _EMPTY).and_then(data, lines)

    def take_back(self) -> None:
        """Make the journal what it was before the last `append`, also after a power cut.

        Where the disk does not allow that, the lines that were refused may come back with it.
        """
        if self._before is None:
            self._content = _EMPTY
            with suppress(OSError):
                self.release()
                self.path.unlink()
                self._content = None
                sync_folder(self.path.parent)
                return
        else:
            self._content = self._before
        self._cut()
        with suppress(OSError):
            sync_handle(self._writable())

    def compact(self, timeline: Timeline) -> None:
        """Write a snapshot whole, then empty the journal that it replaces.

        Killed between the two steps, the next opening skips the edits the snapshot already has.
        Files that are missing are written anew.
        """
        self._require_ours(or_missing=True)
        write_whole(self.snapshot, timeline_to_json(timeline).encode())
        self._has_snapshot = True
        self._was_missing = False
        if self._there() is None:
            self.release()
            self._content = None
        else:
            self._content = _EMPTY
            self._cut()

    def restore(self, timeline: Timeline) -> None:
        """Write the scene anew where an `append` has found, and said, that files are missing."""
        if self._was_missing and self._is_missing():
            self.compact(timeline)
        self._was_missing = False

    def finish(self, timeline: Timeline) -> None:
        """Leave nothing but a snapshot, if these are still our files."""
        try:
            if self._content is not None:
                self._require_ours()
                if self.lines:
                    self.compact(timeline)
                self.release()
                self.path.unlink()
                self._content = None
                sync_folder(self.path.parent)
        finally:
            self.release()

    def release(self) -> None:
        """Close the file; the next `append` opens it again."""
        handle, self._handle = self._handle, None
        if handle is not None:
            with suppress(OSError):  # whatever was acknowledged was flushed before
                os.close(handle)

    def _extend(self, data: bytes) -> None:
        handle = self._writable()
        if self._has_remains:
            os.ftruncate(handle, self.size_bytes)
            self._has_remains = False
        try:
            _write_all(handle, data)
            sync_handle(handle)
        except BaseException:
            self._cut()
            raise

    def _cut(self) -> None:
        """Cut off what is beyond our content; where even that fails, before the next write."""
        self._has_remains = True
        with suppress(OSError):
            os.ftruncate(self._writable(), self.size_bytes)
            self._has_remains = False

    def _writable(self) -> int:
        if self._handle is None:
            self._handle = open_plain(self.path, os.O_RDWR | os.O_APPEND)
        return self._handle

    def _there(self) -> os.stat_result | None:
        try:
            return self.path.lstat()
        except FileNotFoundError:
            return None

    def _is_missing(self) -> bool:
        """Whether a file that we wrote is gone; with its folder, everything is."""
        journal_gone = self._content is not None and not os.path.lexists(self.path)
        return journal_gone or (self._has_snapshot and not os.path.lexists(self.snapshot))

    def _require_ours(self, *, or_missing: bool = False) -> None:
        if self._is_missing() and not or_missing:
            self._was_missing = True
            raise SessionNotWritable(
                f"Files of {self.scene_id} were removed from the session folder while the engine "
                "had them open; put them back, or ask again and the engine writes the scene as it "
                "was: nothing is lost."
            )
        if not (or_missing and self._there() is None) and not self._is_ours():
            raise SessionNotWritable(
                f"{self.path.name} was replaced or changed by another program; restart the engine "
                "to open what is there now, or remove that file and ask again to keep the scene as "
                "the engine has it."
            )

    def _is_ours(self) -> bool:
        there = self._there()
        if there is None or self._content is None:
            return there is None and self._content is None
        if not stat.S_ISREG(there.st_mode) or there.st_size < self.size_bytes:
            return False
        if there.st_size > self.size_bytes and not self._has_remains:
            return False
        if self._handle is not None and os.path.samestat(os.fstat(self._handle), there):
            return True
        self.release()
        return self._holds_content()

    def _holds_content(self) -> bool:
        """Open the file anew, and look whether it begins with all that was acknowledged."""
        with os.fdopen(os.dup(self._writable()), "rb") as file:
            file.seek(0)
            data = file.read(self.size_bytes)
        if _EMPTY.and_then(data, self.lines) == self._content:
            return True
        self.release()
        return False


def _write_all(handle: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(handle, view) :]
