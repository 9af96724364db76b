"""A stand-in engine, and a server of it over each transport."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from osc_bridge.client import Client
from osc_bridge.control import CONTROL, is_control
from osc_bridge.errors import DiskFull, NothingToRender, UnknownScene, WildtrackError
from osc_bridge.events import Progress
from osc_bridge.paging import source_page
from osc_bridge.reply import Reply
from osc_bridge.schema import (
    AddAudio,
    AddImage,
    AddRegion,
    AddText,
    CancelJob,
    Goodbye,
    Hello,
    ListSources,
    NewScene,
    Quit,
    Render,
    Request,
    Result,
    SceneMade,
    SetSource,
    SourceChanged,
    SourceRow,
    SourcesAdded,
    TakeMade,
    Welcome,
)
from osc_bridge.server import OscServer
from osc_bridge.transports.base import Link, Listener
from osc_bridge.transports.memory import MemoryListener
from osc_bridge.transports.tcp import TcpLink, TcpListener
from osc_bridge.transports.udp import UdpLink, UdpListener
from osc_bridge.wire import encode, encode_request, read_event, read_head, read_values

WAIT_S = 20.0

settings.register_profile(
    "busy machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("busy machine")


@dataclass
class FakeEngine:
    """Answers as an engine would; a render of "kept" and added files stay open, "slow" blocks.

    ``batches`` holds what came together; the text "defect" and the scene "burnt" are met by bugs.
    """

    batches: list[list[Request[Any]]] = field(default_factory=list)
    seen: list[Request[Any]] = field(default_factory=list)
    kept: list[Reply] = field(default_factory=list)
    blocked: threading.Event = field(default_factory=threading.Event)
    release: threading.Event = field(default_factory=threading.Event)
    rows: list[SourceRow] = field(default_factory=list)

    def edit(self, replies: Sequence[Reply]) -> list[Result | WildtrackError]:
        requests = [reply.request for reply in replies]
        self.batches.append(requests)
        self.seen += requests
        return [self._edited(request) for request in requests]

    def _edited(self, request: Request[Any]) -> Result | WildtrackError:
        match request:
            case AddText(text="defect"):
                raise KeyError("a defect")
            case AddText(text="exit"):
                raise SystemExit(3)
            case AddText():
                return SourcesAdded(request.scene, ("s1",))
            case SetSource(scene="nowhere"):
                return UnknownScene("Scene nowhere is unknown: make it.")
            case SetSource(scene="burnt"):
                raise DiskFull("The disk is full: free some of it.")
            case SetSource():
                return SourceChanged(request.scene, request.source, request.field, request.value)
        raise AssertionError(f"this engine was not asked to know {request}")

    def answer(self, request: Request[Any], reply: Reply) -> Result | None:
        assert not request.edits
        self.seen.append(request)
        match request:
            case Hello():
                return Welcome(1, 1, "fake 0", "/session", 64)
            case NewScene():
                return SceneMade(f"scene{len(self.seen)}")
            case ListSources():
                return source_page(request.scene, 1, request.page, self.rows)
            case Render():
                return self._render(request, reply)
            case AddImage() | AddRegion() | AddAudio():
                return self._keep(reply)
            case CancelJob():
                return reply.cancel_job(request.job)
            case Quit():
                return Goodbye()
        raise AssertionError(f"this engine was not asked to know {request}")

    def _render(self, request: Render, reply: Reply) -> Result | None:
        if request.scene == "empty":
            raise NothingToRender("Scene empty has no source: add one.")
        if request.scene == "kept":
            return self._keep(reply)
        if request.scene == "slow":
            self.blocked.set()
            assert self.release.wait(WAIT_S)
        if request.scene == "wrong":
            return SceneMade("wrong")
        for step in range(4):
            reply.progress(step / 4, step, 4, f"Step {step}.")
        return TakeMade("t1", "/session/takes/t1/take.json")

    def _keep(self, reply: Reply) -> None:
        reply.on_cancel(reply.cancelled)
        self.kept.append(reply)
        reply.progress(0.0, 0, 4, "Kept.")


class Raw:
    """A client that sees packets, as oscsend and oscdump would; a control value is a tuple."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self.inbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.link.start(self._received, lambda error: None)

    def _received(self, packet: bytes) -> None:
        if is_control(packet):
            head = read_head(packet)
            self.inbox.put((head.address, head.tags, *read_values(packet, head)))
        else:
            self.inbox.put(read_event(packet))

    def send(self, request_id: int, request: Request[Any]) -> None:
        self.link.send(encode_request(request_id, request))

    def control(self, path: str, tag: str, value: Any) -> None:
        self.link.send(encode(CONTROL + path, [(tag, value)]))

    def next(self) -> Any:
        return self.inbox.get(timeout=WAIT_S)

    def ask(self, request_id: int, request: Request[Any]) -> Any:
        self.send(request_id, request)
        return self.next()

    def ends(self, count: int) -> list[Any]:
        """The next ends; progress on the way is dropped."""
        found: list[Any] = []
        while len(found) < count:
            if not isinstance(event := self.next(), Progress):
                found.append(event)
        return found


@dataclass
class Rig:
    """A running server and ways to reach it."""

    engine: FakeEngine
    server: OscServer
    link: Callable[[], Link]

    def client(self) -> Client:
        return Client(self.link(), "test", WAIT_S)

    def raw(self) -> Raw:
        return Raw(self.link())

    def block(self, raw: Raw, request_id: int) -> None:
        """Keep the handler busy until `FakeEngine.release` is set."""
        raw.send(request_id, Render("slow"))
        assert self.engine.blocked.wait(WAIT_S)


def _rig(listener: Listener, link: Callable[[], Link]) -> Iterator[Rig]:
    engine = FakeEngine()
    try:
        with OscServer(engine, [listener]) as server:
            yield Rig(engine, server, link)
            engine.release.set()
    finally:
        listener.close()


@pytest.fixture(params=["memory", "udp", "tcp"])
def rig(request: pytest.FixtureRequest) -> Iterator[Rig]:
    """A server over each transport in turn."""
    listener: Listener
    if request.param == "memory":
        memory = MemoryListener()
        yield from _rig(memory, memory.connect)
    elif request.param == "udp":
        listener = UdpListener()
        yield from _rig(listener, lambda: UdpLink(listener.port))
    else:
        listener = TcpListener()
        yield from _rig(listener, lambda: TcpLink(listener.port))


@pytest.fixture
def raw(rig: Rig) -> Iterator[Raw]:
    """A client of the server."""
    client = rig.raw()
    yield client
    client.link.close()


@pytest.fixture
def other(rig: Rig) -> Iterator[Raw]:
    """Another one."""
    client = rig.raw()
    yield client
    client.link.close()


@pytest.fixture
def connect() -> Iterator[Callable[[Link], Raw]]:
    """Makes clients over links of one's own; they are closed at the end."""
    with ExitStack() as stack:

        def made(link: Link) -> Raw:
            stack.callback(link.close)
            return Raw(link)

        yield made


@pytest.fixture
def fake_engine() -> FakeEngine:
    """The stand-in without a server."""
    return FakeEngine()
