"""The one place where long work can report progress and be stopped.

Samplers, Cycle Mix and the detector call ``on_step(step, of)`` after each step. A job's callback
sends progress, and raises :class:`osc_bridge.errors.Cancelled` to stop the work within one step.
"""

from __future__ import annotations

from collections.abc import Callable

StepCallback = Callable[[int, int], None]


def no_steps(step: int, of: int) -> None:
    """Ignore progress; the default for callers that do not wait in front of a screen."""
