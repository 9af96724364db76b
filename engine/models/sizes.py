"""The sizes of the starter's networks, and of a tiny pack for tests and dry runs."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from engine.cmss import (
    GeneratorConfig,
    ManifoldConfig,
    RemixerConfig,
    SSV2AConfig,
    StylerConfig,
    build_ssv2a,
)
from engine.models.saving import StarterParts
from engine.perception.audio import AudioNet, AudioNetSettings
from engine.synthesis.codec import CodecSettings, MelCodec
from engine.synthesis.dit import DiT, DiTSettings
from engine.synthesis.vocos import Vocos, VocosSettings

TEXT_DIM = 384  # MiniLM, the space of words and pictures


@dataclass(frozen=True)
class StarterSizes:
    """Everything that shapes the networks of a starter pack; a vocoder is no must."""

    audio: AudioNetSettings
    ssv2a: SSV2AConfig
    codec: CodecSettings
    generator: DiTSettings
    vocoder: VocosSettings | None = None


def starter_sizes() -> StarterSizes:
    """Return the sizes of the pack inside the install: about twelve million parameters."""
    audio = AudioNetSettings(widths=(24, 48, 96, 192))
    codec = CodecSettings(dims=64)
    return StarterSizes(
        audio=audio,
        ssv2a=_ssv2a(audio.dim, fold=256, widest=512, slots=64),
        codec=codec,
        generator=DiTSettings(dims=codec.dims, condition=audio.dim),
    )


def tiny_sizes() -> StarterSizes:
    """Return sizes for tests: the same classes, a few thousand parameters."""
    audio = AudioNetSettings(widths=(8, 8, 8, 8), dim=32)
    return StarterSizes(
        audio=audio,
        ssv2a=_ssv2a(audio.dim, fold=16, widest=32, slots=64),
        codec=CodecSettings(dims=8, width=16),
        generator=DiTSettings(dims=8, condition=audio.dim, width=32, layers=2, heads=2),
    )


def random_parts(sizes: StarterSizes, seed: int) -> StarterParts:
    """Return untrained networks of these sizes; the same seed gives the same weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        codec = MelCodec(sizes.codec)
        codec.fit(torch.randn(4096, codec.mean.numel()) * 2 - 5)
        generator = DiT(sizes.generator)
        torch.nn.init.normal_(generator.leave.weight, std=0.2)  # zero at the start of training
        return StarterParts(
            audio=AudioNet(sizes.audio).eval(),
            ssv2a=build_ssv2a(sizes.ssv2a).eval(),
            codec=codec.eval(),
            generator=generator.eval(),
            vocoder=Vocos(sizes.vocoder).eval() if sizes.vocoder else None,
        )


def _ssv2a(clap_dim: int, fold: int, widest: int, slots: int) -> SSV2AConfig:
    middle = (fold + widest) // 2
    layers = (fold, fold, middle, middle, widest, widest)
    return SSV2AConfig(
        clip_dim=TEXT_DIM,
        clap_dim=clap_dim,
        manifold_dim=fold,
        manifold=ManifoldConfig(layers=layers, dropout=0.1),
        generator=GeneratorConfig(layers=layers, dropout=0.1),
        remixer=RemixerConfig(slot=slots, styler=StylerConfig(embed_dim=fold, nhead=8)),
    )
