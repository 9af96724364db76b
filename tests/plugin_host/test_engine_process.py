"""A child engine: its words become errors, and it is always gone afterwards."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from osc_bridge.errors import EngineUnreachable, ModelError
from plugin_host import child, engine_process, interrupts
from plugin_host.engine_process import Launch, engine_for

SERVING = """
import json, signal, sys
from osc_bridge import schema
from osc_bridge.server import OscServer
from osc_bridge.transports.tcp import TcpListener
import threading
stop = threading.Event()
if "stubborn" in sys.argv:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
class Handler:
    def answer(self, request, reply):
        if isinstance(request, schema.Quit):
            if "stubborn" not in sys.argv:
                stop.set()
            return schema.Goodbye()
        return schema.Welcome(schema.API_MAJOR, 0, "fake", "/x", 64)
with OscServer(Handler(), (TcpListener(0),)) as server:
    print("noise before", flush=True)
    print(json.dumps({"ready": True, "tcp_port": server.port("tcp")}), flush=True)
    stop.wait()
"""


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[subprocess.Popen[Any]]:
    """Every process that the module starts."""
    processes: list[subprocess.Popen[Any]] = []

    class Watched(subprocess.Popen):  # type: ignore[type-arg]
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            processes.append(self)

    monkeypatch.setattr(child.subprocess, "Popen", Watched)
    return processes


def program(monkeypatch: pytest.MonkeyPatch, source: str, *arguments: str) -> None:
    command = [sys.executable, "-c", source, *arguments]
    monkeypatch.setattr(Launch, "command", lambda self: command)


def all_gone(processes: list[subprocess.Popen[Any]]) -> bool:
    return bool(processes) and all(process.poll() is not None for process in processes)


def test_it_serves_and_ends_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, started: list[subprocess.Popen[Any]]
) -> None:
    program(monkeypatch, SERVING)
    with engine_for(Launch(tmp_path)) as engine:
        assert engine.started_s > 0
        assert engine.client.ping().uptime_s >= 0
    assert all_gone(started)
    assert started[0].returncode == 0


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_an_error_in_the_block_ends_it_too(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    started: list[subprocess.Popen[Any]],
    error: type[BaseException],
) -> None:
    program(monkeypatch, SERVING)
    with pytest.raises(error), engine_for(Launch(tmp_path)):
        raise error
    assert all_gone(started)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_signals_end_it_too(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    started: list[subprocess.Popen[Any]],
    number: signal.Signals,
) -> None:
    monkeypatch.setattr(interrupts.signal, "getsignal", lambda _: signal.SIG_DFL)
    program(monkeypatch, SERVING)
    with pytest.raises(KeyboardInterrupt), engine_for(Launch(tmp_path)) as engine:
        os.kill(os.getpid(), number)
        engine.client.ping()
    assert all_gone(started)


PARENT = """
import sys, threading
from pathlib import Path
from plugin_host.engine_process import Launch, engine_for
serving, port, folder = sys.argv[1:]
Launch.command = lambda self: [sys.executable, "-c", serving, port]
with engine_for(Launch(Path(folder))):
    print("started", flush=True)
    threading.Event().wait()
"""

CHILD = SERVING.replace(
    "stop = threading.Event()",
    """
import socket
from engine.run import stop_at_end_of
line = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
stop = threading.Event()
stop_at_end_of(0, stop)
""",
)


def test_it_does_not_outlive_a_parent_that_is_killed(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(60)
        command = [sys.executable, "-c", PARENT, CHILD, str(listener.getsockname()[1])]
        environment = {**os.environ, "PYTHONPATH": str(Path(engine_process.__file__).parents[1])}
        with subprocess.Popen(
            [*command, str(tmp_path)], stdout=subprocess.PIPE, env=environment
        ) as parent:
            try:
                line, _ = listener.accept()
                assert parent.stdout is not None
                assert parent.stdout.readline() == b"started\n"
            finally:
                parent.kill()
        with line:
            line.settimeout(60)
            assert line.recv(1) == b""


def test_one_that_will_not_end_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, started: list[subprocess.Popen[Any]]
) -> None:
    monkeypatch.setattr(child, "QUIT_S", 0.1)
    monkeypatch.setattr(child, "TERMINATE_S", 0.1)
    program(monkeypatch, SERVING, "stubborn")
    with engine_for(Launch(tmp_path)):
        pass
    assert all_gone(started)
    assert started[0].returncode == -9


def test_its_last_words_become_the_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, started: list[subprocess.Popen[Any]]
) -> None:
    words = "import sys; sys.stderr.write('a trace\\nPack x is missing; get it.\\n'); sys.exit(5)"
    program(monkeypatch, words)
    with (
        pytest.raises(ModelError, match=r"^Pack x is missing; get it\.$"),
        engine_for(Launch(tmp_path)),
    ):
        pass
    assert all_gone(started)


def test_one_that_says_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, started: list[subprocess.Popen[Any]]
) -> None:
    monkeypatch.setattr(engine_process, "START_S", 0.1)
    program(monkeypatch, "import threading; threading.Event().wait()")
    with pytest.raises(EngineUnreachable, match="doctor"), engine_for(Launch(tmp_path)):
        pass
    assert all_gone(started)


def test_the_current_folder_is_not_searched_for_an_engine() -> None:
    command = Launch(Path("/s"), "starter", "cpu").command()
    assert command[1:5] == ["-P", "-m", "engine", "--until-stdin-closes"]
    assert command[5:] == ["--session", "/s", "--pack", "starter", "--device", "cpu"]
