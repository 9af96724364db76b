"""An engine is found by asking it, not by trusting a file."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from osc_bridge.discovery import Ports, announce, announced, engines, find_engine, withdraw
from osc_bridge.errors import SessionNotWritable, WildtrackError
from osc_bridge.reply import Reply
from osc_bridge.runtime import runtime_folder
from osc_bridge.schema import Hello, Request, Result, Welcome
from osc_bridge.server import OscServer
from osc_bridge.transports.base import Listener
from osc_bridge.transports.tcp import TcpListener
from osc_bridge.transports.udp import UdpListener

Greet = Callable[..., OscServer]


class Greeter:
    """Answers hello as the engine of one session."""

    def __init__(self, session: Path) -> None:
        self.session = session

    def answer(self, request: Request[Any], reply: Reply) -> Result | None:
        assert isinstance(request, Hello)
        return replace(Welcome.example(), session=str(self.session))

    __call__ = answer

    def edit(self, replies: Sequence[Reply]) -> Sequence[Result | WildtrackError]:
        raise AssertionError(replies)


@pytest.fixture(autouse=True)
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A runtime folder of each test's own."""
    base = tmp_path / "run"
    base.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(base))
    return base / "wildtrack"


@pytest.fixture
def serve() -> Iterator[Greet]:
    """Serve a session over the named transports, without announcing it."""
    servers: list[OscServer] = []

    def start(session: Path, *transports: str) -> OscServer:
        listeners: list[Listener] = [
            UdpListener() if name == "udp" else TcpListener() for name in transports
        ]
        servers.append(OscServer(Greeter(session), listeners))
        servers[-1].start()
        return servers[-1]

    yield start
    for server in servers:
        server.close()


def ports_of(server: OscServer) -> Ports:
    return Ports(server.port("udp"), server.port("tcp"))


def own_file() -> Path:
    return runtime_folder() / f"engine-{os.getpid()}.json"


def rewrite(**changes: Any) -> Path:
    """Change the own file; a changed pid moves it to that process's name."""
    data = json.loads(own_file().read_text()) | changes
    own_file().unlink()
    path = runtime_folder() / f"engine-{data['pid']}.json"
    path.write_text(json.dumps(data))
    return path


def pid_of_the_dead() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


@pytest.mark.parametrize("transports", [("udp", "tcp"), ("udp",), ("tcp",)])
def test_a_running_engine_is_found(
    tmp_path: Path, serve: Greet, transports: tuple[str, ...]
) -> None:
    address = announce(tmp_path, ports_of(serve(tmp_path, *transports)))
    assert find_engine(tmp_path) == address
    assert engines() == [address]
    withdraw()
    assert find_engine(tmp_path) is None
    assert list(runtime_folder().iterdir()) == []


def test_a_session_is_known_by_where_it_really_is(tmp_path: Path, serve: Greet) -> None:
    link = tmp_path / "link"
    link.symlink_to(tmp_path)
    address = announce(link, ports_of(serve(link, "tcp")))
    assert find_engine(tmp_path) == address == find_engine(link)


def test_the_file_says_all_that_a_client_needs(tmp_path: Path, runtime: Path) -> None:
    announce(tmp_path, Ports(7770, 7771, 7772, ("127.0.0.1", "::1")))
    said = json.loads((runtime / f"engine-{os.getpid()}.json").read_text())
    assert said.pop("started").endswith("+00:00")
    assert said.pop("api").startswith("1.")
    assert said == {
        "pid": os.getpid(),
        "session": str(tmp_path),
        "udp_port": 7770,
        "tcp_port": 7771,
        "http_port": 7772,
        "hosts": ["127.0.0.1", "::1"],
    }


@pytest.mark.parametrize(
    ("hosts", "expected"),
    [
        (("192.0.2.7", "127.0.0.1"), "127.0.0.1"),
        (("::1",), "::1"),
        (("0.0.0.0",), "127.0.0.1"),
        (("::",), "::1"),
        (("192.0.2.7",), "192.0.2.7"),
    ],
)
def test_this_machine_connects_over_loopback_where_it_can(
    tmp_path: Path, hosts: tuple[str, ...], expected: str
) -> None:
    assert announce(tmp_path, Ports(7770, 0, hosts=hosts)).host == expected


def test_a_silent_engine_is_not_found_but_kept(tmp_path: Path) -> None:
    listener = UdpListener()
    address = announce(tmp_path, Ports(listener.port, 0))
    assert find_engine(tmp_path, timeout_s=0.01) is None
    assert announced(tmp_path) == [address]
    listener.close()
    assert find_engine(tmp_path) is None
    assert announced(tmp_path) == []


def test_the_file_of_a_dead_process_is_removed(tmp_path: Path, serve: Greet) -> None:
    announce(tmp_path, ports_of(serve(tmp_path, "tcp")))
    path = rewrite(pid=pid_of_the_dead())
    assert find_engine(tmp_path) is None
    assert not path.exists()


