"""The training data as files: ``sounds.csv`` and ``images.csv`` (see docs/training-data.md)."""

from __future__ import annotations

import csv
import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.training.licences import is_trainable
from osc_bridge.errors import BadCorpus, FileMissing

SOUND_COLUMNS = {"file", "split", "duration_s", "text", "foley_class", "licence", "package"}
PICTURE_COLUMNS = {"file", "text", "foley_class", "licence", "package", "role"}
LEAST = {"test": 5, "judge": 5, "train": 10}  # sounds that a class must have to be judged
LEAST_CLASSES = 2


@dataclass(frozen=True)
class Clip:
    """One sound of the corpus; ``foley_class`` is empty where the name tells nothing."""

    path: Path
    split: str
    duration_s: float
    text: str
    foley_class: str
    licence: str
    package: str
    image: str

    @property
    def trainable(self) -> bool:
        """Whether this sound may shape published weights."""
        return self.split == "train" and is_trainable(self.licence)


@dataclass(frozen=True)
class Picture:
    """One picture of the corpus: a cut-out with alpha, or a background."""

    path: Path
    name: str
    text: str
    foley_class: str
    licence: str
    package: str
    role: str


def read_clips(data: Path) -> list[Clip]:
    """Return every sound that ``data/sounds.csv`` lists, in the order of the file."""
    table = data / "sounds.csv"
    return [
        Clip(
            path=data / row["file"],
            split=row["split"],
            duration_s=_seconds(table, line, row["duration_s"]),
            text=row["text"],
            foley_class=row["foley_class"],
            licence=row["licence"],
            package=row["package"],
            image=row.get("image") or "",
        )
        for line, row in enumerate(_rows(table, SOUND_COLUMNS), start=2)
    ]


def read_pictures(data: Path) -> list[Picture]:
    """Return every picture that ``data/images.csv`` lists, in the order of the file."""
    return [
        Picture(
            path=data / row["file"],
            name=row["file"],
            text=row["text"],
            foley_class=row["foley_class"],
            licence=row["licence"],
            package=row["package"],
            role=row["role"],
        )
        for row in _rows(data / "images.csv", PICTURE_COLUMNS)
    ]


def judged_classes(clips: Sequence[Clip]) -> list[str]:
    """Return the classes with enough sounds in every split to be judged."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for clip in clips:
        if clip.foley_class and (clip.split != "train" or clip.trainable):
            counts[clip.foley_class][clip.split] += 1
    return sorted(
        name
        for name, of in counts.items()
        if all(of[split] >= least for split, least in LEAST.items())
    )


def require_judged(clips: Sequence[Clip]) -> None:
    """Raise BadCorpus unless a model card can be measured on these sounds."""
    found = len(judged_classes(clips))
    if found < LEAST_CLASSES:
        raise BadCorpus(
            f"The corpus has {found} classes with at least {LEAST['test']} sounds in test, "
            f"{LEAST['judge']} in judge and {LEAST['train']} with a fit licence in train; a model "
            f"card needs {LEAST_CLASSES}: add sounds, or check foley_class, split and licence."
        )


def class_text(foley_class: str) -> str:
    """Return the words for a class, e.g. ``wolf_growl_roar`` -> ``wolf growl roar``."""
    return foley_class.replace("_", " ")


def _seconds(table: Path, line: int, text: str) -> float:
    try:
        seconds = float(text)
    except (TypeError, ValueError):
        seconds = math.nan
    if not 0 < seconds < 3600:
        raise BadCorpus(
            f"{table}, line {line}: duration_s is {str(text)[:40]!r}, allowed are seconds above 0 "
            "and below 3600; correct the table."
        )
    return seconds


def _rows(path: Path, needed: set[str]) -> list[dict[str, str]]:
    if not path.is_file():
        raise FileMissing(
            f"The corpus has no {path.name} at {path}; give a folder laid out as "
            "docs/training-data.md describes, e.g. make starter DATA=DIR."
        )
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    if not rows:
        raise BadCorpus(f"{path} has no rows; docs/training-data.md says how many are needed.")
    missing = needed - set(rows[0])
    if missing:
        raise BadCorpus(
            f"{path} has no columns {', '.join(sorted(missing))}; "
            "docs/training-data.md lists what is needed."
        )
    return rows
