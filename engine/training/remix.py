"""Stage ``remixer``: tokens of a scene's sources -> the embedding of its sound (Sec. 3.3, Eq. 9).

Sources that come as sound have as second half what ``audio2clip`` makes of them, where that stage
was trained before; what this gains is measured at the end.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.cmss import SSV2A
from engine.cmss.layers import AttentionLayer
from engine.cmss.remixer import Remixer, Styler
from engine.perception.audio import AudioNet
from engine.training.course import Course
from engine.training.data.prepared import Selection
from engine.training.held_out import Parts, audible, parted_if_any
from engine.training.loop import At, Lesson, fit
from engine.training.losses import cosine_distance
from engine.training.manifold import quieten
from engine.training.mean_teacher import Numbers
from engine.training.pasted import pasted_scenes
from engine.training.scenes import (
    Composer,
    Frames,
    Kind,
    Mixture,
    Pasted,
    Scenes,
    drawing_weights,
    joined,
    tokens,
)
from engine.training.settings import RemixerSettings, SceneTable
from osc_bridge.errors import BadCorpus

HELD_SCENES = 128
HELD_SEED = 7


@dataclass(frozen=True)
class SceneData:
    """What is learned from, and scenes that validate; ``heard`` are those with sounds alone."""

    learned: Mixture
    held: Scenes
    heard: Scenes | None


def train(course: Course, settings: RemixerSettings) -> Numbers:
    """Train the stage, leave ``mixed/`` in the work folder, and return what was measured."""
    plan, table, world = settings.schedule, settings.scenes, course.world
    model = course.fetched("audio2clip", "manifold").to(world.device)
    data = scene_data(course, settings)
    weight = table.kl / model.config.clap_dim
    learned = begin(model.remixer.styler)

    def loss(at: At) -> Tensor:
        scenes = data.learned.scenes(at.step, world.rows(plan.batch)).to(world.device)
        mixed = model.remixer(*tokens(model, scenes))
        kl: Tensor = weight * mixed.kl().mean()
        return cosine_distance(world.sample(mixed, at.generator), scenes.targets) + kl

    def validate(average: nn.Module) -> Mapping[str, float]:
        assert isinstance(average, Remixer)
        return measure(model, average, data)

    optimizer = torch.optim.AdamW(learned, plan.learning_rate, weight_decay=plan.weight_decay)
    lesson = Lesson(model.remixer, loss, [[optimizer]], validate)
    trained = fit(lesson, plan.schedule, course.place("remixer"), plan.watch)
    model.remixer.load_state_dict(trained.state_dict())
    model.eval()
    course.keep("remixer", model)
    return measure(model, model.remixer, data)


def begin(styler: Styler) -> list[nn.Parameter]:
    """Let samples begin near their means and empty slots add nothing; return what is learned.

    An empty slot is the bias of the input projection, which LayerNorm makes as large as a source:
    some sixty of them drown the few sources, and a short training finds none. Where that bias is
    zero, so is an empty slot's value. Hence it stays zero; all else is learned.
    """
    quieten(styler)
    first = styler.style_encoder.encoder[0]
    assert isinstance(first, AttentionLayer)
    for bias in (styler.in_proj.bias, first.esa.value.bias):
        nn.init.zeros_(bias)
    return [each for each in styler.parameters() if each is not styler.in_proj.bias]


def scene_data(course: Course, settings: RemixerSettings) -> SceneData:
    """Return each kind of scene that the data has and that is wanted; BadCorpus if none."""
    table, run, seed = settings.scenes, settings.run, course.seed
    kinds: list[tuple[Kind, float]] = []
    held: list[Scenes] = []
    heard = None
    if table.real:
        frames = parted_if_any(course.data, run, (), ("clap", "sources", "frame"))
        if frames is not None:
            kinds.append((Frames(frames.learned, table.most, seed), table.real))
            count = min(HELD_SCENES, len(frames.held.rows))
            held.append(Frames(frames.held, table.most, HELD_SEED).scenes(range(count)))
    sounds = audible(course.data, run)
    if sounds is not None and table.composed + table.pasted:
        made, composer = _made(course, settings, sounds)
        kinds += made
        held.append(composer.scenes(range(HELD_SCENES)))
        heard = replace(composer, heard=1.0).scenes(range(HELD_SCENES))
    if not kinds or not held:
        raise BadCorpus(
            "The data has no scene to learn from: frames with detected things, or "
            "sounds with mels; prepare them with wildtrack train data."
        )
    mixture = Mixture(
        [kind for kind, _ in kinds], [share for _, share in kinds], settings.schedule.batch
    )
    return SceneData(mixture, joined(held), heard)


def _made(
    course: Course, settings: RemixerSettings, sounds: Parts
) -> tuple[list[tuple[Kind, float]], Composer]:
    """Return the made kinds of scenes with their shares, and the composer of held-out ones."""
    table, seed = settings.scenes, course.seed
    ear = course.ear(table.pack, table.audio_encoder)
    composer = _composer(sounds.learned, ear, table, settings.run.balance, seed)
    kinds: list[tuple[Kind, float]] = [(composer, table.composed)] if table.composed else []
    if table.pasted and course.folders.corpus is not None:
        made = pasted_scenes(course, composer, table.pasted_scenes)
        kinds.append((Pasted(made, table.heard, seed), table.pasted))
    return kinds, _composer(sounds.held, ear, table, settings.run.balance, HELD_SEED)


def _composer(
    selection: Selection, ear: AudioNet, table: SceneTable, balance: float, seed: int
) -> Composer:
    weights = drawing_weights(selection, balance)
    return Composer(selection, ear, weights, table.most, table.heard, table.noise, seed)


@torch.inference_mode()
def measure(model: SSV2A, remixer: Remixer, data: SceneData) -> Numbers:
    """Return the mean cosine of a_mix's mean to the truth of held-out scenes.

    ``heard`` is that of scenes whose sources all come as sound, ``heard_as_zeros`` the same without
    what ``audio2clip`` adds: their difference is what it gains.
    """
    numbers = {"cosine": likeness(model, remixer, data.held), "held": len(data.held.frames)}
    if data.heard is not None:
        numbers["heard"] = likeness(model, remixer, data.heard)
        if model.translator is not None:
            numbers["heard_as_zeros"] = likeness(model, remixer, data.heard, False)
    return {"loss": 1 - numbers["cosine"], **numbers}


def likeness(model: SSV2A, remixer: Remixer, scenes: Scenes, is_translating: bool = True) -> float:
    """Return the mean cosine similarity of what is mixed to what sounds."""
    here = scenes.to(model.logit_scale.device)
    mixed = remixer(*tokens(model, here, is_translating)).mu
    return float(functional.cosine_similarity(mixed, here.targets, dim=-1).mean())
