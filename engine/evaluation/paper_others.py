"""Parts of ``wildtrack evaluate --paper`` beside the paper's generation: offsets, muting, bars."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from engine.evaluation.figures import drifts
from engine.evaluation.judge import Features, Judge
from engine.evaluation.labellers import Labeller
from engine.evaluation.muting import MuteBench, cases_of, mute_check
from engine.evaluation.offsets import read_outputs
from engine.evaluation.paper_bench import Bench
from engine.evaluation.paper_items import held_out_pictures
from engine.evaluation.paper_wish import MAX_RECORD_BYTES
from engine.models.pack import find_pack

MUTED_SCENES = 16
CARD_FIGURES = "figures.json"
NO_OFFSETS = (
    "needs videos with their sound, and Synchformer's outputs for what is generated for them; "
    "give those outputs with --offsets."
)


@dataclass(frozen=True)
class Probabilities:
    """A labeller as the estimator that a :class:`Judge` holds."""

    labeller: Labeller

    def predict_proba(self, features: Features) -> np.ndarray:
        """Return (N, C) for what was heard of N sounds (N, D)."""
        return self.labeller.score([row[None].astype(np.float64) for row in features])


def synchrony(bench: Bench) -> dict[str, Any]:
    """Return Table 3's measure of a user's own file of offsets."""
    if bench.wish.offsets is None:
        return {"why": NO_OFFSETS}
    return drifts(read_outputs(bench.wish.offsets), bench.wish.how)


def mute(bench: Bench) -> dict[str, Any]:
    """Return what muting one source does to the judge's probabilities of its class and others."""
    labeller = bench.listeners.labellers["judge"]
    shown = defaultdict(list)
    for picture in held_out_pictures(bench.clips, bench.pictures):
        if picture.foley_class in labeller.labels:
            shown[picture.foley_class].append(picture.path)
    cases = cases_of(labeller.labels, MUTED_SCENES, bench.wish.seed, shown)
    judge = Judge(labeller.labels, Probabilities(labeller))
    desk = MuteBench(bench.pack, judge)
    return mute_check(desk, cases, bench.wish.how, bench.stage("muting"))


def starter(bench: Bench) -> dict[str, Any]:
    """Return the bars of the pack's own model card, as it was measured there."""
    from engine.evaluation.bars import bars  # noqa: PLC0415

    path: Path = find_pack(bench.wish.pack) / CARD_FIGURES
    if not path.is_file() or path.stat().st_size > MAX_RECORD_BYTES:
        return {"why": "this pack has no figures of a model card."}
    try:
        found = bars(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, KeyError, TypeError, AttributeError):
        return {"why": "the figures of this pack's model card are not as this version writes them."}
    return {
        "bars": [
            {
                "bar": bar.what,
                "asked": f"{bar.side} {bar.bar:g}{bar.unit}",
                "measured": None if bar.measured is None else f"{bar.measured:.3g}{bar.unit}",
                "outcome": bar.outcome,
            }
            for bar in found
        ]
    }
