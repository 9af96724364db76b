"""A sheet of sounds as PNG: the frame with its boxes, then waveform and spectrogram per track.

Matplotlib's object-oriented interface with the Agg canvas: no pyplot, no state, no display.
"""

from __future__ import annotations

import io
import textwrap
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpec
from matplotlib.image import AxesImage
from matplotlib.patches import Rectangle
from numpy.typing import NDArray
from PIL import Image

DPI: Final = 110
WIDTH_IN: Final = 14.0
HEAD_IN: Final = 0.7
FRAME_IN: Final = 4.6
TRACK_IN: Final = 1.45
FOOT_IN: Final = 0.75
TOP_HZ: Final = 12_000
FLOOR_DB: Final = -90.0
CEILING_DB: Final = -10.0
FFT: Final = 2048
HOP: Final = 512
COLUMNS: Final = 1200
"""Waveform columns: one minimum and maximum each."""

INK, PAPER, PANEL, FAINT = "#e8e6e1", "#15171c", "#1c1f26", "#8b909c"
COLOURS: Final = ("#f4a259", "#5aa9e6", "#8cc084", "#e06c9f", "#b79ced", "#f6d55c", "#4fc1b0")
MIX_COLOUR: Final = "#e8e6e1"


@dataclass(frozen=True)
class Track:
    """One sound: (channels, T) float32 at ``sample_rate``, from ``start_s`` of the scene."""

    title: str
    detail: str
    audio: NDArray[np.float32]
    sample_rate: int
    start_s: float
    colour: str


@dataclass(frozen=True)
class FramedBox:
    """A region of the frame, in pixels of the original picture."""

    box: tuple[int, int, int, int]
    label: str
    colour: str


@dataclass(frozen=True)
class Sheet:
    """What is drawn; ``frame_size`` is that of the original, ``frame`` may be smaller.

    ``source`` says what it was made from, in the PNG's Source text.
    """

    title: str
    detail: str
    tracks: tuple[Track, ...]
    frame: Image.Image | None = None
    frame_size: tuple[int, int] = (0, 0)
    boxes: tuple[FramedBox, ...] = ()
    source: str = ""


def sheet_png(sheet: Sheet) -> bytes:
    """Draw the sheet; ``WIDTH_IN * DPI`` pixels wide, as high as its tracks need."""
    frame_in = FRAME_IN if sheet.frame else 0.0
    tracks_in = TRACK_IN * len(sheet.tracks)
    height = HEAD_IN + frame_in + tracks_in + FOOT_IN
    figure = Figure(figsize=(WIDTH_IN, height), dpi=DPI, facecolor=PAPER)
    FigureCanvasAgg(figure)
    _draw_title(figure, sheet, height)
    if sheet.frame:
        top = 1 - HEAD_IN / height
        _draw_frame(figure, sheet, (top - frame_in / height, frame_in / height))
    grid = GridSpec(
        len(sheet.tracks), 3, figure=figure, width_ratios=(1.35, 4, 5.2), wspace=0.09, hspace=0.3,
        left=0.02, right=0.935, bottom=FOOT_IN / height, top=(FOOT_IN + tracks_in - 0.1) / height,
    )  # fmt: skip
    _draw_tracks(figure, grid, sheet.tracks)
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        figure.savefig(buffer, format="png", facecolor=PAPER, metadata={"Source": sheet.source})
    return buffer.getvalue()


