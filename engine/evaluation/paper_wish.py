"""What ``wildtrack evaluate --paper`` measures, on what and how much of it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from engine.evaluation.bootstrap import Bootstrap
from osc_bridge.errors import BadCorpus, FileMissing, OutOfRange

TABLES = ("sounds.csv", "images.csv")
MAX_RECORD_BYTES = 20_000_000
MOST = 100_000


@dataclass(frozen=True)
class Scale:
    """How much is measured; the defaults take a few minutes on two cores.

    ``each`` sounds a class, at most ``singles`` in all; ``scenes`` of several sources;
    ``pairs`` that the mapper learns from in ``mapper_steps``; ``draws`` of pairs for the manifold;
    ablations learn from ``learned`` sounds and scenes of them, and are asked for ``held`` ones.
    """

    each: int = 3
    singles: int = 99
    scenes: int = 48
    pairs: int = 1500
    mapper_steps: int = 1500
    draws: int = 20
    learned: int = 1500
    learned_scenes: int = 768
    held: int = 500
    held_scenes: int = 192

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if not 1 <= value <= MOST:
                raise OutOfRange(f"{name} is {value}; the allowed range is 1 to {MOST}.")


@dataclass(frozen=True)
class PaperWish:
    """``data`` is laid out as docs/training-data.md says; ``work`` keeps what was measured.

    ``beats`` is a checkpoint, ``offsets`` a CSV of Synchformer's outputs: what needs one of them
    and has none is named as not measured.
    """

    data: Path
    work: Path
    pack: str = "starter"
    beats: Path | None = None
    offsets: Path | None = None
    seed: int = 1
    how: Bootstrap = field(default_factory=Bootstrap)
    scale: Scale = field(default_factory=Scale)

    def key(self, digest: str) -> dict[str, Any]:
        """Return what every part depends on, with the pack's digest; FileMissing without tables."""
        return {
            "pack": digest,
            "data": _hashes(self.data),
            "seed": self.seed,
            "how": asdict(self.how),
            "scale": asdict(self.scale),
        }

    def offsets_key(self) -> str | None:
        """Return the SHA-256 (hex) of Synchformer's outputs, or None without them."""
        return _hash(self.offsets) if self.offsets else None


def short(key: Mapping[str, Any]) -> str:
    """Return a short name for a key, for a folder."""
    return hashlib.sha256(repr(sorted(key.items())).encode()).hexdigest()[:12]


def _hashes(data: Path) -> dict[str, str]:
    for name in TABLES:
        if not (data / name).is_file():
            raise FileMissing(
                f"The corpus has no {name} at {data / name}; give a folder laid out as "
                "docs/training-data.md describes with --data."
            )
    return {name: _hash(data / name) for name in TABLES}


def _hash(path: Path) -> str:
    if path.stat().st_size > MAX_RECORD_BYTES:
        raise BadCorpus(
            f"{path} has {path.stat().st_size} bytes; at most {MAX_RECORD_BYTES} are read."
        )
    return hashlib.sha256(path.read_bytes()).hexdigest()
