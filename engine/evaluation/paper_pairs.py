"""Pairs of the corpus as a pack sees and hears them: to teach the mapper, to look at the manifold.

Held-out pairs have a picture where the corpus has one for them (no picture stands for two sounds),
and words else; pairs to learn from have the words, and every picture that training may show.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize

from engine.audio import load_audio
from engine.evaluation.manifold_pairs import Embedded
from engine.evaluation.mapper import Mapper, MapperSettings, build_mapper
from engine.evaluation.paper_items import held_out_pictures
from engine.perception.frames import load_frame
from engine.steps import StepCallback
from engine.training import pictures as trained_pictures
from engine.training.corpus import Clip, Picture
from engine.training.loop import At, Lesson, Place, Schedule, fit
from engine.training.losses import cosine_distance
from engine.training.manifold import blur
from osc_bridge.errors import BadCorpus

if TYPE_CHECKING:
    from engine.models.loading import LoadedPack

BATCH = 128
RATE = 1e-3
NOISE = 0.25  # length of what is added to unit image vectors
WIDTH = 512


@dataclass(frozen=True)
class Pair:
    """A sound, its class, and what stands for it: a picture, or words where there is none."""

    audio: Path
    label: str
    text: str
    picture: Path | None = None


def held_pairs(clips: Sequence[Clip], pictures: Sequence[Picture]) -> list[Pair]:
    """Return the test split's sounds of a known class, each once."""
    cutouts = held_out_pictures(clips, pictures)
    own = {picture.name: picture.path for picture in cutouts}
    taken = {clip.image for clip in clips if clip.split == "test"}
    spare = defaultdict(list)
    for picture in cutouts:
        if picture.name not in taken:
            spare[picture.foley_class].append(picture.path)
    found, used = [], set()
    for clip in clips:
        if clip.split == "test" and clip.foley_class:
            mine = own.get(clip.image) if clip.image not in used else None
            used.add(clip.image)
            others = spare[clip.foley_class]
            shown = mine or (others.pop(0) if others else None)
            found.append(Pair(clip.path, clip.foley_class, clip.text, shown))
    return found


def taught_pairs(
    clips: Sequence[Clip], pictures: Sequence[Picture], count: int, seed: int
) -> list[Pair]:
    """Return ``count`` sounds that may shape weights, in words, and those with pictures again."""
    cutouts = trained_pictures.trainable(pictures, clips)
    chosen = [clip for clip in clips if clip.trainable and clip.foley_class]
    if not chosen:
        raise BadCorpus(
            "The corpus has no sound of a known class with a fit licence in its train split, a "
            "mapper has nothing to learn from: check foley_class and licence."
        )
    picker = random.Random(seed)  # noqa: S311 - a fair draw, not a secret
    chosen = picker.sample(chosen, min(count, len(chosen)))
    found = [Pair(clip.path, clip.foley_class, clip.text) for clip in chosen]
    for clip, own in zip(chosen, trained_pictures.matches(chosen, cutouts), strict=True):
        if own:
            path = cutouts[picker.choice(own)].path
            found.append(Pair(clip.path, clip.foley_class, clip.text, path))
    return found


def embed(pairs: Sequence[Pair], pack: LoadedPack, on_step: StepCallback) -> Embedded:
    """Return the pairs in the pack's spaces; every file is looked at and heard once."""
    seen: dict[Path | str, Tensor] = {}
    heard: dict[Path, Tensor] = {}
    for step, pair in enumerate(pairs, start=1):
        shown = pair.picture or pair.text
        if shown not in seen:
            seen[shown] = _seen(shown, pack)
        if pair.audio not in heard:
            heard[pair.audio] = _heard(pair.audio, pack)
        on_step(step, len(pairs))
    clips = torch.stack([seen[pair.picture or pair.text] for pair in pairs])
    claps = torch.stack([heard[pair.audio] for pair in pairs])
    return Embedded(
        clips=np.asarray(clips.numpy(), dtype=np.float64),
        claps=np.asarray(claps.numpy(), dtype=np.float64),
        labels=tuple(pair.label for pair in pairs),
        pictured=sum(pair.picture is not None for pair in pairs),
        distinct=len(seen),
    )


def taught_mapper(pairs: Embedded, steps: int, place: Place) -> Mapper:
    """Return a V2A-Mapper-like network of these pairs; a stopped training goes on."""
    clips, claps = (torch.from_numpy(rows).float() for rows in (pairs.clips, pairs.claps))
    mapper = build_mapper(MapperSettings(clips.shape[1], claps.shape[1], WIDTH), place.seed)

    def loss(at: At) -> Tensor:
        rows = torch.randint(len(claps), (BATCH,), generator=at.generator)
        seen = blur(normalize(clips[rows], dim=-1), NOISE, at.generator)
        return cosine_distance(mapper(seen), claps[rows])

    optimizer = torch.optim.AdamW(mapper.parameters(), RATE, weight_decay=0.02)
    schedule = Schedule(steps, warmup=min(50, steps), ema=0.99)
    trained = fit(Lesson(mapper, loss, [[optimizer]]), schedule, place)
    assert isinstance(trained, Mapper)
    place.checkpoint.unlink(missing_ok=True)
    return trained


def _seen(shown: Path | str, pack: LoadedPack) -> Tensor:
    if isinstance(shown, Path):
        return pack.images.encode([load_frame(shown)])[0].cpu()
    return pack.texts.encode([shown])[0].cpu()


def _heard(path: Path, pack: LoadedPack) -> Tensor:
    wave = load_audio(path.resolve(), pack.audio.sample_rate, [path.resolve().parent])
    return pack.audio.encode([wave])[0].cpu()
