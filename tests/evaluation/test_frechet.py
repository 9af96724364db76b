"""The Fréchet distance on cases whose answer is known in closed form."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.evaluation import frechet
from osc_bridge.errors import OutOfRange

TOLERANCE = 2e-5  # the package takes the mean in 32 bits
FIXTURE = Path(__file__).parents[1] / "data" / "frechet"


def normal(seed: int, count: int, dims: int, scale: float = 1.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, scale, (count, dims))


def covariance(seed: int, dims: int) -> np.ndarray:
    root = normal(seed, dims + 3, dims)
    return root.T @ root / dims


def test_two_gaussians_on_a_line() -> None:
    """(mu_1 - mu_2)^2 + (s_1 - s_2)^2."""
    first = frechet.moments_gaussian(np.array([1.0]), np.array([[4.0]]))
    second = frechet.moments_gaussian(np.array([4.0]), np.array([[25.0]]))
    assert frechet.distance(first, second) == pytest.approx(9 + 9)


def test_commuting_covariances_have_a_closed_form() -> None:
    """With common axes: |mu_1 - mu_2|^2 + sum of (sqrt(a) - sqrt(b))^2 over the axes."""
    axes = np.linalg.qr(normal(1, 5, 5))[0]
    a, b = np.array([4.0, 1, 9, 0, 2]), np.array([1.0, 16, 0, 0, 3])
    mean = np.arange(5.0)
    first = frechet.moments_gaussian(mean, axes @ np.diag(a) @ axes.T)
    second = frechet.moments_gaussian(mean + 2, axes @ np.diag(b) @ axes.T)
    expected = 5 * 4 + ((np.sqrt(a) - np.sqrt(b)) ** 2).sum()
    assert frechet.distance(first, second) == pytest.approx(expected)


def test_covariances_in_two_dimensions_have_a_closed_form() -> None:
    """tr((C_1 C_2)^(1/2)) = sqrt(tr(C_1 C_2) + 2 sqrt(det(C_1 C_2))) for 2 x 2."""
    one, two = covariance(2, 2), covariance(3, 2)
    product = one @ two
    shared = np.sqrt(np.trace(product) + 2 * np.sqrt(np.linalg.det(product)))
    zero = np.zeros(2)
    found = frechet.distance(
        frechet.moments_gaussian(zero, one), frechet.moments_gaussian(zero, two)
    )
    assert found == pytest.approx(np.trace(one) + np.trace(two) - 2 * shared)


def test_agrees_with_the_package_that_the_paper_used() -> None:
    expected = json.loads((FIXTURE / "expected.json").read_text(encoding="utf-8"))
    for name, wanted in expected["distances"].items():
        first = np.load(FIXTURE / f"{name}_reference.npy", allow_pickle=False)
        second = np.load(FIXTURE / f"{name}_generated.npy", allow_pickle=False)
        found = frechet.between(second.astype(np.float64), first.astype(np.float64))
        assert found == pytest.approx(wanted, rel=TOLERANCE), name


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), count=st.integers(2, 12), dims=st.integers(1, 9))
def test_properties_hold_for_few_sounds_too(seed: int, count: int, dims: int) -> None:
    first, second = normal(seed, count, dims), normal(seed + 1, count + 1, dims, 2.0)
    apart = frechet.between(first, second)
    assert apart >= 0
    assert frechet.between(second, first) == pytest.approx(apart, abs=1e-9)
    assert frechet.between(first, first) == pytest.approx(0, abs=1e-9)
    assert frechet.between(first + 5, second + 5) == pytest.approx(apart, abs=1e-8)
    assert frechet.between(3 * first, 3 * second) == pytest.approx(9 * apart, abs=1e-8)
    turn = np.linalg.qr(normal(seed + 2, dims, dims))[0]
    assert frechet.between(first @ turn, second @ turn) == pytest.approx(apart, abs=1e-8)


def test_moving_one_set_adds_the_square_of_the_way() -> None:
    rows = normal(1, 30, 4)
    assert frechet.between(rows, rows + np.array([3, 0, 4, 0])) == pytest.approx(25)


def test_a_covariance_without_full_rank_loses_nothing() -> None:
    """A constant dimension, and fewer sounds than dimensions, give what the rest gives."""
    first, second = normal(1, 6, 3), normal(2, 5, 3)
    padded = [
        np.concatenate([rows, np.full((len(rows), 20), 7.0)], axis=1) for rows in (first, second)
    ]
    assert frechet.between(*padded) == pytest.approx(frechet.between(first, second))


def test_shrinkage_keeps_the_trace_and_comes_nearer_to_the_truth() -> None:
    rows = normal(4, 20, 40)
    plain, shrunk = frechet.sample_gaussian(rows), frechet.shrunk_gaussian(rows)
    assert np.trace(shrunk.covariance) == pytest.approx(np.trace(plain.covariance))
    error = [np.linalg.norm(g.covariance - np.eye(40)) for g in (plain, shrunk)]
    assert error[1] < 0.3 * error[0]
    assert np.linalg.eigvalsh(shrunk.covariance).min() > 0.1


def test_shrinkage_fades_with_many_sounds() -> None:
    spread = np.diag(np.arange(1.0, 9.0))
    parts = [frechet.shrinkage(spread, count) for count in (5, 50, 5_000)]
    assert 1 >= parts[0] > parts[1] > parts[2] > 0
    assert parts[2] < 0.01
    assert frechet.shrinkage(np.eye(8), 100) == 1.0


def test_value_at_infinity_takes_away_what_few_sounds_add() -> None:
    reference = frechet.moments_gaussian(np.zeros(6), np.eye(6))
    sounds = list(normal(5, 120, 6)[:, None, :])
    plain = frechet.distance(frechet.sample_gaussian(np.concatenate(sounds)), reference)
    endless = frechet.at_infinity(sounds, reference, seed=1)
    assert abs(endless) < 0.6 * plain
    assert endless == frechet.at_infinity(sounds, reference, seed=1)


def test_chance_gives_what_a_second_draw_of_the_same_kind_measures() -> None:
    reference = normal(6, 200, 5)
    expected = np.mean([frechet.between(normal(s, 100, 5), reference) for s in range(20, 40)])
    found = frechet.floor(list(reference[:, None, :]), 100, seed=1)
    assert found == pytest.approx(expected, rel=0.4)
    assert found < 0.05 * frechet.between(normal(8, 100, 5) + 4, reference)


@pytest.mark.parametrize("rows", [np.zeros((1, 3)), np.zeros((0, 3))])
def test_one_sound_is_no_distribution(rows: np.ndarray) -> None:
    with pytest.raises(OutOfRange, match="at least 2"):
        frechet.sample_gaussian(rows)


def test_embeddings_that_do_not_fit_are_named() -> None:
    with pytest.raises(OutOfRange, match="3 and 4 dimensions"):
        frechet.between(normal(1, 5, 3), normal(1, 5, 4))
    with pytest.raises(OutOfRange, match="NaN"):
        frechet.sample_gaussian(np.array([[1.0, np.nan], [0.0, 0.0]]))
