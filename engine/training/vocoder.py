"""What teaches a vocoder: distances of spectra from real waves, and perhaps an adversary."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.optim import AdamW

from engine.synthesis.vocoder import GriffinLim, LearnedVocoder, Vocoder
from engine.synthesis.vocos import Vocos
from engine.training.batches import draw, uniform
from engine.training.critic import Critic, fooling_loss, judging_loss
from engine.training.loop import At, Lesson
from engine.training.mean_teacher import Numbers
from engine.training.settings import ScheduleTable
from engine.training.spectra import log_mels, mel_distance, spectral_distance
from engine.training.vocoder_table import VocoderTable
from engine.training.waves import Waves

BETAS = (0.8, 0.9)
QUIETEST = -0.9
"""Segments are learned from at up to so many powers of ten below their own level: -18 dB."""
HELD_SEED = 7


@dataclass(frozen=True)
class Segments:
    """Equally long pieces of sounds ``indices[i]``, drawn as often as ``weights`` (N,) say."""

    waves: Waves
    indices: Sequence[int]
    weights: Tensor
    samples: int

    def drawn(self, count: int, generator: torch.Generator) -> Tensor:
        """Return segments (B, samples) of several levels; a short sound has silence around it."""
        rows = torch.zeros(count, self.samples)
        for row, place in zip(rows, draw(self.weights, count, generator), strict=True):
            index = self.indices[place]
            spare = int(self.waves.lengths[index]) - self.samples
            start = int(torch.randint(abs(spare) + 1, (), generator=generator))
            piece = torch.from_numpy(self.waves.part(index, max(0, start * (spare > 0)), len(row)))
            first = start if spare < 0 else 0
            level = 10.0 ** uniform(generator, QUIETEST, 0.0)
            row[first : first + len(piece)] = piece * level
        return rows


class Players(nn.Module):
    """The vocoder and, if there is one, its adversary; trained in turns."""

    def __init__(self, table: VocoderTable) -> None:
        super().__init__()
        self.vocoder = Vocos(table.network)
        self.critic = Critic(table.channels) if table.adversary_from else None


def lesson(
    players: Players,
    segments: Segments,
    plan: ScheduleTable,
    table: VocoderTable,
    held: Tensor,
) -> Lesson:
    """Return what the loop teaches: the vocoder's turn, then its adversary's.

    Distances on held-out sounds say which weights are best as long as nothing but distances is
    learned; an adversary makes sounds better and distances larger, so with one the last are taken.
    """

    def loss(at: At) -> Tensor:
        real = at.world.mine(segments.drawn(plan.batch, at.generator))
        with torch.set_grad_enabled(at.turn == 0):
            made = players.vocoder(log_mels(real))
        if at.turn:
            return _judged(players, made, real, at.step >= table.adversary_from)
        distance = table.mel * mel_distance(made, real)
        distance = distance + table.spectra * spectral_distance(made, real)
        if players.critic is not None and at.step >= table.adversary_from:
            distance = distance + fooling_loss(players.critic, made, real)
        return distance

    def validate(average: nn.Module) -> Mapping[str, float]:
        assert isinstance(average, Players)
        return measure(average.vocoder, held)

    rate, decay = plan.learning_rate, plan.weight_decay
    turns = [[AdamW(players.vocoder.parameters(), rate, BETAS, weight_decay=decay)]]
    if players.critic is None:
        return Lesson(players, loss, turns, validate)
    turns.append([AdamW(players.critic.parameters(), rate, BETAS, weight_decay=0.0)])
    return Lesson(players, loss, turns)


def _judged(players: Players, made: Tensor, real: Tensor, begun: bool) -> Tensor:
    """Return the adversary's loss; before it begins one without a slope."""
    assert players.critic is not None
    if begun:
        return judging_loss(players.critic, made, real)
    return 0.0 * torch.stack([p.sum() for p in players.critic.parameters()]).sum()


@torch.no_grad()
def measure(vocoder: Vocos, held: Tensor) -> Numbers:
    """Return distances of what the network alone makes of held-out segments (B, T)."""
    made = vocoder(log_mels(held))
    mel, spectra = float(mel_distance(made, held)), float(spectral_distance(made, held))
    return {"loss": mel + spectra, "mel": mel, "spectra": spectra}


@torch.no_grad()
def compared(vocoder: Vocos, held: Tensor) -> Numbers:
    """Return the spectral distance with which a pack would sound, with the network and without."""
    ways: dict[str, Vocoder] = {
        "sounding": LearnedVocoder(vocoder),
        "sounding_griffin_lim": GriffinLim(),
    }
    return {name: float(spectral_distance(_made(way, held), held)) for name, way in ways.items()}


def _made(way: Vocoder, held: Tensor) -> Tensor:
    pictures = log_mels(held)
    generator = torch.Generator().manual_seed(HELD_SEED)
    return torch.stack([way.sound(picture, "final", generator) for picture in pictures])
