"""Files that appear whole or not at all: written beside, flushed to disk, renamed.

A reader of the final name sees the old bytes or the new bytes, never a part; a failed or
interrupted write leaves nothing behind. A killed process may leave ``.*.part`` files; its successor
removes them with `remove_parts`.
"""

from __future__ import annotations

import errno
import importlib
import os
import re
import secrets
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

fcntl: Any = importlib.import_module("fcntl") if sys.platform != "win32" else None
PART_SUFFIX = ".part"
_NOT_HERE = (errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOTTY, errno.ENOSYS)
"""What a file system answers that has no such call."""
_PART_NAME = re.compile(r"\.[0-9a-f]{16}\.part(\.[^./\\]+)?")


def write_whole(path: Path, data: bytes, *, overwrite: bool = True) -> None:
    """Write ``data`` to ``path`` atomically.

    With ``overwrite=False`` an existing file is left as it is and FileExistsError raised,
    also when another process creates it at the same moment; any failure, also one after the
    file has appeared, leaves no new file. OSError passes to the caller.
    """
    if not overwrite:
        with new_files() as write:
            write(path, data)
        return
    with writing_whole(path) as part:
        part.write_bytes(data)


@contextmanager
def new_files() -> Iterator[Callable[[Path, bytes], None]]:
    """Yield a function that writes new files; all stay when the block succeeds, none otherwise.

    A file is known by its identity on the disk before it appears under its name, so that
    neither an interrupt at any moment leaves one behind nor another's file is removed.
    """
    made: list[tuple[Path, os.stat_result]] = []

    def write(path: Path, data: bytes) -> None:
        with writing_whole(path, overwrite=False) as part:
            part.write_bytes(data)
            made.append((path, part.stat()))

    try:
        yield write
    except BaseException:
        for path, ours in made:
            _withdraw(path, ours)
        raise


@contextmanager
def writing_whole(path: Path, *, overwrite: bool = True) -> Iterator[Path]:
    """Yield a temporary path in the same folder; it becomes ``path`` when the block succeeds.

    Any exception, KeyboardInterrupt included, removes the temporary file and passes on.
    The temporary name ends in ``path``'s own suffix, for writers that choose a format by it.
    """
    path = Path(path)
    part = _new_part(path)
    try:
        yield part
        _sync_file(part)
        _publish(part, path, overwrite=overwrite)
    finally:
        part.unlink(missing_ok=True)
    sync_folder(path.parent)


def _new_part(path: Path) -> Path:
    part = path.parent / f".{secrets.token_hex(8)}{PART_SUFFIX}{path.suffix}"
    part.open("xb").close()
    return part


def remove_parts(folder: Path) -> list[Path]:
    """Remove what killed processes left in ``folder``; return what was removed.

    Only plain files with a name that this module gives, and only while nobody else can write
    there. What cannot be removed stays.
    """
    removed = []
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if _PART_NAME.fullmatch(entry.name) and entry.is_file(follow_symlinks=False):
                with suppress(OSError):
                    Path(entry.path).unlink()
                    removed.append(Path(entry.path))
    return removed


def _sync_file(path: Path) -> None:
    with path.open("rb+") as file:
        sync_handle(file.fileno())


def sync_handle(handle: int) -> None:
    """Wait until what was written to an open file is on the disk itself.

    The fsync of macOS ends when the drive has the data in its cache, which a power cut empties;
    F_FULLFSYNC empties it into the disk, where the file system knows it (shares do not).
    """
    full_sync = getattr(fcntl, "F_FULLFSYNC", None)
    if full_sync is not None:
        try:
            fcntl.fcntl(handle, full_sync)
        except OSError as error:
            if error.errno not in _NOT_HERE:
                raise
        else:
            return
    os.fsync(handle)


def _publish(part: Path, path: Path, *, overwrite: bool) -> None:
    if overwrite:
        part.replace(path)
    elif hasattr(os, "link"):
        _link_new(part, path)
    else:
        _rename_new(part, path)


def _link_new(part: Path, path: Path) -> None:
    """A hard link fails when the name is taken: the only atomic "create with content"."""
    try:
        os.link(part, path)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        _rename_new(part, path)


def _rename_new(part: Path, path: Path) -> None:
    path.open("xb").close()
    try:
        part.replace(path)
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def _withdraw(path: Path, ours: os.stat_result) -> None:
    """Remove ``path`` if it is still the file that we made."""
    with suppress(OSError):
        if os.path.samestat(path.lstat(), ours):
            path.unlink()


def sync_folder(folder: Path) -> None:
    """Make a new name in ``folder`` durable; Windows has no such call and needs none.

    Nor have some shares: a file there is as durable as the server makes it.
    """
    if sys.platform == "win32":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        sync_handle(handle)
    except OSError as error:
        if error.errno not in _NOT_HERE:
            raise
    finally:
        os.close(handle)
