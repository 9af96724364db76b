"""Messages check themselves and say what is allowed."""

from __future__ import annotations

import doctest
import math
import pkgutil
from importlib import import_module
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from osc_bridge import events, message, messages, ranges, schema, texts
from osc_bridge.errors import BadArguments, BadText, OutOfRange, WildtrackError
from osc_bridge.events import REQUEST_ADDRESS, Done, Told
from osc_bridge.fields import (
    INT64_MAX,
    PATH_MAX_BYTES,
    Choice,
    FilePath,
    Flag,
    Int,
    Pattern,
    Real,
    ShortText,
    Spec,
    Text,
)
from osc_bridge.message import ROOT, Message, Rows, slots
from osc_bridge.messages.base import Setting
from osc_bridge.schema import (
    BY_ADDRESS,
    CAPABILITIES,
    NOTICES,
    NOTICES_BY_ADDRESS,
    REQUESTS,
    ROWS,
    SCENE_SETTABLE,
    SETTABLE,
    SOURCES_MAX,
    AddImage,
    AddRegion,
    AddText,
    Difference,
    ListSources,
    MergeSources,
    NewScene,
    Notice,
    Render,
    Request,
    Result,
    SceneNotice,
    SetBox,
    SetScene,
    SetSource,
    SourceChanged,
    SourcePage,
    SourceRow,
    SourcesAdded,
    Welcome,
)
from osc_bridge.texts import cut_to_bytes
from osc_bridge.wire import DATAGRAM_MAX, encode_event, read_event

MESSAGES = [*REQUESTS, *{request.reply for request in REQUESTS}, *NOTICES, *ROWS]
MESSAGES.sort(key=lambda cls: cls.__name__)
MODULES = [
    import_module(f"{messages.__name__}.{m.name}") for m in pkgutil.iter_modules(messages.__path__)
]
DOG = "\N{DOG FACE}"


@pytest.mark.parametrize("module", [events, message, texts, *MODULES])
def test_doctests_hold(module) -> None:
    failed, _ = doctest.testmod(module)
    assert failed == 0


def test_every_message_is_in_the_schema() -> None:
    declared = {
        name
        for module in MODULES
        for name, cls in vars(module).items()
        if isinstance(cls, type) and issubclass(cls, Message) and cls.__module__ == module.__name__
    }
    assert declared - {"Setting"} == {cls.__name__ for cls in MESSAGES} | {
        "Request",
        "Result",
        "Notice",
    }
    assert declared - {"Setting"} <= set(schema.__all__)


def test_short_changes_of_a_scene_are_edits() -> None:
    assert {request.__name__ for request in REQUESTS if request.edits} == {
        "SetSource",
        "SetBox",
        "SetScene",
        "ReorderSource",
        "RemoveSource",
        "Undo",
        "Redo",
        "AddText",
    }


@pytest.mark.parametrize("cls", MESSAGES)
def test_example_survives_its_arguments(cls) -> None:
    values = [value for _, value in cls.example().arguments()]
    assert cls.from_arguments(values, "here") == cls.example()


@pytest.mark.parametrize("cls", MESSAGES)
def test_every_message_shows_itself_on_the_wire(cls) -> None:
    assert ">>>" in (cls.__doc__ or "")


def test_addresses_are_unique_and_fit_their_answers() -> None:
    assert len(BY_ADDRESS) == len(REQUESTS)
    assert len(NOTICES_BY_ADDRESS) == len(NOTICES)
    assert max(map(len, BY_ADDRESS)) <= REQUEST_ADDRESS.high


@pytest.mark.parametrize(
    "cls", [c for c in REQUESTS if not slots(c) or not slots(c)[-1].spec.repeats]
)
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
    with pytest.raises(OutOfRange, match=r"empty.*pixels"):
        SetBox("a", "s1", *box)


@pytest.mark.parametrize("count", [0, 1, 65])
def test_a_merge_needs_2_to_64_sources(count: int) -> None:
    with pytest.raises(OutOfRange, match=f"sources is {count}: 2 to 64"):
        MergeSources("a", tuple(f"s{i}" for i in range(count)))


@pytest.mark.parametrize("samples", [0, 14_400, 480_000])
def test_a_source_has_the_scenes_length_or_its_own(samples: int) -> None:
    assert SetSource("a", "s1", "duration_samples", samples).value == samples


