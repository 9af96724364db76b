"""The session's own copies of the frames and clips that were added, named by their content.

What splitting and merging sounds makes is kept there, too: 48 kHz mono WAV of 32-bit floats.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from engine.audio import MAX_AMPLITUDE, load_audio, stem_bytes
from engine.paths import open_plain
from engine.perception.frames import FORMATS, load_frame
from engine.scene.cutting import sound_cut
from engine.scene.model import SAMPLE_RATE
from osc_bridge.errors import BadAudio, BadImage, FileMissing, PathForbidden, WildtrackError
from presets.files import write_whole, writing_whole

if TYPE_CHECKING:
    from engine.audio import Wave

_MAGIC = (
    (b"\x89PNG", "png"),
    (b"\xff\xd8\xff", "jpg"),
    (b"GIF8", "gif"),
    (b"BM", "bmp"),
    (b"II*\0", "tif"),
    (b"MM\0*", "tif"),
    (b"fLaC", "flac"),
    (b"OggS", "ogg"),
    (b"caff", "caf"),
    (b".snd", "au"),
    (b"ID3", "mp3"),
    (b"\xff\xfb", "mp3"),
)
_TURNED = (5, 6, 7, 8)
"""Values of EXIF's orientation (tag 0x0112) whose picture lies on its side."""

Size = tuple[int, int]
_CONTAINERS = {b"WAVE": "wav", b"WEBP": "webp", b"AIFF": "aif", b"AIFC": "aif"}


@dataclass(frozen=True)
class Original:
    """A confined file from outside, and its state when it was first looked at."""

    path: Path
    state: tuple[int, ...]

    @classmethod
    def at(cls, path: Path) -> Original:
        """Look at the file; done before it is read and checked."""
        return cls(path, _state(path))

    def require_unchanged(self) -> None:
        """Raise FileMissing when the file is not the one that was checked."""
        if _state(self.path) != self.state:
            raise FileMissing(f"{self.path.name} changed while it was read; add it again.")


class MediaStore:
    """The folder ``media/`` of a session. Methods may be called from any thread."""

    def __init__(self, session: Path) -> None:
        self._session = session
        self._adding = threading.Lock()
        self._sizes: dict[str, Size] = {}

    @contextmanager
    def keeping(self, original: Original) -> Iterator[str]:
        """Copy a checked file to ``media/<sha256>.<type>``; yield that, relative to the session.

        The same content is kept once. When the block fails, what was not there before is removed.
        """
        with self._adding:
            digest, head = _digest(original.path)
            name = f"media/{digest}.{_suffix(head)}"
            target = self._session / name
            is_new = not os.path.lexists(target)
            try:
                if is_new or not _holds(target, digest):
                    _copy(original.path, target, digest)
                original.require_unchanged()
                yield name
            except BaseException:
                if is_new:
                    _remove(target)
                raise

    @contextmanager
    def keeping_cut(self, media: str, at: int) -> Iterator[tuple[str, str]]:
        """Cut a clip at sample ``at`` (48 kHz; 0: its middle) and keep both parts, as `keeping`.

        Raises OutOfRange where a part would be too short, BadAudio and FileMissing.
        """
        wave = self._sound(media)
        cut = sound_cut(len(wave), at)
        with self._adding, self._keeping_waves([wave[:cut], wave[cut:]]) as names:
            yield names[0], names[1]

    @contextmanager
    def keeping_overlay(self, clips: Sequence[str]) -> Iterator[str]:
        """Lay clips over each other, as long as the longest, and keep the sum, as `keeping`.

        Nothing is normalised. Raises BadAudio and FileMissing.
        """
        mixed = overlaid(self._sound(media) for media in clips)
        with self._adding, self._keeping_waves([mixed]) as names:
            yield names[0]

    def picture_size(self, media: str) -> Size:
        """Return width and height of an upright picture; BadImage or FileMissing."""
        if media not in self._sizes:
            self._sizes[media] = _picture_size(self._session / media)
        return self._sizes[media]

    def _sound(self, media: str) -> Wave:
        """Return a clip of the session as mono float32 (T,) at 48 kHz."""
        path = self._session / media
        try:
            return load_audio(path, SAMPLE_RATE, [(self._session / "media").resolve()])
        except (FileMissing, PathForbidden) as error:
            raise _gone(path, "sound") from error

    @contextmanager
    def _keeping_waves(self, waves: Sequence[Wave]) -> Iterator[list[str]]:
        made: list[Path] = []
        try:
            yield [self._kept(stem_bytes(wave), made) for wave in waves]
        except BaseException:
            for path in made:
                _remove(path)
            raise

    def _kept(self, data: bytes, made: list[Path]) -> str:
        digest = hashlib.sha256(data).hexdigest()
        name = f"media/{digest}.wav"
        target = self._session / name
        if not os.path.lexists(target):
            write_whole(target, data)
            made.append(target)
        elif not _holds(target, digest):
            write_whole(target, data)
        return name


