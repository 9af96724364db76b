"""Renders on disk: what a crash leaves, what a hostile session holds, who comes back."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine.jobs.record_file import JobRecord, record_from_json, record_to_json
from engine.jobs.records import ATTEMPTS_MAX, RECORD_BYTES_MAX, RECORDS_MAX, JobRecords, Outcome
from engine.scene.model import Scene, Source
from engine.settings import RenderSettings
from osc_bridge.errors import BadSession, DiskFull

SCENE = Scene(
    "scene1",
    "Alley",
    7,
    96_000,
    sources=(Source("s1", "text", "rain", 3, text="rain on a tin roof – später"),),
    next_source=2,
    revision=2,
)
RECORD = JobRecord(
    2**62 + 1,
    "/render",
    "demo",
    ("scene1", "final", 3, 0.5, True),
    RenderSettings(),
    SCENE,
    token="0123456789abcdef" * 2,
)


@pytest.fixture
def session(tmp_path: Path) -> Path:
    (tmp_path / "jobs").mkdir()
    return tmp_path


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def records(session: Path, said: list[str]) -> JobRecords:
    return JobRecords(session, said.append)


def files(session: Path) -> list[str]:
    return sorted(path.name for path in (session / "jobs").iterdir())


def after_crash(session: Path) -> JobRecords:
    """The next engine of the session."""
    return JobRecords(session, pytest.fail)


def test_a_record_returns_as_it_was() -> None:
    assert record_from_json(record_to_json(RECORD), "j000001") == replace(RECORD, id="j000001")


def test_what_was_cut_off_is_pending_in_the_order_of_asking(
    records: JobRecords, session: Path
) -> None:
    added = [records.add(replace(RECORD, request_id=number)) for number in (9, 5, 7)]
    records.done(added[1].id)
    assert after_crash(session).pending() == [added[0], added[2]]


def test_a_render_that_ended_leaves_nothing(records: JobRecords, session: Path) -> None:
    record = records.started(records.add(RECORD))
    records.done(record.id)
    records.done(record.id)
    assert files(session) == []
    assert after_crash(session).pending() == []


def test_a_render_whose_take_is_there_does_not_run_again(
    records: JobRecords, session: Path
) -> None:
    cut_off, made = records.add(replace(RECORD, request_id=1)), records.add(RECORD)
    records.started(records.started(made))
    assert cut_off.token != made.token
    resumed = after_crash(session)
    assert resumed.pending(lambda token: {made.token: "t0007"}.get(token, "")) == [cut_off]
    assert files(session) == [f"{cut_off.id}.json"]
    claimed = resumed.claim(*RECORD.asked)
    assert claimed is not None
    assert resumed.outcome(claimed.id) == Outcome("t0007")


def test_numbers_go_on_after_those_that_are_pending(records: JobRecords, session: Path) -> None:
    old = records.add(RECORD)
    new = after_crash(session).add(RECORD)
    assert old.id != new.id
    assert files(session) == [f"{old.id}.json", f"{new.id}.json"]


def test_a_render_that_kills_the_engine_is_dropped_after_two_attempts(
    records: JobRecords, session: Path, said: list[str]
) -> None:
    record = records.add(RECORD)
    for attempt in range(1, ATTEMPTS_MAX + 1):
        record = records.started(record)
        assert record.attempts == attempt
        (waiting,) = after_crash(session).pending() if attempt < ATTEMPTS_MAX else (record,)
        assert waiting == record
    assert JobRecords(session, said.append).pending() == []
    assert files(session) == []
    assert "died 2 times" in said[0]


def changed(**fields: Any) -> str:
    return json.dumps({**json.loads(record_to_json(RECORD)), **fields})


DAMAGED: dict[str, str | bytes] = {
    "empty": "",
    "torn": record_to_json(RECORD)[:-40],
    "no JSON": "render",
    "list": "[]",
    "deep": "[" * 100_000,
    "bytes": b"\xff\xfe",
    "key too many": changed(more=1),
    "key too few": "{}",
    "request id as text": changed(request_id="1"),
    "request id of 65 bits": changed(request_id=2**64),
    "negative request id": changed(request_id=-1),
    "flag for a number": changed(attempts=True),
    "many digits": record_to_json(RECORD).replace('"attempts": 0', f'"attempts": {"9" * 5000}'),
    "token": changed(token="../../x"),
    "address": changed(address="/render/../quit"),
    "client": changed(client="x" * 5000),
    "surrogate": changed(client="\ud800"),
    "arguments": changed(arguments=[[]]),
    "many arguments": changed(arguments=[1] * 65),
    "infinite": record_to_json(RECORD).replace("0.5", "Infinity"),
    "settings": changed(settings={"stems_mode": "independent", "quality": "best"}),
    "settings of lists": changed(settings={"stems_mode": [], "quality": {}}),
    "other settings": changed(settings={"quality": "final"}),
    "scene": changed(scene={}),
    "scene elsewhere": changed(
        scene={**json.loads(record_to_json(RECORD))["scene"], "frame": "../../etc/passwd"}
    ),
    "long": changed(client="x" * RECORD_BYTES_MAX),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_record_is_dropped_alone(
    records: JobRecords, session: Path, said: list[str], name: str
) -> None:
    good = records.add(RECORD)
    data = DAMAGED[name]
    (session / "jobs/j000002.json").write_bytes(data if isinstance(data, bytes) else data.encode())
    assert records.pending() == [good]
    assert files(session) == ["j000001.json"]
    assert "j000002" in said[0]
    assert len(said) == 1
    assert len(said[0]) <= 200


def a_link(path: Path) -> None:
    path.with_name("elsewhere").write_text(record_to_json(RECORD))
    path.symlink_to("elsewhere")


def a_folder(path: Path) -> None:
    path.mkdir()


@pytest.mark.parametrize("place", [a_link, a_folder])
def test_links_and_folders_are_no_records(
    records: JobRecords, session: Path, said: list[str], place: Callable[[Path], None]
) -> None:
    place(session / "jobs/j000001.json")
    assert records.pending() == []
    assert "j000001" in said[0]


def test_other_files_are_left_alone(records: JobRecords, session: Path) -> None:
    names = ["j1.json", "j0000001.json", "j000001.json.bak", "notes.txt", "j١٢٣٤٥٦.json"]
    for name in names:
        (session / "jobs" / name).write_text("mine")
    assert records.pending() == []
    assert files(session) == sorted(names)
    assert records.add(RECORD).id == "j000001"


def test_more_than_an_engine_can_have_left_are_dropped(
    records: JobRecords, session: Path, said: list[str]
) -> None:
    for number in range(1, RECORDS_MAX + 3):
        (session / f"jobs/j{number:06d}.json").write_text(record_to_json(RECORD))
    assert len(records.pending()) == RECORDS_MAX
    assert len(said) == 2
    assert len(files(session)) == RECORDS_MAX


def test_numbers_never_run_out(records: JobRecords, session: Path) -> None:
    (session / "jobs/j999999999.json").write_text(record_to_json(RECORD))
    assert records.add(RECORD).id == "j000001"


def test_who_comes_back_is_led_to_the_render_that_goes_on(
    records: JobRecords, session: Path
) -> None:
    record = records.add(RECORD)
    assert records.claim(*RECORD.asked) is None, "nobody has lost it"
    resumed = after_crash(session)
    assert resumed.pending() == [record]
    assert resumed.claim(*RECORD.asked) == record
    assert resumed.claim(RECORD.request_id, RECORD.address, list(RECORD.arguments)) == record
    assert resumed.claim(RECORD.request_id + 1, RECORD.address, RECORD.arguments) is None
    assert resumed.claim(RECORD.request_id, "/render/source", RECORD.arguments) is None
    assert resumed.claim(RECORD.request_id, RECORD.address, RECORD.arguments[:-1]) is None
    assert resumed.outcome(record.id) is None


@pytest.mark.parametrize("outcome", [Outcome("t0003"), Outcome(error=DiskFull("full")), None])
def test_who_comes_back_late_is_told_how_it_ended(
    records: JobRecords, session: Path, outcome: Outcome | None
) -> None:
    record = records.add(RECORD)
    resumed = after_crash(session)
    resumed.pending()
    resumed.done(resumed.started(record).id, outcome)
    assert resumed.claim(*RECORD.asked) == record
    assert resumed.outcome(record.id) == (outcome or Outcome())
    assert files(session) == []
    assert resumed.claim(*RECORD.asked) is None, "said once: it may be another that counts from 1"


def test_only_what_was_resumed_is_remembered(records: JobRecords) -> None:
    record = records.add(RECORD)
    records.done(record.id, Outcome("t0001"))
    assert records.claim(*RECORD.asked) is None
    assert records.outcome(record.id) is None


def test_a_record_that_cannot_be_written_never_was(
    records: JobRecords, session: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_file: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("presets.files.os.fsync", full)
        with pytest.raises(OSError, match="No space"):
            records.add(RECORD)
    assert files(session) == []


def test_a_record_that_cannot_be_removed_does_not_fail_a_render_that_ended(
    records: JobRecords, session: Path, caplog: pytest.LogCaptureFixture
) -> None:
    gone, kept = records.add(RECORD), records.add(RECORD)
    for record in (gone, kept):
        (session / f"jobs/{record.id}.json").unlink()
    (session / f"jobs/{kept.id}.json").mkdir()
    for record in (gone, kept):
        records.done(record.id)
    assert kept.id in caplog.text
    assert gone.id not in caplog.text


def test_a_record_is_refused_by_its_own_error() -> None:
    with pytest.raises(BadSession, match="j000001"):
        record_from_json("{}", "j000001")
