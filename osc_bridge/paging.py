"""Lists in pages: each page's answer fits one datagram.

The pages depend on the rows alone, so that asking for page after page shows each row once. A row
that is too large for a datagram of its own has its texts for people shortened, the longest first.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from osc_bridge.errors import OutOfRange
from osc_bridge.events import Done
from osc_bridge.message import ROOT, Message, slots
from osc_bridge.ranges import DATAGRAM_MAX
from osc_bridge.schema import (
    ComparePage,
    CompareTakes,
    Difference,
    JobPage,
    JobRow,
    ListJobs,
    ListModels,
    ListScenes,
    ListSources,
    ListTakes,
    ModelPage,
    ModelRow,
    Result,
    ScenePage,
    SceneRow,
    SceneSnapshot,
    SnapshotScene,
    SourcePage,
    SourceRow,
    TakePage,
    TakeRow,
)
from osc_bridge.texts import ShortText, cut_to_bytes

Row = TypeVar("Row", bound=Message)
Page = TypeVar("Page", bound=Result)


@dataclass(frozen=True)
class Cut(Generic[Row]):
    """Where a page stands in its list: what every page says of itself, and its rows."""

    page: int
    next_page: int
    total: int
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class SceneHead:
    """What a snapshot says of the scene on every page."""

    scene: str
    revision: int
    name: str
    start_sample: int
    duration_samples: int
    seed: int
    frame: str
    undo_steps: int
    redo_steps: int


def source_page(scene: str, revision: int, page: int, rows: Sequence[SourceRow]) -> SourcePage:
    """Page ``page`` of the sources of a scene.

    Raises:
        OutOfRange: there is no such page (as in all functions here).
    """

    def make(cut: Cut[SourceRow]) -> SourcePage:
        return SourcePage(scene, revision, cut.page, cut.next_page, cut.total, cut.rows)

    return _page(make, ListSources.address, page, rows)


def snapshot_page(head: SceneHead, page: int, rows: Sequence[SourceRow]) -> SceneSnapshot:
    """Page ``page`` of the snapshot of a scene."""

    def make(cut: Cut[SourceRow]) -> SceneSnapshot:
        said: dict[str, Any] = {**vars(head), **vars(cut)}
        return SceneSnapshot(**said)

    return _page(make, SnapshotScene.address, page, rows)


def scene_page(page: int, rows: Sequence[SceneRow]) -> ScenePage:
    """Page ``page`` of the scenes of the session."""
    return _page(_plain(ScenePage), ListScenes.address, page, rows)


def job_page(page: int, rows: Sequence[JobRow]) -> JobPage:
    """Page ``page`` of the jobs."""
    return _page(_plain(JobPage), ListJobs.address, page, rows)


def take_page(page: int, rows: Sequence[TakeRow]) -> TakePage:
    """Page ``page`` of the takes of the session."""
    return _page(_plain(TakePage), ListTakes.address, page, rows)


def compare_page(a: str, b: str, page: int, rows: Sequence[Difference]) -> ComparePage:
    """Page ``page`` of the settings in which two takes differ."""

    def make(cut: Cut[Difference]) -> ComparePage:
        return ComparePage(a, b, cut.page, cut.next_page, cut.total, cut.rows)

    return _page(make, CompareTakes.address, page, rows)


def model_page(page: int, rows: Sequence[ModelRow]) -> ModelPage:
    """Page ``page`` of the packs."""
    return _page(_plain(ModelPage), ListModels.address, page, rows)


def _plain(cls: Callable[[int, int, int, tuple[Row, ...]], Page]) -> Callable[[Cut[Row]], Page]:
    return lambda cut: cls(cut.page, cut.next_page, cut.total, cut.rows)


def _page(make: Callable[[Cut[Row]], Page], address: str, page: int, rows: Sequence[Row]) -> Page:
    room = DATAGRAM_MAX - _size(make(Cut(0, -1, 0, ())), address)
    pages = _remembered(tuple(rows), room, address)
    if page >= len(pages):
        raise OutOfRange(
            f"page is {page}: 0 to {len(pages) - 1} is allowed (the list has {len(rows)} rows); "
            "start again at page 0."
        )
    following = page + 1 if page + 1 < len(pages) else -1
    return make(Cut(page, following, len(rows), tuple(pages[page])))


def _remembered(rows: tuple[Row, ...], room: int, address: str) -> list[list[Row]]:
    """The pages of a list; while it stays the same, asking for the next does not cut it again."""
    known = _last_cuts.get(address)
    if known is None or known[:2] != (room, rows):
        known = _last_cuts[address] = (room, rows, _cut(rows, room))
    return known[2]


_last_cuts: dict[str, tuple[int, tuple[Any, ...], list[list[Any]]]] = {}
"""The list that was asked for last, by address: room of a page, rows and pages."""


def _cut(rows: Sequence[Row], room: int) -> list[list[Row]]:
    pages: list[list[Row]] = [[]]
    left = room
    for given in rows:
        row = _fitted(given, room)
        size = _row_size(row)
        if size > left and pages[-1]:
            pages.append([])
            left = room
        pages[-1].append(row)
        left -= size
    return pages


def _fitted(row: Row, room: int) -> Row:
    """The row, its longest texts for people cut until it fits ``room`` bytes."""
    names = [slot.name for slot in slots(type(row)) if isinstance(slot.spec, ShortText)]
    for name in sorted(names, key=lambda name: -len(getattr(row, name).encode())):
        over = _row_size(row) - room
        if over <= 0:
            break
        text = getattr(row, name)
        cut = cut_to_bytes(text, max(len(text.encode()) - over - 3, 0))
        row = dataclasses.replace(row, **{name: cut})  # type: ignore[type-var]
    return row


def _row_size(row: Message) -> int:
    """Bytes that the row adds at most: its tags (with rounding) and its padded values."""
    return _arguments_size(row) + 4


def _arguments_size(message: Message) -> int:
    sizes = {"i": 4, "f": 4, "h": 8, "d": 8, "T": 0, "F": 0}
    total = 0
    for tag, value in message.arguments():
        total += 1 + (sizes[tag] if tag != "s" else _string_size(str(value)))
    return total


def _string_size(text: str) -> int:
    """Bytes of an OSC string: ended by a zero byte, a multiple of 4."""
    size = len(text.encode())
    return size + 4 - size % 4


def _size(result: Result, address: str) -> int:
    """Bytes of the answer, at most (its tags with rounding)."""
    strings = _string_size(Done.address) + _string_size(ROOT + address)
    return strings + len(",hs") + 8 + _arguments_size(result) + 4
