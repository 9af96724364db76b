"""A sheet of spectrograms, held-out real sounds beside generated ones, to be looked at."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from engine.perception.mel import MEL, log_mel
from engine.training.corpus import class_text
from presets.files import writing_whole

if TYPE_CHECKING:
    from engine.evaluation.rendering import Wave
    from engine.evaluation.starter import Item

SECONDS = 4.0
PAIRS = 2  # of a real and a generated sound, for each class


def draw(items: Sequence[Item], path: Path, classes: int, source: str) -> None:
    """Write a PNG with ``classes`` rows: real, generated, real, generated.

    ``source`` says what it was made from, in the PNG's Source text.
    """
    by_class: dict[str, list[Item]] = defaultdict(list)
    for item in items:
        by_class[item.clip.foley_class].append(item)
    names = sorted(by_class)[:classes]
    half = -(-len(names) // 2)
    figure = Figure(figsize=(19, 0.95 * half), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(half, 4 * PAIRS, squeeze=False)
    for axis in axes.flat:
        axis.set_axis_off()
    for number, name in enumerate(names):
        row, side = number % half, number // half
        for pair, item in enumerate(by_class[name][:PAIRS]):
            left = side * 2 * PAIRS + pair * 2
            _panel(axes[row][left], item.codec, f"real: {item.clip.text[:24]}")
            _panel(axes[row][left + 1], item.generated, f"made: {class_text(name)}")
    with writing_whole(path) as part:
        figure.savefig(part, format="png", dpi=110, metadata={"Source": source})


def _panel(axis: object, wave: Wave, title: str) -> None:
    from matplotlib.axes import Axes  # noqa: PLC0415

    assert isinstance(axis, Axes)
    frames = MEL.frames(int(SECONDS * MEL.sample_rate))
    picture = torch.full((MEL.mels, frames), MEL.log_floor)
    shown = log_mel(torch.from_numpy(wave))[:, :frames]
    picture[:, : shown.shape[1]] = shown
    axis.imshow(picture.numpy(), origin="lower", aspect="auto", vmin=MEL.log_floor, vmax=1.0)
    axis.set_title(title, fontsize=5, pad=1)
