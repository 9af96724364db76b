"""A scene on disk: a snapshot and a journal of the edits after it.

An edit is one JSON line, flushed to the disk before it is acknowledged, so nothing acknowledged
is lost when the process is killed. Opening replays the journal over the snapshot. A last line
that was cut short is dropped and reported; damage anywhere else is refused as BadSession.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

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
        return self.snapshot.is_file() or self.lines.is_file()

    def append(self, edit: edits.Edit, revision: int) -> None:
        """Write one edit and flush it to the disk; on failure the file is as it was."""
        line = (codec.edit_to_json(edit, revision) + "\n").encode()
        created = not self.lines.exists()
        handle = os.open(self.lines, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            length = os.fstat(handle).st_size
            try:
                _write_all(handle, line)
                os.fsync(handle)
            except OSError:
                os.ftruncate(handle, length)
                raise
        finally:
            os.close(handle)
        if created:
            sync_folder(self.lines.parent)

    def open(self) -> Opened:
        """Replay the files; cut off a torn last line. BadSession when they do not fit."""
        scene = codec.scene_from_json(_read(self.snapshot)) if self.snapshot.is_file() else None
        data = _bytes(self.lines) if self.lines.is_file() else b""
        scene, good = self._replay(scene, data)
        if scene is None:
            raise BadSession(
                f"Scene {self.scene_id} holds no complete edit; remove {self.lines.name} from the "
                "session's scenes folder and begin the scene anew."
            )
        if scene.id != self.scene_id:
            raise BadSession(f"{self.lines.name} holds scene {scene.id!r}; give it its own name.")
        if good < len(data):
            os.truncate(self.lines, good)
        return Opened(scene, data[good:].decode("utf-8", "replace"))

    def compact(self, scene: Scene) -> None:
        """Write a snapshot whole, then empty the journal that it replaces.

        Killed between the two steps, the next opening skips the edits the snapshot already has.
        """
        write_whole(self.snapshot, codec.scene_to_json(scene).encode())
        if self.lines.is_file():
            self.lines.unlink()
            sync_folder(self.lines.parent)

    def _replay(self, scene: Scene | None, data: bytes) -> tuple[Scene | None, int]:
        """Return the scene after the complete edits and the length in bytes that they take."""
        good = 0
        lines = data.splitlines(keepends=True)
        for number, line in enumerate(lines, start=1):
            try:
                scene = _step(scene, line)
            except WildtrackError as error:
                if number == len(lines):
                    break
                raise BadSession(
                    f"Line {number} of {self.lines.name} is damaged ({error}); restore the "
                    "session folder from a copy."
                ) from error
            good += len(line)
        return scene, good


def _step(scene: Scene | None, line: bytes) -> Scene | None:
    if not line.endswith(b"\n"):
        raise BadSession("The line is cut short.")
    try:
        text = line.decode()
    except UnicodeDecodeError as error:
        raise BadSession("The line is not UTF-8.") from error
    edit, revision = codec.edit_from_json(text)
    if scene is not None and revision <= scene.revision:
        return scene
    after = edits.apply(scene, edit)
    if after.revision != revision:
        raise BadSession(f"The line leads to revision {revision}, not to {after.revision}.")
    return after


def _read(path: Path) -> str:
    try:
        return _bytes(path).decode()
    except UnicodeDecodeError as error:
        raise BadSession(f"{path.name} is not UTF-8; restore it from a copy.") from error


def _bytes(path: Path) -> bytes:
    size = path.stat().st_size
    if size > MAX_FILE_BYTES:
        raise BadSession(
            f"{path.name} has {size} bytes; the allowed range is 0 to {MAX_FILE_BYTES} bytes: "
            "restore it from a copy."
        )
    return path.read_bytes()


def _write_all(handle: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(handle, view) :]
