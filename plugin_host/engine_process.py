"""An engine for one call: the one that already serves the session, or a child of ours.

A child is always ended: by ``quit``, then as `plugin_host.child` says, also after Ctrl-C.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from osc_bridge.client import Client
from osc_bridge.discovery import find_engine
from osc_bridge.errors import WildtrackError
from plugin_host.child import Child, engine_command
from plugin_host.interrupts import terminated_like_interrupted

START_S: Final = 180.0
"""A cold disk may need a minute to load torch and a large pack."""


@dataclass(frozen=True)
class Launch:
    """How to start an engine; empty fields are left to its own defaults."""

    session: Path
    pack: str = ""
    device: str = ""

    def command(self) -> list[str]:
        options = ["--session", str(self.session)]
        options += ["--pack", self.pack] if self.pack else []
        return engine_command(options + (["--device", self.device] if self.device else []))


@dataclass(frozen=True)
class Engine:
    """A connected engine; ``started_s`` is 0 for one that was already there."""

    client: Client
    started_s: float


@contextmanager
def engine_for(launch: Launch, name: str = "wildtrack") -> Iterator[Engine]:
    """The session's running engine, or a new one that ends with the block.

    Raises what the engine said when it cannot start, EngineUnreachable when it says nothing.
    """
    address = find_engine(launch.session)
    if address is not None:
        with address.connect(name) as client:
            yield Engine(client, 0.0)
        return
    begin_s = time.perf_counter()
    with (
        terminated_like_interrupted(),
        _ready_child(launch) as port,
        Client.connect(port, name=name) as client,
    ):
        yield Engine(client, time.perf_counter() - begin_s)
        with suppress(WildtrackError):
            client.quit()


@contextmanager
def _ready_child(launch: Launch) -> Iterator[int]:
    """Start the process, yield its TCP port when its pack is loaded, see it dead at the end."""
    child = Child(launch.command())
    asked = False
    try:
        yield int(child.said_key("ready", START_S)["tcp_port"])
        asked = True
    finally:
        child.end(asked)
