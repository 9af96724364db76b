"""SSV2A's core: manifold, reconstructor, Remixer, Cycle Mix and Temporal Aggregation."""

from __future__ import annotations

from engine.cmss.checkpoint import load_ssv2a, save_ssv2a
from engine.cmss.config import (
    GeneratorConfig,
    ManifoldConfig,
    RemixerConfig,
    SSV2AConfig,
    StylerConfig,
)
from engine.cmss.gaussian import Gaussian
from engine.cmss.model import SSV2A, build_ssv2a

__all__ = [
    "SSV2A",
    "Gaussian",
    "GeneratorConfig",
    "ManifoldConfig",
    "RemixerConfig",
    "SSV2AConfig",
    "StylerConfig",
    "build_ssv2a",
    "load_ssv2a",
    "save_ssv2a",
]