def overlaid(waves: Iterable[Wave]) -> Wave:
    """Return the sum of ``waves`` (T,), as long as the longest: (max T,) float32."""
    mixed = np.zeros(0, dtype=np.float32)
    for wave in waves:
        longer, shorter = (wave, mixed) if len(wave) > len(mixed) else (mixed, wave)
        mixed = longer.copy()
        mixed[: len(shorter)] += shorter
    _require_amplitude(mixed)
    return mixed


def _require_amplitude(wave: Wave) -> None:
    peak = float(np.abs(wave).max(initial=0.0))
    if peak > MAX_AMPLITUDE:
        raise BadAudio(
            f"These sounds together reach {peak:g}; the allowed range is -{MAX_AMPLITUDE:g} to "
            f"{MAX_AMPLITUDE:g} (full scale is 1): add them at a lower level."
        )


def _picture_size(path: Path) -> Size:
    """Read no more than the header, but of a TIFF, which Pillow turns while it decodes."""
    from PIL import Image  # noqa: PLC0415

    try:
        with (
            os.fdopen(open_plain(path, os.O_RDONLY), "rb") as file,
            Image.open(file, formats=FORMATS) as opened,
        ):
            if opened.format != "TIFF":
                width, height = opened.size
                is_turned = opened.getexif().get(0x0112) in _TURNED
                return (height, width) if is_turned else (width, height)
        return load_frame(path).size
    except FileNotFoundError as error:
        raise _gone(path, "picture") from error
    except WildtrackError:
        raise
    except Exception as error:  # Pillow's decoders raise whatever a broken file leads to
        raise BadImage(
            f"The picture {path.name} of this session is damaged ({error}); restore the session "
            "from a copy."
        ) from error


def _gone(path: Path, what: str) -> FileMissing:
    return FileMissing(
        f"The {what} {path.name} is gone from the session; put the session's folder media back "
        "from a copy."
    )


def _copy(path: Path, target: Path, digest: str) -> None:
    with writing_whole(target) as part:
        shutil.copyfile(path, part)
        if _digest(part)[0] != digest:
            raise FileMissing(f"{path.name} changed while it was copied; add it again.")


def _remove(path: Path) -> None:
    """Remove a file that nothing refers to; what failed first is what the caller must know."""
    with suppress(OSError):
        path.unlink(missing_ok=True)


def _holds(target: Path, digest: str) -> bool:
    """Whether the session's copy is what its name says: the session may be somebody else's."""
    return target.is_file() and not target.is_symlink() and _digest(target)[0] == digest


def _state(path: Path) -> tuple[int, ...]:
    try:
        now = path.stat()
    except OSError as error:
        raise FileMissing(f"{path.name} cannot be read ({error.strerror}).") from error
    return now.st_dev, now.st_ino, now.st_size, now.st_mtime_ns, now.st_ctime_ns


def _digest(path: Path) -> tuple[str, bytes]:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        file.seek(0)
        return digest, file.read(16)


def _suffix(head: bytes) -> str:
    """Return the usual suffix of the content, "bin" when it is none of the common ones."""
    if head[8:12] in _CONTAINERS:
        return _CONTAINERS[head[8:12]]
    return next((suffix for magic, suffix in _MAGIC if head.startswith(magic)), "bin")
