"""The server driven by liblo's tools, an OSC implementation that shares no code with ours.

liblo's tools speak IPv4 only, and oscsend sends no bundles and shows no answers: oscdump does.
"""

from __future__ import annotations

import os
import queue
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from typing import Any

import pytest

from osc_bridge.events import CancelledReply, Done, Fail, Progress, Told
from osc_bridge.message import ROOT
from osc_bridge.reply import Reply
from osc_bridge.schema import (
    NOTICES,
    REQUESTS,
    AddText,
    NewScene,
    SceneNotice,
    SetSource,
)
from osc_bridge.server import OscServer
from osc_bridge.transports.framing import Framing, SizedFraming, SlipFraming
from osc_bridge.transports.tcp import TcpListener
from osc_bridge.transports.udp import UdpListener
from osc_bridge.wire import encode_event

WAIT_S = 20.0
BOUND_S = 0.01
"""Between two looks at whether oscdump has its port; it does not say so."""


def tool(name: str) -> str:
    """The path of one of liblo's tools; without it CI fails, and others skip, both aloud."""
    path = shutil.which(name)
    if path is None:
        cure = f"{name} is missing: install liblo's tools (apt install liblo-tools)."
        (pytest.fail if os.environ.get("CI") else pytest.skip)(cure)
    return path


class Engine:
    """A stand-in engine that notes each request as it comes and tells of each edit."""

    def __init__(self, fake: Any) -> None:
        self.fake = fake
        self.seen: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.listeners = {"udp": UdpListener(), "tcp": TcpListener()}
        self.server = OscServer(self, list(self.listeners.values()))

    def answer(self, request: Any, reply: Reply) -> Any:
        self.seen.put(request)
        return self.fake.answer(request, reply)

    def edit(self, replies: Sequence[Reply]) -> Any:
        for reply in replies:
            self.seen.put(reply.request)
            if isinstance(reply.request, SetSource):
                edit = reply.request
                self.server.tell(SceneNotice(edit.scene, 12, f"Set {edit.field} of {edit.source}."))
                self.server.tell_value(edit.scene, edit.source, edit.field, edit.value)
        return self.fake.edit(replies)

    def next(self) -> Any:
        return self.seen.get(timeout=WAIT_S)

    def url(self, transport: str) -> str:
        return f"osc.{transport}://127.0.0.1:{self.server.port(transport)}/"


@pytest.fixture
def engine(fake_engine: Any) -> Iterator[Engine]:
    """A served engine over UDP and TCP."""
    engine = Engine(fake_engine)
    with engine.server:
        yield engine


@pytest.fixture
def send(engine: Engine) -> Callable[..., None]:
    """Sends one message by oscsend."""
    path = tool("oscsend")

    def sent(transport: str, address: str, types: str = "", *values: object) -> None:
        command = [path, engine.url(transport), address, types, *map(str, values)]
        subprocess.run(command, check=True, timeout=WAIT_S)

    return sent


KINDS = {"udp": socket.SOCK_DGRAM, "tcp": socket.SOCK_STREAM}


class Dump:
    """oscdump on a free port of its own."""

    def __init__(self, path: str, transport: str) -> None:
        self.port = free_port(transport)
        self.process = subprocess.Popen(
            [path, "-L", f"osc.{transport}://:{self.port}"],
            stdout=subprocess.PIPE,
            encoding="utf-8",
        )
        self.lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self.thread = threading.Thread(target=self._read)
        self.thread.start()
        pause = threading.Event()
        while is_free(self.port, transport):
            assert self.process.poll() is None, "oscdump ended"
            pause.wait(BOUND_S)

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.put(line.rstrip("\n").partition(" ")[2])

    def next(self) -> str:
        return self.lines.get(timeout=WAIT_S)

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(WAIT_S)
        self.thread.join(WAIT_S)
        assert self.process.stdout is not None
        self.process.stdout.close()


def free_port(transport: str) -> int:
    with socket.socket(socket.AF_INET, KINDS[transport]) as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def is_free(port: int, transport: str) -> bool:
    with socket.socket(socket.AF_INET, KINDS[transport]) as sock:
        try:
            sock.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


@pytest.fixture
def dumps() -> Iterator[Callable[[str], Dump]]:
    """Runs oscdump over UDP or TCP."""
    with ExitStack() as stack:

        def made(transport: str) -> Dump:
            dump = Dump(tool("oscdump"), transport)
            stack.callback(dump.close)
            return dump

        yield made


def printed(address: str, arguments: Sequence[tuple[str, Any]]) -> str:
    """A message as oscdump writes it."""
    tags = "".join(tag for tag, _ in arguments)
    return " ".join([address, tags, *(printed_value(*pair) for pair in arguments)])


