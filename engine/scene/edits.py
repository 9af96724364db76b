"""The changes a scene can go through, each a frozen dataclass that says all that it does.

An edit can be done again from the journal alone: it refers to nothing but the scene before it.
``engine.scene.applying`` applies them, ``engine.scene.history`` keeps what undo and redo need.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from engine.scene.model import Box, Scene, SourceKind

FieldValue = bool | int | float | str


@dataclass(frozen=True)
class NewSource:
    """What a source is made of; id and seed are given when it is applied."""

    kind: SourceKind
    label: str
    text: str = ""
    media: str = ""
    box: Box | None = None


@dataclass(frozen=True)
class NewScene:
    """Begin a scene; the only edit that needs none before it."""

    id: str
    name: str
    start_sample: int
    duration_samples: int
    seed: int


@dataclass(frozen=True)
class AddSources:
    """Add sources, and a whole frame for slot 0 when ``frame`` is not ""."""

    sources: tuple[NewSource, ...]
    frame: str = ""


@dataclass(frozen=True)
class SetField:
    """Set one field of one source (``engine.scene.limits.SETTABLE_FIELDS``)."""

    source: str
    field: str
    value: FieldValue


@dataclass(frozen=True)
class SetSceneField:
    """Set name, start_sample, duration_samples or seed of the scene."""

    field: str
    value: FieldValue


@dataclass(frozen=True)
class SetBox:
    """Give a region another box, or make a region of a whole picture."""

    source: str
    box: Box


@dataclass(frozen=True)
class Split:
    """Make the source ``parts[0]``, and put a new one made of ``parts[1]`` right after it.

    The first keeps id, seed and settings; the second has an id and seed of its own and the
    settings of the first.
    """

    source: str
    parts: tuple[NewSource, NewSource]


@dataclass(frozen=True)
class Merge:
    """Make the first of ``sources`` what ``whole`` says, and remove the others."""

    sources: tuple[str, ...]
    whole: NewSource


@dataclass(frozen=True)
class Reorder:
    """Move a source to ``position`` in the list, counted from 0."""

    source: str
    position: int


@dataclass(frozen=True)
class Remove:
    """Take a source out of the scene; its id is never used again."""

    source: str


@dataclass(frozen=True)
class Undo:
    """Take the last step back."""


@dataclass(frozen=True)
class Redo:
    """Do the step again that was taken back last."""


Change = AddSources | SetField | SetSceneField | SetBox | Split | Merge | Reorder | Remove
"""The edits that can be undone."""

Edit = NewScene | Change | Undo | Redo

Plan = Callable[[Scene], Edit]
"""Gives the edit for the scene as it is when its turn comes; may raise a WildtrackError."""
