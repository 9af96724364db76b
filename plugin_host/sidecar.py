"""The sidecar of a delivery: everything needed to know, credit and repeat it, as JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from plugin_host.items import DeliveredFile, Delivery, Item
from plugin_host.labelling import Labels, program
from plugin_host.mixdown import audible
from plugin_host.take import SAMPLE_RATE, AudioRef, Take, TakeSource

FORMAT = "wildtrack-delivery"
FORMAT_VERSION = 1


def sidecar_bytes(labels: Labels, items: Sequence[Item], delivery: Delivery) -> bytes:
    """UTF-8 JSON with sorted meaning and stable order: the same delivery, the same bytes."""
    take = labels.take
    document = {
        "format": FORMAT,
        "version": FORMAT_VERSION,
        "program": program(),
        "is_generated": True,
        "take": {
            "id": take.id,
            "created": take.created,
            "stems_mode": take.stems_mode,
            "quality": take.quality,
            "duration_samples": take.duration_samples,
        },
        "scene": {
            "id": take.scene_id,
            "name": take.scene_name,
            "sample_rate": SAMPLE_RATE,
            "start_sample": take.scene_start_sample,
        },
        "pack": asdict(take.pack),
        "licence": take.pack.licence,
        "trim_db": round(delivery.trim_db, 4),
        "mix_is": _mix_is(take, items[-1]),
        "notes": list(delivery.notes),
        "files": [_file(file, item) for file, item in zip(delivery.files, items, strict=True)],
        "sources": [_source(source) for source in take.sources],
        "timings_s": take.timings_s,
    }
    return (json.dumps(document, indent=1, ensure_ascii=False) + "\n").encode()


def _mix_is(take: Take, mix: Item) -> str:
    """Whether the stems add up to the mix, and if not, why."""
    made = "generated as one sound"
    if take.stems_mode == "consistent":
        some = any(source.weight == 0 for source in audible(take.sources))
        made = f"sum of the stems{' of weight above 0' if some else ''}"
    return f"{made} through chain {mix.chain.name}" if mix.chain.effects else made


def _file(file: DeliveredFile, item: Item) -> dict[str, Any]:
    return {
        "file": file.path.name,
        "sha256": file.sha256,
        "role": file.role,
        "source": file.source_id or None,
        "cat_id": file.cat_id,
        "fx_name": item.fx_name,
        "chain": {
            "name": item.chain.name,
            "effects": [{"effect": e.effect, **e.values} for e in item.chain.effects],
        },
        "channels": file.channels,
        "length_samples": file.length_samples,
        "start_sample": file.start_sample,
        "peak_dbfs": round(file.peak_dbfs, 2) if math.isfinite(file.peak_dbfs) else None,
        "dry": _ref(item.ref) if item.ref else None,
    }


def _ref(ref: AudioRef) -> dict[str, Any]:
    return {"sha256": ref.sha256, "seed": ref.seed}


def _source(source: TakeSource) -> dict[str, Any]:
    return {key: value for key, value in asdict(source).items() if key != "audio"} | {
        "seed": source.audio.seed,
        "dry_sha256": source.audio.sha256,
    }
