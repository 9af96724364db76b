"""Edits in batches, greedy clients, and what the handler may get wrong."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from osc_bridge.conversation import CLIENT_OPEN_MAX
from osc_bridge.errors import DiskFull, InternalError, QueueFull, UnknownScene
from osc_bridge.events import CancelledReply, Done, Fail, Progress
from osc_bridge.pressure import CROWDED_AT, HOLD_AT, Pressure
from osc_bridge.reply import Reply
from osc_bridge.schema import (
    AddText,
    CancelJob,
    NewScene,
    Ping,
    Render,
    SetSource,
    SourceChanged,
    SourcesAdded,
    Sync,
)
from osc_bridge.server import OscServer
from osc_bridge.transports.memory import MemoryListener
from osc_bridge.transports.tcp import TcpLink, TcpListener
from osc_bridge.wire import encode_request, read_event
from osc_bridge.worker import EDITS_MAX

WAIT_S = 20.0


def gain(gain_db: float, scene: str = "alley") -> SetSource:
    return SetSource(scene, "s1", "gain_db", gain_db)


def test_edits_that_wait_are_made_together_and_each_is_answered(rig: Any, raw: Any) -> None:
    rig.block(raw, 1)
    edits = [gain(-1.0), AddText("alley", "rain"), gain(-2.0)]
    for request_id, edit in enumerate(edits, start=2):
        raw.send(request_id, edit)
    raw.send(5, Ping())
    assert [e.request_id for e in raw.ends(1)] == [5]
    rig.engine.release.set()
    assert raw.ends(4)[1:] == [
        Done(2, "/wildtrack/source/set", SourceChanged("alley", "s1", "gain_db", -1.0)),
        Done(3, "/wildtrack/source/add/text", SourcesAdded("alley", ("s1",))),
        Done(4, "/wildtrack/source/set", SourceChanged("alley", "s1", "gain_db", -2.0)),
    ]
    assert rig.engine.batches == [edits]


def test_edits_overtake_nothing(rig: Any, raw: Any) -> None:
    rig.block(raw, 1)
    requests = [gain(-1.0), gain(-2.0), NewScene("next"), gain(-3.0)]
    for request_id, request in enumerate(requests, start=2):
        raw.send(request_id, request)
    raw.send(6, Ping())
    raw.ends(1)
    rig.engine.release.set()
    assert [e.request_id for e in raw.ends(5)] == [1, 2, 3, 4, 5]
    assert rig.engine.batches == [requests[:2], requests[3:]]
    assert rig.engine.seen[1:] == requests


def test_one_edit_that_fails_leaves_the_others(rig: Any, raw: Any) -> None:
    rig.block(raw, 1)
    for request_id, scene in enumerate(["alley", "nowhere", "alley"], start=2):
        raw.send(request_id, gain(-1.0, scene))
    rig.engine.release.set()
    first, second, third = raw.ends(4)[1:]
    assert isinstance(second, Fail)
    assert isinstance(second.error(), UnknownScene)
    assert [type(first), type(third)] == [Done, Done]


def test_an_exception_fails_every_edit_of_the_batch(rig: Any, raw: Any) -> None:
    rig.block(raw, 1)
    for request_id, scene in enumerate(["alley", "burnt", "alley"], start=2):
        raw.send(request_id, gain(-1.0, scene))
    raw.send(5, Ping())
    raw.ends(1)
    rig.engine.release.set()
    fails = raw.ends(4)[1:]
    assert [type(fail.error()) for fail in fails] == [DiskFull] * 3
    assert isinstance(raw.ask(6, gain(-1.0)), Done)


def test_an_edit_cancelled_while_it_waits_is_not_made(rig: Any, raw: Any) -> None:
    rig.block(raw, 1)
    raw.send(2, gain(-1.0))
    raw.send(3, gain(-2.0))
    raw.send(4, CancelJob(2))
    raw.send(5, Ping())
    raw.ends(1)
    rig.engine.release.set()
    ends = {end.request_id: end for end in raw.ends(4)}
    assert ends[2] == CancelledReply(2, "/wildtrack/source/set")
    assert isinstance(ends[3], Done)
    assert rig.engine.batches == [[gain(-2.0)]]


class Batches:
    """A handler whose `edit` is the test's."""

    def __init__(self, edit: Callable[[Sequence[Any]], Any]) -> None:
        self.edit = edit

    def answer(self, request: Any, reply: Any) -> None:
        raise AssertionError(request)


