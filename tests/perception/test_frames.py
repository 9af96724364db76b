"""Pictures from outside: each kind of bad one gives a sentence with value, range and cure."""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from engine.perception import frames
from engine.perception.frames import MAX_PIXELS, crop_region, decode_frame, load_frame
from osc_bridge.errors import BadImage, FileMissing, OutOfRange, PathForbidden

Draw = Callable[..., Image.Image]


def png_claiming(width: int, height: int) -> bytes:
    """Return a PNG of a few bytes whose header promises many pixels."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(bytes(64))
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("format_name", ["PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF"])
def test_reads_each_format_whatever_its_name(
    tmp_path: Path, drawing: Draw, format_name: str
) -> None:
    path = tmp_path / "frame.dat"
    drawing(60, 40).save(path, format=format_name)
    frame = load_frame(path)
    assert frame.mode == "RGB"
    assert frame.size == (60, 40)


def test_keeps_transparency(tmp_path: Path, drawing: Draw) -> None:
    cutout = drawing(40, 40, mode="RGBA")
    cutout.putalpha(Image.linear_gradient("L").resize((40, 40)))
    cutout.save(tmp_path / "a.png")
    assert np.array_equal(np.asarray(load_frame(tmp_path / "a.png")), np.asarray(cutout))


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "CMYK"])
def test_every_mode_becomes_rgb_or_rgba(tmp_path: Path, drawing: Draw, mode: str) -> None:
    drawing(40, 30, mode=mode).save(tmp_path / "a.tif")
    assert load_frame(tmp_path / "a.tif").mode == ("RGBA" if mode == "LA" else "RGB")


def test_sixteen_bits_are_scaled_not_clipped(tmp_path: Path) -> None:
    ramp = np.linspace(0, 65535, 256).astype(np.uint16)[None].repeat(4, 0)
    Image.fromarray(ramp).save(tmp_path / "deep.png")
    seen = np.asarray(load_frame(tmp_path / "deep.png"))[0, :, 0]
    assert np.array_equal(seen, np.arange(256))


def test_turns_a_picture_upright(tmp_path: Path, drawing: Draw) -> None:
    upright = drawing(60, 40)
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: show it rotated by 90 degrees clockwise
    upright.rotate(90, expand=True).save(tmp_path / "a.png", exif=exif)
    assert np.array_equal(np.asarray(load_frame(tmp_path / "a.png")), np.asarray(upright))


def test_first_frame_of_an_animation(tmp_path: Path) -> None:
    red, blue = Image.new("RGB", (20, 20), "red"), Image.new("RGB", (20, 20), "blue")
    red.save(tmp_path / "a.gif", save_all=True, append_images=[blue])
    assert load_frame(tmp_path / "a.gif").convert("RGB").getpixel((5, 5)) == (255, 0, 0)


@pytest.mark.parametrize("side", [(60_000, 60_000), (10_000, 9_500), (7_100, 7_100)])
def test_refuses_size_before_decoding(tmp_path: Path, side: tuple[int, int]) -> None:
    path = tmp_path / "huge.png"
    path.write_bytes(png_claiming(*side))
    with pytest.raises(BadImage, match=r"50,000,000 pixels"):
        load_frame(path)


def test_lying_header(tmp_path: Path) -> None:
    path = tmp_path / "liar.png"
    path.write_bytes(png_claiming(1000, 1000))
    with pytest.raises(BadImage, match="damaged or cut short"):
        load_frame(path)


@pytest.mark.parametrize("format_name", ["PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF"])
def test_truncated(tmp_path: Path, drawing: Draw, format_name: str) -> None:
    drawing(200, 200).save(tmp_path / "whole", format=format_name)
    whole = (tmp_path / "whole").read_bytes()
    (tmp_path / "cut").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(BadImage, match=r"cut.*(damaged|not a picture).*PNG"):
        load_frame(tmp_path / "cut")


def test_empty(tmp_path: Path) -> None:
    (tmp_path / "a.png").touch()
    with pytest.raises(BadImage, match="is empty"):
        load_frame(tmp_path / "a.png")


def test_text_named_png(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_text("not a picture\n" * 50)
    with pytest.raises(BadImage, match=r"a\.png is not a picture.*allowed are PNG, JPEG.*save"):
        load_frame(tmp_path / "a.png")


def test_formats_that_run_programs_are_not_read(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\nshowpage\n")
    with pytest.raises(BadImage, match="not a picture"):
        load_frame(tmp_path / "a.png")


def test_file_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frames, "MAX_FILE_BYTES", 2**20)
    (tmp_path / "a.png").write_bytes(bytes(2**20 + 1))
    with pytest.raises(BadImage, match=r"1 MiB, allowed are 1 MiB; save it smaller"):
        load_frame(tmp_path / "a.png")


def test_folder_and_pipe_are_not_files(tmp_path: Path) -> None:
    with pytest.raises(BadImage, match="is not a file"):
        load_frame(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(BadImage, match="is not a file"):
        load_frame(tmp_path / "pipe")


@pytest.mark.parametrize("name", ["none.png", "a\0b.png", "x" * 5000])
def test_missing(tmp_path: Path, name: str) -> None:
    with pytest.raises((FileMissing, BadImage), match=r"check|give the path"):
        load_frame(tmp_path / name)


def test_paths_are_confined(tmp_path: Path, drawing: Draw) -> None:
    inside, outside = tmp_path / "session", tmp_path / "other"
    inside.mkdir()
    outside.mkdir()
    drawing(30, 30).save(outside / "a.png")
    drawing(30, 30).save(inside / "a.png")
    (inside / "link.png").symlink_to(outside / "a.png")
    assert load_frame(inside / "a.png", [inside]).size == (30, 30)
    for path in (outside / "a.png", inside / ".." / "other" / "a.png", inside / "link.png"):
        with pytest.raises(PathForbidden, match=r"outside the allowed folders .*copy it"):
            load_frame(path, [inside])
    with pytest.raises(PathForbidden):
        load_frame(outside / "absent.png", [inside])


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.sampled_from(["PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF"]), st.data())
def test_damage_never_escapes_as_another_error(
    tmp_path: Path, drawing: Draw, format_name: str, data: st.DataObject
) -> None:
    path = tmp_path / f"a.{format_name}"
    if not path.exists():
        drawing(24, 24).save(path, format=format_name)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        frame = decode_frame(bytes(content), "a")
    except BadImage:
        return
    assert frame.mode in ("RGB", "RGBA")
    assert frame.width * frame.height <= MAX_PIXELS


def test_crop_is_taken_as_it_is(drawing: Draw) -> None:
    picture = drawing(60, 40)
    part = crop_region(picture, (10, 5, 60, 40))
    assert part.size == (50, 35)
    assert part.getpixel((0, 0)) == picture.getpixel((10, 5))


@pytest.mark.parametrize(
    "box", [(-1, 0, 5, 5), (0, 0, 61, 5), (5, 5, 5, 9), (9, 0, 5, 5), (0, 30, 5, 41)]
)
def test_crop_outside_names_the_picture_size(drawing: Draw, box: tuple[int, int, int, int]) -> None:
    with pytest.raises(OutOfRange, match=r"60 x 40 pixels; give 0 <= x0"):
        crop_region(drawing(60, 40), box)
