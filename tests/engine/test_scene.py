"""Scenes: pure edits, each checked, each saying all that it does."""

from __future__ import annotations

import sys
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.scene import codec, limits
from engine.scene.applying import apply, begin
from engine.scene.edits import (
    AddSources,
    Change,
    FieldValue,
    Merge,
    NewScene,
    NewSource,
    Remove,
    Reorder,
    SetBox,
    SetField,
    SetSceneField,
    Split,
)
from engine.scene.limits import SETTABLE_FIELDS, SETTABLE_SCENE_FIELDS
from engine.scene.model import MAX_SEED, Scene, SourceKind, altered, source_seed
from engine.scene.wording import MAX_CHARACTERS, said
from osc_bridge import ranges
from osc_bridge.errors import (
    BadArguments,
    BadText,
    OutOfRange,
    TooManySources,
    UnknownSource,
    WildtrackError,
    WrongKind,
)

NEW = NewScene("scene1", "Alley", 0, 96_000, 7)
PICTURE = f"media/{'a' * 64}.png"
CLIP = f"media/{'b' * 64}.wav"
TEXT = NewSource("text", "rain", text="rain")
IMAGE = NewSource("image", "frame", media=PICTURE)
REGION = NewSource("region", "dog", media=PICTURE, box=(0, 0, 8, 8))
SOUND = NewSource("audio", "wind", media=CLIP)
ALL = AddSources((TEXT, IMAGE, REGION, SOUND))


def scene_of(*edits: Change) -> Scene:
    scene = begin(NEW)
    for edit in edits:
        scene = apply(scene, edit)
    return scene


def ids(scene: Scene) -> list[str]:
    return [source.id for source in scene.sources]


def test_each_edit_raises_the_revision_and_ids_are_never_used_again() -> None:
    scene = scene_of(AddSources((TEXT, TEXT)), AddSources((TEXT,)), SetField("s2", "pan", -1))
    assert ids(scene) == ["s1", "s2", "s3"]
    assert (scene.revision, scene.next_source) == (4, 4)
    assert scene.source("s2").pan == -1.0
    again = scene_of(AddSources((TEXT, TEXT)), Remove("s2"), AddSources((TEXT,)))
    assert ids(again) == ["s1", "s3"]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, MAX_SEED), st.integers(1, 64))
def test_default_seeds_are_in_range_and_differ(seed: int, number: int) -> None:
    assert 0 <= source_seed(seed, number) <= MAX_SEED
    assert source_seed(seed, number) != source_seed(seed, number + 1)


def test_the_settable_fields_are_those_of_the_protocol() -> None:
    assert set(SETTABLE_FIELDS) == set(ranges.SETTABLE)
    assert set(SETTABLE_SCENE_FIELDS) == set(ranges.SCENE_SETTABLE)
    assert get_args(SourceKind) == ranges.SOURCE_KINDS


def test_an_edit_that_changes_nothing_is_none() -> None:
    scene = scene_of(ALL)
    for edit in (
        SetField("s1", "pan", 0),
        SetField("s1", "text", " rain "),
        SetSceneField("name", "Alley"),
        SetBox("s3", (0, 0, 8, 8)),
        Reorder("s2", 1),
    ):
        assert apply(scene, edit) is scene


VALUES = st.one_of(
    st.booleans(), st.integers(), st.floats(), st.text(max_size=120), st.just(10**5_000)
)


@settings(deadline=None)
@given(st.sampled_from(sorted(ranges.SETTABLE)), VALUES)
def test_what_an_edit_of_a_source_accepts_survives_the_journal(
    field: str, value: FieldValue
) -> None:
    _survives(SetField("s1", field, value))


@settings(deadline=None)
@given(st.sampled_from(sorted(ranges.SCENE_SETTABLE)), VALUES)
def test_what_an_edit_of_a_scene_accepts_survives_the_journal(
    field: str, value: FieldValue
) -> None:
    _survives(SetSceneField(field, value))


