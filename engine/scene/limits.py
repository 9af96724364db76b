"""What a scene may hold: every range, checked for edits and for scenes from disk alike."""

from __future__ import annotations

import re
from dataclasses import dataclass

from engine.scene import model
from engine.scene.edits import FieldValue, NewSource
from engine.scene.model import Scene, Source
from osc_bridge import ranges
from osc_bridge.errors import BadArguments, BadText, OutOfRange, TooManySources, WrongKind

_CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")


@dataclass(frozen=True)
class NumberField:
    """A settable number: its closed range and the unit to name in an error.

    ``zero`` says what 0 means where it is allowed beside the range.
    """

    low: float
    high: float
    unit: str
    whole: bool = False
    zero: str = ""


NUMBER_FIELDS = {
    "weight": NumberField(ranges.WEIGHT.low, ranges.WEIGHT.high, "as a factor"),
    "gain_db": NumberField(ranges.GAIN_DB.low, ranges.GAIN_DB.high, "dB"),
    "pan": NumberField(ranges.PAN.low, ranges.PAN.high, "from left to right"),
    "seed": NumberField(ranges.SEED.low, ranges.SEED.high, "as a whole number", whole=True),
    "start_sample": NumberField(ranges.START.low, ranges.START.high, ranges.START.unit, whole=True),
    "duration_samples": NumberField(
        ranges.DURATION.low,
        ranges.DURATION.high,
        ranges.DURATION.unit,
        whole=True,
        zero="as long as the scene",
    ),
}
FLAG_FIELDS = ("mute", "solo")
TEXT_FIELDS = {"label": ranges.LABEL.high, "chain": ranges.CHAIN.high}
"""Settable texts and how many characters they may have."""

SETTABLE_FIELDS = (*NUMBER_FIELDS, *FLAG_FIELDS, *TEXT_FIELDS, "cat_id", "text")

SCENE_NUMBER_FIELDS = {
    "seed": NUMBER_FIELDS["seed"],
    "start_sample": NumberField(0, model.MAX_START_SAMPLE, ranges.MIDNIGHT.unit, whole=True),
    "duration_samples": NumberField(
        model.MIN_DURATION_SAMPLES, model.MAX_DURATION_SAMPLES, ranges.DURATION.unit, whole=True
    ),
}
SETTABLE_SCENE_FIELDS = ("name", *SCENE_NUMBER_FIELDS)

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


def checked_field(scene: Scene, source: Source, field: str, value: FieldValue) -> FieldValue:
    """Return the value as ``source`` keeps it, or raise what is wrong with it."""
    rule = NUMBER_FIELDS.get(field)
    if rule is not None:
        if field == "start_sample":
            return whole_in(value, field, 0, _last_start(scene.duration_samples), rule.unit)
        return _number(rule, field, value)
    if field in FLAG_FIELDS:
        return _checked_flag(field, value)
    if field == "cat_id":
        return ranges.CAT_ID.check(field, _as_text(field, value))
    if field in TEXT_FIELDS:
        return clean_text(_as_text(field, value), field, TEXT_FIELDS[field])
    if field == "text":
        return _checked_words(source, value)
    raise BadArguments(
        f"A source has no settable field {field[:40]!r}; the fields are "
        f"{', '.join(SETTABLE_FIELDS)}."
    )


def checked_scene_field(field: str, value: FieldValue) -> FieldValue:
    """Return the value as a scene keeps it, or raise what is wrong with it."""
    if field in SCENE_NUMBER_FIELDS:
        return _number(SCENE_NUMBER_FIELDS[field], field, value)
    if field == "name":
        return _checked_name(_as_text(field, value))
    raise BadArguments(
        f"A scene has no settable field {field[:40]!r}; the fields are "
        f"{', '.join(SETTABLE_SCENE_FIELDS)}."
    )


def require_starts(sources: tuple[Source, ...], duration_samples: int) -> None:
    """Raise OutOfRange when a source would start at or after the scene's end."""
    for source in sources:
        if source.start_sample > _last_start(duration_samples):
            raise OutOfRange(
                f"Source {source.id} starts at sample {source.start_sample}; the allowed range in "
                f"a scene of {duration_samples} samples is 0 to {_last_start(duration_samples)} "
                "samples at 48 kHz: move it to the front first (source/set start_sample)."
            )


def require_numbers(scene: Scene, count: int) -> None:
    """Raise TooManySources when ids for ``count`` more sources cannot be given."""
    if scene.next_source + count - 1 > MAX_NUMBER:
        raise TooManySources(
            f"Scene {scene.id} has used the ids s1 to s{scene.next_source - 1}; the allowed range "
            f"is s1 to s{MAX_NUMBER}, each once: go on in a new scene (scene/new)."
        )


def check_scene(scene: Scene) -> None:
    """Hold a scene that was read from disk to the same ranges as one made by edits."""
    check_frame_of_scene(scene)
    for source in scene.sources:
        check_source(scene, source)