def test_a_new_engine_removes_the_files_of_the_dead_alone(tmp_path: Path) -> None:
    announce(tmp_path, Ports(7770, 0))
    dead = rewrite(pid=pid_of_the_dead())
    announce(tmp_path, Ports(7770, 0))
    living = rewrite(pid=os.getppid())
    announce(tmp_path, Ports(7770, 0))
    assert {living, own_file()} == set(runtime_folder().iterdir())
    assert not dead.exists()


def test_a_process_id_that_another_program_has_now_is_stale(tmp_path: Path) -> None:
    listener = TcpListener()
    announce(tmp_path, Ports(0, listener.port))
    listener.close()
    path = rewrite(pid=os.getppid())
    assert find_engine(tmp_path) is None
    assert not path.exists()


def test_the_engine_of_another_session_is_not_ours(tmp_path: Path, serve: Greet) -> None:
    server = serve(tmp_path / "other", "tcp")
    announce(tmp_path, ports_of(server))
    assert find_engine(tmp_path) is None
    assert not own_file().exists()
    other = announce(tmp_path / "other", ports_of(server))
    assert find_engine(tmp_path) is None
    assert engines() == [other]


def test_only_the_own_file_is_withdrawn(tmp_path: Path) -> None:
    announce(tmp_path, Ports(7770, 0))
    path = rewrite(pid=os.getppid())
    withdraw()
    assert path.exists()


@pytest.mark.parametrize(
    "changes",
    [
        {"pid": -1},
        {"udp_port": 70_000},
        {"udp_port": True},
        {"udp_port": 0, "tcp_port": 0},
        {"hosts": ["example.org"]},
        {"hosts": []},
        {"hosts": "127.0.0.1"},
    ],
)
def test_a_strange_file_is_removed(tmp_path: Path, changes: dict[str, Any]) -> None:
    announce(tmp_path, Ports(7770, 7771))
    path = rewrite(**changes)
    assert engines(timeout_s=0.01) == []
    assert not path.exists()


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"null", b"\xff", b"{" * 5000, b'{"pid": 1}'])
def test_a_torn_file_is_removed(tmp_path: Path, data: bytes) -> None:
    announce(tmp_path, Ports(7770, 0))
    own_file().write_bytes(data)
    assert engines() == []
    assert not own_file().exists()


def test_without_the_folder_there_is_no_engine(tmp_path: Path, runtime: Path) -> None:
    assert engines() == []
    withdraw()
    assert not runtime.exists()


def test_the_folder_is_the_users_alone(tmp_path: Path, runtime: Path) -> None:
    announce(tmp_path, Ports(7770, 0))
    assert runtime.stat().st_mode & 0o777 == 0o700


def test_a_folder_that_others_may_open_is_refused(tmp_path: Path, runtime: Path) -> None:
    runtime.mkdir(mode=0o755)
    with pytest.raises(SessionNotWritable, match=r"0755.*chmod 700"):
        announce(tmp_path, Ports(7770, 0))
    with pytest.raises(SessionNotWritable, match="0755"):
        find_engine(tmp_path)


def test_a_folder_that_is_a_link_is_refused(tmp_path: Path, runtime: Path) -> None:
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    runtime.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(SessionNotWritable, match="link"):
        announce(tmp_path, Ports(7770, 0))


def test_a_folder_of_another_user_is_refused(
    tmp_path: Path, runtime: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime.mkdir(mode=0o700)
    owner = os.getuid()
    monkeypatch.setattr(os, "getuid", lambda: owner + 1)
    with pytest.raises(SessionNotWritable, match=f"user with id {owner}"):
        announce(tmp_path, Ports(7770, 0))


def test_a_folder_that_cannot_be_made_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "missing"))
    with pytest.raises(SessionNotWritable, match="XDG_RUNTIME_DIR"):
        announce(tmp_path, Ports(7770, 0))


@pytest.mark.parametrize(
    ("platform", "variables", "expected"),
    [
        ("linux", {"XDG_RUNTIME_DIR": "/run/user/7"}, "/run/user/7/wildtrack"),
        ("linux", {"XDG_RUNTIME_DIR": "relative"}, "/tmp/wildtrack-7"),
        ("linux", {"TMPDIR": "/private"}, "/tmp/wildtrack-7"),
        ("darwin", {"TMPDIR": "/private"}, "/private/wildtrack"),
        ("win32", {"LOCALAPPDATA": "/local"}, "/local/wildtrack/run"),
    ],
)
def test_where_the_folder_is(
    monkeypatch: pytest.MonkeyPatch, platform: str, variables: dict[str, str], expected: str
) -> None:
    for name in ("XDG_RUNTIME_DIR", "TMPDIR", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(os, "getuid", lambda: 7)
    monkeypatch.setattr(sys, "platform", platform)
    assert runtime_folder() == Path(expected)