def _survives(edit: Change) -> None:
    scene = scene_of(AddSources((TEXT,)))
    try:
        after = apply(scene, edit)
    except WildtrackError as error:
        assert len(str(error)) < 400
        return
    again, revision, time_ms = codec.edit_from_json(codec.edit_to_json(edit, after.revision, 5))
    assert apply(scene, again) == after  # type: ignore[arg-type]
    assert (revision, time_ms) == (max(after.revision, scene.revision), 5)
    assert codec.scene_from_json(codec.scene_to_json(after)) == after


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("duration_samples", 100, r"14400 to 480000 samples .* or 0 for as long as the scene"),
        ("duration_samples", True, "whole number"),
        ("gain_db", 12.5, "-60 to 12 dB"),
        ("gain_db", float("nan"), "-60 to 12 dB"),
        ("start_sample", 96_000, "0 to 95999 samples"),
        ("seed", 1.5, "0 to 9223372036854775807"),
        ("seed", float("inf"), "0 to 9223372036854775807"),
        ("mute", 2, "true and false"),
        ("text", " ", "1 to 400 characters"),
        ("text", "a" * 401, "0 to 400 characters"),
        ("text", 4, "takes a text"),
        ("box", "", "settable field 'box'"),
    ],
)
def test_a_wrong_value_is_refused_with_the_range(
    field: str, value: FieldValue, sentence: str
) -> None:
    with pytest.raises(WildtrackError, match=sentence):
        scene_of(ALL, SetField("s1", field, value))


def test_a_source_has_a_duration_of_its_own_or_the_scenes() -> None:
    scene = scene_of(ALL, SetField("s1", "duration_samples", 48_000))
    assert scene.source("s1").duration_samples == 48_000
    assert apply(scene, SetField("s1", "duration_samples", 0)).source("s1").duration_samples == 0


def test_words_are_set_and_the_label_follows_them_until_it_has_its_own() -> None:
    scene = scene_of(ALL, SetField("s1", "text", "wind"))
    assert (scene.source("s1").text, scene.source("s1").label) == ("wind", "wind")
    named = apply(apply(scene, SetField("s1", "label", "Mistral")), SetField("s1", "text", "gale"))
    assert (named.source("s1").text, named.source("s1").label) == ("gale", "Mistral")
    for source in ("s2", "s3", "s4"):
        with pytest.raises(WrongKind, match="only a source made of text"):
            apply(scene, SetField(source, "text", "wind"))


def test_a_scene_cannot_end_before_its_sources_start() -> None:
    scene = scene_of(ALL, SetField("s4", "start_sample", 50_000))
    with pytest.raises(OutOfRange, match=r"s4 starts at sample 50000.*0 to 47999"):
        apply(scene, SetSceneField("duration_samples", 48_000))
    assert apply(scene, SetSceneField("duration_samples", 50_001)).duration_samples == 50_001


def test_a_scene_keeps_a_name() -> None:
    assert scene_of(SetSceneField("name", " Yard ")).name == "Yard"
    with pytest.raises(BadText, match="1 to 80 characters"):
        scene_of(SetSceneField("name", "  "))


def test_a_new_seed_of_the_scene_is_that_of_the_mix_and_of_new_sources() -> None:
    before = scene_of(AddSources((TEXT,)))
    after = apply(apply(before, SetSceneField("seed", 8)), AddSources((TEXT,)))
    assert after.source("s1") == before.source("s1")
    assert after.source("s2").seed == source_seed(8, 2)


def test_a_box_is_for_pictures_and_makes_regions_of_them() -> None:
    scene = scene_of(ALL, SetBox("s2", (1, 2, 3, 4)), SetBox("s3", (2, 2, 4, 4)))
    assert (scene.source("s2").kind, scene.source("s2").box) == ("region", (1, 2, 3, 4))
    assert scene.source("s3").box == (2, 2, 4, 4)
    for source in ("s1", "s4"):
        with pytest.raises(WrongKind, match="only a picture"):
            apply(scene, SetBox(source, (0, 0, 1, 1)))
    with pytest.raises(OutOfRange, match="x0 < x1"):
        apply(scene, SetBox("s2", (3, 0, 3, 1)))


def test_reordering_moves_one_source() -> None:
    scene = scene_of(ALL)
    assert ids(apply(scene, Reorder("s1", 3))) == ["s2", "s3", "s4", "s1"]
    assert ids(apply(scene, Reorder("s4", 0))) == ["s4", "s1", "s2", "s3"]
    assert codec.scene_from_json(codec.scene_to_json(apply(scene, Reorder("s4", 0))))
    for position in (-1, 4):
        with pytest.raises(OutOfRange, match="0 to 3"):
            apply(scene, Reorder("s1", position))


