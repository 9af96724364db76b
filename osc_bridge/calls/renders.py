"""Renders, jobs and takes."""

from __future__ import annotations

from osc_bridge.caller import Caller, OnProgress
from osc_bridge.calls.pages import read_pages
from osc_bridge.schema import (
    CompareTakes,
    DeleteTake,
    Difference,
    JobPrioritised,
    JobRow,
    ListJobs,
    ListTakes,
    PrioritiseJob,
    RenameTake,
    Render,
    RenderSource,
    RestoreTake,
    StarTake,
    StemMade,
    TakeChanged,
    TakeMade,
    TakeRow,
)

RENDER_S = 600.0
"""Longest silence of a job; the engine reports several times a second while one waits or runs."""


class RenderCalls(Caller):
    """What a client renders, and what becomes of it."""

    def render(
        self,
        scene: str,
        stems: str = "independent",
        quality: str = "final",
        on_progress: OnProgress | None = None,
        timeout_s: float = RENDER_S,
    ) -> TakeMade:
        """Render a take; Ctrl-C cancels the job in the engine, then goes on as KeyboardInterrupt.

        Raises:
            Cancelled: another client cancelled it.
            WildtrackError: what the engine answered.
        """
        return self.call_or_cancel(Render(scene, stems, quality), timeout_s, on_progress)

    def preview(
        self,
        scene: str,
        stems: str = "independent",
        on_progress: OnProgress | None = None,
        timeout_s: float = RENDER_S,
    ) -> TakeMade:
        """Render a take quickly, at less quality; overtakes finals that wait."""
        return self.render(scene, stems, "preview", on_progress, timeout_s)

    def render_source(
        self,
        scene: str,
        source: str,
        quality: str = "preview",
        on_progress: OnProgress | None = None,
        timeout_s: float = RENDER_S,
    ) -> StemMade:
        """Render one source for listening, without a take.

        Raises:
            Cancelled: a newer render of the same source replaced it, or it was cancelled.
            WildtrackError: what the engine answered.
        """
        return self.call_or_cancel(RenderSource(scene, source, quality), timeout_s, on_progress)

    def jobs(self) -> list[JobRow]:
        """All jobs that run and wait, of all clients."""
        pages = read_pages(lambda page: self.call(ListJobs(page)))
        return [row for page in pages for row in page.rows]

    def prioritise(self, job: int, priority: str) -> JobPrioritised:
        """Let a job that waits go before or after others: now, preview, final or later."""
        return self.call(PrioritiseJob(job, priority))

    def takes(self, scene: str = "", *, trash: bool = False) -> list[TakeRow]:
        """All takes of the session or of one scene, or those in the trash."""
        pages = read_pages(lambda page: self.call(ListTakes(page, scene, trash)))
        return [row for page in pages for row in page.rows]

    def rename_take(self, take: str, name: str) -> TakeChanged:
        """Give a take a name for people."""
        return self.call(RenameTake(take, name))

    def star_take(self, take: str, *, starred: bool = True) -> TakeChanged:
        """Mark a take as a good one, or take the mark away."""
        return self.call(StarTake(take, starred))

    def delete_take(self, take: str) -> TakeChanged:
        """Move a take to the trash."""
        return self.call(DeleteTake(take))

    def restore_take(self, take: str) -> TakeChanged:
        """Take a take out of the trash."""
        return self.call(RestoreTake(take))

    def compare_takes(self, a: str, b: str) -> list[Difference]:
        """The settings in which two takes differ."""
        pages = read_pages(lambda page: self.call(CompareTakes(a, b, page)))
        return [row for page in pages for row in page.rows]
