"""Subscriptions: who is told what, for how long, and what a slow subscriber costs the others."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from osc_bridge.background import Background
from osc_bridge.errors import BadArguments, QueueFull
from osc_bridge.events import Done, Told
from osc_bridge.hub import BACKLOG_MAX_BYTES, NOTICES_MAX, SUBSCRIBERS_MAX, VALUES_MAX, Hub
from osc_bridge.schema import (
    EngineNotice,
    Ping,
    Pong,
    SceneNotice,
    Subscribe,
    Subscribed,
    Unsubscribe,
    Unsubscribed,
)
from osc_bridge.server import OscServer
from osc_bridge.transports.memory import MemoryListener
from osc_bridge.transports.tcp import TcpLink, TcpListener
from osc_bridge.transports.udp import UdpLink, UdpListener
from osc_bridge.wire import read_event

WAIT_S = 20.0
GAIN = "/wildtrack/control/alley/s1/gain_db"


def notice(revision: int) -> SceneNotice:
    return SceneNotice("alley", revision, "Set gain_db of s1.", "demo")


class Listening:
    """A peer that keeps what it is sent; ``waiting_bytes`` is what it leaves unread."""

    host = ""
    needs_token = False
    is_connected = True

    def __init__(self, key: str) -> None:
        self.key = key
        self.waiting_bytes = 0
        self.packets: list[bytes] = []

    @property
    def numbers(self) -> list[int]:
        return [read_event(packet).sequence for packet in self.packets]

    def send(self, packet: bytes) -> None:
        self.packets.append(packet)

    def admit(self) -> None: ...

    def hold(self) -> None: ...

    def release(self) -> None: ...


class Clock:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def hub(clock: Clock) -> Hub:
    return Hub(clock)


# Over the transports


def test_every_subscriber_gets_the_same_notices_in_their_order(
    rig: Any, raw: Any, other: Any
) -> None:
    for client in (raw, other):
        assert client.ask(1, Subscribe()) == Done(1, "/wildtrack/subscribe", Subscribed(60.0, 0))
    for revision in (1, 2, 3):
        rig.server.tell(notice(revision))
    for client in (raw, other):
        assert [client.next() for _ in range(3)] == [Told(n, notice(n)) for n in (1, 2, 3)]
    assert rig.server.subscribers == 2
    assert rig.server.clients == 2


def test_what_was_told_before_does_not_come_and_its_number_is_known(rig: Any, raw: Any) -> None:
    rig.server.tell(notice(1))
    assert raw.ask(1, Subscribe()).result.sequence == 1
    rig.server.tell(notice(2))
    assert raw.next() == Told(2, notice(2))


def test_who_unsubscribes_is_told_nothing_more(rig: Any, raw: Any, other: Any) -> None:
    raw.ask(1, Subscribe())
    other.ask(1, Subscribe())
    done = raw.ask(2, Unsubscribe())
    assert done == Done(2, "/wildtrack/unsubscribe", Unsubscribed())
    assert raw.ask(3, Unsubscribe()).result == Unsubscribed()
    rig.server.tell(notice(1))
    assert other.next() == Told(1, notice(1))
    assert isinstance(raw.ask(4, Ping()).result, Pong)
    assert rig.server.subscribers == 1


def test_faders_follow_the_settings(rig: Any, raw: Any) -> None:
    raw.ask(1, Subscribe())
    for field, value, tag, shown in [
        ("gain_db", -6.5, "f", -6.5),
        ("mute", True, "T", True),
        ("solo", False, "F", False),
        ("seed", 7, "h", 7),
        ("start_sample", 48_000, "i", 48_000),
        ("label", "Größe", "s", "Größe"),
    ]:
        rig.server.tell_value("alley", "s1", field, value)
        assert raw.next() == (f"/wildtrack/control/alley/s1/{field}", tag, shown)


def test_the_end_of_the_engine_is_told(rig: Any, raw: Any) -> None:
    raw.ask(1, Subscribe())
    rig.server.close()
    told = raw.next()
    assert isinstance(told, Told)
    assert isinstance(told.notice, EngineNotice)
    assert told.notice.kind == "ending"


def test_notices_do_not_wait_for_a_busy_handler(rig: Any, raw: Any) -> None:
    raw.ask(1, Subscribe())
    rig.block(raw, 2)
    rig.server.tell(notice(1))
    assert raw.next() == Told(1, notice(1))


# Where they go


def test_a_controller_may_listen_at_another_port(fake_engine: Any, connect: Any) -> None:
    listener, screen = UdpListener(), UdpListener()
    heard: list[Any] = []
    arrived = threading.Event()

    class Screen:
        def received(self, peer: Any, packet: bytes) -> None:
            heard.append(read_event(packet))
            arrived.set()

    screen.start(Screen())  # type: ignore[arg-type]
    try:
        with OscServer(fake_engine, [listener]) as server:
            raw = connect(UdpLink(listener.port))
            assert isinstance(raw.ask(1, Subscribe(screen.port)), Done)
            server.tell(notice(1))
            assert arrived.wait(WAIT_S)
            assert isinstance(raw.ask(2, Ping()), Done)
    finally:
        screen.close()
    assert heard[0] == Told(1, notice(1))


def test_over_tcp_notices_may_come_by_udp_if_the_engine_listens_there(
    fake_engine: Any, connect: Any
) -> None:
    tcp, udp = TcpListener(), UdpListener()
    with OscServer(fake_engine, [tcp]):
        refused = connect(TcpLink(tcp.port)).ask(1, Subscribe(udp.port))
        assert isinstance(refused.error(), BadArguments)
        assert "leave the port out" in refused.sentence
    udp.close()
    tcp, udp = TcpListener(), UdpListener()
    with OscServer(fake_engine, [tcp, udp]) as server:
        assert isinstance(connect(TcpLink(tcp.port)).ask(1, Subscribe(9)), Done)
        assert server.subscribers == 1


def test_the_engine_is_told_nothing_by_itself(fake_engine: Any, connect: Any) -> None:
    listener = UdpListener()
    with OscServer(fake_engine, [listener]):
        refused = connect(UdpLink(listener.port)).ask(1, Subscribe(listener.port))
    assert isinstance(refused.error(), BadArguments)
    assert f"port is {listener.port}" in refused.sentence


def test_in_memory_there_is_no_other_port(fake_engine: Any, connect: Any) -> None:
    listener = MemoryListener()
    with OscServer(fake_engine, [listener]):
        refused = connect(listener.connect()).ask(1, Subscribe(9000))
    assert isinstance(refused.error(), BadArguments)


def test_a_client_that_is_gone_is_told_nothing(fake_engine: Any, connect: Any) -> None:
    listener = MemoryListener()
    with OscServer(fake_engine, [listener]) as server:
        raw = connect(listener.connect())
        raw.ask(1, Subscribe())
        assert server.subscribers == server.clients == 1
        raw.link.close()
        assert server.subscribers == server.clients == 0


def test_a_subscription_ends_with_its_tcp_connection(fake_engine: Any, connect: Any) -> None:
    left = threading.Event()

    class Watched(OscServer):
        def gone(self, peer: Any) -> None:
            super().gone(peer)
            left.set()

    listener = TcpListener()
    with Watched(fake_engine, [listener]) as server:
        raw = connect(TcpLink(listener.port))
        raw.ask(1, Subscribe())
        assert server.subscribers == 1
        raw.link.close()
        assert left.wait(WAIT_S)
        assert server.subscribers == server.clients == 0


# The hub by itself


def test_a_subscription_ends_when_its_client_is_silent(hub: Hub, clock: Clock) -> None:
    silent, heard = Listening("silent"), Listening("heard")
    hub.subscribe("silent", silent, 60.0)
    hub.subscribe("heard", heard, 10.0)
    assert hub.flush() == 10.0
    clock.now_s += 9.0
    hub.heard("heard", clock.now_s)
    hub.heard("nobody", clock.now_s)
    clock.now_s += 9.0
    assert hub.flush() == 1.0
    assert hub.clients() == {"silent", "heard"}
    clock.now_s += 1.0
    assert hub.clients() == {"silent"}
    hub.tell(notice(1))
    clock.now_s += 41.0
    assert hub.flush() is None
    assert silent.packets == heard.packets == []


def test_who_asks_again_misses_nothing_and_lives_on(hub: Hub, clock: Clock) -> None:
    peer = Listening("c")
    assert hub.subscribe("c", peer, 10.0) == 0
    hub.tell(notice(1))
    clock.now_s += 9.0
    assert hub.subscribe("c", peer, 10.0) == 1
    assert hub.flush() == 10.0
    assert peer.numbers == [1]


def test_one_place_is_told_once_whoever_asked(hub: Hub) -> None:
    screen = Listening("screen")
    hub.subscribe("one port of oscsend", screen, 60.0)
    hub.subscribe("another port of oscsend", screen, 60.0)
    hub.tell(notice(1))
    hub.flush()
    assert screen.numbers == [1]
    assert hub.clients() == {"another port of oscsend"}


def test_a_slow_subscriber_misses_notices_and_can_see_it(hub: Hub) -> None:
    slow, quick = Listening("slow"), Listening("quick")
    hub.subscribe("slow", slow, 60.0)
    hub.subscribe("quick", quick, 60.0)
    for revision, waiting in [(1, 0), (2, BACKLOG_MAX_BYTES + 1), (3, 0)]:
        slow.waiting_bytes = waiting
        hub.tell(notice(revision))
        hub.flush()
    assert slow.numbers == [1, 3]
    assert quick.numbers == [1, 2, 3]


def test_a_subscriber_that_raises_costs_the_others_nothing(
    hub: Hub, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(Listening):
        def send(self, packet: bytes) -> None:
            raise RuntimeError("broken")

    good = Listening("good")
    hub.subscribe("broken", Broken("broken"), 60.0)
    hub.subscribe("good", good, 60.0)
    hub.tell(notice(1))
    hub.flush()
    assert good.numbers == [1]
    assert "could not be told" in caplog.text


def test_what_waits_is_bounded_and_the_newest_stays(hub: Hub) -> None:
    peer = Listening("c")
    hub.subscribe("c", peer, 60.0)
    for revision in range(1, NOTICES_MAX + 11):
        hub.tell(notice(revision))
    hub.flush()
    assert peer.numbers == list(range(11, NOTICES_MAX + 11))


def test_only_the_newest_value_of_a_setting_is_told(hub: Hub) -> None:
    peer = Listening("c")
    assert not hub.tell_value("alley", "s1", "gain_db", -1.0)
    hub.subscribe("c", peer, 60.0)
    for value in (-1.0, -2.0, -3.0):
        assert hub.tell_value("alley", "s1", "gain_db", value)
    for number in range(VALUES_MAX + 5):
        hub.tell_value("alley", f"s{number}", "gain_db", 0.0)
    hub.flush()
    assert len(peer.packets) == VALUES_MAX
    assert sum(packet.startswith(GAIN.encode()) for packet in peer.packets) == 1


def test_without_subscribers_numbers_go_on_and_nothing_is_kept(hub: Hub) -> None:
    assert not hub.tell(notice(1))
    assert hub.subscribe("c", Listening("c"), 60.0) == 1
    assert hub.flush() == 60.0
    assert hub.tell(notice(2))


def test_subscribers_are_bounded(hub: Hub, clock: Clock) -> None:
    for number in range(SUBSCRIBERS_MAX):
        hub.subscribe(number, Listening(f"{number}"), 60.0)
    hub.subscribe(3, Listening("3"), 60.0)
    with pytest.raises(QueueFull, match=f"at most {SUBSCRIBERS_MAX}"):
        hub.subscribe("late", Listening("late"), 60.0)
    clock.now_s += 60.0
    hub.subscribe("late", Listening("late"), 60.0)


# The thread behind it


def test_the_background_runs_tasks_when_woken_and_once_at_the_end() -> None:
    ran, woken = threading.Semaphore(0), 0

    def task() -> float | None:
        nonlocal woken
        woken += 1
        ran.release()
        return None

    background = Background("test-background", (task,))
    background.start()
    assert ran.acquire(timeout=WAIT_S)
    background.wake()
    assert ran.acquire(timeout=WAIT_S)
    background.close()
    assert woken >= 3
    assert not [t for t in threading.enumerate() if t.name == "test-background"]


def test_a_due_task_runs_by_itself_also_after_one_that_failed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    ran = threading.Semaphore(0)

    def broken() -> float | None:
        raise RuntimeError("broken")

    def due() -> float | None:
        ran.release()
        return 0.001

    background = Background("test-background", (broken, due))
    background.start()
    for _ in range(3):
        assert ran.acquire(timeout=WAIT_S)
    background.close()
    assert "the others go on" in caplog.text
