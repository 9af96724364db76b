"""Renders, and the jobs that wait or run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from osc_bridge.fields import Choice, FilePath, Pattern
from osc_bridge.message import Message, Rows
from osc_bridge.messages.base import Request, Result
from osc_bridge.ranges import (
    ADDRESS,
    CLIENT_SHOWN,
    FRACTION,
    JOB,
    JOB_STATES,
    NEXT_PAGE,
    PAGE,
    PRIORITY,
    QUALITY,
    REVISION,
    SCENE,
    SHA256,
    SOURCE,
    STEMS,
    TAKE,
    TOTAL,
)

ANY_SCENE = Pattern(
    r"(?:[A-Za-z0-9][A-Za-z0-9_-]{0,63})?", "a scene id or nothing", "its scene; may be empty", "a1"
)
ANY_SOURCE = Pattern(
    r"(?:[A-Za-z0-9][A-Za-z0-9_-]{0,63})?", "a source id or nothing", "its source; may be empty", ""
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
    stems: Annotated[str, STEMS] = "independent"
    quality: Annotated[str, QUALITY] = "final"


@dataclass(frozen=True)
class StemMade(Result):
    """The stem of one source as the scene was at this revision; no take refers to it.

    >>> StemMade.example().arguments()[:3]
    [('s', 'alley'), ('s', 's1'), ('h', 12)]
    """

    scene: Annotated[str, SCENE]
    source: Annotated[str, SOURCE]
    revision: Annotated[int, REVISION]
    path: Annotated[str, FilePath("the stem", "/session/stems/0123abcd.wav")]
    sha256: Annotated[str, SHA256]


@dataclass(frozen=True)
class RenderSource(Request[StemMade]):
    """Render one source for listening, without a take; a newer one replaces one that waits.

    >>> RenderSource("alley", "s1").on_wire(16)
    '/wildtrack/render/source ,hsss 16 "alley" "s1" "preview"'
    """

    address: ClassVar[str] = "/render/source"
    reply: ClassVar[type[Result]] = StemMade
    scene: Annotated[str, SCENE]
    source: Annotated[str, SOURCE]
    quality: Annotated[str, QUALITY] = "preview"


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
class JobPrioritised(Result):
    """The job has this priority now.

    >>> JobPrioritised(16, "later").arguments()
    [('h', 16), ('s', 'later')]
    """

    job: Annotated[int, JOB]
    priority: Annotated[str, PRIORITY]


@dataclass(frozen=True)
class PrioritiseJob(Request[JobPrioritised]):
    """Let a job that waits go before or after others.

    >>> PrioritiseJob(16, "now").on_wire(17)
    '/wildtrack/job/priority ,hhs 17 16 "now"'
    """

    address: ClassVar[str] = "/job/priority"
    reply: ClassVar[type[Result]] = JobPrioritised
    job: Annotated[int, JOB]
    priority: Annotated[str, PRIORITY]


@dataclass(frozen=True)
class JobRow(Message):
    """One job that waits or runs, as a list shows it.

    >>> JobRow.example().arguments()[:2]
    [('h', 12), ('s', '/wildtrack/render')]
    """

    job: Annotated[int, JOB]
    address: Annotated[str, ADDRESS]
    scene: Annotated[str, ANY_SCENE]
    source: Annotated[str, ANY_SOURCE]
    state: Annotated[str, Choice(JOB_STATES, "what it does", "running")]
    priority: Annotated[str, PRIORITY]
    fraction: Annotated[float, FRACTION]
    client: Annotated[str, CLIENT_SHOWN]


@dataclass(frozen=True)
class JobPage(Result):
    """One page of the jobs, the running ones first, then in the order of their turn.

    >>> JobPage(0, -1, 0, ()).arguments()
    [('i', 0), ('i', -1), ('i', 0)]
    """

    page: Annotated[int, PAGE]
    next_page: Annotated[int, NEXT_PAGE]
    total: Annotated[int, TOTAL]
    rows: Annotated[tuple[JobRow, ...], Rows(JobRow, "the jobs of this page")]


@dataclass(frozen=True)
class ListJobs(Request[JobPage]):
    """List the jobs that run and wait, of all clients, page by page.

    >>> ListJobs().on_wire(18)
    '/wildtrack/job/list ,hi 18 0'
    """

    address: ClassVar[str] = "/job/list"
    reply: ClassVar[type[Result]] = JobPage
    page: Annotated[int, PAGE] = 0
