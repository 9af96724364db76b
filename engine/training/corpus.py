"""The training data as files: ``sounds.csv`` and ``images.csv`` (see docs/training-data.md)."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

from engine.training.licences import is_trainable
from osc_bridge.errors import BadCorpus, FileMissing


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
    return [
        Clip(
            path=data / row["file"],
            split=row["split"],
            duration_s=float(row["duration_s"]),
            text=row["text"],
            foley_class=row["foley_class"],
            licence=row["licence"],
            package=row["package"],
            image=row.get("image") or "",
        )
        for row in _rows(data / "sounds.csv", {"file", "split", "duration_s", "text"})
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
        for row in _rows(data / "images.csv", {"file", "text", "role"})
    ]


def class_text(foley_class: str) -> str:
    """Return the words for a class, e.g. ``wolf_growl_roar`` -> ``wolf growl roar``."""
    return foley_class.replace("_", " ")


def _rows(path: Path, needed: set[str]) -> list[dict[str, str]]:
    if not path.is_file():
        raise FileMissing(
            f"The corpus has no {path.name} at {path}; give a folder laid out as "
            "docs/training-data.md describes, e.g. make starter DATA=DIR."
        )
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    missing = needed - set(rows[0] if rows else ())
    if missing:
        raise BadCorpus(
            f"{path} has no columns {', '.join(sorted(missing))}; "
            "docs/training-data.md lists what is needed."
        )
    return rows
