"""Broadcast Wave files: 24-bit PCM with ``bext`` (EBU Tech 3285, version 1) and ``iXML``.

Written by our own code: libsndfile, through soundfile, writes only text tags, and no
maintained Python package writes both chunks. ``wavinfo`` reads them back in the tests.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from osc_bridge.errors import BadAudio
from presets.files import write_whole

Audio = NDArray[np.float32]

BITS: Final = 24
FULL_SCALE: Final = 2**23
MAX_RIFF_BYTES: Final = 2**32 - 2**16
"""Beyond it a file needs RF64; ten minutes of stereo are 173 MB."""
_BEXT: Final = struct.Struct("<256s32s32s10s8sQH64s190s")


@dataclass(frozen=True)
class Bext:
    """The ``bext`` chunk; ``time_reference`` is in samples since midnight."""

    description: str
    originator: str
    originator_reference: str
    origination: datetime
    time_reference: int
    coding_history: str

    def chunk(self) -> bytes:
        """The chunk's content; texts are cut to their fields and kept to ASCII."""
        moment = self.origination.astimezone(UTC)
        head = _BEXT.pack(
            _ascii(self.description, 256),
            _ascii(self.originator, 32),
            _ascii(self.originator_reference, 32),
            moment.strftime("%Y-%m-%d").encode(),
            moment.strftime("%H:%M:%S").encode(),
            self.time_reference,
            1,
            b"",
            b"",
        )
        return head + _ascii(self.coding_history, 4096)


def write_bwf(path: Path, audio: Audio, sample_rate: int, bext: Bext, ixml: str) -> bytes:
    """Write ``audio`` (channels, T), |x| <= 1, as a new file, whole; return its bytes.

    Raises BadAudio for samples beyond full scale, FileExistsError when the name is taken,
    OSError when the disk refuses.
    """
    data = bwf_bytes(audio, sample_rate, bext, ixml)
    write_whole(path, data, overwrite=False)
    return data


def bwf_bytes(audio: Audio, sample_rate: int, bext: Bext, ixml: str) -> bytes:
    """The whole file; the same arguments give the same bytes (rounding, no dither).

    No dither: the samples come from float32, whose own rounding lies at the 24th bit, and a
    sound that already has 24 bits must pass unchanged.
    """
    channels = audio.shape[0]
    frame_bytes = channels * BITS // 8
    pcm = _pcm24(audio)
    fmt = struct.pack(
        "<HHIIHH", 1, channels, sample_rate, sample_rate * frame_bytes, frame_bytes, BITS
    )
    chunks = b"".join(
        [
            _chunk(b"bext", bext.chunk()),
            _chunk(b"fmt ", fmt),
            _chunk(b"data", pcm),
            _chunk(b"iXML", ixml.encode()),
        ]
    )
    if len(chunks) > MAX_RIFF_BYTES:
        raise BadAudio(f"{len(chunks)} bytes do not fit a WAV file of 4 GiB; deliver less at once")
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks


def _pcm24(audio: Audio) -> bytes:
    """Interleaved little-endian 24-bit integers."""
    if not np.isfinite(audio).all() or np.abs(audio).max(initial=0.0) > 1.0:
        raise BadAudio("samples beyond 0 dBFS would clip; lower the gain before writing")
    scaled = np.rint(audio.astype(np.float64).T * FULL_SCALE)
    integers = np.clip(scaled, -FULL_SCALE, FULL_SCALE - 1).astype("<i4")
    octets = np.ascontiguousarray(integers).view(np.uint8).reshape(-1, 4)
    return octets[:, :3].tobytes()


def _chunk(name: bytes, content: bytes) -> bytes:
    return name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)


def _ascii(text: str, longest: int) -> bytes:
    return text.encode("ascii", "replace")[:longest]
