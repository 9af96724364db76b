"""Sizes of the modules that the configuration names: of tests, of the starter, of the paper."""

from __future__ import annotations

from dataclasses import replace

from engine.cmss import GeneratorConfig, ManifoldConfig, RemixerConfig, SSV2AConfig, StylerConfig
from engine.models.sizes import starter_sizes, tiny_sizes
from engine.training.settings import ModelTable

PAPER_FOLD = 768


def ssv2a_config(table: ModelTable, clip_dim: int, clap_dim: int) -> SSV2AConfig:
    """Return the configuration of a model for embeddings of these sizes."""
    if table.size == "paper":
        config = _paper(clip_dim, clap_dim)
    else:
        sizes = tiny_sizes() if table.size == "tiny" else starter_sizes()
        config = replace(sizes.ssv2a, clip_dim=clip_dim, clap_dim=clap_dim)
    return replace(
        config,
        manifold=replace(config.manifold, cr_weight=table.alpha, kl_weight=table.kl),
        generator=replace(config.generator, kl_weight=table.kl),
    )


def _paper(clip_dim: int, clap_dim: int) -> SSV2AConfig:
    """Table 6; heads and Remixer as in the published configuration."""
    return SSV2AConfig(
        clip_dim=clip_dim,
        clap_dim=clap_dim,
        manifold_dim=PAPER_FOLD,
        manifold=ManifoldConfig(layers=(768, 768, 1536, 1536, 3072, 3072)),
        generator=GeneratorConfig(layers=(768, 768, 896, 896, 1024, 1024, 2048, 2048)),
        remixer=RemixerConfig(styler=StylerConfig(embed_dim=PAPER_FOLD)),
    )
