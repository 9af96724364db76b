"""What an engine is started with, checked when it is made.

One order of precedence: flag, then environment (``WILDTRACK_PORT``, ``WILDTRACK_TCP_PORT``,
``WILDTRACK_PACK``, ``WILDTRACK_DEVICE``, ``WILDTRACK_PRECISION``, ``WILDTRACK_COMPILE``,
``WILDTRACK_MEMORY_BUDGET_GB``, ``WILDTRACK_STEMS_GB``, ``WILDTRACK_ALLOW``, ``WILDTRACK_BIND``,
``WILDTRACK_TOKEN``, ``WILDTRACK_MDNS``, ``WILDTRACK_OSCQUERY``, ``WILDTRACK_HTTP_PORT``), then
``SESSION/engine.toml``, then the default. A session folder may come from somebody else, so its file
may set ports, device, precision, limits and the name of an installed pack, but neither a pack's
folder, nor the allowed folders, nor whether other machines may come in.
"""

from __future__ import annotations

import os
import re
import tempfile
import tomllib
import unicodedata
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path

from engine.models.options import AUTO, Options, options_for
from engine.paths import read_plain
from engine.token_file import find_token, require_token
from osc_bridge.errors import BadSession, DeviceUnavailable, OutOfRange, SessionNotWritable

DEFAULT_PACK = "starter"
DEVICES = ("cpu", "cuda", "mps")
DEFAULT_STEMS_GB = 8.0
MAX_GB = 100_000.0
MAX_SESSION_BYTES = 900
"""A message holds a path of 1024; the longest inside a session is that of a stem."""
SESSION_FOLDERS = ("scenes", "media", "stems", "takes", "trash", "jobs")
_FILE_KEYS = frozenset(
    {
        "port",
        "tcp_port",
        "http_port",
        "pack",
        "device",
        "precision",
        "compile",
        "memory_budget_gb",
        "stems_gb",
        "oscquery",
    }
)
_PACK_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
_MAX_FILE_BYTES = 64 * 1024
_YES = ("1", "true", "yes", "on")
_NO = ("0", "false", "no", "off", "")


@dataclass(frozen=True)
class Flags:
    """What the command line said; None where it said nothing."""

    port: int | None = None
    tcp_port: int | None = None
    pack: str | None = None
    device: str | None = None
    allow: tuple[Path, ...] = ()
    precision: str | None = None
    compile: bool | None = None
    memory_budget_gb: float | None = None
    stems_gb: float | None = None
    bind: str | None = None
    token_file: Path | None = None
    mdns: bool | None = None
    oscquery: bool | None = None
    http_port: int | None = None


@dataclass(frozen=True)
class EngineConfig:
    """One engine's session folder, ports (0: any free one), pack, device, limits and doors.

    ``precision`` "auto" and ``compile`` None are the device's own choice; ``memory_budget_gb`` 0
    is no budget; ``bind`` is another interface's address, which needs ``token``. Making one makes
    the session folder and its sub-folders; whether the device is there is asked by who loads the
    pack. Raises SessionNotWritable, OutOfRange, DeviceUnavailable or NotAuthorised.
    """

    session: Path
    udp_port: int = 0
    tcp_port: int = 0
    pack: str = DEFAULT_PACK
    device: str = "cpu"
    allow: tuple[Path, ...] = ()
    precision: str = AUTO
    compile: bool | None = None
    memory_budget_gb: float = 0.0
    stems_gb: float = DEFAULT_STEMS_GB
    bind: str = ""
    token: str = field(default="", repr=False)
    mdns: bool = False
    oscquery: bool = True
    http_port: int = 0

    def __post_init__(self) -> None:
        """Check every field; keep folders as absolute paths without symlinks."""
        _check_port("The UDP port", self.udp_port)
        _check_port("The TCP port", self.tcp_port)
        _check_port("The HTTP port", self.http_port)
        check_device_name(self.device)
        options_for(self.device, self.precision, self.compile)
        _check_gb("The memory budget", self.memory_budget_gb)
        _check_gb("The limit of the stems", self.stems_gb)
        if _is_loopback(self.bind):
            object.__setattr__(self, "bind", "")
        require_token(self.bind, self.token)
        session = prepare_session(self.session)
        object.__setattr__(self, "session", session)
        object.__setattr__(self, "allow", tuple(path.resolve() for path in self.allow))

    @property
    def allowed(self) -> tuple[Path, ...]:
        """The folders that a path from a client may lie in."""
        return (self.session, *self.allow)

    @property
    def options(self) -> Options:
        """How packs compute on the device."""
        return options_for(self.device, self.precision, self.compile)

    @property
    def memory_budget_bytes(self) -> int:
        """The budget for loaded packs, 0 for none."""
        return round(self.memory_budget_gb * 1e9)

    @property
    def stems_bytes(self) -> int:
        """How large the stem cache may grow."""
        return round(self.stems_gb * 1e9)


