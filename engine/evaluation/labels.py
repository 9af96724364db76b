"""The Sound Source Matching Score (paper, Sec. 4.1): do two sounds get the same labels?

A classifier gives each sound its N likeliest labels. Those that the real and the generated sound
share are true positives, those of the real one alone false negatives, those of the generated one
alone false positives; the score is the F1 of the three, averaged over the pairs. The paper prints
it times N, so that its 10 is perfect at N = 10.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from osc_bridge.errors import OutOfRange

Scores = NDArray[np.float64]
Chosen = NDArray[np.bool_]
PAPER_LABELS = 10


@dataclass(frozen=True)
class Matches:
    """Counts of shared and unshared labels, each (N,), one entry a pair."""

    both: NDArray[np.int64]
    only_heard: NDArray[np.int64]
    only_true: NDArray[np.int64]

    @property
    def f1(self) -> Scores:
        """F1 of each pair, (N,), 0 to 1; two sounds without any label count as 1."""
        total = 2 * self.both + self.only_heard + self.only_true
        return np.where(total == 0, 1.0, 2 * self.both / np.maximum(total, 1))

    @property
    def precision(self) -> Scores:
        """Share of the generated sound's labels that the real one has, (N,)."""
        return np.asarray(self.both / np.maximum(self.both + self.only_heard, 1))

    @property
    def recall(self) -> Scores:
        """Share of the real sound's labels that the generated one has, (N,)."""
        return np.asarray(self.both / np.maximum(self.both + self.only_true, 1))


def top_labels(scores: Scores, count: int) -> Chosen:
    """Return which ``count`` labels are likeliest, (N, C), from scores (N, C); ties by number."""
    classes = scores.shape[1]
    if not 1 <= count < classes:
        raise OutOfRange(
            f"{count} labels of a classifier that knows {classes}: the allowed range is 1 to "
            f"{classes - 1} labels; with fewer labels or a larger classifier they can differ."
        )
    order = np.argsort(-scores, axis=1, kind="stable")[:, :count]
    chosen = np.zeros(scores.shape, dtype=bool)
    np.put_along_axis(chosen, order, True, axis=1)
    return chosen


def match(true: Chosen, heard: Chosen) -> Matches:
    """Compare the labels of real sounds with those of generated ones, row by row, (N, C) each."""
    return Matches(
        (true & heard).sum(axis=1),
        (heard & ~true).sum(axis=1),
        (true & ~heard).sum(axis=1),
    )


def shuffled(true: Chosen, heard: Chosen) -> float:
    """Return the mean F1 of all wrong pairs: what is reached without hearing the sound.

    One label set for everything would reach it, too; a score is worth what it is above this.
    """
    pairs = len(true)
    if pairs < 2:
        return float("nan")
    both = true.astype(np.float64) @ heard.T.astype(np.float64)
    total = true.sum(axis=1)[:, None] + heard.sum(axis=1)[None, :]
    f1 = np.where(total == 0, 1.0, 2 * both / np.maximum(total, 1))
    return float((f1.sum() - np.trace(f1)) / (pairs * (pairs - 1)))
