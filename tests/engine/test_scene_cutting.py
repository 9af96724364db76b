"""Splits and merges, planned: every part is there, nothing is there twice."""

from __future__ import annotations

import re

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from engine.scene import cutting
from engine.scene.applying import apply, begin
from engine.scene.edits import AddSources, NewScene, NewSource, SetField
from engine.scene.model import Box, Scene
from osc_bridge.errors import BadText, OutOfRange, UnknownSource, WildtrackError, WrongKind

PICTURE, OTHER = f"media/{'a' * 64}.png", f"media/{'c' * 64}.png"
CLIP, SECOND = f"media/{'b' * 64}.wav", f"media/{'d' * 64}.wav"
SIZE = (48, 32)
edges = st.integers(0, 200)


def scene_of(*sources: NewSource) -> Scene:
    return apply(begin(NewScene("scene1", "Alley", 0, 96_000, 7)), AddSources(sources))


def region(box: Box, media: str = PICTURE) -> NewSource:
    return NewSource("region", "dog", media=media, box=box)


def words(text: str) -> NewSource:
    return NewSource("text", text[:80].strip(), text=text)


IMAGE = NewSource("image", "frame", media=PICTURE)
SOUND = NewSource("audio", "wind", media=CLIP)
KINDS = scene_of(words("rain"), IMAGE, region((0, 0, 8, 8)), SOUND)


def split_text(text: str, at: int = 0) -> list[str]:
    scene = scene_of(words(text))
    after = apply(scene, cutting.split_words(scene, "s1", at))
    return [source.text for source in after.sources]


@settings(deadline=None)
@given(edges, edges, edges, edges, edges)
def test_the_parts_of_a_region_tile_it_across_its_longer_edge(
    x0: int, y0: int, width: int, height: int, at: int
) -> None:
    assume(width > 0 and height > 0 and width * height > 1)
    scene = scene_of(region((x0, y0, x0 + width, y0 + height)))
    is_wide = width >= height
    low, high = (x0, x0 + width) if is_wide else (y0, y0 + height)
    if at and not low < at < high:
        with pytest.raises(OutOfRange, match=f"{low + 1} to {high - 1} pixels"):
            cutting.split_picture(scene, "s1", at, SIZE)
        return
    after = apply(scene, cutting.split_picture(scene, "s1", at, SIZE))
    cut = at or (low + high) // 2
    boxes = [source.box for source in after.sources]
    assert boxes == (
        [(x0, y0, cut, y0 + height), (cut, y0, x0 + width, y0 + height)]
        if is_wide
        else [(x0, y0, x0 + width, cut), (x0, cut, x0 + width, y0 + height)]
    )
    assert {source.kind for source in after.sources} == {"region"}


def test_a_whole_picture_falls_into_regions() -> None:
    after = apply(KINDS, cutting.split_picture(KINDS, "s2", 0, SIZE))
    assert (after.source("s2").kind, after.source("s2").box) == ("region", (0, 0, 24, 32))
    assert (after.source("s5").media, after.source("s5").box) == (PICTURE, (24, 0, 48, 32))
    with pytest.raises(OutOfRange, match="1 x 1"):
        cutting.split_picture(scene_of(IMAGE), "s1", 0, (1, 1))


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("a dog barks, rain on a roof", ["a dog barks", "rain on a roof"]),
        ("a dog barks; rain", ["a dog barks", "rain"]),
        ("dog+rain", ["dog", "rain"]),
        ("dog / rain", ["dog", "rain"]),
        ("dog and rain", ["dog", "rain"]),
        ("wind, dog and rain, sea", ["wind, dog", "rain, sea"]),
        ("dogs, and cats", ["dogs", "cats"]),
        ("sand and brandy", ["sand", "brandy"]),
        ("Dog AND Rain", ["Dog", "Rain"]),
        ("rain falls on leaves", ["rain falls", "on leaves"]),
        ("rain on leaves", ["rain", "on leaves"]),
        (", rain on leaves,", [", rain", "on leaves,"]),
    ],
)
def test_words_fall_apart_at_the_sign_nearest_the_middle(text: str, parts: list[str]) -> None:
    assert split_text(text) == parts


