"""The files of one take's folder, read as untrusted data: a session may hold anybody's takes.

``take.json`` never changes; ``label.json`` beside it holds what people say of the take.
"""

from __future__ import annotations

import json
import logging
import os
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.jobs.record_file import is_token
from engine.paths import read_plain
from engine.scene.codec import is_scene_id
from engine.scene.model import MAX_DURATION_SAMPLES, MIN_DURATION_SAMPLES
from osc_bridge.errors import WildtrackError
from osc_bridge.ranges import LABEL
from presets.files import write_whole

MAX_TAKE_BYTES = 2**20
MAX_LABEL_BYTES = 4096
SETTLED_NS = 50_000_000
TAKE_FILE, LABEL_FILE = "take.json", "label.json"

_CREATED = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{5,15}(Z|[+-][0-9:]{4,5})")
_STEM = re.compile(rb"stems/[0-9a-f]{64}\.wav")
_UNUSABLE = (ValueError, LookupError, TypeError, RecursionError, WildtrackError)

_log = logging.getLogger(__name__)

FileState = tuple[int, int, int]
"""Identity, size and time of the last change."""
State = tuple[FileState, ...]
"""What tells one version of a take's files from another."""


@dataclass(frozen=True)
class Label:
    """What people say of a take."""

    name: str = ""
    starred: bool = False


@dataclass(frozen=True)
class TakeFiles:
    """What a list wants to know of a take."""

    scene: str
    created: str
    duration_samples: int
    label: Label
    job: str
    """The token of the record that it was rendered for (`engine.jobs`), "" without one."""


@dataclass(frozen=True)
class TakeRead:
    """What a take's folder holds: ``files`` is None for what is no take of ours.

    ``stems`` are the files of the session, relative to its folder, that ``take.json`` names; they
    are known also of a take that cannot be used, such as one of a later wildtrack.
    """

    files: TakeFiles | None
    stems: frozenset[str] = frozenset()


def state_of(folder: str) -> State | None:
    """Return the state of a take's folder and files; None when it has no ``take.json``.

    OSError, when nobody can tell, passes to the caller.
    """
    try:
        needed = _state(folder), _state(f"{folder}/{TAKE_FILE}")
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        return *needed, _state(f"{folder}/{LABEL_FILE}")
    except FileNotFoundError:
        return needed


def settled_state(folder: Path) -> FileState | None:
    """Return the state of a folder, which any coming or going of its entries changes.

    None for a folder that has just changed, or is not there: the clock of file times is coarse,
    so that another change might not show.
    """
    try:
        state = _state(folder)
    except OSError:
        return None
    return state if time.time_ns() - state[2] > SETTLED_NS else None


def read_take_files(folder: Path) -> TakeRead:
    """Return what a take's folder holds; what is no take is said in the log.

    OSError passes to the caller: a disk that fails for a moment says nothing of the take.
    """
    if folder.is_symlink():
        _log.warning("The take %s is left out: its folder is a link.", folder.name)
        return TakeRead(None)
    stems: frozenset[str] = frozenset()
    try:
        text = read_plain(folder / TAKE_FILE, MAX_TAKE_BYTES)
        stems = frozenset(name.decode() for name in _STEM.findall(text))
        return TakeRead(_checked(_document(text), folder), stems)
    except FileNotFoundError:
        return TakeRead(None)
    except _UNUSABLE as error:
        _log.warning(
            "The take %s is left out: its take.json cannot be used (%s).", folder.name, error
        )
        return TakeRead(None, stems)


def read_document(folder: Path) -> dict[str, Any]:
    """Return ``take.json``; OSError, ValueError, TypeError, RecursionError or BadSession else."""
    return _document(read_plain(folder / TAKE_FILE, MAX_TAKE_BYTES))


def write_label(folder: Path, label: Label) -> None:
    """Write ``label.json`` whole."""
    text = json.dumps({"name": label.name, "starred": label.starred}, ensure_ascii=False)
    write_whole(folder / LABEL_FILE, f"{text}\n".encode())


def _state(path: Path | str) -> FileState:
    now = os.lstat(path)
    return now.st_ino, now.st_size, now.st_mtime_ns


def _document(text: bytes) -> dict[str, Any]:
    document = json.loads(text.decode())
    if not isinstance(document, dict):
        raise TypeError("take.json is not a JSON object")
    return document


def _checked(document: dict[str, Any], folder: Path) -> TakeFiles:
    scene, created = document["scene"]["id"], document["created"]
    duration_samples = document["duration_samples"]
    if not is_scene_id(scene):
        raise ValueError(f"scene {scene[:40]!r}")
    if _CREATED.fullmatch(created) is None:
        raise ValueError(f"created {created[:40]!r}")
    if type(duration_samples) is not int:
        raise TypeError("duration_samples is not a whole number")
    if not MIN_DURATION_SAMPLES <= duration_samples <= MAX_DURATION_SAMPLES:
        raise ValueError("duration_samples is out of range")
    job = document.get("job")
    return TakeFiles(
        scene, created, duration_samples, _label(folder), str(job) if is_token(job) else ""
    )


def _label(folder: Path) -> Label:
    """Return the take's label; one that cannot be used is none."""
    try:
        label = json.loads(read_plain(folder / LABEL_FILE, MAX_LABEL_BYTES).decode())
        if type(label["starred"]) is not bool:
            raise TypeError("starred is neither true nor false")
        return Label(LABEL.check("name", label["name"]), label["starred"])
    except FileNotFoundError:
        return Label()
    except _UNUSABLE as error:
        _log.warning("The label of take %s is left out (%s).", folder.name, error)
        return Label()
