"""Every row once, every page within a datagram."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from osc_bridge.errors import OutOfRange
from osc_bridge.events import Done
from osc_bridge.paging import source_page, take_page
from osc_bridge.schema import SourceRow, TakeRow
from osc_bridge.wire import DATAGRAM_MAX, encode_event

TEXTS = st.sampled_from(["", "dog", "\N{DOG FACE}" * 80])


@settings(max_examples=25)
@given(st.lists(st.tuples(TEXTS, TEXTS), max_size=70))
def test_pages_hold_each_row_once_and_fit(labels: list[tuple[str, str]]) -> None:
    rows = [
        SourceRow("s" * 60 + str(i), "region", label, chain=chain)
        for i, (label, chain) in enumerate(labels)
    ]
    seen: list[SourceRow] = []
    page = 0
    while page >= 0:
        answer = source_page("a" * 64, page, rows)
        assert len(encode_event(Done(1, "/wildtrack/source/list", answer))) <= DATAGRAM_MAX
        assert answer.total == len(rows)
        seen += answer.rows
        page = answer.next_page
    assert seen == rows


def test_the_largest_rows_fit() -> None:
    path = "/" + "\N{DOG FACE}" * 255
    takes = [TakeRow("t" * 64, "s" * 64, "2026-01-02T03:04:05Z", 96_000, path) for _ in range(3)]
    for page in range(3):
        data = encode_event(Done(1, "/wildtrack/take/list", take_page(page, takes)))
        assert len(data) <= DATAGRAM_MAX


def test_an_empty_list_has_one_page() -> None:
    assert take_page(0, []).next_page == -1


def test_a_page_that_is_not_there_is_refused() -> None:
    with pytest.raises(OutOfRange, match="page is 1: 0 to 0"):
        source_page("a", 1, [])
