"""The one place where foreign exceptions become errors that a caller can meet."""

from __future__ import annotations

import errno
import logging

from osc_bridge.errors import DiskFull, InternalError, SessionNotWritable, WildtrackError

_FULL = (errno.ENOSPC, errno.EDQUOT)
_NOT_WRITABLE = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT, errno.ENOTDIR, errno.EBUSY)

_log = logging.getLogger(__name__)


def as_wildtrack_error(error: BaseException) -> WildtrackError:
    """Return the error to tell the caller; a defect of ours is logged with its trace."""
    if isinstance(error, WildtrackError):
        return error
    if isinstance(error, OSError) and error.errno in _FULL:
        return DiskFull(
            "The disk of the session folder is full; free some space, then ask again: the scene "
            "is as it was."
        )
    if isinstance(error, OSError) and error.errno in _NOT_WRITABLE:
        return SessionNotWritable(
            f"The session folder cannot be written ({error.strerror}: {error.filename}); change "
            "its permissions or put it back, then ask again: the scene is as it was."
        )
    _log.error("A defect of wildtrack", exc_info=error)
    return InternalError(
        f"A defect of wildtrack stopped this ({type(error).__name__}: {str(error)[:80]}); the "
        "scene is as it was; the engine's log has the trace: please report it."
    )
