"""The demo's own material: a drawn frame and a synthesised clip; nothing third-party.

The frame is a room at night: a clock and a guitar on the wall. The clip is a tap that
drips into a basin.
"""

from __future__ import annotations

import io
import math
from typing import Final

import numpy as np
import soundfile
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageDraw, ImageFilter

SIZE: Final = (1280, 720)
_SCALE: Final = 2
"""Drawn at twice the size and reduced: smooth edges."""
SAMPLE_RATE: Final = 48_000
CLIP_S: Final = 3.0
DRIPS_S: Final = (0.15, 0.92, 1.34, 2.21)

RGB = tuple[int, int, int]
Drawing = ImageDraw.ImageDraw


def frame_png() -> bytes:
    """The frame as PNG, the same bytes each time."""
    buffer = io.BytesIO()
    draw_frame().save(buffer, "PNG")
    return buffer.getvalue()


def clip_wav() -> bytes:
    """The clip as 24-bit WAV."""
    buffer = io.BytesIO()
    soundfile.write(buffer, drips(), SAMPLE_RATE, format="WAV", subtype="PCM_24")
    return buffer.getvalue()


def drips() -> NDArray[np.float32]:
    """Water drops (T,): a bubble's tone that rises as it closes (Minnaert), and the splash."""
    random = np.random.Generator(np.random.PCG64(7))
    sound = np.zeros(round(CLIP_S * SAMPLE_RATE))
    for start_s in DRIPS_S:
        drop = _drop(random.uniform(900, 1600), random.uniform(0.5, 0.8), random)
        begin = round(start_s * SAMPLE_RATE)
        sound[begin : begin + len(drop)] += drop[: len(sound) - begin]
    return sound.astype(np.float32)


def _drop(pitch_hz: float, level: float, random: np.random.Generator) -> NDArray[np.float64]:
    seconds = np.arange(round(0.25 * SAMPLE_RATE)) / SAMPLE_RATE
    rising_hz = pitch_hz * (1 + 1.1 * seconds / 0.12)
    bubble = np.sin(2 * np.pi * np.cumsum(rising_hz) / SAMPLE_RATE) * np.exp(-seconds / 0.035)
    bubble *= np.minimum(seconds / 0.002, 1)
    splash = random.standard_normal(len(seconds)) * np.exp(-seconds / 0.004)
    late = np.roll(bubble, round(0.012 * SAMPLE_RATE))
    late[: round(0.012 * SAMPLE_RATE)] = 0
    return np.asarray(level * (0.85 * late + 0.12 * splash))


def draw_frame() -> Image.Image:
    """The room, 1280 x 720."""
    picture = _wall()
    _clock(picture, (380, 270), 165)
    _guitar(picture, (900, 365), 8.0)
    return _vignette(picture.resize(SIZE, Image.Resampling.LANCZOS))