def changed(replies: Sequence[Reply]) -> list[Any]:
    values = [reply.request.value for reply in replies]
    return [SourceChanged("alley", "s1", "gain_db", value) for value in values]


@pytest.mark.parametrize(
    "edit", [lambda _: [], lambda replies: changed(replies) * 2, lambda _: None]
)
def test_a_wrong_number_of_outcomes_fails_all(connect: Any, caplog: Any, edit: Any) -> None:
    listener = MemoryListener()
    with caplog.at_level(logging.ERROR), OscServer(Batches(edit), [listener]):
        event = connect(listener.connect()).ask(1, gain(-1.0))
    assert isinstance(event.error(), InternalError)
    assert "/wildtrack/source/set" in caplog.text


@pytest.mark.parametrize("edit", [lambda _: [7], lambda _: [NewScene("x")]])
def test_an_outcome_of_the_wrong_class_fails_its_edit(connect: Any, edit: Any) -> None:
    listener = MemoryListener()
    with OscServer(Batches(edit), [listener]):
        assert isinstance(connect(listener.connect()).ask(1, gain(-1.0)).error(), InternalError)


def test_an_edit_may_be_kept_and_ended_later(connect: Any) -> None:
    kept: queue.SimpleQueue[Reply] = queue.SimpleQueue()

    def edit(replies: Sequence[Reply]) -> list[Any]:
        for reply in replies:
            kept.put(reply)
        return [None for _ in replies]

    listener = MemoryListener()
    with OscServer(Batches(edit), [listener]):
        raw = connect(listener.connect())
        raw.send(1, gain(-1.0))
        raw.send(2, Sync())
        assert isinstance(raw.next(), Progress)
        reply = kept.get(timeout=WAIT_S)
        assert reply.done(SourceChanged("alley", "s1", "gain_db", -1.0))
        assert [end.request_id for end in raw.ends(2)] == [1, 2]


def test_a_batch_has_an_upper_size(connect: Any) -> None:
    sizes: list[int] = []
    entered, release = threading.Event(), threading.Event()

    def edit(replies: Sequence[Reply]) -> list[Any]:
        sizes.append(len(replies))
        entered.set()
        assert release.wait(WAIT_S)
        return changed(replies)

    listener = MemoryListener()
    with OscServer(Batches(edit), [listener]):
        raw = connect(listener.connect())
        raw.send(1, gain(-1.0))
        assert entered.wait(WAIT_S)
        for request_id in range(2, 2 * EDITS_MAX):
            raw.send(request_id, gain(-1.0))
        release.set()
        ends = raw.ends(2 * EDITS_MAX - 1)
    assert [end.request_id for end in ends] == list(range(1, 2 * EDITS_MAX))
    assert sizes == [1, EDITS_MAX, EDITS_MAX - 2]


class HeldPeer:
    """A client that notes when it is held and when it was answered."""

    key = "greedy"
    host = ""
    needs_token = False
    is_connected = True
    waiting_bytes = 0

    def __init__(self) -> None:
        self.held: list[bool] = []
        self.ends = 0
        self.answered = threading.Event()
        self.released = threading.Event()

    def send(self, packet: bytes) -> None:
        if isinstance(read_event(packet), Done):
            self.ends += 1
            self.answered.set()

    def hold(self) -> None:
        self.held.append(True)

    def release(self) -> None:
        self.held.append(False)
        self.released.set()


def test_a_client_that_sends_faster_than_the_engine_works_is_held() -> None:
    entered, release = threading.Event(), threading.Event()

    def edit(replies: Sequence[Reply]) -> list[Any]:
        entered.set()
        assert release.wait(WAIT_S)
        return changed(replies)

    peer = HeldPeer()
    with OscServer(Batches(edit), []) as server:
        server.received(peer, encode_request(1, gain(-1.0)))
        assert entered.wait(WAIT_S)
        for request_id in range(2, HOLD_AT):
            server.received(peer, encode_request(request_id, gain(-1.0)))
        assert peer.held == []
        server.received(peer, encode_request(HOLD_AT, gain(-1.0)))
        server.received(peer, encode_request(HOLD_AT + 1, gain(-1.0)))
        assert peer.held == [True]
        release.set()
        assert peer.released.wait(WAIT_S)
    assert peer.held == [True, False]


