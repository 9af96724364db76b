"""Stage ``decoder``: the generator, from prepared sounds, the codec and the manifold.

It learns to sound from each sound's own embedding, and from what the manifold says for its words
and pictures.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import nn

from engine.cmss import SSV2A
from engine.perception.mel import MEL
from engine.synthesis.codec import CodecSettings
from engine.synthesis.dit import DiT, DiTSettings
from engine.training.course import Course
from engine.training.data.samples import KINDS
from engine.training.generator import WINDOWS, Batch, GeneratorData, batch, flow_loss, lesson
from engine.training.held_out import parted
from engine.training.loop import fit, generator_for, muon_and_adamw
from engine.training.manifold import semantics
from engine.training.mean_teacher import Numbers
from engine.training.settings import DecoderSettings, DecoderTable
from engine.training.sound_views import SoundView
from engine.training.stage_autoencoder import read_codec
from engine.training.world import World
from osc_bridge.errors import BadPreset

HELD_SEED = 7


def train(course: Course, settings: DecoderSettings) -> Numbers:
    """Train the stage, leave ``generator.safetensors``, and return what was measured."""
    plan, world = settings.schedule, course.world
    codec = read_codec(course.result("autoencoder"))
    fold = course.fetched("remixer", "audio2clip", "manifold")
    parts = parted(course.data, settings.run, KINDS, ("clap", "mel"))
    learned, held = (
        _data(SoundView(part, settings.run.balance), fold) for part in (parts.learned, parts.held)
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(course.seed)
        model = DiT(sizes_of(settings.decoder, codec.settings, course.data.clap_dim))
    model.to(world.device)
    batches = [
        batch(held, codec, step, generator_for(HELD_SEED, step), plan.batch)
        for step in range(len(WINDOWS))
    ]

    def validate(average: nn.Module) -> Mapping[str, float]:
        assert isinstance(average, DiT)
        return measure(average, batches)

    optimizers = muon_and_adamw(model.blocks, model, plan.learning_rate)
    for group in (group for optimizer in optimizers for group in optimizer.param_groups):
        group["weight_decay"] = plan.weight_decay
    taught = replace(lesson(model, learned, codec, plan.batch, optimizers), validate=validate)
    trained = fit(taught, plan.schedule, course.place("decoder"), plan.watch)
    assert isinstance(trained, DiT)
    numbers = measure(trained, batches)
    course.keep_network("decoder", trained.cpu())
    return {**numbers, "sounds": len(learned.indices)}


def sizes_of(table: DecoderTable, codec: CodecSettings, condition: int) -> DiTSettings:
    """Return the sizes of the transformer; BadPreset where they do not fit each other."""
    if table.layers % 2:
        raise BadPreset(
            f"decoder.layers is {table.layers}; allowed are even numbers: change it in the "
            "configuration."
        )
    if table.width % (2 * table.heads):
        raise BadPreset(
            f"decoder.width is {table.width} with {table.heads} heads; allowed are multiples of "
            f"{2 * table.heads}: change width or heads in the configuration."
        )
    return DiTSettings(
        dims=codec.dims,
        condition=condition,
        width=table.width,
        layers=table.layers,
        heads=table.heads,
        expansion=table.expansion,
        frame_s=codec.patch * MEL.hop / MEL.sample_rate,
    )


def _data(view: SoundView, fold: SSV2A) -> GeneratorData:
    predicted = semantics(fold, view.clips())
    return GeneratorData(view.store, view.indices, view.claps(), predicted, view.weights)


@torch.no_grad()
def measure(model: DiT, batches: Sequence[Batch]) -> Numbers:
    """Return the mean loss over held-out batches, one for each window."""
    here = World(device=model.nothing.device)
    losses = [
        flow_loss(model, wanted, generator_for(HELD_SEED, step), here)
        for step, wanted in enumerate(batches)
    ]
    return {"loss": float(torch.stack(losses).mean()), "held": sum(len(b.a) for b in batches)}