def test_the_first_part_of_a_split_keeps_its_settings_the_second_follows_it() -> None:
    scene = scene_of(ALL, SetField("s3", "gain_db", -6), SetField("s3", "seed", 5))
    parts = (altered(REGION, box=(0, 0, 4, 8)), altered(REGION, box=(4, 0, 8, 8)))
    after = apply(scene, Split("s3", parts))
    assert ids(after) == ["s1", "s2", "s3", "s5", "s4"]
    first, second = after.source("s3"), after.source("s5")
    assert first == altered(scene.source("s3"), box=(0, 0, 4, 8))
    assert (second.box, second.gain_db) == ((4, 0, 8, 8), -6.0)
    assert second.seed == source_seed(7, 5)


def test_the_first_of_a_merge_keeps_its_settings_the_others_go() -> None:
    scene = scene_of(AddSources((TEXT, TEXT, TEXT)), SetField("s3", "pan", 0.5))
    whole = NewSource("text", "all", text="rain and rain")
    after = apply(scene, Merge(("s3", "s1"), whole))
    assert ids(after) == ["s2", "s3"]
    changed = altered(scene.source("s3"), text="rain and rain", label="all")
    assert after.source("s3") == changed
    for wrong in (("s1",), ("s1", "s1"), ()):
        with pytest.raises(BadArguments, match="2 to 64"):
            apply(scene, Merge(wrong, whole))


@pytest.mark.parametrize(
    "edit",
    [
        SetField("s9", "pan", 0),
        SetBox("s9", (0, 0, 1, 1)),
        Split("s9", (TEXT, TEXT)),
        Merge(("s1", "s9"), TEXT),
        Reorder("s9", 0),
        Remove("s9"),
    ],
)
def test_unknown_sources_are_named_with_those_there_are(edit: Change) -> None:
    with pytest.raises(UnknownSource, match=r"'s9' \(sources: s1, s2, s3, s4\)"):
        scene_of(ALL, edit)


@pytest.mark.parametrize(
    "part",
    [
        altered(TEXT, text=" "),
        altered(TEXT, media=CLIP),
        altered(IMAGE, media=""),
        altered(REGION, box=None),
        altered(REGION, box=(4, 0, 2, 8)),
    ],
)
def test_a_part_that_does_not_fit_its_kind_is_refused(part: NewSource) -> None:
    for edit in (AddSources((part,)), Split("s1", (TEXT, part)), Merge(("s1", "s2"), part)):
        with pytest.raises(WildtrackError):
            scene_of(ALL, edit)


def test_a_full_scene_takes_no_more() -> None:
    full = scene_of(AddSources((TEXT,) * 64))
    for edit in (AddSources((TEXT,)), Split("s1", (TEXT, TEXT))):
        with pytest.raises(TooManySources, match="0 to 64 sources"):
            apply(full, edit)


def test_ids_that_are_used_up_end_a_scene() -> None:
    scene = altered(scene_of(ALL), next_source=limits.MAX_NUMBER)
    last = apply(scene, AddSources((TEXT,)))
    assert codec.scene_from_json(codec.scene_to_json(last)) == last
    for edit in (AddSources((TEXT,)), Split("s1", (TEXT, TEXT))):
        with pytest.raises(TooManySources, match="new scene"):
            apply(last, edit)


@pytest.mark.parametrize(
    "edit",
    [
        SetField("s999999", "duration_samples", 0),
        SetSceneField("duration_samples", 48_000),
        AddSources((TEXT,) * 64, frame=PICTURE),
        Merge(tuple(f"s{number}" for number in range(999_900, 999_964)), TEXT),
        Reorder("s999999", 63),
        Split("s999999", (TEXT, TEXT)),
    ],
)
def test_what_is_told_to_people_is_one_short_sentence(edit: Any) -> None:
    sentence = said(edit)
    assert len(sentence) <= MAX_CHARACTERS
    assert sentence.endswith(".")
    assert sentence.isprintable()


def test_numbers_of_any_length_are_refused_by_a_short_sentence() -> None:
    for value in (10**30, 10 ** (sys.get_int_max_str_digits() + 1), -(10**5_000)):
        with pytest.raises(OutOfRange, match="more than 24 digits"):
            scene_of(ALL, SetField("s1", "seed", value))
