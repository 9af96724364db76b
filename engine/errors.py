"""The one place where foreign exceptions become errors that a caller can meet.

Every sentence ends in what to do; whatever failed has changed nothing, so asking again is safe.
"""

from __future__ import annotations

import errno
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from engine.memory import is_out_of_memory
from osc_bridge.errors import (
    DiskFull,
    InternalError,
    OutOfMemory,
    SessionNotWritable,
    WildtrackError,
)

_AGAIN = "then ask again: the scene is as it was."

_log = logging.getLogger(__name__)


def as_wildtrack_error(error: BaseException) -> WildtrackError:
    """Return the error to tell the caller; a defect of ours is logged with its trace."""
    if isinstance(error, WildtrackError):
        return error
    if is_out_of_memory(error):
        return OutOfMemory(
            "There is no memory left for this; end other programs, or render fewer or "
            f"shorter sources, {_AGAIN}"
        )
    if isinstance(error, OSError) and (sentence := _of_the_system(error)) is not None:
        return sentence
    _log.error("A defect of wildtrack", exc_info=error)
    return InternalError(
        f"A defect of wildtrack stopped this ({type(error).__name__}: {str(error)[:80]}); the "
        "scene is as it was; the engine's log has the trace: please report it."
    )


def _of_the_system(error: OSError) -> WildtrackError | None:
    """What a failed system call means for the artist, None for what no user can cause."""
    if getattr(error, "winerror", None) in _SHARING_WINERRORS:
        return _in_use(error)
    made = _BY_NUMBER.get(error.errno) if error.errno is not None else None
    return None if made is None else made(error)


def _full(_error: OSError) -> DiskFull:
    return DiskFull(f"The disk of the session folder is full; free some space, {_AGAIN}")


def _over_limit(_error: OSError) -> DiskFull:
    return DiskFull(
        "A file would be larger than this disk or the limit of the system allows (ulimit -f); "
        f"raise the limit or use another disk, {_AGAIN}"
    )


def _no_memory(_error: OSError) -> OutOfMemory:
    return OutOfMemory(f"The system has no memory left for this; end other programs, {_AGAIN}")


def _too_many_files(_error: OSError) -> SessionNotWritable:
    return SessionNotWritable(
        "The engine may not open another file, so many are open; disconnect clients or raise the "
        f"limit of the system (ulimit -n), {_AGAIN}"
    )


def _read_only(error: OSError) -> SessionNotWritable:
    return SessionNotWritable(
        f"The disk of the session folder is read-only{_which(error)}; unlock it or mount it for "
        f"writing, or move the session to another disk, {_AGAIN}"
    )


def _forbidden(error: OSError) -> SessionNotWritable:
    return SessionNotWritable(
        f"The session folder may not be written{_which(error)}; change its permissions, {_AGAIN}"
    )


def _gone(error: OSError) -> SessionNotWritable:
    return SessionNotWritable(
        f"A file or folder of the session is gone{_which(error)}; put it back, {_AGAIN}"
    )


def _other_thing(error: OSError) -> SessionNotWritable:
    return SessionNotWritable(
        f"A file and a folder of the session have changed places{_which(error)}; put the session "
        f"folder in order, {_AGAIN}"
    )


def _in_use(error: OSError) -> SessionNotWritable:
    return SessionNotWritable(
        f"Another program holds a file of the session{_which(error)}; close it there, {_AGAIN}"
    )


def _broken(error: OSError) -> SessionNotWritable:
    return SessionNotWritable(
        f"The disk of the session folder does not answer as it should ({error.strerror})"
        f"{_which(error)}; check its cable and health, save a copy of the session, {_AGAIN}"
    )


def _which(error: OSError) -> str:
    return f" ({error.filename})" if isinstance(error.filename, str) else ""


_SHARING_WINERRORS = (32, 33)
"""ERROR_SHARING_VIOLATION and ERROR_LOCK_VIOLATION of Windows."""

_BY_NUMBER: Mapping[int, Callable[[OSError], WildtrackError]] = {
    errno.ENOSPC: _full,
    errno.EDQUOT: _full,
    errno.EFBIG: _over_limit,
    errno.ENOMEM: _no_memory,
    errno.EMFILE: _too_many_files,
    errno.ENFILE: _too_many_files,
    errno.EROFS: _read_only,
    errno.EACCES: _forbidden,
    errno.EPERM: _forbidden,
    errno.ENOENT: _gone,
    errno.ESTALE: _gone,
    errno.ENOTDIR: _other_thing,
    errno.EISDIR: _other_thing,
    errno.ENOTEMPTY: _other_thing,
    errno.EEXIST: _other_thing,
    errno.EBUSY: _in_use,
    errno.ETXTBSY: _in_use,
    errno.EIO: _broken,
    errno.ENODEV: _broken,
    errno.ENXIO: _broken,
}


@contextmanager
def mapped() -> Iterator[None]:
    """Let nothing but a WildtrackError leave the block."""
    try:
        yield
    except Exception as error:
        known = as_wildtrack_error(error)
        if known is error:
            raise
        raise known from error
