"""Folders of sounds that other methods made, by the file names that each method's code gives.

Names were read from the public code of each method (2024, 2025); a folder with other names is laid
out as ``plain``: one sound an item, named by the item. The rate is always read from the file.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from engine.audio import load_audio, resample
from osc_bridge.errors import BadCorpus, FileMissing, OutOfRange

if TYPE_CHECKING:
    from numpy.typing import NDArray

SOUNDS = {".wav", ".flac", ".ogg", ".mp3", ".aif", ".aiff"}
MOST_FILES = 200_000


def _same(item: str) -> str:
    return item


@dataclass(frozen=True)
class Layout:
    """How a method names its sounds, and what it was made for.

    ``pattern`` is of the path within the folder, without suffix; its group ``item`` names the
    item, ``take`` (where there is one) numbers several sounds of one item. ``named`` turns an
    item into the name that the method gives it. ``rate_hz`` and ``seconds`` are what it usually
    writes, ``frames_per_s`` what it wants to see (0: pictures).
    """

    pattern: str
    rate_hz: int
    seconds: float
    frames_per_s: float
    named: Callable[[str], str] = field(default=_same)


LAYOUTS = {
    "plain": Layout(r"(?:.*/)?(?P<item>[^/]+)", 0, 0.0, 0.0),
    "im2wav": Layout(
        r"(?:.*/)?l0/(?P<item>[^/]+)", 16_000, 4.096, 30.0, lambda item: item.split(".")[0]
    ),
    "diff-foley": Layout(
        r"(?:.*/)?(?P<item>[^/]+?)(?:_CFG[^/]*)?/sample_(?P<take>\d+)_diff", 16_000, 8.176, 4.0
    ),
    "seeing-and-hearing": Layout(
        r"(?:.*/)?name_(?P<item>[^/]+)_seed(?P<take>\d+)",
        16_000,
        10.0,
        1.0,
        lambda item: item.split(".")[0],
    ),
    "foleycrafter": Layout(
        r"(?:.*/)?audio/(?P<item>[^/]+)", 16_000, 10.0, 15.0, lambda item: item.replace("+", " ")
    ),
    "mmaudio": Layout(r"(?:.*/)?(?P<item>[^/]+)", 44_100, 8.0, 25.0),
}


@dataclass(frozen=True)
class Outputs:
    """The sounds of one method in one folder, found by item."""

    folder: Path
    layout: Layout
    found: dict[str, list[Path]]

    def path(self, item: str, take: int = 0) -> Path:
        """Return the sound of an item; FileMissing if there is none."""
        takes = self.found.get(self.layout.named(item)) or self.found.get(item)
        if not takes:
            known = ", ".join(sorted(self.found)[:3]) or "nothing"
            raise FileMissing(
                f"{self.folder} has no sound for {item!r}; it has {len(self.found)} items ({known} "
                "...): check the names, or name another layout."
            )
        return takes[min(take, len(takes) - 1)]

    def wave(self, item: str, rate_hz: int, seconds: float | None = None) -> NDArray[np.float32]:
        """Return an item's sound as mono at ``rate_hz``, cut or filled to ``seconds`` if given."""
        wave = load_audio(self.path(item).resolve(), rate_hz, [self.folder.resolve()])
        return wave if seconds is None else fit(wave, round(seconds * rate_hz))


def fit(wave: NDArray[np.float32], samples: int) -> NDArray[np.float32]:
    """Return the wave cut, or filled with silence, to exactly ``samples``."""
    return resample(wave, 1, 1, samples)


def layout_of(name: str) -> Layout:
    """Return a layout by name; OutOfRange for one that is not known."""
    if name not in LAYOUTS:
        raise OutOfRange(f"The layout is {name!r}; known are {', '.join(LAYOUTS)}.")
    return LAYOUTS[name]


def read_outputs(folder: Path, layout: str = "plain") -> Outputs:
    """Return the sounds in a folder and all folders below it, as the layout names them."""
    chosen = layout_of(layout)
    if not folder.is_dir():
        raise FileMissing(f"There is no folder {folder} with sounds.")
    takes: dict[str, list[tuple[int, Path]]] = {}
    pattern = re.compile(chosen.pattern)
    for path in _sounds(folder):
        match = pattern.fullmatch(path.relative_to(folder).with_suffix("").as_posix())
        if match:
            take = int(match.groupdict().get("take") or 0)
            takes.setdefault(match["item"], []).append((take, path))
    found = {item: [path for _, path in sorted(paths)] for item, paths in takes.items()}
    return Outputs(folder, chosen, found)


def _sounds(folder: Path) -> Iterable[Path]:
    files = sorted(p for p in folder.rglob("*") if p.suffix.lower() in SOUNDS and p.is_file())
    if len(files) > MOST_FILES:
        raise BadCorpus(f"{folder} has {len(files)} sounds; at most {MOST_FILES} are looked at.")
    return files


def parse_method(words: str) -> tuple[str, str, Path]:
    """Return name, layout and folder of ``NAME=FOLDER`` or ``NAME:LAYOUT=FOLDER``.

    Without a layout it is that of the name, where there is one, else ``plain``.
    """
    name, found, folder = words.partition("=")
    name, _, layout = name.partition(":")
    if not (name and found and folder):
        raise OutOfRange(f"{words!r} is no method; write NAME=FOLDER or NAME:LAYOUT=FOLDER.")
    own = name.lower().replace(" ", "-").replace("_", "-")
    layout = layout or (own if own in LAYOUTS else "plain")
    layout_of(layout)
    return name, layout, Path(folder)
