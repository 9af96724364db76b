"""All scenes of a session: the only place where a scene changes.

Any thread may ask; each change is applied, written down and only then visible.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path

from engine.errors import as_wildtrack_error, mapped
from engine.scene import codec, commit, edits, history
from engine.scene.commit import Draft, Entry
from engine.scene.edits import Edit, Plan
from engine.scene.history import History, Timeline
from engine.scene.journal import Journal
from engine.scene.model import Scene
from osc_bridge.errors import UnknownScene, WildtrackError

MAX_OPEN_FILES = 16
"""Journals that stay open between changes; the one changed longest ago is closed first."""

Told = Callable[[Scene, str], None]
"""Hears of a change that is on disk: the scene after it, and what changed, for people.

Called in the order of the changes and inside the book's lock, so it must not wait for anything.
"""

_log = logging.getLogger(__name__)


def ignore(*_: object) -> None:
    """Hear nothing."""


class SceneBook:
    """The scenes under ``folder``, opened when first asked for.

    ``torn`` hears a sentence for each journal whose cut end was dropped. Every method raises
    nothing but WildtrackErrors.
    """

    def __init__(
        self,
        folder: Path,
        told: Told = ignore,
        torn: Callable[[str], None] = ignore,
        clock_s: Callable[[], float] = time.time,
    ) -> None:
        self._folder = folder
        self._told = told
        self._torn = torn
        self._clock_s = clock_s
        self._lock = threading.RLock()
        self._open: dict[str, Entry] = {}

    def ids(self) -> list[str]:
        """Return the ids of all scenes on disk, in the order they were made."""
        with mapped():
            names = {path.stem for path in self._folder.iterdir() if _is_scene_file(path)}
            return sorted(names, key=_number)

    def get(self, scene_id: str) -> Scene:
        """Return the scene as it is now, or raise UnknownScene or BadSession."""
        return self.timeline(scene_id).scene

    def history(self, scene_id: str) -> History:
        """Return how far undo and redo can go, and what changed last."""
        return self.timeline(scene_id).history

    def timeline(self, scene_id: str) -> Timeline:
        """Return the scene and its history, of the same moment."""
        with self._lock, mapped():
            return self._entry(scene_id).timeline

    def new(self, name: str, start_sample: int, duration_samples: int, seed: int) -> Scene:
        """Begin a scene and write it down; OutOfRange or BadText leave nothing behind."""
        with self._lock, mapped():
            scene_id = self._free_id()
            edit = edits.NewScene(scene_id, name, start_sample, duration_samples, seed)
            timeline = history.begin(edit)
            journal = Journal(self._folder, scene_id)
            line = codec.edit_to_json(edit, timeline.scene.revision, self._now_ms())
            journal.append(f"{line}\n".encode(), 1)
            self._open[scene_id] = Entry(timeline, journal)
            self._tell(timeline)
            return timeline.scene

    def change(self, scene_id: str, edit: Edit | Plan) -> Scene:
        """Apply an edit, flush it to the disk, return the new scene."""
        (result,) = self.change_all([(scene_id, edit)])
        if isinstance(result, WildtrackError):
            raise result
        return result.scene

    def change_all(
        self, changes: Sequence[tuple[str, Edit | Plan]]
    ) -> list[Timeline | WildtrackError]:
        """Apply edits in order, with one write and one flush for each scene.

        Returns for each edit the ``Timeline`` (``.scene``, ``.history``: undo_steps, redo_steps,
        what) as it was after it, or the error of that edit alone. When writing fails, every scene
        is as before the call and each edit gets that error.
        """
        with self._lock:
            now_ms = self._now_ms()
            drafts: dict[str, Draft] = {}
            results: list[Timeline | WildtrackError] = []
            made: list[Timeline] = []
            for scene_id, edit in changes:
                try:
                    draft = self._draft(drafts, scene_id)
                    if draft.apply(edit, now_ms):
                        made.append(draft.timeline)
                    results.append(draft.timeline)
                except Exception as error:
                    results.append(as_wildtrack_error(error))
            failure = commit.write(drafts.values())
            if failure is not None:
                return [r if isinstance(r, WildtrackError) else failure for r in results]
            self._after(drafts, made)
            return results

    def save(self, scene_id: str) -> Timeline:
        """Write the snapshot of a scene now."""
        with self._lock, mapped():
            entry = self._entry(scene_id)
            entry.journal.compact(entry.timeline)
            return entry.timeline

    def close(self) -> None:
        """Write a snapshot of each scene that changed; the next question opens scenes anew."""
        with self._lock:
            for entry in self._open.values():
                commit.finish(entry)
            self._open.clear()

    def _free_id(self) -> str:
        """Return the next id; the lowest that is free when a foreign scene has the last one.

        A scene that is open is there, also when somebody took its files away.
        """
        used = {_number(scene_id) for scene_id in (*self.ids(), *self._open)}
        following = f"scene{max(used, default=0) + 1}"
        if codec.is_scene_id(following):
            return following
        return f"scene{next(free for free in count(1) if free not in used)}"

    def _draft(self, drafts: dict[str, Draft], scene_id: str) -> Draft:
        draft = drafts.get(scene_id)
        if draft is None:
            draft = drafts[scene_id] = Draft(self._entry(scene_id))
        return draft

    def _after(self, drafts: dict[str, Draft], made: Sequence[Timeline]) -> None:
        for timeline in made:
            self._tell(timeline)
        for scene_id in drafts:
            entry = self._open[scene_id] = self._open.pop(scene_id)
            commit.compact_when_long(entry)
        for entry in list(self._open.values())[:-MAX_OPEN_FILES]:
            entry.journal.release()

    def _tell(self, timeline: Timeline) -> None:
        try:
            self._told(timeline.scene, timeline.what)
        except Exception:
            _log.exception("Nobody was told of a change of %s", timeline.scene.id)

    def _now_ms(self) -> int:
        return int(self._clock_s() * 1000)

    def _entry(self, scene_id: str) -> Entry:
        if scene_id not in self._open:
            self._open[scene_id] = self._opened(scene_id)
        return self._open[scene_id]

    def _opened(self, scene_id: str) -> Entry:
        journal = Journal(self._folder, scene_id)
        if not codec.is_scene_id(scene_id) or not journal.exists():
            there = ", ".join(self.ids()[-8:]) or "none yet"
            raise UnknownScene(
                f"This session has no scene {scene_id[:40]!r} (latest scenes: {there}); "
                "begin one with scene/new."
            )
        opened = journal.open()
        if opened.dropped:
            _log.warning("Dropped the torn end of %s: %r", journal.path.name, opened.dropped[:200])
            self._torn(
                f"The last line of {journal.path.name} was cut short by a crash and dropped; it "
                f"was never acknowledged. Scene {scene_id} is at revision "
                f"{opened.timeline.scene.revision}."
            )
        return Entry(opened.timeline, journal)


def _is_scene_file(path: Path) -> bool:
    return path.suffix in (".json", ".journal") and codec.is_scene_id(path.stem)


def _number(scene_id: str) -> int:
    return int(scene_id.removeprefix("scene"))
