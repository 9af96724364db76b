"""The sounds and scenes of ablations, from the work folder of a training and its corpus."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from engine.cmss import SSV2AConfig
from engine.evaluation.material import Stage
from engine.models.weights import load_network
from engine.perception.audio import AudioNet
from engine.perception.frames import load_frame
from engine.perception.image import load_image_encoder
from engine.perception.mel import MEL
from engine.perception.text import load_text_encoder
from engine.steps import StepCallback
from engine.training import pictures
from engine.training.ablations import AblationData, Sounds, Together
from engine.training.batches import crop, draw, vary
from engine.training.corpus import read_pictures
from engine.training.loop import generator_for
from engine.training.scenes import WINDOW
from engine.training.stages import Run

MOST = 5
LEARNED_SCENES, HELD_SCENES = 2048, 256
LEARNED_SEED, HELD_SEED = 11, 12
AT_ONCE = 32

Mel = Callable[[int], NDArray[np.float16]]
"""Sound i -> its log-mel picture (T, mels)."""


@dataclass(frozen=True, eq=False)
class Audible:
    """Sounds with their log-mel pictures, and the network that embeds what is made of them."""

    sounds: Sounds
    mel: Mel
    ear: AudioNet

    @torch.no_grad()
    def together(self, count: int, seed: int, on_step: StepCallback) -> Together:
        """Return scenes of two to five sounds; the truth is the embedding of their power sum."""
        generator = generator_for(seed, 0)
        rows = torch.full((count, MOST), -1)
        targets = []
        for first in range(0, count, AT_ONCE):
            places = range(first, min(first + AT_ONCE, count))
            for place in places:
                size = int(torch.randint(2, MOST + 1, (), generator=generator))
                chosen = draw(self.sounds.weights, size, generator)
                rows[place, :size] = torch.tensor(chosen)
            targets.append(self._heard([_present(rows[p]) for p in places], generator))
            on_step(places[-1] + 1, count)
        return Together(rows, torch.cat(targets))

    def _heard(self, scenes: Sequence[Sequence[int]], generator: torch.Generator) -> Tensor:
        power = torch.full((len(scenes), MEL.mels, WINDOW), 2 * MEL.log_floor).exp()
        lengths = torch.ones(len(scenes), dtype=torch.long)
        for place, chosen in enumerate(scenes):
            for row in chosen:
                picture = vary(crop(self.mel(row), WINDOW, generator), generator)
                power[place, :, : len(picture)] += (2 * picture.T).exp()
                lengths[place] = max(int(lengths[place]), len(picture))
        return functional.normalize(self.ear(power.log() / 2, lengths), dim=-1)


def _present(rows: Tensor) -> list[int]:
    found: list[int] = rows[rows >= 0].tolist()
    return found


def of_run(run: Run, stage: Stage) -> AblationData:
    """Return what a training of the starter learned from, and its test split, held out.

    Held-out pictures are those that belong to a held-out sound; they are looked at here.
    """
    ear = load_network(lambda: AudioNet(run.plan.sizes.audio), run.work / "audio_net.safetensors")
    held = [row for row, clip in enumerate(run.clips) if clip.split == "test"]
    learned = Audible(_learned(run), lambda row: run.store.clip(run.chosen[row]), ear.eval())
    others = Audible(
        _held(run, held, stage("held-out pictures")), lambda row: run.store.clip(held[row]), ear
    )
    return _whole(run.plan.sizes.ssv2a, learned, others, stage)


def _whole(sizes: SSV2AConfig, learned: Audible, held: Audible, stage: Stage) -> AblationData:
    return AblationData(
        sizes=sizes,
        learned=learned.sounds,
        held=held.sounds,
        learned_scenes=learned.together(LEARNED_SCENES, LEARNED_SEED, stage("scenes")),
        held_scenes=held.together(HELD_SCENES, HELD_SEED, stage("held-out scenes")),
    )


def _learned(run: Run) -> Sounds:
    words = torch.cat([run.tensor("words"), run.tensor("translated")])[:, run.chosen]
    looks = run.tensor("pictures")
    ways, count, dim = words.shape
    views, shown = looks.shape[:2]
    clips = [run.clips[row] for row in run.chosen]
    matched = pictures.matches(clips, run.cutouts)
    begin = ways * count
    return Sounds(
        claps=run.tensor("heard")[run.chosen],
        clips=torch.cat([words.reshape(begin, dim), looks.reshape(views * shown, dim)]),
        read=[[way * count + row for way in range(ways)] for row in range(count)],
        seen=[[begin + view * shown + m for view in range(views) for m in own] for own in matched],
        kinds=[clip.foley_class for clip in clips],
        weights=run.weights,
    )


def _held(run: Run, held: Sequence[int], on_step: StepCallback) -> Sounds:
    clips = [run.clips[row] for row in held]
    texts = {clip.text: row for row, clip in reversed(list(zip(held, clips, strict=True)))}
    place = {text: row for row, text in enumerate(texts)}
    named = {picture.name: picture for picture in read_pictures(run.data)}
    own = sorted({clip.image for clip in clips if clip.image in named})
    looker = load_image_encoder(load_text_encoder("cpu"), "cpu")
    looks = [run.tensor("words")[0, list(texts.values())]]
    for number, name in enumerate(own, start=1):
        looks.append(looker.encode([load_frame(named[name].path)]))
        on_step(number, len(own))
    shown = {name: len(texts) + number for number, name in enumerate(own)}
    return Sounds(
        claps=run.tensor("heard")[list(held)],
        clips=torch.cat(looks),
        read=[[place[clip.text]] for clip in clips],
        seen=[[shown[clip.image]] if clip.image in shown else [] for clip in clips],
        kinds=[clip.foley_class for clip in clips],
        weights=torch.ones(len(clips), dtype=torch.float64),
    )