@pytest.mark.parametrize(
    ("text", "at", "parts"),
    [
        ("a dog barks, rain", 1, ["a", "dog barks, rain"]),
        ("a dog barks, rain", 3, ["a dog barks", "rain"]),
        ("dog and rain", 1, ["dog", "rain"]),
        ("dog and rain", 2, ["dog", "rain"]),
        ("and and", 1, ["and", "and"]),
    ],
)
def test_words_fall_apart_after_a_number_of_words(text: str, at: int, parts: list[str]) -> None:
    assert split_text(text, at) == parts


@settings(deadline=None)
@given(st.text(st.sampled_from("ab ,;+/and"), min_size=1, max_size=60), st.integers(0, 6))
def test_a_split_text_loses_only_its_signs(text: str, at: int) -> None:
    assume(text.strip())
    try:
        parts = split_text(text, at)
    except (BadText, OutOfRange):
        return
    assert len(parts) == 2
    assert all(part == part.strip() != "" for part in parts)
    signs = re.compile(r"[,;+/\s]|\band\b")
    assert signs.sub("", " ".join(parts)) == signs.sub("", " ".join(text.split()))


def test_one_word_and_a_gap_that_is_not_there_are_refused() -> None:
    with pytest.raises(BadText, match="one word; allowed are 2 words or more"):
        split_text("rain")
    for at in (-1, 3, 99):
        with pytest.raises(OutOfRange, match="1 to 2 words, or 0"):
            split_text("rain on leaves", at)


def test_labels_follow_the_words_unless_a_user_gave_them() -> None:
    scene = scene_of(words("dog and rain"))
    labels = [s.label for s in apply(scene, cutting.split_words(scene, "s1", 0)).sources]
    assert labels == ["dog", "rain"]
    scene = apply(scene, SetField("s1", "label", "Yard"))
    labels = [s.label for s in apply(scene, cutting.split_words(scene, "s1", 0)).sources]
    assert labels == ["Yard", "Yard"]


def test_a_sound_is_cut_where_both_parts_can_be_heard() -> None:
    assert cutting.sound_cut(48_000, 0) == 24_000
    assert cutting.sound_cut(48_000, 2_400) == 2_400
    assert cutting.sound_cut(48_000, 45_600) == 45_600
    for at in (1, 2_399, 45_601, 48_000, -1):
        with pytest.raises(OutOfRange, match="2400 to 45600 samples at 48 kHz"):
            cutting.sound_cut(48_000, at)
    with pytest.raises(OutOfRange, match="4800 samples at 48 kHz or more"):
        cutting.sound_cut(4_799, 0)


def test_a_sound_is_split_into_the_clips_made_of_it() -> None:
    after = apply(KINDS, cutting.split_sound(KINDS, "s4", CLIP, (SECOND, OTHER)))
    assert [s.media for s in after.sources if s.kind == "audio"] == [SECOND, OTHER]
    with pytest.raises(WrongKind, match="changed while it was cut"):
        cutting.split_sound(after, "s4", CLIP, (SECOND, OTHER))


def test_a_box_lies_inside_its_picture() -> None:
    asked: list[str] = []

    def size_of(media: str) -> tuple[int, int]:
        asked.append(media)
        return SIZE

    after = apply(KINDS, cutting.set_box(KINDS, "s2", (0, 0, 48, 32), size_of))
    assert (after.source("s2").kind, after.source("s2").box) == ("region", (0, 0, 48, 32))
    for box in ((0, 0, 49, 32), (0, 0, 48, 33), (-1, 0, 4, 4), (4, 0, 4, 4)):
        with pytest.raises(OutOfRange, match="inside the picture of 48 x 32 pixels"):
            cutting.set_box(KINDS, "s3", box, size_of)
    for source in ("s1", "s4"):
        with pytest.raises(WrongKind, match="only image or region can be given a box"):
            cutting.set_box(KINDS, source, (0, 0, 4, 4), size_of)
    assert set(asked) == {PICTURE}


