"""Who asked for long work, and how to tell them how it goes and ends."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from engine.errors import as_wildtrack_error
from engine.jobs.job import Caller, JobTitle, Progress
from engine.jobs.record_file import Argument
from engine.scene.model import Scene, Source
from osc_bridge.errors import Cancelled

T = TypeVar("T")


@dataclass(frozen=True)
class Asking(Generic[T]):
    """A caller, what lists show of the request, and its arguments as a repetition has them."""

    caller: Caller[T]
    title: JobTitle
    arguments: tuple[Argument, ...]

    def end(self, work: Callable[[], T]) -> None:
        """Do the last of the work here, and tell the caller how it ended; raises nothing."""
        try:
            result = work()
        except BaseException as error:
            self.fail(error)
        else:
            self.caller.done(result)

    def fail(self, error: BaseException) -> None:
        """Tell the caller that it failed (Cancelled: was cancelled)."""
        self.caller.failed(as_wildtrack_error(error))

    def wait_for_turn(self) -> None:
        """Tell the caller that it waits for what was asked for before."""
        self.caller.report(Progress(1.0, 1, 1, "Waiting for additions that were sent before."))

    def fail_cancelled(self) -> None:
        """Tell the caller that it was cancelled before its turn."""
        self.fail(Cancelled("It was cancelled before its turn; nothing was added."))


@dataclass(frozen=True)
class Added:
    """The scene after an addition and the sources that are new in it."""

    scene: Scene
    sources: tuple[Source, ...]


@dataclass(frozen=True)
class TakeMade:
    """A finished take and the absolute path of its ``take.json``."""

    take: str
    path: Path


@dataclass(frozen=True)
class StemMade:
    """One stem for listening: of which source in which state of the scene, where, and its hash."""

    scene: str
    source: str
    revision: int
    path: Path
    sha256: str
