"""One judge of the model card and all that it heard: recognition and Fréchet distances."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from engine.evaluation import starter_distance, starter_naming
from engine.evaluation.bootstrap import Bootstrap
from engine.evaluation.frechet import LEAST_ROWS
from engine.evaluation.starter_distance import Space, Trio, space_of
from engine.evaluation.starter_ears import Ear, Heard, Taught, hear_row, taught, teachers
from engine.evaluation.starter_sounds import Row
from engine.steps import StepCallback
from engine.training.stages import Run

COMPARED = ("codec", "words", "pictures", "unguided")
"""Rows whose distance to held-out sounds is measured; naming takes all rows."""


@dataclass(frozen=True, eq=False)
class Juror:
    """A taught listener, the rows that it heard, and what it made of each sound."""

    ear: Ear
    taught: Taught
    space: Space
    rows: Mapping[str, Row]
    heard: Mapping[str, Heard]

    def figures(self, how: Bootstrap) -> dict[str, Any]:
        """Return how often classes are named and how far the sets of sounds lie apart."""
        named = {
            name: starter_naming.name_row(self.taught.judge, self.heard[name], row.kinds)
            for name, row in self.rows.items()
        }
        trios = {name: self.trio(name) for name in COMPARED if name in self.rows}
        classes = len(self.taught.judge.classes)
        return {
            "taught_by": len(self.taught.heard),
            "classes": classes,
            "chance": {"top_1": 1 / classes, "top_5": min(1.0, 5 / classes)},
            "naming": starter_naming.figures(named, how),
            "distance": {
                name: starter_distance.figures(trio, how)
                for name, trio in trios.items()
                if len(trio.generated) >= LEAST_ROWS
            },
        }

    def trio(self, name: str) -> Trio:
        """Return a row, the held-out sounds that it was asked for, and training sounds beside."""
        row, real, known = (self.rows[of] for of in (name, "real", "taught"))
        places = [
            {item.number: place for place, item in enumerate(of.items)} for of in (row, real, known)
        ]
        numbers = [number for number in places[0] if number in places[2]]
        sets = (
            self.space.put(self.heard[of][[place[number] for number in numbers]])
            for of, place in zip((name, "real", "taught"), places, strict=True)
        )
        return Trio(*(np.asarray(rows) for rows in sets))


def seat(ear: Ear, run: Run, rows: Mapping[str, Row], folder: Path, on_step: StepCallback) -> Juror:
    """Teach a judge and let it hear every row; ``folder`` keeps what it made of them."""
    clips = teachers(run.clips)
    total = len(clips) + sum(len(row.paths) for row in rows.values())
    done = 0

    def stepped(step: int, _: int) -> None:
        on_step(done + step, total)

    learned = taught(ear, clips, folder, stepped)
    done += len(clips)
    heard: dict[str, Heard] = {}
    for name, row in rows.items():
        heard[name] = hear_row(ear, row.paths, folder, stepped)
        done += len(row.paths)
    return Juror(ear, learned, space_of(learned.heard), rows, heard)
