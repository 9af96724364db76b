"""Readers for the data sets of the paper, from the user's own copies in their published layouts.

Nothing is downloaded. Copies are often partial: what a list names and the copy lacks is reported,
and the rest is used. The sounds and pictures of these sets are their uploaders'; their licence is
given as "unknown", so that no weights that are to be published learn from them.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from engine.training import pictures
from engine.training.corpus import Clip, Picture, read_clips, read_pictures
from engine.training.data.folder import Files, read_folder, scan
from engine.training.data.items import (
    HELD_OUT,
    Item,
    Library,
    Shares,
    class_name,
    drawn,
    library,
    split_name,
)
from engine.training.data.shards import Bad
from osc_bridge.errors import BadCorpus, FileMissing

UNKNOWN = "unknown"
MOST_ALIKE = 8
"""Pictures of its class that a sound of the starter's corpus is paired with at most."""


def read_library(root: Path, layout: str = "auto", licence: str = "") -> Library:
    """Return what a folder holds; FileMissing, BadCorpus. ``layout``: one of `LAYOUTS` or auto."""
    if not root.is_dir():
        raise FileMissing(f"There is no folder {root}; give the folder of your sounds with --data.")
    chosen = _guessed(root) if layout == "auto" else layout
    if chosen not in LAYOUTS:
        raise BadCorpus(
            f"The layout {layout!r} is not known; give auto or one of {', '.join(LAYOUTS)}."
        )
    try:
        return LAYOUTS[chosen](root, licence)
    except (KeyError, TypeError, ValueError, RecursionError, csv.Error) as error:
        raise BadCorpus(
            f"The lists of {root} are not in the layout {chosen!r} ({error!r}); "
            "restore them as they were published, or give --layout folder."
        ) from error


def _corpus(root: Path, licence: str) -> Library:
    """The starter's own layout: sounds.csv and images.csv (docs/training-data.md)."""
    clips = read_clips(root)
    seen = read_pictures(root) if (root / "images.csv").is_file() else []
    allowed = pictures.trainable(seen, clips)
    matches = pictures.matches(clips, allowed)
    own = {picture.name: picture for picture in seen}
    items = [
        _corpus_item(root, clip, own, [allowed[place] for place in places])
        for clip, places in zip(clips, matches, strict=True)
    ]
    grounds = [picture.path for picture in pictures.backgrounds(seen)]
    return library(items, grounds=grounds, licence=licence)


def _corpus_item(root: Path, clip: Clip, own: Mapping[str, Picture], alike: list[Picture]) -> Item:
    """A sound for training sees only pictures that no held-out sound's package gave."""
    mine = own.get(clip.image)
    if clip.split == "train" and mine not in alike:
        mine = None
    others = [] if clip.split != "train" else [each for each in alike if each is not mine]
    return Item(
        name=clip.path.relative_to(root).as_posix(),
        sound=clip.path,
        picture=mine.path if mine else None,
        text=clip.text,
        foley_class=clip.foley_class,
        split=clip.split,
        licence=clip.licence,
        package=clip.package,
        alike=tuple(each.path for each in others[:MOST_ALIKE]),
    )


def _vggsound(root: Path, licence: str) -> Library:
    """``vggsound.csv`` (YouTube id, second, label, split; no header); ``ID_000030.mp4`` anywhere.

    Sound files of the same stem, in any folder, are heard in place of the video's own.
    """
    files = scan(root)
    items, missing = [], []
    with (root / "vggsound.csv").open(newline="", encoding="utf-8-sig") as file:
        for youtube, second, label, split in csv.reader(file):
            stem = f"{youtube}_{int(second):06d}"
            others = (f"{youtube}_{int(second)}", _milliseconds(youtube, int(second)))
            item = _media_item(files, stem, others, text=label, split=split_name(split))
            items.append(item) if item else missing.append(_absent(stem))
    return library(items, missing, licence=licence or UNKNOWN)


def _vggss(root: Path, licence: str) -> Library:
    """``vggss.json`` (file, class, boxes in shares); ``frames/ID.jpg``, ``audio/ID.wav`` or videos.

    The paper's random split of 4.5 K to 500 is drawn by the names: a tenth is ``test``.
    """
    files = scan(root)
    items, missing = [], []
    for row in json.loads((root / "vggss.json").read_text(encoding="utf-8")):
        stem = str(row["file"])
        youtube, second = stem[:11], int(stem[12:] or 0)
        others = (f"{youtube}_{second}", _milliseconds(youtube, second))
        split = "test" if drawn(stem) < HELD_OUT else "train"
        boxes = tuple(_box(box) for box in row["bbox"] if _has_area(box))
        item = _media_item(files, stem, others, text=str(row["class"]), split=split, boxes=boxes)
        items.append(item) if item else missing.append(_absent(stem))
    return library(items, missing, licence=licence or UNKNOWN)


