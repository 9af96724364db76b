"""``SESSION/logs/restarts.jsonl``: when a supervised engine was started again, and why.

The last hundred, one JSON object a line, written as a whole. A session may come from elsewhere, so
what is read is checked, and lines that are not as written here are left out.
"""

from __future__ import annotations

import json
import stat
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from osc_bridge.errors import SessionNotWritable
from plugin_host.engine_log import FOLDER, logs_folder
from presets.files import write_whole

FILE_NAME: Final = "restarts.jsonl"
KEPT: Final = 100
LINES_KEPT: Final = 10
_LINE_MAX: Final = 300
_SIZE_MAX_BYTES: Final = 1 << 20


@dataclass(frozen=True)
class Restart:
    """One end of an engine that was not asked for; ``at`` is UTC in ISO 8601."""

    at: str
    reason: str
    exit_code: int | None
    """Negative: the signal that ended it; None: it had to be killed."""
    lived_s: float
    last_lines: tuple[str, ...]
    """The end of its standard error."""


def note_restart(session: Path, restart: Restart) -> None:
    """Add one to the file.

    Raises:
        SessionNotWritable: the folder does not take it.
    """
    path = logs_folder(session) / FILE_NAME
    rows = [*read_restarts(session), _cut(restart)][-KEPT:]
    lines = [json.dumps(asdict(row), ensure_ascii=False) + "\n" for row in rows]
    try:
        write_whole(path, "".join(lines).encode("utf-8", "replace"))
    except OSError as error:
        raise SessionNotWritable(
            f"{path} cannot be written ({error.strerror}); free some space or check the "
            "permissions."
        ) from error


def read_restarts(session: Path) -> list[Restart]:
    """The restarts on record, oldest first; none when the file cannot be read."""
    path = session / FOLDER / FILE_NAME
    try:
        if path.parent.is_symlink() or not stat.S_ISREG(path.lstat().st_mode):
            return []
        with path.open("rb") as file:
            text = file.read(_SIZE_MAX_BYTES).decode("utf-8", "replace")
    except OSError:
        return []
    rows = [_row(line) for line in text.splitlines()]
    return [row for row in rows if row is not None][-KEPT:]


def _row(line: str) -> Restart | None:
    try:
        data: dict[str, Any] = json.loads(line)
        row = Restart(**data)
        is_good = (
            isinstance(row.last_lines, list)
            and all(isinstance(text, str) for text in (row.at, row.reason, *row.last_lines))
            and isinstance(row.exit_code, int | None)
            and isinstance(row.lived_s, int | float)
        )
        return _cut(row) if is_good else None
    except (ValueError, TypeError, RecursionError, OverflowError):
        return None


def _cut(restart: Restart) -> Restart:
    """With short texts that a terminal can show."""
    return Restart(
        _plain(restart.at)[:40],
        _plain(restart.reason),
        restart.exit_code,
        float(restart.lived_s),
        tuple(_plain(line) for line in restart.last_lines[-LINES_KEPT:]),
    )


def _plain(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text[:_LINE_MAX])
