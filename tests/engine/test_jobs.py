"""The job queue, without models and sockets."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from engine.jobs.job import Job, JobNews, JobTitle, Priority, Progress, Reporter
from engine.jobs.queue import JobQueue
from osc_bridge.errors import Cancelled, EngineUnreachable, OutOfRange, QueueFull

WAIT_S = 20.0
TITLE = JobTitle("/render", "scene1", "s1", "demo", 12)


class Ends:
    """Records how each job ended, in order."""

    def __init__(self) -> None:
        self.told: list[tuple[str, Any]] = []
        self._changed = threading.Condition()

    def job(
        self,
        key: str,
        work: Callable[[Reporter], Any] = lambda _reporter: None,
        priority: Priority = Priority.FINAL,
        replaces: str | None = None,
    ) -> Job[Any]:
        def end(value: Any) -> None:
            with self._changed:
                self.told.append((key, value))
                self._changed.notify_all()

        return Job(key, priority, work, _quiet, end, end, TITLE, replaces)

    def wait(self, count: int) -> list[tuple[str, Any]]:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.told) >= count, WAIT_S)
            return list(self.told)


class Told:
    """Records the news of a queue, in order."""

    def __init__(self) -> None:
        self.news: list[JobNews] = []
        self._changed = threading.Condition()

    def __call__(self, news: JobNews) -> None:
        with self._changed:
            self.news.append(news)
            self._changed.notify_all()

    def states(self, key: str) -> list[str]:
        return [news.state for news in self.news if news.key == key]

    def wait(self, key: str, state: str) -> JobNews:
        def found() -> list[JobNews]:
            return [n for n in self.news if (n.key, n.state) == (key, state)]

        with self._changed:
            assert self._changed.wait_for(found, WAIT_S)
            return found()[0]


def _quiet(_progress: Progress) -> None:
    """Say nothing."""


@pytest.fixture
def often_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those in the queue hear of it all the time; asked for before the queue starts."""
    monkeypatch.setattr("engine.jobs.queue.REPEAT_S", 0.005)


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def queue(told: Told) -> Iterator[JobQueue]:
    queue = JobQueue("test", limit=4, told=told)
    queue.start()
    yield queue
    queue.close()


@pytest.fixture
def held(queue: JobQueue) -> Iterator[threading.Event]:
    """The worker is busy until this is set."""
    go_on, began = threading.Event(), threading.Event()

    def hold(_reporter: Reporter) -> None:
        began.set()
        assert go_on.wait(WAIT_S)

    queue.submit(Ends().job("held", hold))
    assert began.wait(WAIT_S)
    yield go_on
    go_on.set()


def keys(queue: JobQueue) -> list[Any]:
    return [row.key for row in queue.rows()]


def test_lower_priorities_wait_and_equals_keep_their_order(
    queue: JobQueue, held: threading.Event
) -> None:
    ends = Ends()
    asked = {"f1": "final", "f2": "final", "p": "preview", "i": "perceive"}
    for key, priority in asked.items():
        queue.submit(ends.job(key, priority=Priority.of(priority)))
    held.set()
    assert [key for key, _ in ends.wait(4)] == ["i", "p", "f1", "f2"]


def test_a_waiting_job_gets_another_priority(queue: JobQueue, held: threading.Event) -> None:
    ends = Ends()
    for key in ("a", "b", "c"):
        queue.submit(ends.job(key))
    assert queue.prioritise("a", Priority.LATER)
    assert queue.prioritise("c", Priority.NOW)
    assert queue.prioritise("held", Priority.LATER), "one that runs is not stopped"
    assert not queue.prioritise("d", Priority.NOW)
    assert keys(queue) == ["held", "c", "b", "a"]
    assert [row.priority.word for row in queue.rows()] == ["later", "now", "final", "later"]
    held.set()
    assert [key for key, _ in ends.wait(3)] == ["c", "b", "a"]


def test_priorities_have_words() -> None:
    assert [Priority.of(priority.word) for priority in Priority] == sorted(Priority)
    with pytest.raises(OutOfRange, match="now, perceive, preview, final, later"):
        Priority.of("soon")


