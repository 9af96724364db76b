"""Pictures from outside: read with suspicion, handed on whole and upright.

Nothing about a file is believed before it is checked: not its name (the content decides), not the
size its header claims (checked before a single pixel is decoded), not its place (symbolic links are
resolved before the allowed folders are asked).
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from osc_bridge.errors import BadImage, FileMissing, OutOfRange, PathForbidden

if TYPE_CHECKING:
    from PIL import Image

    from engine.perception.base import Box

MAX_FILE_BYTES = 100 * 2**20
MAX_PIXELS = 50_000_000
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF")
_CURE = "save it again as PNG or JPEG"


def load_frame(path: Path, allowed: Sequence[Path] | None = None) -> Image.Image:
    """Return the picture in ``path``, upright, as RGB, or as RGBA where it has transparency.

    Of an animation the first frame. With ``allowed``, the file must lie in one of these folders
    after symbolic links are resolved. Raises `FileMissing`, `PathForbidden`, `BadImage`.
    """
    return decode_frame(_read(confine(path, allowed)), str(path))


def confine(path: Path, allowed: Sequence[Path] | None) -> Path:
    """Return ``path`` without symbolic links; raise `PathForbidden` if it leaves the folders."""
    try:
        resolved = path.resolve()
        folders = None if allowed is None else [folder.resolve() for folder in allowed]
    except (OSError, ValueError, RuntimeError) as error:
        raise FileMissing(
            f"{str(path)!r} is not a usable path ({error}); give the path of a picture."
        ) from error
    if folders is None or any(resolved.is_relative_to(folder) for folder in folders):
        return resolved
    names = ", ".join(map(str, folders)) or "none"
    raise PathForbidden(
        f"{path} lies outside the allowed folders ({names}); "
        "copy it into one of them, or start the engine with its folder allowed."
    )


def decode_frame(data: bytes, name: str) -> Image.Image:
    """Return the picture encoded in ``data``, as `load_frame` does; ``name`` is for messages."""
    from PIL import Image, UnidentifiedImageError  # noqa: PLC0415

    try:
        with Image.open(BytesIO(data), formats=FORMATS) as opened:
            _check_size(opened.size, name)
            return _upright(opened)
    except (BadImage, MemoryError):
        raise
    except UnidentifiedImageError as error:
        raise BadImage(
            f"{name} is not a picture that can be read; allowed are {_format_names()}; {_CURE}."
        ) from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise BadImage(
            f"{name} claims more than the allowed {MAX_PIXELS:,} pixels; make it smaller."
        ) from error
    except Exception as error:  # Pillow's decoders raise whatever a broken file leads to
        raise BadImage(
            f"{name} is damaged or cut short ({error}); "
            f"allowed are whole files of {_format_names()}; {_CURE}."
        ) from error


def crop_region(image: Image.Image, box: Box) -> Image.Image:
    """Return the part of ``image`` inside ``box``; raise `OutOfRange` if it is not inside."""
    width, height = image.size
    x0, y0, x1, y1 = box
    if not (0 <= x0 < x1 <= width and 0 <= y0 < y1 <= height):
        raise OutOfRange(
            f"The box x {x0} to {x1}, y {y0} to {y1} is not inside the picture, "
            f"which is {width} x {height} pixels; give 0 <= x0 < x1 <= {width} "
            f"and 0 <= y0 < y1 <= {height}."
        )
    return image.crop(box)


def _read(path: Path) -> bytes:
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except (FileNotFoundError, NotADirectoryError) as error:
        raise FileMissing(f"There is no file {path}; check the path.") from error
    except OSError as error:
        raise BadImage(
            f"{path} cannot be read ({error.strerror}); allowed are readable files; "
            "check its permissions."
        ) from error
    try:
        return _read_open(handle, path)
    finally:
        os.close(handle)


def _read_open(handle: int, path: Path) -> bytes:
    status = os.fstat(handle)
    if not stat.S_ISREG(status.st_mode):
        raise BadImage(f"{path} is not a file; give a picture: {_format_names()}.")
    _check_bytes(status.st_size, path)
    with os.fdopen(handle, "rb", closefd=False) as file:
        data = file.read(MAX_FILE_BYTES + 1)
    _check_bytes(len(data), path)
    return data


def _check_bytes(count: int, path: Path) -> None:
    if count == 0:
        raise BadImage(f"{path} is empty (0 bytes); {_CURE}.")
    if count > MAX_FILE_BYTES:
        raise BadImage(
            f"{path} has {count / 2**20:.0f} MiB, allowed are {MAX_FILE_BYTES // 2**20} MiB; "
            "save it smaller or as JPEG."
        )


def _check_size(size: tuple[int, int], name: str) -> None:
    width, height = size
    if width < 1 or height < 1 or width * height > MAX_PIXELS:
        raise BadImage(
            f"{name} says it is {width} x {height} pixels, allowed are 1 to {MAX_PIXELS:,} pixels "
            "in all; resize it."
        )


def _upright(opened: Image.Image) -> Image.Image:
    from PIL import ImageOps  # noqa: PLC0415

    opened.load()
    turned = ImageOps.exif_transpose(opened)
    if turned.mode.startswith(("I", "F")):
        return _eight_bit(turned)
    return turned.convert("RGBA" if turned.has_transparency_data else "RGB")


def _eight_bit(picture: Image.Image) -> Image.Image:
    """Return RGB from a picture of one deep channel; Pillow's own conversion would clip it."""
    import numpy as np  # noqa: PLC0415
    from PIL import Image  # noqa: PLC0415

    levels = np.asarray(picture, dtype=np.float64)
    levels = np.nan_to_num(levels, nan=0.0, posinf=0.0, neginf=0.0)
    full_scale = 65535.0 if picture.mode.startswith("I") else 1.0
    scaled = np.clip(levels / max(full_scale, float(levels.max())), 0.0, 1.0)
    return Image.fromarray(np.rint(scaled * 255.0).astype(np.uint8)).convert("RGB")


def _format_names() -> str:
    return ", ".join(FORMATS)
