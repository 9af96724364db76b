"""The range of a number in a configuration."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Within:
    """The numbers from ``low`` to ``high``, both allowed."""

    low: float
    high: float
