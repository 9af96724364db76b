"""Pairs of a picture (or words) and a sound, with their class, for the manifold analysis."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.evaluation.prepared_inputs import rows_of
from engine.training.data.prepared import PreparedData
from engine.training.data.samples import KINDS
from osc_bridge.errors import BadCorpus

LEAST = 3  # of a class: fewer have no variance to speak of
PICTURES = ("clean", "curated")


@dataclass(frozen=True, eq=False)
class Embedded:
    """N pairs: ``clips`` (N, clip_dim), ``claps`` (N, clap_dim), float64, and their classes.

    ``pictured`` counts those whose image side is a picture, ``distinct`` the different image
    sides: a picture that stands for many sounds makes modalities easy to tell apart.
    """

    clips: NDArray[np.float64]
    claps: NDArray[np.float64]
    labels: tuple[str, ...]
    pictured: int
    distinct: int


@dataclass(frozen=True)
class Choice:
    """Which pairs are looked at: of the most frequent ``classes``, ``each`` of every one."""

    classes: int = 16
    each: int = 20
    seed: int = 1
    split: str = "test"

    def rows(self, labels: Sequence[str], ranks: Sequence[int]) -> list[int]:
        """Return the chosen places, class by class, the most frequent first; BadCorpus if few.

        Within a class the lower ranks go first, in an order that the seed draws.
        """
        counts = Counter(label for label in labels if label)
        frequent = sorted(counts, key=lambda label: (-counts[label], label))[: self.classes]
        named = [label for label in frequent if counts[label] >= LEAST]
        if len(named) < 2:
            raise BadCorpus(
                f"The split {self.split!r} has {len(named)} classes with at least {LEAST} pairs; "
                "the analysis compares 2 or more: choose another --split, or prepare sounds with "
                "more classes."
            )
        of_class = defaultdict(list)
        for place, label in enumerate(labels):
            of_class[label].append(place)
        drawn = random.Random(self.seed)  # noqa: S311 - a fair draw, not a secret
        chosen = []
        for label in named:
            mixed = drawn.sample(of_class[label], counts[label])
            chosen += sorted(sorted(mixed, key=ranks.__getitem__)[: self.each])
        return chosen


def gather(data: PreparedData, choice: Choice) -> Embedded:
    """Return the chosen pairs, each of another sound; pictures before words."""
    rows = [row for row in rows_of(data, choice.split) if _is_paired(data, row)]
    ranks = [min(map(KINDS.index, data.facts(row).kinds)) for row in rows]
    places = choice.rows([data.facts(row).foley_class for row in rows], ranks)
    chosen = [rows[place] for place in places]
    clips = _shown(data, chosen)
    return Embedded(
        clips=clips.astype(np.float64),
        claps=np.stack([data.array(row, "clap") for row in chosen]).astype(np.float64),
        labels=tuple(data.facts(row).foley_class for row in chosen),
        pictured=sum(KINDS[ranks[place]] in PICTURES for place in places),
        distinct=len(np.unique(clips, axis=0)),
    )


def _shown(data: PreparedData, rows: Sequence[int]) -> NDArray[np.float32]:
    """Return the image side of each sample (N, clip_dim): of its best kind, the least shown yet."""
    shown: Counter[bytes] = Counter()
    found = []
    for row in rows:
        kinds, views = data.facts(row).kinds, data.array(row, "clip")
        best = min(kinds, key=KINDS.index)
        options = [view for view, kind in zip(views, kinds, strict=True) if kind == best]
        found.append(min(options, key=lambda view: shown[view.tobytes()]))
        shown[found[-1].tobytes()] += 1
    return np.stack(found)


def _is_paired(data: PreparedData, row: int) -> bool:
    return bool(data.facts(row).kinds) and data.has(row, "clap")
