"""Handlers of the groups ``render`` and ``job``."""

from __future__ import annotations

from engine.jobs.job import JobNews, Priority
from engine.server.asked import Desk
from engine.service.asking import StemMade, TakeMade
from engine.settings import RenderSettings
from osc_bridge import paging, schema
from osc_bridge.errors import UnknownJob
from osc_bridge.reply import Reply
from osc_bridge.schema import Result


class RenderHandlers:
    """Renders, and the jobs that they and other long work are."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._rendering = desk.service.rendering
        self._jobs = desk.service.jobs

    def render(self, request: schema.Render, reply: Reply) -> None:
        settings = RenderSettings(request.stems, request.quality)  # type: ignore[arg-type]
        with self._desk.job(reply, _take_made) as asking:
            self._rendering.render(request.scene, settings, asking)

    def render_source(self, request: schema.RenderSource, reply: Reply) -> None:
        settings = RenderSettings(quality=request.quality)  # type: ignore[arg-type]
        with self._desk.job(reply, _stem_made, request.source) as asking:
            self._rendering.render_source(request.scene, request.source, settings, asking)

    def list(self, request: schema.ListJobs, _reply: Reply) -> Result:
        return paging.job_page(request.page, [_row(news) for news in self._jobs.rows()])

    def cancel(self, request: schema.CancelJob, reply: Reply) -> Result:
        """Stop a job, also one that nobody waits for: a render that a crash cut off."""
        try:
            return reply.cancel_job(request.job)
        except UnknownJob:
            if not self._desk.service.cancel(self._jobs.key_of(request.job)):
                raise
            return schema.CancelRequested(request.job)

    def prioritise(self, request: schema.PrioritiseJob, reply: Reply) -> Result:
        mine = reply.job(request.job)
        keys = [row.key for row in self._jobs.rows()]
        key = mine if mine in keys else self._jobs.key_of(request.job)
        self._jobs.prioritise(key, request.job, Priority.of(request.priority))
        return schema.JobPrioritised(request.job, request.priority)


def _take_made(made: TakeMade) -> schema.TakeMade:
    return schema.TakeMade(made.take, str(made.path))


def _stem_made(made: StemMade) -> schema.StemMade:
    return schema.StemMade(made.scene, made.source, made.revision, str(made.path), made.sha256)


def _row(news: JobNews) -> schema.JobRow:
    title = news.title
    return schema.JobRow(
        title.request_id,
        title.address,
        title.scene,
        title.source,
        news.state,
        _PRIORITY_WORDS.get(news.priority, news.priority.word),
        news.fraction,
        title.client,
    )


_PRIORITY_WORDS = {Priority.PERCEIVE: Priority.NOW.word}
"""What has no word on the wire is shown as the nearest that has."""
