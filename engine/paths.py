"""Paths from outside: only regular files in the allowed folders, whatever links lie between.

A session folder may come from somebody else, so its own files are opened without following links.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Sequence
from pathlib import Path, PureWindowsPath

from osc_bridge.errors import BadSession, FileMissing, PathForbidden

_PLAIN = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


def confined(path: str | Path, allowed: Sequence[Path]) -> Path:
    """Return ``path`` without links and ``..``, if it is a regular file in an allowed folder.

    ``allowed`` holds absolute folders without links. PathForbidden is raised before the file is
    looked at, so a client learns nothing about files elsewhere; FileMissing when there is none.
    """
    given = Path(path)
    if not given.is_absolute() or _is_elsewhere(str(path), allowed):
        raise _outside(given, allowed)
    resolved = _resolved(given)
    if not any(resolved.is_relative_to(root) for root in allowed):
        raise _outside(given, allowed)
    try:
        mode = resolved.stat().st_mode
    except OSError as error:
        raise FileMissing(f"{_short(given)} cannot be found or read; check the path.") from error
    if not stat.S_ISREG(mode):
        raise FileMissing(f"{_short(given)} is not a file; give the path of a file.")
    return resolved


def _is_elsewhere(path: str, allowed: Sequence[Path]) -> bool:
    """Whether this names a share or device of Windows (``\\\\server\\share``, ``//server/share``).

    Told by the letters alone: on Windows only resolving such a path sends the user's credentials
    to the server that it names. A share that the user has allowed is none of these.
    """
    if path[:1] not in ("/", "\\") or path[1:2] not in ("/", "\\"):
        return False
    steps = re.split(r"[/\\]", path)
    return ".." in steps or not any(_is_share(root) and _begins(path, root) for root in allowed)


def _is_share(root: Path) -> bool:
    return str(root).startswith("\\\\")


def _begins(path: str, root: Path) -> bool:
    return PureWindowsPath(path).is_relative_to(PureWindowsPath(root))


def _outside(given: Path, allowed: Sequence[Path]) -> PathForbidden:
    folders = ", ".join(str(root) for root in allowed)
    return PathForbidden(
        f"{_short(given)} lies outside the allowed folders: copy the file into one of them, "
        f"or start the engine with --allow DIR (allowed: {folders})."
    )


def open_plain(path: Path, flags: int) -> int:
    """Open a file of the session by ``os.open``'s flags; BadSession for links and other things.

    OSError passes to the caller.
    """
    try:
        handle = os.open(path, flags | _PLAIN, 0o644)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.EISDIR, errno.ENXIO):
            raise _not_plain(path) from error
        raise
    if stat.S_ISREG(os.fstat(handle).st_mode):
        return handle
    os.close(handle)
    raise _not_plain(path)


def read_plain(path: Path, limit_bytes: int) -> bytes:
    """Return a session's file that `open_plain` opens; BadSession beyond ``limit_bytes``."""
    with os.fdopen(open_plain(path, os.O_RDONLY), "rb") as file:
        data = file.read(limit_bytes + 1)
    if len(data) > limit_bytes:
        raise BadSession(
            f"{path.name} is too long; the allowed range is 0 to {limit_bytes} bytes: "
            "restore it from a copy."
        )
    return data


def _not_plain(path: Path) -> BadSession:
    return BadSession(f"{path.name} is not a plain file; restore it from a copy, or remove it.")


def _resolved(path: Path) -> Path:
    try:
        return path.resolve()
    except (OSError, RuntimeError, ValueError) as error:
        raise PathForbidden(
            f"{_short(path)} is not a path that can be followed; give an absolute path inside the "
            "allowed folders."
        ) from error


def _short(path: Path) -> str:
    text = ascii(str(path))[1:-1] if not str(path).isprintable() else str(path)
    return text if len(text) <= 100 else text[:97] + "..."
