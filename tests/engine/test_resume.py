"""Renders that a crash cut off run again, and who asked for them is told."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.jobs.record_file import JobRecord, record_to_json
from engine.jobs.records import ATTEMPTS_MAX, JobRecords
from engine.scene.book import SceneBook
from engine.scene.edits import AddSources, NewSource
from engine.settings import RenderSettings
from osc_bridge.client import Client
from osc_bridge.errors import Cancelled, UnknownJob
from osc_bridge.schema import CancelJob, Render

WAIT_S = 20


@pytest.fixture
def crashed(run_again: Callable[..., Any], pack: Any, tmp_path: Path) -> JobRecord:
    """A session with one scene, and the record of its render that an engine left behind."""
    with run_again(pack) as (service, _, _):
        session = service.config.session
    book = SceneBook(session / "scenes")
    scene = book.new("Alley", 0, 24_000, 1)
    scene = book.change(scene.id, AddSources((NewSource("text", "rain", text="rain"),)))
    book.close()
    arguments = (scene.id, "independent", "final")
    settings = RenderSettings("independent", "final")
    records = JobRecords(session)
    return records.add(JobRecord(77, "/wildtrack/render", "daw", arguments, settings, scene))


def again(client: Client, record: JobRecord) -> Any:
    """Send the request of the record again, under its own id."""
    client._conversation._next_id = record.request_id
    return client.start(Render(*record.arguments))  # type: ignore[arg-type]


def test_a_render_goes_on_and_is_told_to_who_asks_again(
    run_again: Callable[..., Any], pack: Any, crashed: JobRecord, caplog: pytest.LogCaptureFixture
) -> None:
    pack.decoder.go_on.clear()
    caplog.set_level(logging.WARNING)
    with run_again(pack) as (service, ports, _), Client.connect(ports.tcp) as client:
        assert "Goes on: the render of scene1" in caplog.text
        assert pack.decoder.entered.wait(WAIT_S)
        (row,) = client.jobs()
        assert (row.job, row.state, row.client, row.scene) == (77, "running", "daw", "scene1")
        call = again(client, crashed)
        with Client.connect(ports.tcp) as other:
            same = again(other, crashed)
            pack.decoder.go_on.set()
            assert call.result().take == same.result().take == "t0001"
        assert again(client, crashed).result().take == "t0001", "the first answer"
        with Client.connect(ports.tcp) as late:
            assert again(late, crashed).result().take == "t0001", "told after the end"
        assert [row.take for row in client.takes()] == ["t0001"]
        assert not list((service.config.session / "jobs").iterdir())
        assert client.render("scene1").take == "t0002", "another request is another render"


def test_a_kill_between_a_take_and_the_end_of_its_record_leaves_one_take(
    run_again: Callable[..., Any], pack: Any, crashed: JobRecord
) -> None:
    with run_again(pack) as (service, ports, _), Client.connect(ports.tcp) as client:
        assert again(client, crashed).result().take == "t0001"
        session = service.config.session
    (session / "jobs" / f"{crashed.id}.json").write_text(record_to_json(crashed))
    with run_again(pack) as (_, ports, _), Client.connect(ports.tcp) as client:
        assert client.jobs() == []
        assert again(client, crashed).result().take == "t0001"
        assert [row.take for row in client.takes()] == ["t0001"]
        assert not list((session / "jobs").iterdir())


def test_a_resumed_render_can_be_cancelled_by_who_follows_it(
    run_again: Callable[..., Any], pack: Any, crashed: JobRecord
) -> None:
    pack.decoder.go_on.clear()
    with run_again(pack) as (_, ports, _), Client.connect(ports.tcp) as client:
        assert pack.decoder.entered.wait(WAIT_S)
        call = again(client, crashed)
        client.status()
        client.cancel(crashed.request_id)
        pack.decoder.go_on.set()
        with pytest.raises(Cancelled):
            call.result()
        assert client.takes() == []


def test_a_resumed_render_that_nobody_follows_can_be_cancelled(
    run_again: Callable[..., Any], pack: Any, crashed: JobRecord
) -> None:
    pack.decoder.go_on.clear()
    with run_again(pack) as (_, ports, _), Client.connect(ports.tcp) as client:
        assert pack.decoder.entered.wait(WAIT_S)
        assert client.call(CancelJob(77)).job == 77
        with pytest.raises(UnknownJob):
            client.call(CancelJob(78))
        pack.decoder.go_on.set()
        client.render("scene1")
        assert [row.take for row in client.takes()] == ["t0001"]


def test_a_render_that_keeps_crashing_is_given_up(
    run_again: Callable[..., Any], pack: Any, crashed: JobRecord, caplog: pytest.LogCaptureFixture
) -> None:
    with run_again(pack) as (service, _, _):
        folder = service.config.session
    records = JobRecords(folder)
    record = records.add(crashed)
    for _ in range(ATTEMPTS_MAX):
        record = records.started(record)
    with run_again(pack) as (_, ports, _), Client.connect(ports.tcp) as client:
        assert client.jobs() == []
    assert f"died {ATTEMPTS_MAX} times" in caplog.text
    assert not list((folder / "jobs").iterdir())


def test_a_scene_whose_journal_was_cut_is_told(
    run_again: Callable[..., Any], pack: Any, crashed: JobRecord, caplog: pytest.LogCaptureFixture
) -> None:
    with run_again(pack) as (service, ports, _), Client.connect(ports.tcp) as client:
        client.add_text("scene1", "wind")
        journal = service.config.session / "scenes" / "scene1.journal"
        cut = journal.read_bytes()[:-7]
    journal.with_name("scene1.journal").write_bytes(cut)
    with run_again(pack) as (_, ports, _), Client.connect(ports.tcp) as client:
        assert client.open_scene("scene1")
    assert "scene1" in caplog.text
