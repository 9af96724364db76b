"""Every request of the contract, asked over OSC and seen in the session."""

from __future__ import annotations

import queue
import socket
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from engine.perception.base import Region
from osc_bridge import schema
from osc_bridge.client import Client
from osc_bridge.errors import (
    BadSession,
    Cancelled,
    FileMissing,
    NothingToUndo,
    OutOfMemory,
    OutOfRange,
    PackInUse,
    PackMissing,
    UnknownJob,
    UnknownScene,
    UnknownSource,
    UnknownTake,
    WildtrackError,
    WrongKind,
)
from osc_bridge.messages.notices import JobNotice, ModelNotice, SceneNotice, TakeNotice
from osc_bridge.wire import encode

WAIT_S = 20


def test_hello_says_what_the_engine_can_do(engine: Any) -> None:
    welcome = engine.client.welcome
    assert (welcome.api_major, welcome.api_minor) == (schema.API_MAJOR, schema.API_MINOR)
    assert welcome.session == str(engine.session)
    assert {"undo", "control", "events", "udp", "tcp", "trash", "cpu"} <= set(welcome.capabilities)
    assert (welcome.sources_max, welcome.jobs_max) == (64, 64)


def test_status_counts_what_there_is(tcp_engine: Any) -> None:
    scene = tcp_engine.scene("rain")
    tcp_engine.client.subscribe(lambda _notice: None)
    before = tcp_engine.client.status()
    tcp_engine.client.render(scene)
    status = tcp_engine.client.status()
    assert (status.pack, status.device, status.packs_loaded) == ("toy", "cpu", 1)
    assert (status.scenes, status.subscribers, status.clients) == (1, 1, 1)
    assert before.stems_bytes == 0 < status.stems_bytes
    assert status.memory_bytes > 10_000_000


# scene


def test_scenes_are_listed_opened_saved_and_set(tcp_engine: Any) -> None:
    client = tcp_engine.client
    first, second = tcp_engine.scene("rain"), tcp_engine.scene()
    client.set_scene(second, name="Hof", start_sample=48_000, seed=9, duration_samples=96_000)
    rows = {row.scene: row for row in client.scenes()}
    assert [(r.sources, r.revision) for r in rows.values()] == [(1, 2), (0, 5)]
    row = rows[second]
    assert (row.name, row.start_sample, row.seed, row.duration_samples) == (
        "Hof",
        48_000,
        9,
        96_000,
    )
    state = client.open_scene(first)
    assert (state.revision, state.undo_steps, state.redo_steps) == (2, 1, 0)
    assert client.save_scene(first) == state
    assert (tcp_engine.session / "scenes" / f"{first}.json").is_file()
    with pytest.raises(UnknownScene):
        client.open_scene("scene9")


def test_a_damaged_scene_hides_no_other(run_again: Any, pack: Any, tmp_path: Path) -> None:
    with run_again(pack) as (_, ports, _), Client.connect(ports.tcp) as client:
        damaged, whole = client.new_scene("Alley"), client.new_scene("Yard")
    for file in (tmp_path / "session" / "scenes").glob(f"{damaged}.*"):
        file.write_bytes(b"{}\n")
    with run_again(pack) as (_, ports, _), Client.connect(ports.tcp) as client:
        assert [row.scene for row in client.scenes()] == [whole]
        with pytest.raises(BadSession):
            client.call(schema.OpenScene(damaged))


def test_a_session_that_was_moved_opens_with_all_it_holds(
    run_again: Any, pack: Any, tmp_path: Path, picture: Path, clip: Path
) -> None:
    with run_again(pack) as (_, ports, _), Client.connect(ports.tcp) as client:
        scene = client.new_scene("Alley", duration_s=0.5, seed=1)
        client.add_image(scene, picture)
        client.add_audio(scene, clip)
        before, take = client.sources(scene), client.render(scene)
    (tmp_path / "session").rename(tmp_path / "moved")
    picture.unlink()
    clip.unlink()
    pack.decoder.decoded.clear()
    with run_again(pack, "moved") as (_, ports, _), Client.connect(ports.tcp) as client:
        assert client.sources(scene) == before
        (row,) = client.takes()
        assert Path(row.path) == tmp_path / "moved" / "takes" / take.take / "take.json"
        assert Path(row.path).is_file()
        client.render(scene)
        assert pack.decoder.decoded == [], "every stem is there already"
        client.set(scene, before[-1].source, seed=99)
        client.render(scene)
        assert 99 in pack.decoder.decoded, "from the session's own copies"
    assert not (tmp_path / "session").exists()


