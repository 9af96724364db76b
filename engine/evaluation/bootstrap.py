"""Intervals of confidence by drawing the sounds anew, with replacement (Efron, 1979).

The same seed gives the same interval, whatever ran before.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.steps import StepCallback, no_steps

Indices = NDArray[np.int64]
Statistic = Callable[[Sequence[Indices]], float]


@dataclass(frozen=True)
class Bootstrap:
    """How often to draw, from which seed, and the share of draws that an interval holds."""

    draws: int = 200
    seed: int = 1
    level: float = 0.95


@dataclass(frozen=True)
class Interval:
    """A value and the bounds within which it lies with the level's confidence."""

    value: float
    low: float
    high: float


def of_mean(values: Sequence[float] | NDArray[np.float64], how: Bootstrap) -> Interval:
    """Return the mean of one number a sound, and the percentiles of its draws."""
    numbers = np.asarray(values, dtype=np.float64)
    drawn = np.random.default_rng(how.seed).integers(len(numbers), size=(how.draws, len(numbers)))
    low, high = _percentiles(numbers[drawn].mean(axis=1), how.level)
    return Interval(float(numbers.mean()), low, high)


def of_statistic(
    statistic: Statistic, sizes: Sequence[int], how: Bootstrap, on_step: StepCallback = no_steps
) -> Interval:
    """Return a statistic of several sets of sounds, each set drawn anew by itself.

    ``statistic`` gets the row numbers of each set.
    """
    value = statistic([np.arange(size) for size in sizes])
    return Interval(value, *_percentiles(_draw(statistic, sizes, how, on_step), how.level))


def around_statistic(
    statistic: Statistic, sizes: Sequence[int], how: Bootstrap, on_step: StepCallback = no_steps
) -> Interval:
    """Return an interval whose width the draws give and whose place the value.

    For Fréchet distances: a draw repeats sounds, which makes every drawn distance too large;
    what they say of the spread is right all the same.
    """
    value = statistic([np.arange(size) for size in sizes])
    drawn = _draw(statistic, sizes, how, on_step)
    low, high = _percentiles(drawn - drawn.mean(), how.level)
    return Interval(value, max(0.0, value + low), value + high)


def _draw(
    statistic: Statistic, sizes: Sequence[int], how: Bootstrap, on_step: StepCallback
) -> NDArray[np.float64]:
    picker = np.random.default_rng(how.seed)
    drawn = []
    for step in range(how.draws):
        drawn.append(statistic([picker.integers(size, size=size) for size in sizes]))
        on_step(step + 1, how.draws)
    return np.array(drawn)


def _percentiles(drawn: NDArray[np.float64], level: float) -> tuple[float, float]:
    tail = 50 * (1 - level)
    low, high = np.percentile(drawn, (tail, 100 - tail))
    return float(low), float(high)
