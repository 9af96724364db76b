"""Parts of ``wildtrack evaluate --paper`` that train small: Tables 4 and 5, and A.7.2.

They learn in the pack's own spaces, of the corpus' train split, and need nothing else.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from engine.audio import load_audio
from engine.evaluation.ablation_measures import held_scenes
from engine.evaluation.ablations import ablate
from engine.evaluation.audio_gain import audio_gain
from engine.evaluation.paper_bench import Bench
from engine.media import overlaid
from engine.training import pictures as trained_pictures
from engine.training.ablations import AblationData, Budget, Sounds, Together
from engine.training.batches import balance, draw
from engine.training.corpus import Clip
from engine.training.loop import generator_for
from osc_bridge.errors import BadCorpus

FEWEST, MOST = 2, 5  # sounds of a scene
LEAST = 12  # sounds
HEARD_SHARE = 0.5  # of the sources, in the test of audio conditioning
BUDGET = Budget(seeds=(1, 2, 3))


def ablations(bench: Bench) -> dict[str, Any]:
    """Return Tables 4 and 5 at this scale, every variant trained anew and alike."""
    return ablate(bench.shared(data_of), BUDGET, bench.wish.work, bench.stage)


def audio(bench: Bench) -> dict[str, Any]:
    """Return how much image-space semantics of audio sources gain in the pack (A.7.2)."""
    scenes = held_scenes(bench.shared(data_of), HEARD_SHARE)
    return audio_gain(bench.pack.ssv2a, scenes, bench.wish.how)


def data_of(bench: Bench) -> AblationData:
    """Return sounds, words, pictures and scenes of the corpus as the pack hears and sees them."""
    scale, seed = bench.wish.scale, bench.wish.seed
    learned, held = learned_clips(bench), held_clips(bench)
    for clips, split in ((learned, "train"), (held, "test")):
        if len(clips) < LEAST:
            raise BadCorpus(
                f"The corpus has {len(clips)} sounds of a known class to use in its {split} "
                f"split; ablations need at least {LEAST}: add sounds, or check foley_class and "
                "licence."
            )
    first, second = _sounds(bench, learned, "learned"), _sounds(bench, held, "held-out")
    return AblationData(
        sizes=bench.pack.ssv2a.config,
        learned=first,
        held=second,
        learned_scenes=_together(bench, learned, first, scale.learned_scenes, seed),
        held_scenes=_together(bench, held, second, scale.held_scenes, seed + 1),
    )


def learned_clips(bench: Bench) -> list[Clip]:
    """Return sounds that may shape weights, of a known class."""
    clips = [clip for clip in bench.clips if clip.trainable and clip.foley_class]
    picker = random.Random(bench.wish.seed)  # noqa: S311 - a fair draw, not a secret
    return picker.sample(clips, min(bench.wish.scale.learned, len(clips)))


def held_clips(bench: Bench) -> list[Clip]:
    """Return sounds of the test split, those with a picture of their own first."""
    clips = [clip for clip in bench.clips if clip.split == "test" and clip.foley_class]
    picker = random.Random(bench.wish.seed)  # noqa: S311 - a fair draw, not a secret
    mixed = picker.sample(clips, len(clips))
    return sorted(mixed, key=lambda clip: not clip.image)[: bench.wish.scale.held]


def _sounds(bench: Bench, clips: Sequence[Clip], name: str) -> Sounds:
    texts = list(dict.fromkeys(clip.text for clip in clips))
    shown = _pictures(bench, clips, name)
    paths = list(dict.fromkeys(path for own in shown for path in own))
    place = {text: row for row, text in enumerate(texts)}
    looked = {path: len(texts) + row for row, path in enumerate(paths)}
    rows = [*_read(bench, texts, name), *_seen(bench, paths, name)]
    return Sounds(
        claps=_heard(bench, clips, name),
        clips=torch.stack(rows),
        read=[[place[clip.text]] for clip in clips],
        seen=[[looked[path] for path in own] for own in shown],
        kinds=[clip.foley_class for clip in clips],
        weights=balance(clips),
    )


def _pictures(bench: Bench, clips: Sequence[Clip], name: str) -> list[list[Path]]:
    """Return the pictures of each sound: its own alone where they are asked by."""
    if name == "learned":
        cutouts = trained_pictures.trainable(bench.pictures, bench.clips)
        matched = trained_pictures.matches(clips, cutouts)
        return [[cutouts[row].path for row in rows] for rows in matched]
    named: Mapping[str, Path] = {picture.name: picture.path for picture in bench.pictures}
    return [[named[clip.image]] if clip.image in named else [] for clip in clips]


def _read(bench: Bench, texts: Sequence[str], name: str) -> list[Tensor]:
    on_step, found = bench.stage(f"{name} words"), []
    for step, text in enumerate(texts, start=1):
        found.append(bench.pack.texts.encode([text])[0].cpu())
        on_step(step, len(texts))
    return found


def _seen(bench: Bench, paths: Sequence[Path], name: str) -> list[Tensor]:
    on_step, found = bench.stage(f"{name} pictures"), []
    for step, path in enumerate(paths, start=1):
        found.append(bench.look(path).cpu())
        on_step(step, len(paths))
    return found


def _heard(bench: Bench, clips: Sequence[Clip], name: str) -> Tensor:
    on_step, found = bench.stage(f"{name} sounds"), []
    for step, clip in enumerate(clips, start=1):
        found.append(_listen(bench, [clip]))
        on_step(step, len(clips))
    return torch.stack(found)


def _together(
    bench: Bench, clips: Sequence[Clip], sounds: Sounds, count: int, seed: int
) -> Together:
    """Return scenes of two to five sounds; the truth is what the pack hears of all at once."""
    generator, on_step = generator_for(seed, 0), bench.stage("scenes to learn from and to hold")
    rows, targets = torch.full((count, MOST), -1), []
    for place in range(count):
        size = int(torch.randint(FEWEST, MOST + 1, (), generator=generator))
        chosen = draw(sounds.weights, size, generator)
        rows[place, :size] = torch.tensor(chosen)
        targets.append(_listen(bench, [clips[row] for row in chosen]))
        on_step(place + 1, count)
    return Together(rows, torch.stack(targets))


def _listen(bench: Bench, clips: Sequence[Clip]) -> Tensor:
    """Return the embedding (clap_dim,) of sounds laid over each other."""
    encoder = bench.pack.audio
    paths = [clip.path.resolve() for clip in clips]
    waves = [load_audio(path, encoder.sample_rate, [path.parent]) for path in paths]
    return encoder.encode([overlaid(waves)])[0].cpu().clone()
