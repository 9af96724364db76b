"""The same conversations over memory, UDP and TCP."""

from __future__ import annotations

import logging
import queue
import threading
from typing import Any

import pytest

from osc_bridge import ledger, server
from osc_bridge.conversation import CLIENTS_MAX
from osc_bridge.errors import (
    BadArguments,
    Cancelled,
    EngineUnreachable,
    IncompatibleApi,
    InternalError,
    MalformedMessage,
    NothingToRender,
    OutOfRange,
    UnknownAddress,
    UnknownJob,
)
from osc_bridge.events import CancelledReply, Done, Fail, Progress
from osc_bridge.message import ROOT
from osc_bridge.schema import (
    AddText,
    CancelJob,
    EngineNotice,
    Hello,
    NewScene,
    Ping,
    Pong,
    Render,
    SceneMade,
    Subscribe,
    Sync,
    TakeMade,
)
from osc_bridge.wire import encode, encode_request, read_event

WAIT_S = 20.0


def test_a_request_ends_in_its_result(raw) -> None:
    event = raw.ask(7, NewScene("Alley"))
    assert event == Done(7, "/wildtrack/scene/new", SceneMade("scene1"))


def test_progress_comes_in_order_before_the_end(raw) -> None:
    raw.send(7, Render("alley"))
    events = [raw.next() for _ in range(5)]
    assert [e.step for e in events[:4]] == [0, 1, 2, 3]
    assert events[4] == Done(7, ROOT + "/render", TakeMade("t1", "/session/takes/t1/take.json"))


def test_a_raised_error_is_a_fail_of_its_code(raw) -> None:
    event = raw.ask(7, Render("empty"))
    assert isinstance(event, Fail)
    assert (event.code, event.name) == (305, "NothingToRender")
    assert isinstance(event.error(), NothingToRender)
    assert "add one" in event.sentence


@pytest.mark.parametrize("text", ["defect", "exit"])
def test_a_defect_is_told_and_logged_and_the_server_goes_on(raw, caplog, text: str) -> None:
    with caplog.at_level(logging.ERROR):
        event = raw.ask(7, AddText("alley", text))
    assert isinstance(event, Fail)
    assert isinstance(event.error(), InternalError)
    assert "/wildtrack/source/add/text" in caplog.text
    assert isinstance(raw.ask(8, NewScene("next")), Done)


def test_a_result_of_the_wrong_class_is_a_defect(raw) -> None:
    event = raw.ask(7, Render("wrong"))
    assert isinstance(event, Fail)
    assert event.code == InternalError.code


def test_a_repeated_id_is_carried_out_once(rig, raw) -> None:
    first = raw.ask(7, NewScene("Alley"))
    assert raw.ask(7, NewScene("Alley")) == first
    assert len(rig.engine.seen) == 1


def test_a_repetition_while_open_is_answered_once(rig, raw) -> None:
    raw.send(7, Render("kept"))
    assert isinstance(raw.next(), Progress)
    raw.send(7, Render("kept"))
    assert isinstance(raw.ask(8, NewScene("barrier")), Done)
    assert rig.engine.kept[0].done(TakeMade("t1", "/t"))
    assert raw.next() == Done(7, ROOT + "/render", TakeMade("t1", "/t"))
    assert isinstance(raw.ask(9, Ping()), Done)
    assert len(rig.engine.kept) == 1


def test_a_request_ends_once(rig, raw) -> None:
    raw.send(7, Render("kept"))
    raw.next()
    raw.ask(8, NewScene("barrier"))
    (reply,) = rig.engine.kept
    assert reply.fail(NothingToRender("First: add a source."))
    assert not reply.done(TakeMade("t1", "/t"))
    assert not reply.cancelled()
    reply.progress(1.0, 4, 4, "Too late.")
    assert isinstance(raw.next(), Fail)
    assert isinstance(raw.ask(9, Ping()), Done)


def test_two_clients_with_the_same_id_get_their_own_answers(raw, other) -> None:
    raw.send(7, NewScene("one"))
    other.send(7, NewScene("two"))
    answers = {raw.next().result.scene, other.next().result.scene}
    assert answers == {"scene1", "scene2"}


def test_a_slow_handler_does_not_delay_a_ping(rig, raw) -> None:
    rig.block(raw, 7)
    event = raw.ask(8, Ping())
    assert isinstance(event, Done)
    assert isinstance(event.result, Pong)
    rig.engine.release.set()


