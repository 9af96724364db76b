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
from engine.cmss.cycle_mix import CycleMixSettings, MixResult
from engine.cmss.gaussian import Gaussian
from engine.cmss.mix import mix
from engine.cmss.model import SSV2A, build_ssv2a
from engine.cmss.sources import SourceEmbedding, project, source_semantics
from engine.cmss.temporal import aggregate

__all__ = [
    "SSV2A",
    "CycleMixSettings",
    "Gaussian",
    "GeneratorConfig",
    "ManifoldConfig",
    "MixResult",
    "RemixerConfig",
    "SSV2AConfig",
    "SourceEmbedding",
    "StylerConfig",
    "aggregate",
    "build_ssv2a",
    "load_ssv2a",
    "mix",
    "project",
    "save_ssv2a",
    "source_semantics",
]
