"""The engine as a process of its own, with the tiny pack: start, work, end without a trace."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from engine.models.loading import load_pack
from engine.models.pack import file_hash
from engine.run import stop_at_end_of, stopped_by_signals
from osc_bridge.client import Client
from osc_bridge.discovery import find_engine
from osc_bridge.errors import BadCheckpoint, PackCorrupt, WildtrackError

START_S = 120


@pytest.fixture
def spawn(tmp_path: Path, tiny_pack: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start ``python -m engine`` on the session of this test; ended at the end at the latest."""
    with ExitStack() as stack:

        def start(*options: str) -> subprocess.Popen[str]:
            command = [sys.executable, "-m", "engine", "--session", str(tmp_path / "session")]
            environment = {**os.environ, "OMP_NUM_THREADS": "1"}
            return stack.enter_context(
                _ended(
                    subprocess.Popen(
                        [*command, "--pack", str(tiny_pack), *options],
                        stdout=subprocess.PIPE,
                        stderr=subprocess.PIPE,
                        text=True,
                        env=environment,
                    )
                )
            )

        yield start


@contextmanager
def _ended(process: subprocess.Popen[str]) -> Iterator[subprocess.Popen[str]]:
    with process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def ready(process: subprocess.Popen[str]) -> dict[str, Any]:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        pytest.fail(f"the engine did not start: {process.stderr.read()}")  # type: ignore[union-attr]
    said: dict[str, Any] = json.loads(line)
    return said


def test_an_engine_is_killed_returns_works_and_leaves_nothing(
    spawn: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    session = tmp_path / "session"
    killed = spawn()
    with Client.connect(ready(killed)["tcp_port"]) as client:
        scene = client.new_scene("Alley", duration_s=0.5)
        client.add_text(scene, "rain")
        killed.kill()
        killed.wait()

    process = spawn()
    said = ready(process)
    found = find_engine(session)
    assert found is not None
    ports = (said["udp_port"], said["tcp_port"])
    assert (found.pid, found.udp_port, found.tcp_port) == (process.pid, *ports)

    second = spawn()
    _, error = second.communicate(timeout=START_S)
    assert (second.returncode, str(process.pid) in error) == (6, True)
    assert len(error.splitlines()) == 1

    with Client.connect(said["udp_port"], transport="udp") as client:
        assert [row.label for row in client.sources(scene)] == ["rain"]
        take = json.loads(Path(client.render(scene, "consistent", "preview").path).read_text())
        assert (session / take["mix"]["file"]).is_file()
        assert client.status().pack == "tiny"
        client.quit()
    output, error = process.communicate(timeout=START_S)
    assert (process.returncode, output, error) == (0, "", "")
    assert find_engine(session) is None
    assert not (session / ".engine.lock").exists()
    assert not list(session.rglob("*.part*"))
    with socket.socket() as sock, pytest.raises(OSError, match="refused"):
        sock.connect(("127.0.0.1", said["tcp_port"]))


def test_signals_end_the_engine_in_order() -> None:
    before = signal.getsignal(signal.SIGTERM)
    for number in (signal.SIGINT, signal.SIGTERM):
        stop = threading.Event()
        with stopped_by_signals(stop):
            signal.raise_signal(number)
            assert stop.is_set()
    assert signal.getsignal(signal.SIGTERM) is before


def test_sighup_ends_the_engine_unless_it_is_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    try:
        stop = threading.Event()
        with stopped_by_signals(stop):
            signal.raise_signal(signal.SIGHUP)
            assert stop.is_set()
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        with stopped_by_signals(threading.Event()):
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_the_end_of_input_ends_the_engine() -> None:
    reader, writer = os.pipe()
    stop = threading.Event()
    stop_at_end_of(reader, stop)
    os.write(writer, b"anything")
    assert not stop.is_set()
    os.close(writer)
    assert stop.wait(START_S)
    os.close(reader)


def test_a_port_in_use_is_said_before_the_pack_is_loaded(
    spawn: Callable[..., subprocess.Popen[str]],
) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        process = spawn("--port", str(port))
        output, error = process.communicate(timeout=START_S)
    assert (process.returncode, output) == (6, "")
    assert str(port) in error
    assert len(error.splitlines()) == 1


def test_a_pack_with_a_changed_byte_is_refused(tiny_pack: Path, tmp_path: Path) -> None:
    pack = tmp_path / "pack"
    shutil.copytree(tiny_pack, pack)
    weights = pack / "ssv2a.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    with pytest.raises(PackCorrupt, match=r"ssv2a\.safetensors"):
        load_pack(pack)


class _Bomb:
    """What a pickle would run if anybody unpickled it."""

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return Path.touch, (Path(os.environ["WILDTRACK_TEST_BOMB"]),)  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("name", "error"), [("ssv2a.pth", PackCorrupt), ("ssv2a.safetensors", BadCheckpoint)]
)
def test_a_checkpoint_with_pickled_code_is_refused(
    tiny_pack: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    error: type[WildtrackError],
) -> None:
    import torch

    exploded = tmp_path / "exploded"
    monkeypatch.setenv("WILDTRACK_TEST_BOMB", str(exploded))
    pack = tmp_path / "pack"
    shutil.copytree(tiny_pack, pack)
    (pack / "ssv2a.safetensors").unlink()
    torch.save({"manifold": _Bomb()}, pack / name)
    manifest = json.loads((pack / "pack.json").read_text())
    del manifest["files"]["ssv2a.safetensors"]
    manifest["files"][name] = file_hash(pack / name)
    (pack / "pack.json").write_text(json.dumps(manifest))
    with pytest.raises(error, match=r"ssv2a\.safetensors"):
        load_pack(pack)
    assert not exploded.exists()
