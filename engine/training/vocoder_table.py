"""What the stage ``vocoder`` can be told besides run and schedule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from engine.synthesis.vocos import VocosSettings
from engine.training.within import Within


@dataclass(frozen=True)
class VocoderTable:
    """Sizes of the network, weights of its losses, and the adversary.

    ``frames`` is the length of a segment that is learned from, in frames of the front end. ``mel``
    and ``spectra`` multiply the distance of the mel pictures and of spectra at four resolutions.
    The adversary begins after ``adversary_from`` steps, 0: never; ``channels`` is its width.
    """

    width: Annotated[int, Within(8, 8192)]
    hidden: Annotated[int, Within(8, 8192)]
    layers: Annotated[int, Within(1, 64)]
    frames: Annotated[int, Within(16, 4096)]
    mel: Annotated[float, Within(0.0, 1000.0)]
    spectra: Annotated[float, Within(0.0, 1000.0)]
    adversary_from: Annotated[int, Within(0, 100_000_000)]
    channels: Annotated[int, Within(1, 1024)]

    @property
    def network(self) -> VocosSettings:
        """Return the sizes of the network."""
        return VocosSettings(self.width, self.hidden, self.layers)
