"""What an engine is started with, checked when it is made.

One order of precedence: flag, then environment (``WILDTRACK_PORT``, ``WILDTRACK_TCP_PORT``,
``WILDTRACK_PACK``, ``WILDTRACK_DEVICE``, ``WILDTRACK_ALLOW``), then ``SESSION/engine.toml``, then
the default. A session folder may come from somebody else, so its file may set ports, device and
the name of an installed pack, but neither a pack's folder nor the allowed folders.
"""

from __future__ import annotations

import os
import re
import tempfile
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from osc_bridge.errors import BadSession, DeviceUnavailable, OutOfRange, SessionNotWritable

DEFAULT_PACK = "starter"
DEVICES = ("cpu", "cuda", "mps")
SESSION_FOLDERS = ("scenes", "media", "stems", "takes")
_FILE_KEYS = frozenset({"port", "tcp_port", "pack", "device"})
_PACK_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")


@dataclass(frozen=True)
class Flags:
    """What the command line said; None where it said nothing."""

    port: int | None = None
    tcp_port: int | None = None
    pack: str | None = None
    device: str | None = None
    allow: tuple[Path, ...] = ()


@dataclass(frozen=True)
class EngineConfig:
    """One engine's session folder, ports (0: any free one), pack, device and allowed folders.

    Raises SessionNotWritable, OutOfRange or DeviceUnavailable when made; makes the session folder
    and its sub-folders.
    """

    session: Path
    udp_port: int = 0
    tcp_port: int = 0
    pack: str = DEFAULT_PACK
    device: str = "cpu"
    allow: tuple[Path, ...] = ()

    def __post_init__(self) -> None:
        """Check every field; keep folders as absolute paths without symlinks."""
        _check_port("The UDP port", self.udp_port)
        _check_port("The TCP port", self.tcp_port)
        check_device(self.device)
        session = prepare_session(self.session)
        object.__setattr__(self, "session", session)
        object.__setattr__(self, "allow", tuple(path.resolve() for path in self.allow))

    @property
    def allowed(self) -> tuple[Path, ...]:
        """The folders that a path from a client may lie in."""
        return (self.session, *self.allow)


def resolve_config(session: Path, flags: Flags, environ: Mapping[str, str]) -> EngineConfig:
    """Return the configuration by the order of precedence of this module."""
    file = _session_file(session / "engine.toml")

    def chosen(flag: object, variable: str, key: str, default: object) -> object:
        if flag is not None:
            return flag
        return environ.get(variable) or file.get(key, default)

    allow = flags.allow or _folders(environ.get("WILDTRACK_ALLOW", ""))
    return EngineConfig(
        session=session,
        udp_port=_port("The UDP port", chosen(flags.port, "WILDTRACK_PORT", "port", 0)),
        tcp_port=_port("The TCP port", chosen(flags.tcp_port, "WILDTRACK_TCP_PORT", "tcp_port", 0)),
        pack=str(chosen(flags.pack, "WILDTRACK_PACK", "pack", DEFAULT_PACK)),
        device=str(chosen(flags.device, "WILDTRACK_DEVICE", "device", "cpu")),
        allow=allow,
    )


def check_device(device: str) -> None:
    """Raise DeviceUnavailable unless torch can compute on ``device`` here."""
    if device not in DEVICES:
        raise DeviceUnavailable(
            f"The device is {device!r}; the allowed values are {', '.join(DEVICES)}: "
            "start with --device cpu."
        )
    if device == "cpu":
        return
    import torch  # noqa: PLC0415

    there = torch.cuda.is_available() if device == "cuda" else torch.backends.mps.is_available()
    if not there:
        raise DeviceUnavailable(
            f"The device {device} is not available to torch {torch.__version__} on this machine; "
            "start with --device cpu, or install a torch build and a driver for it."
        )


def prepare_session(session: Path) -> Path:
    """Make the session folder and prove that it can be written; SessionNotWritable otherwise.

    Its sub-folders must be folders of its own: a link in a session from somebody else would send
    our writes to another place.
    """
    try:
        session = session.expanduser().resolve()
        session.mkdir(parents=True, exist_ok=True)
        for folder in (session, *(session / name for name in SESSION_FOLDERS)):
            folder.mkdir(exist_ok=True)
            _require_own(folder)
            with tempfile.TemporaryFile(dir=folder):
                pass
    except (OSError, RuntimeError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise SessionNotWritable(
            f"The session folder {session} cannot be written ({reason}); give a folder that you "
            "may write to, or change its permissions."
        ) from error
    return session


def _require_own(folder: Path) -> None:
    if folder.resolve() != folder:
        raise SessionNotWritable(
            f"{folder} leads to another place; replace the link by a folder, or choose another "
            "session folder."
        )


def _check_port(what: str, port: int) -> None:
    if not 0 <= port <= 65535:
        raise OutOfRange(
            f"{what} is {port}; the allowed range is 0 to 65535 (0: any free port): choose another."
        )


def _port(what: str, value: object) -> int:
    try:
        return int(str(value))
    except ValueError as error:
        raise OutOfRange(
            f"{what} is {value!r}; the allowed range is the whole numbers 0 to 65535 "
            "(0: any free port): choose one."
        ) from error


def _folders(text: str) -> tuple[Path, ...]:
    return tuple(Path(part) for part in text.split(os.pathsep) if part)


def _session_file(path: Path) -> dict[str, object]:
    """Return the few settings that a session's own file may hold; BadSession for others."""
    if not path.is_file():
        return {}
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadSession(f"{path} is not valid TOML ({error}); correct or remove it.") from error
    unknown = sorted(set(values) - _FILE_KEYS)
    if unknown:
        raise BadSession(
            f"{path} sets {', '.join(unknown)}; the allowed keys are "
            f"{', '.join(sorted(_FILE_KEYS))}: remove the others."
        )
    pack = values.get("pack", DEFAULT_PACK)
    if not isinstance(pack, str) or _PACK_NAME.fullmatch(pack) is None:
        raise BadSession(
            f"{path} sets the pack {pack!r}; only the name of an installed pack is allowed "
            "there: give a folder with --pack instead."
        )
    return values
