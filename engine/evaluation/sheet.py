"""A sheet of spectrograms, held-out real sounds beside generated ones, to be looked at."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from engine.perception.mel import MEL, log_mel
from engine.training.corpus import class_text
from engine.training.features import read_wave
from presets.files import writing_whole

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from engine.evaluation.starter_sounds import Row

SECONDS = 4.0
ROWS = {"real": "real", "words": "from words", "pictures": "from a picture"}
SIDES = 2  # classes beside each other
COLOURS = 32
DPI = 120


def draw(rows: Mapping[str, Row], path: Path, classes: int, source: str) -> None:
    """Write a PNG of ``classes`` classes: a real sound, one from its words, one from a picture.

    ``source`` says what it was made from, in the PNG's Source text.
    """
    firsts = {name: _firsts(rows[name]) for name in ROWS if name in rows}
    kinds = sorted(firsts["real"])[:classes]
    lines = -(-len(kinds) // SIDES)
    figure = Figure(figsize=(12, 0.8 * lines), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(lines, len(ROWS) * SIDES, squeeze=False)
    for axis in axes.flat:
        axis.set_axis_off()
    for number, kind in enumerate(kinds):
        line, side = number % lines, number // lines
        for place, (name, of) in enumerate(firsts.items()):
            if kind in of:
                title = f"{class_text(kind)}: {ROWS[name]}"
                _panel(axes[line][side * len(ROWS) + place], of[kind], title)
    _save(figure, path, source)


def _firsts(row: Row) -> dict[str, Path]:
    pairs = zip(row.items, row.paths, strict=True)
    return {item.kind: path for item, path in pairs if item.place == 0}


def _panel(axis: Axes, sound: Path, title: str) -> None:
    frames = MEL.frames(int(SECONDS * MEL.sample_rate))
    picture = torch.full((MEL.mels, frames), MEL.log_floor)
    shown = log_mel(torch.from_numpy(read_wave(sound)))[:, :frames]
    picture[:, : shown.shape[1]] = shown
    axis.imshow(picture.numpy(), origin="lower", aspect="auto", vmin=MEL.log_floor, vmax=1.0)
    axis.set_title(title, fontsize=6, pad=1)


def _save(figure: Figure, path: Path, source: str) -> None:
    """Save with few colours: a spectrogram is noise, which nothing else makes small."""
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", dpi=DPI)
    drawn.seek(0)
    with Image.open(drawn) as image:
        small = image.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    told = PngInfo()
    told.add_text("Source", source)
    with writing_whole(path) as part:
        small.save(part, format="PNG", optimize=True, pnginfo=told)
