"""PROTOCOL.md is what the schema says."""

from __future__ import annotations

from pathlib import Path

import pytest

from osc_bridge import protocol_doc
from osc_bridge.errors import WildtrackError
from osc_bridge.message import ROOT
from osc_bridge.schema import REQUESTS, SETTABLE


def test_protocol_md_is_fresh() -> None:
    text = protocol_doc.PATH.read_text(encoding="utf-8")
    assert text == protocol_doc.protocol(), "run python -m osc_bridge.protocol_doc"


def test_check_notices_a_stale_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(protocol_doc, "PATH", tmp_path / "PROTOCOL.md")
    assert protocol_doc.main(["--check"]) == 1
    assert "stale" in capsys.readouterr().err
    assert protocol_doc.main([]) == 0
    assert protocol_doc.main(["--check"]) == 0
    assert protocol_doc.main(["--what"]) == 2


def test_everything_is_in_it() -> None:
    text = protocol_doc.protocol()
    for request in REQUESTS:
        assert f"### `{ROOT}{request.address}`" in text
    for field in SETTABLE:
        assert f"| `{field}` |" in text
    for error in WildtrackError.__subclasses__():
        for child in error.__subclasses__():
            assert f"| {child.code} | `{child.__name__}` |" in text
