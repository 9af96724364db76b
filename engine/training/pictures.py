"""Cut-outs and backgrounds of the corpus, and which sound may be seen as which picture."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence

import torch
from PIL import Image

from engine.training.corpus import Clip, Picture
from engine.training.licences import is_trainable

MARGIN = 1.3  # side of the background patch, in sides of the cut-out


def on_background(
    image: Image.Image, grounds: Sequence[Image.Image], generator: torch.Generator
) -> Image.Image:
    """Return the cut-out in the middle of a patch of one of ``grounds``."""
    ground = grounds[int(torch.randint(len(grounds), (), generator=generator))].convert("RGB")
    size = (int(image.width * MARGIN), int(image.height * MARGIN))
    left, top = (
        int(torch.randint(max(1, whole - part), (), generator=generator))
        for whole, part in zip(ground.size, size, strict=True)
    )
    patch = ground.crop(
        (left, top, min(left + size[0], ground.width), min(top + size[1], ground.height))
    )
    patch = patch.resize(size)
    cutout = image.convert("RGBA")
    offset = ((size[0] - image.width) // 2, (size[1] - image.height) // 2)
    patch.paste(cutout, offset, cutout)
    return patch


def trainable(pictures: Sequence[Picture], clips: Sequence[Clip]) -> list[Picture]:
    """Return the cut-outs with a fit licence whose package gives only sounds of the train split."""
    held_out = {clip.package for clip in clips if clip.split != "train"}
    return [
        picture
        for picture in pictures
        if picture.role == "cutouts"
        and picture.package not in held_out
        and is_trainable(picture.licence)
    ]


def pastable(
    pictures: Sequence[Picture], clips: Sequence[Clip], heard: Collection[str]
) -> list[Picture]:
    """Return the trainable cut-outs of those classes of which sounds are ``heard``."""
    allowed = trainable(pictures, clips)
    return [each for each in allowed if each.foley_class and each.foley_class in heard]


def backgrounds(pictures: Sequence[Picture]) -> list[Picture]:
    """Return the backgrounds with a fit licence."""
    return [p for p in pictures if p.role == "backgrounds" and is_trainable(p.licence)]


def matches(clips: Sequence[Clip], pictures: Sequence[Picture]) -> list[list[int]]:
    """Return for each clip the pictures that may stand for it: its own, or those of its class."""
    own = {picture.name: index for index, picture in enumerate(pictures)}
    of_class: dict[str, list[int]] = defaultdict(list)
    for index, picture in enumerate(pictures):
        if picture.foley_class:
            of_class[picture.foley_class].append(index)
    found = []
    for clip in clips:
        if clip.image in own:
            found.append([own[clip.image]])
        else:
            found.append(of_class.get(clip.foley_class, []) if clip.foley_class else [])
    return found
