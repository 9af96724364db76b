"""``SESSION/logs/engine.log``: what a supervised engine wrote on standard error, and its ends."""

from __future__ import annotations

import logging
import logging.handlers
import os
import stat
import sys
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from osc_bridge.errors import SessionNotWritable

FOLDER: Final = "logs"
FILE_NAME: Final = "engine.log"
_SIZE_MAX_BYTES: Final = 1_000_000
_OLDER: Final = 4
"""Files kept beside the one that is written: five of a megabyte each."""


class EngineLog:
    """Open from ``with`` to its end; each line begins with the time (UTC)."""

    def __init__(self, session: Path) -> None:
        """Make the folder.

        Raises:
            SessionNotWritable: it cannot be made or written, or is a link or a pipe.
        """
        self.path = logs_folder(session) / FILE_NAME
        if os.path.lexists(self.path) and not stat.S_ISREG(self.path.lstat().st_mode):
            raise _refused(self.path, "is a link or no file: the log may not be written elsewhere")
        try:
            self._handler = _Handler(
                self.path, maxBytes=_SIZE_MAX_BYTES, backupCount=_OLDER, encoding="utf-8"
            )
        except OSError as error:
            raise _refused(self.path, f"cannot be written ({error.strerror})") from error
        formatter = logging.Formatter("%(asctime)s.%(msecs)03dZ %(message)s", "%Y-%m-%dT%H:%M:%S")
        formatter.converter = time.gmtime
        self._handler.setFormatter(formatter)

    def line(self, text: str) -> None:
        """Add a line, from any thread; a full disk is said once and is no error.

        What would move the cursor of a terminal that shows the log is left out.
        """
        shown = "".join(c if c.isprintable() or c == "\t" else "\ufffd" for c in text)
        self._handler.handle(logging.makeLogRecord({"msg": shown}))

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the file."""
        self._handler.close()


class _Handler(logging.handlers.RotatingFileHandler):
    """Goes on without a log when the disk is full: the engine is worth more."""

    _is_said = False

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the base's name
        """Say once that lines are missing."""
        if not self._is_said:
            self._is_said = True
            why = sys.exc_info()[1]
            with suppress(OSError, ValueError):
                sys.stderr.write(f"wildtrack: {self.baseFilename} cannot be written ({why})\n")


def logs_folder(session: Path) -> Path:
    """``SESSION/logs``, made if it is not there.

    Raises:
        SessionNotWritable: it cannot be made, or is no folder of the session.
    """
    folder = session / FOLDER
    try:
        folder.mkdir(parents=True, exist_ok=True)
        is_folder = stat.S_ISDIR(folder.lstat().st_mode)
    except OSError as error:
        raise _refused(folder, f"cannot be made ({error.strerror})") from error
    if not is_folder:
        raise _refused(folder, "is a link: the log may not be written elsewhere")
    return folder


def _refused(path: Path, why: str) -> SessionNotWritable:
    return SessionNotWritable(
        f"{path} {why}; remove it, check the permissions or choose another folder with --session."
    )
