"""What an engine is started with."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from engine.config import DEFAULT_PACK, EngineConfig, Flags, resolve_config
from engine.lock import SessionLock
from osc_bridge.errors import (
    BadSession,
    DeviceUnavailable,
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
        (Flags(device="tpu"), DeviceUnavailable),
    ],
)
def test_values_out_of_range(tmp_path: Path, flags: Flags, error: type[WildtrackError]) -> None:
    with pytest.raises(error, match=r"choose|start with"):
        resolve_config(tmp_path, flags, {})


def test_a_device_that_is_not_here(tmp_path: Path) -> None:
    import torch

    missing = "mps" if not torch.backends.mps.is_available() else "cuda"
    with pytest.raises(DeviceUnavailable, match="--device cpu"):
        EngineConfig(tmp_path, device=missing)


@pytest.mark.parametrize(
    "text",
    [
        'allow = ["/"]',
        'pack = "/tmp/evil"',
        'pack = "../evil"',
        "port = [",
        'session = "/"',
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
