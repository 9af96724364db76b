"""Every measure of a set of generated sounds, as plain numbers for JSON and tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from engine.evaluation import frechet, labels, offsets, recognition
from engine.evaluation.bootstrap import Bootstrap, Indices, around_statistic, of_mean
from engine.evaluation.embedders import scaled_by
from engine.evaluation.hearing import Rows
from engine.steps import StepCallback

LEAST_OF_CLASS = 5
SUBSETS = 5

Sounds = Sequence[Rows]
"""The rows (R, D) that an embedder gave each sound."""


@dataclass(frozen=True)
class Sets:
    """Embeddings of generated, reference and, if given, training sounds."""

    generated: Sounds
    reference: Sounds
    training: Sounds = ()

    def scaled(self) -> Sets:
        """Return all in standard deviations of the reference."""
        base = np.concatenate(self.reference)

        def of(sounds: Sounds) -> list[Rows]:
            return [scaled_by(base, rows) for rows in sounds]

        return Sets(of(self.generated), of(self.reference), of(self.training))


def distances(sets: Sets, how: Bootstrap, on_step: StepCallback) -> dict[str, Any]:
    """Return the Fréchet distance with its interval, and what to read it against.

    ``floor`` is what chance gives as many sounds of the reference's own kind; ``training`` the
    distance of equally many training sounds to the reference, ``ratio`` the distance over it.
    """

    def between(drawn: Sequence[Indices]) -> float:
        ours, theirs = (
            np.concatenate([sounds[i] for i in rows])
            for sounds, rows in zip((sets.generated, sets.reference), drawn, strict=True)
        )
        return frechet.between(ours, theirs)

    sizes = len(sets.generated), len(sets.reference)
    found = around_statistic(between, sizes, how, on_step)
    reference = frechet.sample_gaussian(np.concatenate(sets.reference))
    result = {
        **asdict(found),
        "at_infinity": frechet.at_infinity(sets.generated, reference, how.seed),
        "floor": frechet.floor(sets.reference, sizes[0], how.seed) if sizes[1] >= 4 else None,
        "dimensions": sets.reference[0].shape[1],
        "rows": [sum(map(len, side)) for side in (sets.generated, sets.reference)],
    }
    if sets.training:
        trained = _trained(sets, reference, how.seed)
        result |= {"training": trained, "ratio": found.value / trained if trained > 0 else None}
    return result


def _trained(sets: Sets, reference: frechet.Gaussian, seed: int) -> float:
    """Return the mean distance of subsets of the training sounds, as many as were generated."""
    picker = np.random.default_rng(seed)
    count = min(len(sets.generated), len(sets.training))
    found = []
    for _ in range(SUBSETS):
        chosen = picker.permutation(len(sets.training))[:count]
        rows = np.concatenate([sets.training[i] for i in chosen])
        found.append(frechet.distance(frechet.sample_gaussian(rows), reference))
    return float(np.mean(found))


def class_distances(
    sets: Sets, generated: Sequence[str], reference: Sequence[str]
) -> dict[str, float]:
    """Return the distance within each class with at least 5 sounds on either side.

    So few sounds say little: covariances are shrunk, and only classes of like size compare.
    """
    found = {}
    for kind in sorted(set(generated) & set(reference) - {""}):
        ours = [rows for rows, of in zip(sets.generated, generated, strict=True) if of == kind]
        theirs = [rows for rows, of in zip(sets.reference, reference, strict=True) if of == kind]
        if min(len(ours), len(theirs)) >= LEAST_OF_CLASS:
            pair = (frechet.shrunk_gaussian(np.concatenate(side)) for side in (ours, theirs))
            found[kind] = frechet.distance(*pair)
    return found


def matching(
    true: Rows, heard: Rows, kinds: Sequence[str], count: int, how: Bootstrap
) -> dict[str, Any]:
    """Return SSMS from the label scores (N, C) of real and generated sounds, row by row a pair.

    ``of_labels`` is the paper's scale: F1 times the number of labels.
    """
    first, second = labels.top_labels(true, count), labels.top_labels(heard, count)
    matches = labels.match(first, second)
    f1 = of_mean(matches.f1, how)
    return {
        **asdict(f1),
        "of_labels": count * f1.value,
        "labels": count,
        "classes": true.shape[1],
        "wrong_pairs": labels.shuffled(first, second),
        "by_class": means_by(kinds, matches.f1),
    }


def naming(generated: recognition.Named, real: recognition.Named, how: Bootstrap) -> dict[str, Any]:
    """Return how often classes are named, generated and real, and the ratio of the two."""
    sides = {"generated": generated, "reference": real}
    shares = {side: recognition.shares(named, how) for side, named in sides.items()}
    result: dict[str, Any] = {
        side: {"sounds": len(sides[side].rows), **{top: asdict(i) for top, i in of.items()}}
        for side, of in shares.items()
    }
    for top in recognition.TOPS:
        found = recognition.ratio(generated, real, top, how)
        result[f"ratio_top_{top}"] = asdict(found) if found else None
    ours, theirs = (recognition.by_kind(named, 1) for named in (generated, real))
    result["by_class"] = {
        kind: {"generated": ours.get(kind), "reference": theirs.get(kind)}
        for kind in sorted({*ours, *theirs})
    }
    return result


def drifts(outputs: Mapping[str, offsets.Outputs], how: Bootstrap) -> dict[str, Any]:
    """Return WMAO, in seconds, for the top 1 and top 5 as the paper's Table 3."""
    tops = [
        top for top in offsets.PAPER_TOPS if all(len(o.offsets_s) >= top for o in outputs.values())
    ]
    return {
        "videos": len(outputs),
        **{
            f"top_{top}_s": asdict(
                of_mean([offsets.weighted_offset(of, top) for of in outputs.values()], how)
            )
            for top in tops
        },
    }


def means_by(kinds: Sequence[str], values: Rows) -> dict[str, float]:
    """Return the mean value of each class; sounds without one are left out."""
    of = np.array(kinds)
    return {kind: float(values[of == kind].mean()) for kind in sorted({*kinds} - {""})}
