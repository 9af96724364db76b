"""Scenes for the Remixer: real frames, sounds added up, and cut-outs pasted on backgrounds.

Each scene is drawn by (seed, its number) alone. What sounds together in a made scene is known
exactly: its truth is the audio embedding of the sounds' power sum.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from engine.cmss import SSV2A
from engine.perception.audio import AudioNet
from engine.perception.mel import MEL
from engine.training.batches import crop, draw, uniform, vary
from engine.training.data.batches import SceneBatches
from engine.training.data.prepared import Selection
from engine.training.loop import generator_for
from engine.training.manifold import blur

WINDOW = 172  # frames of a made scene: 2 s


@dataclass(frozen=True)
class Scenes:
    """A batch of B scenes with at most S sources.

    ``clips`` (B, S, clip_dim) and ``claps`` (B, S, clap_dim): a source that is seen has the one, a
    source that is heard the other, zeros elsewhere. ``frames`` (B, clip_dim): the whole picture, or
    zeros. ``targets`` (B, clap_dim): the sound of all.
    """

    clips: Tensor
    claps: Tensor
    frames: Tensor
    targets: Tensor

    def rows(self, places: slice | Sequence[int]) -> Scenes:
        """Return some of the scenes."""
        return Scenes(*(side[places] for side in self._sides))

    def to(self, device: torch.device) -> Scenes:
        """Return the scenes on a device."""
        return Scenes(*(side.to(device) for side in self._sides))

    @property
    def _sides(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        return self.clips, self.claps, self.frames, self.targets


def joined(parts: Sequence[Scenes]) -> Scenes:
    """Return all scenes as one batch."""
    return Scenes(
        clips=torch.cat([part.clips for part in parts]),
        claps=torch.cat([part.claps for part in parts]),
        frames=torch.cat([part.frames for part in parts]),
        targets=torch.cat([part.targets for part in parts]),
    )


@torch.no_grad()
def tokens(
    model: SSV2A, scenes: Scenes, is_translating: bool = True
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the Remixer's tokens (B, S + 2, ...) of both halves, and how often each stands.

    The first is the whole frame, the last stands for all slots that are empty (Sec. 3.3).
    """
    empty = torch.zeros_like(scenes.frames).unsqueeze(1)
    clips = torch.cat([scenes.frames.unsqueeze(1), scenes.clips, empty], dim=1)
    manifold = clips.new_zeros(*clips.shape[:2], model.config.manifold_dim)
    seen, heard = clips.any(dim=-1), functional.pad(scenes.claps.any(dim=-1), (1, 1))
    manifold[seen] = model.clip_projector(clips[seen]).mu.to(manifold.dtype)
    if bool(heard.any()):
        claps = scenes.claps[heard[:, 1:-1]]
        manifold[heard] = model.clap_projector(claps).mu.to(manifold.dtype)
        if model.translator is not None and is_translating:
            clips = clips.clone()
            clips[heard] = model.translator(claps).to(clips.dtype)
    counts = clips.new_ones(clips.shape[1])
    counts[-1] = max(0, model.config.remixer.slot - (clips.shape[1] - 1))
    return manifold, clips, counts


@dataclass(frozen=True)
class Composer:
    """Made scenes of one to ``most`` sounds of a selection that has mels.

    ``heard`` is the share of sources that come as sound, ``noise`` the length of what is added to
    image-space vectors, ``weights`` (R,) how often each sample is drawn.
    """

    selection: Selection
    ear: AudioNet
    weights: Tensor
    most: int
    heard: float
    noise: float
    seed: int

    def scenes(self, numbers: Sequence[int]) -> Scenes:
        """Return the scenes of these numbers."""
        sides = [self._one(number) for number in numbers]
        clips, claps, frames, power, lengths = (
            torch.stack(side) for side in zip(*sides, strict=True)
        )
        return Scenes(clips, claps, frames, self.truth(power, lengths))

    @torch.no_grad()
    def truth(self, power: Tensor, lengths: Tensor) -> Tensor:
        """Return the embeddings (B, clap_dim) of sounds of this power (B, mels, T)."""
        device = next(self.ear.parameters()).device
        mels = (power.log() / 2).clamp(min=MEL.log_floor).to(device)
        return functional.normalize(self.ear(mels, lengths), dim=-1).cpu()

    def _one(self, number: int) -> tuple[Tensor, ...]:
        generator = generator_for(self.seed, number)
        data, most = self.selection.data, self.most
        count = int(torch.randint(1, most + 1, (), generator=generator))
        clips, claps = torch.zeros(most, data.clip_dim), torch.zeros(most, data.clap_dim)
        power = torch.zeros(MEL.mels, WINDOW)
        longest = 1
        for place, index in enumerate(draw(self.weights, count, generator)):
            row, clip = drawn(self.selection, index, generator)
            if uniform(generator, 0, 1) < self.heard:
                claps[place] = torch.from_numpy(data.array(row, "clap"))
            else:
                clips[place] = blur(clip, self.noise, generator)
            picture = vary(crop(data.array(row, "mel"), WINDOW, generator), generator)
            power[:, : len(picture)] += (2 * picture.T).exp()
            longest = max(longest, len(picture))
        floor = torch.tensor(2 * MEL.log_floor).exp()
        frame = whole_frame(clips, self.noise, generator)
        return clips, claps, frame, power.clamp(min=float(floor)), torch.tensor(longest)


