"""What the model card is measured on: held-out sounds, and pictures that no stage has seen."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from engine.training.corpus import Clip, Picture, judged_classes, read_pictures
from engine.training.stages import Run

SEED = 20_261
EACH = 8
"""Held-out sounds of a class whose words and picture are given to the pack, at most."""
REAL_EACH = 16
"""Held-out sounds of a class that are judged as they are, at most."""
_APART = 1000
"""Between the numbers of two classes, so that a smaller draw is a part of a larger one."""

_Thing = TypeVar("_Thing")


@dataclass(frozen=True)
class Item:
    """One held-out sound, and beside it a training sound and an unseen picture of its class.

    ``number`` is its own and seeds what is rendered for it; ``place`` counts within the class.
    """

    number: int
    place: int
    clip: Clip
    taught: Clip | None
    picture: Picture | None

    @property
    def kind(self) -> str:
        """The class."""
        return self.clip.foley_class

    @property
    def seed(self) -> int:
        """What its sounds are drawn by."""
        return SEED + self.number


def draw(run: Run) -> list[Item]:
    """Return up to ``REAL_EACH`` items of every class that can be judged, the same every time."""
    pictures = unseen_pictures(run)
    chosen = [run.clips[row] for row in run.chosen]
    items: list[Item] = []
    for order, kind in enumerate(judged_classes(run.clips)):
        held = [c for c in run.clips if c.split == "test" and c.foley_class == kind]
        taught = [c for c in chosen if c.foley_class == kind]
        shown = _shuffled([p for p in pictures if p.foley_class == kind], f"picture {kind}")
        drawn = _shuffled(taught, f"train {kind}")
        items += [
            Item(
                number=_APART * order + place,
                place=place,
                clip=clip,
                taught=drawn[place] if place < len(drawn) else None,
                picture=shown[place % len(shown)] if shown else None,
            )
            for place, clip in enumerate(_shuffled(held, f"test {kind}")[:REAL_EACH])
        ]
    return items


def unseen_pictures(run: Run) -> list[Picture]:
    """Return the pictures of packages that gave training none."""
    seen = {picture.package for picture in run.shaping}
    return [picture for picture in read_pictures(run.data) if picture.package not in seen]


def asked(items: Sequence[Item], each: int) -> list[Item]:
    """Return the first ``each`` items of every class."""
    return [item for item in items if item.place < each]


def _shuffled(things: Sequence[_Thing], by: str) -> list[_Thing]:
    order = list(things)
    random.Random(f"{SEED} {by}").shuffle(order)  # noqa: S311 - a fair draw, not a secret
    return order
