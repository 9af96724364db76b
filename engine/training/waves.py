"""The sounds of prepared data as waves: shards hold none, so their folder is read once more.

Kept in the work folder in pieces of 16-bit samples, so that a stop loses at most one piece.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from engine.perception.mel import MEL
from engine.steps import StepCallback, no_steps
from engine.training.data.items import Item
from engine.training.data.layouts import read_library
from engine.training.data.sounds import Wave, read_sound
from osc_bridge.errors import BadAudio
from presets.files import writing_whole

AT_ONCE: Final = 256
"""Sounds a piece: some minutes of sound, some seconds of work."""
FULL_SCALE = 32_767.0

Places = NDArray[np.int64]


@dataclass(frozen=True)
class Waves:
    """Sounds by their places in the list of names; one that could not be read has no samples.

    Sound i is ``lengths[i]`` samples of ``pieces[owners[i]]``, from ``starts[i]`` on.
    """

    pieces: Sequence[Any]
    owners: Places
    starts: Places
    lengths: Places

    def __len__(self) -> int:
        return len(self.lengths)

    def clip(self, index: int) -> Wave:
        """Return one sound (T,), mono at the front end's rate."""
        return self.part(index, 0, int(self.lengths[index]))

    def part(self, index: int, start: int, count: int) -> Wave:
        """Return at most ``count`` samples of one sound, from ``start`` on; only they are read."""
        first = int(self.starts[index])
        last = first + min(start + count, int(self.lengths[index]))
        piece = self.pieces[self.owners[index]]
        return np.asarray(piece[first + start : last], np.float32) / FULL_SCALE


def gather(
    corpus: Path, names: Sequence[str], work: Path, on_step: StepCallback = no_steps
) -> None:
    """Leave in ``work`` the sounds of ``corpus`` that the facts of prepared data call ``names``.

    ``corpus`` is the folder that was prepared, read as ``wildtrack train data`` reads it. Pieces
    that are there already stay.
    """
    found: Mapping[str, Item] | None = None
    for first in range(0, len(names), AT_ONCE):
        chosen = names[first : first + AT_ONCE]
        path = _piece(work, first)
        if _lengths(path, chosen) is None:
            found = found or {item.name: item for item in read_library(corpus).items}
            _keep([_read(found.get(name)) for name in chosen], chosen, path)
        on_step(min(first + AT_ONCE, len(names)), len(names))


def opened(names: Sequence[str], work: Path) -> Waves:
    """Return what :func:`gather` left for the same names."""
    pieces: list[Any] = []
    owners, starts, lengths = [], [], []
    for first in range(0, len(names), AT_ONCE):
        path = _piece(work, first)
        known = _lengths(path, names[first : first + AT_ONCE])
        assert known is not None, path
        owners.append(np.full(len(known), len(pieces)))
        starts.append(np.cumsum(known) - known)
        lengths.append(known)
        file: Any = safe_open(path, framework="numpy")
        pieces.append(file.get_slice("samples"))
    return Waves(pieces, *(np.concatenate(each) for each in (owners, starts, lengths)))


def _piece(work: Path, first: int) -> Path:
    return work / f"waves-{first // AT_ONCE:06d}.safetensors"


def _lengths(path: Path, names: Sequence[str]) -> Places | None:
    """Return the lengths in a piece, or None if it is not there or is of other sounds."""
    try:
        with safe_open(path, framework="numpy") as file:
            if (file.metadata() or {}).get("digest") != _digest(names):
                return None
            return np.asarray(file.get_tensor("lengths"), np.int64)
    except (OSError, SafetensorError):
        return None


def _read(item: Item | None) -> Wave:
    """Return a sound as it was prepared, or nothing where it is not there any more."""
    if item is None or item.sound is None:
        return np.zeros(0, np.float32)
    try:
        return read_sound(item.sound, MEL.sample_rate, trim=item.video is None)
    except BadAudio:
        return np.zeros(0, np.float32)


def _keep(waves: Sequence[Wave], names: Sequence[str], path: Path) -> None:
    samples = np.concatenate([*waves, np.zeros(1, np.float32)])  # a piece is never empty
    whole = (samples * FULL_SCALE).round().clip(-FULL_SCALE, FULL_SCALE).astype(np.int16)
    lengths = np.array([len(wave) for wave in waves], np.int64)
    with writing_whole(path) as part:
        save_file({"samples": whole, "lengths": lengths}, part, {"digest": _digest(names)})


def _digest(names: Sequence[str]) -> str:
    """Return what tells these sounds at this rate from others."""
    text = "\n".join([str(MEL.sample_rate), *names])
    return hashlib.sha256(text.encode()).hexdigest()
