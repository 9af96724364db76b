"""The manifold analysis of A.3 in numbers with spread: several draws of pairs from the test split.

The paper looks at one draw of 20 pairs from each of 16 classes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from engine.evaluation import paper
from engine.evaluation.bootstrap import Interval
from engine.evaluation.manifold_analysis import SPACES, TESTED, project
from engine.evaluation.manifold_numbers import Rows, discriminant, gap, partition
from engine.evaluation.paper_bench import Bench
from engine.evaluation.paper_pairs import embed, held_pairs

LEAST = 5  # pairs of a class: fewer have no variance to speak of
LEAST_CLASSES = 2
Sides = dict[str, tuple[Rows, Rows]]
Numbers = dict[str, dict[str, float]]


def manifold(bench: Bench) -> dict[str, Any]:
    """Return every measure of every space: mean over the draws, and where 95 % of them lie."""
    pairs = held_pairs(bench.clips, bench.pictures)
    counts = Counter(pair.label for pair in pairs)
    classes = [name for name, count in counts.most_common(paper.CLASSES) if count >= LEAST]
    if len(classes) < LEAST_CLASSES:
        return {"why": f"fewer than {LEAST_CLASSES} classes have {LEAST} held-out pairs."}
    chosen = [pair for pair in pairs if pair.label in classes]
    embedded = embed(chosen, bench.pack, bench.stage("held-out pairs"))
    sides = project(bench.pack.ssv2a, embedded)
    labels = np.array([classes.index(label) for label in embedded.labels])
    on_step, draws = bench.stage("manifold"), bench.wish.scale.draws
    found = []
    for draw in range(draws):
        found.append(_drawn(sides, labels, np.random.default_rng([bench.wish.seed, draw])))
        on_step(draw + 1, draws)
    return {
        "pairs": len(chosen),
        "classes": len(classes),
        "pictured": embedded.pictured,
        "distinct": embedded.distinct,
        "draws": draws,
        "each": paper.PER_CLASS,
        "spaces": {space: _spread([numbers[space] for numbers in found]) for space in SPACES},
    }


def _drawn(sides: Sides, labels: np.ndarray, picker: np.random.Generator) -> Numbers:
    """Return the measures of each space for one draw of pairs."""
    rows = _rows(labels, picker)
    tested = picker.permutation(int(labels.max()) + 1)[:TESTED]
    return {space: _measured(*sides[space], labels, rows, tested) for space in SPACES}


def _measured(
    visual: Rows, audio: Rows, labels: np.ndarray, rows: np.ndarray, tested: np.ndarray
) -> dict[str, float]:
    of = labels[rows]
    both = np.concatenate([visual[rows], audio[rows]])
    clusters = partition(both, np.concatenate([of, of]))
    places = [rows[of == kind] for kind in tested]
    tests = [discriminant(visual[place], audio[place]) for place in places]
    return {
        "gap": gap(visual[rows], audio[rows]),
        "partition": clusters.coefficient,
        "contrast": clusters.contrast,
        "misclassified": float(np.mean([test.misclassified for test in tests])),
        "held_out": float(np.mean([test.held_out for test in tests])),
        "entropy_r2": float(np.mean([test.entropy_r2 for test in tests])),
        "minus_2_ll": float(np.mean([test.minus_2_ll for test in tests])),
    }


def _rows(labels: np.ndarray, picker: np.random.Generator) -> np.ndarray:
    """Return up to 20 places of each class."""
    places = [np.flatnonzero(labels == kind) for kind in np.unique(labels)]
    return np.concatenate(
        [np.sort(picker.permutation(place)[: paper.PER_CLASS]) for place in places]
    )


def _spread(numbers: Sequence[dict[str, float]]) -> dict[str, dict[str, float]]:
    found = {}
    for name in numbers[0]:
        values = [each[name] for each in numbers]
        low, high = np.percentile(values, (2.5, 97.5))
        found[name] = asdict(Interval(float(np.mean(values)), float(low), float(high)))
    return found
