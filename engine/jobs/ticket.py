"""A job in the queue: what it has been told and what has been told of it.

Everything that is said of one job passes here, in order, and nothing after its end.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
import traceback
from collections.abc import Callable
from typing import Any, TypeVar

from engine.jobs.job import Job, JobNews, Progress, Reporter, State
from osc_bridge.errors import Cancelled

T = TypeVar("T")

NEWS_INTERVAL_S = 0.25
"""At least this long between two news of how far one job is; a new state is told at once."""

SENTENCE_CHARACTERS = 200

_log = logging.getLogger(__name__)


class Ticket:
    """One job, its place in line (``priority``, then ``number``) and how far it is."""

    def __init__(self, job: Job[Any], number: int, told: Callable[[JobNews], None]) -> None:
        self.job = job
        self.priority = job.priority
        self.number = number
        self.cancelled = threading.Event()
        self.speaking = threading.RLock()
        self._told = told
        self._state: State = "waiting"
        self._progress = _waits_for(0)
        self._news_s = 0.0
        self._news_of: Progress | None = None
        self._is_deaf = False

    @property
    def place(self) -> tuple[int, int]:
        """Sorts the jobs that wait: the lowest runs next."""
        return int(self.priority), self.number

    def row(self) -> JobNews:
        """Return how the job is now."""
        job, now = self.job, self._progress
        return JobNews(job.key, job.title, self._state, self.priority, now.fraction, now.sentence)

    def waits(self, ahead: int) -> None:
        """Report that the job waits for ``ahead`` others, unless it no longer does."""
        with self.speaking:
            if self._state == "waiting":
                self._report(_waits_for(ahead))

    def repeat(self) -> None:
        """Report again how far the running job is."""
        with self.speaking:
            if self._state == "running":
                self._report(self._progress)

    def run(self, let_go: Callable[[], None]) -> None:
        """Work to the end; ``let_go`` is called between the work and telling of its end."""
        try:
            result = self._work()
        except BaseException as error:
            let_go()
            self.fail(error)
        else:
            let_go()
            self._end("done", "Done.", self.job.done, result)

    def _work(self) -> Any:
        reporter = Reporter(self._steps, self.cancelled)
        reporter.check()
        with self.speaking:
            self._state = "running"
            self._progress = Progress(0.0, 0, 1, "Beginning.")
            self._tell(self._state)
        return self.job.work(reporter)

    def fail(self, error: BaseException, state: State | None = None) -> None:
        """End the job with an error, and free what the error's traces hold."""
        ended: State = "cancelled" if isinstance(error, Cancelled) else "failed"
        self._end(state or ended, _sentence(error), self.job.failed, error)
        _free_traces(error)

    def _end(self, state: State, sentence: str, end: Callable[[T], object], value: T) -> None:
        """Say nothing more of progress, tell the caller of the end, then everybody else."""
        with self.speaking:
            self._state = state
            fraction = 1.0 if state == "done" else self._progress.fraction
            self._progress = Progress(fraction, 1, 1, sentence)
        self._call(end, value)
        with self.speaking:
            self._tell(state)

    def _steps(self, progress: Progress) -> None:
        with self.speaking:
            if self._state == "running":
                self._report(progress)

    def _report(self, progress: Progress) -> None:
        self._progress = progress
        self._call(self.job.report, progress)
        is_news = self._news_of is None or not _same(self._news_of, progress)
        if is_news and time.monotonic() - self._news_s >= NEWS_INTERVAL_S:
            self._tell(self._state)

    def _tell(self, state: State) -> None:
        self._news_s = time.monotonic()
        self._news_of = self._progress
        self._call(self._told, self.row())

    def _call(self, tell: Callable[[T], object], value: T) -> None:
        """Tell somebody; whoever is gone must not stop the worker, and is logged once a job."""
        try:
            tell(value)
        except BaseException:
            if not self._is_deaf:
                self._is_deaf = True
                with contextlib.suppress(BaseException):
                    _log.exception("Somebody could not be told of the job %s", self.job.title)


def _same(a: Progress, b: Progress) -> bool:
    return (a.fraction, a.sentence) == (b.fraction, b.sentence)


def _waits_for(ahead: int) -> Progress:
    jobs = "1 other job" if ahead == 1 else f"{ahead} other jobs"
    return Progress(0.0, 0, 1, f"Waiting for {jobs}." if ahead else "Next to begin.")


def _sentence(error: BaseException) -> str:
    """Return what an error says, cut for a list; its class when it says nothing."""
    try:
        text = str(error)
    except Exception:
        text = ""
    return (text or type(error).__name__)[:SENTENCE_CHARACTERS]


def _free_traces(error: BaseException) -> None:
    """Clear the frames of an error and of those it came from: they hold tensors and pictures."""
    seen: set[int] = set()
    chain: list[BaseException | None] = [error]
    while chain:
        link = chain.pop()
        if link is None or id(link) in seen:
            continue
        seen.add(id(link))
        traceback.clear_frames(link.__traceback__)
        chain += [link.__cause__, link.__context__]
