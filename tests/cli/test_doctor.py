"""``wildtrack doctor``: the schema of its JSON, its exit code, and that it notices."""

from __future__ import annotations

import json
import os
import shutil
import socket
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from engine import checks
from osc_bridge.discovery import EngineAddress, Ports, announce, find_engine, withdraw
from osc_bridge.transports.udp import UdpListener
from plugin_host.cli import doctor as doctor_module
from plugin_host.cli import machine, main
from plugin_host.restarts import Restart, note_restart


def test_json_has_every_part(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["doctor", "--json", "--session", str(tmp_path)])
    document = json.loads(result.stdout)
    assert set(document) == {"wildtrack", "ok", "findings"}
    for row in document["findings"]:
        assert set(row) == {"part", "status", "detail", "cure"}
        assert row["status"] in {"ok", "warn", "fail"}
        assert row["detail"]
        assert row["cure"] or row["status"] == "ok"
    parts = {row["part"] for row in document["findings"]}
    assert parts >= {"python", "packages", "device", "folder", "disk", "udp port", "tcp port"}
    assert parts >= {"portaudio", "extra ssv2a", "extra reference"}
    assert document["ok"] == all(row["status"] != "fail" for row in document["findings"])
    assert result.exit_code == (0 if document["ok"] else 1)


def test_nothing_is_left_in_the_session_folder(tmp_path: Path) -> None:
    assert machine.check_folder(tmp_path).status == "ok"
    assert list(tmp_path.iterdir()) == []


def test_folder_that_does_not_exist_yet_is_not_made(tmp_path: Path) -> None:
    assert machine.check_folder(tmp_path / "a" / "b").status == "ok"
    assert list(tmp_path.iterdir()) == []


def test_folder_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(machine.tempfile, "TemporaryFile", refuse)
    finding = machine.check_folder(tmp_path)
    assert finding.status == "fail"
    assert str(tmp_path) in finding.detail
    assert "--session" in finding.cure


@pytest.mark.parametrize(("free_gb", "status"), [(100.0, "ok"), (2.0, "warn"), (0.1, "fail")])
def test_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free_gb: float, status: str) -> None:
    usage = machine.shutil.disk_usage(tmp_path)._replace(free=int(free_gb * 1e9))
    monkeypatch.setattr(machine.shutil, "disk_usage", lambda _: usage)
    assert machine.check_disk(tmp_path).status == status


def test_old_and_missing_packages_fail_each_with_its_cure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        machine.metadata,
        "requires",
        lambda _: ["numpy>=999", "no-such-package-here>=1", "click>=1", "x>=1; extra == 'live'"],
    )
    rows = {row.part: row for row in machine.check_packages()}
    assert set(rows) == {"packages", "numpy", "no-such-package-here"}
    assert rows["numpy"].status == rows["no-such-package-here"].status == "fail"
    assert "numpy>=999" in rows["numpy"].cure
    assert rows["packages"].detail.startswith("1 as required: click")


def test_old_python_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 10, 1, "final", 0))
    assert machine.check_python().status == "fail"


def test_library_that_does_not_load(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "soxr", None)
    assert [row.part for row in machine.check_libraries()] == ["soxr"]


def test_missing_sounddevice_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    finding = machine.check_portaudio()
    assert finding.status == "warn"
    assert "sounddevice" in finding.cure


def test_port_that_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    class Refused(socket.socket):
        def bind(self, *_: object) -> None:
            raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(machine.socket, "socket", Refused)
    assert {row.status for row in machine.check_ports()} == {"fail"}


def test_no_engine_is_no_fault(tmp_path: Path) -> None:
    assert [row.status for row in machine.check_engine(tmp_path)] == ["ok"]


def test_an_engine_that_is_silent_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def silent(session: Path) -> EngineAddress | None:
        return find_engine(session, timeout_s=0.01)

    monkeypatch.setattr(machine, "find_engine", silent)
    monkeypatch.setattr(machine, "engines", list)
    listener = UdpListener()
    announce(tmp_path, Ports(listener.port, 0))
    (row,) = machine.check_engine(tmp_path)
    withdraw()
    listener.close()
    assert row.status == "warn"
    assert str(os.getpid()) in row.detail


def test_the_last_restarts_are_shown(tmp_path: Path) -> None:
    assert machine.check_restarts(tmp_path) == []
    for number in range(7):
        words = ("a trace", f"words {number}")
        at = f"2026-01-01T00:00:0{number}.000+00:00"
        note_restart(tmp_path, Restart(at, "it was ended by SIGKILL", -9, 12.4, words))
    summary, *rows = machine.check_restarts(tmp_path)
    assert "7 on record" in summary.detail
    assert [row.status for row in rows] == ["warn"] * 5
    assert rows[-1].detail == (
        "2026-01-01T00:00:06 UTC: it was ended by SIGKILL, after 12 s; it said: words 6"
    )
    assert "engine.log" in rows[-1].cure


def test_a_runtime_folder_of_everybody_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    (tmp_path / "wildtrack").mkdir(mode=0o755)
    (row,) = machine.check_engine(tmp_path)
    assert row.status == "fail"
    assert "chmod 700" in row.detail


def test_torch_that_does_not_load(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    assert checks.check_device().status == "fail"


def test_pack_with_a_changed_byte_fails(
    tiny_pack: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(tiny_pack, tmp_path / "starter")
    monkeypatch.setattr(checks, "pack_folder", lambda: tmp_path)
    monkeypatch.setattr(checks, "installed_packs", lambda: ["starter"])
    (whole,) = checks.check_packs()
    assert whole.status == "ok"
    weights = next((tmp_path / "starter").glob("*.safetensors"))
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    (changed,) = checks.check_packs()
    assert changed.status == "fail"
    assert weights.name in changed.detail


def test_missing_default_pack_fails_with_its_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "installed_packs", list)
    (finding,) = checks.check_packs()
    assert finding.status == "fail"
    assert "make starter" in finding.cure


def test_a_failure_ends_with_1(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bad = checks.Finding("disk", "fail", "none free", "free some")
    monkeypatch.setattr(doctor_module, "findings", lambda _: [bad])
    result = CliRunner().invoke(main, ["doctor"])
    assert result.exit_code == 1
    assert "fail" in result.stdout
    assert "cure: free some" in result.stdout
