"""Takes: one immutable result each, a folder ``takes/<id>/`` with its ``take.json``."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from presets.files import write_whole

if TYPE_CHECKING:
    from engine.models.loading import LoadedPack
    from engine.pipeline import Rendered
    from engine.scene.model import Scene, Source
    from engine.stem_cache import KeptStem

_TAKE_ID = re.compile(r"t[0-9]{4,9}")


@dataclass(frozen=True)
class TakeRow:
    """One take as a list shows it."""

    take: str
    scene: str
    created: str
    duration_samples: int
    path: Path


def take_document(
    scene: Scene, rendered: Rendered, kept: Mapping[str, KeptStem], pack: LoadedPack
) -> dict[str, Any]:
    """Return what ``take.json`` holds, without the take's id."""
    manifest = pack.manifest
    mix = kept[rendered.mix.key]
    return {
        "scene": {
            "id": scene.id,
            "name": scene.name,
            "sample_rate": scene.sample_rate,
            "start_sample": scene.start_sample,
            "revision": scene.revision,
        },
        "created": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "stems_mode": rendered.settings.stems_mode,
        "quality": rendered.settings.quality,
        "duration_samples": scene.duration_samples,
        "pack": {
            "name": manifest.name,
            "version": manifest.version,
            "digest": manifest.digest,
            "licence": manifest.licence,
            "sample_rate": pack.decoder.sample_rate,
            "bandwidth_hz": pack.decoder.bandwidth_hz,
        },
        "mix": {"file": mix.file, "sha256": mix.sha256, "seed": scene.seed},
        "frame": scene.frame or None,
        "sources": [
            _source(source, kept[stem.key])
            for source, stem in zip(scene.sources, rendered.stems, strict=True)
        ],
        "timings_s": {name: round(value, 4) for name, value in rendered.timings_s.items()},
    }


def _source(source: Source, stem: KeptStem) -> dict[str, Any]:
    return {
        "id": source.id,
        "kind": source.kind,
        "label": source.label,
        "text": source.text,
        "media": source.media,
        "box": list(source.box) if source.box else None,
        "weight": source.weight,
        "gain_db": source.gain_db,
        "pan": source.pan,
        "mute": source.mute,
        "solo": source.solo,
        "seed": source.seed,
        "start_sample": source.start_sample,
        "chain": source.chain,
        "cat_id": source.cat_id,
        "file": stem.file,
        "sha256": stem.sha256,
    }


class TakeStore:
    """The takes of a session."""

    def __init__(self, session: Path) -> None:
        self._folder = session / "takes"

    def add(self, document: Mapping[str, Any]) -> tuple[str, Path]:
        """Write a new take whole; return its id and the absolute path of its ``take.json``."""
        take, folder = self._new_folder()
        path = folder / "take.json"
        text = json.dumps({"take": take, **document}, indent=1, ensure_ascii=False, allow_nan=False)
        try:
            write_whole(path, (text + "\n").encode(), overwrite=False)
        except BaseException:
            folder.rmdir()
            raise
        return take, path

    def rows(self) -> list[TakeRow]:
        """Return the finished takes, oldest first; what is not a take of ours is left out."""
        folders = sorted(f for f in self._folder.iterdir() if _TAKE_ID.fullmatch(f.name))
        rows = (_row(folder.name, folder / "take.json") for folder in folders)
        return [row for row in rows if row is not None]

    def _new_folder(self) -> tuple[str, Path]:
        numbers = (f.name[1:] for f in self._folder.iterdir() if _TAKE_ID.fullmatch(f.name))
        number = max(map(int, numbers), default=0) + 1
        take = f"t{number:04d}"
        folder = self._folder / take
        folder.mkdir()
        return take, folder


def _row(take: str, path: Path) -> TakeRow | None:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        return TakeRow(
            take=take,
            scene=str(document["scene"]["id"]),
            created=str(document["created"]),
            duration_samples=int(document["duration_samples"]),
            path=path,
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
