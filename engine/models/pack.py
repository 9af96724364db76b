"""A pack is a folder with ``pack.json``: names, sizes, licence, and a SHA-256 for every file.

Nothing in a pack is code: weights are safetensors, sizes are numbers, and the kind of pack is
looked up in a literal registry (:mod:`engine.models.loading`).
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, fields
from importlib.resources import files
from io import BufferedReader
from pathlib import Path
from typing import Any

from osc_bridge.errors import PackCorrupt, PackMissing
from presets.files import write_whole

MANIFEST = "pack.json"
AUDIO_FILE = "audio_encoder.safetensors"
CODEC_FILE = "codec.safetensors"
GENERATOR_FILE = "generator.safetensors"
VOCODER_FILE = "vocoder.safetensors"
FORMAT = 1
MAX_MANIFEST_BYTES = 1_000_000
MAX_FILE_BYTES = 16_000_000_000
MAX_FILES = 100
_TEXTS = {"name": 80, "version": 40, "kind": 40, "licence": 200}


@dataclass(frozen=True)
class PackManifest:
    """``pack.json``, checked. ``files`` maps file name to SHA-256 (hex); ``sizes`` are numbers of
    the networks by role; ``digest`` identifies all of it and goes into every take."""

    name: str
    version: str
    kind: str
    licence: str
    sample_rate: int
    bandwidth_hz: int
    sizes: Mapping[str, Mapping[str, Any]]
    files: Mapping[str, str]
    format: int = FORMAT

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of the manifest's content."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()

    def to_json(self) -> str:
        """Return the text of ``pack.json``."""
        return json.dumps(asdict(self), indent=2, sort_keys=True) + "\n"


def pack_folder() -> Path:
    """Return the folder of the packs inside the install."""
    return Path(str(files("presets"))) / "packs"


def installed_packs() -> list[str]:
    """Return the names of the packs inside the install."""
    return sorted(path.parent.name for path in pack_folder().glob(f"*/{MANIFEST}"))


def find_pack(name_or_folder: str | Path) -> Path:
    """Return the folder of a pack given by name (inside the install) or by path; PackMissing."""
    if re.fullmatch(r"[a-z0-9_-]{1,40}", str(name_or_folder)):
        known = pack_folder() / str(name_or_folder)
        if (known / MANIFEST).is_file():
            return known
    folder = Path(name_or_folder)
    with suppress(OSError):  # a name too long for the file system, say
        if (folder / MANIFEST).is_file():
            return folder
    raise PackMissing(
        f"There is no pack {str(name_or_folder)[:200]!r}; installed are "
        f"{', '.join(installed_packs()) or 'none'}: name one, or give a folder with a {MANIFEST}."
    )


def read_manifest(folder: Path) -> PackManifest:
    """Return the checked manifest of a pack folder; PackCorrupt names what is wrong."""
    path = folder / MANIFEST
    with _plain_file(path, MAX_MANIFEST_BYTES) as file:
        text = file.read(MAX_MANIFEST_BYTES)
    try:
        data = json.loads(text.decode())
    except (ValueError, RecursionError) as error:
        raise _corrupt(path, f"cannot be read ({error})") from error
    names = {field.name for field in fields(PackManifest)}
    if not isinstance(data, dict) or set(data) != names:
        raise _corrupt(path, f"must have exactly the keys {', '.join(sorted(names))}")
    _check(path, data)
    return PackManifest(**data)


def verify(folder: Path, manifest: PackManifest) -> None:
    """Raise PackCorrupt unless every file of the pack has the hash that its manifest gives."""
    for name, wanted in manifest.files.items():
        found = file_hash(folder / name)
        if found != wanted:
            raise PackCorrupt(
                f"{folder / name} has SHA-256 {found[:16]}…, the manifest says {wanted[:16]}…: "
                "a byte has changed; install Wildtrack (or fetch the pack) again."
            )


def file_hash(path: Path) -> str:
    """Return the SHA-256 (hex) of a pack's file; PackCorrupt if it is missing or far too large."""
    with _plain_file(path, MAX_FILE_BYTES) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_manifest(folder: Path, manifest: PackManifest) -> None:
    """Write ``pack.json`` whole; the files it names are there already."""
    write_whole(folder / MANIFEST, manifest.to_json().encode())


def _check(path: Path, data: dict[str, Any]) -> None:
    if data["format"] != FORMAT:
        found = str(data["format"])[:80]
        raise _corrupt(path, f"has format {found}, this Wildtrack reads {FORMAT}")
    for key, longest in _TEXTS.items():
        text = data[key]
        if not isinstance(text, str) or not 1 <= len(text) <= longest or not text.isprintable():
            raise _corrupt(
                path,
                f"has {key} = {str(text)[:80]!r}, allowed is a text of 1 to {longest} characters",
            )
    for key in ("sample_rate", "bandwidth_hz"):
        if type(data[key]) is not int or not 1_000 <= data[key] <= 192_000:
            raise _corrupt(
                path, f"has {key} = {str(data[key])[:80]}, allowed are 1000 to 192000 Hz"
            )
    for key in ("sizes", "files"):
        if not isinstance(data[key], dict):
            raise _corrupt(path, f"has {key} that is not an object")
    if len(data["files"]) > MAX_FILES:
        raise _corrupt(path, f"names {len(data['files'])} files, allowed are 0 to {MAX_FILES}")
    for name, digest in data["files"].items():
        if not re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,99}", name):
            raise _corrupt(path, f"names a file {name[:100]!r} outside its folder")
        if not isinstance(digest, str) or not re.fullmatch(r"[0-9a-f]{64}", digest):
            raise _corrupt(path, f"has no SHA-256 for {name}")


@contextmanager
def _plain_file(path: Path, limit_bytes: int) -> Iterator[BufferedReader]:
    """Open a pack's file; PackCorrupt unless it is a file of at most ``limit_bytes``.

    Never waits, as a pipe in the place of a file would make it.
    """
    try:
        flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        with os.fdopen(os.open(path, flags), "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise _corrupt(path, "is not a file")
            if status.st_size > limit_bytes:
                raise _corrupt(path, f"is larger than {limit_bytes} bytes")
            yield file
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise _corrupt(path, f"cannot be read ({reason})") from error


def _corrupt(path: Path, what: str) -> PackCorrupt:
    return PackCorrupt(f"{path} {what}; install Wildtrack (or fetch the pack) again.")
