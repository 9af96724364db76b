"""How a scene is rendered; it does not change the scene."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

StemsMode = Literal["independent", "consistent"]
Quality = Literal["preview", "final"]


@dataclass(frozen=True)
class RenderSettings:
    """Whether stems stand alone or add up to the mix, and speed against quality."""

    stems_mode: StemsMode = "independent"
    quality: Quality = "final"
