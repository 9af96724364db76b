"""Progress of evaluation: as training shows it, or none where a program reads the answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from engine.steps import StepCallback, no_steps


@contextmanager
def shown(quiet: bool) -> Iterator[Callable[[str], StepCallback]]:
    """Yield a function that begins a stage and returns its step callback."""
    if quiet:
        yield lambda _name: no_steps
        return
    from engine.training.commands import Shown  # noqa: PLC0415

    with Shown() as progress:
        yield progress.stage
