"""Composition against cascade (A.6) in numbers: interaction, context and style awareness.

The paper lets one listen to an example of each. Here several scenes of each kind are rendered by
both methods and heard by an encoder: how near is the result to the whole ("footsteps on gravel"),
and how near to the source that it has least of? A cascade cannot lack a source, so it should win
the second; composition is worth its name if it wins the first without losing the second by much.
``pulse`` is how regular the onsets are: players who hear each other keep one beat.

Scenes are in words, or frames of prepared data in which several things were found; for those the
whole is the real sound.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import normalize

from engine.audio import resample
from engine.cmss import SourceEmbedding, source_semantics
from engine.evaluation.baselines import (
    Cascaded,
    Composed,
    Condition,
    Method,
    Sound,
    Studio,
)
from engine.evaluation.conditions import Draw, prepared_conditions
from engine.perception.mel import MEL, log_mel
from engine.steps import StepCallback
from engine.training.data.prepared import PreparedData
from osc_bridge.errors import BadCorpus, FileMissing

KINDS = ("interaction", "context", "style")
FRAME = "frame"
ORDER = (*KINDS, FRAME)
MEASURES = ("whole", "least", "pulse")
LEAST_SOURCES = 2
SLOWEST_S, FASTEST_S = 1.5, 0.2  # between beats


@dataclass(frozen=True)
class Composition:
    """Sources in words, and words for what they are together; of a frame, names for them."""

    kind: str
    sources: tuple[str, ...]
    whole: str


SCENES = (
    Composition("interaction", ("drum", "bass guitar"), "drum and bass guitar playing together"),
    Composition("interaction", ("piano", "violin"), "a duet of piano and violin"),
    Composition("interaction", ("footsteps", "gravel"), "footsteps on gravel"),
    Composition("interaction", ("hammer", "metal"), "a hammer hitting metal"),
    Composition("context", ("a man talking", "police siren"), "a police officer on duty"),
    Composition("context", ("dog barking", "rain"), "a dog barking outside in the rain"),
    Composition("context", ("car engine", "crowd"), "a car race in front of a crowd"),
    Composition("context", ("bird", "water"), "birds at a river"),
    Composition("style", ("speech", "large hall"), "a speech in a large reverberant hall"),
    Composition("style", ("bell", "far away"), "a bell far away"),
    Composition("style", ("explosion", "under water"), "an explosion under water"),
    Composition("style", ("door", "old and creaking"), "an old creaking door"),
)


@dataclass(frozen=True)
class Heard:
    """One rendering, measured: similarities from -1 to 1, pulse from 0 to 1."""

    composition: Composition
    method: str
    seed: int
    whole: float
    least: float
    pulse: float


def read_compositions(path: Path) -> list[Composition]:
    """Return scenes of a table with columns kind, sources (``|`` between them) and whole."""
    if not path.is_file():
        raise FileMissing(f"There is no table of scenes at {path}.")
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    if not rows or not {"kind", "sources", "whole"} <= set(rows[0]):
        raise BadCorpus(f"{path} needs the columns kind, sources and whole.")
    found = []
    for line, row in enumerate(rows, start=2):
        sources = tuple(part.strip() for part in (row["sources"] or "").split("|") if part.strip())
        if row["kind"] not in KINDS or len(sources) < 2 or not row["whole"]:
            raise BadCorpus(
                f"{path}, line {line}: kind is one of {', '.join(KINDS)}, sources are at least "
                "two with | between them, and whole says what they are together."
            )
        found.append(Composition(row["kind"], sources, row["whole"]))
    return found


@dataclass(frozen=True, eq=False)
class Scene:
    """A composition as methods get it; ``wanted`` (1 + S, clap_dim): the whole, each source."""

    composition: Composition
    condition: Condition
    wanted: Tensor


def worded(studio: Studio, compositions: Sequence[Composition], seconds: float) -> list[Scene]:
    """Return scenes of words: what they ask for is where the pack hears those words."""
    pack = studio.pack
    found = []
    for number, each in enumerate(compositions, start=1):
        rows = pack.texts.encode([each.whole, *each.sources])
        wanted = source_semantics(pack.ssv2a, [SourceEmbedding("clip", row) for row in rows])
        condition = Condition(f"scene {number}", seconds, texts=each.sources)
        found.append(Scene(each, condition, wanted))
    return found


def framed(studio: Studio, data: PreparedData, draw: Draw, seconds: float) -> list[Scene]:
    """Return scenes of the drawn frames with several sources; BadCorpus if there is none."""
    rows = draw.rows(data, lambda row: _is_scene(data, row))
    if not rows:
        raise BadCorpus(
            f"{data.folder} has no sound of the split {draw.split!r} with a picture in which two "
            "things were found; choose another --split, or leave --data out."
        )
    found = []
    for condition in prepared_conditions(studio, data, rows, seconds):
        seen = studio.perceive(condition)
        assert seen.real is not None
        names = tuple(f"source {place}" for place in range(1, len(seen.sources) + 1))
        alone = source_semantics(studio.pack.ssv2a, seen.sources)
        wanted = torch.cat([normalize(seen.real.to(alone), dim=-1).unsqueeze(0), alone])
        found.append(Scene(Composition(FRAME, names, condition.item), condition, wanted))
    return found


def _is_scene(data: PreparedData, row: int) -> bool:
    return (
        data.has(row, "clap")
        and data.has(row, "sources")
        and len(data.array(row, "sources")) >= LEAST_SOURCES
    )


@dataclass(frozen=True, eq=False)
class Ear:
    """What the measures are taken with: the pack's own audio encoder and words in audio space.

    ``kept`` is given every sound, to be looked at.
    """

    studio: Studio
    kept: Callable[[Composition, str, int, Sound], None] = lambda *_: None

    def hear(self, scene: Scene, method: str, seed: int, sound: Sound) -> Heard:
        """Return the measures of one rendering."""
        self.kept(scene.composition, method, seed, sound)
        encoder = self.studio.pack.audio
        wave = resampled(sound, encoder.sample_rate)
        near = (scene.wanted @ encoder.encode([wave])[0].to(scene.wanted)).tolist()
        beat = pulse(resampled(sound, MEL.sample_rate))
        return Heard(scene.composition, method, seed, near[0], min(near[1:]), beat)


def both_ways(studio: Studio) -> dict[str, Method]:
    """Return the two methods that are compared; the first is the one to beat."""
    return {"cascade": Cascaded(studio), "ssv2a": Composed(studio)}


def resampled(sound: Sound, rate_hz: int) -> NDArray[np.float32]:
    """Return the wave at another rate."""
    samples = round(len(sound.wave) * rate_hz / sound.rate_hz)
    return resample(sound.wave, sound.rate_hz, rate_hz, samples)


def pulse(wave: NDArray[np.float32]) -> float:
    """Return how regular the onsets of a wave at the front end's rate are: 0 not at all, 1 wholly.

    The highest autocorrelation of the rise of energy, 0.2 to 1.5 s apart.
    """
    picture = log_mel(torch.from_numpy(wave)).numpy()
    rises = np.maximum(np.diff(picture, axis=1), 0).mean(0)
    centred = rises - rises.mean() if len(rises) else rises
    energy = float(np.square(centred).sum())
    frames_per_s = picture.shape[1] / max(len(wave) / MEL.sample_rate, 1e-9)
    lags = range(round(FASTEST_S * frames_per_s), round(SLOWEST_S * frames_per_s) + 1)
    found = [
        float(centred[lag:] @ centred[:-lag]) / energy
        for lag in lags
        if lag < len(centred) // 2 and energy > 0
    ]
    return max([0.0, *found])


def compare(
    compositions: Sequence[Composition],
    methods: Mapping[str, Method],
    ear: Ear,
    seconds: float,
    seeds: Sequence[int],
    on_step: StepCallback,
) -> list[Heard]:
    """Do as :func:`compare_scenes` with scenes in words."""
    scenes = worded(ear.studio, compositions, seconds)
    return compare_scenes(scenes, methods, ear, seeds, on_step)


def compare_scenes(
    scenes: Sequence[Scene],
    methods: Mapping[str, Method],
    ear: Ear,
    seeds: Sequence[int],
    on_step: StepCallback,
) -> list[Heard]:
    """Render every scene by every method with every seed, and hear the results."""
    found = []
    of = len(scenes) * len(methods) * len(seeds)
    for scene in scenes:
        for name, method in methods.items():
            for seed in seeds:
                found.append(ear.hear(scene, name, seed, method.sound(scene.condition, seed)))
                on_step(len(found), of)
    return found


@dataclass(frozen=True)
class Average:
    """A kind of scene and a method: means, and the scenes in which it beats the first method."""

    kind: str
    method: str
    means: Mapping[str, float]
    wins: Mapping[str, int]
    scenes: int


def averages(heard: Sequence[Heard]) -> list[Average]:
    """Return means by kind and method, and wins over the first method, scene by scene and seed."""
    methods = list(dict.fromkeys(row.method for row in heard))
    kinds = [kind for kind in ORDER if any(row.composition.kind == kind for row in heard)]
    found = []
    for kind in kinds:
        rows = [row for row in heard if row.composition.kind == kind]
        first = [row for row in rows if row.method == methods[0]]
        for method in methods:
            own = [row for row in rows if row.method == method]
            found.append(
                Average(
                    kind,
                    method,
                    {m: float(np.mean([getattr(row, m) for row in own])) for m in MEASURES},
                    {
                        m: sum(
                            getattr(a, m) > getattr(b, m) for a, b in zip(own, first, strict=True)
                        )
                        for m in MEASURES
                    },
                    len(own),
                )
            )
    return found
