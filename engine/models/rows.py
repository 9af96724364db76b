"""Packs as a list shows them: the warm ones, and those that are installed."""

from __future__ import annotations

from collections.abc import Sequence

from engine.models.news import PackRow, PackState
from engine.models.pack import PackManifest, installed_packs, pack_folder, read_manifest
from engine.models.shelf import WarmPack
from osc_bridge.errors import ModelError


def pack_rows(warm: Sequence[WarmPack], current: WarmPack | None) -> list[PackRow]:
    """Return the warm packs and the other installed ones, by name; a damaged one is left out."""
    rows = [warm_row(one, is_current=one is current) for one in warm]
    there = {row.digest for row in rows}
    for name in installed_packs():
        try:
            manifest = read_manifest(pack_folder() / name)
        except ModelError:
            continue
        if manifest.digest not in there:
            rows.append(_row(name, manifest, "available", "", 0))
    return sorted(rows, key=lambda row: (row.pack, row.device))


def warm_row(warm: WarmPack, *, is_current: bool) -> PackRow:
    """Return the row of a loaded pack."""
    state: PackState = "in_use" if is_current else "loaded"
    return _row(warm.name, warm.pack.manifest, state, warm.key.device, warm.memory_bytes)


def _row(
    name: str, manifest: PackManifest, state: PackState, device: str, memory_bytes: int
) -> PackRow:
    return PackRow(
        name,
        manifest.version,
        manifest.kind,
        manifest.licence,
        state,
        device,
        memory_bytes,
        manifest.digest,
    )
