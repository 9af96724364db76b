"""From a reply to whom the service tells of long work."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from engine.errors import as_wildtrack_error
from engine.jobs.job import Caller, JobTitle, Progress
from engine.server.clients import ClientNames
from engine.service import EngineService
from engine.service.asking import Added, Asking
from osc_bridge import schema
from osc_bridge.reply import Reply
from osc_bridge.schema import Result

T = TypeVar("T")


class Desk:
    """What all handlers share: the service, and who asks."""

    def __init__(self, service: EngineService) -> None:
        self.service = service
        self.names = ClientNames()

    def client(self, reply: Reply) -> str:
        """Return the name of who asked."""
        return self.names.of(reply.client)

    @contextmanager
    def job(
        self, reply: Reply, result: Callable[[T], Result], source: str = ""
    ) -> Iterator[Asking[T]]:
        """Yield who asks for a job that ends ``reply``; once queued it can be cancelled."""

        def report(progress: Progress) -> None:
            reply.progress(progress.fraction, progress.step, progress.of, progress.sentence)

        def done(value: T) -> None:
            try:
                answer = result(value)
            except Exception as error:
                reply.fail(as_wildtrack_error(error))
            else:
                reply.done(answer)

        request: Any = reply.request
        scene = getattr(request, "scene", "")
        title = JobTitle(reply.address, scene, source, self.client(reply), reply.request_id)
        arguments = tuple(value for _, value in request.arguments())
        yield Asking(Caller(reply, report, done, reply.fail), title, arguments)
        reply.on_cancel(lambda: self.service.cancel(reply))


def added(what: Added) -> schema.SourcesAdded:
    """Return the answer to an addition."""
    return schema.SourcesAdded(what.scene.id, tuple(source.id for source in what.sources))