@pytest.mark.parametrize("samples", [-1, 1, 14_399, 480_001])
def test_another_length_of_a_source_is_refused(samples: int) -> None:
    with pytest.raises(OutOfRange, match=r"0 \(the scene's\) or 14400 to 480000 samples"):
        SetSource("a", "s1", "duration_samples", samples)


def test_a_scene_has_no_length_of_0() -> None:
    assert SetScene("a", "duration_samples", 14_400).value == 14_400
    with pytest.raises(OutOfRange, match="duration_samples is 0: 14400"):
        SetScene("a", "duration_samples", 0)
    with pytest.raises(BadArguments, match=", ".join(SCENE_SETTABLE)):
        SetScene("a", "gain_db", 0)


def test_texts_for_people_are_cut_instead_of_refused() -> None:
    notice = SceneNotice("a", 1, "x\n" * 100, "c")
    assert notice.what == "x " * 59 + "x…"
    assert Difference("a\ud800b", "", "").what == "a b"


@given(st.text(), st.integers(0, 60))
def test_a_cut_text_has_no_more_bytes_than_asked(text: str, most: int) -> None:
    whole = text.encode(errors="replace").decode()
    cut = cut_to_bytes(whole, most)
    assert len(cut.encode()) <= most
    assert cut == whole or whole.startswith(cut.removesuffix("…"))


def test_a_long_text_is_answered_by_its_beginning() -> None:
    changed = SourceChanged("a", "s1", "text", DOG * 400)
    assert changed.value == DOG * 199 + "…"
    assert SetSource("a", "s1", "text", DOG * 400).value == DOG * 400


@pytest.mark.parametrize(("stems", "quality"), [("both", "final"), ("independent", "best")])
def test_unknown_words_are_refused(stems: str, quality: str) -> None:
    with pytest.raises(OutOfRange, match="one of"):
        Render("a", stems, quality)


def test_half_a_row_is_refused() -> None:
    values = [v for _, v in SourceRow("s1", "text", "rain").arguments()]
    with pytest.raises(BadArguments, match="multiple of 19"):
        SourcePage.from_arguments(["a", 3, 0, -1, 1, *values[:-1]], "here")


def largest(spec: Spec) -> Any:
    """The value of most bytes."""
    match spec:
        case Int() | Real():
            return spec.high
        case Flag():
            return True
        case Text() | ShortText():
            return DOG * spec.high
        case Pattern():
            return next(word for word in ("x" * 64, "0" * 64, "A" * 16) if fits(spec, word))
        case FilePath():
            return "/" + "d" * (PATH_MAX_BYTES - 1)
        case Choice():
            return max(spec.words, key=len)
        case Rows():
            return ()
    raise AssertionError(spec)


def fits(spec: Spec, value: object) -> bool:
    try:
        spec.check("it", value)
    except OutOfRange:
        return False
    return True


def largest_of(cls: type[Message]) -> Any:
    if cls is Welcome:
        program, session = ranges.PROGRAM, next(s.spec for s in slots(cls) if s.name == "session")
        return Welcome(1, 1, largest(program), largest(session), capabilities=CAPABILITIES)
    if cls is SourcesAdded:
        return SourcesAdded("s" * 64, tuple(f"s{999_999 - i}" for i in range(SOURCES_MAX)))
    if issubclass(cls, Setting):
        return SourceChanged("s" * 64, "s" * 64, "text", DOG * 400)
    return cls(**{slot.name: largest(slot.spec) for slot in slots(cls)})


@pytest.mark.parametrize("request_class", REQUESTS)
def test_the_largest_answer_fits_a_datagram(request_class: type[Request[Any]]) -> None:
    result: Result = largest_of(request_class.reply)
    done = Done(INT64_MAX, ROOT + request_class.address, result)
    packet = encode_event(done)
    assert len(packet) <= DATAGRAM_MAX
    assert read_event(packet) == done


@pytest.mark.parametrize("notice", NOTICES)
def test_the_largest_notice_fits_a_datagram(notice: type[Notice]) -> None:
    told = Told(INT64_MAX, largest_of(notice))
    packet = encode_event(told)
    assert len(packet) <= DATAGRAM_MAX
    assert read_event(packet) == told


def test_a_notice_without_a_number_is_refused() -> None:
    with pytest.raises(BadArguments, match="sequence number comes first"):
        Told.from_arguments(SceneNotice, [], "here")
