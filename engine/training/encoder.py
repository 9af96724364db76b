"""Stage ``encoder``: the audio encoder, learned against the texts and classes of the sounds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.perception.audio import (
    SEGMENT_FRAMES,
    AudioNet,
    AudioNetSettings,
    embed_picture,
    segments,
)
from engine.steps import StepCallback
from engine.training.batches import balance, draw, windows
from engine.training.corpus import Clip
from engine.training.features import MelStore
from engine.training.loop import At, Lesson, Place, Schedule, fit
from engine.training.losses import similarities, soft_contrastive

SHAPES = ((86, 72), (172, 36))  # (frames, clips a batch): equal work a step
TEXT_TEMPERATURE = 0.07


class AudioTextModel(nn.Module):
    """The encoder and the two heads that only training needs."""

    def __init__(self, settings: AudioNetSettings, text_dim: int, classes: int) -> None:
        super().__init__()
        self.net = AudioNet(settings)
        self.to_text = nn.Linear(settings.dim, text_dim)
        self.to_class = nn.Linear(settings.dim, classes)
        self.log_scale = nn.Parameter(torch.tensor(math.log(14.0)))


@dataclass(frozen=True)
class EncoderData:
    """Sounds with texts: ``texts`` (variants, N, text_dim); ``classes`` (N,), -1 for none."""

    clips: Sequence[Clip]
    indices: Sequence[int]
    store: MelStore
    texts: Tensor
    classes: Tensor


def train(
    data: EncoderData,
    settings: AudioNetSettings,
    schedule: Schedule,
    checkpoint: Path,
    on_step: StepCallback,
    seed: int,
) -> AudioNet:
    """Train the audio encoder and return it (the moving average), in eval mode."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = AudioTextModel(settings, data.texts.shape[-1], int(data.classes.max()) + 1)
        optimizer = torch.optim.AdamW(model.parameters(), lr=1.5e-3, weight_decay=0.05)
        weights = balance(data.clips)

        def loss(at: At) -> Tensor:
            generator = at.generator
            window, count = SHAPES[at.step % len(SHAPES)]
            rows = draw(weights, count, generator)
            pictures, frames = windows(
                data.store, [data.indices[row] for row in rows], window, generator
            )
            variant = int(torch.randint(len(data.texts), (), generator=generator))
            return encoder_loss(
                model, pictures, frames, data.texts[variant, rows], data.classes[rows]
            )

        lesson = Lesson(model, loss, [[optimizer]])
        trained = fit(lesson, schedule, Place(checkpoint, on_step, seed))
    assert isinstance(trained, AudioTextModel)
    return trained.net


def encoder_loss(
    model: AudioTextModel, pictures: Tensor, frames: Tensor, texts: Tensor, classes: Tensor
) -> Tensor:
    """Return the contrastive loss against texts (B, text_dim) plus the classes' cross-entropy."""
    embedding = model.net(pictures, frames)
    alike = (similarities(texts, texts) / TEXT_TEMPERATURE).softmax(dim=-1)
    scale = model.log_scale.exp().clamp(max=50.0)
    loss = soft_contrastive(model.to_text(embedding), texts, scale, alike)
    if bool((classes >= 0).any()):
        loss = loss + functional.cross_entropy(
            model.to_class(functional.normalize(embedding, dim=-1) * 12.0),
            classes,
            ignore_index=-1,
            label_smoothing=0.1,
        )
    return loss


@torch.no_grad()
def centre(net: AudioNet, store: MelStore, indices: Sequence[int]) -> None:
    """Shift the output so that the training sounds' mean direction is zero.

    A common part of all embeddings would hide differences from every cosine that follows.
    """
    total = torch.zeros(net.settings.dim)
    for index in indices:
        picture = torch.from_numpy(store.clip(index)[:SEGMENT_FRAMES].T.copy()).float()
        total += net(*segments(picture))[0]
    last = net.head[-1]
    assert isinstance(last, nn.Linear)
    last.bias.sub_(total / len(indices))


@torch.inference_mode()
def embed_all(net: AudioNet, store: MelStore, on_step: StepCallback) -> Tensor:
    """Return the unit embedding of every clip of the store, (N, dim)."""
    rows = []
    for index in range(len(store)):
        picture = torch.from_numpy(store.clip(index).T.copy()).float()
        rows.append(embed_picture(net, picture))
        on_step(index + 1, len(store))
    return torch.stack(rows)
