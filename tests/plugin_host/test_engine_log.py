"""What is kept of a supervised engine: its words and its restarts, within bounds."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from osc_bridge.errors import SessionNotWritable
from plugin_host import engine_log
from plugin_host.engine_log import EngineLog
from plugin_host.restarts import KEPT, Restart, note_restart, read_restarts


def restart(number: int, *lines: str) -> Restart:
    return Restart("2026-01-01T00:00:00+00:00", f"reason {number}", 1, 0.5, lines)


def test_lines_have_a_time_and_old_files_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_log, "_SIZE_MAX_BYTES", 200)
    with EngineLog(tmp_path) as log:
        for number in range(100):
            log.line(f"line {number} ö")
    files = sorted(path.name for path in (tmp_path / "logs").iterdir())
    assert files == ["engine.log", *(f"engine.log.{number}" for number in range(1, 5))]
    assert all(path.stat().st_size <= 200 for path in (tmp_path / "logs").iterdir())
    last = (tmp_path / "logs" / "engine.log").read_text(encoding="utf-8").splitlines()[-1]
    time, words = last.split(" ", 1)
    assert words == "line 99 ö"
    assert time.endswith("Z")


@pytest.mark.parametrize("name", ["logs", "logs/engine.log"])
def test_a_link_to_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    session, elsewhere = tmp_path / "session", tmp_path / "elsewhere"
    (session / name).parent.mkdir(parents=True)
    elsewhere.mkdir()
    (session / name).symlink_to(elsewhere / "file" if "." in name else elsewhere)
    with pytest.raises(SessionNotWritable, match="link"):
        EngineLog(session)
    assert list(elsewhere.iterdir()) == []


def test_a_pipe_in_the_place_of_the_log_is_refused(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    os.mkfifo(tmp_path / "logs" / "engine.log")
    with pytest.raises(SessionNotWritable, match="no file"):
        EngineLog(tmp_path)


def test_no_line_moves_the_cursor_of_a_terminal(tmp_path: Path) -> None:
    with EngineLog(tmp_path) as log:
        log.line("a\x1b[2Jb\rc\x00\td")
    text = (tmp_path / "logs" / "engine.log").read_text(encoding="utf-8")
    assert text.endswith(" a\ufffd[2Jb\ufffdc\ufffd\td\n")


def test_nobody_to_tell_of_a_full_disk_is_no_error_either(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Closed:
        def write(self, _: str) -> int:
            raise BrokenPipeError

    def full() -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("sys.stderr", Closed())
    with EngineLog(tmp_path) as log:
        log._handler.flush = full  # type: ignore[method-assign]
        log.line("one")
        del log._handler.flush


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "session").write_text("a file")
    with pytest.raises(SessionNotWritable, match="--session"):
        EngineLog(tmp_path / "session")


def test_a_full_disk_is_said_once_and_is_no_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(_: Any) -> None:
        raise OSError(28, "No space left on device")

    with EngineLog(tmp_path) as log:
        log._handler.flush = full  # type: ignore[assignment, method-assign]
        log.line("one")
        log.line("two")
        del log._handler.flush
    assert capsys.readouterr().err.count("cannot be written") == 1


def test_the_last_hundred_restarts_are_kept(tmp_path: Path) -> None:
    for number in range(KEPT + 5):
        note_restart(tmp_path, restart(number, "words"))
    kept = read_restarts(tmp_path)
    assert kept == [restart(number, "words") for number in range(5, KEPT + 5)]
    assert not list((tmp_path / "logs").glob(".*"))


def test_long_and_strange_words_are_cut(tmp_path: Path) -> None:
    lines = [f"{number} \x1b[31m" + "x" * 1000 for number in range(50)]
    note_restart(tmp_path, restart(1, *lines))
    (kept,) = read_restarts(tmp_path)
    assert [line[:3] for line in kept.last_lines] == [f"{number} " for number in range(40, 50)]
    assert all(line.isprintable() and len(line) == 300 for line in kept.last_lines)


@pytest.mark.parametrize(
    "line",
    [
        "", "{", "[]", "null", "{}", "[" * 5000,
        json.dumps({"at": 1, "reason": "r", "exit_code": 1, "lived_s": 1, "last_lines": []}),
        json.dumps({"at": "a", "reason": "r", "exit_code": "1", "lived_s": 1, "last_lines": []}),
        json.dumps({"at": "a", "reason": "r", "exit_code": 1, "lived_s": None, "last_lines": []}),
        json.dumps({"at": "a", "reason": "r", "exit_code": 1, "lived_s": 1, "last_lines": [1]}),
        json.dumps({"at": "a", "reason": "r", "exit_code": 1, "lived_s": 1, "last_lines": "no"}),
        f'{{"at": "a", "reason": "r", "exit_code": 1, "last_lines": [], "lived_s": 1{"0" * 400}}}',
    ],
)  # fmt: skip
def test_what_was_not_written_here_is_left_out(tmp_path: Path, line: str) -> None:
    note_restart(tmp_path, restart(1))
    path = tmp_path / "logs" / "restarts.jsonl"
    path.write_text(line + "\n" + path.read_text() + line)
    assert read_restarts(tmp_path) == [restart(1)]


def test_a_pipe_or_a_link_is_not_read(tmp_path: Path) -> None:
    note_restart(tmp_path, restart(1))
    path = tmp_path / "logs" / "restarts.jsonl"
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    assert read_restarts(tmp_path) == []
    path.unlink()
    os.mkfifo(path)
    assert read_restarts(tmp_path) == []
