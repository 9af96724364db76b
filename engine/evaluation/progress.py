"""Progress of evaluation on a terminal: one bar a stage; silent where the output is piped."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from engine.steps import StepCallback, no_steps


@contextmanager
def shown(quiet: bool) -> Iterator[Callable[[str], StepCallback]]:
    """Yield a function that begins a stage and returns its step callback."""
    if quiet or not sys.stderr.isatty():
        yield lambda name: no_steps
        return
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import Progress  # noqa: PLC0415

    with Progress(console=Console(stderr=True)) as progress:

        def stage(name: str) -> StepCallback:
            bar = progress.add_task(name)
            return lambda step, of: progress.update(bar, completed=step, total=of)

        yield stage
