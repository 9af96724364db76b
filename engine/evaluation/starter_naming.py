"""How often a judge names the class of a sound: the mean over classes, each counting alike.

Intervals come from drawing the sounds of each class anew, with replacement.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.evaluation.bootstrap import Bootstrap, Interval
from engine.evaluation.judge import Judge
from engine.evaluation.starter_ears import Heard

Numbers = NDArray[np.float64]
TOPS = (1, 5)


@dataclass(frozen=True)
class Named:
    """The place (0 = likeliest) of each sound's class, by class."""

    places: Mapping[str, NDArray[np.int64]]

    def shares(self, top: int) -> dict[str, Numbers]:
        """Return for each class 1 where it is among the ``top`` likeliest, else 0."""
        return {kind: (of < top).astype(np.float64) for kind, of in self.places.items()}

    def within(self, kinds: Sequence[str]) -> Named:
        """Return the same of these classes alone."""
        return Named({kind: self.places[kind] for kind in kinds})

    @property
    def sounds(self) -> int:
        """How many sounds."""
        return sum(map(len, self.places.values()))


def name_row(judge: Judge, heard: Heard, kinds: Sequence[str]) -> Named:
    """Return how a judge names sounds (N, D) of these classes."""
    places = judge.ranks(list(heard), kinds)
    of = np.array(kinds)
    return Named({kind: places[of == kind] for kind in sorted(set(kinds))})


def share(named: Named, top: int, how: Bootstrap) -> Interval:
    """Return the share named within the first ``top``."""
    value, drawn = _drawn(named.shares(top), how)
    return _interval(value, drawn, how)


def ratio(ours: Named, real: Named, top: int, how: Bootstrap) -> Interval | None:
    """Return how much as often ours are named as real sounds of the same classes.

    None where no real sound is named.
    """
    theirs = real.within(list(ours.places))
    value, drawn = _drawn(ours.shares(top), how)
    below, below_drawn = _drawn(theirs.shares(top), how, side=1)
    if not below:
        return None
    least = 1 / theirs.sounds
    return _interval(value / below, drawn / np.maximum(below_drawn, least), how)


def figures(rows: Mapping[str, Named], how: Bootstrap) -> dict[str, Any]:
    """Return shares and ratios of every row to the row ``real``, and shares by class (top 5)."""
    real = rows["real"]
    return {
        "rows": {name: _row(named, real, how) for name, named in rows.items()},
        "by_class": {
            kind: {
                name: float(named.shares(5)[kind].mean())
                for name, named in rows.items()
                if kind in named.places
            }
            for kind in real.places
        },
    }


def _row(named: Named, real: Named, how: Bootstrap) -> dict[str, Any]:
    found: dict[str, Any] = {"sounds": named.sounds, "classes": len(named.places)}
    for top in TOPS:
        found[f"top_{top}"] = asdict(share(named, top, how))
        if named is not real:
            over = ratio(named, real, top, how)
            found[f"ratio_{top}"] = asdict(over) if over else None
    return found


def _drawn(shares: Mapping[str, Numbers], how: Bootstrap, side: int = 0) -> tuple[float, Numbers]:
    """Return the mean over classes, and that of each draw (draws,); each side draws its own."""
    value = float(np.mean([hits.mean() for hits in shares.values()]))
    drawn = np.zeros(how.draws)
    picker = np.random.default_rng([how.seed, side])
    for hits in shares.values():
        drawn += hits[picker.integers(len(hits), size=(how.draws, len(hits)))].mean(axis=1)
    return value, drawn / len(shares)


def _interval(value: float, drawn: Numbers, how: Bootstrap) -> Interval:
    tail = 50 * (1 - how.level)
    low, high = np.percentile(drawn, (tail, 100 - tail))
    return Interval(value, float(low), float(high))
