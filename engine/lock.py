"""One engine per session folder: a lock that the system frees when the process dies."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

from osc_bridge.errors import SessionNotWritable

LOCK_FILE = ".engine.lock"


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
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            _lock(handle)
            self._handle = handle
            return _is_still(path, handle)
        except OSError as error:
            holder = os.read(handle, 20).decode("ascii", "replace").strip() or "unknown"
            os.close(handle)
            raise SessionNotWritable(
                f"The session folder {self._session} is in use by the engine with process id "
                f"{holder}; use that engine, end it, or choose another folder."
            ) from error

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