def test_sources_of_another_kind_are_refused_with_those_that_can_be_cut() -> None:
    for source in ("s1", "s4"):
        with pytest.raises(WrongKind, match="only image or region can be cut at a pixel"):
            cutting.split_picture(KINDS, source, 0, SIZE)
    for source in ("s2", "s3", "s4"):
        with pytest.raises(WrongKind, match="only text can be cut after a word"):
            cutting.split_words(KINDS, source, 0)
    for source in ("s1", "s2", "s3"):
        with pytest.raises(WrongKind, match="only audio can be cut at a sample"):
            cutting.split_sound(KINDS, source, CLIP, (SECOND, OTHER))


def test_regions_become_the_box_around_them() -> None:
    scene = scene_of(region((4, 4, 8, 8)), region((0, 6, 2, 20)), region((9, 0, 10, 1)))
    assert cutting.mergeable(scene, ["s2", "s1"]) == ()
    after = apply(scene, cutting.merge(scene, ["s2", "s1"]))
    assert [(s.id, s.box) for s in after.sources] == [("s2", (0, 4, 8, 20)), ("s3", (9, 0, 10, 1))]


def test_a_region_and_its_whole_picture_become_the_picture() -> None:
    scene = scene_of(region((4, 4, 8, 8)), IMAGE)
    (source,) = apply(scene, cutting.merge(scene, ["s1", "s2"])).sources
    assert (source.id, source.kind, source.box, source.label) == ("s1", "image", None, "dog")


def test_words_are_joined_by_and() -> None:
    scene = scene_of(words("rain"), words("wind"), words("sea"))
    (source,) = apply(scene, cutting.merge(scene, ["s3", "s1", "s2"])).sources
    assert source.id == "s3"
    assert source.text == source.label == "sea and rain and wind"
    long = scene_of(words("a" * 200), words("b" * 196))
    with pytest.raises(BadText, match="401 characters; the allowed range is 1 to 400"):
        cutting.merge(long, ["s1", "s2"])


def test_sounds_are_merged_into_the_clip_made_of_them() -> None:
    scene = scene_of(SOUND, NewSource("audio", "sea", media=SECOND), SOUND)
    clips = cutting.mergeable(scene, ["s2", "s1"])
    assert clips == (SECOND, CLIP)
    after = apply(scene, cutting.merge_sounds(scene, ["s2", "s1"], clips, OTHER))
    assert [(s.id, s.media, s.label) for s in after.sources] == [
        ("s2", OTHER, "sea"),
        ("s3", CLIP, "wind"),
    ]
    for wrong in ((), (CLIP, SECOND)):
        with pytest.raises(WrongKind, match="changed"):
            cutting.merge_sounds(scene, ["s2", "s1"], wrong, OTHER)
    with pytest.raises(WrongKind):
        cutting.merge(scene, ["s1", "s2"])


@pytest.mark.parametrize(
    ("sources", "kind"),
    [
        (["s1"], OutOfRange),
        ([], OutOfRange),
        (["s1", "s1"], OutOfRange),
        ([f"s{number}" for number in range(1, 66)], OutOfRange),
        (["s1", "s9"], UnknownSource),
        (["s1", "s2"], WrongKind),
        (["s4", "s3"], WrongKind),
    ],
)
def test_what_does_not_go_together_is_refused(
    sources: list[str], kind: type[WildtrackError]
) -> None:
    for plan in (cutting.mergeable, cutting.merge):
        with pytest.raises(kind):
            plan(KINDS, sources)


def test_regions_of_different_pictures_do_not_go_together() -> None:
    scene = scene_of(region((0, 0, 4, 4)), region((4, 0, 8, 4), OTHER))
    with pytest.raises(WrongKind, match="parts of the same picture"):
        cutting.merge(scene, ["s1", "s2"])


@settings(deadline=None)
@given(st.integers(0, 2**31), st.sampled_from([(48, 32), (32, 48)]))
def test_a_split_is_taken_back_by_a_merge(seed: int, size: tuple[int, int]) -> None:
    at = seed % (max(size) - 1) + 1
    scene = scene_of(region((0, 0, *size)))
    after = apply(scene, cutting.split_picture(scene, "s1", at, size))
    again = apply(after, cutting.merge(after, [source.id for source in after.sources]))
    assert again.sources == scene.sources
