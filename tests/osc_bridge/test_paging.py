"""Every row once, every page within a datagram."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from osc_bridge import paging
from osc_bridge.errors import OutOfRange
from osc_bridge.events import Done
from osc_bridge.fields import INT32_MAX, INT64_MAX
from osc_bridge.message import ROOT
from osc_bridge.paging import (
    SceneHead,
    compare_page,
    job_page,
    model_page,
    scene_page,
    snapshot_page,
    source_page,
    take_page,
)
from osc_bridge.schema import (
    BY_ADDRESS,
    DURATION_MAX,
    SAMPLE_MAX,
    Difference,
    JobRow,
    ModelRow,
    SceneRow,
    SourceRow,
    TakeRow,
)
from osc_bridge.wire import DATAGRAM_MAX, encode_event

DOG = "\N{DOG FACE}"
ID = "i" * 64
TEXTS = st.sampled_from(["", "dog", DOG * 80])

HEAD = SceneHead(
    scene=ID,
    revision=INT64_MAX,
    name=DOG * 80,
    start_sample=SAMPLE_MAX,
    duration_samples=DURATION_MAX,
    seed=INT64_MAX,
    frame="m" * 100,
    undo_steps=INT32_MAX,
    redo_steps=INT32_MAX,
)
SOURCE = SourceRow(
    source=ID,
    kind="region",
    label=DOG * 80,
    x1=60_000,
    y1=60_000,
    mute=True,
    solo=True,
    seed=INT64_MAX,
    chain=DOG * 100,
    cat_id="A" * 16,
    text=DOG * 200,
    media="m" * 100,
)
SCENE = SceneRow(ID, DOG * 80, SAMPLE_MAX, DURATION_MAX, INT64_MAX, INT32_MAX, INT64_MAX)
PATH = "/" + "d" * 1023
TAKE = TakeRow(ID, ID, DOG * 80, True, "c" * 40, DURATION_MAX, PATH)
JOB = JobRow(INT64_MAX, DOG * 64, ID, ID, "waiting", "preview", 1.0, DOG * 80)
DIFFERENCE = Difference(DOG * 100, DOG * 200, DOG * 200)
MODEL = ModelRow(DOG * 80, DOG * 40, DOG * 40, DOG * 80, "available", DOG * 40, INT64_MAX, "0" * 64)

LISTS: dict[str, tuple[Callable[[int, Sequence[Any]], Any], Any]] = {
    "/source/list": (lambda page, rows: source_page(ID, INT64_MAX, page, rows), SOURCE),
    "/scene/snapshot": (lambda page, rows: snapshot_page(HEAD, page, rows), SOURCE),
    "/scene/list": (scene_page, SCENE),
    "/job/list": (job_page, JOB),
    "/take/list": (take_page, TAKE),
    "/take/compare": (lambda page, rows: compare_page(ID, ID, page, rows), DIFFERENCE),
    "/model/list": (model_page, MODEL),
}


def read(address: str, rows: Sequence[Any]) -> list[Any]:
    """All rows that the pages of a list show; each page fits."""
    make, _ = LISTS[address]
    seen: list[Any] = []
    page = 0
    while page >= 0:
        answer = make(page, rows)
        data = encode_event(Done(INT64_MAX, ROOT + address, answer))
        assert len(data) <= DATAGRAM_MAX
        assert (answer.page, answer.total) == (page, len(rows))
        seen += answer.rows
        page = answer.next_page
    return seen


def test_every_paged_list_is_tried() -> None:
    paged = {a for a, r in BY_ADDRESS.items() if "rows" in r.reply.__dataclass_fields__}
    assert {ROOT + address for address in LISTS} == paged


@settings(max_examples=25)
@given(st.lists(st.tuples(TEXTS, TEXTS), max_size=70))
def test_pages_hold_each_row_once_and_fit(labels: list[tuple[str, str]]) -> None:
    rows = [
        SourceRow("s" * 60 + str(i), "region", label, chain=chain)
        for i, (label, chain) in enumerate(labels)
    ]
    assert read("/source/list", rows) == rows


@pytest.mark.parametrize("address", LISTS)
def test_the_largest_rows_fit_and_none_is_lost(address: str) -> None:
    _, row = LISTS[address]
    assert len(read(address, [row] * 5)) == 5


@pytest.mark.parametrize("address", LISTS)
def test_usual_rows_come_whole(address: str) -> None:
    _, row = LISTS[address]
    rows = [type(row).example()] * 70
    assert read(address, rows) == rows


def test_only_texts_for_people_are_cut_the_longest_first() -> None:
    (row,) = read("/scene/snapshot", [SOURCE])
    assert replace(row, text=SOURCE.text, chain=SOURCE.chain) == SOURCE
    assert row.text.endswith("…") or row.text == ""
    (take,) = read("/take/list", [TAKE])
    assert replace(take, name=TAKE.name) == TAKE
    assert take.name == DOG * (len(take.name) - 1) + "…"


@pytest.mark.parametrize("address", LISTS)
def test_an_empty_list_has_one_page(address: str) -> None:
    assert read(address, []) == []


def test_a_page_that_is_not_there_is_refused() -> None:
    with pytest.raises(OutOfRange, match="page is 1: 0 to 0"):
        source_page("a", 1, 1, [])


def test_a_long_list_is_cut_once_while_it_stays_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [replace(TakeRow.example(), take=f"t{number:04d}") for number in range(200)]
    cuts: list[int] = []

    def cut(given: Sequence[Any], room: int) -> list[list[Any]]:
        cuts.append(len(given))
        return real(given, room)

    real = paging._cut
    monkeypatch.setattr(paging, "_cut", cut)
    seen: list[TakeRow] = []
    page = 0
    while page >= 0:
        shown = take_page(page, list(map(replace, rows)))
        seen += shown.rows
        page = shown.next_page
    assert seen == rows
    assert cuts == [200]
    renamed = [replace(rows[0], name="Rain"), *rows[1:]]
    assert take_page(0, renamed).rows[0].name == "Rain"
    assert take_page(0, rows[:1]).total == 1
    assert cuts == [200, 200, 1]