def test_a_snapshot_is_the_whole_scene(engine: Any, picture: Path) -> None:
    scene = engine.scene(*(f"sound number {number}" for number in range(30)))
    engine.client.add_image(scene, picture)
    snapshot = engine.client.snapshot(scene)
    assert [row.source for row in snapshot.sources] == [f"s{n}" for n in range(1, 33)]
    assert snapshot.sources[0].text == "sound number 0"
    assert (engine.session / snapshot.frame).is_file()
    assert snapshot.sources[-1].media == snapshot.frame
    assert snapshot.revision == 32


def test_undo_and_redo_go_back_and_forth(engine: Any) -> None:
    client = engine.client
    scene = engine.scene("rain", "dog")
    client.set(scene, "s1", gain_db=-6.0)
    client.remove(scene, "s1")
    undone = client.undo(scene)
    assert [row.source for row in client.sources(scene)] == ["s1", "s2"]
    assert (undone.undo_steps, undone.redo_steps) == (3, 1)
    client.undo(scene)
    assert client.sources(scene)[0].gain_db == 0.0
    redone = client.redo(scene)
    assert client.sources(scene)[0].gain_db == -6.0
    assert redone.revision == undone.revision + 2
    client.redo(scene)
    with pytest.raises(NothingToUndo):
        client.redo(scene)


# source


def test_sources_are_shaped(tcp_engine: Any, picture: Path, clip: Path) -> None:
    client = tcp_engine.client
    scene = tcp_engine.scene("rain, and wind")
    image = client.add_image(scene, picture, "whole")[0]
    sound = client.add_audio(scene, clip)

    assert client.split(scene, "s1") == ("s1", "s4")
    assert [row.text for row in client.sources(scene)][:2] == ["rain", "wind"]
    assert client.split(scene, image, 10) == (image, "s5")
    boxes = [(r.x0, r.y0, r.x1, r.y1) for r in client.sources(scene) if r.kind == "region"]
    assert boxes == [(0, 0, 10, 32), (10, 0, 48, 32)]
    parts = client.split(scene, sound, 12_000)
    lengths = [
        soundfile.info(tcp_engine.session / row.media).frames
        for row in client.sources(scene)
        if row.source in parts
    ]
    assert lengths == [12_000, 12_000]

    assert client.merge(scene, parts) == (sound,)
    assert client.merge(scene, ("s1", "s4")) == ("s1",)
    assert client.merge(scene, (image, "s5")) == (image,)
    rows = {row.source: row for row in client.sources(scene)}
    assert set(rows) == {"s1", image, sound}
    assert rows["s1"].text == "rain and wind"
    assert (rows[image].x0, rows[image].x1) == (0, 48)

    client.box(scene, image, (1, 2, 3, 4))
    client.reorder(scene, sound, 0)
    client.set(scene, "s1", text="hail", duration_samples=20_000)
    assert [row.source for row in client.sources(scene)] == [sound, "s1", image]
    client.remove(scene, "s1")
    with pytest.raises(WrongKind):
        client.merge(scene, (sound, image))
    with pytest.raises(UnknownSource):
        client.split(scene, "s1")
    assert client.render(scene).take


def test_detecting_again_adds_what_is_not_covered(tcp_engine: Any, picture: Path) -> None:
    client, detector = tcp_engine.client, tcp_engine.pack.detector
    scene = tcp_engine.scene()
    with pytest.raises(WrongKind, match="no frame"):
        client.detect_again(scene)
    client.add_image(scene, picture)
    client.remove(scene, "s2")
    detector.regions = [*detector.regions, Region((0, 0, 9, 8), "dog", 0.4)]
    assert client.detect_again(scene) == ("s3",), "the first dog is covered, the car was removed"
    assert client.detect_again(scene) == ()
    labels = [(row.source, row.label) for row in client.sources(scene)]
    assert labels == [("s1", "dog"), ("s3", "car")]


