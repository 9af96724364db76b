"""Stage ``encoder``: the audio encoder, learned against the texts and classes of the sounds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import Optimizer

from engine.perception.audio import (
    SEGMENT_FRAMES,
    AudioNet,
    AudioNetSettings,
    segments,
)
from engine.training.batches import blurred, draw, windows
from engine.training.features import MelStore
from engine.training.loop import At, Lesson
from engine.training.losses import similarities, soft_contrastive

SHAPES = ((86, 2), (172, 1))  # (frames, clips in parts of a batch): equal work a step
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
    """Sounds with texts: ``texts`` (variants, N, text_dim); ``classes`` (N,), -1 for none;
    ``weights`` (N,) is how often each is drawn."""

    indices: Sequence[int]
    store: MelStore
    texts: Tensor
    classes: Tensor
    weights: Tensor


def lesson(model: AudioTextModel, data: EncoderData, batch: int, optimizer: Optimizer) -> Lesson:
    """Return what teaches the model; ``batch`` clips of the longest window a step."""

    def loss(at: At) -> Tensor:
        generator, world = at.generator, at.world
        window, parts = SHAPES[at.step % len(SHAPES)]
        rows = draw(data.weights, parts * batch, generator)
        pictures, frames = windows(
            data.store, [data.indices[row] for row in rows], window, generator
        )
        pictures = blurred(pictures, generator)
        variant = int(torch.randint(len(data.texts), (), generator=generator))
        embedding = world.gather(model.net(world.mine(pictures), world.mine(frames)))
        texts, classes = data.texts[variant, rows], data.classes[rows]
        return encoder_loss(model, embedding, texts.to(world.device), classes.to(world.device))

    return Lesson(model, loss, [[optimizer]])


def encoder_loss(
    model: AudioTextModel, embedding: Tensor, texts: Tensor, classes: Tensor
) -> Tensor:
    """Return the loss of embeddings (B, dim): against texts (B, text_dim), plus classes (B,).

    The one is contrastive, the other cross-entropy.
    """
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
