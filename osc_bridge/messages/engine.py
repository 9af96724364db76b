"""The engine itself: hello, ping, status, quit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from osc_bridge.fields import INT64_MAX, FilePath, Int, Text
from osc_bridge.messages.base import Request, Result
from osc_bridge.ranges import (
    API_MAJOR_FIELD,
    API_MINOR,
    API_MINOR_FIELD,
    COUNT,
    PROGRAM,
    SOURCES_MAX,
    UPTIME_S,
)


@dataclass(frozen=True)
class Welcome(Result):
    """The engine's greeting.

    >>> Welcome(1, 0, "wildtrack 0.1.0", "/session", 64).arguments()[:2]
    [('i', 1), ('i', 0)]
    """

    api_major: Annotated[int, API_MAJOR_FIELD]
    api_minor: Annotated[int, API_MINOR_FIELD]
    program: Annotated[str, PROGRAM]
    session: Annotated[str, FilePath("session folder of the engine", "/session")]
    sources_max: Annotated[int, Int(1, 4096, "sources", "most in a scene", SOURCES_MAX, tag="i")]


@dataclass(frozen=True)
class Hello(Request[Welcome]):
    """Say which API the client speaks; another major is refused with IncompatibleApi.

    >>> Hello(1, 0, "demo").on_wire(7)
    '/wildtrack/hello ,hiis 7 1 0 "demo"'
    """

    address: ClassVar[str] = "/hello"
    reply: ClassVar[type[Result]] = Welcome
    api_major: Annotated[int, API_MAJOR_FIELD]
    api_minor: Annotated[int, API_MINOR_FIELD] = API_MINOR
    client: Annotated[str, Text(0, 80, "name of the client, for the log", "demo")] = ""


@dataclass(frozen=True)
class Pong(Result):
    """The engine lives.

    >>> Pong(12.5).arguments()
    [('d', 12.5)]
    """

    uptime_s: Annotated[float, UPTIME_S]


@dataclass(frozen=True)
class Ping(Request[Pong]):
    """Is the engine there? Answered at once, also during a render.

    >>> Ping().on_wire(7)
    '/wildtrack/ping ,h 7'
    """

    address: ClassVar[str] = "/ping"
    reply: ClassVar[type[Result]] = Pong


@dataclass(frozen=True)
class EngineStatus(Result):
    """Pack, device, queue, memory and age of the engine.

    >>> EngineStatus("starter", "cpu", 1, 0, 1, 600_000_000, 12.5).arguments()[1:3]
    [('s', 'cpu'), ('i', 1)]
    """

    pack: Annotated[str, Text(0, 80, "model pack", "starter")]
    device: Annotated[str, Text(0, 40, "torch device", "cpu")]
    jobs_running: Annotated[int, COUNT]
    jobs_waiting: Annotated[int, COUNT]
    scenes: Annotated[int, COUNT]
    memory_bytes: Annotated[int, Int(0, INT64_MAX, "bytes", "resident memory", 600_000_000)]
    uptime_s: Annotated[float, UPTIME_S]


@dataclass(frozen=True)
class Status(Request[EngineStatus]):
    """How the engine is.

    >>> Status().on_wire(8)
    '/wildtrack/status ,h 8'
    """

    address: ClassVar[str] = "/status"
    reply: ClassVar[type[Result]] = EngineStatus


@dataclass(frozen=True)
class Goodbye(Result):
    """The engine ends after this answer.

    >>> Goodbye().arguments()
    []
    """


@dataclass(frozen=True)
class Quit(Request[Goodbye]):
    """End the engine; running jobs are cancelled.

    >>> Quit().on_wire(19)
    '/wildtrack/quit ,h 19'
    """

    address: ClassVar[str] = "/quit"
    reply: ClassVar[type[Result]] = Goodbye
