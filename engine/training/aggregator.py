"""Stage ``aggregator``: the embeddings of 64 frames -> that of the whole sound (Eq. 10 to 12)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.cmss import SSV2A
from engine.cmss.temporal import Aggregator
from engine.training.course import Course
from engine.training.held_out import audible, parted_if_any
from engine.training.loop import At, Lesson, fit
from engine.training.losses import cosine_distance
from engine.training.manifold import quieten
from engine.training.mean_teacher import Numbers
from engine.training.scenes import Composer, drawing_weights, kind_at
from engine.training.settings import AggregatorSettings
from engine.training.timelines import Kind, RealVideos, Timelines, generations
from osc_bridge.errors import BadCorpus

HELD_VIDEOS = 48
HELD_SEED = 7

Seen = tuple[Tensor, Tensor]
"""Embeddings of frames (B, 64, clap_dim) and of the sound (B, clap_dim)."""


@dataclass(frozen=True)
class VideoData:
    """Kinds of videos with their shares to learn from, and what validates."""

    kinds: list[tuple[Kind, float]]
    held: list[Seen]


def train(course: Course, settings: AggregatorSettings) -> Numbers:
    """Train the stage, leave ``video/`` in the work folder, and return what was measured."""
    plan, world = settings.schedule, course.world
    model = course.fetched("remixer").to(world.device)
    data = video_data(course, settings, model)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(course.seed)
        aggregator = Aggregator(model.config.clap_dim).to(world.device)
    quieten(aggregator)
    weight = settings.videos.kl / model.config.clap_dim
    shares = [share for _, share in data.kinds]

    def loss(at: At) -> Tensor:
        frames, targets = _batch(model, data, shares, range(plan.batch)[world.rows(plan.batch)], at)
        fused = aggregator(frames)
        kl: Tensor = weight * fused.kl().mean()
        return cosine_distance(world.sample(fused, at.generator), targets) + kl

    def validate(average: nn.Module) -> Mapping[str, float]:
        assert isinstance(average, Aggregator)
        return measure(average, data.held)

    optimizer = torch.optim.AdamW(
        aggregator.parameters(), plan.learning_rate, weight_decay=plan.weight_decay
    )
    lesson = Lesson(aggregator, loss, [[optimizer]], validate)
    trained = fit(lesson, plan.schedule, course.place("aggregator"), plan.watch)
    assert isinstance(trained, Aggregator)
    model.aggregator = trained
    course.keep("aggregator", model)
    return measure(trained, data.held)


def _batch(model: SSV2A, data: VideoData, shares: list[float], places: range, at: At) -> Seen:
    """Return our rows of the batch of a step: each place of it has one kind of video."""
    size = len(places) * at.world.size
    frames, targets = [], []
    for place in places:
        kind = data.kinds[kind_at(place, size, shares)][0]
        seen = kind.videos([at.step * size + place])
        frames.append(generations(model, seen))
        targets.append(seen.targets.to(at.world.device))
    return torch.cat(frames), torch.cat(targets)


def video_data(course: Course, settings: AggregatorSettings, model: SSV2A) -> VideoData:
    """Return each kind of video that the data has and that is wanted; BadCorpus if none."""
    table, run = settings.videos, settings.run
    kinds: list[tuple[Kind, float]] = []
    held: list[Kind] = []
    if table.real:
        real = parted_if_any(course.data, run, (), ("clap", "frames"))
        if real is not None:
            kinds.append((RealVideos(real.learned, course.seed), table.real))
            held.append(RealVideos(real.held, HELD_SEED))
    sounds = audible(course.data, run) if table.composed else None
    if sounds is not None:
        ear = course.ear(table.pack, table.audio_encoder)
        learned, apart = (
            Composer(part, ear, drawing_weights(part, run.balance), table.most, 0.0, table.noise, s)
            for part, s in ((sounds.learned, course.seed), (sounds.held, HELD_SEED))
        )
        kinds.append((Timelines(learned, table.seconds), table.composed))
        held.append(Timelines(apart, table.seconds))
    if not kinds:
        raise BadCorpus(
            "The data has no video to learn from, and no sounds with mels to make "
            "some of; prepare them with wildtrack train data."
        )
    return VideoData(kinds, [_seen(model, kind) for kind in held])


def _seen(model: SSV2A, kind: Kind) -> Seen:
    """Return held-out videos: all of them where they are few."""
    count = HELD_VIDEOS
    if isinstance(kind, RealVideos):
        count = min(count, len(kind.selection.rows))
    videos = kind.videos(range(count))
    return generations(model, videos), videos.targets.to(model.logit_scale.device)


@torch.inference_mode()
def measure(aggregator: Aggregator, held: list[Seen]) -> Numbers:
    """Return the mean cosine to the truth, and that of the plain mean of the frames' embeddings."""
    fused, plain = [], []
    for frames, targets in held:
        fused.append(functional.cosine_similarity(aggregator(frames).mu, targets, dim=-1))
        plain.append(functional.cosine_similarity(frames.mean(1), targets, dim=-1))
    cosine = float(torch.cat(fused).mean())
    mean = float(torch.cat(plain).mean())
    return {"loss": 1 - cosine, "cosine": cosine, "mean_of_frames": mean}