def check_frame_of_scene(scene: Scene) -> None:
    """Hold everything of a scene but what its sources hold in themselves to its range."""
    for field in SETTABLE_SCENE_FIELDS:
        checked_scene_field(field, getattr(scene, field))
    if len(scene.sources) > model.MAX_SOURCES:
        raise TooManySources(
            f"The scene has {len(scene.sources)} sources; the allowed range is 0 to "
            f"{model.MAX_SOURCES} sources: restore it from a copy."
        )
    whole_in(scene.sample_rate, "sample_rate", model.SAMPLE_RATE, model.SAMPLE_RATE, "Hz")
    whole_in(scene.revision, "revision", 1, model.MAX_SEED, "edits")
    whole_in(scene.next_source, "next_source", 1, MAX_NUMBER + 1, "as a whole number")
    _check_ids(scene)
    require_starts(scene.sources, scene.duration_samples)


def check_source(scene: Scene, source: Source) -> None:
    """Hold one source that was read from disk to the ranges of edits."""
    check_parts(source.id, source)
    clean_text(source.text, "The text of a source", model.MAX_TEXT_CHARACTERS)
    for field in SETTABLE_FIELDS:
        if field not in ("text", "start_sample"):
            checked_field(scene, source, field, getattr(source, field))
    whole_in(source.start_sample, "start_sample", 0, ranges.START.high, ranges.START.unit)


def check_parts(source_id: str, source: NewSource | Source) -> None:
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


def whole_in(value: FieldValue, name: str, low: int, high: int, unit: str) -> int:
    """Return ``value`` as an int from ``low`` to ``high``, or raise OutOfRange."""
    if isinstance(value, bool | str):
        raise BadArguments(f"{name} is {_shown(value)}; it takes a whole number.")
    if not low <= value <= high or value != int(value):
        raise OutOfRange(
            f"{name} is {_shown(value)}; the allowed range is {low} to {high} {unit}: "
            "send a value in it."
        )
    return int(value)


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


def require_words(text: str) -> None:
    """Raise BadText when a source would have no words."""
    if not text.strip():
        raise BadText(
            "The text of a source is empty; the allowed range is 1 to "
            f"{model.MAX_TEXT_CHARACTERS} characters: say what sounds."
        )


def _number(rule: NumberField, field: str, value: FieldValue) -> FieldValue:
    if rule.zero and value == 0 and not isinstance(value, bool):
        return 0
    unit = f"{rule.unit}, or 0 for {rule.zero}" if rule.zero else rule.unit
    if rule.whole:
        return whole_in(value, field, int(rule.low), int(rule.high), unit)
    if isinstance(value, bool | str):
        raise BadArguments(f"{field} is {_shown(value)}; it takes a number.")
    if not rule.low <= value <= rule.high:
        raise OutOfRange(
            f"{field} is {_shown(value)}; the allowed range is {rule.low:g} to {rule.high:g} "
            f"{unit}: send a value in it."
        )
    return float(value)


def _checked_flag(field: str, value: FieldValue) -> bool:
    if isinstance(value, str) or value not in (0, 1):
        raise OutOfRange(
            f"{field} is {_shown(value)}; the allowed values are true and false (1 and 0)."
        )
    return bool(value)


def _checked_name(value: str) -> str:
    name = clean_text(value, "A scene's name", model.MAX_NAME_CHARACTERS)
    if not name:
        raise BadText(
            "A scene's name is blank; the allowed range is 1 to "
            f"{model.MAX_NAME_CHARACTERS} characters: write something."
        )
    return name


def _checked_words(source: Source, value: FieldValue) -> str:
    text = _as_text("text", value)
    if source.kind != "text":
        raise WrongKind(
            f"Source {source.id} is of the kind {source.kind}; only a source made of text has "
            "words to set: add one with source/add/text."
        )
    require_words(text)
    return clean_text(text, "The text of a source", model.MAX_TEXT_CHARACTERS)


def _as_text(field: str, value: FieldValue) -> str:
    if not isinstance(value, str):
        raise BadArguments(f"{field} is {_shown(value)}; it takes a text.")
    return value


def _last_start(duration_samples: int) -> int:
    return min(int(ranges.START.high), duration_samples - 1)


def _check_ids(scene: Scene) -> None:
    """Each source has a number of its own that was given already."""
    found = [_SOURCE_ID.fullmatch(source.id) for source in scene.sources]
    numbers = {int(match[1]) if match else 0 for match in found}
    is_whole = not numbers or (min(numbers) > 0 and max(numbers) < scene.next_source)
    if not is_whole or len(numbers) != len(scene.sources):
        ids = ", ".join(source.id[:8] for source in scene.sources)
        raise BadArguments(
            f"The sources are called {ids}; expected are s1 to s{scene.next_source - 1}, each once."
        )


def _shown(value: FieldValue) -> str:
    """The value as an error shows it: a number of a thousand digits is not shown whole."""
    if isinstance(value, int) and abs(value) >= 10**24:
        return "a number of more than 24 digits"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:45]}... ({len(text)} characters)"
