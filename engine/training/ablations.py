"""Small trainings of SSV2A that differ in one thing: the ablations of Tables 4 and 5.

All have the same sizes, steps, data and seeds. The manifold learns by the losses of Eq. 3 to 7
without a mean teacher; the Remixer by Eq. 9 on single sounds and on scenes, in equal parts.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor, nn

from engine.cmss import SSV2A, SSV2AConfig, build_ssv2a
from engine.cmss.remixer import Remixer
from engine.training.batches import draw
from engine.training.loop import At, Lesson, Place, Schedule, fit
from engine.training.losses import cosine_distance
from engine.training.manifold import blur, contrast_loss, fold, quieten, rebuild_loss
from engine.training.scenes import Scenes, tokens, whole_frame

Condition = Literal["CLIP only", "manifold only", "both"]
CONDITIONS: tuple[Condition, ...] = ("CLIP only", "manifold only", "both")

PICTURED = 0.35  # share of pairs whose image-space side is a picture, where there is one
NOISE = 0.25  # length of the noise on a unit vector
RECONSTRUCTION = 4.0  # weight of L_r
EMA = 0.99


@dataclass(frozen=True)
class Sounds:
    """N sounds and the image-space vectors that may stand for them.

    ``claps`` (N, clap_dim); ``clips`` (K, clip_dim) holds words and pictures of all, and
    ``read[i]`` and ``seen[i]`` list those rows of it that are words of sound i and pictures of it;
    either may be empty. ``kinds`` names classes ("" for none), ``weights`` (N,) how often each
    sound is drawn.
    """

    claps: Tensor
    clips: Tensor
    read: Sequence[Sequence[int]]
    seen: Sequence[Sequence[int]]
    kinds: Sequence[str]
    weights: Tensor


@dataclass(frozen=True)
class Together:
    """S scenes of several sounds: ``rows`` (S, most), -1 for none; ``targets`` (S, clap_dim)."""

    rows: Tensor
    targets: Tensor


@dataclass(frozen=True)
class AblationData:
    """Sounds and scenes that are learned from, others that are held out, and the model's sizes.

    In ``held`` a sound's words and pictures are its own alone: they ask for it.
    """

    sizes: SSV2AConfig
    learned: Sounds
    held: Sounds
    learned_scenes: Together
    held_scenes: Together


@dataclass(frozen=True)
class Budget:
    """What every variant gets, the same: steps, pairs and scenes a step, and the seeds."""

    fold_steps: int = 300
    remix_steps: int = 300
    pairs: int = 192
    scenes: int = 64
    rate: float = 1.5e-3
    seeds: tuple[int, ...] = (1, 2, 3)

    def schedule(self, steps: int) -> Schedule:
        """Return the learning-rate shape of a stage."""
        return Schedule(steps=steps, warmup=max(1, steps // 10), ema=EMA)


def train_fold(data: AblationData, alpha: float, budget: Budget, place: Place) -> SSV2A:
    """Return a model whose manifold and reconstructor learned under the mask of ``alpha``."""
    sizes = replace(data.sizes, manifold=replace(data.sizes.manifold, cr_weight=alpha))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(place.seed)
        model = build_ssv2a(sizes)
    quieten(model)
    parts = nn.ModuleList([model.manifold, model.generator])
    optimizer = torch.optim.AdamW(parts.parameters(), lr=budget.rate, weight_decay=0.02)
    sounds = data.learned

    def loss(at: At) -> Tensor:
        drawn = at.generator
        rows = draw(sounds.weights, budget.pairs, drawn)
        clips = blur(image_side(sounds, rows, drawn), NOISE, drawn)
        pairs = fold(model, clips, blur(sounds.claps[rows], NOISE, drawn), drawn)
        return contrast_loss(model, pairs) + rebuild_loss(model, pairs, RECONSTRUCTION, drawn)

    lesson = Lesson(model, loss, [[optimizer]])
    trained = fit(lesson, budget.schedule(budget.fold_steps), place)
    assert isinstance(trained, SSV2A)
    return trained


def train_remixer(
    model: SSV2A, data: AblationData, condition: Condition, budget: Budget, place: Place
) -> Remixer:
    """Return a Remixer that learned to mix what ``condition`` leaves of the tokens.

    The manifold of ``model`` is held, and its own Remixer stays as it is: every condition begins
    at the same weights.
    """
    remixer = deepcopy(model.remixer)
    optimizer = torch.optim.AdamW(remixer.parameters(), lr=budget.rate, weight_decay=0.02)
    weight = model.config.remixer.styler.kl_weight / model.config.clap_dim

    def loss(at: At) -> Tensor:
        scenes = drawn_scenes(data, budget.scenes, at.generator)
        mixed = remixer(*part_of(model, scenes, condition))
        kl: Tensor = weight * mixed.kl().mean()
        return cosine_distance(mixed.sample(at.generator), scenes.targets) + kl

    lesson = Lesson(remixer, loss, [[optimizer]])
    trained = fit(lesson, budget.schedule(budget.remix_steps), place)
    assert isinstance(trained, Remixer)
    return trained


def part_of(model: SSV2A, scenes: Scenes, condition: Condition) -> tuple[Tensor, Tensor, Tensor]:
    """Return the tokens of scenes with the half zero that the condition suppresses (Table 4)."""
    manifold, clips, counts = tokens(model, scenes)
    if condition == "CLIP only":
        return torch.zeros_like(manifold), clips, counts
    if condition == "manifold only":
        return manifold, torch.zeros_like(clips), counts
    return manifold, clips, counts


def image_side(sounds: Sounds, rows: Sequence[int], generator: torch.Generator) -> Tensor:
    """Return one image-space vector (B, clip_dim) for each sound: words or a picture of it."""
    chances = torch.rand(len(rows), 2, generator=generator).tolist()
    chosen = []
    for row, (kind, which) in zip(rows, chances, strict=True):
        read, seen = sounds.read[row], sounds.seen[row]
        options = seen if seen and (kind < PICTURED or not read) else read
        chosen.append(options[int(which * len(options))])
    return sounds.clips[chosen]


def drawn_scenes(data: AblationData, count: int, generator: torch.Generator) -> Scenes:
    """Return scenes to learn from: the first half are single sounds, the others composed."""
    together = data.learned_scenes
    rows = torch.full((count, together.rows.shape[1]), -1)
    alone = draw(data.learned.weights, count - count // 2, generator)
    rows[: len(alone), 0] = torch.tensor(alone)
    places = torch.randint(len(together.rows), (count // 2,), generator=generator)
    rows[len(alone) :] = together.rows[places]
    targets = torch.cat([data.learned.claps[alone], together.targets[places]])
    return seen_scenes(data.learned, Together(rows, targets), NOISE / 2, generator)


def seen_scenes(
    sounds: Sounds, together: Together, noise: float, generator: torch.Generator
) -> Scenes:
    """Return scenes whose sources are all seen or read, half of them with a whole picture."""
    there = together.rows >= 0
    clips = sounds.clips.new_zeros(*together.rows.shape, sounds.clips.shape[1])
    vectors = image_side(sounds, together.rows[there].tolist(), generator)
    clips[there] = blur(vectors, noise, generator)
    frames = torch.stack([whole_frame(each, noise, generator) for each in clips])
    claps = sounds.claps.new_zeros(*together.rows.shape, sounds.claps.shape[1])
    return Scenes(clips, claps, frames, together.targets)
