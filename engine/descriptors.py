"""How many files and connections this process may have open at once."""

from __future__ import annotations

import sys

WANTED = 4096
"""256 TCP clients on each of up to three listeners, OSCQuery, and the files of the session."""


def allow_many() -> int:
    """Raise the process's own limit towards ``WANTED``; return what it is now, 0 without one.

    macOS begins with 256. A limit that cannot be raised is kept: the engine then refuses clients
    that come when nothing is free.
    """
    if sys.platform == "win32":
        return 0
    import resource  # noqa: PLC0415

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= WANTED:
        return soft
    allowed = WANTED if hard == resource.RLIM_INFINITY else min(WANTED, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    return allowed