def printed_value(tag: str, value: Any) -> str:
    if tag in "TF":
        return f"#{tag}"
    if tag in "fd":
        return f"{value:.6f}"
    return f'"{value}"' if tag == "s" else str(value)


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_oscsend_is_understood(engine: Engine, send: Callable[..., None], transport: str) -> None:
    send(transport, "/wildtrack/scene/new", "hsihh", 7, "Gasse bei Nacht, größer", 0, 96_000, 5)
    assert engine.next() == NewScene("Gasse bei Nacht, größer", 0, 96_000, 5)
    send(transport, "/wildtrack/source/add/text", "iss", 8, "alley", "rain on a tin roof")
    assert engine.next() == AddText("alley", "rain on a tin roof")
    for request_id, (tag, sent, field, value) in enumerate(
        [
            ("f", -6.5, "gain_db", -6.5),
            ("d", 0.1, "pan", 0.1),
            ("i", 3, "weight", 3.0),
            ("h", 2**40, "seed", 2**40),
            ("s", "far", "chain", "far"),
        ],
        start=9,
    ):
        send(
            transport, "/wildtrack/source/set", "hsss" + tag, request_id, "alley", "s1", field, sent
        )
        assert engine.next() == SetSource("alley", "s1", field, value)
    send(transport, "/wildtrack/source/set", "hsssT", 20, "alley", "s1", "mute")
    assert engine.next() == SetSource("alley", "s1", "mute", True)


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_fader_of_liblo_moves_a_setting(
    engine: Engine, send: Callable[..., None], transport: str
) -> None:
    send(transport, "/wildtrack/control/alley/s1/gain_db", "f", -12.0)
    send(transport, "/wildtrack/control/alley/s1/solo", "f", 1.0)
    send(transport, "/wildtrack/control/alley/s1/mute", "F")
    assert {engine.next() for _ in range(3)} == {
        SetSource("alley", "s1", "gain_db", -12.0),
        SetSource("alley", "s1", "solo", True),
        SetSource("alley", "s1", "mute", False),
    }


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_what_oscsend_gets_wrong_harms_nobody(
    engine: Engine, send: Callable[..., None], transport: str
) -> None:
    send(transport, "/wildtrack/nothing", "h", 7)
    send(transport, "/wildtrack/ping")
    send(transport, "/wildtrack/ping", "N")
    send(transport, "/elsewhere", "cmSI", "x", "00112233", "symbol")
    send(transport, "/wildtrack/control/alley/s1/gain_db", "f", 99.0)
    send(transport, "/wildtrack/scene/new", "hs", 8, "next")
    assert engine.next() == NewScene("next")
    assert engine.seen.empty()


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_oscdump_hears_what_happens(
    engine: Engine, send: Callable[..., None], dumps: Callable[[str], Dump], transport: str
) -> None:
    dump = dumps("udp")
    # A subscription by TCP ends with its connection, which oscsend closes at once.
    send("udp", "/wildtrack/subscribe", "hid", 1, dump.port, 600.0)
    send(transport, "/wildtrack/source/set", "hsssf", 2, "alley", "s1", "gain_db", -6.5)
    assert {dump.next(), dump.next()} == {
        '/wildtrack/event/scene hshss 1 "alley" 12 "Set gain_db of s1." ""',
        "/wildtrack/control/alley/s1/gain_db f -6.500000",
    }
    send(transport, "/wildtrack/control/alley/s1/mute", "T")
    assert {dump.next(), dump.next()} == {
        '/wildtrack/event/scene hshss 2 "alley" 12 "Set mute of s1." ""',
        "/wildtrack/control/alley/s1/mute T #T",
    }
    engine.server.close()
    assert dump.next().startswith('/wildtrack/event/engine hss 3 "ending"')


def every_message() -> list[Any]:
    return [
        *(Done(7, ROOT + request.address, request.reply.example()) for request in REQUESTS),
        *(Told(number, notice.example()) for number, notice in enumerate(NOTICES)),
        *(event.example() for event in (Fail, CancelledReply, Progress)),
    ]


def test_liblo_reads_every_message_as_it_was_meant(
    engine: Engine, dumps: Callable[[str], Dump]
) -> None:
    dump = dumps("udp")
    peer = engine.listeners["udp"].peer_at("127.0.0.1", dump.port)
    assert peer is not None
    for message in every_message():
        peer.send(encode_event(message))
        assert dump.next() == printed(message.address, message.arguments())


@pytest.mark.parametrize("framing", [SlipFraming(), SizedFraming()], ids=["slip", "sized"])
def test_liblo_reads_our_framing(framing: Framing, dumps: Callable[[str], Dump]) -> None:
    dump = dumps("tcp")
    with socket.create_connection(("127.0.0.1", dump.port), WAIT_S) as sock:
        for message in every_message():
            sock.sendall(framing.frame(encode_event(message)))
            assert dump.next() == printed(message.address, message.arguments())
