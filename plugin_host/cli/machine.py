"""What ``wildtrack doctor`` looks at on this machine: Python, packages, sound, folders, ports."""

from __future__ import annotations

import importlib
import re
import shutil
import socket
import sys
import tempfile
from importlib import metadata
from pathlib import Path

from engine.checks import Finding, Status
from osc_bridge.discovery import EngineAddress, announced, engines, find_engine
from osc_bridge.errors import SessionNotWritable
from plugin_host import engine_log
from plugin_host.restarts import read_restarts

DISTRIBUTION = "wildtrack"
LOWEST_PYTHON, HIGHEST_PYTHON = (3, 11), (3, 13)
DISK_WARN_GB, DISK_FAIL_GB = 5.0, 0.5
EXTRAS = {
    "train": ("training and evaluation", f"{sys.executable} -m pip install"),
    "ssv2a": ("the official research pack", f"{sys.executable} -m pip install"),
    "reference": (
        "the original implementations, with older packages of their own",
        "python3.11 -m venv reference && reference/bin/pip install",
    ),
}
_RESTARTS_SHOWN = 5
_REQUIREMENT = re.compile(r"([A-Za-z0-9._-]+)([^;]*);?(.*)")


def check_python() -> Finding:
    found = ".".join(map(str, sys.version_info[:3]))
    if LOWEST_PYTHON <= sys.version_info[:2] <= HIGHEST_PYTHON:
        return Finding("python", "ok", f"{found} at {sys.executable}")
    return Finding(
        "python",
        "fail",
        f"{found}; 3.11 to 3.13 are supported",
        "make clean setup PYTHON=python3.11",
    )


def check_packages() -> list[Finding]:
    """One row for all packages that are as required, one for each that is not."""
    wanted = _requirements("")
    rows = [(name, spec, _installed(name)) for name, spec in wanted.items()]
    good = [f"{name} {found}" for name, spec, found in rows if found and _at_least(found, spec)]
    findings = (
        [Finding("packages", "ok", f"{len(good)} as required: " + ", ".join(good))] if good else []
    )
    for name, spec, found in rows:
        if not found or not _at_least(found, spec):
            findings.append(
                Finding(
                    name, "fail", f"{found or 'not installed'}; {spec} is needed", _pip(name, spec)
                )
            )
    return findings


def check_libraries() -> list[Finding]:
    """Packages whose compiled part can be broken although they are installed."""
    findings = []
    for module in ("soundfile", "soxr", "pedalboard", "cv2"):
        try:
            importlib.import_module(module)
        except (ImportError, OSError) as error:
            findings.append(Finding(module, "fail", f"does not load: {error}", "make clean setup"))
    return findings


def check_portaudio() -> Finding:
    """Listening needs sounddevice and the system's PortAudio; rendering needs neither."""
    try:
        audio = importlib.import_module("sounddevice")
    except ImportError:
        return Finding(
            "portaudio",
            "warn",
            "sounddevice is not installed (optional: listening)",
            _pip("sounddevice", ">=0.5"),
        )
    except OSError as error:
        return Finding("portaudio", "warn", str(error), "Debian: apt install libportaudio2")
    outputs = [device["name"] for device in audio.query_devices() if device["max_output_channels"]]
    if not outputs:
        return Finding(
            "portaudio", "warn", "no sound output is there", "plug one in, or render only"
        )
    return Finding("portaudio", "ok", f"{len(outputs)} outputs, first: {outputs[0]}")


def check_folder(folder: Path) -> Finding:
    """A session folder must take new files; it need not exist yet."""
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    try:
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as error:
        return Finding(
            "folder",
            "fail",
            f"{folder} cannot be written: {error.strerror}",
            f"chmod u+w '{there}', or give another: --session DIR",
        )
    return Finding("folder", "ok", f"{folder.absolute()} can be written")


def check_disk(folder: Path) -> Finding:
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    free_gb = shutil.disk_usage(there).free / 1e9
    status: Status = "ok"
    if free_gb < DISK_WARN_GB:
        status = "fail" if free_gb < DISK_FAIL_GB else "warn"
    cure = "" if status == "ok" else "free some space, or take another disk: --session DIR"
    return Finding("disk", status, f"{free_gb:.1f} GB free; takes need about 1 GB an hour", cure)


