"""All long work: a queue for the device, one for files, and the order of additions."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import TypeVar

from engine.jobs.job import Job, JobNews, Priority, Progress, Reporter
from engine.jobs.queue import JobQueue
from engine.notices import Notices
from engine.order import AddingOrder
from engine.service.asking import Asking
from osc_bridge.errors import UnknownJob

T = TypeVar("T")


class Jobs:
    """The queues of one engine. Methods may be called from any thread."""

    def __init__(self, device: str, notices: Notices) -> None:
        self.device = JobQueue(f"wildtrack-{device}", told=notices.job)
        self.files = JobQueue("wildtrack-files", told=notices.job)
        self.adding = AddingOrder()

    def start(self) -> None:
        """Start the workers."""
        self.device.start()
        self.files.start()

    def close(self) -> None:
        """Cancel everything and wait for the workers to end."""
        self.files.close()
        self.device.close()

    @property
    def running(self) -> int:
        """How many jobs run."""
        return self.device.running + self.files.running

    @property
    def waiting(self) -> int:
        """How many jobs wait."""
        return self.device.waiting + self.files.waiting

    def rows(self) -> list[JobNews]:
        """Return the jobs as they are now: those that run, then those that wait, next first."""
        rows = [*self.device.rows(), *self.files.rows()]
        return sorted(rows, key=lambda row: row.state != "running")

    def submit(
        self,
        queue: JobQueue,
        priority: Priority,
        work: Callable[[Reporter], T],
        asking: Asking[T],
        replaces: Hashable | None = None,
    ) -> None:
        """Queue work whose result is the caller's; QueueFull when there is no room."""
        caller = asking.caller
        queue.submit(
            Job(
                caller.key,
                priority,
                work,
                caller.report,
                caller.done,
                asking.fail,
                asking.title,
                replaces,
            )
        )

    def submit_addition(
        self,
        scene_id: str,
        queue: JobQueue,
        prepare: Callable[[Reporter], Callable[[], T]],
        asking: Asking[T],
    ) -> None:
        """Queue work that prepares a change of a scene; its commit keeps the order of asking."""
        caller = asking.caller
        turn = self.adding.turn(scene_id, caller.key, asking.wait_for_turn)

        def report(progress: Progress) -> None:
            caller.report(progress)
            turn.goes_on()

        def prepared(commit: Callable[[], T]) -> None:
            turn.ready(lambda: asking.end(commit), asking.fail_cancelled)

        def failed(error: BaseException) -> None:
            turn.give_up()
            asking.fail(error)

        job = Job(
            caller.key,
            Priority.PERCEIVE,
            prepare,
            report,
            prepared,
            failed,
            asking.title,
        )
        try:
            queue.submit(job)
        except BaseException:
            turn.give_up()
            raise

    def cancel(self, key: Hashable) -> bool:
        """Cancel the waiting or running job of that key; False when there is none."""
        return self.device.cancel(key) or self.files.cancel(key) or self.adding.cancel(key)

    def key_of(self, request_id: int) -> Hashable:
        """Return the key of the one job that a request of this id began; else UnknownJob."""
        found = [row.key for row in self.rows() if row.title.request_id == request_id]
        if len(found) != 1:
            raise _unknown(request_id)
        return found[0]

    def prioritise(self, key: Hashable, request_id: int, priority: Priority) -> None:
        """Give a job another priority; UnknownJob when none of that key runs or waits."""
        if not (self.device.prioritise(key, priority) or self.files.prioritise(key, priority)):
            raise _unknown(request_id)


def _unknown(request_id: int) -> UnknownJob:
    return UnknownJob(
        f"job {request_id} is not running or waiting: the request id of an open job is allowed; "
        "ask job/list for them."
    )
