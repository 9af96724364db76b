"""The takes of a session, some of which may be somebody else's."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from engine.takes import MAX_TAKE_BYTES, TakeStore
from osc_bridge import paging, schema

DOCUMENT: dict[str, Any] = {
    "scene": {"id": "scene1"},
    "created": "2026-01-02T03:04:05Z",
    "duration_samples": 96_000,
}


@pytest.fixture
def takes(tmp_path: Path) -> TakeStore:
    (tmp_path / "takes").mkdir()
    return TakeStore(tmp_path)


def ids(takes: TakeStore) -> list[str]:
    return [row.take for row in takes.rows()]


def with_fields(**fields: Any) -> str:
    return json.dumps({**DOCUMENT, **fields})


FOREIGN = {
    "huge number": with_fields().replace("96000", "1e999"),
    "many digits": with_fields().replace("96000", "9" * 5000),
    "beyond 64 bits": with_fields(duration_samples=2**70),
    "negative": with_fields(duration_samples=-1),
    "flag": with_fields(duration_samples=True),
    "deep": "[" * 100_000,
    "list": "[]",
    "scene is a list": with_fields(scene=[]),
    "scene is a path": with_fields(scene={"id": "../scene1"}),
    "scene is a number": with_fields(scene={"id": 1}),
    "no time": with_fields(created=""),
    "long time": with_fields(created="2" * 1000),
    "time is a number": with_fields(created=3),
    "long": with_fields(text="x" * MAX_TAKE_BYTES),
    "no JSON": "take",
    "empty": "",
}


@pytest.mark.parametrize("name", FOREIGN)
def test_a_foreign_take_is_left_out_alone(
    takes: TakeStore, tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    takes.add(DOCUMENT)
    folder = tmp_path / "takes/t0002"
    folder.mkdir()
    (folder / "take.json").write_text(FOREIGN[name])
    assert takes.add(DOCUMENT)[0] == "t0003"
    with caplog.at_level(logging.WARNING):
        assert ids(takes) == ["t0001", "t0003"]
    assert "t0002" in caplog.text
    rows = [
        schema.TakeRow(r.take, r.scene, r.created, r.duration_samples, str(r.path))
        for r in takes.rows()
    ]
    assert paging.take_page(0, rows).total == 2


def test_links_and_other_names_are_left_out(takes: TakeStore, tmp_path: Path) -> None:
    _, path = takes.add(DOCUMENT)
    folder = tmp_path / "takes"
    (folder / "t0002").symlink_to(path.parent)
    (folder / "t0003").mkdir()
    (folder / "t0003/take.json").symlink_to(path)
    for name in ("t00004", "t4", "x0004", "t0004.bak"):
        (folder / name).mkdir()
    (folder / "t0005").write_text("not a folder")
    assert ids(takes) == ["t0001"]


def test_the_oldest_comes_first_whatever_the_digits(takes: TakeStore, tmp_path: Path) -> None:
    (tmp_path / "takes/t9999").mkdir()
    for _ in range(2):
        takes.add(DOCUMENT)
    (tmp_path / "takes/t9999/take.json").write_text(json.dumps(DOCUMENT))
    assert ids(takes) == ["t9999", "t10000", "t10001"]


def test_numbers_never_run_out(takes: TakeStore, tmp_path: Path) -> None:
    (tmp_path / "takes/t999999999").mkdir()
    assert takes.add(DOCUMENT)[0] == "t0001"
    assert ids(takes) == ["t0001"]


@pytest.mark.parametrize("where", ["presets.files.sync_folder", "engine.takes.sync_folder"])
def test_a_take_that_cannot_be_made_durable_never_was(
    takes: TakeStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    def failing(_folder: Path) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(where, failing)
        with pytest.raises(OSError, match="Input/output"):
            takes.add(DOCUMENT)
    assert list((tmp_path / "takes").iterdir()) == []
    assert takes.add(DOCUMENT)[0] == "t0001"
