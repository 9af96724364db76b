"""Figures, model card and spectrogram sheet of a starter pack, in one run.

A report that was stopped goes on where it was: sounds and what the judges heard are kept in the
work folder of the training run.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.evaluation.card import write_card
from engine.evaluation.sheet import draw
from engine.evaluation.starter import Progress, compare, measure, rows_of, stage
from engine.evaluation.starter_draw import EACH
from engine.training.corpus import require_judged
from presets.files import write_whole

if TYPE_CHECKING:
    from engine.training.stages import Run

FIGURES = "figures.json"
CARD = "README.md"
SHEET_CLASSES = 30
FEW = 4
"""Sounds of a class by which guidances are compared, at most."""


def write_report(
    run: Run, pack: Path, sheet: Path, progress: Progress, each: int = EACH
) -> Mapping[str, Any]:
    """Measure the pack, write ``figures.json``, ``README.md`` and the sheet; return the figures."""
    require_judged(run.clips)
    on = stage(run, pack, progress, each)
    rows = rows_of(on, progress)
    draw(rows, sheet, SHEET_CLASSES, f"generated, pack {on.renderer.pack.manifest.digest}")
    figures = measure(on, rows, pack, progress)
    text = json.dumps(figures, indent=1, sort_keys=True) + "\n"
    read: Mapping[str, Any] = json.loads(text)
    write_whole(pack / FIGURES, text.encode())
    write_whole(pack / CARD, write_card(read).encode())
    return read


def compare_guidances(
    run: Run, pack: Path, guidances: Sequence[float], progress: Progress
) -> list[str]:
    """Return a table of recognition and distance for several guidances, on a part of the sounds.

    What is rendered here is kept for the report, and the other way round.
    """
    require_judged(run.clips)
    lines = compare(stage(run, pack, progress, FEW), guidances, progress)
    if not lines:
        return []
    rows = [list(lines[0]), *([_cell(value) for value in line.values()] for line in lines)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def _cell(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.3g}"
