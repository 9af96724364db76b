"""Sound files in and out: untrusted clips become mono waves, waves become stem files.

What a file is, its content decides, never its name. Channels are averaged to mono; the rate is
changed by soxr's very high quality. Nothing is normalised.
"""

from __future__ import annotations

import hashlib
import os
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import soundfile
import soxr

from engine.audio_header import claimed_bytes, size_bytes
from engine.paths import confined
from engine.scene.model import SAMPLE_RATE
from engine.steps import StepCallback, no_steps
from osc_bridge.errors import BadAudio, FileMissing
from presets.files import write_whole

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Wave = NDArray[np.float32]

MIN_DURATION_S = 0.05
MAX_DURATION_S = 600.0
MAX_CHANNELS = 64
MIN_RATE_HZ = 4_000
MAX_RATE_HZ = 384_000
MAX_FILE_BYTES = 2 * 1024**3
MAX_AMPLITUDE = 1_000.0
"""Full scale is 1; a floating point file may exceed it by 60 dB, more is damage."""

FORMATS = ("WAV", "WAVEX", "RF64", "W64", "AIFF", "AU", "CAF", "FLAC", "OGG", "MP3")
_PAD_BYTES = 1
_BLOCK_FRAMES = 65_536
_HEADER = struct.Struct("<4sI4s4sIHHIIHHH4sII4sI")


def load_audio(
    path: str | Path, sample_rate: int, allowed: Sequence[Path], on_step: StepCallback = no_steps
) -> Wave:
    """Return the file as mono float32 (T,) at ``sample_rate`` Hz.

    Raises PathForbidden, FileMissing, or BadAudio for anything that is not a sound of
    0.05 to 600 s, 1 to 64 channels, 4 to 384 kHz, whole and finite. ``on_step`` is called after
    each block; what it raises ends the work.
    """
    inside = confined(path, allowed)
    name = inside.name
    _check_bytes(inside, name)
    with _opened(inside, name) as sound:
        _check_header(sound, name)
        blocks = list(_mono_blocks(sound, name, sample_rate, on_step))
    wave = np.concatenate(blocks)
    return np.ascontiguousarray(wave, dtype=np.float32)


def resample(wave: Wave, from_hz: int, to_hz: int, samples: int) -> Wave:
    """Return ``wave`` at ``to_hz``, cut or filled with silence to exactly ``samples``."""
    changed = wave if from_hz == to_hz else soxr.resample(wave, from_hz, to_hz, "VHQ")
    fitted = np.zeros(samples, dtype=np.float32)
    kept = min(samples, len(changed))
    fitted[:kept] = changed[:kept]
    return fitted


def write_stem(path: Path, wave: Wave) -> str:
    """Write (T,) as 48 kHz mono float32 WAV, whole; return the SHA-256 of the file.

    The header is our own: libsndfile stamps the time into float files, and equal sounds must be
    equal bytes.
    """
    data = stem_bytes(wave)
    write_whole(path, data)
    return hashlib.sha256(data).hexdigest()


def stem_bytes(wave: Wave) -> bytes:
    """Return the bytes of a 48 kHz mono WAV of 32-bit floats (WAVE format 3, with ``fact``)."""
    samples = np.ascontiguousarray(wave, dtype="<f4").tobytes()
    return _header(len(samples)) + samples


def read_stem(path: Path) -> Wave:
    """Return a stem (T,) that ``write_stem`` wrote; BadAudio when it is not whole."""
    data = path.read_bytes()
    samples = len(data) - _HEADER.size
    if samples < 0 or samples % 4 or not data.startswith(_header(samples)):
        raise BadAudio(f"The stem {path.name} is damaged; remove it and render again.")
    return np.frombuffer(data, dtype="<f4", offset=_HEADER.size).astype(np.float32)


def _header(size_bytes: int) -> bytes:
    return _HEADER.pack(
        b"RIFF", _HEADER.size - 8 + size_bytes, b"WAVE",
        b"fmt ", 18, 3, 1, SAMPLE_RATE, 4 * SAMPLE_RATE, 4, 32, 0,
        b"fact", 4, size_bytes // 4,
        b"data", size_bytes,
    )  # fmt: skip


