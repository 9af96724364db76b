"""Videos for Temporal Aggregation: 64 frames each, and the sound of all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from engine.cmss import SSV2A
from engine.perception.audio import embed_picture
from engine.perception.mel import MEL
from engine.training.batches import draw, uniform, vary
from engine.training.data.batches import VideoBatches
from engine.training.data.prepared import Selection
from engine.training.loop import generator_for
from engine.training.manifold import blur
from engine.training.scenes import Composer, Scenes, drawn, tokens

FRAMES = 64
SEED_SHIFT = 57
AROUND = 0.1  # how long a source is in sight before and after it sounds, in parts of the whole


@dataclass(frozen=True)
class Videos:
    """``clips`` (B, 64, S, clip_dim): what is in sight; ``frames`` (B, 64, clip_dim): the picture.

    Zeros where there is nothing. ``targets`` (B, clap_dim).
    """

    clips: Tensor
    frames: Tensor
    targets: Tensor


@torch.no_grad()
def generations(model: SSV2A, videos: Videos) -> Tensor:
    """Return a_gen (B, 64, clap_dim) of every frame: the mean of what the Remixer gives."""
    count, frames, sources, dim = videos.clips.shape
    flat = videos.clips.reshape(count * frames, sources, dim)
    claps = flat.new_zeros(count * frames, sources, model.config.clap_dim)
    targets = claps[:, 0]
    scenes = Scenes(flat, claps, videos.frames.reshape(count * frames, dim), targets)
    device = model.logit_scale.device
    mixed = model.remixer(*tokens(model, scenes.to(device))).mu
    return functional.normalize(mixed, dim=-1).reshape(count, frames, -1)


@dataclass(frozen=True)
class RealVideos:
    """Videos of the data: each frame is the whole picture and the one source in it."""

    selection: Selection
    seed: int

    def videos(self, numbers: Sequence[int]) -> Videos:
        """Return the videos of these numbers, each once an epoch."""
        batches = VideoBatches(self.selection, 1, self.seed)
        parts = [batches[number] for number in numbers]
        frames = torch.cat([part.frames for part in parts])
        return Videos(frames.unsqueeze(2), frames, torch.cat([part.claps for part in parts]))


@dataclass(frozen=True)
class Timelines:
    """Made videos: sources that come, sound and go; the truth is the sound of their power sum.

    ``composer`` draws the sounds; ``seconds`` is the length of each video.
    """

    composer: Composer
    seconds: float

    def videos(self, numbers: Sequence[int]) -> Videos:
        """Return the videos of these numbers."""
        made = [self._one(number) for number in numbers]
        clips, frames, targets = (torch.stack(side) for side in zip(*made, strict=True))
        return Videos(clips, frames, targets)

    def _one(self, number: int) -> tuple[Tensor, Tensor, Tensor]:
        composer, data = self.composer, self.composer.selection.data
        generator = generator_for(composer.seed + SEED_SHIFT, number)
        length = round(self.seconds * MEL.sample_rate / MEL.hop)
        count = int(torch.randint(1, composer.most + 1, (), generator=generator))
        clips = torch.zeros(FRAMES, composer.most, data.clip_dim)
        power = torch.full((MEL.mels, length), 2 * MEL.log_floor).exp()
        for place, index in enumerate(draw(composer.weights, count, generator)):
            row, clip = drawn(composer.selection, index, generator)
            mel = vary(torch.from_numpy(data.array(row, "mel")[:length]).float(), generator)
            start = int(uniform(generator, 0, length - len(mel) + 1))
            power[:, start : start + len(mel)] += (2 * mel.T).exp()
            visible = _in_sight(start / length, (start + len(mel)) / length)
            views = blur(clip.expand(FRAMES, -1), composer.noise, generator)
            clips[:, place] = views * visible.unsqueeze(1)
        return clips, _whole(clips, composer.noise, generator), self._truth(power)

    def _truth(self, power: Tensor) -> Tensor:
        ear = self.composer.ear
        device = next(ear.parameters()).device
        with torch.inference_mode():
            embedding = embed_picture(ear, (power.log() / 2).to(device)).cpu()
        return embedding.clone()


def _in_sight(start: float, end: float) -> Tensor:
    """Return for each frame whether a source is in sight that sounds in this part of the whole."""
    time = (torch.arange(FRAMES) + 0.5) / FRAMES
    return (time >= start - AROUND) & (time <= end + AROUND)


def _whole(clips: Tensor, noise: float, generator: torch.Generator) -> Tensor:
    """Return the whole picture of each frame, near the mean of what is in sight; zeros without."""
    count = clips.any(dim=-1).sum(1, keepdim=True)
    mean = clips.sum(1) / count.clamp(min=1)
    near = blur(mean, noise, generator)
    return near * (count > 0)


Kind = RealVideos | Timelines
