"""Which rows of prepared data are words of a sound, and which are which picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from engine.training.data.items import Item, Library
from engine.training.data.prepared import PreparedData
from engine.training.data.samples import Kind

PICTURES = ("clean", "curated")


def ways_of(data: PreparedData, rows: Sequence[int], kind: Kind) -> Tensor:
    """Return image-space vectors of one kind (ways, N, clip_dim) of the samples at ``rows``.

    A sample that has fewer of them than another has its own repeatedly.
    """
    found = [
        data.array(row, "clip")[[each == kind for each in data.facts(row).kinds]] for row in rows
    ]
    ways = np.arange(max(len(each) for each in found))
    return torch.from_numpy(np.stack([each[ways % len(each)] for each in found], axis=1))


def pictures_of(
    data: PreparedData, places: Mapping[str, int], library: Library
) -> dict[Path, Tensor]:
    """Return the views (views, clip_dim) of every picture that a sound of the library shows.

    ``places`` gives the row of a sound's name. A sound one of whose pictures could not be read
    tells nothing.
    """
    views = 2 if library.grounds else 1
    found: dict[Path, Tensor] = {}
    for item in library.items:
        shown = _shown(item)
        row = places.get(item.name)
        if row is None or all(path in found for path in shown):
            continue
        kinds = data.facts(row).kinds
        vectors = data.array(row, "clip")[[kind in PICTURES for kind in kinds]]
        if len(vectors) == views * len(shown):
            for number, path in enumerate(shown):
                part = vectors[number * views : (number + 1) * views]
                found.setdefault(path, torch.from_numpy(part))
    return found


def _shown(item: Item) -> list[Path]:
    """Return the pictures of an item, in the order in which they were looked at."""
    return [*([item.picture] if item.picture else []), *item.alike]
