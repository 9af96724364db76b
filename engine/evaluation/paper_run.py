"""``wildtrack evaluate --paper``, part by part: each kept in the work folder, then one page of all.

A part is measured again when what it depends on has changed: pack, corpus, seed, scale.
"""

from __future__ import annotations

import json
import os
import platform
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any, Final

from engine.evaluation import paper_ablations, paper_generation, paper_manifold, paper_others
from engine.evaluation.paper_bench import Bench, Part
from engine.evaluation.paper_page import write_page
from engine.evaluation.paper_parts import PARTS, PartName
from engine.evaluation.paper_wish import MAX_RECORD_BYTES, PaperWish
from osc_bridge.errors import BadCorpus, InputError, ModelError, OutOfRange
from presets.files import remove_parts, write_whole

PAGE, FIGURES = "evaluation.md", "evaluation.json"
_MEASURES: Final[Mapping[PartName, Part]] = {
    "single": paper_generation.single,
    "multi": paper_generation.multi,
    "synchrony": paper_others.synchrony,
    "ablations": paper_ablations.ablations,
    "manifold": paper_manifold.manifold,
    "cycle-mix": paper_generation.cycle_mix,
    "composition": paper_generation.composition,
    "audio": paper_ablations.audio,
    "muting": paper_others.mute,
    "starter": paper_others.starter,
}


def measure(bench: Bench, names: Sequence[PartName]) -> None:
    """Measure what is asked for and not yet known; every part appears whole in the work folder."""
    work = bench.wish.work
    work.mkdir(parents=True, exist_ok=True)
    remove_parts(work)
    for name in names:
        if known(bench, name) is None:
            begun = time.perf_counter()
            found = _tried(bench, _MEASURES[name])
            record = {
                "of": _key(bench, name),
                "seconds": round(time.perf_counter() - begun, 1),
                "measured": found,
            }
            text = json.dumps(record, indent=1, ensure_ascii=False, allow_nan=False)
            write_whole(_path(work, name), text.encode())


def known(bench: Bench, name: PartName) -> dict[str, Any] | None:
    """Return a part's record from the work folder, or None if it is not there or of other things.

    BadCorpus for a file that is no such record.
    """
    path = _path(bench.wish.work, name)
    if not path.is_file():
        return None
    if path.stat().st_size > MAX_RECORD_BYTES:
        raise BadCorpus(f"{path} has over {MAX_RECORD_BYTES} bytes; remove it to measure anew.")
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise BadCorpus(f"{path} cannot be read ({error}); remove it to measure anew.") from error
    if not isinstance(record, dict) or set(record) != {"of", "seconds", "measured"}:
        raise BadCorpus(f"{path} is no record of a part; remove it to measure anew.")
    return record if record["of"] == _key(bench, name) else None


def figures(bench: Bench) -> dict[str, Any]:
    """Return everything that is known, for evaluation.json and the page."""
    parts = {name: record for name in PARTS if (record := known(bench, name)) is not None}
    manifest = bench.manifest
    return {
        "setting": {
            "pack": manifest.name,
            "version": manifest.version,
            "digest": manifest.digest,
            **{key: value for key, value in bench.key.items() if key != "pack"},
            "date": date.today().isoformat(),
            "machine": f"{platform.machine()}, {os.cpu_count()} cores, no GPU used, "
            f"Python {platform.python_version()}",
        },
        "parts": {
            name: {"seconds": record["seconds"], "measured": record["measured"]}
            for name, record in parts.items()
        },
    }


def reasons(found: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the parts that could not be measured, and why."""
    parts = found["parts"].items()
    return [(name, of["measured"]["why"]) for name, of in parts if "why" in of["measured"]]


def write(found: Mapping[str, Any], out: Path) -> Path:
    """Write both files, the figures first; return the page's path."""
    out.mkdir(parents=True, exist_ok=True)
    text = json.dumps(found, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    write_whole(out / FIGURES, text.encode())
    write_whole(out / PAGE, write_page(found).encode())
    return out / PAGE


def _tried(bench: Bench, part: Callable[[Bench], dict[str, Any]]) -> dict[str, Any]:
    """Return what a part measured, or why it could not: what is missing must not hide the rest."""
    try:
        found = part(bench)
    except (InputError, ModelError, OutOfRange) as error:
        found = {"why": str(error)}
    plain: dict[str, Any] = _without_places(found, bench.wish)
    return plain


def _without_places(found: Any, wish: PaperWish) -> Any:
    """Return what was found without this machine's paths: it will stand on a page for everybody."""
    if isinstance(found, dict):
        return {key: _without_places(value, wish) for key, value in found.items()}
    if isinstance(found, list | tuple):
        return [_without_places(value, wish) for value in found]
    if not isinstance(found, str):
        return found
    places = {str(wish.work): "WORK", str(wish.data): "CORPUS", sys.executable: "python"}
    for place, name in places.items():
        found = found.replace(place, name)
    return found


def _key(bench: Bench, name: PartName) -> dict[str, Any]:
    key = {**bench.key, "beats": bench.wish.beats is not None}
    if name == "synchrony":
        key["offsets"] = bench.wish.offsets_key()
    plain: dict[str, Any] = json.loads(json.dumps(key))
    return plain


def _path(work: Path, name: PartName) -> Path:
    return work / f"{name}.json"
