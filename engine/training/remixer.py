"""Stage ``remixer``: scenes of one to five sounds -> the embedding of their sum (Eq. 9)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from engine.cmss import SSV2A
from engine.perception.audio import AudioNet
from engine.perception.mel import MEL
from engine.steps import StepCallback
from engine.training.batches import draw, uniform, windows
from engine.training.features import MelStore
from engine.training.loop import At, Lesson, Place, Schedule, fit
from engine.training.losses import cosine_distance
from engine.training.manifold import NOISE, Pairs, blur, image_side

SCENES = 24
MOST = 5
WINDOW = 172
HEARD = 0.25  # share of sources that come as audio


@dataclass(frozen=True)
class Scenes:
    """A batch: ``tokens`` (B, slots, manifold_dim), ``clips`` (B, slots, clip_dim), ``target``."""

    tokens: Tensor
    clips: Tensor
    target: Tensor


@dataclass(frozen=True)
class SceneData:
    """What scenes are composed of; ``indices`` are the pairs' places in the store."""

    pairs: Pairs
    indices: list[int]
    store: MelStore
    net: AudioNet


@torch.no_grad()
def compose(model: SSV2A, data: SceneData, generator: torch.Generator) -> Scenes:
    """Return scenes whose truth is exact: the embedding of the sounds' power sum.

    Slot 0 holds the whole frame (the mean of the visible sources) in half of the scenes.
    """
    config = model.config
    slots = config.remixer.slot
    tokens = torch.zeros(SCENES, slots, config.manifold_dim)
    clips = torch.zeros(SCENES, slots, config.clip_dim)
    power = torch.zeros(SCENES, MEL.mels, WINDOW)
    frames = torch.zeros(SCENES, dtype=torch.long)
    for scene in range(SCENES):
        count = int(torch.randint(1, MOST + 1, (), generator=generator))
        rows = draw(data.pairs.weights, count, generator)
        clips[scene, 1 : count + 1], heard = _sources(data, rows, generator)
        tokens[scene, 1 : count + 1] = _tokens(
            model, data, rows, clips[scene, 1 : count + 1], heard
        )
        if not heard.all() and uniform(generator, 0, 1) < 0.5:
            whole = clips[scene, 1 : count + 1][~heard].mean(0, keepdim=True)
            clips[scene, :1] = blur(whole, NOISE, generator)
            tokens[scene, :1] = model.clip_projector(clips[scene, :1]).mu
        pictures, lengths = windows(
            data.store, [data.indices[row] for row in rows], WINDOW, generator
        )
        power[scene] = (2 * pictures).exp().sum(0)
        frames[scene] = lengths.max()
    mixed = (power.log() / 2).clamp(min=MEL.log_floor)
    return Scenes(tokens, clips, functional.normalize(data.net(mixed, frames), dim=-1))


def _sources(data: SceneData, rows: list[int], generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Return image-space vectors, zero for sources that come as audio, and which those are."""
    heard = torch.rand(len(rows), generator=generator) < HEARD
    clips = blur(image_side(data.pairs, rows, generator), NOISE / 2, generator)
    return clips.masked_fill(heard.unsqueeze(1), 0.0), heard


def _tokens(model: SSV2A, data: SceneData, rows: list[int], clips: Tensor, heard: Tensor) -> Tensor:
    seen = model.clip_projector(clips).mu
    listened = model.clap_projector(data.pairs.claps[rows]).mu
    return torch.where(heard.unsqueeze(1), listened, seen)


def train(
    model: SSV2A,
    data: SceneData,
    schedule: Schedule,
    checkpoint: Path,
    on_step: StepCallback,
    seed: int,
) -> SSV2A:
    """Train the Remixer of ``model``, the manifold held; return the model in eval mode.

    Token dropout (the paper's classifier-free guidance) is the Remixer's own, in training mode.
    """
    model.eval()
    optimizer = torch.optim.AdamW(model.remixer.parameters(), lr=1e-3, weight_decay=0.02)
    weight = model.config.remixer.styler.kl_weight / model.config.clap_dim

    def loss(at: At) -> Tensor:
        generator = at.generator
        scenes = compose(model, data, generator)
        mixed = model.remixer(scenes.tokens, scenes.clips)
        kl: Tensor = weight * mixed.kl().mean()
        return cosine_distance(mixed.sample(generator), scenes.target) + kl

    lesson = Lesson(model.remixer, loss, [[optimizer]])
    trained = fit(lesson, schedule, Place(checkpoint, on_step, seed))
    model.remixer.load_state_dict(trained.state_dict())
    return model.eval()
