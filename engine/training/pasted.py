"""Scenes with pictures: cut-outs pasted on backgrounds, their sounds mixed.

Sources, boxes and truth are exact. The whole picture and each box go through the image encoder, so
the Remixer meets what it meets in use: neighbours in a crop, things half covered, a background.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from engine.perception.base import ImageEncoder
from engine.perception.frames import crop_region, load_frame
from engine.perception.image import load_image_encoder
from engine.perception.mel import MEL
from engine.perception.text import load_text_encoder
from engine.training import pictures
from engine.training.batches import crop, uniform, vary
from engine.training.corpus import read_clips, read_pictures
from engine.training.course import Course
from engine.training.loop import generator_for
from engine.training.scenes import WINDOW, Composer, Scenes, joined
from osc_bridge.errors import BadCorpus
from presets.files import writing_whole

AT_ONCE = 50  # scenes a file
SIDE = 480  # longer side of a made picture, in pixels
SEED_SHIFT = 31

Box = tuple[int, int, int, int]
T = TypeVar("T")


@dataclass(frozen=True)
class Stage:
    """What scenes are pasted of: cut-outs and sounds by class, backgrounds, the eye."""

    cutouts: Mapping[str, Sequence[Path]]
    sounds: Mapping[str, Sequence[int]]
    grounds: Sequence[Path]
    eye: ImageEncoder
    composer: Composer


def pasted_scenes(course: Course, composer: Composer, count: int) -> Scenes:
    """Return ``count`` scenes, each source as picture and as sound; made once, kept in the work.

    BadCorpus where the corpus has no cut-out of a class that the data has sounds of.
    """
    firsts = range(0, count, AT_ONCE)
    paths = [course.work / f"pasted-{first:06d}.safetensors" for first in firsts]
    if course.world.first and not all(path.exists() for path in paths):
        stage, on_step = _stage(course, composer), course.progress("pasted scenes")
        for first, path in zip(firsts, paths, strict=True):
            if not path.exists():
                numbers = range(first, min(first + AT_ONCE, count))
                _keep(joined([_make(stage, number) for number in numbers]), path)
            on_step(min(first + AT_ONCE, count), count)
    course.world.wait()
    return joined([Scenes(**load_file(path)) for path in paths])


def _keep(scenes: Scenes, path: Path) -> None:
    with writing_whole(path) as part:
        save_file(
            {
                "clips": scenes.clips,
                "claps": scenes.claps,
                "frames": scenes.frames,
                "targets": scenes.targets,
            },
            part,
        )


def _stage(course: Course, composer: Composer) -> Stage:
    corpus = course.folders.corpus
    assert corpus is not None
    sounds: dict[str, list[int]] = defaultdict(list)
    for index, row in enumerate(composer.selection.rows.tolist()):
        sounds[composer.selection.data.facts(row).foley_class].append(index)
    listed = read_pictures(corpus)
    cutouts: dict[str, list[Path]] = defaultdict(list)
    for picture in pictures.pastable(listed, read_clips(corpus), sounds):
        cutouts[picture.foley_class].append(picture.path)
    grounds = [picture.path for picture in pictures.backgrounds(listed)]
    if not cutouts:
        raise BadCorpus(
            f"{corpus} has no cut-out with a fit licence of a class that the data has sounds of; "
            "at least one is needed: add pictures, or set pasted = 0 in the configuration."
        )
    eye = load_image_encoder(load_text_encoder("cpu"), "cpu")
    return Stage(cutouts, {name: sounds[name] for name in cutouts}, grounds, eye, composer)


def _make(stage: Stage, number: int) -> Scenes:
    """Return one scene as a batch of one."""
    composer, data = stage.composer, stage.composer.selection.data
    generator = generator_for(composer.seed + SEED_SHIFT, number)
    count = int(torch.randint(1, composer.most + 1, (), generator=generator))
    names = [_any(sorted(stage.cutouts), generator) for _ in range(count)]
    picture, boxes = paste(
        _ground(stage.grounds, generator),
        [load_frame(_any(stage.cutouts[name], generator)) for name in names],
        generator,
    )
    seen = stage.eye.encode([picture, *(crop_region(picture, box) for box in boxes)])
    clips = torch.zeros(1, composer.most, data.clip_dim)
    claps = torch.zeros(1, composer.most, data.clap_dim)
    clips[0, :count] = seen[1:]
    power = torch.full((MEL.mels, WINDOW), 2 * MEL.log_floor).exp()
    longest = 1
    for place, name in enumerate(names):
        row = int(composer.selection.rows[_any(stage.sounds[name], generator)])
        claps[0, place] = torch.from_numpy(data.array(row, "clap"))
        mel = vary(crop(data.array(row, "mel"), WINDOW, generator), generator)
        power[:, : len(mel)] += (2 * mel.T).exp()
        longest = max(longest, len(mel))
    target = composer.truth(power.unsqueeze(0), torch.tensor([longest]))
    return Scenes(clips, claps, seen[:1].clone(), target)


def _ground(grounds: Sequence[Path], generator: torch.Generator) -> Image.Image:
    """Return a background, or a plain colour where the corpus has none with a fit licence."""
    if grounds:
        return _scaled(load_frame(_any(grounds, generator)).convert("RGB"), SIDE)
    red, green, blue = torch.randint(256, (3,), generator=generator).tolist()
    return Image.new("RGB", (SIDE, SIDE * 3 // 4), (red, green, blue))


def paste(
    ground: Image.Image, cutouts: Sequence[Image.Image], generator: torch.Generator
) -> tuple[Image.Image, list[Box]]:
    """Return the background with the cut-outs on it, anywhere and of any size, and their boxes.

    Later ones lie in front. A box is that of the visible part of its own cut-out, uncovered.
    """
    picture, boxes = ground.copy(), []
    for cutout in cutouts:
        image = cutout.convert("RGBA")
        image = image.crop(image.getchannel("A").getbbox() or (0, 0, *image.size))
        image = _scaled(image, int(uniform(generator, 0.25, 0.6) * min(ground.size)))
        left = int(uniform(generator, 0, ground.width - image.width + 1))
        top = int(uniform(generator, 0, ground.height - image.height + 1))
        picture.paste(image, (left, top), image)
        boxes.append((left, top, left + image.width, top + image.height))
    return picture, boxes


def _scaled(image: Image.Image, side: int) -> Image.Image:
    """Return the image with its longer side of so many pixels."""
    factor = side / max(image.size)
    size = max(1, round(image.width * factor)), max(1, round(image.height * factor))
    return image.resize(size)


def _any(choices: Sequence[T], generator: torch.Generator) -> T:
    return choices[int(torch.randint(len(choices), (), generator=generator))]
