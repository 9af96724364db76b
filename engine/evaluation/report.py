"""Figures, model card and spectrogram sheet of a starter pack, in one run."""

from __future__ import annotations

import json
from pathlib import Path

from engine.evaluation.card import write_card
from engine.evaluation.sheet import draw
from engine.evaluation.starter import Progress, measure, render_items, renderer_of
from engine.training.corpus import require_judged
from engine.training.stages import Run
from presets.files import write_whole

FIGURES = "figures.json"
CARD = "README.md"
SHEET_CLASSES = 30


def write_report(run: Run, pack: Path, sheet: Path, progress: Progress) -> None:
    """Measure the pack and write ``figures.json``, ``README.md`` and the sheet."""
    require_judged(run.clips)
    renderer = renderer_of(pack)
    items = render_items(run, renderer, progress("held-out sounds"))
    draw(items, sheet, SHEET_CLASSES, f"generated, pack {renderer.pack.manifest.digest}")
    figures = measure(run, renderer, items, progress)
    text = json.dumps(figures, indent=1, sort_keys=True) + "\n"
    write_whole(pack / FIGURES, text.encode())
    write_whole(pack / CARD, write_card(json.loads(text)).encode())
