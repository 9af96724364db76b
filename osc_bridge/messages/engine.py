"""The engine itself: hello, ping, sync, status, quit, and who is told what happens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from osc_bridge.fields import FilePath, Int, Many, Text
from osc_bridge.messages.base import Request, Result
from osc_bridge.ranges import (
    API_MAJOR_FIELD,
    API_MINOR,
    API_MINOR_FIELD,
    BUDGET,
    CAPABILITIES,
    CLIENT,
    COUNT,
    DATAGRAM_MAX,
    DEVICE,
    DURATION_MAX,
    DURATION_MIN,
    JOBS_MAX,
    LIFETIME_S,
    MEMORY,
    PROGRAM,
    SAMPLE_MAX,
    SEQUENCE,
    SOURCES_MAX,
    STEMS_BYTES,
    UPTIME_S,
)


@dataclass(frozen=True)
class Welcome(Result):
    """The engine's greeting: its API, its session, its limits and what it can do.

    >>> Welcome(1, 1, "wildtrack 0.1.0", "/session").arguments()[:2]
    [('i', 1), ('i', 1)]
    """

    api_major: Annotated[int, API_MAJOR_FIELD]
    api_minor: Annotated[int, API_MINOR_FIELD]
    program: Annotated[str, PROGRAM]
    session: Annotated[str, FilePath("session folder of the engine", "/session")]
    sources_max: Annotated[int, Int(1, 4096, "sources", "most in a scene", SOURCES_MAX, "i")] = (
        SOURCES_MAX
    )
    jobs_max: Annotated[int, Int(1, 4096, "jobs", "most that may wait", JOBS_MAX, "i")] = JOBS_MAX
    datagram_max: Annotated[
        int, Int(512, 65_536, "bytes", "largest datagram that the engine sends", 1400, "i")
    ] = DATAGRAM_MAX
    duration_min: Annotated[
        int, Int(1, DURATION_MAX, "samples at 48 kHz", "length of the shortest scene", DURATION_MIN)
    ] = DURATION_MIN
    duration_max: Annotated[
        int, Int(1, SAMPLE_MAX, "samples at 48 kHz", "length of the longest scene", DURATION_MAX)
    ] = DURATION_MAX
    capabilities: Annotated[
        tuple[str, ...], Many(Text(1, 20, "", "undo"), "what it can do", high=32)
    ] = CAPABILITIES


@dataclass(frozen=True)
class Hello(Request[Welcome]):
    """Say which API the client speaks; another major is refused with IncompatibleApi.

    Over another interface than loopback the token of the engine must be right, or the hello is
    refused with NotAuthorised, and so is every other request until a hello carried it.

    >>> Hello(1, 1, "demo").on_wire(7)
    '/wildtrack/hello ,hiiss 7 1 1 "demo" ""'
    """

    address: ClassVar[str] = "/hello"
    reply: ClassVar[type[Result]] = Welcome
    api_major: Annotated[int, API_MAJOR_FIELD]
    api_minor: Annotated[int, API_MINOR_FIELD] = API_MINOR
    client: Annotated[str, CLIENT] = ""
    token: Annotated[str, Text(0, 200, "what --token-file holds; empty on loopback", "")] = ""


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
class Synced(Result):
    """All that was asked before has ended.

    >>> Synced().arguments()
    []
    """


@dataclass(frozen=True)
class Sync(Request[Synced]):
    """Ends when every request that this client sent before has ended; sends progress meanwhile.

    >>> Sync().on_wire(7)
    '/wildtrack/sync ,h 7'
    """

    address: ClassVar[str] = "/sync"
    reply: ClassVar[type[Result]] = Synced


@dataclass(frozen=True)
class Subscribed(Result):
    """How long the subscription lives, and the number of the last notice so far.

    >>> Subscribed(60.0, 40).arguments()
    [('d', 60.0), ('h', 40)]
    """

    lifetime_s: Annotated[float, LIFETIME_S]
    sequence: Annotated[int, SEQUENCE]


@dataclass(frozen=True)
class Subscribe(Request[Subscribed]):
    """Be told what happens (see the notices); any message of the client renews the lifetime.

    Port 0 has the notices sent to where the request came from; another port to that UDP port of
    the same host, for controllers that listen elsewhere than they send from.

    >>> Subscribe(9001, 30).on_wire(7)
    '/wildtrack/subscribe ,hid 7 9001 30.0'
    """

    address: ClassVar[str] = "/subscribe"
    reply: ClassVar[type[Result]] = Subscribed
    port: Annotated[int, Int(0, 65_535, "", "UDP port; 0 = the sender's own", 0, tag="i")] = 0
    lifetime_s: Annotated[float, LIFETIME_S] = 60.0


@dataclass(frozen=True)
class Unsubscribed(Result):
    """No notice comes any more.

    >>> Unsubscribed().arguments()
    []
    """


@dataclass(frozen=True)
class Unsubscribe(Request[Unsubscribed]):
    """Be told nothing any more; right also without a subscription.

    >>> Unsubscribe().on_wire(7)
    '/wildtrack/unsubscribe ,h 7'
    """

    address: ClassVar[str] = "/unsubscribe"
    reply: ClassVar[type[Result]] = Unsubscribed


@dataclass(frozen=True)
class EngineStatus(Result):
    """Pack, device, queue, clients, memory and age of the engine.

    >>> EngineStatus.example().arguments()[1:3]
    [('s', 'cpu'), ('i', 0)]
    """

    pack: Annotated[str, Text(0, 80, "model pack that renders; empty = still loading", "starter")]
    device: Annotated[str, DEVICE]
    jobs_running: Annotated[int, COUNT]
    jobs_waiting: Annotated[int, COUNT]
    scenes: Annotated[int, COUNT]
    clients: Annotated[int, COUNT]
    subscribers: Annotated[int, COUNT]
    packs_loaded: Annotated[int, COUNT]
    memory_bytes: Annotated[int, MEMORY]
    memory_budget_bytes: Annotated[int, BUDGET]
    stems_bytes: Annotated[int, STEMS_BYTES]
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
