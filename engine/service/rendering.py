"""Renders: takes that survive a crash of the engine, and single stems for listening."""

from __future__ import annotations

import logging

from engine.config import EngineConfig
from engine.errors import mapped
from engine.jobs.job import Caller, Priority, Reporter
from engine.jobs.record_file import JobRecord
from engine.jobs.records import JobRecords, Outcome
from engine.models.store import ModelStore
from engine.notices import Notices
from engine.pipeline import Renderer
from engine.service.asking import Asking, StemMade, TakeMade
from engine.service.followers import Followers
from engine.service.jobs import Jobs
from engine.service.scenes import Scenes
from engine.service.takes import Takes
from engine.settings import RenderSettings
from engine.stem_cache import StemCache
from engine.take_document import take_document
from osc_bridge.errors import WildtrackError

_log = logging.getLogger(__name__)


class Rendering:
    """What renders the scenes of a session. Methods may be called from any thread."""

    def __init__(
        self,
        config: EngineConfig,
        scenes: Scenes,
        jobs: Jobs,
        takes: Takes,
        models: ModelStore,
        notices: Notices,
    ) -> None:
        self._session = config.session
        self._scenes = scenes
        self._jobs = jobs
        self._takes = takes
        self._models = models
        self._notices = notices
        self.stems = StemCache(config.session, config.stems_bytes, takes.stems_in_use)
        self._renderer = Renderer(models, config.session, self.stems, notices.engine)
        self._records = JobRecords(
            config.session, lambda sentence: notices.engine("job_dropped", sentence)
        )
        self._followers = Followers(self._records.outcome, self._made)

    def resume(self) -> None:
        """Queue again what a crash cut off; called once, before the first request."""
        with mapped():
            pending = self._records.pending(self._takes.of_job)
        for record in pending:
            what = f"the render of {record.scene.id} that a crash of the engine cut off"
            try:
                self._queue(record, self._followers.asking(record))
            except WildtrackError as error:
                self._ended(record, Outcome(error=error))
                self._notices.engine("job_dropped", f"Given up: {what} ({error})")
            else:
                self._notices.engine("job_resumed", f"Goes on: {what}.")

    def render(self, scene_id: str, settings: RenderSettings, asking: Asking[TakeMade]) -> None:
        """Render the scene as it is now into a new take.

        The request that began a render before a crash is told of that render's end.
        """
        title = asking.title
        claimed = self._records.claim(title.request_id, title.address, asking.arguments)
        if claimed is not None:
            self._followers.follow(claimed.id, asking.caller)
            return
        record = JobRecord(
            title.request_id,
            title.address,
            title.client,
            asking.arguments,
            settings,
            self._scenes.get(scene_id),
        )
        with mapped():
            added = self._records.add(record)
        try:
            self._queue(added, asking)
        except BaseException:
            self._ended(added, Outcome())
            raise

    def render_source(
        self, scene_id: str, source_id: str, settings: RenderSettings, asking: Asking[StemMade]
    ) -> None:
        """Render one source for listening; a newer render of it replaces one that waits."""
        scene = self._scenes.get(scene_id)
        scene.source(source_id)

        def work(reporter: Reporter) -> StemMade:
            stem = self._renderer.render_source(scene, source_id, settings.quality, reporter.phase)
            reporter.check()
            with self.stems.keeping([stem]) as kept:
                file = kept[stem.key]
            path = self._session / file.file
            return StemMade(scene_id, source_id, scene.revision, path, file.sha256)

        self._jobs.submit(
            self._jobs.device,
            _priority(settings),
            work,
            asking,
            replaces=("stem", scene_id, source_id),
        )

    def cancel(self, key: object) -> bool:
        """Cancel the resumed render that this caller follows; False when it follows none."""
        record_id = self._followers.followed_by(key)
        return record_id is not None and self._jobs.cancel(record_id)

    def _queue(self, record: JobRecord, asking: Asking[TakeMade]) -> None:
        caller = asking.caller

        def work(reporter: Reporter) -> TakeMade:
            self._models.current(reporter.phase("Waiting for the models.", 0.0, 0.0))
            self._records.started(record)
            return self._take(record, reporter)

        def done(made: TakeMade) -> None:
            self._ended(record, Outcome(take=made.take))
            caller.done(made)

        def failed(error: WildtrackError) -> None:
            self._ended(record, Outcome(error=error))
            caller.failed(error)

        recorded = Asking(
            Caller(caller.key, caller.report, done, failed), asking.title, asking.arguments
        )
        self._jobs.submit(self._jobs.device, _priority(record.settings), work, recorded)

    def _ended(self, record: JobRecord, outcome: Outcome) -> None:
        """Forget the record; a disk that does not allow it keeps nobody from being told."""
        try:
            self._records.done(record.id, outcome)
        except OSError as error:
            _log.warning("The record %s of a render that has ended stays: %s", record.id, error)

    def _take(self, record: JobRecord, reporter: Reporter) -> TakeMade:
        rendered = self._renderer.render(record.scene, record.settings, reporter.phase)
        reporter.check()
        stems = dict.fromkeys((*rendered.stems, rendered.mix, *rendered.decoded))
        with self.stems.keeping(list(stems)) as kept:
            document = take_document(record.scene, rendered, kept, rendered.pack, record.token)
            take, path = self._takes.add(document)
        return TakeMade(take, path)

    def _made(self, take: str) -> TakeMade:
        return TakeMade(take, self._session / "takes" / take / "take.json")


def _priority(settings: RenderSettings) -> Priority:
    return Priority.PREVIEW if settings.quality == "preview" else Priority.FINAL
