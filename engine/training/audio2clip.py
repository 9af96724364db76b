"""Stage ``audio2clip``: from where a sound lies to where a picture of its source would (A.7.2)."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.cmss.translator import Translator
from engine.training.course import Course
from engine.training.data.batches import PairBatches
from engine.training.data.samples import Kind
from engine.training.held_out import parted
from engine.training.loop import At, Lesson, fit
from engine.training.losses import contrastive, cosine_distance
from engine.training.manifold import blur
from engine.training.mean_teacher import Numbers, held_pairs
from engine.training.settings import TranslatorSettings

PICTURED: tuple[Kind, ...] = ("clean", "curated", "translated")
"""Pairs whose image side lies where pictures lie; words as they are do not."""
SCALE = 14.0  # of the contrastive part


def train(course: Course, settings: TranslatorSettings) -> Numbers:
    """Train the stage, leave ``translated/`` in the work folder, and return what was measured."""
    table, plan, world = settings.audio2clip, settings.schedule, course.world
    whole = course.fetched("manifold").to(world.device)
    parts = parted(course.data, settings.run, PICTURED)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(course.seed)
        model = Translator(course.data.clap_dim, course.data.clip_dim, table.width)
    model.to(world.device)
    batches = PairBatches(parts.learned, plan.batch, course.seed, power=settings.run.balance)
    pairs = held_pairs(parts.held)

    def loss(at: At) -> Tensor:
        batch = batches[at.step]
        claps = blur(batch.claps, table.noise, at.generator)
        guessed = model(world.mine(claps))
        wanted = world.mine(batch.clips)
        scale = guessed.new_tensor(SCALE)
        contrast = contrastive(world.gather(guessed), batch.clips.to(world.device), scale)
        return cosine_distance(guessed, wanted) + table.contrast * contrast

    def validate(average: nn.Module) -> Mapping[str, float]:
        return measure(average, pairs)

    optimizer = torch.optim.AdamW(
        model.parameters(), plan.learning_rate, weight_decay=plan.weight_decay
    )
    lesson = Lesson(model, loss, [[optimizer]], validate)
    trained = fit(lesson, plan.schedule, course.place("audio2clip"), plan.watch)
    assert isinstance(trained, Translator)
    whole.translator = trained
    course.keep("audio2clip", whole)
    return {**measure(trained, pairs), "pairs": len(parts.learned.pairs)}


@torch.inference_mode()
def measure(model: nn.Module, pairs: tuple[Tensor, Tensor]) -> Numbers:
    """Return the mean cosine to the true place, and how often it is nearest (R@1, R@5)."""
    device = next(model.parameters()).device
    clips, claps = (side.to(device) for side in pairs)
    likeness = model(claps) @ functional.normalize(clips, dim=-1).T
    own = likeness.diagonal()
    place = (likeness > own.unsqueeze(1)).sum(1)
    cosine = float(own.mean())
    return {
        "loss": 1 - cosine,
        "cosine": cosine,
        "r_at_1": float((place < 1).float().mean()),
        "r_at_5": float((place < 5).float().mean()),
        "held": len(clips),
    }
