"""Messages check themselves and say what is allowed."""

from __future__ import annotations

import doctest
import math

import pytest

from osc_bridge import events, message
from osc_bridge.errors import BadArguments, BadText, OutOfRange, WildtrackError
from osc_bridge.message import slots
from osc_bridge.messages import engine, scene, source, take
from osc_bridge.schema import (
    BY_ADDRESS,
    REQUESTS,
    SETTABLE,
    AddImage,
    AddRegion,
    AddText,
    ListSources,
    NewScene,
    Render,
    SetSource,
    SourcePage,
    SourceRow,
)

MESSAGES = [*REQUESTS, *(request.reply for request in REQUESTS)]


@pytest.mark.parametrize("module", [events, message, engine, scene, source, take])
def test_doctests_hold(module) -> None:
    failed, _ = doctest.testmod(module)
    assert failed == 0


@pytest.mark.parametrize("cls", MESSAGES)
def test_example_survives_its_arguments(cls) -> None:
    values = [value for _, value in cls.example().arguments()]
    assert cls.from_arguments(values, "here") == cls.example()


@pytest.mark.parametrize("cls", MESSAGES)
def test_every_message_shows_itself_on_the_wire(cls) -> None:
    assert ">>>" in (cls.__doc__ or "")


def test_addresses_are_unique() -> None:
    assert len(BY_ADDRESS) == len(REQUESTS)


@pytest.mark.parametrize("cls", REQUESTS)
def test_too_many_arguments_are_refused_by_number(cls) -> None:
    values = [value for _, value in cls.example().arguments()]
    with pytest.raises(BadArguments, match=rf"has {len(values) + 1} arguments"):
        cls.from_arguments([*values, "surplus"], cls.address)


@pytest.mark.parametrize("cls", [c for c in REQUESTS if any(not s.optional for s in slots(c))])
def test_a_missing_argument_is_refused(cls) -> None:
    with pytest.raises(BadArguments, match="has 0 arguments"):
        cls.from_arguments([], cls.address)


def test_trailing_defaults_may_be_left_out() -> None:
    assert NewScene.from_arguments(["Alley"], "x") == NewScene("Alley", 0, 192_000, 1)


@pytest.mark.parametrize(
    ("field", "low", "high"),
    [("weight", 0, 4), ("gain_db", -60, 12), ("pan", -1, 1), ("seed", 0, 2**63 - 1)],
)
def test_settable_ranges_are_closed(field: str, low: int, high: int) -> None:
    assert SetSource("a", "s", field, low).value == low
    assert SetSource("a", "s", field, high).value == high
    for outside in (low - 1, high + 1):
        with pytest.raises(OutOfRange, match=rf"{field} is -?\d+: {low} to {high}"):
            SetSource("a", "s", field, outside)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("field", ["weight", "gain_db", "pan"])
def test_numbers_that_are_none_are_refused(field: str, value: float) -> None:
    with pytest.raises(OutOfRange, match=field):
        SetSource("a", "s", field, value)


def test_the_unit_is_in_the_sentence() -> None:
    with pytest.raises(OutOfRange, match=r"gain_db is 30: -60 to 12 dB is allowed"):
        SetSource("a", "s", "gain_db", 30)


@pytest.mark.parametrize("value", [True, 1])
def test_integers_serve_as_booleans(value: int) -> None:
    assert SetSource("a", "s", "mute", value).value is True


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("mute", 1.0),
        ("mute", "yes"),
        ("label", 3),
        ("seed", 1.5),
        ("seed", True),
        ("pan", "left"),
        ("pan", True),
        ("no_such_field", 1),
    ],
)
def test_wrong_types_are_bad_arguments(field: str, value: object) -> None:
    with pytest.raises(BadArguments, match=field):
        SetSource("a", "s", field, value)  # type: ignore[arg-type]


def test_an_unknown_field_lists_the_known() -> None:
    with pytest.raises(BadArguments, match=", ".join(SETTABLE)):
        SetSource("a", "s", "volume", 1)


def test_a_text_of_10000_characters_is_refused() -> None:
    with pytest.raises(OutOfRange, match="10000 characters: 1 to 400"):
        AddText("a", "x" * 10_000)


@pytest.mark.parametrize("text", ["a\0b", "a\nb", "\x7f", "\ud800", "  "])
def test_unusable_texts_are_refused(text: str) -> None:
    with pytest.raises(BadText):
        AddText("a", text)


@pytest.mark.parametrize("scene", ["", "../up", "a/b", "a b", "x" * 65, "ä", "-a", "a.b"])
def test_an_id_cannot_name_a_path(scene: str) -> None:
    with pytest.raises(OutOfRange, match="scene"):
        ListSources(scene)


@pytest.mark.parametrize(
    ("path", "error"), [("", OutOfRange), ("/" + "ä" * 512, OutOfRange), ("/a\0b", BadText)]
)
def test_unusable_paths_are_refused(path: str, error: type[WildtrackError]) -> None:
    with pytest.raises(error, match="path"):
        AddImage("a", path)


@pytest.mark.parametrize("box", [(5, 5, 5, 9), (5, 5, 9, 5), (9, 0, 3, 4)])
def test_an_empty_box_is_refused(box: tuple[int, int, int, int]) -> None:
    with pytest.raises(OutOfRange, match=r"empty.*pixels"):
        AddRegion("a", "/f.png", *box)


@pytest.mark.parametrize(("stems", "quality"), [("both", "final"), ("independent", "best")])
def test_unknown_words_are_refused(stems: str, quality: str) -> None:
    with pytest.raises(OutOfRange, match="one of"):
        Render("a", stems, quality)


def test_half_a_row_is_refused() -> None:
    values = [v for _, v in SourceRow("s1", "text", "rain").arguments()]
    with pytest.raises(BadArguments, match="multiple of 16"):
        SourcePage.from_arguments(["a", 0, -1, 1, *values[:-1]], "here")