def spectrogram_db(audio: NDArray[np.float32], sample_rate: int) -> NDArray[np.float32]:
    """(bins up to ``TOP_HZ``, frames) in dB; a full-scale sine is 0 dB. Channels are averaged."""
    mono = audio.mean(axis=0)
    padded = np.pad(mono, (FFT // 2, FFT // 2 + FFT))
    window = np.hanning(FFT)
    frames = np.lib.stride_tricks.sliding_window_view(padded, FFT)[::HOP]
    magnitude = np.abs(np.fft.rfft(frames * window, axis=1)) / (window.sum() / 2)
    bins = round(TOP_HZ * FFT / sample_rate) + 1
    decibels = 20 * np.log10(np.maximum(magnitude[:, :bins].T, 1e-9))
    return np.asarray(decibels, np.float32)


def _draw_title(figure: Figure, sheet: Sheet, height: float) -> None:
    y = 1 - 0.38 / height
    figure.text(0.02, y, sheet.title, size=16, weight="bold", color=INK, va="center",
                parse_math=False)  # fmt: skip
    figure.text(0.98, y, sheet.detail, size=9.5, color=FAINT, va="center", ha="right",
                parse_math=False)  # fmt: skip


def _draw_frame(figure: Figure, sheet: Sheet, place: tuple[float, float]) -> None:
    bottom, height = place
    axes = figure.add_axes((0.02, bottom + 0.06 * height, 0.96, 0.9 * height))
    axes.axis("off")
    assert sheet.frame is not None
    width_px, height_px = sheet.frame_size
    axes.imshow(np.asarray(sheet.frame), extent=(0, width_px, height_px, 0))
    for box in sheet.boxes:
        _draw_box(axes, box, height_px)
    axes.set_xlim(0, width_px)
    axes.set_ylim(height_px, 0)


def _draw_box(axes: Axes, framed: FramedBox, height_px: int) -> None:
    x0, y0, x1, y1 = framed.box
    size = (x1 - x0, y1 - y0)
    axes.add_patch(Rectangle((x0, y0), *size, fill=False, lw=4, ec=PAPER, alpha=0.6))
    axes.add_patch(Rectangle((x0, y0), *size, fill=False, lw=2, ec=framed.colour))
    inset = 0.012 * height_px
    axes.text(x0 + inset, y0 + inset, _short(framed.label, 32), size=9, color=PAPER, va="top",
              weight="bold", parse_math=False, clip_on=True,
              bbox={"boxstyle": "square,pad=0.25", "fc": framed.colour, "ec": "none"})  # fmt: skip


def _draw_tracks(figure: Figure, grid: GridSpec, tracks: Sequence[Track]) -> None:
    end_s = max(track.start_s + track.audio.shape[1] / track.sample_rate for track in tracks)
    image: AxesImage | None = None
    for row, track in enumerate(tracks):
        _draw_label(figure.add_subplot(grid[row, 0]), track)
        wave, spectrum = figure.add_subplot(grid[row, 1]), figure.add_subplot(grid[row, 2])
        _draw_wave(wave, track)
        image = _draw_spectrogram(spectrum, track)
        for axes in (wave, spectrum):
            _style(axes, end_s, last=row == len(tracks) - 1)
    if image is not None:
        _draw_scale(figure, grid, image)


def _draw_label(axes: Axes, track: Track) -> None:
    axes.axis("off")
    axes.add_patch(Rectangle((0, 0.1), 0.035, 0.8, color=track.colour, transform=axes.transAxes))
    axes.text(0.1, 0.65, _two_lines(track.title), size=10, color=INK, weight="bold", va="center",
              transform=axes.transAxes, parse_math=False)  # fmt: skip
    axes.text(0.1, 0.26, track.detail, size=7.5, color=FAINT, va="center", transform=axes.transAxes,
              parse_math=False, linespacing=1.4)  # fmt: skip


def _draw_wave(axes: Axes, track: Track) -> None:
    seconds, low, high = _envelope(track)
    axes.fill_between(seconds, low, high, color=track.colour, lw=0.4)
    reach = max(0.1, 1.08 * float(np.abs(track.audio).max(initial=0.0)))
    axes.set_ylim(-reach, reach)
    axes.axhline(0, color=FAINT, lw=0.4, alpha=0.6)
    axes.set_yticks([])


def _envelope(track: Track) -> tuple[NDArray[np.float64], ...]:
    mono = track.audio[np.abs(track.audio).max(axis=1).argmax()]
    columns = min(COLUMNS, max(len(mono), 1))
    edges = np.linspace(0, len(mono), columns + 1).astype(int)
    parts = [mono[a : max(b, a + 1)] for a, b in pairwise(edges)]
    seconds = track.start_s + (edges[:-1] + edges[1:]) / 2 / track.sample_rate
    low = np.array([part.min(initial=0.0) for part in parts], np.float64)
    return seconds, low, np.array([part.max(initial=0.0) for part in parts], np.float64)


def _draw_spectrogram(axes: Axes, track: Track) -> AxesImage:
    decibels = spectrogram_db(track.audio, track.sample_rate)
    end_s = track.start_s + decibels.shape[1] * HOP / track.sample_rate
    image = axes.imshow(
        decibels, origin="lower", aspect="auto", cmap="magma", vmin=FLOOR_DB, vmax=CEILING_DB,
        extent=(track.start_s, end_s, 0, TOP_HZ / 1000), interpolation="bilinear",
    )  # fmt: skip
    axes.set_yticks([0, 4, 8, 12])
    axes.set_ylabel("kHz", size=8, color=FAINT, labelpad=1)
    return image


def _style(axes: Axes, end_s: float, *, last: bool) -> None:
    axes.set_xlim(0, end_s)
    axes.set_facecolor(PANEL if axes.get_ylabel() == "" else "#000004")
    axes.tick_params(colors=FAINT, labelsize=8, length=2, labelbottom=last)
    for spine in axes.spines.values():
        spine.set_visible(False)
    if last:
        axes.set_xlabel("seconds from the start of the scene", size=8, color=FAINT)


def _draw_scale(figure: Figure, grid: GridSpec, image: AxesImage) -> None:
    box = grid[0, 2].get_position(figure)
    axes = figure.add_axes((0.945, box.y0, 0.008, box.height))
    scale = figure.colorbar(image, cax=axes)
    scale.set_ticks([FLOOR_DB, -50, CEILING_DB])
    scale.ax.tick_params(colors=FAINT, labelsize=8, length=2)
    scale.ax.set_title("dB", color=FAINT, size=8, pad=3)
    scale.outline.set_visible(False)


def _two_lines(title: str) -> str:
    return "\n".join(textwrap.wrap(_short(title, 38), 20, max_lines=2, placeholder="…"))


def _short(text: str, longest: int) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= longest else flat[: longest - 1].rstrip() + "…"
