"""Does a pack copy? How near its sounds come to training sounds, beside how near real ones do.

Two measures: codec tokens (:mod:`engine.evaluation.copies`), aligned at the start, which see the
very sound; and a judge's description, which sees a sound of the same make wherever it starts. In
both, near is what is nearer than the 1st percentile of the distances from held-out real sounds to
their nearest training sounds.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from engine.evaluation import copies
from engine.evaluation.bootstrap import Bootstrap, of_mean
from engine.evaluation.copies import Index
from engine.evaluation.frechet import Rows
from engine.evaluation.rendering import Renderer
from engine.evaluation.starter_draw import SEED
from engine.evaluation.workers import in_parallel
from engine.perception.mel import log_mel
from engine.steps import StepCallback
from engine.synthesis.codec import MelCodec
from engine.training.features import read_wave
from engine.training.stages import Run

PERCENTILE = 1.0
PLANTED = 100
SHOWN = 5
Distances = NDArray[np.float64]


@dataclass(frozen=True)
class Near:
    """Of each sound: the row of its nearest training sound, and the distance to it."""

    rows: NDArray[np.int64]
    distances: Distances


def training_index(run: Run, codec: MelCodec) -> Index:
    """Return the tokens of every sound that shaped the weights."""
    return copies.build(
        codec, [torch.from_numpy(run.store.clip(row).T.copy()).float() for row in run.chosen]
    )


def near_tokens(
    index: Index, codec: MelCodec, paths: Sequence[Path], on_step: StepCallback
) -> Near:
    """Return the nearest training sounds by codec tokens."""

    def tokens(path: Path) -> tuple[torch.Tensor, int]:
        return copies.tokens_of(codec, log_mel(torch.from_numpy(read_wave(path))))

    found = in_parallel(tokens, paths, on_step)
    asked = Index(torch.stack([row[0] for row in found]), torch.tensor([row[1] for row in found]))
    return Near(*copies.nearest_of_all(index, asked))


def near_rows(training: Rows, asked: Rows) -> Near:
    """Return the nearest training sounds (N, D) of descriptions (M, D), by Euclidean distance."""
    squares = (training**2).sum(1) + (asked**2).sum(1)[:, None] - 2 * asked @ training.T
    rows = squares.argmin(axis=1)
    return Near(rows, np.sqrt(np.clip(squares[np.arange(len(rows)), rows], 0, None)))


def planted(run: Run, renderer: Renderer, index: Index, on_step: StepCallback) -> Distances:
    """Return how near training sounds come through codec and vocoder, at another level."""
    picker = random.Random(SEED)  # noqa: S311 - a fair draw, not a secret
    chosen = picker.sample(run.chosen, min(PLANTED, len(run.chosen)))
    jobs = [(number, row, picker.uniform(0.5, 1.0)) for number, row in enumerate(chosen)]

    def distance(job: tuple[int, int, float]) -> float:
        number, row, level = job
        wave = renderer.through_codec(read_wave(run.clips[row].path) * np.float32(level), number)
        return copies.nearest(index, renderer.codec, wave)[1]

    return np.array(in_parallel(distance, jobs, on_step))


def figures(generated: Near, real: Near, how: Bootstrap) -> dict[str, Any]:
    """Return medians, the 1st percentile of real to real, and the share of outputs below it."""
    limit = float(np.percentile(real.distances, PERCENTILE))
    return {
        "generated": len(generated.distances),
        "real": len(real.distances),
        "generated_median": float(np.median(generated.distances)),
        "real_median": float(np.median(real.distances)),
        "threshold": limit,
        "below": asdict(of_mean((generated.distances < limit).astype(np.float64), how)),
    }


def closest(generated: Near, names: Sequence[str], training: Sequence[str]) -> list[list[Any]]:
    """Return the outputs nearest of all: name, training sound and distance."""
    order = generated.distances.argsort(kind="stable")[:SHOWN]
    return [
        [names[row], training[int(generated.rows[row])], float(generated.distances[row])]
        for row in order
    ]
