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
from osc_bridge.caller import Call
from osc_bridge.client import Client
from osc_bridge.discovery import find_engine
from osc_bridge.errors import BadCheckpoint, PackCorrupt, WildtrackError
from osc_bridge.events import Done, Progress
from osc_bridge.schema import Render
from osc_bridge.wire import encode_request, read_event

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


def said(process: subprocess.Popen[str]) -> dict[str, Any]:
    """The next line that the engine prints."""
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        pytest.fail(f"the engine did not start: {process.stderr.read()}")  # type: ignore[union-attr]
    words: dict[str, Any] = json.loads(line)
    return words


def asked_again(udp_port: int, call: Call[Any]) -> Any:
    """The result of a request that is sent again, from another port than the first time."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(START_S)
        sock.sendto(encode_request(call.request_id, call.request), ("127.0.0.1", udp_port))
        while not isinstance(event := read_event(sock.recv(4096)), Done):
            assert isinstance(event, Progress)
        return event.result


def test_an_engine_is_killed_returns_works_and_leaves_nothing(
    spawn: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    session = tmp_path / "session"
    killed = spawn()
    serving = said(killed)
    assert serving["serving"] is True
    with Client.connect(serving["tcp_port"]) as client:
        scene = client.new_scene("Alley", duration_s=0.5)
        client.add_text(scene, "rain")
        client.set(scene, "s1", gain_db=-6.0)
        client.undo(scene)
        before = client.snapshot(scene)
        started = client.start(Render(scene, "consistent", "preview"))
        client.ping()  # answered, though the pack cannot be there so soon
        client.status()  # handled after the render
        killed.kill()
        killed.wait()
    assert len(list((session / "jobs").glob("j*.json"))) == 1
    part = session / "media" / ".0123456789abcdef.part.png"
    part.touch()
    (session / "media" / ".hidden.part").touch()

    process = spawn()
    serving = said(process)
    with Client.connect(serving["udp_port"], transport="udp") as client:
        assert client.snapshot(scene) == before
        found = find_engine(session)
        assert found is not None
        ports = (serving["udp_port"], serving["tcp_port"])
        assert (found.pid, found.udp_port, found.tcp_port) == (process.pid, *ports)
        assert not part.exists()
        ready = said(process)
        assert ready["ready"] is True
        assert ready["pack"] == "tiny"
        repeated = asked_again(serving["udp_port"], started)
        take = json.loads(Path(repeated.path).read_text())
        assert (session / take["mix"]["file"]).is_file()
        assert take["take"] == "t0001"
        assert [row.take for row in client.takes()] == ["t0001"]
        client.quit()
    output, error = process.communicate(timeout=START_S)
    assert process.returncode == 0
    assert json.loads(output) == {"ending": True, "pid": process.pid}
    assert "Traceback" not in error
    assert find_engine(session) is None
    left = {path.name for path in session.rglob(".*")}
    assert left == {".hidden.part"}, "not ours: it stays"
    assert not list((session / "jobs").iterdir())
    with socket.socket() as sock, pytest.raises(OSError, match="refused"):
        sock.connect(("127.0.0.1", serving["tcp_port"]))


def test_a_second_engine_names_the_first(
    spawn: Callable[..., subprocess.Popen[str]],
) -> None:
    first = spawn()
    said(first)
    second = spawn()
    output, error = second.communicate(timeout=START_S)
    assert (second.returncode, output) == (6, "")
    assert str(first.pid) in error
    assert len(error.splitlines()) == 1


def test_a_pack_that_does_not_load_ends_the_engine_with_its_exit_code(
    spawn: Callable[..., subprocess.Popen[str]], tiny_pack: Path, tmp_path: Path
) -> None:
    pack = tmp_path / "pack"
    shutil.copytree(tiny_pack, pack)
    (pack / "codec.safetensors").write_bytes(b"")
    process = spawn("--pack", str(pack))
    output, error = process.communicate(timeout=START_S)
    assert process.returncode == 5
    assert [next(iter(json.loads(line))) for line in output.splitlines()] == ["serving"]
    assert "codec.safetensors" in error.splitlines()[-1]
    assert "install Wildtrack" in error.splitlines()[-1]


def test_the_engine_serves_before_torch_is_there() -> None:
    names = ("engine.server", "engine.run", "engine.service", "engine.scene", "engine.jobs")
    code = f"import sys; [__import__(n) for n in {names!r}]; print('torch' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=START_S
    )
    assert done.stdout == "False\n"


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