def _check_bytes(path: Path, name: str) -> None:
    size = path.stat().st_size
    if not 1 <= size <= MAX_FILE_BYTES:
        raise BadAudio(
            f"{name} has {size} bytes; the allowed range is 1 to {MAX_FILE_BYTES} bytes: "
            "give a sound of 0.05 to 600 s."
        )


@contextmanager
def _opened(path: Path, name: str) -> Iterator[Any]:
    """Open by content (a bare descriptor has no suffix); libsndfile's errors become BadAudio."""
    try:
        with os.fdopen(os.open(path, os.O_RDONLY), "rb") as file:
            _check_not_cut(file, name)
            with soundfile.SoundFile(file) as sound:
                yield sound
    except (soundfile.LibsndfileError, TypeError, ValueError) as error:
        reason = getattr(error, "error_string", error)  # without our name for the open file
        raise BadAudio(
            f"{name} is not a sound that can be read ({reason}); give a whole "
            f"{', '.join(FORMATS)} file."
        ) from error
    except OSError as error:
        raise FileMissing(f"{name} cannot be read ({error.strerror}); check the file.") from error


def _check_not_cut(file: BinaryIO, name: str) -> None:
    """Compare the size that the header claims with the file's; a missing pad byte is forgiven."""
    there, claimed = size_bytes(file), claimed_bytes(file)
    if claimed is not None and there + _PAD_BYTES < claimed:
        raise BadAudio(_cut_sentence(name, f"{there} of {claimed} bytes"))


def _check_header(sound: Any, name: str) -> None:
    if sound.format not in FORMATS:
        raise BadAudio(
            f"{name} is a {sound.format} file; the allowed formats are {', '.join(FORMATS)}: "
            "convert it."
        )
    _check_range(name, "channels", sound.channels, (1, MAX_CHANNELS), "channels")
    _check_range(name, "a rate of", sound.samplerate, (MIN_RATE_HZ, MAX_RATE_HZ), "Hz")
    duration_s = sound.frames / sound.samplerate
    _check_range(name, "a length of", duration_s, (MIN_DURATION_S, MAX_DURATION_S), "s")


def _check_range(
    name: str, what: str, value: float, allowed: tuple[float, float], unit: str
) -> None:
    low, high = allowed
    if not low <= value <= high:
        shown = f"{value:g} channels" if unit == what else f"{what} {value:g} {unit}"
        raise BadAudio(
            f"{name} has {shown}; the allowed range is {low:g} to {high:g} {unit}: "
            "convert or cut it."
        )


def _mono_blocks(sound: Any, name: str, sample_rate: int, on_step: StepCallback) -> Iterator[Wave]:
    """Average the channels and change the rate block by block, so memory stays small."""
    changed = soxr.ResampleStream(sound.samplerate, sample_rate, 1, "float32", "VHQ")
    frames = 0
    for block in sound.blocks(_BLOCK_FRAMES, dtype="float32", always_2d=True):
        _check_samples(block, name)
        frames += len(block)
        yield changed.resample_chunk(block.mean(axis=1, dtype=np.float32))
        on_step(min(frames, sound.frames), sound.frames)
    if frames != sound.frames:
        raise BadAudio(_cut_sentence(name, f"{frames} of {sound.frames} frames"))
    yield changed.resample_chunk(np.zeros(0, dtype=np.float32), last=True)


def _check_samples(block: Wave, name: str) -> None:
    peak = float(np.abs(block).max(initial=0.0))
    if not peak <= MAX_AMPLITUDE:
        raise BadAudio(
            f"{name} holds a sample of {peak:g}; the allowed range is -{MAX_AMPLITUDE:g} to "
            f"{MAX_AMPLITUDE:g} (full scale is 1) without NaN: export it again."
        )


def _cut_sentence(name: str, there: str) -> str:
    return f"{name} is cut short: {there} are there; copy or export it again."