@dataclass(frozen=True)
class _Sources:
    """Where a setting may come from, beside its flag."""

    environ: Mapping[str, str]
    file: Mapping[str, object]

    def pick(self, flag: object, key: str, default: object) -> object:
        """The flag, else ``WILDTRACK_<KEY>``, else the session's file, else the default."""
        if flag is not None:
            return flag
        return self.environ.get(f"WILDTRACK_{key.upper()}") or self.file.get(key, default)


def resolve_config(session: Path, flags: Flags, environ: Mapping[str, str]) -> EngineConfig:
    """Return the configuration by the order of precedence of this module."""
    given = _Sources(environ, _session_file(session / "engine.toml"))
    pick = given.pick
    stems_gb = pick(flags.stems_gb, "stems_gb", DEFAULT_STEMS_GB)
    precision, compiled = (
        pick(flags.precision, "precision", AUTO),
        pick(flags.compile, "compile", None),
    )
    budget_gb = pick(flags.memory_budget_gb, "memory_budget_gb", 0.0)
    return EngineConfig(
        session=session,
        udp_port=_port("The UDP port", pick(flags.port, "port", 0)),
        tcp_port=_port("The TCP port", pick(flags.tcp_port, "tcp_port", 0)),
        pack=str(pick(flags.pack, "pack", DEFAULT_PACK)),
        device=str(pick(flags.device, "device", "cpu")),
        allow=flags.allow or _folders(environ.get("WILDTRACK_ALLOW", "")),
        precision=str(precision),
        compile=None if compiled is None else _switch("compile", compiled),
        memory_budget_gb=_gb("The memory budget", budget_gb),
        stems_gb=_gb("The limit of the stems", stems_gb),
        bind=str(pick(flags.bind, "bind", "")),
        token=find_token(flags.token_file, environ),
        mdns=_switch("mdns", pick(flags.mdns, "mdns", False)),
        oscquery=_switch("oscquery", pick(flags.oscquery, "oscquery", True)),
        http_port=_port("The HTTP port", pick(flags.http_port, "http_port", 0)),
    )


def check_device_name(device: str) -> None:
    """Raise DeviceUnavailable for what is not the name of a device at all."""
    if device not in DEVICES:
        raise DeviceUnavailable(
            f"The device is {device!r}; the allowed values are {', '.join(DEVICES)}: "
            "start with --device cpu."
        )


def check_device(device: str) -> None:
    """Raise DeviceUnavailable unless torch can compute on ``device`` here."""
    check_device_name(device)
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
        _require_sayable(session)
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


def _require_sayable(session: Path) -> None:
    """Refuse a folder whose files no message could name: each client is told paths in it."""
    text = str(session)
    size = len(text.encode("utf-8", "surrogatepass"))
    if size > MAX_SESSION_BYTES or any(unicodedata.category(c) in ("Cc", "Cs") for c in text):
        raise SessionNotWritable(
            f"The path of the session folder {text[:80]!r} has {size} bytes; allowed are 1 to "
            f"{MAX_SESSION_BYTES} bytes of UTF-8 without control characters, so that clients can "
            "be told: choose another folder."
        )


def _require_own(folder: Path) -> None:
    if folder.resolve() != folder:
        raise SessionNotWritable(
            f"{folder} leads to another place; replace the link by a folder, or choose another "
            "session folder."
        )


def _is_loopback(host: str) -> bool:
    """Whether this is where an engine listens anyway."""
    with suppress(ValueError):
        return ip_address(host).is_loopback
    return host == "localhost"


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


def _gb(what: str, value: object) -> float:
    try:
        return float(str(value))
    except ValueError as error:
        raise OutOfRange(
            f"{what} is {value!r}; the allowed range is 0 to {MAX_GB:g} GB: choose a number in it."
        ) from error


def _check_gb(what: str, value: float) -> None:
    if not 0.0 <= value <= MAX_GB:
        raise OutOfRange(
            f"{what} is {value:g} GB; the allowed range is 0 to {MAX_GB:g} GB: choose in it."
        )


def _switch(key: str, value: object) -> bool:
    text = str(value).lower()
    if text in _YES or text in _NO:
        return text in _YES
    raise OutOfRange(
        f"{key} is {value!r}; the allowed values are {', '.join((*_YES, *_NO[:-1]))}: choose one."
    )


def _folders(text: str) -> tuple[Path, ...]:
    return tuple(Path(part) for part in text.split(os.pathsep) if part)


def _session_file(path: Path) -> dict[str, object]:
    """Return the few settings that a session's own file may hold; BadSession for others."""
    if not os.path.lexists(path):
        return {}
    try:
        values = tomllib.loads(read_plain(path, _MAX_FILE_BYTES).decode())
    except (OSError, ValueError, RecursionError) as error:
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
