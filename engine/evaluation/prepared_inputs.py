"""What evaluation takes from ``wildtrack train data``: the shards that the stages learn from."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from engine.models.pack import PackManifest
from engine.training.data.prepared import PreparedData
from engine.training.results import RESULTS
from osc_bridge.errors import BadCorpus


def open_for(manifest: PackManifest, folders: Sequence[Path]) -> PreparedData:
    """Return the data; BadCorpus unless this pack's encoders embedded it."""
    data = PreparedData(*folders)
    if digest_of(data) != manifest.digest:
        raise BadCorpus(
            f"{folders[0]} was embedded by {_pack_of(data)}, this pack is {manifest.name} "
            f"{manifest.version} ({manifest.digest[:12]}): name with --pack what embedded it, or "
            f"prepare the folder anew with wildtrack train data --pack {manifest.name}."
        )
    return data


def open_for_trained(model: Path, folders: Sequence[Path]) -> PreparedData:
    """Return the data; BadCorpus if the stage that left ``model`` learned in other spaces."""
    data = PreparedData(*folders)
    for stage, name in RESULTS.items():
        record = model.parent / f"{stage}.json"
        if name == model.name and record.is_file() and digest_of(data) not in _digests(record):
            raise BadCorpus(
                f"{model} learned from other embeddings than those of {folders[0]}, which are by "
                f"{_pack_of(data)}: name what it was trained on, or data prepared by the same pack."
            )
    return data


def _digests(record: Path) -> set[str]:
    """Return by whom the data was embedded that a stage's record names."""
    try:
        known = json.loads(record.read_text(encoding="utf-8"))
        return {str(data["digest"]) for data in known["data"]}
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise BadCorpus(
            f"{record} is no record of a stage ({error!r}); train the stage anew."
        ) from error


def digest_of(data: PreparedData) -> str:
    """Return whose embeddings these are: the digest of the pack, or with another audio encoder."""
    return str(data.manifest.get("digest"))


def _pack_of(data: PreparedData) -> str:
    return f"{str(data.manifest.get('pack'))[:80]} ({digest_of(data)[:12]})"


def rows_of(data: PreparedData, split: str) -> list[int]:
    """Return the samples of a split; BadCorpus names the splits that there are."""
    found = [row for row in range(len(data)) if data.facts(row).split == split]
    if not found:
        counts = Counter(data.facts(row).split for row in range(len(data)))
        there = ", ".join(f"{name} ({count})" for name, count in sorted(counts.items()))
        raise BadCorpus(
            f"{data.folder} has no sample of the split {split!r}; it has {there or 'none at all'}: "
            "choose with --split, or prepare a folder that has some."
        )
    return found
