"""What a reader finds in a folder: one item a sound, picture or video, with what is said of it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from engine.training.data.shards import Bad
from osc_bridge.errors import BadCorpus

SPLITS = ("train", "judge", "valid", "test")
_SPLIT_NAMES = {
    "training": "train",
    "dev": "train",
    "development": "train",
    "val": "valid",
    "validation": "valid",
    "eval": "test",
    "evaluation": "test",
    "testing": "test",
}
HELD_OUT = 0.1
"""Share of the groups that become ``test`` where no table gives splits."""
GROUPS_AT_LEAST = 10
"""With fewer packages, takes of one name are kept together instead."""

Shares = tuple[float, float, float, float]
"""A box x0, y0, x1, y1 in shares of the picture's width and height."""


@dataclass(frozen=True)
class Item:
    """One sound, with the picture or video and the words that belong to it.

    ``name`` is unique in its folder. Without ``sound`` the video's own is heard; an item with
    neither is a picture alone. ``boxes`` are what people marked as sounding in the picture.
    ``alike`` are pictures of one thing each that may stand for this sound's source.
    """

    name: str
    sound: Path | None = None
    picture: Path | None = None
    video: Path | None = None
    text: str = ""
    foley_class: str = ""
    split: str = ""
    licence: str = ""
    package: str = ""
    boxes: tuple[Shares, ...] = ()
    alike: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Library:
    """All items of a folder, ordered; what was named but is not there; backgrounds for cut-outs."""

    items: Sequence[Item]
    missing: Sequence[Bad] = ()
    grounds: Sequence[Path] = ()

    def digest(self) -> str:
        """SHA-256 (hex) of everything that is known of the items, sizes of the files included."""
        digest = hashlib.sha256()
        for item in self.items:
            files = [item.sound, item.picture, item.video, *item.alike]
            sizes = [path.stat().st_size if path and path.is_file() else -1 for path in files]
            said = [getattr(item, name) for name in _SAID]
            digest.update(repr((said, [path.name for path in item.alike], sizes)).encode())
        return digest.hexdigest()


_SAID = ("name", "text", "foley_class", "split", "licence", "package", "boxes")


def library(
    items: Iterable[Item],
    missing: Sequence[Bad] = (),
    grounds: Sequence[Path] = (),
    licence: str = "",
) -> Library:
    """Return the items with every field filled, ordered by split and name; BadCorpus if none.

    ``licence`` is for items whose table names none. Splits that no table gives are drawn by
    package, never by file: a tenth of the packages, chosen by their names alone, becomes ``test``.
    """
    found = [_filled(item, licence) for item in items]
    if not found:
        raise BadCorpus(
            "There is no sound, picture or video to prepare; "
            "docs/training-data.md says how a folder may be laid out."
        )
    packages = {item.package for item in found}
    by_package = len(packages) >= GROUPS_AT_LEAST
    placed = [_placed(item, by_package) for item in found]
    return Library(sorted(placed, key=lambda item: (item.split, item.name)), missing, grounds)


def split_name(text: str) -> str:
    """Return one of `SPLITS` for what a table says, "" if it says none of them."""
    word = text.strip().lower()
    word = _SPLIT_NAMES.get(word, word)
    return word if word in SPLITS else ""


def class_name(text: str) -> str:
    """Return a class as one word: "Dog, barking" -> "dog_barking"."""
    return "_".join(re.findall(r"[a-z0-9]+", text.lower()))


def words_of(name: str) -> str:
    """Return the words of a file name: "DoorSlam-03_heavy" -> "door slam heavy"."""
    parted = re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", name)
    return " ".join(re.findall(r"[^\W\d_]+", parted)).lower()


def drawn(group: str) -> float:
    """Return a number in [0, 1) that depends on the text alone."""
    return int(hashlib.sha256(group.encode()).hexdigest()[:12], 16) / 16**12


def _filled(item: Item, licence: str) -> Item:
    top = item.name.split("/")[0] if "/" in item.name else "folder"
    return replace(
        item,
        licence=item.licence or licence,
        package=item.package or top,
        text=item.text.strip() or words_of(Path(item.name).stem) or "sound",
    )


def _placed(item: Item, by_package: bool) -> Item:
    if item.split in SPLITS:
        return item
    if item.split:
        raise BadCorpus(
            f"{item.name} is of the split {item.split[:40]!r}; allowed are {', '.join(SPLITS)}, or "
            "none at all: correct the table."
        )
    takes = "" if by_package else re.sub(r"[\W\d_]+", "", Path(item.name).stem.lower())
    held_out = drawn(f"{item.package}/{takes}") < HELD_OUT
    return replace(item, split="test" if held_out else "train")
