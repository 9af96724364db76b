"""Intervals: the same for the same seed, and as wide as theory says."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from engine.evaluation.bootstrap import (
    Bootstrap,
    Indices,
    around_statistic,
    of_mean,
    of_statistic,
)
from osc_bridge.errors import Cancelled


def test_the_interval_of_a_mean_is_as_wide_as_theory_says() -> None:
    values = np.random.default_rng(1).normal(5, 2, 400)
    found = of_mean(values, Bootstrap(draws=2_000))
    half = 1.96 * values.std() / np.sqrt(400)
    assert found.value == pytest.approx(values.mean())
    assert found.low == pytest.approx(found.value - half, abs=0.2 * half)
    assert found.high == pytest.approx(found.value + half, abs=0.2 * half)


def test_the_seed_alone_decides() -> None:
    values = np.arange(20.0)
    first = of_mean(values, Bootstrap(seed=7))
    np.random.default_rng().random(5)
    assert of_mean(values, Bootstrap(seed=7)) == first
    assert of_mean(values, Bootstrap(seed=8)) != first


def test_equal_values_leave_no_doubt() -> None:
    found = of_mean([0.5] * 9, Bootstrap())
    assert (found.low, found.value, found.high) == (0.5, 0.5, 0.5)


def test_a_higher_level_is_wider() -> None:
    values = np.arange(30.0)
    narrow, wide = (of_mean(values, Bootstrap(level=level)) for level in (0.5, 0.99))
    assert wide.low < narrow.low < narrow.high < wide.high


def ratio(sets: Sequence[Indices]) -> float:
    return float(TOP[sets[0]].mean() / BELOW[sets[1]].mean())


TOP, BELOW = np.array([1.0, 2, 3, 4]), np.array([2.0, 2, 4])


def test_a_statistic_of_two_sets_draws_each_by_itself() -> None:
    found = of_statistic(ratio, (4, 3), Bootstrap(draws=500))
    assert found.value == pytest.approx(2.5 / (8 / 3))
    assert found.low < found.value < found.high
    assert found == of_statistic(ratio, (4, 3), Bootstrap(draws=500))


def test_a_biased_statistic_keeps_its_value_inside() -> None:
    def largest(sets: Sequence[Indices]) -> float:
        return float(len(set(sets[0].tolist())))

    found = around_statistic(largest, (50,), Bootstrap())
    assert found.value == 50
    assert found.low < 50 < found.high
    assert of_statistic(largest, (50,), Bootstrap()).high < 50


def test_progress_reaches_the_end_and_can_stop() -> None:
    steps: list[tuple[int, int]] = []
    of_statistic(ratio, (4, 3), Bootstrap(draws=5), lambda step, of: steps.append((step, of)))
    assert steps == [(step, 5) for step in range(1, 6)]

    def stop(step: int, of: int) -> None:
        raise Cancelled("Stopped.")

    with pytest.raises(Cancelled):
        of_statistic(ratio, (4, 3), Bootstrap(draws=5), stop)
