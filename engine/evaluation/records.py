"""What a run is, written beside its results, so that a folder never mixes two."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from osc_bridge.errors import BadCorpus
from presets.files import write_whole


def begun(path: Path, ours: Mapping[str, Any], what: str) -> dict[str, Any]:
    """Write down what a run is, or return the record of the same one, with what was added to it.

    BadCorpus if the folder holds another: ``what`` says of what, e.g. "sounds".
    """
    wanted = json.loads(json.dumps(ours))
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, json.dumps(wanted, indent=2).encode())
        return dict(wanted)
    known = _read(path)
    changed = sorted(name for name in wanted if known.get(name) != wanted[name])
    if changed:
        raise BadCorpus(
            f"{path.parent} holds {what} made with other {', '.join(changed)}; give another "
            "folder, or remove this one to make them anew."
        )
    return known


def _read(path: Path) -> dict[str, Any]:
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise BadCorpus(f"{path} cannot be read ({error}); remove its folder.") from error
    if not isinstance(known, dict):
        raise BadCorpus(f"{path} is no record of a run; remove its folder.")
    return known
