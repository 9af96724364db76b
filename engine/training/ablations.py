"""Small trainings of SSV2A that differ in one thing: the ablations of Tables 4 and 5.

All have the same sizes, steps, data and seeds. The manifold learns by the losses of Eq. 3 to 7
without a mean teacher; the Remixer by Eq. 9 on single sounds and on scenes, in equal parts. Two
more Remixers learn with sources that come as sound (A.7.2): their CLIP half is zero, as published,
or what a translator makes of them.
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
from engine.cmss.translator import Translator
from engine.training.batches import draw
from engine.training.loop import At, Lesson, Place, Schedule, fit
from engine.training.losses import contrastive, cosine_distance
from engine.training.manifold import (
    blur,
    contrast_loss,
    fold,
    quieten,
    rebuild_loss,
)
from engine.training.scenes import Scenes, tokens, whole_frame

Condition = Literal["CLIP only", "manifold only", "both", "heard as zeros", "heard translated"]
CONDITIONS: tuple[Condition, ...] = ("CLIP only", "manifold only", "both")
HEARD: tuple[Condition, ...] = ("heard as zeros", "heard translated")

PICTURED = 0.35  # share of pairs whose image-space side is a picture, where there is one
NOISE = 0.25  # length of the noise on a unit vector
RECONSTRUCTION = 4.0  # weight of L_r
HEARD_SHARE = 0.25  # of the sources, where some come as sound
CONTRAST, SCALE = 0.1, 14.0  # weight and scale of the translator's contrastive part
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
    """What every variant gets, the same: steps, pairs and scenes a step, rates and the seeds.

    ``slots`` are the Remixer's. Among 64, as packs have, a few sources weigh so little at first
    that no short training finds them; 8 hold the scenes here.
    """

    fold_steps: int = 240
    remix_steps: int = 200
    pairs: int = 128
    scenes: int = 64
    slots: int = 8
    fold_rate: float = 1.5e-3
    remix_rate: float = 3e-3
    seeds: tuple[int, ...] = (1, 2)

    def schedule(self, steps: int) -> Schedule:
        """Return the learning-rate shape of a stage."""
        return Schedule(steps=steps, warmup=max(1, steps // 10), ema=EMA)


def train_fold(data: AblationData, alpha: float, budget: Budget, place: Place) -> SSV2A:
    """Return a model whose manifold and reconstructor learned under the mask of ``alpha``."""
    sizes = replace(
        data.sizes,
        manifold=replace(data.sizes.manifold, cr_weight=alpha),
        remixer=replace(data.sizes.remixer, slot=budget.slots),
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(place.seed)
        model = build_ssv2a(sizes)
    quieten(model.clip_projector, model.clap_projector, model.reconstructor)
    parts = nn.ModuleList([model.manifold, model.generator])
    optimizer = torch.optim.AdamW(parts.parameters(), lr=budget.fold_rate, weight_decay=0.02)
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
    share = HEARD_SHARE if condition in HEARD else 0.0
    remixer = deepcopy(model.remixer)
    quieten(remixer.styler)
    optimizer = torch.optim.AdamW(remixer.parameters(), lr=budget.remix_rate, weight_decay=0.02)
    weight = model.config.remixer.styler.kl_weight / model.config.clap_dim

    def loss(at: At) -> Tensor:
        scenes = drawn_scenes(data, budget.scenes, share, at.generator)
        mixed = remixer(*part_of(model, scenes, condition))
        kl: Tensor = weight * mixed.kl().mean()
        return cosine_distance(mixed.sample(at.generator), scenes.targets) + kl

    lesson = Lesson(remixer, loss, [[optimizer]])
    trained = fit(lesson, budget.schedule(budget.remix_steps), place)
    assert isinstance(trained, Remixer)
    return trained


def train_translator(data: AblationData, budget: Budget, place: Place) -> Translator:
    """Return a network from where a sound lies to where its words or pictures do."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(place.seed)
        model = Translator(data.sizes.clap_dim, data.sizes.clip_dim, 2 * data.sizes.manifold_dim)
    optimizer = torch.optim.AdamW(model.parameters(), lr=budget.fold_rate, weight_decay=0.02)
    sounds = data.learned

    def loss(at: At) -> Tensor:
        rows = draw(sounds.weights, budget.pairs, at.generator)
        wanted = image_side(sounds, rows, at.generator)
        guessed = model(blur(sounds.claps[rows], NOISE, at.generator))
        contrast = contrastive(guessed, wanted, guessed.new_tensor(SCALE))
        return cosine_distance(guessed, wanted) + CONTRAST * contrast

    lesson = Lesson(model, loss, [[optimizer]])
    trained = fit(lesson, budget.schedule(budget.remix_steps), place)
    assert isinstance(trained, Translator)
    return trained


def part_of(model: SSV2A, scenes: Scenes, condition: Condition) -> tuple[Tensor, Tensor, Tensor]:
    """Return the tokens of scenes with the half zero that the condition suppresses."""
    manifold, clips, counts = tokens(model, scenes, condition != "heard as zeros")
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


def drawn_scenes(
    data: AblationData, count: int, share: float, generator: torch.Generator
) -> Scenes:
    """Return scenes to learn from: the first half are single sounds, the others composed.

    About ``share`` of their sources come as sound.
    """
    together = data.learned_scenes
    rows = torch.full((count, together.rows.shape[1]), -1)
    alone = draw(data.learned.weights, count - count // 2, generator)
    rows[: len(alone), 0] = torch.tensor(alone)
    places = torch.randint(len(together.rows), (count // 2,), generator=generator)
    rows[len(alone) :] = together.rows[places]
    targets = torch.cat([data.learned.claps[alone], together.targets[places]])
    heard = torch.rand(rows.shape, generator=generator) < share
    return scenes_of(data.learned, Together(rows, targets), heard, NOISE / 2, generator)


def scenes_of(
    sounds: Sounds, together: Together, heard: Tensor, noise: float, generator: torch.Generator
) -> Scenes:
    """Return scenes with those sources as sound that ``heard`` (S, most) says, the others seen.

    Half of those with something to see have a whole picture.
    """
    there = together.rows >= 0
    seen, heard = there & ~heard, there & heard
    clips = sounds.clips.new_zeros(*there.shape, sounds.clips.shape[1])
    claps = sounds.claps.new_zeros(*there.shape, sounds.claps.shape[1])
    if bool(seen.any()):
        vectors = image_side(sounds, together.rows[seen].tolist(), generator)
        clips[seen] = blur(vectors, noise, generator)
    claps[heard] = sounds.claps[together.rows[heard]]
    frames = torch.stack([whole_frame(each, noise, generator) for each in clips])
    return Scenes(clips, claps, frames, together.targets)
