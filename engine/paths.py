"""Paths from outside: only regular files in the allowed folders, whatever links lie between."""

from __future__ import annotations

import stat
from collections.abc import Sequence
from pathlib import Path

from osc_bridge.errors import FileMissing, PathForbidden


def confined(path: str | Path, allowed: Sequence[Path]) -> Path:
    """Return ``path`` without links and ``..``, if it is a regular file in an allowed folder.

    ``allowed`` holds absolute folders without links. PathForbidden is raised before the file is
    looked at, so a client learns nothing about files elsewhere; FileMissing when there is none.
    """
    given = Path(path)
    resolved = _resolved(given)
    if not given.is_absolute() or not any(resolved.is_relative_to(root) for root in allowed):
        folders = ", ".join(str(root) for root in allowed)
        raise PathForbidden(
            f"{_short(given)} lies outside the allowed folders: copy the file into one of them, "
            f"or start the engine with --allow DIR (allowed: {folders})."
        )
    try:
        mode = resolved.stat().st_mode
    except OSError as error:
        raise FileMissing(f"{_short(given)} cannot be found or read; check the path.") from error
    if not stat.S_ISREG(mode):
        raise FileMissing(f"{_short(given)} is not a file; give the path of a file.")
    return resolved


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
