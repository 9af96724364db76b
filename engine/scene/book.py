"""All scenes of a session: the only place where a scene changes.

Any thread may ask; each change is applied, written down and only then visible.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass, replace
from pathlib import Path

from engine.scene import codec, edits
from engine.scene.journal import Journal
from engine.scene.model import Scene
from osc_bridge.errors import UnknownScene

EDITS_PER_SNAPSHOT = 500

_log = logging.getLogger(__name__)


@dataclass
class _Entry:
    scene: Scene
    journal: Journal
    since_snapshot: int = 0


class SceneBook:
    """The scenes under ``folder``, opened when first asked for."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.RLock()
        self._open: dict[str, _Entry] = {}

    def ids(self) -> list[str]:
        """Return the ids of all scenes on disk, in the order they were made."""
        names = {path.stem for path in self._folder.iterdir() if _is_scene_file(path)}
        return sorted(names, key=_number)

    def get(self, scene_id: str) -> Scene:
        """Return the scene as it is now, or raise UnknownScene or BadSession."""
        with self._lock:
            return self._entry(scene_id).scene

    def new(self, name: str, start_sample: int, duration_samples: int, seed: int) -> Scene:
        """Begin a scene and write it down; OutOfRange or BadText leave nothing behind."""
        with self._lock:
            used = [_number(scene_id) for scene_id in self.ids()]
            scene_id = f"scene{max(used, default=0) + 1}"
            edit = edits.NewScene(scene_id, name, start_sample, duration_samples, seed)
            scene = edits.apply(None, edit)
            journal = Journal(self._folder, scene_id)
            journal.append(edit, scene.revision)
            self._open[scene_id] = _Entry(scene, journal)
            return scene

    def change(self, scene_id: str, edit: edits.Edit) -> Scene:
        """Apply an edit, flush it to the disk, return the new scene."""
        with self._lock:
            entry = self._entry(scene_id)
            scene = edits.apply(entry.scene, edit)
            if scene == _same_revision(entry.scene, scene):
                return entry.scene
            entry.journal.append(edit, scene.revision)
            entry.scene = scene
            entry.since_snapshot += 1
            if entry.since_snapshot >= EDITS_PER_SNAPSHOT:
                self._snapshot(entry)
            return scene

    def close(self) -> None:
        """Write a snapshot of each scene that changed."""
        with self._lock:
            for entry in self._open.values():
                if entry.journal.lines.is_file():
                    self._snapshot(entry)
            self._open.clear()

    def _snapshot(self, entry: _Entry) -> None:
        """A snapshot only shortens the journal: failing to write one loses nothing."""
        try:
            entry.journal.compact(entry.scene)
            entry.since_snapshot = 0
        except OSError as error:
            _log.warning("No snapshot of %s: %s", entry.scene.id, error)

    def _entry(self, scene_id: str) -> _Entry:
        if scene_id not in self._open:
            self._open[scene_id] = self._opened(scene_id)
        return self._open[scene_id]

    def _opened(self, scene_id: str) -> _Entry:
        journal = Journal(self._folder, scene_id)
        if not codec.is_scene_id(scene_id) or not journal.exists():
            there = ", ".join(self.ids()[-8:]) or "none yet"
            raise UnknownScene(
                f"This session has no scene {scene_id[:40]!r} (latest scenes: {there}); "
                "begin one with scene/new."
            )
        opened = journal.open()
        if opened.dropped:
            _log.warning("Dropped the torn end of %s: %r", journal.lines.name, opened.dropped)
        return _Entry(opened.scene, journal)


def _same_revision(old: Scene, new: Scene) -> Scene:
    return replace(old, revision=new.revision)


def _is_scene_file(path: Path) -> bool:
    return path.suffix in (".json", ".journal") and codec.is_scene_id(path.stem)


def _number(scene_id: str) -> int:
    return int(scene_id.removeprefix("scene"))
