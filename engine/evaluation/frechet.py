"""The Fréchet distance between two sets of sounds, each described as one Gaussian.

d^2 = |mu_1 - mu_2|^2 + tr(C_1) + tr(C_2) - 2 tr((C_1 C_2)^(1/2))  (Dowson and Landau, 1982; for
sounds Kilgour et al., 2019). A covariance is kept as a factor F with C = F^T F: then the last trace
is the sum of the singular values of F_1 F_2^T. No square root of a matrix is taken, so that sets
with fewer sounds than dimensions give the same number as any others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from osc_bridge.errors import OutOfRange

Rows = NDArray[np.float64]
LEAST_ROWS = 2
SIZES = 12  # sample sizes of the line that gives the value at infinity
DRAWS_EACH = 3
HALVES = 5


@dataclass(frozen=True)
class Gaussian:
    """A mean (D,) and a factor (R, D) of the covariance: C = factor^T factor."""

    mean: Rows
    factor: Rows

    @property
    def covariance(self) -> Rows:
        """The covariance (D, D)."""
        return self.factor.T @ self.factor


def sample_gaussian(rows: Rows) -> Gaussian:
    """Return mean and unbiased covariance of embeddings (N, D), N at least 2."""
    _check_rows(rows)
    mean = rows.mean(axis=0)
    centred = (rows - mean) / np.sqrt(len(rows) - 1)
    return Gaussian(mean, np.asarray(np.linalg.qr(centred, mode="r")))


def shrunk_gaussian(rows: Rows) -> Gaussian:
    """Return the Gaussian whose covariance is drawn towards a sphere of the same trace.

    Oracle approximating shrinkage (Chen, Wiesel, Eldar and Hero, 2010, eq. 23): steadier than the
    sample covariance where there are fewer sounds than dimensions.
    """
    plain = sample_gaussian(rows)
    count, dims = rows.shape
    part = shrinkage(plain.covariance, count)
    radius = np.sqrt(part * float((plain.factor**2).sum()) / dims)
    sphere = radius * np.eye(dims)
    return Gaussian(plain.mean, np.concatenate([np.sqrt(1 - part) * plain.factor, sphere]))


def shrinkage(covariance: Rows, count: int) -> float:
    """Return how far (0 to 1) a covariance (D, D) of ``count`` rows is drawn to a sphere."""
    dims = len(covariance)
    squares, trace = float((covariance**2).sum()), float(np.trace(covariance))
    above = (1 - 2 / dims) * squares + trace**2
    below = (count + 1 - 2 / dims) * (squares - trace**2 / dims)
    return 1.0 if below <= 0 else min(1.0, above / below)


def moments_gaussian(mean: Rows, covariance: Rows) -> Gaussian:
    """Return a Gaussian of given mean (D,) and covariance (D, D).

    What rounding has made asymmetric or negative is taken away.
    """
    values, vectors = np.linalg.eigh((covariance + covariance.T) / 2)
    return Gaussian(mean, np.sqrt(np.clip(values, 0, None))[:, None] * vectors.T)


def distance(first: Gaussian, second: Gaussian) -> float:
    """Return the squared Fréchet distance, which is what FAD and FID call theirs."""
    if len(first.mean) != len(second.mean):
        raise OutOfRange(
            f"The embeddings have {len(first.mean)} and {len(second.mean)} dimensions; "
            "both sets need the same: use one embedder."
        )
    apart = float(((first.mean - second.mean) ** 2).sum())
    spread = float((first.factor**2).sum() + (second.factor**2).sum())
    shared = float(np.linalg.svd(first.factor @ second.factor.T, compute_uv=False).sum())
    return max(0.0, apart + spread - 2 * shared)


def between(first: Rows, second: Rows) -> float:
    """Return the distance of two sets of embeddings (N, D), (M, D)."""
    return distance(sample_gaussian(first), sample_gaussian(second))


def at_infinity(sounds: Sequence[Rows], reference: Gaussian, seed: int) -> float:
    """Return the distance that endless sounds of this kind would have, by a line over 1 / N.

    The distance of few sounds is too large by about a constant over their number (Chong and
    Forsyth, 2020; for sounds Gui et al., 2024). ``sounds`` holds the rows of one sound each.
    """
    picker = np.random.default_rng(seed)
    least = max(LEAST_ROWS, len(sounds) // 4)
    sizes = np.unique(np.linspace(least, len(sounds), SIZES).astype(int))
    if len(sizes) < 2:
        return distance(sample_gaussian(np.concatenate(sounds)), reference)
    found = [
        np.mean(
            [
                distance(sample_gaussian(_some(sounds, picker, size)), reference)
                for _ in range(DRAWS_EACH)
            ]
        )
        for size in sizes
    ]
    return float(np.polyfit(1 / sizes, found, 1)[1])


def floor(sounds: Sequence[Rows], generated: int, seed: int) -> float:
    """Return what chance alone gives ``generated`` sounds drawn as these are.

    Measured between random halves of the set; the distance of two draws from one distribution
    goes, to first order, with 1 / N + 1 / M, which takes it from the halves to the whole.
    """
    picker = np.random.default_rng(seed)
    half = len(sounds) // 2
    found = []
    for _ in range(HALVES):
        order = picker.permutation(len(sounds))
        first, second = ([sounds[i] for i in part] for part in (order[:half], order[half:]))
        found.append(between(np.concatenate(first), np.concatenate(second)))
    measured = 1 / half + 1 / (len(sounds) - half)
    return float(np.mean(found)) * (1 / generated + 1 / len(sounds)) / measured


def _some(sounds: Sequence[Rows], picker: np.random.Generator, size: int) -> Rows:
    return np.concatenate([sounds[i] for i in picker.permutation(len(sounds))[:size]])


def _check_rows(rows: Rows) -> None:
    if rows.ndim != 2 or len(rows) < LEAST_ROWS:
        raise OutOfRange(
            f"A Fréchet distance needs at least {LEAST_ROWS} embeddings in each set, not "
            f"{len(rows)}: give more sounds."
        )
    if not np.isfinite(rows).all():
        raise OutOfRange("An embedding holds NaN or infinity; take out the sound it comes from.")
