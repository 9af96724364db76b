"""Which pack folders a client may name: installed packs, and folders inside the allowed ones."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from engine.models.pack import MANIFEST, find_pack, installed_packs
from engine.paths import confined
from osc_bridge.errors import FileMissing, PackMissing

_NAME = re.compile(r"[a-z0-9_-]{1,40}")


def find_allowed_pack(name_or_folder: str, allowed: Sequence[Path]) -> Path:
    """Return the folder of an installed pack, or of one inside the ``allowed`` folders.

    ``allowed`` holds absolute folders without links. PathForbidden when the folder or a file in it
    lies elsewhere, also by a link; PackMissing when there is none.
    """
    if _NAME.fullmatch(name_or_folder):
        if name_or_folder in installed_packs():
            return find_pack(name_or_folder)
        raise _missing(name_or_folder)
    try:
        folder = confined(Path(name_or_folder) / MANIFEST, allowed).parent
        for path in folder.iterdir():
            if not path.is_dir():
                confined(path, allowed)
    except FileMissing as error:
        raise _missing(name_or_folder) from error
    return folder


def _missing(name: str) -> PackMissing:
    return PackMissing(
        f"There is no pack {name[:200]!r} of plain files; installed are "
        f"{', '.join(installed_packs()) or 'none'}: name one, or give the absolute path of a "
        f"folder with a {MANIFEST} inside the allowed folders."
    )
