"""The parts of ``wildtrack evaluate --paper``, in the order of its page."""

from __future__ import annotations

from typing import Literal, get_args

PartName = Literal[
    "single",
    "multi",
    "synchrony",
    "ablations",
    "manifold",
    "cycle-mix",
    "composition",
    "audio",
    "muting",
    "starter",
]
PARTS: tuple[PartName, ...] = get_args(PartName)
