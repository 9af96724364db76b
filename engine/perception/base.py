"""What every pack's perception offers, whatever networks are behind it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from engine.steps import StepCallback, no_steps

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image
    from torch import Tensor

MAX_REGIONS = 16

Box = tuple[int, int, int, int]
"""x0, y0, x1, y1 in pixels of the picture as displayed; x1 and y1 are exclusive."""


@dataclass(frozen=True)
class Region:
    """One sounding thing seen in a frame."""

    box: Box
    label: str
    score: float


class ImageEncoder(Protocol):
    """Pictures to the pack's image and text space."""

    @property
    def dim(self) -> int: ...

    def encode(self, images: Sequence[Image.Image]) -> Tensor:
        """Return (B, clip_dim) float32 rows of unit length; (0, clip_dim) for no pictures."""
        ...


class TextEncoder(Protocol):
    """Words to the pack's image and text space."""

    @property
    def dim(self) -> int: ...

    def encode(self, texts: Sequence[str]) -> Tensor:
        """Return (B, clip_dim) float32 rows of unit length; (0, clip_dim) for no texts."""
        ...


class AudioEncoder(Protocol):
    """Sounds to the pack's audio space."""

    @property
    def dim(self) -> int: ...

    @property
    def sample_rate(self) -> int: ...

    def encode(
        self, waves: Sequence[NDArray[np.float32]], on_step: StepCallback = no_steps
    ) -> Tensor:
        """Return (B, clap_dim) float32 unit rows for (T,) mono waves at ``sample_rate`` Hz.

        ``on_step`` is called after each part of a long wave and may raise Cancelled.
        """
        ...


class Detector(Protocol):
    """Finds the things in a frame that may sound."""

    def detect(self, image: Image.Image, on_step: StepCallback = no_steps) -> list[Region]:
        """Return at most ``MAX_REGIONS`` regions, best first."""
        ...