def test_jobs_that_run_for_long_hold_nobody(fake_engine: Any) -> None:
    peer = HeldPeer()
    with OscServer(fake_engine, []) as server:
        for begin in range(1, 2 * HOLD_AT, HOLD_AT // 2):
            for request_id in range(begin, begin + HOLD_AT // 2 - 1):
                server.received(peer, encode_request(request_id, Render("kept")))
            server.received(peer, encode_request(begin + HOLD_AT // 2 - 1, NewScene("barrier")))
            assert peer.answered.wait(WAIT_S)
            peer.answered.clear()
    assert len(fake_engine.kept) > HOLD_AT
    assert peer.held == []


def test_too_many_requests_of_one_client_are_refused_and_not_remembered(connect: Any) -> None:
    entered, release = threading.Event(), threading.Event()

    def edit(replies: Sequence[Reply]) -> list[Any]:
        entered.set()
        assert release.wait(WAIT_S)
        return changed(replies)

    listener = MemoryListener()
    with OscServer(Batches(edit), [listener]):
        greedy, modest = connect(listener.connect()), connect(listener.connect())
        greedy.send(1, gain(-1.0))
        assert entered.wait(WAIT_S)
        for request_id in range(2, CLIENT_OPEN_MAX + 1):
            greedy.send(request_id, gain(-1.0))
        refused = greedy.ask(CLIENT_OPEN_MAX + 1, gain(-9.0))
        assert isinstance(refused.error(), QueueFull)
        modest.send(1, gain(-2.0))
        release.set()
        assert isinstance(modest.next(), Done)
        greedy.ends(CLIENT_OPEN_MAX)
        assert isinstance(greedy.ask(CLIENT_OPEN_MAX + 1, gain(-9.0)), Done)


def test_over_tcp_nothing_of_a_flood_is_lost_and_others_are_answered(
    fake_engine: Any, connect: Any
) -> None:
    listener, count = TcpListener(), 4 * HOLD_AT
    with OscServer(fake_engine, [listener]):
        greedy, other = connect(TcpLink(listener.port)), connect(TcpLink(listener.port))
        greedy.send(1, Render("slow"))
        assert fake_engine.blocked.wait(WAIT_S)

        def flood() -> None:
            for request_id in range(2, count + 2):
                greedy.send(request_id, gain(-request_id / count))

        sender = threading.Thread(target=flood)
        sender.start()
        assert isinstance(other.ask(1, Ping()), Done)
        fake_engine.release.set()
        ends = greedy.ends(count + 1)
        sender.join(WAIT_S)
    assert [end.request_id for end in ends] == list(range(1, count + 2))
    assert all(isinstance(end, Done) for end in ends)
    edits = [edit for batch in fake_engine.batches for edit in batch]
    assert edits == [gain(-request_id / count) for request_id in range(2, count + 2)]


def test_pressure_holds_at_its_limit_and_releases_at_half() -> None:
    pressure = Pressure()
    held = [pressure.add("c") for _ in range(HOLD_AT + 1)]
    assert held.index(True) == HOLD_AT - 1
    assert held.count(True) == 1
    released = [pressure.remove("c") for _ in range(HOLD_AT + 1)]
    assert released.index(True) == HOLD_AT // 2 + 1
    assert released.count(True) == 1
    assert not pressure.add("c")


def test_when_it_is_crowded_everybody_is_held_earlier() -> None:
    pressure = Pressure()
    for number in range(CROWDED_AT):
        pressure.add(f"client {number % 32}")
    late = [pressure.add("late") for _ in range(HOLD_AT)]
    assert late.index(True) == HOLD_AT // 16 - 1


@settings(max_examples=20)
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(-400, 700)), max_size=12))
def test_whoever_has_nothing_waiting_is_not_held(steps: list[tuple[int, int]]) -> None:
    pressure = Pressure()
    waiting, held = [0, 0, 0], [False, False, False]
    for client, count in [*steps, (0, -30 * 700), (1, -30 * 700), (2, -30 * 700)]:
        for _ in range(min(abs(count), waiting[client] if count < 0 else count)):
            waiting[client] += 1 if count > 0 else -1
            if count > 0:
                held[client] |= pressure.add(client)
            else:
                held[client] &= not pressure.remove(client)
    assert waiting == [0, 0, 0]
    assert held == [False, False, False]
