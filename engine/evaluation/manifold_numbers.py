"""The numbers of the manifold analysis (A.3): discriminant test, partition coefficient, linkages.

``visual`` and ``audio`` are embeddings (N, D) of the same N pairs, ``labels`` (N,) their classes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.float64]
Labels = NDArray[np.int64]
FOLDS = 5
HALF = float(np.sqrt(2 * np.log(2)))  # radius that holds half of a standard normal in the plane
SURE = float(np.sqrt(-2 * np.log(0.05)))  # and 95 % of it


@dataclass(frozen=True)
class Discriminant:
    """How well a linear model tells the modality of a sample (Table 7).

    ``minus_2_ll`` is minus twice the log-likelihood of the true modalities, in nats; an
    ``entropy_r2`` of 1 means certainty, 0 a coin. Both, and ``misclassified`` (percent), are of the
    samples that the model was fitted to, as in the paper; ``held_out`` (percent) is not: each
    fifth is judged by a model of the other four. ``canonical`` (2N, 2): visual rows first, the
    first axis tells the modalities apart, within a modality its variance is 1.
    """

    misclassified: float
    held_out: float
    entropy_r2: float
    minus_2_ll: float
    canonical: Rows


@dataclass(frozen=True)
class _Model:
    """A fitted discriminant: ``z = (x - middle) @ whiten``, one centroid (2, R) a modality."""

    middle: Rows
    whiten: Rows
    centroids: Rows

    def scores(self, rows: Rows) -> Rows:
        return np.asarray((rows - self.middle) @ self.whiten)

    def log_chances(self, rows: Rows) -> Rows:
        """Return the log probabilities (N, 2) of the modalities, equally likely beforehand."""
        distances = np.square(self.scores(rows)[:, None] - self.centroids).sum(-1)
        logits = -distances / 2
        top = logits.max(1, keepdims=True)
        return np.asarray(logits - top - np.log(np.exp(logits - top).sum(1, keepdims=True)))


def discriminant(visual: Rows, audio: Rows) -> Discriminant:
    """Fit a wide linear discriminant to two modalities (each (N, D), N at least 3) and test it.

    Linear discriminant analysis where there may be more dimensions than samples: the pooled
    covariance within the modalities is inverted through the singular values that are not zero.
    """
    rows = np.concatenate([visual, audio]).astype(np.float64)
    truth = np.repeat([0, 1], [len(visual), len(audio)])
    model = _fit(rows, truth)
    chances = model.log_chances(rows)
    minus_2_ll = abs(2 * float(chances[np.arange(len(rows)), truth].sum()))
    nothing_known = float(-2 * np.log(np.bincount(truth) / len(truth))[truth].sum())
    return Discriminant(
        misclassified=100 * float((chances.argmax(1) != truth).mean()),
        held_out=_held_out(rows, truth),
        entropy_r2=1 - minus_2_ll / nothing_known,
        minus_2_ll=minus_2_ll,
        canonical=_canonical(model, rows),
    )


def _fit(rows: Rows, truth: Labels) -> _Model:
    means = np.stack([rows[truth == kind].mean(0) for kind in (0, 1)])
    within = rows - means[truth]
    freedom = len(rows) - 2
    deviation = np.sqrt(np.square(within).sum(0) / freedom)
    is_used = deviation > 1e-9 * max(float(deviation.max()), 1e-30)
    scaling = np.where(is_used, 1 / np.where(is_used, deviation, 1.0), 0.0)
    _, singular, axes = np.linalg.svd(within * scaling, full_matrices=False)
    kept = singular > singular[0] * max(rows.shape) * np.finfo(float).eps
    whiten = scaling[:, None] * axes[kept].T / singular[kept] * np.sqrt(freedom)
    middle = rows.mean(0)
    return _Model(middle, whiten, (means - middle) @ whiten)


def _held_out(rows: Rows, truth: Labels) -> float:
    """Return the percentage misclassified over folds; both halves of a pair are in one fold."""
    fold = np.concatenate([np.arange((truth == kind).sum()) % FOLDS for kind in (0, 1)])
    wrong = 0
    for number in np.unique(fold):
        model = _fit(rows[fold != number], truth[fold != number])
        guessed = model.log_chances(rows[fold == number]).argmax(1)
        wrong += int((guessed != truth[fold == number]).sum())
    return 100 * wrong / len(rows)


def _canonical(model: _Model, rows: Rows) -> Rows:
    """Return what tells the modalities apart, and the strongest of the other directions."""
    scores = model.scores(rows)
    apart = model.centroids[1] - model.centroids[0]
    first = apart / max(float(np.linalg.norm(apart)), 1e-30)
    if scores.shape[1] == 1:
        return np.concatenate([scores @ first[:, None], np.zeros((len(rows), 1))], axis=1)
    rest = np.eye(len(first)) - np.outer(first, first)
    column = int(np.argmax(np.linalg.norm(rest[:, :2], axis=0)))
    second = rest[:, column] / np.linalg.norm(rest[:, column])
    return np.asarray(scores @ np.stack([first, second], axis=1))


@dataclass(frozen=True)
class Partition:
    """Eq. 13, and how far the own cluster's part exceeds the mean of the others'.

    The coefficient alone grows when everything is alike; ``contrast`` does not.
    """

    coefficient: float
    contrast: float


def partition(rows: Rows, labels: Labels) -> Partition:
    """Return the partition coefficient of embeddings (N, D) whose clusters are known.

    A membership is the cosine with a cluster's mean, from [-1, 1] to [0, 1].
    """
    centroids = _unit(np.stack([rows[labels == label].mean(0) for label in np.unique(labels)]))
    member = np.square((_unit(rows) @ centroids.T + 1) / 2)
    place = np.searchsorted(np.unique(labels), labels)
    own = member[np.arange(len(rows)), place]
    others = (member.sum(1) - own) / max(member.shape[1] - 1, 1)
    return Partition(float(member.sum(1).mean()), float((own - others).mean()))


def linkages(left: Rows, right: Rows, labels: Labels) -> Rows:
    """Return average linkages (M, M): mean cosine of class i of ``left`` to j of ``right``."""
    classes = np.unique(labels)
    cosines = _unit(left) @ _unit(right).T
    member = (labels[:, None] == classes).astype(np.float64)
    counts = member.sum(0)
    return np.asarray(member.T @ cosines @ member / np.outer(counts, counts))


def gap(visual: Rows, audio: Rows) -> float:
    """Return the distance between the modalities' means of unit vectors (0 closed, 2 opposite)."""
    return float(np.linalg.norm(_unit(visual).mean(0) - _unit(audio).mean(0)))


def reduce(rows: Rows, dims: int) -> Rows:
    """Return rows (N, D) in ``dims`` principal components, centred; zeros behind if there are few.

    How the paper brings image vectors to the size of audio vectors for its plots.
    """
    if rows.shape[1] <= dims:
        return np.pad(rows, ((0, 0), (0, dims - rows.shape[1])))
    centred = rows - rows.mean(0)
    _, _, axes = np.linalg.svd(centred, full_matrices=False)
    kept = centred @ axes[:dims].T
    return np.pad(kept, ((0, 0), (0, dims - kept.shape[1])))


def _unit(rows: Rows) -> Rows:
    lengths: Any = np.linalg.norm(rows, axis=-1, keepdims=True)
    return np.asarray(rows / np.maximum(lengths, 1e-12))
