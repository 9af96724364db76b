"""How often a labeller names the true class of a sound, generated and real."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.evaluation.bootstrap import Bootstrap, Indices, Interval, of_mean, of_statistic

Scores = NDArray[np.float64]
TOPS = (1, 5)


@dataclass(frozen=True)
class Named:
    """Sounds whose class the labeller knows: which rows, their classes, their class' place."""

    rows: tuple[int, ...]
    kinds: tuple[str, ...]
    places: NDArray[np.int64]

    def hits(self, top: int) -> NDArray[np.float64]:
        """Return 1 for each sound whose class is among the ``top`` likeliest, else 0."""
        return (self.places < top).astype(np.float64)


def name_all(scores: Scores, labels: Sequence[str], kinds: Sequence[str]) -> Named:
    """Return the place (0 = likeliest) of each sound's class, from scores (N, C).

    Sounds of a class that is not among the labels are left out.
    """
    known = {label: column for column, label in enumerate(labels)}
    rows = tuple(row for row, kind in enumerate(kinds) if kind in known)
    chosen = tuple(kinds[row] for row in rows)
    order = np.argsort(-scores[list(rows)], axis=1, kind="stable")
    wanted = np.array([known[kind] for kind in chosen], dtype=np.int64)
    places = (order == wanted[:, None]).argmax(axis=1).astype(np.int64)
    return Named(rows, chosen, places)


def shares(named: Named, how: Bootstrap) -> dict[str, Interval]:
    """Return the share of sounds named within the first 1 and 5."""
    return {f"top_{top}": of_mean(named.hits(top), how) for top in TOPS}


def ratio(generated: Named, real: Named, top: int, how: Bootstrap) -> Interval | None:
    """Return how much as often generated sounds are named as real ones; None if real never are."""
    ours, theirs = generated.hits(top), real.hits(top)
    if not theirs.any():
        return None

    def quotient(drawn: Sequence[Indices]) -> float:
        below = float(theirs[drawn[1]].mean())
        return float(ours[drawn[0]].mean()) / max(below, 1 / len(theirs))

    return of_statistic(quotient, (len(ours), len(theirs)), how)


def by_kind(named: Named, top: int) -> dict[str, float]:
    """Return the share of each class' sounds that are named within the first ``top``."""
    hits = named.hits(top)
    kinds = np.array(named.kinds)
    return {kind: float(hits[kinds == kind].mean()) for kind in sorted(set(named.kinds))}
