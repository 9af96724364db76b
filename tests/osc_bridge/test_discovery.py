"""An engine is found by asking it, not by trusting a file."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from osc_bridge.discovery import FILE_NAME, announce, find_engine, read_address, withdraw
from osc_bridge.errors import SessionNotWritable
from osc_bridge.schema import Hello, Request, Result, Welcome
from osc_bridge.server import OscServer
from osc_bridge.transports.tcp import TcpListener
from osc_bridge.transports.udp import UdpListener


def greeter(session: Path) -> Any:
    def handle(request: Request[Any], _reply: Any) -> Result | None:
        assert isinstance(request, Hello)
        return Welcome(1, 0, "fake 0", str(session), 64)

    return handle


@pytest.mark.parametrize("transports", [("udp", "tcp"), ("udp",), ("tcp",)])
def test_a_running_engine_is_found(tmp_path: Path, transports: tuple[str, ...]) -> None:
    listeners = [UdpListener() if name == "udp" else TcpListener() for name in transports]
    with OscServer(greeter(tmp_path), listeners) as server:
        announced = announce(tmp_path, server.port("udp"), server.port("tcp"))
        assert find_engine(tmp_path) == announced
        withdraw(tmp_path)
    assert find_engine(tmp_path) is None


def test_a_silent_port_is_stale(tmp_path: Path) -> None:
    listener = UdpListener()
    announce(tmp_path, listener.port, 0)
    assert find_engine(tmp_path, timeout_s=0.01) is None
    listener.close()
    assert find_engine(tmp_path) is None


def test_a_dead_process_is_stale(tmp_path: Path) -> None:
    with OscServer(greeter(tmp_path), [TcpListener()]) as server:
        announce(tmp_path, 0, server.port("tcp"))
        write(tmp_path, pid=pid_of_the_dead())
        assert find_engine(tmp_path) is None


def test_the_engine_of_another_session_is_not_ours(tmp_path: Path) -> None:
    with OscServer(greeter(tmp_path / "other"), [TcpListener()]) as server:
        announce(tmp_path, 0, server.port("tcp"))
        assert find_engine(tmp_path) is None


def test_only_the_own_file_is_withdrawn(tmp_path: Path) -> None:
    announce(tmp_path, 7770, 0)
    write(tmp_path, pid=os.getpid() + 1)
    withdraw(tmp_path)
    assert (tmp_path / FILE_NAME).exists()


def pid_of_the_dead() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def write(session: Path, **changes: Any) -> None:
    path = session / FILE_NAME
    data = json.loads(path.read_text()) | changes
    path.write_text(json.dumps(data))


@pytest.mark.parametrize(
    "changes",
    [
        {"pid": "1"},
        {"pid": -1},
        {"pid": 10**30},
        {"udp_port": 70_000},
        {"udp_port": 0, "tcp_port": 0},
        {"host": "example.org"},
        {"host": ["127.0.0.1"]},
    ],
)
def test_a_strange_file_is_nothing(tmp_path: Path, changes: dict[str, Any]) -> None:
    announce(tmp_path, 7770, 7771)
    write(tmp_path, **changes)
    assert find_engine(tmp_path, timeout_s=0.01) is None


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"null", b"\xff", b"{" * 5000, b'{"pid": 1}'])
def test_a_torn_file_is_nothing(tmp_path: Path, data: bytes) -> None:
    (tmp_path / FILE_NAME).write_bytes(data)
    assert read_address(tmp_path) is None
    assert find_engine(tmp_path) is None


def test_a_folder_that_takes_no_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(SessionNotWritable, match="--session"):
        announce(tmp_path / "missing", 7770, 0)
