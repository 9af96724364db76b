"""How long a sound file says it is: libsndfile reads one that was cut short without a word.

From the headers of RIFF and RF64 (EBU Tech 3306), Sony Wave64, AIFF, Sun/NeXT AU and Apple's CAF.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterator
from typing import BinaryIO

_UNKNOWN_32 = 0xFFFFFFFF
_W64_RIFF = b"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb\x04\xc1\x00\x00"
_MAX_CHUNKS = 1000


def claimed_bytes(file: BinaryIO) -> int | None:
    """Return how many bytes the file says it has; None when it does not say.

    A header that was cut itself counts as not saying: whoever decodes it refuses that. The
    position in the file is 0 afterwards.
    """
    file.seek(0)
    head = file.read(28)
    claim = next((ask for magic, ask in _CLAIMS if head.startswith(magic)), None)
    try:
        return None if claim is None else claim(head, file)
    except struct.error:
        return None
    finally:
        file.seek(0)


def size_bytes(file: BinaryIO) -> int:
    """Return how many bytes are there. The position is 0 afterwards."""
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    return size


def _riff(head: bytes, _file: BinaryIO) -> int | None:
    """A size of 0 or all ones is what a program writes that streams and never comes back."""
    (size,) = struct.unpack_from("<I", head, 4)
    return None if size in (0, _UNKNOWN_32) else 8 + size


def _rf64(head: bytes, _file: BinaryIO) -> int | None:
    """The true size of the RIFF is the first number of the chunk ``ds64``, always the first."""
    (size,) = struct.unpack_from("<Q", head, 20)
    return 8 + size if head[12:16] == b"ds64" and size else None


def _wave64(head: bytes, _file: BinaryIO) -> int | None:
    """The size counts the whole file, its own header too."""
    (size,) = struct.unpack_from("<Q", head, 16)
    return size or None


def _aiff(head: bytes, _file: BinaryIO) -> int | None:
    (size,) = struct.unpack_from(">I", head, 4)
    return None if size in (0, _UNKNOWN_32) else 8 + size


def _au(head: bytes, _file: BinaryIO) -> int | None:
    offset, size = struct.unpack_from(">II", head, 4)
    return None if size == _UNKNOWN_32 else offset + size


def _caf(_head: bytes, file: BinaryIO) -> int | None:
    """The end of the last chunk; one of length -1 goes to the end of the file."""
    end = 8
    for begin, size in _caf_chunks(file):
        if size < 0:
            return None
        end = begin + size
    return end


def _caf_chunks(file: BinaryIO) -> Iterator[tuple[int, int]]:
    """Yield where each chunk's data begins and its size, as long as headers are there."""
    there = size_bytes(file)
    position = 8
    for _ in range(_MAX_CHUNKS):
        file.seek(position)
        head = file.read(12)
        if len(head) < 12:
            return
        (size,) = struct.unpack_from(">q", head, 4)
        yield position + 12, size
        position += 12 + size
        if size < 0 or position > there:
            return


_CLAIMS: tuple[tuple[bytes, Callable[[bytes, BinaryIO], int | None]], ...] = (
    (b"RIFF", _riff),
    (b"RF64", _rf64),
    (b"BW64", _rf64),
    (_W64_RIFF, _wave64),
    (b"FORM", _aiff),
    (b".snd", _au),
    (b"caff", _caf),
)
