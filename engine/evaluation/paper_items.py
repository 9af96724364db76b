"""Held-out sounds, and scenes of several of them, with words and pictures for each source.

Words are the sound's own; a picture is the sound's own or one of its class, and of a package that
no training takes pictures from. A scene's picture shows its sources side by side on white, so that
what is seen is exact and no detector's mistakes are measured.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engine.audio import load_audio
from engine.evaluation.hearing import Wave
from engine.evaluation.paper_wish import Scale
from engine.media import overlaid
from engine.training.corpus import Clip, Picture, judged_classes
from osc_bridge.errors import BadCorpus

REAL_HZ = 48_000
SHORTEST_S, LONGEST_S = 0.3, 8.0
FEWEST_SOURCES, MOST_SOURCES = 2, 3
LEAST = 4  # sounds, for a distance


@dataclass(frozen=True)
class Item:
    """One or several real sounds at once: a class, words and a picture for each of them.

    ``pictures`` is empty where the corpus has none that is held out.
    """

    name: str
    sounds: tuple[Path, ...]
    kinds: tuple[str, ...]
    texts: tuple[str, ...]
    pictures: tuple[Path, ...]
    seconds: float

    @property
    def kind(self) -> str:
        """The class of a single sound, or "" for a scene."""
        return self.kinds[0] if len(self.kinds) == 1 else ""


def held_out_pictures(clips: Sequence[Clip], pictures: Sequence[Picture]) -> list[Picture]:
    """Return the cut-outs of packages that give no picture to any training."""
    held = {clip.package for clip in clips if clip.split == "test"}
    return [p for p in pictures if p.role == "cutouts" and p.package in held]


def singles(
    clips: Sequence[Clip], pictures: Sequence[Picture], scale: Scale, seed: int
) -> list[Item]:
    """Return sounds of the test split, ``each`` of a class that the judge knows.

    Classes with a held-out picture only, where at least two have one. BadCorpus for too few.
    """
    seen = _pictured(held_out_pictures(clips, pictures))
    known = judged_classes(clips)
    named = [name for name in known if name in seen]
    named = named if len(named) > 1 else known
    picker = random.Random(seed)  # noqa: S311 - a fair draw, not a secret
    chosen: list[Clip] = []
    for name in named:
        held = [clip for clip in clips if clip.split == "test" and clip.foley_class == name]
        chosen += picker.sample(held, min(scale.each, len(held)))
    if len(chosen) > scale.singles:
        chosen = picker.sample(chosen, scale.singles)
    if len(chosen) < LEAST:
        raise BadCorpus(
            f"The corpus has {len(chosen)} held-out sounds of a class that a judge can learn; at "
            f"least {LEAST} are needed: docs/training-data.md says how many sounds a class needs."
        )
    used: Counter[str] = Counter()
    return [_single(clip, place, seen, used) for place, clip in enumerate(chosen)]


def scenes(items: Sequence[Item], count: int, seed: int) -> list[Item]:
    """Return scenes of two or three of the items, of different classes; none for a single class."""
    kinds = sorted({item.kind for item in items})
    if len(kinds) < FEWEST_SOURCES:
        return []
    picker = random.Random(seed + 1)  # noqa: S311 - a fair draw, not a secret
    of_kind = defaultdict(list)
    for item in items:
        of_kind[item.kind].append(item)
    made = []
    for place in range(count):
        most = min(MOST_SOURCES, len(kinds))
        drawn = picker.sample(kinds, picker.randint(FEWEST_SOURCES, most))
        made.append(_together(place, [picker.choice(of_kind[kind]) for kind in drawn]))
    return made


def mixture(item: Item) -> Wave:
    """Return the real sounds of an item at once, mono at 48 kHz, lowered only to full scale."""
    waves = [load_audio(path.resolve(), REAL_HZ, [path.resolve().parent]) for path in item.sounds]
    whole = overlaid(waves)[: round(item.seconds * REAL_HZ)]
    return np.asarray(whole / max(1.0, float(np.abs(whole).max(initial=0.0))), dtype=np.float32)


def _pictured(pictures: Sequence[Picture]) -> dict[str, list[Picture]]:
    found = defaultdict(list)
    for picture in pictures:
        if picture.foley_class:
            found[picture.foley_class].append(picture)
    return dict(found)


def _single(
    clip: Clip, place: int, seen: Mapping[str, Sequence[Picture]], used: Counter[str]
) -> Item:
    of_class = seen.get(clip.foley_class, ())
    own = [picture for picture in of_class if picture.name == clip.image]
    others = sorted(of_class, key=lambda picture: used[picture.name])
    chosen = (own or others)[:1]
    used.update(picture.name for picture in chosen)
    return Item(
        name=f"{place:03d}",
        sounds=(clip.path,),
        kinds=(clip.foley_class,),
        texts=(clip.text,),
        pictures=tuple(picture.path for picture in chosen),
        seconds=min(max(clip.duration_s, SHORTEST_S), LONGEST_S),
    )


def _together(place: int, parts: Sequence[Item]) -> Item:
    pictures = [path for part in parts for path in part.pictures]
    return Item(
        name=f"{place:03d}",
        sounds=tuple(path for part in parts for path in part.sounds),
        kinds=tuple(part.kind for part in parts),
        texts=tuple(text for part in parts for text in part.texts),
        pictures=tuple(pictures) if len(pictures) == len(parts) else (),
        seconds=max(part.seconds for part in parts),
    )
