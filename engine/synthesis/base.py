"""What every decoder offers: the starter's latent flow now, AudioLDM later."""

from __future__ import annotations

from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from engine.steps import StepCallback

Quality = Literal["preview", "final"]


class Decoder(Protocol):
    """Turns one audio embedding into one mono sound; read-only once it is warm."""

    @property
    def sample_rate(self) -> int:
        """Sample rate of the output, Hz."""

    @property
    def bandwidth_hz(self) -> int:
        """Highest frequency that the decoder produces, Hz."""

    @property
    def min_s(self) -> float:
        """Shortest sound, seconds."""

    @property
    def max_s(self) -> float:
        """Longest sound, seconds."""

    def decode(
        self,
        a: Tensor,
        seconds: float,
        seed: int,
        quality: Quality,
        on_step: StepCallback,
        batch: int = 2,
    ) -> NDArray[np.float32]:
        """Return ``round(seconds * sample_rate)`` samples, at most 1 in magnitude.

        ``a`` is a unit vector (clap_dim,). ``batch`` is how many passes are computed at once: 1
        takes less memory and more time. The same arguments give the same samples. OutOfRange for
        ``seconds`` outside ``min_s`` to ``max_s``; ``on_step`` may raise Cancelled.
        """
