"""What an engine is started with."""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path

import pytest

from engine.config import (
    DEFAULT_PACK,
    SESSION_FOLDERS,
    EngineConfig,
    Flags,
    check_device,
    resolve_config,
)
from engine.lock import SessionLock
from osc_bridge.errors import (
    BadSession,
    DeviceUnavailable,
    FileMissing,
    NotAuthorised,
    OutOfRange,
    SessionNotWritable,
    WildtrackError,
)


def test_flag_beats_environment_beats_file_beats_default(tmp_path: Path) -> None:
    (tmp_path / "engine.toml").write_text('port = 3\ntcp_port = 3\npack = "three"\n')
    environ = {"WILDTRACK_PORT": "2", "WILDTRACK_TCP_PORT": "2"}
    config = resolve_config(tmp_path, Flags(port=1), environ)
    assert (config.udp_port, config.tcp_port, config.pack, config.device) == (1, 2, "three", "cpu")
    assert resolve_config(tmp_path / "new", Flags(), {}) == EngineConfig(
        tmp_path / "new", 0, 0, DEFAULT_PACK, "cpu", ()
    )


def test_allowed_folders_are_the_session_and_what_the_user_adds(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "b")
    environ = {"WILDTRACK_ALLOW": os.pathsep.join([str(tmp_path / "a"), str(tmp_path / "link")])}
    config = resolve_config(tmp_path / "session", Flags(), environ)
    assert config.allowed == (tmp_path / "session", tmp_path / "a", tmp_path / "b")


@pytest.mark.parametrize(
    ("flags", "error"),
    [
        (Flags(port=-1), OutOfRange),
        (Flags(tcp_port=65_536), OutOfRange),
        (Flags(http_port=-1), OutOfRange),
        (Flags(device="tpu"), DeviceUnavailable),
    ],
)
def test_values_out_of_range(tmp_path: Path, flags: Flags, error: type[WildtrackError]) -> None:
    with pytest.raises(error, match=r"choose|start with"):
        resolve_config(tmp_path, flags, {})


def test_a_device_that_is_not_here() -> None:
    import torch

    missing = "mps" if not torch.backends.mps.is_available() else "cuda"
    with pytest.raises(DeviceUnavailable, match="--device cpu"):
        check_device(missing)


def test_limits_and_switches_come_from_flag_environment_and_file(tmp_path: Path) -> None:
    (tmp_path / "engine.toml").write_text(
        'memory_budget_gb = 3\nstems_gb = 3.5\nprecision = "bf16"\noscquery = false\n'
    )
    environ = {"WILDTRACK_MEMORY_BUDGET_GB": "2", "WILDTRACK_MDNS": "yes", "WILDTRACK_STEMS_GB": ""}
    config = resolve_config(tmp_path, Flags(memory_budget_gb=1.5, compile=True), environ)
    assert (config.memory_budget_bytes, config.stems_bytes) == (1_500_000_000, 3_500_000_000)
    assert (config.mdns, config.oscquery) == (True, False)
    assert (config.options.precision, config.options.compiled) == ("bf16", True)
    assert resolve_config(tmp_path, Flags(), environ).memory_budget_gb == 2.0
    assert resolve_config(tmp_path, Flags(oscquery=True, mdns=False), environ).oscquery


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("MEMORY_BUDGET_GB", "-1"),
        ("MEMORY_BUDGET_GB", "nan"),
        ("STEMS_GB", "much"),
        ("MDNS", "perhaps"),
        ("PRECISION", "int1"),
    ],
)
def test_limits_and_switches_out_of_range(tmp_path: Path, variable: str, value: str) -> None:
    with pytest.raises(OutOfRange, match=value):
        resolve_config(tmp_path, Flags(), {f"WILDTRACK_{variable}": value})


TOKEN = "correct-horse-battery"


def test_another_interface_needs_a_token(tmp_path: Path) -> None:
    with pytest.raises(NotAuthorised, match=r"--token-file.*WILDTRACK_TOKEN"):
        resolve_config(tmp_path, Flags(bind="192.0.2.1"), {})
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}\n")
    file.chmod(0o600)
    by_file = resolve_config(tmp_path, Flags(bind="192.0.2.1", token_file=file), {})
    by_environment = resolve_config(tmp_path, Flags(bind="::"), {"WILDTRACK_TOKEN": TOKEN})
    assert by_file.token == by_environment.token == TOKEN
    assert TOKEN not in repr(by_file)


