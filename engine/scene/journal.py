"""A scene on disk: a snapshot and a journal of the edits after it.

An edit is one JSON line, flushed to the disk before it is acknowledged, so nothing acknowledged
is lost when the process is killed. Opening replays the journal over the snapshot. A last line
without its line end was cut short: it is dropped and reported. Any other damage is refused as
BadSession, and the files stay as they are.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from engine.paths import open_plain, read_plain
from engine.scene import codec, edits
from engine.scene.model import Scene
from osc_bridge.errors import BadSession, WildtrackError
from presets.files import sync_folder, write_whole

MAX_FILE_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True)
class Opened:
    """What a journal held; ``dropped`` is the torn end that was cut off, "" for none."""

    scene: Scene
    dropped: str


class Journal:
    """The two files of one scene: ``<id>.json`` (snapshot) and ``<id>.journal`` (edits)."""

    def __init__(self, folder: Path, scene_id: str) -> None:
        self.scene_id = scene_id
        self.snapshot = folder / f"{scene_id}.json"
        self.lines = folder / f"{scene_id}.journal"

    def exists(self) -> bool:
        """Whether the session holds this scene."""
        return _is_there(self.snapshot) or _is_there(self.lines)

    def append(self, edit: edits.Edit, revision: int) -> None:
        """Write one edit and flush it to the disk; on failure the file is as it was."""
        line = (codec.edit_to_json(edit, revision) + "\n").encode()
        created = not _is_there(self.lines)
        handle = open_plain(self.lines, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        try:
            length = os.fstat(handle).st_size
            try:
                _write_all(handle, line)
                os.fsync(handle)
                if created:
                    sync_folder(self.lines.parent)
            except BaseException:
                os.ftruncate(handle, length)
                if created:
                    self.lines.unlink(missing_ok=True)
                raise
        finally:
            os.close(handle)

    def open(self) -> Opened:
        """Replay the files; cut off a torn last line. BadSession when they do not fit."""
        scene = codec.scene_from_json(_read(self.snapshot)) if _is_there(self.snapshot) else None
        data = read_plain(self.lines, MAX_FILE_BYTES) if _is_there(self.lines) else b""
        scene, good = self._replay(scene, data)
        if scene is None:
            raise BadSession(
                f"Scene {self.scene_id} holds no complete edit; remove {self.lines.name} from the "
                "session's scenes folder and begin the scene anew."
            )
        if scene.id != self.scene_id:
            raise BadSession(f"{self.lines.name} holds scene {scene.id!r}; give it its own name.")
        if good < len(data):
            self._cut(good)
        return Opened(scene, data[good:].decode("utf-8", "replace"))

    def compact(self, scene: Scene) -> None:
        """Write a snapshot whole, then empty the journal that it replaces.

        Killed between the two steps, the next opening skips the edits the snapshot already has.
        """
        write_whole(self.snapshot, codec.scene_to_json(scene).encode())
        if _is_there(self.lines):
            self.lines.unlink()
            sync_folder(self.lines.parent)

    def _cut(self, length: int) -> None:
        handle = open_plain(self.lines, os.O_WRONLY)
        try:
            os.ftruncate(handle, length)
        finally:
            os.close(handle)

    def _replay(self, scene: Scene | None, data: bytes) -> tuple[Scene | None, int]:
        """Return the scene after the complete edits and the length in bytes that they take.

        Lines that the snapshot has already come first; after them each revision comes once.
        """
        good = 0
        in_snapshot = scene.revision if scene is not None else 0
        for number, line in enumerate(BytesIO(data), start=1):
            if not line.endswith(b"\n"):
                break
            try:
                scene = _step(scene, line, in_snapshot)
            except WildtrackError as error:
                raise BadSession(
                    f"Line {number} of {self.lines.name} is damaged ({error}); restore the "
                    "session folder from a copy."
                ) from error
            good += len(line)
        return scene, good


def _step(scene: Scene | None, line: bytes, in_snapshot: int) -> Scene | None:
    try:
        text = line.decode()
    except UnicodeDecodeError as error:
        raise BadSession("The line is not UTF-8.") from error
    edit, revision = codec.edit_from_json(text)
    if scene is not None and scene.revision == in_snapshot and revision <= in_snapshot:
        return scene
    after = edits.apply(scene, edit)
    if after.revision != revision:
        raise BadSession(f"The line leads to revision {revision}, not to {after.revision}.")
    return after


def _read(path: Path) -> str:
    try:
        return read_plain(path, MAX_FILE_BYTES).decode()
    except UnicodeDecodeError as error:
        raise BadSession(f"{path.name} is not UTF-8; restore it from a copy.") from error


def _is_there(path: Path) -> bool:
    """Whether anything has this name: a link is something, though it is never followed."""
    return os.path.lexists(path)


def _write_all(handle: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(handle, view) :]
