"""One piece of long work, its progress and its end."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from enum import IntEnum
from typing import Generic, Literal, TypeVar

from engine.steps import StepCallback
from osc_bridge.errors import Cancelled, OutOfRange, WildtrackError

T = TypeVar("T")

PROGRESS_INTERVAL_S = 0.1
"""At most ten reports a second; the contract is at least four while steps are taken."""


class Priority(IntEnum):
    """The lower number runs first; equals run in the order they came."""

    NOW = 0
    PERCEIVE = 1
    PREVIEW = 2
    FINAL = 3
    LATER = 4

    @property
    def word(self) -> str:
        """The name on the wire, in lower case."""
        return self.name.lower()

    @classmethod
    def of(cls, word: str) -> Priority:
        """Return the priority of that name, or raise OutOfRange naming them all."""
        words = [priority.word for priority in cls]
        if word not in words:
            raise OutOfRange(f"The priority {word[:40]!r} is none of {', '.join(words)}.")
        return cls[word.upper()]


State = Literal["waiting", "running", "done", "failed", "cancelled", "replaced"]
"""The first two are those of a job in the queue, the others its end."""


@dataclass(frozen=True)
class Progress:
    """How far a job is: ``fraction`` of the whole, ``step`` of ``of`` within ``sentence``."""

    fraction: float
    step: int
    of: int
    sentence: str


ReportProgress = Callable[[Progress], None]


class Reporter:
    """What running work holds on to: it reports phases and steps, and learns of a cancel.

    Phases share out the fraction 0 to 1. Every step looks at the cancel flag; reports are thinned
    to one per ``PROGRESS_INTERVAL_S`` except the first and the last step of each phase.
    """

    def __init__(self, report: ReportProgress, cancelled: threading.Event) -> None:
        self._report = report
        self._cancelled = cancelled
        self._last_s = -PROGRESS_INTERVAL_S

    def check(self) -> None:
        """Raise Cancelled when the caller has asked for it."""
        if self._cancelled.is_set():
            raise Cancelled("The job was cancelled; nothing was written.")

    def phase(self, sentence: str, begin: float, end: float) -> StepCallback:
        """Return a step callback for the part of the work from ``begin`` to ``end``."""

        def on_step(step: int, of: int) -> None:
            self.check()
            done = min(1.0, step / of) if of > 0 else 1.0
            self._tell(Progress(begin + (end - begin) * done, step, of, sentence))

        return on_step

    def _tell(self, progress: Progress) -> None:
        now_s = time.monotonic()
        if now_s - self._last_s >= PROGRESS_INTERVAL_S or progress.step >= progress.of:
            self._last_s = now_s
            self._report(progress)


@dataclass(frozen=True)
class JobTitle:
    """What a list shows of a job: the request it came from, what it is about, who asked."""

    address: str = ""
    scene: str = ""
    source: str = ""
    client: str = ""
    request_id: int = 0


@dataclass(frozen=True)
class JobNews:
    """A job as its queue tells of it; ``sentence`` says what it does, waits for or ended with."""

    key: Hashable
    title: JobTitle
    state: State
    priority: Priority
    fraction: float
    sentence: str


@dataclass(frozen=True)
class Job(Generic[T]):
    """Work for the queue.

    ``key`` is unique among waiting and running jobs. Exactly one of ``done`` and ``failed`` is
    called at the end, on the worker's thread, or on that of who cancels or replaces a job that
    waits (``failed`` with Cancelled when it was cancelled or replaced). What the error's trace
    holds on to is let go after ``failed``. ``report`` is called while the queue holds a lock: it
    must not wait, nor call the queue.

    A job ends those that wait with an equal ``replaces`` and takes their place; None replaces
    nothing.
    """

    key: Hashable
    priority: Priority
    work: Callable[[Reporter], T]
    report: ReportProgress
    done: Callable[[T], None]
    failed: Callable[[BaseException], None]
    title: JobTitle = JobTitle()
    replaces: Hashable | None = None


@dataclass(frozen=True)
class Caller(Generic[T]):
    """Who asked for a job: a unique key to cancel it by, and how to tell the rest."""

    key: Hashable
    report: Callable[[Progress], None]
    done: Callable[[T], None]
    failed: Callable[[WildtrackError], object]