def test_a_bad_message_does_not_delay_or_harm_the_next(raw) -> None:
    for packet, error in [
        (b"junk", MalformedMessage),
        (b"#bundle\0....", MalformedMessage),
        (encode("/wildtrack/nothing", [("h", 7)]), UnknownAddress),
        (encode("/wildtrack/ping", [("h", 7), ("i", 1)]), BadArguments),
        (encode("/wildtrack/take/list", [("h", 7), ("i", -1)]), OutOfRange),
        (encode("/wildtrack/hello", [("h", 7), ("i", 2)]), IncompatibleApi),
    ]:
        raw.link.send(packet)
        event = raw.next()
        assert isinstance(event, Fail)
        assert type(event.error()) is error
    assert isinstance(raw.ask(7, Ping()), Done)


def test_a_bundle_is_carried_out_in_order(raw) -> None:
    packets = [encode_request(i, NewScene(f"n{i}")) for i in (1, 2, 3)]
    raw.link.send(
        b"#bundle\0"
        + (1).to_bytes(8, "big")
        + b"".join(len(p).to_bytes(4, "big") + p for p in packets)
    )
    assert [raw.next().request_id for _ in packets] == [1, 2, 3]


def test_a_job_is_cancelled_and_its_callback_called(rig, raw) -> None:
    raw.send(7, Render("kept"))
    raw.next()
    raw.send(8, CancelJob(7))
    first, second = raw.next(), raw.next()
    assert first == CancelledReply(7, ROOT + "/render")
    assert isinstance(second, Done)
    assert rig.engine.kept[0].cancel_requested


def test_another_client_may_cancel_a_job(raw, other) -> None:
    raw.send(7, Render("kept"))
    raw.next()
    assert isinstance(other.ask(1, CancelJob(7)), Done)
    assert raw.next() == CancelledReply(7, ROOT + "/render")


def test_the_job_of_a_client_that_is_gone_can_be_cancelled(rig, raw, other) -> None:
    other.send(7, Render("kept"))
    other.next()
    other.link.close()
    assert isinstance(raw.ask(8, CancelJob(7)), Done)
    assert rig.engine.kept[0].cancel_requested
    assert isinstance(raw.ask(9, CancelJob(7)), Fail)


@pytest.mark.parametrize("job", [7, 8])
def test_a_job_that_does_not_run_cannot_be_cancelled(raw, job: int) -> None:
    raw.ask(7, NewScene("over"))
    event = raw.ask(8, CancelJob(job))
    assert isinstance(event, Fail)
    assert isinstance(event.error(), UnknownJob)


def test_a_request_cancelled_while_it_waits_is_not_carried_out(rig, raw) -> None:
    rig.block(raw, 7)
    raw.send(8, NewScene("never"))
    raw.send(9, CancelJob(8))
    raw.ask(10, Ping())
    rig.engine.release.set()
    ends = [e for e in (raw.next() for _ in range(7)) if not isinstance(e, Progress)]
    assert [type(e) for e in ends] == [Done, CancelledReply, Done]
    assert NewScene("never") not in rig.engine.seen


def test_hello_starts_anew(raw) -> None:
    first = raw.ask(7, NewScene("Alley"))
    raw.ask(8, Hello(1, 0, "again"))
    assert raw.ask(7, NewScene("Alley")) != first


def test_open_requests_end_when_the_server_does(rig, raw) -> None:
    raw.send(7, Render("kept"))
    raw.next()
    raw.ask(8, NewScene("barrier"))
    rig.engine.kept[0]._callbacks = None
    rig.server.close()
    event = raw.next()
    assert isinstance(event, Fail)
    assert isinstance(event.error(), EngineUnreachable)


def test_nothing_is_left_behind(rig) -> None:
    before = set(threading.enumerate())
    clients = [rig.raw() for _ in range(5)]
    for number, client in enumerate(clients):
        client.ask(number + 1, Ping())
    for client in clients:
        client.link.close()
    assert set(threading.enumerate()) == before
    rig.server.close()
    rig.server.close()
    assert not [t for t in threading.enumerate() if t.name.startswith("osc-")]


def test_cancelled_raised_by_a_handler_ends_as_cancelled(rig, raw) -> None:
    raw.send(7, Render("kept"))
    raw.next()
    raw.ask(8, NewScene("barrier"))
    assert rig.engine.kept[0].fail(Cancelled("by the user"))
    assert raw.next() == CancelledReply(7, ROOT + "/render")


def test_the_handler_finds_the_job_that_is_meant(rig, raw, other) -> None:
    raw.send(7, Render("kept"))
    raw.next()
    other.send(7, Render("kept"))
    other.next()
    first, second = rig.engine.kept
    assert first.job(7) is first
    assert second.job(7) is second
    assert first.job(8) is None


