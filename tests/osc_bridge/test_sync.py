"""Sync: the end of everything that this client sent before."""

from __future__ import annotations

from typing import Any

from osc_bridge.errors import QueueFull
from osc_bridge.events import CancelledReply, Done, Progress
from osc_bridge.schema import CancelJob, NewScene, Ping, Render, Sync, Synced, TakeMade
from osc_bridge.syncs import CLIENT_SYNCS_MAX

SYNC = "/wildtrack/sync"
TAKE = TakeMade("t1", "/t")


def test_without_open_requests_it_ends_at_once(raw: Any) -> None:
    assert raw.ask(1, Sync()) == Done(1, SYNC, Synced())


def test_it_ends_after_every_earlier_request_and_waits_for_no_later_one(rig: Any, raw: Any) -> None:
    raw.send(1, Render("kept"))
    raw.send(2, Render("kept"))
    raw.send(3, Sync())
    raw.send(4, Render("kept"))
    raw.send(5, NewScene("barrier"))
    assert [end.request_id for end in raw.ends(1)] == [5]
    first, second, third = rig.engine.kept
    second.done(TAKE)
    first.done(TAKE)
    assert [end.request_id for end in raw.ends(3)] == [2, 1, 3]
    third.done(TAKE)
    assert raw.ends(1)[0].request_id == 4


def test_it_does_not_wait_for_others(rig: Any, raw: Any, other: Any) -> None:
    other.send(1, Render("kept"))
    other.next()
    assert raw.ask(1, Sync()) == Done(1, SYNC, Synced())


def test_it_tells_that_it_waits(rig: Any, raw: Any) -> None:
    raw.send(1, Render("kept"))
    raw.next()
    raw.send(2, Sync())
    for _ in range(3):
        told = raw.next()
        assert isinstance(told, Progress)
        assert (told.request_id, told.fraction, told.of) == (2, 0.0, 1)
    rig.engine.kept[0].done(TAKE)
    assert [end.request_id for end in raw.ends(2)] == [1, 2]


def test_it_can_be_cancelled_and_leaves_the_rest(rig: Any, raw: Any) -> None:
    raw.send(1, Render("kept"))
    raw.send(2, Sync())
    raw.send(3, CancelJob(2))
    first, second = raw.ends(2)
    assert first == CancelledReply(2, SYNC)
    assert isinstance(second, Done)
    assert rig.engine.kept[0].done(TAKE)
    assert raw.ends(1)[0].request_id == 1


def test_several_end_in_their_order(rig: Any, raw: Any) -> None:
    raw.send(1, Render("kept"))
    for request_id in (2, 3, 4):
        raw.send(request_id, Sync())
    raw.send(5, NewScene("barrier"))
    raw.ends(1)
    rig.engine.kept[0].cancelled()
    assert [end.request_id for end in raw.ends(4)] == [1, 2, 3, 4]


def test_too_many_are_refused(rig: Any, raw: Any) -> None:
    raw.send(1, Render("kept"))
    for request_id in range(2, CLIENT_SYNCS_MAX + 3):
        raw.send(request_id, Sync())
    (refused,) = raw.ends(1)
    assert isinstance(refused.error(), QueueFull)
    raw.send(99, NewScene("barrier"))
    raw.ends(1)
    rig.engine.kept[0].done(TAKE)
    assert len(raw.ends(CLIENT_SYNCS_MAX + 1)) == CLIENT_SYNCS_MAX + 1


def test_it_waits_for_control_messages_too(rig: Any, raw: Any) -> None:
    rig.block(raw, 1)
    raw.control("alley/s1/gain_db", "f", -6.0)
    raw.send(2, Sync())
    raw.send(3, CancelJob(1))
    raw.send(4, Ping())
    assert raw.ends(1)[0].request_id == 4
    rig.engine.release.set()
    assert {end.request_id for end in raw.ends(3)} == {1, 2, 3}
    assert len(rig.engine.batches) == 1


def test_the_server_ends_it_when_it_closes(rig: Any, raw: Any) -> None:
    raw.send(1, Render("kept"))
    raw.send(2, Sync())
    raw.send(3, NewScene("barrier"))
    raw.ends(1)
    rig.server.close()
    assert {end.request_id for end in raw.ends(2)} == {1, 2}