def drawn(selection: Selection, index: int, generator: torch.Generator) -> tuple[int, Tensor]:
    """Return the row of sample ``index`` of a selection, and one of its image sides (clip_dim,)."""
    first, last = (int(end) for end in selection.starts[index : index + 2])
    row, view = selection.pairs[first + int(uniform(generator, 0, last - first))].tolist()
    return row, torch.from_numpy(selection.data.array(row, "clip")[view])


def drawing_weights(selection: Selection, power: float) -> Tensor:
    """Return how often each sample (R,) is drawn: a class of n about n^(1 - power) times."""
    sizes = Counter(selection.groups)
    return torch.tensor([sizes[group] ** -power for group in selection.groups], dtype=torch.float64)


def whole_frame(clips: Tensor, noise: float, generator: torch.Generator) -> Tensor:
    """Return the whole picture of what is visible in ``clips`` (S, clip_dim), in half of the cases.

    It is near the mean of what is in it; zeros where nothing is visible.
    """
    visible = clips[clips.any(dim=-1)]
    if not len(visible) or uniform(generator, 0, 1) < 0.5:
        return torch.zeros(clips.shape[1])
    return blur(visible.mean(0, keepdim=True), 2 * noise, generator)[0]


@dataclass(frozen=True)
class Frames:
    """Real frames with what was detected in them; the sources are all seen."""

    selection: Selection
    most: int
    seed: int

    def scenes(self, numbers: Sequence[int]) -> Scenes:
        """Return the scenes of these numbers, each sample once an epoch."""
        batches = SceneBatches(self.selection, 1, self.seed)
        parts = [batches[number] for number in numbers]
        clips = torch.cat([part.sources for part in parts])[:, : self.most]
        claps = torch.zeros(*clips.shape[:2], self.selection.data.clap_dim)
        frames, targets = (
            torch.cat([getattr(part, name) for part in parts]) for name in ("frames", "claps")
        )
        return Scenes(clips, claps, frames, targets)


@dataclass(frozen=True)
class Pasted:
    """Scenes that were made once (:mod:`engine.training.pasted`); each source may be heard."""

    made: Scenes
    heard: float
    seed: int

    def scenes(self, numbers: Sequence[int]) -> Scenes:
        """Return the scenes of these numbers; some of their sources come as sound instead."""
        chosen = self.made.rows([number % len(self.made.frames) for number in numbers])
        chance = torch.stack(
            [
                torch.rand(chosen.clips.shape[1], generator=generator_for(self.seed, number))
                for number in numbers
            ]
        )
        heard = (chance < self.heard).unsqueeze(-1)
        clips, claps = chosen.clips.masked_fill(heard, 0), chosen.claps.masked_fill(~heard, 0)
        return Scenes(clips, claps, chosen.frames, chosen.targets)


Kind = Composer | Frames | Pasted


@dataclass(frozen=True)
class Mixture:
    """Batches in which each kind of scene has its share."""

    kinds: Sequence[Kind]
    shares: Sequence[float]
    batch: int

    def scenes(self, step: int, rows: slice) -> Scenes:
        """Return the rows of the batch of a step."""
        places = range(self.batch)[rows]
        numbers: Mapping[int, list[int]] = {kind: [] for kind in range(len(self.kinds))}
        for place in places:
            numbers[kind_at(place, self.batch, self.shares)].append(step * self.batch + place)
        return joined(
            [self.kinds[kind].scenes(wanted) for kind, wanted in numbers.items() if wanted]
        )


def kind_at(place: int, batch: int, shares: Sequence[float]) -> int:
    """Return which kind stands at a place of every batch: each has its share of the places."""
    reached, total = 0.0, sum(shares)
    for kind, share in enumerate(shares):
        reached += share / total
        if (place + 0.5) / batch < reached:
            return kind
    return len(shares) - 1