def test_the_queue_is_bounded(queue: JobQueue, held: threading.Event) -> None:
    ends = Ends()
    for number in range(4):
        queue.submit(ends.job(str(number)))
    with pytest.raises(QueueFull, match="0 to 4 jobs"):
        queue.submit(ends.job("4"))
    held.set()
    assert len(ends.wait(4)) == 4


def test_a_newer_job_replaces_one_that_waits_and_takes_its_place(
    queue: JobQueue, told: Told, held: threading.Event
) -> None:
    ends = Ends()
    for key, replaces in (("a", "s1"), ("b", "s2"), ("c", None), ("d", None)):
        queue.submit(ends.job(key, replaces=replaces))
    queue.submit(ends.job("e", replaces="s1"))
    ((key, error),) = ends.told
    assert (key, type(error)) == ("a", Cancelled)
    assert told.states("a") == ["waiting", "replaced"]
    assert keys(queue) == ["held", "e", "b", "c", "d"], "a full queue has room for it"
    held.set()
    assert [key for key, _ in ends.wait(5)] == ["a", "e", "b", "c", "d"]


def test_a_running_job_is_not_replaced(queue: JobQueue, told: Told) -> None:
    ends, began, go_on = Ends(), threading.Event(), threading.Event()

    def work(_reporter: Reporter) -> str:
        began.set()
        assert go_on.wait(WAIT_S)
        return "sound"

    queue.submit(ends.job("a", work, replaces="s1"))
    assert began.wait(WAIT_S)
    queue.submit(ends.job("b", replaces="s1"))
    go_on.set()
    assert ends.wait(2) == [("a", "sound"), ("b", None)]


def test_a_waiting_job_is_cancelled_at_once(
    queue: JobQueue, told: Told, held: threading.Event
) -> None:
    ends = Ends()
    queue.submit(ends.job("a"))
    assert queue.cancel("a")
    ((key, error),) = ends.told
    assert key == "a"
    assert isinstance(error, Cancelled)
    assert told.states("a") == ["waiting", "cancelled"]
    assert not queue.cancel("a")
    assert queue.waiting == 0


def test_a_running_job_stops_at_its_next_step(queue: JobQueue) -> None:
    ends, began, go_on = Ends(), threading.Event(), threading.Event()
    steps: list[int] = []

    def work(reporter: Reporter) -> None:
        on_step = reporter.phase("Working.", 0.0, 1.0)
        began.set()
        assert go_on.wait(WAIT_S)
        for step in range(10):
            on_step(step, 10)
            steps.append(step)

    queue.submit(ends.job("a", work))
    assert began.wait(WAIT_S)
    assert queue.cancel("a")
    go_on.set()
    assert isinstance(ends.wait(1)[0][1], Cancelled)
    assert steps == []


def test_a_list_shows_what_runs_and_what_waits(queue: JobQueue) -> None:
    ends, half, go_on = Ends(), threading.Event(), threading.Event()

    def work(reporter: Reporter) -> None:
        reporter.phase("Working.", 0.0, 1.0)(1, 2)
        half.set()
        assert go_on.wait(WAIT_S)

    queue.submit(ends.job("a", work))
    assert half.wait(WAIT_S)
    queue.submit(ends.job("b", priority=Priority.PREVIEW))
    assert queue.rows() == [
        JobNews("a", TITLE, "running", Priority.FINAL, 0.5, "Working."),
        JobNews("b", TITLE, "waiting", Priority.PREVIEW, 0.0, "Waiting for 1 other job."),
    ]
    assert (queue.running, queue.waiting) == (1, 1)
    go_on.set()
    ends.wait(2)
    assert queue.rows() == [], "a job that was told of its end is in no list"


