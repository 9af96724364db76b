"""Lists in pages: each page's answer fits one datagram.

The pages depend on the rows alone, so that asking for page after page shows each row once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from osc_bridge.errors import OutOfRange
from osc_bridge.events import Done
from osc_bridge.message import ROOT, Message
from osc_bridge.schema import (
    ListSources,
    ListTakes,
    Result,
    SourcePage,
    SourceRow,
    TakePage,
    TakeRow,
)
from osc_bridge.wire import DATAGRAM_MAX, encode_event

Row = TypeVar("Row", bound=Message)
Page = TypeVar("Page", bound=Result)


def source_page(scene: str, page: int, rows: Sequence[SourceRow]) -> SourcePage:
    """Page ``page`` of the sources of a scene.

    Raises:
        OutOfRange: there is no such page.
    """

    def make(next_page: int, part: tuple[SourceRow, ...]) -> SourcePage:
        return SourcePage(scene, page, next_page, len(rows), part)

    return _page(make, ROOT + ListSources.address, page, rows)


def take_page(page: int, rows: Sequence[TakeRow]) -> TakePage:
    """Page ``page`` of the takes of the session.

    Raises:
        OutOfRange: there is no such page.
    """

    def make(next_page: int, part: tuple[TakeRow, ...]) -> TakePage:
        return TakePage(page, next_page, len(rows), part)

    return _page(make, ROOT + ListTakes.address, page, rows)


def _page(
    make: Callable[[int, tuple[Row, ...]], Page], address: str, page: int, rows: Sequence[Row]
) -> Page:
    room = DATAGRAM_MAX - _size(make(0, ()), address)
    pages = _cut(rows, room)
    if page >= len(pages):
        raise OutOfRange(
            f"page is {page}: 0 to {len(pages) - 1} is allowed (the list has {len(rows)} rows); "
            "start again at page 0."
        )
    return make(page + 1 if page + 1 < len(pages) else -1, tuple(pages[page]))


def _cut(rows: Sequence[Row], room: int) -> list[list[Row]]:
    pages: list[list[Row]] = [[]]
    left = room
    for row in rows:
        size = _row_size(row)
        if size > left and pages[-1]:
            pages.append([])
            left = room
        pages[-1].append(row)
        left -= size
    return pages


def _row_size(row: Message) -> int:
    """Bytes that the row adds at most: its tags (with rounding) and its padded values."""
    sizes = {"i": 4, "f": 4, "h": 8, "d": 8, "T": 0, "F": 0}
    total = 0
    for tag, value in row.arguments():
        text = str(value).encode() if tag == "s" else b""
        total += 1 + (sizes[tag] if tag != "s" else len(text) + 4 - len(text) % 4)
    return total + 4


def _size(result: Result, address: str) -> int:
    return len(encode_event(Done(1, address, result)))