def test_an_answer_that_cannot_be_written_fails_its_request(raw, caplog, monkeypatch) -> None:
    write = ledger.encode_event

    def broken(event: Any) -> bytes:
        if isinstance(event, Done) and isinstance(event.result, SceneMade):
            raise TypeError("broken")
        return write(event)

    monkeypatch.setattr(ledger, "encode_event", broken)
    event = raw.ask(7, NewScene("alley"))
    assert isinstance(event.error(), InternalError)
    assert "could not be written" in caplog.text
    assert isinstance(raw.ask(8, Ping()), Done)


@pytest.mark.parametrize("part", ["read_request", "_check_api"])
def test_a_defect_on_the_network_thread_is_answered_and_logged(
    raw, caplog, monkeypatch, part: str
) -> None:
    def broken(*_: Any) -> None:
        raise ValueError("broken")

    with monkeypatch.context() as patch:
        patch.setattr(server, part, broken)
        event = raw.ask(7, NewScene("alley"))
    assert isinstance(event.error(), InternalError)
    assert "ValueError: broken" in caplog.text
    assert isinstance(raw.ask(8, NewScene("alley")), Done)


class BrokenPeer:
    """A client that cannot be answered at all."""

    key = "broken"
    host = ""
    needs_token = False
    is_connected = True
    waiting_bytes = 0

    def __init__(self) -> None:
        self.tried: queue.SimpleQueue[bytes] = queue.SimpleQueue()

    def send(self, packet: bytes) -> None:
        self.tried.put(packet)
        raise RuntimeError("broken")

    def admit(self) -> None: ...

    def hold(self) -> None: ...

    def release(self) -> None: ...


def test_a_client_that_cannot_be_answered_harms_no_thread(rig, raw, caplog) -> None:
    peer = BrokenPeer()
    for request_id, request in enumerate(
        [Ping(), NewScene("x"), AddText("alley", "rain"), Subscribe(), Sync()], start=1
    ):
        rig.server.received(peer, encode_request(request_id, request))
        assert isinstance(read_event(peer.tried.get(timeout=WAIT_S)), Done)
    rig.server.tell(EngineNotice("warning", "Something."))
    peer.tried.get(timeout=WAIT_S)
    rig.server.received(peer, b"junk")
    assert isinstance(raw.ask(8, NewScene("alley")), Done)
    assert "could not be sent" in caplog.text


def test_clients_that_come_and_go_are_forgotten(rig) -> None:
    for number in range(3 * CLIENTS_MAX):
        peer = BrokenPeer()
        peer.key = f"client {number}"
        peer.send = lambda packet: None
        rig.server.received(peer, encode_request(1, Ping()))
    assert rig.server.clients <= CLIENTS_MAX
    peer.key = "held"
    rig.server.gone(peer)
    assert rig.server.clients <= CLIENTS_MAX


def test_a_server_that_never_started_can_be_closed(fake_engine) -> None:
    server.OscServer(fake_engine, []).close()


def test_no_progress_follows_an_end(rig, raw) -> None:
    rounds = 40
    for request_id in range(1, rounds + 1):
        raw.send(request_id, Render("kept"))
    raw.send(rounds + 1, NewScene("barrier"))
    raw.ends(1)
    begin = threading.Barrier(2)

    def report() -> None:
        for reply in rig.engine.kept:
            begin.wait(WAIT_S)
            for step in range(20):
                reply.progress(0.5, step, 20, "Still at it.")

    reporter = threading.Thread(target=report)
    reporter.start()
    for reply in rig.engine.kept:
        begin.wait(WAIT_S)
        reply.done(TakeMade("t1", "/t"))
    reporter.join(WAIT_S)
    raw.send(rounds + 2, Ping())
    ended: set[int] = set()
    while rounds + 2 not in ended:
        event = raw.next()
        assert event.request_id not in ended
        if isinstance(event, Done):
            ended.add(event.request_id)
    assert len(ended) == rounds + 1


@pytest.mark.parametrize(
    "address",
    [
        "/wildtrack/fail",
        "/wildtrack/done",
        "/wildtrack/progress",
        "/wildtrack/event/scene",
        "/fail",
    ],
)
def test_an_answer_is_never_answered(raw: Any, address: str) -> None:
    raw.link.send(encode(address, [("h", 7), ("s", "/wildtrack/ping")]))
    assert raw.ask(8, Ping()).request_id == 8


def test_a_defect_of_the_server_ends_the_request(rig: Any, raw: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(rig.server._hub, "subscribe", lambda *_: 1 // 0)
    failed = raw.ask(7, Subscribe())
    assert isinstance(failed.error(), InternalError)
    assert raw.ask(7, Subscribe()) == failed
    assert isinstance(raw.ask(8, Sync()), Done)
