"""One sound with what belongs to it, as it lies in a shard: arrays beside a line of facts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from osc_bridge.errors import BadCorpus

Kind = Literal["clean", "curated", "translated", "words"]
"""Where the image-space side of a pair comes from.

``clean``: a picture that people marked as showing this one source (VGG-SS's boxes, cut-outs with
transparency); ``curated``: a picture in which the detector found exactly one thing; ``translated``:
the sound's words, brought to where pictures lie; ``words``: its words as they are.
"""
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)

ARRAYS: Final[Mapping[str, tuple[int, str]]] = {
    "clap": (1, "<f4"),
    "clip": (2, "<f4"),
    "sources": (2, "<f4"),
    "frame": (1, "<f4"),
    "frames": (2, "<f2"),
    "mel": (2, "<f2"),
}
"""Number of axes and type of each array; all but ``clip`` may be absent.

``clap`` (clap_dim,): the sound. ``clip`` (pairs, clip_dim): its image-space sides, of the kinds
that the facts list. ``sources`` (S, clip_dim): what was detected in the central frame; ``frame``
(clip_dim,): all of it. ``frames`` (64, clip_dim): pictures along a video. ``mel`` (T, mels): nat.
"""


@dataclass(frozen=True)
class Facts:
    """What is known of one sound. ``kinds[i]`` says what row i of ``clip`` is.

    ``name`` is the file's path in its folder; ``may_publish`` is whether its licence lets it shape
    published weights; ``duration_s`` is 0 where there is no sound (pictures alone).
    """

    name: str
    split: str
    text: str
    foley_class: str
    licence: str
    package: str
    duration_s: float
    may_publish: bool
    kinds: tuple[Kind, ...]

    @classmethod
    def of_json(cls, data: Mapping[str, Any]) -> Facts:
        """Return checked facts; BadCorpus if a value is missing or of another type."""
        wanted = {field.name for field in fields(cls)}
        if set(data) != wanted:
            raise BadCorpus(
                f"A sample has the facts {sorted(data)}, they must be {sorted(wanted)}."
            )
        texts = [
            data[key] for key in ("name", "split", "text", "foley_class", "licence", "package")
        ]
        kinds = data["kinds"]
        if (
            not all(isinstance(text, str) for text in texts)
            or not isinstance(data["duration_s"], int | float)
            or not isinstance(data["may_publish"], bool)
            or not isinstance(kinds, list)
            or not set(kinds) <= set(KINDS)
        ):
            raise BadCorpus(
                f"The facts of sample {str(data['name'])[:80]!r} are damaged; "
                "remove its shard and run `wildtrack train data` again."
            )
        return cls(**{**data, "kinds": tuple(kinds)})


@dataclass(frozen=True, eq=False)
class Sample:
    """Facts and arrays of one sound, before it is written; see `ARRAYS`."""

    facts: Facts
    arrays: Mapping[str, NDArray[Any]]

    def __post_init__(self) -> None:
        """Raise ValueError for arrays that no reader would take."""
        if len(self.arrays["clip"]) != len(self.facts.kinds):
            raise ValueError(f"{self.facts.name}: one kind for each row of clip is needed")
        for name, array in self.arrays.items():
            axes, kind = ARRAYS[name]
            if array.ndim != axes or array.dtype != np.dtype(kind):
                raise ValueError(f"{self.facts.name}: {name} is {array.dtype} {array.shape}")
