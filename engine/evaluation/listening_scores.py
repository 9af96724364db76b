"""Opinion scores of a listening survey: means, deviations, agreement, raters to leave out.

Agreement is Krippendorff's alpha and not an intraclass correlation, because raters hear different
samples (each is asked a drawn part) and an ICC wants every rater to have rated everything. Its
interval metric is the main one: a mean opinion score, too, takes the steps of the scale as equal;
the ordinal one, which does not, stands beside it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Metric = Literal["interval", "ordinal", "nominal"]
BOOTSTRAPS = 2000


@dataclass(frozen=True)
class Rating:
    """One rating (1 to 5) of one sample; ``round`` 2 where it was asked again."""

    rater: str
    section: str
    item: str
    sample: str
    method: str
    round: int
    rating: int
    played_s: float


@dataclass(frozen=True)
class Screening:
    """When a rater is left out: too few answers, always the same, not heard, at odds with
    themselves or with everybody.

    ``least_part`` of the most that anyone answered; ``apart`` points between first and second
    answers, on average of at least ``repeats``; ``agreement`` is the correlation with the mean of
    the other raters over at least ``common`` samples.
    """

    least_part: float = 0.5
    heard_s: float = 0.5
    apart: float = 1.0
    repeats: int = 3
    agreement: float = 0.2
    common: int = 8


@dataclass(frozen=True)
class Opinion:
    """One method in one section.

    ``std`` is over ratings, ``std_items`` over the means of items; ``low`` and ``high`` bound the
    mean with 95 % confidence, raters drawn anew.
    """

    section: str
    method: str
    mean: float
    std: float
    std_items: float
    low: float
    high: float
    ratings: int
    raters: int


def opinions(ratings: Sequence[Rating], seed: int = 1) -> list[Opinion]:
    """Return the mean opinion scores by section and method, in the order of appearance."""
    groups: dict[tuple[str, str], list[Rating]] = defaultdict(list)
    for rating in ratings:
        if rating.round == 1:
            groups[rating.section, rating.method].append(rating)
    return [_opinion(section, method, of, seed) for (section, method), of in groups.items()]


def _opinion(section: str, method: str, of: Sequence[Rating], seed: int) -> Opinion:
    values = np.array([rating.rating for rating in of], dtype=np.float64)
    items = _means(of, "item")
    low, high = interval(of, seed)
    return Opinion(
        section=section,
        method=method,
        mean=float(values.mean()),
        std=_std(values),
        std_items=_std(np.array(list(items.values()))),
        low=low,
        high=high,
        ratings=len(of),
        raters=len({rating.rater for rating in of}),
    )


def _std(values: NDArray[np.float64]) -> float:
    return float(values.std(ddof=1)) if len(values) > 1 else 0.0


def _means(of: Sequence[Rating], by: Literal["item", "sample"]) -> dict[str, float]:
    groups: dict[str, list[int]] = defaultdict(list)
    for rating in of:
        groups[getattr(rating, by)].append(rating.rating)
    return {name: float(np.mean(values)) for name, values in groups.items()}


def interval(of: Sequence[Rating], seed: int) -> tuple[float, float]:
    """Return the 95 % interval of the mean when raters are drawn anew, with replacement."""
    raters = sorted({rating.rater for rating in of})
    place = {rater: index for index, rater in enumerate(raters)}
    sums, counts = np.zeros(len(raters)), np.zeros(len(raters))
    for rating in of:
        sums[place[rating.rater]] += rating.rating
        counts[place[rating.rater]] += 1
    drawn = np.random.default_rng(seed).integers(len(raters), size=(BOOTSTRAPS, len(raters)))
    means = sums[drawn].sum(1) / counts[drawn].sum(1)
    low, high = np.quantile(means, (0.025, 0.975))
    return float(low), float(high)


@dataclass(frozen=True)
class Difference:
    """How much better one method is rated than another for the same items by the same raters."""

    section: str
    method: str
    than: str
    mean: float
    low: float
    high: float
    pairs: int


def differences(ratings: Sequence[Rating], ours: str, seed: int = 1) -> list[Difference]:
    """Return our ratings less those of every other method, paired by rater and item."""
    first = [rating for rating in ratings if rating.round == 1]
    mine = {(r.section, r.rater, r.item): r.rating for r in first if r.method == ours}
    groups: dict[tuple[str, str], dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for r in first:
        own = mine.get((r.section, r.rater, r.item))
        if r.method != ours and own is not None:
            groups[r.section, r.method][r.rater].append(own - r.rating)
    found = []
    for (section, than), by_rater in groups.items():
        values = [value for of in by_rater.values() for value in of]
        low, high = _spread(list(by_rater.values()), seed)
        mean = float(np.mean(values))
        found.append(Difference(section, ours, than, mean, low, high, len(values)))
    return found


def _spread(groups: Sequence[Sequence[int]], seed: int) -> tuple[float, float]:
    sums = np.array([sum(group) for group in groups], dtype=np.float64)
    counts = np.array([len(group) for group in groups])
    drawn = np.random.default_rng(seed).integers(len(groups), size=(BOOTSTRAPS, len(groups)))
    low, high = np.quantile(sums[drawn].sum(1) / counts[drawn].sum(1), (0.025, 0.975))
    return float(low), float(high)


def alpha(units: Sequence[Sequence[int]], metric: Metric = "interval") -> float:
    """Return Krippendorff's alpha of ratings, one list for each thing rated.

    1 is full agreement, 0 what chance gives; NaN where nothing was rated twice. A constant
    rating of everything counts as agreement. Source: K. Krippendorff, "Computing Krippendorff's
    Alpha-Reliability" (2011).
    """
    rated = [list(unit) for unit in units if len(unit) > 1]
    values = sorted({value for unit in rated for value in unit})
    if not rated:
        return float("nan")
    place = {value: index for index, value in enumerate(values)}
    together = np.zeros((len(values), len(values)))
    for unit in rated:
        counts = np.bincount([place[value] for value in unit], minlength=len(values))
        together += (np.outer(counts, counts) - np.diag(counts)) / (len(unit) - 1)
    totals = together.sum(1)
    apart = _distances(np.array(values, dtype=np.float64), totals, metric)
    expected = (np.outer(totals, totals) * apart).sum() / (totals.sum() - 1)
    return 1.0 if expected == 0 else float(1 - (together * apart).sum() / expected)


def _distances(
    values: NDArray[np.float64], totals: NDArray[np.float64], metric: Metric
) -> NDArray[np.float64]:
    if metric == "nominal":
        return 1 - np.eye(len(values))
    if metric == "ordinal":
        values = np.cumsum(totals) - totals / 2
    return np.square(values[:, None] - values)


def agreement(ratings: Sequence[Rating], section: str, metric: Metric = "interval") -> float:
    """Return alpha over the samples of a section, first answers only."""
    units: dict[str, list[int]] = defaultdict(list)
    for rating in ratings:
        if rating.section == section and rating.round == 1:
            units[rating.sample].append(rating.rating)
    return alpha(list(units.values()), metric)


def rejected(ratings: Sequence[Rating], rules: Screening) -> dict[str, str]:
    """Return the raters to leave out, with the reason.

    Who disagrees with the others is left out one at a time, the worst first: one odd rater
    spoils the mean that the next is compared with.
    """
    by_rater: dict[str, list[Rating]] = defaultdict(list)
    for rating in ratings:
        by_rater[rating.rater].append(rating)
    most = max((len(of) for of in by_rater.values()), default=0)
    reasons = {
        rater: reason
        for rater, of in sorted(by_rater.items())
        if (reason := _own_reason(of, most, rules))
    }
    while True:
        kept = {rater: of for rater, of in by_rater.items() if rater not in reasons}
        worst = min(
            ((_with_others(rater, kept, rules), rater) for rater in sorted(kept)),
            default=(1.0, ""),
        )
        if worst[0] >= rules.agreement:
            return reasons
        reasons[worst[1]] = f"correlation {worst[0]:.2f} with the mean of the others"


def _own_reason(of: Sequence[Rating], most: int, rules: Screening) -> str:
    if len(of) < rules.least_part * most:
        return f"{len(of)} answers where others gave {most}"
    if len(of) > 4 and len({rating.rating for rating in of}) == 1:
        return f"always {of[0].rating}"
    heard = float(np.median([rating.played_s for rating in of]))
    if heard < rules.heard_s:
        return f"listened {heard:.1f} s to half of the samples"
    answers: dict[tuple[str, str], dict[int, int]] = defaultdict(dict)
    for rating in of:
        answers[rating.section, rating.sample][rating.round] = rating.rating
    twice = [abs(both[1] - both[2]) for both in answers.values() if len(both) == 2]
    if len(twice) >= rules.repeats and np.mean(twice) > rules.apart:
        return f"{np.mean(twice):.1f} points between first and second answers"
    return ""


def _with_others(rater: str, kept: Mapping[str, Sequence[Rating]], rules: Screening) -> float:
    """Return the correlation with the mean of the others; 1 where it cannot be told."""
    others: dict[tuple[str, str], list[int]] = defaultdict(list)
    for name, of in kept.items():
        for rating in of:
            if name != rater and rating.round == 1:
                others[rating.section, rating.sample].append(rating.rating)
    pairs = [
        (rating.rating, float(np.mean(others[rating.section, rating.sample])))
        for rating in kept[rater]
        if rating.round == 1 and (rating.section, rating.sample) in others
    ]
    if len(pairs) < rules.common:
        return 1.0
    own, theirs = np.array(pairs, dtype=np.float64).T
    if own.std() == 0 or theirs.std() == 0:
        return 1.0
    return float(np.corrcoef(own, theirs)[0, 1])
