"""Stage ``autoencoder``: the mel codec from prepared sounds."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from engine.models.weights import load_network
from engine.perception.mel import MEL
from engine.synthesis.codec import CodecSettings, MelCodec
from engine.training.codec import CodecData, codec_loss, lesson, patches
from engine.training.course import Course
from engine.training.held_out import parted
from engine.training.loop import fit, generator_for
from engine.training.mean_teacher import Numbers
from engine.training.settings import AutoencoderSettings
from engine.training.sound_views import SoundView
from engine.training.weight_shapes import weight_shapes
from engine.training.world import World
from osc_bridge.errors import BadCheckpoint

HELD = 64
HELD_SEED = 7


def train(course: Course, settings: AutoencoderSettings) -> Numbers:
    """Train the stage, leave ``codec.safetensors``, and return what was measured."""
    plan, table, run = settings.schedule, settings.autoencoder, settings.run
    parts = parted(course.data, run, (), ("mel",))
    views = SoundView(parts.learned, run.balance), SoundView(parts.held, run.balance)
    learned, held = (CodecData(view.store, view.indices, view.weights) for view in views)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(course.seed)
        codec = MelCodec(CodecSettings(dims=table.dims, width=table.width))
    size = codec.settings.patch
    codec.fit(patches(learned.store, learned.indices, learned.weights, size, course.seed))
    codec.to(course.world.device)
    pictures = held.pictures(HELD, generator_for(HELD_SEED, 0)).to(course.world.device)

    def validate(average: nn.Module) -> Mapping[str, float]:
        return measure(_with(codec, average), pictures)

    optimizer = torch.optim.AdamW(
        codec.edges.parameters(), plan.learning_rate, weight_decay=plan.weight_decay
    )
    taught = replace(lesson(codec, learned, plan.batch, optimizer), validate=validate)
    trained = fit(taught, plan.schedule, course.place("autoencoder"), plan.watch)
    whole = _with(codec, trained).eval()
    numbers = measure(whole, pictures)
    course.keep_network("autoencoder", whole.cpu())
    return {**numbers, "sounds": len(learned.indices)}


def _with(codec: MelCodec, edges: nn.Module) -> MelCodec:
    """Return the codec with another network of its own; both share the linear part."""
    other = copy(codec)
    other._modules = {**codec._modules, "edges": edges}
    return other


@torch.no_grad()
def measure(codec: MelCodec, pictures: Tensor) -> Numbers:
    """Return the loss of held-out pictures (B, mels, T), and the mean error of each number."""
    loss = codec_loss(codec, pictures, generator_for(HELD_SEED, 1), World(device=pictures.device))
    linear = codec.decode_linear(codec.encode(pictures))
    return {
        "loss": float(loss),
        "linear_error": float((linear - pictures).abs().mean()),
        "held": len(pictures),
    }


def read_codec(path: Path) -> MelCodec:
    """Return the codec of these weights, on the CPU; sizes are what their shapes tell.

    FileMissing, BadCheckpoint.
    """
    shapes = weight_shapes(path, "autoencoder")
    basis, phase = shapes.get("basis"), shapes.get("edges.phase")
    if not basis or not phase or len(basis) != 2 or basis[1] % MEL.mels:
        raise BadCheckpoint(f"{path} holds no mel codec; give what the stage autoencoder left.")
    settings = CodecSettings(patch=basis[1] // MEL.mels, dims=basis[0], width=phase[0])
    return load_network(lambda: MelCodec(settings), path)
