"""Takes: list, rename, star, trash, compare."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from osc_bridge.fields import FilePath, Flag, ShortText, Text
from osc_bridge.message import Message, Rows
from osc_bridge.messages.base import Request, Result
from osc_bridge.messages.job import ANY_SCENE
from osc_bridge.ranges import DURATION, LABEL, NEXT_PAGE, PAGE, SCENE, TAKE, TOTAL

STARRED = Flag("marked as a good one", example=True)


@dataclass(frozen=True)
class TakeRow(Message):
    """One take as a list shows it; ``name`` is empty until it is renamed.

    >>> TakeRow.example().arguments()[:2]
    [('s', 't0001'), ('s', 'alley')]
    """

    take: Annotated[str, TAKE]
    scene: Annotated[str, SCENE]
    name: Annotated[str, ShortText(80, "name for people; may be empty", "Wetter")]
    starred: Annotated[bool, STARRED]
    created: Annotated[str, Text(1, 40, "time of making, ISO 8601 UTC", "2026-01-02T03:04:05Z")]
    duration_samples: Annotated[int, DURATION]
    path: Annotated[str, FilePath("take.json", "/session/takes/t0001/take.json")]


@dataclass(frozen=True)
class TakePage(Result):
    """One page of the takes of the session, the oldest first.

    >>> TakePage(0, -1, 0, ()).arguments()
    [('i', 0), ('i', -1), ('i', 0)]
    """

    page: Annotated[int, PAGE]
    next_page: Annotated[int, NEXT_PAGE]
    total: Annotated[int, TOTAL]
    rows: Annotated[tuple[TakeRow, ...], Rows(TakeRow, "the takes of this page")]


@dataclass(frozen=True)
class ListTakes(Request[TakePage]):
    """List the takes of the session or of one scene, or those in the trash, page by page.

    >>> ListTakes(0, "alley").on_wire(18)
    '/wildtrack/take/list ,hisF 18 0 "alley"'
    """

    address: ClassVar[str] = "/take/list"
    reply: ClassVar[type[Result]] = TakePage
    page: Annotated[int, PAGE] = 0
    scene: Annotated[str, ANY_SCENE] = ""
    trash: Annotated[bool, Flag("those in the trash instead", example=False)] = False


@dataclass(frozen=True)
class TakeChanged(Result):
    """How the take is labelled now, and whether it is in the trash.

    >>> TakeChanged("t0001", "Wetter", True, False).arguments()[1:]
    [('s', 'Wetter'), ('T', True), ('F', False)]
    """

    take: Annotated[str, TAKE]
    name: Annotated[str, LABEL]
    starred: Annotated[bool, STARRED]
    in_trash: Annotated[bool, Flag("whether it is in the trash", example=False)]


@dataclass(frozen=True)
class RenameTake(Request[TakeChanged]):
    """Give a take a name for people; its files stay as they are.

    >>> RenameTake("t0001", "Wetter").on_wire(18)
    '/wildtrack/take/rename ,hss 18 "t0001" "Wetter"'
    """

    address: ClassVar[str] = "/take/rename"
    reply: ClassVar[type[Result]] = TakeChanged
    take: Annotated[str, TAKE]
    name: Annotated[str, LABEL]


@dataclass(frozen=True)
class StarTake(Request[TakeChanged]):
    """Mark a take as a good one, or take the mark away.

    >>> StarTake("t0001", True).on_wire(18)
    '/wildtrack/take/star ,hsT 18 "t0001"'
    """

    address: ClassVar[str] = "/take/star"
    reply: ClassVar[type[Result]] = TakeChanged
    take: Annotated[str, TAKE]
    starred: Annotated[bool, STARRED] = True


@dataclass(frozen=True)
class DeleteTake(Request[TakeChanged]):
    """Move a take to the session's trash.

    >>> DeleteTake("t0001").on_wire(18)
    '/wildtrack/take/delete ,hs 18 "t0001"'
    """

    address: ClassVar[str] = "/take/delete"
    reply: ClassVar[type[Result]] = TakeChanged
    take: Annotated[str, TAKE]


@dataclass(frozen=True)
class RestoreTake(Request[TakeChanged]):
    """Take a take out of the trash.

    >>> RestoreTake("t0001").on_wire(18)
    '/wildtrack/take/restore ,hs 18 "t0001"'
    """

    address: ClassVar[str] = "/take/restore"
    reply: ClassVar[type[Result]] = TakeChanged
    take: Annotated[str, TAKE]


@dataclass(frozen=True)
class Difference(Message):
    """One setting that differs between two takes; empty where a take does not have it.

    >>> Difference("s2.gain_db", "-6.0", "0.0").arguments()
    [('s', 's2.gain_db'), ('s', '-6.0'), ('s', '0.0')]
    """

    what: Annotated[str, ShortText(100, "setting, with its source", "s2.gain_db")]
    in_a: Annotated[str, ShortText(200, "its value in the first take", "-6.0")]
    in_b: Annotated[str, ShortText(200, "its value in the second take", "0.0")]


@dataclass(frozen=True)
class ComparePage(Result):
    """One page of the settings in which two takes differ.

    >>> ComparePage("t0001", "t0002", 0, -1, 0, ()).arguments()[:2]
    [('s', 't0001'), ('s', 't0002')]
    """

    a: Annotated[str, TAKE]
    b: Annotated[str, TAKE]
    page: Annotated[int, PAGE]
    next_page: Annotated[int, NEXT_PAGE]
    total: Annotated[int, TOTAL]
    rows: Annotated[tuple[Difference, ...], Rows(Difference, "the differences of this page")]


@dataclass(frozen=True)
class CompareTakes(Request[ComparePage]):
    """In which settings two takes differ, page by page.

    >>> CompareTakes("t0001", "t0002").on_wire(18)
    '/wildtrack/take/compare ,hssi 18 "t0001" "t0002" 0'
    """

    address: ClassVar[str] = "/take/compare"
    reply: ClassVar[type[Result]] = ComparePage
    a: Annotated[str, TAKE]
    b: Annotated[str, TAKE]
    page: Annotated[int, PAGE] = 0
