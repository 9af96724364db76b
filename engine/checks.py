"""What `wildtrack doctor` asks of the engine's side: the devices and the model packs.

Every check returns findings and raises nothing: a broken installation is what it looks for.
"""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from typing import Literal

from engine.config import DEFAULT_PACK
from engine.models.pack import installed_packs, pack_folder, read_manifest, verify
from osc_bridge.errors import ModelError

Status = Literal["ok", "warn", "fail"]


@dataclass(frozen=True)
class Finding:
    """One row: what was looked at, how it is, and what to do if it is not well."""

    part: str
    status: Status
    detail: str
    cure: str = ""


def check_device() -> Finding:
    """The devices that ``--device`` can name, with their memory or threads."""
    try:
        detail = "; ".join(_devices())
    except (ImportError, OSError) as error:
        return Finding("device", "fail", f"torch does not load: {error}", "make clean setup")
    return Finding("device", "ok", detail)


def _devices() -> list[str]:
    import torch  # noqa: PLC0415

    found = [f"cpu, {torch.get_num_threads()} threads on {os.cpu_count()} cores"]
    if torch.cuda.is_available():
        card = torch.cuda.get_device_properties(0)
        found.append(f"cuda, {card.name}, {card.total_memory / 2**30:.1f} GiB")
    if torch.backends.mps.is_available():
        found.append(f"mps, {platform.processor() or platform.machine()}")
    return found


def check_packs() -> list[Finding]:
    """One row for each installed pack, every byte checked; one more if the default is missing."""
    names = installed_packs()
    found = [_pack(name) for name in names]
    if DEFAULT_PACK not in names:
        there = ", ".join(names) or "none"
        found.append(
            Finding(
                f"pack {DEFAULT_PACK}",
                "fail",
                f"not in {pack_folder()} (installed: {there})",
                "fetch Wildtrack again, or train it: make starter DATA=DIR",
            )
        )
    return found


def _pack(name: str) -> Finding:
    folder = pack_folder() / name
    try:
        manifest = read_manifest(folder)
        verify(folder, manifest)
    except ModelError as error:
        return Finding(f"pack {name}", "fail", str(error), "fetch Wildtrack again")
    return Finding(
        f"pack {name}",
        "ok",
        f"version {manifest.version}, {len(manifest.files)} files verified, "
        f"{manifest.sample_rate} Hz, {manifest.licence}",
    )
