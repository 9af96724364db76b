"""What a take's ``take.json`` says of how it was made: settings, pack, sources, files."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engine.models.loading import LoadedPack
    from engine.pipeline import Rendered
    from engine.scene.model import Scene, Source
    from engine.stem_cache import KeptStem


def take_document(
    scene: Scene,
    rendered: Rendered,
    kept: Mapping[str, KeptStem],
    pack: LoadedPack,
    job: str,
) -> dict[str, Any]:
    """Return what ``take.json`` holds, without the take's id; ``job`` is its record's token."""
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
        "job": job,
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
            "device": rendered.device,
            "precision": rendered.precision,
        },
        "mix": {"file": mix.file, "sha256": mix.sha256, "seed": scene.seed},
        "frame": scene.frame or None,
        "sources": [
            _source(source, kept[stem.key], scene.duration_samples)
            for source, stem in zip(scene.sources, rendered.stems, strict=True)
        ],
        "timings_s": {name: round(value, 4) for name, value in rendered.timings_s.items()},
    }


def _source(source: Source, stem: KeptStem, scene_samples: int) -> dict[str, Any]:
    """Return a source as it was rendered; its length is the scene's unless it has its own."""
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
        "duration_samples": source.duration_samples or scene_samples,
        "chain": source.chain,
        "cat_id": source.cat_id,
        "file": stem.file,
        "sha256": stem.sha256,
    }
