"""Takes: one immutable result each, a folder ``takes/<id>/`` with its ``take.json``."""

from __future__ import annotations

import contextlib
import json
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.paths import read_plain
from engine.scene.codec import is_scene_id
from engine.scene.model import MAX_DURATION_SAMPLES, MIN_DURATION_SAMPLES
from osc_bridge.errors import BadSession
from presets.files import sync_folder, write_whole

if TYPE_CHECKING:
    from engine.models.loading import LoadedPack
    from engine.pipeline import Rendered
    from engine.scene.model import Scene, Source
    from engine.stem_cache import KeptStem

MAX_TAKE_BYTES = 2**20
_LAST_TAKE = 999_999_999
_TAKE_ID = re.compile(r"t([0-9]{4}|[1-9][0-9]{4,8})")
_CREATED = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{5,15}(Z|[+-][0-9:]{4,5})")

_log = logging.getLogger(__name__)


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
        """Write a new take whole; return its id and the absolute path of its ``take.json``.

        When this fails, no such take is there.
        """
        take, folder = self._new_folder()
        path = folder / "take.json"
        text = json.dumps({"take": take, **document}, indent=1, ensure_ascii=False, allow_nan=False)
        try:
            write_whole(path, (text + "\n").encode(), overwrite=False)
            sync_folder(self._folder)
        except BaseException:
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)
                folder.rmdir()
            raise
        return take, path

    def rows(self) -> list[TakeRow]:
        """Return the finished takes, oldest first; what is not a take of ours is left out."""
        folders = (self._folder / f"t{number:04d}" for number in self._numbers())
        rows = (_row(folder.name, folder / "take.json") for folder in folders)
        return [row for row in rows if row is not None]

    def _numbers(self) -> list[int]:
        names = (entry.name for entry in self._folder.iterdir())
        return sorted(int(name[1:]) for name in names if _TAKE_ID.fullmatch(name))

    def _new_folder(self) -> tuple[str, Path]:
        used = self._numbers()
        number = max(used, default=0) + 1
        if number > _LAST_TAKE:
            number = next(free for free in count(1) if free not in used)
        take = f"t{number:04d}"
        folder = self._folder / take
        folder.mkdir()
        return take, folder


def _row(take: str, path: Path) -> TakeRow | None:
    """Return what a list shows of a take, or None: a session may hold the takes of anybody."""
    if path.parent.is_symlink():
        _log.warning("The take %s is left out: its folder is a link.", take)
        return None
    try:
        return _checked_row(take, path)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, LookupError, TypeError, RecursionError, BadSession) as error:
        _log.warning("The take %s is left out: its take.json cannot be used (%s).", take, error)
        return None


def _checked_row(take: str, path: Path) -> TakeRow:
    document = json.loads(read_plain(path, MAX_TAKE_BYTES).decode())
    scene, created = document["scene"]["id"], document["created"]
    duration_samples = document["duration_samples"]
    if not is_scene_id(scene):
        raise ValueError(f"scene {scene[:40]!r}")
    if _CREATED.fullmatch(created) is None:
        raise ValueError(f"created {created[:40]!r}")
    if type(duration_samples) is not int:
        raise TypeError("duration_samples is not a whole number")
    if not MIN_DURATION_SAMPLES <= duration_samples <= MAX_DURATION_SAMPLES:
        raise ValueError("duration_samples is out of range")
    return TakeRow(take, scene, created, duration_samples, path)