def test_memory_that_ends_while_looking_is_said(
    tcp_engine: Any, picture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def too_much(*_args: Any) -> Any:
        raise MemoryError

    scene = tcp_engine.scene("rain")
    with monkeypatch.context() as patch:
        patch.setattr(tcp_engine.pack.detector, "detect", too_much)
        with pytest.raises(OutOfMemory, match="close other programs"):
            tcp_engine.client.add_image(scene, picture)
    assert tcp_engine.files("media") == {}
    assert tcp_engine.client.add_image(scene, picture) == ("s2", "s3")


def test_additions_keep_the_order_in_which_they_were_sent(
    tcp_engine: Any, picture: Path, clip: Path
) -> None:
    """The detector is held while words, a sound and a picture follow: ids do not depend on time."""
    client, detector = tcp_engine.client, tcp_engine.pack.detector
    entered, go_on = threading.Event(), threading.Event()
    detect = detector.detect

    def held(*args: Any) -> Any:
        entered.set()
        assert go_on.wait(WAIT_S)
        return detect(*args)

    detector.detect = held
    scene = tcp_engine.scene()
    requests = [
        schema.AddImage(scene, str(picture)),
        schema.AddText(scene, "rain"),
        schema.AddAudio(scene, str(clip)),
        schema.AddAudio(scene, str(clip.with_name("missing.wav"))),
        schema.AddText(scene, "wind"),
        schema.AddText(scene, "never"),
        schema.AddRegion(scene, str(picture), 0, 0, 8, 8, "box"),
    ]
    calls = [client.start(request) for request in requests]
    assert entered.wait(WAIT_S)
    client.cancel(calls[5].request_id)
    with pytest.raises(Cancelled):
        calls[5].result()
    assert client.sources(scene) == []
    client.set_scene(scene, name="Nothing else waits")
    go_on.set()
    for call in (*calls[:3], calls[4], calls[6]):
        call.result(WAIT_S)
    with pytest.raises(FileMissing):
        calls[3].result()
    found = [(row.source, row.label) for row in client.sources(scene)]
    assert found == [
        ("s1", "dog"), ("s2", "car"), ("s3", "rain"), ("s4", "wind"), ("s5", "wind"), ("s6", "box"),
    ]  # fmt: skip


# render and job


def test_one_source_is_rendered_as_in_a_take(tcp_engine: Any) -> None:
    client = tcp_engine.client
    scene = tcp_engine.scene("rain", "dog")
    made = client.render_source(scene, "s2", "final")
    assert (made.scene, made.source, made.revision) == (scene, "s2", 3)
    alone = Path(made.path).read_bytes()
    client.render(scene)
    assert made.path in tcp_engine.files()
    assert Path(made.path).read_bytes() == alone
    with pytest.raises(UnknownSource):
        client.render_source(scene, "s9")


def test_a_newer_render_of_a_source_replaces_one_that_waits(tcp_engine: Any) -> None:
    client, decoder = tcp_engine.client, tcp_engine.pack.decoder
    scene = tcp_engine.scene("rain", "dog")
    decoder.go_on.clear()
    running = client.start(schema.RenderSource(scene, "s1"))
    assert decoder.entered.wait(WAIT_S)
    old = client.start(schema.RenderSource(scene, "s1"))
    other = client.start(schema.RenderSource(scene, "s2"))
    new = client.start(schema.RenderSource(scene, "s1"))
    with pytest.raises(Cancelled):
        old.result()
    decoder.go_on.set()
    for call in (running, other, new):
        assert Path(call.result().path).is_file()


def test_jobs_are_listed_and_prioritised(tcp_engine: Any) -> None:
    client, decoder = tcp_engine.client, tcp_engine.pack.decoder
    scene = tcp_engine.scene("rain")
    decoder.go_on.clear()
    running = client.start(schema.Render(scene))
    assert decoder.entered.wait(WAIT_S)
    first = client.start(schema.Render(scene, "independent", "final"))
    second = client.start(schema.Render(scene, "consistent", "final"))
    client.prioritise(second.request_id, "now")
    rows = client.jobs()
    assert [row.job for row in rows] == [c.request_id for c in (running, second, first)]
    assert [row.state for row in rows] == ["running", "waiting", "waiting"]
    assert [row.priority for row in rows] == ["final", "now", "final"]
    assert {(row.address, row.scene, row.client) for row in rows} == {
        ("/wildtrack/render", scene, "python")
    }
    decoder.go_on.set()
    assert [c.result().take for c in (running, second, first)] == ["t0001", "t0002", "t0003"]
    with pytest.raises(UnknownJob):
        client.prioritise(first.request_id, "later")


# take


def test_takes_are_named_starred_trashed_and_compared(engine: Any) -> None:
    client = engine.client
    scene, other = engine.scene("rain"), engine.scene("dog")
    client.render(scene)
    client.set(scene, "s1", gain_db=-3.0)
    client.render(scene, "independent", "preview")
    client.render(other)
    bytes_before = engine.files("takes")

    client.rename_take("t0001", "Wetter")
    client.star_take("t0001")
    rows = client.takes(scene)
    assert [(r.take, r.name, r.starred) for r in rows] == [
        ("t0001", "Wetter", True), ("t0002", "", False),
    ]  # fmt: skip
    assert client.delete_take("t0002").in_trash
    assert [row.take for row in client.takes()] == ["t0001", "t0003"]
    assert [row.take for row in client.takes(trash=True)] == ["t0002"]
    found = {row.what: (row.in_a, row.in_b) for row in client.compare_takes("t0001", "t0002")}
    assert found["quality"] == ("final", "preview")
    assert "s1.gain_db" in found
    assert not client.restore_take("t0002").in_trash
    assert bytes_before.items() <= engine.files("takes").items(), "take.json never changes"
    assert client.render(scene).take == "t0004"
    with pytest.raises(UnknownTake):
        client.star_take("t0099")


# model


def test_packs_are_listed_loaded_and_unloaded(tcp_engine: Any) -> None:
    client, heard = tcp_engine.client, Heard()
    client.subscribe(heard.notices.put)
    states = {row.pack: row.state for row in client.models()}
    assert (states["toy"], states["starter"]) == ("in_use", "available")
    assert client.load_model("starter").memory_bytes > 0
    told = [heard.next(ModelNotice) for _ in range(3)]
    assert [(n.pack, n.state) for n in told] == [
        ("starter", "loading"), ("starter", "loaded"), ("starter", "in_use"),
    ]  # fmt: skip
    states = {row.pack: row.state for row in client.models()}
    assert (states["toy"], states["starter"]) == ("loaded", "in_use")
    assert client.status().packs_loaded == 2
    with pytest.raises(PackInUse):
        client.unload_model("starter")
    client.unload_model("toy")
    with pytest.raises(PackMissing):
        client.load_model("nothing")
    assert (client.status().pack, client.status().packs_loaded) == ("starter", 1)


# notices


class Heard:
    """What a subscriber was told, one kind after the other."""

    def __init__(self) -> None:
        self.notices: queue.Queue[Any] = queue.Queue()
        self.values: queue.Queue[Any] = queue.Queue()

    def next(self, kind: type[Any]) -> Any:
        while not isinstance(notice := self.notices.get(timeout=WAIT_S), kind):
            pass
        return notice


def test_everybody_hears_what_happens(engine: Any) -> None:
    heard = Heard()
    with engine.connect("tcp") as panel:
        panel.subscribe(heard.notices.put, heard.values.put)
        scene = engine.scene("rain")
        made = heard.next(SceneNotice)
        added = heard.next(SceneNotice)
        assert (made.scene, made.revision, added.revision) == (scene, 1, 2)
        assert added.client == "python"
        engine.client.set(scene, "s1", gain_db=-6.0)
        assert heard.next(SceneNotice).what == "Set gain_db of s1."
        value = heard.values.get(timeout=WAIT_S)
        assert (value.source, value.field, value.value) == ("s1", "gain_db", -6.0)
        engine.client.undo(scene)
        assert heard.next(SceneNotice).what == "Undone: Set gain_db of s1."
        while (value := heard.values.get(timeout=WAIT_S)).field != "gain_db":
            pass
        assert value.value == 0.0

        engine.client.render(scene)
        states = []
        while (job := heard.next(JobNotice)).state != "done":
            states.append(job.state)
        assert {"waiting", "running"} >= set(states)
        assert (job.request_address, job.scene, job.fraction) == ("/wildtrack/render", scene, 1.0)


def test_what_happens_to_takes_is_told(tcp_engine: Any) -> None:
    heard = Heard()
    client = tcp_engine.client
    client.subscribe(heard.notices.put)
    scene = tcp_engine.scene("rain")
    client.render(scene)
    client.star_take("t0001")
    client.delete_take("t0001")
    changes = [heard.next(TakeNotice) for _ in range(3)]
    assert [(c.take, c.scene, c.change) for c in changes] == [
        ("t0001", scene, "made"), ("t0001", scene, "starred"), ("t0001", scene, "deleted"),
    ]  # fmt: skip


def test_a_fader_sets_a_source(tcp_engine: Any) -> None:
    scene = tcp_engine.scene("rain")
    heard = Heard()
    tcp_engine.client.subscribe(heard.notices.put, heard.values.put)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as fader:
        packet = encode(f"/wildtrack/control/{scene}/s1/pan", [("f", 0.5)])
        fader.sendto(packet, ("127.0.0.1", tcp_engine.ports.udp))
        value = heard.values.get(timeout=WAIT_S)
    assert (value.field, value.value) == ("pan", 0.5)
    assert tcp_engine.client.sources(scene)[0].pan == 0.5


def test_a_sync_waits_for_the_render(tcp_engine: Any) -> None:
    scene = tcp_engine.scene("rain")
    call = tcp_engine.client.start(schema.Render(scene))
    tcp_engine.client.sync()
    assert call.result(0.5).take == "t0001"


def test_a_result_that_cannot_be_said_is_an_end_too(
    tcp_engine: Any, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The line of additions goes on after it."""
    scene = tcp_engine.scene("rain")
    with monkeypatch.context() as broken:
        broken.setattr("engine.server.sources.added", lambda _what: schema.SourcesAdded("", ()))
        with pytest.raises(WildtrackError):
            tcp_engine.client.call(schema.AddAudio(scene, str(clip)), WAIT_S)
    assert tcp_engine.client.add_audio(scene, str(clip)) == "s3"


def test_many_edits_at_once_are_all_made_or_refused_alone(tcp_engine: Any) -> None:
    client = tcp_engine.client
    scene = tcp_engine.scene("rain")
    requests = [schema.SetSource(scene, "s1", "start_sample", n * 1000) for n in range(40)]
    calls = [client.start(request) for request in requests]
    outcomes = []
    for call in calls:
        try:
            outcomes.append(call.result().value)
        except OutOfRange:
            outcomes.append(None)
    assert outcomes == [n * 1000 if n < 24 else None for n in range(40)]
    assert client.sources(scene)[0].start_sample == 23_000
    assert client.snapshot(scene).revision == 2 + 23


def test_merged_sounds_add_up(tcp_engine: Any) -> None:
    """A merged sound is the sum of its parts."""
    client = tcp_engine.client
    wave = np.linspace(-0.25, 0.25, 24_000)
    for name in ("a", "b"):
        soundfile.write(tcp_engine.inputs / f"{name}.wav", wave, 48_000, subtype="FLOAT")
    scene = tcp_engine.scene()
    ids = [client.add_audio(scene, tcp_engine.inputs / f"{name}.wav") for name in ("a", "b")]
    client.merge(scene, ids)
    (row,) = client.sources(scene)
    merged, _ = soundfile.read(tcp_engine.session / row.media)
    assert np.abs(merged - 2 * wave).max() < 1e-6
