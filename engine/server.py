"""The engine's face over OSC: each request of the contract becomes one call of the service.

The only module of the engine that knows messages and sockets. It imports nothing heavy, so that
a port in use is said at once.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any, TypeVar

from engine.jobs.job import Caller, Progress
from engine.scene.model import MAX_SOURCES, Source
from engine.settings import RenderSettings
from osc_bridge import discovery, paging, schema
from osc_bridge.errors import UnknownJob
from osc_bridge.reply import Reply
from osc_bridge.schema import Request, Result
from osc_bridge.server import OscServer
from osc_bridge.transports.base import Listener
from osc_bridge.transports.tcp import TcpListener
from osc_bridge.transports.udp import UdpListener

if TYPE_CHECKING:
    from engine.service import Added, EngineService, TakeMade

T = TypeVar("T")

_REMEMBERED_JOBS = 256


class Handlers:
    """Answers every request; jobs keep their reply and end it from a worker."""

    def __init__(self, service: EngineService, stop: threading.Event) -> None:
        self._service = service
        self._stop = stop
        self._asked_to_stop: deque[int] = deque(maxlen=_REMEMBERED_JOBS)
        self._table: dict[type[Request[Any]], Callable[[Any, Reply], Result | None]] = {
            schema.Hello: self._hello,
            schema.Status: self._status,
            schema.NewScene: self._new_scene,
            schema.AddImage: self._add_image,
            schema.AddRegion: self._add_region,
            schema.AddText: self._add_text,
            schema.AddAudio: self._add_audio,
            schema.SetSource: self._set_source,
            schema.ListSources: self._list_sources,
            schema.Render: self._render,
            schema.CancelJob: self._cancel_job,
            schema.ListTakes: self._list_takes,
            schema.Quit: self._quit,
        }

    def __call__(self, request: Request[Any], reply: Reply) -> Result | None:
        """Answer at once, or return None and end ``reply`` later."""
        return self._table[type(request)](request, reply)

    def _hello(self, _request: schema.Hello, _reply: Reply) -> Result:
        session = str(self._service.config.session)
        return schema.Welcome(schema.API_MAJOR, schema.API_MINOR, _program(), session, MAX_SOURCES)

    def _status(self, _request: schema.Status, _reply: Reply) -> Result:
        health = self._service.health()
        return schema.EngineStatus(
            pack=health.pack,
            device=health.device,
            jobs_running=health.jobs_running,
            jobs_waiting=health.jobs_waiting,
            scenes=health.scenes,
            memory_bytes=health.memory_bytes,
            uptime_s=health.uptime_s,
        )

    def _new_scene(self, request: schema.NewScene, _reply: Reply) -> Result:
        scene = self._service.new_scene(
            request.name, request.start_sample, request.duration_samples, request.seed
        )
        return schema.SceneMade(scene.id)

    def _add_text(self, request: schema.AddText, _reply: Reply) -> Result:
        return _added(self._service.add_text(request.scene, request.text))

    def _add_image(self, request: schema.AddImage, reply: Reply) -> None:
        with self._job(reply, _added) as caller:
            self._service.add_image(request.scene, request.path, request.label, caller)

    def _add_region(self, request: schema.AddRegion, reply: Reply) -> None:
        box = (request.x0, request.y0, request.x1, request.y1)
        with self._job(reply, _added) as caller:
            self._service.add_region(request.scene, request.path, box, request.label, caller)

    def _add_audio(self, request: schema.AddAudio, reply: Reply) -> None:
        with self._job(reply, _added) as caller:
            self._service.add_audio(request.scene, request.path, caller)

    def _set_source(self, request: schema.SetSource, _reply: Reply) -> Result:
        source = self._service.set_source(
            request.scene, request.source, request.field, request.value
        )
        value = getattr(source, request.field)
        return schema.SourceChanged(request.scene, source.id, request.field, value)

    def _list_sources(self, request: schema.ListSources, _reply: Reply) -> Result:
        scene = self._service.scene(request.scene)
        return paging.source_page(scene.id, request.page, [_row(s) for s in scene.sources])

    def _render(self, request: schema.Render, reply: Reply) -> None:
        settings = RenderSettings(request.stems, request.quality)  # type: ignore[arg-type]
        with self._job(reply, _take_made) as caller:
            self._service.render(request.scene, settings, caller)

    def _cancel_job(self, request: schema.CancelJob, reply: Reply) -> Result:
        """Stop a job; one that the asking itself has just ended is no unknown job."""
        try:
            return reply.cancel_job(request.job)
        except UnknownJob:
            if request.job not in self._asked_to_stop:
                raise
            return schema.CancelRequested(request.job)

    def _list_takes(self, request: schema.ListTakes, _reply: Reply) -> Result:
        rows = [
            schema.TakeRow(t.take, t.scene, t.created, t.duration_samples, str(t.path))
            for t in self._service.takes()
        ]
        return paging.take_page(request.page, rows)

    def _quit(self, _request: schema.Quit, _reply: Reply) -> Result:
        self._stop.set()
        return schema.Goodbye()

    @contextmanager
    def _job(self, reply: Reply, result: Callable[[T], Result]) -> Iterator[Caller[T]]:
        """Yield the caller of a job that ends ``reply``; once queued it can be cancelled."""

        def report(progress: Progress) -> None:
            reply.progress(progress.fraction, progress.step, progress.of, progress.sentence)

        def done(value: T) -> None:
            reply.done(result(value))

        def cancel() -> None:
            self._asked_to_stop.append(reply.request_id)
            self._service.cancel(reply)

        yield Caller(reply, report, done, reply.fail)
        reply.on_cancel(cancel)


def _program() -> str:
    """Return the program and its installed version."""
    try:
        return f"wildtrack {version('wildtrack')}"
    except PackageNotFoundError:
        return "wildtrack (not installed)"


def _added(added: Added) -> schema.SourcesAdded:
    return schema.SourcesAdded(added.scene.id, tuple(source.id for source in added.sources))


def _take_made(made: TakeMade) -> schema.TakeMade:
    return schema.TakeMade(made.take, str(made.path))


def _row(source: Source) -> schema.SourceRow:
    x0, y0, x1, y1 = source.box or (0, 0, 0, 0)
    return schema.SourceRow(
        source=source.id,
        kind=source.kind,
        label=source.label,
        x0=x0,
        y0=y0,
        x1=x1,
        y1=y1,
        weight=source.weight,
        gain_db=source.gain_db,
        pan=source.pan,
        mute=source.mute,
        solo=source.solo,
        seed=source.seed,
        start_sample=source.start_sample,
        chain=source.chain,
        cat_id=source.cat_id,
    )


@contextmanager
def listening(udp_port: int, tcp_port: int) -> Iterator[tuple[Listener, Listener]]:
    """Hold a UDP and a TCP port on loopback (0: any free one); PortInUse when one is taken.

    Both are free again at the end, whether or not a server has closed them.
    """
    udp = UdpListener(udp_port)
    try:
        tcp = TcpListener(tcp_port)
        try:
            yield udp, tcp
        finally:
            tcp.close()
    finally:
        udp.close()


@contextmanager
def serving(
    service: EngineService, listeners: tuple[Listener, Listener], stop: threading.Event
) -> Iterator[OscServer]:
    """Serve until the end of the block; ``stop`` is set when a client says quit.

    The engine's discovery file is there exactly as long. The service is closed first, so that
    its jobs end as cancelled.
    """
    server = OscServer(Handlers(service, stop), listeners)
    service.start()
    try:
        server.start()
        ports = discovery.Ports(server.port("udp"), server.port("tcp"))
        discovery.announce(service.config.session, ports)
        yield server
    finally:
        discovery.withdraw()
        service.close()
        server.close()
