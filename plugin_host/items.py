"""What a delivery is made of: sounds on their way out, files as written, the whole."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from plugin_host.mixdown import Voice
from plugin_host.take import AudioRef, TakeSource
from presets.naming import CatId
from presets.schema import ChainPreset


@dataclass(frozen=True)
class Item:
    """One sound on its way out."""

    role: Literal["stem", "mix"]
    source: TakeSource | None
    ref: AudioRef | None
    voice: Voice
    chain: ChainPreset
    cat: CatId
    fx_name: str

    @property
    def label(self) -> str:
        return self.source.name if self.source else "mix"


@dataclass(frozen=True)
class DeliveredFile:
    """One file as it was written; ``start_sample`` counts from midnight."""

    path: Path
    role: Literal["stem", "mix"]
    source_id: str
    label: str
    chain: str
    cat_id: str
    channels: int
    length_samples: int
    start_sample: int
    peak_dbfs: float
    sha256: str


@dataclass(frozen=True)
class Delivery:
    """Everything that one call wrote, and what the user should know about it."""

    folder: Path
    files: tuple[DeliveredFile, ...]
    sidecar: Path
    trim_db: float
    notes: tuple[str, ...]
