"""Stage ``texts``: the words of every sound and picture, as vectors."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from engine.perception.efficientnet import class_names
from engine.perception.text import MiniLMTextEncoder
from engine.training.corpus import Clip, class_text

BATCH = 512


def variants(clip: Clip) -> tuple[str, ...]:
    """Return the ways in which a user may ask for this sound; each clip has equally many."""
    words = class_text(clip.foley_class) if clip.foley_class else clip.text
    return clip.text, f"the sound of {clip.text}", words, f"{words}, {clip.text}"


def embed_clips(encoder: MiniLMTextEncoder, clips: Sequence[Clip]) -> Tensor:
    """Return text vectors (variants, N, text_dim) of the clips."""
    return _embed(encoder, [variants(clip) for clip in clips])


def translate_clips(encoder: MiniLMTextEncoder, clips: Sequence[Clip]) -> Tensor:
    """Return vectors (2, N, text_dim) where pictures of what the texts name would lie.

    The image encoder gives a mean of "a photo of a NAME" less the mean of all classes; this is the
    same for the clip's own words: the place of the paper's prior (translated pairs, Sec. 3.2).
    """
    names = _embed(encoder, [(f"a photo of a {name}",) for name in class_names()])[0]
    words = [variants(clip)[:1] + variants(clip)[2:3] for clip in clips]
    photos = _embed(encoder, [tuple(f"a photo of a {text}" for text in both) for both in words])
    return functional.normalize(photos - names.mean(0), dim=-1)


def _embed(encoder: MiniLMTextEncoder, asked: Sequence[Sequence[str]]) -> Tensor:
    """Return (ways, N, text_dim) for N texts asked in equally many ways; each text is read once."""
    unique = sorted({text for texts in asked for text in texts})
    rows = torch.cat(
        [encoder.encode_many(unique[i : i + BATCH]) for i in range(0, len(unique), BATCH)]
    )
    place = {text: row for row, text in enumerate(unique)}
    return torch.stack([rows[[place[text] for text in way]] for way in zip(*asked, strict=True)])
