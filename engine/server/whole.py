"""Handlers of the engine as a whole: hello, status, quit."""

from __future__ import annotations

import threading
from importlib.metadata import PackageNotFoundError, version

from engine.server.asked import Desk
from osc_bridge import schema
from osc_bridge.reply import Reply
from osc_bridge.schema import Result


class EngineHandlers:
    """``stop`` is set when a client says quit; ``capabilities`` are what a hello is told."""

    def __init__(self, desk: Desk, stop: threading.Event, capabilities: tuple[str, ...]) -> None:
        self._desk = desk
        self._stop = stop
        self._capabilities = capabilities

    def hello(self, request: schema.Hello, reply: Reply) -> Result:
        self._desk.names.note(reply.client, request.client)
        return schema.Welcome(
            schema.API_MAJOR,
            schema.API_MINOR,
            _program(),
            str(self._desk.service.config.session),
            capabilities=self._capabilities,
        )

    def status(self, _request: schema.Status, _reply: Reply) -> Result:
        service = self._desk.service
        health = service.health()
        clients, subscribers = service.notices.audience()
        return schema.EngineStatus(
            pack=health.pack,
            device=health.device,
            jobs_running=health.jobs_running,
            jobs_waiting=health.jobs_waiting,
            scenes=health.scenes,
            clients=clients,
            subscribers=subscribers,
            packs_loaded=health.packs_loaded,
            memory_bytes=health.memory_bytes,
            memory_budget_bytes=health.memory_budget_bytes,
            stems_bytes=health.stems_bytes,
            uptime_s=health.uptime_s,
        )

    def quit(self, _request: schema.Quit, _reply: Reply) -> Result:
        self._stop.set()
        return schema.Goodbye()


def _program() -> str:
    """Return the program and its installed version."""
    try:
        return f"wildtrack {version('wildtrack')}"
    except PackageNotFoundError:
        return "wildtrack (not installed)"
