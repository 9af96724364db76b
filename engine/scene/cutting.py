"""Plans of split and merge: what a source falls into, what several sources become. Pure.

A plan is an edit; it is made for a scene as it is when the edit's turn comes (``edits.Plan``).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

from engine.scene.applying import label_of
from engine.scene.edits import Merge, NewSource, SetBox, Split
from engine.scene.model import (
    MAX_SOURCES,
    MAX_TEXT_CHARACTERS,
    SAMPLE_RATE,
    Box,
    Scene,
    Source,
    SourceKind,
)
from osc_bridge.errors import BadText, OutOfRange, WrongKind

Size = tuple[int, int]
"""Width and height of a picture in pixels."""

MIN_PART_SAMPLES = SAMPLE_RATE // 20
"""The shortest part of a sound, the shortest sound that can be read: 0.05 s."""

PICTURES: tuple[SourceKind, ...] = ("image", "region")

_SIGN = re.compile(r"(?:\s*(?:[,;+/]|\band\b))+\s*", re.IGNORECASE)
"""What stands between two sounds in words."""


def set_box(scene: Scene, source_id: str, box: Box, size_of: Callable[[str], Size]) -> SetBox:
    """Give a picture or region a box inside its picture. WrongKind, OutOfRange.

    ``size_of`` is ``MediaStore.picture_size``; it is asked for pictures alone.
    """
    source = _of_kind(scene, source_id, PICTURES, "given a box")
    width, height = size_of(source.media)
    x0, y0, x1, y1 = box
    if not (0 <= x0 < x1 <= width and 0 <= y0 < y1 <= height):
        raise OutOfRange(
            f"The box of {source_id} is {x0}, {y0}, {x1}, {y1}; allowed is a box inside the "
            f"picture of {width} x {height} pixels, 0 <= x0 < x1 <= {width} and 0 <= y0 < y1 <= "
            f"{height}: send one."
        )
    return SetBox(source_id, box)


def split_picture(scene: Scene, source_id: str, at: int, size: Size) -> Split:
    """Cut an image or region across its longer edge at pixel ``at`` of the picture, 0 = middle.

    ``size`` is the whole picture's (``MediaStore.picture_size``). WrongKind, OutOfRange.
    """
    source = _of_kind(scene, source_id, PICTURES, "cut at a pixel")
    first, second = _halves(source_id, source.box or (0, 0, *size), at)
    part = replace(_made_of(source), kind="region")
    return Split(source_id, (replace(part, box=first), replace(part, box=second)))


def split_words(scene: Scene, source_id: str, at: int) -> Split:
    """Cut a text after ``at`` words; 0 = at the sign nearest its middle.

    Signs are comma, semicolon, plus, slash and "and"; without one, the middle gap between words
    is taken. What is a sign at the cut goes. Raises WrongKind, OutOfRange, and BadText for a
    text of one word.
    """
    source = _of_kind(scene, source_id, ("text",), "cut after a word")
    first, second = _cut_text(source, at)
    return Split(source_id, (_with_words(source, first), _with_words(source, second)))


def split_sound(scene: Scene, source_id: str, media: str, parts: tuple[str, str]) -> Split:
    """Split an audio source whose clip ``media`` was cut into ``parts`` (media files).

    WrongKind when the source is no sound, or no longer this one.
    """
    source = _of_kind(scene, source_id, ("audio",), "cut at a sample")
    if source.media != media:
        raise WrongKind(f"The sound of {source_id} changed while it was cut; split it again.")
    first, second = (replace(_made_of(source), media=part) for part in parts)
    return Split(source_id, (first, second))


def sound_cut(samples: int, at: int) -> int:
    """Return where a clip of ``samples`` is cut: ``at``, or its middle for 0. OutOfRange."""
    if samples < 2 * MIN_PART_SAMPLES:
        raise OutOfRange(
            f"The sound lasts {samples} samples; the allowed range of a sound to split is "
            f"{2 * MIN_PART_SAMPLES} samples at 48 kHz or more (0.1 s): use it whole."
        )
    cut = at or samples // 2
    last = samples - MIN_PART_SAMPLES
    if not MIN_PART_SAMPLES <= cut <= last:
        raise OutOfRange(
            f"at is {at}; the allowed range is {MIN_PART_SAMPLES} to {last} samples at 48 kHz "
            f"(the sound has {samples}), or 0 for the middle: send a sample in it."
        )
    return cut


def mergeable(scene: Scene, source_ids: Sequence[str]) -> tuple[str, ...]:
    """Check what is to be merged; return the clips to overlay, () for pictures and words.

    OutOfRange for fewer than 2, more than 64, or one twice; UnknownSource; WrongKind.
    """
    sources = _to_merge(scene, source_ids)
    return tuple(source.media for source in sources) if sources[0].kind == "audio" else ()


def merge(scene: Scene, source_ids: Sequence[str]) -> Merge:
    """Merge pictures or words. As `mergeable`, and BadText for too many characters."""
    sources = _to_merge(scene, source_ids)
    first = sources[0]
    if first.kind == "audio":
        raise WrongKind(f"{first.id} became a sound meanwhile; merge again.")
    if first.kind == "text":
        whole = _with_words(first, _joined(sources))
    else:
        box = _around([source.box for source in sources])
        whole = replace(_made_of(first), kind="region" if box else "image", box=box)
    return Merge(tuple(source_ids), whole)


def merge_sounds(
    scene: Scene, source_ids: Sequence[str], clips: Sequence[str], media: str
) -> Merge:
    """Merge sounds whose ``clips`` (from `mergeable`) were overlaid into ``media``.

    As `mergeable`, and WrongKind when the clips are no longer these.
    """
    if not clips or mergeable(scene, source_ids) != tuple(clips):
        raise WrongKind("A sound changed while they were laid over each other; merge them again.")
    whole = replace(_made_of(scene.source(source_ids[0])), media=media)
    return Merge(tuple(source_ids), whole)


def _of_kind(scene: Scene, source_id: str, kinds: tuple[SourceKind, ...], what: str) -> Source:
    source = scene.source(source_id)
    if source.kind not in kinds:
        raise WrongKind(
            f"Source {source_id} is of the kind {source.kind}; only {' or '.join(kinds)} can be "
            f"{what}: ask again with a source of that kind."
        )
    return source


def _made_of(source: Source) -> NewSource:
    return NewSource(source.kind, source.label, source.text, source.media, source.box)


def _halves(source_id: str, box: Box, at: int) -> tuple[Box, Box]:
    x0, y0, x1, y1 = box
    is_wide = x1 - x0 >= y1 - y0
    low, high = (x0, x1) if is_wide else (y0, y1)
    if high - low < 2:
        raise OutOfRange(
            f"{source_id} is 1 x 1 pixel; allowed is a box of 2 pixels or more on its longer "
            "edge: make it larger (source/box)."
        )
    cut = at or (low + high) // 2
    if not low < cut < high:
        raise OutOfRange(
            f"at is {at}; the allowed range is {low + 1} to {high - 1} pixels "
            f"({'from the left' if is_wide else 'from the top'} of the picture), or 0 for the "
            "middle: send a pixel in it."
        )
    return (
        ((x0, y0, cut, y1), (cut, y0, x1, y1))
        if is_wide
        else (
            (x0, y0, x1, cut),
            (x0, cut, x1, y1),
        )
    )


def _cut_text(source: Source, at: int) -> tuple[str, str]:
    if not at:
        parts = _cut_at_sign(source.text)
        if parts is not None:
            return parts
    words = source.text.split()
    if len(words) < 2:
        raise BadText(
            f"The text of {source.id} is one word; allowed are 2 words or more: add a second "
            "source instead (source/add/text)."
        )
    cut = at or len(words) // 2
    if not 0 < cut < len(words):
        raise OutOfRange(
            f"at is {at}; the allowed range is 1 to {len(words) - 1} words, or 0 for the middle: "
            "send a number in it."
        )
    return _tidied(" ".join(words[:cut]), " ".join(words[cut:]))


def _cut_at_sign(text: str) -> tuple[str, str] | None:
    """Cut at the sign nearest the middle that has words on both sides; None without one."""
    signs = [
        sign
        for sign in _SIGN.finditer(text)
        if text[: sign.start()].strip() and text[sign.end() :].strip()
    ]
    if not signs:
        return None
    nearest = min(signs, key=lambda sign: abs(sign.start() + sign.end() - len(text)))
    return text[: nearest.start()].strip(), text[nearest.end() :].strip()


def _tidied(first: str, second: str) -> tuple[str, str]:
    """Take off a sign at the end of the first part and at the beginning of the second."""
    ends = [sign for sign in _SIGN.finditer(first) if sign.end() == len(first)]
    begins = _SIGN.match(second)
    left = first[: ends[-1].start()].strip() if ends else first
    right = second[begins.end() :].strip() if begins else second
    return left or first, right or second


def _with_words(source: Source, text: str) -> NewSource:
    """The label follows the words unless the user gave another one."""
    label = label_of(text) if source.label == label_of(source.text) else source.label
    return replace(_made_of(source), text=text, label=label)


def _to_merge(scene: Scene, source_ids: Sequence[str]) -> list[Source]:
    if not 2 <= len(source_ids) <= MAX_SOURCES or len(set(source_ids)) != len(source_ids):
        raise OutOfRange(
            f"{len(source_ids)} sources are named ({len(set(source_ids))} different ones); the "
            f"allowed range is 2 to {MAX_SOURCES} sources, each once: name those to merge."
        )
    sources = [scene.source(source_id) for source_id in source_ids]
    families = {(_family(source), _picture(source)) for source in sources}
    if len(families) > 1:
        kinds = ", ".join(f"{source.id} {source.kind}" for source in sources[:8])
        raise WrongKind(
            f"These sources do not go together ({kinds}); allowed are parts of the same picture, "
            "or words with words, or sounds with sounds: merge those."
        )
    return sources


def _family(source: Source) -> str:
    return "picture" if source.kind in PICTURES else source.kind


def _picture(source: Source) -> str:
    return source.media if source.kind in PICTURES else ""


def _joined(sources: Sequence[Source]) -> str:
    text = " and ".join(source.text for source in sources)
    if len(text) > MAX_TEXT_CHARACTERS:
        raise BadText(
            f"The words together have {len(text)} characters; the allowed range is 1 to "
            f"{MAX_TEXT_CHARACTERS} characters: shorten them (source/set text), or merge fewer."
        )
    return text


def _around(boxes: Sequence[Box | None]) -> Box | None:
    """The smallest box around all; None, the whole picture, when one of them is that."""
    known = [box for box in boxes if box is not None]
    if len(known) < len(boxes):
        return None
    x0, y0, x1, y1 = zip(*known, strict=True)
    return min(x0), min(y0), max(x1), max(y1)
