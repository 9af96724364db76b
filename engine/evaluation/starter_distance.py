"""Fréchet distance of generated sounds to held-out ones, over that of training sounds.

Equal numbers, equal classes: for each generated sound there is the held-out sound that it was asked
for, and one training sound of its class. The embedding is a judge's description in standard
deviations of the sounds that taught it, on their first principal components: with as many
dimensions as sounds, chance alone would be most of any distance and draw the ratio to 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from engine.evaluation.bootstrap import Bootstrap, Indices, Interval, around_statistic
from engine.evaluation.embedders import scaled_by
from engine.evaluation.frechet import Rows, distance, shrunk_gaussian
from engine.evaluation.starter_ears import Heard
from engine.steps import StepCallback, no_steps

DIMS = 64
DRAWS = 100
"""Of a bootstrap, at most: a draw of two distances takes about 10 ms."""


@dataclass(frozen=True)
class Space:
    """What the teachers span: their descriptions (N, D) and the first directions (D, dims)."""

    teachers: Rows
    directions: Rows

    def put(self, heard: Heard) -> Rows:
        """Return descriptions (N, D) in this space, (N, dims)."""
        return scaled_by(self.teachers, heard.astype(np.float64)) @ self.directions


@dataclass(frozen=True)
class Trio:
    """Embeddings (N, dims) of generated, held-out and training sounds, row by row one class."""

    generated: Rows
    real: Rows
    taught: Rows


def space_of(teachers: Heard) -> Space:
    """Return the space of the sounds that taught a judge, of at most ``DIMS`` dimensions."""
    rows = teachers.astype(np.float64)
    scaled = scaled_by(rows, rows)
    turned = np.linalg.svd(scaled - scaled.mean(axis=0), full_matrices=False)[2]
    return Space(rows, turned[:DIMS].T)


def figures(trio: Trio, how: Bootstrap, on_step: StepCallback = no_steps) -> dict[str, Any]:
    """Return both distances and their ratio with its interval; shrunk covariances."""
    return {
        "sounds": len(trio.generated),
        "dimensions": trio.real.shape[1],
        "generated": _apart(trio.generated, trio.real),
        "training": _apart(trio.taught, trio.real),
        "ratio": asdict(ratio(trio, how, on_step)),
    }


def ratio(trio: Trio, how: Bootstrap, on_step: StepCallback = no_steps) -> Interval:
    """Return the ratio and its interval by drawing each of the three sets anew."""

    def quotient(drawn: Sequence[Indices]) -> float:
        real = trio.real[drawn[1]]
        over = _apart(trio.taught[drawn[2]], real)
        return _apart(trio.generated[drawn[0]], real) / max(over, 1e-9)

    fewer = replace(how, draws=min(how.draws, DRAWS))
    return around_statistic(quotient, [len(trio.real)] * 3, fewer, on_step)


def _apart(one: Rows, other: Rows) -> float:
    return distance(shrunk_gaussian(one), shrunk_gaussian(other))
