"""Many edits of one or several scenes written down together, or not at all."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass

from engine.errors import as_wildtrack_error
from engine.scene import codec, history
from engine.scene.edits import Edit, Plan
from engine.scene.history import Timeline
from engine.scene.journal import Journal
from engine.scene.replay import MAX_FILE_BYTES
from osc_bridge.errors import WildtrackError

MAX_JOURNAL_LINES = 5_000
MAX_JOURNAL_BYTES = 1024 * 1024
"""A journal longer than this is replaced by a snapshot."""

_log = logging.getLogger(__name__)


@dataclass
class Entry:
    """A scene that is open: as it is on disk. ``tried_*``: how long its journal was when a
    snapshot could not be written.
    """

    timeline: Timeline
    journal: Journal
    tried_lines: int = 0
    tried_bytes: int = 0


class Draft:
    """A scene with edits that are not on disk yet."""

    def __init__(self, entry: Entry) -> None:
        self.entry = entry
        self.timeline = entry.timeline
        self.lines: list[str] = []

    def apply(self, edit: Edit | Plan, now_ms: int) -> bool:
        """Apply one edit; whether it changed anything. An edit that raises changes nothing."""
        before = self.timeline
        known = edit(before.scene) if callable(edit) else edit
        after = history.advance(before, known, now_ms)
        if after is before:
            return False
        self.lines.append(codec.edit_to_json(known, after.scene.revision, now_ms))
        self.timeline = after
        return True


def write(drafts: Iterable[Draft]) -> WildtrackError | None:
    """Write all drafts down, one flush for each scene; then the entries are what they were.

    On failure no journal has changed, no entry either; returns why.
    """
    changed = [draft for draft in drafts if draft.lines]
    written: list[Journal] = []
    try:
        for draft in changed:
            _append(draft)
            written.append(draft.entry.journal)
    except BaseException as error:
        for journal in written:
            journal.take_back()
        if isinstance(error, Exception):
            return as_wildtrack_error(error)
        raise
    for draft in changed:
        draft.entry.timeline = draft.timeline
    return None


def compact_when_long(entry: Entry) -> None:
    """Write a snapshot of a scene with a long journal; failing to only leaves it longer."""
    journal = entry.journal
    if (
        journal.lines - entry.tried_lines < MAX_JOURNAL_LINES
        and journal.size_bytes - entry.tried_bytes < MAX_JOURNAL_BYTES
    ):
        return
    try:
        journal.compact(entry.timeline)
    except Exception as error:
        _log.warning("No snapshot of %s: %s", journal.scene_id, error)
    entry.tried_lines, entry.tried_bytes = journal.lines, journal.size_bytes


def finish(entry: Entry) -> None:
    """Close the files of a scene behind a last snapshot; failing to write that loses nothing."""
    try:
        entry.journal.finish(entry.timeline)
    except Exception as error:
        _log.warning("No snapshot of %s: %s", entry.journal.scene_id, error)


def _append(draft: Draft) -> None:
    journal = draft.entry.journal
    data = "".join(f"{line}\n" for line in draft.lines).encode()
    journal.restore(draft.entry.timeline)
    if journal.size_bytes + len(data) > MAX_FILE_BYTES:
        journal.compact(draft.entry.timeline)
    journal.append(data, len(draft.lines))
