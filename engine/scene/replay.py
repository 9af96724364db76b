"""Opening a scene: its snapshot, and the edits of its journal made again.

A last line without its line end was cut short by a crash: it was never acknowledged and is left
out. Any other damage is refused as BadSession, and the files stay as they are.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from engine.paths import read_plain
from engine.scene import codec, history
from engine.scene.history import Timeline
from engine.scene.snapshot import timeline_from_json
from osc_bridge.errors import BadSession, WildtrackError

MAX_FILE_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True)
class Opened:
    """What the files held: ``data``, so many whole lines, and ``dropped``, the torn end."""

    timeline: Timeline
    lines: int
    data: bytes
    dropped: bytes


def replay(snapshot: Path, journal: Path, scene_id: str) -> Opened:
    """Read the files of a scene, which both may be missing; BadSession when they do not fit."""
    timeline = _snapshot(snapshot) if os.path.lexists(snapshot) else None
    data = read_plain(journal, MAX_FILE_BYTES) if os.path.lexists(journal) else b""
    timeline, lines, size_bytes = _replay(timeline, data, journal.name)
    if timeline is None:
        raise BadSession(
            f"Scene {scene_id} holds no complete edit; remove {journal.name} from the session's "
            "scenes folder and begin the scene anew."
        )
    found = timeline.scene.id
    if found != scene_id:
        raise BadSession(f"The files of {scene_id} hold scene {found[:40]!r}; name them after it.")
    return Opened(timeline, lines, data[:size_bytes], data[size_bytes:])


def _snapshot(path: Path) -> Timeline:
    try:
        return timeline_from_json(read_plain(path, MAX_FILE_BYTES))
    except BadSession as error:
        raise BadSession(
            f"{path.name} is damaged or foreign ({error}); restore the session folder from a copy."
        ) from error


def _replay(timeline: Timeline | None, data: bytes, name: str) -> tuple[Timeline | None, int, int]:
    """Return the timeline after the whole lines, their number and the bytes that they take.

    Lines that the snapshot has already come first; after them each revision comes once.
    """
    lines = size_bytes = 0
    in_snapshot = timeline.scene.revision if timeline is not None else 0
    for line in BytesIO(data):
        if not line.endswith(b"\n"):
            break
        try:
            timeline = _step(timeline, line, in_snapshot)
        except WildtrackError as error:
            raise BadSession(
                f"Line {lines + 1} of {name} is damaged ({error}); restore the session folder "
                "from a copy."
            ) from error
        lines += 1
        size_bytes += len(line)
    return timeline, lines, size_bytes


def _step(timeline: Timeline | None, line: bytes, in_snapshot: int) -> Timeline:
    edit, revision, time_ms = codec.edit_from_json(line)
    if timeline is None:
        after = history.begin(edit)
    elif timeline.scene.revision == in_snapshot and revision <= in_snapshot:
        return timeline
    else:
        after = history.advance(timeline, edit, time_ms)
    if after.scene.revision != revision or after is timeline:
        raise BadSession(f"It leads to revision {revision}, not to {after.scene.revision}.")
    return after