def _wall() -> Image.Image:
    """Plaster in lamplight that comes from the upper left."""
    width, height = SIZE
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    distance = np.hypot((x - 0.3 * width) / width, (y - 0.25 * height) / height)
    light = np.clip(1.05 - 0.75 * distance, 0.25, 1.0)
    grain = np.random.Generator(np.random.PCG64(3)).standard_normal((height // 2, width // 2))
    rough = Image.fromarray((128 + 14 * grain).clip(0, 255).astype(np.uint8)).resize(SIZE)
    plaster = 1 + (np.asarray(rough, np.float32) - 128) / 900
    wall = np.array([150, 178, 176], np.float32) * (light * plaster)[..., None]
    picture = Image.fromarray(wall.clip(0, 255).astype(np.uint8))
    return picture.resize((width * _SCALE, height * _SCALE))


def _clock(picture: Image.Image, centre: tuple[int, int], radius: int) -> None:
    """A wall clock at eight minutes past ten."""
    cx, cy, r = centre[0] * _SCALE, centre[1] * _SCALE, radius * _SCALE
    _shadow(picture, (cx - r, cy - r + 16, cx + r, cy + r + 34))
    draw = ImageDraw.Draw(picture)
    for inset, colour in (
        (0, (44, 36, 32)),
        (10, (92, 74, 60)),
        (26, (36, 30, 28)),
        (34, (246, 242, 230)),
    ):
        draw.ellipse((cx - r + inset, cy - r + inset, cx + r - inset, cy + r - inset), fill=colour)
    for minute in range(60):
        _tick(draw, (cx, cy), r, minute)
    for hour in range(1, 13):
        x, y = _on_dial((cx, cy), 0.66 * r, hour * 30)
        draw.text((x, y), str(hour), fill=(28, 26, 26), anchor="mm", font_size=0.15 * r)
    _hand(draw, (cx, cy), 0.42 * r, 304, 16)
    _hand(draw, (cx, cy), 0.64 * r, 48, 11)
    draw.line(
        (*_on_dial((cx, cy), -0.14 * r, 210), *_on_dial((cx, cy), 0.68 * r, 210)),
        fill=(180, 40, 32),
        width=4,
    )
    draw.ellipse((cx - 14, cy - 14, cx + 14, cy + 14), fill=(30, 26, 26))


def _tick(draw: Drawing, centre: tuple[int, int], r: int, minute: int) -> None:
    long = minute % 5 == 0
    inner = _on_dial(centre, (0.78 if long else 0.82) * r, minute * 6)
    draw.line(
        (*inner, *_on_dial(centre, 0.85 * r, minute * 6)), fill=(40, 36, 36), width=9 if long else 3
    )


def _hand(
    draw: Drawing, centre: tuple[int, int], length: float, degrees: float, width: int
) -> None:
    tail = _on_dial(centre, -0.18 * length, degrees)
    draw.line((*tail, *_on_dial(centre, length, degrees)), fill=(24, 22, 24), width=width)


def _on_dial(centre: tuple[int, int], radius: float, degrees: float) -> tuple[float, float]:
    angle = math.radians(degrees)
    return centre[0] + radius * math.sin(angle), centre[1] - radius * math.cos(angle)


def _guitar(picture: Image.Image, centre: tuple[int, int], degrees: float) -> None:
    """A classical guitar on a layer of its own, turned, with its shadow on the wall."""
    layer = Image.new("RGBA", (420 * _SCALE, 700 * _SCALE), (0, 0, 0, 0))
    _guitar_body(layer)
    _guitar_neck(layer)
    turned = layer.rotate(degrees, Image.Resampling.BICUBIC, expand=True)
    x = centre[0] * _SCALE - turned.width // 2
    y = centre[1] * _SCALE - turned.height // 2
    dark = turned.getchannel("A").point(lambda v: v * 0.55).filter(ImageFilter.GaussianBlur(16))
    picture.paste((34, 24, 18), (x + 26, y + 22), dark)
    picture.paste(turned, (x, y), turned)


def _guitar_body(layer: Image.Image) -> None:
    draw = ImageDraw.Draw(layer)
    s = _SCALE
    for grow, colour in ((0, (70, 40, 22)), (-6, (214, 150, 82))):
        draw.ellipse(_ring(210, 540, 142 + grow, 128 + grow), fill=colour)
        draw.ellipse(_ring(210, 370, 106 + grow, 98 + grow), fill=colour)
        draw.rectangle(((120 - grow) * s, 400 * s, (300 + grow) * s, 500 * s), fill=colour)
    for r, colour in ((52, (96, 54, 30)), (46, (226, 190, 130)), (41, (30, 20, 16))):
        draw.ellipse(_ring(210, 420, r, r), fill=colour)
    draw.rounded_rectangle((150 * s, 560 * s, 270 * s, 582 * s), 8 * s, fill=(64, 36, 22))
    draw.rectangle((172 * s, 556 * s, 248 * s, 563 * s), fill=(240, 232, 214))


def _guitar_neck(layer: Image.Image) -> None:
    draw = ImageDraw.Draw(layer)
    s = _SCALE
    draw.rectangle((189 * s, 92 * s, 231 * s, 388 * s), fill=(52, 32, 22))
    for fret in range(12):
        y = (92 + 590 * (1 - 2 ** (-fret / 12))) * s
        draw.rectangle((189 * s, y, 231 * s, y + 3), fill=(190, 180, 160))
    head = [(v * s, w * s) for v, w in ((184, 92), (176, 12), (244, 12), (236, 92))]
    draw.polygon(head, fill=(112, 66, 36), outline=(60, 34, 20), width=6)
    for row in range(3):
        for side in (166, 244):
            y = (26 + 22 * row) * s
            peg = (side * s, y, (side + 12) * s, y + 10 * s)
            draw.rounded_rectangle(peg, 4 * s, fill=(236, 230, 216))
    for string in range(6):
        top, bottom = (193 + 6.8 * string) * s, (180 + 12 * string) * s
        draw.line((top, 80 * s, bottom, 560 * s), fill=(232, 226, 210), width=3)


def _ring(cx: int, cy: int, rx: int, ry: int) -> tuple[int, int, int, int]:
    return ((cx - rx) * _SCALE, (cy - ry) * _SCALE, (cx + rx) * _SCALE, (cy + ry) * _SCALE)


def _shadow(picture: Image.Image, box: tuple[int, int, int, int]) -> None:
    small = (picture.width // 4, picture.height // 4)
    dark = Image.new("L", small, 0)
    ImageDraw.Draw(dark).ellipse([edge // 4 for edge in box], fill=110)
    soft = dark.filter(ImageFilter.GaussianBlur(6)).resize(picture.size)
    picture.paste((30, 22, 18), (0, 0, *picture.size), soft)


def _vignette(picture: Image.Image) -> Image.Image:
    width, height = picture.size
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    distance = np.hypot(x / width - 0.45, y / height - 0.45)
    shade = (255 * np.clip(1.15 - 0.75 * distance, 0.4, 1)).astype(np.uint8)
    return ImageChops.multiply(picture, Image.merge("RGB", [Image.fromarray(shade)] * 3))
