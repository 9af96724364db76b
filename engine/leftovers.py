"""What a killed engine leaves in a session: parts of files, and folders of takes without a take.

Done while the session's lock is held, before anything is written. Only what has a name of ours is
touched, no link is followed, and nothing that was ever acknowledged is removed.
"""

from __future__ import annotations

import logging
import os
import re
from contextlib import suppress
from pathlib import Path

from engine.config import SESSION_FOLDERS
from presets.files import remove_parts

_TAKE_FOLDER = re.compile(r"t[0-9]{4,9}")
_HOLD_TAKES = ("takes", "trash")

_log = logging.getLogger(__name__)


def remove_leftovers(session: Path) -> list[Path]:
    """Remove them; return what was removed. What cannot be removed stays."""
    removed = remove_parts(session)
    for name in SESSION_FOLDERS:
        removed += remove_parts(session / name)
    for name in _HOLD_TAKES:
        removed += _from_takes(session / name)
    if removed:
        names = ", ".join(str(path.relative_to(session)) for path in removed[:8])
        _log.info("Removed %d leftovers of a killed engine: %s", len(removed), names)
    return removed


def _from_takes(folder: Path) -> list[Path]:
    removed: list[Path] = []
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if _TAKE_FOLDER.fullmatch(entry.name) and entry.is_dir(follow_symlinks=False):
                take = Path(entry.path)
                removed += remove_parts(take)
                with suppress(OSError):  # a take that is whole is no empty folder
                    take.rmdir()
                    removed.append(take)
    return removed
