"""Generated sounds against real ones: hear all once, pair them, and take every measure asked for.

What cannot be measured is named with the reason, never left out in silence.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from engine.evaluation import clip_score, figures, nearness, recognition
from engine.evaluation.bootstrap import of_mean
from engine.evaluation.embedders import read_embeddings
from engine.evaluation.folders import pictures_for, pictures_of
from engine.evaluation.hearing import Heard
from engine.evaluation.labellers import Labeller
from engine.evaluation.material import Listeners, Material, Stage, hear, listeners_for
from engine.evaluation.offsets import read_outputs
from engine.evaluation.wish import Wish
from osc_bridge.errors import OutOfRange

NO_PAIRS = "No generated sound has the name of a reference sound; give their pairs with --pairs."


def evaluate(wish: Wish, stage: Stage) -> dict[str, Any]:
    """Return every figure; ``stage`` names a part of the work and may stop it by its callback."""
    skipped: dict[str, str] = {}
    given = {
        ours.name: figures.Sets(read_embeddings(ours), read_embeddings(theirs))
        for ours, theirs in wish.embeddings
    }
    drifts = read_outputs(wish.offsets) if wish.offsets else None
    listeners = listeners_for(wish, stage)
    material = hear(wish, listeners, stage)
    found = {
        "settings": _settings(wish),
        **_counts(wish, material),
        "frechet": {
            **_frechet(wish, listeners, material, stage),
            **{
                name: figures.distances(sets, wish.how, stage(f"distance by {name}"))
                for name, sets in given.items()
            },
        },
        "labels": _labels(wish, listeners, material, skipped),
        "pictures": _pictures(wish, listeners, material, stage, skipped),
        "offsets": figures.drifts(drifts, wish.how) if drifts else None,
        "copies": _copies(wish, material, stage),
        "skipped": skipped,
    }
    _say_what_was_not_asked(wish, skipped)
    plain: dict[str, Any] = _plain(found)
    return plain


def _frechet(wish: Wish, listeners: Listeners, material: Material, stage: Stage) -> dict[str, Any]:
    found = {}
    for probe in listeners.embedders:
        name = probe.name
        sets = figures.Sets(
            material.generated.rows[name],
            material.reference.rows[name],
            material.training.rows[name] if material.training else (),
        )
        sets = sets.scaled() if probe.is_scaled else sets
        found[name] = figures.distances(sets, wish.how, stage(f"distance by {name}"))
        kinds = material.generated_kinds(), material.reference_kinds()
        found[name]["by_class"] = figures.class_distances(sets, *kinds)
    return found


def _labels(
    wish: Wish, listeners: Listeners, material: Material, skipped: dict[str, str]
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, taught in listeners.taught.items():
        labeller = taught.labeller
        sides = (material.generated, material.reference)
        heard = [labeller.score(side.rows[labeller.probe.name]) for side in sides]
        found[name] = {
            "taught_by": taught.sounds,
            "bad": [asdict(bad) for bad in taught.bad],
            "ssms": _ssms(wish, material, heard, f"ssms by {name}", skipped),
            "recognition": _recognition(wish, taught.labeller, material, heard, skipped),
        }
    return found


def _ssms(
    wish: Wish, material: Material, heard: Sequence[Any], what: str, skipped: dict[str, str]
) -> dict[str, Any] | None:
    if not material.rows:
        skipped[what] = NO_PAIRS
        return None
    ours, theirs = zip(*material.rows, strict=True)
    try:
        return figures.matching(
            heard[1][list(theirs)], heard[0][list(ours)], material.kinds, wish.labels, wish.how
        )
    except OutOfRange as error:
        skipped[what] = str(error)
        return None


def _recognition(
    wish: Wish,
    labeller: Labeller,
    material: Material,
    heard: Sequence[Any],
    skipped: dict[str, str],
) -> dict[str, Any] | None:
    kinds = material.generated_kinds(), material.reference_kinds()
    named = [
        recognition.name_all(scores, labeller.labels, of)
        for scores, of in zip(heard, kinds, strict=True)
    ]
    if not all(side.rows for side in named):
        skipped[f"recognition by {labeller.probe.name}"] = (
            "No generated or no reference sound has a class that the labeller knows; put sounds "
            "into a sub-folder for each class, or give a column class with --pairs."
        )
        return None
    return figures.naming(named[0], named[1], wish.how)


def _pictures(
    wish: Wish, listeners: Listeners, material: Material, stage: Stage, skipped: dict[str, str]
) -> dict[str, Any] | None:
    space = listeners.space
    if not wish.pictures or not space:
        return None
    known = pictures_of(wish.pictures)
    given = {pair.generated: pair.pictures for pair in material.pairs}
    paths = [
        _seen(sound.name, given.get(sound.name, ()), known) for sound in material.generated.sounds
    ]
    seen, bad = clip_score.look(space, paths, stage("pictures"))
    rows = [row for row, pictures in enumerate(seen) if len(pictures)]
    if not rows:
        skipped["clip score"] = "No picture has the name of a generated sound (NAME or NAME_1)."
        return None
    heard = material.generated.firsts(clip_score.PROBE)[rows]
    looks = [seen[row] for row in rows]
    scores = clip_score.scores(heard, looks)
    kinds = [material.generated_kinds()[row] for row in rows]
    return {
        "space": space.name,
        "sounds": len(rows),
        **asdict(of_mean(scores, wish.how)),
        "wrong_pairs": clip_score.wrong_pairs(heard, looks),
        "reference": _real_score(material, rows, looks),
        "by_class": figures.means_by(kinds, scores),
        "bad": [asdict(one) for one in bad],
    }


def _seen(name: str, given: Sequence[str], known: dict[str, Any]) -> list[Any]:
    """Return the pictures that the table gives a sound, else those of its name."""
    stems = {str(path.name): path for path in known.values()}
    if given:
        return [found for text in given if (found := known.get(text) or stems.get(text))]
    return pictures_for(name, known)


def _real_score(material: Material, rows: Sequence[int], looks: Sequence[Any]) -> float | None:
    """Return the mean score of the real sounds against the same pictures."""
    partner = dict(material.rows)
    chosen = [(partner[row], of) for row, of in zip(rows, looks, strict=True) if row in partner]
    if not chosen:
        return None
    heard = material.reference.firsts(clip_score.PROBE)[[row for row, _ in chosen]]
    return float(clip_score.scores(heard, [of for _, of in chosen]).mean())


def _copies(wish: Wish, material: Material, stage: Stage) -> dict[str, Any] | None:
    if not material.training:
        return None
    heard = material.generated, material.reference, material.training
    return asdict(nearness.measure(*heard, wish.how, stage("nearest training sounds")))


def _settings(wish: Wish) -> dict[str, Any]:
    return {"pack": wish.pack, **asdict(wish.how)}


def _counts(wish: Wish, material: Material) -> dict[str, Any]:
    paired = {pair.generated for pair in material.pairs}
    alone = [s.name for s in material.generated.sounds if s.name not in paired]
    counts = {
        "generated": _side(str(wish.generated), material.generated),
        "reference": _side(str(wish.reference), material.reference),
        "pairs": {"count": len(material.rows), "unpaired": alone, "missing": material.missing},
    }
    if material.training:
        counts["training"] = _side(str(wish.training), material.training)
    return counts


def _side(folder: str, heard: Heard) -> dict[str, Any]:
    return {"folder": folder, "sounds": len(heard.sounds), "bad": [asdict(b) for b in heard.bad]}


def _say_what_was_not_asked(wish: Wish, skipped: dict[str, str]) -> None:
    wanted = {
        "labels": (wish.teach or wish.beats, "Give sounds of known class with --teach."),
        "clip score": (wish.pictures, "Give the pictures of the sounds with --pictures."),
        "copies": (wish.training, "Give the generator's training sounds with --training."),
        "offsets": (wish.offsets, "Give Synchformer's outputs with --offsets."),
    }
    skipped |= {what: cure for what, (given, cure) in wanted.items() if not given}


def _plain(value: Any) -> Any:
    """Return the value as JSON can hold it: NaN and infinity are None, tuples are lists."""
    if isinstance(value, dict):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, float | np.floating):
        return float(value) if math.isfinite(value) else None
    return int(value) if isinstance(value, np.integer) else value
