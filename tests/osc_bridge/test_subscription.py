"""Notices reach their callback in order; what is lost is told; nothing is left behind."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from osc_bridge import subscription
from osc_bridge.client import Client
from osc_bridge.errors import EngineUnreachable, ReplyTimeout, WildtrackError
from osc_bridge.events import Told
from osc_bridge.schema import (
    Notice,
    SceneNotice,
    SetSource,
    Subscribed,
    TakeNotice,
)
from osc_bridge.subscription import Callbacks, Subscription

WAIT_S = 20.0

Heard = queue.SimpleQueue[Any]


def changed(revision: int) -> SceneNotice:
    return SceneNotice("alley", revision, "Set pan of s1.", "demo")


@pytest.fixture
def client(rig: Any) -> Iterator[Client]:
    with rig.client() as client:
        yield client


def test_notices_and_values_come_in_order(rig: Any, client: Client) -> None:
    heard: Heard = queue.SimpleQueue()
    values: Heard = queue.SimpleQueue()
    client.subscribe(heard.put, on_value=values.put, on_gap=heard.put)
    for revision in range(20):
        rig.server.tell(changed(revision))
    rig.server.tell_value("alley", "s1", "mute", True)
    got = [heard.get(timeout=WAIT_S) for _ in range(20)]
    assert got == [changed(revision) for revision in range(20)]
    assert values.get(timeout=WAIT_S) == SetSource("alley", "s1", "mute", True)


def test_a_callback_may_ask_the_engine(rig: Any, client: Client) -> None:
    answers: Heard = queue.SimpleQueue()
    client.subscribe(lambda notice: answers.put((notice, client.new_scene("Alley"))))
    rig.server.tell(TakeNotice("t1", "alley", "made"))
    notice, scene = answers.get(timeout=WAIT_S)
    assert notice == TakeNotice("t1", "alley", "made")
    assert scene.startswith("scene")


def test_a_second_subscription_replaces_the_first(rig: Any, client: Client) -> None:
    first: Heard = queue.SimpleQueue()
    second: Heard = queue.SimpleQueue()
    client.subscribe(first.put)
    client.subscribe(second.put)
    rig.server.tell(changed(1))
    assert second.get(timeout=WAIT_S) == changed(1)
    assert first.empty()
    assert rig.server.subscribers == 1


def test_after_unsubscribe_nothing_comes(rig: Any, client: Client) -> None:
    heard: Heard = queue.SimpleQueue()
    client.subscribe(heard.put)
    client.unsubscribe()
    assert rig.server.subscribers == 0
    rig.server.tell(changed(1))
    client.ping(WAIT_S)
    assert heard.empty()


def test_a_callback_may_unsubscribe(rig: Any, client: Client) -> None:
    done = threading.Event()

    def stop(_notice: Notice) -> None:
        client.unsubscribe()
        done.set()

    client.subscribe(stop)
    rig.server.tell(changed(1))
    assert done.wait(WAIT_S)
    assert rig.server.subscribers == 0


def test_close_ends_the_thread(rig: Any) -> None:
    with rig.client() as client:
        client.subscribe(print)
        assert "osc-subscription" in {thread.name for thread in threading.enumerate()}
    assert "osc-subscription" not in {thread.name for thread in threading.enumerate()}


class Engine:
    """The answers to subscribe, one for each; the last stays."""

    def __init__(self, *sequences: int | WildtrackError) -> None:
        self.asked: queue.SimpleQueue[int] = queue.SimpleQueue()
        self._answers = list(sequences)
        self._count = 0

    def renew(self) -> Subscribed:
        self._count += 1
        self.asked.put(self._count)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, WildtrackError):
            raise answer
        return Subscribed(60.0, answer)


@pytest.fixture
def heard() -> Heard:
    return queue.SimpleQueue()


def listening(engine: Engine, heard: Heard, sequence: int = 10) -> Subscription:
    made = Subscription(Callbacks(heard.put, heard.put, heard.put, heard.put), engine.renew)
    made.start(Subscribed(60.0, sequence))
    return made


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Renew every 6 ms instead of every 20 s."""
    monkeypatch.setattr(subscription, "RENEWALS", 10_000)


def ended(made: Subscription) -> None:
    made.stop()
    made.join()


@pytest.mark.parametrize(("sequence", "missed"), [(14, 3), (3, 0), (10, 0)])
def test_a_gap_is_told_before_the_notice(heard: Heard, sequence: int, missed: int) -> None:
    made = listening(Engine(10), heard)
    made.hear(Told(sequence, changed(1)))
    made.hear(Told(sequence + 1, changed(2)))
    assert [heard.get(timeout=WAIT_S) for _ in range(3)] == [missed, changed(1), changed(2)]
    ended(made)


def test_it_renews_itself_also_after_silence(heard: Heard, often: None) -> None:
    engine = Engine(ReplyTimeout("Nobody answered."), 10)
    made = listening(engine, heard)
    assert [engine.asked.get(timeout=WAIT_S) for _ in range(3)] == [1, 2, 3]
    ended(made)
    assert heard.empty()


def test_the_last_notices_that_were_lost_are_told_at_a_renewal(heard: Heard, often: None) -> None:
    made = listening(Engine(14), heard)
    assert heard.get(timeout=WAIT_S) == 4
    ended(made)
    assert heard.empty()


def test_a_callback_that_fails_is_not_the_last(
    heard: Heard, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(notice: Notice) -> None:
        heard.put(notice)
        raise KeyError("a defect of the artist's script")

    made = Subscription(Callbacks(fail), Engine(0).renew)
    made.start(Subscribed(60.0, 0))
    made.hear(Told(1, changed(1)))
    made.hear(Told(2, changed(2)))
    assert [heard.get(timeout=WAIT_S) for _ in range(2)] == [changed(1), changed(2)]
    ended(made)
    assert "a defect of the artist's script" in caplog.text


def test_what_a_slow_callback_leaves_no_room_for_is_told_as_a_gap(
    heard: Heard, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(subscription, "BACKLOG_MAX", 2)
    begun, go_on = threading.Event(), threading.Event()

    def slow(notice: Notice) -> None:
        begun.set()
        assert go_on.wait(WAIT_S)
        heard.put(notice)

    made = Subscription(Callbacks(slow, on_gap=heard.put), Engine(0).renew)
    made.start(Subscribed(60.0, 0))
    made.hear(Told(1, changed(1)))
    assert begun.wait(WAIT_S)
    for sequence in range(2, 6):
        made.hear(Told(sequence, changed(sequence)))
    go_on.set()
    assert [heard.get(timeout=WAIT_S) for _ in range(3)] == [changed(1), changed(2), changed(3)]
    made.hear(Told(6, changed(6)))
    assert [heard.get(timeout=WAIT_S) for _ in range(2)] == [2, changed(6)]
    ended(made)
    assert "slow callback" in caplog.text


def test_the_loss_of_the_engine_is_the_last_that_is_heard(heard: Heard) -> None:
    made = listening(Engine(10), heard)
    lost = EngineUnreachable("The engine is gone.")
    made.hear(lost)
    made.hear(Told(11, changed(1)))
    assert heard.get(timeout=WAIT_S) is lost
    made.join()
    assert heard.empty()