def test_who_waits_is_told_so_again_and_again(
    often_told: None, queue: JobQueue, held: threading.Event
) -> None:
    reports: list[Progress] = []
    twice, ends = threading.Event(), Ends()

    def report(progress: Progress) -> None:
        reports.append(progress)
        if len(reports) >= 3:
            twice.set()

    def work(reporter: Reporter) -> None:
        reporter.phase("Working.", 0.0, 1.0)(1, 1)

    queue.submit(replace(ends.job("first", work), report=report))
    queue.submit(ends.job("second"))
    assert twice.wait(WAIT_S)
    assert {(p.fraction, p.sentence) for p in reports} == {(0.0, "Waiting for 1 other job.")}
    held.set()
    ends.wait(2)
    assert reports[-1].sentence == "Working.", "nothing is told of waiting once it works"


def test_who_takes_no_step_is_told_again_how_far_it_is(often_told: None, queue: JobQueue) -> None:
    ends, thrice = Ends(), threading.Event()
    reports: list[Progress] = []

    def report(progress: Progress) -> None:
        reports.append(progress)
        if reports.count(Progress(0.25, 1, 2, "Working.")) >= 3:
            thrice.set()

    def work(reporter: Reporter) -> None:
        reporter.phase("Working.", 0.0, 0.5)(1, 2)
        assert thrice.wait(WAIT_S)

    queue.submit(replace(ends.job("a", work), report=report))
    assert ends.wait(1) == [("a", None)]


def test_nothing_is_told_after_the_end(often_told: None, queue: JobQueue, told: Told) -> None:
    said: list[tuple[str, str]] = []

    def job(key: str, work: Callable[[Reporter], None]) -> Job[Any]:
        return Job(
            key,
            Priority.FINAL,
            work,
            lambda _progress: said.append((key, "progress")),
            lambda _result: said.append((key, "end")),
            lambda _error: said.append((key, "end")),
        )

    def stray(reporter: Reporter) -> None:
        strays.append(reporter.phase("Straying.", 0.0, 1.0))

    strays: list[Any] = []
    for number in range(3):
        queue.submit(job(str(number), stray))
    told.wait("2", "done")
    for on_step in strays:
        on_step(1, 1)
    queue.close()
    for number in "012":
        assert [what for key, what in said if key == number].count("end") == 1
        assert [what for key, what in said if key == number][-1] == "end"
        states = told.states(number)
        assert states[0] == "waiting"
        assert states[-1] == "done"
        assert sorted(set(states), key=states.index) == ["waiting", "running", "done"]