@pytest.mark.parametrize("token", ["short", "x" * 201, "a token with some spaces", "ümläute" * 4])
def test_a_token_that_is_none(tmp_path: Path, token: str) -> None:
    with pytest.raises(NotAuthorised, match="16 to 200"):
        resolve_config(tmp_path, Flags(), {"WILDTRACK_TOKEN": token})


@pytest.mark.parametrize("mode", [0o604, 0o660, 0o644])
def test_a_token_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    file = tmp_path / "token"
    file.write_text(TOKEN)
    file.chmod(mode)
    with pytest.raises(NotAuthorised, match="chmod 600"):
        resolve_config(tmp_path / "session", Flags(token_file=file), {})


def test_a_token_file_that_is_none(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for name in ("missing", "link", "pipe", "."):
        with pytest.raises(FileMissing):
            resolve_config(tmp_path / "session", Flags(token_file=tmp_path / name), {})


@pytest.mark.parametrize(
    "text",
    [
        'allow = ["/"]',
        'pack = "/tmp/evil"',
        'pack = "../evil"',
        "port = [",
        'session = "/"',
        'bind = "0.0.0.0"',
        'token = "0123456789abcdef"',
        "mdns = true",
        "x = 1 #" + " " * 70_000,
        "x = " + "[" * 20_000,
    ],
)
def test_a_session_from_somebody_else_cannot_open_doors(tmp_path: Path, text: str) -> None:
    (tmp_path / "engine.toml").write_text(text)
    with pytest.raises(BadSession, match=r"engine\.toml"):
        resolve_config(tmp_path, Flags(), {})


def test_a_session_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(SessionNotWritable, match="give a folder"):
        EngineConfig(tmp_path / "file" / "session")


def test_a_session_folder_without_write_permission(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(**_options: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tempfile.TemporaryFile", denied)
    with pytest.raises(SessionNotWritable, match=r"Permission denied.*permissions"):
        EngineConfig(tmp_path / "session")


def test_one_engine_a_session(tmp_path: Path) -> None:
    with (
        SessionLock(tmp_path),
        pytest.raises(SessionNotWritable, match=str(os.getpid())),
        SessionLock(tmp_path),
    ):
        pass
    with SessionLock(tmp_path):
        assert list(tmp_path.iterdir())
    assert list(tmp_path.iterdir()) == []


def test_a_lock_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    session = tmp_path / "session"
    session.mkdir()
    (session / ".engine.lock").symlink_to(victim)
    with pytest.raises(SessionNotWritable, match=r"\.engine\.lock"), SessionLock(session):
        pass
    assert victim.read_text() == "precious"


def test_a_lock_that_is_no_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / ".engine.lock")
    with pytest.raises(SessionNotWritable, match="not a file"), SessionLock(tmp_path):
        pass


@pytest.mark.parametrize("call", ["os.open", "fcntl.flock"])
def test_a_lock_that_cannot_be_taken_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    def refused(*_arguments: object) -> int:
        raise OSError(errno.ENOLCK, "No locks available")

    with monkeypatch.context() as patch:
        patch.setattr(call, refused)
        with pytest.raises(SessionNotWritable, match="No locks available"), SessionLock(tmp_path):
            pass
    with SessionLock(tmp_path):
        pass


@pytest.mark.parametrize("name", SESSION_FOLDERS)
def test_a_session_with_a_folder_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    elsewhere, session = tmp_path / "elsewhere", tmp_path / "session"
    elsewhere.mkdir()
    session.mkdir()
    (session / name).symlink_to(elsewhere)
    with pytest.raises(SessionNotWritable, match=f"{name} leads to another place"):
        EngineConfig(session)
    assert list(elsewhere.iterdir()) == []


@pytest.mark.parametrize("name", ["two\nlines", "\x1b[2J", "half\udcff", "/".join(["x" * 200] * 5)])
def test_a_session_whose_path_no_message_could_hold_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(SessionNotWritable, match="1 to 900 bytes of UTF-8 without control"):
        EngineConfig(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_the_session_folder_itself_must_be_writable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    EngineConfig(tmp_path)
    usual = tempfile.TemporaryFile

    def denied_at_the_root(dir: Path) -> object:  # noqa: A002
        if dir == tmp_path:
            raise PermissionError(errno.EACCES, "Permission denied")
        return usual(dir=dir)

    monkeypatch.setattr("tempfile.TemporaryFile", denied_at_the_root)
    with pytest.raises(SessionNotWritable, match="Permission denied"):
        EngineConfig(tmp_path)
