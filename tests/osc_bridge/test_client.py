"""What a script sees: plain methods, errors as classes, nothing left after trouble."""

from __future__ import annotations

import queue
from collections.abc import Callable
from typing import Any

import pytest

from osc_bridge.caller import Call, Caller
from osc_bridge.client import Client
from osc_bridge.errors import (
    Cancelled,
    EngineUnreachable,
    IncompatibleApi,
    NothingToRender,
    OutOfRange,
    ReplyTimeout,
    UnknownJob,
)
from osc_bridge.schema import CancelJob, EngineNotice, Hello, NewScene, Render, SetSource, SourceRow

WAIT_S = 20.0


@pytest.fixture
def client(rig):
    with rig.client() as client:
        yield client


def test_the_facade_drives_an_engine(rig, client) -> None:
    assert client.welcome.program == "fake 0"
    scene = client.new_scene("Alley", duration_s=2.5, seed=3)
    rain = client.add_text(scene, "rain")
    client.set(scene, rain, gain_db=-6, mute=True)
    steps: list[float] = []
    take = client.render(scene, on_progress=lambda p: steps.append(p.fraction))
    assert take.path.endswith("take.json")
    assert steps == [0.0, 0.25, 0.5, 0.75]
    assert rig.engine.seen[1].duration_samples == 120_000
    assert SetSource(scene, rain, "gain_db", -6.0) in rig.engine.seen


def test_a_fail_is_raised_as_its_class(client) -> None:
    with pytest.raises(NothingToRender, match="add one"):
        client.render("empty")


def test_a_wrong_value_is_refused_before_anything_is_sent(rig, client) -> None:
    sent = len(rig.engine.seen)
    with pytest.raises(OutOfRange, match="gain_db"):
        client.set("alley", "s1", pan=0, gain_db=99)
    assert len(rig.engine.seen) == sent


@pytest.mark.parametrize("seconds", [float("nan"), float("inf"), -1.0, 0.0, 601.0])
def test_a_duration_must_make_sense(client, seconds: float) -> None:
    with pytest.raises(OutOfRange, match="duration_s"):
        client.new_scene("Alley", duration_s=seconds)


def test_silence_times_out_and_unregisters(client) -> None:
    with pytest.raises(ReplyTimeout, match=r"0.01 s.*timeout_s"):
        client.call(Render("kept"), timeout_s=0.01, on_progress=lambda p: None)
    assert client.pending_count == 0


def test_ctrl_c_cancels_the_render_and_goes_on(rig, client) -> None:
    def interrupt(_progress: Any) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        client.render("kept", on_progress=interrupt)
    assert rig.engine.kept[0].cancel_requested
    assert client.pending_count == 0
    assert client.ping(WAIT_S).uptime_s >= 0


def test_ctrl_c_while_a_render_is_sent_cancels_it(
    rig: Any, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual, sent = Caller.send, []

    def interrupted(caller: Caller, request_id: int, request: Any) -> None:
        sent.append((type(request), request_id))
        usual(caller, request_id, request)
        if isinstance(request, Render):
            raise KeyboardInterrupt
        assert request == CancelJob(sent[0][1])

    monkeypatch.setattr(Caller, "send", interrupted)
    with pytest.raises(KeyboardInterrupt):
        client.render("kept")
    assert [kind for kind, _ in sent] == [Render, CancelJob]
    assert all(reply.cancel_requested for reply in rig.engine.kept)
    assert client.pending_count == 0


def test_a_render_that_times_out_is_cancelled(rig, client) -> None:
    with pytest.raises(ReplyTimeout):
        client.render("kept", timeout_s=0.05)
    client.ping(WAIT_S)
    assert all(reply.cancel_requested for reply in rig.engine.kept)


@pytest.mark.parametrize(
    "add",
    [
        lambda client: client.add_image("alley", "frame.png"),
        lambda client: client.add_region("alley", "frame.png", (0, 0, 8, 8)),
        lambda client: client.add_audio("alley", "wind.wav"),
    ],
)
@pytest.mark.parametrize("error", [ReplyTimeout, KeyboardInterrupt])
def test_a_file_given_up_is_cancelled(
    rig: Any,
    client: Client,
    monkeypatch: pytest.MonkeyPatch,
    add: Callable[[Client], object],
    error: type[BaseException],
) -> None:
    usual = Call._wait

    def interrupted(call: Call[Any], timeout_s: float) -> Any:
        if isinstance(call.request, CancelJob):
            return usual(call, timeout_s)
        usual(call, WAIT_S)
        if error is ReplyTimeout:
            return None
        raise KeyboardInterrupt

    monkeypatch.setattr(Call, "_wait", interrupted)
    with pytest.raises(error):
        add(client)
    (kept,) = rig.engine.kept
    assert kept.cancel_requested
    assert client.pending_count == 0


def test_a_job_cancelled_by_hand_raises_cancelled(client) -> None:
    job = client.start(Render("kept"))
    client.cancel(job.request_id)
    with pytest.raises(Cancelled):
        job.result(WAIT_S)
    with pytest.raises(UnknownJob):
        client.cancel(job.request_id)


def test_another_major_is_incompatible(rig) -> None:
    with Caller(rig.link()) as caller, pytest.raises(IncompatibleApi, match=r"speaks 1\.1"):
        caller.call(Hello(2, 0, "from the future"), WAIT_S)


def test_an_engine_that_ends_ends_the_calls(rig, client) -> None:
    job = client.start(Render("slow"))
    assert rig.engine.blocked.wait(WAIT_S)
    kept = client.start(Render("kept"))
    rig.engine.release.set()
    rig.server.close()
    job.result(WAIT_S)
    with pytest.raises(EngineUnreachable, match="start it again"):
        kept.result(WAIT_S)


def test_a_subscriber_hears_that_the_engine_ends(rig: Any, client: Client) -> None:
    heard: queue.SimpleQueue[object] = queue.SimpleQueue()
    client.subscribe(heard.put, on_lost=heard.put)
    rig.server.close()
    assert heard.get(timeout=WAIT_S) == EngineNotice("ending", "The engine ends.")
    if not client.is_lossy:
        assert isinstance(heard.get(timeout=WAIT_S), EngineUnreachable)
    with pytest.raises((EngineUnreachable, ReplyTimeout) if client.is_lossy else EngineUnreachable):
        client.ping(0.05)


def test_a_closed_client_says_so(client) -> None:
    client.close()
    with pytest.raises(EngineUnreachable, match="closed"):
        client.ping()


def test_a_long_list_comes_whole_and_in_order(rig, client) -> None:
    rig.engine.rows = [SourceRow(f"s{i}", "text", "\N{DOG FACE}" * 80) for i in range(64)]
    assert client.sources("alley") == rig.engine.rows


class ForgetfulLink:
    """Loses the first copy of every packet."""

    is_lossy = True

    def __init__(self, link: Any) -> None:
        self._link = link
        self._sent: set[bytes] = set()
        self.start, self.close = link.start, link.close

    def send(self, packet: bytes) -> None:
        if packet in self._sent:
            self._link.send(packet)
        self._sent.add(packet)


def test_a_lost_datagram_is_sent_again_and_carried_out_once(
    rig: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("osc_bridge.caller.RESEND_S", 0.01)
    with Client(ForgetfulLink(rig.link()), timeout_s=WAIT_S) as client:
        assert client.new_scene("Alley") == "scene2"
    assert [type(request) for request in rig.engine.seen] == [Hello, NewScene]
