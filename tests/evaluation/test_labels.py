"""SSMS on pairs made by hand, and intervals and offsets on cases that can be counted."""

from __future__ import annotations

import math

import numpy as np
import pytest

from engine.evaluation.labels import match, shuffled, top_labels
from osc_bridge.errors import OutOfRange


def chosen(*labels: int, classes: int = 12) -> np.ndarray:
    row = np.zeros((1, classes), dtype=bool)
    row[0, list(labels)] = True
    return row


def test_ten_labels_of_which_seven_are_shared_score_seven_of_ten() -> None:
    """7 true positives, 3 false positives, 3 false negatives: F1 = 14 / 20."""
    true, heard = chosen(*range(10), classes=20), chosen(*range(3, 13), classes=20)
    found = match(true, heard)
    assert (found.both[0], found.only_heard[0], found.only_true[0]) == (7, 3, 3)
    assert found.f1[0] == pytest.approx(0.7)


def test_sets_of_other_sizes_score_by_the_formula() -> None:
    """2 true labels, 4 heard, 1 shared: precision 1/4, recall 1/2, F1 = 1/3."""
    found = match(chosen(0, 1), chosen(1, 2, 3, 4))
    assert found.precision[0] == pytest.approx(0.25)
    assert found.recall[0] == pytest.approx(0.5)
    assert found.f1[0] == pytest.approx(1 / 3)


def test_perfect_and_disjoint_pairs_are_the_ends_of_the_scale() -> None:
    assert match(chosen(0, 1), chosen(0, 1)).f1[0] == 1.0
    assert match(chosen(0, 1), chosen(2, 3)).f1[0] == 0.0
    assert match(chosen(), chosen()).f1[0] == 1.0


def test_the_likeliest_labels_are_taken_and_ties_go_by_number() -> None:
    scores = np.array([[0.1, 0.9, 0.3, 0.3], [0.5, 0.5, 0.5, 0.5]])
    assert top_labels(scores, 2).tolist() == [
        [False, True, True, False],
        [True, True, False, False],
    ]


def test_as_many_labels_as_classes_would_always_match() -> None:
    with pytest.raises(OutOfRange, match="knows 10"):
        top_labels(np.zeros((2, 10)), 10)


def test_wrong_pairs_give_what_chance_gives() -> None:
    """Labels drawn evenly: N / C of them are shared."""
    draw = np.random.default_rng(3)
    true, heard = (top_labels(draw.random((300, 40)), 10) for _ in range(2))
    assert shuffled(true, heard) == pytest.approx(10 / 40, abs=0.005)
    assert math.isnan(shuffled(chosen(0), chosen(0)))  # there is no wrong pair


def test_wrong_pairs_are_counted_by_hand() -> None:
    true = np.concatenate([chosen(0, 1), chosen(2, 3)])
    heard = np.concatenate([chosen(0, 1), chosen(0, 3)])
    assert match(true, heard).f1.tolist() == [1.0, 0.5]
    assert shuffled(true, heard) == pytest.approx((0.5 + 0.0) / 2)
