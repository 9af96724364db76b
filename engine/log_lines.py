"""How a line of the log looks: whatever names, words and files put into it, one line."""

from __future__ import annotations

import logging
from types import TracebackType

_ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None]
_Nothing = tuple[None, None, None]


class PlainLines(logging.Formatter):
    """Time, level and message; what would begin a line or move a terminal's cursor is replaced."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the base's name
        """Return the line of a record, without its trace."""
        return _plain(super().formatMessage(record))

    def formatException(self, ei: _ExcInfo | _Nothing) -> str:  # noqa: N802 - the base's name
        """Return the trace of an error; its lines stay."""
        return "\n".join(map(_plain, super().formatException(ei).split("\n")))


def _plain(line: str) -> str:
    if line.isprintable():
        return line
    return "".join(c if c.isprintable() or c == "\t" else "\ufffd" for c in line)
