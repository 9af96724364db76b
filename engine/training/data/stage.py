"""Stage ``data``: items become shards, shard by shard, by a few threads; a stopped run goes on.

What a run is (the items, the pack, the settings) is written down first, so that a folder never
mixes two. A shard that is there is not made again. Files that cannot be used are listed in
``bad.csv`` with the reason; the run goes on.
"""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from engine.steps import StepCallback
from engine.training.data.curation import THRESHOLD
from engine.training.data.embedding import DEFAULT_PARTS, Embedder, Encoders, Found, Part
from engine.training.data.items import Item, Library
from engine.training.data.prepared import MANIFEST
from engine.training.data.shards import Bad, Shard, is_finished, read_shard, write_shard
from osc_bridge.errors import BadCorpus
from presets.files import remove_parts, write_whole

RECORD = "plan.json"
BAD = "bad.csv"


@dataclass(frozen=True)
class DataSettings:
    """What is made of each item, and how many items a shard is made of."""

    parts: tuple[Part, ...] = DEFAULT_PARTS
    threshold: float = THRESHOLD
    shard_size: int = 1000


@dataclass(frozen=True)
class Prepared:
    """The result: how many samples and pairs there are, and how many files could not be used."""

    folder: Path
    samples: int
    pairs: dict[str, int]
    bad: int


def prepare(
    library: Library,
    encoders: Encoders,
    settings: DataSettings,
    folder: Path,
    on_step: StepCallback,
    workers: int = 1,
) -> Prepared:
    """Write the shards of a library into ``folder``; BadCorpus if it holds those of another.

    ``on_step(done, of)`` counts items; what it raises ends the work, and the next run goes on after
    the last whole shard. The bytes do not depend on ``workers``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    remove_parts(folder)
    record = _record(library, encoders, settings, folder)
    embedder = Embedder(encoders, settings.parts, settings.threshold, library.grounds, workers)
    shards: dict[str, Shard] = {}
    done = 0
    for name, items in _divided(library.items, settings.shard_size):
        tar = folder / f"{name}.tar"
        if is_finished(tar):
            shards[name] = read_shard(tar)
            done += len(items)
            on_step(done, len(library.items))
            continue
        found = []
        for each in _embedded(embedder, items, workers):
            found.append(each)
            done += 1
            on_step(done, len(library.items))
        bad = [line for each in found for line in each.bad]
        shards[name] = write_shard(tar, embedder.samples(found), bad)
    return _finish(folder, record, encoders, shards, library.missing)


def _divided(items: Sequence[Item], size: int) -> Iterator[tuple[str, Sequence[Item]]]:
    """Yield the name and the items of every shard; no shard holds two splits."""
    for split, group in groupby(items, key=lambda item: item.split):
        members = list(group)
        for number, first in enumerate(range(0, len(members), size)):
            yield f"{split}-{number:06d}", members[first : first + size]


def _embedded(embedder: Embedder, items: Sequence[Item], workers: int) -> Iterator[Found]:
    """Yield what the items became, in their order; leaving early cancels what has not begun."""
    if workers == 1:
        yield from map(embedder.embed, items)
        return
    with ThreadPoolExecutor(workers, thread_name_prefix="embed") as pool:
        futures = [pool.submit(embedder.embed, item) for item in items]
        try:
            for future in futures:
                yield future.result()
        finally:
            for future in futures:
                future.cancel()


def _record(
    library: Library, encoders: Encoders, settings: DataSettings, folder: Path
) -> dict[str, Any]:
    return begin(folder, _plan(library, encoders, settings))


def _plan(library: Library, encoders: Encoders, settings: DataSettings) -> dict[str, Any]:
    return {
        "items": library.digest(),
        "pack": encoders.name,
        "digest": encoders.digest,
        "parts": list(settings.parts),
        "threshold": settings.threshold,
        "shard_size": settings.shard_size,
    }


def begin(folder: Path, ours: dict[str, Any]) -> dict[str, Any]:
    """Write down what is being prepared; BadCorpus if the folder holds something else."""
    path = folder / RECORD
    if path.exists():
        try:
            theirs = json.loads(path.read_bytes())
            changed = [key for key in ours if theirs.get(key) != ours[key]]
        except (ValueError, AttributeError):
            changed = ["record"]
        if changed:
            raise BadCorpus(
                f"{folder} holds data prepared with other {', '.join(changed)}; give another "
                "folder with --work, or remove it to start anew."
            )
    elif any(folder.glob("*.tar")):
        raise BadCorpus(f"{folder} holds tar files of something else; give another folder.")
    write_whole(path, json.dumps(ours, indent=2, sort_keys=True).encode())
    return ours


def _finish(
    folder: Path,
    record: dict[str, Any],
    encoders: Encoders,
    shards: dict[str, Shard],
    missing: Sequence[Bad],
) -> Prepared:
    bad = [*missing, *(line for shard in shards.values() for line in shard.bad)]
    dims = encoders.images.dim, encoders.audio.dim if encoders.audio else 0
    return finish(folder, record, dims, shards, bad)


def finish(
    folder: Path,
    record: dict[str, Any],
    dims: tuple[int, int],
    shards: dict[str, Shard],
    bad: Sequence[Bad],
) -> Prepared:
    """Write ``data.json`` and ``bad.csv``: the folder is whole. ``dims``: clip_dim, clap_dim."""
    facts = [entry.facts for shard in shards.values() for entry in shard.entries]
    pairs = Counter[str](kind for each in facts for kind in each.kinds)
    manifest = {
        **record,
        "clip_dim": dims[0],
        "clap_dim": dims[1],
        "shards": [name for name, shard in shards.items() if shard.entries],
        "samples": dict(Counter(each.split for each in facts)),
        "pairs": dict(pairs),
        "licences": dict(Counter(each.licence for each in facts)),
        "bad": len(bad),
    }
    write_whole(folder / BAD, _listed(bad))
    write_whole(folder / MANIFEST, json.dumps(manifest, indent=2, ensure_ascii=False).encode())
    return Prepared(folder, len(facts), dict(pairs), len(bad))


def known_bad(folder: Path) -> list[Bad]:
    """Return what the ``bad.csv`` of a prepared folder lists; nothing where it was removed."""
    path = folder / BAD
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        lines = list(csv.reader(file))[1:]
    return [Bad(line[0], line[-1]) for line in lines if line]


def _listed(bad: Sequence[Bad]) -> bytes:
    text = io.StringIO(newline="")
    lines = csv.writer(text)
    lines.writerow(["file", "reason"])
    lines.writerows((each.name, each.reason) for each in bad)
    return text.getvalue().encode()
