"""Stage ``encoder``: an audio encoder from prepared sounds, their words and classes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.perception.audio import SEGMENT_FRAMES, AudioNetSettings
from engine.perception.mel import MEL
from engine.training.course import Course
from engine.training.encoder import AudioTextModel, EncoderData, centre, encoder_loss, lesson
from engine.training.held_out import Parts, parted
from engine.training.loop import fit
from engine.training.losses import similarities
from engine.training.mean_teacher import Numbers
from engine.training.settings import EncoderSettings
from engine.training.sound_views import SoundView
from osc_bridge.errors import BadPreset

BLOCKS = 4
GROUPS = 8  # of channels that the network normalises together
HELD = 256
AT_ONCE = 32


@dataclass(frozen=True)
class Held:
    """Held-out sounds: the middle 2 s of each (B, mels, T), ``texts`` (B, text_dim)."""

    pictures: Tensor
    frames: Tensor
    texts: Tensor
    classes: Tensor


def train(course: Course, settings: EncoderSettings) -> Numbers:
    """Train the stage, leave ``audio_net.safetensors``, and return what was measured."""
    plan, world, sizes = settings.schedule, course.world, sizes_of(settings)
    parts = parted(course.data, settings.run, ("words",), ("mel",))
    names = _class_names(parts)
    learned, held = (
        _data(SoundView(part, settings.run.balance), names) for part in (parts.learned, parts.held)
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(course.seed)
        model = AudioTextModel(sizes, course.data.clip_dim, max(1, len(names)))
    model.to(world.device)
    seen = _held(held)

    def validate(average: nn.Module) -> Mapping[str, float]:
        assert isinstance(average, AudioTextModel)
        return measure(average, seen)

    optimizer = torch.optim.AdamW(
        model.parameters(), plan.learning_rate, weight_decay=plan.weight_decay
    )
    taught = replace(lesson(model, learned, plan.batch, optimizer), validate=validate)
    trained = fit(taught, plan.schedule, course.place("encoder"), plan.watch)
    assert isinstance(trained, AudioTextModel)
    numbers = measure(trained, seen)
    net = trained.net.cpu()
    centre(net, learned.store, learned.indices)
    course.keep_network("encoder", net)
    return {**numbers, "sounds": len(learned.indices)}


def sizes_of(settings: EncoderSettings) -> AudioNetSettings:
    """Return the sizes of the network; BadPreset for a width that it cannot normalise."""
    table = settings.encoder
    if table.width % GROUPS:
        raise BadPreset(
            f"encoder.width is {table.width}; allowed are multiples of {GROUPS}: change it in the "
            "configuration."
        )
    return AudioNetSettings(tuple(table.width * 2**block for block in range(BLOCKS)), table.dim)


def _class_names(parts: Parts) -> list[str]:
    data = parts.learned.data
    rows = {*parts.learned.rows.tolist(), *parts.held.rows.tolist()}
    return sorted({data.facts(row).foley_class for row in rows} - {""})


def _data(view: SoundView, names: list[str]) -> EncoderData:
    return EncoderData(view.indices, view.store, view.clips(), view.classes(names), view.weights)


def _held(data: EncoderData) -> Held:
    """Return up to ``HELD`` sounds, evenly taken."""
    count = min(HELD, len(data.indices))
    rows = [place * len(data.indices) // count for place in range(count)]
    pictures = torch.full((count, SEGMENT_FRAMES, MEL.mels), MEL.log_floor)
    frames = torch.empty(count, dtype=torch.long)
    for place, row in enumerate(rows):
        whole = data.store.clip(row)
        first = max(0, len(whole) - SEGMENT_FRAMES) // 2
        piece = torch.from_numpy(whole[first : first + SEGMENT_FRAMES]).float()
        pictures[place, : len(piece)] = piece
        frames[place] = len(piece)
    return Held(pictures.transpose(1, 2), frames, data.texts[0, rows], data.classes[rows])


@torch.inference_mode()
def measure(model: AudioTextModel, held: Held) -> Numbers:
    """Return the loss, how often the class is named, and the words found (R@5)."""
    device = model.log_scale.device
    parts = [slice(first, first + AT_ONCE) for first in range(0, len(held.pictures), AT_ONCE)]
    embedding = torch.cat(
        [model.net(held.pictures[part].to(device), held.frames[part]) for part in parts]
    )
    texts, classes = held.texts.to(device), held.classes.to(device)
    likeness = similarities(model.to_text(embedding), texts)
    place = (likeness > likeness.diagonal().unsqueeze(1)).sum(1)
    named = model.to_class(functional.normalize(embedding, dim=-1)).argmax(1) == classes
    known = classes >= 0
    return {
        "loss": float(encoder_loss(model, embedding, texts, classes)),
        "class_named": float(named[known].float().mean()) if bool(known.any()) else 0.0,
        "words_r_at_5": float((place < 5).float().mean()),
        "held": len(texts),
    }
