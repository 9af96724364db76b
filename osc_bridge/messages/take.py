"""Renders, their jobs and their takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from osc_bridge.fields import Choice, FilePath, Text
from osc_bridge.message import Message, Rows
from osc_bridge.messages.base import Request, Result
from osc_bridge.ranges import (
    DURATION,
    JOB,
    NEXT_PAGE,
    PAGE,
    QUALITIES,
    SCENE,
    STEMS_MODES,
    TAKE,
    TOTAL,
)


@dataclass(frozen=True)
class TakeMade(Result):
    """The finished take and its take.json.

    >>> TakeMade("t0001", "/session/takes/t0001/take.json").arguments()[0]
    ('s', 't0001')
    """

    take: Annotated[str, TAKE]
    path: Annotated[str, FilePath("take.json", "/session/takes/t0001/take.json")]


@dataclass(frozen=True)
class Render(Request[TakeMade]):
    """Render every source and the mix into a new take; sends progress, can be cancelled.

    >>> Render("alley", "consistent", "preview").on_wire(16)
    '/wildtrack/render ,hsss 16 "alley" "consistent" "preview"'
    """

    address: ClassVar[str] = "/render"
    reply: ClassVar[type[Result]] = TakeMade
    scene: Annotated[str, SCENE]
    stems: Annotated[str, Choice(STEMS_MODES, "how stems and mix relate", "consistent")] = (
        "independent"
    )
    quality: Annotated[str, Choice(QUALITIES, "speed or quality", "final")] = "final"


@dataclass(frozen=True)
class CancelRequested(Result):
    """The job was told to stop; its own request ends in /wildtrack/cancelled.

    >>> CancelRequested(16).arguments()
    [('h', 16)]
    """

    job: Annotated[int, JOB]


@dataclass(frozen=True)
class CancelJob(Request[CancelRequested]):
    """Stop a job; ``job`` is the request id that started it.

    >>> CancelJob(16).on_wire(17)
    '/wildtrack/job/cancel ,hh 17 16'
    """

    address: ClassVar[str] = "/job/cancel"
    reply: ClassVar[type[Result]] = CancelRequested
    job: Annotated[int, JOB]


@dataclass(frozen=True)
class TakeRow(Message):
    """One take as a list shows it.

    >>> TakeRow("t0001", "alley", "2026-01-02T03:04:05Z", 96000, "/s/take.json").arguments()[3]
    ('h', 96000)
    """

    take: Annotated[str, TAKE]
    scene: Annotated[str, SCENE]
    created: Annotated[str, Text(1, 40, "time of making, ISO 8601 UTC", "2026-01-02T03:04:05Z")]
    duration_samples: Annotated[int, DURATION]
    path: Annotated[str, FilePath("take.json", "/session/takes/t0001/take.json")]


@dataclass(frozen=True)
class TakePage(Result):
    """One page of the takes of the session.

    >>> TakePage(0, -1, 0, ()).arguments()
    [('i', 0), ('i', -1), ('i', 0)]
    """

    page: Annotated[int, PAGE]
    next_page: Annotated[int, NEXT_PAGE]
    total: Annotated[int, TOTAL]
    rows: Annotated[tuple[TakeRow, ...], Rows(TakeRow, "the takes of this page")]


@dataclass(frozen=True)
class ListTakes(Request[TakePage]):
    """List the takes of the session, page by page.

    >>> ListTakes().on_wire(18)
    '/wildtrack/take/list ,hi 18 0'
    """

    address: ClassVar[str] = "/take/list"
    reply: ClassVar[type[Result]] = TakePage
    page: Annotated[int, PAGE] = 0