def _music(root: Path, licence: str) -> Library:
    """``MUSIC*_videos.json`` ({"videos": {"flute violin": [ids]}}); videos named by their id."""
    files = scan(root)
    items, missing = [], []
    for table in sorted(root.glob("MUSIC*_videos.json")):
        for names, ids in json.loads(table.read_text(encoding="utf-8"))["videos"].items():
            players = [name.replace("_", " ") for name in names.split()]
            solo = class_name(players[0]) if len(players) == 1 else ""
            for youtube in ids:
                text = f"playing {' and '.join(players)}"
                item = _media_item(
                    files, str(youtube), (), text=text, split="test", foley_class=solo
                )
                items.append(item) if item else missing.append(_absent(str(youtube)))
    return library(items, missing, licence=licence or UNKNOWN)


def _imagehear(root: Path, licence: str) -> Library:
    """Pictures ``accordion1.jpg`` without sounds: the name's words are the class; all ``test``."""
    files = scan(root)
    items = []
    for path in files.of_kind["pictures"]:
        name = re.sub(r"\d+$", "", path.stem)
        words = class_name(name).replace("_", " ")
        items.append(
            Item(
                files.name(path),
                picture=path,
                text=words,
                foley_class=class_name(name),
                split="test",
            )
        )
    return library(items, licence=licence or UNKNOWN)


def _avsync15(root: Path, licence: str) -> Library:
    """``train.txt`` and ``test.txt`` list ``class/FILE.mp4`` in the folder ``videos``."""
    files = scan(root)
    items, missing = [], []
    for split in ("train", "test"):
        listed = (root / f"{split}.txt").read_text(encoding="utf-8").split("\n")
        for line in filter(None, map(str.strip, listed)):
            plain = line.replace("\\", "/").removeprefix("videos/")
            path = files.find(f"videos/{plain}", None, "videos")
            name = plain.split("/")[0].replace("_", " ")
            if path is None:
                missing.append(_absent(plain))
                continue
            sound = files.find(path.stem, None, "sounds")
            items.append(
                Item(
                    files.name(path),
                    sound=sound,
                    video=path,
                    text=name,
                    foley_class=class_name(name),
                    split=split,
                    package=path.stem[:11],
                )
            )
    return library(items, missing, licence=licence or UNKNOWN)


LAYOUTS: Mapping[str, Callable[[Path, str], Library]] = {
    "folder": read_folder,
    "corpus": _corpus,
    "vggsound": _vggsound,
    "vggss": _vggss,
    "music": _music,
    "imagehear": _imagehear,
    "avsync15": _avsync15,
}


def _guessed(root: Path) -> str:
    marks = {
        "corpus": "sounds.csv",
        "vggss": "vggss.json",
        "vggsound": "vggsound.csv",
        "music": "MUSIC*_videos.json",
        "avsync15": "videos/*/*.mp4",
    }
    found = next((name for name, mark in marks.items() if any(root.glob(mark))), "")
    if found == "avsync15" and not all((root / f"{s}.txt").is_file() for s in ("train", "test")):
        found = ""
    return found or ("imagehear" if root.name.lower() == "imagehear" else "folder")


def _media_item(
    files: Files, stem: str, others: tuple[str, ...], text: str, split: str, **said: Any
) -> Item | None:
    """Return the item of a clip by any of its stems; None unless it can be seen and heard."""
    stems = (stem, *others)
    video, sound, picture = (
        next((path for each in stems if (path := files.find(each, None, kind))), None)
        for kind in ("videos", "sounds", "pictures")
    )
    if video is None and sound is None:
        return None
    said = {"foley_class": class_name(text), "package": stem[:11], **said}
    return Item(stem, sound, picture, video, text=text, split=split, **said)


def _milliseconds(youtube: str, second: int) -> str:
    return f"{youtube}_{second * 1000}_{(second + 10) * 1000}"


def _absent(stem: str) -> Bad:
    return Bad(stem, "Listed, but neither its video nor its sound is in this copy.")


def _box(box: list[float]) -> Shares:
    x0, y0, x1, y1 = (min(max(float(edge), 0.0), 1.0) for edge in box)
    return x0, y0, x1, y1


def _has_area(box: list[float]) -> bool:
    """Whether a box is one; the published list holds some that are points or lines."""
    x0, y0, x1, y1 = _box(box)
    return x1 > x0 and y1 > y0
