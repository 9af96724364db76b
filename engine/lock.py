"""One engine per session folder: a lock that the system frees when the process dies."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

from osc_bridge.errors import SessionNotWritable

LOCK_FILE = ".engine.lock"
_FLAGS = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
_HELD = (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES, errno.EDEADLK)
"""What the locking calls of the systems say when another process holds the lock."""


class SessionLock:
    """Held from ``with`` to its end; SessionNotWritable when another engine holds it."""

    def __init__(self, session: Path) -> None:
        self._session = session
        self._handle = -1

    def __enter__(self) -> Self:
        """Take the lock and write our process id into its file."""
        while not self._taken():
            pass
        os.ftruncate(self._handle, 0)
        os.pwrite(self._handle, f"{os.getpid()}\n".encode(), 0)
        return self

    def _taken(self) -> bool:
        """Lock the file; False when its last holder removed it in this very moment."""
        path = self._session / LOCK_FILE
        handle = self._opened(path)
        try:
            _lock(handle)
        except OSError as error:
            refused = self._in_use(handle) if error.errno in _HELD else self._unusable(error)
            os.close(handle)
            raise refused from error
        self._handle = handle
        return _is_still(path, handle)

    def _opened(self, path: Path) -> int:
        """Open the lock file, which must be no link: the session may be somebody else's."""
        try:
            handle = os.open(path, _FLAGS, 0o644)
        except OSError as error:
            raise self._unusable(error) from error
        if stat.S_ISREG(os.fstat(handle).st_mode):
            return handle
        os.close(handle)
        raise SessionNotWritable(
            f"{path} is not a file; remove it, or choose another session folder."
        )

    def _in_use(self, handle: int) -> SessionNotWritable:
        try:
            holder = os.read(handle, 20).decode("ascii", "replace").strip()
        except OSError:  # Windows lets nobody read what is locked
            holder = ""
        return SessionNotWritable(
            f"The session folder {self._session} is in use by the engine with process id "
            f"{holder or 'unknown'}; use that engine, end it, or choose another folder."
        )

    def _unusable(self, error: OSError) -> SessionNotWritable:
        return SessionNotWritable(
            f"The lock {LOCK_FILE} of the session folder {self._session} cannot be taken "
            f"({error.strerror}); remove that file, check the permissions or choose another folder."
        )

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Remove the file while it is still ours, then free the lock."""
        with contextlib.suppress(OSError):  # Windows keeps a file that is open
            (self._session / LOCK_FILE).unlink()
        os.close(self._handle)


def _is_still(path: Path, handle: int) -> bool:
    try:
        there = path.stat()
    except FileNotFoundError:
        there = None
    if there is not None and os.path.samestat(there, os.fstat(handle)):
        return True
    os.close(handle)
    return False


def _lock(handle: int) -> None:
    if sys.platform == "win32":
        import msvcrt  # noqa: PLC0415

        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
    else:
        import fcntl  # noqa: PLC0415

        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