def test_news_of_how_far_a_job_is_are_thinned(
    queue: JobQueue, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_s = [100.0]
    clock = SimpleNamespace(monotonic=lambda: now_s[0])

    def work(reporter: Reporter) -> None:
        on_step = reporter.phase("Working.", 0.0, 1.0)
        for step in range(1, 2_001):
            now_s[0] += 0.001
            on_step(step, 2_000)

    with monkeypatch.context() as patch:
        patch.setattr("engine.jobs.ticket.time", clock)
        patch.setattr("engine.jobs.job.time", clock)
        queue.submit(Ends().job("a", work))
        told.wait("a", "done")
    fractions = [news.fraction for news in told.news if news.state == "running"]
    assert 4 <= len(fractions) <= 9, "two seconds, at most four a second and the beginning"
    assert fractions == sorted(fractions)
    assert told.news[-1].fraction == 1.0


@pytest.mark.parametrize(
    ("error", "state", "sentence"),
    [
        (Cancelled("enough"), "cancelled", "enough"),
        (ValueError("odd"), "failed", "odd"),
        (MemoryError(), "failed", "MemoryError"),
    ],
)
def test_everybody_hears_how_it_ended(
    queue: JobQueue, told: Told, error: Exception, state: str, sentence: str
) -> None:
    def work(_reporter: Reporter) -> None:
        raise error

    queue.submit(Ends().job("a", work))
    news = told.wait("a", state)
    assert (news.title, news.sentence, news.fraction) == (TITLE, sentence, 0.0)


def test_a_caller_that_cannot_be_told_does_not_end_the_telling(
    often_told: None, queue: JobQueue, held: threading.Event
) -> None:
    heard = threading.Event()

    def gone(_progress: Progress) -> None:
        raise OSError("gone")

    queue.submit(replace(Ends().job("a"), report=gone))
    queue.submit(replace(Ends().job("b"), report=lambda _progress: heard.set()))
    assert heard.wait(WAIT_S)


class Unspeakable(Exception):
    def __str__(self) -> str:
        raise ValueError("nothing to say")


def endless(depth: int = 0) -> int:
    return endless(depth + 1) + 1


def raises(error: BaseException) -> Callable[[Reporter], Any]:
    def work(_reporter: Reporter) -> None:
        raise error

    return work


@pytest.mark.parametrize(
    ("work", "kind"),
    [
        (raises(ValueError("x")), ValueError),
        (raises(SystemExit(3)), SystemExit),
        (raises(KeyboardInterrupt()), KeyboardInterrupt),
        (raises(MemoryError()), MemoryError),
        (raises(GeneratorExit()), GeneratorExit),
        (raises(Unspeakable()), Unspeakable),
        (lambda _reporter: endless(), RecursionError),
    ],
)
def test_the_worker_outlives_what_a_job_raises(
    queue: JobQueue, work: Callable[[Reporter], Any], kind: type[BaseException]
) -> None:
    ends = Ends()
    queue.submit(ends.job("bad", work))
    queue.submit(ends.job("good"))
    (bad, error), good = ends.wait(2)
    assert (bad, type(error)) == ("bad", kind)
    assert good == ("good", None)


@pytest.mark.parametrize("error", [OSError("gone"), SystemExit(3), MemoryError()])
def test_the_worker_outlives_what_those_raise_who_are_told(error: BaseException) -> None:
    def gone(_value: Any) -> None:
        raise error

    ends = Ends()
    queue = JobQueue("test", told=gone)
    queue.start()
    try:
        queue.submit(replace(ends.job("a"), done=gone, report=gone))
        queue.submit(replace(ends.job("b", raises(ValueError("x"))), failed=gone))
        queue.submit(ends.job("c"))
        assert ends.wait(1) == [("c", None)]
    finally:
        queue.close()


class Big:
    """Stands for what must be freed."""


@pytest.mark.parametrize("ends_by", ["result", "error", "cancel"])
def test_nothing_of_a_finished_job_is_kept(queue: JobQueue, ends_by: str) -> None:
    freed, began, go_on = threading.Event(), threading.Event(), threading.Event()
    kept: list[BaseException] = []

    def work(reporter: Reporter) -> Big | None:
        big = Big()
        weakref.finalize(big, freed.set)
        began.set()
        assert go_on.wait(WAIT_S)
        reporter.check()
        if ends_by == "error":
            raise ValueError("a trace that leads here, and to what is big")
        return big

    queue.submit(Job("a", Priority.FINAL, work, _quiet, lambda _result: None, kept.append))
    assert began.wait(WAIT_S)
    if ends_by == "cancel":
        queue.cancel("a")
    go_on.set()
    assert freed.wait(WAIT_S), "also while the queue waits for the next job"
    assert [type(error) for error in kept] == {
        "result": [], "error": [ValueError], "cancel": [Cancelled],
    }[ends_by]  # fmt: skip


def test_a_closed_queue_cancels_what_waits_and_takes_no_more(
    queue: JobQueue, told: Told, held: threading.Event
) -> None:
    ends = Ends()
    queue.submit(ends.job("a"))
    held.set()
    queue.close()
    assert len(ends.told) == 1
    with pytest.raises(EngineUnreachable):
        queue.submit(ends.job("b"))
    assert told.states("b") == []


def test_a_closed_queue_leaves_no_thread() -> None:
    before = threading.active_count()
    queue = JobQueue("test")
    queue.start()
    assert threading.active_count() == before + 2
    queue.close()
    queue.close()
    assert threading.active_count() == before


def test_phases_share_out_the_whole_and_reports_are_thinned() -> None:
    reports: list[Progress] = []
    reporter = Reporter(reports.append, threading.Event())
    for begin, end in ((0.0, 0.5), (0.5, 1.0)):
        on_step = reporter.phase("Working.", begin, end)
        for step in range(1, 1_001):
            on_step(step, 1_000)
    assert [p.fraction for p in reports] == sorted(p.fraction for p in reports)
    assert reports[-1].fraction == 1.0
    assert len(reports) < 200
