"""What the user asks ``wildtrack render`` for, checked before any engine is started."""

from __future__ import annotations

import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import soundfile
from PIL import Image

from osc_bridge.errors import (
    BadAudio,
    BadImage,
    BadText,
    FileMissing,
    InputError,
    NothingToRender,
    OutOfRange,
    SessionNotWritable,
    TooManySources,
)
from presets.naming import MAX_CREATOR_ID
from presets.schema import ChainPreset

SAMPLE_RATE: Final = 48_000
MIN_SECONDS: Final = 0.3
MAX_SECONDS: Final = 10.0
MAX_SEED: Final = 2**63 - 1
MAX_SOURCES: Final = 64
MAX_TEXT_CHARACTERS: Final = 400
MAX_NAME_CHARACTERS: Final = 80
LAST_START_SAMPLE: Final = SAMPLE_RATE * 86_400 - 1
MAX_IMAGE_BYTES: Final = 512 * 1024**2
MAX_AUDIO_BYTES: Final = 2 * 1024**3


@dataclass(frozen=True)
class Order:
    """One call: sources, settings, and where the files go."""

    images: tuple[Path, ...]
    texts: tuple[str, ...]
    audios: tuple[Path, ...]
    out: Path
    name: str = "Scene"
    seconds: float = 4.0
    seed: int = 1
    start_sample: int = 0
    stems: Literal["independent", "consistent"] = "independent"
    quality: Literal["preview", "final"] = "final"
    chain: ChainPreset | None = None
    mix_chain: ChainPreset | None = None
    creator_id: str = "WT"
    picture: bool = False


def check_order(order: Order) -> None:
    """Raise the first thing that is wrong: an InputError, OutOfRange, TooManySources,
    NothingToRender or SessionNotWritable, each naming value, range and cure."""
    _check_count(len(order.images) + len(order.texts) + len(order.audios))
    _check_numbers(order)
    for text in order.texts:
        check_text(text)
    for path in order.images:
        _check_file(path, BadImage, "image", MAX_IMAGE_BYTES)
        _check_image_header(path)
    for path in order.audios:
        _check_file(path, BadAudio, "sound", MAX_AUDIO_BYTES)
        _check_audio_header(path)
    _check_name("the scene's name", order.name, MAX_NAME_CHARACTERS, "--name")
    _check_name("the creator", order.creator_id, MAX_CREATOR_ID, "--creator")
    check_writable(order.out, "--out")


def check_text(text: str) -> None:
    """BadText for an empty text, a long one, or one that is no Unicode."""
    if not text.strip():
        raise BadText("a --text is empty; say in 1 to 400 characters what should sound")
    if len(text) > MAX_TEXT_CHARACTERS:
        raise BadText(
            f"the text {text[:20]!r}... has {len(text)} characters; "
            f"1 to {MAX_TEXT_CHARACTERS} are allowed, shorten it or split it into several --text"
        )
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise BadText("a --text is not valid UTF-8; check the encoding of the terminal")


def check_writable(folder: Path, option: str) -> None:
    """SessionNotWritable unless the folder, or the nearest above it, takes a new file.

    Nothing is made or left behind.
    """
    try:
        there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
        with tempfile.TemporaryFile(dir=there):
            pass
    except (OSError, ValueError, StopIteration) as error:
        reason = getattr(error, "strerror", None) or error
        raise SessionNotWritable(
            f"the folder {folder} cannot be written ({reason}); give another with {option}"
        ) from error


def _check_count(count: int) -> None:
    if count == 0:
        raise NothingToRender("no source is given; add at least one --image, --text or --audio")
    if count > MAX_SOURCES:
        raise TooManySources(
            f"{count} sources are given; 1 to {MAX_SOURCES} are allowed, render them in two calls"
        )


def _check_numbers(order: Order) -> None:
    if not MIN_SECONDS <= order.seconds <= MAX_SECONDS:
        raise OutOfRange(
            f"--seconds is {order.seconds:g}; {MIN_SECONDS:g} to {MAX_SECONDS:g} s are allowed"
        )
    if not 0 <= order.seed <= MAX_SEED:
        raise OutOfRange(f"--seed is {order.seed}; 0 to {MAX_SEED} is allowed")
    if not 0 <= order.start_sample <= LAST_START_SAMPLE:
        raise OutOfRange(
            f"--start-sample is {order.start_sample}; 0 to {LAST_START_SAMPLE} samples since "
            f"midnight at {SAMPLE_RATE} Hz are allowed"
        )


def _check_file(path: Path, error: type[InputError], what: str, most_bytes: int) -> None:
    try:
        size = path.stat().st_size if path.is_file() else None
        if size:
            with path.open("rb"):
                pass
    except (OSError, ValueError) as problem:
        raise FileMissing(f"the {what} {str(path)!r} cannot be read ({problem})") from problem
    if size is None:
        kind = "is not a file" if path.exists() else "does not exist"
        raise FileMissing(f"the {what} {str(path)!r} {kind}; check the path")
    if size == 0:
        raise error(f"the {what} {path.name!r} is empty (0 bytes); choose another file")
    if size > most_bytes:
        raise error(
            f"the {what} {path.name!r} has {size / 1e6:.0f} MB; "
            f"at most {most_bytes / 1e6:.0f} MB are allowed, make it smaller"
        )


def _check_image_header(path: Path) -> None:
    """What is no picture at all is said at once; the engine looks at every pixel later."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            Image.open(path).close()
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise BadImage(
            f"{path.name!r} is not a picture that can be read ({error}); give a PNG or JPEG"
        ) from error


def _check_audio_header(path: Path) -> None:
    try:
        soundfile.info(path)
    except (soundfile.SoundFileError, OSError, ValueError) as error:
        raise BadAudio(
            f"{path.name!r} is not a sound that can be read ({error}); give a WAV or FLAC"
        ) from error


def _check_name(what: str, value: str, longest: int, option: str) -> None:
    if not value.strip() or len(value) > longest or not value.isprintable():
        raise OutOfRange(
            f"{what} is {value[:40]!r}; 1 to {longest} printable characters are allowed: "
            f"change {option}"
        )
