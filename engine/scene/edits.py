"""The changes a scene can go through, each a frozen dataclass applied by a pure function.

An edit is checked when it is applied; an edit that raises has changed nothing.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from engine.scene import model
from engine.scene.model import Box, Scene, Source, SourceKind
from osc_bridge import ranges
from osc_bridge.errors import BadArguments, BadText, OutOfRange

_CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")

FieldValue = bool | int | float | str


@dataclass(frozen=True)
class NewSource:
    """What the caller says about a source; id and seed are given when it is applied."""

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
    """Set one field of one source."""

    source: str
    field: str
    value: FieldValue


Edit = NewScene | AddSources | SetField


@dataclass(frozen=True)
class NumberField:
    """A settable number: its closed range and the unit to name in an error."""

    low: float
    high: float
    unit: str
    whole: bool = False


NUMBER_FIELDS = {
    "weight": NumberField(ranges.WEIGHT.low, ranges.WEIGHT.high, "as a factor"),
    "gain_db": NumberField(ranges.GAIN_DB.low, ranges.GAIN_DB.high, "dB"),
    "pan": NumberField(ranges.PAN.low, ranges.PAN.high, "from left to right"),
    "seed": NumberField(ranges.SEED.low, ranges.SEED.high, "as a whole number", whole=True),
    "start_sample": NumberField(ranges.START.low, ranges.START.high, ranges.START.unit, whole=True),
}
FLAG_FIELDS = ("mute", "solo")
TEXT_FIELDS = {"label": ranges.LABEL.high, "chain": ranges.CHAIN.high}
"""Settable texts and how many characters they may have."""

SETTABLE_FIELDS = (*NUMBER_FIELDS, *FLAG_FIELDS, *TEXT_FIELDS, "cat_id")

MAX_NUMBER = 999_999
"""The highest number of a source that ever was in a scene."""

_SOURCE_ID = re.compile(r"s([1-9][0-9]{0,5})")
_PARTS = {
    "text": (True, False, False),
    "image": (False, True, False),
    "region": (False, True, True),
    "audio": (False, True, False),
}
"""Per kind of source: has it a text, a media file, a box?"""


def apply(scene: Scene | None, edit: Edit) -> Scene:
    """Return the scene after ``edit``; raise a WildtrackError and change nothing otherwise."""
    if isinstance(edit, NewScene) and scene is None:
        return _new_scene(edit)
    if isinstance(edit, NewScene):
        raise BadArguments("A scene begins once; this journal begins it again.")
    if scene is None:
        raise BadArguments("The first edit of a scene is NewScene; this journal begins otherwise.")
    changed = _add(scene, edit) if isinstance(edit, AddSources) else _set(scene, edit)
    return replace(changed, revision=scene.revision + 1)


def _new_scene(edit: NewScene) -> Scene:
    return Scene(
        id=edit.id,
        name=clean_text(edit.name, "A scene's name", model.MAX_NAME_CHARACTERS),
        seed=whole_in(edit.seed, "seed", 0, model.MAX_SEED, "as a whole number"),
        start_sample=whole_in(
            edit.start_sample,
            "start_sample",
            0,
            model.MAX_START_SAMPLE,
            ranges.MIDNIGHT.unit,
        ),
        duration_samples=whole_in(
            edit.duration_samples,
            "duration_samples",
            model.MIN_DURATION_SAMPLES,
            model.MAX_DURATION_SAMPLES,
            ranges.DURATION.unit,
        ),
    )


def _add(scene: Scene, edit: AddSources) -> Scene:
    scene.require_room(len(edit.sources))
    first = scene.next_source
    added = tuple(_source(scene, first + index, new) for index, new in enumerate(edit.sources))
    return replace(
        scene,
        sources=scene.sources + added,
        next_source=first + len(added),
        frame=edit.frame or scene.frame,
    )


def _source(scene: Scene, number: int, new: NewSource) -> Source:
    if new.kind == "text" and not new.text.strip():
        raise BadText(
            "The text of a source is empty; the allowed range is 1 to "
            f"{model.MAX_TEXT_CHARACTERS} characters: say what sounds."
        )
    _check_parts(f"s{number}", new)
    return Source(
        id=f"s{number}",
        kind=new.kind,
        label=clean_text(new.label, "A label", model.MAX_NAME_CHARACTERS),
        seed=model.source_seed(scene.seed, number),
        text=clean_text(new.text, "The text of a source", model.MAX_TEXT_CHARACTERS),
        media=new.media,
        box=new.box,
    )


def _set(scene: Scene, edit: SetField) -> Scene:
    old = scene.source(edit.source)
    value = _checked(scene, edit.field, edit.value)
    change: dict[str, Any] = {edit.field: value}
    new = replace(old, **change)
    return replace(scene, sources=tuple(new if s is old else s for s in scene.sources))


def check_scene(scene: Scene) -> None:
    """Hold a scene that was read from disk to the same ranges as one made by edits."""
    _new_scene(
        NewScene(scene.id, scene.name, scene.start_sample, scene.duration_samples, scene.seed)
    )
    replace(scene, sources=()).require_room(len(scene.sources))
    whole_in(scene.sample_rate, "sample_rate", model.SAMPLE_RATE, model.SAMPLE_RATE, "Hz")
    whole_in(scene.revision, "revision", 1, model.MAX_SEED, "edits")
    whole_in(scene.next_source, "next_source", 1, MAX_NUMBER + 1, "as a whole number")
    _check_ids(scene)
    for source in scene.sources:
        _check_parts(source.id, source)
        clean_text(source.text, "The text of a source", model.MAX_TEXT_CHARACTERS)
        for field in SETTABLE_FIELDS:
            _checked(scene, field, getattr(source, field))


def _check_ids(scene: Scene) -> None:
    """Sources are in the order in which they were added, each with a number of its own."""
    found = [_SOURCE_ID.fullmatch(source.id) for source in scene.sources]
    numbers = [int(match[1]) if match else 0 for match in found]
    if not all(a < b for a, b in pairwise((0, *numbers, scene.next_source))):
        ids = ", ".join(source.id[:8] for source in scene.sources)
        raise BadArguments(
            f"The sources are called {ids}; expected are s1 to s{scene.next_source - 1}, each "
            "once and in order."
        )


def _check_parts(source_id: str, source: NewSource | Source) -> None:
    """Hold what a source is made of to its kind."""
    if (bool(source.text.strip()), bool(source.media), source.box is not None) != _PARTS[
        source.kind
    ]:
        raise BadArguments(
            f"Source {source_id} is of the kind {source.kind}; expected is a text of a text, a "
            "media file of any other kind, and a box of a region alone."
        )
    x0, y0, x1, y1 = source.box or (0, 0, 1, 1)
    for edge in (x0, y0, x1, y1):
        ranges.PIXEL.check(f"An edge of the box of {source_id}", edge)
    if not (x0 < x1 and y0 < y1):
        raise OutOfRange(
            f"The box of {source_id} is {x0}, {y0}, {x1}, {y1}; allowed is x0 < x1 and y0 < y1."
        )


def _checked(scene: Scene, field: str, value: FieldValue) -> FieldValue:
    if field in NUMBER_FIELDS:
        return _checked_number(scene, field, value)
    if field in FLAG_FIELDS:
        return _checked_flag(field, value)
    if field == "cat_id":
        return ranges.CAT_ID.check(field, value)
    if field in TEXT_FIELDS:
        if not isinstance(value, str):
            raise BadArguments(f"{field} is {value!r}; it takes a text.")
        return clean_text(value, field, TEXT_FIELDS[field])
    raise BadArguments(
        f"A source has no settable field {field!r}; the fields are {', '.join(SETTABLE_FIELDS)}."
    )


def _checked_number(scene: Scene, field: str, value: FieldValue) -> FieldValue:
    rule = NUMBER_FIELDS[field]
    high = min(rule.high, scene.duration_samples - 1) if field == "start_sample" else rule.high
    if rule.whole:
        return whole_in(value, field, int(rule.low), int(high), rule.unit)
    return number_in(value, field, rule.low, high, rule.unit)


def _checked_flag(field: str, value: FieldValue) -> bool:
    if isinstance(value, str) or value not in (0, 1):
        raise OutOfRange(f"{field} is {value!r}; the allowed values are true and false (1 and 0).")
    return bool(value)


def whole_in(value: FieldValue, name: str, low: int, high: int, unit: str) -> int:
    """Return ``value`` as an int from ``low`` to ``high``, or raise OutOfRange."""
    if isinstance(value, bool | str):
        raise BadArguments(f"{name} is {value!r}; it takes a whole number.")
    if not math.isfinite(value) or value != int(value) or not low <= value <= high:
        raise OutOfRange(
            f"{name} is {value}; the allowed range is {low} to {high} {unit}: send a value in it."
        )
    return int(value)


def number_in(value: FieldValue, name: str, low: float, high: float, unit: str) -> float:
    """Return ``value`` as a finite float from ``low`` to ``high``, or raise OutOfRange."""
    if isinstance(value, bool | str):
        raise BadArguments(f"{name} is {value!r}; it takes a number.")
    if not math.isfinite(value) or not low <= value <= high:
        raise OutOfRange(
            f"{name} is {value}; the allowed range is {low:g} to {high:g} {unit}: "
            "send a value in it."
        )
    return float(value)


def clean_text(value: str, what: str, limit: int) -> str:
    """Return ``value`` without spaces at its ends, or raise BadText (too long, not printable)."""
    if len(value) > limit:
        raise BadText(
            f"{what} has {len(value)} characters; the allowed range is 0 to {limit} characters: "
            "shorten it."
        )
    if _CONTROL.search(value):
        raise BadText(
            f"{what} holds a character that cannot be shown ({value[:40]!a}); "
            "remove control characters and line breaks."
        )
    return value.strip()
