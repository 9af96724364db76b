"""The folder where the running programs of one user leave word of themselves.

In this order: ``$XDG_RUNTIME_DIR/wildtrack``; on macOS ``$TMPDIR/wildtrack``; on Windows
``%LOCALAPPDATA%\\wildtrack\\run``; else ``/tmp/wildtrack-UID``. Whoever may write there can send a
client to an engine of his own, so it must be a folder (no link) of this user that no one else may
open.
"""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

from osc_bridge.errors import SessionNotWritable

_OTHERS = 0o077


def runtime_folder() -> Path:
    """Where the folder is or would be; nothing is made."""
    base = os.environ.get("XDG_RUNTIME_DIR", "")
    if base and Path(base).is_absolute():
        return Path(base) / "wildtrack"
    if sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA", "")
        return (Path(local) if local else Path.home() / "AppData" / "Local") / "wildtrack" / "run"
    own = os.environ.get("TMPDIR", "") if sys.platform == "darwin" else ""
    if own and Path(own).is_absolute():
        return Path(own) / "wildtrack"
    return Path("/tmp") / f"wildtrack-{os.getuid()}"  # noqa: S108 - `checked` refuses another's


def made_runtime_folder() -> Path:
    """The folder, made with mode 0700 if it was not there.

    Raises:
        SessionNotWritable: it cannot be made, is a link, another user's, or open to others.
    """
    folder = runtime_folder()
    try:
        folder.mkdir(mode=0o700, parents=sys.platform == "win32", exist_ok=True)
    except OSError as error:
        raise _refused(folder, f"cannot be made ({error.strerror})") from error
    checked_runtime_folder()
    return folder


def checked_runtime_folder() -> Path | None:
    """The folder if it is there; None without one.

    Raises:
        SessionNotWritable: it is a link, another user's, or open to others.
    """
    folder = runtime_folder()
    try:
        found = folder.lstat()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _refused(folder, f"cannot be read ({error.strerror})") from error
    if not stat.S_ISDIR(found.st_mode):
        raise _refused(folder, "is not a folder but a file or a link")
    if sys.platform != "win32":
        if found.st_uid != os.getuid():
            raise _refused(folder, f"belongs to the user with id {found.st_uid}")
        if found.st_mode & _OTHERS:
            mode = stat.S_IMODE(found.st_mode)
            raise _refused(folder, f"is open to other users (mode {mode:04o}, 0700 is allowed)")
    return folder


def _refused(folder: Path, why: str) -> SessionNotWritable:
    return SessionNotWritable(
        f"The runtime folder {folder} {why}: engines are announced only in a folder of your own; "
        f"remove it or 'chmod 700 {folder}', or set XDG_RUNTIME_DIR to a folder that only you may "
        "open."
    )
