"""The words of sounds in image space: as they are, and translated to where pictures lie.

The translation stands in the place of the paper's DALL-E 2 prior (translated pairs, Sec. 3.2): the
starter's image encoder gives a mean of "a photo of a NAME" less the mean of all names, so that is
what the words become.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property

import torch
from torch import Tensor
from torch.nn import functional

from engine.perception.base import TextEncoder
from engine.perception.class_vectors import class_vectors, prompts
from engine.perception.efficientnet import class_names
from engine.perception.text import MiniLMTextEncoder

BATCH = 256


class Words:
    """Texts to vectors, each text read once; equal lists of texts give equal vectors.

    ``workers`` threads read; the vectors do not depend on how many.
    """

    def __init__(self, texts: TextEncoder, workers: int = 1) -> None:
        self._texts = texts
        self._workers = workers

    def raw(self, texts: Sequence[str]) -> dict[str, Tensor]:
        """Return the unit vector (clip_dim,) of every text."""
        unique = sorted(set(texts))
        encode = (
            self._texts.encode_many
            if isinstance(self._texts, MiniLMTextEncoder)
            else self._texts.encode
        )
        batches = [unique[first : first + BATCH] for first in range(0, len(unique), BATCH)]
        with ThreadPoolExecutor(self._workers, thread_name_prefix="words") as pool:
            parts = list(pool.map(encode, batches))
        return dict(zip(unique, torch.cat(parts) if parts else [], strict=True))

    def translated(self, texts: Sequence[str]) -> dict[str, Tensor]:
        """Return for every text the unit vector (clip_dim,) where a picture of it would lie."""
        photos = self.raw([_photo(text) for text in texts])
        return {
            text: functional.normalize(photos[_photo(text)] - self._mean, dim=-1)
            for text in set(texts)
        }

    @cached_property
    def _mean(self) -> Tensor:
        names = class_names()
        if isinstance(self._texts, MiniLMTextEncoder):
            return class_vectors(names, self._texts).mean(0)
        return self._texts.encode(prompts(names)).mean(0)


def _photo(text: str) -> str:
    return f"a photo of a {text}"


def asked(text: str, foley_class: str) -> tuple[list[str], list[str]]:
    """Return the texts that are kept as they are, and those that are translated; no text twice.

    They are the ways in which a user may ask for the sound.
    """
    name = foley_class.replace("_", " ")
    raw = [text, f"the sound of {text}"]
    if name in ("", text):
        return raw, [text]
    return [*raw, name, f"{name}, {text}"], [text, name]
