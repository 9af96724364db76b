"""The log is read in terminals, and what is named in it comes from anywhere."""

from __future__ import annotations

import logging

import pytest

from engine.log_lines import PlainLines

HOSTILE = "rain\n2026-01-01 ERROR all is lost\x1b[2J\r\u202e\udc80"


def record(message: str, error: BaseException | None = None) -> logging.LogRecord:
    info = None if error is None else (type(error), error, error.__traceback__)
    return logging.LogRecord("wildtrack", logging.INFO, "file", 1, "%s", (message,), info)


def test_a_message_is_one_line() -> None:
    line = PlainLines().format(record(HOSTILE))
    assert line.isprintable()
    assert "INFO rain\ufffd2026" in line


def test_a_trace_keeps_its_lines_and_moves_no_cursor() -> None:
    with pytest.raises(ValueError, match="all is lost") as caught:
        raise ValueError(HOSTILE)
    text = PlainLines().format(record("A defect", caught.value))
    assert all(line.isprintable() for line in text.split("\n"))
    assert "Traceback" in text
    assert "test_log_lines.py" in text