def check_ports() -> list[Finding]:
    """A UDP and a TCP port of loopback can be had."""
    return [
        _port("udp port", socket.SOCK_DGRAM),
        _port("tcp port", socket.SOCK_STREAM),
    ]


def check_engine(session: Path) -> list[Finding]:
    """Which engine serves the session now (none is no fault), and which others this user runs."""
    try:
        address = find_engine(session)
        silent = announced(session) if address is None else []
        others = [engine for engine in engines() if engine != address]
    except SessionNotWritable as error:
        return [Finding("engine", "fail", str(error), "see above, or set XDG_RUNTIME_DIR")]
    rows = [_engine_row(engine, f"serves {engine.session}") for engine in others]
    if address is not None:
        return [_engine_row(address, "serves this folder"), *rows]
    if silent:
        return [_silent_row(silent[0].pid), *rows]
    none = "none serves this folder; render starts one for the call"
    return [Finding("engine", "ok", none), *rows]


def check_restarts(session: Path) -> list[Finding]:
    """The last times that `wildtrack up` had to start this session's engine again."""
    restarts = read_restarts(session)
    last = restarts[-_RESTARTS_SHOWN:]
    if not last:
        return []
    log = session / engine_log.FOLDER / engine_log.FILE_NAME
    newest = [
        Finding(
            "restart",
            "warn",
            f"{row.at[:19]} UTC: {row.reason}, after {row.lived_s:.0f} s"
            + (f"; it said: {row.last_lines[-1]}" if row.last_lines else ""),
            f"{log} has the rest",
        )
        for row in last
    ]
    how_many = f"{len(restarts)} on record, the last {len(last)} here"
    return [Finding("restarts", "ok", how_many), *newest]


def check_extras() -> list[Finding]:
    return [_extra(name, what, install) for name, (what, install) in EXTRAS.items()]


def _engine_row(address: EngineAddress, what: str) -> Finding:
    ports = f"udp port {address.udp_port}, tcp port {address.tcp_port}"
    if address.http_port:
        ports += f", OSCQuery at http port {address.http_port}"
    return Finding("engine", "ok", f"process {address.pid} {what}: {ports}")


def _silent_row(pid: int) -> Finding:
    return Finding(
        "engine",
        "warn",
        f"process {pid} is announced for this folder, but does not answer",
        f"kill -9 {pid}, and start it again; wildtrack up does both for an engine that it started",
    )


def _port(part: str, kind: socket.SocketKind) -> Finding:
    try:
        with socket.socket(socket.AF_INET, kind) as probe:
            probe.bind(("127.0.0.1", 0))
    except OSError as error:
        return Finding(
            part, "fail", f"loopback refuses a port: {error}", "allow 127.0.0.1 in the firewall"
        )
    return Finding(part, "ok", "loopback 127.0.0.1 gives one")


def _extra(name: str, what: str, install: str) -> Finding:
    wanted = _requirements(name)
    missing = [package for package in wanted if not _installed(package)]
    if wanted and not missing:
        versions = ", ".join(f"{package} {_installed(package)}" for package in wanted)
        return Finding(f"extra {name}", "ok", versions)
    return Finding(
        f"extra {name}",
        "warn",
        f"not installed (optional: {what})",
        " ".join([install, *(f"'{package}{spec}'" for package, spec in wanted.items())]),
    )


def _requirements(extra: str) -> dict[str, str]:
    """Package -> version range, of the core ("") or of an extra."""
    found: dict[str, str] = {}
    for line in metadata.requires(DISTRIBUTION) or []:
        match = _REQUIREMENT.fullmatch(line)
        if match is None:
            continue
        name, spec, marker = (part.strip() for part in match.groups())
        of_extra = re.search(r"""extra == ['"]([^'"]+)""", marker)
        if (of_extra.group(1) if of_extra else "") == extra:
            found[name] = spec
    return found


def _installed(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


def _at_least(found: str, spec: str) -> bool:
    lowest = re.search(r">=\s*([0-9.]+)", spec)
    return lowest is None or _numbers(found) >= _numbers(lowest.group(1))


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version.partition("+")[0]))


def _pip(name: str, spec: str) -> str:
    return f"{sys.executable} -m pip install '{name}{spec}'"
