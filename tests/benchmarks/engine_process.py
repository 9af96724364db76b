"""An engine in a process of its own for a benchmark, and what can be seen of it from outside."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

ROOT = Path(__file__).resolve().parents[2]
_END_S = 15.0


@dataclass(frozen=True)
class RunningEngine:
    """A started engine; ``said`` is the line of JSON that was waited for."""

    process: subprocess.Popen[str]
    said: dict[str, Any]
    log: Path

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def udp_port(self) -> int:
        return int(self.said["udp_port"])

    @property
    def tcp_port(self) -> int:
        return int(self.said["tcp_port"])

    def resident_bytes(self) -> int:
        """Memory that the engine holds now."""
        return resident_bytes(self.pid)

    def log_text(self) -> str:
        """What it wrote to standard error so far."""
        return self.log.read_text(encoding="utf-8", errors="replace")


def tiny_pack(folder: Path) -> Path:
    """A pack of random weights in ``folder``, which loads like the starter (imports torch)."""
    from engine.models.saving import save_starter
    from engine.models.sizes import random_parts, tiny_sizes

    save_starter(folder, random_parts(tiny_sizes(), seed=1), name="tiny", version="0")
    return folder


@contextmanager
def running_engine(
    session: Path, pack: Path, *options: str, until: str = "ready", threads: int = 1
) -> Iterator[RunningEngine]:
    """Start ``python -m engine`` and wait until it says ``until`` ("serving" or "ready").

    It ends with the block, by SIGTERM and then SIGKILL, and with this process, however that ends.
    What it says on standard error is kept beside the session, in ``<session>.log``.

    Raises:
        RuntimeError: it ended before; with what it said.
    """
    command = [sys.executable, "-m", "engine", "--until-stdin-closes"]
    command += ["--session", str(session), "--pack", str(pack), *options]
    log_path = session.parent / f"{session.name}.log"
    with log_path.open("a", encoding="utf-8") as log:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": str(threads)},
        )
    with process:
        try:
            assert process.stdout is not None
            yield RunningEngine(process, _awaited(process.stdout, until, log_path), log_path)
        finally:
            end(process)


def _awaited(lines: IO[str], until: str, log: Path) -> dict[str, Any]:
    for line in lines:
        said: dict[str, Any] = json.loads(line)
        if said.get(until):
            return said
    raise RuntimeError(f"the engine did not say {until}: {log.read_text(encoding='utf-8')}")


def end(process: subprocess.Popen[str]) -> None:
    """End the engine if it still runs: as a user would, then by force."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(_END_S)
        except subprocess.TimeoutExpired:
            process.kill()


def resident_bytes(pid: int) -> int:
    """Memory that a process holds now."""
    statm = Path(f"/proc/{pid}/statm")
    if statm.is_file():
        return int(statm.read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    said = subprocess.run(
        ["ps", "-o", "rss=", "-p", str(pid)], capture_output=True, text=True, check=True
    )
    return int(said.stdout) * 1024
