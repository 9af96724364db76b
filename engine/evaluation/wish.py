"""What a user wants measured, checked when it is made."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from engine.evaluation.bootstrap import Bootstrap
from engine.evaluation.labels import PAPER_LABELS

DEFAULT_EMBEDDERS = ("judge", "pack")
DEFAULT_JUDGES = ("judge",)


@dataclass(frozen=True)
class Wish:
    """Two folders of sounds, and what else there is to measure by; paths may be None.

    ``embeddings`` are pairs of .npy files, generated and reference; ``labels`` is SSMS' N.
    """

    generated: Path
    reference: Path
    pairs: Path | None = None
    embedders: tuple[str, ...] = DEFAULT_EMBEDDERS
    embeddings: tuple[tuple[Path, Path], ...] = ()
    pack: str = "starter"
    training: Path | None = None
    teach: Path | None = None
    judges: tuple[str, ...] = DEFAULT_JUDGES
    beats: Path | None = None
    labels: int = PAPER_LABELS
    pictures: Path | None = None
    picture_space: str = "pack"
    offsets: Path | None = None
    how: Bootstrap = field(default_factory=Bootstrap)
